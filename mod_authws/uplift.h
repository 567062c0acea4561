/* AuthWSUplift: a password that was right is stored in a stronger algorithm.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The request computes the hash, which takes a microsecond, and leaves the rest behind: the file
 * is edited by a thread of the child process, or on an MPM without threads when the request is
 * over. What waits is never the password.
 */
#ifndef MOD_AUTHWS_UPLIFT_H
#define MOD_AUTHWS_UPLIFT_H

#include "config.h"

/* A password that was right. Borrowed for the call. */
typedef struct authws_uplift_t {
    aw_span_t user; /* as it stands in the file */
    aw_span_t realm;
    aw_span_t password;      /* in Normalization Form C */
    aw_alg_e checked;        /* the algorithm of the value it was checked against: the user's */
    const unsigned char *a1; /* strongest; and the value itself */
} authws_uplift_t;

/* Sees to it that the user gets a value in the strongest algorithm that the section offers, if
 * AuthWSUplift is On, and that is stronger than what there is. Says nothing to the client, and
 * costs it no more than the hash; what cannot be done is logged and tried at the next login. */
void authws_uplift(request_rec *r, const authws_dir_t *dir, const authws_uplift_t *right);

/* The same for a token that was good, found as `entry`: a stronger hash takes the place of the one
 * that it was found by. */
void authws_uplift_token(request_rec *r, const authws_dir_t *dir, const aw_token_entry_t *entry,
                         aw_span_t token);

/* post_config: what the children share. child_init: a thread, once there is something to do. */
apr_status_t authws_uplift_post_config(apr_pool_t *pconf);
void authws_uplift_child_init(apr_pool_t *pchild, server_rec *s);

#endif
