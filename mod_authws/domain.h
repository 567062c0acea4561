/* The protection space (domain of a Digest challenge, RFC 7616 3.3) from AuthWSDomain's words.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_DOMAIN_H
#define MOD_AUTHWS_DOMAIN_H

#include "config.h"

/* Words are paths ("/intranet"), absolute URIs ("https://a.example/x") and bare authorities
 * ("a.example:8443"). The domain holds the paths and URIs as they are, then every authority
 * combined with every path, or with "/" when no path is given, under the scheme of the request.
 * NULL and *error (a sentence, in `p`) when a word is none of these. */
const authws_domain_t *authws_domain_parse(const char **error, apr_pool_t *p, int argc,
                                           char *const argv[]);

#endif
