/* `authws cert add` and `list`: the lines of certificate maps.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cert.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "edit.h"
#include "store/certname.h"
#include "store/token.h"

static const char help[] =
    "Usage: authws cert add --from CERT.PEM MAPFILE USER [REALM]\n"
    "       authws cert check [--users A1FILE] MAPFILE...\n"
    "       authws cert list MAPFILE...\n"
    "\n"
    "  add      puts the certificate's SHA-256 fingerprint and the user in the map; a line that\n"
    "           the certificate has for the same realm is replaced\n"
    "  check    names every mistake by line, column and code point\n"
    "  list     fingerprints, users and realms\n"
    "\n"
    "  --from CERT.PEM   the certificate, PEM or DER\n"
    "  --users A1FILE    every user must stand in this file, in the line's realm if it has one\n"
    "\n"
    "Exit status: 0 done, 1 not so, 2 bad usage, 3 file or system error.\n";

bool cert_options(cert_job_t *job, int argc, char **argv, int *rv)
{
    static const struct option options[] = {{"from", required_argument, NULL, 'f'},
                                            {"users", required_argument, NULL, 'u'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int c;

    *job = (cert_job_t){.from = NULL};
    *rv = EXIT_USAGE;
    optind = 1;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'h') {
            fputs(help, stdout);
            *rv = EXIT_DONE;
            return false;
        }
        if (c == 'f' && strcmp(argv[0], "add") == 0) {
            job->from = optarg;
        } else if (c == 'u' && strcmp(argv[0], "check") == 0) {
            job->users = optarg;
        } else {
            if (c != '?') {
                complain("cert %s does not take this option", argv[0]);
            }
            return false;
        }
    }
    job->words = (const char *const *)argv + optind;
    job->count = argc - optind;
    return true;
}

/* --- add --- */

typedef struct adding_t {
    const cert_job_t *job;
    const aw_fingerprints_t *prints;
    aw_span_t user, realm;
    size_t before;
} adding_t;

/* An edit_fn. */
static int add_to(void *baton, aw_line_edit_t *edit, aw_span_t text, apr_pool_t *p)
{
    adding_t *adding = baton;
    aw_line_error_t error;

    if (aw_certmap_edit_set(edit, text, adding->prints, adding->user, adding->realm, &error, p) !=
        APR_SUCCESS) {
        complain("the name cannot stand in a certificate map: character %zu: %s", error.column,
                 error.message);
        return EXIT_USAGE;
    }
    adding->before = edit->entries;
    return EXIT_DONE;
}

/* Says which certificate it is, and what speaks against it. */
static void say_certificate(const char *path, const aw_cert_t *cert, apr_pool_t *p)
{
    const aw_cert_time_e when = aw_cert_time(cert, apr_time_now());
    char until[AW_TOKEN_EXPIRES_MAX] = "";
    const aw_span_t *names = NULL;
    apr_time_t expires = 0;
    const char *why = NULL;
    size_t count = 0;

    if (aw_cert_expires(cert, &expires)) {
        aw_token_expires_build(until, expires);
    }
    if (aw_cert_names(&names, &count, &why, cert, AW_CERTNAME_DN, p) == APR_SUCCESS) {
        fprintf(stderr, "%s: %.*s, good until %s\n", path, SPAN(names[0]), until);
    }
    if (when == AW_CERT_EXPIRED) {
        complain("%s: warning: the certificate has expired (%s)", path, until);
    } else if (when == AW_CERT_NOT_YET) {
        complain("%s: warning: the certificate is not good yet", path);
    } else if (when == AW_CERT_NO_TIME) {
        complain("%s: warning: the certificate's dates are broken; no server will take it", path);
    }
    if (why) {
        complain("%s: warning: %s", path, why);
    }
}

int cert_add(int argc, char **argv, apr_pool_t *p)
{
    aw_cert_t *cert = NULL;
    cert_job_t job;
    adding_t adding = {.job = &job};
    aw_span_t text;
    int rv = EXIT_USAGE;

    if (!cert_options(&job, argc, argv, &rv)) {
        return rv;
    }
    if (!job.from || job.count < 2 || job.count > 3) {
        complain("--from CERT.PEM, a map, a user and at the most a realm are wanted");
        return EXIT_USAGE;
    }
    rv = edit_read(job.from, &text, p);
    if (rv != EXIT_DONE) {
        return rv;
    }
    if (aw_cert_read(&cert, text, p) != APR_SUCCESS) {
        complain("%s: not a certificate in PEM or DER", job.from);
        return EXIT_SYSTEM;
    }
    say_certificate(job.from, cert, p);
    adding.prints = aw_cert_fingerprints(cert);
    adding.user = aw_span(job.words[1]);
    adding.realm = aw_span(job.count == 3 ? job.words[2] : NULL);
    rv = edit_file(job.words[0], true, add_to, &adding, p);
    if (rv == EXIT_DONE) {
        fprintf(stderr, "%s the certificate of %s in %s.\n",
                adding.before > 0 ? "Replaced" : "Added", job.words[1], job.words[0]);
        /* Mistakes anywhere keep a server from taking an edit up: better said now. */
        (void)cert_check_file(job.words[0], NULL, true, p);
    }
    return rv;
}

/* --- list --- */

static int list_file(const char *path, apr_pool_t *p)
{
    char digits[2 * AW_SHA256_SIZE + 1];
    aw_line_reader_t reader;
    aw_certmap_line_t line;
    aw_line_error_t error;
    aw_line_e what;
    aw_span_t text;
    bool broken = false;
    const int rv = edit_read(path, &text, p);

    if (rv != EXIT_DONE) {
        return rv;
    }
    aw_line_reader_init(&reader, text);
    while ((what = aw_certmap_next(&reader, &line, &error)) != AW_LINE_END) {
        if (what == AW_LINE_ENTRY) {
            aw_hex_encode(digits, line.print, line.size);
            digits[2 * line.size] = '\0';
            printf("%s\t%s\t%s\n", digits, line.user, line.realm);
        }
        broken = broken || what == AW_LINE_BROKEN;
    }
    if (fflush(stdout) != 0) {
        complain("the output could not be written");
        return EXIT_SYSTEM;
    }
    return broken ? cert_check_file(path, NULL, true, p) : EXIT_DONE;
}

int cert_list(int argc, char **argv, apr_pool_t *p)
{
    cert_job_t job;
    int rv = EXIT_USAGE;

    if (!cert_options(&job, argc, argv, &rv)) {
        return rv;
    }
    if (job.count < 1) {
        complain("a map is wanted");
        return EXIT_USAGE;
    }
    rv = EXIT_DONE;
    for (int i = 0; i < job.count; i++) {
        const int one = list_file(job.words[i], p);

        rv = one > rv ? one : rv;
    }
    return rv;
}
