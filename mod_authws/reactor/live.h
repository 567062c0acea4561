/* Inside a live socket: its structure, and what the reactor's files do for each other.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The block of memory, in one piece:
 *
 *     authws_live_socket_t | owner bytes, or the owner pointer | user\0 | peer\0 | protocol\0
 *
 * A socket is only taken apart at the end of an outermost entry: an event of its descriptor, its
 * timer, a note, its turn in the list `again` (authws_live_settle). What is called from within a
 * service's event marks what has to be done and lists it, so that nothing is freed under anybody's
 * feet.
 */
#ifndef MOD_AUTHWS_REACTOR_LIVE_H
#define MOD_AUTHWS_REACTOR_LIVE_H

#include <stdatomic.h>

#include "lives.h"
#include "socket.h"

typedef enum live_state_e {
    LIVE_NEW,       /* not in a loop */
    LIVE_OPEN,      /* messages go both ways */
    LIVE_CLOSING,   /* our close frame is on its way; theirs is waited for */
    LIVE_ENDING,    /* nothing more is expected: what is queued goes out, then FIN */
    LIVE_LINGERING, /* FIN sent; what comes is discarded until theirs */
    LIVE_GONE       /* ended; only references keep the memory */
} live_state_e;

/* Bytes that wait for the descriptor. A chunk starts at a frame's start, except the first one,
 * when part of its frame has been sent. */
typedef struct live_chunk_t {
    struct live_chunk_t *next;
    authws_message_t *message;  /* the bytes are its; NULL: they follow */
    const unsigned char *bytes; /* bytes[0 .. len) wait */
    size_t len;
    size_t room;  /* behind bytes[len], of an own chunk */
    bool started; /* some of it, or (TLS) an attempt of it, has gone out: nothing may come first */
} live_chunk_t;

/* What a socket has only while it needs it. */
typedef struct live_more_t {
    live_chunk_t *first, *last; /* the queue */
    unsigned char *kept;        /* read, but not taken up yet: reading has stopped */
    size_t kept_at, kept_len;
    unsigned char pong_len; /* the latest ping's data, to be answered when the queue lets it */
    bool pong;
    unsigned char pong_data[AW_WS_CONTROL_MAX];
} live_more_t;

typedef struct authws_live_socket_t {
    authws_socket_t socket; /* first */
    authws_source_t source;
    authws_timer_t timer; /* ping, rest, and the end of closing: see timers.c */
    authws_transport_t transport;
    aw_ws_conn_t conn;
    const authws_live_settings_t *settings;
    _Atomic(authws_loop_t *) loop; /* NULL: not started */
    struct authws_live_socket_t *next, *prev;
    struct authws_live_socket_t *again; /* the next in lives->again */
    live_more_t *more;
    const char *why;
    authws_ended_fn ended;
    atomic_size_t waiting; /* bytes queued here and in notes of other threads */
    apr_time_t started;
    uint64_t in, out, messages_in, messages_out;
    atomic_uint references;
    uint32_t heard;    /* tick (see timers.c) at which a whole message or control frame came */
    uint32_t progress; /* bytes that went either way since the ping */
    uint32_t owner_size;
    uint16_t user_at, peer_at, protocol_at; /* from the strings' start; NO_STRING: none */
    uint16_t code_in, code_out;             /* of the close frames; 0: none */
    unsigned char state;                    /* live_state_e */
    atomic_bool closed; /* no more messages; any thread sets it, the loop's acts on it */
    atomic_bool full;   /* FULL was answered, or would be: reading stops, writable comes */
    bool paused : 1;    /* by the service */
    bool listed : 1;    /* in lives->again, which holds a reference */
    bool broken : 1;    /* the transport is */
    bool finished : 1;  /* the peer's end of the stream */
    bool pinged : 1;    /* and not heard of since */
    bool used : 1;      /* there may be something to rest */
    bool deflated : 1;  /* our deflater refers to what was sent */
} live_t;

#define NO_STRING UINT16_MAX

static inline live_t *live_of(authws_socket_t *socket)
{
    return (live_t *)socket;
}

static inline const live_t *live_of_const(const authws_socket_t *socket)
{
    return (const live_t *)socket;
}

/* In its thread, the loop is known. */
static inline authws_loop_t *live_loop(const live_t *live)
{
    return atomic_load_explicit(&live->loop, memory_order_relaxed);
}

static inline size_t live_waiting(const live_t *live)
{
    return atomic_load_explicit(&live->waiting, memory_order_relaxed);
}

static inline bool live_queued(const live_t *live)
{
    return live->more && live->more->first;
}

/* --- socket.c: what a socket is --- */

extern const authws_calls_t authws_live_calls;

/* The strings of a socket; NULL: none. */
const char *authws_live_string(const live_t *live, unsigned at);

/* live->more, made when needed; NULL: memory is out, and the socket is marked as broken. */
live_more_t *authws_live_more(live_t *live);

/* Has the socket settled, and its kept input taken up, in this round. */
void authws_live_again(live_t *live);

/* Puts a socket whose transport and loop are set into the loop, open. False: it cannot be watched;
 * the transport is closed. The loop's thread. */
bool authws_live_enter(live_t *live);

void authws_live_retain(live_t *live);
void authws_live_release(live_t *live);

/* --- ending.c: how it ends --- */

/* Begins our close in the loop's thread, if nothing has begun it: the frame is queued. */
void authws_live_begin_close(live_t *live, unsigned code, aw_span_t reason);

/* Nothing more is expected of the peer: `why` stays, if there was no reason before. */
void authws_live_end(live_t *live, const char *why);

/* The transport is of no use any more. */
void authws_live_break(live_t *live, const char *why);

/* The last act of every outermost entry; the socket may be gone then. */
void authws_live_settle(live_t *live);

/* Ends it at once. `orderly`: the peer may be told by the transport. */
void authws_live_vanish(live_t *live, bool orderly);

/* --- input.c: what comes --- */

/* Whether reading goes on. */
bool authws_live_reads(const live_t *live);

/* Takes up bytes that have come; `bytes` may be changed. */
void authws_live_feed(live_t *live, unsigned char *bytes, size_t len);

/* Takes up what was kept while reading was stopped, and what waits inside the transport. */
void authws_live_catch_up(live_t *live);

/* authws_source_t.ready of sockets. */
void authws_live_ready(authws_source_t *source, uint32_t events);

/* --- output.c: what goes --- */

/* Sends a frame: to the loop's output buffer, at once, or into the queue. */
void authws_live_put(live_t *live, const aw_ws_out_t *frame);

/* The same for a frame that lies in `message` as a whole. */
void authws_live_put_shared(live_t *live, authws_message_t *message, const unsigned char *frame,
                            size_t len);

/* Writes what is in the loop's output buffer, whose ever it is. */
void authws_live_uncork(authws_loop_t *loop);

/* Writes from the queue what the transport takes. */
void authws_live_flush(live_t *live);

/* The answer to a ping; while others wait, only the latest is kept. */
void authws_live_pong(live_t *live, const unsigned char *data, size_t len);

/* The answers of `send`, in the loop's thread; `send_here` on a socket that is not closed. */
authws_sent_e authws_live_send_here(live_t *live, authws_opcode_e opcode, const void *data,
                                    size_t len);
authws_sent_e authws_live_message_here(live_t *live, authws_message_t *message);

/* Frees the queue and what was kept. */
void authws_live_forget(live_t *live);

/* --- message.c: messages for many --- */

void authws_message_retain(authws_message_t *message);
void authws_message_free(authws_message_t *message); /* one reference */
authws_message_t *authws_message_create(authws_opcode_e opcode, const void *data, size_t len);
aw_span_t authws_message_payload(const authws_message_t *message);

/* The whole frame for connections without compression, or with a window of so many bits; compressed
 * from nothing, so that it stands alone. *deflated says which it became. */
aw_span_t authws_message_frame(authws_message_t *message, aw_ws_pool_t *pool,
                               const aw_ws_settings_t *settings,
                               const aw_ws_deflate_params_t *params, bool *deflated);

/* --- remote.c: calls from other threads --- */

authws_sent_e authws_live_send(authws_socket_t *socket, authws_opcode_e opcode, const void *data,
                               size_t len);
authws_sent_e authws_live_send_message(authws_socket_t *socket, authws_message_t *message);
void authws_live_close(authws_socket_t *socket, unsigned code, const char *reason);
bool authws_live_run(authws_socket_t *socket, void (*fn)(authws_socket_t *, void *), void *baton);

/* --- timers.c --- */

void authws_live_timer_due(authws_timer_t *timer);

/* A whole frame came: the peer lives. */
void authws_live_heard(live_t *live);

/* Messages went or came: there may be something to give back when it is quiet again. */
void authws_live_used(live_t *live);

/* Waits for the peer no longer than settings->close_timeout from now. */
void authws_live_hurry(live_t *live);

/* Starts the clock of an open socket. */
void authws_live_clock(live_t *live);

/* --- watch.c --- */

authws_watch_t *authws_live_watch(authws_socket_t *socket, int fd, int events, authws_watch_fn fn,
                                  void *baton);
bool authws_live_watch_for(authws_watch_t *watch, int events);
void authws_live_unwatch(authws_watch_t *watch);
authws_alarm_t *authws_live_alarm(authws_socket_t *socket, unsigned ms, authws_alarm_fn fn,
                                  void *baton);
void authws_live_unalarm(authws_alarm_t *alarm);

#endif
