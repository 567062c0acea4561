/* authws-htdigest: keeps A1 files, a drop-in for htdigest.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "htdigest_options.h"

#include <apr_general.h>
#include <stdlib.h>

#include "digest/algorithm.h"

static int out_of_memory(int status)
{
    (void)status;
    complain("out of memory");
    exit(EXIT_SYSTEM);
}

int main(int argc, char **argv)
{
    job_t job = {.action = ACTION_SET};
    apr_pool_t *pool = NULL;
    bool answered = false;
    int rv = options_read(argc, argv, &job, &answered);

    if (rv != EXIT_DONE || answered) {
        return rv;
    }
    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create_ex(&pool, NULL, out_of_memory, NULL) != APR_SUCCESS ||
        aw_algorithms_init() != APR_SUCCESS) {
        complain("APR or OpenSSL cannot be set up");
        return EXIT_SYSTEM;
    }
    rv = job_run(&job, pool);
    apr_pool_destroy(pool);
    aw_algorithms_term();
    apr_terminate();
    return rv;
}
