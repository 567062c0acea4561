/* AuthWSCertificateUser: the user name of a certificate that TLS has verified.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "certuser.h"

#include <apr_strings.h>

#include "words.h"

const authws_certuser_t *authws_certuser(const authws_dir_t *dir)
{
    static const authws_certuser_t fallback = {.kind = AW_CERTNAME_CN};

    return dir->certuser ? dir->certuser : &fallback;
}

/* "CN, DN, ...": what may be written. */
static const char *words(apr_pool_t *p)
{
    const char *text = "";

    for (int i = 0; i < AW_CERTNAME_COUNT; i++) {
        text = apr_pstrcat(p, text, aw_certname_word((aw_certname_e)i), ", ", NULL);
    }
    return apr_pstrcat(p, text, "None, expr=...", NULL);
}

const authws_certuser_t *authws_certuser_parse(const char **error, cmd_parms *cmd, const char *word)
{
    authws_certuser_t *from = apr_pcalloc(cmd->pool, sizeof(*from));
    const char *why = NULL;

    if (!strncmp(word, "expr=", 5)) {
        from->expr = ap_expr_parse_cmd(cmd, word + 5, authws_expr_flags(cmd), &why, NULL);
        if (why) {
            *error = apr_psprintf(cmd->pool, "\"%s\" is not an expression: %s",
                                  authws_word_quoted(cmd->pool, word + 5), why);
            return NULL;
        }
    } else if (!ap_cstr_casecmp(word, "None")) {
        from->none = true;
    } else if (!aw_certname_parse(aw_span(word), &from->kind)) {
        *error = apr_psprintf(cmd->pool, "\"%s\" is not known; allowed are %s",
                              authws_word_quoted(cmd->pool, word), words(cmd->temp_pool));
        return NULL;
    }
    return from;
}

static const char *of_expr(const char **why, request_rec *r, const ap_expr_info_t *expr)
{
    const char *error = NULL;
    const char *user = ap_expr_str_exec(r, expr, &error);

    if (error) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      AWLOGNO(2172) "Certificate: the expression of AuthWSCertificateUser fails: "
                                    "%s",
                      error);
        *why = "the expression for its user fails";
        return NULL;
    }
    if (!user || !*user) {
        *why = "the expression for its user gives nothing";
        return NULL;
    }
    for (const char *at = user; *at; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f) {
            *why = "the expression for its user gives a control character";
            return NULL;
        }
    }
    return user;
}

const char *authws_certuser_of(const char **why, request_rec *r, const authws_certuser_t *from,
                               const aw_cert_t *cert)
{
    const aw_span_t *names;
    size_t count;

    if (from->none) {
        *why = "it is not in the map";
        return NULL;
    }
    if (from->expr) {
        return of_expr(why, r, from->expr);
    }
    switch (aw_cert_names(&names, &count, why, cert, from->kind, r->pool)) {
    case APR_SUCCESS:
        break;
    case APR_NOTFOUND:
        *why = "it has no name of the kind that AuthWSCertificateUser asks for";
        return NULL;
    case APR_EINVAL:
        return NULL;
    default:
        *why = "no memory";
        return NULL;
    }
    /* Whoever chose one of them would choose who the user is. */
    if (count > 1) {
        *why = "it has several names of the kind that AuthWSCertificateUser asks for";
        return NULL;
    }
    return names[0].ptr;
}
