/* How many WebSockets a user has open, in all child processes (AuthWSUserConnections).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_WS_USERS_H
#define MOD_AUTHWS_WS_USERS_H

#include "../module.h"

/* The tag of a user of a realm, as it is counted; 0 for nobody. */
uint64_t authws_users_tag(const char *realm, const char *user);

/* Counts one more, if that is not above `limit` (0: none). False too when there is no room to count
 * in, unless it is nobody's. Any thread. */
bool authws_users_take(uint64_t tag, unsigned limit);

/* Counts one less; 0: nothing. Any thread. */
void authws_users_release(uint64_t tag);

#endif
