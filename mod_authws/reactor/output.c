/* What goes out of a socket: one buffer for an event's frames, a queue for what has to wait.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The loop's output buffer goes from hand to hand: whose frames are in it is lives->cork; who else
 * wants it has it written first. A socket whose queue is not empty does not use it, so that the
 * order stays.
 */
#include "live.h"

#include <errno.h>
#include <stdlib.h>

/* Longer frames are not copied but written from where they are. */
#define DIRECT ((size_t)16 * 1024)

/* Room of a chunk at least, and frames of others that are copied into it rather than referred to.
 */
#define CHUNK_ROOM 4000
#define SMALL      1024

/* Bytes written for one socket before others have their turn. */
#define BUDGET ((size_t)256 * 1024)

static void count_progress(live_t *live, size_t n)
{
    if (live->progress < UINT32_MAX / 2) {
        live->progress += (uint32_t)(n < UINT32_MAX / 4 ? n : UINT32_MAX / 4);
    }
}

/* Makes an empty chunk of its own at the queue's end, or at its front; NULL: memory is out. */
static live_chunk_t *chunk_add(live_t *live, size_t room, bool front)
{
    live_more_t *more = authws_live_more(live);
    live_chunk_t *chunk = more ? malloc(sizeof *chunk + room) : NULL;

    if (!chunk) {
        authws_live_break(live, "no memory for what is to be sent");
        return NULL;
    }
    *chunk = (live_chunk_t){.bytes = (unsigned char *)(chunk + 1), .room = room};
    if (!more->first) {
        authws_live_again(live); /* the descriptor has to be watched for room */
        more->first = more->last = chunk;
    } else if (front) {
        chunk->next = more->first;
        more->first = chunk;
    } else {
        more->last->next = chunk;
        more->last = chunk;
    }
    return chunk;
}

static void chunk_fill(live_t *live, live_chunk_t *chunk, const void *bytes, size_t len)
{
    if (len) {
        memcpy((unsigned char *)(uintptr_t)chunk->bytes + chunk->len, bytes, len);
    }
    chunk->len += len;
    chunk->room -= len;
    atomic_fetch_add_explicit(&live->waiting, len, memory_order_relaxed);
}

/* Queues a head and a body, in one piece. `started`: what comes before them has been sent. */
static void append(live_t *live, const void *head, size_t head_len, const void *body,
                   size_t body_len, bool started)
{
    const size_t len = head_len + body_len;
    live_chunk_t *chunk = live_queued(live) ? live->more->last : NULL;

    if (live->broken) {
        return;
    }
    if (!chunk || chunk->message || chunk->room < len) {
        chunk = chunk_add(live, len > CHUNK_ROOM ? len : CHUNK_ROOM, false);
        if (!chunk) {
            return;
        }
        chunk->started = started;
    }
    chunk_fill(live, chunk, head, head_len);
    chunk_fill(live, chunk, body, body_len);
}

/* Queues what is left of a shared frame. */
static void append_shared(live_t *live, authws_message_t *message, const unsigned char *bytes,
                          size_t len, bool started)
{
    if (live->broken) {
        return;
    }
    live_chunk_t *chunk = chunk_add(live, 0, false);

    if (chunk) {
        authws_message_retain(message);
        chunk->message = message;
        chunk->bytes = bytes;
        chunk->len = len;
        chunk->started = started;
        atomic_fetch_add_explicit(&live->waiting, len, memory_order_relaxed);
    }
}

static void chunk_free(live_chunk_t *chunk)
{
    if (chunk->message) {
        authws_message_free(chunk->message);
    }
    free(chunk);
}

static void chunk_pop(live_more_t *more)
{
    live_chunk_t *chunk = more->first;

    more->first = chunk->next;
    if (!more->first) {
        more->last = NULL;
    }
    chunk_free(chunk);
}

/* Writes until everything is gone or the transport takes no more; returns how much went. */
static size_t write_some(live_t *live, const unsigned char *bytes, size_t len)
{
    size_t done = 0;

    while (done < len && !live->broken) {
        const ssize_t n = live->transport.class->write(&live->transport, bytes + done, len - done);

        if (n > 0) {
            done += (size_t)n;
        } else if (n == -EAGAIN) {
            break;
        } else {
            authws_live_break(live, "writing failed");
        }
    }
    count_progress(live, done);
    return done;
}

void authws_live_uncork(authws_loop_t *loop)
{
    authws_lives_t *lives = authws_loop_lives(loop);
    const unsigned char *bytes = authws_loop_output(loop);
    const size_t len = lives->corked;
    live_t *live = lives->cork;

    if (!live) {
        return;
    }
    lives->cork = NULL;
    lives->corked = 0;
    const size_t done = write_some(live, bytes, len);
    if (done < len) {
        append(live, NULL, 0, bytes + done, len - done, true);
    }
}

/* Whether a frame of so many bytes may go into the output buffer, which is `live`'s then. */
static bool cork(live_t *live, size_t len)
{
    authws_loop_t *loop = live_loop(live);
    authws_lives_t *lives = authws_loop_lives(loop);

    if (lives->cork != live || lives->corked + len > AUTHWS_LOOP_BUFFER || len > DIRECT) {
        authws_live_uncork(loop);
    }
    /* Its own bytes may have gone into the queue just now. */
    if (len > DIRECT || live_queued(live) || live->broken) {
        return false;
    }
    lives->cork = live;
    return true;
}

static void cork_fill(live_t *live, const void *bytes, size_t len)
{
    authws_loop_t *loop = live_loop(live);
    authws_lives_t *lives = authws_loop_lives(loop);

    if (len) {
        memcpy(authws_loop_output(loop) + lives->corked, bytes, len);
        lives->corked += len;
    }
}

void authws_live_put(live_t *live, const aw_ws_out_t *frame)
{
    const size_t len = frame->head_len + frame->len;
    ssize_t n;

    if (live_queued(live)) {
        append(live, frame->head, frame->head_len, frame->data, frame->len, false);
        return;
    }
    if (cork(live, len)) {
        cork_fill(live, frame->head, frame->head_len);
        cork_fill(live, frame->data, frame->len);
        return;
    }
    if (live_queued(live) || live->broken) {
        append(live, frame->head, frame->head_len, frame->data, frame->len, false);
        return;
    }
    n = live->transport.class->write2(&live->transport, frame->head, frame->head_len, frame->data,
                                      frame->len);
    if (n < 0 && n != -EAGAIN) {
        authws_live_break(live, "writing failed");
        return;
    }
    size_t done = n > 0 ? (size_t)n : 0;
    count_progress(live, done);
    if (done < frame->head_len) {
        append(live, frame->head + done, frame->head_len - done, frame->data, frame->len, true);
        return;
    }
    done -= frame->head_len;
    done += write_some(live, frame->data + done, frame->len - done);
    if (done < frame->len) {
        append(live, NULL, 0, frame->data + done, frame->len - done, true);
    }
}

void authws_live_put_shared(live_t *live, authws_message_t *message, const unsigned char *frame,
                            size_t len)
{
    size_t done = 0;

    if (!live_queued(live)) {
        if (cork(live, len)) {
            cork_fill(live, frame, len);
            return;
        }
        if (!live_queued(live)) {
            done = write_some(live, frame, len);
            if (done == len) {
                return;
            }
            append_shared(live, message, frame + done, len - done, true);
            return;
        }
    }
    if (len <= SMALL) {
        append(live, frame, len, NULL, 0, false);
    } else {
        append_shared(live, message, frame, len, false);
    }
}

/* Writes the pong that waited, ahead of the queue; what the transport does not take becomes its
 * first chunk. */
static void pong_write(live_t *live)
{
    live_more_t *more = live->more;
    aw_ws_out_t out;
    ssize_t n;

    more->pong = false;
    if (!aw_ws_conn_write(&live->conn, &live->settings->ws, authws_loop_pool(live_loop(live)),
                          AW_WS_PONG, more->pong_data, more->pong_len, NULL, &out)) {
        return;
    }
    n = live->transport.class->write2(&live->transport, out.head, out.head_len, out.data, out.len);
    if (n < 0 && n != -EAGAIN) {
        authws_live_break(live, "writing failed");
        return;
    }
    size_t done = n > 0 ? (size_t)n : 0;
    if (done == out.head_len + out.len) {
        return;
    }
    live_chunk_t *chunk = chunk_add(live, out.head_len + out.len, true);
    if (chunk) {
        chunk_fill(live, chunk, out.head, out.head_len);
        chunk_fill(live, chunk, out.data, out.len);
        chunk->bytes += done;
        chunk->len -= done;
        atomic_fetch_sub_explicit(&live->waiting, done, memory_order_relaxed);
        chunk->started = true;
    }
}

void authws_live_flush(live_t *live)
{
    live_more_t *more = live->more;
    size_t budget = BUDGET;

    while (live_queued(live) && !live->broken && budget > 0) {
        live_chunk_t *chunk = more->first;

        if (more->pong && !chunk->started) {
            pong_write(live);
            continue;
        }
        const size_t try = chunk->len < budget ? chunk->len : budget;
        const size_t done = write_some(live, chunk->bytes, try);
        chunk->started = true;
        chunk->bytes += done;
        chunk->len -= done;
        budget -= done;
        atomic_fetch_sub_explicit(&live->waiting, done, memory_order_relaxed);
        if (chunk->len == 0) {
            chunk_pop(more);
        } else if (done < try) {
            break;
        }
    }
    if (more && more->pong && !live_queued(live) && !live->broken) {
        pong_write(live);
    }
}

void authws_live_pong(live_t *live, const unsigned char *data, size_t len)
{
    aw_ws_out_t out;

    if (live_queued(live)) {
        live_more_t *more = live->more;

        more->pong = true;
        more->pong_len = (unsigned char)len;
        if (len) {
            memcpy(more->pong_data, data, len);
        }
    } else if (aw_ws_conn_write(&live->conn, &live->settings->ws, authws_loop_pool(live_loop(live)),
                                AW_WS_PONG, data, len, NULL, &out)) {
        authws_live_put(live, &out);
    }
}

/* What the sender is told. */
static authws_sent_e answer(live_t *live)
{
    if (live->broken) {
        return AUTHWS_CLOSED;
    }
    if (live_waiting(live) <= live->settings->send_buffer) {
        return AUTHWS_SENT;
    }
    atomic_store_explicit(&live->full, true, memory_order_relaxed);
    return AUTHWS_FULL;
}

static void count_out(live_t *live, size_t len)
{
    live->messages_out++;
    live->out += len;
    authws_live_used(live);
}

authws_sent_e authws_live_send_here(live_t *live, authws_opcode_e opcode, const void *data,
                                    size_t len)
{
    const aw_ws_deflate_params_t *params = &live->conn.deflate_params;
    aw_ws_out_t out;

    if (!aw_ws_conn_write(&live->conn, &live->settings->ws, authws_loop_pool(live_loop(live)),
                          (aw_ws_opcode_e)opcode, data, len, NULL, &out)) {
        return AUTHWS_CLOSED;
    }
    if (params->on && params->out_takeover) {
        live->deflated = true;
    }
    authws_live_put(live, &out);
    count_out(live, len);
    return answer(live);
}

authws_sent_e authws_live_message_here(live_t *live, authws_message_t *message)
{
    const aw_span_t payload = authws_message_payload(message);
    aw_ws_pool_t *pool = authws_loop_pool(live_loop(live));
    bool deflated = false;

    const aw_span_t frame = authws_message_frame(message, pool, &live->settings->ws,
                                                 &live->conn.deflate_params, &deflated);
    if (deflated && live->deflated) {
        /* The peer's window moves on by bytes that our deflater has not seen: what it would refer
         * to is elsewhere by then. It starts anew with the next message. */
        aw_ws_conn_restart(&live->conn, pool);
        live->deflated = false;
    }
    authws_live_put_shared(live, message, (const unsigned char *)frame.ptr, frame.len);
    count_out(live, payload.len);
    return answer(live);
}

void authws_live_forget(live_t *live)
{
    live_more_t *more = live->more;

    if (!more) {
        return;
    }
    for (live_chunk_t *chunk = more->first, *next; chunk; chunk = next) {
        next = chunk->next;
        atomic_fetch_sub_explicit(&live->waiting, chunk->len, memory_order_relaxed);
        chunk_free(chunk);
    }
    free(more->kept);
    free(more);
    live->more = NULL;
}
