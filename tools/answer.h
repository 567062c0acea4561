/* The head of an HTTP/1.1 answer, read whole: its status and any of its fields.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_ANSWER_H
#define AUTHWS_TOOLS_ANSWER_H

#include <apr_pools.h>

#include "base/bytes.h"
#include "stream.h"

typedef struct answer_t {
    int status;
    aw_span_t reason;          /* the reason phrase */
    aw_span_t fields;          /* the lines behind the status line */
    const unsigned char *rest; /* what came behind the head */
    size_t rest_len;
} answer_t;

/* Reads up to the end of a head (64 KiB at most), into `p`; answers with a status of 100 to 199
 * but 101 are skipped. NULL, or what is wrong, as with a stream. */
const char *answer_read(answer_t *answer, stream_t *stream, int timeout_ms, apr_pool_t *p);

/* The values of all fields of a name, joined by ", ", in `p`; ptr NULL when there is none. */
aw_span_t answer_field(const answer_t *answer, const char *name, apr_pool_t *p);

/* The value of the n-th field (from 0) of a name, borrowed; ptr NULL when there are no more. */
aw_span_t answer_field_at(const answer_t *answer, const char *name, int n);

#endif
