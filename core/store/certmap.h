/* Certificate maps: fingerprints of certificates and the users that they are for.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     line        = fingerprint blanks word [ blanks word ]      ; user, realm
 *     fingerprint = 40 or 64 hexadecimal digits (SHA-1, SHA-256), as they are, with colons
 *                   between them, or in groups of one length with spaces between them
 *     word        = characters other than blanks and quotes / DQUOTE text DQUOTE, with \" and \\ in
 * it
 *
 * Blanks are spaces and tabs. A line that begins with # is a comment; a name that does is quoted.
 */
#ifndef AUTHWS_STORE_CERTMAP_H
#define AUTHWS_STORE_CERTMAP_H

#include <apr_errno.h>

#include "store/lines.h"

#define AW_SHA1_SIZE   20
#define AW_SHA256_SIZE 32

/* Longest user name or realm, in bytes. */
#define AW_CERTMAP_NAME_MAX 1024

/* The fingerprints of one certificate. Not secret. */
typedef struct aw_fingerprints_t {
    unsigned char sha1[AW_SHA1_SIZE];
    unsigned char sha256[AW_SHA256_SIZE];
} aw_fingerprints_t;

/* Fingerprints of a certificate in DER. Any thread, after aw_algorithms_init; aw_hash says what
 * it can fail with, and an OpenSSL without SHA-1 leaves that one all zeros, which is never found.
 */
apr_status_t aw_fingerprints_make(aw_fingerprints_t *prints, aw_span_t der);

/* One line, taken apart. */
typedef struct aw_certmap_line_t {
    size_t size; /* AW_SHA1_SIZE or AW_SHA256_SIZE */
    unsigned char print[AW_SHA256_SIZE];
    char user[AW_CERTMAP_NAME_MAX + 1]; /* without its quotes, NUL-terminated */
    size_t user_len;
    size_t user_column; /* where the user stands, from 1 */
    char realm[AW_CERTMAP_NAME_MAX + 1];
    size_t realm_len; /* 0: good in every realm */
    aw_span_t whole;  /* the line without its end, borrowed */
    size_t number;    /* from 1 */
} aw_certmap_line_t;

/* The next line. Broken are: a fingerprint of another length, a character in it that is no digit,
 * characters that nobody sees (named by their code point), no user, more than three words, a quote
 * without its end, names that are empty, too long or hold a control character or a colon (in a
 * user: it could not be a user of an A1 file), bad UTF-8. Any thread. */
aw_line_e aw_certmap_next(aw_line_reader_t *reader, aw_certmap_line_t *line,
                          aw_line_error_t *error);

/* Looks through a whole map: calls `say` (may be NULL) for every broken line, in order, then for
 * every line whose fingerprint has stood in an earlier one for the same realm. APR_SUCCESS when
 * there was none, APR_EINVAL, APR_ENOMEM. */
apr_status_t aw_certmap_check(aw_span_t text, aw_line_error_fn say, void *baton);

/* Reads a fingerprint as a line of a map begins with it, all of `text`. *size: its bytes. False,
 * and *error, as in aw_certmap_next. */
bool aw_fingerprint_parse(aw_span_t text, unsigned char print[AW_SHA256_SIZE], size_t *size,
                          aw_line_error_t *error);

/* Whether `name` may stand in a map, as a user or as a realm; if not, *error (column in `name`). */
bool aw_certmap_name_check(aw_span_t name, bool user, aw_line_error_t *error);

/* Puts a line for a certificate in the map: a fingerprint (the SHA-256 one), the user, quoted
 * where needed, the realm unless it is empty. It takes the place of the line that the certificate
 * has for that realm, by either fingerprint, or stands at the end; broken lines stay. APR_EINVAL
 * and *error when a name may not stand in a map (the column is in the name). */
apr_status_t aw_certmap_edit_set(aw_line_edit_t *edit, aw_span_t text,
                                 const aw_fingerprints_t *prints, aw_span_t user, aw_span_t realm,
                                 aw_line_error_t *error, apr_pool_t *p);

#endif
