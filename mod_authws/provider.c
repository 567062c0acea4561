/* The authn provider "authws": the A1 values for mod_auth_basic, mod_auth_form and mod_auth_digest.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "provider.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_request.h>
#include <mod_auth.h>

#include "lookup.h"
#include "scheme.h"

/* The directory's settings; NULL, with the reason logged, without anywhere to look users up. */
static const authws_dir_t *dir_of(request_rec *r)
{
    const authws_dir_t *dir = ap_get_module_config(r->per_dir_config, &authws_module);

    if (!authws_lookup_possible(dir)) {
        ap_log_rerror(
            APLOG_MARK, APLOG_ERR, 0, r,
            AWLOGNO(2050) "the authn provider authws needs an AuthWSUserFile or AuthWSProvider: %s",
            r->uri);
        return NULL;
    }
    return dir;
}

/* Checks a password as the scheme Basic does, throttle included; but whoever is refused is told no
 * more than that, because a provider cannot answer 429. */
static authn_status check_password(request_rec *r, const char *name, const char *password)
{
    const authws_dir_t *dir = dir_of(r);
    const aw_span_t user = authws_normal(r->pool, aw_span(name), NULL);
    const char *realm = authws_realm(r);
    authws_request_t *state = authws_request_get(r);
    authws_throttle_t throttle;

    if (!dir || !realm) {
        return AUTH_GENERAL_ERROR;
    }
    authws_throttle_begin(&throttle, r, state, dir, realm, NULL);
    if (authws_throttle_refuse_address(&throttle) || authws_throttle_refuse_user(&throttle, user)) {
        authws_request_count(state, AUTHWS_COUNT_THROTTLED);
        return AUTH_DENIED;
    }
    switch (authws_password_check(r, dir, aw_span(realm), user, aw_span(password), NULL)) {
    case AUTHWS_PASSWORD_RIGHT:
        authws_request_count(state, AUTHWS_COUNT_BASIC_VERIFIED);
        authws_throttle_succeeded(&throttle);
        return AUTH_GRANTED;
    case AUTHWS_PASSWORD_WRONG:
        authws_request_count(state, AUTHWS_COUNT_WRONG);
        authws_throttle_failed(&throttle, user);
        return AUTH_DENIED;
    case AUTHWS_PASSWORD_UNKNOWN:
        /* No failure yet: another provider may be asked next, and know the user. */
        authws_request_count(state, AUTHWS_COUNT_UNKNOWN);
        return AUTH_USER_NOT_FOUND;
    case AUTHWS_PASSWORD_ERROR:
        authws_request_count(state, AUTHWS_COUNT_ERRORS);
        break;
    }
    return AUTH_GENERAL_ERROR;
}

/* The MD5 value in hex, which is what mod_auth_digest understands. */
static authn_status get_realm_hash(request_rec *r, const char *user, const char *realm,
                                   char **rethash)
{
    const authws_dir_t *dir = dir_of(r);
    aw_alg_e alg = AW_ALG_MD5;
    aw_a1_entry_t entry;
    apr_status_t rv;

    if (!dir) {
        return AUTH_GENERAL_ERROR;
    }
    rv = authws_lookup(&entry, NULL, r, dir, aw_span(realm), aw_span(user), &alg);
    if (rv != APR_SUCCESS) {
        return rv == APR_NOTFOUND || rv == APR_ENOTIMPL ? AUTH_USER_NOT_FOUND : AUTH_GENERAL_ERROR;
    }
    *rethash = apr_pcalloc(r->pool, 2 * aw_alg_size(alg) + 1);
    aw_hex_encode(*rethash, entry.hash, aw_alg_size(alg));
    aw_wipe(entry.hash, sizeof(entry.hash));
    return AUTH_USER_FOUND;
}

const authn_provider authws_provider = {check_password, get_realm_hash};

void authws_provider_register(apr_pool_t *p)
{
    ap_register_auth_provider(p, AUTHN_PROVIDER_GROUP, "authws", AUTHN_PROVIDER_VERSION,
                              &authws_provider, AP_AUTH_INTERNAL_PER_CONF);
}
