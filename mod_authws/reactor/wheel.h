/* A hashed wheel of timers: setting and cancelling cost the same however many there are.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     slots    0      1      2    ...   511      one tick each; a timer stands in slot
 *            +------+------+------+---+------+   `at` modulo 512, whatever its revolution
 *            | ring | ring | ring |   | ring |
 *            +------+------+------+---+------+
 *     marked   a bit for each slot that is not empty: the next one is found in eight words
 *
 * One thread's; what is due is called with the wheel in order, so that a timer may set, cancel or
 * free any, itself included.
 */
#ifndef MOD_AUTHWS_REACTOR_WHEEL_H
#define MOD_AUTHWS_REACTOR_WHEEL_H

#include "loop.h"

#define AUTHWS_WHEEL_SLOTS 512
#define AUTHWS_WHEEL_TICK  (50 * 1000) /* microseconds */

typedef struct authws_wheel_t {
    authws_timer_t slots[AUTHWS_WHEEL_SLOTS]; /* heads of rings; `due` and `at` unused */
    uint64_t marked[AUTHWS_WHEEL_SLOTS / 64];
    int64_t tick; /* all up to this one have been called */
    size_t count; /* timers that are set */
} authws_wheel_t;

/* An empty wheel at the time `now`, microseconds. */
void authws_wheel_init(authws_wheel_t *wheel, apr_time_t now);

/* Sets a timer, set or not, to be called at the first tick that begins after `at`. */
void authws_wheel_set(authws_wheel_t *wheel, authws_timer_t *timer, apr_time_t at);

/* Takes it out, if it is in. */
void authws_wheel_cancel(authws_wheel_t *wheel, authws_timer_t *timer);

/* Milliseconds from `now` until the wheel has to be looked at; -1: no timer is set. */
int authws_wheel_wait(const authws_wheel_t *wheel, apr_time_t now);

/* Calls what has become due up to `now`. */
void authws_wheel_run(authws_wheel_t *wheel, apr_time_t now);

#endif
