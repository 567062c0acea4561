/* Who is this? The hooks that authenticate a request and challenge a client.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "authn.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_core.h>

#include "base/text.h"
#include "body.h"
#include "digest/params.h"
#include "scheme.h"
#include "state.h"

/* The request as the client sent it: where a subrequest or internal redirect comes from. */
static request_rec *initial_of(request_rec *r)
{
    while (r->main || r->prev) {
        r = r->main ? r->main : r->prev;
    }
    return r;
}

authws_request_t *authws_request_get(request_rec *r)
{
    request_rec *initial = initial_of(r);
    authws_request_t *state = ap_get_module_config(initial->request_config, &authws_module);

    if (!state) {
        state = apr_pcalloc(initial->pool, sizeof(*state));
        state->initial = initial;
        ap_set_module_config(initial->request_config, &authws_module, state);
    }
    return state;
}

authws_request_t *authws_request_find(request_rec *r)
{
    return ap_get_module_config(initial_of(r)->request_config, &authws_module);
}

void authws_request_count(authws_request_t *request, authws_counter_e outcome)
{
    if (!request->counted) {
        authws_count(outcome);
        request->counted = true;
    }
}

const char *authws_realm(request_rec *r)
{
    const char *name = ap_auth_name(r);

    if (!name || !strchr(name, '\\')) {
        return name;
    }
    const aw_param_t quoted = {.value = aw_span(name), .quoted = true, .escaped = true};
    char *realm = apr_palloc(r->pool, quoted.value.len + 1);

    realm[aw_param_unescape(&quoted, realm)] = '\0';
    return realm;
}

/* Fills `check`; false, with the reason logged, when the location cannot be authenticated. */
static bool check_init(authws_check_t *check, request_rec *r)
{
    memset(check, 0, sizeof(*check));
    check->r = r;
    check->dir = ap_get_module_config(r->per_dir_config, &authws_module);
    check->server = ap_get_module_config(r->server->module_config, &authws_module);
    check->state = authws_request_get(r);
    check->proxy = r->proxyreq == PROXYREQ_PROXY;
    check->realm = authws_realm(r);
    check->now = check->state->initial->request_time;
    if (!check->realm) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      AWLOGNO(2010) "AuthType AuthWS needs an AuthName: %s", r->uri);
        return false;
    }
    const authws_schemes_t *schemes = authws_dir_schemes(check->dir);
    for (size_t i = 0; i < schemes->count; i++) {
        const char *lacks = schemes->list[i]->lacks(check->dir);

        if (lacks) {
            ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                          AWLOGNO(2011) "AuthType AuthWS, scheme %s, needs an %s: %s",
                          schemes->list[i]->name, lacks, r->uri);
            return false;
        }
    }
    return true;
}

/* The challenges of every scheme, in the order configured, one field line each. */
static void challenge(authws_check_t *check)
{
    const char *header = check->proxy ? "Proxy-Authenticate" : "WWW-Authenticate";
    const authws_schemes_t *schemes = authws_dir_schemes(check->dir);
    apr_table_t *headers = check->r->err_headers_out;

    apr_table_unset(headers, header);
    apr_table_unset(headers, check->proxy ? "Proxy-Authentication-Info" : "Authentication-Info");
    for (size_t i = 0; i < schemes->count; i++) {
        if (schemes->list[i]->ask) {
            schemes->list[i]->ask(check, headers, header);
        }
    }
}

/* Whether the client can be asked for anything. */
static bool can_ask(const authws_dir_t *dir)
{
    const authws_schemes_t *schemes = authws_dir_schemes(dir);

    for (size_t i = 0; i < schemes->count; i++) {
        if (schemes->list[i]->ask) {
            return true;
        }
    }
    return false;
}

/* The configured scheme that the credentials in `field` are for, or NULL. */
static const authws_scheme_t *scheme_of(const authws_check_t *check)
{
    const authws_schemes_t *schemes = authws_dir_schemes(check->dir);
    const char *end = check->field;

    while (end && aw_is_tchar((unsigned char)*end)) {
        end++;
    }
    for (size_t i = 0; i < schemes->count; i++) {
        const aw_span_t sent = {check->field, (size_t)(end - check->field)};

        if (end && schemes->list[i]->challenge &&
            aw_span_equal_nocase(sent, aw_span(schemes->list[i]->challenge(check->dir)))) {
            return schemes->list[i];
        }
    }
    return NULL;
}

/* The credentials in the field, which are of this scheme or, NULL, of none that is configured. */
static int verify_field(authws_check_t *check, const authws_scheme_t *scheme)
{
    if (authws_throttle_refuse_address(&check->throttle)) {
        check->result = "throttled";
        check->outcome = AUTHWS_COUNT_THROTTLED;
        return authws_throttle_answer(&check->throttle);
    }
    if (!scheme) {
        check->result = "other scheme";
        check->outcome = AUTHWS_COUNT_REFUSED;
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, check->r,
                      AWLOGNO(2012) "the client used a scheme that realm \"%s\" does not accept",
                      check->realm);
        return HTTP_UNAUTHORIZED;
    }
    return scheme->verify(check);
}

/* A client that has brought nothing, or nothing that counts. */
static int come_without(authws_check_t *check)
{
    check->result = check->result ? check->result : "no credentials";
    check->outcome = AUTHWS_COUNT_CHALLENGED;
    if (check->missing && authws_throttle_refuse_without(&check->throttle)) {
        check->result = "throttled";
        check->outcome = AUTHWS_COUNT_THROTTLED;
        return authws_throttle_answer(&check->throttle);
    }
    return HTTP_UNAUTHORIZED;
}

static void begin(authws_check_t *check)
{
    authws_throttle_begin(&check->throttle, check->r, check->state, check->dir, check->realm,
                          check->field);
    check->throttle.certificates = check->missing != NULL;
}

/* The first scheme of the list decides that the client has brought something for; a certificate
 * that is nobody's is nothing. Who sends a name and password means them, so when they are wrong
 * nothing behind them is tried. */
static int authenticate(authws_check_t *check, const authws_scheme_t **used)
{
    request_rec *r = check->r;
    const authws_schemes_t *schemes = authws_dir_schemes(check->dir);
    const authws_scheme_t *of_field;
    int status = DECLINED;

    check->field =
        apr_table_get(r->headers_in, check->proxy ? "Proxy-Authorization" : "Authorization");
    of_field = scheme_of(check);
    for (size_t i = 0; status == DECLINED && i < schemes->count; i++) {
        const authws_scheme_t *scheme = schemes->list[i];

        if (scheme->present) {
            status = scheme->present(check);
        } else if (scheme == of_field) {
            begin(check);
            status = verify_field(check, scheme);
        }
        *used = status == DECLINED ? NULL : scheme;
    }
    if (status == DECLINED) {
        begin(check);
        status = check->field ? verify_field(check, NULL) : come_without(check);
    }
    if (status == OK) {
        r->ap_auth_type = (char *)(*used)->name;
        apr_table_setn(r->subprocess_env, "AUTHWS_REALM", check->realm);
    }
    return status;
}

/* What the check came to: for the counters, and for the throttle. */
static void account(authws_check_t *check)
{
    authws_request_count(check->state, check->outcome);
    switch (check->outcome) {
    case AUTHWS_COUNT_VERIFIED:
    case AUTHWS_COUNT_BASIC_VERIFIED:
    case AUTHWS_COUNT_TOKEN:
        authws_throttle_succeeded(&check->throttle);
        break;
    case AUTHWS_COUNT_WRONG:
    case AUTHWS_COUNT_UNKNOWN:
        authws_throttle_failed(&check->throttle, check->user);
        break;
    default:
        /* Nobody has tried a password: what is malformed, stale or replayed is no guess. */
        break;
    }
}

/* The answer to a client that cannot be asked for what it lacks. */
static int forbid(authws_check_t *check)
{
    if (check->missing) {
        apr_table_setn(check->r->notes, "error-notes",
                       apr_pstrcat(check->r->pool, "<br />\n", check->missing, NULL));
    }
    if (check->outcome == AUTHWS_COUNT_CHALLENGED) {
        check->outcome = AUTHWS_COUNT_WITHOUT;
    }
    return HTTP_FORBIDDEN;
}

int authws_authn_check(request_rec *r)
{
    const char *type = ap_auth_type(r);
    const authws_scheme_t *scheme = NULL;
    authws_check_t check;
    int status;

    if (!type || ap_cstr_casecmp(type, "AuthWS")) {
        return DECLINED;
    }
    if (!check_init(&check, r)) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    status = authenticate(&check, &scheme);
    if (status == HTTP_UNAUTHORIZED && !can_ask(check.dir)) {
        status = forbid(&check);
    }
    account(&check);
    if (scheme) {
        apr_table_setn(r->notes, "authws-scheme", scheme->name);
    }
    apr_table_setn(r->notes, "authws-result", check.result);
    if (status == HTTP_UNAUTHORIZED) {
        challenge(&check);
    }
    return status;
}

int authws_authn_note_failure(request_rec *r, const char *auth_type)
{
    authws_check_t check;

    if (ap_cstr_casecmp(auth_type, "AuthWS")) {
        return DECLINED;
    }
    if (!check_init(&check, r)) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    challenge(&check);
    check.state->unasked = !can_ask(check.dir);
    return OK;
}

/* httpd answers 401 to a user who may not go on, and a 401 has to ask for something. */
void authws_authn_forbid(request_rec *r)
{
    static const char text[] =
        "\"<!DOCTYPE html>\n<title>403 Forbidden</title>\n<h1>Forbidden</h1>\n"
        "<p>You don't have permission to access this resource.</p>\n";
    const authws_request_t *state = authws_request_find(r);

    if (r->status != HTTP_UNAUTHORIZED || !state || !state->unasked) {
        return;
    }
    r->status = HTTP_FORBIDDEN;
    if (!ap_response_code_string(r, ap_index_of_response(HTTP_UNAUTHORIZED))) {
        ap_custom_response(r, HTTP_UNAUTHORIZED, text);
    }
}

/* Sets in `to` what is there in `from` and not yet in `to`. */
static void carry(apr_table_t *to, const apr_table_t *from, const char *name)
{
    const char *value = apr_table_get(from, name);

    if (value && !apr_table_get(to, name)) {
        apr_table_setn(to, name, value);
    }
}

int authws_authn_fixup(request_rec *r)
{
    const request_rec *before = r->prev;

    if (!before) {
        return DECLINED;
    }
    carry(r->notes, before->notes, "authws-scheme");
    carry(r->notes, before->notes, "authws-result");
    /* Where nothing has changed httpd keeps the user and does not ask the hooks again, but renames
     * what stood in the environment. */
    if (r->user && r->user == before->user) {
        carry(r->subprocess_env, before->subprocess_env, "AUTHWS_REALM");
        carry(r->subprocess_env, before->subprocess_env, "AUTHWS_ALGORITHM");
        carry(r->subprocess_env, before->subprocess_env, "AUTHWS_FINGERPRINT");
        carry(r->subprocess_env, before->subprocess_env, "AUTHWS_SUBJECT");
    }
    return DECLINED;
}
