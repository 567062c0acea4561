/* How many live connections a user has, over all processes: counts in shared memory.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      +------------------------------+----------------------------------------------+
 *      | processes: 1,024 words, 8 KB | counts: a power of two of lines, 8 words each |
 *      +------------------------------+----------------------------------------------+
 *
 *     process  | process id 22 bit | started 32 bit | turn 10 bit |
 *     count    | fingerprint 28 bit | process 10 bit | turn 10 bit | connections 16 bit |
 *
 * A count is what one process holds of one user. Its user's tag chooses the line at which a window
 * of AW_CONNECTIONS_WINDOW lines begins; all counts of a user are in the window, anywhere, and the
 * user has the sum of those whose process is there in the same turn. A word of zeros is free; so is
 * one whose process has gone, because the process's place is empty or in a later turn.
 *
 * Each word says all there is to say and is changed by compare-and-swap: whoever is killed, no word
 * is half written and nobody waits for him. His process word stays behind; the one who would be
 * refused, or finds no room, has the processes in question looked up, and empties the places of the
 * dead, with which all that they counted is free.
 *
 * Why a limit holds: to take, a process first counts itself up and then adds up the window, all in
 * one order (sequential consistency). Of connections that are held at the same time, the one that
 * was counted last saw all others in its sum; so there are never more than the limit. Where it
 * finds too many it counts itself down again. Two that are late in that at the same moment see
 * each other and could both go although one had room; they try again, several times.
 *
 * Two users with one fingerprint in one window (chance 2^-28 for a pair) share their limit. A full
 * window refuses: a limit that ends when many connect is none, and the table has room for 8,192
 * pairs of user and process. Turns come round after 1,024 uses of a place; who takes a place
 * first sweeps the counts that would be taken for his.
 */
#ifndef AUTHWS_SESSION_CONNECTIONS_H
#define AUTHWS_SESSION_CONNECTIONS_H

#include <apr_errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AW_CONNECTIONS_VERSION   1
#define AW_CONNECTIONS_PROCESSES 1024
#define AW_CONNECTIONS_WINDOW    32 /* lines */

/* Largest limit, and the most that one process can count of one user. */
#define AW_CONNECTIONS_MAX 65535

/* Bytes of a table with so many lines. */
#define AW_CONNECTIONS_SIZE(lines) ((size_t)8 * AW_CONNECTIONS_PROCESSES + (size_t)64 * (lines))
#define AW_CONNECTIONS_LINES       1024 /* as many as httpd's own table has */

/* Whether a process is still there: `who` is its id << 32 | when it started (any 32 bits that tell
 * it from a later one of the same id). Borrowed, called by the asking thread. */
typedef bool (*aw_connections_alive_fn)(uint64_t who, void *baton);

/* This process's view of a table; after _open it is read-only, for any thread. */
typedef struct aw_connections_t {
    void *processes;
    void *counts;
    size_t lines; /* a power of two */
    aw_connections_alive_fn alive;
    void *baton;
    unsigned place, turn; /* private: this process's */
    bool open;
} aw_connections_t;

/* Lays a table over `size` bytes of zeroed or earlier initialised memory, 64-byte aligned; writes
 * nothing. `alive` and `baton` are kept. APR_EINVAL when there is no room for a line. */
apr_status_t aw_connections_init(aw_connections_t *connections, void *memory, size_t size,
                                 aw_connections_alive_fn alive, void *baton);

/* Takes a place among the processes; `who` as above, of the caller. Once in each process, after
 * the fork, before other threads use the view. APR_EINVAL for an id that is 0 or above 2^22 - 1,
 * APR_ENOSPC when there are too many living processes. */
apr_status_t aw_connections_open(aw_connections_t *connections, uint64_t who);

/* Leaves: whatever this process still counts is gone. Nothing happens when it is not open. */
void aw_connections_close(aw_connections_t *connections);

typedef enum aw_connections_e {
    AW_CONNECTIONS_TAKEN,   /* to be given back by aw_connections_release */
    AW_CONNECTIONS_LIMIT,   /* the user has as many as he may */
    AW_CONNECTIONS_NO_ROOM, /* the window is full, or this process has no place: refuse */
} aw_connections_e;

/* Counts one connection more of the user with this tag, unless he has `limit` (1 to
 * AW_CONNECTIONS_MAX; 0: no limit, only count). `tag` is a keyed hash of the user, the same in all
 * processes (aw_throttle_user makes such ones); all 64 bits are used. Any thread. */
aw_connections_e aw_connections_take(const aw_connections_t *connections, uint64_t tag,
                                     unsigned limit);

/* Gives one back that this process has taken. Any thread. */
void aw_connections_release(const aw_connections_t *connections, uint64_t tag);

/* How many the user has now, of processes that have not left. Any thread; touches nothing. */
unsigned aw_connections_count(const aw_connections_t *connections, uint64_t tag);

#endif
