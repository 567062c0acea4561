/* The command line of authws-htdigest.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "htdigest_options.h"

#include <getopt.h>
#include <stdio.h>

#include "store/a1.h"

#define SYNOPSIS                                                                                   \
    "Usage: authws-htdigest [-c] [-i] [-D | -v] [-a ALG[,ALG...]] passwordfile realm username\n"   \
    "       authws-htdigest -n [-i] [-a ALG[,ALG...]] realm username\n"                            \
    "       authws-htdigest [-c] [-a ALG[,ALG...]] [--strict] --import FILE passwordfile "         \
    "[realm]\n"                                                                                    \
    "       authws-htdigest [-c] [--strict] --merge OTHER passwordfile\n"                          \
    "       authws-htdigest --list | --check passwordfile\n"                                       \
    "       authws-htdigest [-a ALG[,ALG...]] --report | --index passwordfile\n"

static const char help[] = SYNOPSIS
    "\n"
    "Sets a user's password in an A1 file (user:realm:value), which mod_authws and, as far as\n"
    "MD5 is concerned, mod_auth_digest read.\n"
    "\n"
    "  -c              create a new file with this user alone; an old one is replaced\n"
    "  -n              print the user's lines instead of changing a file\n"
    "  -i              read the password from the first line of standard input\n"
    "  -a ALG,...      algorithms to store, default MD5,SHA-256; also SHA-512-256 and, not\n"
    "                  standard in Digest, SHA, SHA-384, SHA-512\n"
    "  -D              delete the user\n"
    "  -v              verify the password\n"
    "  --import FILE   set the passwords of many users: CSV with the columns user, password and,\n"
    "                  when no realm is given, realm, with or without a header line; or lines\n"
    "                  user:password (user:realm:password); \"-\" is standard input\n"
    "  --merge OTHER   add the users of another A1 file\n"
    "  --strict        change nothing when any line to import or merge cannot be used\n"
    "  --list          print users, realms and algorithms, separated by tabs\n"
    "  --report        count users and algorithms, and print who lacks one of -a\n"
    "  --check         print every broken line as FILE:LINE:COLUMN: message\n"
    "  --index         write the index beside the file; -a: algorithms of user hashes\n"
    "  --realm R       import, merge, list, report and check: only the users of this realm\n"
    "  --help          print this\n"
    "  --version       print the version\n"
    "\n"
    "Exit status: 0 done, 1 not so (wrong password, no such user, broken lines, somebody lacks\n"
    "an algorithm), 2 bad usage, 3 file or system error.\n";

enum {
    OPTION_CHECK = 256,
    OPTION_IMPORT,
    OPTION_MERGE,
    OPTION_LIST,
    OPTION_REPORT,
    OPTION_INDEX,
    OPTION_REALM,
    OPTION_STRICT,
    OPTION_HELP,
    OPTION_VERSION
};

static const struct option long_options[] = {{"check", no_argument, NULL, OPTION_CHECK},
                                             {"import", required_argument, NULL, OPTION_IMPORT},
                                             {"merge", required_argument, NULL, OPTION_MERGE},
                                             {"list", no_argument, NULL, OPTION_LIST},
                                             {"report", no_argument, NULL, OPTION_REPORT},
                                             {"index", no_argument, NULL, OPTION_INDEX},
                                             {"realm", required_argument, NULL, OPTION_REALM},
                                             {"strict", no_argument, NULL, OPTION_STRICT},
                                             {"help", no_argument, NULL, OPTION_HELP},
                                             {"version", no_argument, NULL, OPTION_VERSION},
                                             {NULL, 0, NULL, 0}};

/* What an action is called, which other options go with it, and how many arguments it takes. */
typedef struct action_t {
    const char *name;
    const char *options; /* of "cia", and "s" for --strict, "r" for --realm */
    int least, most;
} action_t;

static const action_t actions[] = {
    [ACTION_SET] = {"setting a password", "cia", 3, 3},
    [ACTION_PRINT] = {"-n", "ia", 2, 2},
    [ACTION_DELETE] = {"-D", "", 3, 3},
    [ACTION_VERIFY] = {"-v", "i", 3, 3},
    [ACTION_CHECK] = {"--check", "r", 1, 1},
    [ACTION_IMPORT] = {"--import", "casr", 1, 2},
    [ACTION_MERGE] = {"--merge", "csr", 1, 1},
    [ACTION_LIST] = {"--list", "r", 1, 1},
    [ACTION_REPORT] = {"--report", "ar", 1, 1},
    [ACTION_INDEX] = {"--index", "a", 1, 1},
};

/* The command line as written. */
typedef struct options_t {
    action_e action;
    bool chosen; /* by an option */
    bool twice;  /* another action was chosen before */
    bool create, from_stdin, strict;
    const char *algorithms, *other, *only;
} options_t;

/* Says what is wrong, unless getopt has, and how it would be right. */
static int usage(const char *what)
{
    if (what) {
        complain("%s", what);
    }
    fputs(SYNOPSIS "       (--help says more)\n", stderr);
    return EXIT_USAGE;
}

static void choose(options_t *options, action_e action)
{
    options->twice = options->twice || (options->chosen && options->action != action);
    options->chosen = true;
    options->action = action;
}

/* Notes an option; false when it is none of these. */
static bool note_action(options_t *options, int option)
{
    switch (option) {
    case 'n':
        choose(options, ACTION_PRINT);
        return true;
    case 'D':
        choose(options, ACTION_DELETE);
        return true;
    case 'v':
        choose(options, ACTION_VERIFY);
        return true;
    case OPTION_CHECK:
        choose(options, ACTION_CHECK);
        return true;
    case OPTION_IMPORT:
        choose(options, ACTION_IMPORT);
        options->other = optarg;
        return true;
    case OPTION_MERGE:
        choose(options, ACTION_MERGE);
        options->other = optarg;
        return true;
    case OPTION_LIST:
        choose(options, ACTION_LIST);
        return true;
    case OPTION_REPORT:
        choose(options, ACTION_REPORT);
        return true;
    case OPTION_INDEX:
        choose(options, ACTION_INDEX);
        return true;
    default:
        return false;
    }
}

/* Reads the options. EXIT_DONE with *answered when that was all. */
static int read_options(int argc, char **argv, options_t *options, bool *answered)
{
    int option;

    /* "+": options come first, as with htdigest; a realm may begin with "-". */
    while ((option = getopt_long(argc, argv, "+cina:Dv", long_options, NULL)) != -1) {
        if (note_action(options, option)) {
            continue;
        }
        switch (option) {
        case 'c':
            options->create = true;
            break;
        case 'i':
            options->from_stdin = true;
            break;
        case 'a':
            options->algorithms = optarg;
            break;
        case OPTION_REALM:
            options->only = optarg;
            break;
        case OPTION_STRICT:
            options->strict = true;
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

/* Whether the options go together; says what does not. */
static int check_options(const options_t *options)
{
    const struct {
        bool given;
        char letter;
        const char *name;
    } others[] = {{options->create, 'c', "-c"},
                  {options->from_stdin, 'i', "-i"},
                  {options->algorithms != NULL, 'a', "-a"},
                  {options->strict, 's', "--strict"},
                  {options->only != NULL, 'r', "--realm"}};
    const action_t *action = &actions[options->action];

    if (options->twice) {
        return usage("only one of -n, -D, -v, --import, --merge, --list, --report, --check and "
                     "--index");
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (others[i].given && !strchr(action->options, others[i].letter)) {
            complain("%s does not go with %s", others[i].name, action->name);
            return usage(NULL);
        }
    }
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
                     SPAN(name));
            return EXIT_USAGE;
        }
        *mask |= 1u << alg;
        if (!comma) {
            return EXIT_DONE;
        }
        at = comma + 1;
    }
}

/* Whether a realm or, with `user`, a user name may stand in a file; empty: none was given. */
static int check_name(const char *given, const char *what, bool user, aw_span_t *name)
{
    aw_text_error_t error;

    *name = aw_span(given);
    if (given && !(user ? aw_a1_user_check : aw_a1_name_check)(*name, &error)) {
        complain("%s, column %zu: %s", what, error.column, error.message);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

/* Takes the arguments behind the options. */
static int read_arguments(int n, char **argument, const options_t *options, job_t *job)
{
    const action_t *action = &actions[options->action];
    const char *realm = NULL, *user = NULL;

    if (n < action->least || n > action->most) {
        return usage(n < action->least ? "arguments are missing" : "too many arguments");
    }
    if (options->action != ACTION_PRINT) {
        job->file = *argument++;
        n--;
    }
    realm = n > 0 ? argument[0] : NULL;
    user = n > 1 ? argument[1] : NULL;
    if (options->action == ACTION_IMPORT && realm && strncmp(realm, "--", 2) == 0) {
        return usage("options come before the file");
    }
    if (realm && options->only) {
        return usage("--realm picks the rows of one realm; here all are of the realm behind the "
                     "file");
    }
    int rv = check_name(realm, "realm", false, &job->realm);

    if (rv == EXIT_DONE) {
        rv = check_name(user, "user name", true, &job->user);
    }
    return rv == EXIT_DONE ? check_name(options->only, "--realm", false, &job->only) : rv;
}

int options_read(int argc, char **argv, job_t *job, bool *answered)
{
    options_t options = {.action = ACTION_SET};
    int rv = read_options(argc, argv, &options, answered);

    if (rv != EXIT_DONE || *answered) {
        return rv;
    }
    rv = check_options(&options);
    if (rv == EXIT_DONE) {
        rv = read_algorithms(options.algorithms, &job->algorithms);
    }
    if (rv == EXIT_DONE) {
        rv = read_arguments(argc - optind, argv + optind, &options, job);
    }
    job->action = options.action;
    job->create = options.create;
    job->from_stdin = options.from_stdin;
    job->strict = options.strict;
    job->other = options.other;
    return rv;
}
