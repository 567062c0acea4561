/* The jobs `authws cert ...`: their options, and what they share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_CERT_H
#define AUTHWS_TOOLS_CERT_H

#include <apr_hash.h>
#include <stdbool.h>

#include "authws.h"

/* What a job was told. */
typedef struct cert_job_t {
    const char *from;  /* NULL: none */
    const char *users; /* likewise */
    const char *const *words;
    int count;
} cert_job_t;

/* Reads the options; *rv is the exit status when false (help was asked for, or bad usage). */
bool cert_options(cert_job_t *job, int argc, char **argv, int *rv);

/* Says all mistakes of a map, on standard output or error; EXIT_NOT_SO when there are any. `users`
 * (NULL: not looked at) holds "user" and "user:realm" for those whom an A1 file knows. */
int cert_check_file(const char *path, apr_hash_t *users, bool to_stderr, apr_pool_t *p);

#endif
