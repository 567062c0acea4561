/* Live sockets and other threads; messages for many sockets; many sockets.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "live_world.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>

#define SENDERS 8u
#define SENDS   2000u

typedef struct sender_t {
    authws_socket_t *socket; /* a reference of its own */
    authws_message_t *message;
    unsigned number;
    unsigned closed; /* so many answers */
} sender_t;

static atomic_uint done;

static void *send_many(void *baton)
{
    sender_t *sender = baton;

    for (unsigned i = 0; i < SENDS; i++) {
        const unsigned data[2] = {sender->number, i};

        sender->closed +=
            authws_socket_send(sender->socket, AUTHWS_BINARY, data, sizeof data) == AUTHWS_CLOSED;
        (void)authws_socket_queued(sender->socket);
    }
    authws_socket_release(sender->socket);
    atomic_fetch_add(&done, 1);
    return NULL;
}

static void messages_of_eight_threads_arrive_each_in_its_order(void)
{
    sender_t senders[SENDERS];
    pthread_t threads[SENDERS];
    unsigned next[SENDERS] = {0}, wrong = 0, seen = 0;
    world_t w;

    world_init(&w);
    world_start(&w, NULL, NULL, 0);
    atomic_store(&done, 0);
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (sender_t){w.socket, NULL, i, 0};
        authws_socket_retain(w.socket);
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, send_many, &senders[i]), 0);
    }
    for (unsigned i = 0; i < 1000000 && seen < SENDERS * SENDS; i++) {
        unsigned char frame[10]; /* one at a time: head, sender, number */

        world_run(&w, 1);
        while (recv(w.fd, frame, sizeof frame, 0) == sizeof frame) {
            unsigned data[2];

            memcpy(data, frame + 2, sizeof data);
            if (data[0] < SENDERS) {
                wrong += data[1] != next[data[0]]++;
            }
            seen++;
        }
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT_EQUAL(senders[i].closed, 0);
        CU_ASSERT_EQUAL(next[i], SENDS);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(authws_socket_queued(w.socket), 0);
    world_end(&w);
}

static void threads_that_send_while_it_closes_are_told_and_nothing_is_freed_too_early(void)
{
    for (unsigned round = 0; round < 20; round++) {
        sender_t senders[4];
        pthread_t threads[4];
        world_t w;

        world_init(&w);
        w.settings.close_timeout = 1000;
        world_start(&w, NULL, NULL, 0);
        atomic_store(&done, 0);
        for (unsigned i = 0; i < 4; i++) {
            senders[i] = (sender_t){w.socket, NULL, i, 0};
            authws_socket_retain(w.socket);
            CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, send_many, &senders[i]), 0);
        }
        if (round % 2) {
            authws_socket_close(w.socket, 1000, NULL);
        } else {
            close(w.fd);
            w.fd = -1;
        }
        while (atomic_load(&done) < 4) {
            world_run(&w, 1);
        }
        for (unsigned i = 0; i < 4; i++) {
            pthread_join(threads[i], NULL);
        }
        world_end(&w);
    }
}

static void *send_until_full(void *baton)
{
    static char block[8000];
    sender_t *sender = baton;

    while (authws_socket_send(sender->socket, AUTHWS_BINARY, block, sizeof block) == AUTHWS_SENT) {
        sender->number++;
    }
    return NULL;
}

static void a_thread_that_is_told_to_stop_is_told_when_to_go_on(void)
{
    sender_t sender = {0};
    pthread_t thread;
    world_t w;

    world_init(&w);
    world_start(&w, NULL, NULL, 0);
    sender.socket = w.socket;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, send_until_full, &sender), 0);
    pthread_join(thread, NULL); /* the loop has not run yet: it is told by what is on the way */
    CU_ASSERT_EQUAL(sender.number, w.settings.send_buffer / 8000);
    world_settle(&w);
    CU_ASSERT_EQUAL(w.writable, 1);
    CU_ASSERT_EQUAL(w.got, sender.number + 1);
    world_end(&w);
}

static unsigned ran;

static void count_run(authws_socket_t *socket, void *baton)
{
    (void)socket;
    (void)baton;
    ran++;
}

static void a_socket_that_is_gone_takes_nothing_and_lives_as_long_as_its_references(void)
{
    world_t w;
    authws_socket_t *socket;

    world_init(&w);
    world_start(&w, NULL, NULL, 0);
    socket = w.socket;
    authws_socket_retain(socket);
    close(w.fd);
    w.fd = -1;
    world_run(&w, 3);
    CU_ASSERT_EQUAL(w.ended, 1);
    ran = 0;
    CU_ASSERT_EQUAL(authws_socket_send(socket, AUTHWS_TEXT, "x", 1), AUTHWS_CLOSED);
    authws_socket_close(socket, 1000, NULL);
    authws_socket_run(socket, count_run, NULL);
    world_run(&w, 2);
    CU_ASSERT_EQUAL(ran, 0);
    CU_ASSERT_STRING_EQUAL(authws_socket_user(socket), "alice");
    authws_socket_release(socket);
    world_end(&w);
}

/* --- one message, many sockets --- */

/* A message of `len` bytes that compresses, with its number in it. */
static authws_message_t *numbered(authws_socket_t *socket, char *text, size_t len, unsigned n)
{
    for (size_t i = 0; i < len; i++) {
        text[i] = (char)('a' + (i * (n + 3) + i / 7) % 23);
    }
    return authws_socket_message(socket, AUTHWS_TEXT, text, len);
}

typedef struct own_t {
    const char *text;
    size_t len;
} own_t;

static void send_own(authws_socket_t *socket, void *baton)
{
    const own_t *own = baton;
    (void)authws_socket_send(socket, AUTHWS_TEXT, own->text, own->len);
}

static void send_shared(authws_socket_t *socket, void *baton)
{
    (void)authws_socket_send_message(socket, baton);
}

static void shared_and_own_messages_of_any_compression_arrive_as_they_were(void)
{
    static const aw_ws_deflate_params_t kinds[] = {
        {.on = false},
        {true, 15, 15, false, false},
        {true, 15, 15, true, true},
        {true, 10, 12, true, true},
    };
    char text[3000], own_text[3000];

    for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
        aw_ws_deflate_params_t theirs = kinds[kind];
        own_t own = {own_text, sizeof own_text};
        world_t w;

        world_init(&w);
        theirs.in_window = kinds[kind].out_window;
        theirs.out_window = kinds[kind].in_window;
        world_start(&w, &kinds[kind], NULL, 0);
        aw_ws_conn_end(&w.client, w.pool);
        aw_ws_conn_init(&w.client, &theirs);
        for (unsigned i = 0; i < 30; i++) {
            authws_message_t *message = numbered(w.socket, text, sizeof text, i);

            memcpy(own_text, text, sizeof text); /* so that it would refer to what was before */
            own_text[i] = '#';
            if (i % 3) {
                authws_socket_run(w.socket, send_own, &own);
                world_settle(&w);
                CU_ASSERT_EQUAL(memcmp(w.got_last, own_text, sizeof w.got_last), 0);
            }
            authws_socket_run(w.socket, send_shared, message);
            world_settle(&w);
            CU_ASSERT_EQUAL(memcmp(w.got_last, text, sizeof w.got_last), 0);
            authws_message_release(w.socket, message);
        }
        CU_ASSERT_EQUAL(w.got, 50);
        CU_ASSERT_EQUAL(w.got_bytes, 50 * sizeof text);
        world_end(&w);
    }
}

static void a_shared_message_to_slow_readers_is_whole_and_costs_them_no_copy(void)
{
    static char text[200000];
    authws_message_t *message;
    world_t w;

    world_init(&w);
    w.settings.send_buffer = 8 << 20;
    world_start(&w, NULL, NULL, 0);
    message = numbered(w.socket, text, sizeof text, 1);
    const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    for (unsigned i = 0; i < 20; i++) {
        authws_socket_run(w.socket, send_shared, message);
        world_run(&w, 1);
    }
    CU_ASSERT(authws_socket_queued(w.socket) > 15 * sizeof text);
    CU_ASSERT(mallinfo2().uordblks + mallinfo2().hblkhd < before + sizeof text);
    authws_message_release(w.socket, message);
    world_settle(&w);
    CU_ASSERT_EQUAL(w.got, 20);
    CU_ASSERT_EQUAL(w.got_bytes, 20 * sizeof text);
    world_end(&w);
}

/* --- services' own descriptors and times --- */

typedef struct waits_t {
    authws_socket_t *socket;
    authws_watch_t *watch;
    authws_alarm_t *alarm;
    int pipe[2];
    unsigned readable, hangups, alarms;
} waits_t;

static void on_watch(void *baton, int events)
{
    waits_t *waits = baton;
    char c;

    if (events & AUTHWS_READABLE && read(waits->pipe[0], &c, 1) == 1) {
        waits->readable++;
        (void)authws_socket_send(waits->socket, AUTHWS_TEXT, &c, 1);
    } else if (events & AUTHWS_HANGUP) {
        waits->hangups++;
        authws_socket_unwatch(waits->socket, waits->watch);
    }
}

static void on_alarm(void *baton)
{
    waits_t *waits = baton;

    waits->alarms++;
    (void)authws_socket_send(waits->socket, AUTHWS_TEXT, "alarm", 5);
}

static void wait_in_loop(authws_socket_t *socket, void *baton)
{
    waits_t *waits = baton;
    authws_alarm_t *other = authws_socket_alarm(socket, 1, on_alarm, waits);

    waits->watch = authws_socket_watch(socket, waits->pipe[0], AUTHWS_READABLE, on_watch, waits);
    waits->alarm = authws_socket_alarm(socket, 120, on_alarm, waits);
    authws_socket_unalarm(socket, other);
}

static void note_hangup(void *baton, int events)
{
    waits_t *waits = baton;

    waits->hangups += (events & AUTHWS_HANGUP) != 0;
    waits->readable += (events & AUTHWS_READABLE) != 0;
}

static void watch_pipe(authws_socket_t *socket, void *baton)
{
    waits_t *waits = baton;

    waits->watch = authws_socket_watch(socket, waits->pipe[0], AUTHWS_READABLE, note_hangup, waits);
}

static void a_watch_for_nothing_is_silent_even_after_a_hangup(void)
{
    waits_t waits = {0};
    world_t w;

    world_init(&w);
    world_start(&w, NULL, NULL, 0);
    waits.socket = w.socket;
    CU_ASSERT_EQUAL_FATAL(pipe2(waits.pipe, O_CLOEXEC), 0);
    CU_ASSERT(authws_socket_run(w.socket, watch_pipe, &waits));
    world_run(&w, 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(waits.watch);
    CU_ASSERT(authws_socket_watch_for(w.socket, waits.watch, 0));
    CU_ASSERT_EQUAL(write(waits.pipe[1], "a", 1), 1);
    close(waits.pipe[1]);
    world_run(&w, 5);
    CU_ASSERT_EQUAL(waits.hangups, 0);
    CU_ASSERT_EQUAL(waits.readable, 0);
    CU_ASSERT(authws_socket_watch_for(w.socket, waits.watch, AUTHWS_READABLE));
    world_run(&w, 2);
    CU_ASSERT(waits.hangups > 0);
    CU_ASSERT(waits.readable > 0);
    CU_ASSERT(authws_socket_watch_for(w.socket, waits.watch, 0));
    authws_socket_unwatch(w.socket, waits.watch);
    close(waits.pipe[0]);
    world_end(&w);
}

static void on_never(authws_socket_t *socket, void *baton)
{
    (void)socket;
    (*(unsigned *)baton)++;
}

/* What is posted before the loop is given up is done, what comes after is dropped; each call is
 * safe on memory that a tool would see freed. */
static void threads_may_call_a_socket_whose_loop_has_been_given_up(void)
{
    authws_post_t late = {0};
    authws_socket_t *socket;
    unsigned called = 0;
    world_t w;

    world_init(&w);
    world_start(&w, NULL, NULL, 0);
    socket = w.socket;
    authws_socket_retain(socket);
    authws_loop_abandon(w.loop);
    CU_ASSERT_EQUAL(w.closed, 1);
    CU_ASSERT_EQUAL(authws_socket_send(socket, AUTHWS_TEXT, "x", 1), AUTHWS_CLOSED);
    CU_ASSERT(!authws_socket_run(socket, on_never, &called));
    authws_socket_close(socket, 1000, NULL);
    CU_ASSERT_EQUAL(authws_socket_queued(socket), 0);
    authws_loop_post(w.loop, &late); /* of a thread that had looked just before */
    CU_ASSERT_EQUAL(called, 0);
    authws_socket_release(socket);
    CU_ASSERT_EQUAL_FATAL(authws_loop_create(&w.loop), APR_SUCCESS);
    world_end(&w);
}

static void a_service_waits_for_descriptors_and_times_in_the_same_loop(void)
{
    waits_t waits = {0};
    world_t w;

    world_init(&w);
    world_start(&w, NULL, NULL, 0);
    waits.socket = w.socket;
    CU_ASSERT_EQUAL_FATAL(pipe2(waits.pipe, O_CLOEXEC), 0);
    authws_socket_run(w.socket, wait_in_loop, &waits);
    world_run(&w, 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(waits.watch);
    CU_ASSERT_EQUAL(write(waits.pipe[1], "ab", 2), 2);
    world_settle(&w);
    CU_ASSERT_EQUAL(waits.readable, 2);
    CU_ASSERT_EQUAL(w.got, 2);
    world_await(&w, &waits.alarms);
    CU_ASSERT_EQUAL(waits.alarms, 1);
    close(waits.pipe[1]);
    world_settle(&w);
    CU_ASSERT_EQUAL(waits.hangups, 1);
    CU_ASSERT_EQUAL(w.got, 3);
    close(waits.pipe[0]);
    world_end(&w);
}

/* --- many --- */

static void churn_leaves_nothing_behind(void)
{
    world_t w;

    world_init(&w);
    w.echo = true;
    for (unsigned i = 0; i < 1000; i++) {
        world_start(&w, NULL, NULL, 0);
        world_send(&w, AW_WS_TEXT, "x", 1);
        world_run(&w, 1);
        if (i % 2) {
            world_close(&w, 1000);
        }
        close(w.fd);
        w.fd = -1;
        world_run(&w, 3);
        aw_ws_conn_end(&w.client, w.pool);
        CU_ASSERT_EQUAL(w.ended, 1 + i);
        CU_ASSERT_EQUAL(authws_live_count(w.loop), 0);
    }
    CU_ASSERT_EQUAL(w.messages, 1000);
    w.closed = w.ended = 1;
    world_end(&w);
}

/* So many sockets as descriptors allow, at most 10,000. */
static unsigned sockets_possible(void)
{
    struct rlimit limit;

    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max < 20100 ? limit.rlim_max : 20100;
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return (unsigned)(limit.rlim_cur - 100) / 2;
}

static void ten_thousand_idle_sockets_hold_one_small_block_each(void)
{
    const unsigned n = sockets_possible();
    int *fds = calloc(n, sizeof *fds);
    size_t most = 0, before, after;
    world_t w;

    CU_ASSERT_PTR_NOT_NULL_FATAL(fds);
    world_init(&w);
    w.echo = true;
    w.settings.ping = 30 * APR_USEC_PER_SEC;
    before = mallinfo2().uordblks;
    for (unsigned i = 0; i < n; i++) {
        world_start(&w, NULL, NULL, 0);
        world_send(&w, AW_WS_TEXT, "hello", 5);
        world_run(&w, 1);
        fds[i] = w.fd;
        most = malloc_usable_size(w.socket) > most ? malloc_usable_size(w.socket) : most;
    }
    after = mallinfo2().uordblks;
    CU_ASSERT_EQUAL(authws_live_count(w.loop), n);
    CU_ASSERT_EQUAL(w.messages, n);
    /* A sanitizer's allocator does not tell. */
    printf("    %u idle sockets: %zu bytes each in all, block of %zu\n", n,
           n ? (after - before) / n : 0, most);
    CU_ASSERT(most <= 400);
    CU_ASSERT(after < before || (after - before) / n <= 420);
    for (unsigned i = 0; i < n; i++) {
        close(fds[i]);
    }
    w.fd = -1;
    for (unsigned i = 0; i < n && authws_live_count(w.loop) > 0; i++) {
        world_run(&w, 1);
    }
    CU_ASSERT_EQUAL(w.ended, n);
    free(fds);
    w.closed = w.ended = 1;
    world_end(&w);
}

#define T(name)                                                                                    \
    {                                                                                              \
#name, name                                                                                \
    }

static const unit_test_t tests[] = {
    T(messages_of_eight_threads_arrive_each_in_its_order),
    T(threads_that_send_while_it_closes_are_told_and_nothing_is_freed_too_early),
    T(a_thread_that_is_told_to_stop_is_told_when_to_go_on),
    T(a_socket_that_is_gone_takes_nothing_and_lives_as_long_as_its_references),
    T(shared_and_own_messages_of_any_compression_arrive_as_they_were),
    T(a_shared_message_to_slow_readers_is_whole_and_costs_them_no_copy),
    T(a_service_waits_for_descriptors_and_times_in_the_same_loop),
    T(a_watch_for_nothing_is_silent_even_after_a_hangup),
    T(threads_may_call_a_socket_whose_loop_has_been_given_up),
    T(churn_leaves_nothing_behind),
    T(ten_thousand_idle_sockets_hold_one_small_block_each),
    {NULL, NULL},
};

const unit_suite_t live_threads_suite = {"live_threads", tests};
