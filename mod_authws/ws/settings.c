/* The WebSocket settings of a directory, and what live sockets keep of them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "settings.h"

#include <pthread.h>
#include <stdlib.h>

#define MESSAGE_DEFAULT     (1024 * 1024)
#define SEND_BUFFER_DEFAULT (1024 * 1024)

const authws_ws_dir_t *authws_ws_dir_merge(apr_pool_t *p, const authws_ws_dir_t *outer,
                                           const authws_ws_dir_t *inner)
{
    authws_ws_dir_t *dir;

    if (!outer || !inner) {
        return outer ? outer : inner;
    }
    dir = apr_palloc(p, sizeof(*dir));
    dir->endpoint = inner->endpoint ? inner->endpoint : outer->endpoint;
    dir->origins = inner->origins ? inner->origins : outer->origins;
    dir->protocols = inner->protocols ? inner->protocols : outer->protocols;
    dir->max_message = inner->max_message ? inner->max_message : outer->max_message;
    dir->max_frame = inner->max_frame ? inner->max_frame : outer->max_frame;
    dir->ping = inner->ping ? inner->ping : outer->ping;
    dir->deflate = inner->deflate ? inner->deflate : outer->deflate;
    dir->send_buffer = inner->send_buffer ? inner->send_buffer : outer->send_buffer;
    dir->user_connections =
        inner->user_connections != AUTHWS_UNSET ? inner->user_connections : outer->user_connections;
    return dir;
}

authws_ws_dir_t *authws_ws_dir_get(apr_pool_t *p, authws_dir_t *dir)
{
    if (!dir->ws) {
        authws_ws_dir_t *ws = apr_pcalloc(p, sizeof(*ws));

        ws->user_connections = AUTHWS_UNSET;
        dir->ws = ws;
    }
    /* Still being written: it is const for those who read it afterwards. */
    return (authws_ws_dir_t *)(uintptr_t)dir->ws;
}

const aw_ws_origins_t *authws_ws_dir_origins(const authws_ws_dir_t *dir)
{
    static const aw_ws_origins_t fallback = {.same = true, .none_ok = true};

    return dir->origins ? dir->origins : &fallback;
}

const aw_ws_deflate_policy_t *authws_ws_dir_deflate(const authws_ws_dir_t *dir)
{
    static const aw_ws_deflate_policy_t fallback = AUTHWS_WS_DEFLATE_DEFAULT;

    return dir->deflate ? dir->deflate : &fallback;
}

unsigned authws_ws_dir_user_connections(const authws_ws_dir_t *dir)
{
    return dir->user_connections > 0 ? (unsigned)dir->user_connections : 0;
}

unsigned authws_ws_reactor_threads(const server_rec *s)
{
    unsigned most = 0;

    for (; s; s = s->next) {
        const authws_server_t *server = ap_get_module_config(s->module_config, &authws_module);

        most = server->reactor_threads > most ? server->reactor_threads : most;
    }
    return most ? most : 1;
}

apr_interval_time_t authws_ws_drain_timeout(const server_rec *s)
{
    apr_interval_time_t longest = 0;

    for (; s; s = s->next) {
        const authws_server_t *server = ap_get_module_config(s->module_config, &authws_module);

        longest = server->drain_timeout > longest ? server->drain_timeout : longest;
    }
    return longest ? longest : apr_time_from_sec(10);
}

void authws_ws_dir_live(authws_live_settings_t *live, const authws_ws_dir_t *dir)
{
    const uint64_t message = dir->max_message ? (uint64_t)dir->max_message : MESSAGE_DEFAULT;

    memset(live, 0, sizeof(*live));
    live->ws.max_message = message;
    /* What cannot be compressed grows by a little: without AuthWSMaxFrame a message that is
     * allowed is never refused for its frame. */
    live->ws.max_frame = dir->max_frame ? (uint64_t)dir->max_frame : message + message / 256 + 1024;
    live->ws.deflate = *authws_ws_dir_deflate(dir);
    live->events = &dir->endpoint->service->events;
    live->ping = dir->ping ? dir->ping->interval : AUTHWS_WS_PING_INTERVAL;
    live->ping_timeout = dir->ping ? dir->ping->timeout : AUTHWS_WS_PING_TIMEOUT;
    live->send_buffer = dir->send_buffer ? (size_t)dir->send_buffer : SEND_BUFFER_DEFAULT;
    live->close_timeout = AUTHWS_WS_CLOSE_TIMEOUT;
}

/* --- shared copies --- */

/* Copies without references that are kept, to be found again: one for each location is used over
 * and over. */
#define KEPT_MAX 64

typedef struct shared_t {
    authws_live_settings_t settings;
    uint32_t service;
    size_t references;
    struct shared_t *next;
} shared_t;

/* Everything here belongs to whoever has the lock; the settings themselves are never changed. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static shared_t *shared;
static size_t unused;

/* Whether they are the same but for the service. */
static bool same(const authws_live_settings_t *a, const authws_live_settings_t *b)
{
    const aw_ws_deflate_policy_t *d = &a->ws.deflate;
    const aw_ws_deflate_policy_t *e = &b->ws.deflate;

    return a->ws.client == b->ws.client && a->ws.max_message == b->ws.max_message &&
           a->ws.max_frame == b->ws.max_frame && d->on == e->on && d->level == e->level &&
           d->window == e->window && d->no_context_takeover == e->no_context_takeover &&
           d->min == e->min && a->ping == b->ping && a->ping_timeout == b->ping_timeout &&
           a->send_buffer == b->send_buffer && a->close_timeout == b->close_timeout;
}

static shared_t *find(const authws_live_settings_t *like, uint32_t service)
{
    for (shared_t *s = shared; s; s = s->next) {
        if (s->service == service && same(&s->settings, like)) {
            return s;
        }
    }
    return NULL;
}

/* Frees the copies without references, but for those used last. */
static void tidy(void)
{
    size_t keep = KEPT_MAX / 2;

    for (shared_t **at = &shared; *at;) {
        shared_t *s = *at;

        if (s->references > 0 || keep > 0) {
            keep -= s->references == 0 ? 1 : 0;
            at = &s->next;
        } else {
            *at = s->next;
            free(s);
            unused--;
        }
    }
}

const authws_live_settings_t *authws_settings_share(const authws_live_settings_t *like,
                                                    uint32_t service)
{
    shared_t *found;

    (void)pthread_mutex_lock(&lock);
    found = find(like, service);
    if (found) {
        unused -= found->references == 0 ? 1 : 0;
    } else {
        found = calloc(1, sizeof(*found));
        if (found) {
            found->settings = *like;
            found->service = service;
            found->next = shared;
            shared = found;
        }
    }
    if (found) {
        found->references++;
    }
    (void)pthread_mutex_unlock(&lock);
    return found ? &found->settings : NULL;
}

void authws_settings_release(const authws_live_settings_t *like, uint32_t service)
{
    shared_t *found;

    (void)pthread_mutex_lock(&lock);
    found = find(like, service);
    if (found && --found->references == 0 && ++unused > KEPT_MAX) {
        tidy();
    }
    (void)pthread_mutex_unlock(&lock);
}
