/* The nc table under several processes and threads, some of them killed, and under the explorer.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "nc_stress.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "digest/nc_table.h"
#include "nc_explore.h"
#include "unit.h"

#define SET        1024u
#define EPOCH      1700000000u
#define NONCES     600u
#define COUNTS     200u
#define WRITERS    4u
#define KILLS      190u
#define CLOCK_STEP 3u
_Static_assert(KILLS *CLOCK_STEP + 24 < NONCES, "writers go on to the last kill");

/* What all processes share. */
typedef struct shared_t {
    _Alignas(64) unsigned char memory[8 * SET];
    atomic_uint clock;   /* nonces from about here are offered */
    atomic_ulong offers; /* made so far */
    atomic_uchar taken[NONCES][COUNTS + 1];
} shared_t;

typedef struct writer_t {
    shared_t *shared;
    size_t size; /* of the table */
    uint64_t random;
    bool keeps_time; /* or somebody else moves the clock on */
} writer_t;

static shared_t *share(void)
{
    void *map =
        mmap(NULL, sizeof(shared_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CU_ASSERT_PTR_NOT_EQUAL_FATAL(map, MAP_FAILED);
    return map;
}

static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static void offer(shared_t *shared, aw_nc_table_t *table, unsigned k, uint32_t nc)
{
    const aw_nonce_t nonce = {.issued = apr_time_from_sec(EPOCH + k),
                              .id = (uint64_t)(k + 1) << 44};

    /* The table is so small that a stripe is one set: the user alone says which. */
    if (aw_nc_take(table, &nonce, k, nc) == AW_NC_TAKEN) {
        atomic_fetch_add(&shared->taken[k][nc], 1);
    }
    atomic_fetch_add(&shared->offers, 1);
}

/* Offers nonces around a clock that moves on, far more of them than the table holds. */
static void *offer_under_eviction(void *baton)
{
    writer_t *writer = baton;
    shared_t *shared = writer->shared;
    aw_nc_table_t table = {.count = 0};
    unsigned now;

    if (aw_nc_table_init(&table, shared->memory, writer->size, 0) != APR_SUCCESS) {
        return NULL;
    }
    while ((now = atomic_load(&shared->clock)) + 24 < NONCES) {
        const unsigned k = now + next_random(&writer->random) % 24;

        offer(shared, &table, k, 1 + next_random(&writer->random) % 40);
        if (writer->keeps_time && next_random(&writer->random) % 64 == 0) {
            atomic_fetch_add(&shared->clock, 1);
        }
    }
    return NULL;
}

static void check_none_twice(shared_t *shared, size_t size)
{
    aw_nc_table_t table = {.count = 0};
    const aw_nonce_t newest = {.issued = apr_time_from_sec(EPOCH + NONCES),
                               .id = (uint64_t)(NONCES + 1) << 44};
    unsigned twice = 0, once = 0;

    CU_ASSERT_EQUAL_FATAL(aw_nc_table_init(&table, shared->memory, size, 0), APR_SUCCESS);
    for (unsigned k = 0; k < NONCES; k++) {
        for (uint32_t nc = 1; nc <= COUNTS; nc++) {
            if (atomic_load(&shared->taken[k][nc])) {
                offer(shared, &table, k, nc); /* replays after all is over, too */
            }
            once += atomic_load(&shared->taken[k][nc]) == 1;
            twice += atomic_load(&shared->taken[k][nc]) > 1;
        }
    }
    CU_ASSERT_EQUAL(twice, 0);
    CU_ASSERT(once > NONCES); /* most nonces got through some counts, or nothing was tested */
    CU_ASSERT_EQUAL(aw_nc_take(&table, &newest, 0, 1), AW_NC_TAKEN);
    CU_ASSERT_EQUAL(aw_nc_take(&table, &newest, 0, 1), AW_NC_USED);
}

/* A child that runs `work` and is gone; its id. */
static pid_t start(void *(*work)(void *), shared_t *shared, size_t size, uint64_t seed)
{
    const pid_t child = fork();

    if (child == 0) {
        writer_t writer = {shared, size, seed, false};

        (void)work(&writer);
        _exit(0);
    }
    CU_ASSERT_FATAL(child > 0);
    return child;
}

/* Every count of eight nonces of eight sets, each process in an order of its own. */
static void *offer_all(void *baton)
{
    writer_t *writer = baton;
    aw_nc_table_t table = {.count = 0};
    uint32_t order[8 * COUNTS];

    if (aw_nc_table_init(&table, writer->shared->memory, writer->size, 0) != APR_SUCCESS) {
        return NULL;
    }
    for (uint32_t i = 0; i < 8 * COUNTS; i++) {
        const uint32_t j = next_random(&writer->random) % (i + 1);

        order[i] = order[j];
        order[j] = i;
    }
    for (uint32_t i = 0; i < 8 * COUNTS; i++) {
        offer(writer->shared, &table, order[i] % 8, 1 + order[i] / 8);
    }
    return NULL;
}

void processes_offering_the_same_counts_share_them_out_exactly(void)
{
    for (uint64_t round = 0; round < 10; round++) {
        shared_t *shared = share();
        pid_t children[WRITERS];
        unsigned wrong = 0;

        for (unsigned i = 0; i < WRITERS; i++) {
            children[i] = start(offer_all, shared, (size_t)SET << (round % 4), round * 100 + i);
        }
        for (unsigned i = 0; i < WRITERS; i++) {
            int status = -1;

            CU_ASSERT_EQUAL(waitpid(children[i], &status, 0), children[i]);
            CU_ASSERT_EQUAL(status, 0);
        }
        CU_ASSERT_EQUAL(atomic_load(&shared->offers), WRITERS * 8 * COUNTS);
        for (unsigned k = 0; k < 8; k++) {
            for (uint32_t nc = 1; nc <= COUNTS; nc++) {
                wrong += atomic_load(&shared->taken[k][nc]) != 1;
            }
        }
        CU_ASSERT_EQUAL(wrong, 0);
        munmap(shared, sizeof(*shared));
    }
}

void threads_under_eviction_take_no_count_twice(void)
{
    for (size_t size = SET; size <= 2 * SET; size *= 2) {
        shared_t *shared = share();
        writer_t writers[WRITERS];
        pthread_t threads[WRITERS];

        for (unsigned i = 0; i < WRITERS; i++) {
            writers[i] = (writer_t){shared, size, i, true};
            CU_ASSERT_EQUAL_FATAL(
                pthread_create(&threads[i], NULL, offer_under_eviction, &writers[i]), 0);
        }
        for (unsigned i = 0; i < WRITERS; i++) {
            CU_ASSERT_EQUAL(pthread_join(threads[i], NULL), 0);
        }
        check_none_twice(shared, size);
        munmap(shared, sizeof(*shared));
    }
}

void processes_killed_at_any_moment_leave_a_sound_table(void)
{
    shared_t *shared = share();
    pid_t children[WRITERS];
    uint64_t random = 5;
    unsigned killed = 0;

    for (unsigned i = 0; i < WRITERS; i++) {
        children[i] = start(offer_under_eviction, shared, SET, i);
    }
    for (unsigned n = 0; n < KILLS; n++) {
        const unsigned i = n % WRITERS;
        int status = 0;

        /* New nonces, a little work on them (not a little time: a slow machine is to test as
         * much), and then, in the middle of it, the end of one writer. */
        atomic_fetch_add(&shared->clock, CLOCK_STEP);
        const unsigned long until = atomic_load(&shared->offers) + next_random(&random) % 300;

        while (atomic_load(&shared->offers) < until) {
            (void)sched_yield();
        }
        CU_ASSERT_EQUAL(kill(children[i], SIGKILL), 0);
        CU_ASSERT_EQUAL(waitpid(children[i], &status, 0), children[i]);
        killed += WIFSIGNALED(status) != 0;
        children[i] = start(offer_under_eviction, shared, SET, 1000 + n);
    }
    atomic_store(&shared->clock, NONCES); /* for the others to end */
    for (unsigned i = 0; i < WRITERS; i++) {
        CU_ASSERT_EQUAL(waitpid(children[i], NULL, 0), children[i]);
    }
    CU_ASSERT_EQUAL(killed, KILLS);
    check_none_twice(shared, SET);
    munmap(shared, sizeof(*shared));
}

/* In a ring of two slots. */
static const nc_scene_t scenes[] = {
    /* nobody has to go */
    {.writers = {{{'A', 1}}, {{'A', 1}}}, .exact = true},
    {.writers = {{{'A', 1}}, {{'A', 2}}}, .exact = true},
    {.writers = {{{'A', 1}}, {{'B', 1}}}, .exact = true},
    {.writers = {{{'A', 1}}, {{'A', 1}}, {{'A', 1}}}, .exact = true},
    {.writers = {{{'A', 1}}, {{'A', 2}}, {{'A', 3}}}, .exact = true},
    {.writers = {{{'A', 1}}, {{'A', 1}}, {{'B', 1}}}, .exact = true},
    /* a nonce of another node, beside one of this */
    {.writers = {{{'a', 1}}, {{'a', 1}}, {{'a', 2}}}, .exact = true},
    {.writers = {{{'a', 1}, {'a', 2}}, {{'A', 1}, {'A', 2}}, {{'a', 2}}}, .exact = true},
    {{{'a', 1}, {'B', 1}}, {{{'a', 1}}, {{'C', 1}}, {{'a', 2}}}, 0, false},
    {{{'B', 1}}, {{{'a', 1}}, {{'a', 1}}, {{'C', 1}, {'d', 1}}}, 0, false},
    /* blocks that share a word */
    {.before = {{'A', 1}}, .writers = {{{'A', 2}}, {{'A', 258}}, {{'A', 2}}}},
    /* a late writer of A, whose slot C takes and uses */
    {{{'A', 1}, {'B', 1}}, {{{'A', 2}}, {{'C', 2}, {'C', 2}}}, 0, false},
    {{{'A', 1}, {'B', 1}}, {{{'A', 2}}, {{'C', 2}}, {{'A', 2}}}, 0, false},
    {{{'A', 1}, {'B', 1}}, {{{'A', 2}}, {{'C', 2}}, {{'C', 2}}}, 0, false},
    {{{'A', 1}, {'B', 1}}, {{{'A', 2}}, {{'C', 2}}, {{'D', 2}}}, 0, false},
    /* A comes, is used, goes, and comes again */
    {{{'B', 1}}, {{{'A', 1}}, {{'A', 1}}, {{'C', 1}, {'D', 1}}}, 0, false},
    /* the set goes once around while F thinks; in one try, or there would be too many states */
    {{{'B', 1}}, {{{'F', 1}}, {{'C', 1}, {'D', 1}, {'E', 1}, {'F', 1}}}, 1, false},
};

void every_interleaving_of_small_scenes_is_sound(void)
{
    unsigned long states = 0;

    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
        const nc_explored_t out = nc_explore(&scenes[i], NC_SOUND);

        CU_ASSERT(out.complete);
        if (out.wrong) {
            CU_FAIL(out.wrong);
        }
        states += out.states;
    }
    CU_ASSERT(states > 100000); /* or it did not walk */
}

void the_explorer_notices_a_broken_algorithm(void)
{
    for (int mutant = NC_SOUND + 1; mutant < NC_MUTANTS; mutant++) {
        bool noticed = false;

        for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]) && !noticed; i++) {
            noticed = nc_explore(&scenes[i], (nc_mutant_e)mutant).wrong != NULL;
        }
        CU_ASSERT(noticed);
    }
}
