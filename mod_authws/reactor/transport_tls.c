/* TLS over a socket as a transport, through the functions of one particular libssl.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "transport.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The longest record's payload. */
#define RECORD ((size_t)16 * 1024)

/* One set for the process, so that each transport's context is its SSL alone. Set by any thread,
 * always to the same. */
static _Atomic(const authws_tls_calls_t *) tls;

/* What a call that did not succeed means. The error queue is the thread's: what others left in it
 * would be taken for this call's error, so each call begins with an empty one. */
static ssize_t failure(SSL *ssl, int ret, int interrupted)
{
    switch (tls->SSL_get_error(ssl, ret)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        /* No error number: the end, without close_notify. */
        return interrupted ? -interrupted : 0;
    default:
        return -EPROTO;
    }
}

static ssize_t tls_read(authws_transport_t *transport, void *out, size_t len)
{
    SSL *ssl = transport->context;
    size_t done = 0;
    int n;

    /* A call gives one record at most; several that have come go up together: as long as more is
     * known to be inside, or a full record says that more will follow. */
    do {
        tls->ERR_clear_error();
        errno = 0;
        n = tls->SSL_read(ssl, (char *)out + done,
                          (int)(len - done < INT32_MAX ? len - done : INT32_MAX));
        if (n <= 0) {
            return done ? (ssize_t)done : failure(ssl, n, errno);
        }
        done += (size_t)n;
    } while (done < len && ((size_t)n == RECORD || tls->SSL_has_pending(ssl)));
    return (ssize_t)done;
}

static ssize_t tls_write(authws_transport_t *transport, const void *data, size_t len)
{
    SSL *ssl = transport->context;
    ssize_t failed;
    int n;

    tls->ERR_clear_error();
    errno = 0;
    n = tls->SSL_write(ssl, data, (int)(len < INT32_MAX ? len : INT32_MAX));
    if (n > 0) {
        return n;
    }
    failed = failure(ssl, n, errno);
    return failed == 0 ? -EPIPE : failed;
}

/* A record for the head alone would cost more than a copy. */
static ssize_t tls_write2(authws_transport_t *transport, const void *head, size_t head_len,
                          const void *body, size_t body_len)
{
    unsigned char record[RECORD];
    size_t len = body_len < RECORD - head_len ? body_len : RECORD - head_len;

    memcpy(record, head, head_len);
    if (len) {
        memcpy(record + head_len, body, len);
    }
    return tls_write(transport, record, head_len + len);
}

static bool tls_pending(const authws_transport_t *transport)
{
    SSL *ssl = transport->context;

    /* The end may have been read together with what came before it. */
    return tls->SSL_has_pending(ssl) == 1 || tls->SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN;
}

static void tls_finish(authws_transport_t *transport)
{
    SSL *ssl = transport->context;

    tls->ERR_clear_error();
    tls->SSL_set_quiet_shutdown(ssl, 0);
    (void)tls->SSL_shutdown(ssl);
    (void)shutdown(transport->fd, SHUT_WR);
}

static void tls_close(authws_transport_t *transport, bool orderly)
{
    SSL *ssl = transport->context;

    tls->ERR_clear_error();
    if (orderly && !(tls->SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN)) {
        tls->SSL_set_quiet_shutdown(ssl, 0);
        (void)tls->SSL_shutdown(ssl);
        tls->ERR_clear_error();
    }
    tls->SSL_set_quiet_shutdown(ssl, 1);
    (void)tls->SSL_shutdown(ssl); /* or the session would be thought broken, and forgotten */
    tls->SSL_free(ssl);
    tls->ERR_clear_error();
    close(transport->fd);
    transport->fd = -1;
    transport->context = NULL;
}

static const authws_transport_class_t class_tls = {
    .name = "TLS",
    .read = tls_read,
    .write = tls_write,
    .write2 = tls_write2,
    .pending = tls_pending,
    .finish = tls_finish,
    .close = tls_close,
};

void authws_transport_tls(authws_transport_t *transport, const authws_tls_calls_t *calls, SSL *ssl,
                          int fd)
{
    tls = calls;
    *transport = (authws_transport_t){.class = &class_tls, .fd = fd, .context = ssl};
}
