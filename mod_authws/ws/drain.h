/* The end of a loop's sockets when their process stops: handed over, or closed bit by bit.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     began                     half                      end           end + a little
 *       |  stop: all are closed, spread over this time     |  all the rest   |
 *       |  graceful: those that cannot move are closed     |  is closed      |  all is dropped
 *       |  those that can wait for a process to go to,     |
 *       |  and are closed .......... from here on .........|
 */
#ifndef MOD_AUTHWS_WS_DRAIN_H
#define MOD_AUTHWS_WS_DRAIN_H

#include "../module.h"
#include "../reactor/socket.h"

typedef struct authws_drain_t {
    /* private; the loop's thread */
    authws_loop_t *loop;
    authws_timer_t tick;
    authws_source_t outlet; /* watched while the way over is full */
    unsigned char *scratch;
    apr_time_t began, end;
    apr_time_t last; /* when the last socket was open */
    bool graceful, leaving, possible, full, outlet_watched;
    size_t quota;                  /* to be closed in the present tick */
    size_t open, candidates;       /* counted in it */
    size_t moved, closed, dropped; /* in all, for the log */
} authws_drain_t;

/* Begins; again, when a stop comes after a graceful one. `time`: AuthWSDrainTimeout. The loop's
 * thread, as everything here. */
void authws_drain_begin(authws_drain_t *drain, authws_loop_t *loop, bool graceful,
                        apr_interval_time_t time);

/* No more sockets will come: ends the loop (authws_loop_stop) once the last one is gone. */
void authws_drain_leave(authws_drain_t *drain);

/* Frees what it holds, after the loop has ended. */
void authws_drain_end(authws_drain_t *drain);

#endif
