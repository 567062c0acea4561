/* AuthWSService ticket: gives one-time tickets to authenticated clients.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_WS_TICKET_H
#define MOD_AUTHWS_WS_TICKET_H

#include "../module.h"

void authws_ticket_register(apr_pool_t *p);

#endif
