/* A live socket goes from one process to another.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     fixed part | protocol's state | user\0 peer\0 protocol\0 | owner | service's state
 *
 * Both processes run on one machine, so numbers are in its own form; another version of this
 * layout has another magic. Lengths are checked one by one, in 64 bits, against what is there.
 */
#include "live.h"

#include <stdlib.h>

#define MAGIC UINT64_C(0x316576694c575341)

typedef struct fixed_t {
    uint64_t magic;
    uint64_t conn, strings, owner, service; /* bytes of the parts */
    uint64_t in, out, messages_in, messages_out;
    int64_t started; /* the clock that all processes have in common */
    uint32_t user_at, peer_at, protocol_at;
    uint32_t heard;
} fixed_t;

/* A saved state taken apart: borrowed. */
typedef struct parts_t {
    fixed_t fixed;
    const unsigned char *conn, *strings, *owner, *service;
} parts_t;

/* What brings a resumed socket to its loop. */
typedef struct resume_t {
    authws_post_t post; /* first */
    live_t *live;
    uint32_t heard;
    size_t conn, service;
    unsigned char bytes[];
} resume_t;

bool authws_live_is_movable(const authws_socket_t *socket)
{
    const live_t *live = live_of_const(socket);

    return live->transport.class && live->transport.class->movable && live->settings->events->save;
}

bool authws_live_may_move(const authws_socket_t *socket)
{
    const live_t *live = live_of_const(socket);
    const live_more_t *more = live->more;

    return authws_live_is_movable(socket) && authws_live_is_open(socket) && !live->broken &&
           !live->finished && live_waiting(live) == 0 &&
           authws_loop_lives(live_loop(live))->cork != live &&
           (!more || (!more->first && more->kept_len == 0 && !more->pong));
}

/* Copies `len` bytes behind those that are there; false: no room. */
static bool put(unsigned char *out, size_t room, size_t *at, const void *bytes, size_t len)
{
    if (room - *at < len) {
        return false;
    }
    if (len) {
        memcpy(out + *at, bytes, len);
    }
    *at += len;
    return true;
}

/* Bytes of the strings that lie behind the owner. */
static size_t strings_size(const live_t *live, const char **first)
{
    const uint16_t at[3] = {live->user_at, live->peer_at, live->protocol_at};
    size_t size = 0;

    *first = authws_live_string(live, 0);
    for (size_t i = 0; i < 3; i++) {
        if (at[i] != NO_STRING) {
            size = at[i] + strlen(authws_live_string(live, at[i])) + 1;
        }
    }
    return size;
}

size_t authws_live_save(authws_socket_t *socket, unsigned char *out, size_t room, int *fd)
{
    live_t *live = live_of(socket);
    size_t at = sizeof(fixed_t);
    const char *strings;

    if (room < sizeof(fixed_t) || !authws_live_may_move(socket)) {
        return 0;
    }
    fixed_t fixed = {
        .magic = MAGIC,
        .conn = aw_ws_conn_save(&live->conn, out + at, room - at),
        .owner = live->owner_size,
        .in = live->in,
        .out = live->out,
        .messages_in = live->messages_in,
        .messages_out = live->messages_out,
        .started = live->started,
        .user_at = live->user_at,
        .peer_at = live->peer_at,
        .protocol_at = live->protocol_at,
        .heard = live->heard,
    };
    fixed.strings = strings_size(live, &strings);
    if (fixed.conn == 0) {
        return 0;
    }
    at += fixed.conn;
    if (!put(out, room, &at, strings, fixed.strings) ||
        !put(out, room, &at, authws_live_owner(socket), fixed.owner)) {
        return 0;
    }
    const long service = live->settings->events->save(socket, out + at, room - at);
    if (service < 0 || (size_t)service > room - at) {
        return 0;
    }
    fixed.service = (uint64_t)service;
    memcpy(out, &fixed, sizeof fixed);
    *fd = live->transport.fd;
    return at + (size_t)service;
}

/* A string of the saved ones: NUL-terminated within them. *string NULL: there is none. */
static bool get_string(const parts_t *parts, uint32_t at, const char **string)
{
    *string = NULL;
    if (at == NO_STRING) {
        return true;
    }
    if (at >= parts->fixed.strings ||
        !memchr(parts->strings + at, '\0', parts->fixed.strings - at)) {
        return false;
    }
    *string = (const char *)parts->strings + at;
    return true;
}

static bool parts_get(parts_t *parts, const unsigned char *in, size_t len)
{
    const fixed_t *fixed = &parts->fixed;
    uint64_t left = len;

    if (len < sizeof parts->fixed) {
        return false;
    }
    memcpy(&parts->fixed, in, sizeof parts->fixed);
    left -= sizeof parts->fixed;
    if (fixed->magic != MAGIC || fixed->conn == 0 || fixed->conn > left) {
        return false;
    }
    left -= fixed->conn;
    if (fixed->strings > NO_STRING || fixed->strings > left) {
        return false;
    }
    left -= fixed->strings;
    if (fixed->owner > NO_STRING || fixed->owner > left || fixed->service != left - fixed->owner) {
        return false;
    }
    parts->conn = in + sizeof parts->fixed;
    parts->strings = parts->conn + fixed->conn;
    parts->owner = parts->strings + fixed->strings;
    parts->service = parts->owner + fixed->owner;
    return true;
}

const void *authws_live_saved_owner(const unsigned char *in, size_t len, size_t *owner_size)
{
    parts_t parts;

    if (!parts_get(&parts, in, len)) {
        return NULL;
    }
    *owner_size = (size_t)parts.fixed.owner;
    return parts.owner;
}

bool authws_live_saved_names(const unsigned char *in, size_t len, const char **user,
                             const char **peer)
{
    parts_t parts;

    *user = *peer = NULL;
    if (!parts_get(&parts, in, len) || !get_string(&parts, parts.fixed.user_at, user) ||
        !get_string(&parts, parts.fixed.peer_at, peer)) {
        *user = *peer = NULL;
        return false;
    }
    return true;
}

/* Whether the protocol's state is one, by a pool of its own: the loop's is another thread's. */
static bool conn_check(const parts_t *parts)
{
    aw_ws_pool_t *pool = aw_ws_pool_create();
    aw_ws_conn_t conn;
    bool good;

    if (!pool) {
        return false;
    }
    aw_ws_conn_init(&conn, NULL);
    good = aw_ws_conn_restore(&conn, pool, parts->conn, (size_t)parts->fixed.conn);
    if (good) {
        aw_ws_conn_end(&conn, pool);
    }
    aw_ws_pool_destroy(pool);
    return good;
}

static void resume_here(authws_post_t *post)
{
    resume_t *resume = (resume_t *)post;
    live_t *live = resume->live;
    authws_socket_t *socket = &live->socket;
    const authws_events_t *events = live->settings->events;

    if (!authws_live_enter(live)) {
        authws_live_abandon(socket);
    } else if (!aw_ws_conn_restore(&live->conn, authws_loop_pool(live_loop(live)), resume->bytes,
                                   resume->conn)) {
        authws_live_break(live, "no memory");
        authws_live_settle(live);
    } else {
        /* What was not heard of before the move is not heard of by it. */
        live->heard = resume->heard;
        if (!events->resume ||
            !events->resume(socket, resume->bytes + resume->conn, resume->service)) {
            authws_live_begin_close(live, AW_WS_CODE_GOING_AWAY, (aw_span_t){NULL, 0});
        }
        authws_live_settle(live);
    }
    free(resume);
}

/* The socket of a saved state, its owner and strings in it; NULL: not a state, or no memory. */
static live_t *live_make(const authws_live_t *given, const parts_t *parts)
{
    authws_live_t made = *given;
    const fixed_t *fixed = &parts->fixed;
    authws_socket_t *socket;

    if (!get_string(parts, fixed->user_at, &made.user) ||
        !get_string(parts, fixed->peer_at, &made.peer) ||
        !get_string(parts, fixed->protocol_at, &made.protocol)) {
        return NULL;
    }
    if (made.owner_size > 0 && made.owner_size == fixed->owner) {
        made.owner = (void *)(uintptr_t)parts->owner;
    }
    socket = authws_live_create(&made);
    if (socket) {
        live_t *live = live_of(socket);

        live->in = fixed->in;
        live->out = fixed->out;
        live->messages_in = fixed->messages_in;
        live->messages_out = fixed->messages_out;
        live->started = fixed->started;
    }
    return socket ? live_of(socket) : NULL;
}

authws_socket_t *authws_live_resume(const authws_live_t *given, const unsigned char *in, size_t len,
                                    int fd, authws_loop_t *loop)
{
    parts_t parts;
    resume_t *resume;
    live_t *live;

    if (!parts_get(&parts, in, len) || !conn_check(&parts)) {
        return NULL;
    }
    const size_t conn = (size_t)parts.fixed.conn, service = (size_t)parts.fixed.service;
    resume = malloc(sizeof *resume + conn + service);
    live = resume ? live_make(given, &parts) : NULL;
    if (!live) {
        free(resume);
        return NULL;
    }
    *resume = (resume_t){.post.run = resume_here,
                         .live = live,
                         .heard = parts.fixed.heard,
                         .conn = conn,
                         .service = service};
    memcpy(resume->bytes, parts.conn, conn);
    memcpy(resume->bytes + conn, parts.service, service);
    authws_transport_plain(&live->transport, fd);
    atomic_store_explicit(&live->loop, loop, memory_order_release);
    authws_loop_post(loop, &resume->post);
    return &live->socket;
}
