/* Which nonce counts have been used: windows in shared memory, so that no process accepts a replay.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Why no count is taken twice, whoever dies where (t/unit/nc_explore.c walks the interleavings):
 *
 * 1. Slots change hands in one order. Newcomer number h of a set is whoever turns owner[h % 14]
 *    from its previous turn to turn h / 14 + 1, and only once that is done does head leave h. So a
 *    newcomer that reads head = h first, then looks through the owners, then wins that
 *    compare-and-swap, knows that no slot of the set changed hands in between: what it did not
 *    find is not there, and one nonce never has two slots.
 * 2. What has been there before does not come back. Floor is at least the victim's second before
 *    the victim's slot is taken, so who finds head past an eviction finds floor raised too.
 * 3. A word only ever moves on: by turn (in the tag), then by block, then by bits. It is read,
 *    then the owner is read again, then it is swapped. The second look says that the value read is
 *    not of a later owner, so that a swap never sets a word back; and since a word never returns
 *    to an earlier value, a swap that succeeds means that nobody wrote in between.
 *
 * The turn is 12 bits: all this holds unless a process stops between two instructions for as long
 * as its set takes to see 57,000 newcomers, and then meets the same block and bits again.
 */
#include "digest/nc_table.h"

#include <stdatomic.h>
#include <stdbool.h>

/* The explorer compiles this file with a smaller ring, and with these two as its scheduling
 * points. Sequential consistency costs nothing over less on x86, and one barrier a swap elsewhere;
 * the argument above needs the order of head, owners and floor, which are different words. */
#ifndef AW_NC_LOAD
#define AW_NC_LOAD(where)              atomic_load(where)
#define AW_NC_SWAP(where, before, now) atomic_compare_exchange_strong(where, before, now)
#define AW_NC_RING                     14

/* Each failed try means that somebody else got on, so this many mean a jam, or garbage in the
 * table: the answer is then "dropped", and the client comes back with a fresh nonce. */
#define AW_NC_TRIES 128

_Static_assert(2 * 8 + AW_NC_RING * (8 + 64) == 1024, "a set is sixteen cache lines");
#endif

#define WORDS 8u /* of a slot */

#define TURN_MASK 0xfffu
#define TAG_MASK  0xffffu

typedef _Atomic uint64_t cell_t;

typedef struct aw_nc_set_t {
    cell_t head;  /* number of the next newcomer */
    cell_t floor; /* greatest issue second of all owners that have had to go */
    cell_t owner[AW_NC_RING];
    cell_t word[AW_NC_RING][WORDS];
} nc_set_t;

/* One nonce as the table knows it. */
typedef struct caller_t {
    uint64_t second; /* of issue, since 1970 */
    uint64_t name;   /* an owner word without its turn */
} caller_t;

apr_status_t aw_nc_table_init(aw_nc_table_t *table, void *memory, size_t size, uint32_t node)
{
    size_t stripe = 1;

    if (!memory || (uintptr_t)memory % 64 != 0 || size < sizeof(nc_set_t)) {
        return APR_EINVAL;
    }
    const size_t count = size / sizeof(nc_set_t);

    while (stripe * 2 * AW_NC_SHARE <= count) {
        stripe *= 2;
    }
    table->sets = memory;
    table->count = count;
    table->stripe = stripe;
    table->node = node;
    table->counters = NULL;
    table->evicted = 0;
    return APR_SUCCESS;
}

/* Looks for the caller's slot; the slot's number and its owner word, or AW_NC_RING. */
static unsigned find(nc_set_t *set, const caller_t *caller, uint64_t *owner)
{
    for (unsigned i = 0; i < AW_NC_RING; i++) {
        const uint64_t o = AW_NC_LOAD(&set->owner[i]);

        if ((o & ~(uint64_t)TURN_MASK) == caller->name) {
            *owner = o;
            return i;
        }
    }
    return AW_NC_RING;
}

/* Raises floor to `second` at least. False when others kept it moving for too long. */
static bool raise_floor(nc_set_t *set, uint64_t second)
{
    uint64_t floor = AW_NC_LOAD(&set->floor);

    for (int tries = 0; tries < AW_NC_TRIES; tries++) {
        if (floor >= second || AW_NC_SWAP(&set->floor, &floor, second)) {
            return true;
        }
    }
    return false;
}

/* Raises floor for the victim, whose slot the caller is about to take. False when it may not go: a
 * nonce must not push out a younger one, or floor would take all those between them along. */
static bool make_room(nc_set_t *set, const caller_t *caller, uint64_t victim)
{
    if (victim == 0) {
        return true;
    }
    /* Seconds are kept modulo 2^32: the difference is right within 68 years. */
    const int32_t older = (int32_t)((uint32_t)caller->second - (uint32_t)(victim >> 32));
    return older > 0 && raise_floor(set, caller->second - (uint32_t)older);
}

/* Finds the caller's slot or gives it one. False: dropped. */
static bool settle(const aw_nc_table_t *table, nc_set_t *set, const caller_t *caller,
                   unsigned *slot, uint64_t *owner)
{
    for (int tries = 0; tries < AW_NC_TRIES; tries++) {
        uint64_t head = AW_NC_LOAD(&set->head); /* before the owners: see 1 above */

        *slot = find(set, caller, owner);
        if (*slot < AW_NC_RING) {
            return true;
        }
        if (caller->second <= AW_NC_LOAD(&set->floor)) {
            return false;
        }
        const unsigned next = (unsigned)(head % AW_NC_RING);
        const uint64_t turn = (head / AW_NC_RING + 1) & TURN_MASK;
        uint64_t victim = AW_NC_LOAD(&set->owner[next]);

        if ((victim & TURN_MASK) == turn) {
            /* Newcomer `head` is in, but head still says so: its process is slow, or dead. */
            (void)AW_NC_SWAP(&set->head, &head, head + 1);
            continue;
        }
        if ((victim & TURN_MASK) != ((turn - 1) & TURN_MASK)) {
            continue; /* head has moved on by a whole round */
        }
        if (!make_room(set, caller, victim)) {
            return false;
        }
        *owner = caller->name | turn;
        if (AW_NC_SWAP(&set->owner[next], &victim, *owner)) {
            (void)AW_NC_SWAP(&set->head, &head, head + 1); /* or somebody has done it for us */
            if (victim != 0 && table->counters) {
                aw_counters_add(table->counters, table->evicted);
            }
            *slot = next;
            return true;
        }
    }
    return false;
}

/* Sets the bit of count `nc` in the slot of `owner`. */
static aw_nc_e mark(nc_set_t *set, unsigned slot, uint64_t owner, uint32_t nc)
{
    const uint32_t block = nc / 32;
    const uint32_t bit = (uint32_t)1 << (nc % 32);
    const uint64_t blank = ((owner & TAG_MASK) << 48) | ((uint64_t)block << 32);
    cell_t *word = &set->word[slot][block % WORDS];
    uint64_t before = AW_NC_LOAD(word);

    for (int tries = 0; tries < AW_NC_TRIES; tries++) {
        uint64_t after = blank | bit;

        if (AW_NC_LOAD(&set->owner[slot]) != owner) { /* after the word: see 3 above */
            return AW_NC_DROPPED;
        }
        if (before >> 48 == (owner & TAG_MASK)) {
            if (before >> 32 > blank >> 32) {
                return AW_NC_DROPPED; /* a later block has this word now */
            }
            if (before >> 32 == blank >> 32) {
                if (before & bit) {
                    return AW_NC_USED;
                }
                after = before | bit;
            }
        }
        if (AW_NC_SWAP(word, &before, after)) {
            return AW_NC_TAKEN;
        }
    }
    return AW_NC_DROPPED;
}

/* Where this nonce of this user belongs. */
static nc_set_t *set_of(const aw_nc_table_t *table, const aw_nonce_t *nonce, uint64_t user)
{
    size_t place = (size_t)(user % table->count) + (size_t)(nonce->id & (table->stripe - 1));

    return &table->sets[place < table->count ? place : place - table->count];
}

aw_nc_e aw_nc_take(aw_nc_table_t *table, const aw_nonce_t *nonce, uint64_t user, uint32_t nc)
{
    const uint64_t second = (uint64_t)apr_time_sec(nonce->issued);
    /* The set goes by the low bits of the id, the owner by the high ones. */
    const caller_t caller = {second, (second << 32) | (nonce->id >> 44 << 12)};
    nc_set_t *set = set_of(table, nonce, user);
    uint64_t owner = 0;
    unsigned slot = 0;

    if (nc == 0) {
        return AW_NC_USED; /* counts start at 1 */
    }
    /* Whoever counts past 1 has been elsewhere with this nonce, and has left no trace here. */
    if (nonce->node != table->node && nc != 1) {
        return AW_NC_DROPPED;
    }
    /* Second 0 is what a slot looks like that nobody has had. */
    if (nc > AW_NC_MAX || nonce->issued < 0 || (uint32_t)second == 0 ||
        !settle(table, set, &caller, &slot, &owner)) {
        return AW_NC_DROPPED;
    }
    return mark(set, slot, owner, nc);
}
