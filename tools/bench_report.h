/* The results of `authws bench digest`, for people and as JSON.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_BENCH_REPORT_H
#define AUTHWS_TOOLS_BENCH_REPORT_H

#include <stdbool.h>

#include "bench_procs.h"
#include "bench_stats.h"

typedef struct bench_report_t {
    bench_stats_t stats;
    double seconds;
    bool has_procs;
    bench_procs_t before, after;
} bench_report_t;

/* Prints on standard output. */
void bench_report_text(const bench_report_t *report);
void bench_report_json(const bench_report_t *report);

/* Whether something happened that must not. */
bool bench_report_is_bad(const bench_report_t *report);

#endif
