/* Counters in shared memory: what happened, over all processes and generations.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shm/counters.h"

#include <stdatomic.h>
#include <unistd.h>

typedef _Atomic uint64_t cell_t;

_Static_assert(AW_COUNTERS_MAX * sizeof(cell_t) % 64 == 0, "a stripe is whole cache lines");

apr_status_t aw_counters_init(aw_counters_t *counters, void *memory, size_t size)
{
    if (!memory || (uintptr_t)memory % 64 != 0 || size < AW_COUNTERS_SIZE) {
        return APR_EINVAL;
    }
    counters->cells = memory;
    return APR_SUCCESS;
}

/* This thread's stripe, given out in turn; processes begin at different ones. */
static unsigned stripe_get(void)
{
    static atomic_uint next;
    static _Thread_local unsigned own; /* one more than the stripe; 0: none yet */

    if (own == 0) {
        own = ((unsigned)getpid() + atomic_fetch_add_explicit(&next, 1, memory_order_relaxed)) %
                  AW_COUNTERS_STRIPES +
              1;
    }
    return own - 1;
}

void aw_counters_add(const aw_counters_t *counters, unsigned which)
{
    cell_t *cells = counters->cells;

    if (cells && which < AW_COUNTERS_MAX) {
        /* Relaxed: no other memory goes with a count. */
        atomic_fetch_add_explicit(&cells[stripe_get() * AW_COUNTERS_MAX + which], 1,
                                  memory_order_relaxed);
    }
}

uint64_t aw_counters_get(const aw_counters_t *counters, unsigned which)
{
    cell_t *cells = counters->cells;
    uint64_t sum = 0;

    for (unsigned i = 0; cells && which < AW_COUNTERS_MAX && i < AW_COUNTERS_STRIPES; i++) {
        sum += atomic_load_explicit(&cells[i * AW_COUNTERS_MAX + which], memory_order_relaxed);
    }
    return sum;
}
