/* The service `echo`: sends every message back.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_WS_ECHO_H
#define MOD_AUTHWS_WS_ECHO_H

#include "../mod_authws.h"

/* register_hooks: makes it known by its name. */
void authws_echo_register(apr_pool_t *p);

#endif
