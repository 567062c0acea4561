/* Live connections per user: limits hold over processes, and the dead do not count.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session/connections.h"
#include "unit.h"

#define ALICE UINT64_C(0x123456789abcdef0)
#define BOB   UINT64_C(0xfedcba9876543210)

#define LINES_MAX 64
static _Alignas(64) unsigned char memory[AW_CONNECTIONS_SIZE(LINES_MAX)];

/* Processes that are said to be dead, and how often somebody asked. */
static bool dead[AW_CONNECTIONS_PROCESSES * 2];
static atomic_uint asked;

static bool is_alive(uint64_t who, void *baton)
{
    (void)baton;
    asked++;
    return !dead[who >> 32];
}

/* A process with this id, in a table that others may have written to. */
static aw_connections_t join(unsigned id, size_t lines)
{
    aw_connections_t out = {.open = false};

    CU_ASSERT_EQUAL_FATAL(
        aw_connections_init(&out, memory, AW_CONNECTIONS_SIZE(lines), is_alive, NULL), APR_SUCCESS);
    CU_ASSERT_EQUAL(aw_connections_open(&out, (uint64_t)id << 32 | 7), APR_SUCCESS);
    return out;
}

static aw_connections_t fresh(size_t lines)
{
    memset(memory, 0, sizeof(memory));
    memset(dead, 0, sizeof(dead));
    asked = 0;
    return join(1, lines);
}

/* How many of `n` are granted. */
static unsigned take(const aw_connections_t *connections, uint64_t tag, unsigned limit, unsigned n)
{
    unsigned taken = 0;

    for (unsigned i = 0; i < n; i++) {
        taken += aw_connections_take(connections, tag, limit) == AW_CONNECTIONS_TAKEN;
    }
    return taken;
}

static void a_user_has_as_many_as_the_limit_says(void)
{
    const aw_connections_t one = fresh(8);

    CU_ASSERT_EQUAL(take(&one, ALICE, 5, 9), 5);
    CU_ASSERT_EQUAL(aw_connections_take(&one, ALICE, 5), AW_CONNECTIONS_LIMIT);
    CU_ASSERT_EQUAL(aw_connections_count(&one, ALICE), 5);
    CU_ASSERT_EQUAL(take(&one, BOB, 2, 9), 2);
    aw_connections_release(&one, ALICE);
    CU_ASSERT_EQUAL(aw_connections_count(&one, ALICE), 4);
    CU_ASSERT_EQUAL(take(&one, ALICE, 5, 2), 1);
    for (unsigned i = 0; i < 5; i++) {
        aw_connections_release(&one, ALICE);
    }
    CU_ASSERT_EQUAL(aw_connections_count(&one, ALICE), 0);
    CU_ASSERT_EQUAL(aw_connections_count(&one, BOB), 2);
}

static void all_processes_count_together(void)
{
    const aw_connections_t one = fresh(8);
    const aw_connections_t two = join(2, 8), three = join(3, 8);

    CU_ASSERT_EQUAL(take(&one, ALICE, 10, 4), 4);
    CU_ASSERT_EQUAL(take(&two, ALICE, 10, 4), 4);
    CU_ASSERT_EQUAL(take(&three, ALICE, 10, 4), 2);
    CU_ASSERT_EQUAL(aw_connections_take(&one, ALICE, 10), AW_CONNECTIONS_LIMIT);
    aw_connections_release(&two, ALICE);
    CU_ASSERT_EQUAL(take(&one, ALICE, 10, 4), 1);
}

static void without_a_limit_it_only_counts(void)
{
    const aw_connections_t one = fresh(8);
    const aw_connections_t two = join(2, 8);

    CU_ASSERT_EQUAL(take(&one, ALICE, 1, 1), 1);
    CU_ASSERT_EQUAL(take(&two, ALICE, 0, 100), 100);
    CU_ASSERT_EQUAL(aw_connections_count(&one, ALICE), 101);
    CU_ASSERT_EQUAL(take(&two, ALICE, 101, 1), 0);
}

static void more_is_not_released_than_was_taken(void)
{
    const aw_connections_t one = fresh(8);
    const aw_connections_t two = join(2, 8);

    CU_ASSERT_EQUAL(take(&one, ALICE, 3, 2), 2);
    aw_connections_release(&two, ALICE); /* has none */
    aw_connections_release(&one, BOB);
    CU_ASSERT_EQUAL(aw_connections_count(&one, ALICE), 2);
    for (unsigned i = 0; i < 5; i++) {
        aw_connections_release(&one, ALICE);
    }
    CU_ASSERT_EQUAL(aw_connections_count(&one, ALICE), 0);
    CU_ASSERT_EQUAL(take(&one, ALICE, 3, 9), 3);
}

static void what_a_leaving_process_counted_is_gone(void)
{
    const aw_connections_t one = fresh(8);
    aw_connections_t two = join(2, 8);

    CU_ASSERT_EQUAL(take(&two, ALICE, 3, 3), 3);
    CU_ASSERT_EQUAL(take(&one, ALICE, 3, 1), 0);
    aw_connections_close(&two);
    CU_ASSERT_EQUAL(aw_connections_count(&one, ALICE), 0);
    CU_ASSERT_EQUAL(aw_connections_take(&two, ALICE, 3), AW_CONNECTIONS_NO_ROOM);
    CU_ASSERT_EQUAL(take(&one, ALICE, 3, 9), 3);
    /* Nor does the next one in its place take it over. */
    const aw_connections_t next = join(4, 8);
    CU_ASSERT_EQUAL(next.place, two.place);
    CU_ASSERT_EQUAL(aw_connections_count(&next, ALICE), 3);
}

static void a_killed_process_is_found_when_somebody_would_be_refused(void)
{
    const aw_connections_t one = fresh(8);
    const aw_connections_t two = join(2, 8), three = join(3, 8);

    CU_ASSERT_EQUAL(take(&two, ALICE, 4, 3), 3);
    CU_ASSERT_EQUAL(take(&three, ALICE, 4, 1), 1);
    dead[2] = true;
    CU_ASSERT_EQUAL(take(&three, BOB, 4, 1), 1);
    CU_ASSERT_EQUAL(asked, 0); /* nobody asks as long as there is enough */
    CU_ASSERT_EQUAL(take(&one, ALICE, 4, 9), 3);
    CU_ASSERT_TRUE(asked > 0);
    CU_ASSERT_EQUAL(aw_connections_count(&one, ALICE), 4);
}

static void a_process_of_the_same_id_is_another(void)
{
    const aw_connections_t one = fresh(8);
    const aw_connections_t two = join(2, 8);

    CU_ASSERT_EQUAL(take(&two, ALICE, 4, 4), 4);
    dead[2] = true;
    CU_ASSERT_EQUAL(take(&one, ALICE, 4, 1), 1);
    dead[2] = false;
    const aw_connections_t again = join(2, 8);
    CU_ASSERT_EQUAL(aw_connections_count(&again, ALICE), 1);
    aw_connections_release(&again, ALICE);
    CU_ASSERT_EQUAL(aw_connections_count(&again, ALICE), 1);
}

static void a_full_window_refuses_until_there_is_room(void)
{
    const aw_connections_t one = fresh(1);
    const aw_connections_t two = join(2, 1);

    for (uint64_t user = 1; user <= 8; user++) {
        CU_ASSERT_EQUAL(take(user % 2 != 0 ? &one : &two, user << 40, 9, 1), 1);
    }
    CU_ASSERT_EQUAL(aw_connections_take(&one, ALICE, 9), AW_CONNECTIONS_NO_ROOM);
    CU_ASSERT_EQUAL(take(&one, UINT64_C(1) << 40, 9, 1), 1); /* has a word */
    aw_connections_release(&two, UINT64_C(2) << 40);
    CU_ASSERT_EQUAL(take(&one, ALICE, 9, 1), 1);
    CU_ASSERT_EQUAL(aw_connections_take(&one, BOB, 9), AW_CONNECTIONS_NO_ROOM);
    dead[2] = true; /* three words of it are left */
    CU_ASSERT_EQUAL(take(&one, BOB, 9, 1), 1);
    CU_ASSERT_EQUAL(aw_connections_count(&one, UINT64_C(4) << 40), 0);
    CU_ASSERT_EQUAL(aw_connections_count(&one, UINT64_C(3) << 40), 1);
}

static void places_of_the_dead_are_taken_when_all_are(void)
{
    (void)fresh(1);
    for (unsigned id = 2; id <= AW_CONNECTIONS_PROCESSES; id++) {
        (void)join(id, 1);
    }
    aw_connections_t late = {.open = false};
    CU_ASSERT_EQUAL(aw_connections_init(&late, memory, AW_CONNECTIONS_SIZE(1), is_alive, NULL),
                    APR_SUCCESS);
    CU_ASSERT_EQUAL(aw_connections_open(&late, UINT64_C(1500) << 32), APR_ENOSPC);
    CU_ASSERT_EQUAL(aw_connections_take(&late, ALICE, 1), AW_CONNECTIONS_NO_ROOM);
    dead[700] = true;
    CU_ASSERT_EQUAL(aw_connections_open(&late, UINT64_C(1500) << 32), APR_SUCCESS);
    CU_ASSERT_EQUAL(take(&late, ALICE, 1, 2), 1);
}

/* A place used so often that its turns come round, with a killed process's count still there. */
static void turns_that_come_round_bring_no_count_back(void)
{
    const aw_connections_t one = fresh(8);
    aw_connections_t two = join(2, 8);

    CU_ASSERT_EQUAL(take(&two, ALICE, 9, 4), 4);
    for (unsigned i = 0; i < 1024; i++) {
        aw_connections_close(&two);
        two = join(2, 8);
        if (aw_connections_count(&one, ALICE) != 0) {
            CU_FAIL("a count came back");
        }
    }
    CU_ASSERT_EQUAL(take(&one, ALICE, 9, 20), 9);
}

static void bad_arguments_are_refused(void)
{
    aw_connections_t out = {.open = false};

    CU_ASSERT_EQUAL(aw_connections_init(&out, NULL, sizeof(memory), is_alive, NULL), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_connections_init(&out, memory + 8, sizeof(memory) - 8, is_alive, NULL),
                    APR_EINVAL);
    CU_ASSERT_EQUAL(aw_connections_init(&out, memory, AW_CONNECTIONS_SIZE(1) - 1, is_alive, NULL),
                    APR_EINVAL);
    CU_ASSERT_EQUAL(aw_connections_init(&out, memory, AW_CONNECTIONS_SIZE(8) - 1, is_alive, NULL),
                    APR_SUCCESS);
    CU_ASSERT_EQUAL(out.lines, 4);
    CU_ASSERT_EQUAL(aw_connections_open(&out, 77), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_connections_open(&out, UINT64_C(1) << 54), APR_EINVAL);
    aw_connections_close(&out);
}

/* --- at the same time --- */

#define THREADS 6u
#define LIMIT   2u

typedef struct crowd_t {
    const aw_connections_t *views[THREADS];
    atomic_uint held, taken, wrong;
} crowd_t;

typedef struct member_t {
    crowd_t *crowd;
    unsigned number;
} member_t;

/* Takes, looks how many there are, and gives back. `held` is never above the true number. */
static void *come_and_go(void *baton)
{
    const member_t *member = baton;
    crowd_t *crowd = member->crowd;
    const aw_connections_t *view = crowd->views[member->number];

    for (unsigned i = 0; i < 60000; i++) {
        unsigned mine = 0;
        for (unsigned n = 0; n < 1 + i % 2; n++) {
            if (aw_connections_take(view, ALICE, LIMIT) == AW_CONNECTIONS_TAKEN) {
                mine++;
                if (atomic_fetch_add(&crowd->held, 1) >= LIMIT) {
                    atomic_fetch_add(&crowd->wrong, 1);
                }
            }
        }
        atomic_fetch_add(&crowd->taken, mine);
        if (i % 16 == 0) {
            (void)sched_yield();
        }
        for (; mine > 0; mine--) {
            atomic_fetch_sub(&crowd->held, 1);
            aw_connections_release(view, ALICE);
        }
    }
    return NULL;
}

static void no_race_exceeds_the_limit(void)
{
    const aw_connections_t one = fresh(LINES_MAX);
    const aw_connections_t two = join(2, LINES_MAX), three = join(3, LINES_MAX);
    crowd_t crowd = {.views = {&one, &one, &two, &two, &three, &three}};
    pthread_t threads[THREADS];
    member_t members[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        members[i] = (member_t){&crowd, i};
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, come_and_go, &members[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        CU_ASSERT_EQUAL(pthread_join(threads[i], NULL), 0);
    }
    CU_ASSERT_EQUAL(atomic_load(&crowd.wrong), 0);
    CU_ASSERT_TRUE(atomic_load(&crowd.taken) > 1000);
    CU_ASSERT_EQUAL(aw_connections_count(&one, ALICE), 0);
    CU_ASSERT_EQUAL(take(&one, ALICE, LIMIT, 9), LIMIT);
}

static bool is_there(uint64_t who, void *baton)
{
    (void)baton;
    return kill((pid_t)(who >> 32), 0) == 0;
}

/* Takes and releases under a few names until it is killed. */
static void hammer(aw_connections_t *connections, atomic_ulong *done)
{
    if (aw_connections_open(connections, (uint64_t)getpid() << 32) != APR_SUCCESS) {
        _exit(1);
    }
    for (unsigned i = 0;; i++) {
        const uint64_t tag = (uint64_t)(i % 5) << 50;
        if (aw_connections_take(connections, tag, 3) == AW_CONNECTIONS_TAKEN && i % 3 != 0) {
            aw_connections_release(connections, tag);
        }
        atomic_fetch_add(done, 1);
    }
}

static void processes_killed_at_any_moment_hold_nothing(void)
{
    const size_t size = AW_CONNECTIONS_SIZE(1);
    unsigned char *map =
        mmap(NULL, size + 64, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    aw_connections_t own = {.open = false};

    CU_ASSERT_PTR_NOT_EQUAL_FATAL(map, MAP_FAILED);
    CU_ASSERT_EQUAL(aw_connections_init(&own, map, size, is_there, NULL), APR_SUCCESS);
    atomic_ulong *const done = (atomic_ulong *)(void *)(map + size);
    for (unsigned round = 0; round < 40; round++) {
        const unsigned long until = atomic_load(done) + 50 + 37 * round;
        aw_connections_t view = own;
        const pid_t child = fork();
        int status = 0;

        CU_ASSERT_FATAL(child >= 0);
        if (child == 0) {
            hammer(&view, done);
        }
        while (atomic_load(done) < until) {
            (void)sched_yield();
        }
        CU_ASSERT_EQUAL(kill(child, SIGKILL), 0);
        CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
        CU_ASSERT_TRUE(WIFSIGNALED(status));
    }
    CU_ASSERT_EQUAL(aw_connections_open(&own, (uint64_t)getpid() << 32), APR_SUCCESS);
    for (uint64_t user = 0; user < 5; user++) {
        CU_ASSERT_EQUAL(take(&own, user << 50, 3, 9), 3);
    }
    munmap(map, size + 64);
}

static const unit_test_t tests[] = {
    {"a user has as many as the limit says", a_user_has_as_many_as_the_limit_says},
    {"all processes count together", all_processes_count_together},
    {"without a limit it only counts", without_a_limit_it_only_counts},
    {"more is not released than was taken", more_is_not_released_than_was_taken},
    {"what a leaving process counted is gone", what_a_leaving_process_counted_is_gone},
    {"a killed process is found when somebody would be refused",
     a_killed_process_is_found_when_somebody_would_be_refused},
    {"a process of the same id is another", a_process_of_the_same_id_is_another},
    {"a full window refuses until there is room", a_full_window_refuses_until_there_is_room},
    {"places of the dead are taken when all are", places_of_the_dead_are_taken_when_all_are},
    {"turns that come round bring no count back", turns_that_come_round_bring_no_count_back},
    {"bad arguments are refused", bad_arguments_are_refused},
    {"no race exceeds the limit", no_race_exceeds_the_limit},
    {"processes killed at any moment hold nothing", processes_killed_at_any_moment_hold_nothing},
    {NULL, NULL},
};

const unit_suite_t connections_suite = {"connections", tests};
