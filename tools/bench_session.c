/* A logged-in client: its nonce, its counts, and what it makes of the answers. No sockets here.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench_session.h"

#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>

#include "digest/compute.h"
#include "digest/params.h"

enum { COUNT_FREE, COUNT_SENT, COUNT_ANSWERED };

uint64_t bench_random(uint64_t *state)
{
    uint64_t x = *state;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1dull;
}

void bench_attempt_release(bench_attempt_t *attempt)
{
    if (attempt && --attempt->refs == 0) {
        free(attempt);
    }
}

void bench_session_init(bench_session_t *session, const bench_options_t *options,
                        const bench_user_t *user, bench_stats_t *stats, uint64_t *random,
                        apr_pool_t *p)
{
    *session = (bench_session_t){.options = options, .user = user, .stats = stats};
    session->random = random;
    if (user) {
        apr_pool_create(&session->p, p);
        session->counts = apr_pcalloc(p, options->window);
    }
}

void bench_session_end(bench_session_t *session)
{
    aw_wipe(session->a1, sizeof(session->a1));
}

/* --- counts --- */

static void forget(bench_session_t *session)
{
    session->has_nonce = false;
    session->epoch++;
}

static void begin_counting(bench_session_t *session)
{
    session->epoch++;
    session->low = session->next = 1;
    memset(session->counts, COUNT_FREE, session->options->window);
}

static unsigned char *count_at(const bench_session_t *session, uint32_t nc)
{
    return &session->counts[nc % session->options->window];
}

/* The next free count from `nc` on below low + window; 0 when there is none. */
static uint32_t free_count(const bench_session_t *session, uint32_t nc)
{
    for (; nc < session->low + session->options->window; nc++) {
        if (*count_at(session, nc) == COUNT_FREE) {
            return nc;
        }
    }
    return 0;
}

bool bench_session_ready(const bench_session_t *session)
{
    return session->has_nonce &&
           (session->options->shuffle ? free_count(session, session->low) != 0
                                      : session->next < session->low + session->options->window);
}

static uint32_t take_count(bench_session_t *session)
{
    const unsigned window = session->options->window;
    uint32_t nc = session->next;

    if (session->options->shuffle) {
        /* From a random place on, round the window. */
        nc = free_count(session, session->low + (uint32_t)(bench_random(session->random) % window));
        nc = nc ? nc : free_count(session, session->low);
    } else {
        session->next++;
    }
    *count_at(session, nc) = COUNT_SENT;
    return nc;
}

void bench_session_settle(bench_session_t *session, const bench_attempt_t *attempt)
{
    if (attempt->epoch != session->epoch) {
        return;
    }
    *count_at(session, attempt->nc) = COUNT_ANSWERED;
    while (*count_at(session, session->low) == COUNT_ANSWERED) {
        *count_at(session, session->low) = COUNT_FREE;
        session->low++;
    }
}

void bench_session_called(bench_session_t *session)
{
    session->stats->count[BENCH_CALLS]++;
    session->calls++;
    if (session->options->relogin && session->calls >= session->options->relogin) {
        session->calls = 0;
        forget(session);
    }
}

/* --- challenges --- */

static bool adopt_nonce(bench_session_t *session, aw_span_t nonce)
{
    if (nonce.len == 0 || nonce.len > sizeof(session->nonce)) {
        return false;
    }
    memcpy(session->nonce, nonce.ptr, nonce.len);
    session->challenge.nonce = (aw_span_t){session->nonce, nonce.len};
    session->has_nonce = true;
    begin_counting(session);
    return true;
}

/* Which of n challenges to answer: the one asked for, or the strongest. */
static int choose(const bench_session_t *session, const aw_challenge_t *all, int n)
{
    const aw_algorithm_t *wanted = session->options->algorithm;

    if (!wanted) {
        return aw_challenges_pick(all, n);
    }
    for (int i = 0; i < n; i++) {
        if (all[i].algorithm.hash == wanted->hash && all[i].algorithm.sess == wanted->sess) {
            return i;
        }
    }
    return -1;
}

/* Reads the challenges of a 401; the chosen one at *out, all in `p`. */
static bool read_challenge(const bench_session_t *session, const bench_http_t *http,
                           aw_challenge_t *out, apr_pool_t *p)
{
    aw_challenge_t all[BENCH_CHALLENGES];
    int n = 0;

    for (int i = 0; i < http->challenges_count && n < BENCH_CHALLENGES; i++) {
        const aw_span_t field = http->challenges[i];
        const aw_span_t copy = {apr_pstrmemdup(p, field.ptr, field.len), field.len};
        const int more =
            aw_challenges_parse(all + n, BENCH_CHALLENGES - n, copy, apr_palloc(p, field.len + 1));

        n += more > 0 ? more : 0;
    }
    const int best = choose(session, all, n);

    if (best < 0) {
        return false;
    }
    *out = all[best];
    return true;
}

/* Takes up the challenge; the session is logged out when it cannot. */
static bool adopt_challenge(bench_session_t *session, const aw_challenge_t *challenge)
{
    const bench_user_t *user = session->user;

    session->challenge = *challenge;
    if (aw_digest_a1(challenge->algorithm.hash, user->name, challenge->realm, user->password,
                     session->a1) == APR_SUCCESS &&
        adopt_nonce(session, challenge->nonce)) {
        return true;
    }
    forget(session);
    return false;
}

/* --- credentials --- */

/* What the server will have to prove itself with. */
static bool expect_rspauth(bench_session_t *session, bench_attempt_t *attempt,
                           const aw_respond_t *request)
{
    const aw_challenge_t *challenge = &session->challenge;
    unsigned char response[AW_HASH_MAX];
    char nc[9];

    (void)snprintf(nc, sizeof(nc), "%08x", request->nc);
    const aw_digest_input_t in = {.algorithm = challenge->algorithm,
                                  .qop = AW_QOP_AUTH,
                                  .method = request->method,
                                  .uri = request->uri,
                                  .nonce = challenge->nonce,
                                  .cnonce = request->cnonce,
                                  .nc_text = {nc, 8}};

    attempt->rspauth_len = aw_alg_size(challenge->algorithm.hash);
    return aw_digest_response(&in, session->a1, response, attempt->rspauth) == APR_SUCCESS;
}

bench_attempt_t *bench_session_respond(bench_session_t *session, apr_pool_t *ptemp)
{
    const uint64_t random = bench_random(session->random);
    char cnonce[2 * sizeof(random)];
    const aw_respond_t request = {.user = session->user->name,
                                  .a1 = session->a1,
                                  .method = AW_SPAN_LIT("GET"),
                                  .uri = aw_span(session->options->target),
                                  .cnonce = {cnonce, sizeof(cnonce)},
                                  .qop = AW_QOP_AUTH,
                                  .nc = take_count(session)};
    const char *text = NULL;

    aw_hex_encode(cnonce, &random, sizeof(random));
    if (aw_digest_respond(&text, &session->challenge, &request, ptemp) != APR_SUCCESS) {
        return NULL;
    }
    const size_t len = strlen(text);
    bench_attempt_t *attempt = malloc(sizeof(*attempt) + len);

    if (!attempt) {
        return NULL;
    }
    *attempt = (bench_attempt_t){.refs = 1, .epoch = session->epoch, .nc = request.nc, .len = len};
    memcpy(attempt->text, text, len);
    if (!expect_rspauth(session, attempt, &request)) {
        bench_attempt_release(attempt);
        return NULL;
    }
    return attempt;
}

/* --- answers --- */

static bool rspauth_is_right(const bench_attempt_t *attempt, aw_span_t value)
{
    unsigned char sent[AW_HASH_MAX];

    return value.len == 2 * attempt->rspauth_len &&
           aw_hex_decode(sent, value.ptr, attempt->rspauth_len) == value.len &&
           memcmp(sent, attempt->rspauth, attempt->rspauth_len) == 0;
}

/* Judges rspauth and follows nextnonce. */
static void read_info(bench_session_t *session, const bench_attempt_t *attempt, aw_span_t field)
{
    bool has_rspauth = false;
    aw_params_t it;
    aw_param_t item;

    aw_params_init(&it, field, AW_PARAMS_BARE);
    while (aw_params_next(&it, &item) == AW_PARAM_PAIR) {
        if (aw_span_equal_nocase(item.name, AW_SPAN_LIT("rspauth"))) {
            has_rspauth = true;
            session->stats->count[BENCH_RSPAUTH_MISMATCH] += !rspauth_is_right(attempt, item.value);
        } else if (aw_span_equal_nocase(item.name, AW_SPAN_LIT("nextnonce")) && !item.escaped &&
                   attempt->epoch == session->epoch && session->has_nonce) {
            /* Of many answers on one nonce only the first changes it. */
            session->stats->count[BENCH_NEXTNONCES] += adopt_nonce(session, item.value);
        }
    }
    session->stats->count[BENCH_RSPAUTH_MISSING] += !has_rspauth;
}

static bool is_accepted(int status)
{
    return status != 400 && status != 401 && status != 407 && status != 429 && status < 500;
}

/* A 401 with stale=true. Of two sendings at once one is always refused; the nonce is at fault only
 * when both are. */
static void gone_stale(bench_session_t *session, bench_attempt_t *attempt, aw_span_t nonce)
{
    attempt->stale++;
    if (attempt->raced && attempt->stale < 2) {
        return;
    }
    session->stats->count[BENCH_STALE]++;
    if (attempt->epoch == session->epoch && !adopt_nonce(session, nonce)) {
        forget(session);
    }
}

/* A 401 to credentials that were sent for the first time, or twice at once. */
static bench_next_e refused(bench_session_t *session, bench_attempt_t *attempt,
                            const bench_http_t *http)
{
    uint64_t *count = session->stats->count;
    aw_challenge_t challenge;
    apr_pool_t *p = NULL;
    bench_next_e next = BENCH_NEXT_DONE;

    apr_pool_create(&p, session->p);
    if (!read_challenge(session, http, &challenge, p)) {
        count[BENCH_BAD_ANSWERS]++;
    } else if (challenge.stale) {
        gone_stale(session, attempt, challenge.nonce);
        next = BENCH_NEXT_AGAIN;
    } else {
        count[session->proved ? BENCH_FALSE_401 : BENCH_REFUSED]++;
        if (attempt->epoch == session->epoch) {
            forget(session);
        }
    }
    apr_pool_destroy(p);
    return next;
}

/* An answer to a request without credentials. */
static bench_next_e challenged(bench_session_t *session, const bench_http_t *http)
{
    aw_challenge_t challenge;

    if (http->status != 401) {
        return BENCH_NEXT_DONE;
    }
    session->stats->count[BENCH_FIRST_CHALLENGES]++;
    if (!session->user) {
        return BENCH_NEXT_DONE;
    }
    apr_pool_clear(session->p);
    if (read_challenge(session, http, &challenge, session->p) &&
        adopt_challenge(session, &challenge)) {
        return BENCH_NEXT_AGAIN;
    }
    session->stats->count[BENCH_BAD_ANSWERS]++;
    return BENCH_NEXT_DONE;
}

bench_next_e bench_session_answer(bench_session_t *session, bench_attempt_t *attempt, bool first,
                                  const bench_http_t *http)
{
    uint64_t *count = session->stats->count;

    count[BENCH_REQUESTS]++;
    session->stats->status[http->status < 600 ? http->status : 599]++;
    if (!attempt) {
        return challenged(session, http);
    }
    if (first) {
        bench_session_settle(session, attempt);
    }
    if (is_accepted(http->status)) {
        session->proved = true;
        count[BENCH_ACCEPTED]++;
        count[BENCH_ACCEPTED_REPLAYS] += attempt->accepted > 0;
        attempt->accepted++;
        read_info(session, attempt, http->info);
    } else if (http->status == 401 && (first || attempt->raced)) {
        return refused(session, attempt, http);
    }
    return BENCH_NEXT_DONE;
}
