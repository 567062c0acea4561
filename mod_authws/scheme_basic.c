/* Basic (RFC 7617) against the same A1 values.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <apr_strings.h>

#include "digest/params.h"
#include "scheme.h"

static int verify(authws_check_t *check)
{
    static const struct {
        const char *result;
        authws_counter_e counter;
    } outcomes[] = {
        [AUTHWS_PASSWORD_RIGHT] = {"ok", AUTHWS_COUNT_BASIC_VERIFIED},
        [AUTHWS_PASSWORD_WRONG] = {"wrong password", AUTHWS_COUNT_WRONG},
        [AUTHWS_PASSWORD_UNKNOWN] = {"unknown user", AUTHWS_COUNT_UNKNOWN},
        [AUTHWS_PASSWORD_ERROR] = {"error", AUTHWS_COUNT_ERRORS},
    };
    request_rec *r = check->r;
    const aw_span_t field = aw_span(check->field);
    char *clear = apr_palloc(r->pool, field.len);
    aw_span_t user = {NULL, 0}, password = {NULL, 0};
    const char *why = NULL;
    authws_password_e outcome;
    aw_alg_e alg;
    int status = HTTP_UNAUTHORIZED;

    if (aw_basic_parse(&user, &password, &why, field, clear) != AW_CREDENTIALS_OK) {
        check->result = "malformed";
        check->outcome = AUTHWS_COUNT_MALFORMED;
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, AWLOGNO(2030) "Basic: realm \"%s\": %s: %s",
                      check->realm, why, r->uri);
        aw_wipe(clear, field.len);
        return HTTP_BAD_REQUEST;
    }
    user = authws_normal(r->pool, user, NULL);
    if (authws_throttle_refuse_user(&check->throttle, user)) {
        check->result = "throttled";
        check->outcome = AUTHWS_COUNT_THROTTLED;
        aw_wipe(clear, field.len);
        return authws_throttle_answer(&check->throttle);
    }
    outcome = authws_password_check(r, check->dir, aw_span(check->realm), user, password, &alg);
    check->result = outcomes[outcome].result;
    check->outcome = outcomes[outcome].counter;
    if (outcome == AUTHWS_PASSWORD_RIGHT) {
        r->user = apr_pstrmemdup(r->pool, user.ptr, user.len);
        apr_table_setn(r->subprocess_env, "AUTHWS_ALGORITHM", aw_alg_name(alg));
        status = OK;
    } else {
        ap_log_rerror(APLOG_MARK, outcome == AUTHWS_PASSWORD_ERROR ? APLOG_ERR : APLOG_INFO, 0, r,
                      AWLOGNO(2031) "Basic: user \"%s\", realm \"%s\": %s: %s",
                      authws_log_text(r->pool, user), check->realm, check->result, r->uri);
        check->user = (aw_span_t){apr_pstrmemdup(r->pool, user.ptr, user.len), user.len};
        if (outcome == AUTHWS_PASSWORD_ERROR) {
            status = HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    aw_wipe(clear, field.len);
    return status;
}

static void ask(authws_check_t *check, apr_table_t *table, const char *header)
{
    static const char head[] = "Basic realm=";
    static const char tail[] = ", charset=\"UTF-8\"";
    const aw_span_t realm = aw_span(check->realm);
    char *value = apr_palloc(check->r->pool, sizeof(head) + 2 * realm.len + 2 + sizeof(tail));
    char *at = value;

    memcpy(at, head, sizeof(head) - 1);
    at += sizeof(head) - 1;
    at += aw_param_quote(at, realm);
    memcpy(at, tail, sizeof(tail));
    apr_table_addn(table, header, value);
}

static const char *challenge(const authws_dir_t *dir)
{
    (void)dir;
    return "Basic";
}

const authws_scheme_t authws_scheme_basic = {
    .name = "Basic",
    .lacks = authws_scheme_lacks_users,
    .challenge = challenge,
    .verify = verify,
    .ask = ask,
};
