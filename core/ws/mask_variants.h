/* The ways to mask, for the choice between them and for the tests that hold them equal.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Private. Each takes what aw_ws_mask_copy takes, but `out` may also be `in` itself.
 */
#ifndef AUTHWS_WS_MASK_VARIANTS_H
#define AUTHWS_WS_MASK_VARIANTS_H

#include "ws/mask.h"

AW_PRIVATE unsigned aw_ws_mask_portable(void *out, const void *in, size_t len,
                                        const unsigned char *key, unsigned phase);

#if defined(__x86_64__)
#define AW_WS_MASK_X86
/* SSE2 is part of x86-64; AVX2 has to be asked for. */
AW_PRIVATE unsigned aw_ws_mask_sse2(void *out, const void *in, size_t len, const unsigned char *key,
                                    unsigned phase);
AW_PRIVATE unsigned aw_ws_mask_avx2(void *out, const void *in, size_t len, const unsigned char *key,
                                    unsigned phase);
#endif

#endif
