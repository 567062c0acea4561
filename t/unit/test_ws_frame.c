/* Tests of WebSocket frame heads and close codes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include "ws/frame.h"

typedef struct vector_t {
    const char *bytes;
    size_t len;
    aw_ws_head_t head;
} vector_t;

#define BYTES(s) "" s, sizeof(s) - 1

/* The examples of RFC 6455 section 5.7 first. */
static const vector_t heads[] = {
    {BYTES("\x81\x05"), {.fin = true, .opcode = AW_WS_TEXT, .len = 5}},
    {BYTES("\x81\x85\x37\xfa\x21\x3d"),
     {.fin = true,
      .opcode = AW_WS_TEXT,
      .masked = true,
      .key = {0x37, 0xfa, 0x21, 0x3d},
      .len = 5}},
    {BYTES("\x01\x03"), {.opcode = AW_WS_TEXT, .len = 3}},
    {BYTES("\x80\x02"), {.fin = true, .opcode = AW_WS_CONTINUATION, .len = 2}},
    {BYTES("\x89\x05"), {.fin = true, .opcode = AW_WS_PING, .len = 5}},
    {BYTES("\x82\x7E\x01\x00"), {.fin = true, .opcode = AW_WS_BINARY, .len = 256}},
    {BYTES("\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00"),
     {.fin = true, .opcode = AW_WS_BINARY, .len = 65536}},
    {BYTES("\x88\x00"), {.fin = true, .opcode = AW_WS_CLOSE}},
    {BYTES("\xC1\x7D"), {.fin = true, .rsv = 4, .opcode = AW_WS_TEXT, .len = 125}},
    {BYTES("\x72\x7E\x00\x7E"), {.rsv = 7, .opcode = AW_WS_BINARY, .len = 126}},
    {BYTES("\x8F\x7E\xFF\xFF"), {.fin = true, .opcode = 0xF, .len = 65535}},
    {BYTES("\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\x02\x03\x04"),
     {.fin = true, .opcode = AW_WS_BINARY, .masked = true, .key = {1, 2, 3, 4}, .len = INT64_MAX}},
};

#define N_HEADS (sizeof heads / sizeof heads[0])

static bool same(const aw_ws_head_t *a, const aw_ws_head_t *b)
{
    return a->fin == b->fin && a->rsv == b->rsv && a->opcode == b->opcode &&
           a->masked == b->masked && a->len == b->len &&
           (!a->masked || memcmp(a->key, b->key, sizeof a->key) == 0);
}

static void test_parse(void)
{
    for (size_t i = 0; i < N_HEADS; i++) {
        const aw_span_t in = unit_guard(heads[i].bytes, heads[i].len);
        aw_ws_head_t head;
        CU_ASSERT_EQUAL(aw_ws_head_parse(&head, (const unsigned char *)in.ptr, in.len),
                        (int)in.len);
        CU_ASSERT(same(&head, &heads[i].head));
        unit_guard_free(in);
    }
}

static void test_again(void)
{
    for (size_t i = 0; i < N_HEADS; i++) {
        for (size_t cut = 0; cut < heads[i].len; cut++) {
            const aw_span_t in = unit_guard(heads[i].bytes, cut);
            aw_ws_head_t head;
            CU_ASSERT_EQUAL(aw_ws_head_parse(&head, (const unsigned char *)in.ptr, cut),
                            AW_WS_AGAIN);
            unit_guard_free(in);
        }
    }
}

static void test_build(void)
{
    for (size_t i = 0; i < N_HEADS; i++) {
        unsigned char out[AW_WS_HEAD_MAX];
        CU_ASSERT_EQUAL_FATAL(aw_ws_head_build(out, &heads[i].head), heads[i].len);
        CU_ASSERT_EQUAL(memcmp(out, heads[i].bytes, heads[i].len), 0);
    }
}

/* Each is wrong with its last byte, and not before. */
static void test_lengths(void)
{
    static const struct {
        const char *bytes;
        size_t len;
    } wrong[] = {
        {BYTES("\x82\x7E\x00\x00")}, {BYTES("\x82\x7E\x00\x7D")},
        {BYTES("\x82\xFE\x00\x05")}, {BYTES("\x82\x7F\x80")},
        {BYTES("\x82\xFF\xFF")},     {BYTES("\x82\x7F\x00\x00\x00\x00\x00\x00")},
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        for (size_t cut = 0; cut <= wrong[i].len; cut++) {
            const aw_span_t in = unit_guard(wrong[i].bytes, cut);
            aw_ws_head_t head;
            CU_ASSERT_EQUAL(aw_ws_head_parse(&head, (const unsigned char *)in.ptr, cut),
                            cut < wrong[i].len ? AW_WS_AGAIN : AW_WS_EPROTO);
            unit_guard_free(in);
        }
    }
}

static void test_codes(void)
{
    for (unsigned code = 0; code <= 65535; code++) {
        const bool registered = code == 1000 || code == 1001 || code == 1002 || code == 1003 ||
                                code == 1007 || code == 1008 || code == 1009 || code == 1010 ||
                                code == 1011 || code == 1012 || code == 1013 || code == 1014;
        const bool free_to_use = code / 1000 == 3 || code / 1000 == 4;
        if (aw_ws_code_may_be_sent(code) != (registered || free_to_use)) {
            CU_FAIL("a code is misjudged");
        }
    }
    CU_ASSERT(!aw_ws_code_may_be_sent(AW_WS_CODE_NONE));
    CU_ASSERT(!aw_ws_code_may_be_sent(AW_WS_CODE_ABNORMAL));
}

static const unit_test_t tests[] = {
    {"heads are read, to their last byte and no further", test_parse},
    {"a head that is cut anywhere wants more", test_again},
    {"heads are written in the shortest way", test_build},
    {"lengths not minimal or with the top bit set are refused as soon as it is certain",
     test_lengths},
    {"of all close codes only those that may stand in a frame are let through", test_codes},
    {NULL, NULL}};
const unit_suite_t ws_frame_suite = {"ws_frame", tests};
