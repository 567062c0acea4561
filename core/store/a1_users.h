/* A set of users with their values, to be put into an A1 file in one pass.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Takes some 40 bytes a user besides the names and hashes, and never the text of the file twice.
 * One thread at a time per set. Memory is the heap's; nothing here is sized by what a text claims.
 */
#ifndef AUTHWS_STORE_A1_USERS_H
#define AUTHWS_STORE_A1_USERS_H

#include "base/file.h"
#include "store/a1.h"

typedef struct aw_a1_users_t aw_a1_users_t;

/* An empty set; `key` are AW_KEYED_KEY random bytes (copied), so that nobody can choose names that
 * make it slow. APR_ENOMEM. */
apr_status_t aw_a1_users_create(aw_a1_users_t **users, const unsigned char *key);

/* Wipes and frees; NULL is allowed. */
void aw_a1_users_destroy(aw_a1_users_t *users);

size_t aw_a1_users_count(const aw_a1_users_t *users);

/* Adds a user with its values; names are copied, at most AW_A1_NAME_MAX each (else APR_EINVAL).
 * APR_EEXIST when the set has that user and realm already, which then stays as it is; APR_ENOMEM.
 */
apr_status_t aw_a1_users_add(aw_a1_users_t *users, aw_span_t user, aw_span_t realm,
                             const aw_a1_value_t *value);

/* Adds values to a user, which is made when there is none; a later value of the same algorithm
 * replaces the earlier one, as in a file. */
apr_status_t aw_a1_users_join(aw_a1_users_t *users, aw_span_t user, aw_span_t realm,
                              const aw_a1_value_t *value);

/* Notes that a user has values of the algorithms in `mask` (1u << aw_alg_e), without any hash.
 * *before (may be NULL): what had been noted of it. A set takes either notes or values. */
apr_status_t aw_a1_users_note(aw_a1_users_t *users, aw_span_t user, aw_span_t realm, unsigned mask,
                              unsigned *before);

/* Calls `each` for every user in the order they came; false from it ends that. Spans are borrowed
 * from the set. */
typedef bool (*aw_a1_users_fn)(void *baton, aw_span_t user, aw_span_t realm, unsigned present);
void aw_a1_users_each(const aw_a1_users_t *users, aw_a1_users_fn each, void *baton);

/* What users who are in the text keep of it. */
typedef enum aw_a1_apply_e {
    AW_A1_REPLACE, /* nothing: the set's values are all that they have */
    AW_A1_MERGE    /* values of algorithms that the set lacks, unless one that both have differs:
                      the password is another then, and what is only in the text is of the old one */
} aw_a1_apply_e;

/* What aw_a1_users_apply did. */
typedef struct aw_a1_applied_t {
    size_t added;
    size_t replaced;
    size_t conflicts;             /* AW_A1_MERGE: users whose values were of another password */
    size_t dropped[AW_ALG_COUNT]; /* users in the text who had a value that they have no more */
} aw_a1_applied_t;

/* Writes `text` with all users of the set: the lines of one who is there are replaced where the
 * first stood, as aw_a1_edit_set does; the others follow at the end, in the order they came. All
 * else stays byte for byte. Fails with what `write` returns, or APR_ENOMEM. May be called again,
 * with another text. */
apr_status_t aw_a1_users_apply(aw_a1_users_t *users, aw_span_t text, aw_a1_apply_e how,
                               aw_a1_applied_t *applied, aw_file_write_fn write, void *sink);

#endif
