/* One-time tickets: made here, taken out of a request before anybody can log it, and opened again.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     ticket  = "aw1." nonce base64url(payload)
 *     payload = expires (8 bytes, microseconds since 1970, BE) user NUL path
 *
 * The nonce is one of digest/nonce.h. Its tag covers the payload, the server's name and the realm,
 * behind words that no realm begins with: so no nonce of Digest is a ticket, and the other way
 * round. That it is used once is the nonce table's doing: a ticket is a nonce with one count.
 */
#ifndef MOD_AUTHWS_TICKET_H
#define MOD_AUTHWS_TICKET_H

#include "config.h"

#define AUTHWS_TICKET_PATH_MAX 1024
#define AUTHWS_TICKET_USER_MAX 1024

/* What a ticket says. */
typedef struct authws_ticket_t {
    const char *user;
    const char *path; /* it is good for; empty: for every one of the realm */
    apr_time_t expires;
    aw_nonce_t nonce;
} authws_ticket_t;

/* A ticket for the request's server and this realm, in r->pool; ticket->nonce is not looked at.
 * NULL when OpenSSL has no random bytes, or user or path is too long. */
const char *authws_ticket_build(request_rec *r, const char *realm, const authws_ticket_t *ticket);

/* Whether `text` is a ticket of this server and realm; its age and use are not looked at. What
 * *ticket refers to is in r->pool. */
bool authws_ticket_open(authws_ticket_t *ticket, request_rec *r, const char *realm,
                        const char *text);

/* post_read_request: takes a ticket (`?ticket=` or a subprotocol) out of the request and into
 * authws_request_t, so that it is in no log, no variable and nothing that is sent on. */
int authws_ticket_take(request_rec *r);

#endif
