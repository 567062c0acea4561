/* What a client of `authws bench` sends next, and what becomes of it. No sockets here.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench_jobs.h"

static bool by_chance(bench_jobs_t *jobs, unsigned percent)
{
    return percent > 0 && bench_random(&jobs->random) % 100 < percent;
}

static void queue_replay(bench_jobs_t *jobs, bench_client_t *client, bench_attempt_t *attempt)
{
    if (client->replays_count < BENCH_REPLAYS_MAX) {
        const unsigned last = client->replays_first + client->replays_count++;

        client->replays[last % BENCH_REPLAYS_MAX] = attempt;
        attempt->refs++;
        jobs->owed++;
    }
}

static bench_attempt_t *next_replay(bench_jobs_t *jobs, bench_client_t *client)
{
    bench_attempt_t *attempt = client->replays[client->replays_first];

    client->replays_first = (client->replays_first + 1) % BENCH_REPLAYS_MAX;
    client->replays_count--;
    jobs->owed--;
    jobs->stats.count[BENCH_REPLAYS]++;
    return attempt;
}

static bool has_call(const bench_jobs_t *jobs, const bench_client_t *client)
{
    return client->pending > 0 ||
           (jobs->options->interval_ns == 0 && jobs->budget > 0 && !jobs->over);
}

/* Begins a call, if there is one, or takes up one that is owed. */
static bool take_call(bench_jobs_t *jobs, bench_client_t *client)
{
    if (!has_call(jobs, client)) {
        return false;
    }
    if (client->pending > 0) {
        client->pending--;
        jobs->owed--;
    } else {
        jobs->budget--;
    }
    return true;
}

static void owe_call(bench_jobs_t *jobs, bench_client_t *client)
{
    client->pending++;
    jobs->owed++;
}

static bench_job_e choose(bench_jobs_t *jobs, bench_client_t *client, bench_attempt_t **attempt)
{
    bench_session_t *session = &client->session;

    if (client->replays_count > 0) {
        *attempt = next_replay(jobs, client);
        return BENCH_JOB_REPLAY;
    }
    if (!has_call(jobs, client)) {
        return BENCH_JOB_NONE;
    }
    if (session->user && !session->has_nonce) {
        /* One connection asks; the others wait for what it hears. */
        const bool mine = !client->logging_in;

        client->logging_in = true;
        return mine ? BENCH_JOB_LOGIN : BENCH_JOB_NONE;
    }
    if (session->user) {
        if (!bench_session_ready(session)) {
            return BENCH_JOB_NONE;
        }
        *attempt = bench_session_respond(session, jobs->ptemp);
        apr_pool_clear(jobs->ptemp);
        if (!*attempt) {
            jobs->stuck = true;
            return BENCH_JOB_NONE;
        }
        if (by_chance(jobs, jobs->options->race)) {
            (*attempt)->raced = true;
            queue_replay(jobs, client, *attempt);
        }
    }
    (void)take_call(jobs, client);
    return BENCH_JOB_CALL;
}

bench_job_e bench_jobs_next(bench_jobs_t *jobs, bench_client_t *client, bench_attempt_t **attempt)
{
    *attempt = NULL;
    if (jobs->stuck) {
        return BENCH_JOB_NONE;
    }
    const bench_job_e job = choose(jobs, client, attempt);

    jobs->under_way += job != BENCH_JOB_NONE;
    client->under_way += job != BENCH_JOB_NONE;
    return job;
}

static void leave(bench_jobs_t *jobs, bench_client_t *client, bench_job_e job,
                  bench_attempt_t *attempt)
{
    if (job == BENCH_JOB_LOGIN) {
        client->logging_in = false;
    }
    jobs->under_way--;
    client->under_way--;
    bench_attempt_release(attempt);
}

void bench_jobs_done(bench_jobs_t *jobs, bench_client_t *client, bench_job_e job,
                     bench_attempt_t *attempt, const bench_http_t *http)
{
    bench_session_t *session = &client->session;
    const bench_next_e next = bench_session_answer(session, attempt, job != BENCH_JOB_REPLAY, http);

    if (job == BENCH_JOB_CALL && next == BENCH_NEXT_AGAIN) {
        owe_call(jobs, client);
    } else if (job == BENCH_JOB_CALL ||
               /* Let in without being asked, or asked for what it cannot give: that was it. */
               (job == BENCH_JOB_LOGIN && next == BENCH_NEXT_DONE && take_call(jobs, client))) {
        bench_session_called(session);
    }
    if (job == BENCH_JOB_CALL && attempt && attempt->accepted > 0 && !attempt->raced &&
        !jobs->over && by_chance(jobs, jobs->options->replay)) {
        queue_replay(jobs, client, attempt);
    }
    leave(jobs, client, job, attempt);
}

void bench_jobs_lost(bench_jobs_t *jobs, bench_client_t *client, bench_job_e job,
                     bench_attempt_t *attempt)
{
    if (job == BENCH_JOB_CALL) {
        if (attempt) {
            bench_session_settle(&client->session, attempt);
        }
        owe_call(jobs, client);
    }
    leave(jobs, client, job, attempt);
}

void bench_jobs_due(bench_jobs_t *jobs, bench_client_t *client)
{
    if (jobs->budget == 0 || jobs->over) {
        return;
    }
    if (client->pending > 0 || client->under_way > 0) {
        jobs->stats.count[BENCH_LATE]++;
    } else {
        jobs->budget--;
        owe_call(jobs, client);
    }
}

bool bench_jobs_finished(const bench_jobs_t *jobs)
{
    return jobs->stuck ||
           (jobs->under_way == 0 && jobs->owed == 0 && (jobs->budget == 0 || jobs->over));
}
