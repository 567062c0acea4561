/* Who takes over live sockets: the processes that have loops running, in shared memory.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shm/acceptors.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef _Atomic uint64_t slot_t;

apr_status_t aw_acceptors_init(aw_acceptors_t *acceptors, void *memory, size_t size)
{
    if (!memory || (uintptr_t)memory % sizeof(slot_t) != 0 || size < sizeof(slot_t)) {
        return APR_EINVAL;
    }
    acceptors->slots = memory;
    acceptors->count = size / sizeof(slot_t);
    return APR_SUCCESS;
}

/* Reads fields 3 and 22 of /proc/PID/stat: the state's letter, and when the process started. False
 * when they cannot be read. */
static bool stat_get(pid_t pid, char *state, uint32_t *start)
{
    char path[32], line[1024];
    ssize_t n;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return false;
    }
    n = read(fd, line, sizeof(line) - 1);
    (void)close(fd);
    line[n > 0 ? n : 0] = '\0';
    /* The second field is the program's name in brackets, with anything in it. */
    const char *at = strrchr(line, ')');

    if (!at || at[1] != ' ') {
        return false;
    }
    *state = at[2];
    for (unsigned field = 2; at && field < 22; field++) {
        at = strchr(at + 1, ' ');
    }
    *start = at ? (uint32_t)strtoull(at + 1, NULL, 10) : 0;
    return at != NULL;
}

uint64_t aw_acceptors_self(void)
{
    const pid_t pid = getpid();
    uint32_t start = 0;
    char state;

    (void)stat_get(pid, &state, &start);
    return (uint64_t)pid << 32 | start;
}

bool aw_acceptors_alive(uint64_t who)
{
    const pid_t pid = (pid_t)(who >> 32);
    uint32_t start = 0;
    char state = 0;

    if (pid <= 0 || (kill(pid, 0) != 0 && errno == ESRCH)) {
        return false;
    }
    if (!stat_get(pid, &state, &start) || (uint32_t)who == 0) {
        return true; /* where /proc is not to be read, the id alone has to do */
    }
    return start == (uint32_t)who && state != 'Z' && state != 'X';
}

bool aw_acceptors_add(const aw_acceptors_t *acceptors, uint64_t who)
{
    slot_t *slots = acceptors->slots;

    for (size_t i = 0; i < acceptors->count; i++) {
        uint64_t found = atomic_load_explicit(&slots[i], memory_order_relaxed);

        if (found == who) {
            return true;
        }
        if ((found == 0 || !aw_acceptors_alive(found)) &&
            atomic_compare_exchange_strong_explicit(&slots[i], &found, who, memory_order_relaxed,
                                                    memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

void aw_acceptors_remove(const aw_acceptors_t *acceptors, uint64_t who)
{
    slot_t *slots = acceptors->slots;

    for (size_t i = 0; i < acceptors->count; i++) {
        uint64_t found = who;

        /* Relaxed, as everywhere here: no other memory goes with a slot. */
        (void)atomic_compare_exchange_strong_explicit(&slots[i], &found, 0, memory_order_relaxed,
                                                      memory_order_relaxed);
    }
}

bool aw_acceptors_others(const aw_acceptors_t *acceptors, uint64_t who)
{
    slot_t *slots = acceptors->slots;

    for (size_t i = 0; i < acceptors->count; i++) {
        const uint64_t found = atomic_load_explicit(&slots[i], memory_order_relaxed);

        if (found != 0 && found != who && aw_acceptors_alive(found)) {
            return true;
        }
    }
    return false;
}
