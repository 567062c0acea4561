/* A live WebSocket as a service sees it: no httpd in it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A socket belongs to one thread, its loop's; the calls of a service's events come from there,
 * one at a time. What a service may call from any thread says so.
 */
#ifndef AUTHWS_SOCKET_H
#define AUTHWS_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum authws_opcode_e { AUTHWS_TEXT = 1, AUTHWS_BINARY = 2 } authws_opcode_e;

typedef struct authws_socket_t authws_socket_t;

/* A message that is sent to many sockets: made once, its frame built once for each kind of
 * connection, counted by references. */
typedef struct authws_message_t authws_message_t;

typedef enum authws_sent_e {
    AUTHWS_SENT,  /* on its way, or waiting in the queue */
    AUTHWS_FULL,  /* on its way too, but more waits than AuthWSSendBuffer: stop until writable */
    AUTHWS_CLOSED /* the socket is closing or closed; nothing was sent */
} authws_sent_e;

/* Something to wait for besides the socket: a descriptor of the service's, in the same loop. */
typedef struct authws_watch_t authws_watch_t;
enum { AUTHWS_READABLE = 1, AUTHWS_WRITABLE = 2, AUTHWS_HANGUP = 4 };
typedef void (*authws_watch_fn)(void *baton, int events);

/* A time to wait for. */
typedef struct authws_alarm_t authws_alarm_t;
typedef void (*authws_alarm_fn)(void *baton);

/* What a service may ask of a socket; use the functions below. Grows at its end only. */
typedef struct authws_calls_t {
    authws_sent_e (*send)(authws_socket_t *, authws_opcode_e, const void *, size_t);
    authws_sent_e (*send_message)(authws_socket_t *, authws_message_t *);
    void (*close)(authws_socket_t *, unsigned, const char *);
    void (*retain)(authws_socket_t *);
    void (*release)(authws_socket_t *);
    void (*read_more)(authws_socket_t *, bool);
    size_t (*queued)(const authws_socket_t *);
    const char *(*user)(const authws_socket_t *);
    const char *(*peer)(const authws_socket_t *);
    const char *(*protocol)(const authws_socket_t *);
    bool (*run)(authws_socket_t *, void (*)(authws_socket_t *, void *), void *);
    authws_watch_t *(*watch)(authws_socket_t *, int, int, authws_watch_fn, void *);
    bool (*watch_for)(authws_watch_t *, int);
    void (*unwatch)(authws_watch_t *);
    authws_alarm_t *(*alarm)(authws_socket_t *, unsigned, authws_alarm_fn, void *);
    void (*unalarm)(authws_alarm_t *);
    authws_message_t *(*message)(authws_opcode_e, const void *, size_t);
    void (*message_release)(authws_message_t *);
} authws_calls_t;

/* The part of a socket that services see. */
struct authws_socket_t {
    const authws_calls_t *calls;
    void *state; /* the service's own: set in `open` or later, in the socket's thread */
};

/* Sends a whole message; `data` is copied where it cannot be sent at once. Text must be UTF-8. Any
 * thread; from another than the socket's own it is handed over, and the order of one thread's
 * messages stays. The caller holds a reference, or is in one of the socket's events. */
static inline authws_sent_e authws_socket_send(authws_socket_t *socket, authws_opcode_e opcode,
                                               const void *data, size_t len)
{
    return socket->calls->send(socket, opcode, data, len);
}

/* Makes a message to be sent to many sockets, with a copy of `data`; text must be UTF-8. One
 * reference, the caller's. NULL when memory is out. Any thread that is in one of `socket`'s events
 * or holds a reference to it; the message has nothing else to do with that socket. */
static inline authws_message_t *
authws_socket_message(authws_socket_t *socket, authws_opcode_e opcode, const void *data, size_t len)
{
    return socket->calls->message(opcode, data, len);
}

/* Gives back the caller's reference, exactly once; sockets that still have to send the message have
 * their own. `socket` is any one, as above. NULL is ignored. Any thread. */
static inline void authws_message_release(authws_socket_t *socket, authws_message_t *message)
{
    socket->calls->message_release(message);
}

/* Sends a message that others get too; takes a reference of its own where it has to wait, so the
 * caller's stays the caller's, whatever the answer. Not NULL. Any thread. */
static inline authws_sent_e authws_socket_send_message(authws_socket_t *socket,
                                                       authws_message_t *message)
{
    return socket->calls->send_message(socket, message);
}

/* Begins the close: what is queued goes out, then a close frame with `code` (RFC 6455 section 7.4)
 * and `reason` (NULL: none; copied), and the peer is waited for a while. No message event comes
 * after it, the close event does. Any thread; the first call wins. */
static inline void authws_socket_close(authws_socket_t *socket, unsigned code, const char *reason)
{
    socket->calls->close(socket, code, reason);
}

/* Keeps the structure from being freed after the close event, for threads that still send to it;
 * release it once for each. Any thread. */
static inline void authws_socket_retain(authws_socket_t *socket)
{
    socket->calls->retain(socket);
}
static inline void authws_socket_release(authws_socket_t *socket)
{
    socket->calls->release(socket);
}

/* Stops (false) or goes on with (true) reading from the peer: backpressure. Starts as true. The
 * socket's thread. */
static inline void authws_socket_read(authws_socket_t *socket, bool more)
{
    socket->calls->read_more(socket, more);
}

/* Bytes that wait to be sent. The socket's thread. */
static inline size_t authws_socket_queued(const authws_socket_t *socket)
{
    return socket->calls->queued(socket);
}

/* The authenticated user (NULL where the location asks for none), the peer's address, and the
 * subprotocol that was agreed upon (NULL: none). Borrowed from the socket. Any thread. */
static inline const char *authws_socket_user(const authws_socket_t *socket)
{
    return socket->calls->user(socket);
}
static inline const char *authws_socket_peer(const authws_socket_t *socket)
{
    return socket->calls->peer(socket);
}
static inline const char *authws_socket_protocol(const authws_socket_t *socket)
{
    return socket->calls->protocol(socket);
}

/* Has `fn` called in the socket's thread, soon. False when its close has begun already, when it has
 * not begun yet (the `begin` event is the first to say so), or without memory: `fn` is not called.
 * After true it is not called either if the connection ends first, and nobody is told: what `baton`
 * points to must not be freed by `fn` alone, but belongs to the socket's state, which the close
 * event ends. Any thread. The caller holds a reference. */
static inline bool authws_socket_run(authws_socket_t *socket,
                                     void (*fn)(authws_socket_t *socket, void *baton), void *baton)
{
    return socket->calls->run(socket, fn, baton);
}

/* Waits for a descriptor in the socket's loop: `fn` is called with what it is ready for, as long
 * as it is (level-triggered), AUTHWS_HANGUP included, which comes unasked. The descriptor stays the
 * caller's. NULL when it cannot be watched (twice in one loop it cannot). The socket's thread, from
 * its `begin` or `resume` event on.
 * watch_for changes what for: AUTHWS_READABLE | AUTHWS_WRITABLE; with 0 nothing is told until it is
 * changed again, a hangup neither. False when the descriptor could not be watched: as with 0.
 * unwatch ends it and frees it: exactly once, before the descriptor is closed, at the latest in the
 * close event; `fn` may do it, too. NULL is ignored. The socket's thread, both. */
static inline authws_watch_t *authws_socket_watch(authws_socket_t *socket, int fd, int events,
                                                  authws_watch_fn fn, void *baton)
{
    return socket->calls->watch(socket, fd, events, fn, baton);
}
static inline bool authws_socket_watch_for(authws_socket_t *socket, authws_watch_t *watch,
                                           int events)
{
    return socket->calls->watch_for(watch, events);
}
static inline void authws_socket_unwatch(authws_socket_t *socket, authws_watch_t *watch)
{
    socket->calls->unwatch(watch);
}

/* Has `fn` called once, `ms` milliseconds from now or a little later. unalarm before that, at the
 * latest in the close event; not after it has been called. The socket's thread. */
static inline authws_alarm_t *authws_socket_alarm(authws_socket_t *socket, unsigned ms,
                                                  authws_alarm_fn fn, void *baton)
{
    return socket->calls->alarm(socket, ms, fn, baton);
}
static inline void authws_socket_unalarm(authws_socket_t *socket, authws_alarm_t *alarm)
{
    socket->calls->unalarm(alarm);
}

/* What happens to a socket. All in its thread; `begin` comes first, `close` last and exactly once,
 * and then the socket may be gone. Unused ones are NULL. */
typedef struct authws_events_t {
    /* The handshake is done. */
    void (*begin)(authws_socket_t *socket);
    /* A whole message. `data` is borrowed for the call; text is UTF-8. */
    void (*message)(authws_socket_t *socket, authws_opcode_e opcode, const char *data, size_t len);
    /* What waited has gone below half of AuthWSSendBuffer, after AUTHWS_FULL. */
    void (*writable)(authws_socket_t *socket);
    /* It is over: the code that came or was sent, 1006 for none. Nothing can be sent any more. */
    void (*close)(authws_socket_t *socket, unsigned code);
    /* At a graceful restart: writes the service's state into at most `room` bytes at `out`, so
     * that another process may go on with it (the `resume` event there, instead of `begin`), and
     * returns how many; -1: it cannot be moved now, and will be asked again. It must not change
     * anything: the way over may be full, the socket goes on here then, and this is called again.
     * Only `close` with code 0 says that it has gone; nothing is sent to the peer by that. NULL: it
     * cannot be moved. */
    long (*save)(authws_socket_t *socket, void *out, size_t room);
    /* Goes on from what `save` wrote, in another process; `open` is not called there, and its
     * `config` not given: what is needed of it belongs into what is saved. False: it cannot; the
     * socket is closed with 1001, and `close` comes here, with `state` as this left it (NULL at
     * first). `saved` is borrowed for the call. */
    bool (*resume)(authws_socket_t *socket, const void *saved, size_t len);
} authws_events_t;

#ifdef __cplusplus
}
#endif

#endif
