/* authws-htdigest --check, --list and --report: what is in a file, never its hashes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "htdigest_bulk.h"

#include <apr_hash.h>
#include <apr_strings.h>

#include "base/normal.h"

/* "MD5,SHA-256" for a mask. */
static void say_algorithms(FILE *out, unsigned mask)
{
    const char *comma = "";

    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        if (mask & (1u << a)) {
            fprintf(out, "%s%s", comma, aw_alg_name((aw_alg_e)a));
            comma = ",";
        }
    }
}

/* What a look through the file is for. */
typedef struct look_t {
    const job_t *job;
    aw_a1_users_t *users;
    FILE *broken_to; /* where broken lines are named */
    bool warn;       /* of what is odd, but not broken */
    size_t broken;
    apr_pool_t *p; /* for one line */
} look_t;

static void warn_of_form(const look_t *look, const aw_a1_line_t *line, aw_span_t name,
                         const char *what)
{
    aw_span_t nfc = name;

    if (aw_text_nfc(&nfc, name, look->p) == APR_SUCCESS && nfc.ptr != name.ptr) {
        complain("%s:%zu:%zu: warning: the %s is not in Normalization Form C; who types it is not "
                 "found",
                 look->job->file, line->number, (size_t)(name.ptr - line->whole.ptr) + 1, what);
        apr_pool_clear(look->p);
    }
}

/* Notes one user's line, and warns of what a server would read but an administrator not mean. */
static apr_status_t note(look_t *look, const aw_a1_line_t *line, unsigned mask)
{
    unsigned before = 0;
    const apr_status_t rv = aw_a1_users_note(look->users, line->user, line->realm, mask, &before);

    if (rv != APR_SUCCESS || !look->warn) {
        return rv;
    }
    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        if (before & mask & (1u << a)) {
            complain("%s:%zu: warning: user %.*s in realm %.*s has %s in a line before too; this "
                     "later one counts here, the first one for mod_auth_digest",
                     look->job->file, line->number, SPAN(line->user), SPAN(line->realm),
                     aw_alg_name((aw_alg_e)a));
        }
    }
    warn_of_form(look, line, line->user, "user name");
    warn_of_form(look, line, line->realm, "realm");
    return APR_SUCCESS;
}

static int look_at_text(look_t *look, aw_span_t text)
{
    aw_a1_reader_t reader;
    aw_a1_line_t line;
    aw_a1_value_t value;
    aw_text_error_t error;
    aw_a1_line_e what;
    apr_status_t rv = APR_SUCCESS;

    aw_a1_reader_init(&reader, text);
    while (rv == APR_SUCCESS &&
           (what = aw_a1_reader_next(&reader, &line, &value, &error)) != AW_A1_END) {
        if (what == AW_A1_BROKEN) {
            file_say_broken(look->broken_to, look->job->file, &error);
            look->broken++;
        } else if (what == AW_A1_LINE && file_wants(look->job, line.realm)) {
            rv = note(look, &line, value.present);
        }
    }
    aw_wipe(&value, sizeof(value));
    return rv == APR_SUCCESS ? EXIT_DONE : no_memory();
}

/* Reads the file and notes its users; EXIT_DONE, or it has been said why not. */
static int look_through(look_t *look, apr_pool_t *p)
{
    aw_span_t text;
    int rv = users_create(&look->users);

    if (rv == EXIT_DONE && apr_pool_create(&look->p, p) != APR_SUCCESS) {
        rv = no_memory();
    }
    if (rv == EXIT_DONE) {
        rv = file_read(look->job, look->job->file, &text, p);
    }
    if (rv == EXIT_DONE) {
        rv = look_at_text(look, text);
        file_wipe(text);
    }
    return rv;
}

int run_check(const job_t *job, apr_pool_t *p)
{
    look_t look = {.job = job, .broken_to = stdout, .warn = true};
    const int rv = look_through(&look, p);

    if (rv == EXIT_DONE) {
        file_warn_mode(job->file);
    }
    aw_a1_users_destroy(look.users);
    return rv == EXIT_DONE && look.broken > 0 ? EXIT_NOT_SO : rv;
}

/* An aw_a1_users_fn. */
static bool list_user(void *baton, aw_span_t user, aw_span_t realm, unsigned present)
{
    FILE *out = baton;

    fprintf(out, "%.*s\t%.*s\t", SPAN(user), SPAN(realm));
    say_algorithms(out, present);
    return fputc('\n', out) != EOF;
}

int run_list(const job_t *job, apr_pool_t *p)
{
    look_t look = {.job = job, .broken_to = stderr};
    const int rv = look_through(&look, p);

    if (rv == EXIT_DONE) {
        aw_a1_users_each(look.users, list_user, stdout);
    }
    aw_a1_users_destroy(look.users);
    return rv == EXIT_DONE && look.broken > 0 ? EXIT_NOT_SO : rv;
}

/* What a realm has. */
typedef struct realm_t {
    aw_span_t name;
    size_t users;
    size_t lacking; /* of these, without one of the algorithms asked for */
    size_t with[AW_ALG_COUNT];
    struct realm_t *next; /* in the order they came */
} realm_t;

typedef struct report_t {
    unsigned wanted;
    apr_hash_t *realms;
    realm_t *first, **last;
    size_t lacking;
    apr_pool_t *p;
} report_t;

/* An aw_a1_users_fn. */
static bool count_user(void *baton, aw_span_t user, aw_span_t name, unsigned present)
{
    report_t *report = baton;
    realm_t *realm = apr_hash_get(report->realms, name.ptr, (apr_ssize_t)name.len);

    (void)user;
    if (!realm) {
        realm = apr_pcalloc(report->p, sizeof(*realm));
        realm->name = name;
        *report->last = realm;
        report->last = &realm->next;
        apr_hash_set(report->realms, name.ptr, (apr_ssize_t)name.len, realm);
    }
    realm->users++;
    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        realm->with[a] += present >> a & 1;
    }
    if (report->wanted & ~present) {
        realm->lacking++;
        report->lacking++;
    }
    return true;
}

/* An aw_a1_users_fn. */
static bool say_lacking(void *baton, aw_span_t user, aw_span_t realm, unsigned present)
{
    const report_t *report = baton;
    const unsigned lacks = report->wanted & ~present;

    if (lacks) {
        printf("%.*s\t%.*s\t", SPAN(user), SPAN(realm));
        say_algorithms(stdout, lacks);
        return putchar('\n') != EOF;
    }
    return true;
}

static void say_realm(const realm_t *realm, unsigned wanted)
{
    printf("# %.*s: %zu users;", SPAN(realm->name), realm->users);
    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        if (realm->with[a] > 0 || wanted & (1u << a)) {
            printf(" %s %zu,", aw_alg_name((aw_alg_e)a), realm->with[a]);
        }
    }
    printf(" lacking one of ");
    say_algorithms(stdout, wanted);
    printf(": %zu\n", realm->lacking);
}

int run_report(const job_t *job, apr_pool_t *p)
{
    look_t look = {.job = job, .broken_to = stderr};
    report_t report = {.wanted = job->algorithms, .p = p};
    int rv = look_through(&look, p);

    if (rv == EXIT_DONE) {
        report.realms = apr_hash_make(p);
        report.last = &report.first;
        aw_a1_users_each(look.users, count_user, &report);
        if (!report.first) {
            complain("no user%s%.*s in %s", job->only.len > 0 ? " of realm " : "", SPAN(job->only),
                     job->file);
        }
        for (const realm_t *realm = report.first; realm; realm = realm->next) {
            say_realm(realm, report.wanted);
        }
        aw_a1_users_each(look.users, say_lacking, &report);
        rv = report.lacking > 0 || look.broken > 0 || !report.first ? EXIT_NOT_SO : EXIT_DONE;
    }
    aw_a1_users_destroy(look.users);
    return rv;
}
