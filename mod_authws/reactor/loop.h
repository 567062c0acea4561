/* An event loop: one thread, descriptors, timers, and an inbox that any thread may post to.
 * SPDX-License-Identifier: Apache-2.0
 *
 * No httpd in here. Everything but authws_loop_post and authws_loop_stop belongs to the thread
 * that runs the loop (or, before it runs, to the one that created it).
 */
#ifndef MOD_AUTHWS_REACTOR_LOOP_H
#define MOD_AUTHWS_REACTOR_LOOP_H

#include <apr_errno.h>
#include <apr_time.h>
#include <stdbool.h>
#include <stdint.h>

#include "ws/pool.h"

typedef struct authws_loop_t authws_loop_t;

/* A descriptor that is watched; embedded in what it belongs to. */
typedef struct authws_source_t {
    void (*ready)(struct authws_source_t *source, uint32_t events); /* EPOLL... */
    int fd;
    uint32_t events; /* 0: known to the loop, watched for errors only */
} authws_source_t;

/* A timer; embedded. */
typedef struct authws_timer_t {
    void (*due)(struct authws_timer_t *timer);
    struct authws_timer_t *next, *prev; /* private; NULL: not set */
    int64_t at;                         /* private: tick */
} authws_timer_t;

/* A note in the inbox; embedded, the poster's until `run` is called, in the loop's thread. */
typedef struct authws_post_t {
    void (*run)(struct authws_post_t *post);
    struct authws_post_t *next;
} authws_post_t;

/* Creates a loop on the heap: epoll, eventfd, timer wheel, buffers (see below). */
apr_status_t authws_loop_create(authws_loop_t **loop);

/* Frees it; nobody posts any more. Posts that never ran are run first, sockets that are still there
 * are dropped (authws_live_drop), in the calling thread. */
void authws_loop_destroy(authws_loop_t *loop);

/* The same for a loop that other threads may still post to: its memory stays, and the number of its
 * eventfd, until the process ends, so that a late post does nothing but wait there for ever. */
void authws_loop_abandon(authws_loop_t *loop);

/* Runs in the calling thread until authws_loop_stop. */
void authws_loop_run(authws_loop_t *loop);

/* Has authws_loop_run return after the present round. Any thread. */
void authws_loop_stop(authws_loop_t *loop);

/* Whether the calling thread runs this loop now. Any thread. */
bool authws_loop_is_mine(const authws_loop_t *loop);

/* Has post->run called soon, in the order of posting. Any thread; wakes the loop at most once for
 * any number of posts that it has not seen. */
void authws_loop_post(authws_loop_t *loop, authws_post_t *post);

/* Watches source->fd for source->events, level-triggered; _change after source->events has
 * changed, _remove before the descriptor is closed. A removed source's `ready` is not called any
 * more, not even for an event of the present round. */
apr_status_t authws_loop_add(authws_loop_t *loop, authws_source_t *source);
apr_status_t authws_loop_change(authws_loop_t *loop, authws_source_t *source);
void authws_loop_remove(authws_loop_t *loop, authws_source_t *source);

/* Sets a timer, set already or not, to `in` from now; a hashed wheel with ticks of about 50 ms: it
 * may come late by two, never early. */
void authws_loop_set_timer(authws_loop_t *loop, authws_timer_t *timer, apr_interval_time_t in);
void authws_loop_cancel_timer(authws_loop_t *loop, authws_timer_t *timer);

/* The time of the present round; monotonic, microseconds. */
apr_time_t authws_loop_now(const authws_loop_t *loop);

/* What all connections of the loop share: zlib's states and buffers; one buffer to read into, and
 * one to gather what is written in one event. */
aw_ws_pool_t *authws_loop_pool(authws_loop_t *loop);
#define AUTHWS_LOOP_BUFFER (64 * 1024)
unsigned char *authws_loop_input(authws_loop_t *loop);
unsigned char *authws_loop_output(authws_loop_t *loop);

#endif
