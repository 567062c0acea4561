/* Byte strings: comparison, hexadecimal, base64 and wiping, table-driven and free of state.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/bytes.h"

#include <stdint.h>
#include <strings.h>

bool aw_span_equal(aw_span_t a, aw_span_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static unsigned char fold(char c)
{
    const unsigned char u = (unsigned char)c;
    return (unsigned char)(u >= 'A' && u <= 'Z' ? u + ('a' - 'A') : u);
}

bool aw_span_equal_nocase(aw_span_t a, aw_span_t b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (a.ptr[i] != b.ptr[i] && fold(a.ptr[i]) != fold(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

/* Both digits of every byte side by side, so that a byte costs one load and one store. */
#define PAIRS(h)                                                                                   \
    h "0" h "1" h "2" h "3" h "4" h "5" h "6" h "7" h "8" h "9" h "a" h "b" h "c" h "d" h "e" h "f"
static const char hex_pairs[512 + 1] =
    PAIRS("0") PAIRS("1") PAIRS("2") PAIRS("3") PAIRS("4") PAIRS("5") PAIRS("6") PAIRS("7")
        PAIRS("8") PAIRS("9") PAIRS("a") PAIRS("b") PAIRS("c") PAIRS("d") PAIRS("e") PAIRS("f");

void aw_hex_encode(char *out, const void *in, size_t n)
{
    const unsigned char *from = in;

    for (size_t i = 0; i < n; i++) {
        memcpy(out + 2 * i, hex_pairs + 2 * (size_t)from[i], 2);
    }
}

/* Value of a digit plus one, so that what the table leaves out (0) is no digit. */
static const unsigned char hex_values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16};

size_t aw_hex_decode(void *out, const char *in, size_t n)
{
    unsigned char *to = out;

    for (size_t i = 0; i < n; i++) {
        const unsigned high = hex_values[(unsigned char)in[2 * i]];
        if (high == 0) {
            return 2 * i;
        }
        const unsigned low = hex_values[(unsigned char)in[2 * i + 1]];
        if (low == 0) {
            return 2 * i + 1;
        }
        to[i] = (unsigned char)((high - 1) << 4 | (low - 1));
    }
    return 2 * n;
}

static const char base64_digits[2][64 + 1] = {
    [AW_BASE64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    [AW_BASE64URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"};

size_t aw_base64_length(aw_base64_e kind, size_t n)
{
    const size_t rest = n % 3;

    if (kind == AW_BASE64) {
        return (n / 3 + (rest != 0)) * 4;
    }
    return n / 3 * 4 + (rest == 0 ? 0 : rest + 1);
}

size_t aw_base64_encode(aw_base64_e kind, char *out, const void *in, size_t n)
{
    const char *digits = base64_digits[kind];
    const unsigned char *from = in;
    char *to = out;
    size_t i = 0;

    for (; n - i >= 3; i += 3) {
        const uint32_t three =
            (uint32_t)from[i] << 16 | (uint32_t)from[i + 1] << 8 | (uint32_t)from[i + 2];
        *to++ = digits[three >> 18];
        *to++ = digits[three >> 12 & 63];
        *to++ = digits[three >> 6 & 63];
        *to++ = digits[three & 63];
    }
    if (n - i == 1) {
        *to++ = digits[from[i] >> 2];
        *to++ = digits[(from[i] & 3) << 4];
    } else if (n - i == 2) {
        *to++ = digits[from[i] >> 2];
        *to++ = digits[(from[i] & 3) << 4 | from[i + 1] >> 4];
        *to++ = digits[(from[i + 1] & 15) << 2];
    }
    while (kind == AW_BASE64 && (to - out) % 4 != 0) {
        *to++ = '=';
    }
    return (size_t)(to - out);
}

/* Value of a base64 digit, or 64 and above. Bytes over 127 are data like any other here: the
 * argument is unsigned, and nothing is looked up by it. */
static unsigned base64_value(aw_base64_e kind, unsigned char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A' + 0u;
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26u;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52u;
    }
    if (c == (kind == AW_BASE64 ? '+' : '-')) {
        return 62;
    }
    return c == (kind == AW_BASE64 ? '/' : '_') ? 63 : 64;
}

/* Takes the padding off; false when it is not exactly what the length calls for. */
static bool base64_unpad(aw_base64_e kind, const char *in, size_t *n)
{
    if (kind == AW_BASE64URL) {
        return *n % 4 != 1;
    }
    if (*n % 4 != 0) {
        return false;
    }
    for (int i = 0; i < 2 && *n > 0 && in[*n - 1] == '='; i++) {
        --*n;
    }
    return true;
}

bool aw_base64_decode(aw_base64_e kind, void *out, size_t room, size_t *outlen, const char *in,
                      size_t n)
{
    unsigned char *to = out;
    uint32_t bits = 0;
    unsigned have = 0;
    size_t done = 0;

    if (!base64_unpad(kind, in, &n) || n / 4 * 3 + (n % 4 == 0 ? 0 : n % 4 - 1) > room) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const unsigned value = base64_value(kind, (unsigned char)in[i]);
        if (value > 63) {
            return false;
        }
        bits = bits << 6 | value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            to[done++] = (unsigned char)(bits >> have);
            bits &= (1u << have) - 1;
        }
    }
    if (bits != 0) {
        return false;
    }
    *outlen = done;
    return true;
}

bool aw_equal_secret(const void *a, const void *b, size_t n)
{
    const volatile unsigned char *x = a, *y = b;
    unsigned char difference = 0;

    for (size_t i = 0; i < n; i++) {
        difference = (unsigned char)(difference | (x[i] ^ y[i]));
    }
    return difference == 0;
}

void aw_wipe(void *p, size_t n)
{
    if (n > 0) {
        explicit_bzero(p, n);
    }
}
