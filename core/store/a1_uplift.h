/* Adding a stronger value to users whose password has just been seen to be right.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_STORE_A1_UPLIFT_H
#define AUTHWS_STORE_A1_UPLIFT_H

#include "store/a1_edit.h"

/* What came of one user; STORED is the only one that changes the text. */
typedef enum aw_uplift_e {
    AW_UPLIFT_STORED,
    AW_UPLIFT_PRESENT, /* a value in the stronger algorithm is there: somebody was faster */
    AW_UPLIFT_CHANGED, /* the value that was checked is not there, or is another by now */
    AW_UPLIFT_ABSENT,  /* no line of the user's */
    AW_UPLIFT_BROKEN   /* a line of the user's has a broken value */
} aw_uplift_e;

/* One user to lift. The names are borrowed, and as they stand in the file. The hashes are of one
 * password; whoever made them wipes them. */
typedef struct aw_a1_uplift_t {
    aw_span_t user;
    aw_span_t realm;
    aw_alg_e checked; /* the value that the password was checked against */
    unsigned char checked_a1[AW_HASH_MAX];
    aw_alg_e wanted; /* the value to add */
    unsigned char wanted_a1[AW_HASH_MAX];
    aw_uplift_e outcome; /* set by aw_a1_uplift */
} aw_a1_uplift_t;

/* Adds the wanted values to `text`, for all `n` users (no user and realm twice) in one pass. Of
 * each the value that was checked must still be in the text, compared in constant time: or the
 * password has been changed meanwhile, and the new value would bring the old password back. A
 * user's lines are joined as aw_a1_edit_set writes them, with every value that they held; all
 * else stays, byte for byte. Sets every outcome. Returns how many were STORED; with 0 *edit is
 * untouched. edit->parts live in `p` and hold hashes: wipe them with aw_a1_uplift_wipe when they
 * are written. Text and users are borrowed for as long as the parts are in use. Any thread. */
size_t aw_a1_uplift(aw_a1_edit_t *edit, aw_span_t text, aw_a1_uplift_t *const users[], size_t n,
                    apr_pool_t *p);

/* Wipes what aw_a1_uplift wrote itself, not the parts that are of `text`. */
void aw_a1_uplift_wipe(const aw_a1_edit_t *edit, aw_span_t text);

/* Whether `text` has the value that was checked: for choosing among several files. */
bool aw_a1_uplift_stands(aw_span_t text, const aw_a1_uplift_t *user, apr_pool_t *p);

#endif
