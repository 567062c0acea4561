/* WebSockets that stay in their worker thread: HTTP/2 streams, and where nothing else is possible.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each runs a loop of its own, with the same socket in it as elsewhere. Loops are never freed while
 * the process lives, but used again: another thread may still hold a socket that has ended, and
 * post to its loop.
 */
#include "blocking.h"

#include <ap_mpm.h>
#include <apr_portable.h>
#include <apr_strings.h>
#include <http_core.h>
#include <pthread.h>
#include <scoreboard.h>
#include <stdlib.h>
#include <util_filter.h>

#include "../reactor/socket.h"
#include "account.h"
#include "filters.h"
#include "reactors.h"

/* How often a thread looks whether the process is going away. */
#define LOOK_EVERY apr_time_from_msec(500)

/* WebSockets in one HTTP/2 connection. mod_http2 works on six of its streams at a time at first,
 * and on more only after pages have been answered: the sixth WebSocket would leave none to a page.
 */
#define STREAMS_MAX 5

/* Reasons that are kept to be logged once. */
#define REASONS_MAX 16

typedef struct spare_t {
    authws_loop_t *loop;
    struct spare_t *next;
} spare_t;

/* Set by child_init, before there are other threads. */
static unsigned most;
static ap_generation_t generation;

/* Belong to whoever has the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static spare_t *spares;
static const char *reasons[REASONS_MAX];
static const conn_rec **held; /* `most` of them: the connections whose sockets hold a thread (the
                                 whole one of an HTTP/2 stream), or NULL */

/* --- the loops --- */

static spare_t *loop_borrow(void)
{
    spare_t *spare;

    (void)pthread_mutex_lock(&lock);
    spare = spares;
    if (spare) {
        spares = spare->next;
    }
    (void)pthread_mutex_unlock(&lock);
    if (!spare) {
        spare = calloc(1, sizeof(*spare));
        if (spare && authws_loop_create(&spare->loop) != APR_SUCCESS) {
            free(spare);
            spare = NULL;
        }
    }
    return spare;
}

static void loop_return(spare_t *spare)
{
    (void)pthread_mutex_lock(&lock);
    spare->next = spares;
    spares = spare;
    (void)pthread_mutex_unlock(&lock);
}

/* --- how many --- */

void authws_blocking_child_init(apr_pool_t *pchild, server_rec *s)
{
    int threads = 1;

    (void)s;
    (void)ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    /* Some are left for requests. Where a process has one thread MaxRequestWorkers is the limit. */
    most = threads > 1 ? (unsigned)threads * 3 / 4 : 1;
    held = apr_pcalloc(pchild, most * sizeof(*held));
    (void)ap_mpm_query(AP_MPMQ_GENERATION, &generation);
}

/* Whether this reason is a new one; the texts live as long as the module or are copied. */
static bool is_new(const char *why)
{
    bool found = false;
    unsigned i = 0;

    (void)pthread_mutex_lock(&lock);
    while (i < REASONS_MAX && reasons[i] && !found) {
        found = strcmp(reasons[i], why) == 0;
        i++;
    }
    if (!found && i < REASONS_MAX) {
        reasons[i] = strdup(why);
    }
    (void)pthread_mutex_unlock(&lock);
    return !found && i < REASONS_MAX;
}

/* What a client opens its connections with: the one that streams have in common. */
static const conn_rec *whole_of(const request_rec *r)
{
    return r->connection->master ? r->connection->master : r->connection;
}

typedef enum place_e { TAKEN, NO_THREAD, NO_STREAM } place_e;

static place_e place_take(const request_rec *r)
{
    const conn_rec *whole = whole_of(r);
    unsigned streams = 0, at = most;
    place_e place = NO_THREAD;

    (void)pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < most; i++) {
        streams += held[i] == whole;
        at = held[i] ? at : i;
    }
    if (streams >= STREAMS_MAX) {
        place = NO_STREAM;
    } else if (at < most) {
        held[at] = whole;
        place = TAKEN;
    }
    (void)pthread_mutex_unlock(&lock);
    return place;
}

void authws_blocking_leave(const request_rec *r)
{
    const conn_rec *whole = whole_of(r);
    unsigned i = 0;

    (void)pthread_mutex_lock(&lock);
    while (i < most && held[i] != whole) {
        i++;
    }
    if (i < most) {
        held[i] = NULL;
    }
    (void)pthread_mutex_unlock(&lock);
}

bool authws_blocking_enter(request_rec *r, const char *why)
{
    switch (place_take(r)) {
    case TAKEN:
        break;
    case NO_THREAD:
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      AWLOGNO(2120) "WebSocket refused: %u of this process's threads serve one "
                                    "each already (%s)",
                      most, why);
        return false;
    case NO_STREAM:
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      AWLOGNO(2132) "WebSocket refused: %u are open in this HTTP/2 connection; "
                                    "with one more mod_http2 would answer no page in it",
                      STREAMS_MAX);
        return false;
    }
    if (is_new(why)) {
        /* HTTP/2 is meant to be served so. */
        ap_log_rerror(APLOG_MARK, r->connection->master ? APLOG_DEBUG : APLOG_NOTICE, 0, r,
                      AWLOGNO(2121) "WebSockets are served by a worker thread each: %s (said once "
                                    "in a process)",
                      why);
    }
    return true;
}

/* --- serving one --- */

typedef struct serving_t {
    authws_timer_t timer; /* first */
    authws_loop_t *loop;
} serving_t;

/* The MPM's threads are told of an end by hooks; a process of prefork sees that there is a new
 * generation. */
static bool is_stopping(void)
{
    int state = AP_MPMQ_RUNNING;
    ap_generation_t now = generation;

    if (authws_reactors_stopping()) {
        return true;
    }
    (void)ap_mpm_query(AP_MPMQ_MPM_STATE, &state);
    if (ap_scoreboard_image && ap_scoreboard_image->global) {
        now = ap_scoreboard_image->global->running_generation;
    }
    return state == AP_MPMQ_STOPPING || now != generation;
}

static void close_one(authws_socket_t *socket, void *unused)
{
    (void)unused;
    authws_socket_close(socket, AW_WS_CODE_GOING_AWAY, NULL);
}

static void look(authws_timer_t *timer)
{
    serving_t *serving = (serving_t *)timer;

    if (is_stopping()) {
        authws_live_each(serving->loop, close_one, NULL);
    } else {
        authws_loop_set_timer(serving->loop, timer, LOOK_EVERY);
    }
}

static void note(request_rec *r, const authws_ending_t *ending)
{
    apr_table_setn(r->notes, "authws-close", apr_psprintf(r->pool, "%u", ending->code));
    apr_table_setn(r->notes, "authws-in", apr_psprintf(r->pool, "%" APR_UINT64_T_FMT, ending->in));
    apr_table_setn(r->notes, "authws-out",
                   apr_psprintf(r->pool, "%" APR_UINT64_T_FMT, ending->out));
    apr_table_setn(r->notes, "authws-seconds",
                   apr_psprintf(r->pool, "%" APR_TIME_T_FMT, apr_time_sec(ending->lasted)));
}

static void serve(request_rec *r, authws_socket_t *socket, const authws_transport_t *transport,
                  authws_loop_t *loop)
{
    serving_t serving = {.timer = {.due = look}, .loop = loop};
    authws_ending_t ending = {.code = AW_WS_CODE_ABNORMAL};

    authws_account_expect(&ending);
    authws_loop_set_timer(loop, &serving.timer, LOOK_EVERY);
    authws_live_start(socket, transport, loop, NULL, 0);
    authws_loop_run(loop); /* until the transport is closed */
    authws_loop_cancel_timer(loop, &serving.timer);
    authws_account_expect(NULL);
    note(r, &ending);
}

int authws_blocking_run(request_rec *r, const char *answer, authws_socket_t *socket)
{
    conn_rec *c = r->connection;
    spare_t *spare = loop_borrow();
    authws_transport_t transport;

    (void)ap_remove_input_filter_byhandle(c->input_filters, "reqtimeout");
    (void)ap_remove_output_filter_byhandle(c->output_filters, "reqtimeout");
    c->keepalive = AP_CONN_CLOSE;
    if (!spare || !authws_filters_transport(&transport, r, spare->loop)) {
        const int status = spare ? HTTP_BAD_REQUEST : HTTP_SERVICE_UNAVAILABLE;

        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, AWLOGNO(2122) "WebSocket refused: %s",
                      spare ? "the client has ended its half of the stream" : "no event loop");
        authws_live_abandon(socket);
        authws_blocking_leave(r);
        if (spare) {
            loop_return(spare);
        }
        return status;
    }
    /* As for httpd an answer has been sent, whatever comes of it. */
    r->status = HTTP_SWITCHING_PROTOCOLS;
    r->status_line = "101 Switching Protocols";
    r->sent_bodyct = 1;
    r->eos_sent = 1;
    if (authws_filters_write(c, r->pool, answer, strlen(answer)) == APR_SUCCESS) {
        serve(r, socket, &transport, spare->loop);
    } else {
        authws_live_abandon(socket);
    }
    loop_return(spare);
    authws_blocking_leave(r);
    return DONE;
}
