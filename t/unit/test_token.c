/* Token files: their lines, their mistakes by line and column, and their expiry.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mutate.h"
#include "unit.h"

#include <apr_strings.h>
#include <stdio.h>

#include "store/token.h"

#define HEX8   "01234567"
#define HEX40  HEX8 HEX8 HEX8 HEX8 HEX8
#define HEX64  HEX8 HEX8 HEX8 HEX8 HEX8 HEX8 HEX8 HEX8
#define HEX96  HEX64 HEX8 HEX8 HEX8 HEX8
#define HEX128 HEX64 HEX64

static aw_line_e first(const char *text, aw_token_line_t *line, aw_token_value_t *value,
                       aw_line_error_t *error)
{
    aw_line_reader_t reader;

    aw_line_reader_init(&reader, aw_span(text));
    return aw_token_next(&reader, line, value, error);
}

static bool is(aw_span_t s, const char *text)
{
    return aw_span_equal(s, aw_span(text));
}

static void tokens_hash_as_the_standards_say(void)
{
    static const struct {
        aw_token_alg_e alg;
        const char *hex; /* of "abc": FIPS 180-4 and FIPS 202 */
    } vectors[] = {
        {AW_TOKEN_SHA, "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {AW_TOKEN_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {AW_TOKEN_SHA512_256, "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"},
        {AW_TOKEN_SHA384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                          "8086072ba1e7cc2358baeca134c825a7"},
        {AW_TOKEN_SHA3_384, "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b2"
                            "98d88cea927ac7f539f1edf228376d25"},
        {AW_TOKEN_SHA512, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                          "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
        {AW_TOKEN_SHA3_512, "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
                            "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0"}};

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        unsigned char hash[AW_TOKEN_HASH_MAX];
        char hex[2 * AW_TOKEN_HASH_MAX + 1] = "";

        CU_ASSERT_EQUAL(aw_token_hash(vectors[i].alg, AW_SPAN_LIT("abc"), hash), APR_SUCCESS);
        aw_hex_encode(hex, hash, aw_token_alg_size(vectors[i].alg));
        CU_ASSERT_STRING_EQUAL(hex, vectors[i].hex);
    }
}

static void algorithms_are_known_by_name_and_rank(void)
{
    aw_token_alg_e alg = AW_TOKEN_ALG_COUNT;

    for (unsigned a = 0; a < AW_TOKEN_ALG_COUNT; a++) {
        CU_ASSERT_TRUE(aw_token_alg_parse(aw_span(aw_token_alg_name((aw_token_alg_e)a)), &alg));
        CU_ASSERT_EQUAL(alg, a);
        CU_ASSERT_EQUAL(aw_token_alg_is_weak(alg), a < 3);
    }
    CU_ASSERT_TRUE(aw_token_alg_parse(AW_SPAN_LIT("sha-1"), &alg));
    CU_ASSERT_EQUAL(alg, AW_TOKEN_SHA);
    CU_ASSERT_FALSE(aw_token_alg_parse(AW_SPAN_LIT("MD5"), &alg));
    CU_ASSERT_FALSE(aw_token_alg_parse(AW_SPAN_LIT(""), &alg));
}

static void lines_are_taken_apart(void)
{
    aw_token_line_t line;
    aw_token_value_t value;
    aw_line_error_t error;

    CU_ASSERT_EQUAL(first("dev 1:{SHA-384}" HEX96 "\n", &line, &value, &error), AW_LINE_ENTRY);
    CU_ASSERT(is(line.subject, "dev 1") && line.expires.len == 0 && line.note.len == 0);
    CU_ASSERT_EQUAL(value.alg, AW_TOKEN_SHA384);
    CU_ASSERT_EQUAL(value.expires, AW_TOKEN_NEVER);
    CU_ASSERT_EQUAL(value.hash[1], 0x23);
    CU_ASSERT(is(line.hash, "{SHA-384}" HEX96));

    CU_ASSERT_EQUAL(
        first("d:{sha}" HEX40 ":2030-02-28T01:02:03Z:note: it\r\n", &line, &value, &error),
        AW_LINE_ENTRY);
    CU_ASSERT(is(line.expires, "2030-02-28T01:02:03Z") && is(line.note, "note: it"));
    CU_ASSERT_EQUAL(value.expires, apr_time_from_sec(APR_INT64_C(1898470923)));

    CU_ASSERT_EQUAL(first("d:{SHA-256}" HEX64 "::note", &line, &value, &error), AW_LINE_ENTRY);
    CU_ASSERT(is(line.note, "note") && value.expires == AW_TOKEN_NEVER);
    CU_ASSERT_EQUAL(first("d:{SHA3-512}" HEX128 ":1898470923", &line, &value, &error),
                    AW_LINE_ENTRY);
    CU_ASSERT_EQUAL(value.expires, apr_time_from_sec(APR_INT64_C(1898470923)));
    CU_ASSERT_EQUAL(first("d:{SHA-256}" HEX64 ":2030-01-01:n", &line, &value, &error),
                    AW_LINE_ENTRY);
    CU_ASSERT(is(line.expires, "2030-01-01") && is(line.note, "n"));
    CU_ASSERT_EQUAL(first("# d:{SHA}\n", &line, &value, &error), AW_LINE_BLANK);
    CU_ASSERT_EQUAL(first("\r\n", &line, &value, &error), AW_LINE_BLANK);
    CU_ASSERT_EQUAL(first("", &line, &value, &error), AW_LINE_END);
}

static void mistakes_are_named_by_column(void)
{
    static const struct {
        const char *text;
        size_t column;
        const char *message; /* a part */
    } vectors[] = {{"dev", 4, "colon missing"},
                   {":{SHA}" HEX40, 1, "empty subject"},
                   {"d:", 3, "{ALGORITHM} expected"},
                   {"d:" HEX96, 3, "{ALGORITHM} expected"},
                   {"d:{SHA-384" HEX96, 3, "{ without }"},
                   {"d:{MD5}" HEX8, 4, "unknown algorithm"},
                   {"d:{SHA}" HEX40 "0", 48, "41 characters"},
                   {"d:{SHA}" HEX8, 16, "8 characters"},
                   {"d:{SHA}", 8, "0 characters"},
                   {"d:{SHA}" HEX8 "x" HEX8, 16, "not a hexadecimal digit"},
                   {"d:{SHA}" HEX40 " ", 48, "41 characters"},
                   {"d:{SHA}" HEX40 ":20300101", 49, "neither a time"},
                   {"d:{SHA}" HEX40 ":2030-1-01", 55, "YYYY-MM-DD"},
                   {"d:{SHA}" HEX40 ":2030-02-29", 49, "no such day"},
                   {"d:{SHA}" HEX40 ":2030-13-01", 49, "no such day"},
                   {"d:{SHA}" HEX40 ":2030-12-00", 49, "no such day"},
                   {"d:{SHA}" HEX40 ":1999-12-31", 49, "before 2000"},
                   {"d:{SHA}" HEX40 ":2030-02-28T24:00:00Z", 49, "no such day"},
                   {"d:{SHA}" HEX40 ":2030-02-28T01:02:03", 68, "YYYY-MM-DD"},
                   {"d:{SHA}" HEX40 ":2030-02-28T01:02:03+01:00", 68, "YYYY-MM-DD"},
                   {"d:{SHA}" HEX40 ":2030-02-28T01:02:03Zx", 69, "a colon or the end"},
                   {"d:{SHA}" HEX40 ":tomorrow", 49, "YYYY-MM-DD"},
                   {"d\x01:{SHA}" HEX40, 2, "control"},
                   {"d:{SHA}" HEX40 "::\x7f", 50, "control"},
                   {"d\xff:{SHA}" HEX40, 2, "UTF-8"},
                   {"\357\273\277d:{SHA}" HEX40, 1, "byte order mark"}};

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        aw_token_line_t line;
        aw_token_value_t value;
        aw_line_error_t error = {0, 0, ""};

        CU_ASSERT_EQUAL(first(vectors[i].text, &line, &value, &error), AW_LINE_BROKEN);
        CU_ASSERT_EQUAL(error.line, 1);
        CU_ASSERT_EQUAL(error.column, vectors[i].column);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.message, vectors[i].message));
        if (error.column != vectors[i].column || !strstr(error.message, vectors[i].message)) {
            printf("%s: %zu: %s\n", vectors[i].text, error.column, error.message);
        }
    }
}

static void a_token_that_expires_on_a_day_is_good_to_its_end(void)
{
    aw_line_error_t error;
    apr_time_t at = 0;
    char text[AW_TOKEN_EXPIRES_MAX];

    CU_ASSERT_TRUE(aw_token_expires_parse(AW_SPAN_LIT("2028-02-29"), &at, &error));
    CU_ASSERT_STRING_EQUAL(aw_token_expires_build(text, at), "2028-03-01T00:00:00Z");
    CU_ASSERT_FALSE(aw_token_is_expired(at, at - 1));
    CU_ASSERT_TRUE(aw_token_is_expired(at, at));
    CU_ASSERT_FALSE(aw_token_is_expired(AW_TOKEN_NEVER, at));
    CU_ASSERT_STRING_EQUAL(aw_token_expires_build(text, AW_TOKEN_NEVER), "");
    CU_ASSERT_STRING_EQUAL(aw_token_expires_build(text, APR_INT64_MAX), "9999-12-31T23:59:59Z");
    CU_ASSERT_TRUE(aw_token_expires_parse(AW_SPAN_LIT("9999-12-31t23:59:59z"), &at, &error));
    CU_ASSERT_STRING_EQUAL(aw_token_expires_build(text, at), "9999-12-31T23:59:59Z");
    CU_ASSERT_TRUE(aw_token_expires_parse(AW_SPAN_LIT("1000000000"), &at, &error));
    CU_ASSERT_FALSE(aw_token_expires_parse(AW_SPAN_LIT("999999999999"), &at, &error));
    CU_ASSERT_EQUAL(at, apr_time_from_sec(1000000000));
}

static void note(void *baton, const aw_line_error_t *error)
{
    char *said = baton;
    const size_t n = strlen(said);

    snprintf(said + n, 1000 - n, "%zu:%zu: %s\n", error->line, error->column, error->message);
}

static void a_hash_stands_once_in_a_file(void)
{
    char said[1000] = "";

    CU_ASSERT_EQUAL(aw_token_check(AW_SPAN_LIT("# none\n"), note, said), APR_SUCCESS);
    CU_ASSERT_EQUAL(
        aw_token_check(AW_SPAN_LIT("a:{SHA}" HEX40 "\na:{SHA-384}" HEX96 "\n"), note, said),
        APR_SUCCESS);
    CU_ASSERT_STRING_EQUAL(said, "");
    CU_ASSERT_EQUAL(aw_token_check(AW_SPAN_LIT("a:{SHA}" HEX40 "\nx\nbc:{SHA}" HEX40
                                               ":2030-01-01\na:{SHA}" HEX40 "\n"),
                                   note, said),
                    APR_EINVAL);
    CU_ASSERT_STRING_EQUAL(said, "2:2: subject:{ALGORITHM}hex expected, colon missing\n"
                                 "3:4: the same token as in line 1, there for another subject\n"
                                 "4:3: the same token as in line 1\n");
    CU_ASSERT_EQUAL(aw_token_check(AW_SPAN_LIT("x"), NULL, NULL), APR_EINVAL);
}

static void subjects_that_would_not_come_back_are_refused(void)
{
    static const char *const bad[] = {"", "#a", "a:b", "a\nb", "\357\273\277a", "\xc0\x80"};
    aw_line_error_t error;
    char longest[AW_TOKEN_SUBJECT_MAX + 1];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_FALSE(aw_token_subject_check(aw_span(bad[i]), &error));
    }
    memset(longest, 'a', sizeof(longest));
    CU_ASSERT_TRUE(aw_token_subject_check((aw_span_t){longest, AW_TOKEN_SUBJECT_MAX}, &error));
    CU_ASSERT_FALSE(aw_token_subject_check((aw_span_t){longest, sizeof(longest)}, &error));
    CU_ASSERT_TRUE(aw_token_subject_check(AW_SPAN_LIT("J\xc3\xb6rg {1} #2"), &error));
}

/* Reads all lines; every span lies in the text, every mistake has a place in its line. */
static size_t read_all(aw_span_t text)
{
    aw_line_reader_t reader;
    aw_token_line_t line;
    aw_token_value_t value;
    aw_line_error_t error;
    size_t entries = 0;
    aw_line_e what;

    aw_line_reader_init(&reader, text);
    while ((what = aw_token_next(&reader, &line, &value, &error)) != AW_LINE_END) {
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

static const char sample[] = "# tokens\nd:{SHA-384}" HEX96 ":2030-02-28T01:02:03Z:note\n"
                             "e f:{SHA}" HEX40 ":1898470923\r\ng:{SHA3-384}" HEX96 ":2030-01-01";

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
    uint64_t state = 7;
    char text[2 * sizeof(sample)];

    for (int i = 0; i < 20000; i++) {
        memcpy(text, sample, sizeof(sample));
        const size_t n = unit_mutate(text, sizeof(sample) - 1, sizeof(text), &state);
        const aw_span_t guarded = unit_guard(text, n);

        (void)read_all(guarded);
        (void)aw_token_check(guarded, NULL, NULL);
        unit_guard_free(guarded);
    }
    CU_PASS("no crash");
}

static const unit_test_t tests[] = {
    {"tokens hash as the standards say", tokens_hash_as_the_standards_say},
    {"algorithms are known by name and rank", algorithms_are_known_by_name_and_rank},
    {"lines are taken apart", lines_are_taken_apart},
    {"mistakes are named by column", mistakes_are_named_by_column},
    {"a token that expires on a day is good to its end",
     a_token_that_expires_on_a_day_is_good_to_its_end},
    {"a hash stands once in a file", a_hash_stands_once_in_a_file},
    {"subjects that would not come back are refused",
     subjects_that_would_not_come_back_are_refused},
    {"nothing is read behind a text wherever it ends",
     nothing_is_read_behind_a_text_wherever_it_ends},
    {"changed texts are read safely", changed_texts_are_read_safely},
    {NULL, NULL}};

const unit_suite_t token_suite = {"token", tests};
