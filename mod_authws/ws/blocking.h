/* WebSockets that stay in their worker thread: HTTP/2 streams, and where nothing else is possible.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_WS_BLOCKING_H
#define MOD_AUTHWS_WS_BLOCKING_H

#include "../module.h"
#include "../authws_socket.h"

/* child_init: how many threads of this process may be held, and the loops' end. */
void authws_blocking_child_init(apr_pool_t *pchild, server_rec *s);

/* Takes one of the threads, for a connection that stays because of `why`, which is logged: once
 * for each reason. False, and logged, when there are enough already, in the process or in the
 * HTTP/2 connection. Any thread; authws_blocking_leave gives it back. */
bool authws_blocking_enter(request_rec *r, const char *why);
void authws_blocking_leave(const request_rec *r);

/* Sends the answer, and serves the socket in this thread until its end; gives the thread back.
 * Returns what the handler has to return; the socket is no longer the caller's. */
int authws_blocking_run(request_rec *r, const char *answer, authws_socket_t *socket);

#endif
