/* Characters that nobody sees, found and named: they come along when text is copied.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure functions; any thread.
 */
#ifndef AUTHWS_BASE_INVISIBLE_H
#define AUTHWS_BASE_INVISIBLE_H

#include "base/bytes.h"

/* What stands at the start of a text. */
typedef struct aw_char_t {
    unsigned code_point;
    size_t len; /* bytes that it takes */
} aw_char_t;

/* The first character of well-formed UTF-8 `s`, which is not empty. */
aw_char_t aw_text_first(aw_span_t s);

/* Offset in well-formed UTF-8 `s` of the first character that shows nothing of itself: controls
 * (C0 but for the tab, DEL, C1), blanks other than the space (U+00A0, U+2000..U+200A, U+3000 ...),
 * marks without a width or for the direction (U+200B, U+200E, U+FEFF ...), variation selectors and
 * tags. s.len when there is none. U+200C and U+200D, without which some languages cannot be
 * written, are let through when `joiners`. *what (may be NULL) is the character. */
size_t aw_text_find_invisible(aw_span_t s, bool joiners, aw_char_t *what);

/* The Unicode name of the commonest of them, for a message, for example "LEFT-TO-RIGHT MARK";
 * static, never NULL: "an invisible character" for the others. */
const char *aw_invisible_name(unsigned code_point);

#endif
