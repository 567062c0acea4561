/* Text files that are kept in memory as entry maps and followed as they change; not installed.
 * SPDX-License-Identifier: Apache-2.0
 *
 * What token files and certificate maps have in common; the rules are those of store/a1_store.h.
 * Each process reads for itself: what was read before the fork is shared until the file changes.
 * Readers take no lock (store/a1_file.h): they enter, look at maps, copy, and leave.
 */
#ifndef AUTHWS_STORE_FOLLOW_H
#define AUTHWS_STORE_FOLLOW_H

#include <apr_time.h>

#include "base/log.h"
#include "store/entry_map.h"

/* How often, at the most, the files are looked at for a change. */
#define AW_FOLLOW_CHECK apr_time_from_msec(25)

/* Makes a map of a text, or calls `say` for its mistakes and returns APR_EINVAL; APR_ENOMEM. */
typedef apr_status_t (*aw_follow_build_fn)(aw_entry_map_t **map, aw_span_t text,
                                           const unsigned char *key, aw_line_error_fn say,
                                           void *baton);

/* What kind of files they are. */
typedef struct aw_follow_kind_t {
    const char *entries; /* "tokens": what a log message counts */
    aw_follow_build_fn build;
} aw_follow_kind_t;

typedef struct aw_follow_t aw_follow_t;

/* As aw_token_store_open says. `kind` is borrowed for as long as the files are followed. */
AW_PRIVATE apr_status_t aw_follow_open(aw_follow_t **follow, const char **message,
                                       const aw_follow_kind_t *kind, const char *const *paths,
                                       size_t n, const aw_log_t *log, apr_pool_t *p);

/* Looks for changes when it is time. Any thread; returns at once while another is at it. */
AW_PRIVATE void aw_follow_look(aw_follow_t *follow, apr_time_t now);

/* Between these two the maps stay. Never blocks. */
AW_PRIVATE unsigned aw_follow_enter(aw_follow_t *follow);
AW_PRIVATE void aw_follow_leave(aw_follow_t *follow, unsigned side);

/* Files, and the map in force of one of them. */
AW_PRIVATE size_t aw_follow_count(const aw_follow_t *follow);
AW_PRIVATE const aw_entry_map_t *aw_follow_map(aw_follow_t *follow, size_t i);

#endif
