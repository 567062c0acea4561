/* Reading and changing files for the authws program's jobs: under a lock, with words for failures.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_EDIT_H
#define AUTHWS_TOOLS_EDIT_H

#include <apr_time.h>

#include "base/file.h"
#include "store/lines.h"

/* For printf's "%.*s". */
#define SPAN(s) (int)(s).len, (s).ptr

/* Says why `path` could not be read or replaced; returns the exit status. */
int edit_failed(const char *path, apr_status_t status);

/* Reads a whole file into `p`; EXIT_DONE, or it has been said why not. */
int edit_read(const char *path, aw_span_t *text, apr_pool_t *p);

/* Decides what becomes of `text`: EXIT_DONE and parts in *edit, to be written; another exit status
 * after it has been said why: the file stays. May be called again with a newer text. */
typedef int (*edit_fn)(void *baton, aw_line_edit_t *edit, aw_span_t text, apr_pool_t *p);

/* Runs one locked edit, again from the start when a program that knows nothing of the lock came
 * between. With `create` a missing file is an empty one. The exit status. */
int edit_file(const char *path, bool create, edit_fn fn, void *baton, apr_pool_t *p);

/* An aw_line_error_fn: a line "FILE:LINE:COLUMN: what" on standard output or error. */
typedef struct edit_say_t {
    const char *path;
    bool to_stderr;
    size_t count; /* of the mistakes that were said */
} edit_say_t;
void edit_say(void *baton, const aw_line_error_t *error);

/* Warns of a file that everybody may read (when `secret`) or write. */
void edit_warn_mode(const char *path, bool secret);

#endif
