/* mod_ssl's own libssl: the functions by which its TLS connections are taken over.
 * SPDX-License-Identifier: Apache-2.0
 *
 * An SSL object may only be touched by the library that made it. This module may be linked with
 * another one, or with none, so each function is looked up where mod_ssl finds it.
 */
#ifndef MOD_AUTHWS_WS_MOD_SSL_H
#define MOD_AUTHWS_WS_MOD_SSL_H

#include "../module.h"
#include "../reactor/transport.h"

/* Besides those of the transport. */
#define AUTHWS_MOD_SSL_FUNCTIONS(X)                                                                \
    X(BIO_method_name)                                                                             \
    X(OpenSSL_version_num)                                                                         \
    X(SSL_CTX_free)                                                                                \
    X(SSL_CTX_new)                                                                                 \
    X(SSL_ctrl)                                                                                    \
    X(SSL_get_ex_data)                                                                             \
    X(SSL_get_rbio)                                                                                \
    X(SSL_get_wbio)                                                                                \
    X(SSL_is_init_finished)                                                                        \
    X(SSL_renegotiate_pending)                                                                     \
    X(SSL_set_SSL_CTX)                                                                             \
    X(SSL_set_ex_data)                                                                             \
    X(SSL_set_fd)                                                                                  \
    X(SSL_set_info_callback)                                                                       \
    X(SSL_set_msg_callback)                                                                        \
    X(SSL_set_options)                                                                             \
    X(SSL_set_read_ahead)                                                                          \
    X(SSL_set_shutdown)                                                                            \
    X(SSL_set_verify)                                                                              \
    X(SSL_up_ref)                                                                                  \
    X(TLS_server_method)

typedef struct authws_mod_ssl_t {
    authws_tls_calls_t transport;
    SSL_CTX *blank; /* what connections get instead of mod_ssl's: without any callback */
#define AUTHWS_MOD_SSL_MEMBER(f) __typeof__(f) *f;
    AUTHWS_MOD_SSL_FUNCTIONS(AUTHWS_MOD_SSL_MEMBER)
#undef AUTHWS_MOD_SSL_MEMBER
} authws_mod_ssl_t;

/* child_init: finds them, once. The blank context lives as long as `pchild`. */
void authws_mod_ssl_find(apr_pool_t *pchild);

/* What was found; NULL, and *why (static), when TLS connections cannot be
 * taken over. Any thread. */
const authws_mod_ssl_t *authws_mod_ssl(const char **why);

/* Whether `ssl` is mod_ssl's connection `c`, with nothing going on that a loop could not go on
 * with: NULL, or why not (static). In the connection's thread. */
const char *authws_mod_ssl_check(const authws_mod_ssl_t *lib, const SSL *ssl, const conn_rec *c);

/* Frees `ssl` of everything that is httpd's and gives it `fd` to read and write; when httpd has let
 * go of the connection, after mod_ssl's own cleanup. False when memory is out. */
bool authws_mod_ssl_adopt(const authws_mod_ssl_t *lib, SSL *ssl, int fd);

#endif
