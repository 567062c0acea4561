/* The token files and certificate maps of the whole server: one store for each list of files.
 * SPDX-License-Identifier: Apache-2.0
 *
 * As stores.h, whose limits for .htaccess files hold here too.
 */
#ifndef MOD_AUTHWS_FILES_H
#define MOD_AUTHWS_FILES_H

#include "config.h"

/* Starts an empty registry that lives in `pconf`; before the configuration is read. */
apr_status_t authws_files_init(apr_pool_t *pconf);

/* The store over these files (absolute paths): one that is there already, or a new one. NULL and
 * *message (in `p`) when a file is missing or broken, or a limit of .htaccess files is passed. Any
 * thread: .htaccess files come here while requests are served. */
aw_token_store_t *authws_files_tokens(const char **message, const authws_files_t *files,
                                      bool htaccess, apr_pool_t *p);
aw_certmap_t *authws_files_certmap(const char **message, const authws_files_t *files, bool htaccess,
                                   apr_pool_t *p);

/* Looks whether any file has changed; `p` is for scratch. Any thread. */
void authws_files_look(apr_pool_t *p);

#endif
