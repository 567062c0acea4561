/* permessage-deflate (RFC 7692): messages through zlib.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ws/deflate.h"

#include <limits.h>
#include <stdlib.h>

#include "ws/pool_states.h"

/* What every compressed message ends in and none is sent with (section 7.2.1). */
static const unsigned char tail[4] = {0x00, 0x00, 0xFF, 0xFF};
#define TAIL sizeof(tail)

/* zlib wants some bytes more than the result, or a flush is done twice. */
#define FLUSH_ROOM 16

#define WINDOW_MAX 32768

struct aw_ws_deflate_t {
    aw_ws_state_t *out;    /* kept between messages, or NULL */
    aw_ws_state_t *in;     /* at work within a message, kept between two, or NULL */
    unsigned char *window; /* what is left of an inflater that was given back */
    size_t window_len;
    unsigned char in_window; /* as agreed upon, once there is an inflater */
    bool in_message;
    bool at_start;           /* nothing came since the message's start or its last final block */
    unsigned char tail_used; /* bytes of the tail that have gone in */
};

static aw_ws_deflate_t *state_of(aw_ws_deflate_t **deflate)
{
    if (*deflate == NULL) {
        *deflate = calloc(1, sizeof(**deflate));
    }
    return *deflate;
}

/* --- out --- */

static void give_up_deflater(aw_ws_pool_t *pool, aw_ws_state_t **owner)
{
    aw_ws_state_t *const state = *owner;

    *owner = NULL;
    aw_ws_state_resume(&pool->deflaters, state);
    aw_ws_deflater_return(pool, state);
}

/* All of `message` through `z`, to its flush, behind what is in `to`. */
static bool compress_all(aw_ws_pool_t *pool, z_stream *z, aw_span_t message, aw_ws_buffer_t *to)
{
    size_t left = message.len;

    z->next_in = (unsigned char *)(uintptr_t)message.ptr; /* zlib does not write there */
    do {
        const unsigned some = left > INT_MAX ? INT_MAX : (unsigned)left;
        const unsigned long bound = deflateBound(z, some);
        left -= some;
        z->avail_in = some;
        do {
            const size_t want = to->len == 0 ? bound + FLUSH_ROOM : bound / 8 + FLUSH_ROOM;
            if (!aw_ws_buffer_reserve(pool, to, want)) {
                return false;
            }
            const size_t room = to->room - to->len;
            z->next_out = to->data + to->len;
            z->avail_out = room > INT_MAX ? INT_MAX : (unsigned)room;
            (void)deflate(z, left > 0 ? Z_NO_FLUSH : Z_SYNC_FLUSH); /* judged by what it leaves */
            to->len = (size_t)(z->next_out - to->data);
        } while (z->avail_out == 0);
        if (z->avail_in > 0) {
            return false;
        }
    } while (left > 0);
    return true;
}

bool aw_ws_deflate_message(aw_ws_deflate_t **deflate, const aw_ws_deflate_params_t *params,
                           unsigned level, aw_ws_pool_t *pool, aw_span_t message, aw_span_t *out)
{
    aw_ws_buffer_t *const to = aw_ws_pool_scratch(pool);
    aw_ws_deflate_t *const kept = params->out_takeover ? state_of(deflate) : NULL;
    aw_ws_state_t *state = NULL;

    if (params->out_window < 9 || (params->out_takeover && kept == NULL)) {
        return false;
    }
    if (message.len == 0) {
        *out = (aw_span_t){(const char *)tail, 1}; /* section 7.2.3.6 */
        return true;
    }
    if (kept != NULL && kept->out != NULL) {
        state = kept->out;
        kept->out = NULL;
        aw_ws_state_resume(&pool->deflaters, state);
    } else {
        state = aw_ws_deflater_borrow(pool, params->out_window, level);
    }
    if (state == NULL) {
        return false;
    }
    /* What has failed half-way begins anew: the peer has not seen any of it, and need not. */
    if (!compress_all(pool, &state->z, message, to) || to->len < TAIL ||
        memcmp(to->data + to->len - TAIL, tail, TAIL) != 0) {
        aw_ws_deflater_return(pool, state);
        return false;
    }
    if (kept != NULL) {
        kept->out = state;
        aw_ws_state_t **const other = aw_ws_state_keep(&pool->deflaters, &kept->out);
        if (other != NULL) {
            give_up_deflater(pool, other);
        }
    } else {
        aw_ws_deflater_return(pool, state);
    }
    *out = (aw_span_t){(const char *)to->data, to->len - TAIL};
    return true;
}

/* --- in --- */

/* Cuts an inflater's window to what the peer may still refer to: the last bytes. */
static unsigned cut_window(const aw_ws_deflate_t *deflate, unsigned char *window, unsigned len)
{
    const unsigned most = 1u << deflate->in_window;

    if (len > most) {
        memmove(window, window + len - most, most);
        len = most;
    }
    return len;
}

/* Keeps the window's bytes of a kept inflater instead of the inflater. When memory is out, the
 * inflater stays. */
static void give_up_inflater(aw_ws_pool_t *pool, aw_ws_deflate_t *deflate)
{
    aw_ws_state_t *const state = deflate->in;
    unsigned char *window = NULL;
    unsigned len = 0;

    if (inflateGetDictionary(&state->z, NULL, &len) != Z_OK) {
        return;
    }
    if (len > 0) {
        window = malloc(len);
        if (window == NULL) {
            return;
        }
        (void)inflateGetDictionary(&state->z, window, &len);
        const unsigned kept = cut_window(deflate, window, len);
        unsigned char *const less = kept < len ? realloc(window, kept) : NULL;
        window = less != NULL ? less : window;
        len = kept;
    }
    deflate->window = window;
    deflate->window_len = len;
    deflate->in = NULL;
    aw_ws_state_resume(&pool->inflaters, state);
    aw_ws_inflater_return(pool, state);
}

/* The connection's inflater at work on a message. */
static aw_ws_state_t *begin_message(aw_ws_deflate_t **deflate, const aw_ws_deflate_params_t *params,
                                    aw_ws_pool_t *pool)
{
    aw_ws_deflate_t *const d = state_of(deflate);

    if (d == NULL || d->in_message) {
        return d == NULL ? NULL : d->in;
    }
    if (d->in != NULL) {
        aw_ws_state_resume(&pool->inflaters, d->in);
    } else {
        d->in = aw_ws_inflater_borrow(pool);
        if (d->in == NULL) {
            return NULL;
        }
        if (d->window != NULL &&
            inflateSetDictionary(&d->in->z, d->window, (unsigned)d->window_len) != Z_OK) {
            aw_ws_inflater_return(pool, d->in);
            d->in = NULL;
            return NULL;
        }
        free(d->window);
        d->window = NULL;
        d->window_len = 0;
    }
    d->in_window = params->in_window;
    d->in_message = true;
    d->at_start = true;
    d->tail_used = 0;
    return d->in;
}

static void end_message(aw_ws_deflate_t *d, const aw_ws_deflate_params_t *params,
                        aw_ws_pool_t *pool)
{
    d->in_message = false;
    if (!params->in_takeover) {
        aw_ws_inflater_return(pool, d->in);
        d->in = NULL;
        return;
    }
    aw_ws_state_t **const other = aw_ws_state_keep(&pool->inflaters, &d->in);
    if (other != NULL) {
        aw_ws_deflate_t *const owner =
            (aw_ws_deflate_t *)(void *)((char *)other - offsetof(aw_ws_deflate_t, in));
        give_up_inflater(pool, owner);
    }
}

/* Nothing can be done with what follows. */
static aw_ws_inflate_e broken(aw_ws_deflate_t *d, aw_ws_pool_t *pool, aw_ws_inflate_e why)
{
    d->in_message = false;
    aw_ws_inflater_return(pool, d->in);
    d->in = NULL;
    return why;
}

/* As much of `in` as there is room for. */
static aw_ws_inflate_e inflate_some(aw_ws_deflate_t *d, const unsigned char *in, size_t len,
                                    size_t *used, unsigned char *out, size_t room, size_t *made)
{
    z_stream *const z = &d->in->z;
    int rc = Z_OK;

    z->next_in = (unsigned char *)(uintptr_t)in; /* zlib does not write there */
    z->next_out = out;
    z->avail_in = len > INT_MAX ? INT_MAX : (unsigned)len;
    z->avail_out = room > INT_MAX ? INT_MAX : (unsigned)room;
    do {
        d->at_start = d->at_start && z->avail_in == 0;
        rc = inflate(z, Z_SYNC_FLUSH);
        if (rc == Z_STREAM_END) {
            /* A block that says it is the last (section 7.2.3.4): the message may go on behind it,
             * with the same window, which this, other than inflateReset, leaves alone. */
            (void)inflateResetKeep(z);
            d->at_start = true;
        }
    } while (rc == Z_STREAM_END && z->avail_in > 0);
    *used = (size_t)(z->next_in - in);
    *made = (size_t)(z->next_out - out);
    /* Z_BUF_ERROR only says that there was nothing to do. */
    return rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR ? AW_WS_INFLATE_OK
           : rc == Z_MEM_ERROR                                   ? AW_WS_INFLATE_NO_MEMORY
                                                                 : AW_WS_INFLATE_BROKEN;
}

aw_ws_inflate_e aw_ws_inflate_part(aw_ws_deflate_t **deflate, const aw_ws_deflate_params_t *params,
                                   aw_ws_pool_t *pool, const unsigned char *in, size_t len,
                                   size_t *used, unsigned char *out, size_t room, size_t *made)
{
    aw_ws_inflate_e rc = AW_WS_INFLATE_NO_MEMORY;

    *used = 0;
    *made = 0;
    if (begin_message(deflate, params, pool) != NULL) {
        rc = inflate_some(*deflate, in, len, used, out, room, made);
        if (rc != AW_WS_INFLATE_OK) {
            return broken(*deflate, pool, rc);
        }
    }
    return rc;
}

/* Whether the inflater stands behind a whole block, on a byte's start. */
static bool between_blocks(const z_stream *z)
{
    return (z->data_type & 128) != 0 && (z->data_type & 7) == 0;
}

aw_ws_inflate_e aw_ws_inflate_end(aw_ws_deflate_t **deflate, const aw_ws_deflate_params_t *params,
                                  aw_ws_pool_t *pool, unsigned char *out, size_t room, size_t *made)
{
    aw_ws_deflate_t *const d = *deflate;
    size_t used = 0;

    *made = 0;
    if (d == NULL || !d->in_message) {
        return AW_WS_INFLATE_OK; /* no payload at all, or said before */
    }
    /* Nothing is open where a last block has just ended, and where nothing came: the tail, which
     * would begin a block there, is not missing. */
    if (!d->at_start || d->tail_used > 0) {
        const aw_ws_inflate_e rc =
            inflate_some(d, tail + d->tail_used, TAIL - d->tail_used, &used, out, room, made);
        if (rc != AW_WS_INFLATE_OK) {
            return broken(d, pool, rc);
        }
        d->tail_used = (unsigned char)(d->tail_used + used);
        if (*made == room) {
            return AW_WS_INFLATE_OK; /* there may be more */
        }
        if (d->tail_used < TAIL || (!d->at_start && !between_blocks(&d->in->z))) {
            return broken(d, pool, AW_WS_INFLATE_BROKEN);
        }
    }
    end_message(d, params, pool);
    return AW_WS_INFLATE_OK;
}

/* --- both --- */

void aw_ws_deflate_restart(aw_ws_deflate_t **deflate, aw_ws_pool_t *pool)
{
    if (*deflate != NULL && (*deflate)->out != NULL) {
        give_up_deflater(pool, &(*deflate)->out);
    }
}

void aw_ws_deflate_rest(aw_ws_deflate_t **deflate, aw_ws_pool_t *pool)
{
    aw_ws_deflate_t *const d = *deflate;

    aw_ws_pool_trim(pool);
    if (d == NULL || d->in_message) {
        return;
    }
    if (d->out != NULL) {
        give_up_deflater(pool, &d->out);
    }
    if (d->in != NULL) {
        give_up_inflater(pool, d);
    }
    if (d->in == NULL && d->window == NULL) {
        free(d);
        *deflate = NULL;
    }
}

void aw_ws_deflate_close(aw_ws_deflate_t **deflate, aw_ws_pool_t *pool)
{
    aw_ws_deflate_t *const d = *deflate;

    if (d == NULL) {
        return;
    }
    if (d->out != NULL) {
        give_up_deflater(pool, &d->out);
    }
    if (d->in != NULL) {
        if (!d->in_message) {
            aw_ws_state_resume(&pool->inflaters, d->in);
        }
        aw_ws_inflater_return(pool, d->in);
    }
    free(d->window);
    free(d);
    *deflate = NULL;
}

size_t aw_ws_deflate_save(const aw_ws_deflate_t *deflate, unsigned char *window)
{
    unsigned len = 0;

    if (deflate == NULL || deflate->in_message) {
        return 0;
    }
    if (deflate->in != NULL) {
        /* It only copies, whatever its prototype says. */
        return inflateGetDictionary((z_stream *)(uintptr_t)&deflate->in->z, window, &len) == Z_OK
                   ? cut_window(deflate, window, len)
                   : 0;
    }
    if (deflate->window_len > 0) {
        memcpy(window, deflate->window, deflate->window_len);
    }
    return deflate->window_len;
}

bool aw_ws_deflate_restore(aw_ws_deflate_t **deflate, const aw_ws_deflate_params_t *params,
                           aw_ws_pool_t *pool, const unsigned char *window, size_t len)
{
    unsigned char *copy;

    aw_ws_deflate_close(deflate, pool);
    if (len == 0 || !params->in_takeover) {
        return true;
    }
    if (len > WINDOW_MAX) {
        return false;
    }
    copy = malloc(len);
    if (copy == NULL || state_of(deflate) == NULL) {
        free(copy);
        return false;
    }
    memcpy(copy, window, len);
    (*deflate)->window = copy;
    (*deflate)->window_len = len;
    return true;
}
