/* A WebSocket echo on libwebsockets, to measure against; prints its port when it listens.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Built by t/bench/ws where libwebsockets is installed; no part of the project needs it.
 */
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE 1024

/* Messages of a connection that have not been sent back yet, oldest first. */
typedef struct session_t {
    unsigned char *data[QUEUE];
    size_t len[QUEUE];
    unsigned first, count;
} session_t;

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    session_t *session = user;

    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        memset(session, 0, sizeof(*session));
        break;
    case LWS_CALLBACK_RECEIVE: {
        const unsigned at = (session->first + session->count) % QUEUE;
        unsigned char *copy = session->count < QUEUE ? malloc(LWS_PRE + len) : NULL;

        if (!copy) {
            return -1;
        }
        memcpy(copy + LWS_PRE, in, len);
        session->data[at] = copy;
        session->len[at] = len;
        session->count++;
        lws_callback_on_writable(wsi);
        break;
    }
    case LWS_CALLBACK_SERVER_WRITEABLE:
        while (session->count > 0 && !lws_send_pipe_choked(wsi)) {
            unsigned char *data = session->data[session->first];

            if (lws_write(wsi, data + LWS_PRE, session->len[session->first], LWS_WRITE_TEXT) < 0) {
                return -1;
            }
            free(data);
            session->first = (session->first + 1) % QUEUE;
            session->count--;
        }
        if (session->count > 0) {
            lws_callback_on_writable(wsi);
        }
        break;
    case LWS_CALLBACK_CLOSED:
        for (; session->count > 0; session->count--) {
            free(session->data[session->first]);
            session->first = (session->first + 1) % QUEUE;
        }
        break;
    default:
        break;
    }
    return 0;
}

int main(void)
{
    static const struct lws_protocols protocols[] = {
        {"echo", on_event, sizeof(session_t), 64 * 1024, 0, NULL, 0}, {0}};
    struct lws_context_creation_info info = {0};

    lws_set_log_level(0, NULL);
    info.port = 0;
    info.iface = "127.0.0.1";
    info.protocols = protocols;
    struct lws_context *context = lws_create_context(&info);
    struct lws_vhost *host = context ? lws_get_vhost_by_name(context, "default") : NULL;

    if (!host) {
        return 3;
    }
    printf("%d\n", lws_get_vhost_listen_port(host));
    fflush(stdout);
    while (lws_service(context, 0) >= 0) {
    }
    lws_context_destroy(context);
    return 0;
}
