/* Compressed messages: the RFC's examples, any chunks, contexts kept and given back, limits.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "mutate.h"
#include "ws/deflate.h"
#include "ws/pool_states.h"

static const aw_ws_deflate_params_t keeping = {true, 15, 15, true, true};
static const aw_ws_deflate_params_t alone = {true, 15, 15, false, false};

/* Both ends of a connection, on one pool. */
typedef struct ends_t {
    aw_ws_pool_t *pool;
    aw_ws_deflate_t *out, *in;
} ends_t;

static ends_t connect_ends(void)
{
    const ends_t out = {aw_ws_pool_create(), NULL, NULL};

    CU_ASSERT_PTR_NOT_NULL_FATAL(out.pool);
    return out;
}

static void part_ends(ends_t *ends)
{
    aw_ws_deflate_close(&ends->out, ends->pool);
    aw_ws_deflate_close(&ends->in, ends->pool);
    CU_ASSERT_EQUAL(ends->pool->deflaters.kept_count, 0);
    CU_ASSERT_EQUAL(ends->pool->inflaters.kept_count, 0);
    aw_ws_pool_destroy(ends->pool);
}

/* Pieces of a payload, and room for what comes out: at most so many bytes, by chance. */
typedef struct chunks_t {
    size_t in, out;
    uint64_t seed;
} chunks_t;

static size_t chunk(chunks_t *chunks, size_t most, size_t limit)
{
    const size_t n = 1 + unit_random_below(&chunks->seed, most);
    return n < limit ? n : limit;
}

/* A whole payload; what it was in `out`, its length in *len. */
static aw_ws_inflate_e inflate_all(aw_ws_deflate_t **in, const aw_ws_deflate_params_t *params,
                                   aw_ws_pool_t *pool, aw_span_t payload, unsigned char *out,
                                   size_t room, size_t *len, chunks_t *chunks)
{
    size_t used, made, space;
    aw_ws_inflate_e rc;

    *len = 0;
    for (size_t at = 0; at < payload.len;) {
        const size_t piece = chunk(chunks, chunks->in, payload.len - at);
        size_t done = 0;
        do {
            space = chunk(chunks, chunks->out, room - *len);
            rc =
                aw_ws_inflate_part(in, params, pool, (const unsigned char *)payload.ptr + at + done,
                                   piece - done, &used, out + *len, space, &made);
            if (rc != AW_WS_INFLATE_OK || *len + made == room) {
                return rc;
            }
            *len += made;
            done += used;
        } while (done < piece || made == space);
        at += piece;
    }
    do {
        space = chunk(chunks, chunks->out, room - *len);
        rc = aw_ws_inflate_end(in, params, pool, out + *len, space, &made);
        *len += made;
    } while (rc == AW_WS_INFLATE_OK && made > 0 && *len < room);
    return rc;
}

#define ROOM 100000

/* Whether a payload is this message. */
static bool is_message(ends_t *ends, const aw_ws_deflate_params_t *params, aw_span_t payload,
                       aw_span_t message)
{
    static unsigned char out[ROOM];
    chunks_t whole = {SIZE_MAX / 2, SIZE_MAX / 2, 1};
    size_t len = 0;

    return inflate_all(&ends->in, params, ends->pool, payload, out, sizeof(out), &len, &whole) ==
               AW_WS_INFLATE_OK &&
           len == message.len && (len == 0 || memcmp(out, message.ptr, len) == 0);
}

#define HELLO AW_SPAN_LIT("Hello")

static void the_examples_of_the_rfc_inflate(void)
{
    ends_t ends = connect_ends();

    /* Section 7.2.3.1; twice, the second time with the window of the first (7.2.3.2). */
    CU_ASSERT_TRUE(is_message(&ends, &keeping, AW_SPAN_LIT("\xf2\x48\xcd\xc9\xc9\x07\x00"), HELLO));
    CU_ASSERT_TRUE(is_message(&ends, &keeping, AW_SPAN_LIT("\xf2\x00\x11\x00\x00"), HELLO));
    /* 7.2.3.3, a block without compression. */
    CU_ASSERT_TRUE(is_message(&ends, &keeping,
                              AW_SPAN_LIT("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), HELLO));
    /* 7.2.3.4, a block that says it is the last. */
    CU_ASSERT_TRUE(
        is_message(&ends, &keeping, AW_SPAN_LIT("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), HELLO));
    /* 7.2.3.5, two blocks. */
    CU_ASSERT_TRUE(is_message(&ends, &keeping,
                              AW_SPAN_LIT("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"),
                              HELLO));
    /* 7.2.3.6, an empty message; and no byte at all. */
    CU_ASSERT_TRUE(is_message(&ends, &keeping, AW_SPAN_LIT("\x00"), AW_SPAN_LIT("")));
    CU_ASSERT_TRUE(is_message(&ends, &keeping, AW_SPAN_LIT(""), AW_SPAN_LIT("")));
    part_ends(&ends);
}

static void a_last_block_leaves_the_window_and_the_message_open(void)
{
    ends_t ends = connect_ends();

    /* A last block, then one more. */
    CU_ASSERT_TRUE(is_message(&ends, &keeping,
                              AW_SPAN_LIT("\xf3\x48\xcd\xc9\xc9\x07\x00"
                                          "\xf2\x48\xcd\xc9\xc9\x07\x00"),
                              AW_SPAN_LIT("HelloHello")));
    /* One that ends the message, without the byte that should follow. */
    CU_ASSERT_TRUE(is_message(&ends, &keeping, AW_SPAN_LIT("\xf3\x48\xcd\xc9\xc9\x07\x00"), HELLO));
    /* What refers to the window before a last block. */
    CU_ASSERT_TRUE(is_message(&ends, &keeping, AW_SPAN_LIT("\xf2\x00\x11\x00\x00"), HELLO));
    part_ends(&ends);
}

static void the_window_is_gone_without_takeover(void)
{
    ends_t ends = connect_ends();

    CU_ASSERT_TRUE(is_message(&ends, &alone, AW_SPAN_LIT("\xf2\x48\xcd\xc9\xc9\x07\x00"), HELLO));
    CU_ASSERT_FALSE(is_message(&ends, &alone, AW_SPAN_LIT("\xf2\x00\x11\x00\x00"), HELLO));
    part_ends(&ends);
}

static void of_a_window_as_much_is_kept_as_was_agreed(void)
{
    static char text[3000];
    const aw_ws_deflate_params_t ten = {true, 15, 10, true, true};
    ends_t ends = connect_ends();
    unsigned char window[32768];
    aw_span_t out;
    uint64_t seed = 9;

    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (char)unit_random(&seed);
    }
    const aw_span_t message = {text, sizeof(text)};
    CU_ASSERT_TRUE_FATAL(aw_ws_deflate_message(&ends.out, &keeping, 9, ends.pool, message, &out));
    CU_ASSERT_TRUE(is_message(&ends, &ten, out, message));
    CU_ASSERT_EQUAL(aw_ws_deflate_save(ends.in, window), 1024);
    CU_ASSERT_EQUAL(memcmp(window, text + sizeof(text) - 1024, 1024), 0);
    aw_ws_deflate_rest(&ends.in, ends.pool);
    memset(window, 0, sizeof(window));
    CU_ASSERT_EQUAL(aw_ws_deflate_save(ends.in, window), 1024);
    CU_ASSERT_EQUAL(memcmp(window, text + sizeof(text) - 1024, 1024), 0);
    /* The same again lies further back than that. */
    CU_ASSERT_TRUE_FATAL(aw_ws_deflate_message(&ends.out, &keeping, 9, ends.pool, message, &out));
    CU_ASSERT_TRUE(out.len < 100);
    CU_ASSERT_FALSE(is_message(&ends, &ten, out, message));
    part_ends(&ends);
}

/* Such a peer is in the wrong, but not by how its bytes come. */
static void a_distance_above_the_window_is_judged_alike_at_any_split(void)
{
    static char text[700];
    const aw_ws_deflate_params_t nine = {true, 15, 9, true, true};
    ends_t ends = connect_ends();
    chunks_t bytes = {1, 64, 5};
    unsigned char got[1000];
    aw_span_t out;
    size_t len;
    uint64_t seed = 9;

    for (size_t i = 0; i < 600; i++) {
        text[i] = (char)unit_random(&seed);
    }
    memcpy(text + 600, text, 100); /* 600 bytes back */
    const aw_span_t message = {text, sizeof(text)};
    CU_ASSERT_TRUE_FATAL(aw_ws_deflate_message(&ends.out, &keeping, 9, ends.pool, message, &out));
    CU_ASSERT_TRUE(out.len < 650);
    CU_ASSERT_TRUE(is_message(&ends, &nine, out, message));
    aw_ws_deflate_close(&ends.in, ends.pool);
    CU_ASSERT_EQUAL(inflate_all(&ends.in, &nine, ends.pool, out, got, sizeof(got), &len, &bytes),
                    AW_WS_INFLATE_OK);
    CU_ASSERT_EQUAL(len, sizeof(text));
    part_ends(&ends);
}

/* --- there and back --- */

static char text[70000];

/* JSON, mostly; sometimes what cannot be compressed. */
static aw_span_t make_message(uint64_t *seed)
{
    const size_t len = unit_random_below(seed, unit_random_below(seed, 8) == 0 ? 60000 : 700);
    size_t n = 0;

    while (n < len) {
        if (*seed % 5 == 0) {
            text[n++] = (char)(unit_random(seed) >> 20);
            continue;
        }
        const unsigned long number = unit_random_below(seed, 500);
        n += (size_t)snprintf(text + n, 32, "{\"id\":%lu,\"on\":true},", number);
    }
    return (aw_span_t){text, n};
}

static void round_trips(const aw_ws_deflate_params_t *params, size_t in, size_t out_room,
                        unsigned count)
{
    static unsigned char got[ROOM];
    ends_t ends = connect_ends();
    const aw_ws_deflate_params_t theirs = {true, params->in_window, params->out_window,
                                           params->in_takeover, params->out_takeover};
    chunks_t chunks = {in, out_room, 77};
    uint64_t seed = 1 + params->out_window;
    unsigned wrong = 0;

    for (unsigned i = 0; i < count; i++) {
        const aw_span_t message = make_message(&seed);
        aw_span_t out;
        size_t len = 0;
        if (!aw_ws_deflate_message(&ends.out, params, 1 + i % 9 * params->out_takeover, ends.pool,
                                   message, &out)) {
            wrong++;
            break;
        }
        wrong += inflate_all(&ends.in, &theirs, ends.pool, out, got, sizeof(got), &len, &chunks) !=
                     AW_WS_INFLATE_OK ||
                 len != message.len || memcmp(got, message.ptr, len) != 0;
        if (i % 7 == 3) {
            aw_ws_deflate_rest(&ends.out, ends.pool);
        }
        if (i % 5 == 3) {
            aw_ws_deflate_rest(&ends.in, ends.pool);
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    part_ends(&ends);
}

static void messages_come_back_under_all_parameters(void)
{
    for (unsigned char window = 9; window <= 15; window++) {
        for (int kept = 0; kept < 4; kept++) {
            const aw_ws_deflate_params_t params = {true, window, 15, kept % 2 != 0, kept / 2 != 0};
            round_trips(&params, 5000, 5000, 60);
        }
    }
}

static void messages_come_back_in_any_chunks(void)
{
    round_trips(&keeping, 1, 5000, 100);
    round_trips(&keeping, 5000, 1, 100);
    round_trips(&keeping, 3, 7, 100);
    round_trips(&alone, 1, 1, 100);
    round_trips(&keeping, 100000, 100000, 300);
}

static void an_empty_message_is_one_byte(void)
{
    ends_t ends = connect_ends();
    aw_span_t out;

    for (int i = 0; i < 3; i++) {
        CU_ASSERT_TRUE(
            aw_ws_deflate_message(&ends.out, &keeping, 6, ends.pool, AW_SPAN_LIT(""), &out));
        CU_ASSERT_TRUE(aw_span_equal(out, AW_SPAN_LIT("\x00")));
        CU_ASSERT_TRUE(is_message(&ends, &keeping, out, AW_SPAN_LIT("")));
    }
    part_ends(&ends);
}

static void takeover_makes_the_second_message_small(void)
{
    static const char json[] = "{\"symbol\":\"AAPL\",\"price\":101.25,\"time\":1700000000}";
    ends_t ends = connect_ends();
    aw_span_t out;

    CU_ASSERT_TRUE(aw_ws_deflate_message(&ends.out, &keeping, 6, ends.pool, aw_span(json), &out));
    const size_t first = out.len;
    CU_ASSERT_TRUE(is_message(&ends, &keeping, out, aw_span(json)));
    CU_ASSERT_TRUE(aw_ws_deflate_message(&ends.out, &keeping, 6, ends.pool, aw_span(json), &out));
    CU_ASSERT_TRUE(out.len < 10 && first > 40);
    CU_ASSERT_TRUE(is_message(&ends, &keeping, out, aw_span(json)));
    /* Begun anew, it refers to nothing. */
    aw_ws_deflate_rest(&ends.out, ends.pool);
    CU_ASSERT_PTR_NULL(ends.out);
    CU_ASSERT_TRUE(aw_ws_deflate_message(&ends.out, &keeping, 6, ends.pool, aw_span(json), &out));
    CU_ASSERT_EQUAL(out.len, first);
    CU_ASSERT_TRUE(is_message(&ends, &keeping, out, aw_span(json)));
    part_ends(&ends);
}

static void a_window_that_zlib_does_not_have_compresses_nothing(void)
{
    const aw_ws_deflate_params_t eight = {true, 8, 15, true, true};
    ends_t ends = connect_ends();
    aw_span_t out;

    CU_ASSERT_FALSE(aw_ws_deflate_message(&ends.out, &eight, 6, ends.pool, HELLO, &out));
    part_ends(&ends);
}

/* --- idle connections, and many --- */

static void an_idle_connection_keeps_the_windows_bytes_only(void)
{
    ends_t ends = connect_ends();
    unsigned char window[32768];

    CU_ASSERT_TRUE(is_message(&ends, &keeping, AW_SPAN_LIT("\xf2\x48\xcd\xc9\xc9\x07\x00"), HELLO));
    CU_ASSERT_EQUAL(ends.pool->inflaters.kept_count, 1);
    CU_ASSERT_EQUAL(aw_ws_deflate_save(ends.in, window), 5);
    CU_ASSERT_EQUAL(memcmp(window, "Hello", 5), 0);
    aw_ws_deflate_rest(&ends.in, ends.pool);
    CU_ASSERT_EQUAL(ends.pool->inflaters.kept_count, 0);
    memset(window, 0, sizeof(window));
    CU_ASSERT_EQUAL(aw_ws_deflate_save(ends.in, window), 5);
    CU_ASSERT_EQUAL(memcmp(window, "Hello", 5), 0);
    CU_ASSERT_TRUE(is_message(&ends, &keeping, AW_SPAN_LIT("\xf2\x00\x11\x00\x00"), HELLO));
    /* Without takeover there is nothing to keep. */
    ends_t other = connect_ends();
    CU_ASSERT_TRUE(is_message(&other, &alone, AW_SPAN_LIT("\xf2\x48\xcd\xc9\xc9\x07\x00"), HELLO));
    aw_ws_deflate_rest(&other.in, other.pool);
    CU_ASSERT_PTR_NULL(other.in);
    CU_ASSERT_EQUAL(aw_ws_deflate_save(other.in, window), 0);
    part_ends(&other);
    part_ends(&ends);
}

static void another_process_goes_on_with_saved_bytes(void)
{
    ends_t ends = connect_ends(), other = connect_ends();
    unsigned char window[32768];

    CU_ASSERT_TRUE(is_message(&ends, &keeping, AW_SPAN_LIT("\xf2\x48\xcd\xc9\xc9\x07\x00"), HELLO));
    const size_t n = aw_ws_deflate_save(ends.in, window);
    CU_ASSERT_TRUE(aw_ws_deflate_restore(&other.in, &keeping, other.pool, window, n));
    CU_ASSERT_TRUE(is_message(&other, &keeping, AW_SPAN_LIT("\xf2\x00\x11\x00\x00"), HELLO));
    CU_ASSERT_FALSE(aw_ws_deflate_restore(&other.in, &keeping, other.pool, window, 32769));
    CU_ASSERT_TRUE(aw_ws_deflate_restore(&other.in, &keeping, other.pool, window, 0));
    CU_ASSERT_PTR_NULL(other.in);
    part_ends(&other);
    part_ends(&ends);
}

static void contexts_are_bounded_however_many_connections_have_one(void)
{
    enum { MANY = 3 * AW_WS_POOL_KEPT };
    ends_t ends = connect_ends();
    aw_ws_deflate_t *outs[MANY] = {NULL}, *ins[MANY] = {NULL};
    unsigned wrong = 0;

    for (unsigned i = 0; i < 5 * MANY; i++) {
        const size_t which = i * 7 % MANY;
        aw_span_t message = AW_SPAN_LIT("{\"one\":1,\"two\":2}"), out;
        wrong += !aw_ws_deflate_message(&outs[which], &keeping, 6, ends.pool, message, &out);
        ends.in = ins[which];
        wrong += !is_message(&ends, &keeping, out, message);
        ins[which] = ends.in;
        wrong += ends.pool->deflaters.kept_count > AW_WS_POOL_KEPT;
        wrong += ends.pool->inflaters.kept_count > AW_WS_POOL_KEPT;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(ends.pool->deflaters.kept_count, AW_WS_POOL_KEPT);
    CU_ASSERT_EQUAL(ends.pool->inflaters.kept_count, AW_WS_POOL_KEPT);
    ends.in = NULL;
    for (size_t i = 0; i < MANY; i++) {
        aw_ws_deflate_close(&outs[i], ends.pool);
        aw_ws_deflate_close(&ins[i], ends.pool);
    }
    CU_ASSERT_EQUAL(ends.pool->deflaters.unused_count, AW_WS_POOL_STATES);
    part_ends(&ends);
}

/* --- what is not deflate data --- */

static void what_is_not_deflate_data_is_found(void)
{
    static const aw_span_t rows[] = {
        {"\x06", 1},                         /* a kind of block that there is not */
        {"\x00\x05\x00\x00\x00Hello", 10},   /* a length that contradicts itself */
        {"\xf2\x48\xcd\xc9\xc9", 5},         /* no end of the block */
        {"\x00\x20\x00\xdf\xffHello", 10},   /* less than the block says */
        {"\x04\xc0\x81\x08\x00\x00\x00", 7}, /* codes without any */
        {"\xf2\x00\x11\x00\x00", 5},         /* refers to what has not been */
    };
    static const aw_ws_deflate_params_t *const both[] = {&keeping, &alone};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t k = 0; k < 2; k++) {
            ends_t ends = connect_ends();
            chunks_t bytes = {1, 9, 3};
            unsigned char got[100];
            size_t len;
            CU_ASSERT_EQUAL(
                inflate_all(&ends.in, both[k], ends.pool, rows[i], got, sizeof(got), &len, &bytes),
                AW_WS_INFLATE_BROKEN);
            part_ends(&ends);
        }
    }
}

/* 20 MB of zeros in 20 kB: never more than there is room for, and no more memory. */
static void a_bomb_gives_no_more_than_is_asked_for(void)
{
    static unsigned char zeros[1 << 20], room[4096];
    ends_t ends = connect_ends();
    aw_ws_buffer_t bomb = {NULL, 0, 0};
    size_t made = 0, used, total = 0;
    aw_span_t out;

    for (int i = 0; i < 20; i++) {
        CU_ASSERT_TRUE_FATAL(aw_ws_deflate_message(&ends.out, &keeping, 9, ends.pool,
                                                   (aw_span_t){(const char *)zeros, sizeof(zeros)},
                                                   &out));
        CU_ASSERT_TRUE_FATAL(aw_ws_buffer_reserve(ends.pool, &bomb, out.len + 4));
        memcpy(bomb.data + bomb.len, out.ptr, out.len);
        memcpy(bomb.data + bomb.len + out.len, "\0\0\xff\xff", 4);
        bomb.len += out.len + 4;
    }
    CU_ASSERT_TRUE(bomb.len < 40000);
    for (size_t at = 0; total < 10u << 20; at += used, total += made) {
        CU_ASSERT_EQUAL_FATAL(aw_ws_inflate_part(&ends.in, &keeping, ends.pool, bomb.data + at,
                                                 bomb.len - at, &used, room, sizeof(room), &made),
                              AW_WS_INFLATE_OK);
        CU_ASSERT_TRUE_FATAL(made <= sizeof(room) && (made > 0 || used > 0));
    }
    /* Given up in the middle. */
    aw_ws_buffer_release(ends.pool, &bomb);
    part_ends(&ends);
}

static void changed_payloads_never_do_more_than_fail(void)
{
    static unsigned char got[4096];
    ends_t ends = connect_ends();
    const aw_span_t guard = unit_tail_create();
    uint64_t seed = 42;
    unsigned ok = 0, broken = 0;
    char changed[1024];
    aw_span_t out;

    for (unsigned i = 0; i < 30000; i++) {
        if (!aw_ws_deflate_message(&ends.out, &alone, 6, ends.pool,
                                   AW_SPAN_LIT("{\"id\":12,\"list\":[1,2,3,1,2,3]} and more"),
                                   &out)) {
            break;
        }
        memcpy(changed, out.ptr, out.len);
        const size_t n = unit_mutate(changed, out.len, sizeof(changed), &seed);
        const aw_span_t in = {unit_tail(guard, changed, n), n};
        chunks_t chunks = {1 + i % 9, 1 + i % 500, i + 1};
        size_t len;
        const aw_ws_inflate_e rc = inflate_all(&ends.in, i % 2 != 0 ? &keeping : &alone, ends.pool,
                                               in, got, sizeof(got), &len, &chunks);
        ok += rc == AW_WS_INFLATE_OK;
        broken += rc == AW_WS_INFLATE_BROKEN;
        aw_ws_deflate_close(&ends.in, ends.pool);
    }
    unit_guard_free(guard);
    CU_ASSERT_EQUAL(ok + broken, 30000);
    CU_ASSERT_TRUE(ok > 100 && broken > 10000);
    part_ends(&ends);
}

static const unit_test_t tests[] = {
    {"the examples of the RFC inflate", the_examples_of_the_rfc_inflate},
    {"a last block leaves the window and the message open",
     a_last_block_leaves_the_window_and_the_message_open},
    {"the window is gone without takeover", the_window_is_gone_without_takeover},
    {"of a window as much is kept as was agreed", of_a_window_as_much_is_kept_as_was_agreed},
    {"a distance above the window is judged alike at any split",
     a_distance_above_the_window_is_judged_alike_at_any_split},
    {"messages come back under all parameters", messages_come_back_under_all_parameters},
    {"messages come back in any chunks", messages_come_back_in_any_chunks},
    {"an empty message is one byte", an_empty_message_is_one_byte},
    {"takeover makes the second message small", takeover_makes_the_second_message_small},
    {"a window that zlib does not have compresses nothing",
     a_window_that_zlib_does_not_have_compresses_nothing},
    {"an idle connection keeps the window's bytes only",
     an_idle_connection_keeps_the_windows_bytes_only},
    {"another process goes on with saved bytes", another_process_goes_on_with_saved_bytes},
    {"contexts are bounded however many connections have one",
     contexts_are_bounded_however_many_connections_have_one},
    {"what is not deflate data is found", what_is_not_deflate_data_is_found},
    {"a bomb gives no more than is asked for", a_bomb_gives_no_more_than_is_asked_for},
    {"changed payloads never do more than fail", changed_payloads_never_do_more_than_fail},
    {NULL, NULL},
};

const unit_suite_t ws_deflate_suite = {"ws_deflate", tests};
