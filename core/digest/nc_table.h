/* Which nonce counts have been used: windows in shared memory, so that no process accepts a replay.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The table is an array of sets of 1,024 bytes; a nonce's random id chooses its set. A set is a
 * ring of 14 slots, filled in turn; the slot that has been there longest makes room.
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
 * Every field is one 64-bit atomic; no field is ever waited for. A torn or hostile table can give
 * wrong answers, but no access outside the table and no endless loop.
 */
#ifndef AUTHWS_DIGEST_NC_TABLE_H
#define AUTHWS_DIGEST_NC_TABLE_H

#include <apr_errno.h>
#include <stddef.h>

#include "digest/nonce.h"

#define AW_NC_TABLE_VERSION 1

/* Nonces live at most this long. */
#define AW_NONCE_LIFETIME_MAX apr_time_from_sec(86400)

/* Counts above this are "dropped": the client gets a fresh nonce. */
#define AW_NC_MAX 0x1fffffu

/* This process's view of a table. */
typedef struct aw_nc_table_t aw_nc_table_t;
struct aw_nc_set_t;
struct aw_nc_table_t {
    struct aw_nc_set_t *sets;
    size_t count; /* a power of two */
};

/* Lays a table over `size` bytes of zeroed or earlier initialised memory, 64-byte aligned.
 * Initialising writes nothing, so attaching is the same call. APR_EINVAL when not even one set
 * fits. */
apr_status_t aw_nc_table_init(aw_nc_table_t *table, void *memory, size_t size);

typedef enum aw_nc_e {
    AW_NC_TAKEN,  /* the first and only use of this count */
    AW_NC_USED,   /* used before: a replay, or a client that repeats a lost request */
    AW_NC_DROPPED /* can no longer be told: below the window, or the slot made room */
} aw_nc_e;

/* Takes count `nc` of a nonce whose response HAS BEEN VERIFIED, and whose age has been checked.
 * Over all processes and threads at most one call for a nonce and count returns AW_NC_TAKEN.
 * Counts start at 1; 0 is answered AW_NC_USED. Any thread, any process that maps the table;
 * bounded number of steps. */
aw_nc_e aw_nc_take(aw_nc_table_t *table, const aw_nonce_t *nonce, uint32_t nc);

#endif
