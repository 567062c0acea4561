/* A server, a client and what passes between them, for the tests of the verifier.
 * SPDX-License-Identifier: Apache-2.0
 *
 * For one test program file: everything here is its own.
 */
#ifndef AUTHWS_T_VERIFY_WORLD_H
#define AUTHWS_T_VERIFY_WORLD_H

#include <apr_pools.h>
#include <stdalign.h>
#include <stdlib.h>

#include "digest/respond.h"
#include "digest/verify.h"
#include "unit.h"

#define NOW      apr_time_from_sec(1700000000)
#define LIFETIME apr_time_from_sec(60)
#define NODE     0x123456u

static const aw_keyring_t keys = {.count = 1, .keys = {{1, {1, 2, 3, 4}}}};
static const aw_keyring_t other_keys = {.count = 1, .keys = {{1, {4, 3, 2, 1}}}};
static const aw_algorithm_t offered[] = {
    {AW_ALG_SHA256, false}, {AW_ALG_MD5, false}, {AW_ALG_MD5, true}};

/* A server, a client, and what passes between them; each test bends what it is about. */
typedef struct world_t {
    aw_digest_policy_t policy;
    aw_digest_request_t request;
    aw_challenge_t challenge;
    aw_respond_t respond;
    aw_digest_result_t result;
    char nonce[AW_NONCE_LEN];
    char scratch[20000];
    aw_nc_table_t table;
    apr_pool_t *p;
    int lookups;
    apr_status_t lookup_fails, body_fails;
    aw_span_t blocked; /* who is; whether anybody was asked about is in blocked_asked */
    char blocked_asked[64];
} world_t;

static alignas(64) unsigned char table_memory[8192];

/* Knows Mufasa in every algorithm, Scar in SHA-256 only, and both by userhash. */
static apr_status_t look_up(void *baton, aw_alg_e alg, aw_span_t realm, aw_span_t user,
                            bool userhash, aw_a1_found_t *found)
{
    static const char *const names[] = {"Mufasa", "Scar"};
    world_t *w = baton;

    w->lookups++;
    if (w->lookup_fails != APR_SUCCESS) {
        return w->lookup_fails;
    }
    for (int i = 0; i < 2; i++) {
        unsigned char hash[AW_HASH_MAX];
        char hex[AW_HASH_HEX_MAX];
        aw_span_t name = aw_span(names[i]);
        if (userhash) {
            aw_digest_userhash(alg, name, realm, hash);
            aw_hex_encode(hex, hash, aw_alg_size(alg));
            name = (aw_span_t){hex, 2 * aw_alg_size(alg)};
        }
        if (aw_span_equal(user, name)) {
            found->user = aw_span(names[i]);
            if (i == 1 && alg != AW_ALG_SHA256) {
                return APR_ENOTIMPL;
            }
            return aw_digest_a1(alg, found->user, realm, AW_SPAN_LIT("Circle of Life"), found->a1);
        }
    }
    return APR_NOTFOUND;
}

static bool is_blocked(void *baton, aw_span_t user)
{
    world_t *w = baton;
    const size_t n = user.len < sizeof(w->blocked_asked) ? user.len : sizeof(w->blocked_asked) - 1;

    memcpy(w->blocked_asked, user.ptr, n);
    w->blocked_asked[n] = '\0';
    return aw_span_equal(user, w->blocked);
}

static apr_status_t hash_body(void *baton, aw_alg_e alg, unsigned char *out)
{
    const aw_span_t body = AW_SPAN_LIT("name=value");
    const world_t *w = baton;

    return w->body_fails != APR_SUCCESS ? w->body_fails : aw_hash(alg, &body, 1, out);
}

static void mint_at(world_t *w, uint32_t node, const aw_keyring_t *ring, const char *scope,
                    apr_time_t when)
{
    static uint64_t serial = 1;
    unsigned char random[AW_NONCE_RANDOM];

    serial++;
    memcpy(random, &serial, sizeof(random));
    if (aw_nonce_mint(ring, aw_span(scope), when, node, random, w->nonce) != APR_SUCCESS) {
        abort();
    }
}

static void mint(world_t *w, const aw_keyring_t *ring, const char *scope, apr_time_t when)
{
    mint_at(w, NODE, ring, scope, when);
}

static world_t *create(void)
{
    world_t *w = calloc(1, sizeof(*w));

    if (w == NULL || apr_pool_create(&w->p, NULL) != APR_SUCCESS) {
        abort();
    }
    memset(table_memory, 0, sizeof(table_memory));
    if (aw_nc_table_init(&w->table, table_memory, sizeof(table_memory), NODE) != APR_SUCCESS) {
        abort();
    }
    mint(w, &keys, "lions", NOW);
    w->policy = (aw_digest_policy_t){.realm = AW_SPAN_LIT("lions"),
                                     .algorithms = offered,
                                     .algorithms_count = 3,
                                     .qops = AW_QOP_BIT(AW_QOP_AUTH) | AW_QOP_BIT(AW_QOP_AUTH_INT),
                                     .userhash = true,
                                     .nonce_lifetime = LIFETIME,
                                     .keys = &keys,
                                     .nc_table = &w->table,
                                     .lookup = look_up,
                                     .body_hash = hash_body};
    w->challenge = (aw_challenge_t){.realm = AW_SPAN_LIT("lions"),
                                    .nonce = {w->nonce, AW_NONCE_LEN},
                                    .algorithm = {AW_ALG_SHA256, false},
                                    .qops = w->policy.qops};
    w->respond = (aw_respond_t){.user = AW_SPAN_LIT("Mufasa"),
                                .password = AW_SPAN_LIT("Circle of Life"),
                                .method = AW_SPAN_LIT("GET"),
                                .uri = AW_SPAN_LIT("/rock?a=b"),
                                .cnonce = AW_SPAN_LIT("cn"),
                                .nc = 1,
                                .body = AW_SPAN_LIT("name=value"),
                                .qop = AW_QOP_AUTH};
    w->request = (aw_digest_request_t){.method = AW_SPAN_LIT("GET"),
                                       .target = AW_SPAN_LIT("/rock?a=b"),
                                       .host = AW_SPAN_LIT("pride.example"),
                                       .scratch = w->scratch,
                                       .now = NOW + 1,
                                       .want_rspauth = true,
                                       .lookup_baton = w,
                                       .body_baton = w};
    return w;
}

static void destroy(world_t *w)
{
    apr_pool_destroy(w->p);
    free(w);
}

/* What the client would send now. */
static const char *answer(world_t *w)
{
    const char *text = NULL;

    if (aw_digest_respond(&text, &w->challenge, &w->respond, w->p) != APR_SUCCESS) {
        abort();
    }
    return text;
}

static aw_verdict_e verify_text(world_t *w, const char *text)
{
    const aw_span_t field = unit_guard(text, strlen(text));

    w->request.field = field;
    w->lookups = 0;
    const aw_verdict_e verdict = aw_digest_verify(&w->result, &w->policy, &w->request);
    unit_guard_free(field);
    return verdict;
}

static aw_verdict_e verify(world_t *w)
{
    return verify_text(w, answer(w));
}

/* `text` with its first `from` replaced, in the world's pool. */
static const char *with(world_t *w, const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);

    if (at == NULL) {
        abort();
    }
    const size_t before = (size_t)(at - text), rest = strlen(at) - strlen(from);
    char *out = apr_palloc(w->p, before + strlen(to) + rest + 1);
    memcpy(out, text, before);
    memcpy(out + before, to, strlen(to));
    memcpy(out + before + strlen(to), at + strlen(from), rest + 1);
    return out;
}

static bool table_is_untouched(void)
{
    static const unsigned char zeros[sizeof(table_memory)];
    return memcmp(table_memory, zeros, sizeof(zeros)) == 0;
}

#endif
