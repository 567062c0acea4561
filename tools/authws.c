/* authws: the program of many jobs that goes with mod_authws; finds the job and starts it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "authws.h"

#include <apr_general.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest/algorithm.h"

static const char help[] =
    "Usage: authws connect [options] URL\n"
    "       authws bench digest [options] URL\n"
    "       authws bench ws [options] URL\n"
    "       authws token add|verify|revoke|list|report [options] [SUBJECT]\n"
    "       authws cert add|check|list [options] MAPFILE...\n"
    "       authws secret [--force] FILE\n"
    "       authws --help | --version\n"
    "\n"
    "  connect        opens a WebSocket: lines in, lines out\n"
    "  bench digest   loads a server with Digest logins and judges its answers\n"
    "  bench ws       loads a WebSocket and says what it costs\n"
    "  token          makes, tries and revokes the tokens of a token file\n"
    "  cert           the lines of certificate maps\n"
    "  secret         writes the file for AuthWSSecretFile\n"
    "\n"
    "Each job says more with --help. Exit status: 0 done, 1 not so, 2 bad usage, 3 file or system\n"
    "error.\n";

static const struct {
    const char *group, *name; /* NULL: the group is the job */
    int (*run)(int argc, char **argv, apr_pool_t *p);
} jobs[] = {{"connect", NULL, connect_run},    {"bench", "digest", bench_digest},
            {"bench", "ws", bench_ws},         {"token", "add", token_add},
            {"token", "verify", token_verify}, {"token", "revoke", token_revoke},
            {"token", "list", token_list},     {"token", "report", token_report},
            {"cert", "add", cert_add},         {"cert", "check", cert_check},
            {"cert", "list", cert_list},       {"secret", NULL, secret_run}};

#define JOBS (sizeof(jobs) / sizeof(jobs[0]))

void complain(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fputs("authws: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
}

static int out_of_memory(int status)
{
    (void)status;
    complain("out of memory");
    exit(EXIT_SYSTEM);
}

static int run(size_t job, int argc, char **argv)
{
    apr_pool_t *pool = NULL;

    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create_ex(&pool, NULL, out_of_memory, NULL) != APR_SUCCESS ||
        aw_algorithms_init() != APR_SUCCESS) {
        complain("APR or OpenSSL cannot be set up");
        return EXIT_SYSTEM;
    }
    const int rv = jobs[job].run(argc, argv, pool);

    apr_pool_destroy(pool);
    aw_algorithms_term();
    apr_terminate();
    return rv;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(help, stdout);
        return EXIT_DONE;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        fputs("authws " AUTHWS_VERSION "\n", stdout);
        return EXIT_DONE;
    }
    for (size_t i = 0; argc > 1 && i < JOBS; i++) {
        const int words = jobs[i].name ? 2 : 1;

        if (argc > words && strcmp(argv[1], jobs[i].group) == 0 &&
            (words == 1 || strcmp(argv[2], jobs[i].name) == 0)) {
            return run(i, argc - words, argv + words);
        }
    }
    if (argc > 2) {
        complain("there is no job \"%s %s\"", argv[1], argv[2]);
    } else if (argc == 2) {
        complain("\"%s\" alone names no job", argv[1]);
    }
    fputs(help, stderr);
    return EXIT_USAGE;
}
