/* What authws-htdigest does once its command line is understood.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "htdigest_run.h"
#include "password.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "digest/compute.h"
#include "store/a1_edit.h"

/* How long another program's edit is waited for. */
#define LOCK_TIMEOUT apr_time_from_sec(60)

/* How often an edit is begun again because a program without the lock changed the file. */
#define EDIT_ATTEMPTS 20

#define FILE_LIMIT (SIZE_MAX / 4)

/* A span as printf's "%.*s" wants it; names are at most 1,024 bytes. */
#define SPAN(s) (int)(s).len, (s).ptr

void complain(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fputs("authws-htdigest: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
}

/* Says why a file could not be read or replaced. */
static int file_error(const char *file, apr_status_t status)
{
    char why[200];
    const char *hint = "";

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
    } else if (APR_STATUS_IS_EACCES(status) || status == EPERM) {
        hint = " (it is replaced by a new file of the same owner, so the folder must be writable)";
    } else if (APR_STATUS_IS_ENOENT(status)) {
        hint = " (-c creates a new file)";
    }
    complain("%s: %s%s", file, why, hint);
    return EXIT_SYSTEM;
}

static int password_error(password_e what)
{
    switch (what) {
    case PASSWORD_MISMATCH:
        complain("the two passwords don't match; nothing was changed");
        return EXIT_NOT_SO;
    case PASSWORD_NONE:
        complain("no password given");
        return EXIT_USAGE;
    case PASSWORD_EMPTY:
        complain("an empty password is refused");
        return EXIT_USAGE;
    case PASSWORD_TOO_LONG:
        complain("a password longer than %d bytes is refused", PASSWORD_MAX);
        return EXIT_USAGE;
    case PASSWORD_NUL:
        complain("a password with a NUL byte is refused");
        return EXIT_USAGE;
    case PASSWORD_NO_TERMINAL:
        complain("no terminal to ask for the password; -i reads it from standard input");
        return EXIT_SYSTEM;
    case PASSWORD_OK:
    case PASSWORD_ERROR:
        break;
    }
    complain("the password cannot be read: %s", strerror(errno));
    return EXIT_SYSTEM;
}

static password_e get_password(const job_t *job, password_t *password)
{
    if (job->from_stdin) {
        return password_from_stdin(password);
    }
    if (job->action == ACTION_VERIFY) {
        return password_from_terminal(password, "Password: ", NULL);
    }
    return password_from_terminal(password, "New password: ", "Re-type new password: ");
}

/* The A1 values of a password, for the algorithms in `mask`. */
static int compute(const job_t *job, unsigned mask, const password_t *password,
                   aw_a1_value_t *value)
{
    value->present = 0;
    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        if (!(mask & (1u << a))) {
            continue;
        }
        const apr_status_t rv = aw_digest_a1((aw_alg_e)a, job->user, job->realm,
                                             password_span(password), value->hash[a]);

        if (rv != APR_SUCCESS) {
            complain("OpenSSL does not offer %s here; choose other algorithms with -a",
                     aw_alg_name((aw_alg_e)a));
            return EXIT_SYSTEM;
        }
        value->present |= 1u << a;
    }
    return EXIT_DONE;
}

/* Asks for the password and computes its values; the password is gone afterwards. */
static int ask_values(const job_t *job, unsigned mask, aw_a1_value_t *value)
{
    password_t password = {.len = 0};
    const password_e got = get_password(job, &password);
    const int rv = got == PASSWORD_OK ? compute(job, mask, &password, value) : password_error(got);

    password_wipe(&password);
    return rv;
}

/* Writes each broken line to `out`; returns how many there are. */
static size_t report_broken(FILE *out, const char *file, aw_span_t text)
{
    aw_a1_reader_t reader;
    aw_a1_line_t line;
    aw_text_error_t error;
    aw_a1_line_e what;
    size_t broken = 0;

    aw_a1_reader_init(&reader, text);
    while ((what = aw_a1_reader_next(&reader, &line, NULL, &error)) != AW_A1_END) {
        if (what == AW_A1_BROKEN) {
            fprintf(out, "%s:%zu:%zu: %s\n", file, error.line, error.column, error.message);
            broken++;
        }
    }
    return broken;
}

static void warn_mode(const char *file)
{
    aw_file_id_t id;
    mode_t mode = 0;

    if (aw_file_identify(file, &id, &mode) == APR_SUCCESS && mode & (S_IROTH | S_IWOTH)) {
        complain("%s: warning: mode %04o lets everybody %s it; its hashes are as good as "
                 "passwords (chmod o= %s)",
                 file, (unsigned)mode, mode & S_IWOTH ? "change" : "read", file);
    }
}

static int run_check(const char *file, FILE *out, apr_pool_t *p)
{
    aw_span_t text;
    aw_file_id_t id;
    const apr_status_t rv = aw_file_read(file, FILE_LIMIT, &text, &id, p);

    if (rv != APR_SUCCESS) {
        return file_error(file, rv);
    }
    const size_t broken = report_broken(out, file, text);

    aw_wipe((char *)(uintptr_t)text.ptr, text.len);
    warn_mode(file);
    return broken > 0 ? EXIT_NOT_SO : EXIT_DONE;
}

static void say_waiting(void *baton, const char *path, apr_interval_time_t timeout)
{
    (void)baton;
    complain("%s: locked by another program, waiting up to %ld seconds", path,
             (long)apr_time_sec(timeout));
}

/* One attempt: with `value` NULL the user is removed. *existed: whether the user was there. */
static apr_status_t edit_once(const job_t *job, const aw_a1_value_t *value, bool *existed,
                              apr_pool_t *p)
{
    aw_file_edit_t *file = NULL;
    aw_span_t text;
    aw_a1_edit_t edit;
    const apr_status_t rv =
        aw_file_open_edit(&file, &text, job->file, job->create, LOCK_TIMEOUT, say_waiting, NULL, p);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (job->create) {
        text.len = 0;
    }
    if (value) {
        aw_a1_edit_set(&edit, text, job->user, job->realm, value, p);
    } else {
        aw_a1_edit_remove(&edit, text, job->user, job->realm, p);
    }
    *existed = edit.existed;
    if (!value && !edit.existed) {
        aw_file_abandon_edit(file);
        return APR_SUCCESS;
    }
    return aw_file_commit_edit(file, edit.parts, edit.count);
}

static int edit_file(const job_t *job, const aw_a1_value_t *value, bool *existed, apr_pool_t *p)
{
    apr_status_t rv = APR_EAGAIN;

    for (int i = 0; i < EDIT_ATTEMPTS && rv == APR_EAGAIN; i++) {
        apr_pool_t *attempt = NULL;

        rv = apr_pool_create(&attempt, p);
        if (rv == APR_SUCCESS) {
            rv = edit_once(job, value, existed, attempt);
            apr_pool_destroy(attempt);
        }
    }
    if (rv != APR_SUCCESS) {
        return file_error(job->file, rv);
    }
    /* Mistakes elsewhere keep a server from taking the edit up: better said now. */
    run_check(job->file, stderr, p);
    return EXIT_DONE;
}

/* Reads what the file has about the user. */
static int read_user(const job_t *job, bool *found, aw_a1_value_t *value, apr_pool_t *p)
{
    aw_a1_reader_t reader;
    aw_a1_line_t line;
    aw_a1_value_t one;
    aw_text_error_t error;
    aw_a1_line_e what;
    aw_span_t text, part;
    aw_file_id_t id;
    char tagged[AW_A1_VALUE_TEXT_MAX];
    const apr_status_t rv = aw_file_read(job->file, FILE_LIMIT, &text, &id, p);

    if (rv != APR_SUCCESS) {
        return file_error(job->file, rv);
    }
    *found = false;
    value->present = 0;
    aw_a1_reader_init(&reader, text);
    while ((what = aw_a1_reader_next(&reader, &line, &one, &error)) != AW_A1_END) {
        if (what == AW_A1_LINE && aw_span_equal(line.user, job->user) &&
            aw_span_equal(line.realm, job->realm)) {
            *found = true;
            part = (aw_span_t){tagged, aw_a1_value_build(tagged, &one, one.present)};
            aw_a1_value_parse(value, part, &error);
        }
    }
    aw_wipe((char *)(uintptr_t)text.ptr, text.len);
    aw_wipe(&one, sizeof(one));
    aw_wipe(tagged, sizeof(tagged));
    return EXIT_DONE;
}

/* Announces what is going to happen, as htdigest does, before the password is asked for: who
 * mistyped the file's name should not have to type a password first. */
static int announce(const job_t *job, apr_pool_t *p)
{
    aw_a1_value_t value;
    aw_file_id_t id;
    bool found = false;

    if (job->create) {
        if (aw_file_identify(job->file, &id, NULL) == APR_SUCCESS) {
            complain("%s: exists; it is replaced by a new file with this user alone", job->file);
        }
        fprintf(stderr, "Adding password for %.*s in realm %.*s.\n", SPAN(job->user),
                SPAN(job->realm));
        return EXIT_DONE;
    }
    const int rv = read_user(job, &found, &value, p);

    aw_wipe(&value, sizeof(value));
    if (rv == EXIT_DONE) {
        fprintf(stderr,
                found ? "Changing password for user %.*s in realm %.*s\n"
                      : "Adding user %.*s in realm %.*s\n",
                SPAN(job->user), SPAN(job->realm));
    }
    return rv;
}

static int run_set(const job_t *job, apr_pool_t *p)
{
    aw_a1_value_t value;
    bool existed = false;
    int rv = announce(job, p);

    if (rv == EXIT_DONE) {
        rv = ask_values(job, job->algorithms, &value);
    }
    if (rv == EXIT_DONE) {
        rv = edit_file(job, &value, &existed, p);
    }
    aw_wipe(&value, sizeof(value));
    return rv;
}

static int run_print(const job_t *job, apr_pool_t *p)
{
    aw_a1_value_t value;
    int rv = ask_values(job, job->algorithms, &value);

    if (rv == EXIT_DONE) {
        fputs(aw_a1_lines_build(job->user, job->realm, &value, p), stdout);
    }
    aw_wipe(&value, sizeof(value));
    return rv;
}

static int no_such_user(const job_t *job)
{
    complain("%s: no user %.*s in realm %.*s", job->file, SPAN(job->user), SPAN(job->realm));
    return EXIT_NOT_SO;
}

static int run_delete(const job_t *job, apr_pool_t *p)
{
    bool existed = false;
    const int rv = edit_file(job, NULL, &existed, p);

    if (rv != EXIT_DONE) {
        return rv;
    }
    if (!existed) {
        return no_such_user(job);
    }
    fprintf(stderr, "Deleting user %.*s in realm %.*s\n", SPAN(job->user), SPAN(job->realm));
    return EXIT_DONE;
}

/* Compares all values, so that a user whom htdigest gave a new MD5 beside an old SHA-256 is
 * noticed; the strongest decides. */
static bool compare(const job_t *job, const aw_a1_value_t *stored, const aw_a1_value_t *given)
{
    const aw_alg_e strongest = aw_a1_value_strongest(stored);
    bool right = false, same = false;
    char differs[200];
    size_t len = 0;

    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        if (!(stored->present & (1u << a))) {
            continue;
        }
        same = aw_equal_secret(stored->hash[a], given->hash[a], aw_alg_size((aw_alg_e)a));
        if (!same && len < sizeof(differs)) {
            const int n = snprintf(differs + len, sizeof(differs) - len, "%s%s",
                                   len > 0 ? ", " : "", aw_alg_name((aw_alg_e)a));

            len += n > 0 ? (size_t)n : 0;
        }
        right = a == (unsigned)strongest ? same : right;
    }
    if (right && len > 0) {
        complain("%s: warning: %s of user %.*s in realm %.*s is of another password", job->file,
                 differs, SPAN(job->user), SPAN(job->realm));
    }
    return right;
}

static int run_verify(const job_t *job, apr_pool_t *p)
{
    aw_a1_value_t stored, given;
    bool found = false;
    int rv = read_user(job, &found, &stored, p);

    if (rv == EXIT_DONE && !found) {
        rv = no_such_user(job);
    }
    if (rv != EXIT_DONE) {
        goto leave;
    }
    rv = ask_values(job, stored.present, &given);
    if (rv != EXIT_DONE) {
        goto leave;
    }
    if (compare(job, &stored, &given)) {
        printf("%s: the password of %.*s in realm %.*s is right; algorithms:", job->file,
               SPAN(job->user), SPAN(job->realm));
    } else {
        rv = EXIT_NOT_SO;
        printf("%s: the password of %.*s in realm %.*s is wrong; algorithms:", job->file,
               SPAN(job->user), SPAN(job->realm));
    }
    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        if (stored.present & (1u << a)) {
            printf(" %s", aw_alg_name((aw_alg_e)a));
        }
    }
    putchar('\n');
leave:
    aw_wipe(&stored, sizeof(stored));
    aw_wipe(&given, sizeof(given));
    return rv;
}

int job_run(const job_t *job, apr_pool_t *p)
{
    int rv = EXIT_SYSTEM;

    switch (job->action) {
    case ACTION_SET:
        rv = run_set(job, p);
        break;
    case ACTION_PRINT:
        rv = run_print(job, p);
        break;
    case ACTION_DELETE:
        rv = run_delete(job, p);
        break;
    case ACTION_VERIFY:
        rv = run_verify(job, p);
        break;
    case ACTION_CHECK:
        rv = run_check(job->file, stdout, p);
        break;
    }
    if (fflush(stdout) != 0) {
        complain("standard output: %s", strerror(errno));
        return EXIT_SYSTEM;
    }
    return rv;
}
