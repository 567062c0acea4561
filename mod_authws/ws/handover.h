/* Plain sockets go on in another child process: descriptor and state through a socket pair.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     child that stops --sendmsg--> [ pair, kept by the parent ] --recvmsg--> child that runs
 *
 * The pair lives as long as the parent process, over all generations. A message is
 *
 *     +-------+---------+------+----------+----------------------------+
 *     | magic | version | size | reserved | what authws_live_save says |   and one descriptor
 *     +-------+---------+------+----------+----------------------------+
 *       four bytes each                     `size` bytes
 *
 * What is in flight when every process ends is closed by the kernel. Who may be sent to stands in
 * shared memory (core/shm/acceptors.h).
 */
#ifndef MOD_AUTHWS_WS_HANDOVER_H
#define MOD_AUTHWS_WS_HANDOVER_H

#include "../module.h"
#include "../reactor/socket.h"

/* The receiving end in one loop. */
typedef struct authws_receiver_t {
    authws_source_t source; /* private */
    authws_loop_t *loop;
} authws_receiver_t;

/* post_config: makes the pair, or takes up that of the generation before. Without it, sockets are
 * drained; logged. */
void authws_handover_post_config(server_rec *s);

/* child_init, after the loops have been created: this process takes sockets over from now on; and
 * child_stopping: it does not any more. */
void authws_handover_join(void);
void authws_handover_leave(void);

/* Whether another living process takes sockets over. Any thread. */
bool authws_handover_possible(void);

/* Whether sockets are on their way, and not taken up yet. Any thread. */
bool authws_handover_pending(void);

/* Has the loop take sockets over; before it runs or in its thread. */
void authws_receiver_start(authws_receiver_t *receiver, authws_loop_t *loop);
void authws_receiver_stop(authws_receiver_t *receiver);

/* The end to wait at (EPOLLOUT) after AUTHWS_HANDOVER_FULL; -1: none. */
int authws_handover_outlet(void);

typedef enum authws_handover_e {
    AUTHWS_HANDOVER_DONE, /* it is gone from this process */
    AUTHWS_HANDOVER_FULL, /* not now: others are on their way */
    AUTHWS_HANDOVER_KEPT  /* not in its present state */
} authws_handover_e;

/* Hands a socket over. `scratch` is AUTHWS_LOOP_BUFFER bytes. Its loop's thread. Never blocks. */
authws_handover_e authws_handover_send(authws_socket_t *socket, unsigned char *scratch);

/* The last of this child's duties when nobody is there to take over: what is on its way is closed
 * with 1001. */
void authws_handover_discard(void);

#endif
