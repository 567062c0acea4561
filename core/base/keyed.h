/* Keyed short hashes: SipHash-2-4, for tags and for tables nobody can flood.
 * SPDX-License-Identifier: Apache-2.0
 *
 * SipHash (Aumasson and Bernstein, 2012) is a pseudo-random function with a 128-bit key. It is
 * written out here although OpenSSL has it: it runs twice in every request, and OpenSSL's way to
 * it costs several times the function itself. The tests hold it equal to OpenSSL's.
 */
#ifndef AUTHWS_BASE_KEYED_H
#define AUTHWS_BASE_KEYED_H

#include "base/bytes.h"

#define AW_KEYED_KEY 16

/* SipHash-2-4 of the concatenation of `n` parts under a 16-byte key: 8 bytes, or 16, at `out`. The
 * two are different functions, neither is a prefix of the other. Pure; any thread; no byte of the
 * input decides which instructions run or which memory is read. */
void aw_keyed_hash8(const unsigned char *key, const aw_span_t *parts, size_t n, void *out);
void aw_keyed_hash16(const unsigned char *key, const aw_span_t *parts, size_t n, void *out);

#endif
