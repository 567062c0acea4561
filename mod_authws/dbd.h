/* What mod_authn_dbd does not say: whether the database failed when it found no user.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_DBD_H
#define MOD_AUTHWS_DBD_H

#include "module.h"

/* After a provider has found no user: what the database of this request said if it failed, NULL
 * when nothing did, or no database was asked. Opens no connection. APR's driver for PostgreSQL
 * fetches rows as they come, and takes an error in place of the first row (a statement over its
 * time, a server that has gone, a prepared statement lost with an old connection) for the end of
 * the rows; the connection itself still knows. The other drivers report such errors. Borrowed
 * from the connection; any thread, for a request of its own. */
const char *authws_dbd_failure(request_rec *r);

#endif
