/* The authn provider "authws": the A1 values for mod_auth_basic, mod_auth_form and mod_auth_digest.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_PROVIDER_H
#define MOD_AUTHWS_PROVIDER_H

#include <mod_auth.h>

#include "module.h"

/* Its functions. */
extern const authn_provider authws_provider;

/* Registers the provider; once, with the hooks. */
void authws_provider_register(apr_pool_t *p);

#endif
