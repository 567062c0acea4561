/* Certificate maps: fingerprints as people copy them, and what they copy along.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mutate.h"
#include "unit.h"

#include <stdio.h>

#include "base/invisible.h"
#include "store/certmap.h"

#define HEX40 "0123456789abcdef0123456789ABCDEF01234567"
#define HEX64 HEX40 "89abcdef0123456789abcdef"

static aw_line_e first(const char *text, aw_certmap_line_t *line, aw_line_error_t *error)
{
    aw_line_reader_t reader;

    aw_line_reader_init(&reader, aw_span(text));
    return aw_certmap_next(&reader, line, error);
}

static void fingerprints_are_read_as_people_write_them(void)
{
    static const struct {
        const char *text;
        size_t size;
        const char *user, *realm;
    } vectors[] = {
        {HEX40 " jane", 20, "jane", ""},
        {HEX64 "\tjane\tIntranet \r\n", 32, "jane", "Intranet"},
        {"  01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67 jane", 20, "jane", ""},
        {"01 23 45 67 89 ab cd ef 01 23 45 67 89 ab cd ef 01 23 45 67 be ef", 20, "be", "ef"},
        {"01 23 45 67 89 ab cd ef 01 23 45 67 89 ab cd ef 01 23 45 67 "
         "89 ab cd ef 01 23 45 67 89 ab cd ef be ef",
         32, "be", "ef"},
        {"01234567 89abcdef 01234567 89abcdef 01234567 deadbeef", 20, "deadbeef", ""},
        {"01234567 89abcdef 01234567 89abcdef 01234567 deadbeef 01234567", 20, "deadbeef",
         "01234567"},
        {"0123 4567 89ab cdef 0123 4567 89ab cdef 0123 4567 jane", 20, "jane", ""},
        {HEX40 " deadbeef00112233deadbeef", 20, "deadbeef00112233deadbeef", ""},
        {HEX40 " \"Jane \\\"JD\\\" \\\\ Doe\" \"My: Realm\"", 20, "Jane \"JD\" \\ Doe",
         "My: Realm"},
        {HEX40 " \"#1\" a#b", 20, "#1", "a#b"},
        {HEX40 " J\xc3\xb6rg", 20, "J\xc3\xb6rg", ""},
        {HEX40 " \xd9\x85\xe2\x80\x8c\xd9\x85", 20, "\xd9\x85\xe2\x80\x8c\xd9\x85", ""}};

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        aw_certmap_line_t line;
        aw_line_error_t error = {0, 0, ""};
        const aw_line_e what = first(vectors[i].text, &line, &error);

        CU_ASSERT_EQUAL(what, AW_LINE_ENTRY);
        CU_ASSERT_EQUAL(line.size, vectors[i].size);
        CU_ASSERT_STRING_EQUAL(line.user, vectors[i].user);
        CU_ASSERT_STRING_EQUAL(line.realm, vectors[i].realm);
        CU_ASSERT_EQUAL(line.realm_len, strlen(line.realm));
        CU_ASSERT_EQUAL(line.print[4], 0x89);
        if (what != AW_LINE_ENTRY) {
            printf("%s: %zu: %s\n", vectors[i].text, error.column, error.message);
        }
    }
}

static void mistakes_are_named_by_column_and_code_point(void)
{
    static const struct {
        const char *text;
        size_t column;
        const char *message; /* a part */
    } vectors[] = {
        {"\xe2\x80\x8e" HEX40 " jane", 1, "U+200E (LEFT-TO-RIGHT MARK) in the fingerprint"},
        {HEX40 "\xe2\x80\x8e jane", 41, "U+200E (LEFT-TO-RIGHT MARK)"},
        {"01\xc2\xa0"
         "23",
         3, "U+00A0 (NO-BREAK SPACE)"},
        {"01 23 45\xe2\x80\x8b 67 jane", 9, "U+200B (ZERO WIDTH SPACE)"},
        {"\xef\xbb\xbf# comment", 1, "U+FEFF (ZERO WIDTH NO-BREAK SPACE, also a byte order mark)"},
        {HEX40 "\xc2\xa0jane", 41, "U+00A0 (NO-BREAK SPACE)"},
        {HEX40 " jane\xe2\x80\x8e", 46, "U+200E (LEFT-TO-RIGHT MARK) in the user name"},
        {HEX40 " \"ja\xc2\xadne\" R", 45, "U+00AD (SOFT HYPHEN) in the user name"},
        {HEX40 " \"a\\\"\xc2\xadne\" R", 46, "U+00AD (SOFT HYPHEN) in the user name"},
        {HEX40 " jane R\xe2\x81\xa0", 48, "U+2060 (WORD JOINER) in the realm"},
        {HEX40 " \"a\tb\"", 44, "U+0009 (TAB) in the user name"},
        {HEX40 " a\x01", 43, "U+0001"},
        {HEX40 " \xc2\x85", 42, "U+0085"},
        {"\xce\x91"
         "1",
         1, "U+0391 is not a hexadecimal digit"},
        {"jane " HEX40, 1, "\"j\" is not a hexadecimal digit"},
        {HEX40 "0 jane", 42, "41 hexadecimal digits"},
        {"0123 jane", 6, "\"j\" is not a hexadecimal digit"},
        {"0123", 5, "4 hexadecimal digits; a fingerprint has 40 (SHA-1) or 64 (SHA-256)"},
        {HEX64 "00 jane", 1, "66 hexadecimal digits"},
        {"01 23 456 jane", 7, "4 hexadecimal digits"},
        {"01::23 jane", 4, "\":\" is not a hexadecimal digit"},
        {":01 jane", 1, "\":\" is not a hexadecimal digit"},
        {"01:23: jane", 6, "\":\" is not a hexadecimal digit"},
        {HEX40, 41, "a user name expected"},
        {HEX40 "  ", 43, "a user name expected"},
        {HEX40 " a b c", 46, "names with spaces are quoted"},
        {HEX40 " \"a", 42, "a quote without its end"},
        {HEX40 " \"a\\n\"", 45, "behind \\ only"},
        {HEX40 " \"a\\", 45, "behind \\ only"},
        {HEX40 " \"a\"b", 45, "a space expected"},
        {HEX40 " a\"b", 43, "a quote within"},
        {HEX40 " \"\"", 43, "empty user name"},
        {HEX40 " a \"\"", 45, "empty realm"},
        {HEX40 " a:b", 43, "a colon in the user name"},
        {HEX40 " # jane", 42, "a comment has a line of its own"},
        {HEX40 " a\xff", 43, "UTF-8"}};

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        aw_certmap_line_t line;
        aw_line_error_t error = {0, 0, ""};
        const aw_line_e what = first(vectors[i].text, &line, &error);

        CU_ASSERT_EQUAL(what, AW_LINE_BROKEN);
        CU_ASSERT_EQUAL(error.column, vectors[i].column);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, vectors[i].message));
        if (error.column != vectors[i].column || !strstr(error.message, vectors[i].message)) {
            printf("%s: %zu: %s\n", vectors[i].text, error.column, error.message);
        }
    }
}

static void blanks_and_comments_are_passed_over(void)
{
    aw_certmap_line_t line;
    aw_line_error_t error;

    CU_ASSERT_EQUAL(first("\n", &line, &error), AW_LINE_BLANK);
    CU_ASSERT_EQUAL(first(" \t \r\n", &line, &error), AW_LINE_BLANK);
    CU_ASSERT_EQUAL(first("  # \xe2\x80\x8e", &line, &error), AW_LINE_BLANK);
    CU_ASSERT_EQUAL(first("", &line, &error), AW_LINE_END);
}

static void names_may_be_long_but_not_too_long(void)
{
    char text[100 + 2 * AW_CERTMAP_NAME_MAX];
    aw_certmap_line_t line;
    aw_line_error_t error;

    for (int extra = 0; extra < 2; extra++) {
        for (int quoted = 0; quoted < 2; quoted++) {
            const size_t n = AW_CERTMAP_NAME_MAX + (size_t)extra;
            int at = snprintf(text, sizeof(text), "%s %s", HEX40, quoted ? "\"" : "");

            memset(text + at, 'a', n);
            snprintf(text + at + n, sizeof(text) - (size_t)at - n, "%s", quoted ? "\"" : "");
            CU_ASSERT_EQUAL(first(text, &line, &error), extra ? AW_LINE_BROKEN : AW_LINE_ENTRY);
        }
    }
    CU_ASSERT_EQUAL(error.column, 43 + AW_CERTMAP_NAME_MAX);
}

static void note(void *baton, const aw_line_error_t *error)
{
    char *said = baton;
    const size_t n = strlen(said);

    snprintf(said + n, 1000 - n, "%zu:%zu: %s\n", error->line, error->column, error->message);
}

static void a_fingerprint_stands_once_for_a_realm(void)
{
    char said[1000] = "";

    CU_ASSERT_EQUAL(
        aw_certmap_check(AW_SPAN_LIT(HEX40 " a\n" HEX40 " a R\n" HEX64 " a\n"), note, said),
        APR_SUCCESS);
    CU_ASSERT_STRING_EQUAL(said, "");
    CU_ASSERT_EQUAL(
        aw_certmap_check(AW_SPAN_LIT(HEX40 " a\nx\n " HEX40 " b\n" HEX64 " a R\n" HEX64 " a R"),
                         note, said),
        APR_EINVAL);
    CU_ASSERT_STRING_EQUAL(said, "2:1: \"x\" is not a hexadecimal digit\n"
                                 "3:2: the same fingerprint as in line 1, there for another user\n"
                                 "5:1: the same fingerprint and realm as in line 4\n");
}

static void a_lone_fingerprint_is_read_likewise(void)
{
    unsigned char print[AW_SHA256_SIZE] = {9};
    aw_line_error_t error;
    size_t size = 7;

    CU_ASSERT_TRUE(aw_fingerprint_parse(AW_SPAN_LIT(" " HEX40 " "), print, &size, &error));
    CU_ASSERT(size == 20 && print[4] == 0x89 && print[20] == 0);
    CU_ASSERT_FALSE(aw_fingerprint_parse(AW_SPAN_LIT(HEX40 " x"), print, &size, &error));
    CU_ASSERT_EQUAL(error.column, 42);
    CU_ASSERT_FALSE(aw_fingerprint_parse(AW_SPAN_LIT(""), print, &size, &error));
    CU_ASSERT_FALSE(aw_fingerprint_parse(AW_SPAN_LIT("\xff"), print, &size, &error));
    CU_ASSERT_EQUAL(size, 20);
}

static void fingerprints_are_those_of_the_standards(void)
{
    aw_fingerprints_t prints;
    char hex[65] = "";

    CU_ASSERT_EQUAL(aw_fingerprints_make(&prints, AW_SPAN_LIT("abc")), APR_SUCCESS);
    aw_hex_encode(hex, prints.sha256, 32);
    CU_ASSERT_STRING_EQUAL(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    aw_hex_encode(hex, prints.sha1, 20);
    hex[40] = '\0';
    CU_ASSERT_STRING_EQUAL(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
}

static const char *join(const aw_line_edit_t *edit)
{
    static char out[2000];
    size_t n = 0;

    for (size_t i = 0; i < edit->count; i++) {
        CU_ASSERT_FATAL(n + edit->parts[i].len < sizeof(out));
        memcpy(out + n, edit->parts[i].ptr, edit->parts[i].len);
        n += edit->parts[i].len;
    }
    out[n] = '\0';
    return out;
}

static void a_certificate_has_one_line_in_a_realm(void)
{
    static const char text[] = "# x\n00 bad\n" HEX64 " old R\n" HEX40 " old\n" HEX64 " old";
    static const char print[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    aw_fingerprints_t prints;
    aw_line_edit_t edit;
    aw_line_error_t error;
    apr_pool_t *pool;
    char want[1000];

    apr_pool_create(&pool, NULL);
    (void)aw_hex_decode(prints.sha1, HEX40, 20);
    (void)aw_hex_decode(prints.sha256, HEX64, 32);
    CU_ASSERT_EQUAL(aw_certmap_edit_set(&edit, aw_span(text), &prints, AW_SPAN_LIT("a \"b\" \\"),
                                        (aw_span_t){NULL, 0}, &error, pool),
                    APR_SUCCESS);
    snprintf(want, sizeof(want), "# x\n00 bad\n" HEX64 " old R\n%s \"a \\\"b\\\" \\\\\"\n", print);
    CU_ASSERT_STRING_EQUAL(join(&edit), want);
    CU_ASSERT_EQUAL(edit.entries, 2);
    CU_ASSERT_EQUAL(aw_certmap_edit_set(&edit, aw_span(text), &prints, AW_SPAN_LIT("#1"),
                                        AW_SPAN_LIT("R S"), &error, pool),
                    APR_SUCCESS);
    snprintf(want, sizeof(want), "%s\n%s \"#1\" \"R S\"\n", text, print);
    CU_ASSERT_STRING_EQUAL(join(&edit), want);
    CU_ASSERT_EQUAL(aw_certmap_edit_set(&edit, aw_span(text), &prints, AW_SPAN_LIT("a:b"),
                                        (aw_span_t){NULL, 0}, &error, pool),
                    APR_EINVAL);
    CU_ASSERT_EQUAL(error.column, 2);
    apr_pool_destroy(pool);
}

static void invisible_characters_are_found_and_named(void)
{
    aw_char_t c = {0, 0};

    CU_ASSERT_EQUAL(
        aw_text_find_invisible(AW_SPAN_LIT("plain \tJ\xc3\xb6rg \xf0\x9f\x98\x80"), false, &c), 17);
    CU_ASSERT_EQUAL(aw_text_find_invisible(AW_SPAN_LIT("a\xf3\xa0\x81\x81"), false, &c), 1);
    CU_ASSERT(c.code_point == 0xE0041 && c.len == 4);
    CU_ASSERT_EQUAL(aw_text_find_invisible(AW_SPAN_LIT("a\xe2\x80\x8d"), true, &c), 4);
    CU_ASSERT_EQUAL(aw_text_find_invisible(AW_SPAN_LIT("a\xe2\x80\x8d"), false, &c), 1);
    CU_ASSERT_STRING_EQUAL(aw_invisible_name(c.code_point), "ZERO WIDTH JOINER");
    CU_ASSERT_STRING_EQUAL(aw_invisible_name(0xE0041), "an invisible character");
    CU_ASSERT_EQUAL(aw_text_find_invisible(AW_SPAN_LIT("a\0"), false, &c), 1);
    CU_ASSERT_EQUAL(c.code_point, 0);
}

static const char sample[] =
    "# map\n" HEX40 " jane\n01 23 45 67 89 ab cd ef 01 23 45 67 89 ab cd ef 01 23 45 67 \"J D\" R\n"
    "01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:68 \"a\\\"\\\\\" \"R S\"";

static size_t read_all(aw_span_t text)
{
    aw_line_reader_t reader;
    aw_certmap_line_t line;
    aw_line_error_t error;
    size_t entries = 0;
    aw_line_e what;

    aw_line_reader_init(&reader, text);
    while ((what = aw_certmap_next(&reader, &line, &error)) != AW_LINE_END) {
        CU_ASSERT_FATAL(line.whole.ptr >= text.ptr &&
                        line.whole.ptr + line.whole.len <= text.ptr + text.len);
        if (what == AW_LINE_BROKEN) {
            CU_ASSERT_FATAL(error.line == line.number && error.column >= 1 &&
                            error.column <= line.whole.len + 1);
        }
        entries += what == AW_LINE_ENTRY;
    }
    return entries;
}

static void nothing_is_read_behind_a_text_wherever_it_ends(void)
{
    for (size_t n = 0; n < sizeof(sample); n++) {
        const aw_span_t guarded = unit_guard(sample, n);

        CU_ASSERT(read_all(guarded) <= 3);
        unit_guard_free(guarded);
    }
    CU_ASSERT_EQUAL(read_all(aw_span(sample)), 3);
}

static void changed_texts_are_read_safely(void)
{
    uint64_t state = 11;
    char text[2 * sizeof(sample)];

    for (int i = 0; i < 20000; i++) {
        memcpy(text, sample, sizeof(sample));
        const size_t n = unit_mutate(text, sizeof(sample) - 1, sizeof(text), &state);
        const aw_span_t guarded = unit_guard(text, n);

        (void)read_all(guarded);
        (void)aw_certmap_check(guarded, NULL, NULL);
        unit_guard_free(guarded);
    }
    CU_PASS("no crash");
}

static const unit_test_t tests[] = {
    {"fingerprints are read as people write them", fingerprints_are_read_as_people_write_them},
    {"mistakes are named by column and code point", mistakes_are_named_by_column_and_code_point},
    {"blanks and comments are passed over", blanks_and_comments_are_passed_over},
    {"names may be long but not too long", names_may_be_long_but_not_too_long},
    {"a fingerprint stands once for a realm", a_fingerprint_stands_once_for_a_realm},
    {"a lone fingerprint is read likewise", a_lone_fingerprint_is_read_likewise},
    {"fingerprints are those of the standards", fingerprints_are_those_of_the_standards},
    {"a certificate has one line in a realm", a_certificate_has_one_line_in_a_realm},
    {"invisible characters are found and named", invisible_characters_are_found_and_named},
    {"nothing is read behind a text wherever it ends",
     nothing_is_read_behind_a_text_wherever_it_ends},
    {"changed texts are read safely", changed_texts_are_read_safely},
    {NULL, NULL}};

const unit_suite_t certmap_suite = {"certmap", tests};
