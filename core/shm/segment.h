/* The one shared-memory segment: created once by the parent process, mapped by all its children.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      +--------------------+---------------------------------------------+
 *      | header, one page   | tables, each on a page boundary             |
 *      +--------------------+---------------------------------------------+
 *        magic, layout version, size, creation time,
 *        directory: kind, version, offset, size of each table
 *
 * The memory is anonymous and shared; it is inherited by fork and lives as long as any process
 * has it mapped, so nothing of it is left behind in the file system. The header is read-only once
 * it is made. Everything else is written by processes that may die at any instruction: see each
 * table's header for why that is safe.
 */
#ifndef AUTHWS_SHM_SEGMENT_H
#define AUTHWS_SHM_SEGMENT_H

#include <apr_errno.h>
#include <apr_time.h>
#include <stdint.h>

#define AW_SEGMENT_TABLES_MAX 16
#define AW_SEGMENT_MIN        (64 * 1024)

/* A table that a segment is created with. */
typedef struct aw_segment_table_t {
    uint32_t kind;    /* one of the AW_TABLE_... numbers */
    uint32_t version; /* of that table's layout */
    size_t size;      /* bytes; rounded up to whole pages */
} aw_segment_table_t;

/* Numbers of the kinds; never used again for another. */
enum {
    AW_TABLE_NC = 1,
    AW_TABLE_COUNTERS = 2,
    AW_TABLE_THROTTLE = 3,
    AW_TABLE_CONNECTIONS = 4,
    AW_TABLE_ACCEPTORS = 5
};

typedef struct aw_segment_t aw_segment_t; /* the header, at the start of the mapping */

/* Maps a new, zeroed segment that holds the given tables. APR_EINVAL for no tables or too many, an
 * empty one, or two of a kind; APR_ENOMEM when it cannot be mapped. Never unmapped by the library:
 * see aw_segment_destroy. */
apr_status_t aw_segment_create(aw_segment_t **segment, const aw_segment_table_t *tables, size_t n,
                               apr_time_t now);

/* Takes up a segment that another generation of the program created: checks magic, layout version,
 * size and that every table lies inside, on pages of its own. APR_EGENERAL and *why (static) when
 * it is not one of this version. `base` is NULL or `size` readable bytes. */
apr_status_t aw_segment_attach(aw_segment_t **segment, const char **why, void *base, size_t size);

/* The table of a kind and layout version, or NULL; *size (may be NULL) its bytes. */
void *aw_segment_find(aw_segment_t *segment, uint32_t kind, uint32_t version, size_t *size);

/* Bytes of the whole mapping, and when it was created. */
size_t aw_segment_size(const aw_segment_t *segment);
apr_time_t aw_segment_created(const aw_segment_t *segment);

/* Unmaps it in this process. NULL is allowed. */
void aw_segment_destroy(aw_segment_t *segment);

#endif
