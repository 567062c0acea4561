/* The loops of a child process: their threads, and their end.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "reactors.h"

#include <ap_mpm.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../reactor/socket.h"
#include "drain.h"
#include "handover.h"
#include "services.h"
#include "settings.h"

typedef struct reactor_t {
    authws_loop_t *loop;
    pthread_t thread;
    authws_receiver_t receiver; /* the loop's thread, as the drain */
    authws_drain_t drain;
    authws_post_t drain_post, hurry_post, leave_post; /* each is posted once */
} reactor_t;

typedef enum phase_e {
    RUNNING,  /* or never started */
    GRACEFUL, /* drains: sockets may go to other processes */
    STOPPING, /* drains in a hurry */
    GONE      /* the threads have ended */
} phase_e;

/* Written by child_init, before there is any other thread, but for `count` and `phase`, which are
 * written under the lock: the loops start with the first WebSocket where only .htaccess files name
 * services, and until then nobody knows whether any does. */
static struct {
    reactor_t *list; /* `wanted` of them, the first `count` running */
    unsigned wanted;
    apr_interval_time_t drain_timeout;
    apr_time_t stopped;
    _Atomic unsigned count;
    _Atomic int phase;
    atomic_bool tried; /* to start them */
} reactors;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* --- their threads --- */

static void *run(void *data)
{
    reactor_t *reactor = data;

    authws_loop_run(reactor->loop);
    return NULL;
}

static apr_status_t reactor_start(reactor_t *reactor)
{
    sigset_t all, before;
    apr_status_t rv = authws_loop_create(&reactor->loop);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    authws_receiver_start(&reactor->receiver, reactor->loop);
    /* Signals are for the MPM's threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rv = pthread_create(&reactor->thread, NULL, run, reactor);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rv != APR_SUCCESS) {
        authws_receiver_stop(&reactor->receiver);
        authws_loop_destroy(reactor->loop);
    }
    return rv;
}

/* --- their end --- */

static void drain_run(authws_post_t *post)
{
    reactor_t *reactor = (reactor_t *)((char *)post - offsetof(reactor_t, drain_post));

    authws_receiver_stop(&reactor->receiver);
    authws_drain_begin(&reactor->drain, reactor->loop, atomic_load(&reactors.phase) == GRACEFUL,
                       reactors.drain_timeout);
}

static void hurry_run(authws_post_t *post)
{
    reactor_t *reactor = (reactor_t *)((char *)post - offsetof(reactor_t, hurry_post));

    authws_drain_begin(&reactor->drain, reactor->loop, false, reactors.drain_timeout);
}

static void leave_run(authws_post_t *post)
{
    reactor_t *reactor = (reactor_t *)((char *)post - offsetof(reactor_t, leave_post));

    authws_drain_leave(&reactor->drain);
}

void authws_reactors_child_stopping(apr_pool_t *pchild, int graceful)
{
    const int now = graceful ? GRACEFUL : STOPPING;

    (void)pchild;
    (void)pthread_mutex_lock(&lock); /* not while they are being started */
    const int before = atomic_load(&reactors.phase);
    if (now <= before) {
        (void)pthread_mutex_unlock(&lock);
        return;
    }
    /* Before the flag is seen: nobody hands over to a process that does not look any more. */
    if (before == RUNNING && reactors.count > 0) {
        authws_handover_leave();
        reactors.stopped = apr_time_now();
    }
    atomic_store(&reactors.phase, now);
    for (unsigned i = 0; i < reactors.count; i++) {
        reactor_t *reactor = &reactors.list[i];

        authws_loop_post(reactor->loop,
                         before == RUNNING ? &reactor->drain_post : &reactor->hurry_post);
    }
    (void)pthread_mutex_unlock(&lock);
}

/* The child process goes: waits until the loops have drained. */
static apr_status_t reactors_end(void *pchild)
{
    size_t moved = 0, closed = 0, dropped = 0;

    if (atomic_load(&reactors.phase) == RUNNING) {
        authws_reactors_child_stopping(pchild, 0);
    }
    for (unsigned i = 0; i < reactors.count; i++) {
        authws_loop_post(reactors.list[i].loop, &reactors.list[i].leave_post);
    }
    for (unsigned i = 0; i < reactors.count; i++) {
        reactor_t *reactor = &reactors.list[i];

        pthread_join(reactor->thread, NULL);
        moved += reactor->drain.moved;
        closed += reactor->drain.closed;
        dropped += reactor->drain.dropped;
        authws_drain_end(&reactor->drain);
        authws_loop_abandon(reactor->loop); /* services may have threads of their own */
    }
    atomic_store(&reactors.phase, GONE);
    if (reactors.count == 0) {
        return APR_SUCCESS;
    }
    authws_handover_discard();
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, ap_server_conf,
                 AWLOGNO(2145) "WebSockets of this child process at its end: %" APR_SIZE_T_FMT
                               " handed over, %" APR_SIZE_T_FMT
                               " closed with 1001, %" APR_SIZE_T_FMT " cut off; %" APR_TIME_T_FMT
                               " ms",
                 moved, closed, dropped, apr_time_as_msec(apr_time_now() - reactors.stopped));
    return APR_SUCCESS;
}

/* --- from outside --- */

/* Starts the loops, once; nothing when the process is ending. Any thread. */
static void start_all(void)
{
    (void)pthread_mutex_lock(&lock);
    const bool wanted = !reactors.tried && atomic_load(&reactors.phase) == RUNNING;
    for (unsigned i = 0; wanted && i < reactors.wanted; i++) {
        reactor_t *reactor = &reactors.list[i];
        const apr_status_t rv = reactor_start(reactor);

        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_ERR, rv, ap_server_conf,
                         AWLOGNO(2146) "only %u of %u event loops for WebSockets could be "
                                       "started",
                         i, reactors.wanted);
            break;
        }
        reactor->drain_post.run = drain_run;
        reactor->hurry_post.run = hurry_run;
        reactor->leave_post.run = leave_run;
        atomic_store(&reactors.count, i + 1);
    }
    reactors.tried = true;
    if (wanted && reactors.count > 0) {
        authws_handover_join();
    }
    (void)pthread_mutex_unlock(&lock);
}

void authws_reactors_child_init(apr_pool_t *pchild, server_rec *s)
{
    int async = 0;

    if (ap_mpm_query(AP_MPMQ_IS_ASYNC, &async) != APR_SUCCESS || !async) {
        return;
    }
    reactors.drain_timeout = authws_ws_drain_timeout(s);
    reactors.wanted = authws_ws_reactor_threads(s);
    reactors.list = apr_pcalloc(pchild, reactors.wanted * sizeof(reactor_t));
    apr_pool_pre_cleanup_register(pchild, pchild, reactors_end);
    if (authws_endpoints_any()) { /* else with the first WebSocket, if there ever is one */
        start_all();
    }
}

/* The loop with the fewest sockets. */
static authws_loop_t *least(void)
{
    authws_loop_t *found = NULL;
    size_t fewest = SIZE_MAX;

    for (unsigned i = 0; i < reactors.count; i++) {
        const size_t count = authws_live_count(reactors.list[i].loop);

        if (count < fewest) {
            fewest = count;
            found = reactors.list[i].loop;
        }
    }
    return found;
}

authws_loop_t *authws_reactors_pick(void)
{
    if (atomic_load(&reactors.phase) != RUNNING) {
        return NULL;
    }
    if (!atomic_load(&reactors.tried)) {
        start_all();
    }
    return least();
}

authws_loop_t *authws_reactors_take(void)
{
    return atomic_load(&reactors.phase) != GONE ? least() : NULL;
}

bool authws_reactors_stopping(void)
{
    int state = AP_MPMQ_RUNNING;

    /* Prefork tells its children's modules only when it is too late. */
    return atomic_load(&reactors.phase) != RUNNING ||
           (ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS && state == AP_MPMQ_STOPPING);
}

typedef struct visit_t {
    authws_post_t post;
    authws_loop_t *loop;
    void (*fn)(authws_loop_t *loop, void *baton);
    void *baton;
} visit_t;

static void visit_run(authws_post_t *post)
{
    visit_t *visit = (visit_t *)post;

    visit->fn(visit->loop, visit->baton);
    free(visit);
}

void authws_reactors_each(void (*fn)(authws_loop_t *loop, void *baton), void *baton)
{
    for (unsigned i = 0; i < reactors.count && atomic_load(&reactors.phase) != GONE; i++) {
        visit_t *visit = malloc(sizeof(*visit));

        if (visit) {
            *visit = (visit_t){{visit_run, NULL}, reactors.list[i].loop, fn, baton};
            authws_loop_post(reactors.list[i].loop, &visit->post);
        }
    }
}
