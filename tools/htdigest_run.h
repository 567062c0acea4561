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
    ACTION_CHECK,
    ACTION_IMPORT,
    ACTION_MERGE,
    ACTION_LIST,
    ACTION_REPORT,
    ACTION_INDEX
} action_e;

typedef struct job_t {
    action_e action;
    bool create;         /* -c */
    bool from_stdin;     /* -i */
    bool strict;         /* --strict */
    unsigned algorithms; /* bit 1u << aw_alg_e */
    const char *file;    /* NULL with ACTION_PRINT */
    const char *other;   /* what is imported or merged, else NULL */
    aw_span_t realm;     /* checked and in Normalization Form C; empty where none is named */
    aw_span_t user;
    aw_span_t typed_realm; /* the same two as they were typed */
    aw_span_t typed_user;
    aw_span_t only; /* --realm, checked, as typed; empty: all realms */
    aw_span_t only_nfc;
} job_t;

/* Returns the exit status; everything has been said on standard output and error. */
int job_run(job_t *job, apr_pool_t *p);

/* Says "authws-htdigest: " and the text, printf's way, on standard error. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The actions, a file each or a few. Each returns the exit status. */
int run_set(const job_t *job, apr_pool_t *p);
int run_print(const job_t *job, apr_pool_t *p);
int run_delete(const job_t *job, apr_pool_t *p);
int run_verify(const job_t *job, apr_pool_t *p);
int run_check(const job_t *job, apr_pool_t *p);
int run_import(const job_t *job, apr_pool_t *p);
int run_merge(const job_t *job, apr_pool_t *p);
int run_list(const job_t *job, apr_pool_t *p);
int run_report(const job_t *job, apr_pool_t *p);
int run_index(const job_t *job, apr_pool_t *p);

/* A span as printf's "%.*s" wants it; names are at most 1,024 bytes. */
#define SPAN(s) (int)(s).len, (s).ptr

#endif
