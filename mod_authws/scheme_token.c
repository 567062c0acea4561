/* Token: credentials that are one secret, found by its hash (store/token.h).
 * SPDX-License-Identifier: Apache-2.0
 *
 * "Bearer" is RFC 6750, whose errors are told where it is the scheme; others have none.
 */
#include <apr_strings.h>

#include "base/text.h"
#include "digest/params.h"
#include "scheme.h"
#include "uplift.h"

/* The token behind the scheme's name. Empty when there is none, or what cannot be one. */
static aw_span_t token_of(const char *field)
{
    aw_span_t token;

    while (aw_is_tchar((unsigned char)*field)) {
        field++;
    }
    while (*field == ' ') {
        field++;
    }
    token = aw_span(field);
    while (token.len > 0 && (token.ptr[token.len - 1] == ' ' || token.ptr[token.len - 1] == '\t')) {
        token.len--;
    }
    for (size_t i = 0; i < token.len; i++) {
        if ((unsigned char)token.ptr[i] <= ' ' || (unsigned char)token.ptr[i] >= 0x7f) {
            return aw_span(NULL);
        }
    }
    return token;
}

/* Whether the request is for this subject, where AuthWSTokenSubject says whose it is. */
static bool is_subject(const authws_check_t *check, aw_span_t subject)
{
    request_rec *r = check->r;
    const char *error = NULL;
    const char *wanted;

    if (!check->dir->token_subject) {
        return true;
    }
    wanted = ap_expr_str_exec(r, check->dir->token_subject, &error);
    if (error) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      AWLOGNO(2175) "Token: the expression of AuthWSTokenSubject fails: %s", error);
        return false;
    }
    return wanted && aw_span_equal(aw_span(wanted), subject);
}

static void let_in(authws_check_t *check, const aw_token_entry_t *entry, aw_span_t token)
{
    request_rec *r = check->r;

    r->user = apr_pstrmemdup(r->pool, entry->subject, entry->subject_len);
    apr_table_setn(r->subprocess_env, "AUTHWS_SUBJECT", r->user);
    apr_table_setn(r->subprocess_env, "AUTHWS_ALGORITHM", aw_token_alg_name(entry->alg));
    check->result = "ok";
    check->outcome = AUTHWS_COUNT_TOKEN;
    authws_uplift_token(r, check->dir, entry, token);
}

static int refuse(authws_check_t *check, const aw_token_entry_t *entry, const char *why)
{
    const aw_span_t subject = {entry->subject, entry->subject_len};

    check->result = why;
    check->bad_token = true;
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, check->r,
                  AWLOGNO(2176) "Token: subject \"%s\", realm \"%s\": %s: %s",
                  authws_log_text(check->r->pool, subject), check->realm, why, check->r->uri);
    return HTTP_UNAUTHORIZED;
}

static int verify(authws_check_t *check)
{
    const aw_span_t token = token_of(check->field);
    aw_token_entry_t entry;
    int status = HTTP_UNAUTHORIZED;

    if (token.len == 0) {
        check->result = "malformed";
        check->outcome = AUTHWS_COUNT_MALFORMED;
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, check->r,
                      AWLOGNO(2177) "Token: realm \"%s\": there is no token, or a character that "
                                    "none has: %s",
                      check->realm, check->r->uri);
        return HTTP_BAD_REQUEST;
    }
    check->outcome = AUTHWS_COUNT_WRONG;
    /* Not the time of the request: who sends one slowly would live in the past. */
    switch (aw_token_store_find(check->dir->tokens, token, apr_time_now(), &entry)) {
    case AW_TOKEN_GOOD:
        if (is_subject(check, (aw_span_t){entry.subject, entry.subject_len})) {
            let_in(check, &entry, token);
            status = OK;
        } else {
            status = refuse(check, &entry, "token of another subject");
        }
        break;
    case AW_TOKEN_EXPIRED:
        status = refuse(check, &entry, "token expired");
        break;
    case AW_TOKEN_UNKNOWN:
        check->outcome = AUTHWS_COUNT_UNKNOWN;
        entry.subject_len = 0;
        status = refuse(check, &entry, "unknown token");
        break;
    case AW_TOKEN_FAILED:
        check->result = "error";
        check->outcome = AUTHWS_COUNT_ERRORS;
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, check->r,
                      AWLOGNO(2178) "Token: OpenSSL does not hash: %s", check->r->uri);
        status = HTTP_INTERNAL_SERVER_ERROR;
        break;
    }
    aw_wipe(entry.hash, sizeof(entry.hash));
    return status;
}

static const char *challenge(const authws_dir_t *dir)
{
    return authws_dir_token_scheme(dir);
}

static void ask(authws_check_t *check, apr_table_t *table, const char *header)
{
    const char *scheme = authws_dir_token_scheme(check->dir);
    const bool bearer = !ap_cstr_casecmp(scheme, "Bearer");
    const aw_span_t realm = aw_span(check->realm);
    char *quoted = apr_palloc(check->r->pool, 2 * realm.len + 3);

    quoted[aw_param_quote(quoted, realm)] = '\0';
    apr_table_addn(table, header,
                   apr_pstrcat(check->r->pool, scheme, " realm=", quoted,
                               bearer && check->bad_token ? ", error=\"invalid_token\"" : "",
                               NULL));
}

static const char *lacks(const authws_dir_t *dir)
{
    return dir->tokens ? NULL : "AuthWSTokenFile";
}

const authws_scheme_t authws_scheme_token = {
    .name = "Token",
    .lacks = lacks,
    .challenge = challenge,
    .verify = verify,
    .ask = ask,
};
