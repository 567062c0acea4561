/* What a run of `authws bench` counts: a histogram of latencies, and events by name.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_BENCH_STATS_H
#define AUTHWS_TOOLS_BENCH_STATS_H

#include <stdint.h>

/* Events. The names in bench_stats.c are those of --json. */
typedef enum bench_count_e {
    BENCH_REQUESTS,          /* answers received, whatever they say */
    BENCH_CALLS,             /* calls that came to an end: a call may take several requests */
    BENCH_ACCEPTED,          /* answers that let the request in */
    BENCH_FIRST_CHALLENGES,  /* 401 to a request without credentials */
    BENCH_STALE,             /* 401 with stale=true to credentials sent for the first time */
    BENCH_FALSE_401,         /* 401 without it, to credentials that have been right before */
    BENCH_REFUSED,           /* 401 without it, to credentials never accepted so far */
    BENCH_NEXTNONCES,        /* nextnonce values taken up */
    BENCH_REPLAYS,           /* credentials sent a second time */
    BENCH_ACCEPTED_REPLAYS,  /* credentials accepted a second time */
    BENCH_RSPAUTH_MISMATCH,  /* Authentication-Info with a wrong rspauth */
    BENCH_RSPAUTH_MISSING,   /* accepted without any rspauth */
    BENCH_CONNECTS,          /* connections made */
    BENCH_CONNECTION_ERRORS, /* connections refused, or broken in an answer */
    BENCH_LOST,              /* requests without an answer; sent again with a new count */
    BENCH_TIMEOUTS,          /* of them: for want of patience */
    BENCH_LATE,              /* calls skipped because the client's last one was still under way */
    BENCH_BAD_ANSWERS,       /* answers that are no HTTP, or challenges nobody can answer */
    BENCH_COUNTS
} bench_count_e;

/* Nanoseconds up to 2^40 (18 minutes) with an error of at most 1/64. */
#define BENCH_SUB_BITS 6
#define BENCH_BUCKETS  ((40 - BENCH_SUB_BITS + 1) << BENCH_SUB_BITS)

typedef struct bench_stats_t {
    uint64_t count[BENCH_COUNTS];
    uint64_t status[600];
    uint64_t latency[BENCH_BUCKETS];
    uint64_t latency_max;
} bench_stats_t;

/* The name of a count in --json, and what it is for people; static. */
const char *bench_count_name(bench_count_e which);
const char *bench_count_title(bench_count_e which);

void bench_latency_add(bench_stats_t *stats, uint64_t ns);

/* The latency that `permille` tenths of a per cent (1 to 1000) of the requests did not exceed, in
 * nanoseconds; 0 without requests. */
uint64_t bench_latency_at(const bench_stats_t *stats, unsigned permille);

/* Adds `from` to `to`. */
void bench_stats_add(bench_stats_t *to, const bench_stats_t *from);

#endif
