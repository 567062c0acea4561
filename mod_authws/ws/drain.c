/* The end of a loop's sockets when their process stops: handed over, or closed bit by bit.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "drain.h"

#include <stdlib.h>
#include <sys/epoll.h>

#include "account.h"
#include "handover.h"

#define TICK apr_time_from_msec(100)

/* Closed in one tick however few they are: a small number need not be spread. */
#define QUOTA_MIN 8

/* At a stop the parent kills after about nine seconds whatever is left, so that all has to be over
 * by then, with time for others to clean up. */
#define STOP_MAX apr_time_from_sec(3)

/* Not at once: the other processes of this generation may just be about to stop, too, and would
 * only hand everything on. */
#define MOVE_AFTER (2 * TICK)

/* For the peers' answers, after the last close frame. */
#define ANSWER_MAX apr_time_from_msec(1500)

/* Whether it could go to another process, and a location there could take it up. */
static bool is_movable(authws_socket_t *socket)
{
    return authws_live_is_movable(socket) && authws_account_is_movable(authws_live_owner(socket));
}

/* Hands a socket over if it can be now. */
static void move(authws_socket_t *socket, void *baton)
{
    authws_drain_t *drain = baton;

    if (drain->full || !is_movable(socket) || !authws_live_may_move(socket)) {
        return;
    }
    switch (authws_handover_send(socket, drain->scratch)) {
    case AUTHWS_HANDOVER_DONE:
        drain->moved++;
        break;
    case AUTHWS_HANDOVER_FULL:
        drain->full = true;
        break;
    case AUTHWS_HANDOVER_KEPT:
        break;
    }
}

/* Whether there is hope yet of a process to go to. */
static bool hopes(const authws_drain_t *drain)
{
    const apr_time_t now = authws_loop_now(drain->loop);
    const apr_time_t half = drain->began + (drain->end - drain->began) / 2;

    return drain->graceful && now < (drain->possible ? drain->end : half);
}

/* Whether a socket should wait for another process rather than be closed now. */
static bool waits(const authws_drain_t *drain, authws_socket_t *socket)
{
    return hopes(drain) && is_movable(socket);
}

static void count(authws_socket_t *socket, void *baton)
{
    authws_drain_t *drain = baton;
    const bool open = authws_live_is_open(socket);

    drain->open += open;
    drain->candidates += open && !waits(drain, socket);
}

static void close_some(authws_socket_t *socket, void *baton)
{
    authws_drain_t *drain = baton;

    if (drain->quota > 0 && authws_live_is_open(socket) && !waits(drain, socket)) {
        drain->quota--;
        drain->closed++;
        authws_socket_close(socket, 1001, NULL);
    }
}

static void drop(authws_socket_t *socket, void *baton)
{
    authws_drain_t *drain = baton;

    drain->dropped++;
    authws_live_drop(socket);
}

static void outlet_watch(authws_drain_t *drain, bool on)
{
    if (on && !drain->outlet_watched) {
        drain->outlet.fd = authws_handover_outlet();
        drain->outlet.events = EPOLLOUT;
        drain->outlet_watched = authws_loop_add(drain->loop, &drain->outlet) == APR_SUCCESS;
    } else if (!on && drain->outlet_watched) {
        authws_loop_remove(drain->loop, &drain->outlet);
        drain->outlet_watched = false;
    }
}

static void move_all(authws_drain_t *drain)
{
    drain->full = false;
    if (drain->graceful && drain->possible && drain->scratch) {
        authws_live_each(drain->loop, move, drain);
    }
    outlet_watch(drain, drain->full);
}

static void outlet_ready(authws_source_t *source, uint32_t events)
{
    authws_drain_t *drain = (authws_drain_t *)((char *)source - offsetof(authws_drain_t, outlet));

    (void)events;
    move_all(drain);
}

/* Closes as many as have to be, to be done by the end. */
static void close_share(authws_drain_t *drain, apr_time_t now)
{
    const apr_time_t left = drain->end - now;
    const size_t ticks = left > TICK ? (size_t)(left / TICK) : 1;

    drain->candidates = drain->open = 0;
    authws_live_each(drain->loop, count, drain);
    drain->quota = (drain->candidates + ticks - 1) / ticks;
    if (drain->quota < QUOTA_MIN) {
        drain->quota = QUOTA_MIN;
    }
    authws_live_each(drain->loop, close_some, drain);
    if (drain->open > 0) {
        drain->last = now;
    }
}

static void tick(authws_timer_t *timer)
{
    authws_drain_t *drain = (authws_drain_t *)((char *)timer - offsetof(authws_drain_t, tick));
    const apr_time_t now = authws_loop_now(drain->loop);

    if (authws_live_count(drain->loop) > 0) {
        drain->possible =
            drain->graceful && now >= drain->began + MOVE_AFTER && authws_handover_possible();
        move_all(drain);
        close_share(drain, now);
        /* `last` goes along with the time as long as there is an open one. */
        if (now >= drain->last + ANSWER_MAX || now >= drain->end + ANSWER_MAX) {
            authws_live_each(drain->loop, drop, drain);
        }
    }
    /* What others, or this loop, have handed to nobody yet must not be given up early. */
    if (drain->leaving && authws_live_count(drain->loop) == 0 &&
        !(hopes(drain) && authws_handover_pending())) {
        outlet_watch(drain, false);
        authws_loop_stop(drain->loop);
        return;
    }
    authws_loop_set_timer(drain->loop, &drain->tick, TICK);
}

void authws_drain_begin(authws_drain_t *drain, authws_loop_t *loop, bool graceful,
                        apr_interval_time_t time)
{
    const apr_time_t now = authws_loop_now(loop);
    apr_time_t end = now + time;

    if (!graceful && time > STOP_MAX) {
        end = now + STOP_MAX;
    }
    if (!drain->loop) {
        drain->loop = loop;
        drain->tick.due = tick;
        drain->outlet.ready = outlet_ready;
        drain->scratch = malloc(AUTHWS_LOOP_BUFFER); /* without it none is handed over */
        drain->began = drain->last = now;
        drain->end = end;
        drain->graceful = graceful;
    } else if (!graceful) {
        drain->graceful = false;
        drain->end = end < drain->end ? end : drain->end;
    }
    tick(&drain->tick);
}

void authws_drain_leave(authws_drain_t *drain)
{
    drain->leaving = true;
    tick(&drain->tick);
}

void authws_drain_end(authws_drain_t *drain)
{
    free(drain->scratch);
    drain->scratch = NULL;
}
