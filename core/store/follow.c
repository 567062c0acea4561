/* Text files that are kept in memory as entry maps and followed as they change.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/follow.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "store/a1_file.h"

/* A version younger than this may still be being written. */
#define SETTLE apr_time_from_msec(20)

/* A file that has not settled for so long is read nevertheless. */
#define SETTLE_LIMIT apr_time_from_sec(1)

/* But for `map` all is guarded by `reload` of the whole. */
typedef struct file_t {
    const char *path;
    _Atomic(aw_entry_map_t *) map;
    aw_file_id_t id;            /* of what is in `map` */
    aw_file_id_t failed;        /* version that could not be taken up; zeroed: none is there */
    apr_status_t failure;       /* why; APR_SUCCESS: nothing is wrong */
    apr_time_t unsettled_since; /* 0: settled */
    mode_t warned;              /* permissions already complained about */
} file_t;

struct aw_follow_t {
    const aw_follow_kind_t *kind;
    file_t *files;
    size_t count;
    unsigned char key[AW_KEYED_KEY];
    aw_log_t log;
    aw_a1_readers_t readers;
    pthread_mutex_t reload;
    _Atomic apr_time_t looked; /* relaxed: only a hint who is to look next */
};

/* Puts a new map in the old one's place, and destroys that when nobody reads it any more. */
static void exchange(aw_follow_t *follow, file_t *file, aw_entry_map_t *map)
{
    const struct timespec pause = {0, 50000};
    aw_entry_map_t *old = atomic_exchange(&file->map, map);

    for (int round = 0; round < 2; round++) {
        const unsigned side = atomic_fetch_add(&follow->readers.epoch, 1) & 1;

        while (atomic_load(&follow->readers.inside[side]) != 0) {
            nanosleep(&pause, NULL);
        }
    }
    aw_entry_map_destroy(old);
}

/* Keeps the first mistake; an aw_line_error_fn. */
static void note_mistake(void *baton, const aw_line_error_t *error)
{
    aw_line_error_t *first = baton;

    if (first->line == 0) {
        *first = *error;
    }
}

/* Reads a file. *message, in `p`, is untouched on success. */
static apr_status_t load(const aw_follow_t *follow, const file_t *file, aw_entry_map_t **map,
                         aw_file_id_t *id, const char **message, apr_pool_t *p)
{
    apr_allocator_t *allocator = NULL;
    aw_line_error_t error = {.line = 0};
    aw_span_t text = {NULL, 0};
    apr_pool_t *scratch = NULL;
    char why[128];

    /* An allocator of its own: a large text must go back to the system, not stay in the caller's
     * pools. */
    apr_status_t rv = apr_allocator_create(&allocator);

    if (rv == APR_SUCCESS) {
        rv = apr_pool_create_unmanaged_ex(&scratch, NULL, allocator);
        if (rv == APR_SUCCESS) {
            apr_allocator_owner_set(allocator, scratch);
            rv = aw_file_read(file->path, SIZE_MAX / 4, &text, id, scratch);
        } else {
            apr_allocator_destroy(allocator);
        }
    }
    if (rv == APR_SUCCESS) {
        rv = follow->kind->build(map, text, follow->key, note_mistake, &error);
        aw_wipe((char *)(uintptr_t)text.ptr, text.len);
    }
    if (scratch) {
        apr_pool_destroy(scratch);
    }
    if (rv == APR_EINVAL && error.line > 0) {
        *message = apr_psprintf(p, "%s:%lu:%lu: %s", file->path, (unsigned long)error.line,
                                (unsigned long)error.column, error.message);
    } else if (rv == APR_EINVAL) {
        *message = apr_psprintf(p, "%s: not a regular file", file->path);
    } else if (rv != APR_SUCCESS) {
        *message = apr_psprintf(p, "%s: %s", file->path, apr_strerror(rv, why, sizeof(why)));
    }
    return rv;
}

/* Complains, once for each change of the permissions, about a file that others may see. */
static void warn_mode(aw_follow_t *follow, file_t *file, mode_t mode)
{
    const mode_t others = mode & (S_IROTH | S_IWOTH);

    if (others && others != file->warned) {
        aw_log(&follow->log, AW_LOG_WARNING, 1070,
               "%s: mode %04o lets everybody %s the file, which says who gets in", file->path,
               (unsigned)mode, others & S_IWOTH ? "change" : "read");
    }
    file->warned = others;
}

/* Whether this version may be taken up at `now`. A file from the future (a clock that was set
 * back, another machine's clock) has settled: waiting for its time could take for ever. */
static bool has_settled(file_t *file, const aw_file_id_t *id, apr_time_t now)
{
    const apr_time_t age = now - (apr_time_t)(id->ctime_ns / 1000);
    /* An empty file is most likely one that is just being written anew. */
    const apr_time_t settle = id->size == 0 ? SETTLE_LIMIT : SETTLE;

    if (age < 0 || age >= settle) {
        file->unsettled_since = 0;
        return true;
    }
    if (file->unsettled_since == 0 || file->unsettled_since > now) {
        file->unsettled_since = now;
    }
    return now - file->unsettled_since >= SETTLE_LIMIT;
}

/* Notes, and logs once, that a version could not be taken up. */
static void failed(aw_follow_t *follow, file_t *file, const aw_file_id_t *id, apr_status_t status,
                   const char *message)
{
    const bool known = file->failure == status && aw_file_id_equal(&file->failed, id);

    file->failed = *id;
    file->failure = status;
    if (known) {
        return;
    }
    if (status == APR_EINVAL) {
        aw_log(&follow->log, AW_LOG_ERROR, 1071, "%s; the last good version stays in force",
               message);
    } else {
        aw_log(&follow->log, AW_LOG_ERROR, 1072,
               "%s; it is looked for again, the last good version stays in force", message);
    }
}

static unsigned long count_all(const aw_entry_map_t *map)
{
    unsigned long total = 0;

    for (unsigned k = 0; k < AW_ENTRY_KINDS; k++) {
        total += aw_entry_map_count(map, k);
    }
    return total;
}

static void reload(aw_follow_t *follow, file_t *file, const aw_file_id_t *seen)
{
    aw_entry_map_t *map = NULL;
    aw_file_id_t id = *seen;
    const char *message = file->path;
    apr_pool_t *scratch = NULL;

    if (apr_pool_create_unmanaged_ex(&scratch, NULL, NULL) != APR_SUCCESS) {
        return;
    }
    const apr_status_t rv = load(follow, file, &map, &id, &message, scratch);

    if (rv != APR_SUCCESS) {
        /* What was read may be newer than what was seen; then the next look tries that. */
        failed(follow, file, seen, rv, message);
    } else {
        const unsigned long entries = count_all(map);

        exchange(follow, file, map);
        file->id = id;
        file->failure = APR_SUCCESS;
        aw_log(&follow->log, AW_LOG_INFO, 1073, "%s: read again after a change, %lu %s", file->path,
               entries, follow->kind->entries);
    }
    apr_pool_destroy(scratch);
}

static void look(aw_follow_t *follow, file_t *file, apr_time_t now)
{
    aw_file_id_t id = {0};
    mode_t mode = 0;
    const apr_status_t rv = aw_file_identify(file->path, &id, &mode);

    if (rv != APR_SUCCESS) {
        char why[128], message[512];

        apr_snprintf(message, sizeof(message), "%s: %s", file->path,
                     rv == APR_EINVAL ? "not a regular file" : apr_strerror(rv, why, sizeof(why)));
        failed(follow, file, &id, rv, message);
        return;
    }
    warn_mode(follow, file, mode);
    if (aw_file_id_equal(&id, &file->id)) {
        if (file->failure != APR_SUCCESS) {
            file->failure = APR_SUCCESS;
            aw_log(&follow->log, AW_LOG_NOTICE, 1074, "%s: back, and unchanged", file->path);
        }
        return;
    }
    /* A broken version stays broken; anything else may pass by itself (memory, descriptors). */
    if (file->failure == APR_EINVAL && aw_file_id_equal(&id, &file->failed)) {
        return;
    }
    if (has_settled(file, &id, now)) {
        reload(follow, file, &id);
    }
}

/* Whether it is time to look, for this thread and no other. */
static bool is_time(aw_follow_t *follow, apr_time_t now)
{
    apr_time_t last = atomic_load_explicit(&follow->looked, memory_order_relaxed);

    /* A clock that was set back must not stop us from looking until it has caught up. */
    if (now >= last && now - last < AW_FOLLOW_CHECK) {
        return false;
    }
    return atomic_compare_exchange_strong_explicit(&follow->looked, &last, now,
                                                   memory_order_relaxed, memory_order_relaxed);
}

void aw_follow_look(aw_follow_t *follow, apr_time_t now)
{
    if (!is_time(follow, now) || pthread_mutex_trylock(&follow->reload) != 0) {
        return;
    }
    for (size_t i = 0; i < follow->count; i++) {
        look(follow, &follow->files[i], now);
    }
    pthread_mutex_unlock(&follow->reload);
}

static apr_status_t close_all(void *data)
{
    aw_follow_t *follow = data;

    for (size_t i = 0; i < follow->count; i++) {
        aw_entry_map_destroy(atomic_load(&follow->files[i].map));
    }
    pthread_mutex_destroy(&follow->reload);
    return APR_SUCCESS;
}

static apr_status_t open_one(aw_follow_t *follow, file_t *file, const char **message, apr_pool_t *p)
{
    aw_entry_map_t *map = NULL;
    mode_t mode = 0;
    const apr_status_t rv = load(follow, file, &map, &file->id, message, p);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    atomic_store(&file->map, map);
    if (aw_file_identify(file->path, &(aw_file_id_t){0}, &mode) == APR_SUCCESS) {
        warn_mode(follow, file, mode);
    }
    return APR_SUCCESS;
}

apr_status_t aw_follow_open(aw_follow_t **follow, const char **message,
                            const aw_follow_kind_t *kind, const char *const *paths, size_t n,
                            const aw_log_t *log, apr_pool_t *p)
{
    aw_follow_t *made = apr_pcalloc(p, sizeof(*made));
    apr_status_t rv = apr_generate_random_bytes(made->key, sizeof(made->key));

    if (rv == APR_SUCCESS) {
        rv = pthread_mutex_init(&made->reload, NULL);
    }
    if (rv != APR_SUCCESS) {
        *message = "no random numbers or no locks to be had";
        return rv;
    }
    made->kind = kind;
    made->files = apr_pcalloc(p, n * sizeof(*made->files));
    made->count = n;
    made->log = log ? *log : (aw_log_t){NULL, NULL};
    apr_pool_cleanup_register(p, made, close_all, apr_pool_cleanup_null);
    for (size_t i = 0; i < n && rv == APR_SUCCESS; i++) {
        made->files[i].path = apr_pstrdup(p, paths[i]);
        rv = open_one(made, &made->files[i], message, p);
    }
    if (rv != APR_SUCCESS) {
        apr_pool_cleanup_run(p, made, close_all);
        return rv;
    }
    *follow = made;
    return APR_SUCCESS;
}

unsigned aw_follow_enter(aw_follow_t *follow)
{
    return aw_a1_readers_enter(&follow->readers);
}

void aw_follow_leave(aw_follow_t *follow, unsigned side)
{
    aw_a1_readers_leave(&follow->readers, side);
}

size_t aw_follow_count(const aw_follow_t *follow)
{
    return follow->count;
}

const aw_entry_map_t *aw_follow_map(aw_follow_t *follow, size_t i)
{
    return atomic_load(&follow->files[i].map);
}
