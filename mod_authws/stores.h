/* The A1 stores of the whole server: one for each list of files, however many sections name it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_STORES_H
#define MOD_AUTHWS_STORES_H

#include "config.h"

/* Starts an empty registry that lives in `pconf`; before the configuration is read. */
apr_status_t authws_stores_init(apr_pool_t *pconf);

/* The store over these files (absolute paths, `n` of them): one that is there already, or a new
 * one. NULL and *message (in `p`) when a file is missing or broken. Any thread: .htaccess files
 * come here while requests are served. */
aw_a1_store_t *authws_stores_get(const char **message, const char *const *paths, size_t n,
                                 apr_pool_t *p);

#endif
