/* How many WebSockets a user has open, in all child processes (AuthWSUserConnections).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "users.h"

#include "../state.h"

uint64_t authws_users_tag(const char *realm, const char *user)
{
    return aw_throttle_user(authws_state_throttle(), aw_span(realm), aw_span(user)).hash;
}

bool authws_users_take(uint64_t tag, unsigned limit)
{
    return tag == 0 ||
           aw_connections_take(authws_state_connections(), tag, limit) == AW_CONNECTIONS_TAKEN;
}

void authws_users_release(uint64_t tag)
{
    if (tag != 0) {
        aw_connections_release(authws_state_connections(), tag);
    }
}
