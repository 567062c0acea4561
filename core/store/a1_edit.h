/* Changing an A1 file: adding, replacing and removing one user's values, the rest untouched.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_STORE_A1_EDIT_H
#define AUTHWS_STORE_A1_EDIT_H

#include "base/file.h"
#include "store/a1.h"

/* The result of an edit of a text: parts to hand to aw_file_commit_edit, in `p`. */
typedef struct aw_a1_edit_t {
    const aw_span_t *parts;
    size_t count;
    bool existed; /* the user was there before */
} aw_a1_edit_t;

/* Sets the values of one user and realm: all the user's former lines of that realm go, a line
 * with the MD5 value (if any) and a line with the tagged others take the place of the first, or
 * stand at the end. Algorithms that `value` lacks but the file had are dropped: they would be of
 * the old password. Every other byte of the text stays, broken lines and comments too; a missing
 * final line end is added. */
void aw_a1_edit_set(aw_a1_edit_t *edit, aw_span_t text, aw_span_t user, aw_span_t realm,
                    const aw_a1_value_t *value, apr_pool_t *p);

/* Removes all lines of one user and realm. */
void aw_a1_edit_remove(aw_a1_edit_t *edit, aw_span_t text, aw_span_t user, aw_span_t realm,
                       apr_pool_t *p);

/* Bytes of the longest text that aw_a1_lines_put writes. */
#define AW_A1_LINES_MAX (2 * (2 * AW_A1_NAME_MAX + AW_A1_VALUE_TEXT_MAX + 3))

/* Writes the lines of one user to `out`, which has room for 2 * (user.len + realm.len +
 * AW_A1_VALUE_TEXT_MAX + 3) bytes; no NUL. Returns the length. */
AW_PRIVATE size_t aw_a1_lines_put(char *out, aw_span_t user, aw_span_t realm,
                                  const aw_a1_value_t *value);

/* The lines of one user as aw_a1_edit_set writes them, with line ends, in `p`, NUL-terminated. */
const char *aw_a1_lines_build(aw_span_t user, aw_span_t realm, const aw_a1_value_t *value,
                              apr_pool_t *p);

#endif
