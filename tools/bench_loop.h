/* The connections of one thread of `authws bench`: an epoll loop that sends and receives.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_BENCH_LOOP_H
#define AUTHWS_TOOLS_BENCH_LOOP_H

#include <signal.h>

#include "bench_options.h"
#include "bench_stats.h"

typedef struct bench_loop_t bench_loop_t;

/* A loop for the clients that fall to thread `thread`, with its share of connections and requests,
 * in `p`, which is the thread's alone from now on. `stop` may be set at any time to end early. */
bench_loop_t *bench_loop_create(const bench_options_t *options, unsigned thread,
                                const volatile sig_atomic_t *stop, apr_pool_t *p);

/* Runs to its end; what was counted is in *stats. An errno, or 0. */
int bench_loop_run(bench_loop_t *loop, bench_stats_t *stats);

#endif
