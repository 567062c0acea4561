/* The directives for WebSockets.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_WS_DIRECTIVES_H
#define MOD_AUTHWS_WS_DIRECTIVES_H

#include "../module.h"

/* The setters, as httpd calls them: NULL, or what is wrong. */
const char *authws_ws_set_service(cmd_parms *cmd, void *config, int argc, char *const argv[]);
const char *authws_ws_set_origin(cmd_parms *cmd, void *config, int argc, char *const argv[]);
const char *authws_ws_set_protocol(cmd_parms *cmd, void *config, int argc, char *const argv[]);
const char *authws_ws_set_max_message(cmd_parms *cmd, void *config, const char *word);
const char *authws_ws_set_max_frame(cmd_parms *cmd, void *config, const char *word);
const char *authws_ws_set_ping(cmd_parms *cmd, void *config, int argc, char *const argv[]);
const char *authws_ws_set_deflate(cmd_parms *cmd, void *config, int argc, char *const argv[]);
const char *authws_ws_set_send_buffer(cmd_parms *cmd, void *config, const char *word);
const char *authws_ws_set_user_connections(cmd_parms *cmd, void *config, const char *word);
const char *authws_ws_set_reactor_threads(cmd_parms *cmd, void *config, const char *word);
const char *authws_ws_set_drain_timeout(cmd_parms *cmd, void *config, const char *word);

/* Their lines in the table of commands. */
#define AUTHWS_WS_COMMANDS                                                                         \
    AP_INIT_TAKE_ARGV("AuthWSService", authws_ws_set_service, NULL, OR_AUTHCFG,                    \
                      "the service for WebSockets: echo, or one of another module; or Off"),       \
        AP_INIT_TAKE_ARGV("AuthWSOrigin", authws_ws_set_origin, NULL, OR_AUTHCFG,                  \
                          "who may open a WebSocket from a browser: same, origins, any, none-ok"), \
        AP_INIT_TAKE_ARGV("AuthWSProtocol", authws_ws_set_protocol, NULL, OR_AUTHCFG,              \
                          "subprotocols, in order of preference, or None"),                        \
        AP_INIT_TAKE1("AuthWSMaxMessage", authws_ws_set_max_message, NULL, OR_AUTHCFG,             \
                      "a size, 1 to 1G: the longest message; above, close 1009"),                  \
        AP_INIT_TAKE1("AuthWSMaxFrame", authws_ws_set_max_frame, NULL, OR_AUTHCFG,                 \
                      "a size, 125 to 1G: the longest frame; above, close 1009"),                  \
        AP_INIT_TAKE_ARGV("AuthWSPing", authws_ws_set_ping, NULL, OR_AUTHCFG,                      \
                          "pings after so long a silence, and waits so long; or Off"),             \
        AP_INIT_TAKE_ARGV("AuthWSDeflate", authws_ws_set_deflate, NULL, OR_AUTHCFG,                \
                          "On, Off, level=, window=, no-context-takeover, min="),                  \
        AP_INIT_TAKE1("AuthWSSendBuffer", authws_ws_set_send_buffer, NULL, OR_AUTHCFG,             \
                      "a size, 4K to 1G: what may wait for a slow reader"),                        \
        AP_INIT_TAKE1("AuthWSUserConnections", authws_ws_set_user_connections, NULL, OR_AUTHCFG,   \
                      "1 to 65535 live WebSockets per user, or Off"),                              \
        AP_INIT_TAKE1("AuthWSReactorThreads", authws_ws_set_reactor_threads, NULL, RSRC_CONF,      \
                      "threads per child process that serve WebSockets"),                          \
        AP_INIT_TAKE1("AuthWSDrainTimeout", authws_ws_set_drain_timeout, NULL, RSRC_CONF,          \
                      "how long a child process that ends takes to close its WebSockets")

#endif
