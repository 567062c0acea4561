/* Tests of UTF-8 validation, HTTP's character classes, and escaping for logs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include "base/text.h"

static size_t prefix(const char *bytes, size_t n)
{
    const aw_span_t text = unit_guard(bytes, n);
    const size_t out = aw_utf8_valid_prefix(text);

    unit_guard_free(text);
    return out;
}

static void every_code_point_is_valid_utf8(void)
{
    unsigned wrong = 0;

    for (unsigned c = 0; c <= 0x10FFFF; c++) {
        unsigned char s[4];
        size_t n = 0;
        if (c < 0x80) {
            s[n++] = (unsigned char)c;
        } else if (c < 0x800) {
            s[n++] = (unsigned char)(0xC0 | c >> 6);
        } else if (c < 0x10000) {
            s[n++] = (unsigned char)(0xE0 | c >> 12);
        } else {
            s[n++] = (unsigned char)(0xF0 | c >> 18);
            s[n++] = (unsigned char)(0x80 | (c >> 12 & 63));
        }
        if (c >= 0x800) {
            s[n++] = (unsigned char)(0x80 | (c >> 6 & 63));
        }
        if (c >= 0x80) {
            s[n++] = (unsigned char)(0x80 | (c & 63));
        }
        const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
        wrong += aw_utf8_valid_prefix((aw_span_t){(char *)s, n}) != (surrogate ? 0 : n);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* All sequences of a length that start with a byte over 127: those wholly valid are counted. A
 * sequence of four ends in one of four bytes that tell all cases apart. */
static size_t count_valid(unsigned length)
{
    static const unsigned char last[4] = {0x7F, 0x80, 0xBF, 0xC0};
    size_t valid = 0;
    unsigned char s[4];

    for (unsigned a = 0x80; a < 0x100; a++) {
        for (unsigned b = 0; b < 0x100; b++) {
            for (unsigned c = 0; c < (length > 2 ? 0x100u : 1u); c++) {
                for (unsigned d = 0; d < (length > 3 ? 4u : 1u); d++) {
                    s[0] = (unsigned char)a;
                    s[1] = (unsigned char)b;
                    s[2] = (unsigned char)c;
                    s[3] = last[d];
                    valid += aw_utf8_valid_prefix((aw_span_t){(char *)s, length}) == length;
                }
            }
        }
    }
    return valid;
}

static void nothing_else_is_valid_utf8(void)
{
    const size_t two = 0x800 - 0x80, three = 0x10000 - 0x800 - 0x800, four = 0x100000 / 64 * 2;

    CU_ASSERT_EQUAL(count_valid(2), two);
    /* A character of two bytes with an ASCII one behind it is valid too. */
    CU_ASSERT_EQUAL(count_valid(3), three + two * 128);
    /* Likewise 3 + 1 (7F is the only ASCII last byte), 2 + 2 (two last bytes), 2 + 1 + 1. */
    CU_ASSERT_EQUAL(count_valid(4), four + three + two * 30 * 2 + two * 128);
}

static void the_valid_prefix_ends_where_the_mistake_is(void)
{
    CU_ASSERT_EQUAL(prefix("", 0), 0);
    CU_ASSERT_EQUAL(prefix("J\xc3\xa4s\xc3\xb8n Doe", 11), 11);
    CU_ASSERT_EQUAL(prefix("12345678\xc0\x80", 10), 8);
    CU_ASSERT_EQUAL(prefix("1234567890123456\xff", 17), 16);
    CU_ASSERT_EQUAL(prefix("abc\xe2\x82", 5), 3);
    CU_ASSERT_EQUAL(prefix("abc\xf0\x9f\x98", 6), 3);
    CU_ASSERT_EQUAL(prefix("\xed\xa0\x80", 3), 0);
    CU_ASSERT_EQUAL(prefix("\xf4\x90\x80\x80", 4), 0);
    CU_ASSERT_EQUAL(prefix("\xe0\x9f\xbf", 3), 0);
    CU_ASSERT_EQUAL(prefix("\xf0\x8f\xbf\xbf", 4), 0);
    CU_ASSERT_EQUAL(prefix("a\0b", 3), 3);
}

static void control_characters_are_found_wherever_they_are(void)
{
    CU_ASSERT_EQUAL(aw_text_find_control(aw_span(NULL)), 0);
    CU_ASSERT_EQUAL(aw_text_find_control(AW_SPAN_LIT("plain \xc3\xa4 \xc2\xa0")), 11);
    CU_ASSERT_EQUAL(aw_text_find_control(AW_SPAN_LIT("ab\tc")), 2);
    CU_ASSERT_EQUAL(aw_text_find_control(AW_SPAN_LIT("ab\0c")), 2);
    CU_ASSERT_EQUAL(aw_text_find_control(AW_SPAN_LIT("abc\x7f")), 3);
    CU_ASSERT_EQUAL(aw_text_find_control(AW_SPAN_LIT("a\xc2\x80")), 1);
    CU_ASSERT_EQUAL(aw_text_find_control(AW_SPAN_LIT("a\xc2\x9f")), 1);
    const aw_span_t cut = unit_guard("a\xc2", 2);
    CU_ASSERT_EQUAL(aw_text_find_control(cut), 2);
    unit_guard_free(cut);
}

static void tokens_are_those_of_rfc_9110(void)
{
    for (int c = 0; c < 256; c++) {
        const bool alnum =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool expected = alnum || (c != 0 && c < 128 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
        CU_ASSERT_EQUAL(aw_is_tchar((unsigned char)c), expected);
    }
    CU_ASSERT_TRUE(aw_is_token(aw_span("SHA-512-256")));
    CU_ASSERT_FALSE(aw_is_token(aw_span("")));
    CU_ASSERT_FALSE(aw_is_token(aw_span("a b")));
    CU_ASSERT_FALSE(aw_is_token(aw_span("a\xc3\xa4")));
}

/* The escaped form in a buffer of `room` bytes that ends at an inaccessible page. */
static bool escapes_to(size_t room, aw_span_t in, const char *expected)
{
    char zeros[64] = {0};
    const aw_span_t out = unit_guard(zeros, room);
    const char *got = aw_text_escape((char *)(size_t)out.ptr, room, in);
    const bool equal = strcmp(got, expected) == 0 && got == out.ptr;

    unit_guard_free(out);
    return equal;
}

static void text_for_logs_is_printable_ascii(void)
{
    CU_ASSERT_TRUE(escapes_to(64, AW_SPAN_LIT("Mufasa \"x\""), "Mufasa \\x22x\\x22"));
    CU_ASSERT_TRUE(escapes_to(64, AW_SPAN_LIT("a\\b\r\n\0\x7f\xc3\xa4\x1b"),
                              "a\\\\b\\x0d\\x0a\\x00\\x7f\\xc3\\xa4\\x1b"));
    CU_ASSERT_TRUE(escapes_to(64, aw_span(NULL), ""));
}

static void text_for_logs_is_cut_with_dots(void)
{
    CU_ASSERT_TRUE(escapes_to(6, AW_SPAN_LIT("abcde"), "abcde"));
    CU_ASSERT_TRUE(escapes_to(6, AW_SPAN_LIT("abcdef"), "ab..."));
    CU_ASSERT_TRUE(escapes_to(9, AW_SPAN_LIT("ab\xff\xff"), "ab..."));
    CU_ASSERT_TRUE(escapes_to(10, AW_SPAN_LIT("ab\xff\xff"), "ab\\xff..."));
    CU_ASSERT_TRUE(escapes_to(11, AW_SPAN_LIT("ab\xff\xff"), "ab\\xff\\xff"));
    CU_ASSERT_TRUE(escapes_to(4, AW_SPAN_LIT("abcd"), "..."));
    CU_ASSERT_TRUE(escapes_to(3, AW_SPAN_LIT("abcd"), ".."));
    CU_ASSERT_TRUE(escapes_to(1, AW_SPAN_LIT("abcd"), ""));
    CU_ASSERT_TRUE(escapes_to(1, AW_SPAN_LIT(""), ""));
}

static const unit_test_t tests[] = {
    {"every code point is valid UTF-8", every_code_point_is_valid_utf8},
    {"nothing else is valid UTF-8", nothing_else_is_valid_utf8},
    {"the valid prefix ends where the mistake is", the_valid_prefix_ends_where_the_mistake_is},
    {"control characters are found wherever they are",
     control_characters_are_found_wherever_they_are},
    {"tokens are those of RFC 9110", tokens_are_those_of_rfc_9110},
    {"text for logs is printable ASCII", text_for_logs_is_printable_ascii},
    {"text for logs is cut with dots", text_for_logs_is_cut_with_dots},
    {NULL, NULL}};

const unit_suite_t text_suite = {"text", tests};
