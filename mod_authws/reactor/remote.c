/* Calls on a socket from whatever thread: at once in its own, by a note from others.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A note holds a reference. The inbox keeps the order, so one thread's messages and its close
 * arrive as they were made. Several notes to one socket make one write: it is settled at the end
 * of the round.
 */
#include "live.h"

#include <stdlib.h>

typedef struct note_t {
    authws_post_t post; /* first */
    live_t *live;
    authws_message_t *message; /* NULL: `bytes` are the message, or the reason */
    void (*fn)(authws_socket_t *socket, void *baton);
    void *baton;
    authws_opcode_e opcode;
    unsigned code;
    size_t len;
    unsigned char bytes[];
} note_t;

/* A note with a reference and a copy of `data`; NULL: memory is out. */
static note_t *note_create(live_t *live, void (*run)(authws_post_t *), const void *data, size_t len)
{
    note_t *note = len < SIZE_MAX / 2 ? malloc(sizeof *note + len) : NULL;

    if (note) {
        *note = (note_t){.post.run = run, .live = live, .len = len};
        if (len) {
            memcpy(note->bytes, data, len);
        }
        authws_live_retain(live);
    }
    return note;
}

/* The end of each note's way; the socket is settled later. */
static void note_end(note_t *note)
{
    live_t *live = note->live;

    if (live->state != LIVE_GONE) {
        authws_live_again(live);
    }
    authws_live_release(live);
    free(note);
}

static void note_send(authws_post_t *post)
{
    note_t *note = (note_t *)post;
    live_t *live = note->live;

    atomic_fetch_sub_explicit(&live->waiting, note->len, memory_order_relaxed);
    /* `closed` may have been set by the same thread after this: it went out before the close. */
    if (live->state == LIVE_OPEN) {
        if (note->message) {
            (void)authws_live_message_here(live, note->message);
        } else {
            (void)authws_live_send_here(live, note->opcode, note->bytes, note->len);
        }
    }
    if (note->message) {
        authws_message_free(note->message);
    }
    note_end(note);
}

static void note_close(authws_post_t *post)
{
    note_t *note = (note_t *)post;

    authws_live_begin_close(note->live, note->code, (aw_span_t){(char *)note->bytes, note->len});
    note_end(note);
}

static void note_run(authws_post_t *post)
{
    note_t *note = (note_t *)post;

    if (note->live->state != LIVE_GONE) {
        note->fn(&note->live->socket, note->baton);
    }
    note_end(note);
}

/* The loop of a socket that takes messages; NULL: it does not. */
static authws_loop_t *loop_open(live_t *live)
{
    if (atomic_load_explicit(&live->closed, memory_order_acquire)) {
        return NULL;
    }
    return atomic_load_explicit(&live->loop, memory_order_acquire);
}

/* Posts a message; the answer counts what all threads have on the way. */
static authws_sent_e note_post(authws_loop_t *loop, note_t *note)
{
    live_t *live = note->live;
    const size_t limit = live->settings->send_buffer;
    authws_sent_e answer = AUTHWS_SENT;

    if (atomic_fetch_add_explicit(&live->waiting, note->len, memory_order_relaxed) + note->len >
        limit) {
        /* Before the note is posted: whoever runs it sees this, and `writable` comes. */
        atomic_store_explicit(&live->full, true, memory_order_relaxed);
        answer = AUTHWS_FULL;
    }
    authws_loop_post(loop, &note->post);
    return answer;
}

authws_sent_e authws_live_send(authws_socket_t *socket, authws_opcode_e opcode, const void *data,
                               size_t len)
{
    live_t *live = live_of(socket);
    authws_loop_t *loop = loop_open(live);
    note_t *note;

    if (!loop) {
        return AUTHWS_CLOSED;
    }
    if (authws_loop_is_mine(loop)) {
        return live->state == LIVE_OPEN ? authws_live_send_here(live, opcode, data, len)
                                        : AUTHWS_CLOSED;
    }
    note = note_create(live, note_send, data, len);
    if (!note) {
        return AUTHWS_CLOSED;
    }
    note->opcode = opcode;
    return note_post(loop, note);
}

authws_sent_e authws_live_send_message(authws_socket_t *socket, authws_message_t *message)
{
    live_t *live = live_of(socket);
    authws_loop_t *loop = loop_open(live);
    note_t *note;

    if (!loop) {
        return AUTHWS_CLOSED;
    }
    if (authws_loop_is_mine(loop)) {
        return live->state == LIVE_OPEN ? authws_live_message_here(live, message) : AUTHWS_CLOSED;
    }
    note = note_create(live, note_send, NULL, 0);
    if (!note) {
        return AUTHWS_CLOSED;
    }
    authws_message_retain(message);
    note->message = message;
    note->len = authws_message_payload(message).len;
    return note_post(loop, note);
}

void authws_live_close(authws_socket_t *socket, unsigned code, const char *reason)
{
    live_t *live = live_of(socket);
    authws_loop_t *loop = atomic_load_explicit(&live->loop, memory_order_acquire);
    aw_span_t words = aw_span(reason);
    note_t *note;

    if (!loop || atomic_exchange_explicit(&live->closed, true, memory_order_acq_rel)) {
        return;
    }
    if (authws_loop_is_mine(loop)) {
        authws_live_begin_close(live, code, words);
        authws_live_again(live);
        return;
    }
    /* Longer ones are cut anyway. */
    words.len = words.len > AW_WS_CONTROL_MAX ? AW_WS_CONTROL_MAX : words.len;
    note = note_create(live, note_close, words.ptr, words.len);
    if (!note) {
        /* Another try may find memory; messages that are lost meanwhile would not be. */
        atomic_store_explicit(&live->closed, false, memory_order_release);
        return;
    }
    note->code = code;
    authws_loop_post(loop, &note->post);
}

bool authws_live_run(authws_socket_t *socket, void (*fn)(authws_socket_t *, void *), void *baton)
{
    live_t *live = live_of(socket);
    authws_loop_t *loop = loop_open(live);
    note_t *note = loop ? note_create(live, note_run, NULL, 0) : NULL;

    if (note) {
        note->fn = fn;
        note->baton = baton;
        authws_loop_post(loop, &note->post);
    }
    return note != NULL;
}
