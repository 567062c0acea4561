/* What mod_authn_dbd does not say: whether the database failed when it found no user.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dbd.h"

#include <apr_dbd.h>
#include <apr_optional.h>
#include <mod_dbd.h>

#include "scheme.h"

const char *authws_dbd_failure(request_rec *r)
{
    APR_OPTIONAL_FN_TYPE(ap_dbd_acquire) *acquire = APR_RETRIEVE_OPTIONAL_FN(ap_dbd_acquire);
    const module *mod_dbd = ap_find_linked_module("mod_dbd.c");
    const authws_request_t *state = authws_request_get(r);
    const ap_dbd_t *connection;
    const char *said;

    /* What mod_dbd keeps there is the connection that the request holds: without it, acquire
     * would open one. */
    if (!acquire || !mod_dbd || !ap_get_module_config(state->initial->request_config, mod_dbd)) {
        return NULL;
    }
    connection = acquire(r);
    if (!connection || strcmp(apr_dbd_name(connection->driver), "pgsql")) {
        return NULL;
    }
    said = apr_dbd_error(connection->driver, connection->handle, 0);
    return said && *said ? said : NULL;
}
