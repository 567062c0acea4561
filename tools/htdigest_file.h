/* The A1 file that authws-htdigest works on: reading, checking and replacing it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_HTDIGEST_FILE_H
#define AUTHWS_TOOLS_HTDIGEST_FILE_H

#include <apr_time.h>
#include <stdio.h>

#include "htdigest_run.h"
#include "base/file.h"
#include "store/a1.h"

/* How long another program's edit is waited for. */
#define LOCK_TIMEOUT apr_time_from_sec(60)

/* Says why `file` could not be read or replaced; returns the exit status. */
int file_error(const job_t *job, const char *file, apr_status_t status);

/* Reads a whole file; EXIT_DONE, or it has been said why not. Wipe the text. */
int file_read(const job_t *job, const char *file, aw_span_t *text, apr_pool_t *p);
void file_wipe(aw_span_t text);

/* Writes a line that is broken to `out`. */
void file_say_broken(FILE *out, const char *file, const aw_text_error_t *error);

/* An aw_file_wait_fn that says that it waits. */
void file_say_waiting(void *baton, const char *path, apr_interval_time_t timeout);

/* Changes `text`, what the file holds, and commits or abandons the edit. */
typedef apr_status_t (*edit_fn)(void *baton, aw_file_edit_t *edit, aw_span_t text, apr_pool_t *p);

/* Runs one locked edit of the job's file, again from the start when a program that knows nothing
 * of the lock came between, and says which lines are broken afterwards. The exit status. With -c
 * the text is empty. */
int file_edit(const job_t *job, edit_fn edit, void *baton, apr_pool_t *p);

/* Whether --realm lets a realm through. */
bool file_wants(const job_t *job, aw_span_t realm);

/* Warns of a file that everybody may read. */
void file_warn_mode(const char *file);

#endif
