/* Who has failed too often: counts of failures in shared memory, for addresses and for user names.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The table is an array of buckets of one cache line, eight words each; a keyed hash of what is
 * counted (an address, or a name) chooses the bucket and gives the fingerprint.
 *
 *     word   | fingerprint 31 bit | blocked 1 bit | count 10 bit | until, s mod 2^22: 22 bit |
 *
 * All that is known of one address or name is one word, changed by compare-and-swap: nothing can be
 * half done, whoever is killed. `until` is when the word is over: below the limit the end of the
 * window that the first failure began, at the limit the end of the block. It is the end, not the
 * beginning, so that a word can be judged by who does not know the limit it was made under. A word
 * of zeros, or that is over, is free. When a bucket is full the word with the fewest failures goes,
 * of several the one that is over first; a blocked one only when all are blocked, and then the one
 * whose block ends first.
 *
 * Failures under different limits are counted apart: a location with a short block cannot be used
 * to shorten that of another. Two names with one fingerprint in one bucket (chance 2^-31 for a
 * pair) share their count. Two failures at once of somebody new, while a third party's word of the
 * same bucket goes, may get a word each: then a few failures more than the limit pass.
 *
 * The time is kept modulo 2^22 s (48 days), and what would last longer than its limit says by more
 * than AW_THROTTLE_SKEW_MAX is over: so a clock that is set back ends blocks rather than prolonging
 * them. The other side of it: a word that nobody has touched for exactly 48 days comes back for
 * what its limit says, once.
 */
#ifndef AUTHWS_SESSION_THROTTLE_H
#define AUTHWS_SESSION_THROTTLE_H

#include <apr_errno.h>
#include <apr_time.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/keyed.h"

#define AW_THROTTLE_VERSION 1

#define AW_THROTTLE_FAILURES_MAX 1000
#define AW_THROTTLE_TIME_MAX     apr_time_from_sec(86400)

/* How far a clock may be set back, in seconds, without ending what was counted. */
#define AW_THROTTLE_SKEW_MAX 60

/* Failures allowed in a window, then refused for `block`. */
typedef struct aw_throttle_limit_t {
    unsigned failures;          /* 1 to AW_THROTTLE_FAILURES_MAX */
    apr_interval_time_t window; /* whole seconds, 1 s to AW_THROTTLE_TIME_MAX */
    apr_interval_time_t block;  /* likewise */
} aw_throttle_limit_t;

/* This process's view of a table. */
struct aw_throttle_bucket_t;
typedef struct aw_throttle_t {
    struct aw_throttle_bucket_t *buckets;
    size_t count; /* a power of two */
    unsigned char key[AW_KEYED_KEY];
} aw_throttle_t;

/* Lays a table over `size` bytes of zeroed or earlier initialised memory, 64-byte aligned; writes
 * nothing. `key` is the same in every process that maps it. APR_EINVAL when not even one bucket
 * fits. */
apr_status_t aw_throttle_init(aw_throttle_t *throttle, void *memory, size_t size,
                              const unsigned char *key);

/* What is counted: its place in the table. */
typedef struct aw_throttle_id_t {
    uint64_t hash; /* 0: nothing, never blocked, never counted */
} aw_throttle_id_t;

/* The identity of a client's address, 4 or 16 bytes in network order; of IPv6 the first 64 bits
 * count (a subscriber has at least that many addresses), and an IPv4-mapped one is the IPv4
 * address. Any other length is nothing. */
aw_throttle_id_t aw_throttle_address(const aw_throttle_t *throttle, const void *address, size_t n);

/* The identity of a user name in a realm: ASCII letters of either case are one (so that another
 * spelling does not get another count). Names behind a userhash or username* are resolved by the
 * caller first. Of names longer than any A1 file can hold, the beginning counts. */
aw_throttle_id_t aw_throttle_user(const aw_throttle_t *throttle, aw_span_t realm, aw_span_t user);

/* Seconds that are left of a block, or 0 when there is none: whoever comes back after so many is
 * no longer blocked by it. Any thread; touches nothing. */
unsigned aw_throttle_blocked(const aw_throttle_t *throttle, aw_throttle_id_t id,
                             const aw_throttle_limit_t *limit, apr_time_t now);

/* Counts one failure. True when this one began a block, which happens to exactly one caller; those
 * that come in during a block do not prolong it. Any thread. */
bool aw_throttle_failed(aw_throttle_t *throttle, aw_throttle_id_t id,
                        const aw_throttle_limit_t *limit, apr_time_t now);

/* Forgets the failures of somebody who has just logged in; a block stays. Any thread. */
void aw_throttle_succeeded(aw_throttle_t *throttle, aw_throttle_id_t id,
                           const aw_throttle_limit_t *limit, apr_time_t now);

#endif
