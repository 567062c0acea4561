/* Input that ends at an inaccessible page, so that a read behind it is a crash.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Pages for the data itself, with an inaccessible one before and behind. */
static size_t data_pages(size_t n, size_t page)
{
    return n == 0 ? 1 : (n + page - 1) / page;
}

aw_span_t unit_guard(const void *data, size_t n)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t pages = data_pages(n, page);
    char *map = mmap(NULL, (pages + 2) * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (map == MAP_FAILED || mprotect(map + page, pages * page, PROT_READ | PROT_WRITE) != 0) {
        abort();
    }
    char *at = map + page + pages * page - n;
    if (n > 0) {
        memcpy(at, data, n);
    }
    return (aw_span_t){at, n};
}

void unit_guard_free(aw_span_t guarded)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t pages = data_pages(guarded.len, page);
    const uintptr_t end = (uintptr_t)guarded.ptr + guarded.len;

    munmap((void *)(end - (pages + 1) * page), (pages + 2) * page);
}
