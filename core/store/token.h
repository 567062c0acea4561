/* Hashed tokens: their algorithms, and the lines of token files.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     line    = subject ":{" algorithm "}" hex [ ":" [ expires ] [ ":" note ] ]
 *     expires = YYYY-MM-DD                   good to the end of that day, UTC
 *             / YYYY-MM-DD "T" HH:MM:SS "Z"  (RFC 3339, UTC)
 *             / 10*12DIGIT                   seconds since the epoch
 *
 * From the moment that `expires` names on, the token is no longer good. A token is stored as the
 * hash of its bytes, nothing added: it is random and long, so nobody can try them all, and it is
 * found by its hash.
 */
#ifndef AUTHWS_STORE_TOKEN_H
#define AUTHWS_STORE_TOKEN_H

#include <apr_errno.h>
#include <apr_time.h>

#include "store/lines.h"

/* In order of preference: a higher value is the stronger choice. Those below AW_TOKEN_SHA384 are
 * read, and lifted, but never written. */
typedef enum aw_token_alg_e {
    AW_TOKEN_SHA, /* "SHA" (SHA-1) */
    AW_TOKEN_SHA256,
    AW_TOKEN_SHA512_256,
    AW_TOKEN_SHA384, /* what new tokens get unless something else is asked for */
    AW_TOKEN_SHA3_384,
    AW_TOKEN_SHA512,
    AW_TOKEN_SHA3_512,
    AW_TOKEN_ALG_COUNT
} aw_token_alg_e;

#define AW_TOKEN_ALG_DEFAULT AW_TOKEN_SHA384

/* Bytes of the longest hash. */
#define AW_TOKEN_HASH_MAX 64

/* Longest token and longest subject, in bytes. */
#define AW_TOKEN_MAX         1024
#define AW_TOKEN_SUBJECT_MAX 1024

/* The name as it stands in files, for example "SHA3-384"; static. */
const char *aw_token_alg_name(aw_token_alg_e alg);

/* Bytes of a hash. */
size_t aw_token_alg_size(aw_token_alg_e alg);

/* Whether an entry of this algorithm is to be lifted, and none is to be written. */
static inline bool aw_token_alg_is_weak(aw_token_alg_e alg)
{
    return alg < AW_TOKEN_ALG_DEFAULT;
}

/* Finds an algorithm by its name, ignoring case ("SHA-1" is "SHA" too). False when there is none
 * of that name; *alg is then untouched. */
bool aw_token_alg_parse(aw_span_t name, aw_token_alg_e *alg);

/* Hash of a token; aw_token_alg_size(alg) bytes at `out`, which the caller wipes. Any thread,
 * after aw_algorithms_init. APR_ENOTIMPL when OpenSSL does not offer the algorithm here,
 * APR_EGENERAL when it fails. */
apr_status_t aw_token_hash(aw_token_alg_e alg, aw_span_t token, unsigned char *out);

/* The hash of one token, and until when it is good. */
typedef struct aw_token_value_t {
    aw_token_alg_e alg;
    unsigned char hash[AW_TOKEN_HASH_MAX];
    apr_time_t expires; /* microseconds since the epoch; AW_TOKEN_NEVER: it does not */
} aw_token_value_t;

#define AW_TOKEN_NEVER ((apr_time_t)0)

/* Whether what expires at `expires` is no longer good at `now`. */
static inline bool aw_token_is_expired(apr_time_t expires, apr_time_t now)
{
    return expires != AW_TOKEN_NEVER && now >= expires;
}

/* One line, taken apart; borrowed. */
typedef struct aw_token_line_t {
    aw_span_t subject;
    aw_span_t hash; /* "{ALGORITHM}hex" */
    aw_span_t expires;
    aw_span_t note;  /* free text; empty when there is none */
    aw_span_t whole; /* the line without its end */
    size_t number;   /* from 1 */
} aw_token_line_t;

/* The next line. Broken are: no colon or no {ALGORITHM}, an empty subject or one above
 * AW_TOKEN_SUBJECT_MAX, an unknown algorithm, a wrong number of digits or one that is none, an
 * `expires` of another form or no day of any calendar, control characters, bad UTF-8, a byte order
 * mark. Whether a hash stands twice is not looked at here (aw_token_check). `value` is overwritten
 * for AW_LINE_ENTRY; the caller wipes it. Any thread. */
aw_line_e aw_token_next(aw_line_reader_t *reader, aw_token_line_t *line, aw_token_value_t *value,
                        aw_line_error_t *error);

/* Looks through a whole file: calls `say` (may be NULL) for every broken line, in order, then for
 * every line whose hash has stood in an earlier one (a token names one subject, once). APR_SUCCESS
 * when there was none, APR_EINVAL, APR_ENOMEM. */
apr_status_t aw_token_check(aw_span_t text, aw_line_error_fn say, void *baton);

/* Whether `subject` may stand in a token file; if not, *error (its column is in `subject`). */
bool aw_token_subject_check(aw_span_t subject, aw_line_error_t *error);

/* Reads the text of an `expires`. Empty: AW_TOKEN_NEVER. */
bool aw_token_expires_parse(aw_span_t text, apr_time_t *expires, aw_line_error_t *error);

/* Writes `expires` as YYYY-MM-DDTHH:MM:SSZ, or nothing for AW_TOKEN_NEVER, with a NUL; returns
 * `out`. Parts of a second are dropped; the year is at the most 9999. */
#define AW_TOKEN_EXPIRES_MAX 32
const char *aw_token_expires_build(char *out, apr_time_t expires);

#endif
