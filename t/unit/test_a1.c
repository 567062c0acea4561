/* A1 values, lines and files: what is read, what is refused, and where.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <stdio.h>

#include "store/a1.h"

#define MD5    "0123456789abcdef0123456789ABCDEF"
#define SHA256 MD5 "00112233445566778899aabbccddeeff"
#define TAGGED "{SHA-256}" SHA256

/* Parses a value that ends at an inaccessible page. */
static bool parse(aw_a1_value_t *value, aw_span_t text, aw_text_error_t *error)
{
    const aw_span_t guarded = unit_guard(text.ptr, text.len);
    const bool ok = aw_a1_value_parse(value, guarded, error);

    unit_guard_free(guarded);
    return ok;
}

static void reads_bare_md5(void)
{
    aw_a1_value_t value = {.present = 0};
    aw_text_error_t error;

    CU_ASSERT_TRUE(parse(&value, AW_SPAN_LIT(MD5), &error));
    CU_ASSERT_EQUAL(value.present, 1u << AW_ALG_MD5);
    CU_ASSERT_EQUAL(value.hash[AW_ALG_MD5][0], 0x01);
    CU_ASSERT_EQUAL(value.hash[AW_ALG_MD5][15], 0xef);
}

static void reads_several_tagged(void)
{
    aw_a1_value_t value = {.present = 0};
    aw_text_error_t error;

    CU_ASSERT_TRUE(parse(&value, AW_SPAN_LIT("{md5}" MD5 TAGGED), &error));
    CU_ASSERT_EQUAL(value.present, 1u << AW_ALG_MD5 | 1u << AW_ALG_SHA256);
    CU_ASSERT_EQUAL(value.hash[AW_ALG_SHA256][31], 0xff);
    CU_ASSERT_EQUAL(aw_a1_value_strongest(&value), AW_ALG_SHA256);
}

static void adds_to_and_replaces_earlier_values(void)
{
    aw_a1_value_t value = {.present = 0};
    aw_text_error_t error;

    CU_ASSERT_TRUE(parse(&value, AW_SPAN_LIT(MD5), &error));
    CU_ASSERT_TRUE(parse(&value, AW_SPAN_LIT(TAGGED), &error));
    CU_ASSERT_EQUAL(value.present, 1u << AW_ALG_MD5 | 1u << AW_ALG_SHA256);
    CU_ASSERT_TRUE(parse(&value, AW_SPAN_LIT("ff23456789abcdef0123456789ABCDEF"), &error));
    CU_ASSERT_EQUAL(value.hash[AW_ALG_MD5][0], 0xff);
    CU_ASSERT_EQUAL(value.hash[AW_ALG_SHA256][0], 0x01);
}

static void refuses_values_at_the_right_column(void)
{
    static const struct {
        const char *text;
        size_t column;
        const char *word;
    } bad[] = {
        {"", 1, "empty"},
        {"0123", 5, "too few"},
        {MD5 "0", 33, "too many"},
        {"0123456789abcdeg0123456789abcdef", 16, "not a hex"},
        {MD5 " ", 33, "white space"},
        {MD5 TAGGED, 33, "cannot be followed"},
        {"{SHA-256", 1, "without }"},
        {"{SHA-257}" SHA256, 2, "unknown"},
        {"{}" SHA256, 2, "unknown"},
        {"{SHA-256}" MD5, 42, "too few"},
        {"{MD5}" MD5 "{MD5}" MD5, 39, "twice"},
        {TAGGED "x", 74, "not a hex"},
        {TAGGED "{MD5}", 79, "too few"},
        {"{MD5-sess}" MD5, 2, "unknown"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        aw_a1_value_t value, before;
        aw_text_error_t error = {0, 0, ""};

        memset(&value, 0x5a, sizeof(value));
        before = value;
        CU_ASSERT_FALSE(parse(&value, aw_span(bad[i].text), &error));
        CU_ASSERT_EQUAL(error.line, 1);
        CU_ASSERT_EQUAL(error.column, bad[i].column);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, bad[i].word));
        CU_ASSERT_EQUAL(memcmp(&value, &before, sizeof(value)), 0);
    }
}

static void refuses_every_truncation_of_a_value(void)
{
    static const char text[] = "{MD5}" MD5 TAGGED;

    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        aw_a1_value_t value = {.present = 0};
        aw_text_error_t error = {0, 0, NULL};
        const bool ok = parse(&value, (aw_span_t){text, n}, &error);

        /* The first algorithm alone is a value. */
        CU_ASSERT_EQUAL(ok, n == 5 + 32);
        CU_ASSERT_TRUE(ok || (error.column >= 1 && error.column <= n + 1));
    }
}

static void builds_what_it_reads(void)
{
    for (unsigned mask = 1; mask < 1u << AW_ALG_COUNT; mask++) {
        aw_a1_value_t value = {.present = mask}, again = {.present = 0};
        aw_text_error_t error;
        char text[AW_A1_VALUE_TEXT_MAX];

        for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
            memset(value.hash[a], (int)(0xa0 + a), aw_alg_size((aw_alg_e)a));
        }
        const size_t n = aw_a1_value_build(text, &value, mask);

        CU_ASSERT_TRUE(n <= sizeof(text));
        CU_ASSERT_EQUAL(text[0] == '{', mask != 1u << AW_ALG_MD5);
        CU_ASSERT_TRUE(parse(&again, (aw_span_t){text, n}, &error));
        CU_ASSERT_EQUAL(again.present, mask);
        for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
            CU_ASSERT_TRUE(!(mask & (1u << a)) ||
                           memcmp(again.hash[a], value.hash[a], aw_alg_size((aw_alg_e)a)) == 0);
        }
        CU_ASSERT_EQUAL(aw_a1_value_build(text, &value, 0), 0);
    }
}

static void reads_lines_of_either_ending(void)
{
    const aw_span_t text = unit_guard("# c\r\n\nbob:R:" MD5 "\r\nb\xc3\xbc:\"q\":" TAGGED,
                                      5 + 1 + 6 + 32 + 2 + 3 + 5 + 9 + 64);
    aw_a1_reader_t reader;
    aw_a1_line_t line;
    aw_a1_value_t value;
    aw_text_error_t error;

    aw_a1_reader_init(&reader, text);
    CU_ASSERT_EQUAL(aw_a1_reader_next(&reader, &line, &value, &error), AW_A1_BLANK);
    CU_ASSERT_TRUE(aw_span_equal(line.whole, AW_SPAN_LIT("# c")));
    CU_ASSERT_EQUAL(aw_a1_reader_next(&reader, &line, &value, &error), AW_A1_BLANK);
    CU_ASSERT_EQUAL(aw_a1_reader_next(&reader, &line, &value, &error), AW_A1_LINE);
    CU_ASSERT_EQUAL(line.number, 3);
    CU_ASSERT_TRUE(aw_span_equal(line.user, AW_SPAN_LIT("bob")));
    CU_ASSERT_TRUE(aw_span_equal(line.realm, AW_SPAN_LIT("R")));
    CU_ASSERT_TRUE(aw_span_equal(line.value, AW_SPAN_LIT(MD5)));
    CU_ASSERT_EQUAL(aw_a1_reader_next(&reader, &line, &value, &error), AW_A1_LINE);
    CU_ASSERT_TRUE(aw_span_equal(line.user, AW_SPAN_LIT("b\xc3\xbc")));
    CU_ASSERT_TRUE(aw_span_equal(line.realm, AW_SPAN_LIT("\"q\"")));
    CU_ASSERT_EQUAL(value.present, 1u << AW_ALG_SHA256);
    CU_ASSERT_EQUAL(aw_a1_reader_next(&reader, &line, &value, &error), AW_A1_END);
    CU_ASSERT_EQUAL(aw_a1_reader_next(&reader, &line, &value, &error), AW_A1_END);
    unit_guard_free(text);
}

static void names_broken_lines_and_goes_on(void)
{
    static const struct {
        const char *line;
        size_t column;
        const char *word;
    } bad[] = {
        {"bob", 4, "colon missing"},
        {"bob:R", 6, "colon missing"},
        {"bob:R:" MD5 ":x", 39, "third colon"},
        {":R:" MD5, 1, "empty user"},
        {"bob::" MD5, 5, "empty realm"},
        {"bob:R:", 7, "empty value"},
        {"bob:R:" MD5 " ", 39, "white space"},
        {"bob:R:{X}00", 8, "unknown"},
        {"b\tb:R:" MD5, 2, "control"},
        {"bob:R\x7f:" MD5, 6, "control"},
        {"bob:\xc2\x85:" MD5, 5, "control"},
        {"b\xff:R:" MD5, 2, "UTF-8"},
        {"bob:\xc3:" MD5, 5, "UTF-8"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[300];
        aw_a1_reader_t reader;
        aw_a1_line_t line;
        aw_text_error_t error = {0, 0, ""};
        const int n = snprintf(text, sizeof(text), "# first\n%s\nal:R:" MD5 "\n", bad[i].line);
        const aw_span_t guarded = unit_guard(text, (size_t)n);

        aw_a1_reader_init(&reader, guarded);
        CU_ASSERT_EQUAL(aw_a1_reader_next(&reader, &line, NULL, &error), AW_A1_BLANK);
        CU_ASSERT_EQUAL(aw_a1_reader_next(&reader, &line, NULL, &error), AW_A1_BROKEN);
        CU_ASSERT_EQUAL(error.line, 2);
        CU_ASSERT_EQUAL(error.column, bad[i].column);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, bad[i].word));
        CU_ASSERT_TRUE(aw_span_equal(line.whole, aw_span(bad[i].line)));
        CU_ASSERT_EQUAL(aw_a1_reader_next(&reader, &line, NULL, &error), AW_A1_LINE);
        CU_ASSERT_EQUAL(aw_a1_reader_next(&reader, &line, NULL, &error), AW_A1_END);
        unit_guard_free(guarded);
    }
}

static void names_nul_and_byte_order_marks(void)
{
    aw_a1_reader_t reader;
    aw_a1_line_t line;
    aw_text_error_t error;

    aw_a1_reader_init(&reader, AW_SPAN_LIT("bo\0b:R:" MD5));
    CU_ASSERT_EQUAL(aw_a1_reader_next(&reader, &line, NULL, &error), AW_A1_BROKEN);
    CU_ASSERT_EQUAL(error.column, 3);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "NUL"));
    aw_a1_reader_init(&reader, AW_SPAN_LIT("\xef\xbb\xbf"
                                           "bob:R:" MD5));
    CU_ASSERT_EQUAL(aw_a1_reader_next(&reader, &line, NULL, &error), AW_A1_BROKEN);
    CU_ASSERT_EQUAL(error.column, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "byte order"));
}

/* Cutting a file anywhere breaks at most the line that was cut, and reads nothing behind it. */
static void survives_every_truncation_of_a_file(void)
{
    static const char text[] = "# c\nbob:R:" MD5 "\n\nb\xc3\xbc:R:" TAGGED "\n";

    for (size_t n = 0; n < sizeof(text); n++) {
        const aw_span_t guarded = unit_guard(text, n);
        aw_a1_reader_t reader;
        aw_a1_line_t line;
        aw_text_error_t error;
        aw_a1_line_e what;
        size_t lines = 0, broken = 0;

        aw_a1_reader_init(&reader, guarded);
        while ((what = aw_a1_reader_next(&reader, &line, NULL, &error)) != AW_A1_END) {
            lines++;
            CU_ASSERT_EQUAL(line.number, lines);
            CU_ASSERT_EQUAL(broken, 0);
            broken += what == AW_A1_BROKEN;
        }
        CU_ASSERT_TRUE(broken <= 1);
        CU_ASSERT_TRUE(n < sizeof(text) - 2 || broken == 0);
        unit_guard_free(guarded);
    }
}

static void limits_names_to_1024_bytes(void)
{
    char text[2 * AW_A1_NAME_MAX + 200];
    aw_text_error_t error;
    aw_a1_reader_t reader;
    aw_a1_line_t line;

    memset(text, 'n', AW_A1_NAME_MAX + 1);
    CU_ASSERT_TRUE(aw_a1_name_check((aw_span_t){text, AW_A1_NAME_MAX}, &error));
    CU_ASSERT_FALSE(aw_a1_name_check((aw_span_t){text, AW_A1_NAME_MAX + 1}, &error));
    CU_ASSERT_EQUAL(error.column, AW_A1_NAME_MAX + 1);
    memcpy(text + AW_A1_NAME_MAX + 1, ":R:" MD5, sizeof(":R:" MD5));
    aw_a1_reader_init(&reader, aw_span(text + 1));
    CU_ASSERT_EQUAL(aw_a1_reader_next(&reader, &line, NULL, &error), AW_A1_LINE);
    aw_a1_reader_init(&reader, aw_span(text));
    CU_ASSERT_EQUAL(aw_a1_reader_next(&reader, &line, NULL, &error), AW_A1_BROKEN);
    CU_ASSERT_EQUAL(error.column, AW_A1_NAME_MAX + 1);
}

static void checks_names(void)
{
    aw_text_error_t error;

    CU_ASSERT_TRUE(aw_a1_name_check(AW_SPAN_LIT("J\xc3\xbcrgen \"x\" \\"), &error));
    CU_ASSERT_FALSE(aw_a1_name_check(AW_SPAN_LIT(""), &error));
    CU_ASSERT_FALSE(aw_a1_name_check(AW_SPAN_LIT("ab:c"), &error));
    CU_ASSERT_EQUAL(error.column, 3);
    CU_ASSERT_FALSE(aw_a1_name_check(AW_SPAN_LIT("ab\n"), &error));
    CU_ASSERT_EQUAL(error.column, 3);
    CU_ASSERT_FALSE(aw_a1_name_check(AW_SPAN_LIT("\xc0\x80"), &error));
    CU_ASSERT_EQUAL(error.column, 1);
    CU_ASSERT_TRUE(aw_a1_name_check(AW_SPAN_LIT("#realm"), &error));
    CU_ASSERT_FALSE(aw_a1_user_check(AW_SPAN_LIT("#user"), &error));
    CU_ASSERT_FALSE(aw_a1_user_check(AW_SPAN_LIT("\xef\xbb\xbfuser"), &error));
    CU_ASSERT_TRUE(aw_a1_user_check(AW_SPAN_LIT("us#er"), &error));
}

static const unit_test_t tests[] = {
    {"a bare value is MD5", reads_bare_md5},
    {"tagged values may hold several algorithms", reads_several_tagged},
    {"values of later lines add and replace", adds_to_and_replaces_earlier_values},
    {"a broken value is refused at its column and changes nothing",
     refuses_values_at_the_right_column},
    {"no truncated value is taken for a whole one", refuses_every_truncation_of_a_value},
    {"what is built is read again, for every set of algorithms", builds_what_it_reads},
    {"lines end in LF, CRLF or the end of the file", reads_lines_of_either_ending},
    {"a broken line is named by line and column and the next is read",
     names_broken_lines_and_goes_on},
    {"NUL and byte order marks are named", names_nul_and_byte_order_marks},
    {"a file cut anywhere has one broken line at most", survives_every_truncation_of_a_file},
    {"names have at most 1024 bytes", limits_names_to_1024_bytes},
    {"names without colon, control characters and bad UTF-8 are fit", checks_names},
    {NULL, NULL}};

const unit_suite_t a1_suite = {"a1", tests};
