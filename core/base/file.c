/* Files that are read whole, and what tells one version of a file from another.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/file.h"
#include "base/file_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

/* How often a file that changes under our eyes is read again. */
#define READ_ATTEMPTS 5

void aw_file_identity(aw_file_id_t *id, const struct stat *st)
{
    *id = (aw_file_id_t){
        .dev = st->st_dev,
        .ino = st->st_ino,
        .size = st->st_size,
        .mtime_ns = (long long)st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec,
        .ctime_ns = (long long)st->st_ctim.tv_sec * 1000000000LL + st->st_ctim.tv_nsec};
}

apr_status_t aw_file_identify(const char *path, aw_file_id_t *id, mode_t *mode)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        return errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return APR_EINVAL;
    }
    aw_file_identity(id, &st);
    if (mode) {
        *mode = st.st_mode & 07777;
    }
    return APR_SUCCESS;
}

bool aw_file_id_equal(const aw_file_id_t *a, const aw_file_id_t *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

/* Reads up to `room` bytes from the start of `fd`. */
static apr_status_t read_all(int fd, char *buf, size_t room, size_t *got)
{
    size_t n = 0;

    while (n < room) {
        const ssize_t r = pread(fd, buf + n, room - n, (off_t)n);

        if (r == 0) {
            break;
        }
        if (r < 0 && errno != EINTR) {
            return errno;
        }
        n += r > 0 ? (size_t)r : 0;
    }
    *got = n;
    return APR_SUCCESS;
}

apr_status_t aw_file_read_fd(int fd, size_t limit, aw_span_t *content, aw_file_id_t *id,
                             apr_pool_t *p)
{
    apr_status_t rv = APR_EAGAIN;
    aw_file_id_t before = {0}, after;
    struct stat st;
    char *buf = NULL;
    size_t room = 0, got = 0;

    for (int i = 0; i < READ_ATTEMPTS; i++) {
        if (fstat(fd, &st) != 0) {
            rv = errno;
            goto leave;
        }
        if (!S_ISREG(st.st_mode)) {
            rv = APR_EINVAL;
            goto leave;
        }
        if (st.st_size < 0 || (uintmax_t)st.st_size > limit || (uintmax_t)st.st_size >= SIZE_MAX) {
            rv = APR_ENOMEM;
            goto leave;
        }
        aw_file_identity(&before, &st);
        if (!buf || (size_t)st.st_size > room) {
            if (buf) {
                aw_wipe(buf, room);
            }
            room = (size_t)st.st_size;
            buf = apr_palloc(p, room + 1);
            if (!buf) {
                return APR_ENOMEM;
            }
        }
        rv = read_all(fd, buf, (size_t)st.st_size, &got);
        if (rv != APR_SUCCESS) {
            goto leave;
        }
        if (fstat(fd, &st) != 0) {
            rv = errno;
            goto leave;
        }
        aw_file_identity(&after, &st);
        if ((off_t)got == after.size && aw_file_id_equal(&before, &after)) {
            buf[got] = '\0';
            *content = (aw_span_t){buf, got};
            *id = after;
            return APR_SUCCESS;
        }
        rv = APR_EAGAIN;
    }
leave:
    if (buf) {
        aw_wipe(buf, room);
    }
    return rv;
}

apr_status_t aw_file_read(const char *path, size_t limit, aw_span_t *content, aw_file_id_t *id,
                          apr_pool_t *p)
{
    /* O_NONBLOCK: a FIFO in the file's place must not hold us until somebody writes to it. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0) {
        return errno;
    }
    const apr_status_t rv = aw_file_read_fd(fd, limit, content, id, p);

    close(fd);
    return rv;
}
