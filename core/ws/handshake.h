/* The opening handshake (RFC 6455 section 4), both ends: pure functions over header values.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Nothing is allocated; any thread.
 */
#ifndef AUTHWS_WS_HANDSHAKE_H
#define AUTHWS_WS_HANDSHAKE_H

#include "base/bytes.h"

/* The fields of a request that matter, several of one name joined by ", "; ptr NULL: not sent. */
typedef struct aw_ws_request_t {
    aw_span_t method;
    bool http11; /* HTTP/1.1 or newer */
    bool body;   /* the request has one, or says so */
    aw_span_t host;
    aw_span_t upgrade;
    aw_span_t connection;
    aw_span_t key;
    aw_span_t version;
    aw_span_t protocol;
} aw_ws_request_t;

typedef enum aw_ws_handshake_e {
    AW_WS_HANDSHAKE_OK,
    AW_WS_HANDSHAKE_NONE,   /* no request for a WebSocket: no "websocket" among Upgrade's */
    AW_WS_HANDSHAKE_BAD,    /* 400; *why */
    AW_WS_HANDSHAKE_VERSION /* 426 with Sec-WebSocket-Version: 13 */
} aw_ws_handshake_e;

/* Subprotocols that a request may offer. */
#define AW_WS_PROTOCOLS_MAX 64

/* Judges a request (section 4.2.1), Sec-WebSocket-Protocol included. *why is a static phrase, set
 * with BAD and VERSION. */
aw_ws_handshake_e aw_ws_handshake_check(const aw_ws_request_t *request, const char **why);

/* Characters of a Sec-WebSocket-Key, and of a Sec-WebSocket-Accept. */
#define AW_WS_KEY_LEN    24
#define AW_WS_ACCEPT_LEN 28

/* Sec-WebSocket-Accept for a key (section 4.2.2, step 5.4), NUL-terminated. False when `key`
 * has not AW_WS_KEY_LEN characters, or OpenSSL no SHA-1. */
bool aw_ws_accept(char accept[AW_WS_ACCEPT_LEN + 1], aw_span_t key);

/* Chooses a subprotocol: the first of ours, `n` names in order of preference, that is among those
 * `offered` (the value of Sec-WebSocket-Protocol). *chosen is its number, or `n` for none. False
 * when `offered` (ptr NULL: not sent) is not a list of at most AW_WS_PROTOCOLS_MAX tokens, each
 * once: 400. Names keep their case. */
bool aw_ws_protocol_choose(size_t *chosen, aw_span_t offered, const aw_span_t *ours, size_t n);

/* Client: makes the key from 16 random bytes, NUL-terminated. */
void aw_ws_key(char key[AW_WS_KEY_LEN + 1], const unsigned char random[16]);

/* Client: whether an answer with status 101 completes the handshake for `key` (section 4.1): NULL,
 * or a static phrase that says what is wrong. `protocol` is the answer's (ptr NULL: none), which
 * must be among `offered` (a list; ptr NULL: none were). Extensions: see
 * aw_ws_deflate_accept. */
const char *aw_ws_answer_check(aw_span_t key, aw_span_t upgrade, aw_span_t connection,
                               aw_span_t accept, aw_span_t protocol, aw_span_t offered);

#endif
