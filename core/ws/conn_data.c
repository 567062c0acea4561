/* A connection's messages: payload unmasked, gathered, inflated, and checked as it comes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ws/conn_state.h"
#include "ws/mask.h"

/* Room that is made for inflated bytes at once, at least and at most: what a compressed payload
 * will grow to, only its peer knows. */
enum { INFLATE_LEAST = 1024, INFLATE_MOST = 16384, INFLATE_RATIO = 4 };

static int no_memory(aw_ws_reader_t *r)
{
    return aw_ws_read_fail(r, AW_WS_CODE_INTERNAL, "memory is out");
}

static int not_utf8(aw_ws_reader_t *r)
{
    return aw_ws_read_fail(r, AW_WS_CODE_INVALID, "a text is not UTF-8");
}

static int too_big(aw_ws_reader_t *r)
{
    return aw_ws_read_fail(r, AW_WS_CODE_TOO_BIG, "a message is too long");
}

/* Whether the next bytes of the message may stand there. */
static bool check_text(aw_ws_conn_t *conn, const unsigned char *data, size_t len)
{
    return conn->first != AW_WS_TEXT || aw_ws_utf8_feed(&conn->utf8, data, len);
}

static int end_message(aw_ws_reader_t *r, unsigned char *data, size_t len)
{
    aw_ws_conn_t *conn = r->conn;

    if (conn->first == AW_WS_TEXT && !aw_ws_utf8_may_end(&conn->utf8)) {
        return not_utf8(r);
    }
    *r->found = (aw_ws_found_t){.opcode = (aw_ws_opcode_e)conn->first, .data = data, .len = len};
    conn->state = STATE_HEAD;
    conn->first = 0;
    conn->lent = conn->message.data != NULL ? LENT_MESSAGE : LENT_NOTHING;
    return AW_WS_EVENT_MESSAGE;
}

/* The next `n` bytes of an uncompressed message. */
static int gather(aw_ws_reader_t *r, size_t n)
{
    aw_ws_conn_t *conn = r->conn;

    if (n == 0) {
        return AW_WS_GO_ON;
    }
    if (!aw_ws_buffer_reserve(r->pool, &conn->message, n)) {
        return no_memory(r);
    }
    unsigned char *to = conn->message.data + conn->message.len;
    if (r->settings->client) {
        memcpy(to, r->at, n);
    } else {
        conn->phase = (unsigned char)aw_ws_mask_copy(to, r->at, n, conn->key, conn->phase);
    }
    conn->message.len += n;
    return check_text(conn, to, n) ? AW_WS_GO_ON : not_utf8(r);
}

/* A message that lies whole in the input: unmasked and given out there. */
static int whole(aw_ws_reader_t *r, size_t n)
{
    unsigned char *data = r->at;

    if (!r->settings->client) {
        (void)aw_ws_mask(data, n, r->conn->key, 0);
    }
    if (!check_text(r->conn, data, n)) {
        return not_utf8(r);
    }
    r->at += n;
    r->len -= n;
    return end_message(r, data, n);
}

/* Room behind the message for more of it, within the limit; a message that has reached its limit
 * gets one byte, to see whether there is more. False: no memory. */
static bool inflate_room(aw_ws_reader_t *r, size_t input, unsigned char *probe, unsigned char **out,
                         size_t *room)
{
    aw_ws_buffer_t *message = &r->conn->message;
    const uint64_t limit = r->settings->max_message;
    const uint64_t rest = limit > message->len ? limit - message->len : 0;

    if (rest == 0) {
        *out = probe;
        *room = 1;
        return true;
    }
    if (message->room - message->len < INFLATE_LEAST && message->room - message->len < rest) {
        size_t more = input < INFLATE_MOST / INFLATE_RATIO ? input * INFLATE_RATIO : INFLATE_MOST;
        more = more > INFLATE_LEAST ? more : INFLATE_LEAST;
        if (!aw_ws_buffer_reserve(r->pool, message, more < rest ? more : (size_t)rest)) {
            return false;
        }
    }
    *out = message->data + message->len;
    *room = message->room - message->len;
    if (*room > rest) {
        *room = (size_t)rest;
    }
    return true;
}

/* Inflates `len` bytes of the input or, with `end`, what ends a message. What came before a
 * mistake is judged first: the same is said however the input is split. */
static int inflate_input(aw_ws_reader_t *r, size_t len, bool end)
{
    aw_ws_conn_t *conn = r->conn;
    size_t made, room;

    do {
        unsigned char probe, *out;
        size_t used = 0;
        aw_ws_inflate_e status;
        made = 0;
        if (!inflate_room(r, len, &probe, &out, &room)) {
            return no_memory(r);
        }
        if (end) {
            status =
                aw_ws_inflate_end(&conn->deflate, &conn->deflate_params, r->pool, out, room, &made);
        } else {
            status = aw_ws_inflate_part(&conn->deflate, &conn->deflate_params, r->pool, r->at, len,
                                        &used, out, room, &made);
        }
        if (status == AW_WS_INFLATE_NO_MEMORY) {
            return no_memory(r);
        }
        if (made > 0 && out == &probe) {
            return too_big(r);
        }
        if (made > 0) {
            conn->message.len += made;
            if (!check_text(conn, out, made)) {
                return not_utf8(r);
            }
        }
        if (status == AW_WS_INFLATE_BROKEN) {
            return aw_ws_read_fail(r, AW_WS_CODE_INVALID, "compressed data is broken");
        }
        r->at += used;
        r->len -= used;
        len -= used;
    } while (end ? made > 0 : len > 0 || made == room);
    return AW_WS_GO_ON;
}

static int inflate_some(aw_ws_reader_t *r, size_t n)
{
    if (n == 0) {
        return AW_WS_GO_ON;
    }
    if (!r->settings->client) {
        r->conn->phase = (unsigned char)aw_ws_mask(r->at, n, r->conn->key, r->conn->phase);
    }
    return inflate_input(r, n, false);
}

int aw_ws_read_data(aw_ws_reader_t *r)
{
    aw_ws_conn_t *conn = r->conn;
    const size_t n = r->len < conn->left ? r->len : (size_t)conn->left;
    const uint64_t limit = r->settings->max_message;
    int event;

    if (!conn->compressed) {
        /* Not only at the frame's start: a restored connection may have got other settings. */
        if (conn->message.len > limit || conn->left > limit - conn->message.len) {
            return too_big(r);
        }
        if (n == conn->left && conn->fin && conn->message.len == 0) {
            conn->left = 0;
            return whole(r, n);
        }
        event = gather(r, n);
        r->at += n;
        r->len -= n;
    } else {
        event = inflate_some(r, n);
    }
    conn->left -= n;
    if (event != AW_WS_GO_ON || conn->left > 0) {
        return event != AW_WS_GO_ON ? event : AW_WS_EVENT_MORE;
    }
    if (!conn->fin) {
        conn->state = STATE_HEAD;
        return AW_WS_GO_ON;
    }
    if (conn->compressed) {
        event = inflate_input(r, 0, true);
        if (event != AW_WS_GO_ON) {
            return event;
        }
    }
    return end_message(r, conn->message.data != NULL ? conn->message.data : r->at,
                       conn->message.len);
}
