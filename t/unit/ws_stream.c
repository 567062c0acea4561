/* Streams of WebSocket frames for tests, and an end that writes down what it makes of them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ws_stream.h"

#include <stdio.h>

void ws_raw(ws_stream_t *stream, const void *bytes, size_t len)
{
    CU_ASSERT_FATAL(len <= sizeof stream->bytes - stream->len);
    memcpy(stream->bytes + stream->len, bytes, len);
    stream->len += len;
}

void ws_frame(ws_stream_t *stream, unsigned first, const void *payload, size_t len)
{
    aw_ws_head_t head = {.fin = (first & 0x80) != 0,
                         .rsv = (unsigned char)(first >> 4 & 7),
                         .opcode = (unsigned char)(first & 15),
                         .masked = stream->masked,
                         .len = len};
    unsigned char bytes[AW_WS_HEAD_MAX];

    for (size_t i = 0; i < sizeof head.key; i++) {
        head.key[i] = (unsigned char)(0x37 + 61 * stream->len + 101 * i);
    }
    ws_raw(stream, bytes, aw_ws_head_build(bytes, &head));
    ws_raw(stream, payload, len);
    for (size_t i = 0; head.masked && i < len; i++) {
        stream->bytes[stream->len - len + i] ^= head.key[i % 4];
    }
}

void ws_end_init(ws_end_t *end, bool client, const aw_ws_deflate_params_t *deflate)
{
    memset(end, 0, sizeof *end);
    end->settings = (aw_ws_settings_t){
        .client = client, .max_message = 256, .max_frame = 200, .deflate = {.level = 6}};
    end->pool = aw_ws_pool_create();
    CU_ASSERT_PTR_NOT_NULL_FATAL(end->pool);
    aw_ws_conn_init(&end->conn, deflate);
}

void ws_end_close(ws_end_t *end)
{
    aw_ws_conn_end(&end->conn, end->pool);
    aw_ws_pool_destroy(end->pool);
}

static void say(ws_end_t *end, const char *text)
{
    const size_t len = strlen(text);

    CU_ASSERT(len < sizeof end->said - end->said_len);
    memcpy(end->said + end->said_len, text, len + 1);
    end->said_len += len;
}

static void say_data(ws_end_t *end, const aw_ws_found_t *found)
{
    for (size_t i = 0; i < found->len; i++) {
        const unsigned char c = found->data[i];
        char text[8];
        snprintf(text, sizeof text, c >= 0x20 && c < 0x7F ? "%c" : "<%02X>", c);
        say(end, text);
    }
    /* It may be changed. */
    if (found->len > 0) {
        memset(found->data, 0, found->len);
    }
}

static void say_event(ws_end_t *end, aw_ws_event_e event, const aw_ws_found_t *found)
{
    char code[16] = "";

    if (event == AW_WS_EVENT_CLOSE || event == AW_WS_EVENT_FAILED) {
        snprintf(code, sizeof code, event == AW_WS_EVENT_CLOSE ? "%u " : "%u", found->code);
    }
    say(end, event == AW_WS_EVENT_PING     ? "PING("
             : event == AW_WS_EVENT_PONG   ? "PONG("
             : event == AW_WS_EVENT_CLOSE  ? "CLOSE("
             : event == AW_WS_EVENT_FAILED ? "FAILED("
             : found->opcode == AW_WS_TEXT ? "T("
                                           : "B(");
    say(end, code);
    if (event == AW_WS_EVENT_FAILED) {
        CU_ASSERT_PTR_NOT_NULL(found->why);
    } else {
        say_data(end, found);
    }
    say(end, ") ");
}

void ws_feed(ws_end_t *end, const void *bytes, size_t len)
{
    const aw_span_t guarded = unit_guard(bytes, len);
    unsigned char *at = (unsigned char *)(uintptr_t)guarded.ptr;
    aw_ws_event_e event;

    do {
        aw_ws_found_t found = {0};
        size_t used = SIZE_MAX;
        event = aw_ws_conn_read(&end->conn, &end->settings, end->pool, at, len, &used, &found);
        CU_ASSERT(used <= len && (event != AW_WS_EVENT_MORE || used == len));
        if (event != AW_WS_EVENT_MORE) {
            say_event(end, event, &found);
        }
        at += used;
        len -= used;
    } while (event != AW_WS_EVENT_MORE);
    unit_guard_free(guarded);
}

/* Fed in pieces: `first` bytes, then `step` bytes at a time. */
static bool says(const ws_end_t *like, const ws_stream_t *stream, size_t first, size_t step,
                 const char *expected)
{
    ws_end_t end;

    ws_end_init(&end, like->settings.client, &like->conn.deflate_params);
    end.settings = like->settings;
    ws_feed(&end, stream->bytes, first);
    for (size_t at = first; at < stream->len; at += step) {
        ws_feed(&end, stream->bytes + at, step < stream->len - at ? step : stream->len - at);
    }
    const bool same = strcmp(end.said, expected) == 0;
    if (!same) {
        printf("    %zu bytes, then %zu at a time: %s instead of %s\n", first, step, end.said,
               expected);
    }
    ws_end_close(&end);
    return same;
}

bool ws_every_split(const ws_end_t *like, const ws_stream_t *stream, const char *expected)
{
    bool out = says(like, stream, 0, 1, expected);

    for (size_t first = 0; out && first <= stream->len; first++) {
        out = says(like, stream, first, stream->len, expected);
    }
    return out;
}

size_t ws_fails_at(const ws_end_t *like, const ws_stream_t *stream)
{
    size_t at = 0;
    ws_end_t end;

    ws_end_init(&end, like->settings.client, &like->conn.deflate_params);
    end.settings = like->settings;
    while (at < stream->len && strstr(end.said, "FAILED") == NULL) {
        ws_feed(&end, stream->bytes + at++, 1);
    }
    if (strstr(end.said, "FAILED") == NULL) {
        at = 0;
    }
    ws_end_close(&end);
    return at;
}
