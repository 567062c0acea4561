/* Digest (RFC 7616): verification against the A1 files, challenges, and Authentication-Info.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <apr_strings.h>
#include <http_protocol.h>

#include "body.h"
#include "digest/challenge.h"
#include "digest/params.h"
#include "lookup.h"
#include "scheme.h"
#include "state.h"

/* Where the verifier looks users up, and what it found. */
typedef struct lookup_t {
    authws_check_t *check;
    aw_a1_entry_t entry;
    aw_span_t user; /* whose failures are counted: as in the store, or as sent if not there */
} lookup_t;

static apr_status_t lookup(void *baton, aw_alg_e alg, aw_span_t realm, aw_span_t user,
                           bool userhash, aw_a1_found_t *found)
{
    lookup_t *l = baton;
    apr_status_t rv;

    if (userhash) { /* offered only where there are files, and nothing else */
        rv = aw_a1_store_find_userhash(l->check->dir->store, realm, user, alg, apr_time_now(),
                                       &l->entry);
    } else {
        rv = authws_lookup(&l->entry, NULL, l->check->r, l->check->dir, realm, user, &alg);
    }
    if (rv == APR_SUCCESS || rv == APR_ENOTIMPL) {
        found->user = (aw_span_t){l->entry.user, l->entry.user_len};
    } else if (rv != APR_NOTFOUND) {
        return rv;
    }
    /* Zeros for a user that is not there: the same work for all. */
    memcpy(found->a1, l->entry.hash, sizeof(found->a1));
    aw_wipe(l->entry.hash, sizeof(l->entry.hash));
    return rv;
}

static bool blocked(void *baton, aw_span_t user)
{
    lookup_t *l = baton;
    authws_throttle_t *throttle = &l->check->throttle;
    const bool again = l->user.ptr != NULL;

    l->user = user;
    if (again) { /* behind the body of auth-int, which came when the client liked */
        throttle->now = apr_time_now();
    }
    return (again && authws_throttle_refuse_address(throttle)) ||
           authws_throttle_refuse_user(throttle, user);
}

/* The request body's hash for auth-int; reads the body the first time it is asked for. */
static apr_status_t body_hash(void *baton, aw_alg_e alg, unsigned char *out)
{
    const authws_check_t *check = baton;

    return authws_body_hash(check->state, check->r, authws_dir_body_limit(check->dir), alg, out);
}

/* The algorithms in force: those configured, or those that the authws-algorithm variable names
 * for this request. A variable that names none is logged and ignored. */
static const authws_algorithms_t *algorithms_of(const authws_check_t *check)
{
    const char *value = apr_table_get(check->r->subprocess_env, "authws-algorithm");
    const authws_algorithms_t *algorithms = NULL;
    const char *error = "it is empty";
    char **words;
    int n = 0;

    if (!value) {
        return authws_dir_algorithms(check->dir);
    }
    if (apr_tokenize_to_argv(value, &words, check->r->pool) == APR_SUCCESS) {
        while (words[n]) {
            n++;
        }
        algorithms = n > 0 ? authws_algorithms_parse(&error, check->r->pool, n, words) : NULL;
    }
    if (!algorithms) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, check->r,
                      AWLOGNO(2020) "the variable authws-algorithm is ignored: %s", error);
        algorithms = authws_dir_algorithms(check->dir);
    }
    return algorithms;
}

/* The nonce keys of the day. */
static const aw_keyring_t *keys_of(const authws_check_t *check)
{
    return aw_keys_get(check->server->keys, check->now);
}

/* A fresh nonce for the check's realm; AW_NONCE_LEN characters. */
static bool mint(const authws_check_t *check, char *nonce)
{
    const uint32_t node = authws_state_nc_table()->node;
    unsigned char random[AW_NONCE_RANDOM];

    if (!authws_state_random(random, sizeof(random)) ||
        aw_nonce_mint(keys_of(check), aw_span(check->realm), check->now, node, random, nonce) !=
            APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, check->r,
                      AWLOGNO(2021) "no nonce: no random bytes, or a clock before 1970");
        return false;
    }
    return true;
}

static bool wants_next_nonce(const authws_check_t *check, const aw_nonce_t *nonce)
{
    switch (authws_dir_next_nonce(check->dir)) {
    case AUTHWS_NEXTNONCE_ALWAYS:
        return true;
    case AUTHWS_NEXTNONCE_OFF:
        return false;
    case AUTHWS_NEXTNONCE_HALF:
        break;
    }
    /* Of another node's nonce no further count is accepted here, so its client gets one that goes
     * on here, without the challenge that its next request would come to. */
    return nonce->node != authws_state_nc_table()->node ||
           check->now - nonce->issued > authws_dir_nonce_lifetime(check->dir) / 2;
}

static char *append(char *at, aw_span_t text)
{
    memcpy(at, text.ptr, text.len);
    return at + text.len;
}

/* The value of Authentication-Info (RFC 7616 3.5), put together by hand: this runs for every
 * request, and a formatted print would cost more than the digest itself. */
static void answer(authws_check_t *check, const aw_digest_result_t *result)
{
    const aw_credentials_t *sent = &result->credentials;
    const size_t room = 2 * AW_HASH_HEX_MAX + 2 * sent->cnonce.len + AW_NONCE_LEN + 128;
    const char *header = check->proxy ? "Proxy-Authentication-Info" : "Authentication-Info";
    const request_rec *outer = check->r->main;
    char *value, *at;

    /* A subrequest may become the request itself (mod_dir), and its fields are then added to those
     * of the outer one, which may have this one already. */
    if (outer && apr_table_get(outer->err_headers_out, header)) {
        return;
    }
    value = at = apr_palloc(check->r->pool, room);
    if (result->has_rspauth) {
        const size_t size = aw_alg_size(sent->algorithm.hash);

        at = append(at, AW_SPAN_LIT("rspauth=\""));
        aw_hex_encode(at, result->rspauth, size);
        at = append(at + 2 * size, AW_SPAN_LIT("\", "));
    }
    at = append(at, AW_SPAN_LIT("qop="));
    at = append(at, aw_span(aw_qop_name(sent->qop)));
    at = append(at, AW_SPAN_LIT(", cnonce="));
    at += aw_param_quote(at, sent->cnonce);
    at = append(at, AW_SPAN_LIT(", nc="));
    at = append(at, sent->nc_text);
    if (wants_next_nonce(check, &result->nonce)) {
        char nonce[AW_NONCE_LEN];

        if (mint(check, nonce)) {
            at = append(at, AW_SPAN_LIT(", nextnonce=\""));
            at = append(at, (aw_span_t){nonce, sizeof(nonce)});
            at = append(at, AW_SPAN_LIT("\""));
        }
    }
    *at = '\0';
    /* err_headers_out, because mod_proxy replaces headers_out by its backend's. */
    apr_table_setn(check->r->err_headers_out, header, value);
}

static void log_refusal(const authws_check_t *check, aw_verdict_e verdict,
                        const aw_digest_result_t *result)
{
    const bool parsed = verdict != AW_VERDICT_BAD_FORM && verdict != AW_VERDICT_OTHER_SCHEME;
    const aw_span_t user = parsed ? result->credentials.username : AW_SPAN_LIT("");
    const char *why = verdict == AW_VERDICT_BAD_FORM ? result->why : aw_verdict_text(verdict);

    ap_log_rerror(APLOG_MARK, verdict == AW_VERDICT_ERROR ? APLOG_ERR : APLOG_INFO,
                  verdict == AW_VERDICT_ERROR ? result->status : 0, check->r,
                  AWLOGNO(2022) "Digest: user \"%s\", realm \"%s\": %s: %s",
                  authws_log_text(check->r->pool, user), check->realm, why, check->r->uri);
}

static int status_of(const authws_check_t *check, aw_verdict_e verdict,
                     const aw_digest_result_t *result)
{
    switch (verdict) {
    case AW_VERDICT_OK:
        return OK;
    case AW_VERDICT_BAD_FORM:
    case AW_VERDICT_BAD_URI:
        return HTTP_BAD_REQUEST;
    case AW_VERDICT_WRONG_QOP:
        /* RFC 2069 responses carry no count, so nothing tells one from its replay. */
        return result->credentials.qop == AW_QOP_NONE ? HTTP_BAD_REQUEST : HTTP_UNAUTHORIZED;
    case AW_VERDICT_THROTTLED:
        return authws_throttle_answer(&check->throttle);
    case AW_VERDICT_ERROR:
        return authws_body_status(check->state);
    default:
        return HTTP_UNAUTHORIZED;
    }
}

static void let_in(authws_check_t *check, const aw_digest_result_t *result)
{
    request_rec *r = check->r;
    const aw_credentials_t *sent = &result->credentials;
    char name[AW_ALGORITHM_NAME_MAX];

    check->state->counted_field = check->field;
    r->user = apr_pstrmemdup(r->pool, result->user.ptr, result->user.len);
    apr_table_setn(r->subprocess_env, "AUTHWS_ALGORITHM",
                   apr_pstrdup(r->pool, aw_algorithm_name(name, sent->algorithm)));
    answer(check, result);
    if (sent->qop == AW_QOP_AUTH_INT) {
        authws_body_answer(check->state, r, result,
                           check->proxy ? "Proxy-Authentication-Info" : "Authentication-Info");
    }
}

static int verify(authws_check_t *check)
{
    request_rec *initial = check->state->initial;
    const authws_algorithms_t *algorithms = algorithms_of(check);
    const aw_span_t field = aw_span(check->field);
    const char *host = apr_table_get(initial->headers_in, "Host");
    lookup_t where;
    /* Proxy-Authorization and Authorization of one request are two, each with its count. */
    const char *before = check->state->counted_field;
    const bool counted = before && !strcmp(before, check->field);
    const aw_digest_policy_t policy = {
        .realm = aw_span(check->realm),
        .algorithms = algorithms->list,
        .algorithms_count = algorithms->count,
        .qops = authws_dir_qops(check->dir),
        .userhash = authws_dir_userhash(check->dir),
        .nonce_lifetime = authws_dir_nonce_lifetime(check->dir),
        .not_before = authws_state_created(),
        .keys = keys_of(check),
        .nc_table = counted ? NULL : authws_state_nc_table(),
        .lookup = lookup,
        .blocked = blocked,
        .body_hash = body_hash,
    };
    const aw_digest_request_t request = {
        .field = field,
        .method = aw_span(initial->method),
        .target = aw_span(check->state->target ? check->state->target : initial->unparsed_uri),
        .host = aw_span(host),
        .scratch = apr_palloc(check->r->pool, field.len),
        .now = check->now,
        .want_rspauth = true,
        .lookup_baton = &where,
        .body_baton = check,
    };
    aw_digest_result_t result;
    aw_verdict_e verdict;
    int status;

    where.check = check;
    where.user = aw_span(NULL);
    verdict = aw_digest_verify(&result, &policy, &request);
    check->result = verdict == AW_VERDICT_OK ? "ok" : aw_verdict_text(verdict);
    check->stale = aw_verdict_is_stale(verdict);
    check->outcome = authws_counter_of(verdict);
    if (verdict == AW_VERDICT_OK) {
        let_in(check, &result);
    } else if (verdict == AW_VERDICT_ERROR && authws_body_status(check->state) < 500) {
        check->result = "body not checked"; /* the client's doing, and logged with the reason */
        check->outcome = AUTHWS_COUNT_MALFORMED;
    } else if (verdict != AW_VERDICT_THROTTLED) { /* which the throttle has logged */
        log_refusal(check, verdict, &result);
        check->user = (aw_span_t){apr_pstrmemdup(check->r->pool, where.user.ptr, where.user.len),
                                  where.user.len};
    }
    status = status_of(check, verdict, &result);
    aw_wipe(result.a1, sizeof(result.a1));
    return status;
}

/* One challenge an algorithm, strongest first. They share a nonce: it is bound to the realm, and
 * a client uses one of them. */
static void ask(authws_check_t *check, apr_table_t *table, const char *header)
{
    request_rec *r = check->r;
    const authws_algorithms_t *algorithms = algorithms_of(check);
    const authws_domain_t *domain = check->proxy ? NULL : check->dir->domain;
    const bool https = !strcmp(ap_http_scheme(r), "https");
    char nonce[AW_NONCE_LEN];
    aw_challenge_t challenge = {
        .realm = aw_span(check->realm),
        .nonce = {nonce, sizeof(nonce)},
        .domain = domain ? aw_span(https ? domain->https : domain->http) : aw_span(NULL),
        .qops = authws_dir_qops(check->dir),
        .stale = check->stale,
        .userhash = authws_dir_userhash(check->dir),
        .utf8 = true,
    };

    if (!mint(check, nonce)) {
        return;
    }
    for (size_t i = 0; i < algorithms->count; i++) {
        challenge.algorithm = algorithms->list[i];
        char *value = apr_palloc(r->pool, aw_challenge_length_max(&challenge) + 1);
        value[aw_challenge_build(value, &challenge)] = '\0';
        apr_table_addn(table, header, value);
    }
}

static const char *challenge(const authws_dir_t *dir)
{
    (void)dir;
    return "Digest";
}

const authws_scheme_t authws_scheme_digest = {
    .name = "Digest",
    .lacks = authws_scheme_lacks_users,
    .challenge = challenge,
    .verify = verify,
    .ask = ask,
};
