/* The handler: handshakes become WebSockets, and what is none is left to others.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_WS_UPGRADE_H
#define MOD_AUTHWS_WS_UPGRADE_H

#include "../module.h"

/* Handler hook, before all others: handshakes, and a service's ordinary requests. */
int authws_upgrade_handler(request_rec *r);

/* Handler hook, after all others but httpd's own for files: 426 where there is no file. */
int authws_upgrade_required(request_rec *r);

#endif
