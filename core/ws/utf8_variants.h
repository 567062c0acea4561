/* The ways to check UTF-8, for the choice between them and for the tests that hold them equal.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Private. All take any place in a text and leave the same place behind.
 */
#ifndef AUTHWS_WS_UTF8_VARIANTS_H
#define AUTHWS_WS_UTF8_VARIANTS_H

#include "ws/utf8.h"

AW_PRIVATE bool aw_ws_utf8_feed_portable(aw_ws_utf8_t *text, const unsigned char *in, size_t len);

#if defined(__x86_64__)
#define AW_WS_UTF8_X86
/* Only where the processor offers it. */
AW_PRIVATE bool aw_ws_utf8_feed_ssse3(aw_ws_utf8_t *text, const unsigned char *in, size_t len);
AW_PRIVATE bool aw_ws_utf8_feed_avx2(aw_ws_utf8_t *text, const unsigned char *in, size_t len);
#endif

#endif
