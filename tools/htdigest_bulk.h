/* Putting many users into the file at once: what --import and --merge share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_HTDIGEST_BULK_H
#define AUTHWS_TOOLS_HTDIGEST_BULK_H

#include "htdigest_file.h"
#include "store/a1_users.h"

/* What has been read so far. */
typedef struct bulk_t {
    aw_a1_users_t *users;
    size_t skipped; /* lines that were broken, or named a user again */
    aw_a1_apply_e how;
    aw_a1_applied_t applied;
} bulk_t;

/* Begins with no users; EXIT_DONE, or it has been said why not. Also when the file is missing and
 * need not be made, so that nobody waits for what cannot be stored. */
int bulk_begin(bulk_t *bulk, const job_t *job, aw_a1_apply_e how);

/* Stores the users unless --strict and a broken line forbid it; says what was done. */
int bulk_store(bulk_t *bulk, const job_t *job, apr_pool_t *p);

void bulk_end(bulk_t *bulk);

/* A set of users under a random key; EXIT_DONE, or it has been said why not. */
int users_create(aw_a1_users_t **users);

/* Says that memory has run out. */
int no_memory(void);

#endif
