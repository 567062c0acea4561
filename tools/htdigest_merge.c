/* authws-htdigest --merge: the users of another A1 file.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "htdigest_bulk.h"
#include "progress.h"

/* Takes the users of the other file's text. */
static int collect(bulk_t *bulk, const job_t *job, aw_span_t text)
{
    aw_a1_reader_t reader;
    aw_a1_line_t line;
    aw_a1_value_t value;
    aw_text_error_t error;
    aw_a1_line_e what;
    progress_t progress;
    apr_status_t rv = APR_SUCCESS;

    progress_begin(&progress, "merging", text.len);
    aw_a1_reader_init(&reader, text);
    while (rv == APR_SUCCESS &&
           (what = aw_a1_reader_next(&reader, &line, &value, &error)) != AW_A1_END) {
        if (what == AW_A1_BROKEN) {
            progress_clear(&progress);
            file_say_broken(stderr, job->other, &error);
            bulk->skipped++;
        } else if (what == AW_A1_LINE && file_wants(job, line.realm)) {
            rv = aw_a1_users_join(bulk->users, line.user, line.realm, &value);
        }
        if (line.number % 1024 == 0) {
            progress_at(&progress, text.len - reader.rest.len, aw_a1_users_count(bulk->users));
        }
    }
    progress_clear(&progress);
    aw_wipe(&value, sizeof(value));
    return rv == APR_SUCCESS ? EXIT_DONE : no_memory();
}

int run_merge(const job_t *job, apr_pool_t *p)
{
    apr_pool_t *reading = NULL;
    bulk_t bulk;
    aw_span_t text;
    int rv = bulk_begin(&bulk, job, AW_A1_MERGE);

    if (rv == EXIT_DONE && apr_pool_create(&reading, p) != APR_SUCCESS) {
        rv = no_memory();
    }
    if (rv == EXIT_DONE) {
        rv = file_read(job, job->other, &text, reading);
        if (rv == EXIT_DONE) {
            rv = collect(&bulk, job, text);
            file_wipe(text);
        }
        apr_pool_destroy(reading);
    }
    if (rv == EXIT_DONE) {
        rv = bulk_store(&bulk, job, p);
    }
    bulk_end(&bulk);
    return rv;
}
