/* A connection to a server, plain or TLS, with deadlines: what `authws connect` talks through.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_STREAM_H
#define AUTHWS_TOOLS_STREAM_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct stream_t {
    int fd;   /* -1: none; non-blocking */
    SSL *ssl; /* NULL: plain */
} stream_t;

/* All return NULL when done, or what is wrong: in memory that stays as it is until the next call
 * of any of them in this thread. `timeout_ms` is for the whole call. */

/* Connects to the first address of the host that answers. */
const char *stream_connect(stream_t *stream, const char *host, const char *port, int timeout_ms);

/* Begins TLS, with the certificate checked for `host` where the context verifies. */
const char *stream_secure(stream_t *stream, SSL_CTX *context, const char *host, int timeout_ms);

/* Writes it all. */
const char *stream_write(stream_t *stream, const void *data, size_t len, int timeout_ms);

/* Reads what is there, waiting for at most `timeout_ms` for the first byte. */
const char *stream_read(stream_t *stream, void *out, size_t room, size_t *len, int timeout_ms);

/* What a read that does not wait found. */
enum { STREAM_END = 0, STREAM_AGAIN = -1, STREAM_BROKEN = -2 };

/* Reads without waiting: how many bytes, or one of those. */
ssize_t stream_take(stream_t *stream, void *out, size_t room);

/* Writes without waiting: how many bytes were taken, or STREAM_AGAIN, STREAM_BROKEN. */
ssize_t stream_give(stream_t *stream, const void *data, size_t len);

/* Ends it; a second time does nothing. */
void stream_close(stream_t *stream);

#endif
