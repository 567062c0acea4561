/* What the subcommands of the authws program share: exit statuses and complaints.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_AUTHWS_H
#define AUTHWS_TOOLS_AUTHWS_H

#include <apr_pools.h>

/* Exit statuses. */
enum { EXIT_DONE = 0, EXIT_NOT_SO = 1, EXIT_USAGE = 2, EXIT_SYSTEM = 3 };

/* Says "authws: " and the text, printf's way, on standard error. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* `authws bench digest`; argv[0] is "digest". Returns the exit status. */
int bench_digest(int argc, char **argv, apr_pool_t *p);

/* `authws connect`; argv[0] is "connect". */
int connect_run(int argc, char **argv, apr_pool_t *p);

/* `authws bench ws`; argv[0] is "ws". */
int bench_ws(int argc, char **argv, apr_pool_t *p);

/* `authws token ...`; argv[0] is the second word. */
int token_add(int argc, char **argv, apr_pool_t *p);
int token_verify(int argc, char **argv, apr_pool_t *p);
int token_revoke(int argc, char **argv, apr_pool_t *p);
int token_list(int argc, char **argv, apr_pool_t *p);
int token_report(int argc, char **argv, apr_pool_t *p);

/* `authws cert ...`; likewise. */
int cert_add(int argc, char **argv, apr_pool_t *p);
int cert_check(int argc, char **argv, apr_pool_t *p);
int cert_list(int argc, char **argv, apr_pool_t *p);

/* `authws secret`; argv[0] is "secret". */
int secret_run(int argc, char **argv, apr_pool_t *p);

#endif
