/* A progress bar on standard error, where that is a terminal.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_PROGRESS_H
#define AUTHWS_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress_t {
    const char *what; /* borrowed; "importing" */
    uint64_t total;   /* 0: not known, a count is shown */
    int64_t next;     /* monotonic milliseconds: not drawn before */
    bool terminal;
    bool drawn;
} progress_t;

/* Nothing is shown for what takes less than half a second. */
void progress_begin(progress_t *progress, const char *what, uint64_t total);

/* `done` of `total`, and how many users that were. Cheap: may be called for every block. */
void progress_at(progress_t *progress, uint64_t done, uint64_t users);

/* Takes the bar away, before something else is written and at the end. */
void progress_clear(progress_t *progress);

#endif
