/* Who is this? The hooks that authenticate a request and challenge a client.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_AUTHN_H
#define MOD_AUTHWS_AUTHN_H

#include "module.h"

/* check_authn: OK with r->user set, DECLINED when the location is not ours, or an HTTP status. */
int authws_authn_check(request_rec *r);

/* fixups: carries what is known of the user over an internal redirect. */
int authws_authn_fixup(request_rec *r);

/* note_auth_failure: the challenges for a user that was let in but may not go on (Require). */
int authws_authn_note_failure(request_rec *r, const char *auth_type);

/* insert_error_filter: makes that a 403 where nothing can be asked for. */
void authws_authn_forbid(request_rec *r);

#endif
