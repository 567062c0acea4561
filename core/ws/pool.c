/* What the connections of one thread share: zlib's states and buffers for messages in the making.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ws/pool_states.h"

#include <stdint.h>
#include <stdlib.h>

/* What a buffer begins with: most messages are smaller. */
#define ROOM_MIN 512

/* Entries of zlib's hash table are zeroed for each message without takeover. On JSON of 100 bytes
 * to 16 KiB, 2^13 of them (memory level 6) compress as well as zlib's own choice of 2^15, in less
 * time and 100 KiB less memory; small windows have no use for as many. */
static int memory_level(unsigned window)
{
    return window < 13 ? 5 : 6;
}

aw_ws_pool_t *aw_ws_pool_create(void)
{
    return calloc(1, sizeof(aw_ws_pool_t));
}

static void deflater_free(aw_ws_state_t *state)
{
    (void)deflateEnd(&state->z);
    free(state);
}

static void inflater_free(aw_ws_state_t *state)
{
    (void)inflateEnd(&state->z);
    free(state);
}

void aw_ws_pool_destroy(aw_ws_pool_t *pool)
{
    if (pool == NULL) {
        return;
    }
    while (pool->deflaters.unused_count > 0) {
        deflater_free(pool->deflaters.unused[--pool->deflaters.unused_count]);
    }
    while (pool->inflaters.unused_count > 0) {
        inflater_free(pool->inflaters.unused[--pool->inflaters.unused_count]);
    }
    for (size_t i = 0; i < AW_WS_POOL_BLOCKS; i++) {
        free(pool->blocks[i].data);
    }
    free(pool->scratch.data);
    free(pool);
}

/* --- buffers --- */

/* The smallest unused block that is large enough, or NULL. */
static aw_ws_buffer_t *find_block(aw_ws_pool_t *pool, size_t room)
{
    aw_ws_buffer_t *best = NULL;

    for (size_t i = 0; i < AW_WS_POOL_BLOCKS; i++) {
        aw_ws_buffer_t *const block = &pool->blocks[i];
        if (block->data != NULL && block->room >= room &&
            (best == NULL || block->room < best->room)) {
            best = block;
        }
    }
    return best;
}

bool aw_ws_buffer_reserve(aw_ws_pool_t *pool, aw_ws_buffer_t *buffer, size_t more)
{
    unsigned char *data;
    size_t room;

    if (buffer->room - buffer->len >= more) {
        return true;
    }
    if (more > SIZE_MAX / 2 - buffer->len) {
        return false;
    }
    room = buffer->len + more;
    if (buffer->data == NULL) {
        aw_ws_buffer_t *const block = find_block(pool, room);
        if (block != NULL) {
            pool->blocks_bytes -= block->room;
            *buffer = (aw_ws_buffer_t){block->data, 0, block->room};
            *block = (aw_ws_buffer_t){NULL, 0, 0};
            return true;
        }
    }
    if (room < buffer->room + buffer->room / 2) {
        room = buffer->room + buffer->room / 2;
    }
    room = room < ROOM_MIN ? ROOM_MIN : room;
    data = realloc(buffer->data, room);
    if (data == NULL) {
        return false;
    }
    buffer->data = data;
    buffer->room = room;
    return true;
}

void aw_ws_buffer_release(aw_ws_pool_t *pool, aw_ws_buffer_t *buffer)
{
    if (buffer->data != NULL && pool->blocks_bytes + buffer->room <= AW_WS_POOL_BYTES) {
        for (size_t i = 0; i < AW_WS_POOL_BLOCKS; i++) {
            aw_ws_buffer_t *const block = &pool->blocks[i];
            if (block->data == NULL) {
                *block = (aw_ws_buffer_t){buffer->data, 0, buffer->room};
                pool->blocks_bytes += buffer->room;
                buffer->data = NULL;
                break;
            }
        }
    }
    free(buffer->data);
    *buffer = (aw_ws_buffer_t){NULL, 0, 0};
}

void aw_ws_pool_trim(aw_ws_pool_t *pool)
{
    if (pool->scratch.room > AW_WS_POOL_BYTES) {
        free(pool->scratch.data);
        pool->scratch = (aw_ws_buffer_t){NULL, 0, 0};
    }
}

aw_ws_buffer_t *aw_ws_pool_scratch(aw_ws_pool_t *pool)
{
    aw_ws_pool_trim(pool);
    pool->scratch.len = 0;
    return &pool->scratch;
}

/* --- states --- */

/* An unused one for this window and level, or NULL. */
static aw_ws_state_t *find_unused(aw_ws_states_t *states, unsigned window, unsigned level)
{
    for (size_t i = states->unused_count; i-- > 0;) {
        aw_ws_state_t *const state = states->unused[i];
        if (state->window == window && state->level == level) {
            states->unused[i] = states->unused[--states->unused_count];
            return state;
        }
    }
    return NULL;
}

aw_ws_state_t *aw_ws_deflater_borrow(aw_ws_pool_t *pool, unsigned window, unsigned level)
{
    aw_ws_state_t *state = find_unused(&pool->deflaters, window, level);

    if (state != NULL) {
        (void)deflateReset(&state->z); /* can only fail for a state that is none */
        return state;
    }
    state = calloc(1, sizeof(*state));
    if (state == NULL) {
        return NULL;
    }
    if (deflateInit2(&state->z, (int)level, Z_DEFLATED, -(int)window, memory_level(window),
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        free(state);
        return NULL;
    }
    state->window = (unsigned char)window;
    state->level = (unsigned char)level;
    return state;
}

aw_ws_state_t *aw_ws_inflater_borrow(aw_ws_pool_t *pool)
{
    aw_ws_state_t *state = find_unused(&pool->inflaters, 0, 0);

    if (state != NULL) {
        (void)inflateReset(&state->z); /* likewise */
        return state;
    }
    state = calloc(1, sizeof(*state));
    if (state == NULL) {
        return NULL;
    }
    if (inflateInit2(&state->z, -MAX_WBITS) != Z_OK) {
        free(state);
        return NULL;
    }
    return state;
}

/* Puts a state to the unused ones; what comes out of it when there are enough, or NULL. The one
 * that has been there longest goes: its window or level may be asked for no more. */
static aw_ws_state_t *put_unused(aw_ws_states_t *states, aw_ws_state_t *state)
{
    aw_ws_state_t *out = NULL;

    if (states->unused_count == AW_WS_POOL_STATES) {
        out = states->unused[0];
        memmove(states->unused, states->unused + 1,
                (AW_WS_POOL_STATES - 1) * sizeof(states->unused[0]));
        states->unused_count--;
    }
    states->unused[states->unused_count++] = state;
    return out;
}

void aw_ws_deflater_return(aw_ws_pool_t *pool, aw_ws_state_t *state)
{
    aw_ws_state_t *const out = state == NULL ? NULL : put_unused(&pool->deflaters, state);

    if (out != NULL) {
        deflater_free(out);
    }
}

void aw_ws_inflater_return(aw_ws_pool_t *pool, aw_ws_state_t *state)
{
    aw_ws_state_t *const out = state == NULL ? NULL : put_unused(&pool->inflaters, state);

    if (out != NULL) {
        inflater_free(out);
    }
}

aw_ws_state_t **aw_ws_state_keep(aw_ws_states_t *states, aw_ws_state_t **owner)
{
    aw_ws_state_t *const state = *owner;

    state->owner = owner;
    state->newer = NULL;
    state->older = states->newest;
    if (states->newest != NULL) {
        states->newest->newer = state;
    } else {
        states->oldest = state;
    }
    states->newest = state;
    states->kept_count++;
    return states->kept_count > AW_WS_POOL_KEPT ? states->oldest->owner : NULL;
}

void aw_ws_state_resume(aw_ws_states_t *states, aw_ws_state_t *state)
{
    *(state->older != NULL ? &state->older->newer : &states->oldest) = state->newer;
    *(state->newer != NULL ? &state->newer->older : &states->newest) = state->older;
    state->older = state->newer = NULL;
    state->owner = NULL;
    states->kept_count--;
}
