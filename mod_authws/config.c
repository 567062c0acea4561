/* The module's configuration records: creating, merging, and the defaults.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "config.h"

#include "scheme.h"
#include "ws/settings.h"

void *authws_dir_create(apr_pool_t *p, char *path)
{
    authws_dir_t *dir = apr_pcalloc(p, sizeof(*dir));

    (void)path;
    dir->uplift = AUTHWS_UNSET;
    dir->userhash = AUTHWS_UNSET;
    dir->next_nonce = AUTHWS_UNSET;
    dir->body_limit = AUTHWS_UNSET;
    return dir;
}

/* Runs for every request that more than one section applies to: a copy and a few choices. */
void *authws_dir_merge(apr_pool_t *p, void *outer_v, void *inner_v)
{
    const authws_dir_t *outer = outer_v;
    const authws_dir_t *inner = inner_v;
    authws_dir_t *dir = apr_palloc(p, sizeof(*dir));

    dir->schemes = inner->schemes ? inner->schemes : outer->schemes;
    dir->store = inner->store ? inner->store : outer->store;
    dir->files = inner->files ? inner->files : outer->files;
    dir->providers = inner->providers ? inner->providers : outer->providers;
    dir->uplift = inner->uplift != AUTHWS_UNSET ? inner->uplift : outer->uplift;
    dir->algorithms = inner->algorithms ? inner->algorithms : outer->algorithms;
    dir->qops = inner->qops ? inner->qops : outer->qops;
    dir->userhash = inner->userhash != AUTHWS_UNSET ? inner->userhash : outer->userhash;
    dir->domain = inner->domain ? inner->domain : outer->domain;
    dir->nonce_lifetime = inner->nonce_lifetime ? inner->nonce_lifetime : outer->nonce_lifetime;
    dir->next_nonce = inner->next_nonce != AUTHWS_UNSET ? inner->next_nonce : outer->next_nonce;
    dir->body_limit = inner->body_limit != AUTHWS_UNSET ? inner->body_limit : outer->body_limit;
    dir->throttle = inner->throttle ? inner->throttle : outer->throttle;
    dir->tokens = inner->tokens ? inner->tokens : outer->tokens;
    dir->token_files = inner->token_files ? inner->token_files : outer->token_files;
    dir->token_scheme = inner->token_scheme ? inner->token_scheme : outer->token_scheme;
    dir->token_subject = inner->token_subject ? inner->token_subject : outer->token_subject;
    dir->certmap = inner->certmap ? inner->certmap : outer->certmap;
    dir->certuser = inner->certuser ? inner->certuser : outer->certuser;
    dir->ticket_lifetime = inner->ticket_lifetime ? inner->ticket_lifetime : outer->ticket_lifetime;
    dir->ws = authws_ws_dir_merge(p, outer->ws, inner->ws);
    return dir;
}

void *authws_server_create(apr_pool_t *p, server_rec *s)
{
    (void)s;
    return apr_pcalloc(p, sizeof(authws_server_t));
}

void *authws_server_merge(apr_pool_t *p, void *outer_v, void *inner_v)
{
    const authws_server_t *outer = outer_v;
    const authws_server_t *inner = inner_v;
    authws_server_t *server = apr_pcalloc(p, sizeof(*server));

    server->secret_file = inner->secret_file ? inner->secret_file : outer->secret_file;
    server->shared_memory = inner->shared_memory ? inner->shared_memory : outer->shared_memory;
    server->reactor_threads =
        inner->reactor_threads ? inner->reactor_threads : outer->reactor_threads;
    server->drain_timeout = inner->drain_timeout ? inner->drain_timeout : outer->drain_timeout;
    return server;
}

const authws_schemes_t *authws_dir_schemes(const authws_dir_t *dir)
{
    return dir->schemes ? dir->schemes : &authws_schemes_default;
}

const authws_algorithms_t *authws_dir_algorithms(const authws_dir_t *dir)
{
    static const authws_algorithms_t fallback = {2, {{AW_ALG_SHA256, false}, {AW_ALG_MD5, false}}};

    return dir->algorithms ? dir->algorithms : &fallback;
}

aw_alg_e authws_dir_strongest(const authws_dir_t *dir)
{
    const authws_algorithms_t *algorithms = authws_dir_algorithms(dir);
    aw_alg_e best = algorithms->list[0].hash;

    for (size_t i = 1; i < algorithms->count; i++) {
        best = algorithms->list[i].hash > best ? algorithms->list[i].hash : best;
    }
    return best;
}

unsigned authws_dir_qops(const authws_dir_t *dir)
{
    return dir->qops ? dir->qops : AW_QOP_BIT(AW_QOP_AUTH);
}

/* A provider cannot look up by a hash, and a client that is offered hashing would send nothing
 * else. */
bool authws_dir_userhash(const authws_dir_t *dir)
{
    return dir->userhash == 1 && !dir->providers;
}

apr_interval_time_t authws_dir_nonce_lifetime(const authws_dir_t *dir)
{
    return dir->nonce_lifetime ? dir->nonce_lifetime : apr_time_from_sec(60);
}

authws_nextnonce_e authws_dir_next_nonce(const authws_dir_t *dir)
{
    return dir->next_nonce == AUTHWS_UNSET ? AUTHWS_NEXTNONCE_HALF
                                           : (authws_nextnonce_e)dir->next_nonce;
}

apr_off_t authws_dir_body_limit(const authws_dir_t *dir)
{
    return dir->body_limit == AUTHWS_UNSET ? 1024 * 1024 : dir->body_limit;
}

const aw_throttle_limit_t *authws_dir_throttle(const authws_dir_t *dir)
{
    static const aw_throttle_limit_t fallback = {10, 60 * APR_USEC_PER_SEC, 300 * APR_USEC_PER_SEC};

    if (!dir->throttle) {
        return &fallback;
    }
    return dir->throttle->failures > 0 ? dir->throttle : NULL;
}

const char *authws_dir_token_scheme(const authws_dir_t *dir)
{
    return dir->token_scheme ? dir->token_scheme : "Bearer";
}

apr_interval_time_t authws_dir_ticket_lifetime(const authws_dir_t *dir)
{
    return dir->ticket_lifetime ? dir->ticket_lifetime : apr_time_from_sec(30);
}
