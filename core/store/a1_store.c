/* One or more A1 files kept in memory and followed as they change.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Readers take no lock (store/a1_file.h). `reload` is tried by who looks for changes, never waited
 * for; it is waited for by who cannot go on with what there is: to add user hashes, or because
 * the version that was read has been trimmed under the reader.
 */
#include "store/a1_store.h"
#include "store/a1_file.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* How often a reader whose version was trimmed while he read it starts again. Each time, a second
 * has passed in which he did not get on: once is rare. */
#define ATTEMPTS 10

struct aw_a1_store_t {
    aw_a1_file_t *files;
    size_t count;
    _Atomic unsigned userhash; /* indexed in every table; written under `reload` */
    unsigned char key[AW_KEYED_KEY];
    aw_log_t log;
    aw_a1_readers_t readers;
    pthread_mutex_t reload;
    _Atomic apr_time_t looked; /* relaxed: only a hint who is to look next */
    atomic_bool followed;      /* lookups do not look; relaxed, likewise */
};

static bool is_behind(const aw_a1_store_t *store)
{
    for (size_t i = 0; i < store->count; i++) {
        if (aw_a1_file_is_behind(&store->files[i])) {
            return true;
        }
    }
    return false;
}

/* Whether it is time to look, for this thread and no other. */
static bool is_time(aw_a1_store_t *store, apr_time_t now)
{
    apr_time_t last = atomic_load_explicit(&store->looked, memory_order_relaxed);

    /* A clock that was set back must not stop us from looking until it has caught up. */
    if (now >= last && now - last < AW_A1_STORE_CHECK) {
        return false;
    }
    return atomic_compare_exchange_strong_explicit(&store->looked, &last, now, memory_order_relaxed,
                                                   memory_order_relaxed);
}

/* Looks at the files when `all`; takes up at once what another process has published. */
static void look(aw_a1_store_t *store, bool all, apr_time_t now)
{
    if ((!all && !is_behind(store)) || pthread_mutex_trylock(&store->reload) != 0) {
        return;
    }
    for (size_t i = 0; i < store->count; i++) {
        if (all) {
            aw_a1_file_look(&store->files[i], atomic_load(&store->userhash), now);
        } else {
            aw_a1_file_catch_up(&store->files[i]);
        }
    }
    pthread_mutex_unlock(&store->reload);
}

void aw_a1_store_look(aw_a1_store_t *store, apr_time_t now)
{
    look(store, is_time(store, now), now);
}

void aw_a1_store_follow(aw_a1_store_t *store)
{
    atomic_store_explicit(&store->followed, true, memory_order_relaxed);
}

/* What every lookup does first. */
static void refresh(aw_a1_store_t *store, apr_time_t now)
{
    const bool followed = atomic_load_explicit(&store->followed, memory_order_relaxed);

    look(store, !followed && is_time(store, now), now);
}

static apr_status_t close_store(void *data)
{
    aw_a1_store_t *store = data;

    for (size_t i = 0; i < store->count; i++) {
        aw_a1_file_close(&store->files[i]);
    }
    pthread_mutex_destroy(&store->reload);
    return APR_SUCCESS;
}

static apr_status_t open_store(aw_a1_store_t **store, const char **message,
                               const char *const *paths, size_t n, unsigned userhash, size_t limit,
                               const aw_log_t *log, apr_pool_t *p)
{
    aw_a1_store_t *s = apr_pcalloc(p, sizeof(*s));
    apr_status_t rv = apr_generate_random_bytes(s->key, sizeof(s->key));

    if (rv == APR_SUCCESS) {
        rv = pthread_mutex_init(&s->reload, NULL);
    }
    if (rv != APR_SUCCESS) {
        *message = "no random numbers or no locks to be had";
        return rv;
    }
    s->files = apr_pcalloc(p, n * sizeof(*s->files));
    s->count = n;
    s->userhash = userhash & AW_A1_ALGS;
    s->log = log ? *log : (aw_log_t){NULL, NULL};
    apr_pool_cleanup_register(p, s, close_store, apr_pool_cleanup_null);
    for (size_t i = 0; i < n && rv == APR_SUCCESS; i++) {
        aw_a1_file_t *file = &s->files[i];

        file->path = apr_pstrdup(p, paths[i]);
        file->readers = &s->readers;
        file->log = &s->log;
        file->key = s->key;
        file->limit = limit;
        rv = aw_a1_file_open(file, s->userhash, message, p);
    }
    if (rv != APR_SUCCESS) {
        apr_pool_cleanup_run(p, s, close_store);
        return rv;
    }
    *store = s;
    return APR_SUCCESS;
}

apr_status_t aw_a1_store_open(aw_a1_store_t **store, const char **message, const char *const *paths,
                              size_t n, unsigned userhash, const aw_log_t *log, apr_pool_t *p)
{
    return open_store(store, message, paths, n, userhash, SIZE_MAX / 4, log, p);
}

apr_status_t aw_a1_store_open_limited(aw_a1_store_t **store, const char **message,
                                      const char *const *paths, size_t n, size_t limit,
                                      const aw_log_t *log, apr_pool_t *p)
{
    return open_store(store, message, paths, n, 0, limit, log, p);
}

apr_status_t aw_a1_store_share(aw_a1_store_t *store, apr_time_t now)
{
    apr_status_t rv = APR_SUCCESS;

    pthread_mutex_lock(&store->reload);
    for (size_t i = 0; i < store->count && rv == APR_SUCCESS; i++) {
        rv = aw_a1_file_share(&store->files[i], now);
    }
    pthread_mutex_unlock(&store->reload);
    return rv;
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

/* Changes when a version is trimmed. */
static uint64_t sum_floors(const aw_a1_store_t *store)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < store->count; i++) {
        sum += store->files[i].share ? atomic_load(&store->files[i].share->shared->floor) : 0;
    }
    return sum;
}

/* What is looked for: `hash` NULL looks for `user`. */
typedef struct wanted_t {
    aw_span_t realm;
    aw_span_t user;
    const unsigned char *hash;
    aw_alg_e hash_alg;
} wanted_t;

/* What both ways to find a user share. Every file is searched, wherever the user was found, and
 * nobody's record is merged and copied as a user's would be, so that the time does not tell.
 * APR_EAGAIN: what was read may have gone meanwhile. */
static apr_status_t find_once(aw_a1_store_t *store, const wanted_t *wanted, aw_alg_e *alg,
                              aw_a1_entry_t *entry)
{
    aw_a1_record_t all[2] = {{.present = 0}, {.present = 0}}, record;
    const size_t name = wanted->user.len <= AW_A1_NAME_MAX ? wanted->user.len : 0;
    const unsigned side = aw_a1_readers_enter(&store->readers);
    const uint64_t floors = sum_floors(store);
    bool any = false, there = true;
    aw_alg_e of = *alg;

    for (size_t i = 0; i < store->count; i++) {
        const aw_a1_table_t *table = atomic_load(&store->files[i].table);
        const apr_status_t rv =
            wanted->hash ? aw_a1_table_find_userhash(table, wanted->realm, wanted->hash_alg,
                                                     wanted->hash, &record)
                         : aw_a1_table_find(table, wanted->realm, wanted->user, &record);

        merge(&all[rv == APR_SUCCESS], &record);
        any |= rv == APR_SUCCESS;
        there &= aw_a1_table_is_there(table);
    }
    all[0].user = (aw_span_t){name > 0 ? wanted->user.ptr : "", name};
    const apr_status_t rv = copy(entry, &all[any], !any, &of);

    /* Was there when it was searched, and since then nothing was trimmed. */
    atomic_thread_fence(memory_order_acquire);
    there &= sum_floors(store) == floors;
    aw_a1_readers_leave(&store->readers, side);
    if (!there) {
        return APR_EAGAIN;
    }
    *alg = of;
    return any ? rv : APR_NOTFOUND;
}

static apr_status_t find(aw_a1_store_t *store, const wanted_t *wanted, aw_alg_e *alg,
                         aw_a1_entry_t *entry)
{
    apr_status_t rv = find_once(store, wanted, alg, entry);

    for (int i = 0; rv == APR_EAGAIN && i < ATTEMPTS; i++) {
        pthread_mutex_lock(&store->reload);
        for (size_t k = 0; k < store->count; k++) {
            aw_a1_file_catch_up(&store->files[k]);
        }
        pthread_mutex_unlock(&store->reload);
        rv = find_once(store, wanted, alg, entry);
    }
    return rv;
}

apr_status_t aw_a1_store_find(aw_a1_store_t *store, aw_span_t realm, aw_span_t user, aw_alg_e *alg,
                              apr_time_t now, aw_a1_entry_t *entry)
{
    const wanted_t wanted = {realm, user, NULL, AW_ALG_COUNT};

    refresh(store, now);
    return find(store, &wanted, alg, entry);
}

/* From the tables, not from the files: those may be gone or broken at the moment. */
apr_status_t aw_a1_store_index(aw_a1_store_t *store, unsigned userhash, apr_time_t now)
{
    apr_status_t rv = APR_SUCCESS;

    pthread_mutex_lock(&store->reload);
    const unsigned wanted = atomic_load(&store->userhash) | (userhash & AW_A1_ALGS);

    for (size_t i = 0; i < store->count && rv == APR_SUCCESS; i++) {
        rv = aw_a1_file_index(&store->files[i], wanted, now);
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
    const wanted_t wanted = {realm, {NULL, 0}, hash, alg};

    refresh(store, now);
    if (alg >= AW_ALG_COUNT || hex.len != 2 * aw_alg_size(alg) ||
        aw_hex_decode(hash, hex.ptr, hex.len / 2) != hex.len) {
        memset(entry, 0, sizeof(*entry));
        return APR_NOTFOUND;
    }
    if (!(atomic_load(&store->userhash) & (1u << alg))) {
        const apr_status_t rv = aw_a1_store_index(store, 1u << alg, now);

        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    return find(store, &wanted, &alg, entry);
}

size_t aw_a1_store_users(aw_a1_store_t *store)
{
    const unsigned side = aw_a1_readers_enter(&store->readers);
    size_t users = 0;

    for (size_t i = 0; i < store->count; i++) {
        users += aw_a1_table_users(atomic_load(&store->files[i].table));
    }
    aw_a1_readers_leave(&store->readers, side);
    return users;
}
