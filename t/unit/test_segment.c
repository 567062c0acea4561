/* The shared-memory segment: what is created can be found, what was tampered with is refused.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/segment.h"

static size_t page(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static const aw_segment_table_t three[] = {{1, 1, 1}, {7, 2, 100000}, {9, 1, 8192}};

static aw_segment_t *create_three(void)
{
    aw_segment_t *segment = NULL;

    CU_ASSERT_EQUAL_FATAL(aw_segment_create(&segment, three, 3, 12345), APR_SUCCESS);
    return segment;
}

static void tables_are_found_zeroed_apart_and_on_pages(void)
{
    aw_segment_t *segment = create_three();
    char *end = (char *)segment + page();

    for (size_t i = 0; i < 3; i++) {
        size_t size = 0;
        char *table = aw_segment_find(segment, three[i].kind, three[i].version, &size);

        CU_ASSERT_PTR_NOT_NULL_FATAL(table);
        CU_ASSERT_EQUAL((uintptr_t)table % page(), 0);
        CU_ASSERT(table >= end);
        CU_ASSERT(size >= three[i].size);
        for (size_t j = 0; j < size; j++) {
            CU_ASSERT_EQUAL_FATAL(table[j], 0);
        }
        memset(table, 0x55, size); /* all of it may be written */
        end = table + size;
    }
    CU_ASSERT_PTR_EQUAL(end, (char *)segment + aw_segment_size(segment));
    CU_ASSERT_EQUAL(aw_segment_created(segment), 12345);
    aw_segment_destroy(segment);
}

static void what_is_not_there_is_not_found(void)
{
    aw_segment_t *segment = create_three();
    size_t size = 77;

    CU_ASSERT_PTR_NULL(aw_segment_find(segment, 7, 1, &size)); /* another layout version */
    CU_ASSERT_PTR_NULL(aw_segment_find(segment, 2, 1, &size));
    CU_ASSERT_PTR_NULL(aw_segment_find(segment, 0, 0, &size)); /* as unused entries look */
    CU_ASSERT_EQUAL(size, 77);
    CU_ASSERT_PTR_NOT_NULL(aw_segment_find(segment, 7, 2, NULL));
    aw_segment_destroy(segment);
}

static void impossible_tables_are_refused(void)
{
    const aw_segment_table_t twins[] = {{1, 1, 10}, {1, 2, 10}};
    const aw_segment_table_t empty = {1, 1, 0}, huge = {1, 1, SIZE_MAX};
    const aw_segment_table_t halves[] = {{1, 1, SIZE_MAX / 2}, {2, 1, SIZE_MAX / 2 + 1}};
    const aw_segment_table_t vast = {1, 1, SIZE_MAX / 4};
    aw_segment_table_t many[AW_SEGMENT_TABLES_MAX + 1];
    aw_segment_t *segment = NULL;

    for (uint32_t i = 0; i <= AW_SEGMENT_TABLES_MAX; i++) {
        many[i] = (aw_segment_table_t){i, 1, 1};
    }
    CU_ASSERT_EQUAL(aw_segment_create(&segment, NULL, 0, 0), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_segment_create(&segment, many, AW_SEGMENT_TABLES_MAX + 1, 0), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_segment_create(&segment, twins, 2, 0), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_segment_create(&segment, &empty, 1, 0), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_segment_create(&segment, &huge, 1, 0), APR_ENOMEM);
    CU_ASSERT_EQUAL(aw_segment_create(&segment, halves, 2, 0), APR_ENOMEM);
    CU_ASSERT_EQUAL(aw_segment_create(&segment, &vast, 1, 0), APR_ENOMEM);
    CU_ASSERT_PTR_NULL(segment);
    CU_ASSERT_EQUAL(aw_segment_create(&segment, many, AW_SEGMENT_TABLES_MAX, 0), APR_SUCCESS);
    aw_segment_destroy(segment);
    aw_segment_destroy(NULL);
}

static void another_generation_attaches_and_sees_the_same(void)
{
    aw_segment_t *segment = create_three(), *again = NULL;
    const size_t size = aw_segment_size(segment);
    const char *why = NULL;

    *(int *)aw_segment_find(segment, 9, 1, NULL) = 42;
    CU_ASSERT_EQUAL_FATAL(aw_segment_attach(&again, &why, segment, size), APR_SUCCESS);
    CU_ASSERT_PTR_NULL(why);
    CU_ASSERT_EQUAL(*(int *)aw_segment_find(again, 9, 1, NULL), 42);
    CU_ASSERT_EQUAL(aw_segment_size(again), size);
    CU_ASSERT_EQUAL(aw_segment_created(again), 12345);
    aw_segment_destroy(again);
}

static void a_child_writes_what_its_parent_reads(void)
{
    aw_segment_t *segment = create_three();
    volatile int *cell = aw_segment_find(segment, 7, 2, NULL);
    const pid_t child = fork();

    if (child == 0) {
        *cell = 4711;
        _exit(0);
    }
    CU_ASSERT_EQUAL(waitpid(child, NULL, 0), child);
    CU_ASSERT_EQUAL(*cell, 4711);
    aw_segment_destroy(segment);
}

static void a_process_that_writes_to_the_header_dies_and_changes_nothing(void)
{
    aw_segment_t *segment = create_three(), *again = NULL;
    const char *why = NULL;
    int status = 0;
    const pid_t child = fork();

    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* neither the runner's handler nor a sanitizer's */
        signal(SIGBUS, SIG_DFL);
        memset(segment, 0xff, 64);
        _exit(0);
    }
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT(WIFSIGNALED(status));
    CU_ASSERT_EQUAL(aw_segment_attach(&again, &why, segment, aw_segment_size(segment)),
                    APR_SUCCESS);
    aw_segment_destroy(segment);
}

/* Each bit of the header in turn, in a private copy of a segment. Whatever is still taken for a
 * segment has its tables inside. */
static void a_header_with_any_bit_flipped_is_refused_or_harmless(void)
{
    aw_segment_t *segment = create_three();
    const size_t size = aw_segment_size(segment);
    const size_t header = 32 + 24 * 16;
    char *copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned refused = 0;

    CU_ASSERT_PTR_NOT_EQUAL_FATAL((void *)copy, MAP_FAILED);
    for (size_t bit = 0; bit < header * 8; bit++) {
        aw_segment_t *again = NULL;
        const char *why = NULL;

        memcpy(copy, segment, page());
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << (bit % 8));
        if (aw_segment_attach(&again, &why, copy, size) != APR_SUCCESS) {
            CU_ASSERT_PTR_NOT_NULL(why);
            CU_ASSERT_PTR_NULL(again);
            refused++;
            continue;
        }
        for (size_t i = 0; i < 3; i++) {
            size_t n = 0;
            const char *table = aw_segment_find(again, three[i].kind, three[i].version, &n);

            if (table) {
                CU_ASSERT(table >= copy + page());
                CU_ASSERT(n > 0 && n <= size - (size_t)(table - copy));
            }
        }
    }
    CU_ASSERT(refused > 64 + 32 + 64); /* magic, layout and size, at the least */
    munmap(copy, size);
    aw_segment_destroy(segment);
}

static void no_segment_at_all_is_refused(void)
{
    aw_segment_t *segment = create_three(), *again = NULL;
    const size_t size = aw_segment_size(segment);
    char *zeros = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const char *why = NULL;

    CU_ASSERT_PTR_NOT_EQUAL_FATAL((void *)zeros, MAP_FAILED);
    CU_ASSERT_EQUAL(aw_segment_attach(&again, &why, NULL, size), APR_EGENERAL);
    CU_ASSERT_PTR_NOT_NULL(why);
    CU_ASSERT_EQUAL(aw_segment_attach(&again, &why, zeros, size), APR_EGENERAL);
    CU_ASSERT_EQUAL(aw_segment_attach(&again, &why, segment, 0), APR_EGENERAL);
    CU_ASSERT_EQUAL(aw_segment_attach(&again, &why, segment, page() - 1), APR_EGENERAL);
    CU_ASSERT_EQUAL(aw_segment_attach(&again, &why, segment, page()), APR_EGENERAL);
    CU_ASSERT_EQUAL(aw_segment_attach(&again, &why, segment, size - page()), APR_EGENERAL);
    CU_ASSERT_EQUAL(aw_segment_attach(&again, &why, segment, size + page()), APR_EGENERAL);
    CU_ASSERT_EQUAL(aw_segment_attach(&again, &why, (char *)segment + 8, size), APR_EGENERAL);
    CU_ASSERT_PTR_NULL(again);
    munmap(zeros, size);
    aw_segment_destroy(segment);
}

static const unit_test_t tests[] = {
    {"tables_are_found_zeroed_apart_and_on_pages", tables_are_found_zeroed_apart_and_on_pages},
    {"what_is_not_there_is_not_found", what_is_not_there_is_not_found},
    {"impossible_tables_are_refused", impossible_tables_are_refused},
    {"another_generation_attaches_and_sees_the_same",
     another_generation_attaches_and_sees_the_same},
    {"a_child_writes_what_its_parent_reads", a_child_writes_what_its_parent_reads},
    {"a_process_that_writes_to_the_header_dies_and_changes_nothing",
     a_process_that_writes_to_the_header_dies_and_changes_nothing},
    {"a_header_with_any_bit_flipped_is_refused_or_harmless",
     a_header_with_any_bit_flipped_is_refused_or_harmless},
    {"no_segment_at_all_is_refused", no_segment_at_all_is_refused},
    {NULL, NULL},
};

const unit_suite_t segment_suite = {"segment", tests};
