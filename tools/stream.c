/* A connection to a server, plain or TLS, with deadlines: what `authws connect` talks through.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static _Thread_local char said[256];

static const char *say(const char *what, const char *why)
{
    (void)snprintf(said, sizeof(said), "%s%s%s", what, why ? ": " : "", why ? why : "");
    return said;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits until the descriptor is ready for `events`. */
static const char *wait_for(int fd, short events, int64_t until)
{
    struct pollfd entry = {.fd = fd, .events = events};

    for (;;) {
        const int64_t left = until - now_ms();
        const int n = left > 0 ? poll(&entry, 1, (int)left) : 0;

        if (n > 0) {
            return NULL;
        }
        if (n == 0) {
            return say("no answer in time", NULL);
        }
        if (errno != EINTR) {
            return say("poll", strerror(errno));
        }
    }
}

static const char *connect_to(stream_t *stream, const struct addrinfo *address, int64_t until)
{
    const int one = 1;
    int failed = 0;
    socklen_t size = sizeof(failed);

    stream->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (stream->fd < 0) {
        return say("socket", strerror(errno));
    }
    (void)setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(stream->fd, address->ai_addr, address->ai_addrlen) == 0) {
        return NULL;
    }
    if (errno != EINPROGRESS) {
        return say("connect", strerror(errno));
    }
    const char *wrong = wait_for(stream->fd, POLLOUT, until);

    if (!wrong && (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &failed, &size) != 0 || failed)) {
        return say("connect", strerror(failed ? failed : errno));
    }
    return wrong;
}

const char *stream_connect(stream_t *stream, const char *host, const char *port, int timeout_ms)
{
    const int64_t until = now_ms() + timeout_ms;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *all = NULL;
    const char *wrong = NULL;
    const int rv = getaddrinfo(host, port, &hints, &all);

    *stream = (stream_t){.fd = -1};
    if (rv != 0) {
        return say(host, gai_strerror(rv));
    }
    for (const struct addrinfo *at = all; at; at = at->ai_next) {
        wrong = connect_to(stream, at, until);
        if (!wrong) {
            break;
        }
        stream_close(stream);
    }
    freeaddrinfo(all);
    return wrong;
}

/* What OpenSSL has to say of the last failure. */
static const char *tls_failure(const SSL *ssl)
{
    const long verified = SSL_get_verify_result(ssl);
    const unsigned long error = ERR_peek_last_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;

    if (verified != X509_V_OK) {
        return say("the server's certificate", X509_verify_cert_error_string(verified));
    }
    return say("TLS", reason ? reason : "the connection has ended");
}

/* Waits for what a TLS operation needs; NULL: try again. */
static const char *tls_wait(const stream_t *stream, int rv, int64_t until)
{
    switch (SSL_get_error(stream->ssl, rv)) {
    case SSL_ERROR_WANT_READ:
        return wait_for(stream->fd, POLLIN, until);
    case SSL_ERROR_WANT_WRITE:
        return wait_for(stream->fd, POLLOUT, until);
    default:
        return tls_failure(stream->ssl);
    }
}

const char *stream_secure(stream_t *stream, SSL_CTX *context, const char *host, int timeout_ms)
{
    static const unsigned char alpn[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    const int64_t until = now_ms() + timeout_ms;
    unsigned char address[sizeof(struct in6_addr)];
    const bool is_address =
        inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    const char *wrong = NULL;
    int rv;

    stream->ssl = SSL_new(context);
    if (!stream->ssl || SSL_set_fd(stream->ssl, stream->fd) != 1) {
        return say("TLS", "cannot be set up");
    }
    SSL_set_mode(stream->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_set_alpn_protos(stream->ssl, alpn, sizeof(alpn));
    if (is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(stream->ssl), host) != 1
                   : SSL_set1_host(stream->ssl, host) != 1 ||
                         SSL_set_tlsext_host_name(stream->ssl, host) != 1) {
        return say("TLS", "the host's name cannot be used");
    }
    ERR_clear_error();
    while (!wrong && (rv = SSL_connect(stream->ssl)) != 1) {
        wrong = tls_wait(stream, rv, until);
    }
    return wrong;
}

ssize_t stream_take(stream_t *stream, void *out, size_t room)
{
    if (!stream->ssl) {
        const ssize_t n = recv(stream->fd, out, room, 0);

        return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? STREAM_AGAIN : STREAM_BROKEN;
    }
    ERR_clear_error();
    const int n = SSL_read(stream->ssl, out, room > INT32_MAX ? INT32_MAX : (int)room);

    if (n > 0) {
        return n;
    }
    switch (SSL_get_error(stream->ssl, n)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return STREAM_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return STREAM_END;
    default:
        return STREAM_BROKEN;
    }
}

ssize_t stream_give(stream_t *stream, const void *data, size_t len)
{
    if (!stream->ssl) {
        const ssize_t n = send(stream->fd, data, len, MSG_NOSIGNAL);

        return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? STREAM_AGAIN : STREAM_BROKEN;
    }
    ERR_clear_error();
    const int n = SSL_write(stream->ssl, data, len > INT32_MAX ? INT32_MAX : (int)len);

    if (n > 0) {
        return n;
    }
    const int error = SSL_get_error(stream->ssl, n);

    return error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ ? STREAM_AGAIN
                                                                         : STREAM_BROKEN;
}

const char *stream_write(stream_t *stream, const void *data, size_t len, int timeout_ms)
{
    const int64_t until = now_ms() + timeout_ms;
    const char *at = data;

    while (len > 0) {
        const ssize_t n = stream_give(stream, at, len);

        if (n == STREAM_BROKEN) {
            return stream->ssl ? tls_failure(stream->ssl) : say("write", strerror(errno));
        }
        if (n == STREAM_AGAIN) {
            const char *wrong = wait_for(stream->fd, POLLOUT, until);

            if (wrong) {
                return wrong;
            }
            continue;
        }
        at += n;
        len -= (size_t)n;
    }
    return NULL;
}

const char *stream_read(stream_t *stream, void *out, size_t room, size_t *len, int timeout_ms)
{
    const int64_t until = now_ms() + timeout_ms;

    for (;;) {
        const ssize_t n = stream_take(stream, out, room);

        if (n > 0) {
            *len = (size_t)n;
            return NULL;
        }
        if (n == STREAM_END) {
            return say("the server has ended the connection", NULL);
        }
        if (n == STREAM_BROKEN) {
            return stream->ssl ? tls_failure(stream->ssl) : say("read", strerror(errno));
        }
        const char *wrong = wait_for(stream->fd, POLLIN, until);

        if (wrong) {
            return wrong;
        }
    }
}

void stream_close(stream_t *stream)
{
    if (stream->ssl) {
        (void)SSL_shutdown(stream->ssl);
        SSL_free(stream->ssl);
        stream->ssl = NULL;
    }
    if (stream->fd >= 0) {
        close(stream->fd);
        stream->fd = -1;
    }
}
