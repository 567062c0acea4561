/* `authws bench digest`: loads a server with Digest logins and judges every answer.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <apr_strings.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "authws.h"
#include "bench_loop.h"
#include "bench_report.h"

typedef struct worker_t {
    pthread_t thread;
    bench_loop_t *loop;
    bench_stats_t stats;
    int failed;
} worker_t;

static volatile sig_atomic_t stopped;

/* The first signal ends the run with its report, the next one the program. */
static void on_signal(int signo)
{
    stopped = signo;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void *work(void *baton)
{
    worker_t *worker = baton;

    worker->failed = bench_loop_run(worker->loop, &worker->stats);
    return NULL;
}

/* Whether anybody listens there; said when not. */
static bool is_reachable(const bench_options_t *options)
{
    const int fd = socket(options->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool ok = fd >= 0 && connect(fd, (const struct sockaddr *)&options->address,
                                       options->address_len) == 0;

    if (!ok) {
        complain("%s: %m", options->authority);
    }
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

/* As many files as connections need; what is missing shows as connection errors. */
static void raise_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool run(const bench_options_t *options, bench_report_t *report, apr_pool_t *p)
{
    worker_t *workers = apr_pcalloc(p, options->threads * sizeof(*workers));
    const double begun = now();
    unsigned running = 0;
    int failed = 0;

    for (unsigned i = 0; i < options->threads; i++) {
        apr_pool_t *own = NULL;

        apr_pool_create(&own, p);
        workers[i].loop = bench_loop_create(options, i, &stopped, own);
    }
    while (running < options->threads && failed == 0) {
        failed = pthread_create(&workers[running].thread, NULL, work, &workers[running]);
        running += failed == 0;
    }
    if (failed != 0) {
        stopped = SIGTERM; /* what runs already ends */
    }
    for (unsigned i = 0; i < running; i++) {
        pthread_join(workers[i].thread, NULL);
        bench_stats_add(&report->stats, &workers[i].stats);
        failed = failed ? failed : workers[i].failed;
    }
    report->seconds = now() - begun;
    if (failed == EMSGSIZE) {
        complain("the challenge cannot be answered");
    } else if (failed != 0) {
        complain("%s", strerror(failed));
    }
    return failed == 0;
}

static bool read_procs(const bench_options_t *options, bench_procs_t *procs)
{
    if (options->pids_count > 0 && !bench_procs_read(procs, options->pids, options->pids_count)) {
        complain("a process named with --pid is not there");
        return false;
    }
    return true;
}

int bench_digest(int argc, char **argv, apr_pool_t *p)
{
    bench_options_t options;
    bench_report_t *report = apr_pcalloc(p, sizeof(*report));
    bool answered = false;
    const int rv = bench_options_read(&options, argc, argv, &answered, p);

    if (rv != EXIT_DONE || answered) {
        return rv;
    }
    report->has_procs = options.pids_count > 0;
    raise_files();
    if (!is_reachable(&options) || !read_procs(&options, &report->before)) {
        return EXIT_SYSTEM;
    }
    catch_signals();
    if (!run(&options, report, p) || !read_procs(&options, &report->after)) {
        return EXIT_SYSTEM;
    }
    if (options.json) {
        bench_report_json(report);
    } else {
        bench_report_text(report);
    }
    if (fflush(stdout) != 0) {
        complain("standard output: %m");
        return EXIT_SYSTEM;
    }
    return bench_report_is_bad(report) ? EXIT_NOT_SO : EXIT_DONE;
}
