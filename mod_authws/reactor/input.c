/* What comes to a socket: bytes to the protocol, messages to the service.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "live.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

/* Whether the service takes messages now. */
static bool takes(const live_t *live)
{
    return !live->paused && !atomic_load_explicit(&live->full, memory_order_relaxed);
}

static bool keeps(const live_t *live)
{
    return live->more && live->more->kept_len > 0;
}

bool authws_live_reads(const live_t *live)
{
    if (live->finished || live->broken) {
        return false;
    }
    /* When the close has begun, only the peer's own close frame and end are of interest. */
    return live->state != LIVE_OPEN || (takes(live) && !keeps(live));
}

/* The peer's close frame: it is answered with its own code (section 5.5.1). */
static void on_close(live_t *live, const aw_ws_found_t *found)
{
    live->code_in = (uint16_t)found->code;
    authws_live_begin_close(live, found->code, (aw_span_t){NULL, 0});
    authws_live_end(live, NULL);
}

static void on_message(live_t *live, const aw_ws_found_t *found)
{
    const authws_events_t *events = live->settings->events;

    /* After a close, in whatever thread, none is handed out. */
    if (atomic_load_explicit(&live->closed, memory_order_acquire)) {
        return;
    }
    live->messages_in++;
    live->in += found->len;
    authws_live_used(live);
    if (events->message) {
        events->message(&live->socket, (authws_opcode_e)found->opcode, (const char *)found->data,
                        found->len);
    }
}

/* Takes up bytes until the service wants no more; returns how many. */
static size_t feed(live_t *live, unsigned char *bytes, size_t len)
{
    aw_ws_pool_t *pool = authws_loop_pool(live_loop(live));
    size_t done = 0;

    while (done < len &&
           (live->state == LIVE_CLOSING || (live->state == LIVE_OPEN && takes(live)))) {
        aw_ws_found_t found;
        size_t used = 0;
        const aw_ws_event_e event = aw_ws_conn_read(&live->conn, &live->settings->ws, pool,
                                                    bytes + done, len - done, &used, &found);

        done += used;
        if (event == AW_WS_EVENT_MORE) {
            break;
        }
        authws_live_heard(live);
        switch (event) {
        case AW_WS_EVENT_MESSAGE:
            on_message(live, &found);
            break;
        case AW_WS_EVENT_PING:
            authws_live_pong(live, found.data, found.len);
            break;
        case AW_WS_EVENT_CLOSE:
            on_close(live, &found);
            break;
        case AW_WS_EVENT_FAILED:
            authws_live_begin_close(live, found.code, aw_span(found.why));
            authws_live_end(live, found.why);
            break;
        case AW_WS_EVENT_PONG:
        case AW_WS_EVENT_MORE:
            break;
        }
    }
    /* Behind a close nothing counts. */
    return live->state == LIVE_OPEN ? done : len;
}

void authws_live_feed(live_t *live, unsigned char *bytes, size_t len)
{
    const size_t done = feed(live, bytes, len);
    live_more_t *more;

    if (done == len) {
        return;
    }
    more = authws_live_more(live);
    if (more) {
        more->kept = malloc(len - done);
    }
    if (!more || !more->kept) {
        authws_live_break(live, "no memory for what has come");
        return;
    }
    memcpy(more->kept, bytes + done, len - done);
    more->kept_at = 0;
    more->kept_len = len - done;
}

/* Reads once. */
static void read_once(live_t *live)
{
    authws_loop_t *loop = live_loop(live);
    const authws_transport_class_t *class = live->transport.class;
    unsigned char *input = authws_loop_input(loop);
    const ssize_t n = class->read(&live->transport, input, AUTHWS_LOOP_BUFFER);

    if (n > 0) {
        if (live->progress < UINT32_MAX / 2) {
            live->progress += (uint32_t)n;
        }
        authws_live_feed(live, input, (size_t)n);
        /* No descriptor tells of what is in there. Others come first. */
        if (class->pending && class->pending(&live->transport)) {
            authws_live_again(live);
        }
    } else if (n == 0) {
        live->finished = true;
        authws_live_end(live, "the peer ended the connection without a close frame");
    } else if (n != -EAGAIN) {
        authws_live_break(live, "reading failed");
    }
}

void authws_live_catch_up(live_t *live)
{
    const authws_transport_class_t *class = live->transport.class;

    if (keeps(live)) {
        live_more_t *more = live->more;
        const size_t done = feed(live, more->kept + more->kept_at, more->kept_len);

        more->kept_at += done;
        more->kept_len -= done;
        if (more->kept_len == 0) {
            free(more->kept);
            more->kept = NULL;
        }
    }
    if (authws_live_reads(live) && class->pending && class->pending(&live->transport)) {
        read_once(live);
    }
}

void authws_live_ready(authws_source_t *source, uint32_t events)
{
    live_t *live = (live_t *)((char *)source - offsetof(live_t, source));

    if (events & EPOLLOUT) {
        authws_live_flush(live);
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        if (authws_live_reads(live)) {
            read_once(live);
        } else if (events & (EPOLLHUP | EPOLLERR)) {
            /* It would be told again and again: nobody reads, and nobody is there to write to. */
            authws_live_break(live, "the connection was reset");
        }
    }
    authws_live_settle(live);
}
