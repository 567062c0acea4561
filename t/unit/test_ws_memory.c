/* Tests of a WebSocket connection for which there is no memory.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fail_alloc.h"
#include "ws_stream.h"

/* More than any of these tests allocates. */
#define ENOUGH 1000

static const aw_ws_deflate_params_t takeover = {
    .on = true, .out_window = 15, .in_window = 15, .out_takeover = true, .in_takeover = true};

/* One reading of bytes that it may change; what it said first. */
static aw_ws_event_e read_some(ws_end_t *end, const ws_stream_t *stream, size_t from, size_t len,
                               unsigned *code)
{
    unsigned char copy[sizeof stream->bytes];
    aw_ws_found_t found = {0};
    size_t used;

    memcpy(copy, stream->bytes + from, len);
    const aw_ws_event_e event =
        aw_ws_conn_read(&end->conn, &end->settings, end->pool, copy, len, &used, &found);
    *code = found.code;
    return event;
}

/* The stream in two pieces, with `n` allocations; the event that ends it. */
static aw_ws_event_e read_with(unsigned n, const ws_stream_t *stream, bool *failed, unsigned *code)
{
    ws_end_t end;

    ws_end_init(&end, false, &takeover);
    unit_fail_alloc_after(n);
    aw_ws_event_e event = read_some(&end, stream, 0, 9, code);
    if (event == AW_WS_EVENT_MORE) {
        event = read_some(&end, stream, 9, stream->len - 9, code);
    }
    *failed = unit_alloc_again();
    ws_end_close(&end);
    return event;
}

static void test_read(void)
{
    static const unsigned char hello[] = "\xf2\x48\xcd\xc9\xc9\x07";
    const unsigned firsts[] = {0x82, 0x89, 0xC1};

    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        ws_stream_t stream = {.masked = true};
        bool failed = true;
        unsigned n = 0, code;
        ws_frame(&stream, firsts[i], hello, sizeof hello);
        for (; failed && n < ENOUGH; n++) {
            const aw_ws_event_e event = read_with(n, &stream, &failed, &code);
            if (failed) {
                CU_ASSERT(event == AW_WS_EVENT_FAILED && code == AW_WS_CODE_INTERNAL);
            } else {
                CU_ASSERT(event == AW_WS_EVENT_MESSAGE || event == AW_WS_EVENT_PING);
            }
        }
        /* Something was allocated, and it was enough at last. */
        CU_ASSERT(n > 1 && !failed);
    }
}

static void test_write(void)
{
    static const unsigned char key[4] = {1, 2, 3, 4};
    aw_ws_out_t out;
    ws_end_t end;

    ws_end_init(&end, false, &takeover);
    unit_fail_alloc_after(0);
    CU_ASSERT(
        aw_ws_conn_write(&end.conn, &end.settings, end.pool, AW_WS_TEXT, "Hello", 5, NULL, &out));
    CU_ASSERT(unit_alloc_again());
    CU_ASSERT(out.head[0] == 0x81 && out.len == 5 && memcmp(out.data, "Hello", 5) == 0);
    ws_end_close(&end);
    ws_end_init(&end, true, NULL);
    unit_fail_alloc_after(0);
    CU_ASSERT(
        !aw_ws_conn_write(&end.conn, &end.settings, end.pool, AW_WS_TEXT, "Hello", 5, key, &out));
    CU_ASSERT(unit_alloc_again());
    CU_ASSERT(
        aw_ws_conn_write(&end.conn, &end.settings, end.pool, AW_WS_TEXT, "Hello", 5, key, &out));
    ws_end_close(&end);
}

static void test_move(void)
{
    static const unsigned char hello[] = "\xf2\x48\xcd\xc9\xc9\x07";
    ws_stream_t stream = {.masked = true};
    unsigned char saved[512];
    bool failed = true;
    unsigned n = 0;
    ws_end_t end;

    ws_frame(&stream, 0xC1, hello, sizeof hello);
    WS_FRAME(&stream, 0x01, "half of it");
    WS_FRAME(&stream, 0x89, "ping");
    ws_end_init(&end, false, &takeover);
    ws_feed(&end, stream.bytes, stream.len - 1);
    unit_fail_alloc_after(0);
    CU_ASSERT_EQUAL(aw_ws_conn_save(&end.conn, saved, sizeof saved), 0);
    CU_ASSERT(unit_alloc_again());
    const size_t len = aw_ws_conn_save(&end.conn, saved, sizeof saved);
    CU_ASSERT(len > 0);
    ws_end_close(&end);
    for (; failed && n < ENOUGH; n++) {
        ws_end_init(&end, false, NULL);
        unit_fail_alloc_after(n);
        const bool restored = aw_ws_conn_restore(&end.conn, end.pool, saved, len);
        failed = unit_alloc_again();
        CU_ASSERT_EQUAL(restored, !failed);
        CU_ASSERT_EQUAL(end.conn.message.len, restored ? 10 : 0);
        ws_end_close(&end);
    }
    CU_ASSERT(n > 2 && !failed);
}

static const unit_test_t tests[] = {
    {"reading fails with 1011 where memory is out, and leaves nothing", test_read},
    {"a message is sent as it is where there is no memory to compress it", test_write},
    {"a state is not taken up by halves", test_move},
    {NULL, NULL}};
const unit_suite_t ws_memory_suite = {"ws_memory", tests};
