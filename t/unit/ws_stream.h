/* Streams of WebSocket frames for tests, and an end that writes down what it makes of them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_T_WS_STREAM_H
#define AUTHWS_T_WS_STREAM_H

#include "unit.h"
#include "ws/conn.h"

/* Bytes on the wire. */
typedef struct ws_stream_t {
    unsigned char bytes[4096];
    size_t len;
    bool masked; /* as a client sends it; the key differs from frame to frame */
} ws_stream_t;

/* Appends a frame: its first byte, and its payload. */
void ws_frame(ws_stream_t *stream, unsigned first, const void *payload, size_t len);

/* Appends bytes as they are. */
void ws_raw(ws_stream_t *stream, const void *bytes, size_t len);

#define WS_FRAME(stream, first, payload) ws_frame(stream, first, "" payload, sizeof(payload) - 1)
#define WS_RAW(stream, bytes)            ws_raw(stream, "" bytes, sizeof(bytes) - 1)

/* An end: what it says of its input is one item an event, `T(text)`, `B(binary)`, `PING(...)`,
 * `PONG(...)`, `CLOSE(code reason)`, `FAILED(code)`. */
typedef struct ws_end_t {
    aw_ws_conn_t conn;
    aw_ws_settings_t settings;
    aw_ws_pool_t *pool;
    char said[4096];
    size_t said_len;
} ws_end_t;

/* Of a server unless `client`; limits of 256 bytes for a message and 200 for a frame. `deflate`
 * NULL: none. */
void ws_end_init(ws_end_t *end, bool client, const aw_ws_deflate_params_t *deflate);
void ws_end_close(ws_end_t *end);

/* Reads `len` bytes, which end at an inaccessible page. */
void ws_feed(ws_end_t *end, const void *bytes, size_t len);

/* Whether an end with `like`'s role, limits and negotiation says `expected` of the stream: fed
 * whole, byte by byte, and in two pieces with each split there is. Says so where not. */
bool ws_every_split(const ws_end_t *like, const ws_stream_t *stream, const char *expected);

/* How many bytes of the stream, fed byte by byte, there were when the end failed; 0: it did not. */
size_t ws_fails_at(const ws_end_t *like, const ws_stream_t *stream);

#endif
