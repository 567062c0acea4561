/* Getting a password from a terminal without echo, or from standard input.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_PASSWORD_H
#define AUTHWS_TOOLS_PASSWORD_H

#include <stdbool.h>

#include "base/bytes.h"

/* Longest password in bytes; a longer one is refused, never cut. */
#define PASSWORD_MAX 1024

/* A password in memory that its owner wipes with password_wipe. */
typedef struct password_t {
    char text[PASSWORD_MAX];
    size_t len;
} password_t;

typedef enum password_e {
    PASSWORD_OK,
    PASSWORD_MISMATCH, /* typed differently the second time */
    PASSWORD_NONE,     /* end of file before anything was given */
    PASSWORD_EMPTY,
    PASSWORD_TOO_LONG,
    PASSWORD_NUL,      /* holds a NUL byte, which nobody can type */
    PASSWORD_NOT_UTF8, /* for callers: nothing here looks at that */
    PASSWORD_NO_TERMINAL,
    PASSWORD_ERROR /* errno says what */
} password_e;

/* The first line of standard input without its line end; what follows stays unread. */
password_e password_from_stdin(password_t *password);

/* Asks on the controlling terminal with `prompt`, and once more with `again` unless it is NULL.
 * A signal that comes meanwhile finds the terminal restored. */
password_e password_from_terminal(password_t *password, const char *prompt, const char *again);

void password_wipe(password_t *password);

aw_span_t password_span(const password_t *password);

#endif
