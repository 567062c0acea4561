/* What a pool holds for permessage-deflate: zlib's states, lent to connections.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Private. A state is in one of three places:
 *
 *     unused (the pool's, at most AW_WS_POOL_STATES of each kind)
 *        | borrow                               ^ give back
 *        v                                      |
 *     at work (one message's) --keep--> kept (a connection's, between two messages)
 *
 * Kept ones are in a list, the one used longest ago first; of those only a bounded number exists
 * (AW_WS_POOL_KEPT of each kind): for one more, the first is taken away from its connection.
 */
#ifndef AUTHWS_WS_POOL_STATES_H
#define AUTHWS_WS_POOL_STATES_H

#include "ws/pool.h"

#include <zlib.h>

/* Kept states of each kind. A deflater with the largest window is 160 KiB, an inflater 40 KiB:
 * 12.5 MiB a thread at most, however many connections have a context. */
#define AW_WS_POOL_KEPT 64

typedef struct aw_ws_state_t aw_ws_state_t;
struct aw_ws_state_t {
    z_stream z;
    aw_ws_state_t *older, *newer; /* among the kept */
    aw_ws_state_t **owner;        /* of a kept one: where the connection has it */
    unsigned char window, level;  /* of a deflater; 0 for inflaters */
};

typedef struct aw_ws_states_t {
    aw_ws_state_t *unused[AW_WS_POOL_STATES];
    size_t unused_count;
    aw_ws_state_t *oldest, *newest;
    size_t kept_count;
} aw_ws_states_t;

/* Released buffers that are kept for the next. */
#define AW_WS_POOL_BLOCKS 16

struct aw_ws_pool_t {
    aw_ws_states_t deflaters, inflaters;
    aw_ws_buffer_t blocks[AW_WS_POOL_BLOCKS]; /* data and room; data NULL: a free place */
    size_t blocks_bytes;
    aw_ws_buffer_t scratch; /* see aw_ws_pool_scratch */
};

/* The buffer in which a message on its way out is made (compressed, masked), emptied; what was in
 * it before is gone. Its data is the pool's until its next use. */
AW_PRIVATE aw_ws_buffer_t *aw_ws_pool_scratch(aw_ws_pool_t *pool);

/* Gives what is too large to be kept back to the system. The scratch buffer's content is gone. */
AW_PRIVATE void aw_ws_pool_trim(aw_ws_pool_t *pool);

/* A fresh deflater for a window of 2^window bytes, or an inflater. NULL when memory is out.
 * Inflaters have the largest window, whatever was agreed upon: zlib does not see a distance that
 * is too large within what one call puts out, so that a smaller window would make the fate of a
 * peer that does not keep to it depend on how its bytes are split. */
AW_PRIVATE aw_ws_state_t *aw_ws_deflater_borrow(aw_ws_pool_t *pool, unsigned window,
                                                unsigned level);
AW_PRIVATE aw_ws_state_t *aw_ws_inflater_borrow(aw_ws_pool_t *pool);

/* Gives a state back that is at work. NULL is allowed. */
AW_PRIVATE void aw_ws_deflater_return(aw_ws_pool_t *pool, aw_ws_state_t *state);
AW_PRIVATE void aw_ws_inflater_return(aw_ws_pool_t *pool, aw_ws_state_t *state);

/* Counts *owner, which is at work, as kept by a connection, as the one used last. When there are
 * too many, returns the owner of the one used longest ago (never this one, still kept), which has
 * to give it up; else NULL. */
AW_PRIVATE aw_ws_state_t **aw_ws_state_keep(aw_ws_states_t *states, aw_ws_state_t **owner);

/* Takes a kept one out of the list: it is at work again. */
AW_PRIVATE void aw_ws_state_resume(aw_ws_states_t *states, aw_ws_state_t *state);

#endif
