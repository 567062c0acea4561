/* The command line of `authws connect`.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "connect_options.h"

#include <stdio.h>

#include "authws.h"
#include "dial_options.h"

static const char help[] =
    "Usage: authws connect [options] URL\n"
    "\n"
    "Opens the WebSocket at URL (ws:, wss:, http: or https:). Each line of "
    "standard input is sent\n"
    "as a message, each message received is printed as a line; the end of the "
    "input closes.\n"
    "\n" DIAL_HELP "      --binary             send lines as binary messages\n"
    "      --no-input           do not read standard input: listen until the "
    "server closes\n"
    "      --linger SECONDS     after the end of the input go on until nothing has come for so\n"
    "                           long, 0.5 without it\n"
    "      --ping SECONDS       send a ping so often\n"
    "      --max-message BYTES  largest message to take, 16777216 without it\n"
    "  -v, --verbose            say on standard error what happens\n"
    "\n"
    "Without -i passwords are asked for on the terminal. Exit status: 0 closed "
    "in order (1000,\n"
    "1001 or without a code), 1 refused, or closed otherwise, 2 bad usage, 3 "
    "no connection, or a\n"
    "system error.\n";

enum {
    OPTION_BINARY = DIAL_OPTION_END,
    OPTION_NO_INPUT,
    OPTION_LINGER,
    OPTION_PING,
    OPTION_MAX_MESSAGE,
    OPTION_HELP
};

static const struct option long_options[] = {
    DIAL_LONG_OPTIONS,
    {"binary", no_argument, NULL, OPTION_BINARY},
    {"no-input", no_argument, NULL, OPTION_NO_INPUT},
    {"linger", required_argument, NULL, OPTION_LINGER},
    {"ping", required_argument, NULL, OPTION_PING},
    {"max-message", required_argument, NULL, OPTION_MAX_MESSAGE},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static int usage(void)
{
    fputs("(authws connect --help says more)\n", stderr);
    return EXIT_USAGE;
}

static int take_option(connect_options_t *options, dial_raw_t *raw, int option)
{
    switch (option) {
    case OPTION_BINARY:
        options->binary = true;
        return EXIT_DONE;
    case OPTION_NO_INPUT:
        options->no_input = true;
        return EXIT_DONE;
    case OPTION_LINGER:
        return dial_read_seconds(&options->linger_ms, "--linger", optarg);
    case OPTION_PING:
        return dial_read_seconds(&options->ping_ms, "--ping", optarg);
    case OPTION_MAX_MESSAGE:
        return dial_read_number(&options->max_message, "--max-message", optarg, 1, UINT32_MAX);
    case 'v':
        options->verbose = true;
        return EXIT_DONE;
    default:
        return dial_options_take(raw, option);
    }
}

int connect_options_read(connect_options_t *options, int argc, char **argv, bool *answered,
                         apr_pool_t *p)
{
    dial_raw_t raw;
    int option;

    *options = (connect_options_t){.max_message = 16 * 1024 * 1024, .linger_ms = 500};
    dial_options_begin(&raw, &options->dial, p);
    while ((option = getopt_long(argc, argv, DIAL_SHORT_OPTIONS "v", long_options, NULL)) != -1) {
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
        if (argc == optind) {
            complain("there is no URL");
        } else {
            complain("\"%s\" is one too many", argv[optind + 1]);
        }
        return usage();
    }
    return dial_options_complete(&raw, argv[optind], p);
}
