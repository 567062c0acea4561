/* Taking a connection away from httpd: socket and TLS state go to a loop, the worker goes free.
 * SPDX-License-Identifier: Apache-2.0
 *
 * It rests on the order of httpd's and mod_ssl's cleanups; every step is checked at run time, and
 * where a check fails the connection stays in its worker thread (ws/blocking.h).
 */
#ifndef MOD_AUTHWS_WS_DETACH_H
#define MOD_AUTHWS_WS_DETACH_H

#include "../module.h"
#include "../mod_authws.h"

/* register_hooks: pre_handshake of mod_ssl, pre_close_connection. */
void authws_detach_register(apr_pool_t *p);

/* child_init: finds mod_ssl's own libssl. */
void authws_detach_child_init(apr_pool_t *pchild, server_rec *s);

/* Whether the connection of `r` can be taken away: NULL, or the reason why not, in words for the
 * log. The request has no body (aw_ws_handshake_check has seen to it). No side effect but that the
 * reqtimeout filters are removed. */
const char *authws_detach_check(request_rec *r);

/* Answers the handshake with `answer`, a whole 101 response head (it is written to the connection
 * as it stands), and gives the socket to a loop as soon as httpd has let go of the connection.
 * Returns what the handler has to return; whatever happens, the socket is no longer the caller's
 * (abandoned when it fails before the end). Only after authws_detach_check. */
int authws_detach(request_rec *r, const char *answer, authws_socket_t *socket);

#endif
