/* Changing a token file: adding, revoking and lifting tokens, the rest untouched.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The text is what aw_file_open_edit gave, and is borrowed for as long as the parts are in use.
 * Every byte that is not of the entries meant stays, comments and broken lines too. Any thread.
 */
#ifndef AUTHWS_STORE_TOKEN_EDIT_H
#define AUTHWS_STORE_TOKEN_EDIT_H

#include "store/a1_uplift.h"
#include "store/token.h"

/* What becomes of the tokens that the subject has already. AW_TOKEN_NEVER as `until`: they go, so
 * that a subject has one token. Otherwise they stay good until then at the longest, so that a new
 * token can be handed round before the old one ends. */
typedef struct aw_token_new_t {
    aw_span_t subject; /* aw_token_subject_check says yes */
    aw_token_value_t value;
    aw_span_t note; /* may be empty; no control characters, valid UTF-8 */
    apr_time_t until;
} aw_token_new_t;

/* Adds a token, in the place of the subject's first or at the end. APR_EEXIST when the very hash
 * stands in the file already, for another subject or, when earlier tokens stay, for the same; the
 * edit is then untouched. edit->entries: earlier tokens of the subject. */
apr_status_t aw_token_edit_add(aw_line_edit_t *edit, aw_span_t text, const aw_token_new_t *token,
                               apr_pool_t *p);

/* Removes all lines of a subject, broken ones too. */
void aw_token_edit_revoke(aw_line_edit_t *edit, aw_span_t text, aw_span_t subject, apr_pool_t *p);

/* One entry to lift: the hash that the token was found by, and the stronger one of the same token.
 * The subject is borrowed, and as it stands in the file. Whoever made the hashes wipes them. */
typedef struct aw_token_uplift_t {
    aw_span_t subject;
    aw_token_alg_e checked;
    unsigned char checked_hash[AW_TOKEN_HASH_MAX];
    aw_token_alg_e wanted;
    unsigned char wanted_hash[AW_TOKEN_HASH_MAX];
    aw_uplift_e outcome; /* set by aw_token_uplift */
} aw_token_uplift_t;

/* Replaces the hashes of `n` entries (none twice), expiry and note kept. An entry whose hash is no
 * longer in the file stays away: it has been revoked or lifted meanwhile. Outcomes: STORED,
 * PRESENT (the subject has the stronger hash already), CHANGED (the subject has tokens, this is
 * none of them), ABSENT (no line of the subject). Returns how many were STORED; with 0 *edit is
 * untouched. */
size_t aw_token_uplift(aw_line_edit_t *edit, aw_span_t text, aw_token_uplift_t *const tokens[],
                       size_t n, apr_pool_t *p);

/* Whether `text` has the hash that was checked: for choosing among several files. */
bool aw_token_uplift_stands(aw_span_t text, const aw_token_uplift_t *token);

#endif
