/* Counters in shared memory: what happened, over all processes and generations.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     stripe 0            stripe 1                   stripe 15
 *     +----+----+---+----+----+----+---+----+       +----+----+---+----+
 *     | c0 | c1 |...| cN | c0 | c1 |...| cN |  ...  | c0 | c1 |...| cN |   each 64-bit, atomic
 *     +----+----+---+----+----+----+---+----+       +----+----+---+----+
 *
 * A thread always adds to one stripe, so that processors do not fight over one cache line; reading
 * adds the stripes up. A process killed between two instructions loses one count at the most.
 */
#ifndef AUTHWS_SHM_COUNTERS_H
#define AUTHWS_SHM_COUNTERS_H

#include <apr_errno.h>
#include <stddef.h>
#include <stdint.h>

#define AW_COUNTERS_VERSION 1
#define AW_COUNTERS_MAX     64 /* counters in a table */
#define AW_COUNTERS_STRIPES 16
#define AW_COUNTERS_SIZE    ((size_t)AW_COUNTERS_MAX * AW_COUNTERS_STRIPES * sizeof(uint64_t))

/* This process's view of a table. */
typedef struct aw_counters_t {
    void *cells;
} aw_counters_t;

/* Lays counters over AW_COUNTERS_SIZE bytes of zeroed or earlier initialised memory, 64-byte
 * aligned. Writes nothing. APR_EINVAL when it is smaller or not aligned. */
apr_status_t aw_counters_init(aw_counters_t *counters, void *memory, size_t size);

/* Adds one to counter `which` (below AW_COUNTERS_MAX). `counters` with NULL cells counts nothing.
 * Any thread. */
void aw_counters_add(const aw_counters_t *counters, unsigned which);

/* The present value. Any thread. */
uint64_t aw_counters_get(const aw_counters_t *counters, unsigned which);

#endif
