/* A connection's state as bytes, for another process to go on with.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     0  version   1  state     2  flags     3  first     4  opcode    5  phase
 *     6  head_len  7  control_len            8  key, 4    12 deflate parameters, 5
 *     17 left, 8   25 message's length, 8    33 window's length, 4
 *     37 head, control, message, window
 *
 * Numbers are big-endian. Whether a text is UTF-8 so far is not written: it is found again.
 */
#include "ws/conn.h"

#include <stdlib.h>

#include "ws/conn_state.h"

#define VERSION    1
#define FIXED      37
#define WINDOW_MAX 32768
#define LENGTH_MAX (UINT64_MAX >> 1)

enum { FLAG_FIN = 1, FLAG_CLOSE_SENT = 2, FLAG_CLOSE_RECEIVED = 4, FLAGS = 7 };

static void put_number(unsigned char *out, uint64_t n, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        out[i] = (unsigned char)(n >> 8 * (bytes - 1 - i));
    }
}

static uint64_t get_number(const unsigned char *in, size_t bytes)
{
    uint64_t n = 0;

    for (size_t i = 0; i < bytes; i++) {
        n = n << 8 | in[i];
    }
    return n;
}

/* Appends; how many bytes. */
static size_t put(unsigned char *out, const void *data, size_t len)
{
    if (len > 0) {
        memcpy(out, data, len);
    }
    return len;
}

static void put_fixed(unsigned char *out, const aw_ws_conn_t *conn, size_t message, size_t window)
{
    const aw_ws_deflate_params_t *params = &conn->deflate_params;

    out[0] = VERSION;
    out[1] = conn->state;
    out[2] = (unsigned char)((conn->fin ? FLAG_FIN : 0) | (conn->close_sent ? FLAG_CLOSE_SENT : 0) |
                             (conn->close_received ? FLAG_CLOSE_RECEIVED : 0));
    out[3] = conn->first;
    out[4] = conn->opcode;
    out[5] = conn->phase;
    out[6] = conn->head_len;
    out[7] = conn->control_len;
    memcpy(out + 8, conn->key, sizeof conn->key);
    out[12] = params->on;
    out[13] = params->out_window;
    out[14] = params->in_window;
    out[15] = params->out_takeover;
    out[16] = params->in_takeover;
    put_number(out + 17, conn->left, 8);
    put_number(out + 25, message, 8);
    put_number(out + 33, window, 4);
}

size_t aw_ws_conn_save(const aw_ws_conn_t *conn, unsigned char *out, size_t room)
{
    /* What the last event lent out has been handed over already. */
    const size_t message = conn->lent == LENT_MESSAGE ? 0 : conn->message.len;
    aw_ws_conn_t plain = *conn;
    unsigned char *window = NULL;
    size_t window_len = 0, at = FIXED;

    if (conn->first != 0 && conn->compressed) {
        return 0;
    }
    if (conn->state == STATE_HEAD || conn->state == STATE_DONE) {
        /* Left over from the last frame. */
        plain.opcode = plain.phase = plain.control_len = 0;
        plain.fin = false;
        plain.left = 0;
        memset(plain.key, 0, sizeof plain.key);
    }
    if (conn->state != STATE_CONTROL) {
        plain.control_len = 0;
    }
    if (room < FIXED + (size_t)plain.head_len + plain.control_len ||
        room - FIXED - plain.head_len - plain.control_len < message) {
        return 0;
    }
    put_fixed(out, &plain, message, 0);
    at += put(out + at, conn->head, plain.head_len);
    at += put(out + at, conn->control, plain.control_len);
    at += put(out + at, conn->message.data, message);
    if (conn->deflate != NULL && conn->deflate_params.in_takeover) {
        window = malloc(WINDOW_MAX);
        if (window == NULL) {
            return 0;
        }
        window_len = aw_ws_deflate_save(conn->deflate, window);
        if (room - at >= window_len) {
            put_number(out + 33, window_len, 4);
            at += put(out + at, window, window_len);
        } else {
            at = 0;
        }
        free(window);
    }
    return at;
}

static bool is_flag(unsigned char byte)
{
    return byte <= 1;
}

static bool get_params(aw_ws_deflate_params_t *params, const unsigned char *in)
{
    static const unsigned char off[5];

    if (in[0] == 0) {
        return memcmp(in, off, sizeof off) == 0;
    }
    params->on = true;
    params->out_window = in[1];
    params->in_window = in[2];
    params->out_takeover = in[3] != 0;
    params->in_takeover = in[4] != 0;
    return is_flag(in[0]) && is_flag(in[3]) && is_flag(in[4]) && in[1] >= 9 && in[1] <= 15 &&
           in[2] >= 8 && in[2] <= 15;
}

/* Whether the fields can have come together, with `message` bytes of a message. */
static bool is_consistent(const aw_ws_conn_t *conn, uint64_t message)
{
    const bool idle = conn->opcode == 0 && conn->phase == 0 && conn->left == 0 && !conn->fin;

    if (conn->first != 0 && conn->first != AW_WS_TEXT && conn->first != AW_WS_BINARY) {
        return false;
    }
    if ((message > 0 && conn->first == 0) || conn->phase > 3 || conn->left > LENGTH_MAX) {
        return false;
    }
    if ((conn->head_len > 0 && conn->state != STATE_HEAD) ||
        (conn->control_len > 0 && conn->state != STATE_CONTROL) ||
        (conn->close_received && conn->state != STATE_DONE)) {
        return false;
    }
    switch (conn->state) {
    case STATE_HEAD:
        return idle && conn->head_len < AW_WS_HEAD_MAX;
    case STATE_DATA:
        return conn->left > 0 && conn->first != 0 &&
               (conn->opcode == AW_WS_CONTINUATION || conn->opcode == conn->first);
    case STATE_CONTROL:
        return conn->left > 0 && conn->left + conn->control_len <= AW_WS_CONTROL_MAX &&
               (conn->opcode == AW_WS_CLOSE || conn->opcode == AW_WS_PING ||
                conn->opcode == AW_WS_PONG);
    case STATE_DONE:
        return idle && conn->first == 0;
    default:
        return false;
    }
}

static bool get_fixed(aw_ws_conn_t *conn, const unsigned char *in)
{
    aw_ws_conn_init(conn, NULL);
    conn->state = in[1];
    conn->fin = (in[2] & FLAG_FIN) != 0;
    conn->close_sent = (in[2] & FLAG_CLOSE_SENT) != 0;
    conn->close_received = (in[2] & FLAG_CLOSE_RECEIVED) != 0;
    conn->first = in[3];
    conn->opcode = in[4];
    conn->phase = in[5];
    conn->head_len = in[6];
    conn->control_len = in[7];
    memcpy(conn->key, in + 8, sizeof conn->key);
    conn->left = get_number(in + 17, 8);
    return in[0] == VERSION && in[2] <= FLAGS && get_params(&conn->deflate_params, in + 12) &&
           is_consistent(conn, get_number(in + 25, 8));
}

/* What follows the fixed part; `at` behind it. Memory is taken only for what is there. */
static bool get_rest(aw_ws_conn_t *conn, aw_ws_pool_t *pool, const unsigned char *at,
                     size_t message, size_t window)
{
    aw_ws_head_t head;

    memcpy(conn->head, at, conn->head_len);
    if (aw_ws_head_parse(&head, conn->head, conn->head_len) != AW_WS_AGAIN) {
        return false;
    }
    at += conn->head_len;
    if (conn->control_len > 0) {
        conn->control = malloc(AW_WS_CONTROL_MAX);
        if (conn->control == NULL) {
            return false;
        }
        at += put(conn->control, at, conn->control_len);
    }
    if (message > 0) {
        if (!aw_ws_buffer_reserve(pool, &conn->message, message)) {
            return false;
        }
        at += put(conn->message.data, at, message);
        conn->message.len = message;
        if (conn->first == AW_WS_TEXT &&
            !aw_ws_utf8_feed(&conn->utf8, conn->message.data, message)) {
            return false;
        }
    }
    return window == 0 ||
           aw_ws_deflate_restore(&conn->deflate, &conn->deflate_params, pool, at, window);
}

bool aw_ws_conn_restore(aw_ws_conn_t *conn, aw_ws_pool_t *pool, const unsigned char *in, size_t len)
{
    aw_ws_conn_t got;

    if (len < FIXED || !get_fixed(&got, in)) {
        return false;
    }
    const uint64_t message = get_number(in + 25, 8), window = get_number(in + 33, 4);
    const size_t small = FIXED + (size_t)got.head_len + got.control_len;
    if (window > WINDOW_MAX || (window > 0 && !got.deflate_params.in_takeover) || len < small ||
        message > len - small || window != len - small - message) {
        return false;
    }
    if (!get_rest(&got, pool, in + FIXED, (size_t)message, (size_t)window)) {
        aw_ws_conn_end(&got, pool);
        return false;
    }
    *conn = got;
    return true;
}
