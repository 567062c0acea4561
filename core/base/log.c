/* Formatting of messages for the log sink, in a bounded buffer on the stack.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#define TEXT_MAX 1000

void aw_log(const aw_log_t *log, aw_log_level_e level, unsigned number, const char *fmt, ...)
{
    char text[TEXT_MAX + 1];
    va_list args;

    if (log == NULL || log->fn == NULL) {
        return;
    }
    va_start(args, fmt);
    const int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    log->fn(log->baton, level, number, n < 0 ? fmt : text);
}
