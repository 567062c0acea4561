/* Where a user's A1 value comes from: the A1 files first, then httpd's authn providers.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_LOOKUP_H
#define MOD_AUTHWS_LOOKUP_H

#include <mod_auth.h>

#include "config.h"

/* The providers of AuthWSProvider, in the order they are asked. */
typedef struct authws_provider_t {
    const char *name;
    const authn_provider *functions; /* get_realm_hash is there */
} authws_provider_t;

typedef struct authws_providers_t {
    size_t count;
    authws_provider_t list[];
} authws_providers_t;

/* The registered providers of these names, `n` of them; NULL and *error (in `p`) when one is not
 * registered, has no get_realm_hash, is our own (it would ask itself), or is named twice. Lives
 * in `p`, the names included. */
const authws_providers_t *authws_providers_parse(const char **error, apr_pool_t *p, int n,
                                                 char *const names[]);

/* Whether a section has anywhere to look users up. */
static inline bool authws_lookup_possible(const authws_dir_t *dir)
{
    return dir->store != NULL || dir->providers != NULL;
}

/* Looks up a user as aw_a1_store_find does (arguments and results are the same; the caller wipes
 * *entry; its `now` is the real time, not the request's: a client that sends slowly must not make a
 * file that is just being written look old): in the A1 files; and when they do not know the user,
 * one provider after the other until one does. What comes after `alg` AW_ALG_COUNT for nobody is
 * then the strongest algorithm configured. *in_files (may be NULL) says whether the user is one of
 * the files'. A provider that fails, or returns what is no A1 value, is logged, and the failure
 * returned: that is never an unknown user. A provider may block as long as its driver does. */
apr_status_t authws_lookup(aw_a1_entry_t *entry, bool *in_files, request_rec *r,
                           const authws_dir_t *dir, aw_span_t realm, aw_span_t user, aw_alg_e *alg);

/* Notes a section of the configuration that has AuthWSProvider or AuthWSUserhash, for the check. */
void authws_lookup_note(cmd_parms *cmd, const authws_dir_t *dir);

/* pre_config: starts with no notes. check_config, which runs for configtest too: warns about
 * user hashes that cannot be offered. */
void authws_lookup_init(apr_pool_t *pconf);
int authws_lookup_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                               server_rec *s);

#endif
