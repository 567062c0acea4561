/* Bodies under qop=auth-int: the request's is checked before any handler sees it, and handed on;
 * the answer's goes into rspauth where it can.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_BODY_H
#define MOD_AUTHWS_BODY_H

#include "scheme.h"

/* Hashes the request body into `out`, raw. The first call reads it, all of it, up to `limit`
 * bytes, and puts a filter in its place from which the handler reads the same bytes again. Fails
 * with an APR error when it cannot be read or is too long: see authws_body_status. */
apr_status_t authws_body_hash(authws_request_t *state, request_rec *r, apr_off_t limit,
                              aw_alg_e alg, unsigned char *out);

/* The HTTP status after a verification that failed with AW_VERDICT_ERROR: 413 for a body above
 * the limit, what reading it came to, or 500 when the body was not the trouble. */
int authws_body_status(const authws_request_t *state);

/* Arranges for rspauth over the answer's body in `header`, whose value (without rspauth) already
 * stands in r->err_headers_out: the answer is held back up to the request's body limit. An answer
 * that is longer, streamed without a declared length, or cut into ranges goes out without it. */
void authws_body_answer(authws_request_t *state, request_rec *r, const aw_digest_result_t *result,
                        const char *header);

/* Registers the filters. */
void authws_body_register(void);

/* insert_filter and insert_error_filter: puts the filters into a request that an internal redirect
 * made, or that is answered with an error page. */
void authws_body_insert(request_rec *r);

#endif
