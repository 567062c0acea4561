/* The command line of `authws connect`.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_CONNECT_OPTIONS_H
#define AUTHWS_TOOLS_CONNECT_OPTIONS_H

#include "dial.h"

typedef struct connect_options_t {
    dial_options_t dial;
    bool binary;   /* lines go as binary messages */
    bool no_input; /* standard input is not read */
    bool verbose;  /* says on standard error what happens */
    int ping_ms;   /* 0: never */
    int linger_ms; /* after the end of the input: until nothing has come for so long */
    uint64_t max_message;
} connect_options_t;

/* Reads the command line and then the passwords; argv[0] is the job's name. What is wrong has
 * been said, and the exit status is returned; with *answered (--help) there is nothing left to do.
 * Passwords and the TLS context are wiped and freed with `p`. */
int connect_options_read(connect_options_t *options, int argc, char **argv, bool *answered,
                         apr_pool_t *p);

#endif
