/* Require authws-scheme: who came in by one of these schemes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "authz.h"

#include <ap_provider.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_request.h>
#include <mod_auth.h>

#include "scheme.h"

/* Schemes named in a Require line. */
static authz_status check_scheme(request_rec *r, const char *line, const void *parsed)
{
    const authws_schemes_t *schemes = parsed;
    const char *type = ap_auth_type(r);

    (void)line;
    /* Another module may use the same names. */
    if (!type || ap_cstr_casecmp(type, "AuthWS")) {
        return AUTHZ_DENIED;
    }
    if (!r->user) {
        return AUTHZ_DENIED_NO_USER;
    }
    for (size_t i = 0; i < schemes->count; i++) {
        if (r->ap_auth_type && !strcmp(r->ap_auth_type, schemes->list[i]->name)) {
            return AUTHZ_GRANTED;
        }
    }
    return AUTHZ_DENIED;
}

static const char *parse_schemes(cmd_parms *cmd, const char *line, const void **parsed)
{
    authws_schemes_t *schemes = apr_pcalloc(
        cmd->pool, sizeof(*schemes) + (strlen(line) / 2 + 1) * sizeof(schemes->list[0]));
    const char *word;

    while (*(word = ap_getword_conf(cmd->temp_pool, &line))) {
        const authws_scheme_t *scheme = authws_scheme_find(word);

        if (!scheme) {
            return apr_psprintf(cmd->pool,
                                "Require authws-scheme: \"%s\" is not a scheme; allowed are %s",
                                word, authws_scheme_names(cmd->pool));
        }
        schemes->list[schemes->count++] = scheme;
    }
    if (schemes->count == 0) {
        return apr_psprintf(cmd->pool, "Require authws-scheme: needs one or more of %s",
                            authws_scheme_names(cmd->pool));
    }
    *parsed = schemes;
    return NULL;
}

void authws_authz_register(apr_pool_t *p)
{
    static const authz_provider scheme = {check_scheme, parse_schemes};

    ap_register_auth_provider(p, AUTHZ_PROVIDER_GROUP, "authws-scheme", AUTHZ_PROVIDER_VERSION,
                              &scheme, AP_AUTH_INTERNAL_PER_CONF);
}
