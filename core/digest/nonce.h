/* Nonces that need no memory: issue time and random bits under a keyed tag.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A nonce is 33 bytes in base64url, 44 characters:
 *
 *      0      1               8         11               19                        33
 *      +------+---------------+---------+----------------+-------------------------+
 *      | key  | issued, us    | node    | random         | tag: first 14 bytes of  |
 *      | id   | since 1970    |         |                | SipHash-2-4-128 over    |
 *      |      | (56 bit, BE)  | (24 bit)| (64 bit)       | bytes 0-18, scope       |
 *      +------+---------------+---------+----------------+-------------------------+
 *
 * The scope is what the nonce is good for (the realm); it is under the tag, not in the nonce. The
 * node says which server keeps the counts of this nonce: see nc_table.h for what that is for. It is
 * random and says nothing to anybody else.
 */
#ifndef AUTHWS_DIGEST_NONCE_H
#define AUTHWS_DIGEST_NONCE_H

#include <apr_errno.h>
#include <apr_time.h>
#include <stdint.h>

#include "base/bytes.h"
#include "digest/keyring.h"

#define AW_NONCE_LEN      44
#define AW_NONCE_RANDOM   8
#define AW_NONCE_NODE_MAX 0xffffffu

/* Nonces live at most this long. */
#define AW_NONCE_LIFETIME_MAX apr_time_from_sec(86400)

/* Mints a nonce: AW_NONCE_LEN characters at `out`, no NUL. `random` holds AW_NONCE_RANDOM bytes
 * that are never used again. Any thread. APR_EINVAL for a time before 1970 or after 4253, or a node
 * above AW_NONCE_NODE_MAX. */
apr_status_t aw_nonce_mint(const aw_keyring_t *ring, aw_span_t scope, apr_time_t now, uint32_t node,
                           const unsigned char *random, char *out);

/* What a verified nonce says. */
typedef struct aw_nonce_t {
    apr_time_t issued;
    uint64_t id;   /* its random part: what the nc window goes by */
    uint32_t node; /* of the server that minted it */
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
