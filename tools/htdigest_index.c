/* authws-htdigest --index: the index beside the file, made beforehand.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "htdigest_file.h"

#include <apr_general.h>

#include "base/keyed.h"
#include "store/a1_index.h"

int run_index(const job_t *job, apr_pool_t *p)
{
    unsigned char key[AW_KEYED_KEY];
    const aw_a1_index_job_t index = {.userhash = job->algorithms,
                                     .key = key,
                                     .timeout = LOCK_TIMEOUT,
                                     .waiting = file_say_waiting};
    const char *message = NULL;
    size_t users = 0;

    if (apr_generate_random_bytes(key, sizeof(key)) != APR_SUCCESS) {
        complain("the system gives no random numbers");
        return EXIT_SYSTEM;
    }
    const apr_status_t rv = aw_a1_index_write(&users, &message, job->file, &index, p);

    if (rv != APR_SUCCESS) {
        complain("%s", message);
        return rv == APR_EINVAL ? EXIT_NOT_SO : EXIT_SYSTEM;
    }
    complain("%s%s: %zu users", job->file, AW_A1_INDEX_SUFFIX, users);
    file_warn_mode(job->file);
    return EXIT_DONE;
}
