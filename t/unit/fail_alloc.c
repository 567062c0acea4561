/* An allocator that fails when a test says so.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fail_alloc.h"

#include <stddef.h>

/* The names that the linker gives to the functions and to what stands before them. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);

/* Of the thread that asked for it: other tests' threads are left alone. */
static _Thread_local bool armed, failed;
static _Thread_local unsigned left;

static bool fails(void)
{
    if (!armed) {
        return false;
    }
    if (left > 0) {
        left--;
        return false;
    }
    failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

void unit_fail_alloc_after(unsigned n)
{
    left = n;
    failed = false;
    armed = true;
}

bool unit_alloc_again(void)
{
    armed = false;
    return failed;
}
