/* A live WebSocket in a loop: transport, protocol, queue, timers, and the service's events.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     OPEN ----------> CLOSING ---------> LINGERING -------> gone
 *       close frame      ours sent, theirs   both sent or      transport closed,
 *       to send,         waited for, or      failed: FIN sent, close event called,
 *       queue first      failed              rest discarded    released
 *
 * No httpd in here: a loop of its own thread and one in an httpd worker run the same.
 *
 * Cost: an idle plain socket holds this structure and the settings' share of nothing else: no
 * buffer, no zlib state. In one event a socket reads once, at most AUTHWS_LOOP_BUFFER bytes, so
 * that nobody is starved; all that is sent meanwhile is gathered and written at the event's end.
 */
#ifndef MOD_AUTHWS_REACTOR_SOCKET_H
#define MOD_AUTHWS_REACTOR_SOCKET_H

#include "../authws_socket.h"
#include "loop.h"
#include "transport.h"
#include "ws/conn.h"

/* What sockets of one location have in common: read-only, shared, outlives them. */
typedef struct authws_live_settings_t {
    aw_ws_settings_t ws;
    const authws_events_t *events;
    apr_interval_time_t ping;          /* sent after so long without anything received; 0: never */
    apr_interval_time_t ping_timeout;  /* and closed when nothing comes for so long after it: 1006
                                          in the log, 1001 nowhere: the peer is not there. One
                                          in the middle of a frame, or behind a queue, cannot
                                          answer: it has longer while 500 bytes a second go */
    size_t send_buffer;                /* bytes that may wait before AUTHWS_FULL; while more than
                                          this waits, nothing is read either */
    apr_interval_time_t close_timeout; /* for the peer's close frame, and for lingering */
} authws_live_settings_t;

/* How a socket ended, for whoever keeps account of it. */
typedef struct authws_ending_t {
    unsigned code;    /* received, else sent, else 1006; 0: handed to another process */
    const char *why;  /* a static phrase, or NULL */
    uint64_t in, out; /* payload bytes of messages */
    uint64_t messages_in, messages_out;
    apr_interval_time_t lasted;
} authws_ending_t;

/* Called in the loop's thread after the service's close event; `owner` as given at creation. */
typedef void (*authws_ended_fn)(authws_socket_t *socket, void *owner,
                                const authws_ending_t *ending);

/* What a socket is made of. Strings are copied into the socket's one block of memory. */
typedef struct authws_live_t {
    const char *user; /* NULL: none */
    const char *peer;
    const char *protocol;                   /* NULL: none */
    const authws_live_settings_t *settings; /* borrowed, outlives the socket */
    aw_ws_deflate_params_t deflate;
    authws_ended_fn ended; /* NULL allowed */
    void *owner;
    size_t owner_size; /* > 0: `owner` points to so many bytes that are copied into the block,
                          and `ended` gets that copy */
} authws_live_t;

/* Makes a socket that is not yet in a loop; one reference, the caller's, which goes over to the
 * loop with _start. NULL when memory is out. Any thread. */
authws_socket_t *authws_live_create(const authws_live_t *live);

/* The copy of `owner` in a socket. */
void *authws_live_owner(authws_socket_t *socket);

/* Gives a socket and its transport to a loop: `early` (copied) is what had already been read
 * behind the handshake. The `begin` event comes first. Any thread. On failure (memory, epoll) the
 * close event and `ended` are called, the transport is closed. */
void authws_live_start(authws_socket_t *socket, const authws_transport_t *transport,
                       authws_loop_t *loop, const void *early, size_t early_len);

/* Ends a socket that was never started: close event, `ended`, reference. Any thread. */
void authws_live_abandon(authws_socket_t *socket);

/* How many sockets a loop has. Any thread. */
size_t authws_live_count(const authws_loop_t *loop);

/* Goes through the sockets of a loop, in its thread. */
void authws_live_each(authws_loop_t *loop, void (*fn)(authws_socket_t *socket, void *baton),
                      void *baton); /* fn may close or hand over the socket it is given */

/* Whether its close has not begun; whether it could ever go to another process (a movable
 * transport, a service that saves). Its loop's thread. */
bool authws_live_is_open(const authws_socket_t *socket);
bool authws_live_is_movable(const authws_socket_t *socket);

/* Ends it at once, in whatever state it is, without waiting for the peer: the transport is closed
 * in order when its close had begun. Close event, `ended`, reference. Its loop's thread. */
void authws_live_drop(authws_socket_t *socket);

/* Whether its descriptor may go to another process now: a movable transport, nothing queued, not
 * closing, a state that can be saved. */
bool authws_live_may_move(const authws_socket_t *socket);

/* Hands a socket over: writes its state (protocol, strings, owner, service) into `out` and returns
 * how many bytes, 0 when it cannot be moved or `room` is not enough; *fd is its descriptor. Then
 * either _moved: it is gone from this process without a word to the peer (`ended` with code 0), or
 * nothing, and it lives on. Its loop's thread. */
size_t authws_live_save(authws_socket_t *socket, unsigned char *out, size_t room, int *fd);
void authws_live_moved(authws_socket_t *socket);

/* Takes up a saved socket. `live` gives settings, ended, owner (the saved owner bytes, when
 * owner_size is theirs, replace it); user, peer and protocol come from the saved state. NULL when
 * the state is not what this version writes: nothing is changed then, and `fd` stays the
 * caller's. Otherwise the resume event decides in the loop's thread; the socket goes on there. */
authws_socket_t *authws_live_resume(const authws_live_t *live, const unsigned char *in, size_t len,
                                    int fd, authws_loop_t *loop);

/* The owner bytes of a saved state, to find the settings by before resuming; NULL: not a state of
 * this version. Borrowed from `in`. */
const void *authws_live_saved_owner(const unsigned char *in, size_t len, size_t *owner_size);

/* Whose socket a saved state is of: borrowed from `in`; *user NULL for none. False, and both NULL:
 * not a state of this version. */
bool authws_live_saved_names(const unsigned char *in, size_t len, const char **user,
                             const char **peer);

#endif
