/* One user to lift, and editing the files for many of them; see uplift.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_UPLIFT_JOB_H
#define MOD_AUTHWS_UPLIFT_JOB_H

#include "store/a1_uplift.h"
#include "store/token_edit.h"
#include "uplift.h"

/* Jobs that are done at once at the most. */
#define AUTHWS_UPLIFT_JOBS 64

/* One user, or token, of one list of files, with copies of all that is needed; on the heap. */
typedef struct authws_uplift_job_t {
    struct authws_uplift_job_t *next;
    bool is_token;
    aw_a1_uplift_t user;     /* its names are in `text`; of a token only the user is: its subject */
    aw_token_uplift_t token; /* of a token; its subject is in `text` */
    bool done;
    size_t count;             /* paths */
    const char *const *paths; /* in `text` */
    size_t size;              /* of `text` */
    char text[];
} authws_uplift_job_t;

/* A job, its new hash computed; NULL when there is no memory, or OpenSSL fails. */
authws_uplift_job_t *authws_uplift_job_create(const authws_dir_t *dir, const authws_uplift_t *right,
                                              aw_alg_e wanted);

authws_uplift_job_t *authws_uplift_job_create_token(const authws_dir_t *dir,
                                                    const aw_token_entry_t *entry, aw_span_t token);

/* Wipes and frees a list of jobs; NULL is allowed. */
void authws_uplift_jobs_destroy(authws_uplift_job_t *jobs);

/* Does all jobs of a list, and logs what came of them. Waits for files that others edit, at most
 * three seconds each. Any thread, or process. */
void authws_uplift_jobs_do(authws_uplift_job_t *jobs);

#endif
