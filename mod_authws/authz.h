/* Require authws-scheme: who came in by one of these schemes.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_AUTHZ_H
#define MOD_AUTHWS_AUTHZ_H

#include "module.h"

/* register_hooks: the provider for `Require authws-scheme name...`. */
void authws_authz_register(apr_pool_t *p);

#endif
