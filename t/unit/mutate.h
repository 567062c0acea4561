/* Fixed-seed random changes to test vectors, and buffers that end at an inaccessible page.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_T_MUTATE_H
#define AUTHWS_T_MUTATE_H

#include <stdint.h>

#include "unit.h"

/* The next of a fixed series of numbers (xorshift64); *state is not 0. */
static inline uint64_t unit_random(uint64_t *state)
{
    uint64_t x = *state;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

/* A number below n; n > 0. */
static inline size_t unit_random_below(uint64_t *state, size_t n)
{
    return (size_t)((unit_random(state) >> 11) % n);
}

/* Changes `text` (n bytes, room for `room`) in one to four places: bytes replaced, taken out or
 * repeated, the end cut. Returns the new length. */
static inline size_t unit_mutate(char *text, size_t n, size_t room, uint64_t *state)
{
    static const char odd[] = "\"\\,= \t%'*\0\x7f\x80\xff\r\n:;/{}0aA";

    for (size_t changes = 1 + unit_random_below(state, 4); changes > 0 && n > 0; changes--) {
        const size_t at = unit_random_below(state, n);
        const size_t some = 1 + unit_random_below(state, n - at < 16 ? n - at : 16);
        switch (unit_random_below(state, 6)) {
        case 0:
            text[at] = (char)unit_random(state);
            break;
        case 1:
        case 2:
            text[at] = odd[unit_random_below(state, sizeof(odd) - 1)];
            break;
        case 3:
            memmove(text + at, text + at + some, n - at - some);
            n -= some;
            break;
        case 4:
            if (n + some <= room) {
                memmove(text + at + some, text + at, n - at);
                n += some;
            }
            break;
        default:
            n = at;
            break;
        }
    }
    return n;
}

/* One guarded buffer for many inputs. */
#define UNIT_TAIL 4096
static inline char *unit_tail(aw_span_t guard, const void *data, size_t n)
{
    /* unit_guard's memory may be written; only its span says const. */
    char *at = (char *)(uintptr_t)guard.ptr + guard.len - n;

    if (n > 0) {
        memcpy(at, data, n);
    }
    return at;
}

static inline aw_span_t unit_tail_create(void)
{
    static const char zeros[UNIT_TAIL];
    return unit_guard(zeros, sizeof(zeros));
}

#endif
