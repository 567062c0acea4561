/* authws-htdigest for one user: set, print, delete and verify.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "htdigest_file.h"
#include "password.h"

#include <errno.h>
#include <stdio.h>

#include "base/normal.h"
#include "digest/compute.h"
#include "store/a1_edit.h"

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
    case PASSWORD_NOT_UTF8:
        complain("the password is not valid UTF-8, which is what browsers send");
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
static int compute(const job_t *job, unsigned mask, aw_span_t password, aw_a1_value_t *value)
{
    value->present = 0;
    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        if (!(mask & (1u << a))) {
            continue;
        }
        const apr_status_t rv =
            aw_digest_a1((aw_alg_e)a, job->user, job->realm, password, value->hash[a]);

        if (rv != APR_SUCCESS) {
            complain("OpenSSL does not offer %s here; choose other algorithms with -a",
                     aw_alg_name((aw_alg_e)a));
            return EXIT_SYSTEM;
        }
        value->present |= 1u << a;
    }
    return EXIT_DONE;
}

/* Computes the values of a password in Normalization Form C, and where `typed` is not NULL those
 * of the password as it was typed: htdigest and old clients know no normalisation. */
static int compute_normal(const job_t *job, unsigned mask, const password_t *password,
                          aw_a1_value_t *value, aw_a1_value_t *typed, apr_pool_t *p)
{
    const aw_span_t given = password_span(password);
    aw_span_t normal = given;
    const apr_status_t status = aw_text_nfc(&normal, given, p);

    if (status == APR_EINVAL && !typed) {
        return password_error(PASSWORD_NOT_UTF8);
    }
    if (normal.len > PASSWORD_MAX) {
        file_wipe(normal);
        return password_error(PASSWORD_TOO_LONG);
    }
    int rv = compute(job, mask, normal, value);

    if (rv == EXIT_DONE && typed) {
        rv = compute(job, mask, given, typed);
    }
    if (normal.ptr != given.ptr) {
        file_wipe(normal);
    }
    return rv;
}

/* Asks for the password and computes its values; the password is gone afterwards. */
static int ask_values(const job_t *job, unsigned mask, aw_a1_value_t *value, aw_a1_value_t *typed,
                      apr_pool_t *p)
{
    password_t password = {.len = 0};
    const password_e got = get_password(job, &password);
    const int rv = got == PASSWORD_OK ? compute_normal(job, mask, &password, value, typed, p)
                                      : password_error(got);

    password_wipe(&password);
    return rv;
}

/* One user's change; with `value` NULL the user is removed. */
typedef struct change_t {
    const job_t *job;
    const aw_a1_value_t *value;
    bool existed; /* set: whether the user was there */
} change_t;

/* An edit_fn. */
static apr_status_t change_user(void *baton, aw_file_edit_t *file, aw_span_t text, apr_pool_t *p)
{
    change_t *change = baton;
    const job_t *job = change->job;
    aw_a1_edit_t edit;

    if (change->value) {
        aw_a1_edit_set(&edit, text, job->user, job->realm, change->value, p);
    } else {
        aw_a1_edit_remove(&edit, text, job->user, job->realm, p);
    }
    change->existed = edit.existed;
    if (!change->value && !edit.existed) {
        aw_file_abandon_edit(file);
        return APR_SUCCESS;
    }
    return aw_file_commit_edit(file, edit.parts, edit.count);
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
    char tagged[AW_A1_VALUE_TEXT_MAX];
    const int rv = file_read(job, job->file, &text, p);

    if (rv != EXIT_DONE) {
        return rv;
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
    file_wipe(text);
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

int run_set(const job_t *job, apr_pool_t *p)
{
    aw_a1_value_t value;
    change_t change = {job, &value, false};
    int rv = announce(job, p);

    if (rv == EXIT_DONE) {
        rv = ask_values(job, job->algorithms, &value, NULL, p);
    }
    if (rv == EXIT_DONE) {
        rv = file_edit(job, change_user, &change, p);
    }
    aw_wipe(&value, sizeof(value));
    return rv;
}

int run_print(const job_t *job, apr_pool_t *p)
{
    aw_a1_value_t value;
    int rv = ask_values(job, job->algorithms, &value, NULL, p);

    if (rv == EXIT_DONE) {
        fputs(aw_a1_lines_build(job->user, job->realm, &value, p), stdout);
    }
    aw_wipe(&value, sizeof(value));
    return rv;
}

/* The job with the names as they were typed: a file may hold them in that form, from htdigest or
 * an editor. False when that is the same. */
static bool as_typed(const job_t *job, job_t *typed)
{
    *typed = *job;
    typed->user = job->typed_user;
    typed->realm = job->typed_realm;
    return !aw_span_equal(job->user, typed->user) || !aw_span_equal(job->realm, typed->realm);
}

static int no_such_user(const job_t *job)
{
    complain("%s: no user %.*s in realm %.*s", job->file, SPAN(job->user), SPAN(job->realm));
    return EXIT_NOT_SO;
}

int run_delete(const job_t *job, apr_pool_t *p)
{
    job_t typed;
    change_t change = {job, NULL, false};
    int rv = file_edit(job, change_user, &change, p);

    if (rv == EXIT_DONE && !change.existed && as_typed(job, &typed)) {
        change.job = &typed;
        rv = file_edit(&typed, change_user, &change, p);
    }
    if (rv != EXIT_DONE) {
        return rv;
    }
    if (!change.existed) {
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

int run_verify(const job_t *job, apr_pool_t *p)
{
    aw_a1_value_t stored, given, raw;
    bool found = false;
    job_t typed;
    int rv = read_user(job, &found, &stored, p);

    if (rv == EXIT_DONE && !found && as_typed(job, &typed)) {
        job = &typed;
        rv = read_user(job, &found, &stored, p);
    }
    if (rv == EXIT_DONE && !found) {
        rv = no_such_user(job);
    }
    if (rv != EXIT_DONE) {
        goto leave;
    }
    rv = ask_values(job, stored.present, &given, &raw, p);
    if (rv != EXIT_DONE) {
        goto leave;
    }
    const bool right = compare(job, &stored, &given) || compare(job, &stored, &raw);

    printf("%s: the password of %.*s in realm %.*s is %s; algorithms:", job->file, SPAN(job->user),
           SPAN(job->realm), right ? "right" : "wrong");
    rv = right ? EXIT_DONE : EXIT_NOT_SO;
    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        if (stored.present & (1u << a)) {
            printf(" %s", aw_alg_name((aw_alg_e)a));
        }
    }
    putchar('\n');
leave:
    aw_wipe(&stored, sizeof(stored));
    aw_wipe(&given, sizeof(given));
    aw_wipe(&raw, sizeof(raw));
    return rv;
}
