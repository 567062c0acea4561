/* Masking of WebSocket payloads (RFC 6455 section 5.3), at memory speed.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which code runs is chosen once, by what the processor offers; all give the same bytes. Pure
 * functions; any thread.
 */
#ifndef AUTHWS_WS_MASK_H
#define AUTHWS_WS_MASK_H

#include "base/bytes.h"

/* XORs `len` bytes at `data`, in place, with the 4-byte masking key, beginning with the key's byte
 * `phase` (0 to 3). Returns the phase of the byte behind them, so that a payload may come in any
 * pieces. `data` needs no alignment. */
unsigned aw_ws_mask(void *data, size_t len, const unsigned char *key, unsigned phase);

/* The same from `in` to `out`, which do not overlap. */
unsigned aw_ws_mask_copy(void *out, const void *in, size_t len, const unsigned char *key,
                         unsigned phase);

#endif
