/* Tests of a WebSocket connection's writing, and of its state on the way to another process.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ws_stream.h"

static const aw_ws_deflate_params_t takeover = {
    .on = true, .out_window = 15, .in_window = 15, .out_takeover = true, .in_takeover = true};

static void test_write(void)
{
    static const unsigned char key[4] = {0x37, 0xfa, 0x21, 0x3d};
    const char *text = "Hello";
    aw_ws_out_t out;
    ws_end_t end;

    ws_end_init(&end, false, NULL);
    CU_ASSERT(
        aw_ws_conn_write(&end.conn, &end.settings, end.pool, AW_WS_TEXT, text, 5, NULL, &out));
    CU_ASSERT(out.head_len == 2 && memcmp(out.head, "\x81\x05", 2) == 0);
    CU_ASSERT(out.data == (const unsigned char *)text && out.len == 5);
    CU_ASSERT(
        aw_ws_conn_write(&end.conn, &end.settings, end.pool, AW_WS_PING, NULL, 0, NULL, &out));
    CU_ASSERT(out.head_len == 2 && memcmp(out.head, "\x89\x00", 2) == 0 && out.len == 0);
    ws_end_close(&end);
    ws_end_init(&end, true, NULL);
    CU_ASSERT(aw_ws_conn_write(&end.conn, &end.settings, end.pool, AW_WS_TEXT, text, 5, key, &out));
    CU_ASSERT(out.head_len == 6 && memcmp(out.head, "\x81\x85\x37\xfa\x21\x3d", 6) == 0);
    CU_ASSERT(out.len == 5 && memcmp(out.data, "\x7f\x9f\x4d\x51\x58", 5) == 0);
    CU_ASSERT_STRING_EQUAL(text, "Hello");
    CU_ASSERT(aw_ws_conn_write(&end.conn, &end.settings, end.pool, AW_WS_PONG, NULL, 0, key, &out));
    CU_ASSERT(out.head_len == 6 && memcmp(out.head, "\x8a\x80", 2) == 0 && out.len == 0);
    ws_end_close(&end);
}

/* The close frame that is made of a code and a reason. */
static void closes(unsigned code, const char *reason, const char *expected, size_t len)
{
    unsigned char payload[AW_WS_CONTROL_MAX];
    const aw_span_t guarded = unit_guard(reason, strlen(reason));
    aw_ws_out_t out;
    ws_end_t end;

    ws_end_init(&end, false, NULL);
    CU_ASSERT(aw_ws_conn_close(&end.conn, &end.settings, code, guarded, NULL, payload, &out));
    CU_ASSERT(out.head_len == 2 && out.head[0] == 0x88 && out.head[1] == len);
    CU_ASSERT(out.len == len && memcmp(out.data, expected, len) == 0);
    CU_ASSERT(aw_ws_conn_close_sent(&end.conn));
    CU_ASSERT(!aw_ws_conn_close(&end.conn, &end.settings, code, guarded, NULL, payload, &out));
    CU_ASSERT(
        !aw_ws_conn_write(&end.conn, &end.settings, end.pool, AW_WS_PONG, NULL, 0, NULL, &out));
    ws_end_close(&end);
    unit_guard_free(guarded);
}

#define X40 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void test_close(void)
{
    static const unsigned char key[4] = {1, 2, 3, 4};
    unsigned char payload[AW_WS_CONTROL_MAX];
    aw_ws_out_t out;
    ws_end_t end;

    closes(1000, "", "\x03\xe8", 2);
    closes(4000, "bye",
           "\x0f\xa0"
           "bye",
           5);
    closes(AW_WS_CODE_NONE, "never said", "", 0);
    closes(AW_WS_CODE_ABNORMAL, "", "", 0);
    closes(999, "", "\x03\xf3", 2);
    closes(70000, "", "\x03\xf3", 2);
    closes(1000, X40 X40 X40 "xxxx", "\x03\xe8" X40 X40 X40 "xxx", 125);
    closes(1000, X40 X40 X40 "x\xe2\x82\xac", "\x03\xe8" X40 X40 X40 "x", 123);
    closes(1000, X40 X40 X40 "\xe2\x82\xac", "\x03\xe8" X40 X40 X40 "\xe2\x82\xac", 125);
    closes(1000, "ok\xff no", "\x03\xe8ok", 4);
    ws_end_init(&end, true, NULL);
    CU_ASSERT(
        aw_ws_conn_close(&end.conn, &end.settings, 1000, AW_SPAN_LIT("a"), key, payload, &out));
    CU_ASSERT(out.head_len == 6 && memcmp(out.head, "\x88\x83\x01\x02\x03\x04", 6) == 0);
    CU_ASSERT(out.len == 3 && memcmp(out.data, "\x02\xea\x62", 3) == 0);
    ws_end_close(&end);
}

/* A stream in which everything can be half there. */
static void fill(ws_stream_t *stream)
{
    WS_FRAME(stream, 0x81, "one");
    WS_FRAME(stream, 0x01, "tw\xc3");
    WS_FRAME(stream, 0x89, "ping");
    WS_FRAME(stream, 0x00, "\xa4 and");
    WS_FRAME(stream, 0x80, " more");
    WS_FRAME(stream, 0x02, "");
    WS_FRAME(stream, 0x80, "\xff\x00");
    WS_FRAME(stream, 0x88,
             "\x03\xe8"
             "bye");
}

#define FILLED "T(one) PING(ping) T(tw<C3><A4> and more) B(<FF><00>) CLOSE(1000 bye) "

/* Saves, takes it up elsewhere, and goes on there. */
static void move(ws_end_t *end, ws_end_t *other)
{
    unsigned char saved[512];
    const size_t len = aw_ws_conn_save(&end->conn, saved, sizeof saved);

    CU_ASSERT_FATAL(len > 0);
    for (size_t room = 0; room < len; room++) {
        unsigned char small[512];
        CU_ASSERT_EQUAL(aw_ws_conn_save(&end->conn, small, room), 0);
    }
    for (size_t cut = 0; cut < len; cut++) {
        const aw_span_t in = unit_guard(saved, cut);
        CU_ASSERT(
            !aw_ws_conn_restore(&other->conn, other->pool, (const unsigned char *)in.ptr, cut));
        unit_guard_free(in);
    }
    CU_ASSERT(aw_ws_conn_restore(&other->conn, other->pool, saved, len));
    memcpy(other->said, end->said, sizeof end->said);
    other->said_len = end->said_len;
}

static void test_move(void)
{
    for (int client = 0; client <= 1; client++) {
        ws_stream_t stream = {.masked = client == 0};
        fill(&stream);
        for (size_t cut = 0; cut <= stream.len; cut++) {
            ws_end_t end, other;
            ws_end_init(&end, client == 1, NULL);
            ws_end_init(&other, client == 1, NULL);
            ws_feed(&end, stream.bytes, cut);
            move(&end, &other);
            ws_feed(&other, stream.bytes + cut, stream.len - cut);
            CU_ASSERT_STRING_EQUAL(other.said, FILLED);
            CU_ASSERT(aw_ws_conn_close_received(&other.conn));
            ws_end_close(&end);
            ws_end_close(&other);
        }
    }
}

/* Every value of every byte of every state: refused, or a connection that can be used. */
static void test_hostile(void)
{
    ws_stream_t stream = {.masked = true};
    size_t taken = 0, refused = 0;

    fill(&stream);
    for (size_t cut = 0; cut <= stream.len; cut += 3) {
        unsigned char saved[512];
        ws_end_t end;
        ws_end_init(&end, false, NULL);
        ws_feed(&end, stream.bytes, cut);
        const size_t len = aw_ws_conn_save(&end.conn, saved, sizeof saved);
        ws_end_close(&end);
        for (size_t at = 0; at < len; at++) {
            for (unsigned flip = 1; flip < 256; flip += flip < 16 ? 1 : 15) {
                const unsigned char before = saved[at];
                saved[at] ^= (unsigned char)flip;
                const aw_span_t in = unit_guard(saved, len);
                ws_end_init(&end, false, NULL);
                if (aw_ws_conn_restore(&end.conn, end.pool, (const unsigned char *)in.ptr, len)) {
                    ws_feed(&end, stream.bytes + cut, stream.len - cut);
                    taken++;
                } else {
                    CU_ASSERT(end.conn.message.data == NULL && end.conn.control == NULL);
                    refused++;
                }
                ws_end_close(&end);
                unit_guard_free(in);
                saved[at] = before;
            }
        }
    }
    /* A mask key may be any. */
    CU_ASSERT(taken > 0);
    CU_ASSERT(refused > taken);
}

/* Limits of the process that takes it up hold, for what is already on its way too. */
static void test_new_limits(void)
{
    ws_stream_t stream = {.masked = true};
    ws_end_t end, other;

    WS_FRAME(&stream, 0x82, "0123456789");
    ws_end_init(&end, false, NULL);
    ws_end_init(&other, false, NULL);
    other.settings.max_message = 9;
    ws_feed(&end, stream.bytes, 9);
    move(&end, &other);
    ws_feed(&other, stream.bytes + 9, stream.len - 9);
    CU_ASSERT_STRING_EQUAL(other.said, "FAILED(1009) ");
    ws_end_close(&end);
    ws_end_close(&other);
}

/* A connection that has failed is one that reads no more, there as here. */
static void test_move_failed(void)
{
    ws_end_t end, other;

    ws_end_init(&end, false, NULL);
    ws_end_init(&other, false, NULL);
    ws_feed(&end, "\x82\xfe\x00", 3);
    ws_feed(&end, "\x7d", 1);
    move(&end, &other);
    ws_feed(&other, "\x81\x80\x01\x02\x03\x04", 6);
    CU_ASSERT_STRING_EQUAL(other.said, "FAILED(1002) ");
    ws_end_close(&end);
    ws_end_close(&other);
}

static void test_move_window(void)
{
    static const unsigned char hello[] = "\xf2\x48\xcd\xc9\xc9\x07\x00";
    static const unsigned char again[] = "\xf2\x00\x11\x00\x00";
    ws_stream_t stream = {.masked = true};
    unsigned char saved[512];
    ws_end_t end, other;

    ws_end_init(&end, false, &takeover);
    ws_end_init(&other, false, NULL);
    ws_frame(&stream, 0xC1, hello, 7);
    ws_feed(&end, stream.bytes, stream.len - 1);
    CU_ASSERT_EQUAL(aw_ws_conn_save(&end.conn, saved, sizeof saved), 0);
    ws_feed(&end, stream.bytes + stream.len - 1, 1);
    move(&end, &other);
    stream.len = 0;
    ws_frame(&stream, 0xC1, again, 5);
    ws_feed(&other, stream.bytes, stream.len);
    CU_ASSERT_STRING_EQUAL(other.said, "T(Hello) T(Hello) ");
    ws_end_close(&end);
    ws_end_close(&other);
}

static const unit_test_t tests[] = {
    {"frames are written as the RFC shows them", test_write},
    {"a close frame is made once, its code and reason made fit", test_close},
    {"a connection goes on elsewhere from any byte", test_move},
    {"a state that was tampered with is refused or does no harm", test_hostile},
    {"the limits are those of the process that takes it up", test_new_limits},
    {"a connection that has failed reads no more anywhere", test_move_failed},
    {"the window of compressed messages moves, half a message does not", test_move_window},
    {NULL, NULL}};
const unit_suite_t ws_conn_save_suite = {"ws_conn_save", tests};
