/* An allocator that fails when a test says so.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The linker puts it before malloc, calloc and realloc as the library and the tests call them
 * (--wrap); what other libraries call is not touched.
 */
#ifndef AUTHWS_T_FAIL_ALLOC_H
#define AUTHWS_T_FAIL_ALLOC_H

#include <stdbool.h>

/* Lets `n` allocations succeed; all that come then fail, until unit_alloc_again. */
void unit_fail_alloc_after(unsigned n);

/* Lets all succeed. Returns whether one has failed. */
bool unit_alloc_again(void);

#endif
