/* The module's configuration: per directory, per server, and the directives that fill it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_CONFIG_H
#define MOD_AUTHWS_CONFIG_H

#include "module.h"

#include <ap_expr.h>

#include "digest/nonce.h"
#include "digest/verify.h"
#include "session/throttle.h"
#include "store/a1_store.h"
#include "store/certmap_store.h"
#include "store/token_store.h"

/* When Authentication-Info names the next nonce. */
typedef enum authws_nextnonce_e {
    AUTHWS_NEXTNONCE_HALF,
    AUTHWS_NEXTNONCE_ALWAYS,
    AUTHWS_NEXTNONCE_OFF
} authws_nextnonce_e;

struct authws_scheme_t;
struct authws_providers_t;
struct authws_ws_dir_t;
struct authws_certuser_t;

/* Lists are replaced as a whole by the inner section; NULL is "not set here". Everything lives in
 * the configuration's pool, or the request's for a .htaccess file, and is read-only. */
typedef struct authws_schemes_t {
    size_t count;
    const struct authws_scheme_t *list[];
} authws_schemes_t;

typedef struct authws_algorithms_t {
    size_t count;
    aw_algorithm_t list[];
} authws_algorithms_t;

/* The paths behind a store. */
typedef struct authws_files_t {
    size_t count;
    const char *list[];
} authws_files_t;

/* The protection space, ready for a challenge sent over http or https. */
typedef struct authws_domain_t {
    const char *http;
    const char *https;
} authws_domain_t;

/* One directory's settings as written; NULL, 0 or AUTHWS_UNSET where nothing was. */
#define AUTHWS_UNSET (-1)
typedef struct authws_dir_t {
    const authws_schemes_t *schemes;            /* AuthWSScheme */
    aw_a1_store_t *store;                       /* AuthWSUserFile */
    const authws_files_t *files;                /* AuthWSUserFile again: where to write */
    const struct authws_providers_t *providers; /* AuthWSProvider; see lookup.h */
    int uplift;                                 /* AuthWSUplift: 0, 1 */
    const authws_algorithms_t *algorithms;      /* AuthWSAlgorithm */
    unsigned qops;                              /* AuthWSQop: AW_QOP_BIT()s; 0 unset */
    int userhash;                               /* AuthWSUserhash: 0, 1 */
    const authws_domain_t *domain;              /* AuthWSDomain */
    apr_interval_time_t nonce_lifetime;         /* AuthWSNonceLifetime; 0 unset */
    int next_nonce;                             /* AuthWSNextNonce: authws_nextnonce_e */
    apr_off_t body_limit;                       /* AuthWSBodyLimit; AUTHWS_UNSET */
    const aw_throttle_limit_t *throttle;        /* AuthWSThrottle; no failures allowed: Off */
    aw_token_store_t *tokens;                   /* AuthWSTokenFile */
    const authws_files_t *token_files;          /* AuthWSTokenFile again: where to write */
    const char *token_scheme;                   /* AuthWSTokenScheme */
    const ap_expr_info_t *token_subject;        /* AuthWSTokenSubject */
    aw_certmap_t *certmap;                      /* AuthWSCertificateMap */
    const struct authws_certuser_t *certuser;   /* AuthWSCertificateUser; see certuser.h */
    apr_interval_time_t ticket_lifetime;        /* AuthWSTicketLifetime; 0 unset */
    const struct authws_ws_dir_t *ws;           /* those for WebSockets; see ws/settings.h */
} authws_dir_t;

/* One server's settings, and what post_config makes of them. */
typedef struct authws_server_t {
    const char *secret_file;           /* AuthWSSecretFile, absolute */
    apr_size_t shared_memory;          /* AuthWSSharedMemory; 0 unset */
    unsigned reactor_threads;          /* AuthWSReactorThreads; 0 unset */
    apr_interval_time_t drain_timeout; /* AuthWSDrainTimeout; 0 unset */
    aw_keys_t *keys;                   /* of nonces; set by authws_state_post_config */
} authws_server_t;

extern const command_rec authws_commands[];

void *authws_dir_create(apr_pool_t *p, char *path);
void *authws_dir_merge(apr_pool_t *p, void *outer, void *inner);
void *authws_server_create(apr_pool_t *p, server_rec *s);
void *authws_server_merge(apr_pool_t *p, void *outer, void *inner);

/* The settings in force, with the defaults of the interface where nothing was set. */
const authws_schemes_t *authws_dir_schemes(const authws_dir_t *dir);
const authws_algorithms_t *authws_dir_algorithms(const authws_dir_t *dir);
aw_alg_e authws_dir_strongest(const authws_dir_t *dir); /* of the algorithms */
unsigned authws_dir_qops(const authws_dir_t *dir);
bool authws_dir_userhash(const authws_dir_t *dir);
apr_interval_time_t authws_dir_nonce_lifetime(const authws_dir_t *dir);
authws_nextnonce_e authws_dir_next_nonce(const authws_dir_t *dir);
apr_off_t authws_dir_body_limit(const authws_dir_t *dir);
const aw_throttle_limit_t *authws_dir_throttle(const authws_dir_t *dir); /* NULL: Off */
const char *authws_dir_token_scheme(const authws_dir_t *dir);
apr_interval_time_t authws_dir_ticket_lifetime(const authws_dir_t *dir);

/* Parses a list of algorithm names, `n` of them; NULL and *error (a whole sentence, in `p`) when
 * one is unknown, named twice, or not offered by this OpenSSL. */
const authws_algorithms_t *authws_algorithms_parse(const char **error, apr_pool_t *p, int n,
                                                   char *const names[]);

#endif
