/* `authws bench ws`: what its parts share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_WS_BENCH_H
#define AUTHWS_TOOLS_WS_BENCH_H

#include <signal.h>

#include "bench_procs.h"
#include "bench_stats.h"
#include "dial.h"

#define WS_BENCH_PIDS_MAX 64

typedef enum ws_bench_mode_e {
    WS_BENCH_ECHO,  /* every connection sends, and waits for what it has sent */
    WS_BENCH_IDLE,  /* connections are opened and left alone, then pinged */
    WS_BENCH_CHURN, /* open, one message there and back, close; over and over */
    WS_BENCH_FANOUT /* one more connection publishes, all the others receive */
} ws_bench_mode_e;

typedef struct ws_bench_options_t {
    dial_options_t dial;
    ws_bench_mode_e mode;
    uint64_t connections, depth, size;
    uint64_t messages;    /* 0: until the time is up; of churn: connections */
    uint64_t time_ms;     /* 0: until the messages are through */
    uint64_t patience_ms; /* for one message */
    pid_t pids[WS_BENCH_PIDS_MAX];
    size_t pids_count;
    bool binary, json;
    bool bare; /* the server sends back bytes, not messages: what comes is as we masked it */
} ws_bench_options_t;

typedef struct ws_bench_result_t {
    bench_stats_t latency; /* only its latencies are used */
    uint64_t opened;       /* connections made */
    uint64_t messages;     /* echoes, pongs or deliveries received; cycles of churn */
    uint64_t refused;      /* connections that could not be made */
    uint64_t broken;       /* connections that ended by themselves */
    uint64_t going_away;   /* of them: closed by the server with 1001 */
    uint64_t wrong;        /* messages that were not what had to come */
    uint64_t late;         /* messages that never came */
    double opening, seconds;
    bench_procs_t before, open, after;
    const char *why; /* the first failure, or NULL */
} ws_bench_result_t;

/* Reads the command line; as connect_options_read. */
int ws_bench_options_read(ws_bench_options_t *options, int argc, char **argv, bool *answered,
                          apr_pool_t *p);

/* Runs echo, idle or fan-out: an epoll loop over all connections. False when it could not be
 * begun, said. */
bool ws_bench_peers(const ws_bench_options_t *options, ws_bench_result_t *result,
                    const volatile sig_atomic_t *stop, apr_pool_t *p);

/* Runs churn: a thread for each connection. Likewise. */
bool ws_bench_churn(const ws_bench_options_t *options, ws_bench_result_t *result,
                    const volatile sig_atomic_t *stop, apr_pool_t *p);

/* Reads what the server's processes have used, when there are any to look at; said when not. */
bool ws_bench_look(const ws_bench_options_t *options, bench_procs_t *procs);

/* Monotonic, nanoseconds. */
uint64_t ws_bench_now(void);

#endif
