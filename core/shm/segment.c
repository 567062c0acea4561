/* The one shared-memory segment: its header and the directory of its tables.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shm/segment.h"

#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAGIC  UINT64_C(0x617574687773a1e0) /* "authws", then two bytes no text has */
#define LAYOUT 1u

typedef struct entry_t {
    uint32_t kind;
    uint32_t version;
    uint64_t offset; /* from the start of the mapping */
    uint64_t size;
} entry_t;

/* Written once, before any child is forked, and read-only from then on: a process gone wild faults
 * instead of moving the tables under everybody's feet. */
struct aw_segment_t {
    uint64_t magic;
    uint32_t layout;
    uint32_t count;
    uint64_t size;
    int64_t created;
    entry_t tables[AW_SEGMENT_TABLES_MAX];
};
_Static_assert(sizeof(aw_segment_t) <= 4096, "the header is one page of the smallest kind");

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Adds `size`, rounded up to whole pages, to *total. False when it cannot be counted. */
static bool add_pages(size_t *total, size_t size, size_t page)
{
    size_t rounded;

    if (__builtin_add_overflow(size, page - 1, &rounded)) {
        return false;
    }
    rounded -= rounded % page;
    return !__builtin_add_overflow(*total, rounded, total);
}

apr_status_t aw_segment_create(aw_segment_t **segment, const aw_segment_table_t *tables, size_t n,
                               apr_time_t now)
{
    aw_segment_t header = {.magic = MAGIC, .layout = LAYOUT, .created = now};
    const size_t page = page_size();
    size_t size = page;

    if (n == 0 || n > AW_SEGMENT_TABLES_MAX) {
        return APR_EINVAL;
    }
    for (size_t i = 0; i < n; i++) {
        entry_t *entry = &header.tables[i];

        for (size_t j = 0; j < i; j++) {
            if (tables[j].kind == tables[i].kind) {
                return APR_EINVAL; /* the second could never be found */
            }
        }
        if (tables[i].size == 0) {
            return APR_EINVAL;
        }
        *entry = (entry_t){tables[i].kind, tables[i].version, size, 0};
        if (!add_pages(&size, tables[i].size, page)) {
            return APR_ENOMEM;
        }
        entry->size = size - entry->offset;
    }
    header.count = (uint32_t)n;
    header.size = size;

    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (base == MAP_FAILED) {
        return APR_ENOMEM;
    }
    *(aw_segment_t *)base = header;
    if (mprotect(base, page, PROT_READ) != 0) {
        (void)munmap(base, size);
        return APR_ENOMEM;
    }
    *segment = base;
    return APR_SUCCESS;
}

/* Whether table `i` lies inside the mapping, on pages of its own, behind those before it. */
static bool is_placed(const aw_segment_t *segment, uint32_t i, size_t page, uint64_t *end)
{
    const entry_t *entry = &segment->tables[i];

    for (uint32_t j = 0; j < i; j++) {
        if (segment->tables[j].kind == entry->kind) {
            return false;
        }
    }
    if (entry->offset % page != 0 || entry->size % page != 0 || entry->size == 0 ||
        entry->offset < *end || entry->offset > segment->size ||
        entry->size > segment->size - entry->offset) {
        return false;
    }
    *end = entry->offset + entry->size;
    return true;
}

static const char *find_fault(const aw_segment_t *segment, size_t size)
{
    const size_t page = page_size();
    uint64_t end = page;

    if (!segment || (uintptr_t)segment % page != 0 || size < page) {
        return "too small to be a segment, or not on a page";
    }
    if (segment->magic != MAGIC) {
        return "not a segment of this module";
    }
    if (segment->layout != LAYOUT) {
        return "another version of the segment";
    }
    if (segment->size != size) {
        return "another size than its header says";
    }
    if (segment->count == 0 || segment->count > AW_SEGMENT_TABLES_MAX) {
        return "an impossible number of tables";
    }
    for (uint32_t i = 0; i < segment->count; i++) {
        if (!is_placed(segment, i, page, &end)) {
            return "a table that is not where it can be";
        }
    }
    return NULL;
}

apr_status_t aw_segment_attach(aw_segment_t **segment, const char **why, void *base, size_t size)
{
    const char *fault = find_fault(base, size);

    if (fault) {
        *why = fault;
        return APR_EGENERAL;
    }
    *segment = base;
    return APR_SUCCESS;
}

void *aw_segment_find(aw_segment_t *segment, uint32_t kind, uint32_t version, size_t *size)
{
    for (uint32_t i = 0; i < segment->count; i++) {
        const entry_t *entry = &segment->tables[i];

        if (entry->kind == kind && entry->version == version) {
            if (size) {
                *size = (size_t)entry->size;
            }
            return (char *)segment + entry->offset;
        }
    }
    return NULL;
}

size_t aw_segment_size(const aw_segment_t *segment)
{
    return (size_t)segment->size;
}

apr_time_t aw_segment_created(const aw_segment_t *segment)
{
    return segment->created;
}

void aw_segment_destroy(aw_segment_t *segment)
{
    if (segment) {
        (void)munmap(segment, (size_t)segment->size);
    }
}
