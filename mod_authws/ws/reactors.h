/* The loops of a child process: their threads, and their end.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_WS_REACTORS_H
#define MOD_AUTHWS_WS_REACTORS_H

#include "../module.h"
#include "../reactor/loop.h"

/* child_init: starts AuthWSReactorThreads loops, if any location has an AuthWSService and the MPM
 * lets go of connections (event); registers their end with pchild. */
void authws_reactors_child_init(apr_pool_t *pchild, server_rec *s);

/* child_stopping: the drain begins. Sockets that can move wait for another process to take them
 * (ws/handover.h); the others are closed with 1001, spread over AuthWSDrainTimeout. */
void authws_reactors_child_stopping(apr_pool_t *pchild, int graceful);

/* The loop for a new socket, the one with the fewest; NULL: none runs (any more). Any thread. */
authws_loop_t *authws_reactors_pick(void);

/* The same for a socket that was accepted before this process began to stop: also from a loop that
 * drains; NULL when the loops have ended. Any thread. */
authws_loop_t *authws_reactors_take(void);

/* Whether this process is going away: sockets in worker threads end too, with 1001. Any thread. */
bool authws_reactors_stopping(void);

/* Calls `fn` once in each loop's thread, soon: to look at its sockets. `baton` outlives the
 * process. Any thread. */
void authws_reactors_each(void (*fn)(authws_loop_t *loop, void *baton), void *baton);

#endif
