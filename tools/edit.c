/* Reading and changing files for the authws program's jobs: under a lock, with words for failures.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "edit.h"

#include <apr_strings.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "authws.h"

/* How long another program's edit is waited for. */
#define LOCK_TIMEOUT apr_time_from_sec(60)

/* How often an edit is begun again because a program without the lock changed the file. */
#define ATTEMPTS 20

int edit_failed(const char *path, apr_status_t status)
{
    const char *hint = "";
    char why[200];

    if (status == APR_TIMEUP) {
        complain("%s: another program still has it locked; nothing was changed", path);
    } else if (status == APR_EAGAIN) {
        complain("%s: other programs keep changing it; nothing was changed", path);
    } else if (status == APR_EINVAL) {
        complain("%s: not a regular file", path);
    } else {
        if (status == ELOOP) {
            hint = " (or a symbolic link in the place of its .lock file)";
        } else if (status == APR_EEXIST) {
            hint = " (something that is no plain file has the name of its .lock file or of the new "
                   "version beside it)";
        } else if (APR_STATUS_IS_EACCES(status) || status == EPERM) {
            hint = " (a file that is changed is replaced by a new one of the same owner, so the "
                   "folder must be writable)";
        }
        complain("%s: %s%s", path, apr_strerror(status, why, sizeof(why)), hint);
    }
    return EXIT_SYSTEM;
}

int edit_read(const char *path, aw_span_t *text, apr_pool_t *p)
{
    aw_file_id_t id;
    const apr_status_t rv = aw_file_read(path, SIZE_MAX / 4, text, &id, p);

    return rv == APR_SUCCESS ? EXIT_DONE : edit_failed(path, rv);
}

/* An aw_file_wait_fn. */
static void say_waiting(void *baton, const char *path, apr_interval_time_t timeout)
{
    (void)baton;
    complain("%s: locked by another program, waiting up to %ld seconds", path,
             (long)apr_time_sec(timeout));
}

/* One attempt; *status is not APR_SUCCESS when the file could not be opened or replaced. */
static int edit_once(const char *path, bool create, edit_fn fn, void *baton, apr_status_t *status,
                     apr_pool_t *p)
{
    aw_line_edit_t edit = {NULL, 0, 0};
    aw_file_edit_t *file = NULL;
    aw_span_t text;

    *status = aw_file_open_edit(&file, &text, path, create, LOCK_TIMEOUT, say_waiting, NULL, p);
    if (*status != APR_SUCCESS) {
        return EXIT_SYSTEM;
    }
    const int rv = fn(baton, &edit, text, p);

    if (rv == EXIT_DONE) {
        *status = aw_file_commit_edit(file, edit.parts, edit.count);
    } else {
        aw_file_abandon_edit(file);
    }
    return rv;
}

int edit_file(const char *path, bool create, edit_fn fn, void *baton, apr_pool_t *p)
{
    apr_status_t status = APR_EAGAIN;
    int rv = EXIT_SYSTEM;

    for (int i = 0; i < ATTEMPTS && status == APR_EAGAIN; i++) {
        apr_pool_t *attempt = NULL;

        status = apr_pool_create(&attempt, p);
        if (status == APR_SUCCESS) {
            rv = edit_once(path, create, fn, baton, &status, attempt);
            apr_pool_destroy(attempt);
        }
    }
    return status == APR_SUCCESS ? rv : edit_failed(path, status);
}

void edit_say(void *baton, const aw_line_error_t *error)
{
    edit_say_t *say = baton;

    say->count++;
    fprintf(say->to_stderr ? stderr : stdout, "%s:%zu:%zu: %s\n", say->path, error->line,
            error->column, error->message);
}

void edit_warn_mode(const char *path, bool secret)
{
    aw_file_id_t id;
    mode_t mode = 0;

    if (aw_file_identify(path, &id, &mode) == APR_SUCCESS &&
        (mode & S_IWOTH || (secret && mode & S_IROTH))) {
        complain("%s: warning: mode %04o lets everybody %s it (chmod o= %s)", path, (unsigned)mode,
                 mode & S_IWOTH ? "change" : "read", path);
    }
}
