/* The WebSocket settings of a directory, and what live sockets keep of them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_WS_SETTINGS_H
#define MOD_AUTHWS_WS_SETTINGS_H

#include "../config.h"
#include "../reactor/socket.h"
#include "services.h"
#include "ws/origin.h"

/* What holds where nothing was written. */
#define AUTHWS_WS_PING_INTERVAL apr_time_from_sec(30)
#define AUTHWS_WS_PING_TIMEOUT  apr_time_from_sec(20)
#define AUTHWS_WS_DEFLATE_DEFAULT                                                                  \
    {                                                                                              \
        .on = true, .level = 6, .window = 15, .min = 128                                           \
    }

/* Until the peer's close frame, and until it has closed after both. */
#define AUTHWS_WS_CLOSE_TIMEOUT apr_time_from_sec(5)

/* Subprotocols, in order of preference. */
typedef struct authws_protocols_t {
    size_t count;
    aw_span_t list[]; /* each NUL-terminated too */
} authws_protocols_t;

typedef struct authws_ping_t {
    apr_interval_time_t interval; /* 0: Off */
    apr_interval_time_t timeout;
} authws_ping_t;

/* One directory's WebSocket directives as written, apart from authws_dir_t because most requests
 * have none of them; NULL, 0 or AUTHWS_UNSET where nothing was. Read-only once it is filled. */
typedef struct authws_ws_dir_t {
    const authws_endpoint_t *endpoint;     /* AuthWSService; its service NULL: Off */
    const aw_ws_origins_t *origins;        /* AuthWSOrigin */
    const authws_protocols_t *protocols;   /* AuthWSProtocol; none in it: None */
    apr_off_t max_message;                 /* AuthWSMaxMessage; 0 unset */
    apr_off_t max_frame;                   /* AuthWSMaxFrame; 0 unset */
    const authws_ping_t *ping;             /* AuthWSPing */
    const aw_ws_deflate_policy_t *deflate; /* AuthWSDeflate */
    apr_off_t send_buffer;                 /* AuthWSSendBuffer; 0 unset */
    int user_connections;                  /* AuthWSUserConnections; 0 Off, AUTHWS_UNSET */
} authws_ws_dir_t;

/* The inner section's settings over the outer one's; either may be NULL. */
const authws_ws_dir_t *authws_ws_dir_merge(apr_pool_t *p, const authws_ws_dir_t *outer,
                                           const authws_ws_dir_t *inner);

/* The directory's own record, for a directive to write to; made when there is none. */
authws_ws_dir_t *authws_ws_dir_get(apr_pool_t *p, authws_dir_t *dir);

/* The settings in force, with the defaults of the interface where nothing was set. */
const aw_ws_origins_t *authws_ws_dir_origins(const authws_ws_dir_t *dir);
const aw_ws_deflate_policy_t *authws_ws_dir_deflate(const authws_ws_dir_t *dir);
unsigned authws_ws_dir_user_connections(const authws_ws_dir_t *dir); /* 0: no limit */

/* The server's settings: there is one set of loops in a child process, so the largest of all
 * virtual hosts counts. */
unsigned authws_ws_reactor_threads(const server_rec *main_server);
apr_interval_time_t authws_ws_drain_timeout(const server_rec *main_server);

/* What a socket of this directory goes on with, as it stands in its account. */
void authws_ws_dir_live(authws_live_settings_t *live, const authws_ws_dir_t *dir);

/* The shared copy of such settings for the service of that number (authws_endpoint_t), which lives
 * as long as sockets refer to it: merged configurations are gone with their request. One reference
 * for the caller; NULL when memory is out. Any thread. */
const authws_live_settings_t *authws_settings_share(const authws_live_settings_t *like,
                                                    uint32_t service);

/* Gives back a reference to the copy that is like this one; `like` needs no events. Any thread. */
void authws_settings_release(const authws_live_settings_t *like, uint32_t service);

#endif
