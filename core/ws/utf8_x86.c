/* UTF-8 checked with vectors of 16 or 32 bytes.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The method is Keiser's and Lemire's ("Validating UTF-8 in less than one instruction per byte",
 * 2021): whether two neighbouring bytes may stand beside each other can be said from the first
 * one's two nibbles and the second one's high nibble. Three tables of 16 give, for each nibble, the
 * mistakes that it allows; what all three allow is a mistake. Only whether a third or fourth byte
 * is missing, or one too many, needs a look further back.
 */
#include "ws/utf8_variants.h"

#ifdef AW_WS_UTF8_X86

#include <immintrin.h>

/* Mistakes of a pair. The last one is none behind a first byte of a longer character. */
#define MISSING     0x01 /* a first byte, then none that continues */
#define UNASKED     0x02 /* ASCII, then one that continues */
#define OVERLONG_3  0x04 /* E0 80-9F */
#define TOO_LARGE   0x08 /* F4 90-BF, F5-FF 90-BF */
#define SURROGATE   0x10 /* ED A0-BF */
#define OVERLONG_2  0x20 /* C0-C1 80-BF */
#define EIGHTY      0x40 /* F0 80-8F, overlong; F5-FF 80-8F, too large */
#define THIRD       0x80 /* two that continue */
#define EVERY_LOW   (MISSING | UNASKED | THIRD)
#define FROM_F5     (EVERY_LOW | TOO_LARGE | EIGHTY)
#define CONTINUES   (UNASKED | OVERLONG_2 | THIRD)
#define NO_CONTINUE MISSING

/* By the first byte's high nibble, its low nibble, and the second byte's high nibble. */
static const _Alignas(16) unsigned char first_high[16] = {
    UNASKED,
    UNASKED,
    UNASKED,
    UNASKED,
    UNASKED,
    UNASKED,
    UNASKED,
    UNASKED,
    THIRD,
    THIRD,
    THIRD,
    THIRD,
    MISSING | OVERLONG_2,
    MISSING,
    MISSING | OVERLONG_3 | SURROGATE,
    MISSING | TOO_LARGE | EIGHTY,
};
static const _Alignas(16) unsigned char first_low[16] = {
    EVERY_LOW | OVERLONG_2 | OVERLONG_3 | EIGHTY,
    EVERY_LOW | OVERLONG_2,
    EVERY_LOW,
    EVERY_LOW,
    EVERY_LOW | TOO_LARGE,
    FROM_F5,
    FROM_F5,
    FROM_F5,
    FROM_F5,
    FROM_F5,
    FROM_F5,
    FROM_F5,
    FROM_F5,
    FROM_F5 | SURROGATE,
    FROM_F5,
    FROM_F5,
};
static const _Alignas(16) unsigned char second_high[16] = {
    NO_CONTINUE,
    NO_CONTINUE,
    NO_CONTINUE,
    NO_CONTINUE,
    NO_CONTINUE,
    NO_CONTINUE,
    NO_CONTINUE,
    NO_CONTINUE,
    CONTINUES | OVERLONG_3 | EIGHTY,
    CONTINUES | OVERLONG_3 | TOO_LARGE,
    CONTINUES | SURROGATE | TOO_LARGE,
    CONTINUES | SURROGATE | TOO_LARGE,
    NO_CONTINUE,
    NO_CONTINUE,
    NO_CONTINUE,
    NO_CONTINUE,
};

/* Bytes taken at a time. */
#define STEP 64

/* Where the character begins that the text up to `end` leaves open, or `end`. A vector cannot see
 * what comes behind it; so this much is left to the automaton, which keeps it in mind. */
static const unsigned char *open_at(const unsigned char *in, const unsigned char *end)
{
    for (int back = 1; back <= 3 && end - in >= back; back++) {
        const unsigned char c = end[-back];
        if (c >= 0xC0) {
            return (c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2) > back ? end - back : end;
        }
        if (c < 0x80) {
            break;
        }
    }
    return end;
}

/* --- 16 bytes --- */

__attribute__((target("ssse3"))) static inline __m128i mistakes16(__m128i now, __m128i before)
{
    const __m128i nibble = _mm_set1_epi8(0x0F);
    const __m128i back1 = _mm_alignr_epi8(now, before, 15);
    const __m128i back2 = _mm_alignr_epi8(now, before, 14);
    const __m128i back3 = _mm_alignr_epi8(now, before, 13);
    const __m128i high1 = _mm_and_si128(_mm_srli_epi16(back1, 4), nibble);
    const __m128i high = _mm_and_si128(_mm_srli_epi16(now, 4), nibble);
    const __m128i pair = _mm_and_si128(
        _mm_and_si128(_mm_shuffle_epi8(_mm_load_si128((const __m128i *)first_high), high1),
                      _mm_shuffle_epi8(_mm_load_si128((const __m128i *)first_low),
                                       _mm_and_si128(back1, nibble))),
        _mm_shuffle_epi8(_mm_load_si128((const __m128i *)second_high), high));
    /* The top bit where a third or a fourth byte belongs: there THIRD is right, elsewhere not. */
    const __m128i third = _mm_subs_epu8(back2, _mm_set1_epi8(0xE0 - 0x80));
    const __m128i fourth = _mm_subs_epu8(back3, _mm_set1_epi8(0xF0 - 0x80));
    const __m128i more = _mm_and_si128(_mm_or_si128(third, fourth), _mm_set1_epi8((char)THIRD));

    return _mm_xor_si128(more, pair);
}

typedef struct check16_t {
    __m128i before, wrong;
} check16_t;

__attribute__((target("ssse3"))) static inline void step16(check16_t *check,
                                                           const unsigned char *in)
{
    const __m128i a = _mm_loadu_si128((const __m128i *)in);
    const __m128i b = _mm_loadu_si128((const __m128i *)(in + 16));
    const __m128i c = _mm_loadu_si128((const __m128i *)(in + 32));
    const __m128i d = _mm_loadu_si128((const __m128i *)(in + 48));
    const __m128i any =
        _mm_or_si128(_mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d)), check->before);

    if (_mm_movemask_epi8(any) != 0) {
        const __m128i left = _mm_or_si128(mistakes16(a, check->before), mistakes16(b, a));
        const __m128i right = _mm_or_si128(mistakes16(c, b), mistakes16(d, c));
        check->wrong = _mm_or_si128(check->wrong, _mm_or_si128(left, right));
    }
    check->before = d;
}

__attribute__((target("ssse3"))) static bool whole16(const unsigned char *in, size_t len)
{
    unsigned char rest[STEP] = {0};
    check16_t check = {_mm_setzero_si128(), _mm_setzero_si128()};

    for (; len >= STEP; len -= STEP, in += STEP) {
        step16(&check, in);
    }
    memcpy(rest, in, len);
    step16(&check, rest);
    return _mm_movemask_epi8(_mm_cmpeq_epi8(check.wrong, _mm_setzero_si128())) == 0xFFFF;
}

/* --- 32 bytes --- */

__attribute__((target("avx2"))) static inline __m256i table32(const unsigned char *table)
{
    return _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)table));
}

__attribute__((target("avx2"))) static inline __m256i mistakes32(__m256i now, __m256i before)
{
    const __m256i nibble = _mm256_set1_epi8(0x0F);
    /* Shifts work in halves: this is what lies 16 bytes back. */
    const __m256i half = _mm256_permute2x128_si256(before, now, 0x21);
    const __m256i back1 = _mm256_alignr_epi8(now, half, 15);
    const __m256i back2 = _mm256_alignr_epi8(now, half, 14);
    const __m256i back3 = _mm256_alignr_epi8(now, half, 13);
    const __m256i high1 = _mm256_and_si256(_mm256_srli_epi16(back1, 4), nibble);
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(now, 4), nibble);
    const __m256i pair = _mm256_and_si256(
        _mm256_and_si256(_mm256_shuffle_epi8(table32(first_high), high1),
                         _mm256_shuffle_epi8(table32(first_low), _mm256_and_si256(back1, nibble))),
        _mm256_shuffle_epi8(table32(second_high), high));
    const __m256i third = _mm256_subs_epu8(back2, _mm256_set1_epi8(0xE0 - 0x80));
    const __m256i fourth = _mm256_subs_epu8(back3, _mm256_set1_epi8(0xF0 - 0x80));
    const __m256i more =
        _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)THIRD));

    return _mm256_xor_si256(more, pair);
}

typedef struct check32_t {
    __m256i before, wrong;
} check32_t;

__attribute__((target("avx2"))) static inline void step32(check32_t *check, const unsigned char *in)
{
    const __m256i a = _mm256_loadu_si256((const __m256i *)in);
    const __m256i b = _mm256_loadu_si256((const __m256i *)(in + 32));
    const __m256i any = _mm256_or_si256(_mm256_or_si256(a, b), check->before);

    if (_mm256_movemask_epi8(any) != 0) {
        const __m256i both = _mm256_or_si256(mistakes32(a, check->before), mistakes32(b, a));
        check->wrong = _mm256_or_si256(check->wrong, both);
    }
    check->before = b;
}

__attribute__((target("avx2"))) static bool whole32(const unsigned char *in, size_t len)
{
    unsigned char rest[STEP] = {0};
    check32_t check = {_mm256_setzero_si256(), _mm256_setzero_si256()};

    for (; len >= STEP; len -= STEP, in += STEP) {
        step32(&check, in);
    }
    memcpy(rest, in, len);
    step32(&check, rest);
    return _mm256_testz_si256(check.wrong, check.wrong) != 0;
}

/* --- pieces --- */

/* The rest of a character that an earlier piece left open; false when it is not one. */
static bool finish(aw_ws_utf8_t *text, const unsigned char **in, size_t *len)
{
    while (text->state != 0 && *len > 0) {
        if (!aw_ws_utf8_feed_portable(text, *in, 1)) {
            return false;
        }
        (*in)++;
        (*len)--;
    }
    return true;
}

bool aw_ws_utf8_feed_ssse3(aw_ws_utf8_t *text, const unsigned char *in, size_t len)
{
    if (!finish(text, &in, &len)) {
        return false;
    }
    const unsigned char *const open = open_at(in, in + len);
    const size_t whole = (size_t)(open - in);
    return whole16(in, whole) && aw_ws_utf8_feed_portable(text, open, len - whole);
}

bool aw_ws_utf8_feed_avx2(aw_ws_utf8_t *text, const unsigned char *in, size_t len)
{
    if (!finish(text, &in, &len)) {
        return false;
    }
    const unsigned char *const open = open_at(in, in + len);
    const size_t whole = (size_t)(open - in);
    return whole32(in, whole) && aw_ws_utf8_feed_portable(text, open, len - whole);
}

#endif
