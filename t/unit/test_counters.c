/* The counters: every count arrives, from whatever thread or process.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shm/counters.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static _Alignas(64) unsigned char memory[AW_COUNTERS_SIZE + 64];

static aw_counters_t fresh(void)
{
    aw_counters_t counters = {NULL};

    memset(memory, 0, sizeof(memory));
    CU_ASSERT_EQUAL_FATAL(aw_counters_init(&counters, memory, AW_COUNTERS_SIZE), APR_SUCCESS);
    return counters;
}

static void too_little_memory_is_refused(void)
{
    aw_counters_t counters = {NULL};

    CU_ASSERT_EQUAL(aw_counters_init(&counters, NULL, AW_COUNTERS_SIZE), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_counters_init(&counters, memory, AW_COUNTERS_SIZE - 1), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_counters_init(&counters, memory + 8, AW_COUNTERS_SIZE), APR_EINVAL);
    CU_ASSERT_PTR_NULL(counters.cells);
}

static void each_counter_counts_for_itself(void)
{
    const aw_counters_t counters = fresh();

    for (unsigned i = 0; i < AW_COUNTERS_MAX; i++) {
        for (unsigned k = 0; k < i; k++) {
            aw_counters_add(&counters, i);
        }
    }
    for (unsigned i = 0; i < AW_COUNTERS_MAX; i++) {
        CU_ASSERT_EQUAL(aw_counters_get(&counters, i), i);
    }
}

static void what_is_beyond_the_table_is_not_counted(void)
{
    const aw_counters_t counters = fresh();

    aw_counters_add(&counters, AW_COUNTERS_MAX);
    aw_counters_add(&counters, UINT_MAX);
    CU_ASSERT_EQUAL(aw_counters_get(&counters, AW_COUNTERS_MAX), 0);
    for (size_t i = 0; i < sizeof(memory); i++) {
        CU_ASSERT_EQUAL_FATAL(memory[i], 0);
    }
}

static void without_a_table_nothing_is_counted(void)
{
    const aw_counters_t none = {NULL};

    aw_counters_add(&none, 0);
    CU_ASSERT_EQUAL(aw_counters_get(&none, 0), 0);
}

static void what_was_counted_is_still_there_for_who_attaches_later(void)
{
    const aw_counters_t counters = fresh();
    aw_counters_t later = {NULL};

    aw_counters_add(&counters, 3);
    CU_ASSERT_EQUAL(aw_counters_init(&later, memory, AW_COUNTERS_SIZE), APR_SUCCESS);
    aw_counters_add(&later, 3);
    CU_ASSERT_EQUAL(aw_counters_get(&counters, 3), 2);
}

static void *add_many(void *baton)
{
    for (unsigned i = 0; i < 50000; i++) {
        aw_counters_add(baton, i % 5);
    }
    return NULL;
}

static void no_count_of_many_threads_is_lost(void)
{
    aw_counters_t counters = fresh();
    pthread_t threads[20]; /* more than there are stripes */

    for (unsigned i = 0; i < 20; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, add_many, &counters), 0);
    }
    for (unsigned i = 0; i < 20; i++) {
        CU_ASSERT_EQUAL(pthread_join(threads[i], NULL), 0);
    }
    for (unsigned i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(aw_counters_get(&counters, i), 20 * 10000);
    }
}

static void processes_count_in_one_table_killed_or_not(void)
{
    void *map =
        mmap(NULL, AW_COUNTERS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    aw_counters_t counters = {NULL};
    uint64_t before = 0;

    CU_ASSERT_PTR_NOT_EQUAL_FATAL(map, MAP_FAILED);
    CU_ASSERT_EQUAL_FATAL(aw_counters_init(&counters, map, AW_COUNTERS_SIZE), APR_SUCCESS);
    for (unsigned round = 0; round < 10; round++) {
        const pid_t child = fork();

        CU_ASSERT_FATAL(child >= 0);
        while (child == 0) {
            aw_counters_add(&counters, 1);
        }
        while (aw_counters_get(&counters, 1) < before + 1000) {
            (void)sched_yield();
        }
        CU_ASSERT_EQUAL(kill(child, SIGKILL), 0);
        CU_ASSERT_EQUAL(waitpid(child, NULL, 0), child);
        before = aw_counters_get(&counters, 1);
    }
    aw_counters_add(&counters, 1);
    CU_ASSERT_EQUAL(aw_counters_get(&counters, 1), before + 1);
    CU_ASSERT_EQUAL(aw_counters_get(&counters, 0), 0);
    munmap(map, AW_COUNTERS_SIZE);
}

static const unit_test_t tests[] = {
    {"too little memory is refused", too_little_memory_is_refused},
    {"each counter counts for itself", each_counter_counts_for_itself},
    {"what is beyond the table is not counted", what_is_beyond_the_table_is_not_counted},
    {"without a table nothing is counted", without_a_table_nothing_is_counted},
    {"what was counted is still there for who attaches later",
     what_was_counted_is_still_there_for_who_attaches_later},
    {"no count of many threads is lost", no_count_of_many_threads_is_lost},
    {"processes count in one table, killed or not", processes_count_in_one_table_killed_or_not},
    {NULL, NULL},
};

const unit_suite_t counters_suite = {"counters", tests};
