/* The options that say whom to call and as whom, of `authws connect` and `authws bench ws`.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_DIAL_OPTIONS_H
#define AUTHWS_TOOLS_DIAL_OPTIONS_H

#include <getopt.h>

#include "dial.h"

/* What the options say before they are brought together; set up by dial_options_begin. */
typedef struct dial_raw_t {
    dial_options_t *dial;
    const char *cert, *key, *cacert, *proxy, *token_scheme;
    bool insecure, from_stdin;
    struct apr_array_header_t *headers;
} dial_raw_t;

/* The numbers of the long options; a command's own begin at DIAL_OPTION_END. */
enum {
    DIAL_OPTION_DIGEST = 256,
    DIAL_OPTION_BASIC,
    DIAL_OPTION_TOKEN,
    DIAL_OPTION_TOKEN_SCHEME,
    DIAL_OPTION_CERT,
    DIAL_OPTION_KEY,
    DIAL_OPTION_CACERT,
    DIAL_OPTION_INSECURE,
    DIAL_OPTION_PROXY,
    DIAL_OPTION_PROXY_DIGEST,
    DIAL_OPTION_PROXY_BASIC,
    DIAL_OPTION_PROTOCOL,
    DIAL_OPTION_NO_DEFLATE,
    DIAL_OPTION_TIMEOUT,
    DIAL_OPTION_END
};

/* Entries for a command's table, and letters for its short options. */
#define DIAL_LONG_OPTIONS                                                                          \
    {"digest", required_argument, NULL, DIAL_OPTION_DIGEST},                                       \
        {"basic", required_argument, NULL, DIAL_OPTION_BASIC},                                     \
        {"token", no_argument, NULL, DIAL_OPTION_TOKEN},                                           \
        {"token-scheme", required_argument, NULL, DIAL_OPTION_TOKEN_SCHEME},                       \
        {"cert", required_argument, NULL, DIAL_OPTION_CERT},                                       \
        {"key", required_argument, NULL, DIAL_OPTION_KEY},                                         \
        {"cacert", required_argument, NULL, DIAL_OPTION_CACERT},                                   \
        {"insecure", no_argument, NULL, DIAL_OPTION_INSECURE},                                     \
        {"proxy", required_argument, NULL, DIAL_OPTION_PROXY},                                     \
        {"proxy-digest", required_argument, NULL, DIAL_OPTION_PROXY_DIGEST},                       \
        {"proxy-basic", required_argument, NULL, DIAL_OPTION_PROXY_BASIC},                         \
        {"header", required_argument, NULL, 'H'},                                                  \
        {"protocol", required_argument, NULL, DIAL_OPTION_PROTOCOL},                               \
        {"no-deflate", no_argument, NULL, DIAL_OPTION_NO_DEFLATE},                                 \
    {                                                                                              \
        "timeout", required_argument, NULL, DIAL_OPTION_TIMEOUT                                    \
    }
#define DIAL_SHORT_OPTIONS "iH:"

/* What they are, for --help. */
#define DIAL_HELP                                                                                  \
    "      --digest USER        log in with Digest\n"                                              \
    "      --basic USER         log in with Basic\n"                                               \
    "      --token              log in with a token: Authorization: Bearer TOKEN\n"                \
    "      --token-scheme NAME  the word before the token instead of Bearer\n"                     \
    "  -i                       the password or token is the first line of standard input\n"       \
    "      --cert FILE          client certificate (PEM, with its chain)\n"                        \
    "      --key FILE           its key; without it in the certificate's file\n"                   \
    "      --cacert FILE        trust these authorities instead of the system's\n"                 \
    "      --insecure           do not check the server's certificate\n"                           \
    "      --proxy URL          go through this proxy (http:) with CONNECT\n"                      \
    "      --proxy-digest USER  log in at the proxy with Digest; the password comes second\n"      \
    "      --proxy-basic USER   with Basic\n"                                                      \
    "  -H, --header LINE        a field of the handshake, \"Name: value\"; may be repeated\n"      \
    "      --protocol LIST      subprotocols to offer, divided by commas\n"                        \
    "      --no-deflate         do not offer compression\n"                                        \
    "      --timeout SECONDS    patience for each step of the handshake, 10 without it\n"

/* Begins with the defaults. `raw` is borrowed until dial_options_complete. */
void dial_options_begin(dial_raw_t *raw, dial_options_t *dial, apr_pool_t *p);

/* Takes an option that getopt_long has returned, with its optarg: the exit status, EXIT_USAGE for
 * one that is not among these (getopt_long has complained, or nobody has). */
int dial_options_take(dial_raw_t *raw, int option);

/* Brings together what the options say, and reads the passwords, from the terminal or standard
 * input: the exit status; what is wrong has been said. Passwords and the TLS context are wiped and
 * freed with `p`. */
int dial_options_complete(dial_raw_t *raw, const char *url, apr_pool_t *p);

/* Reads a number of seconds, 0.001 to 86400; complains, naming the option, when it is none. */
int dial_read_seconds(int *ms, const char *option, const char *text);

/* Reads a whole number from `min` to `max`; likewise. */
int dial_read_number(uint64_t *number, const char *option, const char *text, uint64_t min,
                     uint64_t max);

#endif
