/* The verifier of RFC 7616: every field, in the one safe order, known and unknown users alike.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "digest/verify.h"

#include "base/keyed.h"
#include "digest/uri.h"

/* How far in the future a nonce may have been issued: clocks of several servers differ, and a
 * clock may be set back a little. Further ahead it would live longer than its lifetime. */
#define CLOCK_SKEW_MAX apr_time_from_sec(5)

typedef struct verdict_info_t {
    const char *text;
    bool stale;
} verdict_info_t;

static const verdict_info_t verdicts[AW_VERDICT_COUNT] = {
    [AW_VERDICT_OK] = {"verified", false},
    [AW_VERDICT_BAD_FORM] = {"malformed credentials", false},
    [AW_VERDICT_BAD_URI] = {"uri is not the request target", false},
    [AW_VERDICT_OTHER_SCHEME] = {"another scheme", false},
    [AW_VERDICT_WRONG_REALM] = {"another realm", false},
    [AW_VERDICT_WRONG_ALGORITHM] = {"algorithm not offered", false},
    [AW_VERDICT_WRONG_QOP] = {"qop not offered", false},
    [AW_VERDICT_WRONG_USERHASH] = {"userhash not offered", false},
    [AW_VERDICT_NONCE_FOREIGN] = {"nonce not issued here", true},
    [AW_VERDICT_NONCE_EXPIRED] = {"nonce expired", true},
    [AW_VERDICT_THROTTLED] = {"throttled", false},
    [AW_VERDICT_UNKNOWN_USER] = {"unknown user", false},
    [AW_VERDICT_NO_VALUE] = {"user has no value in this algorithm", false},
    [AW_VERDICT_WRONG_RESPONSE] = {"wrong response", false},
    [AW_VERDICT_NC_USED] = {"nonce count used before", true},
    [AW_VERDICT_NC_DROPPED] = {"nonce count not known here", true},
    [AW_VERDICT_ERROR] = {"internal error", false}};

const char *aw_verdict_text(aw_verdict_e verdict)
{
    return verdicts[verdict].text;
}

bool aw_verdict_is_stale(aw_verdict_e verdict)
{
    return verdicts[verdict].stale;
}

/* What the configuration says about the credentials, before any secret is involved. */
static aw_verdict_e check_policy(const aw_credentials_t *credentials,
                                 const aw_digest_policy_t *policy)
{
    bool offered = false;

    if (!aw_span_equal(credentials->realm, policy->realm)) {
        return AW_VERDICT_WRONG_REALM;
    }
    for (size_t i = 0; !offered && i < policy->algorithms_count; i++) {
        offered = policy->algorithms[i].hash == credentials->algorithm.hash &&
                  policy->algorithms[i].sess == credentials->algorithm.sess;
    }
    if (!offered) {
        return AW_VERDICT_WRONG_ALGORITHM;
    }
    if (credentials->qop == AW_QOP_NONE || (policy->qops & AW_QOP_BIT(credentials->qop)) == 0) {
        return AW_VERDICT_WRONG_QOP;
    }
    return credentials->userhash && !policy->userhash ? AW_VERDICT_WRONG_USERHASH : AW_VERDICT_OK;
}

static bool is_alive(const aw_digest_policy_t *policy, apr_time_t issued, apr_time_t now)
{
    if (issued < policy->not_before) {
        return false;
    }
    return issued > now ? issued - now <= CLOCK_SKEW_MAX : now - issued < policy->nonce_lifetime;
}

/* Puts an A1 in place of `a1` when `wanted`: of a user that has none, nobody can know it, and the
 * same name gives the same one. It is computed and mixed in without a branch for everybody, known
 * users included, because the work of a wrong guess must not depend on who was guessed. */
static void decoy(const aw_digest_policy_t *policy, const aw_credentials_t *credentials,
                  bool wanted, unsigned char *a1)
{
    unsigned char seed[16];
    const unsigned char mask = (unsigned char)(0 - (unsigned)wanted);
    const aw_span_t parts[] = {AW_SPAN_LIT("authws decoy:"), policy->realm, AW_SPAN_LIT(":"),
                               credentials->username};

    aw_keyed_hash16(policy->keys->keys[0].key, parts, 4, seed);
    for (size_t i = 0; i < AW_HASH_MAX; i++) {
        a1[i] ^= mask & (unsigned char)(a1[i] ^ seed[i % 16] ^ i / 16);
    }
}

/* Looks the user up; THROTTLED when they are blocked. With UNKNOWN_USER and NO_VALUE found->a1
 * holds a decoy. */
static aw_verdict_e look_up(aw_a1_found_t *found, apr_status_t *status,
                            const aw_digest_policy_t *policy, const aw_digest_request_t *request,
                            const aw_credentials_t *credentials)
{
    aw_verdict_e verdict = AW_VERDICT_OK;

    found->user = credentials->username;
    memset(found->a1, 0, sizeof(found->a1));
    *status = policy->lookup(request->lookup_baton, credentials->algorithm.hash, policy->realm,
                             credentials->username, credentials->userhash, found);
    if (*status == APR_NOTFOUND) {
        verdict = AW_VERDICT_UNKNOWN_USER;
    } else if (*status == APR_ENOTIMPL) {
        verdict = AW_VERDICT_NO_VALUE;
    } else if (*status != APR_SUCCESS) {
        return AW_VERDICT_ERROR;
    }
    /* Before the decoy, so that it takes as long for a user that is not there. */
    if (policy->blocked != NULL && policy->blocked(request->lookup_baton, found->user)) {
        *status = APR_SUCCESS;
        return AW_VERDICT_THROTTLED;
    }
    *status = APR_SUCCESS;
    decoy(policy, credentials, verdict != AW_VERDICT_OK, found->a1);
    return verdict;
}

/* What is computed for one request and wiped with it. */
typedef struct work_t {
    aw_a1_found_t found;
    unsigned char expected[AW_HASH_MAX];
    unsigned char rspauth[AW_HASH_MAX];
    unsigned char body[AW_HASH_MAX];
} work_t;

/* Computes and compares, in the same way whatever the lookup came to. */
static aw_verdict_e check_response(work_t *work, apr_status_t *status, aw_verdict_e looked_up,
                                   const aw_digest_policy_t *policy,
                                   const aw_digest_request_t *request,
                                   const aw_credentials_t *credentials)
{
    const aw_alg_e alg = credentials->algorithm.hash;
    const bool with_body = credentials->qop == AW_QOP_AUTH_INT;
    aw_digest_input_t in = {.algorithm = credentials->algorithm,
                            .qop = credentials->qop,
                            .method = request->method,
                            .uri = credentials->uri,
                            .nonce = credentials->nonce,
                            .cnonce = credentials->cnonce,
                            .nc_text = credentials->nc_text};

    if (with_body) {
        *status = policy->body_hash != NULL
                      ? policy->body_hash(request->body_baton, alg, work->body)
                      : APR_EINVAL;
        if (*status != APR_SUCCESS) {
            return AW_VERDICT_ERROR;
        }
        in.request_body_hash = work->body;
        /* The body came when the client liked, and failures may have been counted meanwhile. */
        if (policy->blocked != NULL && policy->blocked(request->lookup_baton, work->found.user)) {
            return AW_VERDICT_THROTTLED;
        }
    }
    *status = aw_digest_response(&in, work->found.a1, work->expected,
                                 request->want_rspauth && !with_body ? work->rspauth : NULL);
    if (*status != APR_SUCCESS) {
        return AW_VERDICT_ERROR;
    }
    const bool equal = aw_equal_secret(work->expected, credentials->response, aw_alg_size(alg));

    if (looked_up != AW_VERDICT_OK) {
        return looked_up;
    }
    return equal ? AW_VERDICT_OK : AW_VERDICT_WRONG_RESPONSE;
}

static aw_verdict_e take_count(const aw_digest_policy_t *policy, const aw_nonce_t *nonce,
                               aw_span_t user, uint32_t nc)
{
    if (policy->nc_table == NULL) {
        return AW_VERDICT_OK;
    }
    switch (aw_nc_take(policy->nc_table, nonce, aw_nc_user(policy->nc_table, user), nc)) {
    case AW_NC_TAKEN:
        return AW_VERDICT_OK;
    case AW_NC_USED:
        return AW_VERDICT_NC_USED;
    case AW_NC_DROPPED:
        break;
    }
    return AW_VERDICT_NC_DROPPED;
}

/* All that needs no secret of the user's: configuration, nonce, uri, age. */
static aw_verdict_e check_request(const aw_credentials_t *credentials, aw_nonce_t *nonce,
                                  const aw_digest_policy_t *policy,
                                  const aw_digest_request_t *request)
{
    const aw_verdict_e verdict = check_policy(credentials, policy);

    if (verdict != AW_VERDICT_OK) {
        return verdict;
    }
    if (aw_nonce_open(policy->keys, policy->realm, credentials->nonce, nonce) != AW_NONCE_OK) {
        return AW_VERDICT_NONCE_FOREIGN;
    }
    if (!aw_digest_uri_matches(credentials->uri, request->target, request->host)) {
        return AW_VERDICT_BAD_URI;
    }
    return is_alive(policy, nonce->issued, request->now) ? AW_VERDICT_OK : AW_VERDICT_NONCE_EXPIRED;
}

aw_verdict_e aw_digest_verify(aw_digest_result_t *result, const aw_digest_policy_t *policy,
                              const aw_digest_request_t *request)
{
    aw_credentials_t *credentials = &result->credentials;
    aw_nonce_t nonce;
    work_t work;

    result->why = NULL;
    result->status = APR_SUCCESS;
    result->user = (aw_span_t){NULL, 0};
    result->has_rspauth = false;
    switch (aw_credentials_parse(credentials, &result->why, request->field, request->scratch)) {
    case AW_CREDENTIALS_OK:
        break;
    case AW_CREDENTIALS_OTHER_SCHEME:
        return AW_VERDICT_OTHER_SCHEME;
    case AW_CREDENTIALS_MALFORMED:
        return AW_VERDICT_BAD_FORM;
    }
    aw_verdict_e verdict = check_request(credentials, &nonce, policy, request);
    if (verdict != AW_VERDICT_OK) {
        return verdict;
    }
    verdict = look_up(&work.found, &result->status, policy, request, credentials);
    if (verdict != AW_VERDICT_ERROR && verdict != AW_VERDICT_THROTTLED) {
        verdict = check_response(&work, &result->status, verdict, policy, request, credentials);
    }
    if (verdict == AW_VERDICT_OK) {
        verdict = take_count(policy, &nonce, work.found.user, credentials->nc);
    }
    if (verdict == AW_VERDICT_OK) {
        const size_t size = aw_alg_size(credentials->algorithm.hash);
        result->user = work.found.user;
        result->nonce = nonce;
        if (credentials->qop == AW_QOP_AUTH_INT) {
            memcpy(result->a1, work.found.a1, size);
        } else if (request->want_rspauth) {
            memcpy(result->rspauth, work.rspauth, size);
            result->has_rspauth = true;
        }
    }
    aw_wipe(&work, sizeof(work));
    return verdict;
}
