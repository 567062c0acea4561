/* The command line of `authws bench digest`.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_BENCH_OPTIONS_H
#define AUTHWS_TOOLS_BENCH_OPTIONS_H

#include <apr_pools.h>
#include <stdint.h>
#include <sys/socket.h>

#include "digest/algorithm.h"

#define BENCH_CONNECTIONS_MAX 50000
#define BENCH_THREADS_MAX     64
#define BENCH_WINDOW_MAX      4096
#define BENCH_PIDS_MAX        64

typedef struct bench_user_t {
    aw_span_t name, password;
} bench_user_t;

typedef struct bench_options_t {
    struct sockaddr_storage address;
    socklen_t address_len;
    const char *authority; /* for the Host field */
    const char *target;    /* the request target */
    bench_user_t *users;
    size_t users_count; /* 0 with flood only */
    unsigned connections, clients, threads;
    unsigned window;       /* counts under way on one nonce: none further apart than this */
    unsigned replay, race; /* per cent */
    unsigned reconnect;    /* requests on a connection; 0: no limit */
    unsigned relogin;      /* calls of a session; 0: no limit */
    uint64_t requests;     /* 0: until the time is up */
    uint64_t duration_ns;  /* 0: until the requests are done */
    uint64_t interval_ns;  /* 0: as fast as it goes */
    uint64_t patience_ns;  /* for one answer */
    uint64_t seed;         /* of everything that is left to chance */
    const aw_algorithm_t *algorithm; /* NULL: the strongest offered */
    pid_t pids[BENCH_PIDS_MAX];
    size_t pids_count;
    bool share, shuffle, flood, json;
} bench_options_t;

/* Reads the command line; argv[0] is the job's name. What is wrong has been said, and the exit
 * status is returned; with *answered (--help) there is nothing left to do. Passwords are in `p`
 * and wiped with it. */
int bench_options_read(bench_options_t *options, int argc, char **argv, bool *answered,
                       apr_pool_t *p);

#endif
