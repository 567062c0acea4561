/* The pool: what is lent comes back, what is unused is bounded.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ws/pool_states.h"

#include "unit.h"

static void a_buffer_grows_and_keeps_what_is_in_it(void)
{
    aw_ws_pool_t *const pool = aw_ws_pool_create();
    aw_ws_buffer_t buffer = {NULL, 0, 0};
    unsigned grown = 0;

    for (unsigned i = 0; i < 100000; i++) {
        const size_t room = buffer.room;
        CU_ASSERT_TRUE_FATAL(aw_ws_buffer_reserve(pool, &buffer, 1));
        grown += buffer.room != room;
        buffer.data[buffer.len++] = (unsigned char)(i * 7);
    }
    CU_ASSERT_TRUE(grown < 20); /* not once a byte */
    unsigned wrong = 0;
    for (unsigned i = 0; i < 100000; i++) {
        wrong += buffer.data[i] != (unsigned char)(i * 7);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    aw_ws_buffer_release(pool, &buffer);
    CU_ASSERT_PTR_NULL(buffer.data);
    CU_ASSERT_EQUAL(buffer.room, 0);
    aw_ws_buffer_release(pool, &buffer);
    aw_ws_pool_destroy(pool);
}

static void sizes_that_cannot_be_are_refused(void)
{
    aw_ws_pool_t *const pool = aw_ws_pool_create();
    aw_ws_buffer_t buffer = {NULL, 0, 0};

    CU_ASSERT_TRUE(aw_ws_buffer_reserve(pool, &buffer, 10));
    buffer.len = 10;
    unsigned char *const before = buffer.data;
    CU_ASSERT_FALSE(aw_ws_buffer_reserve(pool, &buffer, SIZE_MAX));
    CU_ASSERT_FALSE(aw_ws_buffer_reserve(pool, &buffer, SIZE_MAX - 9));
    CU_ASSERT_FALSE(aw_ws_buffer_reserve(pool, &buffer, SIZE_MAX / 2));
    CU_ASSERT_PTR_EQUAL(buffer.data, before);
    CU_ASSERT_EQUAL(buffer.len, 10);
    aw_ws_buffer_release(pool, &buffer);
    aw_ws_pool_destroy(pool);
}

static void released_memory_is_used_again(void)
{
    aw_ws_pool_t *const pool = aw_ws_pool_create();
    aw_ws_buffer_t one = {NULL, 0, 0}, two = {NULL, 0, 0};

    CU_ASSERT_TRUE(aw_ws_buffer_reserve(pool, &one, 5000));
    unsigned char *const data = one.data;
    aw_ws_buffer_release(pool, &one);
    CU_ASSERT_TRUE(pool->blocks_bytes >= 5000);
    CU_ASSERT_TRUE(aw_ws_buffer_reserve(pool, &two, 100));
    CU_ASSERT_PTR_EQUAL(two.data, data);
    CU_ASSERT_EQUAL(two.len, 0);
    CU_ASSERT_EQUAL(pool->blocks_bytes, 0);
    aw_ws_buffer_release(pool, &two);
    aw_ws_pool_destroy(pool);
}

static void unused_memory_is_bounded(void)
{
    enum { MANY = 100 };
    aw_ws_pool_t *const pool = aw_ws_pool_create();
    aw_ws_buffer_t buffers[MANY] = {{NULL, 0, 0}};

    for (size_t size = 100; size < 2000000; size *= 9) {
        for (size_t i = 0; i < MANY; i++) {
            CU_ASSERT_TRUE_FATAL(aw_ws_buffer_reserve(pool, &buffers[i], size));
            buffers[i].data[size - 1] = 1;
        }
        for (size_t i = 0; i < MANY; i++) {
            aw_ws_buffer_release(pool, &buffers[i]);
            CU_ASSERT_TRUE(pool->blocks_bytes <= AW_WS_POOL_BYTES);
        }
    }
    /* Nor does a message of megabytes stay in the scratch buffer. */
    aw_ws_buffer_t *const scratch = aw_ws_pool_scratch(pool);
    CU_ASSERT_TRUE(aw_ws_buffer_reserve(pool, scratch, 2 * AW_WS_POOL_BYTES));
    aw_ws_pool_trim(pool);
    CU_ASSERT_PTR_NULL(pool->scratch.data);
    CU_ASSERT_TRUE(aw_ws_buffer_reserve(pool, aw_ws_pool_scratch(pool), 1000));
    aw_ws_pool_trim(pool);
    CU_ASSERT_PTR_NOT_NULL(pool->scratch.data);
    aw_ws_pool_destroy(pool);
}

static void unused_states_are_bounded_and_used_again(void)
{
    enum { MANY = 3 * AW_WS_POOL_STATES };
    aw_ws_pool_t *const pool = aw_ws_pool_create();
    aw_ws_state_t *out[MANY], *in[MANY];

    for (unsigned i = 0; i < MANY; i++) {
        out[i] = aw_ws_deflater_borrow(pool, 9 + i % 7, 1 + i % 9);
        in[i] = aw_ws_inflater_borrow(pool);
        CU_ASSERT_PTR_NOT_NULL_FATAL(out[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(in[i]);
    }
    for (unsigned i = 0; i < MANY; i++) {
        aw_ws_deflater_return(pool, out[i]);
        aw_ws_inflater_return(pool, in[i]);
    }
    CU_ASSERT_EQUAL(pool->deflaters.unused_count, AW_WS_POOL_STATES);
    CU_ASSERT_EQUAL(pool->inflaters.unused_count, AW_WS_POOL_STATES);
    aw_ws_state_t *const again =
        aw_ws_deflater_borrow(pool, 9 + (MANY - 1) % 7, 1 + (MANY - 1) % 9);
    CU_ASSERT_PTR_EQUAL(again, out[MANY - 1]);
    CU_ASSERT_EQUAL(pool->deflaters.unused_count, AW_WS_POOL_STATES - 1);
    aw_ws_deflater_return(pool, again);
    aw_ws_deflater_return(pool, NULL);
    aw_ws_pool_destroy(pool);
    aw_ws_pool_destroy(NULL);
}

static void the_state_used_longest_ago_is_given_up(void)
{
    enum { MANY = AW_WS_POOL_KEPT + 1 };
    aw_ws_pool_t *const pool = aw_ws_pool_create();
    aw_ws_state_t *owners[MANY];

    for (unsigned i = 0; i < MANY - 1; i++) {
        owners[i] = aw_ws_inflater_borrow(pool);
        CU_ASSERT_PTR_NULL(aw_ws_state_keep(&pool->inflaters, &owners[i]));
    }
    /* The first is used once more, so that the second is the oldest. */
    aw_ws_state_resume(&pool->inflaters, owners[0]);
    CU_ASSERT_PTR_NULL(aw_ws_state_keep(&pool->inflaters, &owners[0]));
    owners[MANY - 1] = aw_ws_inflater_borrow(pool);
    CU_ASSERT_PTR_EQUAL(aw_ws_state_keep(&pool->inflaters, &owners[MANY - 1]), &owners[1]);
    for (unsigned i = 0; i < MANY; i++) {
        aw_ws_state_resume(&pool->inflaters, owners[i]);
        aw_ws_inflater_return(pool, owners[i]);
    }
    CU_ASSERT_PTR_NULL(pool->inflaters.oldest);
    CU_ASSERT_PTR_NULL(pool->inflaters.newest);
    aw_ws_pool_destroy(pool);
}

static const unit_test_t tests[] = {
    {"a buffer grows and keeps what is in it", a_buffer_grows_and_keeps_what_is_in_it},
    {"sizes that cannot be are refused", sizes_that_cannot_be_are_refused},
    {"released memory is used again", released_memory_is_used_again},
    {"unused memory is bounded", unused_memory_is_bounded},
    {"unused states are bounded and used again", unused_states_are_bounded_and_used_again},
    {"the state used longest ago is given up", the_state_used_longest_ago_is_given_up},
    {NULL, NULL},
};

const unit_suite_t ws_pool_suite = {"ws_pool", tests};
