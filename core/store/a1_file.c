/* Following one A1 file: its index, its text, what other processes have read of it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/a1_file.h"
#include "store/a1_index.h"

#include <apr_general.h>
#include <apr_strings.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A version younger than this may still be being written. It is also longer than the steps in
 * which file systems count time, so that two versions never have one identity. */
#define SETTLE apr_time_from_msec(20)

/* A file that has not settled for so long is read nevertheless. */
#define SETTLE_LIMIT apr_time_from_sec(1)

/* A text whose reading leaves noticeable memory behind. */
#define LARGE (1024 * 1024)

/* What has been logged: by all who share the file, or by this process. */
static _Atomic uint64_t *said(aw_a1_file_t *file, unsigned kind)
{
    return file->share ? &file->share->shared->said[kind] : &file->said[kind];
}

/* A number for something to be logged about two files. */
static uint64_t number_of(const aw_a1_file_t *file, const aw_file_id_t *a, const aw_file_id_t *b,
                          apr_status_t status)
{
    const aw_span_t parts[] = {{(const char *)a, sizeof(*a)},
                               {(const char *)b, sizeof(*b)},
                               {(const char *)&status, sizeof(status)}};
    uint64_t hash;

    aw_keyed_hash8(file->key, parts, 3, &hash);
    return hash | 1;
}

/* Forgets what was logged of failures. Whether there was something: true for one process only. */
static bool forget_failure(aw_a1_file_t *file)
{
    file->failure = APR_SUCCESS;
    return atomic_exchange(said(file, AW_A1_SAID_FAILURE), 0) != 0;
}

/* Puts a new table in the old one's place, and destroys that when nobody reads it any more. */
static void exchange(aw_a1_file_t *file, aw_a1_table_t *table)
{
    const struct timespec pause = {0, 50000};
    aw_a1_table_t *old = atomic_exchange(&file->table, table);

    file->unsettled_since = 0;
    for (int round = 0; round < 2; round++) {
        const unsigned side = atomic_fetch_add(&file->readers->epoch, 1) & 1;

        while (atomic_load(&file->readers->inside[side]) != 0) {
            nanosleep(&pause, NULL);
        }
    }
    aw_a1_table_destroy(old);
}

/* glibc keeps up to 64 MB of what was freed for the process that freed it, out of others' sight:
 * too much for one child of many, and for what is needed once in a while. */
static void give_back_memory(const aw_file_id_t *id)
{
#ifdef __GLIBC__
    if (id->size > LARGE) {
        (void)malloc_trim(0);
    }
#else
    (void)id;
#endif
}

/* --- reading --- */

static bool is_too_large(const aw_a1_file_t *file)
{
    aw_file_id_t id;

    return aw_file_identify(file->path, &id, NULL) == APR_SUCCESS && (size_t)id.size > file->limit;
}

/* Reads the text and builds its table. *message, in `p`, is untouched on success. */
static apr_status_t load(const aw_a1_file_t *file, unsigned userhash, bool alone,
                         aw_a1_table_t **table, aw_file_id_t *id, const char **message,
                         apr_pool_t *p)
{
    apr_allocator_t *allocator = NULL;
    apr_pool_t *scratch = NULL;
    aw_span_t text = {NULL, 0};
    aw_text_error_t error = {0};
    size_t number = 0;
    char why[128];

    /* An allocator of its own: a text of a gigabyte must go back to the system, not stay in the
     * caller's pools. */
    apr_status_t rv = apr_allocator_create(&allocator);

    if (rv != APR_SUCCESS) {
        goto leave;
    }
    rv = apr_pool_create_unmanaged_ex(&scratch, NULL, allocator);
    if (rv != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        goto leave;
    }
    apr_allocator_owner_set(allocator, scratch);
    rv = aw_file_read(file->path, file->limit, &text, id, scratch);
    if (rv == APR_SUCCESS) {
        rv = aw_a1_table_build(table, &text, 1, userhash, file->key, alone, &number, &error);
        aw_wipe((char *)(uintptr_t)text.ptr, text.len);
    }
    apr_pool_destroy(scratch);
leave:
    if (rv == APR_EINVAL && error.line > 0) {
        *message = apr_psprintf(p, "%s:%lu:%lu: %s", file->path, (unsigned long)error.line,
                                (unsigned long)error.column, error.message);
    } else if (rv == APR_EINVAL) {
        *message = apr_psprintf(p, "%s: not a regular file", file->path);
    } else if (rv == APR_ENOMEM && is_too_large(file)) {
        *message = apr_psprintf(p,
                                "%s: larger than the %" APR_SIZE_T_FMT " bytes that are allowed "
                                "where it is named",
                                file->path, file->limit);
    } else if (rv != APR_SUCCESS) {
        *message = apr_psprintf(p, "%s: %s", file->path, apr_strerror(rv, why, sizeof(why)));
    }
    return rv;
}

/* Where the index stands now: symbolic links may have changed. */
static const char *index_path(aw_a1_file_t *file)
{
    char *target = realpath(file->path, NULL);
    const char *of = target ? target : file->path;
    const size_t n = strlen(of);
    char *index = malloc(n + sizeof(AW_A1_INDEX_SUFFIX));

    if (index) {
        memcpy(index, of, n);
        memcpy(index + n, AW_A1_INDEX_SUFFIX, sizeof(AW_A1_INDEX_SUFFIX));
        free(file->index);
        file->index = index;
    }
    free(target);
    return file->index;
}

/* An index that another user could cut short while this process reads it. Root's children may be of
 * that user: the index is as new to them, and only they complain. */
static void refuse_foreign(aw_a1_file_t *file, const char *index, uint64_t number, bool loud)
{
    const bool root = geteuid() == 0;
    _Atomic uint64_t *where = root ? &file->foreign : said(file, AW_A1_SAID_INDEX);

    if (root) {
        file->index_id = (aw_file_id_t){0};
    }
    if (loud && atomic_exchange(where, number) != number) {
        aw_log(
            file->log, root ? AW_LOG_INFO : AW_LOG_WARNING, 1053,
            "%s: belongs neither to root nor to this process's user, so the file itself is read; "
            "authws-htdigest --index %s, run by root, makes an index for all",
            index, file->path);
    }
}

/* Opens the index for a version of the text; logs, once, why it cannot be used when `loud`. */
static aw_a1_table_t *try_index(aw_a1_file_t *file, unsigned userhash, const aw_file_id_t *text,
                                bool loud)
{
    const char *index = index_path(file), *why = NULL;
    aw_a1_table_t *table = NULL;
    aw_file_id_t id = {0};
    char text_of[128];

    if (!index || (size_t)text->size > file->limit) {
        return NULL;
    }
    const apr_status_t rv = aw_a1_index_open(&table, &why, index, file->path, text, userhash, &id);

    file->index_id = id;
    if (rv == APR_SUCCESS || APR_STATUS_IS_ENOENT(rv)) {
        return table;
    }
    const uint64_t number = number_of(file, text, &id, rv);

    if (rv == EPERM) {
        refuse_foreign(file, index, number, loud);
        return NULL;
    }
    if (loud && atomic_exchange(said(file, AW_A1_SAID_INDEX), number) != number) {
        aw_log(file->log, AW_LOG_WARNING, 1050,
               "%s: %s: the index is ignored and the file itself read; run "
               "authws-htdigest --index %s",
               index, why ? why : apr_strerror(rv, text_of, sizeof(text_of)), file->path);
    }
    return NULL;
}

static void log_index(const aw_a1_file_t *file, const aw_a1_table_t *table)
{
    aw_log(file->log, AW_LOG_INFO, 1051, "%s: served from its index, %lu users", file->path,
           (unsigned long)aw_a1_table_users(table));
}

/* --- the versions --- */

/* Complains, once for each change of the permissions, about a file that others may see. */
static void warn_mode(aw_a1_file_t *file, mode_t mode)
{
    const mode_t others = mode & (S_IROTH | S_IWOTH);

    if (others && others != file->warned) {
        aw_log(file->log, AW_LOG_WARNING, 1001,
               "%s: mode %04o lets everybody %s the file; its hashes are as good as passwords",
               file->path, (unsigned)mode, others & S_IWOTH ? "change" : "read");
    }
    file->warned = others;
}

/* Whether this version may be taken up at `now`. A file from the future (a clock that was set
 * back, another machine's clock) is taken up after the limit: waiting for its time could take for
 * ever, but it may also be that it was changed after `now` was read. */
static bool has_settled(aw_a1_file_t *file, const aw_file_id_t *id, apr_time_t now)
{
    const apr_time_t age = now - (apr_time_t)(id->ctime_ns / 1000);
    /* An empty file is most likely one that is just being written anew: everybody would be
     * unknown. */
    const apr_time_t settle = id->size == 0 ? SETTLE_LIMIT : SETTLE;

    if (age >= settle) {
        return true;
    }
    if (file->unsettled_since == 0 || file->unsettled_since > now) {
        file->unsettled_since = now;
    }
    return now - file->unsettled_since >= SETTLE_LIMIT;
}

/* Notes and logs that a version could not be taken up. */
static void failed(aw_a1_file_t *file, const aw_file_id_t *id, apr_status_t status,
                   const char *message)
{
    const bool known = file->failure == status && aw_file_id_equal(&file->failed, id);
    const uint64_t number = number_of(file, id, id, status);

    file->failed = *id;
    file->failure = status;
    if (known || atomic_exchange(said(file, AW_A1_SAID_FAILURE), number) == number) {
        return;
    }
    if (status == APR_EINVAL) {
        aw_log(file->log, AW_LOG_ERROR, 1002, "%s; the last good version stays in force", message);
    } else {
        aw_log(file->log, AW_LOG_ERROR, 1003,
               "%s; it is looked for again, the last good version stays in force", message);
    }
}

void aw_a1_file_catch_up(aw_a1_file_t *file)
{
    aw_a1_table_t *table = NULL;
    aw_file_id_t id;

    if (!aw_a1_file_is_behind(file) || aw_a1_share_take(&table, &id, file->share) != APR_SUCCESS) {
        return; /* without memory: tried again at the next look */
    }
    atomic_store(&file->generation, table->generation);
    exchange(file, table);
    file->id = id;
    file->failure = APR_SUCCESS;
    aw_log(file->log, AW_LOG_DEBUG, 1052, "%s: taken from the process that has read it",
           file->path);
}

/* Puts a table that was built here in force; for all processes, when they share it. Under the
 * share's lock, if there is one. */
static apr_status_t put_in_force(aw_a1_file_t *file, aw_a1_table_t *table, const aw_file_id_t *id,
                                 apr_time_t now)
{
    aw_file_id_t taken = *id;
    apr_status_t rv = APR_SUCCESS;

    if (file->share) {
        aw_a1_table_t *built = table;

        rv = aw_a1_share_publish(file->share, built, id, now);
        if (rv == APR_SUCCESS) {
            rv = aw_a1_share_take(&table, &taken, file->share);
        }
        aw_a1_table_destroy(built);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        atomic_store(&file->generation, table->generation);
    }
    exchange(file, table);
    file->id = taken;
    return APR_SUCCESS;
}

/* Reads the text and puts it in force. */
static void reload(aw_a1_file_t *file, unsigned userhash, const aw_file_id_t *seen, apr_time_t now)
{
    aw_a1_table_t *table = NULL;
    aw_file_id_t id = *seen;
    const char *message = file->path;
    apr_pool_t *scratch = NULL;
    char why[128];

    if (apr_pool_create_unmanaged_ex(&scratch, NULL, NULL) != APR_SUCCESS) {
        return;
    }
    apr_status_t rv = load(file, userhash, true, &table, &id, &message, scratch);

    if (rv == APR_SUCCESS) {
        rv = put_in_force(file, table, &id, now);
        if (rv != APR_SUCCESS) {
            message =
                apr_psprintf(scratch, "%s: %s", file->path, apr_strerror(rv, why, sizeof(why)));
        }
    }
    if (rv != APR_SUCCESS) {
        /* What was read may be newer than what was seen; then the next look tries that. */
        file->unsettled_since = 0;
        failed(file, seen, rv, message);
    } else {
        forget_failure(file);
        aw_log(file->log, AW_LOG_INFO, 1004, "%s: read again after a change, %lu users", file->path,
               (unsigned long)aw_a1_table_users(atomic_load(&file->table)));
    }
    apr_pool_destroy(scratch);
    give_back_memory(&id);
}

/* Takes up a version: from its index, from another process, or from the text. */
static void take_up(aw_a1_file_t *file, unsigned userhash, const aw_file_id_t *seen, apr_time_t now)
{
    const uint64_t generation = file->share ? aw_a1_share_generation(file->share) : 0;
    aw_a1_table_t *table = try_index(file, userhash, seen, !file->share);

    if (table) {
        atomic_store(&file->generation, generation);
        exchange(file, table);
        file->id = *seen;
        forget_failure(file);
        log_index(file, table);
        return;
    }
    if (!file->share) {
        reload(file, userhash, seen, now);
        return;
    }
    /* Who does not get the lock leaves it to the one who has it, and looks again. */
    if (!aw_a1_share_lock(file->share, false)) {
        return;
    }
    aw_a1_file_catch_up(file);
    if (atomic_load(said(file, AW_A1_SAID_FAILURE)) == number_of(file, seen, seen, APR_EINVAL)) {
        failed(file, seen, APR_EINVAL, file->path); /* read and logged by another process */
    } else if (!aw_file_id_equal(&file->id, seen)) {
        (void)try_index(file, userhash, seen, true); /* says why not */
        reload(file, userhash, seen, now);
    }
    aw_a1_share_unlock(file->share);
}

/* Looks whether an index has come, or changed, while the text has not. */
static void look_for_index(aw_a1_file_t *file, unsigned userhash)
{
    aw_file_id_t id = {0};

    if (!file->index || aw_file_identify(file->index, &id, NULL) != APR_SUCCESS ||
        aw_file_id_equal(&id, &file->index_id)) {
        return;
    }
    aw_a1_table_t *table = try_index(file, userhash, &file->id, true);

    if (table) {
        exchange(file, table);
        log_index(file, table);
    }
}

void aw_a1_file_look(aw_a1_file_t *file, unsigned userhash, apr_time_t now)
{
    aw_file_id_t id = {0};
    mode_t mode = 0;

    aw_a1_file_catch_up(file);
    const apr_status_t rv = aw_file_identify(file->path, &id, &mode);

    if (rv != APR_SUCCESS) {
        char why[128], message[512];

        apr_snprintf(message, sizeof(message), "%s: %s", file->path,
                     rv == APR_EINVAL ? "not a regular file" : apr_strerror(rv, why, sizeof(why)));
        failed(file, &id, rv, message);
        return;
    }
    if (file->share) {
        aw_a1_share_trim(file->share, now);
    }
    if (aw_file_id_equal(&id, &file->id)) {
        if (file->failure != APR_SUCCESS && forget_failure(file)) {
            aw_log(file->log, AW_LOG_NOTICE, 1005, "%s: back, and unchanged", file->path);
        }
        look_for_index(file, userhash);
        return;
    }
    warn_mode(file, mode);
    /* A broken version stays broken; anything else may pass by itself (memory, descriptors). */
    if (file->failure == APR_EINVAL && aw_file_id_equal(&id, &file->failed)) {
        return;
    }
    if (has_settled(file, &id, now)) {
        take_up(file, userhash, &id, now);
    }
}

apr_status_t aw_a1_file_open(aw_a1_file_t *file, unsigned userhash, const char **message,
                             apr_pool_t *p)
{
    aw_a1_table_t *table = NULL;
    mode_t mode = 0;

    if (aw_file_identify(file->path, &file->id, &mode) == APR_SUCCESS) {
        table = try_index(file, userhash, &file->id, true);
    }
    if (table) {
        log_index(file, table);
    } else {
        const apr_status_t rv = load(file, userhash, false, &table, &file->id, message, p);

        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    atomic_store(&file->table, table);
    warn_mode(file, mode);
    return APR_SUCCESS;
}

void aw_a1_file_close(aw_a1_file_t *file)
{
    aw_a1_table_destroy(atomic_load(&file->table));
    free(file->index);
    if (file->share) {
        aw_a1_share_close(file->share);
    }
}

apr_status_t aw_a1_file_index(aw_a1_file_t *file, unsigned userhash, apr_time_t now)
{
    aw_a1_table_t *table = NULL;
    apr_status_t rv = APR_SUCCESS;

    /* Somebody else may be at it: what he publishes will do. */
    if (file->share && !aw_a1_share_lock(file->share, true)) {
        return APR_EGENERAL;
    }
    aw_a1_file_catch_up(file);
    const aw_a1_table_t *from = atomic_load(&file->table);

    if (userhash & ~aw_a1_table_userhash(from)) {
        rv = aw_a1_table_extend(&table, from, userhash, file->share != NULL);
        if (rv == APR_SUCCESS) {
            const aw_file_id_t id = file->id;

            rv = put_in_force(file, table, &id, now);
        }
    }
    if (file->share) {
        aw_a1_share_unlock(file->share);
    }
    return rv;
}

apr_status_t aw_a1_file_share(aw_a1_file_t *file, apr_time_t now)
{
    const aw_a1_table_t *table = atomic_load(&file->table);
    apr_status_t rv = file->share ? APR_SUCCESS : aw_a1_share_create(&file->share_memory);

    if (rv != APR_SUCCESS || file->share) {
        return rv;
    }
    file->share = &file->share_memory;
    for (unsigned i = 0; i < AW_A1_SAID_COUNT; i++) {
        atomic_store(&file->share->shared->said[i], atomic_load(&file->said[i]));
    }
    /* An index is shared as it is. */
    if (!table->mapped) {
        const aw_file_id_t id = file->id;
        aw_a1_table_t *taken = NULL;
        aw_file_id_t unused;

        rv = aw_a1_share_publish(file->share, table, &id, now);
        if (rv == APR_SUCCESS) {
            rv = aw_a1_share_take(&taken, &unused, file->share);
        }
        if (rv == APR_SUCCESS) {
            atomic_store(&file->generation, taken->generation);
            exchange(file, taken);
        }
    }
    return rv;
}
