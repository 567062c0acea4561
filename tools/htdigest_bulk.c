/* Putting many users into the file at once: what --import and --merge share.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "htdigest_bulk.h"

#include <apr_general.h>

#include "base/keyed.h"

int no_memory(void)
{
    complain("out of memory");
    return EXIT_SYSTEM;
}

int users_create(aw_a1_users_t **users)
{
    unsigned char key[AW_KEYED_KEY];

    if (apr_generate_random_bytes(key, sizeof(key)) != APR_SUCCESS) {
        complain("the system gives no random numbers");
        return EXIT_SYSTEM;
    }
    return aw_a1_users_create(users, key) == APR_SUCCESS ? EXIT_DONE : no_memory();
}

int bulk_begin(bulk_t *bulk, const job_t *job, aw_a1_apply_e how)
{
    aw_file_id_t id;

    *bulk = (bulk_t){.how = how};
    if (!job->create) {
        const apr_status_t rv = aw_file_identify(job->file, &id, NULL);

        if (rv != APR_SUCCESS) {
            return file_error(job, job->file, rv);
        }
    }
    return users_create(&bulk->users);
}

void bulk_end(bulk_t *bulk)
{
    aw_a1_users_destroy(bulk->users);
}

/* The new version, as aw_file_commit_edit_from asks for it. */
typedef struct version_t {
    bulk_t *bulk;
    aw_span_t text;
} version_t;

/* An aw_file_source_fn. */
static apr_status_t write_version(void *baton, aw_file_write_fn write, void *sink)
{
    version_t *version = baton;
    bulk_t *bulk = version->bulk;

    return aw_a1_users_apply(bulk->users, version->text, bulk->how, &bulk->applied, write, sink);
}

/* An edit_fn. */
static apr_status_t change_users(void *baton, aw_file_edit_t *file, aw_span_t text, apr_pool_t *p)
{
    version_t version = {baton, text};

    (void)p;
    return aw_file_commit_edit_from(file, write_version, &version);
}

int bulk_store(bulk_t *bulk, const job_t *job, apr_pool_t *p)
{
    const int outcome = bulk->skipped > 0 ? EXIT_NOT_SO : EXIT_DONE;
    aw_file_id_t id;

    if (job->strict && bulk->skipped > 0) {
        complain("%s: nothing was changed: %zu lines of %s cannot be used", job->file,
                 bulk->skipped, job->other);
        return EXIT_NOT_SO;
    }
    /* With -c that would empty the file: nobody means it. */
    if (aw_a1_users_count(bulk->users) == 0) {
        complain("%s: nothing was changed: no users in %s; %zu lines skipped", job->file,
                 job->other, bulk->skipped);
        return EXIT_NOT_SO;
    }
    if (job->create && aw_file_identify(job->file, &id, NULL) == APR_SUCCESS) {
        complain("%s: exists; it is replaced by a new file with these users alone", job->file);
    }
    const int rv = file_edit(job, change_users, bulk, p);

    if (rv != EXIT_DONE) {
        return rv;
    }
    complain("%s: %zu users added, %zu changed; %zu lines skipped", job->file, bulk->applied.added,
             bulk->applied.replaced, bulk->skipped);
    if (bulk->applied.conflicts > 0) {
        complain("%s: %zu of those changed had another password; %s's has taken its place",
                 job->file, bulk->applied.conflicts, job->other);
    }
    for (unsigned a = 0; a < AW_ALG_COUNT && !job->create; a++) {
        if (bulk->applied.dropped[a] > 0) {
            complain("%s: the %s values of %zu users were dropped: they are of the old password",
                     job->file, aw_alg_name((aw_alg_e)a), bulk->applied.dropped[a]);
        }
    }
    return outcome;
}
