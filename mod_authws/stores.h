/* The A1 stores of the whole server: one for each list of files, however many sections name it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_STORES_H
#define MOD_AUTHWS_STORES_H

#include "config.h"

/* Starts an empty registry that lives in `pconf`; before the configuration is read. */
apr_status_t authws_stores_init(apr_pool_t *pconf);

/* What .htaccess files, which anybody may write who has a site, can make the server keep: stores
 * in a child process, files in one of them, and bytes in a file. */
#define AUTHWS_HTACCESS_STORES 256
#define AUTHWS_HTACCESS_FILES  16
#define AUTHWS_HTACCESS_BYTES  (16 * 1024 * 1024)

/* The store over these files (absolute paths, `n` of them): one that is there already, or a new
 * one. NULL and *message (in `p`) when a file is missing or broken. With `htaccess` the limits
 * above hold, and a store that the configuration opened, perhaps as root, is not shared. Any
 * thread: .htaccess files come here while requests are served. */
aw_a1_store_t *authws_stores_get(const char **message, const char *const *paths, size_t n,
                                 bool htaccess, apr_pool_t *p);

/* Notes, while the configuration is read, that some section offers these algorithms (a mask,
 * 1u << aw_alg_e), or user hashes. */
void authws_stores_note_algorithms(unsigned algorithms);
void authws_stores_note_userhash(void);

/* Indexes every store for the user hashes that may come, if any section offers them, and puts what
 * was read where all child processes share it, now and after a change. Before the fork; what is
 * missing (.htaccess) the stores add when first asked. */
apr_status_t authws_stores_index(void);

/* post_config, as root: warns about files that the user the server will run as cannot read, so
 * that edits of them would not be seen. */
void authws_stores_check_access(apr_pool_t *ptemp);

/* Follows the files: every process takes up every version, asked or not, so that all have the same
 * last good one when the next is broken. child_init: at once, and from then on by a thread of its
 * own (on a threaded MPM; elsewhere at each request). monitor: in the parent, for the children
 * that it forks later. */
void authws_stores_child_init(apr_pool_t *pchild, server_rec *s);
int authws_stores_monitor(apr_pool_t *p, server_rec *s);

#endif
