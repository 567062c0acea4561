/* What bytes of a WebSocket travel on: a plain socket, TLS, or httpd's filters.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_REACTOR_TRANSPORT_H
#define MOD_AUTHWS_REACTOR_TRANSPORT_H

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct authws_transport_t authws_transport_t;

/* How one kind of transport does it. All in the thread of the connection's loop, none blocks
 * (except the filters' write: its thread serves nobody else). */
typedef struct authws_transport_class_t {
    const char *name; /* "plain", "TLS", ... for logs */
    /* Reads at most `len` bytes: how many; 0 at the end; -EAGAIN; or another -errno. */
    ssize_t (*read)(authws_transport_t *transport, void *out, size_t len);
    /* Writes: how many bytes were taken, maybe fewer; -EAGAIN; or another -errno. */
    ssize_t (*write)(authws_transport_t *transport, const void *data, size_t len);
    /* The same for a head and a body, in one system call where that can be. */
    ssize_t (*write2)(authws_transport_t *transport, const void *head, size_t head_len,
                      const void *body, size_t body_len);
    /* Whether bytes wait inside the transport, which no descriptor tells of. NULL: never. */
    bool (*pending)(const authws_transport_t *transport);
    /* Nothing more will be written: close_notify, FIN. */
    void (*finish)(authws_transport_t *transport);
    /* Ends it and frees what it holds, its descriptor included. `orderly` false: as quickly as
     * possible, without a word to the peer. */
    void (*close)(authws_transport_t *transport, bool orderly);
    bool movable; /* a descriptor says all: may be handed to another process */
} authws_transport_class_t;

struct authws_transport_t {
    const authws_transport_class_t *class;
    int fd;        /* what to poll */
    void *context; /* the class's own: SSL *, filters */
};

/* A plain stream socket, non-blocking; owned from now on. */
void authws_transport_plain(authws_transport_t *transport, int fd);

/* The functions of one particular libssl: mod_ssl's own, found by name, because an SSL object may
 * only be used with the library that made it. A test gives those it is linked with. */
#define AUTHWS_TLS_FUNCTIONS(X)                                                                    \
    X(SSL_read)                                                                                    \
    X(SSL_write)                                                                                   \
    X(SSL_free)                                                                                    \
    X(SSL_get_error)                                                                               \
    X(SSL_shutdown)                                                                                \
    X(SSL_set_quiet_shutdown)                                                                      \
    X(SSL_has_pending)                                                                             \
    X(SSL_get_shutdown)                                                                            \
    X(ERR_clear_error)

typedef struct authws_tls_calls_t {
#define AUTHWS_TLS_MEMBER(f) __typeof__(f) *f;
    AUTHWS_TLS_FUNCTIONS(AUTHWS_TLS_MEMBER)
#undef AUTHWS_TLS_MEMBER
} authws_tls_calls_t;

/* TLS over a non-blocking socket; `ssl` and `fd` are owned from now on. The handshake is done;
 * moving write buffers and partial writes are on. `calls` outlives every transport; one set for
 * the whole process, which ignores SIGPIPE, as httpd does: libssl's own writes would raise it. */
void authws_transport_tls(authws_transport_t *transport, const authws_tls_calls_t *calls, SSL *ssl,
                          int fd);

#endif
