/* Words of the configuration: times, sizes, numbers, and what is said about a wrong one.
 * SPDX-License-Identifier: Apache-2.0
 *
 * All return NULL, or a message for the person who wrote the word, in cmd->pool; outputs are
 * untouched then. While the configuration is read; no threads.
 */
#ifndef MOD_AUTHWS_WORDS_H
#define MOD_AUTHWS_WORDS_H

#include "module.h"

/* The word that is wrong, fit for a message on one line; in `p`. */
const char *authws_word_quoted(apr_pool_t *p, const char *word);

/* Times as httpd writes them (h, mi, s, ms), and "m" for minutes; microseconds, min to max, which
 * `range` says in words. */
const char *authws_word_time(apr_interval_time_t *out, cmd_parms *cmd, const char *word,
                             apr_interval_time_t min, apr_interval_time_t max, const char *range);

/* Sizes: bytes, or with K, M or G; min to max. */
const char *authws_word_size(apr_off_t *out, cmd_parms *cmd, const char *word, apr_off_t min,
                             apr_off_t max, const char *range);

/* A plain decimal number, min to max. */
const char *authws_word_number(int *out, cmd_parms *cmd, const char *word, int min, int max);

/* Flags for an expression that gives a string: what stands in a .htaccess file may not read files.
 */
unsigned authws_expr_flags(cmd_parms *cmd);

/* The message for a directive without words. */
const char *authws_word_missing(cmd_parms *cmd, const char *allowed);

#endif
