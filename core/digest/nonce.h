/* Nonces that need no memory: issue time and random bits under a keyed tag.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A nonce is 30 bytes in base64url, 40 characters:
 *
 *      0      1               8                16                        30
 *      +------+---------------+----------------+-------------------------+
 *      | key  | issued, us    | random         | tag: first 14 bytes of  |
 *      | id   | since 1970    |                | SipHash-2-4-128 over    |
 *      |      | (56 bit, BE)  |                | bytes 0-15, scope       |
 *      +------+---------------+----------------+-------------------------+
 *
 * The scope is what the nonce is good for (the realm); it is under the tag, not in the nonce.
 */
#ifndef AUTHWS_DIGEST_NONCE_H
#define AUTHWS_DIGEST_NONCE_H

#include <apr_errno.h>
#include <apr_time.h>
#include <stdint.h>

#include "base/bytes.h"

#define AW_NONCE_LEN    40
#define AW_NONCE_RANDOM 8

/* A key and the byte that names it. */
typedef struct aw_nonce_key_t {
    unsigned char id;
    unsigned char key[16];
} aw_nonce_key_t;

/* The keys in force: the first mints, all verify. Plain memory: lives where its owner wants it
 * (the module keeps it where it outlives a graceful restart). Wiped by its owner. Read-only while
 * threads use it. */
#define AW_KEYRING_MAX 2
typedef struct aw_keyring_t {
    unsigned count; /* 1 or 2 */
    aw_nonce_key_t keys[AW_KEYRING_MAX];
} aw_keyring_t;

/* Makes a ring of the one key derived from a secret of at least 16 bytes (HKDF-SHA-256, so that the
 * same secret gives the same key on every server and for no other purpose). APR_EINVAL for a
 * shorter secret, APR_EGENERAL when OpenSSL fails. */
apr_status_t aw_keyring_derive(aw_keyring_t *ring, const void *secret, size_t n);

/* Mints a nonce: AW_NONCE_LEN characters at `out`, no NUL. `random` holds AW_NONCE_RANDOM bytes
 * that are never used again. Any thread. APR_EINVAL for a time before 1970 or after 4253,
 * APR_EGENERAL when OpenSSL fails. */
apr_status_t aw_nonce_mint(const aw_keyring_t *ring, aw_span_t scope, apr_time_t now,
                           const unsigned char *random, char *out);

/* What a verified nonce says. */
typedef struct aw_nonce_t {
    apr_time_t issued;
    uint64_t id; /* its random part: what the nc window goes by */
} aw_nonce_t;

typedef enum aw_nonce_e {
    AW_NONCE_OK,
    AW_NONCE_FOREIGN,  /* right form, but not ours: another key, another scope, or made up */
    AW_NONCE_MALFORMED /* not a nonce of this form at all */
} aw_nonce_e;

/* Verifies form and tag (constant time); says nothing about age. *nonce is set with AW_NONCE_OK
 * only. Never reads outside `text`. Any thread. */
aw_nonce_e aw_nonce_open(const aw_keyring_t *ring, aw_span_t scope, aw_span_t text,
                         aw_nonce_t *nonce);

#endif
