/* The options of `authws token ...`.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token.h"
#include "base/text.h"

#define DEFAULT_FILE "authws.tokens"

static const char help[] =
    "Usage: authws token add [--file F] [options] SUBJECT\n"
    "       authws token verify [--file F] [-i] [SUBJECT]\n"
    "       authws token revoke [--file F] SUBJECT\n"
    "       authws token list [--file F]\n"
    "       authws token report [--file F]\n"
    "\n"
    "  add      makes a token, shows it once, and stores its hash; earlier tokens of the\n"
    "           subject go\n"
    "  verify   asks for a token and says whose it is\n"
    "  revoke   removes all tokens of a subject\n"
    "  list     subjects, algorithms, expiry and notes\n"
    "  report   how many tokens of which algorithm, and which are left to be lifted\n"
    "\n"
    "  --file F        the token file; else $AUTHWS_TOKEN_FILE, else authws.tokens\n"
    "  --algorithm A   SHA-384 (default), SHA-512, SHA3-384 or SHA3-512\n"
    "  --expires WHEN  2030-12-31 (good to the end of that day, UTC), 2030-12-31T12:00:00Z,\n"
    "                  seconds since 1970, or from now on: 90d, 12h, 30m, 600s\n"
    "  --overlap TIME  leave earlier tokens of the subject good for so long: 7d, 1h\n"
    "  --note TEXT     a remark in the file\n"
    "  -i              take the token from standard input instead of making one\n"
    "\n"
    "Exit status: 0 done, 1 not so, 2 bad usage, 3 file or system error.\n";

/* A number with s, m, h, d or w behind it, in microseconds; false when it is none. */
static bool parse_span(const char *text, apr_time_t *out)
{
    static const struct {
        char unit;
        long seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    char *end = NULL;
    const long long n = strtoll(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || n < 1 || n > 100000000 || end[0] == '\0' ||
        end[1] != '\0') {
        return false;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (units[i].unit == end[0]) {
            *out = apr_time_from_sec(n * units[i].seconds);
            return true;
        }
    }
    return false;
}

static bool set_expires(token_job_t *job, const char *text)
{
    aw_line_error_t error;
    apr_time_t span;

    if (parse_span(text, &span)) {
        job->expires = job->now + span;
        return true;
    }
    if (text[0] == '\0' || !aw_token_expires_parse(aw_span(text), &job->expires, &error)) {
        complain("--expires %s: a day (2030-12-31), a time (2030-12-31T12:00:00Z) or a span (90d) "
                 "is wanted",
                 text);
        return false;
    }
    if (job->expires <= job->now) {
        complain("--expires %s: is past", text);
        return false;
    }
    return true;
}

static bool set_algorithm(token_job_t *job, const char *text)
{
    if (!aw_token_alg_parse(aw_span(text), &job->algorithm)) {
        complain("--algorithm %s: SHA-384, SHA-512, SHA3-384 or SHA3-512 is wanted", text);
        return false;
    }
    if (aw_token_alg_is_weak(job->algorithm)) {
        complain("--algorithm %s: too weak for a new token; SHA-384, SHA-512, SHA3-384 or SHA3-512 "
                 "is wanted",
                 text);
        return false;
    }
    return true;
}

static bool set_note(token_job_t *job, const char *text)
{
    job->note = aw_span(text);
    if (aw_utf8_valid_prefix(job->note) != job->note.len ||
        aw_text_find_control(job->note) != job->note.len) {
        complain("--note: a line of UTF-8 without control characters is wanted");
        return false;
    }
    return true;
}

static bool set_overlap(token_job_t *job, const char *text)
{
    apr_time_t span;

    if (!parse_span(text, &span)) {
        complain("--overlap %s: a span is wanted: 7d, 12h, 30m", text);
        return false;
    }
    job->until = job->now + span;
    return true;
}

static bool set_subject(token_job_t *job, int argc, char **argv, token_subjects_e subjects)
{
    aw_line_error_t error;
    const int given = argc - optind;

    if (given > (subjects != SUBJECT_NONE) || given < (subjects == SUBJECT_MUST)) {
        complain(subjects == SUBJECT_NONE   ? "no subject is wanted here"
                 : subjects == SUBJECT_MUST ? "one subject is wanted"
                                            : "one subject is wanted, or none");
        return false;
    }
    if (given == 0) {
        return true;
    }
    job->subject = aw_span(argv[optind]);
    if (!aw_token_subject_check(job->subject, &error)) {
        complain("the subject cannot stand in a token file: character %zu: %s", error.column,
                 error.message);
        return false;
    }
    return true;
}

/* Whether an option may stand here: only `add` (the job's name) takes those about new tokens. */
static bool belongs(const char *name, int option)
{
    const bool add = strcmp(name, "add") == 0;

    return add || option == 'f' || option == 'h' || (option == 'i' && strcmp(name, "verify") == 0);
}

bool token_options(token_job_t *job, int argc, char **argv, token_subjects_e subjects, int *rv)
{
    static const struct option options[] = {{"file", required_argument, NULL, 'f'},
                                            {"algorithm", required_argument, NULL, 'a'},
                                            {"expires", required_argument, NULL, 'e'},
                                            {"overlap", required_argument, NULL, 'o'},
                                            {"note", required_argument, NULL, 'n'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *file = getenv("AUTHWS_TOKEN_FILE");
    bool ok = true;
    int c;

    *job = (token_job_t){.file = file && file[0] ? file : DEFAULT_FILE,
                         .algorithm = AW_TOKEN_ALG_DEFAULT,
                         .now = apr_time_now()};
    *rv = EXIT_USAGE;
    optind = 1;
    while (ok && (c = getopt_long(argc, argv, "i", options, NULL)) != -1) {
        if (c != '?' && !belongs(argv[0], c)) {
            complain("token %s does not take this option", argv[0]);
            return false;
        }
        switch (c) {
        case 'f':
            job->file = optarg;
            break;
        case 'a':
            ok = set_algorithm(job, optarg);
            break;
        case 'e':
            ok = set_expires(job, optarg);
            break;
        case 'o':
            ok = set_overlap(job, optarg);
            break;
        case 'n':
            ok = set_note(job, optarg);
            break;
        case 'i':
            job->from_stdin = true;
            break;
        case 'h':
            fputs(help, stdout);
            *rv = EXIT_DONE;
            return false;
        default:
            ok = false;
            break;
        }
    }
    return ok && set_subject(job, argc, argv, subjects);
}
