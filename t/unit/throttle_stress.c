/* The throttle's table under several threads, and under processes that are killed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "throttle_stress.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session/throttle.h"
#include "unit.h"

#define BUCKET 64u
#define NOW    apr_time_from_sec(1700000000)

static const unsigned char key[AW_KEYED_KEY] = "a key of 16 byte";
static const aw_throttle_limit_t ten = {10, 60 * APR_USEC_PER_SEC, 300 * APR_USEC_PER_SEC};

static _Alignas(64) unsigned char memory[4 * BUCKET];

static aw_throttle_t fresh(size_t buckets)
{
    aw_throttle_t throttle = {NULL, 0, {0}};

    memset(memory, 0, sizeof(memory));
    CU_ASSERT_EQUAL_FATAL(aw_throttle_init(&throttle, memory, buckets * BUCKET, key), APR_SUCCESS);
    return throttle;
}

static apr_time_t at(unsigned seconds)
{
    return NOW + apr_time_from_sec(seconds);
}

static aw_throttle_id_t user(const aw_throttle_t *throttle, const char *name)
{
    return aw_throttle_user(throttle, AW_SPAN_LIT("r"), aw_span(name));
}

static aw_throttle_id_t nth(const aw_throttle_t *throttle, unsigned n)
{
    const unsigned char address[4] = {10, 0, 0, (unsigned char)n};

    return aw_throttle_address(throttle, address, 4);
}

/* The number of failures, of `n`, that began a block. */
static unsigned fail(aw_throttle_t *throttle, aw_throttle_id_t id, const aw_throttle_limit_t *limit,
                     apr_time_t now, unsigned n)
{
    unsigned blocks = 0;

    for (unsigned i = 0; i < n; i++) {
        blocks += aw_throttle_failed(throttle, id, limit, now);
    }
    return blocks;
}

#define THREADS  8u
#define FAILURES 1000u

typedef struct crowd_t {
    aw_throttle_t throttle;
    atomic_uint blocks;
    unsigned own; /* failures of each thread's own besides */
} crowd_t;

typedef struct member_t {
    crowd_t *crowd;
    unsigned number;
} member_t;

static const aw_throttle_limit_t thousand = {FAILURES, 3600 * APR_USEC_PER_SEC,
                                             3600 * APR_USEC_PER_SEC};

/* A fair share of one name's thousand failures, and among them some of a name of one's own. */
static void *fail_together(void *baton)
{
    const member_t *member = baton;
    aw_throttle_t *throttle = &member->crowd->throttle;

    for (unsigned i = 0; i < FAILURES / THREADS; i++) {
        if (aw_throttle_failed(throttle, user(throttle, "alice"), &thousand, at(0))) {
            atomic_fetch_add(&member->crowd->blocks, 1);
        }
        if (i < member->crowd->own) {
            (void)aw_throttle_failed(throttle, nth(throttle, member->number), &thousand, at(0));
        }
    }
    return NULL;
}

static void run_together(crowd_t *crowd)
{
    pthread_t threads[THREADS];
    member_t members[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        members[i] = (member_t){crowd, i};
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, fail_together, &members[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        CU_ASSERT_EQUAL(pthread_join(threads[i], NULL), 0);
    }
}

void of_many_threads_failures_each_counts_once(void)
{
    crowd_t crowd = {.throttle = fresh(1)};

    run_together(&crowd);
    CU_ASSERT_EQUAL(atomic_load(&crowd.blocks), 1);
    CU_ASSERT_EQUAL(
        aw_throttle_blocked(&crowd.throttle, user(&crowd.throttle, "alice"), &thousand, at(0)),
        3600);
}

void threads_failing_under_several_names_share_a_bucket(void)
{
    crowd_t crowd = {.throttle = fresh(4), .own = 100};

    run_together(&crowd);
    CU_ASSERT_EQUAL(atomic_load(&crowd.blocks), 1);
    for (unsigned i = 0; i < THREADS; i++) {
        const aw_throttle_id_t id = nth(&crowd.throttle, i);

        CU_ASSERT_EQUAL(fail(&crowd.throttle, id, &thousand, at(0), FAILURES - 101), 0);
        CU_ASSERT_TRUE(aw_throttle_failed(&crowd.throttle, id, &thousand, at(0)));
    }
}

/* Fails and succeeds under the names of one bucket until it is killed. */
static void hammer(aw_throttle_t *throttle, unsigned seed, atomic_ulong *done)
{
    for (unsigned i = seed;; i++) {
        (void)aw_throttle_failed(throttle, nth(throttle, i % 20), &ten, at(1));
        aw_throttle_succeeded(throttle, nth(throttle, i % 7), &ten, at(1));
        atomic_fetch_add(done, 1);
    }
}

void throttle_processes_killed_at_any_moment_leave_a_sound_table(void)
{
    void *map = mmap(NULL, 2 * BUCKET, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    aw_throttle_t throttle = {NULL, 0, {0}};
    unsigned killed = 0;

    CU_ASSERT_PTR_NOT_EQUAL_FATAL(map, MAP_FAILED);
    CU_ASSERT_EQUAL_FATAL(aw_throttle_init(&throttle, map, BUCKET, key), APR_SUCCESS);
    atomic_ulong *done = (atomic_ulong *)map + BUCKET / sizeof(atomic_ulong);

    CU_ASSERT_EQUAL(fail(&throttle, user(&throttle, "alice"), &ten, at(0), 10), 1);
    for (unsigned round = 0; round < 40; round++) {
        const unsigned long until = atomic_load(done) + 200 + 37 * round;
        const pid_t child = fork();
        int status = 0;

        CU_ASSERT_FATAL(child >= 0);
        if (child == 0) {
            hammer(&throttle, round, done);
        }
        while (atomic_load(done) < until) {
            (void)sched_yield();
        }
        CU_ASSERT_EQUAL(kill(child, SIGKILL), 0);
        CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
        killed += WIFSIGNALED(status) != 0;
    }
    CU_ASSERT_EQUAL(killed, 40);
    /* What was known is, and a newcomer is counted to his block. */
    CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, user(&throttle, "alice"), &ten, at(298)), 2);
    CU_ASSERT_EQUAL(fail(&throttle, user(&throttle, "bob"), &ten, at(400), 9), 0);
    CU_ASSERT_TRUE(aw_throttle_failed(&throttle, user(&throttle, "bob"), &ten, at(400)));
    munmap(map, 2 * BUCKET);
}
