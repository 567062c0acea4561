/* The client's half of Digest: an Authorization value from a challenge.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "digest/respond.h"

#include <stdio.h>

#include "base/text.h"
#include "digest/compute.h"
#include "digest/params.h"

/* All that the value has besides what is counted by the byte, with every parameter present. */
#define FIXED_MAX 512

static char *put(char *at, aw_span_t text)
{
    if (text.len > 0) {
        memcpy(at, text.ptr, text.len);
    }
    return at + text.len;
}

static char *put_quoted(char *at, aw_span_t name, aw_span_t value)
{
    at = put(at, name);
    return at + aw_param_quote(at, value);
}

static char *put_hex(char *at, aw_span_t name, const unsigned char *hash, aw_alg_e alg)
{
    at = put(at, name);
    *at++ = '"';
    aw_hex_encode(at, hash, aw_alg_size(alg));
    at += 2 * aw_alg_size(alg);
    *at++ = '"';
    return at;
}

/* RFC 8187: what is no attr-char is percent-encoded; that is every token character but these. */
static char *put_ext(char *at, aw_span_t name, aw_span_t value)
{
    at = put(at, name);
    for (size_t i = 0; i < value.len; i++) {
        const unsigned char c = (unsigned char)value.ptr[i];
        if (aw_is_tchar(c) && c != '*' && c != '\'' && c != '%') {
            *at++ = (char)c;
        } else {
            *at++ = '%';
            aw_hex_encode(at, &c, 1);
            at += 2;
        }
    }
    return at;
}

static bool is_ascii(aw_span_t text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] > 0x7F) {
            return false;
        }
    }
    return true;
}

/* The user name in the one of its three spellings that fits. */
static apr_status_t put_user(char **at, const aw_challenge_t *challenge, aw_span_t user)
{
    const aw_alg_e alg = challenge->algorithm.hash;
    unsigned char hash[AW_HASH_MAX];
    apr_status_t status = APR_SUCCESS;

    if (challenge->userhash) {
        status = aw_digest_userhash(alg, user, challenge->realm, hash);
        if (status == APR_SUCCESS) {
            *at = put_hex(*at, AW_SPAN_LIT("Digest username="), hash, alg);
        }
    } else if (is_ascii(user)) {
        *at = put_quoted(*at, AW_SPAN_LIT("Digest username="), user);
    } else {
        *at = put_ext(*at, AW_SPAN_LIT("Digest username*=UTF-8''"), user);
    }
    return status;
}

static bool is_clean(aw_span_t text)
{
    return aw_text_find_control(text) == text.len;
}

/* Whether nothing of it could break out of its place in the field or in the hashes. */
static bool is_sound(const aw_challenge_t *challenge, const aw_respond_t *request)
{
    const aw_span_t *all[] = {&request->user,    &request->uri,     &request->cnonce,
                              &request->method,  &challenge->realm, &challenge->nonce,
                              &challenge->opaque};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (!is_clean(*all[i])) {
            return false;
        }
    }
    return aw_utf8_valid_prefix(request->user) == request->user.len && request->nc != 0 &&
           request->method.len > 0 && request->cnonce.len > 0 &&
           memchr(request->cnonce.ptr, '"', request->cnonce.len) == NULL &&
           memchr(request->cnonce.ptr, '\\', request->cnonce.len) == NULL;
}

/* The qop to use; false when the wanted one is not offered. */
static bool choose_qop(const aw_challenge_t *challenge, aw_qop_e wanted, aw_qop_e *qop)
{
    if (wanted != AW_QOP_NONE) {
        *qop = wanted;
        return (challenge->qops & AW_QOP_BIT(wanted)) != 0;
    }
    *qop = challenge->qops & AW_QOP_BIT(AW_QOP_AUTH)       ? AW_QOP_AUTH
           : challenge->qops & AW_QOP_BIT(AW_QOP_AUTH_INT) ? AW_QOP_AUTH_INT
                                                           : AW_QOP_NONE;
    return true;
}

static apr_status_t compute(const aw_digest_input_t *without_body, const aw_challenge_t *challenge,
                            const aw_respond_t *request, unsigned char *response)
{
    const aw_alg_e alg = challenge->algorithm.hash;
    aw_digest_input_t in = *without_body;
    unsigned char a1[AW_HASH_MAX], body[AW_HASH_MAX];
    apr_status_t status = APR_SUCCESS;

    if (in.qop == AW_QOP_AUTH_INT) {
        status = aw_hash(alg, &request->body, 1, body);
        in.request_body_hash = body;
    }
    if (status == APR_SUCCESS && request->a1 == NULL) {
        status = aw_digest_a1(alg, request->user, challenge->realm, request->password, a1);
    }
    if (status == APR_SUCCESS) {
        status = aw_digest_response(&in, request->a1 != NULL ? request->a1 : a1, response, NULL);
    }
    aw_wipe(a1, sizeof(a1));
    return status;
}

static size_t length_max(const aw_challenge_t *challenge, const aw_respond_t *request)
{
    return FIXED_MAX + 3 * request->user.len + AW_HASH_HEX_MAX * 2 +
           2 * (challenge->realm.len + challenge->nonce.len + challenge->opaque.len +
                request->uri.len + request->cnonce.len);
}

apr_status_t aw_digest_respond(const char **authorization, const aw_challenge_t *challenge,
                               const aw_respond_t *request, apr_pool_t *p)
{
    unsigned char response[AW_HASH_MAX];
    char nc[8 + 1], name[AW_ALGORITHM_NAME_MAX];
    aw_qop_e qop;

    if (!is_sound(challenge, request) || !choose_qop(challenge, request->qop, &qop)) {
        return APR_EINVAL;
    }
    (void)snprintf(nc, sizeof(nc), "%08x", (unsigned)request->nc);
    const aw_digest_input_t in = {.algorithm = challenge->algorithm,
                                  .qop = qop,
                                  .method = request->method,
                                  .uri = request->uri,
                                  .nonce = challenge->nonce,
                                  .cnonce = request->cnonce,
                                  .nc_text = {nc, 8}};
    apr_status_t status = compute(&in, challenge, request, response);
    if (status != APR_SUCCESS) {
        return status;
    }
    char *text = apr_palloc(p, length_max(challenge, request));
    char *at = text;
    status = put_user(&at, challenge, request->user);
    if (status != APR_SUCCESS) {
        return status;
    }
    at = put_quoted(at, AW_SPAN_LIT(", realm="), challenge->realm);
    at = put_quoted(at, AW_SPAN_LIT(", nonce="), challenge->nonce);
    at = put_quoted(at, AW_SPAN_LIT(", uri="), request->uri);
    at = put_hex(at, AW_SPAN_LIT(", response="), response, challenge->algorithm.hash);
    at = put(at, AW_SPAN_LIT(", algorithm="));
    at = put(at, aw_span(aw_algorithm_name(name, challenge->algorithm)));
    if (qop != AW_QOP_NONE) {
        at = put(at, AW_SPAN_LIT(", qop="));
        at = put(at, aw_span(aw_qop_name(qop)));
        at = put(at, AW_SPAN_LIT(", nc="));
        at = put(at, in.nc_text);
    }
    if (qop != AW_QOP_NONE || challenge->algorithm.sess) {
        at = put_quoted(at, AW_SPAN_LIT(", cnonce="), request->cnonce);
    }
    if (challenge->opaque.len > 0) {
        at = put_quoted(at, AW_SPAN_LIT(", opaque="), challenge->opaque);
    }
    if (challenge->userhash) {
        at = put(at, AW_SPAN_LIT(", userhash=true"));
    }
    *at = '\0';
    *authorization = text;
    return APR_SUCCESS;
}

int aw_challenges_pick(const aw_challenge_t *challenges, int n)
{
    int best = -1;

    for (int i = 0; i < n; i++) {
        unsigned char hash[AW_HASH_MAX];
        const aw_alg_e alg = challenges[i].algorithm.hash;
        if ((best < 0 || alg > challenges[best].algorithm.hash) &&
            aw_hash(alg, NULL, 0, hash) == APR_SUCCESS) {
            best = i;
        }
    }
    return best;
}
