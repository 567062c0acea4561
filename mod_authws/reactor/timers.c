/* A socket's one timer: pings, giving memory back when it is quiet, and the end of a close.
 * SPDX-License-Identifier: Apache-2.0
 *
 * It is armed anew when it is due, not when something comes, so that a message costs no work here.
 *
 * A peer lives when a whole message or control frame comes. One that is in the middle of a frame
 * cannot answer a ping; one that is sent much and reads slowly has not got it yet. Both are given
 * time as long as at least LEAST_RATE bytes a second go either way, so that who sends a byte a
 * minute is ended all the same.
 */
#include "live.h"

#include <apr_time.h>

#define REST       apr_time_from_sec(10)
#define UNIT       (100 * 1000) /* of live->heard, microseconds */
#define LEAST_RATE 500

static uint32_t units_now(const live_t *live)
{
    return (uint32_t)(authws_loop_now(live_loop(live)) / UNIT);
}

void authws_live_heard(live_t *live)
{
    live->heard = units_now(live);
    live->pinged = false;
}

void authws_live_clock(live_t *live)
{
    const apr_interval_time_t ping = live->settings->ping;

    authws_live_heard(live);
    if (ping > 0) {
        authws_loop_set_timer(live_loop(live), &live->timer, ping);
    }
}

void authws_live_used(live_t *live)
{
    const apr_interval_time_t ping = live->settings->ping;

    if (live->used) {
        return;
    }
    live->used = true;
    /* A ping that is nearer looks at this, too. */
    if (live->state == LIVE_OPEN && !live->pinged && (ping == 0 || ping > REST)) {
        authws_loop_set_timer(live_loop(live), &live->timer, REST);
    }
}

void authws_live_hurry(live_t *live)
{
    authws_loop_set_timer(live_loop(live), &live->timer, live->settings->close_timeout);
}

/* What is only there for activity goes back. */
static void rest(live_t *live)
{
    aw_ws_conn_rest(&live->conn, authws_loop_pool(live_loop(live)));
    live->deflated = false;
    if (live->more && !live->more->first && live->more->kept_len == 0 && !live->more->pong) {
        authws_live_forget(live);
    }
    live->used = false;
}

static void ping_send(live_t *live)
{
    aw_ws_out_t out;

    if (aw_ws_conn_write(&live->conn, &live->settings->ws, authws_loop_pool(live_loop(live)),
                         AW_WS_PING, NULL, 0, NULL, &out)) {
        authws_live_put(live, &out);
        live->pinged = true;
        live->progress = 0;
    }
}

/* Looks at an open socket; returns when to look again, 0: never. */
static apr_interval_time_t look(live_t *live)
{
    const authws_live_settings_t *settings = live->settings;
    const apr_interval_time_t idle =
        (apr_interval_time_t)(uint32_t)(units_now(live) - live->heard) * UNIT;
    apr_interval_time_t next = 0;

    if (live->used && idle + UNIT >= REST) {
        rest(live);
    }
    if (live->used) {
        next = REST - idle;
    }
    if (settings->ping <= 0) {
        return next;
    }
    if (live->paused && !live_queued(live)) {
        /* The answer would not be read; and what waited has been taken. */
        live->pinged = false;
        return settings->ping;
    }
    if (live->pinged) {
        if (live->progress / LEAST_RATE < apr_time_sec(settings->ping_timeout) ||
            live->progress == 0) {
            authws_live_break(live, "a ping was not answered in time");
            return 0;
        }
        live->progress = 0;
        return settings->ping_timeout;
    }
    if (idle + UNIT < settings->ping) {
        return next > 0 && next < settings->ping - idle ? next : settings->ping - idle;
    }
    ping_send(live);
    return settings->ping_timeout;
}

void authws_live_timer_due(authws_timer_t *timer)
{
    live_t *live = (live_t *)((char *)timer - offsetof(live_t, timer));

    switch ((live_state_e)live->state) {
    case LIVE_OPEN: {
        const apr_interval_time_t next = look(live);

        if (next > 0) {
            authws_loop_set_timer(live_loop(live), timer, next);
        }
        authws_live_settle(live);
        break;
    }
    case LIVE_CLOSING:
        live->why = live->why ? live->why : "the peer did not answer the close frame in time";
        authws_live_vanish(live, true);
        break;
    case LIVE_ENDING:
        live->why = live->why ? live->why : "the peer did not take what was sent in time";
        authws_live_vanish(live, false);
        break;
    case LIVE_LINGERING:
        authws_live_vanish(live, true);
        break;
    case LIVE_NEW:
    case LIVE_GONE:
        break;
    }
}
