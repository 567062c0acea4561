/* A progress bar on standard error, where that is a terminal.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Milliseconds before the bar is shown, and between two looks of it. */
#define FIRST_MS 500
#define AGAIN_MS 100

#define WIDTH 40

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void progress_begin(progress_t *progress, const char *what, uint64_t total)
{
    *progress = (progress_t){.what = what,
                             .total = total,
                             .next = now_ms() + FIRST_MS,
                             .terminal = isatty(STDERR_FILENO) == 1};
}

void progress_at(progress_t *progress, uint64_t done, uint64_t users)
{
    static const char full[] = "########################################";

    if (!progress->terminal || now_ms() < progress->next) {
        return;
    }
    progress->next = now_ms() + AGAIN_MS;
    progress->drawn = true;
    if (progress->total == 0) {
        fprintf(stderr, "\r\033[K%s: %" PRIu64 " users", progress->what, users);
        return;
    }
    const uint64_t shown = done < progress->total ? done : progress->total;
    const double part = (double)shown / (double)progress->total;

    fprintf(stderr, "\r\033[K%s [%.*s%*s] %3d %%, %" PRIu64 " users", progress->what,
            (int)(part * WIDTH), full, WIDTH - (int)(part * WIDTH), "", (int)(part * 100), users);
}

void progress_clear(progress_t *progress)
{
    if (progress->drawn) {
        fputs("\r\033[K", stderr);
        progress->drawn = false;
    }
}
