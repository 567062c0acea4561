/* A message for many sockets: its frames, made once for each kind of connection.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "live.h"

#include <stdlib.h>

/* Windows of 2^9 to 2^15 bytes. */
#define WINDOW_LEAST 9
#define WINDOWS      7

typedef struct packed_t {
    size_t len;
    unsigned char frame[];
} packed_t;

struct authws_message_t {
    atomic_uint references;
    authws_opcode_e opcode;
    size_t len; /* of the payload */
    /* Made by the first thread that needs one, and then never changed. */
    _Atomic(packed_t *) packed[WINDOWS];
    unsigned char head_len;
    unsigned char frame[]; /* the plain one: head and payload */
};

authws_message_t *authws_message_create(authws_opcode_e opcode, const void *data, size_t len)
{
    const aw_ws_head_t head = {.fin = true, .opcode = (unsigned char)opcode, .len = len};
    authws_message_t *message;

    if (len > SIZE_MAX / 2) {
        return NULL;
    }
    message = calloc(1, sizeof *message + AW_WS_HEAD_MAX + len);
    if (!message) {
        return NULL;
    }
    atomic_init(&message->references, 1);
    message->opcode = opcode;
    message->len = len;
    message->head_len = (unsigned char)aw_ws_head_build(message->frame, &head);
    if (len) {
        memcpy(message->frame + message->head_len, data, len);
    }
    return message;
}

void authws_message_retain(authws_message_t *message)
{
    /* Relaxed: who retains has a reference already. */
    atomic_fetch_add_explicit(&message->references, 1, memory_order_relaxed);
}

void authws_message_free(authws_message_t *message)
{
    if (!message || atomic_fetch_sub_explicit(&message->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < WINDOWS; i++) {
        free(atomic_load_explicit(&message->packed[i], memory_order_relaxed));
    }
    free(message);
}

aw_span_t authws_message_payload(const authws_message_t *message)
{
    return (aw_span_t){(const char *)message->frame + message->head_len, message->len};
}

/* A compressed frame, from an empty window; NULL when it cannot be had. */
static packed_t *pack(const authws_message_t *message, aw_ws_pool_t *pool,
                      const aw_ws_settings_t *settings, unsigned window)
{
    const aw_ws_deflate_params_t params = {
        .on = true, .out_window = (unsigned char)window, .in_window = 15};
    const aw_span_t payload = authws_message_payload(message);
    packed_t *packed = NULL;
    aw_ws_conn_t conn;
    aw_ws_out_t out;

    aw_ws_conn_init(&conn, &params);
    /* RSV1 says whether it was compressed, or memory was out. */
    if (aw_ws_conn_write(&conn, settings, pool, (aw_ws_opcode_e)message->opcode, payload.ptr,
                         payload.len, NULL, &out) &&
        (out.head[0] & 0x40)) {
        packed = malloc(sizeof *packed + out.head_len + out.len);
    }
    if (packed) {
        packed->len = out.head_len + out.len;
        memcpy(packed->frame, out.head, out.head_len);
        memcpy(packed->frame + out.head_len, out.data, out.len);
    }
    aw_ws_conn_end(&conn, pool);
    return packed;
}

aw_span_t authws_message_frame(authws_message_t *message, aw_ws_pool_t *pool,
                               const aw_ws_settings_t *settings,
                               const aw_ws_deflate_params_t *params, bool *deflated)
{
    const aw_span_t plain = {(const char *)message->frame, message->head_len + message->len};

    *deflated = false;
    if (!params->on || message->len < settings->deflate.min || params->out_window < WINDOW_LEAST ||
        params->out_window >= WINDOW_LEAST + WINDOWS) {
        return plain;
    }
    _Atomic(packed_t *) *slot = &message->packed[params->out_window - WINDOW_LEAST];
    packed_t *packed = atomic_load_explicit(slot, memory_order_acquire);
    if (!packed) {
        packed_t *made = pack(message, pool, settings, params->out_window);

        if (!made) {
            return plain;
        }
        /* Two threads may make one at the same time; the first stays. */
        if (atomic_compare_exchange_strong_explicit(slot, &packed, made, memory_order_acq_rel,
                                                    memory_order_acquire)) {
            packed = made;
        } else {
            free(made);
        }
    }
    *deflated = true;
    return (aw_span_t){(const char *)packed->frame, packed->len};
}
