/* The hash algorithms of RFC 7616, their names, and hashing with them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_DIGEST_ALGORITHM_H
#define AUTHWS_DIGEST_ALGORITHM_H

#include <apr_errno.h>

#include "base/bytes.h"

/* In order of preference when several are at hand: a higher value is the stronger choice. */
typedef enum aw_alg_e {
    AW_ALG_MD5,        /* "MD5", RFC 7616 */
    AW_ALG_SHA,        /* "SHA" (SHA-1), not standard in Digest */
    AW_ALG_SHA256,     /* "SHA-256", RFC 7616 */
    AW_ALG_SHA512_256, /* "SHA-512-256", RFC 7616 (the IANA name; FIPS 180-4 SHA-512/256) */
    AW_ALG_SHA384,     /* "SHA-384", not standard in Digest */
    AW_ALG_SHA512,     /* "SHA-512", not standard in Digest */
    AW_ALG_COUNT
} aw_alg_e;

/* Bytes of the longest hash, and its hexadecimal digits. */
#define AW_HASH_MAX     64
#define AW_HASH_HEX_MAX (2 * AW_HASH_MAX)

/* An algorithm as a challenge names it: a hash, and whether it is the -sess variant. */
typedef struct aw_algorithm_t {
    aw_alg_e hash;
    bool sess;
} aw_algorithm_t;

/* Fetches every EVP_MD once; a hash that OpenSSL does not offer here (a FIPS build has no MD5) is
 * left out and later gives APR_ENOTIMPL. Call it before any other thread uses the library; calls
 * nest. APR_EGENERAL when OpenSSL offers none at all. */
apr_status_t aw_algorithms_init(void);

/* Undoes one aw_algorithms_init; the last one frees everything, the calling thread's contexts
 * included. No other thread may be inside the library; what threads that still live keep for
 * hashing is lost, so end them first. */
void aw_algorithms_term(void);

/* The name as it stands in challenges and in A1 files, for example "SHA-512-256"; static. */
const char *aw_alg_name(aw_alg_e alg);

/* Bytes of a hash (16 for MD5 ... 64 for SHA-512). */
size_t aw_alg_size(aw_alg_e alg);

/* Whether the name is registered for HTTP Digest (RFC 7616: MD5, SHA-256, SHA-512-256). */
bool aw_alg_is_standard(aw_alg_e alg);

/* Finds an algorithm by its name without "-sess", ignoring case (RFC 7616 3.3). False when there
 * is none of that name; *alg is then untouched. */
bool aw_alg_parse(aw_span_t name, aw_alg_e *alg);

/* The same, with the -sess variants. */
bool aw_algorithm_parse(aw_span_t name, aw_algorithm_t *alg);

/* Writes the name ("SHA-256-sess") with a NUL into `out`, at least AW_ALGORITHM_NAME_MAX bytes.
 * Returns `out`. */
#define AW_ALGORITHM_NAME_MAX 24
const char *aw_algorithm_name(char *out, aw_algorithm_t alg);

/* Hash of the concatenation of `n` parts; aw_alg_size(alg) bytes at `out`. The contexts belong to
 * the calling thread and are reused; no allocation after a thread's first call. Any thread.
 * APR_ENOTIMPL when OpenSSL does not offer the hash or aw_algorithms_init was not called,
 * APR_EGENERAL when it fails. */
apr_status_t aw_hash(aw_alg_e alg, const aw_span_t *parts, size_t n, unsigned char *out);

/* Hashing in pieces, for bodies. One thread at a time per hasher. */
typedef struct aw_hasher_t aw_hasher_t;
apr_status_t aw_hasher_create(aw_hasher_t **hasher, aw_alg_e alg);
apr_status_t aw_hasher_update(aw_hasher_t *hasher, const void *data, size_t n);
/* Writes the hash and leaves the hasher fit only for destroy. */
apr_status_t aw_hasher_finish(aw_hasher_t *hasher, unsigned char *out);
/* NULL is allowed. */
void aw_hasher_destroy(aw_hasher_t *hasher);

#endif
