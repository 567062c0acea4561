/* A world for tests of live sockets: a loop, a service that takes notes, and a client at the other
 * end of a socketpair, which speaks through core/ws.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_T_LIVE_WORLD_H
#define AUTHWS_T_LIVE_WORLD_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../mod_authws/reactor/socket.h"
#include "unit.h"

/* What the service has seen, through socket->state. */
typedef struct world_t {
    authws_loop_t *loop;
    authws_live_settings_t settings;
    authws_socket_t *socket; /* borrowed, while it lives */
    bool echo, pause;        /* what the service does with a message */
    unsigned begun, messages, writable, closed, ended;
    unsigned close_code;
    authws_ending_t ending;
    char last[256]; /* of the last message, cut */
    size_t last_len, bytes;
    /* the client */
    int fd;
    aw_ws_conn_t client;
    aw_ws_settings_t client_settings;
    aw_ws_pool_t *pool;
    unsigned got, pongs, pings; /* messages and control frames that came */
    size_t got_bytes;
    char got_last[256];
    size_t got_last_len;
    unsigned got_code; /* of the close frame; 0: none yet */
    bool got_end;      /* FIN */
    bool failed;       /* what came was wrong */
} world_t;

static inline void world_on_begin(authws_socket_t *socket)
{
    ((world_t *)socket->state)->begun++;
}

static inline void world_on_message(authws_socket_t *socket, authws_opcode_e opcode,
                                    const char *data, size_t len)
{
    world_t *w = socket->state;

    w->messages++;
    w->bytes += len;
    w->last_len = len < sizeof w->last ? len : sizeof w->last;
    memcpy(w->last, data, w->last_len);
    if (w->echo) {
        (void)authws_socket_send(socket, opcode, data, len);
    }
    if (w->pause) {
        authws_socket_read(socket, false);
    }
}

static inline void world_on_writable(authws_socket_t *socket)
{
    ((world_t *)socket->state)->writable++;
}

static inline void world_on_close(authws_socket_t *socket, unsigned code)
{
    world_t *w = socket->state;

    w->closed++;
    w->close_code = code;
    CU_ASSERT_EQUAL(authws_socket_send(socket, AUTHWS_TEXT, "x", 1), AUTHWS_CLOSED);
}

static inline void world_on_ended(authws_socket_t *socket, void *owner,
                                  const authws_ending_t *ending)
{
    world_t *w = owner;

    (void)socket;
    w->ended++;
    w->ending = *ending;
    w->socket = NULL;
}

static const authws_events_t world_events = {
    .begin = world_on_begin,
    .message = world_on_message,
    .writable = world_on_writable,
    .close = world_on_close,
};

/* A connected pair: the server's end does not block. */
static inline void world_pair(int pair[2])
{
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    CU_ASSERT_EQUAL_FATAL(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    CU_ASSERT_EQUAL_FATAL(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
}

/* A loop and settings; no socket yet. */
static inline void world_init(world_t *w)
{
    *w = (world_t){.fd = -1};
    CU_ASSERT_EQUAL_FATAL(authws_loop_create(&w->loop), APR_SUCCESS);
    w->settings = (authws_live_settings_t){
        .ws = {.max_message = 1 << 20, .max_frame = 1 << 20, .deflate = {.level = 1}},
        .events = &world_events,
        .send_buffer = 64 * 1024,
        .close_timeout = 100 * 1000,
    };
    w->client_settings = w->settings.ws;
    w->client_settings.client = true;
    w->client_settings.max_message = w->client_settings.max_frame = 64 << 20;
    w->pool = aw_ws_pool_create();
    CU_ASSERT_PTR_NOT_NULL_FATAL(w->pool);
}

static inline authws_socket_t *world_socket(world_t *w, const aw_ws_deflate_params_t *deflate)
{
    const authws_live_t live = {.user = "alice",
                                .peer = "192.0.2.7:50000",
                                .settings = &w->settings,
                                .deflate = deflate ? *deflate : (aw_ws_deflate_params_t){0},
                                .ended = world_on_ended,
                                .owner = w};
    authws_socket_t *socket = authws_live_create(&live);

    CU_ASSERT_PTR_NOT_NULL_FATAL(socket);
    socket->state = w;
    return socket;
}

/* Runs the loop for so many rounds without waiting. */
typedef struct world_stop_t {
    authws_post_t post; /* first */
    authws_loop_t *loop;
} world_stop_t;

static inline void world_stop(authws_post_t *post)
{
    authws_loop_stop(((world_stop_t *)post)->loop);
}

static inline void world_run(world_t *w, unsigned rounds)
{
    while (rounds-- > 0) {
        world_stop_t stop = {{.run = world_stop}, w->loop};

        authws_loop_post(w->loop, &stop.post);
        authws_loop_run(w->loop);
    }
}

/* Starts the socket over a socketpair, with bytes that came early. */
static inline void world_start(world_t *w, const aw_ws_deflate_params_t *deflate, const void *early,
                               size_t early_len)
{
    authws_transport_t transport;
    int pair[2];

    world_pair(pair);
    w->fd = pair[1];
    aw_ws_conn_init(&w->client, deflate);
    w->socket = world_socket(w, deflate);
    authws_transport_plain(&transport, pair[0]);
    authws_live_start(w->socket, &transport, w->loop, early, early_len);
    world_run(w, 2);
}

/* The client's frame of a message, in memory of its own; returns its length. */
static inline size_t world_frame(world_t *w, unsigned char **frame, aw_ws_opcode_e opcode,
                                 const void *data, size_t len)
{
    static const unsigned char key[4] = {0x12, 0x34, 0x56, 0x78};
    aw_ws_out_t out;

    CU_ASSERT_FATAL(
        aw_ws_conn_write(&w->client, &w->client_settings, w->pool, opcode, data, len, key, &out));
    *frame = malloc(out.head_len + out.len + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(*frame);
    memcpy(*frame, out.head, out.head_len);
    if (out.len) {
        memcpy(*frame + out.head_len, out.data, out.len);
    }
    return out.head_len + out.len;
}

/* Writes bytes as the client; the loop runs while there is no room. */
static inline void world_write(world_t *w, const void *bytes, size_t len)
{
    size_t done = 0;
    unsigned idle = 0;

    while (done < len && idle < 1000) {
        const ssize_t n = send(w->fd, (const char *)bytes + done, len - done, MSG_NOSIGNAL);

        if (n > 0) {
            done += (size_t)n;
            idle = 0;
        } else {
            CU_ASSERT_EQUAL_FATAL(errno, EAGAIN);
            world_run(w, 1);
            idle++;
        }
    }
    CU_ASSERT_EQUAL(done, len);
}

static inline void world_send(world_t *w, aw_ws_opcode_e opcode, const void *data, size_t len)
{
    unsigned char *frame;
    const size_t n = world_frame(w, &frame, opcode, data, len);

    world_write(w, frame, n);
    free(frame);
}

static inline void world_close(world_t *w, unsigned code)
{
    static const unsigned char key[4] = {1, 2, 3, 4};
    unsigned char payload[AW_WS_CONTROL_MAX];
    aw_ws_out_t out;

    CU_ASSERT_FATAL(aw_ws_conn_close(&w->client, &w->client_settings, code, (aw_span_t){NULL, 0},
                                     key, payload, &out));
    world_write(w, out.head, out.head_len);
    world_write(w, out.data, out.len);
}

static inline void world_take(world_t *w, unsigned char *bytes, size_t len)
{
    while (len > 0) {
        aw_ws_found_t found;
        size_t used = 0;

        switch (
            aw_ws_conn_read(&w->client, &w->client_settings, w->pool, bytes, len, &used, &found)) {
        case AW_WS_EVENT_MESSAGE:
            w->got++;
            w->got_bytes += found.len;
            w->got_last_len = found.len < sizeof w->got_last ? found.len : sizeof w->got_last;
            memcpy(w->got_last, found.data, w->got_last_len);
            break;
        case AW_WS_EVENT_PING:
            w->pings++;
            break;
        case AW_WS_EVENT_PONG:
            w->pongs++;
            w->got_last_len = found.len;
            memcpy(w->got_last, found.data, found.len);
            break;
        case AW_WS_EVENT_CLOSE:
            w->got_code = found.code;
            break;
        case AW_WS_EVENT_FAILED:
            w->failed = true;
            break;
        case AW_WS_EVENT_MORE:
            break;
        }
        bytes += used;
        len -= used;
    }
}

/* Takes what has come to the client, without running the loop; false: nothing had. */
static inline bool world_read(world_t *w)
{
    static _Thread_local unsigned char buffer[256 * 1024];
    const ssize_t n = recv(w->fd, buffer, sizeof buffer, 0);

    if (n > 0) {
        world_take(w, buffer, (size_t)n);
        return true;
    }
    w->got_end = w->got_end || n == 0 || errno != EAGAIN;
    return false;
}

/* Runs the loop and reads until nothing more happens. */
static inline void world_settle(world_t *w)
{
    for (unsigned quiet = 0; quiet < 4;) {
        world_run(w, 1);
        quiet = world_read(w) ? 0 : quiet + 1;
    }
}

/* Runs the loop until *what is there, waiting for timers, at most five seconds. */
static inline void world_await(world_t *w, const unsigned *what)
{
    for (unsigned i = 0; i < 500 && *what == 0; i++) {
        world_run(w, 1);
        (void)world_read(w);
        (void)poll(NULL, 0, 10);
    }
}

static inline void world_end(world_t *w)
{
    if (w->fd >= 0) {
        close(w->fd);
    }
    aw_ws_conn_end(&w->client, w->pool);
    aw_ws_pool_destroy(w->pool);
    authws_loop_destroy(w->loop);
    if (w->begun) {
        CU_ASSERT_EQUAL(w->closed, 1);
        CU_ASSERT_EQUAL(w->ended, 1);
    }
    CU_ASSERT(!w->failed);
}

#endif
