/* Files that are read whole and replaced whole, under a lock, never half written.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_BASE_FILE_H
#define AUTHWS_BASE_FILE_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_time.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/bytes.h"

/* What tells one version of a file from another. Zeroed: no file. */
typedef struct aw_file_id_t {
    dev_t dev;
    ino_t ino;
    off_t size;
    long long mtime_ns; /* both in nanoseconds since the epoch */
    long long ctime_ns;
} aw_file_id_t;

/* Identity of the regular file at `path` (symbolic links followed). APR_ENOENT and the like when
 * it cannot be had; APR_EINVAL when it is not a regular file. `mode` (may be NULL) receives the
 * permission bits. */
apr_status_t aw_file_identify(const char *path, aw_file_id_t *id, mode_t *mode);

/* Whether both name the same version of the same file. */
bool aw_file_id_equal(const aw_file_id_t *a, const aw_file_id_t *b);

/* Reads the regular file at `path` into `p`, with a NUL behind it. A file whose identity changes
 * while it is read is read again, up to five times, then APR_EAGAIN. Files above `limit` bytes
 * give APR_ENOMEM. The identity is that of what was read. */
apr_status_t aw_file_read(const char *path, size_t limit, aw_span_t *content, aw_file_id_t *id,
                          apr_pool_t *p);

/* A file held for one read-modify-replace. */
typedef struct aw_file_edit_t aw_file_edit_t;

/* Called once, before waiting, when somebody else holds the lock; `timeout` is what will be
 * waited at the most. */
typedef void (*aw_file_wait_fn)(void *baton, const char *path, apr_interval_time_t timeout);

/* Opens `path` for an edit: resolves symbolic links (the target is edited, the link stays; one that
 * belongs neither to root nor to this process's user is EPERM, or it could lead root anywhere),
 * takes an exclusive lock that every other aw_file_open_edit of the same file waits for, for at
 * most `timeout`, then APR_TIMEUP. The lock is on `<target>.lock` beside the file, because the file
 * itself is replaced; it is kept by the kernel and so goes with a killed process. The lock file
 * itself stays, empty, and can be opened by those alone who may write to the file. One that is a
 * symbolic link (ELOOP) or not a regular file (APR_EEXIST) is refused. With `create` false a
 * missing file is APR_ENOENT. `content` is the present content (borrowed from the edit; empty for a
 * new file). The edit lives in `p` and is abandoned, unlocked and cleaned up when `p` is. `waiting`
 * may be NULL. */
apr_status_t aw_file_open_edit(aw_file_edit_t **edit, aw_span_t *content, const char *path,
                               bool create, apr_interval_time_t timeout, aw_file_wait_fn waiting,
                               void *baton, apr_pool_t *p);

/* Replaces the file by the concatenation of `n` parts: written to a new file in the same folder
 * (created exclusively, owner and mode of the old file, or 0640 for a new one), fsync, rename,
 * fsync of the folder; an access list (POSIX ACL) of the old file is kept too. Whatever fails, or
 * wherever the process is killed, the old file is whole. APR_EAGAIN when a program that knows
 * nothing of the lock has changed the file since it was opened: open it again. APR_EEXIST when
 * something that is no plain file stands in the way of the new file. Ends the edit either way. */
apr_status_t aw_file_commit_edit(aw_file_edit_t *edit, const aw_span_t *parts, size_t n);

/* Takes the next bytes of the new version, borrowed for the call. */
typedef apr_status_t (*aw_file_write_fn)(void *sink, aw_span_t bytes);

/* Writes the whole new version through `write`; what that returns but APR_SUCCESS it returns. */
typedef apr_status_t (*aw_file_source_fn)(void *baton, aw_file_write_fn write, void *sink);

/* aw_file_commit_edit for what need not lie in memory at once. Any other failure of `source` ends
 * the edit with that status and the old file. The content that aw_file_open_edit gave stays
 * until `source` has returned. */
apr_status_t aw_file_commit_edit_from(aw_file_edit_t *edit, aw_file_source_fn source, void *baton);

/* aw_file_commit_edit, but what is written stands beside the file, under its name and `suffix`
 * (".idx"), and the file stays as it is; APR_EAGAIN when it is no longer what was read. Nobody but
 * its owner may write to it: root, when root calls this and a group but root's, or everybody,
 * may read the file, and else the file's owner. */
apr_status_t aw_file_commit_beside(aw_file_edit_t *edit, const char *suffix, const aw_span_t *parts,
                                   size_t n);

/* The version of the file that was read; zeroed for a new file. */
void aw_file_edit_id(const aw_file_edit_t *edit, aw_file_id_t *id);

/* Ends the edit without a change. */
void aw_file_abandon_edit(aw_file_edit_t *edit);

#endif
