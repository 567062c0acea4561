/* Byte strings: borrowed spans, hexadecimal, base64, constant-time comparison and wiping.
 * SPDX-License-Identifier: Apache-2.0
 *
 * All functions here are pure (no state, no allocation) and may be called from any thread.
 */
#ifndef AUTHWS_BASE_BYTES_H
#define AUTHWS_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* A function that several files of the library share and nobody else may call. */
#define AW_PRIVATE __attribute__((visibility("hidden")))

/* Borrowed bytes: not NUL-terminated, never owned by the span. `ptr` may be NULL when len is 0. */
typedef struct aw_span_t {
    const char *ptr;
    size_t len;
} aw_span_t;

/* A span over a NUL-terminated string; NULL gives the empty span. */
static inline aw_span_t aw_span(const char *s)
{
    aw_span_t out = {s, s ? strlen(s) : 0};
    return out;
}

/* A span over a string literal. */
#define AW_SPAN_LIT(s) ((aw_span_t){("" s), sizeof(s) - 1})

/* Whether both spans hold the same bytes. Not constant time: never for secrets. */
bool aw_span_equal(aw_span_t a, aw_span_t b);

/* The same, with A-Z equal to a-z (ASCII only, no locale). For protocol tokens. */
bool aw_span_equal_nocase(aw_span_t a, aw_span_t b);

/* Writes 2*n lower-case hexadecimal digits to `out`; adds no NUL. `out` must not overlap `in`. */
void aw_hex_encode(char *out, const void *in, size_t n);

/* Decodes exactly 2*n hexadecimal digits of either case at `in` into n bytes at `out`.
 * Returns n2 == 2*n when all are digits, otherwise the offset of the first character that is
 * not one; `out` then holds unspecified bytes. */
size_t aw_hex_decode(void *out, const char *in, size_t n);

/* Base64 alphabets of RFC 4648: section 4 with padding, section 5 (URL-safe) without. */
typedef enum aw_base64_e { AW_BASE64, AW_BASE64URL } aw_base64_e;

/* Characters that n bytes take when encoded (no NUL counted). n is at most SIZE_MAX / 2. */
size_t aw_base64_length(aw_base64_e kind, size_t n);

/* Encodes n bytes; writes aw_base64_length(kind, n) characters, no NUL. Returns that number. */
size_t aw_base64_encode(aw_base64_e kind, char *out, const void *in, size_t n);

/* Decodes strictly: no white space, no characters of the other alphabet, AW_BASE64 needs its
 * padding, AW_BASE64URL allows none, and the unused bits of the last character must be zero (so
 * that each byte string has exactly one spelling). `out` has room for `room` bytes.
 * Returns true and sets *outlen, or false (malformed or no room; *outlen untouched). */
bool aw_base64_decode(aw_base64_e kind, void *out, size_t room, size_t *outlen, const char *in,
                      size_t n);

/* Whether n bytes are equal, in a time that depends on n alone. For everything secret. */
bool aw_equal_secret(const void *a, const void *b, size_t n);

/* Overwrites n bytes so that the compiler cannot leave it out. */
void aw_wipe(void *p, size_t n);

#endif
