/* What a run of `authws bench` counts: a histogram of latencies, and events by name.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench_stats.h"

#include <stddef.h>

static const struct {
    const char *name, *title;
} counts[BENCH_COUNTS] = {
    [BENCH_REQUESTS] = {"requests", "requests"},
    [BENCH_CALLS] = {"calls", "calls"},
    [BENCH_ACCEPTED] = {"accepted", "accepted"},
    [BENCH_FIRST_CHALLENGES] = {"first_challenges", "first challenges"},
    [BENCH_STALE] = {"stale", "re-challenges (stale)"},
    [BENCH_FALSE_401] = {"false_401", "false 401s"},
    [BENCH_REFUSED] = {"refused", "refused logins"},
    [BENCH_NEXTNONCES] = {"nextnonces", "nextnonces followed"},
    [BENCH_REPLAYS] = {"replays", "replays sent"},
    [BENCH_ACCEPTED_REPLAYS] = {"accepted_replays", "accepted replays"},
    [BENCH_RSPAUTH_MISMATCH] = {"rspauth_mismatches", "rspauth mismatches"},
    [BENCH_RSPAUTH_MISSING] = {"rspauth_missing", "rspauth missing"},
    [BENCH_CONNECTS] = {"connects", "connections made"},
    [BENCH_CONNECTION_ERRORS] = {"connection_errors", "connection errors"},
    [BENCH_LOST] = {"lost", "lost answers"},
    [BENCH_TIMEOUTS] = {"timeouts", "timeouts"},
    [BENCH_LATE] = {"late", "calls skipped"},
    [BENCH_BAD_ANSWERS] = {"bad_answers", "bad answers"},
};

const char *bench_count_name(bench_count_e which)
{
    return counts[which].name;
}

const char *bench_count_title(bench_count_e which)
{
    return counts[which].title;
}

/* Buckets of equal width up to 2^SUB_BITS, from there on 2^SUB_BITS of them per power of two. */
static size_t bucket_of(uint64_t ns)
{
    if (ns < (uint64_t)1 << BENCH_SUB_BITS) {
        return (size_t)ns;
    }
    const unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - BENCH_SUB_BITS;
    const size_t bucket = ((size_t)shift << BENCH_SUB_BITS) + (size_t)(ns >> shift);

    return bucket < BENCH_BUCKETS ? bucket : BENCH_BUCKETS - 1;
}

/* The largest value that falls into a bucket. */
static uint64_t bucket_top(size_t bucket)
{
    if (bucket < (size_t)2 << BENCH_SUB_BITS) {
        return bucket;
    }
    const unsigned shift = (unsigned)(bucket >> BENCH_SUB_BITS) - 1;
    const uint64_t mantissa = bucket - ((uint64_t)shift << BENCH_SUB_BITS);

    return ((mantissa + 1) << shift) - 1;
}

void bench_latency_add(bench_stats_t *stats, uint64_t ns)
{
    stats->latency[bucket_of(ns)]++;
    if (ns > stats->latency_max) {
        stats->latency_max = ns;
    }
}

uint64_t bench_latency_at(const bench_stats_t *stats, unsigned permille)
{
    uint64_t all = 0, seen = 0;

    for (size_t i = 0; i < BENCH_BUCKETS; i++) {
        all += stats->latency[i];
    }
    const uint64_t wanted = (all * permille + 999) / 1000;

    for (size_t i = 0; i < BENCH_BUCKETS && all > 0; i++) {
        seen += stats->latency[i];
        if (seen >= wanted) {
            const uint64_t top = bucket_top(i);

            return top < stats->latency_max ? top : stats->latency_max;
        }
    }
    return 0;
}

void bench_stats_add(bench_stats_t *to, const bench_stats_t *from)
{
    for (size_t i = 0; i < BENCH_COUNTS; i++) {
        to->count[i] += from->count[i];
    }
    for (size_t i = 0; i < sizeof(to->status) / sizeof(to->status[0]); i++) {
        to->status[i] += from->status[i];
    }
    for (size_t i = 0; i < BENCH_BUCKETS; i++) {
        to->latency[i] += from->latency[i];
    }
    if (from->latency_max > to->latency_max) {
        to->latency_max = from->latency_max;
    }
}
