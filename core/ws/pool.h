/* What the connections of one thread share: zlib's states and buffers for messages in the making.
 * SPDX-License-Identifier: Apache-2.0
 *
 * An idle connection holds no buffer. A pool belongs to one thread at a time; it grows with the
 * connections that are in the middle of something, and keeps at most a bounded number of unused
 * states and bytes (AW_WS_POOL_...).
 */
#ifndef AUTHWS_WS_POOL_H
#define AUTHWS_WS_POOL_H

#include <stdint.h>

#include "base/bytes.h"

typedef struct aw_ws_pool_t aw_ws_pool_t;

/* Unused deflaters and inflaters that are kept, and unused bytes of buffers. */
#define AW_WS_POOL_STATES 8
#define AW_WS_POOL_BYTES  (256 * 1024)

/* NULL when memory is out. */
aw_ws_pool_t *aw_ws_pool_create(void);

/* Frees it and wipes nothing; connections that use it have been closed. NULL is allowed. */
void aw_ws_pool_destroy(aw_ws_pool_t *pool);

/* A buffer that grows; zeroed: empty. */
typedef struct aw_ws_buffer_t {
    unsigned char *data;
    size_t len;
    size_t room;
} aw_ws_buffer_t;

/* Makes room for `more` bytes behind buffer->len, growing by half at least; what is there stays.
 * False when memory is out (nothing changed). */
bool aw_ws_buffer_reserve(aw_ws_pool_t *pool, aw_ws_buffer_t *buffer, size_t more);

/* Gives the memory back to the pool; the buffer is empty then. */
void aw_ws_buffer_release(aw_ws_pool_t *pool, aw_ws_buffer_t *buffer);

#endif
