/* The jobs `authws token ...`: their options, and what they share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_TOKEN_H
#define AUTHWS_TOOLS_TOKEN_H

#include "authws.h"
#include "edit.h"
#include "password.h"
#include "store/token.h"

/* What a job was told. */
typedef struct token_job_t {
    const char *file;
    aw_span_t subject; /* empty: none was given */
    aw_token_alg_e algorithm;
    apr_time_t expires;
    apr_time_t until; /* --overlap; AW_TOKEN_NEVER: earlier tokens go */
    aw_span_t note;
    bool from_stdin;
    apr_time_t now;
} token_job_t;

/* How many subjects a job takes. */
typedef enum token_subjects_e { SUBJECT_NONE, SUBJECT_MAY, SUBJECT_MUST } token_subjects_e;

/* Reads the options; *rv is the exit status when false (help was asked for, or bad usage). */
bool token_options(token_job_t *job, int argc, char **argv, token_subjects_e subjects, int *rv);

/* Reads a token from the terminal or standard input; EXIT_DONE, or it has been said why not. */
int token_ask(password_t *token, bool from_stdin);

#endif
