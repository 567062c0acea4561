/* AuthWSUplift: a password that was right is stored in a stronger algorithm.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A job is one user of one list of files. All jobs of one list that wait are done in one edit:
 * after it every child reads the file again, and that costs with a large file. So the thread also
 * rests ten times as long as the last edit took. Several children may have jobs for one user; the
 * edits wait for each other's lock, and the later finds the value present.
 */
#include "uplift.h"

#include <ap_mpm.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "uplift_job.h"

/* The most that the thread rests. */
#define REST_MAX apr_time_from_sec(60)

/* `mutex` guards all but `threaded`, which is set, and `change` made, before there are threads. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t change;
    authws_uplift_job_t *first;
    unsigned waiting;
    bool running, stop;
    pthread_t thread;
    int threaded;
} queue = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Waits until the queue is not empty, or somebody wants to stop; with the mutex. */
static bool wait_for_jobs(void)
{
    while (!queue.first && !queue.stop) {
        pthread_cond_wait(&queue.change, &queue.mutex);
    }
    return !queue.stop;
}

/* A clock that nobody sets: or the thread could rest for hours. */
static apr_time_t monotonic(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return apr_time_from_sec(now.tv_sec) + now.tv_nsec / 1000;
}

static void rest(apr_interval_time_t time)
{
    const apr_time_t until = monotonic() + (time < REST_MAX ? time : REST_MAX);
    const struct timespec at = {(time_t)(until / APR_USEC_PER_SEC),
                                (long)(until % APR_USEC_PER_SEC) * 1000};
    int rv = 0;

    while (!queue.stop && rv == 0) {
        rv = pthread_cond_timedwait(&queue.change, &queue.mutex, &at);
    }
}

static void *work(void *unused)
{
    pthread_mutex_lock(&queue.mutex);
    while (wait_for_jobs()) {
        authws_uplift_job_t *jobs = queue.first;
        const apr_time_t begun = monotonic();

        queue.first = NULL;
        queue.waiting = 0;
        pthread_mutex_unlock(&queue.mutex);
        authws_uplift_jobs_do(jobs);
        authws_uplift_jobs_destroy(jobs);
        pthread_mutex_lock(&queue.mutex);
        rest(10 * (monotonic() - begun));
    }
    pthread_mutex_unlock(&queue.mutex);
    return unused;
}

/* Starts the thread if there is none; with the mutex. */
static bool is_running(void)
{
    sigset_t all, before;

    if (!queue.running && !queue.stop) {
        /* Signals are for the MPM's threads. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        queue.running = pthread_create(&queue.thread, NULL, work, NULL) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    return queue.running && !queue.stop;
}

/* Puts a job into the queue, unless it is full or the user is there; takes it over. */
static void enqueue(authws_uplift_job_t *job)
{
    bool taken;

    pthread_mutex_lock(&queue.mutex);
    taken = queue.waiting < AUTHWS_UPLIFT_JOBS && is_running();
    for (const authws_uplift_job_t *other = queue.first; taken && other; other = other->next) {
        taken = !aw_span_equal(other->user.user, job->user.user) ||
                !aw_span_equal(other->user.realm, job->user.realm);
    }
    if (taken) {
        job->next = queue.first;
        queue.first = job;
        queue.waiting++;
        pthread_cond_broadcast(&queue.change);
    }
    pthread_mutex_unlock(&queue.mutex);
    if (!taken) {
        authws_uplift_jobs_destroy(job);
    }
}

static apr_status_t do_now(void *job)
{
    authws_uplift_jobs_do(job);
    authws_uplift_jobs_destroy(job);
    return APR_SUCCESS;
}

/* Has a job done when the request is over, or by the thread; takes it over. NULL is allowed. */
static void leave_behind(request_rec *r, authws_uplift_job_t *job)
{
    if (job && queue.threaded) {
        enqueue(job);
    } else if (job) {
        /* The pool goes when the answer has been sent. */
        request_rec *last = r;

        while (last->main) {
            last = last->main;
        }
        apr_pool_cleanup_register(last->pool, job, do_now, apr_pool_cleanup_null);
    }
}

void authws_uplift(request_rec *r, const authws_dir_t *dir, const authws_uplift_t *right)
{
    const aw_alg_e wanted = authws_dir_strongest(dir);

    if (dir->uplift == 1 && dir->files && right->checked < wanted) {
        leave_behind(r, authws_uplift_job_create(dir, right, wanted));
    }
}

void authws_uplift_token(request_rec *r, const authws_dir_t *dir, const aw_token_entry_t *entry,
                         aw_span_t token)
{
    if (dir->uplift == 1 && dir->token_files && entry->lift_to != AW_TOKEN_ALG_COUNT) {
        leave_behind(r, authws_uplift_job_create_token(dir, entry, token));
    }
}

static apr_status_t stop(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&queue.mutex);
    queue.stop = true;
    pthread_cond_broadcast(&queue.change);
    pthread_mutex_unlock(&queue.mutex);
    if (queue.running) {
        pthread_join(queue.thread, NULL);
    }
    authws_uplift_jobs_destroy(queue.first);
    queue.first = NULL;
    return APR_SUCCESS;
}

static bool init_change(void)
{
    pthread_condattr_t clock;

    if (pthread_condattr_init(&clock) != 0) {
        return false;
    }
    const bool done = pthread_condattr_setclock(&clock, CLOCK_MONOTONIC) == 0 &&
                      pthread_cond_init(&queue.change, &clock) == 0;

    pthread_condattr_destroy(&clock);
    return done;
}

void authws_uplift_child_init(apr_pool_t *pchild, server_rec *s)
{
    ap_mpm_query(AP_MPMQ_IS_THREADED, &queue.threaded);
    if (queue.threaded && !init_change()) {
        queue.threaded = 0; /* as on an MPM without threads */
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     AWLOGNO(2082) "no thread for AuthWSUplift: values are stored at the end of "
                                   "requests");
    } else if (queue.threaded) {
        apr_pool_pre_cleanup_register(pchild, NULL, stop);
    }
}
