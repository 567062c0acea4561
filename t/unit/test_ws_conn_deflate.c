/* Tests of compressed messages in a WebSocket connection (RFC 7692).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ws_stream.h"

#include <stdlib.h>

static const aw_ws_deflate_params_t takeover = {
    .on = true, .out_window = 15, .in_window = 15, .out_takeover = true, .in_takeover = true};
static const aw_ws_deflate_params_t no_takeover = {.on = true, .out_window = 15, .in_window = 15};

typedef struct vector_t {
    const char *expected;
    struct {
        unsigned first;
        const char *payload;
        size_t len;
    } frames[5];
} vector_t;

#define P(s) "" s, sizeof(s) - 1

#define HELLO "\xf2\x48\xcd\xc9\xc9\x07\x00"

static const vector_t vectors[] = {
    /* The examples of section 7.2.3. */
    {"T(Hello) ", {{0xC1, P(HELLO)}}},
    {"T(Hello) ", {{0x41, P("\xf2\x48\xcd")}, {0x80, P("\xc9\xc9\x07\x00")}}},
    {"T(Hello) T(Hello) ", {{0xC1, P(HELLO)}, {0xC1, P(HELLO)}}},
    {"T(Hello) T(Hello) ", {{0xC1, P(HELLO)}, {0xC1, P("\xf2\x00\x11\x00\x00")}}},
    {"T(Hello) ", {{0xC1, P("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00")}}},
    {"T(Hello) ", {{0xC1, P("\xf3\x48\xcd\xc9\xc9\x07\x00\x00")}}},
    {"T(Hello) ", {{0xC1, P("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00")}}},
    {"T() T(Hello) ", {{0xC1, P("\x00")}, {0xC1, P(HELLO)}}},
    /* Messages that are not compressed, and control frames, stand between them. */
    {"T(plain) PING(x) T(Hello) B(<FF>) T(Hello) ",
     {{0x81, P("plain")},
      {0x41, P("\xf2\x48\xcd")},
      {0x89, P("x")},
      {0x80, P("\xc9\xc9\x07\x00")},
      {0x82, P("\xff")}}},
    {"T(Hello) ", {{0x41, P("")}, {0x00, P(HELLO)}, {0x80, P("")}}},
    /* RSV1 only on the first frame, and never on a control frame. */
    {"FAILED(1002) ", {{0x41, P("\xf2\x48\xcd")}, {0xC0, P("\xc9\xc9\x07\x00")}}},
    {"T(Hello) FAILED(1002) ", {{0xC1, P(HELLO)}, {0xC9, P("x")}}},
    {"FAILED(1002) ", {{0xC8, P("\x03\xe8")}}},
    {"FAILED(1002) ", {{0xD1, P(HELLO)}}},
    /* What does not inflate, and what does but must not be. */
    {"FAILED(1007) ", {{0xC1, P("\x07\x00")}}},
    {"T(Hello) FAILED(1007) ", {{0xC1, P(HELLO)}, {0xC2, P("\xff\xff\xff")}}},
    {"FAILED(1007) ", {{0xC1, P("\x00\x05\x00\x00\x00Hello\x00")}}},
    {"FAILED(1007) ", {{0xC1, P("\x00\x02\x00\xfd\xff\xc3\x28\x00")}}},
    {"FAILED(1007) ", {{0xC1, P("\x00\x02\x00\xfd\xffx\xc3\x00")}}},
    {"T(<C3><A4>) ",
     {{0x41, P("\x00\x01\x00\xfe\xff\xc3")}, {0x80, P("\x00\x01\x00\xfe\xff\xa4\x00")}}},
};

static void test_vectors(void)
{
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        for (int client = 0; client <= 1; client++) {
            ws_stream_t stream = {.masked = client == 0};
            const char *expected = vectors[i].expected;
            ws_end_t like;
            for (size_t j = 0; j < 5 && vectors[i].frames[j].payload != NULL; j++) {
                ws_frame(&stream, vectors[i].frames[j].first, vectors[i].frames[j].payload,
                         vectors[i].frames[j].len);
            }
            if (i == 8) {
                ws_frame(&stream, 0xC1, "\xf2\x00\x11\x00\x00", 5);
            }
            ws_end_init(&like, client == 1, &takeover);
            CU_ASSERT(ws_every_split(&like, &stream, expected));
            ws_end_close(&like);
        }
    }
}

/* Without a context from the message before, its window is empty. */
static void test_no_context(void)
{
    ws_stream_t stream = {.masked = true};
    ws_end_t like;

    WS_FRAME(&stream, 0xC1, HELLO);
    WS_FRAME(&stream, 0xC1, HELLO);
    WS_FRAME(&stream, 0xC1, "\xf2\x00\x11\x00\x00");
    ws_end_init(&like, false, &no_takeover);
    CU_ASSERT(ws_every_split(&like, &stream, "T(Hello) T(Hello) FAILED(1007) "));
    ws_end_close(&like);
}

/* In a stored block the wrong byte stands as it is: it is found with it. */
static void test_first_wrong_byte(void)
{
    ws_stream_t stream = {.masked = true};
    ws_end_t like;

    WS_FRAME(&stream, 0x41,
             "\x00\x06\x00\xf9\xff"
             "abc\xff"
             "de");
    ws_end_init(&like, false, &takeover);
    CU_ASSERT_EQUAL(ws_fails_at(&like, &stream), 6 + 5 + 4);
    ws_end_close(&like);
}

/* Messages of one end, through another's reading. */
static void pass(ws_end_t *from, ws_end_t *to, aw_ws_opcode_e opcode, const void *data, size_t len)
{
    static const unsigned char key[4] = {9, 8, 7, 6};
    unsigned char wire[2048];
    aw_ws_out_t out;

    CU_ASSERT_FATAL(aw_ws_conn_write(&from->conn, &from->settings, from->pool, opcode, data, len,
                                     from->settings.client ? key : NULL, &out));
    CU_ASSERT_FATAL(out.head_len + out.len <= sizeof wire);
    memcpy(wire, out.head, out.head_len);
    if (out.len > 0) {
        memcpy(wire + out.head_len, out.data, out.len);
    }
    const bool compressed = (out.head[0] & 0x40) != 0;
    CU_ASSERT_EQUAL(compressed, from->conn.deflate_params.on && opcode < AW_WS_CLOSE &&
                                    len >= from->settings.deflate.min);
    ws_feed(to, wire, out.head_len + out.len);
}

static void test_both_ways(void)
{
    const aw_ws_deflate_params_t *const params[] = {&takeover, &no_takeover};

    for (size_t i = 0; i < 4; i++) {
        const bool client = i % 2 == 1;
        ws_end_t from, to;
        ws_end_init(&from, client, params[i / 2]);
        ws_end_init(&to, !client, params[i / 2]);
        from.settings.deflate.min = 4;
        for (int turn = 0; turn < 3; turn++) {
            pass(&from, &to, AW_WS_TEXT, "some text, some text", 20);
            pass(&from, &to, AW_WS_BINARY, "abc", 3);
            pass(&from, &to, AW_WS_PING, "ping ping ping", 14);
            pass(&from, &to, AW_WS_TEXT, "", 0);
            from.settings.deflate.min = 0;
            /* Idle ends give up what they can, and go on. */
            aw_ws_conn_rest(&from.conn, from.pool);
            aw_ws_conn_rest(&to.conn, to.pool);
        }
#define TURN "T(some text, some text) B(abc) PING(ping ping ping) T() "
        CU_ASSERT_STRING_EQUAL(to.said, TURN TURN TURN);
        ws_end_close(&from);
        ws_end_close(&to);
    }
}

/* Inflated length `n` of zeros, against a limit of 256 bytes. */
static const char *zeros(ws_end_t *to, size_t n)
{
    unsigned char *data = calloc(1, n);
    aw_ws_out_t out;
    ws_end_t from;

    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    ws_end_init(&from, false, &no_takeover);
    ws_end_init(to, true, &no_takeover);
    to->settings.max_frame = 1 << 20;
    CU_ASSERT(
        aw_ws_conn_write(&from.conn, &from.settings, from.pool, AW_WS_BINARY, data, n, NULL, &out));
    ws_feed(to, out.head, out.head_len);
    ws_feed(to, out.data, out.len);
    ws_end_close(&from);
    free(data);
    return to->said;
}

static void test_limit(void)
{
    ws_end_t to;

    CU_ASSERT_EQUAL(strncmp(zeros(&to, 256), "B(<00>", 6), 0);
    ws_end_close(&to);
    CU_ASSERT_STRING_EQUAL(zeros(&to, 257), "FAILED(1009) ");
    ws_end_close(&to);
    /* A bomb: 10 MiB in 10 KiB. */
    CU_ASSERT_STRING_EQUAL(zeros(&to, 10 << 20), "FAILED(1009) ");
    CU_ASSERT_PTR_NULL(to.conn.message.data);
    CU_ASSERT_PTR_NULL(to.conn.deflate);
    ws_end_close(&to);
}

/* A close or a failure within a compressed message leaves nothing that rests badly. */
static void test_cut_short(void)
{
    ws_stream_t stream = {.masked = true};
    ws_end_t end;

    WS_FRAME(&stream, 0x41, "\xf2\x48\xcd");
    WS_FRAME(&stream, 0x88, "\x03\xe8");
    ws_end_init(&end, false, &takeover);
    ws_feed(&end, stream.bytes, stream.len);
    CU_ASSERT_STRING_EQUAL(end.said, "CLOSE(1000 ) ");
    aw_ws_conn_rest(&end.conn, end.pool);
    CU_ASSERT_PTR_NULL(end.conn.deflate);
    CU_ASSERT_PTR_NULL(end.conn.message.data);
    ws_end_close(&end);
}

static const unit_test_t tests[] = {
    {"the RFC's examples inflate, and what is wrong fails, however it is split", test_vectors},
    {"without context takeover each message stands alone", test_no_context},
    {"text fails with its first wrong byte in inflated text too", test_first_wrong_byte},
    {"what one end compresses the other inflates, in both roles", test_both_ways},
    {"an inflated message has the limit of any other", test_limit},
    {"a close within a compressed message leaves nothing behind", test_cut_short},
    {NULL, NULL}};
const unit_suite_t ws_conn_deflate_suite = {"ws_conn_deflate", tests};
