/* The authn provider "authws": the A1 files for mod_auth_basic, mod_auth_form and mod_auth_digest.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_PROVIDER_H
#define MOD_AUTHWS_PROVIDER_H

#include "module.h"

/* Registers the provider; once, with the hooks. */
void authws_provider_register(apr_pool_t *p);

#endif
