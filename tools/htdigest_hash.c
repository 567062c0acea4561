/* Hashing many users' passwords on all processors, in the order they came.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "htdigest_hash.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>

#include "digest/compute.h"

#define THREADS_MAX 64

struct crew_t {
    pthread_mutex_t lock; /* guards the batches' states, `compute` and `ending` */
    pthread_cond_t changed;
    unsigned mask;
    size_t fill;    /* the next batch to fill; the filling thread's own */
    size_t compute; /* the next batch to compute */
    bool ending;
    size_t threads;
    pthread_t thread[THREADS_MAX];
    size_t batches;
    batch_t *batch;
};

static void wipe(aw_span_t secret)
{
    aw_wipe((char *)(uintptr_t)secret.ptr, secret.len);
}

static void compute(batch_t *batch, unsigned mask)
{
    apr_status_t rv = APR_SUCCESS;

    for (size_t i = 0; i < batch->count; i++) {
        hash_row_t *row = &batch->rows[i];

        for (unsigned a = 0; a < AW_ALG_COUNT && rv == APR_SUCCESS; a++) {
            if (mask & (1u << a)) {
                rv = aw_digest_a1((aw_alg_e)a, row->user, row->realm, row->password,
                                  row->value.hash[a]);
            }
        }
        row->value.present = mask;
        wipe(row->password);
        row->password.len = 0;
    }
    batch->status = rv;
}

static void *work(void *data)
{
    crew_t *crew = data;

    pthread_mutex_lock(&crew->lock);
    while (!crew->ending) {
        batch_t *batch = &crew->batch[crew->compute % crew->batches];

        if (batch->state != BATCH_FULL) {
            pthread_cond_wait(&crew->changed, &crew->lock);
            continue;
        }
        batch->state = BATCH_BUSY;
        crew->compute++;
        pthread_mutex_unlock(&crew->lock);
        compute(batch, crew->mask);
        pthread_mutex_lock(&crew->lock);
        batch->state = BATCH_DONE;
        pthread_cond_broadcast(&crew->changed);
    }
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

static size_t processors(void)
{
    cpu_set_t set;
    const int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

    return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : (size_t)n;
}

apr_status_t crew_start(crew_t **out, unsigned mask)
{
    const size_t threads = processors();
    crew_t *crew = calloc(1, sizeof(*crew));

    if (!crew) {
        return APR_ENOMEM;
    }
    crew->mask = mask;
    crew->batches = 2 * threads + 2;
    crew->batch = calloc(crew->batches, sizeof(*crew->batch));
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->changed, NULL);
    int rv = crew->batch ? 0 : APR_ENOMEM;

    while (rv == 0 && crew->threads < threads) {
        rv = pthread_create(&crew->thread[crew->threads], NULL, work, crew);
        crew->threads += rv == 0;
    }
    if (crew->threads == 0) {
        crew_end(crew);
        return rv;
    }
    *out = crew;
    return APR_SUCCESS;
}

size_t crew_batches(const crew_t *crew)
{
    return crew->batches;
}

batch_t *crew_next(crew_t *crew)
{
    batch_t *batch = &crew->batch[crew->fill++ % crew->batches];

    pthread_mutex_lock(&crew->lock);
    while (batch->state == BATCH_FULL || batch->state == BATCH_BUSY) {
        pthread_cond_wait(&crew->changed, &crew->lock);
    }
    batch->computed = batch->state == BATCH_DONE;
    batch->state = BATCH_EMPTY;
    pthread_mutex_unlock(&crew->lock);
    return batch;
}

void crew_submit(crew_t *crew, batch_t *batch)
{
    pthread_mutex_lock(&crew->lock);
    batch->state = BATCH_FULL;
    pthread_cond_broadcast(&crew->changed);
    pthread_mutex_unlock(&crew->lock);
}

/* Copies a text into the batch; there is room. */
static aw_span_t copy(batch_t *batch, aw_span_t s)
{
    char *to = batch->text + batch->used;

    if (s.len > 0) {
        memcpy(to, s.ptr, s.len);
        batch->used += s.len;
    }
    return (aw_span_t){to, s.len};
}

bool batch_add(batch_t *batch, const hash_row_t *row)
{
    const size_t need = row->user.len + row->realm.len + row->password.len;

    if (batch->count == BATCH_ROWS || need > sizeof(batch->text) - batch->used) {
        return false;
    }
    hash_row_t *to = &batch->rows[batch->count++];

    to->user = copy(batch, row->user);
    to->realm = copy(batch, row->realm);
    to->password = copy(batch, row->password);
    to->line = row->line;
    to->column = row->column;
    return true;
}

void batch_clear(batch_t *batch)
{
    aw_wipe(batch->rows, batch->count * sizeof(batch->rows[0]));
    aw_wipe(batch->text, batch->used);
    batch->count = batch->used = 0;
    batch->computed = false;
}

void crew_end(crew_t *crew)
{
    if (!crew) {
        return;
    }
    pthread_mutex_lock(&crew->lock);
    crew->ending = true;
    pthread_cond_broadcast(&crew->changed);
    pthread_mutex_unlock(&crew->lock);
    for (size_t i = 0; i < crew->threads; i++) {
        pthread_join(crew->thread[i], NULL);
    }
    for (size_t i = 0; crew->batch && i < crew->batches; i++) {
        batch_clear(&crew->batch[i]);
    }
    pthread_cond_destroy(&crew->changed);
    pthread_mutex_destroy(&crew->lock);
    free(crew->batch);
    free(crew);
}
