/* Characters that nobody sees: the table of them, and the names of the commonest.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/invisible.h"

#include <stdint.h>

/* Sorted. What a person takes for nothing, or for a plain space. */
static const struct {
    uint32_t first, last;
} ranges[] = {
    {0x00, 0x08},       {0x0A, 0x1F},       {0x7F, 0xA0},     {0xAD, 0xAD},     {0x34F, 0x34F},
    {0x61C, 0x61C},     {0x115F, 0x1160},   {0x1680, 0x1680}, {0x17B4, 0x17B5}, {0x180B, 0x180F},
    {0x2000, 0x200F},   {0x2028, 0x202F},   {0x205F, 0x206F}, {0x2800, 0x2800}, {0x3000, 0x3000},
    {0x3164, 0x3164},   {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xFFF9, 0xFFFB},
    {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
};

#define RANGES (sizeof(ranges) / sizeof(ranges[0]))

static const struct {
    unsigned code_point;
    const char *name;
} names[] = {{0x00, "NUL"},
             {0xA0, "NO-BREAK SPACE"},
             {0xAD, "SOFT HYPHEN"},
             {0x200B, "ZERO WIDTH SPACE"},
             {0x200C, "ZERO WIDTH NON-JOINER"},
             {0x200D, "ZERO WIDTH JOINER"},
             {0x200E, "LEFT-TO-RIGHT MARK"},
             {0x200F, "RIGHT-TO-LEFT MARK"},
             {0x2028, "LINE SEPARATOR"},
             {0x202A, "LEFT-TO-RIGHT EMBEDDING"},
             {0x202C, "POP DIRECTIONAL FORMATTING"},
             {0x202D, "LEFT-TO-RIGHT OVERRIDE"},
             {0x202E, "RIGHT-TO-LEFT OVERRIDE"},
             {0x202F, "NARROW NO-BREAK SPACE"},
             {0x2060, "WORD JOINER"},
             {0x2066, "LEFT-TO-RIGHT ISOLATE"},
             {0x2069, "POP DIRECTIONAL ISOLATE"},
             {0x3000, "IDEOGRAPHIC SPACE"},
             {0xFEFF, "ZERO WIDTH NO-BREAK SPACE, also a byte order mark"}};

aw_char_t aw_text_first(aw_span_t s)
{
    const unsigned char *at = (const unsigned char *)s.ptr;
    const size_t len = at[0] < 0x80 ? 1 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    unsigned code_point = len == 1 ? at[0] : at[0] & (0x7Fu >> len);

    for (size_t i = 1; i < len && i < s.len; i++) {
        code_point = code_point << 6 | (at[i] & 0x3Fu);
    }
    return (aw_char_t){code_point, len < s.len ? len : s.len};
}

static bool is_invisible(unsigned code_point)
{
    for (size_t i = 0; i < RANGES && ranges[i].first <= code_point; i++) {
        if (code_point <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

size_t aw_text_find_invisible(aw_span_t s, bool joiners, aw_char_t *what)
{
    size_t at = 0;

    while (at < s.len) {
        const aw_char_t c = aw_text_first((aw_span_t){s.ptr + at, s.len - at});
        const bool joiner = c.code_point == 0x200C || c.code_point == 0x200D;

        if (is_invisible(c.code_point) && !(joiner && joiners)) {
            if (what) {
                *what = c;
            }
            return at;
        }
        at += c.len;
    }
    return s.len;
}

const char *aw_invisible_name(unsigned code_point)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].code_point == code_point) {
            return names[i].name;
        }
    }
    return "an invisible character";
}
