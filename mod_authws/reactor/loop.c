/* The event loop: epoll, an eventfd, the wheel, and a list of notes that threads push to.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The inbox is a lock-free stack that the loop takes as a whole and turns round. Threads only
 * push, so that nothing can be popped and pushed again under somebody's eyes; and no thread of
 * httpd's ever waits for one that was suspended with a lock in its hands. Who pushes to an empty
 * stack wakes the loop; others need not.
 */
#include "loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "lives.h"
#include "wheel.h"

#define EVENTS 256

struct authws_loop_t {
    int epoll;
    int wake; /* an eventfd, edge-triggered: never read */
    apr_time_t now;
    aw_ws_pool_t *pool;
    unsigned char *input;
    unsigned char *output;
    authws_lives_t lives;
    _Atomic(authws_post_t *) inbox; /* any thread; newest first */
    atomic_bool stop;               /* any thread */
    int fetched, handled;           /* of `events`, in the present round */
    struct epoll_event events[EVENTS];
    authws_wheel_t wheel;
    authws_loop_t *next_abandoned;
};

/* Those that are never freed; kept where tools that look for leaks find them. */
static _Atomic(authws_loop_t *) abandoned;

/* What the calling thread runs. */
static _Thread_local authws_loop_t *running;

static apr_time_t clock_read(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (apr_time_t)t.tv_sec * APR_USEC_PER_SEC + t.tv_nsec / 1000;
}

static apr_status_t descriptors_open(authws_loop_t *loop)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};

    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0) {
        return errno;
    }
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake < 0) {
        return errno;
    }
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &event) == 0 ? APR_SUCCESS : errno;
}

static void memory_free(authws_loop_t *loop)
{
    if (loop->epoll >= 0) {
        close(loop->epoll);
    }
    if (loop->wake >= 0) {
        close(loop->wake);
    }
    aw_ws_pool_destroy(loop->pool);
    free(loop->input);
    free(loop->output);
    free(loop);
}

apr_status_t authws_loop_create(authws_loop_t **loop)
{
    authws_loop_t *made = calloc(1, sizeof *made);
    apr_status_t status = APR_ENOMEM;

    if (!made) {
        return status;
    }
    made->epoll = made->wake = -1;
    made->pool = aw_ws_pool_create();
    made->input = malloc(AUTHWS_LOOP_BUFFER);
    made->output = malloc(AUTHWS_LOOP_BUFFER);
    if (made->pool && made->input && made->output) {
        status = descriptors_open(made);
    }
    if (status != APR_SUCCESS) {
        memory_free(made);
        return status;
    }
    made->now = clock_read();
    authws_wheel_init(&made->wheel, made->now);
    *loop = made;
    return APR_SUCCESS;
}

/* Runs the notes that are there, oldest first; those they post come next time. */
static void inbox_run(authws_loop_t *loop)
{
    authws_post_t *post, *oldest = NULL;

    if (!atomic_load_explicit(&loop->inbox, memory_order_relaxed)) {
        return;
    }
    /* Acquire: what the posters wrote before is seen. */
    post = atomic_exchange_explicit(&loop->inbox, NULL, memory_order_acquire);
    while (post) {
        authws_post_t *next = post->next;

        post->next = oldest;
        oldest = post;
        post = next;
    }
    while (oldest) {
        authws_post_t *next = oldest->next;

        oldest->run(oldest);
        oldest = next;
    }
}

/* The last notes, and the sockets that are still there. */
static void empty(authws_loop_t *loop)
{
    authws_loop_t *outer = running;

    running = loop;
    inbox_run(loop);
    if (loop->lives.end) {
        loop->lives.end(loop);
    }
    while (atomic_load_explicit(&loop->inbox, memory_order_relaxed)) {
        inbox_run(loop);
    }
    running = outer;
}

void authws_loop_destroy(authws_loop_t *loop)
{
    empty(loop);
    memory_free(loop);
}

void authws_loop_abandon(authws_loop_t *loop)
{
    empty(loop);
    close(loop->epoll);
    loop->epoll = -1;
    aw_ws_pool_destroy(loop->pool);
    loop->pool = NULL;
    free(loop->input);
    free(loop->output);
    loop->input = loop->output = NULL;
    loop->next_abandoned = atomic_load_explicit(&abandoned, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&abandoned, &loop->next_abandoned, loop,
                                                  memory_order_release, memory_order_relaxed)) {
    }
}

static void wake(authws_loop_t *loop)
{
    const uint64_t one = 1;
    ssize_t n;

    /* Cannot fill up: 2^64 wakes. */
    do {
        n = write(loop->wake, &one, sizeof one);
    } while (n < 0 && errno == EINTR);
}

/* One wait and all that came of it. `busy`: do not wait. */
static void round_run(authws_loop_t *loop, bool busy)
{
    const int wait = busy ? 0 : authws_wheel_wait(&loop->wheel, loop->now);
    const int n = epoll_wait(loop->epoll, loop->events, EVENTS, wait);

    loop->now = clock_read();
    loop->fetched = n > 0 ? n : 0;
    for (loop->handled = 0; loop->handled < loop->fetched;) {
        const struct epoll_event *event = &loop->events[loop->handled++];
        authws_source_t *source = event->data.ptr;

        if (source) { /* NULL: the eventfd's, or removed in this round */
            source->ready(source, event->events);
        }
    }
    loop->fetched = 0;
    inbox_run(loop);
    authws_wheel_run(&loop->wheel, loop->now);
}

void authws_loop_run(authws_loop_t *loop)
{
    authws_loop_t *outer = running;
    bool busy = false;

    running = loop;
    loop->now = clock_read();
    while (!atomic_load_explicit(&loop->stop, memory_order_acquire)) {
        /* A note of this thread's own wakes nobody: it is seen here. */
        busy = busy || atomic_load_explicit(&loop->inbox, memory_order_relaxed) != NULL;
        round_run(loop, busy);
        busy = loop->lives.round && loop->lives.round(loop);
    }
    atomic_store_explicit(&loop->stop, false, memory_order_relaxed);
    running = outer;
}

void authws_loop_stop(authws_loop_t *loop)
{
    atomic_store_explicit(&loop->stop, true, memory_order_release);
    if (running != loop) {
        wake(loop);
    }
}

bool authws_loop_is_mine(const authws_loop_t *loop)
{
    return running == loop;
}

void authws_loop_post(authws_loop_t *loop, authws_post_t *post)
{
    authws_post_t *head = atomic_load_explicit(&loop->inbox, memory_order_relaxed);

    do {
        post->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&loop->inbox, &head, post, memory_order_release,
                                                    memory_order_relaxed));
    /* Another's note may be run, and the loop stopped by it, from here on: the loop itself lives
     * until nobody posts any more. */
    if (!head && running != loop) {
        wake(loop);
    }
}

static apr_status_t control(authws_loop_t *loop, int what, authws_source_t *source)
{
    struct epoll_event event = {.events = source->events, .data.ptr = source};

    return epoll_ctl(loop->epoll, what, source->fd, &event) == 0 ? APR_SUCCESS : errno;
}

apr_status_t authws_loop_add(authws_loop_t *loop, authws_source_t *source)
{
    return control(loop, EPOLL_CTL_ADD, source);
}

apr_status_t authws_loop_change(authws_loop_t *loop, authws_source_t *source)
{
    return control(loop, EPOLL_CTL_MOD, source);
}

void authws_loop_remove(authws_loop_t *loop, authws_source_t *source)
{
    (void)control(loop, EPOLL_CTL_DEL, source);
    for (int i = loop->handled; i < loop->fetched; i++) {
        if (loop->events[i].data.ptr == source) {
            loop->events[i].data.ptr = NULL;
        }
    }
}

void authws_loop_set_timer(authws_loop_t *loop, authws_timer_t *timer, apr_interval_time_t in)
{
    /* Not the round's time, which may be old by now: a timer must not come early. */
    authws_wheel_set(&loop->wheel, timer, clock_read() + (in > 0 ? in : 0));
}

void authws_loop_cancel_timer(authws_loop_t *loop, authws_timer_t *timer)
{
    authws_wheel_cancel(&loop->wheel, timer);
}

apr_time_t authws_loop_now(const authws_loop_t *loop)
{
    return loop->now;
}

aw_ws_pool_t *authws_loop_pool(authws_loop_t *loop)
{
    return loop->pool;
}

unsigned char *authws_loop_input(authws_loop_t *loop)
{
    return loop->input;
}

unsigned char *authws_loop_output(authws_loop_t *loop)
{
    return loop->output;
}

authws_lives_t *authws_loop_lives(authws_loop_t *loop)
{
    return &loop->lives;
}
