/* Byte strings: comparison, hexadecimal, base64 and wiping, table-driven and free of state.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/bytes.h"

#include <openssl/crypto.h>
#include <stdint.h>

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

/* Value of a digit, with a bit set (16) that tells it from what the table leaves out (0). */
static const unsigned char hex_values[256] = {
    ['0'] = 16, ['1'] = 17, ['2'] = 18, ['3'] = 19, ['4'] = 20, ['5'] = 21, ['6'] = 22, ['7'] = 23,
    ['8'] = 24, ['9'] = 25, ['a'] = 26, ['b'] = 27, ['c'] = 28, ['d'] = 29, ['e'] = 30, ['f'] = 31,
    ['A'] = 26, ['B'] = 27, ['C'] = 28, ['D'] = 29, ['E'] = 30, ['F'] = 31};

size_t aw_hex_decode(void *out, const char *in, size_t n)
{
    const unsigned char *digits = (const unsigned char *)in;
    unsigned char *to = out;
    unsigned all = 16;
    size_t i = 0;

    for (; i < n; i++) {
        const unsigned high = hex_values[digits[2 * i]], low = hex_values[digits[2 * i + 1]];
        to[i] = (unsigned char)(high << 4 | (low & 15));
        all &= high & low;
    }
    if (all == 16 || n == 0) {
        return 2 * n;
    }
    for (i = 0; hex_values[digits[i]] != 0; i++) {
    }
    return i;
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

/* Value of a digit plus one, so that what the tables leave out (0) is no digit. */
#define LETTERS_AND_NUMBERS                                                                        \
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8,        \
    ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, \
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23,            \
    ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30,            \
    ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37,            \
    ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44,            \
    ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51,            \
    ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58,            \
    ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62
static const unsigned char base64_values[2][256] = {
    [AW_BASE64] = {LETTERS_AND_NUMBERS, ['+'] = 63, ['/'] = 64},
    [AW_BASE64URL] = {LETTERS_AND_NUMBERS, ['-'] = 63, ['_'] = 64}};

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
    const unsigned char *values = base64_values[kind];
    unsigned char *to = out;
    uint32_t bits = 0;
    size_t i = 0;

    if (!base64_unpad(kind, in, &n) || n / 4 * 3 + (n % 4 == 0 ? 0 : n % 4 - 1) > room) {
        return false;
    }
    for (; n - i >= 4; i += 4, to += 3) {
        const uint32_t a = values[(unsigned char)in[i]], b = values[(unsigned char)in[i + 1]];
        const uint32_t c = values[(unsigned char)in[i + 2]], d = values[(unsigned char)in[i + 3]];
        if (a == 0 || b == 0 || c == 0 || d == 0) {
            return false;
        }
        bits = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
        to[0] = (unsigned char)(bits >> 16);
        to[1] = (unsigned char)(bits >> 8);
        to[2] = (unsigned char)bits;
    }
    const size_t rest = n - i;
    bits = 0;
    for (; i < n; i++) {
        const uint32_t value = values[(unsigned char)in[i]];
        if (value == 0) {
            return false;
        }
        bits = bits << 6 | (value - 1);
    }
    if (rest == 2) {
        *to++ = (unsigned char)(bits >> 4);
        bits &= 15;
    } else if (rest == 3) {
        *to++ = (unsigned char)(bits >> 10);
        *to++ = (unsigned char)(bits >> 2);
        bits &= 3;
    }
    /* Bits that no byte takes up must be zero. */
    if (rest != 0 && bits != 0) {
        return false;
    }
    *outlen = (size_t)(to - (unsigned char *)out);
    return true;
}

bool aw_equal_secret(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void aw_wipe(void *p, size_t n)
{
    if (n > 0) {
        explicit_bzero(p, n);
    }
}
