/* Keyed short hashes: SipHash-2-4 through OpenSSL, for tags and for tables nobody can flood.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_BASE_KEYED_H
#define AUTHWS_BASE_KEYED_H

#include <apr_errno.h>

#include "base/bytes.h"

#define AW_KEYED_KEY 16

/* Fetches the algorithm once; called by aw_algorithms_init, which says the rules. */
apr_status_t aw_keyed_init(void);
void aw_keyed_term(void);

/* SipHash-2-4 of the concatenation of `n` parts under a 16-byte key; `size` is 8 or 16 bytes at
 * `out` (the two sizes are different functions, not prefixes). The context belongs to the calling
 * thread and goes with it. Any thread. APR_EGENERAL when OpenSSL fails. */
apr_status_t aw_keyed_hash(const unsigned char *key, const aw_span_t *parts, size_t n, void *out,
                           size_t size);

#endif
