/* AuthWSCertificateUser: the user name of a certificate that TLS has verified.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_CERTUSER_H
#define MOD_AUTHWS_CERTUSER_H

#include "config.h"
#include "store/certname.h"

/* Where the name comes from. Lives in the configuration's pool; read-only. */
typedef struct authws_certuser_t {
    bool none;                  /* None: only AuthWSCertificateMap has users */
    const ap_expr_info_t *expr; /* expr=...; NULL: one of the names in it */
    aw_certname_e kind;
} authws_certuser_t;

/* The one of the section, with the default where none was written. */
const authws_certuser_t *authws_certuser(const authws_dir_t *dir);

/* The word of AuthWSCertificateUser; NULL and *error (a whole sentence, in cmd->pool) when it is
 * none. */
const authws_certuser_t *authws_certuser_parse(const char **error, cmd_parms *cmd,
                                               const char *word);

/* The user of a certificate. NULL and *why (static) when it has none: no such name, several, one
 * that cannot be a user, or an expression that fails. In the request's pool. */
const char *authws_certuser_of(const char **why, request_rec *r, const authws_certuser_t *from,
                               const aw_cert_t *cert);

#endif
