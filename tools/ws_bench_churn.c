/* Connections that come and go: churn of `authws bench ws`.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ws_bench.h"

#include <apr_strings.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authws.h"

#define PIECE (64 * 1024)

/* What the threads share. */
typedef struct churn_t {
    const ws_bench_options_t *options;
    aw_ws_settings_t settings;
    const volatile sig_atomic_t *stop;
    uint64_t until;
    _Atomic uint64_t begun; /* cycles */
} churn_t;

typedef struct worker_t {
    pthread_t thread;
    churn_t *churn;
    apr_pool_t *p, *pcall;
    aw_ws_pool_t *pool;
    unsigned char *payload, *piece;
    ws_bench_result_t result;
} worker_t;

typedef enum cycle_e { CYCLE_DONE, CYCLE_REFUSED, CYCLE_BROKEN, CYCLE_AWAY, CYCLE_WRONG } cycle_e;

static const char *send_frame(stream_t *stream, const aw_ws_out_t *out, int timeout_ms)
{
    const char *wrong = stream_write(stream, out->head, out->head_len, timeout_ms);

    return wrong ? wrong : stream_write(stream, out->data, out->len, timeout_ms);
}

/* Reads until the wanted event; *found is borrowed from worker->piece. */
static cycle_e wait_for(worker_t *worker, dial_t *dial, aw_ws_conn_t *conn, aw_ws_event_e wanted,
                        aw_ws_found_t *found, const char **why)
{
    const int timeout_ms = (int)worker->churn->options->patience_ms;
    size_t len = dial->early_len;

    if (len > 0) {
        memcpy(worker->piece, dial->early, len < PIECE ? len : PIECE);
        dial->early_len = 0;
    }
    for (;;) {
        unsigned char *at = worker->piece;
        aw_ws_event_e event = AW_WS_EVENT_PING;

        while (len > 0 && event != AW_WS_EVENT_MORE) {
            size_t used = 0;

            event = aw_ws_conn_read(conn, &worker->churn->settings, worker->pool, at, len, &used,
                                    found);
            if (event == wanted) {
                return CYCLE_DONE;
            }
            if (event == AW_WS_EVENT_CLOSE || event == AW_WS_EVENT_FAILED) {
                *why = event == AW_WS_EVENT_CLOSE ? "the server has closed" : found->why;
                return found->code == AW_WS_CODE_GOING_AWAY ? CYCLE_AWAY : CYCLE_BROKEN;
            }
            at += used;
            len -= used;
        }
        *why = stream_read(&dial->stream, worker->piece, PIECE, &len, timeout_ms);
        if (*why) {
            return CYCLE_BROKEN;
        }
    }
}

/* One message there and back, then the close, both ways. */
static cycle_e talk(worker_t *worker, dial_t *dial, aw_ws_conn_t *conn, const char **why)
{
    const ws_bench_options_t *options = worker->churn->options;
    const int timeout_ms = (int)options->patience_ms;
    const unsigned char key[4] = {0x11, 0x22, 0x33, 0x44};
    unsigned char payload[AW_WS_CONTROL_MAX];
    aw_ws_found_t found;
    aw_ws_out_t out;
    cycle_e rv;

    if (!aw_ws_conn_write(conn, &worker->churn->settings, worker->pool,
                          options->binary ? AW_WS_BINARY : AW_WS_TEXT, worker->payload,
                          options->size, key, &out)) {
        *why = "a message could not be made";
        return CYCLE_BROKEN;
    }
    *why = send_frame(&dial->stream, &out, timeout_ms);
    if (*why) {
        return CYCLE_BROKEN;
    }
    rv = wait_for(worker, dial, conn, AW_WS_EVENT_MESSAGE, &found, why);
    if (rv != CYCLE_DONE) {
        return rv;
    }
    if (found.len != options->size || memcmp(found.data, worker->payload, found.len) != 0) {
        *why = "a message came back changed";
        return CYCLE_WRONG;
    }
    if (!aw_ws_conn_close(conn, &worker->churn->settings, AW_WS_CODE_NORMAL, (aw_span_t){NULL, 0},
                          key, payload, &out)) {
        return CYCLE_BROKEN;
    }
    *why = send_frame(&dial->stream, &out, timeout_ms);
    return *why ? CYCLE_BROKEN : wait_for(worker, dial, conn, AW_WS_EVENT_CLOSE, &found, why);
}

static cycle_e cycle(worker_t *worker, const char **why)
{
    dial_t dial = {.early_len = 0};
    aw_ws_conn_t conn;

    apr_pool_clear(worker->pcall);
    switch (dial_open(&dial, &worker->churn->options->dial, why, worker->pcall)) {
    case DIAL_OK:
        break;
    case DIAL_REFUSED:
    case DIAL_FAILED:
        return CYCLE_REFUSED;
    }
    worker->result.opened++;
    aw_ws_conn_init(&conn, &dial.deflate);
    const cycle_e rv = talk(worker, &dial, &conn, why);

    aw_ws_conn_end(&conn, worker->pool);
    stream_close(&dial.stream);
    return rv;
}

static void *work(void *baton)
{
    worker_t *worker = baton;
    churn_t *churn = worker->churn;
    ws_bench_result_t *result = &worker->result;

    while (!*churn->stop && (churn->until == 0 || ws_bench_now() < churn->until) &&
           (churn->options->messages == 0 ||
            atomic_fetch_add(&churn->begun, 1) < churn->options->messages)) {
        const uint64_t begun = ws_bench_now();
        const char *why = NULL;
        const cycle_e rv = cycle(worker, &why);

        if (rv == CYCLE_DONE) {
            result->messages++;
            bench_latency_add(&result->latency, ws_bench_now() - begun);
            continue;
        }
        result->refused += rv == CYCLE_REFUSED;
        result->broken += rv == CYCLE_BROKEN || rv == CYCLE_AWAY;
        result->going_away += rv == CYCLE_AWAY;
        result->wrong += rv == CYCLE_WRONG;
        if (!result->why && rv != CYCLE_AWAY && why) {
            result->why = apr_pstrdup(worker->p, why);
        }
    }
    return NULL;
}

static void add(ws_bench_result_t *to, const ws_bench_result_t *from)
{
    bench_stats_add(&to->latency, &from->latency);
    to->opened += from->opened;
    to->messages += from->messages;
    to->refused += from->refused;
    to->broken += from->broken;
    to->going_away += from->going_away;
    to->wrong += from->wrong;
    to->why = to->why ? to->why : from->why;
}

/* Pools that no other thread uses. */
static bool make_worker(worker_t *worker, churn_t *churn)
{
    const size_t size = churn->options->size;

    worker->churn = churn;
    worker->pool = aw_ws_pool_create();
    worker->payload = malloc(size);
    worker->piece = malloc(PIECE);
    if (!worker->pool || !worker->payload || !worker->piece ||
        apr_pool_create_unmanaged_ex(&worker->p, NULL, NULL) != APR_SUCCESS ||
        apr_pool_create(&worker->pcall, worker->p) != APR_SUCCESS) {
        return false;
    }
    memset(worker->payload, 'c', size);
    return true;
}

static void free_worker(worker_t *worker)
{
    if (worker->p) {
        apr_pool_destroy(worker->p);
    }
    aw_ws_pool_destroy(worker->pool);
    free(worker->payload);
    free(worker->piece);
}

bool ws_bench_churn(const ws_bench_options_t *options, ws_bench_result_t *result,
                    const volatile sig_atomic_t *stop, apr_pool_t *p)
{
    churn_t churn = {.options = options, .stop = stop};
    worker_t *workers = apr_pcalloc(p, options->connections * sizeof(*workers));
    size_t running = 0;
    bool ok = ws_bench_look(options, &result->before);
    const uint64_t begun = ws_bench_now();

    churn.settings = (aw_ws_settings_t){.client = true,
                                        .max_message = UINT32_MAX,
                                        .max_frame = UINT32_MAX,
                                        .deflate = options->dial.deflate};
    churn.until = options->time_ms > 0 ? begun + options->time_ms * 1000000 : 0;
    result->open = result->before;
    while (ok && running < options->connections) {
        worker_t *worker = &workers[running];

        if (!make_worker(worker, &churn) ||
            pthread_create(&worker->thread, NULL, work, worker) != 0) {
            complain("there is no memory, or no more threads");
            free_worker(worker);
            churn.until = 1; /* what runs already ends */
            ok = false;
            break;
        }
        running++;
    }
    for (size_t i = 0; i < running; i++) {
        pthread_join(workers[i].thread, NULL);
        add(result, &workers[i].result);
        result->why = result->why ? apr_pstrdup(p, result->why) : NULL;
        free_worker(&workers[i]);
    }
    result->seconds = (double)(ws_bench_now() - begun) / 1e9;
    return ok && ws_bench_look(options, &result->after);
}
