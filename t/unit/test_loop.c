/* The event loop: timers, notes from threads, descriptors that go away while they are ready.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../mod_authws/reactor/loop.h"
#include "../../mod_authws/reactor/wheel.h"

#define TICK AUTHWS_WHEEL_TICK

static authws_loop_t *create(void)
{
    authws_loop_t *loop = NULL;

    CU_ASSERT_EQUAL_FATAL(authws_loop_create(&loop), APR_SUCCESS);
    return loop;
}

/* --- the wheel, in a time of its own --- */

typedef struct tester_t {
    authws_timer_t timer; /* first */
    apr_time_t set_for;
    unsigned called;
} tester_t;

static apr_time_t clock_now;
static authws_wheel_t wheel;
static unsigned early, late;

static void on_due(authws_timer_t *timer)
{
    tester_t *tester = (tester_t *)timer;

    tester->called++;
    early += clock_now < tester->set_for;
    late += clock_now > tester->set_for + 2 * TICK;
}

static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static void timers_come_once_never_early_and_at_most_two_ticks_late(void)
{
    enum { N = 5000 };
    tester_t *testers = calloc(N, sizeof *testers);
    const apr_time_t start = 1234567;
    uint64_t random = 1;
    unsigned called = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(testers);
    clock_now = start;
    early = late = 0;
    authws_wheel_init(&wheel, clock_now);
    for (unsigned i = 0; i < N; i++) { /* up to eight revolutions away */
        testers[i].timer.due = on_due;
        testers[i].set_for = clock_now + next_random(&random) % (8u * 512 * TICK);
        authws_wheel_set(&wheel, &testers[i].timer, testers[i].set_for);
    }
    while (authws_wheel_wait(&wheel, clock_now) >= 0) {
        const int wait = authws_wheel_wait(&wheel, clock_now);

        CU_ASSERT_FATAL(wait <= 512 * TICK / 1000 + 1);
        clock_now += wait * 1000 + (apr_time_t)(next_random(&random) % 3000);
        authws_wheel_run(&wheel, clock_now);
        CU_ASSERT_FATAL(clock_now < start + 10 * 512 * (apr_time_t)TICK);
    }
    for (unsigned i = 0; i < N; i++) {
        called += testers[i].called == 1;
    }
    CU_ASSERT_EQUAL(called, N);
    CU_ASSERT_EQUAL(early, 0);
    CU_ASSERT_EQUAL(late, 0);
    free(testers);
}

static void a_cancelled_timer_does_not_come_and_one_set_anew_comes_once(void)
{
    tester_t a = {.timer = {.due = on_due}}, b = {.timer = {.due = on_due}};

    clock_now = 0;
    early = late = 0;
    authws_wheel_init(&wheel, clock_now);
    CU_ASSERT_EQUAL(authws_wheel_wait(&wheel, clock_now), -1);
    authws_wheel_cancel(&wheel, &a.timer); /* never set */
    authws_wheel_set(&wheel, &a.timer, 3 * TICK);
    authws_wheel_set(&wheel, &b.timer, 3 * TICK);
    b.set_for = 700 * TICK;
    authws_wheel_set(&wheel, &b.timer, b.set_for);
    authws_wheel_cancel(&wheel, &a.timer);
    for (; clock_now < 1500 * (apr_time_t)TICK; clock_now += TICK) {
        authws_wheel_run(&wheel, clock_now);
    }
    CU_ASSERT_EQUAL(a.called, 0);
    CU_ASSERT_EQUAL(b.called, 1);
    CU_ASSERT_EQUAL(early + late, 0);
    CU_ASSERT_EQUAL(authws_wheel_wait(&wheel, clock_now), -1);
}

static tester_t *neighbour;

static void on_due_cancel(authws_timer_t *timer)
{
    on_due(timer);
    authws_wheel_cancel(&wheel, &neighbour->timer);
    memset(neighbour, 0x55, sizeof *neighbour);
    authws_wheel_set(&wheel, timer, clock_now + TICK);
}

static void a_timer_may_take_out_another_that_is_due_and_set_itself_again(void)
{
    tester_t a = {.timer = {.due = on_due_cancel}}, b = {.timer = {.due = on_due}};

    clock_now = 0;
    neighbour = &b;
    authws_wheel_init(&wheel, clock_now);
    authws_wheel_set(&wheel, &a.timer, TICK);
    authws_wheel_set(&wheel, &b.timer, TICK);
    clock_now = 10 * TICK;
    authws_wheel_run(&wheel, clock_now);
    CU_ASSERT_EQUAL(a.called, 1);
    neighbour = &(tester_t){.called = 0};
    clock_now = 20 * TICK;
    authws_wheel_run(&wheel, clock_now);
    CU_ASSERT_EQUAL(a.called, 2);
    CU_ASSERT_EQUAL(b.called, 0x55555555u);
}

/* --- the loop --- */

typedef struct stopper_t {
    authws_timer_t timer; /* first */
    authws_loop_t *loop;
    apr_time_t at;
} stopper_t;

static void stop_timer(authws_timer_t *timer)
{
    stopper_t *stopper = (stopper_t *)timer;

    stopper->at = authws_loop_now(stopper->loop);
    authws_loop_stop(stopper->loop);
}

static void a_loop_waits_for_its_timer_and_may_be_run_again(void)
{
    authws_loop_t *loop = create();
    stopper_t stopper = {{.due = stop_timer}, loop, 0};

    for (unsigned i = 0; i < 3; i++) {
        const apr_time_t before = authws_loop_now(loop);

        authws_loop_set_timer(loop, &stopper.timer, 60 * 1000);
        authws_loop_run(loop);
        CU_ASSERT(stopper.at >= before + 60 * 1000);
    }
    authws_loop_destroy(loop);
}

#define POSTERS 4u
#define POSTS   5000u

typedef struct numbered_t {
    authws_post_t post; /* first */
    unsigned poster, number;
} numbered_t;

static authws_loop_t *posted_to;
static unsigned seen[POSTERS], disorder, strangers;

static void on_post(authws_post_t *post)
{
    numbered_t *note = (numbered_t *)post;
    unsigned total = 0;

    disorder += seen[note->poster] != note->number;
    strangers += !authws_loop_is_mine(posted_to);
    seen[note->poster]++;
    for (unsigned i = 0; i < POSTERS; i++) {
        total += seen[i];
    }
    if (total == POSTERS * POSTS) {
        authws_loop_stop(posted_to);
    }
}

static void *post_many(void *baton)
{
    numbered_t *notes = baton;

    for (unsigned i = 0; i < POSTS; i++) {
        authws_loop_post(posted_to, &notes[i].post);
    }
    return NULL;
}

static void notes_of_each_thread_come_in_their_order_in_the_loops_thread(void)
{
    numbered_t *notes = calloc(POSTERS * POSTS, sizeof *notes);
    pthread_t threads[POSTERS];

    CU_ASSERT_PTR_NOT_NULL_FATAL(notes);
    posted_to = create();
    memset(seen, 0, sizeof seen);
    disorder = strangers = 0;
    CU_ASSERT(!authws_loop_is_mine(posted_to));
    for (unsigned i = 0; i < POSTERS * POSTS; i++) {
        notes[i] = (numbered_t){{.run = on_post}, i / POSTS, i % POSTS};
    }
    for (unsigned i = 0; i < POSTERS; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, post_many, notes + i * POSTS), 0);
    }
    authws_loop_run(posted_to);
    for (unsigned i = 0; i < POSTERS; i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT_EQUAL(seen[i], POSTS);
    }
    CU_ASSERT_EQUAL(disorder, 0);
    CU_ASSERT_EQUAL(strangers, 0);
    authws_loop_destroy(posted_to);
    free(notes);
}

static void *run_loop(void *loop)
{
    authws_loop_run(loop);
    return NULL;
}

static void another_thread_stops_a_loop_that_waits_for_ever(void)
{
    authws_loop_t *loop = create();
    pthread_t thread;

    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, run_loop, loop), 0);
    authws_loop_stop(loop);
    CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
    authws_loop_destroy(loop);
}

static unsigned reposts;

static void on_repost(authws_post_t *post)
{
    if (++reposts < 10) {
        authws_loop_post(posted_to, post);
    } else {
        authws_loop_stop(posted_to);
    }
}

static void a_note_posted_by_a_note_is_seen_without_a_wake(void)
{
    authws_post_t post = {.run = on_repost};

    posted_to = create();
    reposts = 0;
    authws_loop_post(posted_to, &post);
    authws_loop_run(posted_to);
    CU_ASSERT_EQUAL(reposts, 10);
    authws_loop_destroy(posted_to);
}

static void notes_that_never_ran_run_at_the_end(void)
{
    numbered_t note = {{.run = on_post}, 0, 0};

    posted_to = create();
    memset(seen, 0, sizeof seen);
    authws_loop_post(posted_to, &note.post);
    authws_loop_destroy(posted_to);
    CU_ASSERT_EQUAL(seen[0], 1);
}

typedef struct end_t {
    authws_source_t source; /* first */
    authws_loop_t *loop;
    struct end_t *other;
    unsigned called;
} end_t;

static void on_ready_remove_other(authws_source_t *source, uint32_t events)
{
    end_t *end = (end_t *)source;

    end->called++;
    CU_ASSERT(events & EPOLLIN);
    authws_loop_remove(end->loop, &end->other->source);
    memset(&end->other->source, 0x55, sizeof end->other->source); /* as if freed */
    authws_loop_stop(end->loop);
}

static void a_source_that_is_removed_within_a_round_is_not_called_any_more(void)
{
    authws_loop_t *loop = create();
    end_t ends[2];
    int pairs[2][2];

    for (unsigned i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
        ends[i] = (end_t){{on_ready_remove_other, pairs[i][0], EPOLLIN}, loop, &ends[1 - i], 0};
        CU_ASSERT_EQUAL(authws_loop_add(loop, &ends[i].source), APR_SUCCESS);
        CU_ASSERT_EQUAL(write(pairs[i][1], "x", 1), 1);
    }
    authws_loop_run(loop);
    CU_ASSERT_EQUAL(ends[0].called + ends[1].called, 1);
    for (unsigned i = 0; i < 2; i++) {
        if (ends[i].called) {
            authws_loop_remove(loop, &ends[i].source);
        }
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    authws_loop_destroy(loop);
}

static void on_hangup(authws_source_t *source, uint32_t events)
{
    end_t *end = (end_t *)source;

    end->called++;
    CU_ASSERT(events & EPOLLHUP);
    CU_ASSERT(!(events & EPOLLIN));
    authws_loop_stop(end->loop);
}

static void a_source_without_events_tells_of_a_hangup_only(void)
{
    authws_loop_t *loop = create();
    stopper_t stopper = {{.due = stop_timer}, loop, 0};
    end_t end = {{on_hangup, -1, 0}, loop, NULL, 0};
    int pair[2];

    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    end.source.fd = pair[0];
    CU_ASSERT_EQUAL(authws_loop_add(loop, &end.source), APR_SUCCESS);
    CU_ASSERT_NOT_EQUAL(authws_loop_add(loop, &end.source), APR_SUCCESS); /* is there already */
    CU_ASSERT_EQUAL(write(pair[1], "x", 1), 1);
    authws_loop_set_timer(loop, &stopper.timer, 1000);
    authws_loop_run(loop);
    CU_ASSERT_EQUAL(end.called, 0);
    close(pair[1]);
    authws_loop_run(loop);
    CU_ASSERT_EQUAL(end.called, 1);
    authws_loop_remove(loop, &end.source);
    close(pair[0]);
    authws_loop_destroy(loop);
}

static const unit_test_t tests[] = {
    {"timers_come_once_never_early_and_at_most_two_ticks_late",
     timers_come_once_never_early_and_at_most_two_ticks_late},
    {"a_cancelled_timer_does_not_come_and_one_set_anew_comes_once",
     a_cancelled_timer_does_not_come_and_one_set_anew_comes_once},
    {"a_timer_may_take_out_another_that_is_due_and_set_itself_again",
     a_timer_may_take_out_another_that_is_due_and_set_itself_again},
    {"a_loop_waits_for_its_timer_and_may_be_run_again",
     a_loop_waits_for_its_timer_and_may_be_run_again},
    {"notes_of_each_thread_come_in_their_order_in_the_loops_thread",
     notes_of_each_thread_come_in_their_order_in_the_loops_thread},
    {"another_thread_stops_a_loop_that_waits_for_ever",
     another_thread_stops_a_loop_that_waits_for_ever},
    {"a_note_posted_by_a_note_is_seen_without_a_wake",
     a_note_posted_by_a_note_is_seen_without_a_wake},
    {"notes_that_never_ran_run_at_the_end", notes_that_never_ran_run_at_the_end},
    {"a_source_that_is_removed_within_a_round_is_not_called_any_more",
     a_source_that_is_removed_within_a_round_is_not_called_any_more},
    {"a_source_without_events_tells_of_a_hangup_only",
     a_source_without_events_tells_of_a_hangup_only},
    {NULL, NULL},
};

const unit_suite_t loop_suite = {"loop", tests};
