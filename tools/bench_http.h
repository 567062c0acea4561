/* Reading HTTP/1.1 answers as they come in: the head over borrowed bytes, the body counted off.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_BENCH_HTTP_H
#define AUTHWS_TOOLS_BENCH_HTTP_H

#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"

#define BENCH_CHALLENGES 8

typedef enum bench_body_e {
    BENCH_BODY_LENGTH,    /* `left` more bytes */
    BENCH_BODY_UNTIL_END, /* until the connection ends */
    BENCH_BODY_CHUNK_SIZE,
    BENCH_BODY_CHUNK_EXTENSION,
    BENCH_BODY_CHUNK_DATA,
    BENCH_BODY_CHUNK_END,
    BENCH_BODY_TRAILER,
    BENCH_BODY_TRAILER_LINE
} bench_body_e;

/* An answer. The spans point into the bytes that the head was read from. */
typedef struct bench_http_t {
    int status;
    bool close;                             /* the server ends the connection behind it */
    aw_span_t info;                         /* Authentication-Info; empty when absent */
    aw_span_t challenges[BENCH_CHALLENGES]; /* WWW-Authenticate; more of them are left out */
    int challenges_count;
    bench_body_e body;
    uint64_t left;
    bool digits; /* the chunk size has some */
} bench_http_t;

/* Reads the head at the start of n bytes of answers to GET. Returns its length, 0 when more is
 * needed, -1 when it is malformed. A head with a status below 200 is one like others, without a
 * body. */
ssize_t bench_http_head(bench_http_t *http, const char *bytes, size_t n);

/* Goes through the body: how many of n bytes belong to it, and whether it is whole; -1 when the
 * chunks are malformed. With BENCH_BODY_UNTIL_END it is never whole here. */
ssize_t bench_http_body(bench_http_t *http, const char *bytes, size_t n, bool *whole);

#endif
