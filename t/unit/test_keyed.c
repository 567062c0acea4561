/* Tests of the keyed short hash against SipHash's own vectors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <pthread.h>

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

static bool hash_is(const aw_span_t *parts, size_t n, size_t size, const char *expected)
{
    unsigned char hash[16];
    char hex[32];

    if (aw_keyed_hash(key, parts, n, hash, size) != APR_SUCCESS) {
        return false;
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
    /* The sizes do not disturb each other. */
    CU_ASSERT_TRUE(hash_is(&fifteen, 1, 8, "e545be4961ca29a1"));
}

static void how_the_input_is_divided_does_not_matter(void)
{
    unsigned char buf[700], whole[16], divided[16];
    const size_t sizes[] = {1, 7, 8, 9, 64, 255, 256, 257, 699, 700};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const aw_span_t all = counting(buf, sizes[i]);
        CU_ASSERT_EQUAL(aw_keyed_hash(key, &all, 1, whole, 16), APR_SUCCESS);
        for (size_t cut = 0; cut <= all.len; cut += 1 + all.len / 50) {
            const aw_span_t parts[] = {{all.ptr, cut}, {NULL, 0}, {all.ptr + cut, all.len - cut}};
            CU_ASSERT_EQUAL(aw_keyed_hash(key, parts, 3, divided, 16), APR_SUCCESS);
            CU_ASSERT_EQUAL(memcmp(whole, divided, 16), 0);
        }
    }
}

static void another_key_gives_another_hash(void)
{
    unsigned char other[AW_KEYED_KEY], a[8], b[8];
    const aw_span_t part = AW_SPAN_LIT("abc");

    memcpy(other, key, sizeof(other));
    other[15] ^= 1;
    CU_ASSERT_EQUAL(aw_keyed_hash(key, &part, 1, a, 8), APR_SUCCESS);
    CU_ASSERT_EQUAL(aw_keyed_hash(other, &part, 1, b, 8), APR_SUCCESS);
    CU_ASSERT_NOT_EQUAL(memcmp(a, b, 8), 0);
}

static void other_sizes_are_refused(void)
{
    unsigned char out[32] = {0};
    const aw_span_t part = AW_SPAN_LIT("abc");

    CU_ASSERT_EQUAL(aw_keyed_hash(key, &part, 1, out, 0), APR_EGENERAL);
    CU_ASSERT_EQUAL(aw_keyed_hash(key, &part, 1, out, 4), APR_EGENERAL);
    CU_ASSERT_EQUAL(aw_keyed_hash(key, &part, 1, out, 32), APR_EGENERAL);
    CU_ASSERT_EQUAL(out[0], 0);
}

static void *hash_in_thread(void *out)
{
    const aw_span_t part = {(const char *)key, 15};

    for (int i = 0; i < 2000; i++) {
        if (aw_keyed_hash(key, &part, 1, out, 8) != APR_SUCCESS) {
            return NULL;
        }
    }
    return out;
}

static void threads_do_not_disturb_each_other(void)
{
    pthread_t threads[4];
    unsigned char out[4][8];

    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, hash_in_thread, out[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *done = NULL;
        CU_ASSERT_EQUAL(pthread_join(threads[i], &done), 0);
        CU_ASSERT_PTR_EQUAL(done, out[i]);
        CU_ASSERT_EQUAL(memcmp(out[i], "\xe5\x45\xbe\x49\x61\xca\x29\xa1", 8), 0);
    }
}

static const unit_test_t tests[] = {
    {"SipHash vectors hold at both sizes", siphash_vectors_hold_at_both_sizes},
    {"how the input is divided does not matter", how_the_input_is_divided_does_not_matter},
    {"another key gives another hash", another_key_gives_another_hash},
    {"other sizes are refused", other_sizes_are_refused},
    {"threads do not disturb each other", threads_do_not_disturb_each_other},
    {NULL, NULL}};

const unit_suite_t keyed_suite = {"keyed", tests};
