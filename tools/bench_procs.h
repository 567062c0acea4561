/* What a server's processes have used: CPU time and memory, as /proc tells it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_BENCH_PROCS_H
#define AUTHWS_TOOLS_BENCH_PROCS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Sums over processes and their living descendants. */
typedef struct bench_procs_t {
    double cpu;        /* seconds, user and system; those of children waited for included */
    size_t processes;  /* how many there are */
    long private_kib;  /* resident anonymous memory */
    long resident_kib; /* all that is resident; shared pages count once for every process */
} bench_procs_t;

/* Looks at n processes and all below them. False when one of the n is not there. */
bool bench_procs_read(bench_procs_t *out, const pid_t *pids, size_t n);

#endif
