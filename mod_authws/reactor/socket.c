/* A live socket: made, given to a loop, known by its references.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "live.h"

#include <stdlib.h>
#include <sys/epoll.h>

/* What brings a socket to its loop. */
typedef struct start_t {
    authws_post_t post; /* first */
    live_t *live;
    size_t len;
    unsigned char early[];
} start_t;

static unsigned char *owner_bytes(const live_t *live)
{
    return (unsigned char *)(uintptr_t)(live + 1);
}

static size_t owner_room(size_t owner_size)
{
    return owner_size ? owner_size : sizeof(void *);
}

void *authws_live_owner(authws_socket_t *socket)
{
    const live_t *live = live_of(socket);
    void *owner;

    if (live->owner_size) {
        return owner_bytes(live);
    }
    memcpy(&owner, owner_bytes(live), sizeof owner);
    return owner;
}

const char *authws_live_string(const live_t *live, unsigned at)
{
    return at == NO_STRING ? NULL
                           : (const char *)owner_bytes(live) + owner_room(live->owner_size) + at;
}

/* Bytes of a string with its NUL. */
static size_t string_size(const char *string)
{
    return string ? strlen(string) + 1 : 0;
}

/* Copies a string behind `*at` bytes of strings; returns where it stands. */
static uint16_t string_put(live_t *live, size_t *at, const char *string)
{
    const size_t size = string_size(string);
    const size_t here = *at;

    if (!string) {
        return NO_STRING;
    }
    memcpy(owner_bytes(live) + owner_room(live->owner_size) + here, string, size);
    *at += size;
    return (uint16_t)here;
}

authws_socket_t *authws_live_create(const authws_live_t *given)
{
    const size_t strings =
        string_size(given->user) + string_size(given->peer) + string_size(given->protocol);
    const size_t owner = owner_room(given->owner_size);
    size_t at = 0;
    live_t *live;

    /* Offsets have 16 bits; httpd's own limits are far below. */
    if (strings >= NO_STRING || given->owner_size > NO_STRING) {
        return NULL;
    }
    live = calloc(1, sizeof *live + owner + strings);
    if (!live) {
        return NULL;
    }
    live->socket.calls = &authws_live_calls;
    live->source.ready = authws_live_ready;
    live->source.fd = -1;
    live->timer.due = authws_live_timer_due;
    aw_ws_conn_init(&live->conn, &given->deflate);
    live->settings = given->settings;
    live->ended = given->ended;
    live->owner_size = (uint32_t)given->owner_size;
    if (given->owner_size) {
        memcpy(owner_bytes(live), given->owner, owner);
    } else {
        memcpy(owner_bytes(live), &given->owner, owner);
    }
    live->user_at = string_put(live, &at, given->user);
    live->peer_at = string_put(live, &at, given->peer);
    live->protocol_at = string_put(live, &at, given->protocol);
    atomic_init(&live->references, 1);
    return &live->socket;
}

void authws_live_retain(live_t *live)
{
    atomic_fetch_add_explicit(&live->references, 1, memory_order_relaxed);
}

void authws_live_release(live_t *live)
{
    if (atomic_fetch_sub_explicit(&live->references, 1, memory_order_acq_rel) == 1) {
        free(live);
    }
}

live_more_t *authws_live_more(live_t *live)
{
    if (!live->more) {
        live->more = calloc(1, sizeof *live->more);
        if (!live->more) {
            authws_live_break(live, "no memory");
        }
        authws_live_used(live);
    }
    return live->more;
}

/* --- the sockets of a loop --- */

void authws_live_again(live_t *live)
{
    authws_lives_t *lives = authws_loop_lives(live_loop(live));

    if (live->listed) {
        return;
    }
    live->listed = true;
    authws_live_retain(live);
    live->again = NULL;
    if (lives->again_last) {
        lives->again_last->again = live;
    } else {
        lives->again = live;
    }
    lives->again_last = live;
}

/* After a round: what asked for another turn has it, what was gathered is written. */
static bool lives_round(authws_loop_t *loop)
{
    authws_lives_t *lives = authws_loop_lives(loop);
    live_t *live;

    authws_live_uncork(loop);
    live = lives->again;
    lives->again = lives->again_last = NULL;
    while (live) {
        live_t *next = live->again;

        live->listed = false;
        if (live->state != LIVE_GONE) {
            authws_live_catch_up(live);
            authws_live_settle(live);
        }
        authws_live_release(live);
        live = next;
    }
    authws_live_uncork(loop);
    return lives->again != NULL;
}

/* The loop is about to be freed with sockets in it. */
static void lives_end(authws_loop_t *loop)
{
    authws_lives_t *lives = authws_loop_lives(loop);

    while (lives->first) {
        authws_live_drop(&lives->first->socket);
    }
    (void)lives_round(loop); /* gives back the list's references */
}

size_t authws_live_count(const authws_loop_t *loop)
{
    return atomic_load_explicit(&authws_loop_lives((authws_loop_t *)(uintptr_t)loop)->count,
                                memory_order_relaxed);
}

void authws_live_each(authws_loop_t *loop, void (*fn)(authws_socket_t *socket, void *baton),
                      void *baton)
{
    for (live_t *live = authws_loop_lives(loop)->first, *next; live; live = next) {
        next = live->next;
        fn(&live->socket, baton);
    }
}

bool authws_live_is_open(const authws_socket_t *socket)
{
    const live_t *live = live_of_const(socket);

    return live->state == LIVE_OPEN && !atomic_load_explicit(&live->closed, memory_order_relaxed);
}

bool authws_live_enter(live_t *live)
{
    authws_loop_t *loop = live_loop(live);
    authws_lives_t *lives = authws_loop_lives(loop);

    live->source.fd = live->transport.fd;
    live->source.events = EPOLLIN;
    if (authws_loop_add(loop, &live->source) != APR_SUCCESS) {
        live->transport.class->close(&live->transport, false);
        live->why = "the descriptor cannot be watched";
        return false;
    }
    lives->round = lives_round;
    lives->end = lives_end;
    live->prev = NULL;
    live->next = lives->first;
    if (live->next) {
        live->next->prev = live;
    }
    lives->first = live;
    atomic_fetch_add_explicit(&lives->count, 1, memory_order_relaxed);
    live->state = LIVE_OPEN;
    if (!live->started) {
        live->started = authws_loop_now(loop);
    }
    authws_live_clock(live);
    authws_live_again(live); /* bytes that wait inside the transport tell nobody of themselves */
    return true;
}

static void start_here(authws_post_t *post)
{
    start_t *start = (start_t *)post;
    live_t *live = start->live;

    if (authws_live_enter(live)) {
        const authws_events_t *events = live->settings->events;

        if (events->begin) {
            events->begin(&live->socket);
        }
        if (start->len) {
            authws_live_feed(live, start->early, start->len);
        }
        authws_live_settle(live);
    } else {
        authws_live_abandon(&live->socket);
    }
    free(start);
}

void authws_live_start(authws_socket_t *socket, const authws_transport_t *transport,
                       authws_loop_t *loop, const void *early, size_t early_len)
{
    live_t *live = live_of(socket);
    start_t *start = malloc(sizeof *start + early_len);

    live->transport = *transport;
    if (!start) {
        live->transport.class->close(&live->transport, false);
        live->why = "no memory";
        authws_live_abandon(socket);
        return;
    }
    *start = (start_t){.post.run = start_here, .live = live, .len = early_len};
    if (early_len) {
        memcpy(start->early, early, early_len);
    }
    /* Release: whoever sends finds the socket complete. */
    atomic_store_explicit(&live->loop, loop, memory_order_release);
    authws_loop_post(loop, &start->post);
}

/* --- what a service calls --- */

static void calls_retain(authws_socket_t *socket)
{
    authws_live_retain(live_of(socket));
}

static void calls_release(authws_socket_t *socket)
{
    authws_live_release(live_of(socket));
}

static void calls_read_more(authws_socket_t *socket, bool more)
{
    live_t *live = live_of(socket);

    if (live->paused == more && live->state == LIVE_OPEN) {
        live->paused = !more;
        authws_live_again(live);
    }
}

static size_t calls_queued(const authws_socket_t *socket)
{
    const live_t *live = live_of_const(socket);
    const authws_loop_t *loop = live_loop(live);

    /* What is gathered belongs to the loop's thread; another may ask for the rest. */
    if (loop && authws_loop_is_mine(loop)) {
        const authws_lives_t *lives = authws_loop_lives((authws_loop_t *)(uintptr_t)loop);
        return live_waiting(live) + (lives->cork == live ? lives->corked : 0);
    }
    return live_waiting(live);
}

static const char *calls_user(const authws_socket_t *socket)
{
    const live_t *live = live_of_const(socket);
    return authws_live_string(live, live->user_at);
}

static const char *calls_peer(const authws_socket_t *socket)
{
    const live_t *live = live_of_const(socket);
    return authws_live_string(live, live->peer_at);
}

static const char *calls_protocol(const authws_socket_t *socket)
{
    const live_t *live = live_of_const(socket);
    return authws_live_string(live, live->protocol_at);
}

const authws_calls_t authws_live_calls = {
    .send = authws_live_send,
    .send_message = authws_live_send_message,
    .close = authws_live_close,
    .retain = calls_retain,
    .release = calls_release,
    .read_more = calls_read_more,
    .queued = calls_queued,
    .user = calls_user,
    .peer = calls_peer,
    .protocol = calls_protocol,
    .run = authws_live_run,
    .watch = authws_live_watch,
    .watch_for = authws_live_watch_for,
    .unwatch = authws_live_unwatch,
    .alarm = authws_live_alarm,
    .unalarm = authws_live_unalarm,
    .message = authws_message_create,
    .message_release = authws_message_free,
};
