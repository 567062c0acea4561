/* Clients and users that fail too often are refused for a while: AuthWSThrottle.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "throttle.h"

#include <apr_strings.h>

#include "counters.h"
#include "scheme.h"
#include "state.h"

static bool is_exempt(request_rec *r)
{
    static const char name[] = "authws-nothrottle";

    return apr_table_get(r->subprocess_env, name) != NULL;
}

void authws_throttle_begin(authws_throttle_t *throttle, request_rec *r, authws_request_t *state,
                           const authws_dir_t *dir, const char *realm, const char *field)
{
    memset(throttle, 0, sizeof(*throttle));
    throttle->field = field;
    throttle->r = r;
    throttle->state = state;
    throttle->realm = realm;
    /* Proxy-Authorization and Authorization of one request are two: one does not admit the other.
     */
    if ((field && state->admitted && !strcmp(state->admitted, field)) || is_exempt(r) ||
        (r != state->initial && is_exempt(state->initial))) {
        return;
    }
    throttle->limit = authws_dir_throttle(dir);
    if (throttle->limit) {
        const apr_sockaddr_t *from = r->useragent_addr;

        /* Not the request's own time: who sends a request slowly would live in the past. */
        throttle->now = apr_time_now();
        throttle->address = aw_throttle_address(authws_state_throttle(), from->ipaddr_ptr,
                                                (size_t)from->ipaddr_len);
    }
}

bool authws_throttle_refuse_address(authws_throttle_t *throttle)
{
    if (!throttle->limit || throttle->state->address_failed) {
        return false;
    }
    throttle->left = aw_throttle_blocked(authws_state_throttle(), throttle->address,
                                         throttle->limit, throttle->now);
    if (throttle->left > 0) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, throttle->r,
                      AWLOGNO(2060) "address %s is refused for %u s more, realm \"%s\": %s",
                      throttle->r->useragent_ip, throttle->left, throttle->realm, throttle->r->uri);
    }
    return throttle->left > 0;
}

bool authws_throttle_refuse_user(authws_throttle_t *throttle, aw_span_t user)
{
    if (!throttle->limit) {
        return false;
    }
    throttle->user = aw_throttle_user(authws_state_throttle(), aw_span(throttle->realm), user);
    if (throttle->user.hash == throttle->state->user_failed.hash) {
        return false;
    }
    throttle->left = aw_throttle_blocked(authws_state_throttle(), throttle->user, throttle->limit,
                                         throttle->now);
    if (throttle->left > 0) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, throttle->r,
                      AWLOGNO(2061) "user \"%s\" is refused for %u s more, realm \"%s\": %s",
                      authws_log_text(throttle->r->pool, user), throttle->left, throttle->realm,
                      throttle->r->uri);
    }
    return throttle->left > 0;
}

/* Counts one failure; whether it began a block. */
static bool count_failure(const authws_throttle_t *throttle, aw_throttle_id_t id)
{
    const bool blocks =
        aw_throttle_failed(authws_state_throttle(), id, throttle->limit, throttle->now);

    if (blocks) {
        authws_count(AUTHWS_COUNT_BLOCKS);
    }
    return blocks;
}

/* Who has no certificate has no name either: this one has a NUL, and is no user's. */
static aw_throttle_id_t without_id(const authws_throttle_t *throttle)
{
    const request_rec *r = throttle->r;
    const char *agent = apr_table_get(r->headers_in, "User-Agent");
    char name[512];
    const int n = apr_snprintf(name, sizeof(name), "%s %s", r->useragent_ip, agent ? agent : "");

    name[strlen(r->useragent_ip)] = '\0';
    return aw_throttle_user(authws_state_throttle(), aw_span(throttle->realm),
                            (aw_span_t){name, (size_t)n});
}

bool authws_throttle_refuse_without(authws_throttle_t *throttle)
{
    const aw_throttle_limit_t *limit = throttle->limit;

    if (!limit || throttle->r != throttle->state->initial) {
        return false;
    }
    throttle->without = without_id(throttle);
    throttle->left =
        aw_throttle_blocked(authws_state_throttle(), throttle->without, limit, throttle->now);
    if (throttle->left > 0) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, throttle->r,
                      AWLOGNO(2170) "a client without a certificate at %s is refused for %u s "
                                    "more, realm \"%s\": %s",
                      throttle->r->useragent_ip, throttle->left, throttle->realm, throttle->r->uri);
        return true;
    }
    if (count_failure(throttle, throttle->without)) {
        ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, throttle->r,
                      AWLOGNO(2171) "a client at %s that comes without a certificate is refused "
                                    "for %d s, after %u times within %d s; realm \"%s\"",
                      throttle->r->useragent_ip, (int)apr_time_sec(limit->block), limit->failures,
                      (int)apr_time_sec(limit->window), throttle->realm);
    }
    return false;
}

int authws_throttle_answer(const authws_throttle_t *throttle)
{
    apr_table_setn(throttle->r->err_headers_out, "Retry-After",
                   apr_psprintf(throttle->r->pool, "%u", throttle->left));
    return HTTP_TOO_MANY_REQUESTS;
}

void authws_throttle_failed(authws_throttle_t *throttle, aw_span_t user)
{
    const aw_throttle_limit_t *limit = throttle->limit;
    authws_request_t *state = throttle->state;

    if (!limit) {
        return;
    }
    if (!state->address_failed && count_failure(throttle, throttle->address)) {
        ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, throttle->r,
                      AWLOGNO(2062) "address %s is refused for %d s, after %u failures within "
                                    "%d s; the last in realm \"%s\", user \"%s\"",
                      throttle->r->useragent_ip, (int)apr_time_sec(limit->block), limit->failures,
                      (int)apr_time_sec(limit->window), throttle->realm,
                      authws_log_text(throttle->r->pool, user));
    }
    state->address_failed = true;
    if (throttle->user.hash != state->user_failed.hash && count_failure(throttle, throttle->user)) {
        ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, throttle->r,
                      AWLOGNO(2063) "user \"%s\" of realm \"%s\" is refused for %d s, after %u "
                                    "failures within %d s; the last from %s",
                      authws_log_text(throttle->r->pool, user), throttle->realm,
                      (int)apr_time_sec(limit->block), limit->failures,
                      (int)apr_time_sec(limit->window), throttle->r->useragent_ip);
    }
    state->user_failed = throttle->user;
}

void authws_throttle_succeeded(authws_throttle_t *throttle)
{
    if (throttle->limit) {
        aw_throttle_succeeded(authws_state_throttle(), throttle->user, throttle->limit,
                              throttle->now);
    }
    if (throttle->limit && throttle->certificates) {
        aw_throttle_succeeded(authws_state_throttle(), without_id(throttle), throttle->limit,
                              throttle->now);
    }
    throttle->state->admitted = throttle->field;
}
