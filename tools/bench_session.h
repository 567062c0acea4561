/* A logged-in client: its nonce, its counts, and what it makes of the answers. No sockets here.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A session belongs to one thread.
 *
 * Counts of the nonce in use are kept in a ring of `window` bytes: from `low`, the oldest one
 * without an answer, on, each is free, sent or answered. None at low + window or above is given
 * out, so that no two counts under way are further apart than a server can be asked to remember.
 */
#ifndef AUTHWS_TOOLS_BENCH_SESSION_H
#define AUTHWS_TOOLS_BENCH_SESSION_H

#include "bench_http.h"
#include "bench_options.h"
#include "bench_stats.h"
#include "digest/respond.h"

#define BENCH_NONCE_MAX 1024

/* One value of the Authorization field. Requests that send it share it; the last frees it. */
typedef struct bench_attempt_t {
    unsigned refs;
    unsigned accepted; /* by how many answers */
    unsigned stale;    /* refused by how many, with stale=true */
    bool raced;        /* sent twice at once: either may be the one that is refused */
    uint32_t epoch;    /* of the session, when it was made */
    uint32_t nc;
    unsigned char rspauth[AW_HASH_MAX];
    size_t rspauth_len;
    size_t len;
    char text[];
} bench_attempt_t;

/* Decreases the references; NULL is allowed. */
void bench_attempt_release(bench_attempt_t *attempt);

typedef struct bench_session_t {
    const bench_options_t *options;
    const bench_user_t *user; /* NULL: floods */
    bench_stats_t *stats;
    uint64_t *random; /* state of the thread's generator */
    apr_pool_t *p;    /* of the challenge */
    aw_challenge_t challenge;
    char nonce[BENCH_NONCE_MAX];
    unsigned char a1[AW_HASH_MAX];
    bool has_nonce;
    bool proved;    /* its credentials have been accepted once */
    uint32_t epoch; /* grows with every change of nonce */
    uint32_t low;   /* the oldest count without an answer */
    uint32_t next;  /* the next in order */
    unsigned char *counts;
    unsigned calls; /* since login */
} bench_session_t;

/* What to do next for the call that an answer belongs to. */
typedef enum bench_next_e {
    BENCH_NEXT_DONE, /* the call is over */
    BENCH_NEXT_AGAIN /* ask again: there is a fresh nonce */
} bench_next_e;

/* Sets up a session in `p`. All but `options` lives as long as the run. */
void bench_session_init(bench_session_t *session, const bench_options_t *options,
                        const bench_user_t *user, bench_stats_t *stats, uint64_t *random,
                        apr_pool_t *p);

/* Wipes what is secret. */
void bench_session_end(bench_session_t *session);

/* Whether bench_session_respond would find a count to give out. */
bool bench_session_ready(const bench_session_t *session);

/* Makes credentials with the next count; the caller holds the one reference. NULL when the
 * challenge cannot be answered. `ptemp` is for the making. */
bench_attempt_t *bench_session_respond(bench_session_t *session, apr_pool_t *ptemp);

/* Takes in an answer. `attempt` is NULL for a request without credentials; `first` says that it
 * is the first sending of the attempt, not its replay. Counts what happened. */
bench_next_e bench_session_answer(bench_session_t *session, bench_attempt_t *attempt, bool first,
                                  const bench_http_t *http);

/* The first sending of the attempt has its answer, or never will: its count is no longer under
 * way. */
void bench_session_settle(bench_session_t *session, const bench_attempt_t *attempt);

/* Ends a call; after --relogin of them the session forgets its nonce. */
void bench_session_called(bench_session_t *session);

/* The next number of a generator (xorshift64*); the state is never 0. */
uint64_t bench_random(uint64_t *state);

#endif
