/* One or more certificate maps kept in memory and followed as they change.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The rules by which files are followed are those of store/token_store.h.
 */
#ifndef AUTHWS_STORE_CERTMAP_STORE_H
#define AUTHWS_STORE_CERTMAP_STORE_H

#include <apr_time.h>

#include "base/log.h"
#include "store/certmap.h"

/* Maps in memory; shared by the threads of a process. */
typedef struct aw_certmap_t aw_certmap_t;

/* Loads `n` files; the rest as aw_token_store_open. */
apr_status_t aw_certmap_open(aw_certmap_t **map, const char **message, const char *const *paths,
                             size_t n, const aw_log_t *log, apr_pool_t *p);

/* Looks whether a file has changed, when it is time; aw_certmap_find does it first. Any thread;
 * returns at once while another thread is at it. */
void aw_certmap_look(aw_certmap_t *map, apr_time_t now);

/* The user of a certificate: a copy. */
typedef struct aw_certmap_entry_t {
    char user[AW_CERTMAP_NAME_MAX + 1]; /* NUL-terminated */
    size_t user_len;
    size_t size; /* of the fingerprint that it was found by */
} aw_certmap_entry_t;

/* Looks a certificate up, for a realm. A line for this realm goes before one for all, within those
 * a SHA-256 fingerprint before a SHA-1 one, within those an earlier file before a later. Compared
 * in constant time. APR_SUCCESS, or APR_NOTFOUND, with an empty user. Any thread. */
apr_status_t aw_certmap_find(aw_certmap_t *map, const aw_fingerprints_t *prints, aw_span_t realm,
                             apr_time_t now, aw_certmap_entry_t *entry);

/* Lines in the versions in force. */
size_t aw_certmap_count(aw_certmap_t *map);

#endif
