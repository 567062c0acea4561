/* What the readers and editors of token files and certificate maps share: lines, mistakes, parts.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_STORE_LINES_H
#define AUTHWS_STORE_LINES_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/bytes.h"

/* A mistake: where (both from 1; the column is counted in bytes), and what. The message holds no
 * hash, and of the file no more than a code point or a number. */
typedef struct aw_line_error_t {
    size_t line;
    size_t column;
    char message[160];
} aw_line_error_t;

/* Called for one broken line; `error` is borrowed for the call. */
typedef void (*aw_line_error_fn)(void *baton, const aw_line_error_t *error);

/* What became of a line that was read. */
typedef enum aw_line_e {
    AW_LINE_ENTRY,
    AW_LINE_BLANK, /* nothing, or a # comment */
    AW_LINE_END,   /* there is no more */
    AW_LINE_BROKEN /* and the next call goes on behind it */
} aw_line_e;

/* A place in a file's text. */
typedef struct aw_line_reader_t {
    aw_span_t rest;
    size_t number; /* of the line that was read last */
} aw_line_reader_t;

/* Starts at the beginning of `text`, which is borrowed. */
void aw_line_reader_init(aw_line_reader_t *reader, aw_span_t text);

/* Takes the next line, without its end (LF or CRLF), when `rest` is not empty. *whole (may be
 * NULL) is the line with its end. */
AW_PRIVATE aw_span_t aw_line_next(aw_line_reader_t *reader, aw_span_t *whole);

/* Sets the error (printf) at `offset`, from 0; always false, so that callers can return it. The
 * line is set by who knows it. */
AW_PRIVATE bool aw_line_mistake(aw_line_error_t *error, size_t offset, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The result of an edit of a text: parts to hand to aw_file_commit_edit, in the edit's pool. */
typedef struct aw_line_edit_t {
    const aw_span_t *parts;
    size_t count;
    size_t entries; /* that were there before and were replaced, changed or removed */
} aw_line_edit_t;

/* Appends bytes to an array of aw_span_t, joining them to the last where they follow it in
 * memory. */
AW_PRIVATE void aw_parts_push(apr_array_header_t *parts, aw_span_t s);

#endif
