/* Text from outside: UTF-8 validation and the character classes of HTTP.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure functions; any thread.
 */
#ifndef AUTHWS_BASE_TEXT_H
#define AUTHWS_BASE_TEXT_H

#include "base/bytes.h"

/* Length of the longest prefix of `s` that is well-formed UTF-8 (RFC 3629: no surrogates, no
 * overlong forms, nothing above U+10FFFF). Equal to s.len when all of it is. */
size_t aw_utf8_valid_prefix(aw_span_t s);

/* Offset of the first C0 control, DEL or C1 control character (U+0080..U+009F) in well-formed
 * UTF-8 `s`, or s.len when there is none. */
size_t aw_text_find_control(aw_span_t s);

/* Whether `c` is an HTTP token character (RFC 9110 section 5.6.2). */
bool aw_is_tchar(unsigned char c);

/* Whether `s` is a non-empty HTTP token. */
bool aw_is_token(aw_span_t s);

/* Copies `s` into `out` (room bytes, room >= 1) for a log line or a person's terminal: anything
 * but printable ASCII becomes \xHH, as does '"' (so that a text between quotes cannot end them),
 * '\' becomes \\, and what does not fit is cut and ends in
 * "...". Always NUL-terminates; returns `out`. */
const char *aw_text_escape(char *out, size_t room, aw_span_t s);

#endif
