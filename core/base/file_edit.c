/* Files that are replaced whole: lock, read, write beside, rename.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/file.h"
#include "base/file_io.h"

#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

/* Symbolic links followed one after another, as many as the kernel follows. */
#define LINKS_MAX 40

/* Between two attempts at a lock that somebody else holds. */
#define LOCK_POLL_NS (5 * 1000 * 1000)

/* A POSIX access list with far more entries than anybody writes. */
#define ACL_MAX 4096

#define ACL_NAME "system.posix_acl_access"

/* Everything but the target's name is reached through `dir`, so that a folder that is renamed
 * meanwhile takes the edit with it instead of splitting it over two places. */
struct aw_file_edit_t {
    apr_pool_t *pool;
    int dir;          /* the target's folder */
    int lock;         /* <target>.lock, locked */
    const char *name; /* of the target, in the folder; not a symbolic link */
    const char *temp; /* of the new version, in the folder */
    char *content;    /* what the file holds; wiped at the end */
    size_t size;
    bool exists;     /* false: a new file */
    aw_file_id_t id; /* of what was read */
    struct stat st;  /* owner and mode to keep */
    char *acl;
    ssize_t acl_size;
};

/* Reads what a symbolic link says; *n 0: it is none, or nothing is there. Only root's and our own
 * are followed: in a folder of the server's user that one could point root at any file. */
static apr_status_t read_link(char *link, size_t room, ssize_t *n, const char *path)
{
    const int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    apr_status_t rv = APR_SUCCESS;
    struct stat st;

    if (fd < 0) {
        return errno == ENOENT ? APR_SUCCESS : errno;
    }
    if (fstat(fd, &st) != 0) {
        rv = errno;
    } else if (S_ISLNK(st.st_mode)) {
        *n = readlinkat(fd, "", link, room);
        if (*n < 0) {
            rv = errno;
        } else if (st.st_uid != 0 && st.st_uid != geteuid()) {
            rv = EPERM;
        }
    }
    close(fd);
    return rv;
}

/* Follows the symbolic links that the last component of `path` is. What they end at may be
 * missing. */
static apr_status_t resolve(const char **target, const char *path, apr_pool_t *p)
{
    char link[PATH_MAX];

    for (int i = 0; i < LINKS_MAX; i++) {
        ssize_t n = 0;
        const apr_status_t rv = read_link(link, sizeof(link), &n, path);

        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (n == 0) {
            *target = path;
            return APR_SUCCESS;
        }
        if ((size_t)n == sizeof(link)) {
            return ENAMETOOLONG;
        }
        const char *slash = strrchr(path, '/');

        if (link[0] == '/' || !slash) {
            path = apr_pstrmemdup(p, link, (size_t)n);
        } else {
            path = apr_psprintf(p, "%.*s/%.*s", (int)(slash - path), path, (int)n, link);
        }
    }
    return ELOOP;
}

/* Opens the target's folder and names what is in it. */
static apr_status_t open_folder(aw_file_edit_t *edit, const char *path)
{
    const char *target = path;
    const apr_status_t rv = resolve(&target, path, edit->pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    const char *slash = strrchr(target, '/');
    const char *folder = ".";

    if (slash) {
        folder = slash == target ? "/"
                                 : apr_pstrmemdup(edit->pool, target, (apr_size_t)(slash - target));
    }
    edit->name = slash ? slash + 1 : target;
    if (!edit->name[0]) {
        return EISDIR;
    }
    /* A fixed name: under the lock nobody else writes it, and what a killed process left behind
     * is found and removed instead of piling up. */
    edit->temp = apr_pstrcat(edit->pool, ".", edit->name, ".authws-new", NULL);
    edit->dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return edit->dir < 0 ? errno : APR_SUCCESS;
}

/* Who may open a lock may hold it for ever, also for reading: it is for those who may write to the
 * file. One that an earlier version of this program has made is closed to the others. */
static void protect_lock(const aw_file_edit_t *edit, int fd, bool fresh)
{
    struct stat file, lock;

    if (fstatat(edit->dir, edit->name, &file, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(file.st_mode)) {
        return;
    }
    const mode_t mode = 0600 | (file.st_mode & S_IWGRP ? 060 : 0);

    if (fresh) {
        /* If it fails, only its owner and root can edit, which is safe. */
        if (fchown(fd, file.st_uid, file.st_gid) == 0) {
            (void)!fchmod(fd, mode);
        }
    } else if (fstat(fd, &lock) == 0 && S_ISREG(lock.st_mode) && lock.st_nlink == 1 &&
               (lock.st_uid == geteuid() || geteuid() == 0) && lock.st_mode & 077 & ~mode) {
        (void)!fchmod(fd, lock.st_mode & mode);
    }
}

/* Opens the lock file, made if need be for the people who may write to the file that it guards. */
static apr_status_t open_lock(const aw_file_edit_t *edit, const char *name, int *out)
{
    const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
    struct stat st;
    int fd = openat(edit->dir, name, flags | O_CREAT | O_EXCL, 0600);
    const bool fresh = fd >= 0;

    if (fd < 0 && errno == EEXIST) {
        fd = openat(edit->dir, name, flags);
    }
    if (fd < 0) {
        return errno == ENOENT ? APR_EAGAIN : errno == EISDIR ? APR_EEXIST : errno;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return APR_EEXIST;
    }
    protect_lock(edit, fd, fresh);
    *out = fd;
    return APR_SUCCESS;
}

/* Whether `fd` still is what the folder knows as `name`: a lock on a file that was deleted
 * meanwhile would exclude nobody. */
static bool still_there(const aw_file_edit_t *edit, const char *name, int fd)
{
    struct stat mine, theirs;

    return fstat(fd, &mine) == 0 && fstatat(edit->dir, name, &theirs, AT_SYMLINK_NOFOLLOW) == 0 &&
           mine.st_dev == theirs.st_dev && mine.st_ino == theirs.st_ino;
}

static apr_interval_time_t monotonic(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (apr_interval_time_t)ts.tv_sec * APR_USEC_PER_SEC + ts.tv_nsec / 1000;
}

/* Takes the lock; flock and not fcntl, because it also excludes other threads of this process and
 * is not lost when another descriptor of the file is closed. */
static apr_status_t take_lock(aw_file_edit_t *edit, const char *path, apr_interval_time_t timeout,
                              aw_file_wait_fn waiting, void *baton)
{
    const char *name = apr_pstrcat(edit->pool, edit->name, ".lock", NULL);
    const apr_interval_time_t start = monotonic();
    const struct timespec poll = {0, LOCK_POLL_NS};
    int fd = -1;

    for (;;) {
        if (fd < 0) {
            const apr_status_t rv = open_lock(edit, name, &fd);

            if (rv != APR_SUCCESS && rv != APR_EAGAIN) {
                return rv;
            }
        }
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
            if (still_there(edit, name, fd)) {
                edit->lock = fd;
                return APR_SUCCESS;
            }
            close(fd);
            fd = -1;
        } else if (fd >= 0 && errno != EWOULDBLOCK && errno != EINTR) {
            const apr_status_t rv = errno;

            close(fd);
            return rv;
        }
        if (monotonic() - start >= timeout) {
            if (fd >= 0) {
                close(fd);
            }
            return APR_TIMEUP;
        }
        if (fd >= 0 && waiting) {
            waiting(baton, path, timeout);
            waiting = NULL;
        }
        nanosleep(&poll, NULL);
    }
}

/* Reads what the file holds, and what of it a new version must keep. */
static apr_status_t read_target(aw_file_edit_t *edit, bool create)
{
    aw_span_t content = {NULL, 0};
    const int fd =
        openat(edit->dir, edit->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

    if (fd < 0) {
        return errno == ENOENT && create ? APR_SUCCESS : errno;
    }
    apr_status_t rv = aw_file_read_fd(fd, SIZE_MAX / 4, &content, &edit->id, edit->pool);

    if (rv == APR_SUCCESS) {
        /* aw_file_read_fd returned memory that it took from our own pool. */
        edit->content = (char *)(uintptr_t)content.ptr;
        edit->size = content.len;
        edit->exists = true;
        if (fstat(fd, &edit->st) != 0) {
            rv = errno;
        }
        edit->acl = apr_palloc(edit->pool, ACL_MAX);
        edit->acl_size = fgetxattr(fd, ACL_NAME, edit->acl, ACL_MAX);
    }
    close(fd);
    return rv;
}

/* Wipes, unlocks and closes; also the pool's cleanup. */
static apr_status_t end_edit(void *data)
{
    aw_file_edit_t *edit = data;

    if (edit->content) {
        aw_wipe(edit->content, edit->size);
        edit->content = NULL;
    }
    if (edit->lock >= 0) {
        close(edit->lock);
        edit->lock = -1;
    }
    if (edit->dir >= 0) {
        close(edit->dir);
        edit->dir = -1;
    }
    return APR_SUCCESS;
}

apr_status_t aw_file_open_edit(aw_file_edit_t **edit, aw_span_t *content, const char *path,
                               bool create, apr_interval_time_t timeout, aw_file_wait_fn waiting,
                               void *baton, apr_pool_t *p)
{
    aw_file_edit_t *e = apr_pcalloc(p, sizeof(*e));

    e->pool = p;
    e->dir = -1;
    e->lock = -1;
    apr_pool_cleanup_register(p, e, end_edit, apr_pool_cleanup_null);

    apr_status_t rv = open_folder(e, path);

    if (rv == APR_SUCCESS && !create && faccessat(e->dir, e->name, F_OK, AT_SYMLINK_NOFOLLOW)) {
        /* Said before a lock file is left beside a file that does not exist. */
        rv = errno;
    }
    if (rv == APR_SUCCESS) {
        rv = take_lock(e, path, timeout, waiting, baton);
    }
    if (rv == APR_SUCCESS) {
        rv = read_target(e, create);
    }
    if (rv != APR_SUCCESS) {
        aw_file_abandon_edit(e);
        return rv;
    }
    *edit = e;
    *content = (aw_span_t){e->content, e->size};
    return APR_SUCCESS;
}

/* What is being written: small pieces are gathered, or many users would be as many system calls. */
typedef struct output_t {
    int fd;
    size_t len;
    char gathered[32768];
} output_t;

static apr_status_t write_all(int fd, aw_span_t rest)
{
    while (rest.len > 0) {
        const ssize_t w = write(fd, rest.ptr, rest.len);

        if (w < 0 && errno != EINTR) {
            return errno;
        }
        rest.ptr += w > 0 ? w : 0;
        rest.len -= w > 0 ? (size_t)w : 0;
    }
    return APR_SUCCESS;
}

static apr_status_t flush(output_t *out)
{
    const aw_span_t all = {out->gathered, out->len};

    out->len = 0;
    return write_all(out->fd, all);
}

/* An aw_file_write_fn. */
static apr_status_t put(void *sink, aw_span_t bytes)
{
    output_t *out = sink;
    apr_status_t rv = APR_SUCCESS;

    if (bytes.len > sizeof(out->gathered) - out->len) {
        rv = flush(out);
    }
    if (rv == APR_SUCCESS && bytes.len > sizeof(out->gathered)) {
        return write_all(out->fd, bytes);
    }
    if (rv == APR_SUCCESS && bytes.len > 0) {
        memcpy(out->gathered + out->len, bytes.ptr, bytes.len);
        out->len += bytes.len;
    }
    return rv;
}

static apr_status_t write_from(int fd, aw_file_source_fn source, void *baton)
{
    output_t out;

    out.fd = fd;
    out.len = 0;
    apr_status_t rv = source(baton, put, &out);

    if (rv == APR_SUCCESS) {
        rv = flush(&out);
    }
    aw_wipe(&out, sizeof(out));
    return rv;
}

/* Gives the new version the owner, access list and mode of the old one. Failing is an error: a
 * server that can no longer read its users is worse than an edit that did not happen. What stands
 * `beside` is only written by its owner, and that stays root where it is a group that reads the
 * file, or everybody; otherwise it may be its owner who does. */
static apr_status_t keep_owner(const aw_file_edit_t *edit, int fd, bool beside)
{
    const mode_t mode = (edit->exists ? edit->st.st_mode & 07777 : 0640) & (beside ? ~022u : ~0u);
    const bool shared =
        (edit->st.st_mode & S_IRGRP && edit->st.st_gid != 0) || edit->st.st_mode & S_IROTH;
    const bool roots = beside && geteuid() == 0 && shared;
    const uid_t owner = roots ? 0 : edit->st.st_uid;
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return errno;
    }
    if (edit->exists && (st.st_uid != owner || st.st_gid != edit->st.st_gid) &&
        fchown(fd, owner, edit->st.st_gid) != 0) {
        return errno;
    }
    if (edit->exists && edit->acl_size > 0 &&
        fsetxattr(fd, ACL_NAME, edit->acl, (size_t)edit->acl_size, 0) != 0) {
        return errno;
    }
    return fchmod(fd, mode) != 0 ? errno : APR_SUCCESS;
}

/* Removes what a killed process left under the new version's name; anything but a plain file
 * there is not ours. */
static apr_status_t remove_leftover(const aw_file_edit_t *edit, const char *temp)
{
    struct stat st;

    if (fstatat(edit->dir, temp, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? APR_SUCCESS : errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return APR_EEXIST;
    }
    return unlinkat(edit->dir, temp, 0) != 0 ? errno : APR_SUCCESS;
}

/* Whether the file is as it was read. Editors and htdigest know nothing of the lock; what they
 * wrote meanwhile must not be lost. */
static bool unchanged(const aw_file_edit_t *edit)
{
    aw_file_id_t id;
    struct stat st;

    if (fstatat(edit->dir, edit->name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return !edit->exists && errno == ENOENT;
    }
    aw_file_identity(&id, &st);
    return edit->exists && aw_file_id_equal(&id, &edit->id);
}

/* Writes `temp` and gives it the name `name`, the file's own or that of one beside; ends the
 * edit. */
static apr_status_t commit(aw_file_edit_t *edit, const char *name, const char *temp,
                           aw_file_source_fn source, void *baton)
{
    bool made = false;
    int fd = -1;
    apr_status_t rv = remove_leftover(edit, temp);

    if (rv != APR_SUCCESS) {
        goto leave;
    }
    fd = openat(edit->dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        rv = errno;
        goto leave;
    }
    made = true;
    rv = keep_owner(edit, fd, name != edit->name);
    if (rv == APR_SUCCESS) {
        rv = write_from(fd, source, baton);
    }
    if (rv == APR_SUCCESS && fsync(fd) != 0) {
        rv = errno;
    }
    if (close(fd) != 0 && rv == APR_SUCCESS) {
        rv = errno;
    }
    if (rv == APR_SUCCESS && !unchanged(edit)) {
        rv = APR_EAGAIN;
    }
    if (rv != APR_SUCCESS) {
        goto leave;
    }
    if (renameat(edit->dir, temp, edit->dir, name) != 0) {
        rv = errno;
        goto leave;
    }
    made = false;
    /* Some file systems have no fsync for folders; there the rename is as safe as it gets. */
    if (fsync(edit->dir) != 0 && errno != EINVAL && errno != ENOTSUP) {
        rv = errno;
    }
leave:
    if (made) {
        unlinkat(edit->dir, temp, 0);
    }
    aw_file_abandon_edit(edit);
    return rv;
}

/* Parts that lie in memory. */
typedef struct parts_t {
    const aw_span_t *of;
    size_t count;
} parts_t;

/* An aw_file_source_fn. */
static apr_status_t give_parts(void *baton, aw_file_write_fn write, void *sink)
{
    const parts_t *parts = baton;
    apr_status_t rv = APR_SUCCESS;

    for (size_t i = 0; i < parts->count && rv == APR_SUCCESS; i++) {
        rv = write(sink, parts->of[i]);
    }
    return rv;
}

apr_status_t aw_file_commit_edit(aw_file_edit_t *edit, const aw_span_t *parts, size_t n)
{
    return commit(edit, edit->name, edit->temp, give_parts, &(parts_t){parts, n});
}

apr_status_t aw_file_commit_edit_from(aw_file_edit_t *edit, aw_file_source_fn source, void *baton)
{
    return commit(edit, edit->name, edit->temp, source, baton);
}

apr_status_t aw_file_commit_beside(aw_file_edit_t *edit, const char *suffix, const aw_span_t *parts,
                                   size_t n)
{
    const char *name = apr_pstrcat(edit->pool, edit->name, suffix, NULL);

    return commit(edit, name, apr_pstrcat(edit->pool, ".", name, ".authws-new", NULL), give_parts,
                  &(parts_t){parts, n});
}

void aw_file_edit_id(const aw_file_edit_t *edit, aw_file_id_t *id)
{
    *id = edit->id;
}

void aw_file_abandon_edit(aw_file_edit_t *edit)
{
    apr_pool_cleanup_run(edit->pool, edit, end_edit);
}
