/* One A1 file of a store, followed as it changes; not installed.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Readers take no lock: they count themselves in, load the table's pointer, and count themselves
 * out when they have copied what they want. Who has exchanged the pointer waits until every reader
 * who may have the old table has left, then destroys it. New readers are sent to the other of two
 * counts, so that they cannot keep him waiting.
 */
#ifndef AUTHWS_STORE_A1_FILE_H
#define AUTHWS_STORE_A1_FILE_H

#include "base/log.h"
#include "store/a1_share.h"

typedef struct aw_a1_readers_t {
    _Atomic unsigned epoch; /* the low bit: which count new readers take */
    _Atomic unsigned long inside[2];
} aw_a1_readers_t;

/* All of it sequentially consistent: a reader who comes in after the pointer was exchanged, and is
 * not seen by who waits, must see the new pointer. */
static inline unsigned aw_a1_readers_enter(aw_a1_readers_t *readers)
{
    const unsigned side = atomic_load(&readers->epoch) & 1;

    atomic_fetch_add(&readers->inside[side], 1);
    return side;
}

static inline void aw_a1_readers_leave(aw_a1_readers_t *readers, unsigned side)
{
    atomic_fetch_sub(&readers->inside[side], 1);
}

/* `reload` below is the store's: it keeps the threads of one process apart, the share's lock the
 * processes. */
typedef struct aw_a1_file_t {
    const char *path;
    aw_a1_readers_t *readers; /* the store's */
    const aw_log_t *log;
    const unsigned char *key;
    size_t limit;                   /* bytes of a text that is read */
    _Atomic(aw_a1_table_t *) table; /* exchanged under `reload` */
    _Atomic uint64_t generation;    /* of the share, taken note of; written under `reload` */
    aw_a1_share_t *share;           /* NULL: the process's own; set before there are others */
    aw_a1_share_t share_memory;     /* what `share` points to */
    _Atomic uint64_t said[AW_A1_SAID_COUNT]; /* used when there is no share */
    /* The rest is guarded by `reload`. */
    char *index;                /* path of the index; heap */
    aw_file_id_t id;            /* of what is in `table` */
    aw_file_id_t failed;        /* version that could not be taken up; zeroed: none is there */
    apr_status_t failure;       /* why; APR_SUCCESS: nothing is wrong */
    apr_time_t unsettled_since; /* 0: settled */
    aw_file_id_t index_id;      /* of the index that was tried last */
    _Atomic uint64_t foreign;   /* what root has logged of an index that is not root's */
    mode_t warned;              /* permissions already complained about */
} aw_a1_file_t;

/* Reads the file, from its index if that can be used. The fields up to `limit` are set, the others
 * zeroed. On failure *message, in `p`. */
AW_PRIVATE apr_status_t aw_a1_file_open(aw_a1_file_t *file, unsigned userhash, const char **message,
                                        apr_pool_t *p);

AW_PRIVATE void aw_a1_file_close(aw_a1_file_t *file);

/* Under `reload`, looks whether the file or its index has changed, and takes up what has. */
AW_PRIVATE void aw_a1_file_look(aw_a1_file_t *file, unsigned userhash, apr_time_t now);

/* Whether another process has published a version that this one has not taken note of. */
static inline bool aw_a1_file_is_behind(const aw_a1_file_t *file)
{
    return file->share && aw_a1_share_generation(file->share) != atomic_load(&file->generation);
}

/* Under `reload`, takes up what another process has published. */
AW_PRIVATE void aw_a1_file_catch_up(aw_a1_file_t *file);

/* Under `reload`, adds user hashes to what is in force. */
AW_PRIVATE apr_status_t aw_a1_file_index(aw_a1_file_t *file, unsigned userhash, apr_time_t now);

/* Shares what is in force, and later versions, with the processes that will fork. */
AW_PRIVATE apr_status_t aw_a1_file_share(aw_a1_file_t *file, apr_time_t now);

#endif
