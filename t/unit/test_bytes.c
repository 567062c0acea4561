/* Tests of spans, hexadecimal, base64, secret comparison and wiping.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include "base/bytes.h"

static void spans_compare_by_content(void)
{
    CU_ASSERT_TRUE(aw_span_equal(aw_span("abc"), AW_SPAN_LIT("abc")));
    CU_ASSERT_FALSE(aw_span_equal(aw_span("abc"), aw_span("abd")));
    CU_ASSERT_FALSE(aw_span_equal(aw_span("abc"), aw_span("ab")));
    CU_ASSERT_TRUE(aw_span_equal(aw_span(NULL), aw_span("")));
    CU_ASSERT_TRUE(aw_span_equal((aw_span_t){"a\0b", 3}, AW_SPAN_LIT("a\0b")));
    CU_ASSERT_FALSE(aw_span_equal((aw_span_t){"a\0b", 3}, AW_SPAN_LIT("a\0c")));
}

static void case_is_folded_for_ascii_letters_only(void)
{
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            const char x = (char)a, y = (char)b;
            const unsigned low = a < b ? a : b, high = a < b ? b : a;
            const bool expected = a == b || (low >= 'A' && low <= 'Z' && high == low + 32);
            CU_ASSERT_EQUAL(aw_span_equal_nocase((aw_span_t){&x, 1}, (aw_span_t){&y, 1}), expected);
        }
    }
    CU_ASSERT_TRUE(aw_span_equal_nocase(aw_span("SHA-256-Sess"), aw_span("sha-256-sESS")));
    CU_ASSERT_FALSE(aw_span_equal_nocase(aw_span("SHA-256"), aw_span("SHA-25")));
}

static void hex_is_lower_case_and_comes_back(void)
{
    unsigned char all[256], back[256];
    char hex[512 + 1] = {0};

    for (unsigned i = 0; i < 256; i++) {
        all[i] = (unsigned char)i;
    }
    aw_hex_encode(hex, all, 256);
    CU_ASSERT_EQUAL(memcmp(hex, "000102030405060708090a0b0c0d0e0f10", 34), 0);
    CU_ASSERT_EQUAL(memcmp(hex + 480, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", 32), 0);
    CU_ASSERT_EQUAL(hex[512], '\0');
    CU_ASSERT_EQUAL(aw_hex_decode(back, hex, 256), 512);
    CU_ASSERT_EQUAL(memcmp(all, back, 256), 0);
    CU_ASSERT_EQUAL(aw_hex_decode(back, "AbCdEF", 3), 6);
    CU_ASSERT_EQUAL(memcmp(back, "\xab\xcd\xef", 3), 0);
}

static void the_first_character_that_is_no_hex_digit_is_named(void)
{
    unsigned char out[4];

    for (unsigned c = 0; c < 256; c++) {
        const bool digit =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        for (size_t at = 0; at < 8; at++) {
            char text[8];
            memset(text, '7', sizeof(text));
            text[at] = (char)c;
            CU_ASSERT_EQUAL(aw_hex_decode(out, text, 4), digit ? 8 : at);
        }
    }
    const aw_span_t empty = unit_guard("", 0);
    CU_ASSERT_EQUAL(aw_hex_decode(out, empty.ptr, 0), 0);
    unit_guard_free(empty);
}

static void base64_is_as_in_rfc_4648(void)
{
    static const struct {
        const char *plain, *padded, *url;
    } vectors[] = {{"", "", ""},
                   {"f", "Zg==", "Zg"},
                   {"fo", "Zm8=", "Zm8"},
                   {"foo", "Zm9v", "Zm9v"},
                   {"foob", "Zm9vYg==", "Zm9vYg"},
                   {"fooba", "Zm9vYmE=", "Zm9vYmE"},
                   {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
                   {"\xfb\xff\xbf", "+/+/", "-_-_"}};

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const aw_span_t plain = aw_span(vectors[i].plain);
        const aw_span_t texts[] = {
            [AW_BASE64] = aw_span(vectors[i].padded), [AW_BASE64URL] = aw_span(vectors[i].url)};
        for (int kind = AW_BASE64; kind <= AW_BASE64URL; kind++) {
            char out[16];
            size_t n = 99;
            CU_ASSERT_EQUAL(aw_base64_length((aw_base64_e)kind, plain.len), texts[kind].len);
            n = aw_base64_encode((aw_base64_e)kind, out, plain.ptr, plain.len);
            CU_ASSERT_TRUE(aw_span_equal((aw_span_t){out, n}, texts[kind]));
            CU_ASSERT_TRUE(aw_base64_decode((aw_base64_e)kind, out, plain.len, &n, texts[kind].ptr,
                                            texts[kind].len));
            CU_ASSERT_TRUE(aw_span_equal((aw_span_t){out, n}, plain));
        }
    }
}

static void base64_refuses_what_is_not_strict(void)
{
    static const struct {
        aw_base64_e kind;
        const char *text;
    } bad[] = {{AW_BASE64, "Zg"},          {AW_BASE64, "Zg="},
               {AW_BASE64, "Zg==="},       {AW_BASE64, "="},
               {AW_BASE64, "===="},        {AW_BASE64, "Z==="},
               {AW_BASE64, "Zh=="},        {AW_BASE64, "Zm9="},
               {AW_BASE64, "-_-_"},        {AW_BASE64, "Zm9v Zm9"},
               {AW_BASE64, "Zm9v\n"},      {AW_BASE64, "Zg==Zg=="},
               {AW_BASE64, "Zm=v"},        {AW_BASE64URL, "Zg=="},
               {AW_BASE64URL, "Z"},        {AW_BASE64URL, "Zh"},
               {AW_BASE64URL, "Zm9"},      {AW_BASE64URL, "+/+/"},
               {AW_BASE64URL, "Zm9vZ"},    {AW_BASE64URL, " Zm8"},
               {AW_BASE64, "Zm9v\x80m9v"}, {AW_BASE64URL, "\xff\xff\xff\xff"}};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char out[16];
        size_t n = 99;
        const aw_span_t text = unit_guard(bad[i].text, strlen(bad[i].text));
        CU_ASSERT_FALSE(aw_base64_decode(bad[i].kind, out, sizeof(out), &n, text.ptr, text.len));
        CU_ASSERT_EQUAL(n, 99);
        unit_guard_free(text);
    }
}

static void base64_never_writes_more_than_there_is_room_for(void)
{
    unsigned char data[67];

    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (unsigned char)(i * 37 + 200);
    }
    for (int kind = AW_BASE64; kind <= AW_BASE64URL; kind++) {
        for (size_t n = 1; n <= sizeof(data); n++) {
            char text[100];
            const size_t length = aw_base64_encode((aw_base64_e)kind, text, data, n);
            const aw_span_t in = unit_guard(text, length), out = unit_guard(data, n);
            size_t got = 99;
            memset((void *)(size_t)out.ptr, 0, n);
            CU_ASSERT_FALSE(aw_base64_decode((aw_base64_e)kind, (void *)(size_t)out.ptr, n - 1,
                                             &got, in.ptr, in.len));
            CU_ASSERT_EQUAL(got, 99);
            CU_ASSERT_TRUE(aw_base64_decode((aw_base64_e)kind, (void *)(size_t)out.ptr, n, &got,
                                            in.ptr, in.len));
            CU_ASSERT_EQUAL(got, n);
            CU_ASSERT_EQUAL(memcmp(out.ptr, data, n), 0);
            unit_guard_free(in);
            unit_guard_free(out);
        }
    }
}

static void secrets_differ_wherever_one_bit_does(void)
{
    unsigned char a[64], b[64];

    memset(a, 0x5a, sizeof(a));
    memcpy(b, a, sizeof(a));
    CU_ASSERT_TRUE(aw_equal_secret(a, b, sizeof(a)));
    CU_ASSERT_TRUE(aw_equal_secret(a, b, 0));
    for (size_t i = 0; i < 8 * sizeof(a); i++) {
        b[i / 8] = (unsigned char)(b[i / 8] ^ 1u << i % 8);
        CU_ASSERT_FALSE(aw_equal_secret(a, b, sizeof(a)));
        CU_ASSERT_TRUE(aw_equal_secret(a, b, i / 8));
        b[i / 8] = a[i / 8];
    }
}

static void wiping_leaves_zeros_and_no_more(void)
{
    unsigned char a[16];

    memset(a, 0x5a, sizeof(a));
    aw_wipe(a + 4, 8);
    aw_wipe(NULL, 0);
    for (size_t i = 0; i < sizeof(a); i++) {
        CU_ASSERT_EQUAL(a[i], i >= 4 && i < 12 ? 0 : 0x5a);
    }
}

static const unit_test_t tests[] = {
    {"spans compare by content", spans_compare_by_content},
    {"case is folded for ASCII letters only", case_is_folded_for_ascii_letters_only},
    {"hex is lower case and comes back", hex_is_lower_case_and_comes_back},
    {"the first character that is no hex digit is named",
     the_first_character_that_is_no_hex_digit_is_named},
    {"base64 is as in RFC 4648", base64_is_as_in_rfc_4648},
    {"base64 refuses what is not strict", base64_refuses_what_is_not_strict},
    {"base64 never writes more than there is room for",
     base64_never_writes_more_than_there_is_room_for},
    {"secrets differ wherever one bit does", secrets_differ_wherever_one_bit_does},
    {"wiping leaves zeros and no more", wiping_leaves_zeros_and_no_more},
    {NULL, NULL}};

const unit_suite_t bytes_suite = {"bytes", tests};
