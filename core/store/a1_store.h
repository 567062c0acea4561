/* One or more A1 files kept in memory and followed as they change.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_STORE_A1_STORE_H
#define AUTHWS_STORE_A1_STORE_H

#include <apr_time.h>

#include "base/file.h"
#include "base/log.h"
#include "store/a1_table.h"

/* A store; shared by the threads of a process. */
typedef struct aw_a1_store_t aw_a1_store_t;

/* How often, at the most, the files are looked at for a change. With the 20 ms in which a version
 * must not change and the time to read it, an edit of a file of ten users is in force after 27 ms
 * on average and 45 at the most (2 cores); of 100,000 users after 90 to 160 on average and up to
 * half a second when the machine is busy, of 300,000 after 200. */
#define AW_A1_STORE_CHECK apr_time_from_msec(25)

/* Each file is served from its index (store/a1_index.h) if there is one for its present version,
 * and read and indexed in memory otherwise; an index that cannot be used is logged once, one that
 * comes later is taken up.
 * Loads `n` files (paths copied into `p`). All must be readable and right: otherwise the status,
 * and *message (in `p`) as `FILE:LINE:COLUMN: what` or `FILE: what`. A file that others may read
 * or write is loaded, with a warning to `log`. `log` is copied; its baton outlives `p`'s cleanup
 * of the store. The store lives until `p` is cleared. `userhash` as in aw_a1_table_create. */
apr_status_t aw_a1_store_open(aw_a1_store_t **store, const char **message, const char *const *paths,
                              size_t n, unsigned userhash, const aw_log_t *log, apr_pool_t *p);

/* The same for files of people who are not trusted with memory: one above `limit` bytes is not
 * read, neither now nor when it has grown (then the last good version stays in force), nor is an
 * index of it used. */
apr_status_t aw_a1_store_open_limited(aw_a1_store_t **store, const char **message,
                                      const char *const *paths, size_t n, size_t limit,
                                      const aw_log_t *log, apr_pool_t *p);

/* Before the process forks: puts what was read where its children share it, and makes that one of
 * them reads a later version for all of them (the others map what it has read, at their next
 * lookup). Once for each store; APR_ENOMEM, or what the system said: then the store is as before,
 * or shared in part. A store that is not shared reads for its own process. Costs a descriptor and
 * a page for each file; `now` as everywhere. */
apr_status_t aw_a1_store_share(aw_a1_store_t *store, apr_time_t now);

/* Looks whether a file has changed, if the last look is AW_A1_STORE_CHECK before `now` or longer
 * ago, and takes up what has: aw_a1_store_find says the rules, and does it first. For a process
 * that nobody asks for a while: when a good edit is followed by a broken one, the last good
 * version is the last that this process has looked at. Any thread; returns at once while another
 * thread is at it. */
void aw_a1_store_look(aw_a1_store_t *store, apr_time_t now);

/* From now on lookups leave it to aw_a1_store_look to look for changes: the caller has a thread of
 * this process that calls it, so that no request waits while a large file is read. They still take
 * up at once what another process has read. Any thread. */
void aw_a1_store_follow(aw_a1_store_t *store);

/* The hashes of one user: a copy, so that a reload cannot pull it away. The caller wipes it. Also
 * written when there is no such user, with the name asked for and zeros: or the time that it takes
 * would tell. */
typedef struct aw_a1_entry_t {
    char user[AW_A1_NAME_MAX + 1]; /* the name as it stands in the file, NUL-terminated */
    size_t user_len;
    unsigned present;
    unsigned char
        hash[AW_HASH_MAX]; /* of the algorithm asked for, then zeros; all zeros if absent */
} aw_a1_entry_t;

/* Looks up a user. First looks, unless aw_a1_store_follow was called, whether a file has changed,
 * if the last look is AW_A1_STORE_CHECK before `now` or longer ago: one thread reloads while others
 * go on with what there was; a file that has gone, cannot be read or is broken leaves the last good
 * version in force and is logged once for each version of it (the other files go on being
 * followed). A version is taken up 20 ms after its last change at the earliest, so that what a
 * program writes in place is not read half done (an empty one after a second, and one that lies in
 * the future too); but a file that changes all the time is, after a second. `now` must be the real
 * time at which this is called, not that of a request, which may be long ago: a version that is
 * just being written would look settled. `alg` AW_ALG_COUNT asks for the strongest that the user
 * has; *alg is set to the one given, for no such user to one that another has. APR_SUCCESS;
 * APR_NOTFOUND: no such user; APR_ENOTIMPL: the user has no value in *alg (entry->user and present
 * are set); APR_EAGAIN: the versions change so fast that none could be read. Waits for no reload.
 * Any thread.
 */
apr_status_t aw_a1_store_find(aw_a1_store_t *store, aw_span_t realm, aw_span_t user, aw_alg_e *alg,
                              apr_time_t now, aw_a1_entry_t *entry);

/* Makes users findable by their user hashes in the algorithms of the mask (1u << aw_alg_e), now and
 * after every change of the files. Costs a hash for each user and algorithm, the first time; other
 * threads go on with what there was. */
apr_status_t aw_a1_store_index(aw_a1_store_t *store, unsigned userhash, apr_time_t now);

/* The same by userhash (hex digits of `alg`). APR_NOTFOUND also for malformed hex. For an algorithm
 * that the store was neither opened with nor indexed for, the first call does that, and calls at
 * the same time wait for it. */
apr_status_t aw_a1_store_find_userhash(aw_a1_store_t *store, aw_span_t realm, aw_span_t hex,
                                       aw_alg_e alg, apr_time_t now, aw_a1_entry_t *entry);

/* Users in the versions in force; one who stands in several files counts in each. */
size_t aw_a1_store_users(aw_a1_store_t *store);

#endif
