/* What authws-htdigest does once its command line is understood.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "htdigest_run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/normal.h"
#include "store/a1.h"

void complain(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fputs("authws-htdigest: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
}

/* Brings a name that has been checked into Normalization Form C, which may make it too long. */
static int normalise(aw_span_t *name, const char *what, apr_pool_t *p)
{
    aw_text_error_t error;

    if (name->len > 0 &&
        (aw_text_nfc(name, *name, p) != APR_SUCCESS || !aw_a1_name_check(*name, &error))) {
        complain("%s: it has no Normalization Form C that could be stored", what);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

static int normalise_names(job_t *job, apr_pool_t *p)
{
    job->typed_realm = job->realm;
    job->typed_user = job->user;
    job->only_nfc = job->only;
    int rv = normalise(&job->realm, "realm", p);

    if (rv == EXIT_DONE) {
        rv = normalise(&job->user, "user name", p);
    }
    return rv == EXIT_DONE ? normalise(&job->only_nfc, "--realm", p) : rv;
}

int job_run(job_t *job, apr_pool_t *p)
{
    static int (*const actions[])(const job_t *, apr_pool_t *) = {
        [ACTION_SET] = run_set,       [ACTION_PRINT] = run_print, [ACTION_DELETE] = run_delete,
        [ACTION_VERIFY] = run_verify, [ACTION_CHECK] = run_check, [ACTION_IMPORT] = run_import,
        [ACTION_MERGE] = run_merge,   [ACTION_LIST] = run_list,   [ACTION_REPORT] = run_report,
        [ACTION_INDEX] = run_index,
    };
    int rv = normalise_names(job, p);

    if (rv == EXIT_DONE) {
        rv = actions[job->action](job, p);
    }
    if (fflush(stdout) != 0) {
        complain("standard output: %s", strerror(errno));
        return EXIT_SYSTEM;
    }
    return rv;
}
