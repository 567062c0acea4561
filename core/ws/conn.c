/* A connection's reading: frames judged, control frames gathered, events given out.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ws/conn.h"

#include <stdlib.h>

#include "base/text.h"
#include "ws/conn_state.h"
#include "ws/mask.h"

/* Bits of a head's first two bytes. */
enum { FIN = 0x80, RSV1 = 0x40, RSV23 = 0x30, OPCODE = 0x0F, MASK = 0x80, LENGTH = 0x7F };

/* Bytes of a masked frame's head when its length stands in the second byte, and such lengths. */
enum { SHORT_HEAD = 6, SHORT_MAX = 125 };

void aw_ws_conn_init(aw_ws_conn_t *conn, const aw_ws_deflate_params_t *deflate)
{
    memset(conn, 0, sizeof *conn);
    if (deflate != NULL && deflate->on) {
        conn->deflate_params = *deflate;
    }
}

void aw_ws_conn_settle(aw_ws_conn_t *conn, aw_ws_pool_t *pool)
{
    if (conn->lent == LENT_MESSAGE) {
        aw_ws_buffer_release(pool, &conn->message);
    } else if (conn->lent == LENT_CONTROL) {
        free(conn->control);
        conn->control = NULL;
    }
    conn->lent = LENT_NOTHING;
}

/* No more is read: what is there of a message will never be complete. */
static void stop(aw_ws_reader_t *r)
{
    aw_ws_conn_t *conn = r->conn;

    aw_ws_buffer_release(r->pool, &conn->message);
    if (conn->first != 0 && conn->compressed) {
        /* An inflater in the middle of a message cannot rest. Our own deflater starts anew. */
        aw_ws_deflate_close(&conn->deflate, r->pool);
    }
    conn->first = 0;
    conn->head_len = 0;
    conn->state = STATE_DONE;
}

int aw_ws_read_fail(aw_ws_reader_t *r, unsigned code, const char *why)
{
    stop(r);
    free(r->conn->control);
    r->conn->control = NULL;
    r->conn->lent = LENT_NOTHING;
    *r->found = (aw_ws_found_t){.code = code, .why = why};
    return AW_WS_EVENT_FAILED;
}

static int broken(aw_ws_reader_t *r, const char *why)
{
    return aw_ws_read_fail(r, AW_WS_CODE_PROTOCOL, why);
}

/* The first byte of a head: NULL, or what is wrong. */
static const char *judge_first(const aw_ws_conn_t *conn, unsigned char byte)
{
    const unsigned char opcode = byte & OPCODE;

    if ((byte & RSV23) != 0) {
        return "a reserved bit is set";
    }
    switch (opcode) {
    case AW_WS_TEXT:
    case AW_WS_BINARY:
        if ((byte & RSV1) != 0 && !conn->deflate_params.on) {
            return "a reserved bit is set";
        }
        return conn->first != 0 ? "a new message within a fragmented one" : NULL;
    case AW_WS_CONTINUATION:
        if ((byte & RSV1) != 0) {
            return "a continuation says that it is compressed";
        }
        return conn->first == 0 ? "a continuation of nothing" : NULL;
    case AW_WS_CLOSE:
    case AW_WS_PING:
    case AW_WS_PONG:
        if ((byte & RSV1) != 0) {
            return "a control frame says that it is compressed";
        }
        return (byte & FIN) == 0 ? "a fragmented control frame" : NULL;
    default:
        return "a reserved opcode";
    }
}

/* Both bytes that each head has, as soon as they are there. */
static const char *judge(const aw_ws_reader_t *r, const unsigned char *head, size_t len)
{
    const char *why = len > 0 ? judge_first(r->conn, head[0]) : NULL;

    if (why != NULL || len < 2) {
        return why;
    }
    if (((head[1] & MASK) != 0) == r->settings->client) {
        return r->settings->client ? "a masked frame from a server"
                                   : "an unmasked frame from a client";
    }
    if (aw_ws_is_control(head[0] & OPCODE) && (head[1] & LENGTH) > AW_WS_CONTROL_MAX) {
        return "a control frame of more than 125 bytes";
    }
    return NULL;
}

static int begin_frame(aw_ws_reader_t *r, const aw_ws_head_t *head)
{
    aw_ws_conn_t *conn = r->conn;

    conn->head_len = 0;
    conn->opcode = head->opcode;
    conn->left = head->len;
    conn->phase = 0;
    if (head->masked) {
        memcpy(conn->key, head->key, sizeof conn->key);
    }
    if (aw_ws_is_control(head->opcode)) {
        conn->control_len = 0;
        conn->state = STATE_CONTROL;
        return AW_WS_GO_ON;
    }
    if (head->len > r->settings->max_frame) {
        return aw_ws_read_fail(r, AW_WS_CODE_TOO_BIG, "a frame is too long");
    }
    if (head->opcode != AW_WS_CONTINUATION) {
        conn->first = head->opcode;
        conn->compressed = head->rsv != 0;
        aw_ws_utf8_init(&conn->utf8);
    }
    conn->fin = head->fin;
    conn->state = STATE_DATA;
    return AW_WS_GO_ON;
}

static int read_head(aw_ws_reader_t *r)
{
    aw_ws_conn_t *conn = r->conn;
    const unsigned char *from = r->at;
    const size_t before = conn->head_len;
    size_t len = r->len;
    aw_ws_head_t head;

    if (before > 0) {
        /* More than the head may get there; it is read again from the input. */
        const size_t more = len < AW_WS_HEAD_MAX - before ? len : AW_WS_HEAD_MAX - before;
        memcpy(conn->head + before, r->at, more);
        from = conn->head;
        len = before + more;
    }
    const char *why = judge(r, from, len);
    if (why != NULL) {
        return broken(r, why);
    }
    const int n = aw_ws_head_parse(&head, from, len);
    if (n == AW_WS_EPROTO) {
        return broken(r, "a length that is not written in the shortest way");
    }
    if (n == AW_WS_AGAIN) {
        if (before == 0 && len > 0) {
            memcpy(conn->head, from, len);
        }
        conn->head_len = (unsigned char)len;
        return AW_WS_EVENT_MORE;
    }
    r->at += (size_t)n - before;
    r->len -= (size_t)n - before;
    return begin_frame(r, &head);
}

static int read_close(aw_ws_reader_t *r, unsigned char *data, size_t len)
{
    if (len == 1) {
        return broken(r, "half a close code");
    }
    r->found->code = AW_WS_CODE_NONE;
    r->found->data = data;
    if (len >= 2) {
        const aw_span_t reason = {(const char *)data + 2, len - 2};
        r->found->code = (unsigned)data[0] << 8 | data[1];
        if (!aw_ws_code_may_be_sent(r->found->code)) {
            return broken(r, "a close code that must not be sent");
        }
        if (aw_utf8_valid_prefix(reason) != reason.len) {
            return aw_ws_read_fail(r, AW_WS_CODE_INVALID, "a close reason is not UTF-8");
        }
        r->found->data = data + 2;
        r->found->len = len - 2;
    }
    r->conn->close_received = true;
    stop(r);
    return AW_WS_EVENT_CLOSE;
}

static int end_control(aw_ws_reader_t *r, unsigned char *data, size_t len)
{
    aw_ws_conn_t *conn = r->conn;

    conn->state = STATE_HEAD;
    conn->lent = data == conn->control ? LENT_CONTROL : LENT_NOTHING;
    *r->found = (aw_ws_found_t){.opcode = (aw_ws_opcode_e)conn->opcode};
    if (conn->opcode == AW_WS_CLOSE) {
        return read_close(r, data, len);
    }
    r->found->data = data;
    r->found->len = len;
    return conn->opcode == AW_WS_PING ? AW_WS_EVENT_PING : AW_WS_EVENT_PONG;
}

static int read_control(aw_ws_reader_t *r)
{
    aw_ws_conn_t *conn = r->conn;
    const size_t n = r->len < conn->left ? r->len : (size_t)conn->left;
    unsigned char *data = r->at;

    if (n < conn->left || conn->control_len > 0) {
        if (n == 0) {
            return AW_WS_EVENT_MORE;
        }
        if (conn->control == NULL) {
            conn->control = malloc(AW_WS_CONTROL_MAX);
        }
        if (conn->control == NULL) {
            return aw_ws_read_fail(r, AW_WS_CODE_INTERNAL, "memory is out");
        }
        data = conn->control + conn->control_len;
        memcpy(data, r->at, n);
    }
    if (!r->settings->client) {
        conn->phase = (unsigned char)aw_ws_mask(data, n, conn->key, conn->phase);
    }
    r->at += n;
    r->len -= n;
    conn->left -= n;
    if (conn->left > 0) {
        conn->control_len = (unsigned char)(conn->control_len + n);
        return AW_WS_EVENT_MORE;
    }
    return end_control(r, data - conn->control_len, conn->control_len + n);
}

static int step(aw_ws_reader_t *r)
{
    switch (r->conn->state) {
    case STATE_HEAD:
        return read_head(r);
    case STATE_DATA:
        return aw_ws_read_data(r);
    case STATE_CONTROL:
        return read_control(r);
    default:
        return AW_WS_EVENT_MORE;
    }
}

/* A short message from a client, whole in the input, uncompressed: nearly all there are. How many
 * bytes it takes; 0: it is not such a message, or not a good one. Nothing has changed then. */
static inline size_t short_message(const aw_ws_conn_t *conn, const aw_ws_settings_t *settings,
                                   unsigned char *in, size_t len, aw_ws_found_t *found)
{
    if ((conn->state | conn->head_len | conn->first) != 0 || len < SHORT_HEAD || settings->client) {
        return 0;
    }
    const size_t n = in[1] & LENGTH;
    const unsigned char opcode = in[0] & OPCODE;
    if ((in[0] != (FIN | AW_WS_TEXT) && in[0] != (FIN | AW_WS_BINARY)) || in[1] < MASK ||
        n > SHORT_MAX || len - SHORT_HEAD < n || n > settings->max_frame ||
        n > settings->max_message) {
        return 0;
    }
    unsigned char *data = in + SHORT_HEAD;
    aw_ws_mask(data, n, in + 2, 0);
    if (opcode == AW_WS_TEXT) {
        aw_ws_utf8_t text;
        aw_ws_utf8_init(&text);
        if (!aw_ws_utf8_feed(&text, data, n) || !aw_ws_utf8_may_end(&text)) {
            aw_ws_mask(data, n, in + 2, 0);
            return 0;
        }
    }
    found->opcode = (aw_ws_opcode_e)opcode;
    found->code = 0;
    found->why = NULL;
    found->data = data;
    found->len = n;
    return SHORT_HEAD + n;
}

aw_ws_event_e aw_ws_conn_read(aw_ws_conn_t *conn, const aw_ws_settings_t *settings,
                              aw_ws_pool_t *pool, unsigned char *in, size_t len, size_t *used,
                              aw_ws_found_t *found)
{
    int event;

    if (conn->lent != LENT_NOTHING) {
        aw_ws_conn_settle(conn, pool);
    }
    *used = short_message(conn, settings, in, len, found);
    if (*used > 0) {
        return AW_WS_EVENT_MESSAGE;
    }
    aw_ws_reader_t reader = {conn, settings, pool, in, len, found};
    do {
        event = step(&reader);
    } while (event == AW_WS_GO_ON);
    *used = event == AW_WS_EVENT_MORE ? len : len - reader.len;
    return (aw_ws_event_e)event;
}

void aw_ws_conn_restart(aw_ws_conn_t *conn, aw_ws_pool_t *pool)
{
    aw_ws_deflate_restart(&conn->deflate, pool);
}

void aw_ws_conn_rest(aw_ws_conn_t *conn, aw_ws_pool_t *pool)
{
    aw_ws_conn_settle(conn, pool);
    if (conn->first == 0 || !conn->compressed) {
        aw_ws_deflate_rest(&conn->deflate, pool);
    }
}

void aw_ws_conn_end(aw_ws_conn_t *conn, aw_ws_pool_t *pool)
{
    aw_ws_buffer_release(pool, &conn->message);
    free(conn->control);
    aw_ws_deflate_close(&conn->deflate, pool);
    aw_ws_conn_init(conn, NULL);
}
