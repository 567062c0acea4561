/* What a client of `authws bench` sends next, and what becomes of it. No sockets here.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A call that was begun is owed until it has an answer: one that was lost, or that was answered
 * with a fresh nonce, goes back to its client, and any of the client's connections takes it up.
 * All of it belongs to one thread.
 */
#ifndef AUTHWS_TOOLS_BENCH_JOBS_H
#define AUTHWS_TOOLS_BENCH_JOBS_H

#include "bench_session.h"

#define BENCH_REPLAYS_MAX 64

typedef enum bench_job_e {
    BENCH_JOB_NONE,
    BENCH_JOB_LOGIN, /* without credentials, to be challenged */
    BENCH_JOB_CALL,  /* the purpose of it all; without credentials in a flood */
    BENCH_JOB_REPLAY /* credentials once more */
} bench_job_e;

/* What the clients of a thread share. */
typedef struct bench_jobs_t {
    const bench_options_t *options;
    bench_stats_t stats;
    apr_pool_t *ptemp;
    uint64_t random;
    uint64_t budget;    /* calls not yet begun */
    uint64_t owed;      /* calls begun and replays wanted, not under way */
    uint64_t under_way; /* requests */
    bool over;          /* no call is begun any more */
    bool stuck;         /* a challenge cannot be answered: an end to all */
} bench_jobs_t;

typedef struct bench_client_t {
    bench_session_t session;
    bool logging_in;
    unsigned pending; /* calls owed */
    unsigned under_way;
    bench_attempt_t *replays[BENCH_REPLAYS_MAX];
    unsigned replays_first, replays_count;
} bench_client_t;

/* What is to be sent now; it is then under way until bench_jobs_done or bench_jobs_lost, which
 * give *attempt (NULL: no credentials) back. */
bench_job_e bench_jobs_next(bench_jobs_t *jobs, bench_client_t *client, bench_attempt_t **attempt);

/* The answer is there. */
void bench_jobs_done(bench_jobs_t *jobs, bench_client_t *client, bench_job_e job,
                     bench_attempt_t *attempt, const bench_http_t *http);

/* No answer will come. */
void bench_jobs_lost(bench_jobs_t *jobs, bench_client_t *client, bench_job_e job,
                     bench_attempt_t *attempt);

/* With --interval: the client's next call is due. */
void bench_jobs_due(bench_jobs_t *jobs, bench_client_t *client);

/* Whether all is done. */
bool bench_jobs_finished(const bench_jobs_t *jobs);

#endif
