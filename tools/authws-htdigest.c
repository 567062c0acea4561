/* authws-htdigest: keeps A1 files, a drop-in for htdigest.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "htdigest_run.h"

#include <apr_general.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/a1.h"

static const char help[] =
    "Usage: authws-htdigest [-c] [-i] [-D | -v] [-a ALG[,ALG...]] passwordfile realm username\n"
    "       authws-htdigest -n [-i] [-a ALG[,ALG...]] realm username\n"
    "       authws-htdigest --check passwordfile\n"
    "\n"
    "Sets a user's password in an A1 file (user:realm:value), which mod_authws and, as far as\n"
    "MD5 is concerned, mod_auth_digest read.\n"
    "\n"
    "  -c          create a new file with this user alone; an old one is replaced\n"
    "  -n          print the user's lines instead of changing a file\n"
    "  -i          read the password from the first line of standard input\n"
    "  -a ALG,...  algorithms to store, default MD5,SHA-256; also SHA-512-256 and, not\n"
    "              standard in Digest, SHA, SHA-384, SHA-512\n"
    "  -D          delete the user\n"
    "  -v          verify the password\n"
    "  --check     print every broken line as FILE:LINE:COLUMN: message\n"
    "  --help      print this\n"
    "  --version   print the version\n"
    "\n"
    "Exit status: 0 done, 1 not so (wrong password, no such user, broken lines), 2 bad usage,\n"
    "3 file or system error.\n";

enum { OPTION_CHECK = 256, OPTION_HELP, OPTION_VERSION };

static const struct option long_options[] = {{"check", no_argument, NULL, OPTION_CHECK},
                                             {"help", no_argument, NULL, OPTION_HELP},
                                             {"version", no_argument, NULL, OPTION_VERSION},
                                             {NULL, 0, NULL, 0}};

/* The command line as written. */
typedef struct options_t {
    bool create, from_stdin, print, remove, verify, check;
    const char *algorithms;
} options_t;

/* Says what is wrong, unless getopt has, and how it would be right. */
static int usage(const char *what)
{
    if (what) {
        complain("%s", what);
    }
    fputs("Usage: authws-htdigest [-c] [-i] [-D | -v] [-a ALG[,ALG...]] passwordfile realm "
          "username\n"
          "       authws-htdigest -n [-i] [-a ALG[,ALG...]] realm username\n"
          "       authws-htdigest --check passwordfile\n"
          "       (--help says more)\n",
          stderr);
    return EXIT_USAGE;
}

/* Reads the options. EXIT_DONE with *answered when that was all. */
static int read_options(int argc, char **argv, options_t *options, bool *answered)
{
    int option;

    /* "+": options come first, as with htdigest; a realm may begin with "-". */
    while ((option = getopt_long(argc, argv, "+cina:Dv", long_options, NULL)) != -1) {
        switch (option) {
        case 'c':
            options->create = true;
            break;
        case 'i':
            options->from_stdin = true;
            break;
        case 'n':
            options->print = true;
            break;
        case 'a':
            options->algorithms = optarg;
            break;
        case 'D':
            options->remove = true;
            break;
        case 'v':
            options->verify = true;
            break;
        case OPTION_CHECK:
            options->check = true;
            break;
        case OPTION_HELP:
            fputs(help, stdout);
            *answered = true;
            return EXIT_DONE;
        case OPTION_VERSION:
            fputs("authws-htdigest " AUTHWS_VERSION "\n", stdout);
            *answered = true;
            return EXIT_DONE;
        default:
            return usage(NULL);
        }
    }
    return EXIT_DONE;
}

/* Which job the options name; says what does not go together. */
static int choose_action(const options_t *options, job_t *job)
{
    const int actions = options->print + options->remove + options->verify + options->check;

    if (actions > 1) {
        return usage("only one of -n, -D, -v and --check");
    }
    if (options->create && actions > 0) {
        return usage("-c goes with none of -n, -D, -v and --check");
    }
    if (options->from_stdin && (options->remove || options->check)) {
        return usage("-D and --check need no password, so no -i");
    }
    if (options->algorithms && (options->remove || options->verify || options->check)) {
        return usage("-a is for setting a password, not with -D, -v and --check");
    }
    job->create = options->create;
    job->from_stdin = options->from_stdin;
    job->action = options->print    ? ACTION_PRINT
                  : options->remove ? ACTION_DELETE
                  : options->verify ? ACTION_VERIFY
                  : options->check  ? ACTION_CHECK
                                    : ACTION_SET;
    return EXIT_DONE;
}

static int read_algorithms(const char *list, unsigned *mask)
{
    *mask = 0;
    if (!list) {
        *mask = 1u << AW_ALG_MD5 | 1u << AW_ALG_SHA256;
        return EXIT_DONE;
    }
    for (const char *at = list;;) {
        const char *comma = strchr(at, ',');
        const aw_span_t name = {at, comma ? (size_t)(comma - at) : strlen(at)};
        aw_alg_e alg = AW_ALG_COUNT;

        if (!aw_alg_parse(name, &alg)) {
            complain("-a: unknown algorithm \"%.*s\"; known are MD5, SHA-256, SHA-512-256, SHA, "
                     "SHA-384, SHA-512",
                     (int)name.len, name.ptr);
            return EXIT_USAGE;
        }
        *mask |= 1u << alg;
        if (!comma) {
            return EXIT_DONE;
        }
        at = comma + 1;
    }
}

static int check_names(const job_t *job)
{
    aw_text_error_t error;

    if (!aw_a1_name_check(job->realm, &error)) {
        complain("realm, column %zu: %s", error.column, error.message);
        return EXIT_USAGE;
    }
    if (!aw_a1_user_check(job->user, &error)) {
        complain("user name, column %zu: %s", error.column, error.message);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

/* Reads the command line into a job. */
static int read_arguments(int argc, char **argv, job_t *job, bool *answered)
{
    options_t options = {.algorithms = NULL};
    int rv = read_options(argc, argv, &options, answered);

    if (rv != EXIT_DONE || *answered) {
        return rv;
    }
    rv = choose_action(&options, job);
    if (rv != EXIT_DONE) {
        return rv;
    }
    const int want = job->action == ACTION_CHECK ? 1 : job->action == ACTION_PRINT ? 2 : 3;

    if (argc - optind != want) {
        return usage(argc - optind < want ? "arguments are missing" : "too many arguments");
    }
    if (job->action != ACTION_PRINT) {
        job->file = argv[optind++];
    }
    if (job->action == ACTION_CHECK) {
        return EXIT_DONE;
    }
    job->realm = aw_span(argv[optind++]);
    job->user = aw_span(argv[optind]);
    rv = read_algorithms(options.algorithms, &job->algorithms);
    return rv == EXIT_DONE ? check_names(job) : rv;
}

static int out_of_memory(int status)
{
    (void)status;
    complain("out of memory");
    exit(EXIT_SYSTEM);
}

int main(int argc, char **argv)
{
    job_t job = {.action = ACTION_SET};
    apr_pool_t *pool = NULL;
    bool answered = false;
    int rv = read_arguments(argc, argv, &job, &answered);

    if (rv != EXIT_DONE || answered) {
        return rv;
    }
    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create_ex(&pool, NULL, out_of_memory, NULL) != APR_SUCCESS ||
        aw_algorithms_init() != APR_SUCCESS) {
        complain("APR or OpenSSL cannot be set up");
        return EXIT_SYSTEM;
    }
    rv = job_run(&job, pool);
    apr_pool_destroy(pool);
    aw_algorithms_term();
    apr_terminate();
    return rv;
}
