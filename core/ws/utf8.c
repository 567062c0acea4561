/* UTF-8 of text messages, checked as the bytes come: the choice, and the portable way.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ws/utf8_variants.h"

#include <stdint.h>

#define WORD      sizeof(uint64_t)
#define HIGH_BITS UINT64_C(0x8080808080808080)

#ifdef AW_WS_UTF8_X86
/* Shorter pieces are not worth setting up vectors for. */
#define LONG 64
#endif

/* What is open of a character. In all but the first three the next byte has a range of its own,
 * which keeps out overlong forms, surrogates and what is above U+10FFFF. */
typedef enum open_e {
    OPEN_NONE,
    OPEN_1, /* so many continuation bytes are missing */
    OPEN_2,
    OPEN_3,
    OPEN_E0,
    OPEN_ED,
    OPEN_F0,
    OPEN_F4,
    OPEN_COUNT
} open_e;

static const struct {
    unsigned char low, high, next;
} expected[OPEN_COUNT] = {
    [OPEN_1] = {0x80, 0xBF, OPEN_NONE}, [OPEN_2] = {0x80, 0xBF, OPEN_1},
    [OPEN_3] = {0x80, 0xBF, OPEN_2},    [OPEN_E0] = {0xA0, 0xBF, OPEN_1},
    [OPEN_ED] = {0x80, 0x9F, OPEN_1},   [OPEN_F0] = {0x90, 0xBF, OPEN_2},
    [OPEN_F4] = {0x80, 0x8F, OPEN_2},
};

/* What a first byte opens, or OPEN_COUNT for one that no character begins with. */
static inline open_e opens(unsigned char c)
{
    if (c < 0x80) {
        return OPEN_NONE;
    }
    if (c < 0xE0) {
        return c >= 0xC2 ? OPEN_1 : OPEN_COUNT;
    }
    if (c < 0xF0) {
        return c == 0xE0 ? OPEN_E0 : c == 0xED ? OPEN_ED : OPEN_2;
    }
    return c == 0xF0 ? OPEN_F0 : c < 0xF4 ? OPEN_3 : c == 0xF4 ? OPEN_F4 : OPEN_COUNT;
}

/* ASCII, eight bytes at a time, up to the word that holds something else. */
static inline const unsigned char *skip_ascii(const unsigned char *in, const unsigned char *end)
{
    uint64_t word;

    while ((size_t)(end - in) >= WORD) {
        memcpy(&word, in, WORD);
        if (word & HIGH_BITS) {
            break;
        }
        in += WORD;
    }
    return in;
}

bool aw_ws_utf8_feed_portable(aw_ws_utf8_t *text, const unsigned char *in, size_t len)
{
    const unsigned char *const end = in + len;
    unsigned state = text->state;

    while (in < end) {
        if (state == OPEN_NONE) {
            if (*in < 0x80) {
                const unsigned char *const next = skip_ascii(in, end);
                in = next > in ? next : in + 1;
                continue;
            }
            state = opens(*in++);
            if (state == OPEN_COUNT) {
                return false;
            }
        } else {
            if (*in < expected[state].low || *in > expected[state].high) {
                return false;
            }
            state = expected[state].next;
            in++;
        }
    }
    text->state = (unsigned char)state;
    return true;
}

bool aw_ws_utf8_feed(aw_ws_utf8_t *text, const void *data, size_t len)
{
#ifdef AW_WS_UTF8_X86
    /* What the processor offers is found out when the program starts; asking is one load. */
    if (len >= LONG && __builtin_cpu_supports("avx2")) {
        return aw_ws_utf8_feed_avx2(text, data, len);
    }
    if (len >= LONG && __builtin_cpu_supports("ssse3")) {
        return aw_ws_utf8_feed_ssse3(text, data, len);
    }
#endif
    return len == 0 || aw_ws_utf8_feed_portable(text, data, len);
}
