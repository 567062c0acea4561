/* What authws-htdigest does once its command line is understood.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_HTDIGEST_RUN_H
#define AUTHWS_TOOLS_HTDIGEST_RUN_H

#include <apr_pools.h>
#include <stdbool.h>

#include "base/bytes.h"

/* Exit statuses. */
enum { EXIT_DONE = 0, EXIT_NOT_SO = 1, EXIT_USAGE = 2, EXIT_SYSTEM = 3 };

typedef enum action_e {
    ACTION_SET,
    ACTION_PRINT,
    ACTION_DELETE,
    ACTION_VERIFY,
    ACTION_CHECK
} action_e;

typedef struct job_t {
    action_e action;
    bool create;         /* -c */
    bool from_stdin;     /* -i */
    unsigned algorithms; /* bit 1u << aw_alg_e */
    const char *file;    /* NULL with ACTION_PRINT */
    aw_span_t realm;     /* both checked; empty with ACTION_CHECK */
    aw_span_t user;
} job_t;

/* Returns the exit status; everything has been said on standard output and error. */
int job_run(const job_t *job, apr_pool_t *p);

/* Says "authws-htdigest: " and the text, printf's way, on standard error. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
