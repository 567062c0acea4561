/* Names and passwords in Unicode's Normalization Form C, as RFC 7616 section 4 asks.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_BASE_NORMAL_H
#define AUTHWS_BASE_NORMAL_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/bytes.h"

/* Longest text, in bytes, that is composed; putting combining marks in order takes time that
 * grows with the square of their number, so what a stranger sends has to be bounded. Text without
 * anything to compose may be longer. */
#define AW_TEXT_NFC_MAX 2048

/* Sets *out to `s` in Normalization Form C. *out is `s` itself, borrowed, where that has the form
 * already (ASCII and Latin text take no more than a look), else a copy in `p` with a NUL behind
 * it, which the caller wipes when it is secret; no other copy is left in memory.
 * APR_EINVAL when `s` is not well-formed UTF-8, APR_ENOSPC when it is longer than AW_TEXT_NFC_MAX
 * and holds more than Latin letters, APR_ENOMEM; *out is then untouched. Any thread, with a pool
 * of its own. RFC 7616 section 4, RFC 8265 (OpaqueString). */
apr_status_t aw_text_nfc(aw_span_t *out, aw_span_t s, apr_pool_t *p);

#endif
