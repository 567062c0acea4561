/* A service of another module, as small as one can be that uses most of what there is.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     AuthWSService count 400    open returns 400
 *     AuthWSService count        each message is answered with its number, by another thread's note
 */
#include <httpd.h>

#include <apr_strings.h>
#include <http_config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mod_authws.h>

static const char *on_configure(cmd_parms *cmd, int argc, char *const argv[], void **config)
{
    if (argc > 1) {
        return apr_psprintf(cmd->pool, "\"%s\" is too much; write a status or nothing", argv[1]);
    }
    *config = argc ? argv[0] : NULL;
    return NULL;
}

static int on_open(request_rec *r, void *config, authws_socket_t *socket)
{
    (void)r;
    if (config) {
        return (int)strtol(config, NULL, 10);
    }
    socket->state = calloc(1, sizeof(unsigned));
    return socket->state ? OK : HTTP_INTERNAL_SERVER_ERROR;
}

static void answer(authws_socket_t *socket, void *baton)
{
    unsigned *count = socket->state;
    char text[16];
    authws_message_t *message;

    (void)baton;
    (void)snprintf(text, sizeof(text), "%u", ++*count);
    message = authws_socket_message(socket, AUTHWS_TEXT, text, strlen(text));
    if (message) {
        (void)authws_socket_send_message(socket, message);
        authws_message_release(socket, message);
    }
}

static void on_message(authws_socket_t *socket, authws_opcode_e opcode, const char *data,
                       size_t len)
{
    (void)opcode;
    (void)data;
    (void)len;
    if (!authws_socket_run(socket, answer, NULL)) {
        authws_socket_close(socket, 1011, "no memory");
    }
}

static void on_close(authws_socket_t *socket, unsigned code)
{
    (void)code;
    free(socket->state);
    socket->state = NULL;
}

static long on_save(authws_socket_t *socket, void *out, size_t room)
{
    if (room < sizeof(unsigned)) {
        return -1;
    }
    memcpy(out, socket->state, sizeof(unsigned));
    return sizeof(unsigned);
}

static bool on_resume(authws_socket_t *socket, const void *saved, size_t len)
{
    socket->state = len == sizeof(unsigned) ? malloc(len) : NULL;
    if (socket->state) {
        memcpy(socket->state, saved, len);
    }
    return socket->state != NULL;
}

static const authws_service_t service = {
    .configure = on_configure,
    .open = on_open,
    .events = {.message = on_message, .close = on_close, .save = on_save, .resume = on_resume},
};

static void register_hooks(apr_pool_t *p)
{
    ap_register_provider(p, AUTHWS_SERVICE_GROUP, "count", AUTHWS_SERVICE_VERSION, &service);
}

AP_DECLARE_MODULE(sample) = {STANDARD20_MODULE_STUFF, .register_hooks = register_hooks};
