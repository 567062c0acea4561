/* What a server's processes have used: CPU time and memory, as /proc tells it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench_procs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Processes below one another; deeper is no server. */
#define DEPTH_MAX 4

/* Reads a small file of /proc whole, NUL-terminated. */
static bool slurp(char *out, size_t room, const char *path)
{
    FILE *file = fopen(path, "re");

    if (!file) {
        return false;
    }
    const size_t n = fread(out, 1, room - 1, file);

    out[n] = '\0';
    fclose(file);
    return n > 0;
}

/* The CPU seconds of a process: fields 14 to 17 of stat, behind the name in parentheses. */
static bool read_cpu(bench_procs_t *out, pid_t pid)
{
    char path[64], text[2048];

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    const char *at = slurp(text, sizeof(text), path) ? strrchr(text, ')') : NULL;

    for (int field = 2; at && field < 14; field++) {
        at = strchr(at + 1, ' ');
    }
    if (!at) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        char *end = NULL;

        out->cpu += (double)strtoull(at, &end, 10) / (double)sysconf(_SC_CLK_TCK);
        at = end;
    }
    return true;
}

static long kib_of(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    return at ? strtol(at + strlen(name), NULL, 10) : 0;
}

static void read_memory(bench_procs_t *out, pid_t pid)
{
    char path[64], text[8192];

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    if (slurp(text, sizeof(text), path)) {
        out->private_kib += kib_of(text, "\nRssAnon:");
        out->resident_kib += kib_of(text, "\nVmRSS:");
    }
}

static bool read_tree(bench_procs_t *out, pid_t pid, int depth)
{
    char path[64], text[65536];

    /* What children used that are gone was added to their parent when it waited for them. */
    if (!read_cpu(out, pid)) {
        return false;
    }
    read_memory(out, pid);
    out->processes++;
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    if (depth < DEPTH_MAX && slurp(text, sizeof(text), path)) {
        char *end = NULL;

        for (char *at = text;; at = end) {
            const long child = strtol(at, &end, 10);

            if (end == at) {
                break;
            }
            /* One that is gone by now is no mistake. */
            (void)read_tree(out, (pid_t)child, depth + 1);
        }
    }
    return true;
}

bool bench_procs_read(bench_procs_t *out, const pid_t *pids, size_t n)
{
    *out = (bench_procs_t){.cpu = 0};
    for (size_t i = 0; i < n; i++) {
        if (!read_tree(out, pids[i], 0)) {
            return false;
        }
    }
    return true;
}
