/* Masking: every way gives the bytes of section 5.3's formula, and touches no others.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>

#include "mutate.h"
#include "ws/mask_variants.h"

#define LEN_MAX 400

typedef unsigned (*mask_fn)(void *out, const void *in, size_t len, const unsigned char *key,
                            unsigned phase);

/* The ways that this processor can go. */
static unsigned variants(mask_fn ways[4])
{
    unsigned n = 0;

    ways[n++] = aw_ws_mask_copy;
    ways[n++] = aw_ws_mask_portable;
#ifdef AW_WS_MASK_X86
    ways[n++] = aw_ws_mask_sse2;
    if (__builtin_cpu_supports("avx2")) {
        ways[n++] = aw_ws_mask_avx2;
    }
#endif
    return n;
}

/* The formula, byte by byte. */
static unsigned by_formula(unsigned char *out, const unsigned char *in, size_t len,
                           const unsigned char *key, unsigned phase)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = in[i] ^ key[(i + phase) % 4];
    }
    return (unsigned)((len + phase) % 4);
}

static void fill(unsigned char *out, size_t n, uint64_t *seed)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (unsigned char)(unit_random(seed) >> 24);
    }
}

/* RFC 6455 section 5.7: a masked "Hello". */
static void the_example_of_the_rfc_is_unmasked(void)
{
    static const unsigned char key[4] = {0x37, 0xfa, 0x21, 0x3d};
    unsigned char text[5] = {0x7f, 0x9f, 0x4d, 0x51, 0x58};

    CU_ASSERT_EQUAL(aw_ws_mask(text, sizeof(text), key, 0), 1);
    CU_ASSERT_EQUAL(memcmp(text, "Hello", 5), 0);
}

static void every_way_gives_the_same_at_any_length_phase_and_place(void)
{
    static unsigned char in[LEN_MAX + 64], want[LEN_MAX], got[LEN_MAX + 64 + 1];
    uint64_t seed = 6455;
    mask_fn ways[4];
    const unsigned n = variants(ways);
    unsigned wrong = 0;

    for (size_t len = 0; len <= LEN_MAX; len++) {
        for (unsigned phase = 0; phase < 4; phase++) {
            const size_t at = unit_random_below(&seed, 64), to = unit_random_below(&seed, 64);
            unsigned char key[4];
            fill(key, sizeof(key), &seed);
            fill(in, sizeof(in), &seed);
            const unsigned next = by_formula(want, in + at, len, key, phase);
            for (unsigned w = 0; w < n; w++) {
                memset(got, 0x5A, sizeof(got));
                wrong += ways[w](got + to, in + at, len, key, phase) != next;
                wrong += memcmp(got + to, want, len) != 0;
                wrong += got[to + len] != 0x5A || (to > 0 && got[to - 1] != 0x5A);
            }
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void a_payload_may_be_masked_in_place_in_any_pieces(void)
{
    static unsigned char in[5000], want[5000], got[5000];
    uint64_t seed = 53;
    unsigned wrong = 0;

    for (unsigned round = 0; round < 2000; round++) {
        const size_t len = unit_random_below(&seed, sizeof(in));
        unsigned char key[4];
        unsigned phase = 0;
        fill(key, sizeof(key), &seed);
        fill(in, len, &seed);
        (void)by_formula(want, in, len, key, 0);
        memcpy(got, in, len);
        for (size_t at = 0; at < len;) {
            const size_t rest = len - at;
            const size_t piece =
                1 + unit_random_below(&seed, round % 2 != 0 && rest > 9 ? 9 : rest);
            phase = aw_ws_mask(got + at, piece, key, phase);
            at += piece;
        }
        wrong += memcmp(got, want, len) != 0;
        wrong += len > 0 && phase != len % 4;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void nothing_behind_the_end_is_read_or_written(void)
{
    static const unsigned char key[4] = {1, 2, 3, 4};
    static const char zeros[LEN_MAX];
    mask_fn ways[4];
    const unsigned n = variants(ways);
    unsigned wrong = 0;

    for (size_t len = 0; len <= LEN_MAX; len += len < 140 ? 1 : 13) {
        const aw_span_t guard = unit_guard(zeros, len);
        unsigned char *const data = (unsigned char *)(uintptr_t)guard.ptr;
        for (unsigned w = 0; w < n; w++) {
            (void)ways[w](data, data, len, key, 0);
        }
        /* An even number of times is none. */
        for (size_t i = 0; i < len; i++) {
            wrong += data[i] != (n % 2 != 0 ? key[i % 4] : 0);
        }
        unit_guard_free(guard);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static const unit_test_t tests[] = {
    {"the example of the RFC is unmasked", the_example_of_the_rfc_is_unmasked},
    {"every way gives the same at any length, phase and place",
     every_way_gives_the_same_at_any_length_phase_and_place},
    {"a payload may be masked in place in any pieces",
     a_payload_may_be_masked_in_place_in_any_pieces},
    {"nothing behind the end is read or written", nothing_behind_the_end_is_read_or_written},
    {NULL, NULL},
};

const unit_suite_t ws_mask_suite = {"ws_mask", tests};
