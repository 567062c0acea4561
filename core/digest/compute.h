/* The computations of RFC 7616: A1, A2, userhash, response and rspauth, for either side.
 * SPDX-License-Identifier: Apache-2.0
 *
 * No allocation once a thread is warm; any thread; the return values are those of aw_hash.
 */
#ifndef AUTHWS_DIGEST_COMPUTE_H
#define AUTHWS_DIGEST_COMPUTE_H

#include "digest/credentials.h"

/* H(user ":" realm ":" password): the value in A1 files, aw_alg_size(alg) bytes at `a1`. The
 * caller wipes it. RFC 7616 3.4.2. */
apr_status_t aw_digest_a1(aw_alg_e alg, aw_span_t user, aw_span_t realm, aw_span_t password,
                          unsigned char *a1);

/* H(user ":" realm): RFC 7616 3.4.4. */
apr_status_t aw_digest_userhash(aw_alg_e alg, aw_span_t user, aw_span_t realm, unsigned char *out);

/* What response and rspauth are computed from, besides A1. All borrowed. */
typedef struct aw_digest_input_t {
    aw_algorithm_t algorithm;
    aw_qop_e qop;
    aw_span_t method;
    aw_span_t uri;
    aw_span_t nonce;
    aw_span_t cnonce;                       /* unused with AW_QOP_NONE, unless -sess */
    aw_span_t nc_text;                      /* likewise */
    const unsigned char *request_body_hash; /* H(body), raw; needed with auth-int, else NULL */
} aw_digest_input_t;

/* The response (RFC 7616 3.4.1) as raw bytes, aw_alg_size(algorithm.hash) of them, from the A1
 * file's value `a1` (for -sess the session key is derived from it here).
 * `rspauth` (may be NULL) receives the server's answer for qop=auth (RFC 7616 3.5), computed
 * from the same hash state so that it costs less than a call of its own; with auth-int it must be
 * NULL. */
apr_status_t aw_digest_response(const aw_digest_input_t *in, const unsigned char *a1,
                                unsigned char *response, unsigned char *rspauth);

/* rspauth for auth-int: `body_hash` is H(response body), raw. */
apr_status_t aw_digest_rspauth_int(const aw_digest_input_t *in, const unsigned char *a1,
                                   const unsigned char *body_hash, unsigned char *rspauth);

#endif
