/* `authws token verify`, `list` and `report`: what is in a token file, never its hashes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "token.h"
#include "store/token_store.h"

/* --- verify --- */

/* Says what a token is; the exit status. */
static int say_verdict(const token_job_t *job, aw_token_verdict_e verdict,
                       const aw_token_entry_t *entry)
{
    char when[AW_TOKEN_EXPIRES_MAX];

    if (verdict == AW_TOKEN_FAILED) {
        complain("OpenSSL does not offer an algorithm that %s holds", job->file);
        return EXIT_SYSTEM;
    }
    if (verdict == AW_TOKEN_UNKNOWN) {
        puts("unknown");
        return EXIT_NOT_SO;
    }
    const aw_span_t subject = {entry->subject, entry->subject_len};

    if (job->subject.len > 0 && !aw_span_equal(job->subject, subject)) {
        puts("of another subject");
        return EXIT_NOT_SO;
    }
    aw_token_expires_build(when, entry->expires);
    printf("%s\t%s\t%s\t%s%s\n", verdict == AW_TOKEN_GOOD ? "good" : "expired", entry->subject,
           when[0] ? when : "never", aw_token_alg_name(entry->alg),
           aw_token_alg_is_weak(entry->alg) ? " (to be lifted)" : "");
    return verdict == AW_TOKEN_GOOD ? EXIT_DONE : EXIT_NOT_SO;
}

int token_verify(int argc, char **argv, apr_pool_t *p)
{
    password_t token = {.len = 0};
    aw_token_store_t *store = NULL;
    const char *message = NULL;
    aw_token_entry_t entry;
    token_job_t job;
    int rv = EXIT_USAGE;

    if (!token_options(&job, argc, argv, SUBJECT_MAY, &rv)) {
        return rv;
    }
    if (aw_token_store_open(&store, &message, &job.file, 1, NULL, p) != APR_SUCCESS) {
        complain("%s", message);
        return EXIT_SYSTEM;
    }
    rv = token_ask(&token, job.from_stdin);
    if (rv == EXIT_DONE) {
        const aw_token_verdict_e verdict =
            aw_token_store_find(store, password_span(&token), job.now, &entry);

        rv = say_verdict(&job, verdict, &entry);
        aw_wipe(entry.hash, sizeof(entry.hash));
    }
    password_wipe(&token);
    return rv;
}

/* --- list and report --- */

/* What a look through the file has found. */
typedef struct totals_t {
    size_t all;
    size_t by_alg[AW_TOKEN_ALG_COUNT];
    size_t expired;
    size_t weak; /* and not expired */
    bool lines;  /* every token gets a line; else those that are weak */
} totals_t;

static void note(totals_t *totals, const aw_token_line_t *line, const aw_token_value_t *value,
                 apr_time_t now)
{
    const bool expired = aw_token_is_expired(value->expires, now);
    const bool weak = aw_token_alg_is_weak(value->alg) && !expired;
    char when[AW_TOKEN_EXPIRES_MAX];

    totals->all++;
    totals->by_alg[value->alg]++;
    totals->expired += expired;
    totals->weak += weak;
    if (totals->lines) {
        aw_token_expires_build(when, value->expires);
        printf("%.*s\t%s\t%s%s\t%.*s\n", SPAN(line->subject), aw_token_alg_name(value->alg),
               when[0] ? when : "never", expired ? " (expired)" : "", SPAN(line->note));
    } else if (weak) {
        printf("%.*s\t%s\n", SPAN(line->subject), aw_token_alg_name(value->alg));
    }
}

/* Looks through the file; EXIT_NOT_SO when it has broken lines, which are said. */
static int look_through(const token_job_t *job, totals_t *totals, apr_pool_t *p)
{
    edit_say_t say = {.path = job->file, .to_stderr = true};
    aw_token_value_t value = {.expires = AW_TOKEN_NEVER};
    aw_line_reader_t reader;
    aw_token_line_t line;
    aw_line_error_t error;
    aw_line_e what;
    aw_span_t text;
    const int rv = edit_read(job->file, &text, p);

    if (rv != EXIT_DONE) {
        return rv;
    }
    aw_line_reader_init(&reader, text);
    while ((what = aw_token_next(&reader, &line, &value, &error)) != AW_LINE_END) {
        if (what == AW_LINE_ENTRY) {
            note(totals, &line, &value, job->now);
        }
    }
    aw_wipe(&value, sizeof(value));
    if (fflush(stdout) != 0) {
        complain("the output could not be written");
        return EXIT_SYSTEM;
    }
    edit_warn_mode(job->file, true);
    return aw_token_check(text, edit_say, &say) == APR_SUCCESS ? EXIT_DONE : EXIT_NOT_SO;
}

int token_list(int argc, char **argv, apr_pool_t *p)
{
    totals_t totals = {.lines = true};
    token_job_t job;
    int rv = EXIT_USAGE;

    if (!token_options(&job, argc, argv, SUBJECT_NONE, &rv)) {
        return rv;
    }
    return look_through(&job, &totals, p);
}

int token_report(int argc, char **argv, apr_pool_t *p)
{
    totals_t totals = {.lines = false};
    token_job_t job;
    int rv = EXIT_USAGE;

    if (!token_options(&job, argc, argv, SUBJECT_NONE, &rv)) {
        return rv;
    }
    rv = look_through(&job, &totals, p);
    if (rv == EXIT_SYSTEM) {
        return rv;
    }
    printf("# %zu tokens;", totals.all);
    for (unsigned a = 0; a < AW_TOKEN_ALG_COUNT; a++) {
        if (totals.by_alg[a] > 0) {
            printf(" %s %zu,", aw_token_alg_name((aw_token_alg_e)a), totals.by_alg[a]);
        }
    }
    printf(" expired %zu, to be lifted %zu\n", totals.expired, totals.weak);
    return totals.weak > 0 ? EXIT_NOT_SO : rv;
}
