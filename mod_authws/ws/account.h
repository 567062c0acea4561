/* What the module knows of a live WebSocket after its request is gone, and its closing line.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_WS_ACCOUNT_H
#define MOD_AUTHWS_WS_ACCOUNT_H

#include "../module.h"
#include "../reactor/socket.h"
#include "services.h"

/* The owner bytes of every socket of the module (authws_live_t.owner). It goes from process to
 * process at a graceful restart, so there is no pointer in it. */
typedef struct authws_account_t {
    uint32_t size;     /* of this structure: another version's is refused */
    uint32_t service;  /* its number; see services.h */
    uint64_t endpoint; /* hash of where the service was configured: virtual host, section, words.
                          A new generation without it closes the socket with 1001. */
    uint64_t user_tag; /* in the table of connections per user; 0: not counted */
    uint64_t started;  /* apr_time_t */
    char path[128];    /* of the request, cut, escaped: for the log */
    char scheme[16];   /* it was authenticated by; "" none */
    /* The settings it goes on with. */
    aw_ws_settings_t ws;
    int64_t ping, ping_timeout;
    uint64_t send_buffer;
} authws_account_t;

/* Begins the account of a request's WebSocket with these settings; the rest is the caller's. */
void authws_account_init(authws_account_t *account, request_rec *r,
                         const authws_endpoint_t *endpoint, const authws_live_settings_t *live);

/* authws_live_t.ended of every socket: the closing line in the log, the user's count, the
 * settings. */
void authws_account_ended(authws_socket_t *socket, void *owner, const authws_ending_t *ending);

/* Where a worker thread that serves one socket wants its ending to be put; NULL: nowhere (any
 * more). Its thread. */
void authws_account_expect(authws_ending_t *ending);

/* Takes up a socket of the generation before: what authws_live_resume needs, from its account,
 * whose strings and sizes are checked. False, with nothing to undo: no such endpoint is configured
 * any more, or the account is of another version. Otherwise authws_account_ended undoes it; or
 * authws_account_dropped, when authws_live_resume fails. */
bool authws_account_resume(authws_live_t *live, const authws_account_t *account);
void authws_account_dropped(const authws_account_t *account);

#endif
