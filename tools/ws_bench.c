/* `authws bench ws`: loads a WebSocket and says what it costs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ws_bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "authws.h"

static volatile sig_atomic_t stopped;

/* The first signal ends the run with its report, the next one the program. */
static void on_signal(int signo)
{
    stopped = signo;
}

uint64_t ws_bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

bool ws_bench_look(const ws_bench_options_t *options, bench_procs_t *procs)
{
    if (options->pids_count > 0 && !bench_procs_read(procs, options->pids, options->pids_count)) {
        complain("a process named with --pid is not there");
        return false;
    }
    return true;
}

static double latency_us(const ws_bench_result_t *result, unsigned permille)
{
    return (double)bench_latency_at(&result->latency, permille) / 1e3;
}

/* Microseconds of the server's CPU time for each message, and bytes of its private memory for each
 * connection. */
static double cpu_us(const ws_bench_result_t *result)
{
    return result->messages > 0
               ? (result->after.cpu - result->open.cpu) * 1e6 / (double)result->messages
               : 0;
}

static double memory(const ws_bench_result_t *result)
{
    const long kib = result->open.private_kib - result->before.private_kib;

    return result->opened > 0 ? (double)kib * 1024 / (double)result->opened : 0;
}

static double rate(const ws_bench_result_t *result)
{
    return result->seconds > 0 ? (double)result->messages / result->seconds : 0;
}

static void report_text(const ws_bench_options_t *options, const ws_bench_result_t *result)
{
    printf("connections    %" PRIu64 " in %.2f s\n", result->opened, result->opening);
    printf("messages       %" PRIu64 " in %.2f s, %.0f/s\n", result->messages, result->seconds,
           rate(result));
    printf("latency        p50 %.0f us, p90 %.0f us, p99 %.0f us, p99.9 %.0f us, max %.0f us\n",
           latency_us(result, 500), latency_us(result, 900), latency_us(result, 990),
           latency_us(result, 999), (double)result->latency.latency_max / 1e3);
    printf("not in order   %" PRIu64 " refused, %" PRIu64 " broken (%" PRIu64 " by 1001), %" PRIu64
           " wrong, %" PRIu64 " late\n",
           result->refused, result->broken, result->going_away, result->wrong, result->late);
    if (options->pids_count > 0) {
        printf("server CPU     %.2f us a message\n", cpu_us(result));
        if (options->mode != WS_BENCH_CHURN) {
            printf("server memory  %.0f bytes a connection\n", memory(result));
        }
    }
    if (result->why) {
        printf("first failure  %s\n", result->why);
    }
}

static void json_procs(const char *name, const bench_procs_t *procs)
{
    printf(", \"%s\": {\"cpu_s\": %.6f, \"processes\": %zu, \"private_kib\": %ld, "
           "\"resident_kib\": %ld}",
           name, procs->cpu, procs->processes, procs->private_kib, procs->resident_kib);
}

static void report_json(const ws_bench_options_t *options, const ws_bench_result_t *result)
{
    printf("{\"opened\": %" PRIu64 ", \"opening_s\": %.6f, \"messages\": %" PRIu64
           ", \"seconds\": %.6f, \"messages_per_s\": %.1f",
           result->opened, result->opening, result->messages, result->seconds, rate(result));
    printf(", \"refused\": %" PRIu64 ", \"broken\": %" PRIu64 ", \"going_away\": %" PRIu64
           ", \"wrong\": %" PRIu64 ", \"late\": %" PRIu64,
           result->refused, result->broken, result->going_away, result->wrong, result->late);
    printf(", \"latency_us\": {\"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, "
           "\"max\": %.1f}",
           latency_us(result, 500), latency_us(result, 900), latency_us(result, 990),
           latency_us(result, 999), (double)result->latency.latency_max / 1e3);
    if (options->pids_count > 0) {
        json_procs("before", &result->before);
        json_procs("open", &result->open);
        json_procs("after", &result->after);
        printf(", \"cpu_us_per_message\": %.4f, \"bytes_per_connection\": %.1f", cpu_us(result),
               memory(result));
    }
    puts("}");
}

/* As many files as connections need. */
static void raise_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int bench_ws(int argc, char **argv, apr_pool_t *p)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    ws_bench_options_t *options = apr_pcalloc(p, sizeof(*options));
    ws_bench_result_t *result = apr_pcalloc(p, sizeof(*result));
    bool answered = false;
    const int rv = ws_bench_options_read(options, argc, argv, &answered, p);

    if (rv != EXIT_DONE || answered) {
        return rv;
    }
    raise_files();
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (!(options->mode == WS_BENCH_CHURN ? ws_bench_churn(options, result, &stopped, p)
                                          : ws_bench_peers(options, result, &stopped, p))) {
        return EXIT_SYSTEM;
    }
    if (options->json) {
        report_json(options, result);
    } else {
        report_text(options, result);
    }
    if (fflush(stdout) != 0) {
        complain("standard output: %m");
        return EXIT_SYSTEM;
    }
    return result->refused + result->broken + result->wrong + result->late > 0 ? EXIT_NOT_SO
                                                                               : EXIT_DONE;
}
