/* Text from outside: UTF-8 validation, the character classes of HTTP, and escaping for logs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/text.h"

#include <stdint.h>

/* Bytes of the well-formed character at `s` (n > 0 bytes left), or 0. The second byte's range
 * depends on the first (RFC 3629 section 4); that is what keeps out overlong forms, surrogates
 * and everything above U+10FFFF. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
    unsigned char low = 0x80, high = 0xBF;
    size_t length;

    if (s[0] < 0x80) {
        return 1;
    }
    if (s[0] >= 0xC2 && s[0] <= 0xDF) {
        length = 2;
    } else if (s[0] >= 0xE0 && s[0] <= 0xEF) {
        length = 3;
        low = s[0] == 0xE0 ? 0xA0 : 0x80;
        high = s[0] == 0xED ? 0x9F : 0xBF;
    } else if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        length = 4;
        low = s[0] == 0xF0 ? 0x90 : 0x80;
        high = s[0] == 0xF4 ? 0x8F : 0xBF;
    } else {
        return 0;
    }
    if (n < length || s[1] < low || s[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return length;
}

size_t aw_utf8_valid_prefix(aw_span_t s)
{
    const unsigned char *at = (const unsigned char *)s.ptr;
    size_t i = 0;

    while (i < s.len) {
        uint64_t eight;
        /* Eight ASCII bytes at a time: names are hardly ever anything else. */
        if (s.len - i >= sizeof(eight)) {
            memcpy(&eight, at + i, sizeof(eight));
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof(eight);
                continue;
            }
        }
        const size_t length = utf8_length(at + i, s.len - i);
        if (length == 0) {
            break;
        }
        i += length;
    }
    return i;
}

size_t aw_text_find_control(aw_span_t s)
{
    const unsigned char *at = (const unsigned char *)s.ptr;

    for (size_t i = 0; i < s.len; i++) {
        if (at[i] < 0x20 || at[i] == 0x7F) {
            return i;
        }
        /* U+0080..U+009F are C2 80..C2 9F, and C2 is never anything but a first byte. */
        if (at[i] == 0xC2 && i + 1 < s.len && at[i + 1] >= 0x80 && at[i + 1] <= 0x9F) {
            return i;
        }
    }
    return s.len;
}

/* One bit a character, 0 to 127: digits, letters and !#$%&'*+-.^_`|~ */
static const uint32_t tchars[4] = {0, 0x03FF6CFA, 0xC7FFFFFE, 0x57FFFFFF};

bool aw_is_tchar(unsigned char c)
{
    return c < 0x80 && (tchars[c >> 5] >> (c & 31) & 1) != 0;
}

bool aw_is_token(aw_span_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!aw_is_tchar((unsigned char)s.ptr[i])) {
            return false;
        }
    }
    return s.len > 0;
}

/* Writes the escaped form of `c` (1, 2 or 4 characters) and returns how many. */
static size_t escape_byte(char *out, unsigned char c)
{
    if (c == '\\') {
        out[0] = out[1] = '\\';
        return 2;
    }
    if (c >= 0x20 && c < 0x7F && c != '"') {
        out[0] = (char)c;
        return 1;
    }
    out[0] = '\\';
    out[1] = 'x';
    aw_hex_encode(out + 2, &c, 1);
    return 4;
}

const char *aw_text_escape(char *out, size_t room, aw_span_t s)
{
    const size_t dots = room > 3 ? 3 : room - 1;
    size_t length = 0; /* written */
    size_t cut = 0;    /* as far as may stay when the dots must follow */

    for (size_t i = 0; i < s.len; i++) {
        char one[4];
        const size_t n = escape_byte(one, (unsigned char)s.ptr[i]);
        if (length + n > room - 1) {
            memcpy(out + cut, "...", dots);
            length = cut + dots;
            break;
        }
        memcpy(out + length, one, n);
        length += n;
        if (length + dots <= room - 1) {
            cut = length;
        }
    }
    out[length] = '\0';
    return out;
}
