/* SipHash-2-4 over a list of parts.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/keyed.h"

#include <stdint.h>

typedef struct sip_t {
    uint64_t v0, v1, v2, v3;
    uint64_t rest; /* bytes that do not fill a word yet, the first lowest */
    uint64_t total;
} sip_t;

static inline uint64_t rotate(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

/* Words are little-endian, whatever the machine is. */
static inline uint64_t load(const unsigned char *p)
{
    uint64_t x;

    memcpy(&x, p, sizeof(x));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    return x;
}

static inline void store(unsigned char *p, uint64_t x)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    memcpy(p, &x, sizeof(x));
}

static inline void rounds(sip_t *s, int n)
{
    for (int i = 0; i < n; i++) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 = rotate(s->v0, 32);
        s->v2 += s->v1;
        s->v0 += s->v3;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 = rotate(s->v2, 32);
    }
}

static inline void word(sip_t *s, uint64_t m)
{
    s->v3 ^= m;
    rounds(s, 2);
    s->v0 ^= m;
}

/* Takes bytes in behind the `total % 8` that wait in `rest`. */
static inline void absorb(sip_t *s, const unsigned char *p, size_t n)
{
    const unsigned have = (unsigned)(s->total % 8);

    s->total += n;
    for (; n >= 8; n -= 8, p += 8) {
        const uint64_t m = load(p);

        word(s, s->rest | m << 8 * have);
        s->rest = have > 0 ? m >> (64 - 8 * have) : 0;
    }
    for (unsigned at = have; n > 0; n--) {
        s->rest |= (uint64_t)*p++ << 8 * at;
        if (++at == 8) {
            word(s, s->rest);
            s->rest = 0;
            at = 0;
        }
    }
}

static inline void start(sip_t *s, const unsigned char *key, const aw_span_t *parts, size_t n,
                         uint64_t variant)
{
    const uint64_t k0 = load(key), k1 = load(key + 8);

    s->v0 = k0 ^ UINT64_C(0x736f6d6570736575);
    s->v1 = k1 ^ UINT64_C(0x646f72616e646f6d) ^ variant;
    s->v2 = k0 ^ UINT64_C(0x6c7967656e657261);
    s->v3 = k1 ^ UINT64_C(0x7465646279746573);
    s->rest = s->total = 0;
    for (size_t i = 0; i < n; i++) {
        absorb(s, (const unsigned char *)parts[i].ptr, parts[i].len);
    }
    word(s, s->rest | s->total << 56);
}

void aw_keyed_hash8(const unsigned char *key, const aw_span_t *parts, size_t n, void *out)
{
    sip_t s;

    start(&s, key, parts, n, 0);
    s.v2 ^= 0xff;
    rounds(&s, 4);
    store(out, s.v0 ^ s.v1 ^ s.v2 ^ s.v3);
}

void aw_keyed_hash16(const unsigned char *key, const aw_span_t *parts, size_t n, void *out)
{
    sip_t s;

    start(&s, key, parts, n, 0xee);
    s.v2 ^= 0xee;
    rounds(&s, 4);
    store(out, s.v0 ^ s.v1 ^ s.v2 ^ s.v3);
    s.v1 ^= 0xdd;
    rounds(&s, 4);
    store((unsigned char *)out + 8, s.v0 ^ s.v1 ^ s.v2 ^ s.v3);
}
