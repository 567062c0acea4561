/* Tests of the keyed short hash against SipHash's own vectors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdint.h>

#include "base/keyed.h"

static const unsigned char key[AW_KEYED_KEY] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                8, 9, 10, 11, 12, 13, 14, 15};

/* 00 01 02 ... : the input of the published vectors. */
static aw_span_t counting(unsigned char *buf, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf[i] = (unsigned char)i;
    }
    return (aw_span_t){(char *)buf, n};
}

/* OpenSSL's SipHash-2-4 of the same. */
static void by_openssl(unsigned char *out, size_t size, const unsigned char *under, aw_span_t part)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                                 OSSL_PARAM_construct_end()};
    size_t written = 0;

    CU_ASSERT_EQUAL_FATAL(EVP_MAC_init(ctx, under, AW_KEYED_KEY, params), 1);
    CU_ASSERT_EQUAL_FATAL(EVP_MAC_update(ctx, (const unsigned char *)part.ptr, part.len), 1);
    CU_ASSERT_EQUAL_FATAL(EVP_MAC_final(ctx, out, &written, 16), 1);
    CU_ASSERT_EQUAL(written, size);
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
}

static bool hash_is(const aw_span_t *parts, size_t n, size_t size, const char *expected)
{
    unsigned char hash[16];
    char hex[32];

    if (size == 8) {
        aw_keyed_hash8(key, parts, n, hash);
    } else {
        aw_keyed_hash16(key, parts, n, hash);
    }
    aw_hex_encode(hex, hash, size);
    return aw_span_equal((aw_span_t){hex, 2 * size}, aw_span(expected));
}

static void siphash_vectors_hold_at_both_sizes(void)
{
    unsigned char buf[15];
    const aw_span_t fifteen = counting(buf, sizeof(buf)), none = {NULL, 0};

    CU_ASSERT_TRUE(hash_is(&none, 1, 8, "310e0edd47db6f72"));
    CU_ASSERT_TRUE(hash_is(&none, 0, 8, "310e0edd47db6f72"));
    CU_ASSERT_TRUE(hash_is(&fifteen, 1, 8, "e545be4961ca29a1"));
    CU_ASSERT_TRUE(hash_is(&none, 1, 16, "a3817f04ba25a8e66df67214c7550293"));
}

static void it_is_openssl_s_siphash_at_every_length(void)
{
    unsigned char buf[300], under[AW_KEYED_KEY], ours[16], theirs[16];
    uint32_t random = 1;

    for (size_t n = 0; n <= sizeof(buf); n++) {
        for (size_t i = 0; i < sizeof(buf); i++) {
            random = random * 1664525 + 1013904223;
            buf[i] = (unsigned char)(random >> 24);
            under[i % sizeof(under)] = (unsigned char)(random >> 16);
        }
        const aw_span_t guarded = unit_guard(buf, n);
        aw_keyed_hash8(under, &guarded, 1, ours);
        by_openssl(theirs, 8, under, guarded);
        CU_ASSERT_EQUAL(memcmp(ours, theirs, 8), 0);
        aw_keyed_hash16(under, &guarded, 1, ours);
        by_openssl(theirs, 16, under, guarded);
        CU_ASSERT_EQUAL(memcmp(ours, theirs, 16), 0);
        unit_guard_free(guarded);
    }
}

static void how_the_input_is_divided_does_not_matter(void)
{
    unsigned char buf[100], whole[16], divided[16];

    for (size_t n = 0; n <= sizeof(buf); n++) {
        const aw_span_t all = counting(buf, n);
        aw_keyed_hash16(key, &all, 1, whole);
        for (size_t a = 0; a <= n; a++) {
            for (size_t b = a; b <= n; b += 3) {
                const aw_span_t parts[] = {
                    {all.ptr, a}, {NULL, 0}, {all.ptr + a, b - a}, {all.ptr + b, n - b}};
                aw_keyed_hash16(key, parts, 4, divided);
                CU_ASSERT_EQUAL(memcmp(whole, divided, 16), 0);
            }
        }
    }
}

static void another_key_gives_another_hash(void)
{
    unsigned char other[AW_KEYED_KEY], a[8], b[8];
    const aw_span_t part = AW_SPAN_LIT("abc");

    memcpy(other, key, sizeof(other));
    other[15] ^= 1;
    aw_keyed_hash8(key, &part, 1, a);
    aw_keyed_hash8(other, &part, 1, b);
    CU_ASSERT_NOT_EQUAL(memcmp(a, b, 8), 0);
}

static const unit_test_t tests[] = {
    {"SipHash vectors hold at both sizes", siphash_vectors_hold_at_both_sizes},
    {"it is OpenSSL's SipHash at every length", it_is_openssl_s_siphash_at_every_length},
    {"how the input is divided does not matter", how_the_input_is_divided_does_not_matter},
    {"another key gives another hash", another_key_gives_another_hash},
    {NULL, NULL}};

const unit_suite_t keyed_suite = {"keyed", tests};
