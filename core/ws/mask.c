/* Masking of WebSocket payloads (RFC 6455 section 5.3), at memory speed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ws/mask_variants.h"

#include <stdint.h>

#ifdef AW_WS_MASK_X86
#include <immintrin.h>
#endif

#define WORD sizeof(uint64_t)

/* From here on 32 bytes at a time are worth the call. */
#define LONG 192

/* The key as often as it goes into a word, beginning with its byte `phase`. */
static inline uint64_t repeat(const unsigned char *key, unsigned phase)
{
    const unsigned bits = 8 * (phase & 3);
    uint32_t once;
    uint64_t twice;

    memcpy(&once, key, sizeof(once));
    twice = (uint64_t)once << 32 | once;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return bits == 0 ? twice : twice >> bits | twice << (64 - bits);
#else
    return bits == 0 ? twice : twice << bits | twice >> (64 - bits);
#endif
}

/* Every step but the last few bytes is a multiple of the key's length, so that one pattern does
 * for all of them, and bytes beyond the end are never touched. */
static inline void mask_words(unsigned char *out, const unsigned char *in, size_t len,
                              uint64_t pattern)
{
    const uint32_t half = (uint32_t)pattern; /* both halves are the same */
    uint64_t word;
    uint32_t some;

    for (; len >= WORD; len -= WORD, in += WORD, out += WORD) {
        memcpy(&word, in, WORD);
        word ^= pattern;
        memcpy(out, &word, WORD);
    }
    if (len >= sizeof(some)) {
        memcpy(&some, in, sizeof(some));
        some ^= half;
        memcpy(out, &some, sizeof(some));
        len -= sizeof(some), in += sizeof(some), out += sizeof(some);
    }
    for (size_t i = 0; i < len; i++) {
        const size_t shift = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 8 * i : 24 - 8 * i;
        out[i] = (unsigned char)(in[i] ^ (half >> shift));
    }
}

unsigned aw_ws_mask_portable(void *out, const void *in, size_t len, const unsigned char *key,
                             unsigned phase)
{
    mask_words(out, in, len, repeat(key, phase));
    return (unsigned)((phase + len) & 3);
}

#ifdef AW_WS_MASK_X86

static inline void mask_sse2(unsigned char *out, const unsigned char *in, size_t len,
                             uint64_t pattern)
{
    const __m128i keys = _mm_set1_epi64x((long long)pattern);

    for (; len >= 16; len -= 16, in += 16, out += 16) {
        const __m128i some = _mm_loadu_si128((const __m128i *)in);
        _mm_storeu_si128((__m128i *)out, _mm_xor_si128(some, keys));
    }
    mask_words(out, in, len, pattern);
}

unsigned aw_ws_mask_sse2(void *out, const void *in, size_t len, const unsigned char *key,
                         unsigned phase)
{
    mask_sse2(out, in, len, repeat(key, phase));
    return (unsigned)((phase + len) & 3);
}

__attribute__((target("avx2"))) static void mask_avx2(unsigned char *out, const unsigned char *in,
                                                      size_t len, uint64_t pattern)
{
    const __m256i keys = _mm256_set1_epi64x((long long)pattern);

    for (; len >= 128; len -= 128, in += 128, out += 128) {
        const __m256i a = _mm256_loadu_si256((const __m256i *)in);
        const __m256i b = _mm256_loadu_si256((const __m256i *)(in + 32));
        const __m256i c = _mm256_loadu_si256((const __m256i *)(in + 64));
        const __m256i d = _mm256_loadu_si256((const __m256i *)(in + 96));
        _mm256_storeu_si256((__m256i *)out, _mm256_xor_si256(a, keys));
        _mm256_storeu_si256((__m256i *)(out + 32), _mm256_xor_si256(b, keys));
        _mm256_storeu_si256((__m256i *)(out + 64), _mm256_xor_si256(c, keys));
        _mm256_storeu_si256((__m256i *)(out + 96), _mm256_xor_si256(d, keys));
    }
    for (; len >= 32; len -= 32, in += 32, out += 32) {
        const __m256i some = _mm256_loadu_si256((const __m256i *)in);
        _mm256_storeu_si256((__m256i *)out, _mm256_xor_si256(some, keys));
    }
    mask_words(out, in, len, pattern);
}

unsigned aw_ws_mask_avx2(void *out, const void *in, size_t len, const unsigned char *key,
                         unsigned phase)
{
    mask_avx2(out, in, len, repeat(key, phase));
    return (unsigned)((phase + len) & 3);
}

/* What the processor offers is found out when the program starts; asking is one load. */
static inline unsigned mask(void *out, const void *in, size_t len, const unsigned char *key,
                            unsigned phase)
{
    if (len >= LONG && __builtin_cpu_supports("avx2")) {
        return aw_ws_mask_avx2(out, in, len, key, phase);
    }
    mask_sse2(out, in, len, repeat(key, phase));
    return (unsigned)((phase + len) & 3);
}

#else

static inline unsigned mask(void *out, const void *in, size_t len, const unsigned char *key,
                            unsigned phase)
{
    return aw_ws_mask_portable(out, in, len, key, phase);
}

#endif

unsigned aw_ws_mask(void *data, size_t len, const unsigned char *key, unsigned phase)
{
    return mask(data, data, len, key, phase);
}

unsigned aw_ws_mask_copy(void *out, const void *in, size_t len, const unsigned char *key,
                         unsigned phase)
{
    return mask(out, in, len, key, phase);
}
