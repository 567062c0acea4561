/* Services for WebSockets: what another module provides to be named in AuthWSService.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     static const authws_service_t service = {
 *         .open = my_open,
 *         .events = {.message = my_message},
 *     };
 *
 *     static void register_hooks(apr_pool_t *p)
 *     {
 *         ap_register_provider(p, AUTHWS_SERVICE_GROUP, "my-service",
 *                              AUTHWS_SERVICE_VERSION, &service);
 *     }
 *
 * and then `AuthWSService my-service words...`, behind both modules' LoadModule lines, whose order
 * does not matter. Needs no symbol of mod_authws.so: everything goes through the structures here.
 */
#ifndef MOD_AUTHWS_H
#define MOD_AUTHWS_H

#include <ap_provider.h>
#include <httpd.h>
#include <http_config.h>

#include "authws_socket.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AUTHWS_SERVICE_GROUP   "authws-service"
#define AUTHWS_SERVICE_VERSION "0"

/* A service. Lives as long as the module that registers it. Unused functions are NULL. */
typedef struct authws_service_t {
    /* Configuration: the words behind the name in AuthWSService, `argc` of them, which stay as
     * they are. NULL, with *config set to what `open` and `request` get, from cmd->pool; or what
     * is wrong with them, for the person who wrote it. That pool lives as long as the
     * configuration; of a .htaccess file, as long as the request: no socket may keep a pointer
     * into it. Without it, words are refused. */
    const char *(*configure)(cmd_parms *cmd, int argc, char *const argv[], void **config);

    /* A handshake that authentication and Origin have let pass, before it is answered; in the
     * worker thread. OK, with socket->state set if the service has any; or the HTTP status to
     * refuse with, 300 to 599; anything else is logged and refused with 500. The request goes when
     * the handshake is done: copy what is needed. Only authws_socket_user, _peer, _protocol,
     * _retain and _release may be called on the socket. The close event comes for every socket that
     * was opened, also when the handshake fails after all. Without it, every handshake is welcome.
     */
    int (*open)(request_rec *r, void *config, authws_socket_t *socket);

    /* A request in the same location that is no WebSocket handshake: OK, DONE, an HTTP status, or
     * DECLINED to leave it to the other handlers. */
    int (*request)(request_rec *r, void *config);

    authws_events_t events;
} authws_service_t;

#ifdef __cplusplus
}
#endif

#endif
