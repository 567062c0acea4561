/* One or more A1 files kept in memory and followed as they change.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Locks. `tables` is held for reading while a user is looked up and copied, and for writing only
 * while a pointer is exchanged: a reload reads and builds without it, so nobody waits for one.
 * `reload` is tried, never waited for; who has it is the one thread that looks at the files. It
 * guards everything in file_t but `table`, which it alone may exchange (under `tables` as well).
 */
#include "store/a1_store.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

/* A version younger than this may still be being written. It is also longer than the steps in
 * which file systems count time, so that two versions never have one identity. */
#define SETTLE apr_time_from_msec(20)

/* A file that has not settled for so long is read nevertheless. */
#define SETTLE_LIMIT apr_time_from_sec(1)

typedef struct file_t {
    const char *path;
    aw_a1_table_t *table;
    aw_file_id_t id;            /* of what is in `table` */
    aw_file_id_t failed;        /* version that could not be taken up; zeroed: none is there */
    apr_status_t failure;       /* why; APR_SUCCESS: nothing is wrong */
    apr_time_t unsettled_since; /* 0: settled */
    mode_t warned;              /* permissions already complained about */
} file_t;

struct aw_a1_store_t {
    file_t *files;
    size_t count;
    _Atomic unsigned userhash; /* indexed in every table; written under `reload` */
    unsigned char key[AW_KEYED_KEY];
    aw_log_t log;
    pthread_rwlock_t tables;
    pthread_mutex_t reload;
    _Atomic apr_time_t looked; /* relaxed: only a hint who is to look next */
};

/* Reads a file and builds its table. *message, in `p`, is untouched on success. */
static apr_status_t load(const aw_a1_store_t *store, const char *path, aw_a1_table_t **table,
                         aw_file_id_t *id, const char **message, apr_pool_t *p)
{
    apr_allocator_t *allocator = NULL;
    apr_pool_t *scratch = NULL;
    aw_span_t text = {NULL, 0};
    aw_text_error_t error = {0};
    size_t file = 0;
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
    rv = aw_file_read(path, SIZE_MAX / 4, &text, id, scratch);
    if (rv == APR_SUCCESS) {
        rv = aw_a1_table_create(table, &text, 1, atomic_load(&store->userhash), store->key, &file,
                                &error);
        aw_wipe((char *)(uintptr_t)text.ptr, text.len);
    }
    apr_pool_destroy(scratch);
leave:
    if (rv == APR_EINVAL && error.line > 0) {
        *message = apr_psprintf(p, "%s:%lu:%lu: %s", path, (unsigned long)error.line,
                                (unsigned long)error.column, error.message);
    } else if (rv == APR_EINVAL) {
        *message = apr_psprintf(p, "%s: not a regular file", path);
    } else if (rv != APR_SUCCESS) {
        *message = apr_psprintf(p, "%s: %s", path, apr_strerror(rv, why, sizeof(why)));
    }
    return rv;
}

/* Complains, once for each change of the permissions, about a file that others may see. */
static void warn_mode(const aw_a1_store_t *store, file_t *file, mode_t mode)
{
    const mode_t others = mode & (S_IROTH | S_IWOTH);

    if (others && others != file->warned) {
        aw_log(&store->log, AW_LOG_WARNING, 1001,
               "%s: mode %04o lets everybody %s the file; its hashes are as good as passwords",
               file->path, (unsigned)mode, others & S_IWOTH ? "change" : "read");
    }
    file->warned = others;
}

/* Whether this version may be taken up at `now`. A file from the future (a clock that was set
 * back, another machine's clock) has settled: waiting for its time could take for ever. */
static bool has_settled(file_t *file, const aw_file_id_t *id, apr_time_t now)
{
    const apr_time_t age = now - (apr_time_t)(id->ctime_ns / 1000);
    /* An empty file is most likely one that is just being written anew: everybody would be unknown.
     */
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

/* Notes and logs that a version could not be taken up. */
static void failed(const aw_a1_store_t *store, file_t *file, const aw_file_id_t *id,
                   apr_status_t status, const char *message)
{
    const bool known = file->failure == status && aw_file_id_equal(&file->failed, id);

    file->failed = *id;
    file->failure = status;
    if (known) {
        return;
    }
    if (status == APR_EINVAL) {
        aw_log(&store->log, AW_LOG_ERROR, 1002, "%s; the last good version stays in force",
               message);
    } else {
        aw_log(&store->log, AW_LOG_ERROR, 1003,
               "%s; it is looked for again, the last good version stays in force", message);
    }
}

/* Puts a new table in a file's place. */
static void exchange(aw_a1_store_t *store, file_t *file, aw_a1_table_t *table)
{
    aw_a1_table_t *old;

    pthread_rwlock_wrlock(&store->tables);
    old = file->table;
    file->table = table;
    pthread_rwlock_unlock(&store->tables);
    aw_a1_table_destroy(old);
}

/* Takes up a file's present version. */
static void reload(aw_a1_store_t *store, file_t *file, const aw_file_id_t *seen)
{
    aw_a1_table_t *table = NULL;
    aw_file_id_t id = *seen;
    const char *message = NULL;
    apr_pool_t *scratch = NULL;

    if (apr_pool_create_unmanaged_ex(&scratch, NULL, NULL) != APR_SUCCESS) {
        return;
    }
    const apr_status_t rv = load(store, file->path, &table, &id, &message, scratch);

    if (rv != APR_SUCCESS) {
        /* What was read may be newer than what was seen; then the next look tries that. */
        failed(store, file, seen, rv, message);
    } else {
        exchange(store, file, table);
        file->id = id;
        file->failure = APR_SUCCESS;
        aw_log(&store->log, AW_LOG_INFO, 1004, "%s: read again after a change, %lu users",
               file->path, (unsigned long)aw_a1_table_users(table));
    }
    apr_pool_destroy(scratch);
}

/* Looks whether one file has changed. */
static void look(aw_a1_store_t *store, file_t *file, apr_time_t now)
{
    aw_file_id_t id = {0};
    mode_t mode = 0;
    const apr_status_t rv = aw_file_identify(file->path, &id, &mode);

    if (rv != APR_SUCCESS) {
        char why[128], message[512];

        apr_snprintf(message, sizeof(message), "%s: %s", file->path,
                     rv == APR_EINVAL ? "not a regular file" : apr_strerror(rv, why, sizeof(why)));
        failed(store, file, &id, rv, message);
        return;
    }
    if (aw_file_id_equal(&id, &file->id)) {
        if (file->failure != APR_SUCCESS) {
            file->failure = APR_SUCCESS;
            aw_log(&store->log, AW_LOG_NOTICE, 1005, "%s: back, and unchanged", file->path);
        }
        return;
    }
    warn_mode(store, file, mode);
    /* A broken version stays broken; anything else may pass by itself (memory, descriptors). */
    if (file->failure == APR_EINVAL && aw_file_id_equal(&id, &file->failed)) {
        return;
    }
    if (has_settled(file, &id, now)) {
        reload(store, file, &id);
    }
}

/* Looks at the files when it is time; see the locks above. */
void aw_a1_store_look(aw_a1_store_t *store, apr_time_t now)
{
    apr_time_t last = atomic_load_explicit(&store->looked, memory_order_relaxed);

    /* A clock that was set back must not stop us from looking until it has caught up. */
    if (now >= last && now - last < AW_A1_STORE_CHECK) {
        return;
    }
    if (!atomic_compare_exchange_strong_explicit(&store->looked, &last, now, memory_order_relaxed,
                                                 memory_order_relaxed) ||
        pthread_mutex_trylock(&store->reload) != 0) {
        return;
    }
    for (size_t i = 0; i < store->count; i++) {
        look(store, &store->files[i], now);
    }
    pthread_mutex_unlock(&store->reload);
}

static apr_status_t close_store(void *data)
{
    aw_a1_store_t *store = data;

    for (size_t i = 0; i < store->count; i++) {
        aw_a1_table_destroy(store->files[i].table);
    }
    pthread_rwlock_destroy(&store->tables);
    pthread_mutex_destroy(&store->reload);
    return APR_SUCCESS;
}

/* The locks. Writers first, where that can be had: or readers that overlap without end could
 * keep a new version out. */
static apr_status_t init_locks(aw_a1_store_t *store)
{
    pthread_rwlockattr_t attr;
    int rv = pthread_rwlockattr_init(&attr);

    if (rv != 0) {
        return rv;
    }
#ifdef __GLIBC__
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
    rv = pthread_rwlock_init(&store->tables, &attr);
    pthread_rwlockattr_destroy(&attr);
    if (rv != 0) {
        return rv;
    }
    rv = pthread_mutex_init(&store->reload, NULL);
    if (rv != 0) {
        pthread_rwlock_destroy(&store->tables);
    }
    return rv;
}

apr_status_t aw_a1_store_open(aw_a1_store_t **store, const char **message, const char *const *paths,
                              size_t n, unsigned userhash, const aw_log_t *log, apr_pool_t *p)
{
    aw_a1_store_t *s = apr_pcalloc(p, sizeof(*s));
    apr_status_t rv = apr_generate_random_bytes(s->key, sizeof(s->key));

    if (rv == APR_SUCCESS) {
        rv = init_locks(s);
    }
    if (rv != APR_SUCCESS) {
        *message = "no random numbers or no locks to be had";
        return rv;
    }
    s->files = apr_pcalloc(p, n * sizeof(*s->files));
    s->count = n;
    s->userhash = userhash;
    s->log = log ? *log : (aw_log_t){NULL, NULL};
    apr_pool_cleanup_register(p, s, close_store, apr_pool_cleanup_null);
    for (size_t i = 0; i < n && rv == APR_SUCCESS; i++) {
        file_t *file = &s->files[i];
        aw_file_id_t id;
        mode_t mode = 0;

        file->path = apr_pstrdup(p, paths[i]);
        rv = load(s, file->path, &file->table, &file->id, message, p);
        if (rv == APR_SUCCESS && aw_file_identify(file->path, &id, &mode) == APR_SUCCESS) {
            warn_mode(s, file, mode);
        }
    }
    if (rv != APR_SUCCESS) {
        apr_pool_cleanup_run(p, s, close_store);
        return rv;
    }
    *store = s;
    return APR_SUCCESS;
}

/* Adds what one more file says about a user: later files add to, or replace, earlier ones. */
static void merge(aw_a1_record_t *into, const aw_a1_record_t *more)
{
    into->user = more->user;
    into->present |= more->present;
    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        if (more->hash[a]) {
            into->hash[a] = more->hash[a];
        }
    }
}

/* Copies what was asked for out of the tables, which are held. Of a record that stands in for
 * `nobody` the hash is read as a user's would be, but nothing of it goes out. */
static apr_status_t copy(aw_a1_entry_t *entry, const aw_a1_record_t *record, bool nobody,
                         aw_alg_e *alg)
{
    static const unsigned char none[AW_HASH_MAX];
    const unsigned char mask = (unsigned char)((unsigned)nobody - 1);
    aw_alg_e of = *alg;

    if (of >= AW_ALG_COUNT) {
        const aw_a1_value_t present = {.present = record->present};

        of = aw_a1_value_strongest(&present);
        of = of < AW_ALG_COUNT ? of : AW_ALG_SHA256; /* of nobody, any will do */
    }
    const unsigned char *hash = record->hash[of] ? record->hash[of] : none;

    *alg = of;
    memcpy(entry->user, record->user.ptr, record->user.len);
    entry->user[record->user.len] = '\0';
    entry->user_len = record->user.len;
    entry->present = nobody ? 0 : record->present;
    memset(entry->hash, 0, sizeof(entry->hash));
    for (size_t i = 0; i < aw_alg_size(of); i++) {
        entry->hash[i] = hash[i] & mask;
    }
    return record->hash[of] ? APR_SUCCESS : APR_ENOTIMPL;
}

/* What both ways to find a user share: `hash` NULL looks for `user`. Every file is searched,
 * wherever the user was found, and nobody's record is merged and copied as a user's would be, so
 * that the time does not tell. */
static apr_status_t find(aw_a1_store_t *store, aw_span_t realm, aw_span_t user,
                         const unsigned char *hash, aw_alg_e hash_alg, aw_alg_e *alg,
                         aw_a1_entry_t *entry)
{
    aw_a1_record_t all[2] = {{.present = 0}, {.present = 0}}, record;
    const size_t name = user.len <= AW_A1_NAME_MAX ? user.len : 0;
    bool any = false;

    pthread_rwlock_rdlock(&store->tables);
    for (size_t i = 0; i < store->count; i++) {
        const aw_a1_table_t *table = store->files[i].table;
        const apr_status_t rv =
            hash ? aw_a1_table_find_userhash(table, realm, hash_alg, hash, &record)
                 : aw_a1_table_find(table, realm, user, &record);

        merge(&all[rv == APR_SUCCESS], &record);
        any |= rv == APR_SUCCESS;
    }
    all[0].user = (aw_span_t){name > 0 ? user.ptr : "", name};
    const apr_status_t rv = copy(entry, &all[any], !any, alg);

    pthread_rwlock_unlock(&store->tables);
    return any ? rv : APR_NOTFOUND;
}

apr_status_t aw_a1_store_find(aw_a1_store_t *store, aw_span_t realm, aw_span_t user, aw_alg_e *alg,
                              apr_time_t now, aw_a1_entry_t *entry)
{
    aw_a1_store_look(store, now);
    return find(store, realm, user, NULL, AW_ALG_COUNT, alg, entry);
}

/* From the tables, not from the files: those may be gone or broken at the moment. */
apr_status_t aw_a1_store_index(aw_a1_store_t *store, unsigned userhash)
{
    apr_status_t rv = APR_SUCCESS;

    pthread_mutex_lock(&store->reload);
    const unsigned before = atomic_load(&store->userhash);
    const unsigned wanted = before | (userhash & ((1u << AW_ALG_COUNT) - 1));

    for (size_t i = 0; i < store->count && rv == APR_SUCCESS && wanted != before; i++) {
        aw_a1_table_t *table = NULL;

        rv = aw_a1_table_index(&table, store->files[i].table, wanted);
        if (rv == APR_SUCCESS) {
            exchange(store, &store->files[i], table);
        }
    }
    if (rv == APR_SUCCESS) {
        atomic_store(&store->userhash, wanted);
    }
    pthread_mutex_unlock(&store->reload);
    return rv;
}

apr_status_t aw_a1_store_find_userhash(aw_a1_store_t *store, aw_span_t realm, aw_span_t hex,
                                       aw_alg_e alg, apr_time_t now, aw_a1_entry_t *entry)
{
    unsigned char hash[AW_HASH_MAX];

    aw_a1_store_look(store, now);
    if (alg >= AW_ALG_COUNT || hex.len != 2 * aw_alg_size(alg) ||
        aw_hex_decode(hash, hex.ptr, hex.len / 2) != hex.len) {
        memset(entry, 0, sizeof(*entry));
        return APR_NOTFOUND;
    }
    if (!(atomic_load(&store->userhash) & (1u << alg))) {
        const apr_status_t rv = aw_a1_store_index(store, 1u << alg);

        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    return find(store, realm, (aw_span_t){NULL, 0}, hash, alg, &alg, entry);
}

size_t aw_a1_store_users(aw_a1_store_t *store)
{
    size_t users = 0;

    pthread_rwlock_rdlock(&store->tables);
    for (size_t i = 0; i < store->count; i++) {
        users += aw_a1_table_users(store->files[i].table);
    }
    pthread_rwlock_unlock(&store->tables);
    return users;
}
