/* `authws cert check`: every mistake in certificate maps, by line, column and code point.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <apr_strings.h>
#include <stdio.h>

#include "cert.h"
#include "edit.h"
#include "store/a1.h"
#include "store/certmap.h"

/* The users of an A1 file: "user", and "user:realm", which no user name is. */
static int read_users(apr_hash_t **users, const char *path, apr_pool_t *p)
{
    aw_a1_reader_t reader;
    aw_a1_line_t line;
    aw_text_error_t error;
    aw_a1_line_e what;
    aw_span_t text;
    int rv = edit_read(path, &text, p);

    if (rv != EXIT_DONE) {
        return rv;
    }
    *users = apr_hash_make(p);
    aw_a1_reader_init(&reader, text);
    while ((what = aw_a1_reader_next(&reader, &line, NULL, &error)) != AW_A1_END) {
        if (what == AW_A1_BROKEN) {
            fprintf(stderr, "%s:%zu:%zu: %s\n", path, error.line, error.column, error.message);
            rv = EXIT_NOT_SO;
        } else if (what == AW_A1_LINE) {
            /* Both stand in the line just so. */
            apr_hash_set(*users, line.user.ptr, (apr_ssize_t)line.user.len, "");
            apr_hash_set(*users, line.user.ptr, (apr_ssize_t)(line.user.len + 1 + line.realm.len),
                         "");
        }
    }
    return rv;
}

static bool is_known(apr_hash_t *users, const aw_certmap_line_t *line, apr_pool_t *p)
{
    const char *key =
        line->realm_len > 0 ? apr_pstrcat(p, line->user, ":", line->realm, NULL) : line->user;

    return apr_hash_get(users, key, APR_HASH_KEY_STRING) != NULL;
}

/* Names the users that the A1 file does not know; how many. */
static size_t say_unknown(const char *path, aw_span_t text, apr_hash_t *users, apr_pool_t *p)
{
    aw_line_reader_t reader;
    aw_certmap_line_t line;
    aw_line_error_t error;
    size_t unknown = 0;
    aw_line_e what;

    aw_line_reader_init(&reader, text);
    while ((what = aw_certmap_next(&reader, &line, &error)) != AW_LINE_END) {
        if (what == AW_LINE_ENTRY && !is_known(users, &line, p)) {
            printf("%s:%zu:%zu: unknown user %s%s%s\n", path, line.number, line.user_column,
                   line.user, line.realm_len > 0 ? " in realm " : "", line.realm);
            unknown++;
        }
    }
    return unknown;
}

int cert_check_file(const char *path, apr_hash_t *users, bool to_stderr, apr_pool_t *p)
{
    edit_say_t say = {.path = path, .to_stderr = to_stderr};
    size_t unknown = 0;
    aw_span_t text;
    const int rv = edit_read(path, &text, p);

    if (rv != EXIT_DONE) {
        return rv;
    }
    const apr_status_t status = aw_certmap_check(text, edit_say, &say);

    if (status != APR_SUCCESS && status != APR_EINVAL) {
        return edit_failed(path, status);
    }
    if (users) {
        unknown = say_unknown(path, text, users, p);
    }
    edit_warn_mode(path, false);
    return say.count + unknown > 0 ? EXIT_NOT_SO : EXIT_DONE;
}

int cert_check(int argc, char **argv, apr_pool_t *p)
{
    apr_hash_t *users = NULL;
    cert_job_t job;
    int rv = EXIT_USAGE;

    if (!cert_options(&job, argc, argv, &rv)) {
        return rv;
    }
    if (job.count < 1) {
        complain("a map is wanted");
        return EXIT_USAGE;
    }
    rv = job.users ? read_users(&users, job.users, p) : EXIT_DONE;
    if (rv == EXIT_SYSTEM) {
        return rv;
    }
    for (int i = 0; i < job.count; i++) {
        const int one = cert_check_file(job.words[i], users, false, p);

        rv = one > rv ? one : rv;
    }
    if (fflush(stdout) != 0) {
        complain("the output could not be written");
        return EXIT_SYSTEM;
    }
    return rv;
}
