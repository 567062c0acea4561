/* Where a user's A1 value comes from: the A1 files first, then httpd's authn providers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "lookup.h"

#include <ap_provider.h>
#include <apr_strings.h>

#include "base/text.h"
#include "dbd.h"
#include "provider.h"
#include "scheme.h"
#include "store/a1.h"

/* Only used while the configuration is read, by one thread: the sections noted. */
static apr_array_header_t *sections;

/* --- the configuration --- */

/* "dbd, file": what AuthWSProvider may name. */
static const char *names_registered(apr_pool_t *p)
{
    const apr_array_header_t *all =
        ap_list_provider_names(p, AUTHN_PROVIDER_GROUP, AUTHN_PROVIDER_VERSION);
    apr_array_header_t *fit = apr_array_make(p, all->nelts + 1, sizeof(const char *));

    for (int i = 0; i < all->nelts; i++) {
        const char *name = APR_ARRAY_IDX(all, i, ap_list_provider_names_t).provider_name;
        const authn_provider *provider =
            ap_lookup_provider(AUTHN_PROVIDER_GROUP, name, AUTHN_PROVIDER_VERSION);

        if (provider && provider->get_realm_hash && provider != &authws_provider) {
            APR_ARRAY_PUSH(fit, const char *) = apr_pstrcat(p, fit->nelts ? ", " : "", name, NULL);
        }
    }
    return fit->nelts ? apr_array_pstrcat(p, fit, 0) : "none";
}

/* What is wrong with a provider, NULL if nothing is. */
static const char *unfit(const authn_provider *provider, apr_pool_t *p)
{
    const char *why = "is not registered (is its module loaded, and before this line?)";

    if (provider == &authws_provider) {
        return "is this module itself; name its A1 files with AuthWSUserFile";
    }
    if (provider && provider->get_realm_hash) {
        return NULL;
    }
    if (provider) {
        why = "cannot give the hash of a realm, only check passwords";
    }
    return apr_psprintf(p, "%s; registered and fit are: %s", why, names_registered(p));
}

const authws_providers_t *authws_providers_parse(const char **error, apr_pool_t *p, int n,
                                                 char *const names[])
{
    authws_providers_t *out = apr_pcalloc(p, sizeof(*out) + (size_t)n * sizeof(out->list[0]));

    for (int i = 0; i < n; i++) {
        const authn_provider *provider =
            ap_lookup_provider(AUTHN_PROVIDER_GROUP, names[i], AUTHN_PROVIDER_VERSION);
        const char *why = unfit(provider, p);

        for (size_t k = 0; !why && k < out->count; k++) {
            why = strcmp(out->list[k].name, names[i]) ? NULL : "is given twice";
        }
        if (why) {
            char shown[264];

            *error = apr_psprintf(p, "\"%s\" %s",
                                  aw_text_escape(shown, sizeof(shown), aw_span(names[i])), why);
            return NULL;
        }
        out->list[out->count++] = (authws_provider_t){apr_pstrdup(p, names[i]), provider};
    }
    return out;
}

void authws_lookup_init(apr_pool_t *pconf)
{
    sections = apr_array_make(pconf, 8, sizeof(const authws_dir_t *));
}

void authws_lookup_note(cmd_parms *cmd, const authws_dir_t *dir)
{
    if (!ap_check_cmd_context(cmd, NOT_IN_HTACCESS)) {
        APR_ARRAY_PUSH(sections, const authws_dir_t *) = dir;
    }
}

int authws_lookup_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                               server_rec *s)
{
    (void)pconf;
    (void)plog;
    (void)ptemp;
    for (int i = 0; i < sections->nelts; i++) {
        const authws_dir_t *dir = APR_ARRAY_IDX(sections, i, const authws_dir_t *);

        if (dir->providers && dir->userhash == 1) {
            ap_log_error(APLOG_MARK, APLOG_WARNING | APLOG_STARTUP, 0, s,
                         AWLOGNO(2085) "AuthWSUserhash On has no effect where AuthWSProvider "
                                       "(\"%s\") is: a provider cannot look up by a hash",
                         dir->providers->list[0].name);
            break;
        }
    }
    sections = NULL;
    return OK;
}

/* --- a request --- */

/* The value of the first provider that knows the user; *name is the one asked last, and *why what
 * is known of its failure. */
static apr_status_t ask(char **value, const char **name, const char **why, request_rec *r,
                        const authws_providers_t *providers, const char *user, const char *realm)
{
    for (size_t i = 0; i < providers->count; i++) {
        const authws_provider_t *provider = &providers->list[i];
        authn_status status;

        *name = provider->name;
        /* Where an AuthnProviderAlias finds out which one of them it is. */
        apr_table_setn(r->notes, AUTHN_PROVIDER_NAME_NOTE, provider->name);
        status = provider->functions->get_realm_hash(r, user, realm, value);
        apr_table_unset(r->notes, AUTHN_PROVIDER_NAME_NOTE);
        switch (status) {
        case AUTH_USER_FOUND:
        case AUTH_GRANTED:
            return *value ? APR_SUCCESS : APR_EGENERAL;
        case AUTH_DENIED:
            return APR_NOTFOUND;
        case AUTH_USER_NOT_FOUND:
            *why = authws_dbd_failure(r);
            if (*why) {
                return APR_EGENERAL;
            }
            break;
        default:
            return APR_EGENERAL;
        }
    }
    return APR_NOTFOUND;
}

/* Asks the providers and takes the value apart; NOTFOUND for a name that no A1 file could hold
 * either: some providers join name and realm with a colon, and C strings end at a NUL. */
static apr_status_t ask_and_parse(aw_a1_value_t *parsed, request_rec *r, const authws_dir_t *dir,
                                  aw_span_t realm, aw_span_t user)
{
    /* Taken apart for users that there are not, so that they cost no less. */
    static char of_nobody[] = "{MD5}00000000000000000000000000000000{SHA-256}00000000000000000000"
                              "00000000000000000000000000000000000000000000";
    authws_request_t *state = authws_request_get(r);
    const char *name = "", *why = NULL;
    char *value = NULL;
    aw_text_error_t error;
    apr_status_t rv;

    if (!aw_a1_user_check(user, &error) || !aw_a1_name_check(realm, &error)) {
        return APR_NOTFOUND;
    }
    if (state->asking) { /* an alias that leads back here */
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      AWLOGNO(2086) "AuthWSProvider asks the provider authws, which asks "
                                    "AuthWSProvider: %s",
                      r->uri);
        return APR_EGENERAL;
    }
    state->asking = true;
    rv = ask(&value, &name, &why, r, dir->providers, apr_pstrmemdup(r->pool, user.ptr, user.len),
             apr_pstrmemdup(r->pool, realm.ptr, realm.len));
    state->asking = false;
    if (rv != APR_SUCCESS && rv != APR_NOTFOUND) {
        ap_log_rerror(
            APLOG_MARK, APLOG_ERR, 0, r,
            AWLOGNO(2087) "the provider \"%s\" failed for user \"%s\", realm \"%s\": %s%s%s", name,
            authws_log_text(r->pool, user), realm.ptr, authws_log_text(r->pool, aw_span(why)),
            why ? ": " : "", r->uri);
        return rv;
    }
    if (!aw_a1_value_parse(parsed, aw_span(rv == APR_SUCCESS ? value : of_nobody), &error)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      AWLOGNO(2088) "the provider \"%s\" has no A1 value for user \"%s\", realm "
                                    "\"%s\": column %" APR_SIZE_T_FMT ": %s: %s",
                      name, authws_log_text(r->pool, user), realm.ptr, error.column, error.message,
                      r->uri);
        return APR_EINVAL;
    }
    return rv;
}

static apr_status_t from_providers(aw_a1_entry_t *entry, request_rec *r, const authws_dir_t *dir,
                                   aw_span_t realm, aw_span_t user, aw_alg_e *alg)
{
    const bool fits = user.len <= AW_A1_NAME_MAX;
    aw_a1_value_t value;

    memset(entry, 0, sizeof(*entry));
    memset(&value, 0, sizeof(value));
    if (fits && user.len > 0) {
        memcpy(entry->user, user.ptr, user.len);
        entry->user_len = user.len;
    }
    const apr_status_t rv = ask_and_parse(&value, r, dir, realm, user);

    if (*alg >= AW_ALG_COUNT) {
        *alg = rv == APR_SUCCESS ? aw_a1_value_strongest(&value) : authws_dir_strongest(dir);
    }
    if (rv == APR_SUCCESS) {
        entry->present = value.present;
        memcpy(entry->hash, value.hash[*alg], aw_alg_size(*alg));
    }
    aw_wipe(&value, sizeof(value));
    return rv == APR_SUCCESS && !(entry->present & (1u << *alg)) ? APR_ENOTIMPL : rv;
}

apr_status_t authws_lookup(aw_a1_entry_t *entry, bool *in_files, request_rec *r,
                           const authws_dir_t *dir, aw_span_t realm, aw_span_t user, aw_alg_e *alg)
{
    const aw_alg_e asked = *alg;
    apr_status_t rv = APR_NOTFOUND;

    if (dir->store) {
        rv = aw_a1_store_find(dir->store, realm, user, alg, apr_time_now(), entry);
    }
    if (in_files) {
        *in_files = rv == APR_SUCCESS || rv == APR_ENOTIMPL;
    }
    if (rv != APR_NOTFOUND || !dir->providers) {
        return rv;
    }
    *alg = asked;
    return from_providers(entry, r, dir, realm, user, alg);
}
