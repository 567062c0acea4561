/* How a socket ends: the close frames, FIN, waiting for the peer's, and the last words.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A server ends the connection after both close frames (RFC 6455 section 7.1.1). It does not close
 * the descriptor at once: with bytes in it that nobody has read, the kernel would send a reset,
 * which can take the close frame from under the peer's eyes. So it sends FIN and discards what
 * comes until the peer's FIN.
 */
#include "live.h"

#include <sys/epoll.h>

void authws_live_begin_close(live_t *live, unsigned code, aw_span_t reason)
{
    unsigned char payload[AW_WS_CONTROL_MAX];
    aw_ws_out_t out;

    atomic_store_explicit(&live->closed, true, memory_order_release);
    if (live->state != LIVE_OPEN) {
        return;
    }
    if (aw_ws_conn_close(&live->conn, &live->settings->ws, code, reason, NULL, payload, &out)) {
        live->code_out = AW_WS_CODE_NONE;
        if (out.len >= 2) {
            live->code_out = (uint16_t)(payload[0] << 8 | payload[1]);
        }
        authws_live_put(live, &out);
    }
    live->state = LIVE_CLOSING;
    authws_live_hurry(live);
}

void authws_live_end(live_t *live, const char *why)
{
    atomic_store_explicit(&live->closed, true, memory_order_release);
    if (live->state == LIVE_OPEN || live->state == LIVE_CLOSING) {
        if (!live->why && !live->code_in) {
            live->why = why;
        }
        if (live->state == LIVE_OPEN) {
            authws_live_hurry(live);
        }
        live->state = LIVE_ENDING;
    }
}

void authws_live_break(live_t *live, const char *why)
{
    if (!live->broken) {
        live->broken = true;
        if (!live->why && live->state <= LIVE_CLOSING) {
            live->why = why;
        }
        atomic_store_explicit(&live->closed, true, memory_order_release);
        authws_live_again(live);
    }
}

static unsigned code_of(const live_t *live)
{
    if (live->code_in) {
        return live->code_in;
    }
    return live->code_out ? live->code_out : AW_WS_CODE_ABNORMAL;
}

/* The service and whoever keeps account are told. */
static void tell(live_t *live, unsigned code)
{
    const authws_events_t *events = live->settings->events;
    const authws_loop_t *loop = live_loop(live);
    const authws_ending_t ending = {
        .code = code,
        .why = live->why,
        .in = live->in,
        .out = live->out,
        .messages_in = live->messages_in,
        .messages_out = live->messages_out,
        .lasted = loop && live->started ? authws_loop_now(loop) - live->started : 0,
    };

    if (events->close) {
        events->close(&live->socket, code);
    }
    if (live->ended) {
        live->ended(&live->socket, authws_live_owner(&live->socket), &ending);
    }
}

void authws_live_abandon(authws_socket_t *socket)
{
    live_t *live = live_of(socket);

    atomic_store_explicit(&live->closed, true, memory_order_release);
    live->state = LIVE_GONE;
    tell(live, code_of(live));
    authws_live_release(live);
}

/* Takes it out of the loop, and ends what it is made of but the memory itself. */
static void take_apart(live_t *live, bool orderly)
{
    authws_loop_t *loop = live_loop(live);
    authws_lives_t *lives = authws_loop_lives(loop);

    live->state = LIVE_GONE;
    atomic_store_explicit(&live->closed, true, memory_order_release);
    if (lives->cork == live) {
        lives->cork = NULL;
        lives->corked = 0;
    }
    authws_loop_remove(loop, &live->source);
    authws_loop_cancel_timer(loop, &live->timer);
    if (live->prev) {
        live->prev->next = live->next;
    } else {
        lives->first = live->next;
    }
    if (live->next) {
        live->next->prev = live->prev;
    }
    atomic_fetch_sub_explicit(&lives->count, 1, memory_order_relaxed);
    live->transport.class->close(&live->transport, orderly);
    aw_ws_conn_end(&live->conn, authws_loop_pool(loop));
    authws_live_forget(live);
}

void authws_live_vanish(live_t *live, bool orderly)
{
    take_apart(live, orderly);
    tell(live, code_of(live));
    authws_live_release(live);
}

void authws_live_moved(authws_socket_t *socket)
{
    live_t *live = live_of(socket);

    take_apart(live, false);
    live->why = "handed to another process";
    tell(live, 0);
    authws_live_release(live);
}

void authws_live_drop(authws_socket_t *socket)
{
    live_t *live = live_of(socket);

    authws_live_uncork(live_loop(live));
    authws_live_vanish(live, live->state != LIVE_OPEN && !live->broken);
}

/* `writable`, when what waited has gone below half. */
static void tell_writable(live_t *live)
{
    const authws_events_t *events = live->settings->events;

    if (live->state != LIVE_OPEN || !atomic_load_explicit(&live->full, memory_order_relaxed) ||
        live_waiting(live) > live->settings->send_buffer / 2) {
        return;
    }
    atomic_store_explicit(&live->full, false, memory_order_relaxed);
    authws_live_again(live); /* what was kept, or waits inside the transport */
    if (events->writable && !atomic_load_explicit(&live->closed, memory_order_acquire)) {
        events->writable(&live->socket);
        if (authws_loop_lives(live_loop(live))->cork == live) {
            authws_live_uncork(live_loop(live));
        }
    }
}

/* Has the loop watch for what is of interest now. */
static void watch(live_t *live)
{
    const uint32_t events =
        (authws_live_reads(live) ? (uint32_t)EPOLLIN : 0) | (live_queued(live) ? EPOLLOUT : 0);

    if (events != live->source.events) {
        live->source.events = events;
        if (authws_loop_change(live_loop(live), &live->source) != APR_SUCCESS) {
            authws_live_break(live, "the descriptor cannot be watched");
        }
    }
}

void authws_live_settle(live_t *live)
{
    authws_loop_t *loop = live_loop(live);

    if (authws_loop_lives(loop)->cork == live) {
        authws_live_uncork(loop);
    }
    tell_writable(live);
    if (live->state == LIVE_ENDING && !live_queued(live) && !live->broken) {
        live->state = LIVE_LINGERING;
        if (!live->finished) {
            live->transport.class->finish(&live->transport);
            authws_live_hurry(live);
        }
    }
    if (live->broken || (live->state == LIVE_LINGERING && live->finished)) {
        authws_live_vanish(live, !live->broken);
        return;
    }
    watch(live);
}
