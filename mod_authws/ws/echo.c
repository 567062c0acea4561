/* The service `echo`: sends every message back.
 * SPDX-License-Identifier: Apache-2.0
 *
 * It uses what any other module could use, mod_authws.h, and is the smallest example of it: no
 * state, so that it can go from one process to the next at a graceful restart.
 */
#include "echo.h"

/* A client that sends but does not read is not read from either, until it does. */
static void on_message(authws_socket_t *socket, authws_opcode_e opcode, const char *data,
                       size_t len)
{
    if (authws_socket_send(socket, opcode, data, len) == AUTHWS_FULL) {
        authws_socket_read(socket, false);
    }
}

static void on_writable(authws_socket_t *socket)
{
    authws_socket_read(socket, true);
}

static long on_save(authws_socket_t *socket, void *out, size_t room)
{
    (void)socket;
    (void)out;
    (void)room;
    return 0;
}

static bool on_resume(authws_socket_t *socket, const void *saved, size_t len)
{
    (void)socket;
    (void)saved;
    return len == 0;
}

static const authws_service_t service = {
    .events = {.message = on_message,
               .writable = on_writable,
               .save = on_save,
               .resume = on_resume},
};

void authws_echo_register(apr_pool_t *p)
{
    ap_register_provider(p, AUTHWS_SERVICE_GROUP, "echo", AUTHWS_SERVICE_VERSION, &service);
}
