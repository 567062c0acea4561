/* The text of A1 files (user:realm:value): values, lines, and whole files with their mistakes.
 * SPDX-License-Identifier: Apache-2.0
 *
 * value = 32HEXDIG (MD5, as htdigest writes it) / 1*( "{" algorithm "}" hex )
 * Pure parsers over borrowed bytes; nothing outside the given span is read; any thread.
 */
#ifndef AUTHWS_STORE_A1_H
#define AUTHWS_STORE_A1_H

#include "digest/algorithm.h"

/* The hashes that one user has in one realm. */
typedef struct aw_a1_value_t {
    unsigned present; /* bit 1u << aw_alg_e */
    unsigned char hash[AW_ALG_COUNT][AW_HASH_MAX];
} aw_a1_value_t;

/* A mistake: where (column from 1, counted in bytes) and a static phrase that says what. */
typedef struct aw_text_error_t {
    size_t line; /* from 1; 1 for a lone value or line */
    size_t column;
    const char *message;
} aw_text_error_t;

/* Longest user name or realm, in bytes. */
#define AW_A1_NAME_MAX 1024

/* Parses a value and adds it to *value (zeroed by the caller, or holding what earlier lines of the
 * same user gave). False and *error on an unknown algorithm, a wrong number of digits, a digit
 * that is none, the same algorithm twice in one value, or an empty value; *value is then
 * untouched. A later value of the same algorithm replaces the earlier one. */
bool aw_a1_value_parse(aw_a1_value_t *value, aw_span_t text, aw_text_error_t *error);

/* Bytes of the longest text that aw_a1_value_build writes. */
#define AW_A1_VALUE_TEXT_MAX 1024

/* Writes the tagged form of the algorithms in `mask` that are present, in the order of aw_alg_e,
 * as `{SHA-256}...`; MD5 goes bare when it is the only one. No NUL; returns the length. */
size_t aw_a1_value_build(char *out, const aw_a1_value_t *value, unsigned mask);

/* Strongest algorithm present, or AW_ALG_COUNT when none is. */
aw_alg_e aw_a1_value_strongest(const aw_a1_value_t *value);

/* One line, taken apart; borrowed. */
typedef struct aw_a1_line_t {
    aw_span_t user;
    aw_span_t realm;
    aw_span_t value;
    size_t number;   /* from 1 */
    aw_span_t whole; /* the line without its end */
} aw_a1_line_t;

typedef enum aw_a1_line_e {
    AW_A1_LINE,  /* a user's line; its value has been checked too */
    AW_A1_BLANK, /* empty or a # comment: only number and whole are set */
    AW_A1_END,
    AW_A1_BROKEN /* *error; line.whole is set; the next call goes on behind it */
} aw_a1_line_e;

/* A place in a file's text. */
typedef struct aw_a1_reader_t {
    aw_span_t rest;
    size_t number;
} aw_a1_reader_t;

void aw_a1_reader_init(aw_a1_reader_t *reader, aw_span_t text);

/* The next line. Lines end in LF or CRLF; the last may lack it. Broken are: fewer than two
 * colons, a third colon, an empty user or realm, one above AW_A1_NAME_MAX, a control character or
 * bad UTF-8, a broken value, white space at the end of a value, a byte order mark, NUL. `value`
 * (may be NULL) receives the parsed hashes of an AW_A1_LINE (overwritten, not added to). */
aw_a1_line_e aw_a1_reader_next(aw_a1_reader_t *reader, aw_a1_line_t *line, aw_a1_value_t *value,
                               aw_text_error_t *error);

/* Whether `name` may stand as user or realm in an A1 file; if not, *error (column in name). */
bool aw_a1_name_check(aw_span_t name, aw_text_error_t *error);

/* The same for a user name, which also must not make its line a comment ("#") or look like the
 * byte order mark of the file. */
bool aw_a1_user_check(aw_span_t name, aw_text_error_t *error);

#endif
