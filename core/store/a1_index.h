/* FILE.idx: the index of an A1 file that is made beforehand, so that opening it costs nothing.
 * SPDX-License-Identifier: Apache-2.0
 *
 * It stands beside the file and is mapped, read-only, by every process that serves the file. What
 * it holds is as good as the file itself: whoever may not read that may not read this.
 *
 *     +--------------------------------------------+--------------------------------------+
 *     | header, 256 bytes: magic, byte order,      | the table of store/a1_table.h, from  |
 *     | version, size, key, identity of the file,  | the first byte of the header on      |
 *     | places of the parts, checksum of all that  |                                      |
 *     +--------------------------------------------+--------------------------------------+
 *
 * Numbers are in the byte order of the machine that wrote them, which the header names: an index
 * of another byte order is refused, and made anew there in seconds. What is behind the header has
 * no checksum (to read all of it would take as long as to build it); instead every place in it is
 * checked each time it is followed, so that a damaged index finds nobody or a wrong record of its
 * own, but is never followed out of bounds nor for ever. What remains: whoever may write to the
 * index may cut it short in place, and a process that reads behind the end then dies (SIGBUS).
 * The library never does that, it puts a new file in the old one's place; and a process uses only
 * an index that root or its own user owns, and nobody else may write to. Of a server that means:
 * an index made by root is used by all; one that AuthWSUplift has renewed, or that was made by the
 * server's user, only by the children, and the parent reads the text.
 */
#ifndef AUTHWS_STORE_A1_INDEX_H
#define AUTHWS_STORE_A1_INDEX_H

#include "base/file.h"
#include "store/a1_table.h"

/* What an index is called: the A1 file's name and this. Behind a symbolic link it stands beside
 * the file that the link ends at. */
#define AW_A1_INDEX_SUFFIX ".idx"

/* What aw_a1_index_write needs besides the file. */
typedef struct aw_a1_index_job_t {
    unsigned userhash;           /* mask, 1u << aw_alg_e: user hashes to find users by */
    const unsigned char *key;    /* AW_KEYED_KEY random bytes; borrowed */
    apr_interval_time_t timeout; /* to wait for the file's lock, as in aw_file_open_edit */
    aw_file_wait_fn waiting;     /* may be NULL */
    void *baton;                 /* of `waiting` */
} aw_a1_index_job_t;

/* Makes the index of the A1 file at `path`, under the file's lock: written beside, fsync, rename.
 * *users (may be NULL): how many it holds. Takes memory for the text and the index at once.
 * On failure *message (in `p`): `FILE:LINE:COLUMN: what` or `FILE: what`, and APR_EINVAL for a
 * broken line or something that is no regular file, APR_TIMEUP for the lock, APR_EAGAIN when the
 * file kept changing, or what the system said; a former index stays as it is. One thread at a
 * time per pool. */
apr_status_t aw_a1_index_write(size_t *users, const char **message, const char *path,
                               const aw_a1_index_job_t *job, apr_pool_t *p);

#endif
