/* The results of `authws bench digest`, for people and as JSON.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench_report.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

static const struct {
    const char *name, *title;
    unsigned permille;
} percentiles[] = {{"p50_ms", "p50", 500},
                   {"p90_ms", "p90", 900},
                   {"p99_ms", "p99", 990},
                   {"p999_ms", "p99.9", 999}};

#define PERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))
#define STATUSES    600

/* Of no weight when they are 0. */
static const bench_count_e quiet[] = {
    BENCH_REFUSED, BENCH_NEXTNONCES, BENCH_REPLAYS, BENCH_RSPAUTH_MISSING,
    BENCH_LOST,    BENCH_TIMEOUTS,   BENCH_LATE,    BENCH_BAD_ANSWERS};

static bool is_quiet(bench_count_e which)
{
    for (size_t i = 0; i < sizeof(quiet) / sizeof(quiet[0]); i++) {
        if (quiet[i] == which) {
            return true;
        }
    }
    return false;
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static double per_second(const bench_report_t *report)
{
    return report->seconds > 0 ? (double)report->stats.count[BENCH_REQUESTS] / report->seconds : 0;
}

/* Microseconds of the server's CPU for each request. */
static double cpu_us(const bench_report_t *report)
{
    const uint64_t requests = report->stats.count[BENCH_REQUESTS];

    return requests > 0 ? (report->after.cpu - report->before.cpu) * 1e6 / (double)requests : 0;
}

void bench_report_text(const bench_report_t *report)
{
    const bench_stats_t *stats = &report->stats;

    printf("%-24s %" PRIu64 " in %.2f s, %.0f a second\n", "requests", stats->count[BENCH_REQUESTS],
           report->seconds, per_second(report));
    printf("%-24s", "latency, ms");
    for (size_t i = 0; i < PERCENTILES; i++) {
        printf(" %s %.2f", percentiles[i].title,
               ms(bench_latency_at(stats, percentiles[i].permille)));
    }
    printf(" max %.2f\n%-24s", ms(stats->latency_max), "answers");
    for (int i = 0; i < STATUSES; i++) {
        if (stats->status[i] > 0) {
            printf(" %d: %" PRIu64, i, stats->status[i]);
        }
    }
    printf("\n");
    for (bench_count_e i = BENCH_REQUESTS + 1; i < BENCH_COUNTS; i++) {
        if (stats->count[i] > 0 || !is_quiet(i)) {
            printf("%-24s %" PRIu64 "\n", bench_count_title(i), stats->count[i]);
        }
    }
    if (report->has_procs) {
        printf("%-24s %.2f s, %.1f us a request\n", "server CPU",
               report->after.cpu - report->before.cpu, cpu_us(report));
        printf("%-24s %ld KiB private before, %ld after; %ld KiB resident before, %ld after; "
               "%zu processes before, %zu after\n",
               "server memory", report->before.private_kib, report->after.private_kib,
               report->before.resident_kib, report->after.resident_kib, report->before.processes,
               report->after.processes);
    }
}

static void json_procs(const char *name, const bench_procs_t *procs)
{
    printf(", \"%s\": {\"cpu_s\": %.2f, \"processes\": %zu, \"private_kib\": %ld, "
           "\"resident_kib\": %ld}",
           name, procs->cpu, procs->processes, procs->private_kib, procs->resident_kib);
}

void bench_report_json(const bench_report_t *report)
{
    const bench_stats_t *stats = &report->stats;
    const char *comma = "";

    printf("{\"seconds\": %.3f, \"per_second\": %.1f", report->seconds, per_second(report));
    for (bench_count_e i = 0; i < BENCH_COUNTS; i++) {
        printf(", \"%s\": %" PRIu64, bench_count_name(i), stats->count[i]);
    }
    printf(", \"status\": {");
    for (int i = 0; i < STATUSES; i++) {
        if (stats->status[i] > 0) {
            printf("%s\"%d\": %" PRIu64, comma, i, stats->status[i]);
            comma = ", ";
        }
    }
    printf("}, \"latency\": {");
    for (size_t i = 0; i < PERCENTILES; i++) {
        printf("\"%s\": %.3f, ", percentiles[i].name,
               ms(bench_latency_at(stats, percentiles[i].permille)));
    }
    printf("\"max_ms\": %.3f}", ms(stats->latency_max));
    if (report->has_procs) {
        printf(", \"cpu_us_per_request\": %.2f", cpu_us(report));
        json_procs("before", &report->before);
        json_procs("after", &report->after);
    }
    printf("}\n");
}

bool bench_report_is_bad(const bench_report_t *report)
{
    const uint64_t *count = report->stats.count;

    return count[BENCH_ACCEPTED_REPLAYS] > 0 || count[BENCH_FALSE_401] > 0 ||
           count[BENCH_REFUSED] > 0 || count[BENCH_RSPAUTH_MISMATCH] > 0;
}
