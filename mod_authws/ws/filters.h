/* A WebSocket's bytes through httpd's filters: for connections that stay in their worker thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_WS_FILTERS_H
#define MOD_AUTHWS_WS_FILTERS_H

#include "../module.h"
#include "../reactor/loop.h"
#include "../reactor/transport.h"

/* Makes a transport of the connection's filters, for a loop that is run by this thread and for
 * this connection alone: it is stopped when the transport is closed. Lives in r->pool. False when
 * there is nothing to read from: the client has ended its half already. */
bool authws_filters_transport(authws_transport_t *transport, request_rec *r, authws_loop_t *loop);

/* Whether the transport has been closed. */
bool authws_filters_closed(const authws_transport_t *transport);

/* Passes bytes to the connection's filters, and has them flushed; waits as long as they do. */
apr_status_t authws_filters_write(conn_rec *c, apr_pool_t *p, const char *data, size_t len);

#endif
