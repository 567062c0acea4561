/* permessage-deflate (RFC 7692): negotiation, and messages through zlib within limits.
 * SPDX-License-Identifier: Apache-2.0
 *
 * zlib's state is large (a deflater up to 260 KiB, an inflater 44 KiB), so connections do not own
 * any: they borrow it from a pool (ws/pool.h) for one message. Only where context takeover was
 * negotiated and used does a connection keep it on, and gives it back when it has been idle
 * (aw_ws_deflate_rest): a deflater may start anew at any time, of an inflater the bytes of its
 * window are kept, as many as there are.
 */
#ifndef AUTHWS_WS_DEFLATE_H
#define AUTHWS_WS_DEFLATE_H

#include "ws/pool.h"

/* What an end is willing to do (AuthWSDeflate). Read-only, shared. */
typedef struct aw_ws_deflate_policy_t {
    bool on;
    unsigned char level;      /* 1 to 9 */
    unsigned char window;     /* 9 to 15: largest window of either direction */
    bool no_context_takeover; /* in both directions */
    uint32_t min;             /* shorter messages are sent as they are */
} aw_ws_deflate_policy_t;

/* What was agreed upon, from the point of view of one end. */
typedef struct aw_ws_deflate_params_t {
    bool on;
    unsigned char out_window; /* 9 to 15: our deflater's; 8: zlib has none, nothing is compressed */
    unsigned char in_window;  /* 8 to 15: the peer's */
    bool out_takeover;        /* our deflater may keep its window from message to message */
    bool in_takeover;         /* the peer's may */
} aw_ws_deflate_params_t;

/* Bytes of the longest answer or offer that is written here, with NUL. */
#define AW_WS_EXTENSIONS_MAX 160

/* Server: chooses the first acceptable offer of permessage-deflate in `offers`, the value of
 * Sec-WebSocket-Extensions (several fields joined by ", "), and writes the answer's value,
 * NUL-terminated, to `answer`. Offers with unknown, repeated or invalid parameters are passed
 * over (section 5.1), other extensions too; with none left *params is off and the answer empty.
 * A client that did not offer client_max_window_bits cannot be held to a smaller window; where
 * the policy's is below 15, it is told client_no_context_takeover instead, so that nothing larger
 * outlives a message. False when `offers` is not what section 9.1 of RFC 6455 allows: 400. */
bool aw_ws_deflate_answer(aw_ws_deflate_params_t *params, char answer[AW_WS_EXTENSIONS_MAX],
                          const aw_ws_deflate_policy_t *policy, aw_span_t offers);

/* Client: writes the offer; empty when the policy is off. */
void aw_ws_deflate_offer(char offer[AW_WS_EXTENSIONS_MAX], const aw_ws_deflate_policy_t *policy);

/* Client: takes up the server's answer. False when it names an extension or a parameter that was
 * not offered, or an invalid one: the connection must be failed. */
bool aw_ws_deflate_accept(aw_ws_deflate_params_t *params, const aw_ws_deflate_policy_t *policy,
                          aw_span_t answer);

/* One connection's two directions. NULL until the first compressed message of either. */
typedef struct aw_ws_deflate_t aw_ws_deflate_t;

/* Compresses a whole message. *out is borrowed from the pool until its next use. `deflate` points
 * to the connection's state, made when needed. False when memory is out, or params->out_window is
 * 8: send it uncompressed, if nothing of the message has gone out. */
bool aw_ws_deflate_message(aw_ws_deflate_t **deflate, const aw_ws_deflate_params_t *params,
                           unsigned level, aw_ws_pool_t *pool, aw_span_t message, aw_span_t *out);

typedef enum aw_ws_inflate_e {
    AW_WS_INFLATE_OK,     /* *out holds what could be had; `in` is consumed as far as *used says */
    AW_WS_INFLATE_BROKEN, /* not deflate data: 1007 */
    AW_WS_INFLATE_NO_MEMORY
} aw_ws_inflate_e;

/* Inflates the next bytes of a message's payload (unmasked) into at most `room` bytes at `out`;
 * the caller calls again with what was not used or while *made == room. Nothing is allocated for
 * what a peer declares: the caller decides how much it takes. */
aw_ws_inflate_e aw_ws_inflate_part(aw_ws_deflate_t **deflate, const aw_ws_deflate_params_t *params,
                                   aw_ws_pool_t *pool, const unsigned char *in, size_t len,
                                   size_t *used, unsigned char *out, size_t room, size_t *made);

/* The same for the four bytes that end a message (section 7.2.2), to be called, until it makes
 * nothing more, when the last frame has been inflated; then the message's context ends, or is
 * kept for the next one. */
aw_ws_inflate_e aw_ws_inflate_end(aw_ws_deflate_t **deflate, const aw_ws_deflate_params_t *params,
                                  aw_ws_pool_t *pool, unsigned char *out, size_t room,
                                  size_t *made);

/* Gives back what can be given back of an idle connection's state. Not within a message. */
void aw_ws_deflate_rest(aw_ws_deflate_t **deflate, aw_ws_pool_t *pool);

/* Has our own deflater start anew: to be called when a compressed message that it has not made was
 * sent, since the peer's window is not what it thinks then. At any time; nothing else changes. */
void aw_ws_deflate_restart(aw_ws_deflate_t **deflate, aw_ws_pool_t *pool);

/* Ends it. *deflate becomes NULL; it may be before. */
void aw_ws_deflate_close(aw_ws_deflate_t **deflate, aw_ws_pool_t *pool);

/* The bytes that the peer's next message may refer to, at most 32 KiB, for another process to go
 * on with: copied to `window` (room for 32768), returns how many. Not within a message. */
size_t aw_ws_deflate_save(const aw_ws_deflate_t *deflate, unsigned char *window);

/* Goes on from saved bytes. False when memory is out. */
bool aw_ws_deflate_restore(aw_ws_deflate_t **deflate, const aw_ws_deflate_params_t *params,
                           aw_ws_pool_t *pool, const unsigned char *window, size_t len);

#endif
