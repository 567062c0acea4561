/* What the readers and editors of token files and certificate maps share: lines, mistakes, parts.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/lines.h"

#include <stdarg.h>
#include <stdio.h>

void aw_line_reader_init(aw_line_reader_t *reader, aw_span_t text)
{
    reader->rest = text;
    reader->number = 0;
}

aw_span_t aw_line_next(aw_line_reader_t *reader, aw_span_t *whole)
{
    aw_span_t line = reader->rest;
    const char *end = memchr(line.ptr, '\n', line.len);
    const size_t taken = end ? (size_t)(end - line.ptr) + 1 : line.len;

    reader->number++;
    reader->rest = (aw_span_t){line.ptr + taken, line.len - taken};
    if (whole) {
        *whole = (aw_span_t){line.ptr, taken};
    }
    line.len = end ? taken - 1 : taken;
    /* At the end of the text too: an edit would put the LF behind it. */
    if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    return line;
}

bool aw_line_mistake(aw_line_error_t *error, size_t offset, const char *fmt, ...)
{
    va_list args;

    error->line = 1;
    error->column = offset + 1;
    va_start(args, fmt);
    vsnprintf(error->message, sizeof(error->message), fmt, args);
    va_end(args);
    return false;
}

void aw_parts_push(apr_array_header_t *parts, aw_span_t s)
{
    if (s.len == 0) {
        return;
    }
    if (parts->nelts > 0) {
        aw_span_t *last = &APR_ARRAY_IDX(parts, parts->nelts - 1, aw_span_t);

        if (last->ptr + last->len == s.ptr) {
            last->len += s.len;
            return;
        }
    }
    APR_ARRAY_PUSH(parts, aw_span_t) = s;
}
