/* What a service waits for besides its socket: descriptors and times, in the same loop.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "live.h"

#include <stdlib.h>
#include <sys/epoll.h>

struct authws_watch_t {
    authws_source_t source; /* first */
    authws_loop_t *loop;
    authws_watch_fn fn;
    void *baton;
    bool in; /* epoll knows it: it would tell of a hangup whatever is waited for */
};

struct authws_alarm_t {
    authws_timer_t timer; /* first */
    authws_loop_t *loop;
    authws_alarm_fn fn;
    void *baton;
};

static uint32_t epoll_events(int events)
{
    return (events & AUTHWS_READABLE ? (uint32_t)EPOLLIN : 0) |
           (events & AUTHWS_WRITABLE ? (uint32_t)EPOLLOUT : 0);
}

static void watch_ready(authws_source_t *source, uint32_t events)
{
    authws_watch_t *watch = (authws_watch_t *)source;

    /* The service may end the watch in there. */
    watch->fn(watch->baton, (events & EPOLLIN ? AUTHWS_READABLE : 0) |
                                (events & EPOLLOUT ? AUTHWS_WRITABLE : 0) |
                                (events & (EPOLLHUP | EPOLLERR) ? AUTHWS_HANGUP : 0));
}

/* Tells the loop what is waited for now. */
static bool watch_set(authws_watch_t *watch)
{
    const bool wanted = watch->source.events != 0;
    apr_status_t rv = APR_SUCCESS;

    if (watch->in && wanted) {
        rv = authws_loop_change(watch->loop, &watch->source);
    } else if (wanted) {
        rv = authws_loop_add(watch->loop, &watch->source);
    } else if (watch->in) {
        authws_loop_remove(watch->loop, &watch->source);
    }
    watch->in = wanted && rv == APR_SUCCESS;
    return rv == APR_SUCCESS;
}

authws_watch_t *authws_live_watch(authws_socket_t *socket, int fd, int events, authws_watch_fn fn,
                                  void *baton)
{
    authws_watch_t *watch = malloc(sizeof *watch);

    if (!watch) {
        return NULL;
    }
    *watch = (authws_watch_t){.source = {watch_ready, fd, epoll_events(events)},
                              .loop = live_loop(live_of(socket)),
                              .fn = fn,
                              .baton = baton};
    if (!watch->loop || !watch_set(watch)) {
        free(watch);
        return NULL;
    }
    return watch;
}

bool authws_live_watch_for(authws_watch_t *watch, int events)
{
    const uint32_t wanted = epoll_events(events);

    if (wanted == watch->source.events) {
        return watch->in == (wanted != 0);
    }
    watch->source.events = wanted;
    return watch_set(watch);
}

void authws_live_unwatch(authws_watch_t *watch)
{
    if (watch) {
        if (watch->in) {
            authws_loop_remove(watch->loop, &watch->source);
        }
        free(watch);
    }
}

static void alarm_due(authws_timer_t *timer)
{
    authws_alarm_t *alarm = (authws_alarm_t *)timer;
    const authws_alarm_fn fn = alarm->fn;
    void *baton = alarm->baton;

    free(alarm);
    fn(baton);
}

authws_alarm_t *authws_live_alarm(authws_socket_t *socket, unsigned ms, authws_alarm_fn fn,
                                  void *baton)
{
    authws_loop_t *loop = live_loop(live_of(socket));
    authws_alarm_t *alarm = loop ? malloc(sizeof *alarm) : NULL;

    if (alarm) {
        *alarm =
            (authws_alarm_t){.timer = {.due = alarm_due}, .loop = loop, .fn = fn, .baton = baton};
        authws_loop_set_timer(loop, &alarm->timer, (apr_interval_time_t)ms * 1000);
    }
    return alarm;
}

void authws_live_unalarm(authws_alarm_t *alarm)
{
    if (alarm) {
        authws_loop_cancel_timer(alarm->loop, &alarm->timer);
        free(alarm);
    }
}
