/* One end of a WebSocket connection, without I/O: bytes in, events out; messages in, bytes out.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     bytes --aw_ws_conn_read--> MESSAGE, PING, PONG, CLOSE, FAILED
 *     message --aw_ws_conn_write--> head and payload, to be sent in this order
 *
 * Everything of RFC 6455 sections 5 to 8 and RFC 7692 that can be said without a socket is
 * decided here: masking, reserved bits, opcodes, fragments, control frames between them, lengths,
 * UTF-8 at the first wrong byte, codes of a close. Any split of the input gives the same events.
 * Nothing is allocated for what a peer declares, and nothing at all while no message is half
 * there. A connection and its pool belong to one thread at a time.
 */
#ifndef AUTHWS_WS_CONN_H
#define AUTHWS_WS_CONN_H

#include "ws/deflate.h"
#include "ws/frame.h"
#include "ws/utf8.h"

/* What connections of one kind have in common; read-only, outlives them. */
typedef struct aw_ws_settings_t {
    bool client;                    /* this end masks, the peer does not */
    uint64_t max_message;           /* bytes of a message, inflated; above: 1009 */
    uint64_t max_frame;             /* bytes of a frame's payload as it is sent; above: 1009 */
    aw_ws_deflate_policy_t deflate; /* level and min are of use here */
} aw_ws_settings_t;

typedef struct aw_ws_conn_t {
    /* private; small on purpose: ten thousand of them are idle */
    unsigned char state;
    unsigned char head_len; /* bytes of a head that is not complete */
    unsigned char first;    /* opcode of the message that is not complete; 0: none */
    unsigned char lent;     /* whose memory the last event's data lies in */
    unsigned char opcode;   /* of the present frame */
    unsigned char phase;    /* of the key */
    unsigned char control_len;
    aw_ws_utf8_t utf8; /* of the message */
    bool fin, compressed, close_sent, close_received;
    unsigned char key[4];
    uint64_t left; /* bytes of the present frame's payload to come */
    unsigned char head[AW_WS_HEAD_MAX];
    aw_ws_deflate_params_t deflate_params;
    aw_ws_deflate_t *deflate;
    aw_ws_buffer_t message; /* what is there of a message in pieces */
    unsigned char *control; /* a control frame in pieces, AW_WS_CONTROL_MAX bytes; NULL: none */
} aw_ws_conn_t;

typedef enum aw_ws_event_e {
    AW_WS_EVENT_MORE,    /* everything is consumed */
    AW_WS_EVENT_MESSAGE, /* a whole one: opcode, data */
    AW_WS_EVENT_PING,    /* data; the pong is the caller's to write, with this data */
    AW_WS_EVENT_PONG,    /* data */
    AW_WS_EVENT_CLOSE,   /* code (AW_WS_CODE_NONE when there was none), data: the reason */
    AW_WS_EVENT_FAILED   /* the connection has to be failed with `code`; why: a static phrase */
} aw_ws_event_e;

typedef struct aw_ws_found_t {
    aw_ws_opcode_e opcode; /* of a message */
    unsigned code;
    const char *why;
    unsigned char *data; /* borrowed until the next call; may lie in the input; may be changed */
    size_t len;
} aw_ws_found_t;

/* Begins after the handshake. `deflate` as negotiated; NULL or off: none. */
void aw_ws_conn_init(aw_ws_conn_t *conn, const aw_ws_deflate_params_t *deflate);

/* Takes from `len` bytes at `in`, which it may overwrite (unmasking in place), up to the first
 * event; *used is how many. With AW_WS_EVENT_MORE all are used. A message that lies whole in the
 * input is handed out there, without a copy; what is incomplete is kept by the connection.
 * After CLOSE or FAILED everything is AW_WS_EVENT_MORE: what comes then is consumed and ignored.
 */
aw_ws_event_e aw_ws_conn_read(aw_ws_conn_t *conn, const aw_ws_settings_t *settings,
                              aw_ws_pool_t *pool, unsigned char *in, size_t len, size_t *used,
                              aw_ws_found_t *found);

/* A frame to send: the head, then the payload. */
typedef struct aw_ws_out_t {
    unsigned char head[AW_WS_HEAD_MAX];
    unsigned char head_len;
    const unsigned char *data; /* the caller's own bytes, or borrowed until the next frame is made
                                  or the pool is used for anything else */
    size_t len;
} aw_ws_out_t;

/* Makes a frame of a whole message or a ping or pong (len <= AW_WS_CONTROL_MAX), compressed when
 * that was negotiated and the message is at least settings->deflate.min long. `mask_key`: four
 * unpredictable bytes at a client, NULL at a server. Text is the caller's to know: it is not
 * checked. False after a close frame has been sent, or when memory is out. */
bool aw_ws_conn_write(aw_ws_conn_t *conn, const aw_ws_settings_t *settings, aw_ws_pool_t *pool,
                      aw_ws_opcode_e opcode, const void *data, size_t len,
                      const unsigned char *mask_key, aw_ws_out_t *out);

/* Makes the close frame, once: false when one has been sent already. `code` AW_WS_CODE_NONE or
 * AW_WS_CODE_ABNORMAL: a frame without a code; another one that must not be sent becomes
 * AW_WS_CODE_INTERNAL. `reason` is cut to AW_WS_REASON_MAX bytes, at a character's end, and before
 * what is not UTF-8. The payload is put into `payload`, AW_WS_CONTROL_MAX bytes of the caller's. */
bool aw_ws_conn_close(aw_ws_conn_t *conn, const aw_ws_settings_t *settings, unsigned code,
                      aw_span_t reason, const unsigned char *mask_key, unsigned char *payload,
                      aw_ws_out_t *out);

/* Whether a close frame has gone out, or come in. */
static inline bool aw_ws_conn_close_sent(const aw_ws_conn_t *conn)
{
    return conn->close_sent;
}
static inline bool aw_ws_conn_close_received(const aw_ws_conn_t *conn)
{
    return conn->close_received;
}

/* Gives memory back to the pool when nothing has come for a while; data of the last event is gone
 * then. What is half there stays. */
void aw_ws_conn_rest(aw_ws_conn_t *conn, aw_ws_pool_t *pool);

/* Has our own compression start anew: to be called before a compressed frame is sent that was not
 * made by aw_ws_conn_write on this connection (one for many, from an empty window). At any time. */
void aw_ws_conn_restart(aw_ws_conn_t *conn, aw_ws_pool_t *pool);

/* Ends it and gives everything back; conn is as after _init without deflate. */
void aw_ws_conn_end(aw_ws_conn_t *conn, aw_ws_pool_t *pool);

/* Writes the whole state, with what is half there of frames and messages, for another process to
 * go on with: to `out`, at most `room` bytes; returns how many, 0 when that is not enough or the
 * state cannot be moved now (within a compressed message). The connection is unchanged. */
size_t aw_ws_conn_save(const aw_ws_conn_t *conn, unsigned char *out, size_t room);

/* Takes it up. False, with nothing allocated, when it is not what aw_ws_conn_save of this version
 * writes (every field is checked), or memory is out. */
bool aw_ws_conn_restore(aw_ws_conn_t *conn, aw_ws_pool_t *pool, const unsigned char *in,
                        size_t len);

#endif
