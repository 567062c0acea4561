/* The nc table: what one process may rely on, and what several, killed ones too, may not break.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include "digest/nc_table.h"
#include "nc_stress.h"

#define SET   1024u
#define EPOCH 1700000000u

static _Alignas(64) unsigned char memory[4 * SET];

static aw_nc_table_t fresh(unsigned sets)
{
    aw_nc_table_t table = {NULL, 0};

    memset(memory, 0, sizeof(memory));
    CU_ASSERT_EQUAL_FATAL(aw_nc_table_init(&table, memory, sets * SET), APR_SUCCESS);
    return table;
}

/* The k-th nonce of set `set`, issued k seconds after the epoch. */
static aw_nonce_t nonce_of(unsigned k, unsigned set)
{
    return (aw_nonce_t){apr_time_from_sec(EPOCH + k) + 7, (uint64_t)(k + 1) << 44 | set};
}

static aw_nc_e take(aw_nc_table_t *table, unsigned k, uint32_t nc)
{
    const aw_nonce_t nonce = nonce_of(k, 0);

    return aw_nc_take(table, &nonce, nc);
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static void init_refuses_what_cannot_hold_a_set(void)
{
    aw_nc_table_t table = {(void *)memory, 77};

    CU_ASSERT_EQUAL(aw_nc_table_init(&table, NULL, SET), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_nc_table_init(&table, memory, SET - 1), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_nc_table_init(&table, memory, 0), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_nc_table_init(&table, memory + 32, SET), APR_EINVAL);
    CU_ASSERT_EQUAL(table.count, 77);
    CU_ASSERT_EQUAL(aw_nc_table_init(&table, memory, SET), APR_SUCCESS);
    CU_ASSERT_EQUAL(table.count, 1);
    CU_ASSERT_EQUAL(aw_nc_table_init(&table, memory, 4 * SET - 1), APR_SUCCESS);
    CU_ASSERT_EQUAL(table.count, 2);
    CU_ASSERT_EQUAL(aw_nc_table_init(&table, memory, 4 * SET), APR_SUCCESS);
    CU_ASSERT_EQUAL(table.count, 4);
}

static void a_second_view_of_the_memory_sees_what_the_first_has_used(void)
{
    aw_nc_table_t one = fresh(4), two = {NULL, 0};

    CU_ASSERT_EQUAL(take(&one, 0, 1), AW_NC_TAKEN);
    CU_ASSERT_EQUAL(aw_nc_table_init(&two, memory, sizeof(memory)), APR_SUCCESS);
    CU_ASSERT_EQUAL(take(&two, 0, 1), AW_NC_USED);
    CU_ASSERT_EQUAL(take(&two, 0, 2), AW_NC_TAKEN);
    CU_ASSERT_EQUAL(take(&one, 0, 2), AW_NC_USED);
}

static void a_count_is_taken_once_and_then_used(void)
{
    aw_nc_table_t table = fresh(1);

    for (uint32_t nc = 1; nc <= 5000; nc++) {
        CU_ASSERT_EQUAL_FATAL(take(&table, 0, nc), AW_NC_TAKEN);
        CU_ASSERT_EQUAL_FATAL(take(&table, 0, nc), AW_NC_USED);
    }
    for (uint32_t nc = 1; nc <= 5000; nc++) {
        const aw_nc_e answer = take(&table, 0, nc);

        CU_ASSERT_EQUAL(answer, nc > 5000 - 224 ? AW_NC_USED : answer);
        CU_ASSERT_NOT_EQUAL(answer, AW_NC_TAKEN);
    }
}

static void counts_that_cannot_be_are_never_taken(void)
{
    aw_nc_table_t table = fresh(1);
    const aw_nonce_t early = {apr_time_from_sec(0) + 5, 9}, before = {-1, 9};

    CU_ASSERT_EQUAL(take(&table, 0, 0), AW_NC_USED);
    CU_ASSERT_EQUAL(take(&table, 0, AW_NC_MAX), AW_NC_TAKEN);
    CU_ASSERT_EQUAL(take(&table, 0, AW_NC_MAX), AW_NC_USED);
    CU_ASSERT_EQUAL(take(&table, 0, AW_NC_MAX + 1), AW_NC_DROPPED);
    CU_ASSERT_EQUAL(take(&table, 0, UINT32_MAX), AW_NC_DROPPED);
    CU_ASSERT_EQUAL(aw_nc_take(&table, &early, 1), AW_NC_DROPPED);
    CU_ASSERT_EQUAL(aw_nc_take(&table, &before, 1), AW_NC_DROPPED);
}

static void a_burst_of_224_counts_passes_in_any_order(void)
{
    uint64_t random = 1;

    for (uint32_t start = 1; start < 200; start++) {
        aw_nc_table_t table = fresh(1);
        uint32_t counts[224];

        for (uint32_t i = 0; i < 224; i++) {
            const uint32_t j = (uint32_t)next_random(&random) % (i + 1);

            counts[i] = counts[j];
            counts[j] = start + i;
        }
        for (uint32_t i = 0; i < 224; i++) {
            CU_ASSERT_EQUAL_FATAL(take(&table, 0, counts[i]), AW_NC_TAKEN);
        }
        for (uint32_t i = 0; i < 224; i++) {
            CU_ASSERT_EQUAL_FATAL(take(&table, 0, counts[i]), AW_NC_USED);
        }
    }
}

static void counts_below_the_window_are_dropped(void)
{
    aw_nc_table_t table = fresh(1);

    CU_ASSERT_EQUAL(take(&table, 0, 1), AW_NC_TAKEN);
    CU_ASSERT_EQUAL(take(&table, 0, 256), AW_NC_TAKEN);
    CU_ASSERT_EQUAL(take(&table, 0, 1), AW_NC_DROPPED);
    CU_ASSERT_EQUAL(take(&table, 0, 31), AW_NC_DROPPED);
    CU_ASSERT_EQUAL(take(&table, 0, 32), AW_NC_TAKEN); /* the next block is still there */
    CU_ASSERT_EQUAL(take(&table, 0, 256), AW_NC_USED);
}

static void an_evicted_nonce_is_dropped_and_never_fresh_again(void)
{
    aw_nc_table_t table = fresh(1);

    for (unsigned k = 0; k < 1000; k++) {
        CU_ASSERT_EQUAL_FATAL(take(&table, k, 1), AW_NC_TAKEN);
        for (unsigned old = 0; old <= k; old++) {
            const aw_nc_e expected = old + 14 > k ? AW_NC_USED : AW_NC_DROPPED;

            CU_ASSERT_EQUAL_FATAL(take(&table, old, 1), expected);
            if (expected == AW_NC_DROPPED) {
                CU_ASSERT_EQUAL_FATAL(take(&table, old, 2), AW_NC_DROPPED);
            }
        }
    }
}

/* More rounds of a set than a turn has values. */
static void the_turn_may_wrap(void)
{
    aw_nc_table_t table = fresh(1);

    for (unsigned k = 0; k < 14 * 4096 * 2 + 100; k++) {
        CU_ASSERT_EQUAL_FATAL(take(&table, k, 1 + k % 500), AW_NC_TAKEN);
        CU_ASSERT_EQUAL_FATAL(take(&table, k, 1 + k % 500), AW_NC_USED);
        if (k >= 14) {
            CU_ASSERT_EQUAL_FATAL(take(&table, k - 14, 1), AW_NC_DROPPED);
        }
    }
}

static void a_nonce_issued_at_or_before_an_evicted_one_is_not_taken_for_new(void)
{
    aw_nc_table_t table = fresh(1);
    aw_nonce_t twin = nonce_of(5, 0);

    for (unsigned k = 5; k < 20; k++) {
        CU_ASSERT_EQUAL(take(&table, k, 1), AW_NC_TAKEN); /* the last pushes number 5 out */
    }
    twin.id += (uint64_t)99 << 44;
    CU_ASSERT_EQUAL(aw_nc_take(&table, &twin, 1), AW_NC_DROPPED);
    CU_ASSERT_EQUAL(take(&table, 4, 1), AW_NC_DROPPED);
    CU_ASSERT_EQUAL(take(&table, 6, 1), AW_NC_USED);
}

static void a_late_nonce_pushes_no_younger_one_out(void)
{
    aw_nc_table_t table = fresh(1);

    for (unsigned k = 100; k < 114; k++) {
        CU_ASSERT_EQUAL(take(&table, k, 1), AW_NC_TAKEN);
    }
    CU_ASSERT_EQUAL(take(&table, 99, 1), AW_NC_DROPPED);
    for (unsigned k = 100; k < 114; k++) {
        CU_ASSERT_EQUAL(take(&table, k, 1), AW_NC_USED);
        CU_ASSERT_EQUAL(take(&table, k, 2), AW_NC_TAKEN);
    }
    CU_ASSERT_EQUAL(take(&table, 114, 1), AW_NC_TAKEN);
}

static void an_owner_of_years_ago_makes_room(void)
{
    aw_nc_table_t table = fresh(1);

    for (unsigned k = 0; k < 14; k++) {
        CU_ASSERT_EQUAL(take(&table, k, 1), AW_NC_TAKEN);
    }
    CU_ASSERT_EQUAL(take(&table, 10 * 365 * 86400, 1), AW_NC_TAKEN);
    CU_ASSERT_EQUAL(take(&table, 0, 1), AW_NC_DROPPED);
    CU_ASSERT_EQUAL(take(&table, 1, 1), AW_NC_USED);
}

static void a_full_set_does_not_disturb_its_neighbours(void)
{
    aw_nc_table_t table = fresh(4);
    const aw_nonce_t other[] = {nonce_of(0, 1), nonce_of(0, 2), nonce_of(0, 3)};

    for (unsigned i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(aw_nc_take(&table, &other[i], 1), AW_NC_TAKEN);
    }
    for (unsigned k = 0; k < 100; k++) {
        CU_ASSERT_EQUAL(take(&table, k, 1), AW_NC_TAKEN);
    }
    for (unsigned i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(aw_nc_take(&table, &other[i], 1), AW_NC_USED);
        CU_ASSERT_EQUAL(aw_nc_take(&table, &other[i], 2), AW_NC_TAKEN);
    }
}

/* Whatever stands in the table: an answer comes, nothing outside is touched. */
static void garbage_in_the_table_is_survived(void)
{
    static const unsigned char pages[4096];
    const aw_span_t guarded = unit_guard(pages, sizeof(pages));
    unsigned char *table_memory = (unsigned char *)(uintptr_t)guarded.ptr;
    aw_nc_table_t table = {NULL, 0};
    uint64_t random = 3;
    unsigned answers[3] = {0};

    CU_ASSERT_EQUAL_FATAL(aw_nc_table_init(&table, table_memory, sizeof(pages)), APR_SUCCESS);
    for (unsigned round = 0; round < 300; round++) {
        for (size_t i = 0; i < sizeof(pages); i++) {
            table_memory[i] = round == 0 ? 0xff : (unsigned char)next_random(&random);
        }
        for (unsigned i = 0; i < 4; i++) {
            /* Half of the rounds with a floor that lets newcomers past it. */
            memset(table_memory + i * SET + 8, 0, round % 2 ? 8 : 0);
        }
        for (unsigned i = 0; i < 64; i++) {
            const aw_nonce_t nonce = nonce_of((unsigned)next_random(&random), i);

            answers[aw_nc_take(&table, &nonce, 1 + i * 37)]++;
        }
    }
    CU_ASSERT_EQUAL(answers[0] + answers[1] + answers[2], 300 * 64);
    unit_guard_free(guarded);
}

static const unit_test_t tests[] = {
    {"init_refuses_what_cannot_hold_a_set", init_refuses_what_cannot_hold_a_set},
    {"a_second_view_of_the_memory_sees_what_the_first_has_used",
     a_second_view_of_the_memory_sees_what_the_first_has_used},
    {"a_count_is_taken_once_and_then_used", a_count_is_taken_once_and_then_used},
    {"counts_that_cannot_be_are_never_taken", counts_that_cannot_be_are_never_taken},
    {"a_burst_of_224_counts_passes_in_any_order", a_burst_of_224_counts_passes_in_any_order},
    {"counts_below_the_window_are_dropped", counts_below_the_window_are_dropped},
    {"an_evicted_nonce_is_dropped_and_never_fresh_again",
     an_evicted_nonce_is_dropped_and_never_fresh_again},
    {"the_turn_may_wrap", the_turn_may_wrap},
    {"a_nonce_issued_at_or_before_an_evicted_one_is_not_taken_for_new",
     a_nonce_issued_at_or_before_an_evicted_one_is_not_taken_for_new},
    {"a_late_nonce_pushes_no_younger_one_out", a_late_nonce_pushes_no_younger_one_out},
    {"an_owner_of_years_ago_makes_room", an_owner_of_years_ago_makes_room},
    {"a_full_set_does_not_disturb_its_neighbours", a_full_set_does_not_disturb_its_neighbours},
    {"garbage_in_the_table_is_survived", garbage_in_the_table_is_survived},
    {"processes_offering_the_same_counts_share_them_out_exactly",
     processes_offering_the_same_counts_share_them_out_exactly},
    {"threads_under_eviction_take_no_count_twice", threads_under_eviction_take_no_count_twice},
    {"processes_killed_at_any_moment_leave_a_sound_table",
     processes_killed_at_any_moment_leave_a_sound_table},
    {"every_interleaving_of_small_scenes_is_sound", every_interleaving_of_small_scenes_is_sound},
    {"the_explorer_notices_a_broken_algorithm", the_explorer_notices_a_broken_algorithm},
    {NULL, NULL},
};

const unit_suite_t nc_table_suite = {"nc_table", tests};
