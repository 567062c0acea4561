/* The keys of nonces: derived from a secret and the day, so that they change by themselves.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Time is cut into periods of a day, counted from 1970. Each has a key of its own, HKDF of the
 * secret and the period's number, so that all servers with one secret agree on the keys without
 * talking, and a key that became known is good for two days. A ring holds three:
 *
 *         period   n - 1          n            n + 1
 *     keys[]       [1] previous   [0] mints    [2] next
 *
 * The previous one, because a nonce that was minted at the end of a period lives on in the next
 * one (a lifetime is at most a period, see AW_NONCE_LIFETIME_MAX). The next one, because the clock
 * of another server may be ahead: what it mints in its period n + 1 opens here.
 */
#ifndef AUTHWS_DIGEST_KEYRING_H
#define AUTHWS_DIGEST_KEYRING_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>
#include <stdbool.h>

#define AW_KEYRING_PERIOD apr_time_from_sec(86400)

/* A secret has at least so many bytes. */
#define AW_SECRET_MIN 16

/* A key and the byte that names it. */
typedef struct aw_nonce_key_t {
    unsigned char id;
    unsigned char key[16];
} aw_nonce_key_t;

/* The keys in force: the first mints, all verify. Plain memory; wiped by its owner. Read-only
 * while threads use it. */
#define AW_KEYRING_MAX 3
typedef struct aw_keyring_t {
    unsigned count; /* at least 1 */
    aw_nonce_key_t keys[AW_KEYRING_MAX];
    apr_time_t from, until; /* the period whose key mints */
} aw_keyring_t;

/* Makes the ring of the period that `now` is in, from a secret of `n` bytes. APR_EINVAL for a
 * shorter secret than AW_SECRET_MIN or a time before 1970, APR_EGENERAL when OpenSSL fails. */
apr_status_t aw_keyring_derive(aw_keyring_t *ring, const void *secret, size_t n, apr_time_t now);

/* Whether the ring serves at `now`: not after its period. A period too early is no harm, for
 * requests that came in just before the ring was made; a clock that was set back further is. */
static inline bool aw_keyring_serves(const aw_keyring_t *ring, apr_time_t now)
{
    return now < ring->until && now >= ring->from - AW_KEYRING_PERIOD;
}

/* A secret with the ring that serves at present. Shared by the threads of a process; a forked
 * process goes on with its own copy. */
typedef struct aw_keys_t aw_keys_t;

/* Copies the secret; status as of aw_keyring_derive, or APR_ENOMEM. Lives until `p` is cleared,
 * when secret and keys are wiped. `p` itself is used in this call only. */
apr_status_t aw_keys_create(aw_keys_t **keys, const void *secret, size_t n, apr_time_t now,
                            apr_pool_t *p);

/* The ring that serves at `now`. When a period is over, one thread derives the next ring, while
 * others go on with the one before; should that fail, so does the thread itself, and the next call
 * tries again. A ring stays where it is until `p` goes, however long its reader takes (they are a
 * hundred bytes a day). Any thread; never waits. */
const aw_keyring_t *aw_keys_get(aw_keys_t *keys, apr_time_t now);

#endif
