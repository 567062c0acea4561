/* What a loop keeps for the sockets in it: private to the reactor.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_REACTOR_LIVES_H
#define MOD_AUTHWS_REACTOR_LIVES_H

#include <stdatomic.h>

#include "loop.h"

/* Zeroed: no socket has been here yet. The loop's thread. */
typedef struct authws_lives_t {
    struct authws_live_socket_t *first; /* all of them */
    struct authws_live_socket_t *again; /* those to be served without an event, oldest first */
    struct authws_live_socket_t *again_last;
    struct authws_live_socket_t *cork; /* whose bytes are in the loop's output buffer */
    size_t corked;                     /* how many */
    atomic_size_t count;               /* read by any thread */
    /* After each round, before the loop waits: true when there is more to do at once. */
    bool (*round)(authws_loop_t *loop);
    /* The loop is about to be freed. */
    void (*end)(authws_loop_t *loop);
} authws_lives_t;

authws_lives_t *authws_loop_lives(authws_loop_t *loop);

#endif
