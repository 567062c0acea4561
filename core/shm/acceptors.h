/* Who takes over live sockets: the processes that have loops running, in shared memory.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      +--------+--------+--------+-----   -+--------+
 *      | slot 0 | slot 1 | slot 2 |   ...   | slot N |     each 64-bit, atomic
 *      +--------+--------+--------+-----   -+--------+
 *       0: free; else  process id << 32 | when it started (clock ticks, the low 32 bits)
 *
 * A slot is one word, so that no state of it is half written. A process killed without removing
 * itself leaves its word behind: whoever asks looks whether a process of this id and start is
 * there, and takes the slot of one that is not.
 */
#ifndef AUTHWS_SHM_ACCEPTORS_H
#define AUTHWS_SHM_ACCEPTORS_H

#include <apr_errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AW_ACCEPTORS_VERSION 1
#define AW_ACCEPTORS_SIZE    ((size_t)8 * 1024) /* for 1,024 processes */

/* This process's view of a table. */
typedef struct aw_acceptors_t {
    void *slots;
    size_t count;
} aw_acceptors_t;

/* Lays the table over `size` bytes of zeroed or earlier initialised memory, 8-byte aligned. Writes
 * nothing. APR_EINVAL when it is smaller than a slot or not aligned. */
apr_status_t aw_acceptors_init(aw_acceptors_t *acceptors, void *memory, size_t size);

/* What stands for the calling process; asks the kernel, so once after a fork is enough. */
uint64_t aw_acceptors_self(void);

/* Whether the process that this stands for is still there; reads a file of /proc. Any thread. */
bool aw_acceptors_alive(uint64_t who);

/* Adds a process, once. False when every slot is another living process's. Any thread. */
bool aw_acceptors_add(const aw_acceptors_t *acceptors, uint64_t who);

/* Takes it away; nothing happens when it is not there. Any thread. */
void aw_acceptors_remove(const aw_acceptors_t *acceptors, uint64_t who);

/* Whether a living process other than `who` is there. Any thread; it reads a file of /proc for
 * each candidate, so not for every socket. */
bool aw_acceptors_others(const aw_acceptors_t *acceptors, uint64_t who);

#endif
