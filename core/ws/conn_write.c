/* A connection's writing: frames of whole messages, and the close frame.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ws/conn.h"

#include "base/text.h"
#include "ws/conn_state.h"
#include "ws/mask.h"
#include "ws/pool_states.h"

/* Writes the head; out->data and out->len are those of the payload, and stay. */
static void put_head(aw_ws_out_t *out, unsigned char opcode, bool compressed,
                     const unsigned char *mask_key)
{
    aw_ws_head_t head = {.fin = true,
                         .rsv = compressed ? 4 : 0,
                         .opcode = opcode,
                         .masked = mask_key != NULL,
                         .len = out->len};

    if (mask_key != NULL) {
        memcpy(head.key, mask_key, sizeof head.key);
    }
    out->head_len = (unsigned char)aw_ws_head_build(out->head, &head);
}

/* The payload masked, in the pool's scratch buffer: the caller's bytes are not ours to change. What
 * has just been compressed lies there already. */
static bool mask_payload(aw_ws_pool_t *pool, const unsigned char *mask_key, aw_ws_out_t *out)
{
    if (out->data == pool->scratch.data) {
        (void)aw_ws_mask(pool->scratch.data, out->len, mask_key, 0);
        return true;
    }
    aw_ws_buffer_t *const scratch = aw_ws_pool_scratch(pool);
    if (!aw_ws_buffer_reserve(pool, scratch, out->len)) {
        return false;
    }
    (void)aw_ws_mask_copy(scratch->data, out->data, out->len, mask_key, 0);
    out->data = scratch->data;
    return true;
}

bool aw_ws_conn_write(aw_ws_conn_t *conn, const aw_ws_settings_t *settings, aw_ws_pool_t *pool,
                      aw_ws_opcode_e opcode, const void *data, size_t len,
                      const unsigned char *mask_key, aw_ws_out_t *out)
{
    aw_span_t packed;
    bool compressed = false;

    if (conn->close_sent) {
        return false;
    }
    out->data = data;
    out->len = len;
    if (conn->deflate_params.on && !aw_ws_is_control((unsigned char)opcode) &&
        len >= settings->deflate.min) {
        compressed =
            aw_ws_deflate_message(&conn->deflate, &conn->deflate_params, settings->deflate.level,
                                  pool, (aw_span_t){data, len}, &packed);
    }
    /* When there is no memory for it, the message goes as it is. */
    if (compressed) {
        out->data = (const unsigned char *)packed.ptr;
        out->len = packed.len;
    }
    if (mask_key != NULL && out->len > 0 && !mask_payload(pool, mask_key, out)) {
        return false;
    }
    put_head(out, (unsigned char)opcode, compressed, mask_key);
    return true;
}

bool aw_ws_conn_close(aw_ws_conn_t *conn, const aw_ws_settings_t *settings, unsigned code,
                      aw_span_t reason, const unsigned char *mask_key, unsigned char *payload,
                      aw_ws_out_t *out)
{
    (void)settings;
    if (conn->close_sent) {
        return false;
    }
    out->data = payload;
    out->len = 0;
    if (code != AW_WS_CODE_NONE && code != AW_WS_CODE_ABNORMAL) {
        if (!aw_ws_code_may_be_sent(code)) {
            code = AW_WS_CODE_INTERNAL;
        }
        if (reason.len > AW_WS_REASON_MAX) {
            reason.len = AW_WS_REASON_MAX;
        }
        reason.len = aw_utf8_valid_prefix(reason);
        payload[0] = (unsigned char)(code >> 8);
        payload[1] = (unsigned char)code;
        if (reason.len > 0) {
            memcpy(payload + 2, reason.ptr, reason.len);
        }
        out->len = 2 + reason.len;
    }
    if (mask_key != NULL) {
        (void)aw_ws_mask(payload, out->len, mask_key, 0);
    }
    put_head(out, AW_WS_CLOSE, false, mask_key);
    conn->close_sent = true;
    return true;
}
