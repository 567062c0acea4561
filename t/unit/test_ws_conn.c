/* Tests of a WebSocket connection's reading: what it makes of frames, however they are split.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ws_stream.h"

typedef struct frame_t {
    unsigned first;
    const char *payload;
    size_t len;
} frame_t;

#define P(s) "" s, sizeof(s) - 1

typedef struct vector_t {
    const char *expected;
    frame_t frames[6]; /* up to the first without a payload */
} vector_t;

/* What 125 and 126 bytes look like. */
#define TEN  "0123456789"
#define B125 TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "01234"
#define B126 B125 "5"
#define B200 B125 "56789" TEN TEN TEN TEN TEN TEN TEN

static const vector_t good[] = {
    {"T(Hello) ", {{0x81, P("Hello")}}},
    {"T(Hello) ", {{0x01, P("Hel")}, {0x80, P("lo")}}},
    {"PING(Hello) ", {{0x89, P("Hello")}}},
    {"PONG(Hello) ", {{0x8A, P("Hello")}}},
    {"T() B() PING() PONG() ", {{0x81, P("")}, {0x82, P("")}, {0x89, P("")}, {0x8A, P("")}}},
    {"B(<00><FF><80>) T(x) ", {{0x82, P("\x00\xff\x80")}, {0x81, P("x")}}},
    {"T(" B125 ") ", {{0x81, P(B125)}}},
    {"T(" B126 ") ", {{0x81, P(B126)}}},
    {"B(" B200 ") ", {{0x82, P(B200)}}},
    {"PING(" B125 ") ", {{0x89, P(B125)}}},
    {"T(" B125 B125 "012345) ",
     {{0x01, P(B125)}, {0x00, P("")}, {0x00, P(B125)}, {0x80, P("012345")}, {0}}},
    {"T() ", {{0x01, P("")}, {0x00, P("")}, {0x80, P("")}}},
    {"T(x) ", {{0x01, P("")}, {0x80, P("x")}}},
    {"PING(in) PONG() T(Hello) B(<01>) ",
     {{0x01, P("Hel")},
      {0x89, P("in")},
      {0x00, P("l")},
      {0x8A, P("")},
      {0x80, P("o")},
      {0x82, P("\x01")}}},
    {"T(<C3><A4><E2><82><AC><F0><9F><98><80>) ",
     {{0x01, P("\xc3")}, {0x00, P("\xa4\xe2\x82")}, {0x80, P("\xac\xf0\x9f\x98\x80")}}},
    {"CLOSE(1005 ) ", {{0x88, P("")}, {0x81, P("late")}, {0xFF, P("rubbish")}}},
    {"CLOSE(1000 ) ", {{0x88, P("\x03\xe8")}, {0x88, P("\x03\xe8")}}},
    {"CLOSE(4999 bye <C3><A4>) ",
     {{0x88, P("\x13\x87"
               "bye \xc3\xa4")}}},
    {"CLOSE(1001 ) ", {{0x01, P("never")}, {0x88, P("\x03\xe9")}, {0x80, P("whole")}}},
};

static const vector_t bad[] = {
    {"T(a) FAILED(1002) ", {{0x81, P("a")}, {0x91, P("b")}, {0x81, P("c")}}},
    {"FAILED(1002) ", {{0xA1, P("b")}}},
    {"FAILED(1002) ", {{0xC1, P("b")}}},
    {"FAILED(1002) ", {{0xC9, P("b")}}},
    {"PING(a) FAILED(1002) ", {{0x89, P("a")}, {0xF8, P("")}}},
    {"FAILED(1002) ", {{0x83, P("b")}}},
    {"FAILED(1002) ", {{0x07, P("b")}}},
    {"FAILED(1002) ", {{0x8B, P("b")}}},
    {"FAILED(1002) ", {{0x8F, P("")}}},
    {"FAILED(1002) ", {{0x80, P("nothing begun")}}},
    {"FAILED(1002) ", {{0x00, P("nothing begun")}}},
    {"T(a) FAILED(1002) ", {{0x01, P("")}, {0x80, P("a")}, {0x80, P("b")}}},
    {"FAILED(1002) ", {{0x01, P("a")}, {0x81, P("b")}}},
    {"FAILED(1002) ", {{0x02, P("a")}, {0x02, P("b")}}},
    {"PONG() FAILED(1002) ", {{0x01, P("a")}, {0x8A, P("")}, {0x82, P("b")}}},
    {"FAILED(1002) ", {{0x01, P("a")}, {0xC0, P("b")}}},
    {"FAILED(1002) ", {{0x09, P("a")}}},
    {"FAILED(1002) ", {{0x08, P("")}}},
    {"FAILED(1002) ", {{0x89, P(B126)}}},
    {"FAILED(1002) ", {{0x88, P(B126)}}},
    {"FAILED(1002) ", {{0x88, P("\x03")}}},
    {"FAILED(1002) ", {{0x88, P("\x00\x00")}}},
    {"FAILED(1002) ", {{0x88, P("\x03\xe7")}}}, /* 999 */
    {"FAILED(1002) ",
     {{0x88, P("\x03\xec"
               "x")}}},                         /* 1004 */
    {"FAILED(1002) ", {{0x88, P("\x03\xed")}}}, /* 1005 */
    {"FAILED(1002) ", {{0x88, P("\x03\xee")}}}, /* 1006 */
    {"FAILED(1002) ", {{0x88, P("\x03\xf7")}}}, /* 1015 */
    {"FAILED(1002) ", {{0x88, P("\x0b\xb7")}}}, /* 2999 */
    {"FAILED(1002) ", {{0x88, P("\x13\x88")}}}, /* 5000 */
    {"FAILED(1002) ", {{0x88, P("\xff\xff")}}},
    {"FAILED(1007) ", {{0x88, P("\x03\xe8\xff")}}},
    {"FAILED(1007) ",
     {{0x88, P("\x03\xe8"
               "cut \xe2\x82")}}},
    {"FAILED(1007) ", {{0x81, P("\xff")}}},
    {"FAILED(1007) ", {{0x81, P("cut \xe2\x82")}}},
    {"FAILED(1007) ", {{0x01, P("cut \xe2\x82")}, {0x80, P("")}}},
    {"FAILED(1007) ", {{0x01, P("cut \xe2\x82")}, {0x80, P("\xe2")}}},
    {"PING() FAILED(1007) ", {{0x01, P("\xed")}, {0x89, P("")}, {0x80, P("\xa0\x80")}}},
    {"T(x) FAILED(1007) ", {{0x81, P("x")}, {0x81, P("\xc0\x80")}, {0x81, P("y")}}},
    {"B(" B200 ") FAILED(1009) ", {{0x82, P(B200)}, {0x82, P(B200 "!")}}},
    {"FAILED(1009) ", {{0x02, P(B200)}, {0x80, P(TEN TEN TEN TEN TEN "0123456")}}},
    {"FAILED(1009) ", {{0x02, P(B200)}, {0x00, P(B125)}, {0x80, P("")}}},
};

static void run(const vector_t *vectors, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        /* Both roles read the same, masked or not. */
        for (int client = 0; client <= 1; client++) {
            ws_stream_t stream = {.masked = client == 0};
            ws_end_t like;
            for (size_t j = 0; j < 6 && vectors[i].frames[j].payload != NULL; j++) {
                const frame_t *frame = &vectors[i].frames[j];
                ws_frame(&stream, frame->first, frame->payload, frame->len);
            }
            ws_end_init(&like, client == 1, NULL);
            CU_ASSERT(ws_every_split(&like, &stream, vectors[i].expected));
            ws_end_close(&like);
        }
    }
}

static void test_good(void)
{
    run(good, sizeof good / sizeof good[0]);
}

static void test_bad(void)
{
    run(bad, sizeof bad / sizeof bad[0]);
}

/* Whether raw bytes make an end fail with 1002, and with which byte. */
static void fails(bool client, const void *bytes, size_t len, size_t with, const char *expected)
{
    ws_stream_t stream = {.len = 0};
    ws_end_t like;

    ws_raw(&stream, bytes, len);
    ws_end_init(&like, client, NULL);
    CU_ASSERT(ws_every_split(&like, &stream, expected));
    CU_ASSERT_EQUAL(ws_fails_at(&like, &stream), with);
    ws_end_close(&like);
}

static void test_heads(void)
{
    fails(false, P("\x81\x05Hello"), 2, "FAILED(1002) ");
    fails(true, P("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), 2, "FAILED(1002) ");
    fails(false, P("\x91\x80"), 1, "FAILED(1002) ");
    fails(false, P("\x83\x80"), 1, "FAILED(1002) ");
    fails(false, P("\x09\x80"), 1, "FAILED(1002) ");
    fails(false, P("\x80\x80"), 1, "FAILED(1002) ");
    fails(false, P("\x89\xfe\x00\x7e"), 2, "FAILED(1002) ");
    fails(false, P("\x82\xfe\x00\x7d\x01\x02\x03\x04"), 4, "FAILED(1002) ");
    fails(false, P("\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00"), 3, "FAILED(1002) ");
    fails(false, P("\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff"), 8, "FAILED(1002) ");
}

/* 2^63-1 bytes, and one byte more than is allowed: nothing is allocated, nothing waited for. */
static void test_declared(void)
{
    fails(false, P("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04"), 14,
          "FAILED(1009) ");
    fails(true, P("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), 10, "FAILED(1009) ");
    fails(true, P("\x82\x7e\x00\xc9"), 4, "FAILED(1009) ");
    /* Together with a fragment that is there: 200 + 57. */
    ws_stream_t stream = {.masked = true};
    ws_end_t like;
    WS_FRAME(&stream, 0x02, B200);
    const size_t first = stream.len;
    WS_FRAME(&stream, 0x00, TEN TEN TEN TEN TEN "0123456");
    ws_end_init(&like, false, NULL);
    CU_ASSERT_EQUAL(ws_fails_at(&like, &stream), first + 6);
    ws_end_close(&like);
}

static void test_first_wrong_byte(void)
{
    static const struct {
        const char *text;
        size_t len;
        size_t at; /* of the wrong byte */
    } texts[] = {{P("abc\xff...."), 3},
                 {P("\xce\xba\xe1\xbd\xb9\xed\xa0\x80 edited"), 6},
                 {P("\xf4\x90\x80\x80...."), 1},
                 {P("\xc0\xaf...."), 0},
                 {P("\xe0\x80...."), 1},
                 {P("\xe2\x82 ..."), 2},
                 {P("\xf8...."), 0},
                 {P("plain ascii of some length \x80 ..."), 27}};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t split = 0; split <= texts[i].len; split++) {
            ws_stream_t stream = {.masked = true};
            ws_end_t like;
            ws_frame(&stream, 0x01, texts[i].text, split);
            ws_frame(&stream, 0x80, texts[i].text + split, texts[i].len - split);
            ws_end_init(&like, false, NULL);
            CU_ASSERT_EQUAL(ws_fails_at(&like, &stream),
                            texts[i].at + 1 + 6 * (texts[i].at < split ? 1U : 2U));
            ws_end_close(&like);
        }
    }
}

/* What is whole in the input is not copied: data lies there, and the connection has no memory. */
static void test_in_place(void)
{
    ws_stream_t stream = {.masked = true};
    unsigned char copy[sizeof stream.bytes];
    aw_ws_found_t found;
    ws_end_t end;
    size_t used;

    WS_FRAME(&stream, 0x81, "Hello");
    WS_FRAME(&stream, 0x82, B200);
    WS_FRAME(&stream, 0x89, "ping");
    memcpy(copy, stream.bytes, stream.len);
    ws_end_init(&end, false, NULL);
    unsigned char *at = copy;
    for (int i = 0; i < 3; i++) {
        const size_t rest = stream.len - (size_t)(at - copy);
        CU_ASSERT_NOT_EQUAL(
            aw_ws_conn_read(&end.conn, &end.settings, end.pool, at, rest, &used, &found),
            AW_WS_EVENT_MORE);
        CU_ASSERT_PTR_EQUAL(found.data, at + used - found.len);
        CU_ASSERT(end.conn.message.data == NULL && end.conn.control == NULL);
        at += used;
    }
    CU_ASSERT_PTR_EQUAL(at, copy + stream.len);
    ws_end_close(&end);
}

/* A connection has memory for what has come of a message, and none afterwards. */
static void test_memory(void)
{
    ws_stream_t stream = {.masked = true};
    ws_end_t end;

    WS_FRAME(&stream, 0x01, B125);
    WS_FRAME(&stream, 0x89, "ping");
    WS_FRAME(&stream, 0x80, B125);
    ws_end_init(&end, false, NULL);
    ws_feed(&end, stream.bytes, 10);
    CU_ASSERT_EQUAL(end.conn.message.len, 4);
    ws_feed(&end, stream.bytes + 10, 6 + 125 + 6 + 2 - 10);
    CU_ASSERT_EQUAL(end.conn.message.len, 125);
    CU_ASSERT_PTR_NOT_NULL(end.conn.control);
    aw_ws_conn_rest(&end.conn, end.pool);
    ws_feed(&end, stream.bytes + 139, stream.len - 139);
    CU_ASSERT(end.conn.message.data == NULL && end.conn.control == NULL);
    CU_ASSERT_STRING_EQUAL(end.said, "PING(ping) T(" B125 B125 ") ");
    ws_feed(&end, stream.bytes, 10);
    aw_ws_conn_end(&end.conn, end.pool);
    CU_ASSERT(end.conn.message.data == NULL && end.conn.state == 0);
    ws_end_close(&end);
}

static void test_after_end(void)
{
    ws_stream_t stream = {.masked = true};
    ws_end_t end;

    WS_FRAME(&stream, 0x88, "\x03\xe8");
    ws_end_init(&end, false, NULL);
    CU_ASSERT(!aw_ws_conn_close_received(&end.conn) && !aw_ws_conn_close_sent(&end.conn));
    ws_feed(&end, stream.bytes, stream.len);
    CU_ASSERT(aw_ws_conn_close_received(&end.conn) && !aw_ws_conn_close_sent(&end.conn));
    ws_feed(&end, stream.bytes, stream.len);
    ws_feed(&end, NULL, 0);
    CU_ASSERT_STRING_EQUAL(end.said, "CLOSE(1000 ) ");
    ws_end_close(&end);
    ws_end_init(&end, false, NULL);
    ws_feed(&end, "\xff", 1);
    ws_feed(&end, stream.bytes, stream.len);
    CU_ASSERT_STRING_EQUAL(end.said, "FAILED(1002) ");
    CU_ASSERT(!aw_ws_conn_close_received(&end.conn));
    ws_end_close(&end);
}

static const unit_test_t tests[] = {
    {"what is right is read the same in both roles and however it is split", test_good},
    {"what is wrong fails with its code, after what came before it", test_bad},
    {"a wrong head fails with its first wrong byte", test_heads},
    {"a length above the limits fails as soon as it is declared", test_declared},
    {"text fails with its first wrong byte, wherever frames are split", test_first_wrong_byte},
    {"a message that is whole in the input is handed out there", test_in_place},
    {"memory is held for what has come of a message, and given back", test_memory},
    {"nothing is read after a close or a failure", test_after_end},
    {NULL, NULL}};
const unit_suite_t ws_conn_suite = {"ws_conn", tests};
