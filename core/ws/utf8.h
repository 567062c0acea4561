/* UTF-8 of text messages (RFC 6455 section 8.1), checked as the bytes come, at memory speed.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Well-formed is what RFC 3629 says: no surrogates, no overlong forms, nothing above U+10FFFF. A
 * mistake is found with the first byte that no well-formed text can have there, wherever the
 * pieces are split. Pure functions; any thread.
 */
#ifndef AUTHWS_WS_UTF8_H
#define AUTHWS_WS_UTF8_H

#include "base/bytes.h"

/* A place in a text: what is still open of the character that the pieces so far end in. */
typedef struct aw_ws_utf8_t {
    unsigned char state; /* 0: between two characters; else private */
} aw_ws_utf8_t;

/* The start of a text. */
static inline void aw_ws_utf8_init(aw_ws_utf8_t *text)
{
    text->state = 0;
}

/* Takes up the next `len` bytes. False when they cannot be part of a well-formed text; the text is
 * then of no use any more. */
bool aw_ws_utf8_feed(aw_ws_utf8_t *text, const void *data, size_t len);

/* Whether the text may end here. */
static inline bool aw_ws_utf8_may_end(const aw_ws_utf8_t *text)
{
    return text->state == 0;
}

#endif
