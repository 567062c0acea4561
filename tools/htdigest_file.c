/* The A1 file that authws-htdigest works on: reading, checking and replacing it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "htdigest_file.h"

#include <apr_strings.h>
#include <errno.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

/* How often an edit is begun again because a program without the lock changed the file. */
#define EDIT_ATTEMPTS 20

#define FILE_LIMIT (SIZE_MAX / 4)

/* Whether -c would have helped: the file is to be written, and its folder is there. */
static bool could_create(const job_t *job, const char *file)
{
    const bool writes =
        job->action == ACTION_SET || job->action == ACTION_IMPORT || job->action == ACTION_MERGE;
    const char *slash = strrchr(file, '/');
    char folder[4096];

    if (!writes || job->create || file != job->file) {
        return false;
    }
    if (!slash) {
        return true;
    }
    const size_t len = slash == file ? 1 : (size_t)(slash - file);

    if (len >= sizeof(folder)) {
        return false;
    }
    memcpy(folder, file, len);
    folder[len] = '\0';
    return access(folder, F_OK) == 0;
}

int file_error(const job_t *job, const char *file, apr_status_t status)
{
    char why[200];
    const char *hint = "";
    struct stat st;

    apr_strerror(status, why, sizeof(why));
    if (status == APR_TIMEUP) {
        complain("%s: another program still has it locked; nothing was changed", file);
        return EXIT_SYSTEM;
    }
    if (status == APR_EAGAIN) {
        complain("%s: other programs keep changing it; nothing was changed", file);
        return EXIT_SYSTEM;
    }
    if (status == APR_EINVAL) {
        complain("%s: not a regular file", file);
        return EXIT_SYSTEM;
    }
    if (status == ELOOP) {
        hint = " (or a symbolic link in the place of its .lock file)";
    } else if (status == APR_EEXIST) {
        hint = " (something that is no plain file has the name of its .lock file or of the new "
               "version beside it)";
    } else if (status == EPERM && lstat(file, &st) == 0 && S_ISLNK(st.st_mode)) {
        hint = " (a symbolic link of another user is not followed: name the file that it leads to, "
               "or let root own the link)";
    } else if (APR_STATUS_IS_EACCES(status) || status == EPERM) {
        hint = " (it is replaced by a new file of the same owner, so the folder must be writable)";
    } else if (APR_STATUS_IS_ENOENT(status) && could_create(job, file)) {
        hint = " (-c creates a new file)";
    }
    complain("%s: %s%s", file, why, hint);
    return EXIT_SYSTEM;
}

int file_read(const job_t *job, const char *file, aw_span_t *text, apr_pool_t *p)
{
    aw_file_id_t id;
    const apr_status_t rv = aw_file_read(file, FILE_LIMIT, text, &id, p);

    return rv == APR_SUCCESS ? EXIT_DONE : file_error(job, file, rv);
}

void file_wipe(aw_span_t text)
{
    aw_wipe((char *)(uintptr_t)text.ptr, text.len);
}

void file_say_broken(FILE *out, const char *file, const aw_text_error_t *error)
{
    fprintf(out, "%s:%zu:%zu: %s\n", file, error->line, error->column, error->message);
}

void file_warn_mode(const char *file)
{
    aw_file_id_t id;
    mode_t mode = 0;

    if (aw_file_identify(file, &id, &mode) == APR_SUCCESS && mode & (S_IROTH | S_IWOTH)) {
        complain("%s: warning: mode %04o lets everybody %s it; its hashes are as good as "
                 "passwords (chmod o= %s)",
                 file, (unsigned)mode, mode & S_IWOTH ? "change" : "read", file);
    }
}

void file_say_waiting(void *baton, const char *path, apr_interval_time_t timeout)
{
    (void)baton;
    complain("%s: locked by another program, waiting up to %ld seconds", path,
             (long)apr_time_sec(timeout));
}

bool file_wants(const job_t *job, aw_span_t realm)
{
    return job->only.len == 0 || aw_span_equal(realm, job->only) ||
           aw_span_equal(realm, job->only_nfc);
}

/* Mistakes anywhere keep a server from taking an edit up: better said now. */
static void say_mistakes(const job_t *job, apr_pool_t *p)
{
    aw_a1_reader_t reader;
    aw_a1_line_t line;
    aw_text_error_t error;
    aw_a1_line_e what;
    aw_span_t text;

    if (file_read(job, job->file, &text, p) != EXIT_DONE) {
        return;
    }
    aw_a1_reader_init(&reader, text);
    while ((what = aw_a1_reader_next(&reader, &line, NULL, &error)) != AW_A1_END) {
        if (what == AW_A1_BROKEN) {
            file_say_broken(stderr, job->file, &error);
        }
    }
    file_wipe(text);
    file_warn_mode(job->file);
}

static apr_status_t edit_once(const job_t *job, edit_fn edit, void *baton, apr_pool_t *p)
{
    aw_file_edit_t *file = NULL;
    aw_span_t text;
    const apr_status_t rv = aw_file_open_edit(&file, &text, job->file, job->create, LOCK_TIMEOUT,
                                              file_say_waiting, NULL, p);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (job->create) {
        text.len = 0;
    }
    return edit(baton, file, text, p);
}

int file_edit(const job_t *job, edit_fn edit, void *baton, apr_pool_t *p)
{
    apr_status_t rv = APR_EAGAIN;

    for (int i = 0; i < EDIT_ATTEMPTS && rv == APR_EAGAIN; i++) {
        apr_pool_t *attempt = NULL;

        rv = apr_pool_create(&attempt, p);
        if (rv == APR_SUCCESS) {
            rv = edit_once(job, edit, baton, attempt);
            apr_pool_destroy(attempt);
        }
    }
    if (rv != APR_SUCCESS) {
        return file_error(job, job->file, rv);
    }
    say_mistakes(job, p);
    return EXIT_DONE;
}
