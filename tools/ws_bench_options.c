/* The command line of `authws bench ws`.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ws_bench.h"

#include <stdio.h>
#include <string.h>

#include "authws.h"
#include "dial_options.h"

static const char help[] =
    "Usage: authws bench ws [options] URL\n"
    "\n"
    "Loads the WebSocket at URL and says what it costs.\n"
    "\n"
    "      --mode MODE          echo: every connection sends and waits for the same (default);\n"
    "                           idle: connections are held, and pinged at the end;\n"
    "                           churn: open, one message there and back, close, over and over;\n"
    "                           fanout: one more connection sends, all the others receive\n"
    "  -c, --connections N      10 without it\n"
    "  -n, --messages N         messages in all (churn: connections), 10000 without -T\n"
    "  -T, --time SECONDS       for so long\n"
    "      --depth N            messages under way on a connection, 1 without it\n"
    "      --size BYTES         of a message, 64 without it, at least 32\n"
    "      --binary             binary messages\n"
    "      --bare               the server sends back what it gets as it is, masked, as a server\n"
    "                           does that knows nothing of WebSockets: to compare with\n"
    "      --patience SECONDS   for one message, 10 without it\n"
    "      --pid PID            a process of the server; its CPU time and memory, and those of\n"
    "                           the processes below it, are reported; may be repeated\n"
    "      --json               the results as JSON\n"
    "\n" DIAL_HELP "\n"
    "Exit status: 0 done, 1 something was refused, broken, wrong or late, 2 bad usage, 3 no\n"
    "connection, or a system error.\n";

enum {
    OPTION_MODE = DIAL_OPTION_END,
    OPTION_DEPTH,
    OPTION_SIZE,
    OPTION_BINARY,
    OPTION_BARE,
    OPTION_PATIENCE,
    OPTION_PID,
    OPTION_JSON,
    OPTION_HELP
};

static const struct option long_options[] = {
    DIAL_LONG_OPTIONS,
    {"mode", required_argument, NULL, OPTION_MODE},
    {"connections", required_argument, NULL, 'c'},
    {"messages", required_argument, NULL, 'n'},
    {"time", required_argument, NULL, 'T'},
    {"depth", required_argument, NULL, OPTION_DEPTH},
    {"size", required_argument, NULL, OPTION_SIZE},
    {"binary", no_argument, NULL, OPTION_BINARY},
    {"bare", no_argument, NULL, OPTION_BARE},
    {"patience", required_argument, NULL, OPTION_PATIENCE},
    {"pid", required_argument, NULL, OPTION_PID},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static int usage(void)
{
    fputs("(authws bench ws --help says more)\n", stderr);
    return EXIT_USAGE;
}

static int read_mode(ws_bench_options_t *options, const char *word)
{
    static const char *const names[] = {"echo", "idle", "churn", "fanout"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(word, names[i]) == 0) {
            options->mode = (ws_bench_mode_e)i;
            return EXIT_DONE;
        }
    }
    complain("--mode \"%s\" is none of echo, idle, churn and fanout", word);
    return EXIT_USAGE;
}

static int read_pid(ws_bench_options_t *options, const char *word)
{
    uint64_t pid = 0;
    const int rv = dial_read_number(&pid, "--pid", word, 1, INT32_MAX);

    if (rv == EXIT_DONE && options->pids_count == WS_BENCH_PIDS_MAX) {
        complain("--pid: more than %d", WS_BENCH_PIDS_MAX);
        return EXIT_USAGE;
    }
    if (rv == EXIT_DONE) {
        options->pids[options->pids_count++] = (pid_t)pid;
    }
    return rv;
}

static int read_time(uint64_t *out, const char *option, const char *word)
{
    int ms = 0;
    const int rv = dial_read_seconds(&ms, option, word);

    *out = (uint64_t)ms;
    return rv;
}

static int take_option(ws_bench_options_t *options, dial_raw_t *raw, int option)
{
    switch (option) {
    case OPTION_MODE:
        return read_mode(options, optarg);
    case 'c':
        return dial_read_number(&options->connections, "-c", optarg, 1, 100000);
    case 'n':
        return dial_read_number(&options->messages, "-n", optarg, 1, UINT32_MAX);
    case 'T':
        return read_time(&options->time_ms, "-T", optarg);
    case OPTION_DEPTH:
        return dial_read_number(&options->depth, "--depth", optarg, 1, 1024);
    case OPTION_SIZE:
        return dial_read_number(&options->size, "--size", optarg, 32, 16 * 1024 * 1024);
    case OPTION_BINARY:
        options->binary = true;
        return EXIT_DONE;
    case OPTION_BARE:
        options->bare = true;
        return EXIT_DONE;
    case OPTION_PATIENCE:
        return read_time(&options->patience_ms, "--patience", optarg);
    case OPTION_PID:
        return read_pid(options, optarg);
    case OPTION_JSON:
        options->json = true;
        return EXIT_DONE;
    default:
        return dial_options_take(raw, option);
    }
}

int ws_bench_options_read(ws_bench_options_t *options, int argc, char **argv, bool *answered,
                          apr_pool_t *p)
{
    dial_raw_t raw;
    int option;

    *options =
        (ws_bench_options_t){.connections = 10, .depth = 1, .size = 64, .patience_ms = 10000};
    dial_options_begin(&raw, &options->dial, p);
    while ((option = getopt_long(argc, argv, DIAL_SHORT_OPTIONS "c:n:T:", long_options, NULL)) !=
           -1) {
        if (option == OPTION_HELP) {
            fputs(help, stdout);
            *answered = true;
            return EXIT_DONE;
        }
        if (take_option(options, &raw, option) != EXIT_DONE) {
            return usage();
        }
    }
    if (argc - optind != 1) {
        complain(argc == optind ? "there is no URL" : "there is more than one URL");
        return usage();
    }
    if (options->messages == 0 && options->time_ms == 0) {
        options->messages = 10000;
    }
    if (options->mode == WS_BENCH_IDLE && options->time_ms == 0) {
        options->time_ms = 1000;
    }
    if (options->mode == WS_BENCH_CHURN && options->connections > 256) {
        complain("-c: churn has a thread for each connection, 256 at the most");
        return usage();
    }
    return dial_options_complete(&raw, argv[optind], p);
}
