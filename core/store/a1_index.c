/* Writing and opening FILE.idx, the index of an A1 file that is made beforehand.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/a1_index.h"
#include "base/file_io.h"
#include "store/a1_layout.h"

#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Longer than the steps in which file systems count time: what is written after a file this old
 * was read gives the file another time, and the index, which is refused unless it is younger than
 * the file's last change, a later one. */
#define SETTLE_NS 20000000LL

/* How often a file that keeps changing is tried. */
#define ATTEMPTS 50

static const char foreign[] = "of another owner than root and this process";

void aw_a1_index_sign(aw_a1_header_t *head, const aw_file_id_t *text)
{
    head->text_size = (uint64_t)text->size;
    head->text_mtime_ns = text->mtime_ns;
    head->text_ino = (uint64_t)text->ino;
    head->checksum = aw_a1_checksum(head);
}

/* Whether a version was old enough when it was read for the next one to be told from it. A time
 * to come (another machine's clock) is not waited for. */
static bool has_settled(const aw_file_id_t *id)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    const long long age = now.tv_sec * 1000000000LL + now.tv_nsec - id->ctime_ns;

    return age < 0 || age >= SETTLE_NS;
}

/* Locks and reads the text. */
static apr_status_t open_text(aw_file_edit_t **edit, aw_span_t *text, const char *path,
                              const aw_a1_index_job_t *job, apr_pool_t *p)
{
    const struct timespec pause = {0, SETTLE_NS};

    for (int i = 0; i < ATTEMPTS; i++) {
        aw_file_id_t id;
        const apr_status_t rv =
            aw_file_open_edit(edit, text, path, false, job->timeout, job->waiting, job->baton, p);

        if (rv != APR_SUCCESS) {
            return rv;
        }
        aw_file_edit_id(*edit, &id);
        if (has_settled(&id)) {
            return APR_SUCCESS;
        }
        aw_file_abandon_edit(*edit);
        nanosleep(&pause, NULL);
    }
    return APR_EAGAIN;
}

/* Builds the table of a text that is locked, and writes it. */
static apr_status_t write_index(aw_file_edit_t *edit, aw_span_t text, const aw_a1_index_job_t *job,
                                size_t *users, aw_text_error_t *error)
{
    aw_a1_table_t *table = NULL;
    aw_file_id_t id;
    size_t file;
    apr_status_t rv = aw_a1_table_create(&table, &text, 1, job->userhash, job->key, &file, error);

    if (rv != APR_SUCCESS) {
        aw_file_abandon_edit(edit);
        return rv;
    }
    aw_a1_header_t head = table->head;
    const aw_span_t parts[] = {
        {(const char *)&head, sizeof(head)},
        {(const char *)table->block + sizeof(head), (size_t)table->head.size - sizeof(head)}};

    aw_file_edit_id(edit, &id);
    aw_a1_index_sign(&head, &id);
    rv = aw_file_commit_beside(edit, AW_A1_INDEX_SUFFIX, parts, 2);
    if (rv == APR_SUCCESS) {
        *users = aw_a1_table_users(table);
    }
    aw_a1_table_destroy(table);
    aw_wipe(&head, sizeof(head));
    return rv;
}

/* An allocator of its own: a text of a gigabyte must go back to the system, not stay in the
 * caller's pools. */
static apr_status_t create_scratch(apr_pool_t **scratch)
{
    apr_allocator_t *allocator;
    apr_status_t rv = apr_allocator_create(&allocator);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_pool_create_unmanaged_ex(scratch, NULL, allocator);
    if (rv != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return rv;
    }
    apr_allocator_owner_set(allocator, *scratch);
    return APR_SUCCESS;
}

apr_status_t aw_a1_index_write(size_t *users, const char **message, const char *path,
                               const aw_a1_index_job_t *job, apr_pool_t *p)
{
    aw_file_edit_t *edit = NULL;
    aw_span_t text = {NULL, 0};
    aw_text_error_t error = {0};
    apr_pool_t *scratch = NULL;
    size_t count = 0;
    char why[128];
    apr_status_t rv = create_scratch(&scratch);

    if (rv == APR_SUCCESS) {
        rv = open_text(&edit, &text, path, job, scratch);
        if (rv == APR_SUCCESS) {
            rv = write_index(edit, text, job, &count, &error);
        }
        apr_pool_destroy(scratch);
    }
    if (rv == APR_SUCCESS) {
        if (users) {
            *users = count;
        }
    } else if (rv == APR_EINVAL && error.line > 0) {
        *message = apr_psprintf(p, "%s:%lu:%lu: %s", path, (unsigned long)error.line,
                                (unsigned long)error.column, error.message);
    } else if (rv == APR_EINVAL) {
        *message = apr_psprintf(p, "%s: not a regular file", path);
    } else {
        *message = apr_psprintf(p, "%s: %s", path, apr_strerror(rv, why, sizeof(why)));
    }
    return rv;
}

/* Whether somebody may write to the index, who could cut it short while it is mapped, or may do
 * more with it than with the text. */
static const char *check_owner(const struct stat *index, const struct stat *text)
{
    if (!S_ISREG(index->st_mode)) {
        return "not a regular file";
    }
    if (index->st_uid != 0 && index->st_uid != geteuid()) {
        return foreign;
    }
    if (index->st_mode & 022) {
        return "open to others than its owner for writing";
    }
    if (index->st_mode & ~text->st_mode & 077 ||
        (index->st_gid != text->st_gid && index->st_mode & 070)) {
        return "open to more people than the file";
    }
    return NULL;
}

static const char *check_text(const aw_a1_table_t *table, const aw_file_id_t *text,
                              unsigned userhash)
{
    const aw_a1_header_t *head = &table->head;

    if (head->text_size != (uint64_t)text->size || head->text_mtime_ns != text->mtime_ns ||
        head->text_ino != (uint64_t)text->ino) {
        return "made for another version of the file";
    }
    if (userhash & ~aw_a1_table_userhash(table)) {
        return "made without the user hashes of an algorithm that is offered";
    }
    return NULL;
}

/* Maps an open index. */
static apr_status_t map_index(aw_a1_table_t **table, const char **why, int fd, size_t size)
{
    if (size < sizeof(aw_a1_header_t)) {
        *why = "cut short, or longer than it was made";
        return APR_EINVAL;
    }
    void *block = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

    if (block == MAP_FAILED) {
        return errno;
    }
    /* Lookups jump about: what lies beside a page that was read is of no use. */
    (void)madvise(block, size, MADV_RANDOM);
    const apr_status_t rv = aw_a1_table_adopt(table, why, block, size, true);

    if (rv != APR_SUCCESS) {
        munmap(block, size);
    }
    return rv;
}

apr_status_t aw_a1_index_open(aw_a1_table_t **table, const char **why, const char *index,
                              const char *path, const aw_file_id_t *text, unsigned userhash,
                              aw_file_id_t *id)
{
    aw_a1_table_t *fresh = NULL;
    const char *wrong = NULL;
    struct stat own, of_text;
    aw_file_id_t now;
    /* O_NONBLOCK: a FIFO must not hold us until somebody writes to it. */
    const int fd = open(index, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);

    if (fd < 0) {
        return errno;
    }
    apr_status_t rv = fstat(fd, &own) != 0 || stat(path, &of_text) != 0 ? errno : APR_SUCCESS;

    if (rv == APR_SUCCESS) {
        aw_file_identity(id, &own);
        wrong = check_owner(&own, &of_text);
        aw_file_identity(&now, &of_text);
        rv = wrong == foreign ? EPERM
             : wrong          ? APR_EINVAL
                              : map_index(&fresh, &wrong, fd, (size_t)own.st_size);
    }
    close(fd);
    if (rv == APR_SUCCESS) {
        wrong = check_text(fresh, text, userhash);
        /* The size and the time of a text can be made what they were; this one cannot. */
        if (!wrong && id->mtime_ns <= now.ctime_ns) {
            wrong = "older than the last change of the file, or of its owner, mode or name";
        }
        rv = wrong ? APR_EINVAL : APR_SUCCESS;
    }
    if (rv != APR_SUCCESS) {
        aw_a1_table_destroy(fresh);
        if (wrong) {
            *why = wrong;
        }
        return rv;
    }
    *table = fresh;
    return APR_SUCCESS;
}
