/* Whether a Digest uri parameter is the request's own.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_DIGEST_URI_H
#define AUTHWS_DIGEST_URI_H

#include "base/bytes.h"

/* Whether a `uri` parameter names the request target: equal to the byte, or in absolute form with
 * the same authority (host case-insensitive, default port of http/https optional) and the same
 * path and query; a path-only uri matches the path of an absolute-form target (clients of forward
 * proxies send it so). */
bool aw_digest_uri_matches(aw_span_t uri, aw_span_t target, aw_span_t host);

#endif
