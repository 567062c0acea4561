/* Versions of an A1 file that one process reads for all that fork from the same; not installed.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Two things are made before the fork and inherited: a page of shared memory that says which
 * version is the newest, and a file in memory (memfd) that holds it:
 *
 *     +-------------------+----------------------------+----------------------+
 *     | hole: versions    | the version before, until  | the newest version   | ...
 *     | that are gone     | it is trimmed              | (a table's block)    |
 *     +-------------------+----------------------------+----------------------+
 *
 * A process that wants to write takes the lock (fcntl, which the kernel gives back when its
 * process dies), appends a block, and then counts the generation up: until that nobody sees it, so
 * that it may die anywhere. The others map what is newest. A trimmed version reads as zeros, in
 * which nobody is found, whoever is still reading there; `floor` says so to him: he asks again.
 *
 * All of it is shared with processes that may be taken over by an enemy, like everything that they
 * read in the first place; what they write is checked as an index file is.
 */
#ifndef AUTHWS_STORE_A1_SHARE_H
#define AUTHWS_STORE_A1_SHARE_H

#include <apr_time.h>

#include "store/a1_layout.h"

/* The newest version, in one of two slots, so that the other is whole while this is written. */
typedef struct aw_a1_slot_t {
    aw_file_id_t id;
    uint64_t offset;
    uint64_t size;
} aw_a1_slot_t;

enum { AW_A1_SAID_FAILURE, AW_A1_SAID_INDEX, AW_A1_SAID_COUNT };

/* In shared memory. Slots are written under the lock; `generation` is stored behind them. */
typedef struct aw_a1_shared_t {
    _Atomic uint64_t generation;             /* of the newest version; 0: none yet */
    _Atomic uint64_t floor;                  /* generations below are gone */
    _Atomic apr_time_t published;            /* when; relaxed */
    _Atomic uint64_t said[AW_A1_SAID_COUNT]; /* what one process has logged for all; relaxed */
    aw_a1_slot_t slots[2];
} aw_a1_shared_t;

/* This process's hold of it. */
typedef struct aw_a1_share_t {
    aw_a1_shared_t *shared;
    int fd;
} aw_a1_share_t;

/* Makes one; before the fork. */
AW_PRIVATE apr_status_t aw_a1_share_create(aw_a1_share_t *share);

/* Lets go of it, in this process. Tables taken from it must be gone: they look at the floor. */
AW_PRIVATE void aw_a1_share_close(aw_a1_share_t *share);

/* The lock, between processes; threads of one must keep each other out. False: somebody else has
 * it, and `wait` was not asked for. */
AW_PRIVATE bool aw_a1_share_lock(aw_a1_share_t *share, bool wait);
AW_PRIVATE void aw_a1_share_unlock(aw_a1_share_t *share);

static inline uint64_t aw_a1_share_generation(const aw_a1_share_t *share)
{
    return atomic_load(&share->shared->generation);
}

/* Under the lock: makes a copy of `table` the newest version. */
AW_PRIVATE apr_status_t aw_a1_share_publish(aw_a1_share_t *share, const aw_a1_table_t *table,
                                            const aw_file_id_t *id, apr_time_t now);

/* Maps the newest version. APR_ENOENT: there is none yet. */
AW_PRIVATE apr_status_t aw_a1_share_take(aw_a1_table_t **table, aw_file_id_t *id,
                                         aw_a1_share_t *share);

/* Frees what versions before the newest take, when that has been there for a while. */
AW_PRIVATE void aw_a1_share_trim(aw_a1_share_t *share, apr_time_t now);

/* Whether a table is still there, whole: asked after it was read, about what was read before. */
static inline bool aw_a1_table_is_there(const aw_a1_table_t *table)
{
    if (!table->floor) {
        return true;
    }
    atomic_thread_fence(memory_order_acquire);
    return atomic_load(table->floor) <= table->generation;
}

#endif
