/* One user to lift, and editing the files for many of them; see uplift.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "uplift_job.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unixd.h>

#include "base/keyed.h"
#include "base/text.h"
#include "digest/compute.h"
#include "store/a1_index.h"

/* For the lock of a file that another program edits. */
#define LOCK_TIMEOUT apr_time_from_sec(3)

/* An edit that a program without the lock has overtaken is begun again so often. */
#define ATTEMPTS 3

#define REPORTED 512

/* Shared by all children: hashes of what has been complained about, so that a complaint comes
 * once for the whole server; 0: free. Set before the fork. */
static _Atomic uint64_t *reported;

/* --- complaints --- */

/* Whether this status of this file is news. When the table is full, everything is. */
static bool is_news(const char *path, apr_status_t status)
{
    uint64_t hash = 0xcbf29ce484222325u ^ (uint64_t)status; /* FNV-1a */

    for (const char *at = path; *at; at++) {
        hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
    }
    hash |= 1;
    for (size_t i = 0; reported && i < REPORTED; i++) {
        uint64_t before = 0;

        if (atomic_compare_exchange_strong(&reported[i], &before, hash)) {
            return true;
        }
        if (before == hash) {
            return false;
        }
    }
    return true;
}

static void complain(const char *path, apr_status_t status)
{
    char shown[512];

    if (!is_news(path, status)) {
        return;
    }
    aw_text_escape(shown, sizeof(shown), aw_span(path));
    if (APR_STATUS_IS_EACCES(status) || status == EPERM || status == EROFS) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, status, ap_server_conf,
                     AWLOGNO(2090) "AuthWSUplift stores nothing in %s: the file must belong to "
                                   "user %s, whom the server runs as, and that user must be able "
                                   "to make files in its folder; or set AuthWSUplift Off",
                     shown, ap_unixd_config.user_name ? ap_unixd_config.user_name : "?");
    } else {
        ap_log_error(APLOG_MARK, APLOG_WARNING, status, ap_server_conf,
                     AWLOGNO(2091) "AuthWSUplift stores nothing in %s for now; it is tried again "
                                   "at the next login",
                     shown);
    }
}

static aw_uplift_e outcome_of(const authws_uplift_job_t *job)
{
    return job->is_token ? job->token.outcome : job->user.outcome;
}

static void report_token(const authws_uplift_job_t *job, const char *path, apr_pool_t *p)
{
    static const char *const what[] = {
        [AW_UPLIFT_STORED] = "stored in",
        [AW_UPLIFT_PRESENT] = "already in",
        [AW_UPLIFT_CHANGED] = "not stored, the token is gone, in",
        [AW_UPLIFT_ABSENT] = "not stored, the subject is gone, in",
        [AW_UPLIFT_BROKEN] = "not stored, a broken line in",
    };
    const aw_uplift_e outcome = job->token.outcome;

    ap_log_error(APLOG_MARK, outcome == AW_UPLIFT_PRESENT ? APLOG_DEBUG : APLOG_INFO, 0,
                 ap_server_conf, AWLOGNO(2179) "uplift: subject \"%s\": a token in %s %s %s",
                 authws_log_text(p, job->token.subject), aw_token_alg_name(job->token.wanted),
                 what[outcome], authws_log_text(p, aw_span(path)));
}

static void report(const authws_uplift_job_t *job, const char *path, apr_pool_t *p)
{
    static const char *const why[] = {
        [AW_UPLIFT_STORED] = "stored in",
        [AW_UPLIFT_PRESENT] = "already in",
        [AW_UPLIFT_CHANGED] = "not stored, another password by now, in",
        [AW_UPLIFT_ABSENT] = "not stored, the user is gone, in",
        [AW_UPLIFT_BROKEN] = "not stored, a broken line in",
    };
    const aw_uplift_e outcome = job->user.outcome;

    ap_log_error(APLOG_MARK, outcome == AW_UPLIFT_PRESENT ? APLOG_DEBUG : APLOG_INFO, 0,
                 ap_server_conf,
                 AWLOGNO(2092) "uplift: user \"%s\", realm \"%s\": a value in %s %s %s",
                 authws_log_text(p, job->user.user), authws_log_text(p, job->user.realm),
                 aw_alg_name(job->user.wanted), why[outcome], authws_log_text(p, aw_span(path)));
}

/* --- one edit --- */

/* The jobs of the list that are about the same files as its first one, and not done. */
static size_t select_jobs(authws_uplift_job_t **selected, authws_uplift_job_t *jobs)
{
    const authws_uplift_job_t *model = NULL;
    size_t n = 0;

    for (authws_uplift_job_t *job = jobs; job && n < AUTHWS_UPLIFT_JOBS; job = job->next) {
        bool same = !job->done &&
                    (!model || (model->count == job->count && model->is_token == job->is_token));

        for (size_t i = 0; same && model && i < job->count; i++) {
            same = !strcmp(model->paths[i], job->paths[i]);
        }
        if (same) {
            model = model ? model : job;
            selected[n++] = job;
        }
    }
    return n;
}

/* What these jobs, all of one kind, make of the text; false when nothing is to be written. */
static bool edit_text(aw_a1_edit_t *edit, aw_span_t text, authws_uplift_job_t **jobs, size_t n,
                      apr_pool_t *p)
{
    aw_a1_uplift_t *users[AUTHWS_UPLIFT_JOBS];
    aw_token_uplift_t *tokens[AUTHWS_UPLIFT_JOBS];

    for (size_t i = 0; i < n; i++) {
        users[i] = &jobs[i]->user;
        tokens[i] = &jobs[i]->token;
    }
    if (jobs[0]->is_token) {
        aw_line_edit_t lines;
        const size_t stored = aw_token_uplift(&lines, text, tokens, n, p);

        if (stored > 0) {
            *edit = (aw_a1_edit_t){lines.parts, lines.count, lines.entries};
        }
        return stored > 0;
    }
    return aw_a1_uplift(edit, text, users, n, p) > 0;
}

/* Edits one file for these jobs. */
static apr_status_t edit_file(const char *path, authws_uplift_job_t **jobs, size_t n, apr_pool_t *p)
{
    aw_file_edit_t *file;
    aw_a1_edit_t edit;
    aw_span_t text;
    apr_status_t rv = aw_file_open_edit(&file, &text, path, false, LOCK_TIMEOUT, NULL, NULL, p);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!edit_text(&edit, text, jobs, n, p)) {
        aw_file_abandon_edit(file);
        return APR_SUCCESS;
    }
    /* The commit wipes `text`, but does not tell where it was from what is ours to wipe. */
    rv = aw_file_commit_edit(file, edit.parts, edit.count);
    aw_a1_uplift_wipe(&edit, text);
    return rv;
}

/* Of several files: which of these jobs have in this one the value that was checked. */
static size_t of_file(authws_uplift_job_t **here, const char *path, authws_uplift_job_t **jobs,
                      size_t n, apr_pool_t *p)
{
    aw_file_id_t id;
    aw_span_t text;
    size_t count = 0;

    if (aw_file_read(path, SIZE_MAX / 4, &text, &id, p) != APR_SUCCESS) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (!jobs[i]->done && (jobs[i]->is_token ? aw_token_uplift_stands(text, &jobs[i]->token)
                                                 : aw_a1_uplift_stands(text, &jobs[i]->user, p))) {
            here[count++] = jobs[i];
        }
    }
    aw_wipe((char *)(uintptr_t)text.ptr, text.len); /* of our pool */
    return count;
}

/* Makes the file's index anew, if it has one: or the edit would leave it behind, and every child
 * would hold the users in memory of its own. */
static void renew_index(const char *path, apr_pool_t *p)
{
    unsigned char key[AW_KEYED_KEY];
    const aw_a1_index_job_t index = {
        .userhash = 1u << AW_ALG_MD5 | 1u << AW_ALG_SHA256 | 1u << AW_ALG_SHA512_256,
        .key = key,
        .timeout = LOCK_TIMEOUT,
    };
    char *real = realpath(path, NULL);
    const char *name = real ? apr_pstrcat(p, real, AW_A1_INDEX_SUFFIX, NULL) : NULL;
    const char *message = "no random bytes";
    apr_status_t rv;

    free(real);
    if (!name || access(name, F_OK) != 0) {
        return;
    }
    rv = apr_generate_random_bytes(key, sizeof(key));
    if (rv == APR_SUCCESS) {
        rv = aw_a1_index_write(NULL, &message, path, &index, p);
    }
    if (rv != APR_SUCCESS && is_news(name, rv)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, ap_server_conf,
                     AWLOGNO(2093) "after AuthWSUplift the index is out of date: %s; make it anew "
                                   "with authws-htdigest --index",
                     authws_log_text(p, aw_span(message)));
    }
}

/* Does these jobs in one file. */
static void do_file(const char *path, authws_uplift_job_t **jobs, size_t n, apr_pool_t *p)
{
    apr_status_t rv = APR_EAGAIN;
    bool stored = false;

    for (int i = 0; i < ATTEMPTS && rv == APR_EAGAIN; i++) {
        rv = edit_file(path, jobs, n, p);
    }
    if (rv != APR_SUCCESS) {
        complain(path, rv);
    }
    for (size_t i = 0; i < n; i++) {
        jobs[i]->done = true;
        if (rv == APR_SUCCESS) {
            stored |= outcome_of(jobs[i]) == AW_UPLIFT_STORED;
            (jobs[i]->is_token ? report_token : report)(jobs[i], path, p);
        }
    }
    if (stored && !jobs[0]->is_token) {
        renew_index(path, p);
    }
}

/* Does all jobs of a list. Later files override earlier ones, so the last that has the value that
 * was checked is the one it came from. */
void authws_uplift_jobs_do(authws_uplift_job_t *jobs)
{
    authws_uplift_job_t *selected[AUTHWS_UPLIFT_JOBS], *here[AUTHWS_UPLIFT_JOBS];
    apr_allocator_t *allocator;
    apr_pool_t *p;
    size_t n;

    /* An allocator of its own: what a large file took goes back to the system. */
    if (apr_allocator_create(&allocator) != APR_SUCCESS) {
        return;
    }
    if (apr_pool_create_unmanaged_ex(&p, NULL, allocator) != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return;
    }
    apr_allocator_owner_set(allocator, p);
    while ((n = select_jobs(selected, jobs)) > 0) {
        const authws_uplift_job_t *model = selected[0];

        if (model->count == 1) {
            do_file(model->paths[0], selected, n, p);
        }
        for (size_t i = model->count; model->count > 1 && i-- > 0;) {
            const size_t found = of_file(here, model->paths[i], selected, n, p);

            if (found > 0) {
                do_file(model->paths[i], here, found, p);
            }
        }
        for (size_t i = 0; i < n; i++) { /* those that are in no file any more */
            selected[i]->done = true;
        }
    }
    apr_pool_destroy(p);
}

void authws_uplift_jobs_destroy(authws_uplift_job_t *jobs)
{
    while (jobs) {
        authws_uplift_job_t *next = jobs->next;

        aw_wipe(jobs, sizeof(*jobs) + jobs->size);
        free(jobs);
        jobs = next;
    }
}

static char *copy(char **at, aw_span_t text)
{
    char *out = memcpy(*at, text.ptr, text.len);

    out[text.len] = '\0';
    *at += text.len + 1;
    return out;
}

/* A job for these files, with `more` bytes of text behind their names, from *at on. */
static authws_uplift_job_t *create(char **at, const authws_files_t *files, size_t more)
{
    size_t size = files->count * sizeof(char *) + more;

    for (size_t i = 0; i < files->count; i++) {
        size += strlen(files->list[i]) + 1;
    }
    authws_uplift_job_t *job = calloc(1, sizeof(*job) + size);

    if (!job) {
        return NULL;
    }
    const char **paths = (const char **)(void *)job->text;

    *at = job->text + files->count * sizeof(char *);
    job->size = size;
    job->count = files->count;
    job->paths = paths;
    for (size_t i = 0; i < files->count; i++) {
        paths[i] = copy(at, aw_span(files->list[i]));
    }
    return job;
}

authws_uplift_job_t *authws_uplift_job_create(const authws_dir_t *dir, const authws_uplift_t *right,
                                              aw_alg_e wanted)
{
    char *at;
    authws_uplift_job_t *job = create(&at, dir->files, right->user.len + right->realm.len + 2);

    if (!job) {
        return NULL;
    }
    job->user.user = (aw_span_t){copy(&at, right->user), right->user.len};
    job->user.realm = (aw_span_t){copy(&at, right->realm), right->realm.len};
    job->user.checked = right->checked;
    job->user.wanted = wanted;
    memcpy(job->user.checked_a1, right->a1, aw_alg_size(right->checked));
    if (aw_digest_a1(wanted, right->user, right->realm, right->password, job->user.wanted_a1) !=
        APR_SUCCESS) {
        authws_uplift_jobs_destroy(job);
        return NULL;
    }
    return job;
}

authws_uplift_job_t *authws_uplift_job_create_token(const authws_dir_t *dir,
                                                    const aw_token_entry_t *entry, aw_span_t token)
{
    const aw_span_t subject = {entry->subject, entry->subject_len};
    char *at;
    authws_uplift_job_t *job = create(&at, dir->token_files, subject.len + 1);

    if (!job) {
        return NULL;
    }
    job->is_token = true;
    job->token.subject = (aw_span_t){copy(&at, subject), subject.len};
    job->token.checked = entry->alg;
    job->token.wanted = entry->lift_to;
    job->user.user = job->token.subject;
    memcpy(job->token.checked_hash, entry->hash, aw_token_alg_size(entry->alg));
    if (aw_token_hash(entry->lift_to, token, job->token.wanted_hash) != APR_SUCCESS) {
        authws_uplift_jobs_destroy(job);
        return NULL;
    }
    return job;
}

static apr_status_t unmap(void *shared)
{
    reported = NULL;
    munmap(shared, REPORTED * sizeof(*reported));
    return APR_SUCCESS;
}

apr_status_t authws_uplift_post_config(apr_pool_t *pconf)
{
    void *shared = mmap(NULL, REPORTED * sizeof(*reported), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED) {
        return errno;
    }
    reported = shared;
    apr_pool_cleanup_register(pconf, shared, unmap, apr_pool_cleanup_null);
    return APR_SUCCESS;
}
