/* The nc table: what one process may rely on, and what several, killed ones too, may not break.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include "digest/nc_table.h"
#include "nc_stress.h"

#define SET   1024u
#define EPOCH 1700000000u

#define SETS_MAX 64u
#define HERE     0x123456u /* nodes */
#define THERE    0xabcdefu

static _Alignas(64) unsigned char memory[SETS_MAX * SET];

static aw_nc_table_t fresh(unsigned sets)
{
    aw_nc_table_t table = {.count = 0};

    memset(memory, 0, sizeof(memory));
    CU_ASSERT_EQUAL_FATAL(aw_nc_table_init(&table, memory, sets * SET, HERE), APR_SUCCESS);
    return table;
}

/* The k-th nonce, issued k seconds after the epoch. */
static aw_nonce_t nonce_of(unsigned k)
{
    return (aw_nonce_t){
        .issued = apr_time_from_sec(EPOCH + k) + 7, .id = (uint64_t)(k + 1) << 44, .node = HERE};
}

static aw_nc_e take_as(aw_nc_table_t *table, uint64_t user, unsigned k, uint32_t nc)
{
    const aw_nonce_t nonce = nonce_of(k);

    return aw_nc_take(table, &nonce, user, nc);
}

static aw_nc_e take(aw_nc_table_t *table, unsigned k, uint32_t nc)
{
    return take_as(table, 0, k, nc);
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static void init_refuses_what_cannot_hold_a_set(void)
{
    aw_nc_table_t table = {.count = 77};

    CU_ASSERT_EQUAL(aw_nc_table_init(&table, NULL, SET, HERE), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_nc_table_init(&table, memory, SET - 1, HERE), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_nc_table_init(&table, memory, 0, HERE), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_nc_table_init(&table, memory + 32, SET, HERE), APR_EINVAL);
    CU_ASSERT_EQUAL(table.count, 77);
    CU_ASSERT_EQUAL(aw_nc_table_init(&table, memory, SET, HERE), APR_SUCCESS);
    CU_ASSERT_EQUAL(table.count, 1);
    CU_ASSERT_EQUAL(aw_nc_table_init(&table, memory, 4 * SET - 1, HERE), APR_SUCCESS);
    CU_ASSERT_EQUAL(table.count, 3);
    CU_ASSERT_EQUAL(aw_nc_table_init(&table, memory, 4 * SET, HERE), APR_SUCCESS);
    CU_ASSERT_EQUAL(table.count, 4);
    CU_ASSERT_EQUAL(table.stripe, 1);
    CU_ASSERT_EQUAL(aw_nc_table_init(&table, memory, 16 * SET, HERE), APR_SUCCESS);
    CU_ASSERT_EQUAL(table.stripe, 1);
    CU_ASSERT_EQUAL(aw_nc_table_init(&table, memory, 63 * SET, HERE), APR_SUCCESS);
    CU_ASSERT_EQUAL(table.count, 63);
    CU_ASSERT_EQUAL(table.stripe, 2);
    CU_ASSERT_EQUAL(aw_nc_table_init(&table, memory, 64 * SET, HERE), APR_SUCCESS);
    CU_ASSERT_EQUAL(table.stripe, 4);
    CU_ASSERT_EQUAL(table.node, HERE);
}

static void a_second_view_of_the_memory_sees_what_the_first_has_used(void)
{
    aw_nc_table_t one = fresh(4), two = {.count = 0};

    CU_ASSERT_EQUAL(take(&one, 0, 1), AW_NC_TAKEN);
    CU_ASSERT_EQUAL(aw_nc_table_init(&two, memory, 4 * SET, HERE), APR_SUCCESS);
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
    const aw_nonce_t early = {5, 9, HERE}, before = {-1, 9, HERE};

    CU_ASSERT_EQUAL(take(&table, 0, 0), AW_NC_USED);
    CU_ASSERT_EQUAL(take(&table, 0, AW_NC_MAX), AW_NC_TAKEN);
    CU_ASSERT_EQUAL(take(&table, 0, AW_NC_MAX), AW_NC_USED);
    CU_ASSERT_EQUAL(take(&table, 0, AW_NC_MAX + 1), AW_NC_DROPPED);
    CU_ASSERT_EQUAL(take(&table, 0, UINT32_MAX), AW_NC_DROPPED);
    CU_ASSERT_EQUAL(aw_nc_take(&table, &early, 0, 1), AW_NC_DROPPED);
    CU_ASSERT_EQUAL(aw_nc_take(&table, &before, 0, 1), AW_NC_DROPPED);
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
    aw_nonce_t twin = nonce_of(5);

    for (unsigned k = 5; k < 20; k++) {
        CU_ASSERT_EQUAL(take(&table, k, 1), AW_NC_TAKEN); /* the last pushes number 5 out */
    }
    twin.id += (uint64_t)99 << 44;
    CU_ASSERT_EQUAL(aw_nc_take(&table, &twin, 0, 1), AW_NC_DROPPED);
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

static void slots_that_change_hands_are_counted(void)
{
    static _Alignas(64) unsigned char cells[AW_COUNTERS_SIZE];
    aw_nc_table_t table = fresh(1);
    aw_counters_t counters = {NULL};

    memset(cells, 0, sizeof(cells));
    CU_ASSERT_EQUAL_FATAL(aw_counters_init(&counters, cells, sizeof(cells)), APR_SUCCESS);
    table.counters = &counters;
    table.evicted = 5;
    for (unsigned k = 0; k < 14; k++) {
        CU_ASSERT_EQUAL(take(&table, k, 1), AW_NC_TAKEN);
        CU_ASSERT_EQUAL(take(&table, k, 1), AW_NC_USED);
    }
    CU_ASSERT_EQUAL(aw_counters_get(&counters, 5), 0); /* all had room */
    for (unsigned k = 14; k < 20; k++) {
        CU_ASSERT_EQUAL(take(&table, k, 1), AW_NC_TAKEN);
    }
    CU_ASSERT_EQUAL(take(&table, 0, 2), AW_NC_DROPPED); /* pushes nobody out */
    CU_ASSERT_EQUAL(aw_counters_get(&counters, 5), 6);
    CU_ASSERT_EQUAL(aw_counters_get(&counters, 0), 0);
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

    for (unsigned user = 1; user < 4; user++) {
        CU_ASSERT_EQUAL(take_as(&table, user, 0, 1), AW_NC_TAKEN);
    }
    for (unsigned k = 0; k < 100; k++) {
        CU_ASSERT_EQUAL(take(&table, k, 1), AW_NC_TAKEN);
    }
    for (unsigned user = 1; user < 4; user++) {
        CU_ASSERT_EQUAL(take_as(&table, user, 0, 1), AW_NC_USED);
        CU_ASSERT_EQUAL(take_as(&table, user, 0, 2), AW_NC_TAKEN);
    }
}

/* The hash of user number `i`. */
static uint64_t user_of(const aw_nc_table_t *table, unsigned i)
{
    const char name[] = {'u', (char)('0' + i / 100), (char)('0' + i / 10 % 10),
                         (char)('0' + i % 10)};

    return aw_nc_user(table, (aw_span_t){name, sizeof(name)});
}

/* Nonce k of user number i, with random bits in its id. */
static aw_nc_e take_random(aw_nc_table_t *table, unsigned i, unsigned k, uint32_t nc)
{
    uint64_t random = i * 1000003u + k;
    aw_nonce_t nonce = nonce_of(k);

    (void)next_random(&random);
    nonce.id = next_random(&random) << 33 ^ next_random(&random);
    return aw_nc_take(table, &nonce, user_of(table, i), nc);
}

#define VICTIMS 100u
#define FLOODER 999u
#define FLOOD   (10u * SETS_MAX * 14u) /* ten times what the table holds */

static void a_user_who_floods_pushes_out_only_those_in_the_stripe(void)
{
    aw_nc_table_t table = fresh(SETS_MAX);
    const uint64_t stripe = user_of(&table, FLOODER) % SETS_MAX;
    unsigned outside = 0, known = 0;

    for (unsigned i = 0; i < VICTIMS; i++) {
        CU_ASSERT_EQUAL(take_random(&table, i, 0, 1), AW_NC_TAKEN);
    }
    for (unsigned k = 1; k <= FLOOD; k++) {
        CU_ASSERT_EQUAL(take_random(&table, FLOODER, k, 1), AW_NC_TAKEN);
    }
    for (unsigned i = 0; i < VICTIMS; i++) {
        /* How far behind the start of the flooder's stripe the victim's begins. */
        const uint64_t behind = (user_of(&table, i) - stripe) % SETS_MAX;

        if (behind >= 4 && behind <= SETS_MAX - 4) {
            CU_ASSERT_EQUAL(take_random(&table, i, 0, 1), AW_NC_USED);
            CU_ASSERT_EQUAL(take_random(&table, i, 0, 2), AW_NC_TAKEN);
            outside++;
        } else {
            CU_ASSERT_NOT_EQUAL(take_random(&table, i, 0, 1), AW_NC_TAKEN);
        }
    }
    CU_ASSERT(outside >= 80 && outside < VICTIMS);
    for (unsigned k = 1; k <= FLOOD; k++) {
        const aw_nc_e replay = take_random(&table, FLOODER, k, 1);

        CU_ASSERT_NOT_EQUAL_FATAL(replay, AW_NC_TAKEN);
        known += replay == AW_NC_USED;
    }
    CU_ASSERT_EQUAL(known, 4 * 14); /* the flooder's share, in full use */
}

static void stripes_begin_everywhere_and_elsewhere_on_another_node(void)
{
    aw_nc_table_t here = fresh(SETS_MAX), there = here;
    unsigned begins[SETS_MAX] = {0}, same = 0;

    there.node = THERE;
    for (unsigned i = 0; i < 1000; i++) {
        begins[user_of(&here, i) % SETS_MAX]++;
        same += user_of(&here, i) % SETS_MAX == user_of(&there, i) % SETS_MAX;
    }
    for (unsigned set = 0; set < SETS_MAX; set++) {
        CU_ASSERT(begins[set] > 0 && begins[set] < 40);
    }
    CU_ASSERT(same < 40);
}

static void a_stripe_goes_round_the_end_of_the_table(void)
{
    static const unsigned sizes[] = {SETS_MAX, SETS_MAX - 1, 33, 16, 3, 1};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const unsigned count = sizes[i];
        aw_nc_table_t table = fresh(count);

        for (unsigned set = 0; set < table.stripe; set++) {
            aw_nonce_t nonce = nonce_of(1);

            nonce.id |= set;
            CU_ASSERT_EQUAL(aw_nc_take(&table, &nonce, count - 1, 1), AW_NC_TAKEN);
            CU_ASSERT_EQUAL(aw_nc_take(&table, &nonce, count - 1, 1), AW_NC_USED);
            CU_ASSERT_NOT_EQUAL(memory[(count - 1 + set) % count * SET], 0);
        }
    }
}

/* --- several nodes --- */

static void of_another_nodes_nonce_the_first_count_is_taken_once_and_no_other(void)
{
    aw_nc_table_t table = fresh(4);
    aw_nonce_t nonce = nonce_of(0);

    nonce.node = THERE;
    for (uint32_t nc = 2; nc < 300; nc++) {
        CU_ASSERT_EQUAL(aw_nc_take(&table, &nonce, 0, nc), AW_NC_DROPPED);
    }
    CU_ASSERT_EQUAL(aw_nc_take(&table, &nonce, 0, 0), AW_NC_USED);
    CU_ASSERT_EQUAL(aw_nc_take(&table, &nonce, 0, 1), AW_NC_TAKEN);
    CU_ASSERT_EQUAL(aw_nc_take(&table, &nonce, 0, 1), AW_NC_USED);
    for (uint32_t nc = 2; nc < 300; nc++) {
        CU_ASSERT_EQUAL(aw_nc_take(&table, &nonce, 0, nc), AW_NC_DROPPED);
    }
}

static void a_later_count_of_another_nodes_nonce_leaves_no_trace(void)
{
    aw_nc_table_t table = fresh(1);
    aw_nonce_t nonce = nonce_of(0);

    nonce.node = THERE;
    CU_ASSERT_EQUAL(aw_nc_take(&table, &nonce, 0, 2), AW_NC_DROPPED);
    for (size_t i = 0; i < SET; i++) {
        CU_ASSERT_EQUAL_FATAL(memory[i], 0);
    }
}

static void another_nodes_nonce_that_had_to_go_is_dropped(void)
{
    aw_nc_table_t table = fresh(1);
    aw_nonce_t nonce = nonce_of(0);

    nonce.node = THERE;
    CU_ASSERT_EQUAL(aw_nc_take(&table, &nonce, 0, 1), AW_NC_TAKEN);
    for (unsigned k = 1; k <= 14; k++) {
        CU_ASSERT_EQUAL(take(&table, k, 1), AW_NC_TAKEN);
    }
    CU_ASSERT_EQUAL(aw_nc_take(&table, &nonce, 0, 1), AW_NC_DROPPED);
}

/* What the header says remains possible, and no more. */
static void between_two_nodes_only_a_first_request_can_be_replayed(void)
{
    aw_nc_table_t here = fresh(8), there = {.count = 0};
    const aw_nonce_t nonce = nonce_of(0);

    CU_ASSERT_EQUAL_FATAL(aw_nc_table_init(&here, memory, 4 * SET, HERE), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(aw_nc_table_init(&there, memory + 4 * SET, 4 * SET, THERE), APR_SUCCESS);
    for (uint32_t nc = 1; nc < 300; nc++) {
        CU_ASSERT_EQUAL(aw_nc_take(&here, &nonce, 0, nc), AW_NC_TAKEN);
    }
    for (uint32_t nc = 1; nc < 300; nc++) {
        CU_ASSERT_EQUAL(aw_nc_take(&there, &nonce, 0, nc), nc == 1 ? AW_NC_TAKEN : AW_NC_DROPPED);
        CU_ASSERT_NOT_EQUAL(aw_nc_take(&there, &nonce, 0, nc), AW_NC_TAKEN);
        CU_ASSERT_NOT_EQUAL(aw_nc_take(&here, &nonce, 0, nc), AW_NC_TAKEN);
    }
}

/* Whatever stands in the table: an answer comes, nothing outside is touched. */
static void garbage_in_the_table_is_survived(void)
{
    static const unsigned char pages[4096];
    const aw_span_t guarded = unit_guard(pages, sizeof(pages));
    unsigned char *table_memory = (unsigned char *)(uintptr_t)guarded.ptr;
    aw_nc_table_t table = {.count = 0};
    uint64_t random = 3;
    unsigned answers[3] = {0};

    CU_ASSERT_EQUAL_FATAL(aw_nc_table_init(&table, table_memory, sizeof(pages), HERE), APR_SUCCESS);
    for (unsigned round = 0; round < 300; round++) {
        for (size_t i = 0; i < sizeof(pages); i++) {
            table_memory[i] = round == 0 ? 0xff : (unsigned char)next_random(&random);
        }
        for (unsigned i = 0; i < 4; i++) {
            /* Half of the rounds with a floor that lets newcomers past it. */
            memset(table_memory + i * SET + 8, 0, round % 2 ? 8 : 0);
        }
        for (unsigned i = 0; i < 64; i++) {
            answers[take_as(&table, i, (unsigned)next_random(&random), 1 + i * 37)]++;
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
    {"slots_that_change_hands_are_counted", slots_that_change_hands_are_counted},
    {"an_owner_of_years_ago_makes_room", an_owner_of_years_ago_makes_room},
    {"a_full_set_does_not_disturb_its_neighbours", a_full_set_does_not_disturb_its_neighbours},
    {"a_user_who_floods_pushes_out_only_those_in_the_stripe",
     a_user_who_floods_pushes_out_only_those_in_the_stripe},
    {"stripes_begin_everywhere_and_elsewhere_on_another_node",
     stripes_begin_everywhere_and_elsewhere_on_another_node},
    {"a_stripe_goes_round_the_end_of_the_table", a_stripe_goes_round_the_end_of_the_table},
    {"of_another_nodes_nonce_the_first_count_is_taken_once_and_no_other",
     of_another_nodes_nonce_the_first_count_is_taken_once_and_no_other},
    {"a_later_count_of_another_nodes_nonce_leaves_no_trace",
     a_later_count_of_another_nodes_nonce_leaves_no_trace},
    {"another_nodes_nonce_that_had_to_go_is_dropped",
     another_nodes_nonce_that_had_to_go_is_dropped},
    {"between_two_nodes_only_a_first_request_can_be_replayed",
     between_two_nodes_only_a_first_request_can_be_replayed},
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
