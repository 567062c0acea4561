/* Which nonce counts have been used: windows in shared memory, so that no process accepts a replay.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The table is an array of sets of 1,024 bytes. A user's nonces go to a stripe of it, at most
 * a sixteenth (but one set at least), that begins where the hash of the user's name says; within
 * the stripe a nonce's random id chooses the set. So whoever makes a million nonces pushes out
 * their own, and those of others that share these sets, but never those of anybody else.
 *
 *                hash of the name             nonce of it: + id mod stripe
 *                   |                               |
 *     +-------------v-------------------------------v--------+--------------------------+
 *     |             [ stripe of this user, 1/16 at most      ]    other users' alone    |
 *     +-------------[----------------------------------------]--------------------------+
 *
 * A set is a ring of 14 slots, filled in turn; the slot that has been there longest makes room.
 *
 *     set    0        8       16                          128                       1024
 *            +--------+-------+---------------------------+-------------------------+
 *            | head   | floor | owner[14]                 | 14 slots of 64 bytes    |
 *            +--------+-------+---------------------------+-------------------------+
 *
 *     owner  | issued, s mod 2^32 | id 20 bit | turn 12 bit |      0: never used
 *     slot   8 words of  | tag 16 bit | block 16 bit | used 32 bit |
 *
 * A word covers 32 counts: count nc has block nc / 32, word block % 8, bit nc % 32. The tag is the
 * low 16 bits of an owner word. A word whose tag is not its owner's is empty whatever else it says,
 * so a new owner needs no clearing and a process killed between two stores leaves nothing half
 * done; the turn in it tells apart owners of one slot for certain, not by chance. A newer block
 * replaces an older one in its word; counts of the replaced block are refused from then on. So at
 * least the last 7 * 32 = 224 counts are remembered one by one, whatever order they come in.
 *
 * A count is taken by one compare-and-swap of its word; between reading the word and swapping it
 * the owner is read again: had the slot changed hands, the answer is "dropped" and nothing is
 * written. A slot is taken over by one compare-and-swap of owner[head % 14], which every newcomer
 * of the set must win in turn (head is moved on by whoever comes next if the winner died). Head is
 * read before the owners are looked through, so two processes cannot give one nonce two slots.
 * Before a slot is taken over, floor is raised to the issue second of its owner: a nonce issued at
 * or before floor that has no slot may have been used before, and is "dropped", never taken for
 * new. A newcomer that is not younger than the owner whose turn it is to go is "dropped" as well.
 * The argument in full is in nc_table.c.
 *
 * Two nonces of one set that were issued in the same second share a slot if 20 bits of their ids
 * agree by chance: then one may be refused a count that the other has used, no more.
 * The clock must not be set back by much: owners from the future stay, and newcomers of their sets
 * are "dropped" until that time comes or the table is made anew.
 *
 * Several servers that share a secret (nodes) open each other's nonces, but see only their own
 * counts. A nonce names the node that minted it, and only there are all its counts taken. At any
 * other node count 1 alone is, once: it may be the answer to a challenge that a balancer has sent
 * on here. A later count says that the nonce has been in use elsewhere, so it is "dropped", and the
 * client comes back with a nonce of this node. What remains possible with nodes, therefore:
 *
 *   - A request with count 1 that somebody has recorded can be accepted once more at each other
 *     node, within the nonce's lifetime: that node cannot know that it is not the first. It is the
 *     same request, method, uri and (with auth-int) body and all, and only that one.
 *   - No request with a later count can be replayed anywhere, and none at the same node.
 *   - The node is 24 random bits. Two nodes that drew the same (one pair in 16 million) take each
 *     other's nonces for their own: all requests can then be replayed at the other, once.
 *   - A node that starts anew has forgotten its counts. It has a new number, and refuses what was
 *     issued before its table was made (not_before in verify.h); where the clocks of nodes differ,
 *     a count 1 of those seconds may pass.
 *
 * Every field is one 64-bit atomic; no field is ever waited for. A torn or hostile table can give
 * wrong answers, but no access outside the table and no endless loop.
 */
#ifndef AUTHWS_DIGEST_NC_TABLE_H
#define AUTHWS_DIGEST_NC_TABLE_H

#include <apr_errno.h>
#include <stddef.h>

#include "digest/nonce.h"
#include "shm/counters.h"

#define AW_NC_TABLE_VERSION 2

/* A user's nonces have at most one part in so many of the table. */
#define AW_NC_SHARE 16

/* Counts above this are "dropped": the client gets a fresh nonce. */
#define AW_NC_MAX 0x1fffffu

/* This process's view of a table. */
typedef struct aw_nc_table_t aw_nc_table_t;
struct aw_nc_set_t;
struct aw_nc_table_t {
    struct aw_nc_set_t *sets;
    size_t count;
    size_t stripe; /* sets that a user's nonces go to: a power of two, at most count */
    uint32_t node; /* whose nonces are counted here */
    const aw_counters_t *counters; /* NULL, as init leaves it: nothing is counted */
    unsigned evicted;              /* the counter for slots that changed hands */
};

/* Lays a table over `size` bytes of zeroed or earlier initialised memory, 64-byte aligned.
 * Initialising writes nothing, so attaching is the same call. `node` is what nonces are minted
 * with here: the same for all who share the memory, drawn anew with new memory. APR_EINVAL when
 * not even one set fits. */
apr_status_t aw_nc_table_init(aw_nc_table_t *table, void *memory, size_t size, uint32_t node);

/* The hash of a user's name for aw_nc_take: FNV-1a, then the finalizer of MurmurHash3, for its low
 * bits to be good. The node goes in as a key of sorts: who shares a stripe with whom is different
 * on each. One user must always come with the same name: the one in the store, whatever the client
 * wrote. */
static inline uint64_t aw_nc_user(const aw_nc_table_t *table, aw_span_t name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ ((uint64_t)table->node << 32);

    for (size_t i = 0; i < name.len; i++) {
        hash = (hash ^ (unsigned char)name.ptr[i]) * UINT64_C(0x100000001b3);
    }
    hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ hash >> 33;
}

typedef enum aw_nc_e {
    AW_NC_TAKEN,  /* the first and only use of this count */
    AW_NC_USED,   /* used before: a replay, or a client that repeats a lost request */
    AW_NC_DROPPED /* cannot be told: below the window, slot made room, or another node counts */
} aw_nc_e;

/* Takes count `nc` of a nonce whose response HAS BEEN VERIFIED, and whose age has been checked.
 * `user` is aw_nc_user of the user's name. Two users that have the same nonce (nothing forbids it)
 * have windows of their own, unless they meet in a set; each request is bound to its user anyway.
 * Over all processes and threads at most one call for a user, nonce and count returns AW_NC_TAKEN.
 * Counts start at 1; 0 is answered AW_NC_USED. Any thread, any process that maps the table;
 * bounded number of steps. */
aw_nc_e aw_nc_take(aw_nc_table_t *table, const aw_nonce_t *nonce, uint64_t user, uint32_t nc);

#endif
