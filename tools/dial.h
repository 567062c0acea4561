/* Opening a WebSocket from the outside: proxy, TLS, login and handshake, until frames may flow.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_DIAL_H
#define AUTHWS_TOOLS_DIAL_H

#include <apr_pools.h>

#include "password.h"
#include "stream.h"
#include "ws/conn.h"
#include "ws_url.h"

typedef enum dial_login_e { DIAL_NOBODY, DIAL_DIGEST, DIAL_BASIC, DIAL_TOKEN } dial_login_e;

/* Somebody to log in: at the server, or at the proxy. */
typedef struct dial_user_t {
    dial_login_e login;
    const char *name;    /* of a user; the token's scheme ("Bearer") */
    password_t password; /* or the token */
} dial_user_t;

/* Whom to call, and how. All borrowed, read-only; may be used for many calls. */
typedef struct dial_options_t {
    ws_url_t url;
    const ws_url_t *proxy; /* NULL: none; plain HTTP, its target is of no use */
    dial_user_t user, proxy_user;
    const char *protocol;       /* value of Sec-WebSocket-Protocol; NULL: none */
    const char *const *headers; /* "Name: value", checked; */
    size_t headers_count;
    aw_ws_deflate_policy_t deflate;
    SSL_CTX *tls;   /* NULL without wss */
    int timeout_ms; /* for each step */
} dial_options_t;

/* What came of it. */
typedef struct dial_t {
    stream_t stream;
    aw_ws_deflate_params_t deflate;
    const char *protocol; /* agreed upon, in the pool; NULL: none */
    unsigned char *early; /* bytes behind the handshake, in the pool */
    size_t early_len;
} dial_t;

typedef enum dial_e {
    DIAL_OK,
    DIAL_REFUSED, /* the server, or the proxy, has answered with something else than 101 */
    DIAL_FAILED   /* there is no connection, or no answer that can be understood */
} dial_e;

/* Opens one. Waits; `p` keeps what *dial borrows. With REFUSED and FAILED, *why in `p` says what
 * happened and nothing is left open. */
dial_e dial_open(dial_t *dial, const dial_options_t *options, const char **why, apr_pool_t *p);

#endif
