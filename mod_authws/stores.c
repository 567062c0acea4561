/* The A1 stores of the whole server: one for each list of files, however many sections name it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "stores.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <ap_mpm.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unixd.h>

#include "base/text.h"
#include "files.h"

/* How often the thread looks. */
#define FOLLOW apr_time_from_msec(25)

/* `mutex` guards everything else here. Lives in `pool`, a child of pconf: gone and made anew at
 * every restart; each child process goes on with its own copy after the fork. */
static struct {
    apr_pool_t *pool;
    apr_hash_t *stores;   /* paths, each with a line end, behind "h\n" for .htaccess files ->
                             aw_a1_store_t */
    unsigned of_htaccess; /* how many of those came from .htaccess files */
    apr_thread_mutex_t *mutex;
    /* Only used while the configuration is read, by one thread. */
    unsigned algorithms;
    bool userhash;
} registry;

static apr_status_t forget(void *unused)
{
    (void)unused;
    memset(&registry, 0, sizeof(registry));
    return APR_SUCCESS;
}

apr_status_t authws_stores_init(apr_pool_t *pconf)
{
    apr_status_t rv = apr_pool_create(&registry.pool, pconf);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_pool_tag(registry.pool, "authws_stores");
    apr_pool_cleanup_register(registry.pool, NULL, forget, apr_pool_cleanup_null);
    registry.stores = apr_hash_make(registry.pool);
    registry.algorithms = 1u << AW_ALG_SHA256 | 1u << AW_ALG_MD5; /* the default */
    registry.userhash = false;
    return apr_thread_mutex_create(&registry.mutex, APR_THREAD_MUTEX_DEFAULT, registry.pool);
}

/* The limits of .htaccess files; NULL when they are kept. */
static const char *over_limits(const char *const *paths, size_t n, apr_pool_t *p)
{
    if (n > AUTHWS_HTACCESS_FILES) {
        return apr_psprintf(p, "a .htaccess file names at most %d files", AUTHWS_HTACCESS_FILES);
    }
    for (size_t i = 0; i < n; i++) {
        aw_file_id_t id;
        char shown[512];

        if (aw_file_identify(paths[i], &id, NULL) == APR_SUCCESS &&
            id.size > AUTHWS_HTACCESS_BYTES) {
            return apr_psprintf(p, "%s: larger than the %d bytes that a .htaccess file may name",
                                aw_text_escape(shown, sizeof(shown), aw_span(paths[i])),
                                AUTHWS_HTACCESS_BYTES);
        }
    }
    return NULL;
}

/* A store of the registry; NULL when it is not there, and then a pool for it, unless there is no
 * *room for one more. */
static aw_a1_store_t *registered(const char *key, bool htaccess, apr_pool_t **pool, bool *room)
{
    aw_a1_store_t *store;

    apr_thread_mutex_lock(registry.mutex);
    store = apr_hash_get(registry.stores, key, APR_HASH_KEY_STRING);
    *room = !htaccess || registry.of_htaccess < AUTHWS_HTACCESS_STORES;
    /* A pool of its own, so that what a broken file left behind goes at once. */
    if (!store && *room && apr_pool_create(pool, registry.pool) != APR_SUCCESS) {
        *pool = NULL;
    }
    apr_thread_mutex_unlock(registry.mutex);
    return store;
}

aw_a1_store_t *authws_stores_get(const char **message, const char *const *paths, size_t n,
                                 bool htaccess, apr_pool_t *p)
{
    const aw_log_t log = authws_log_sink();
    const char *key = htaccess ? "h\n" : "";
    const char *why = htaccess ? over_limits(paths, n, p) : NULL;
    aw_a1_store_t *store, *there;
    apr_pool_t *pool = NULL;
    bool room;

    if (why) {
        *message = why;
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        key = apr_pstrcat(p, key, paths[i], "\n", NULL);
    }
    store = registered(key, htaccess, &pool, &room);
    if (store) {
        return store;
    }
    if (!pool) {
        *message = room ? "out of memory" : "too many A1 files are named in .htaccess files";
        return NULL;
    }
    /* Without the mutex: a large file must not hold up those who ask for another. */
    const apr_status_t rv = htaccess ? aw_a1_store_open_limited(&store, &why, paths, n,
                                                                AUTHWS_HTACCESS_BYTES, &log, pool)
                                     : aw_a1_store_open(&store, &why, paths, n, 0, &log, pool);

    apr_thread_mutex_lock(registry.mutex);
    there = apr_hash_get(registry.stores, key, APR_HASH_KEY_STRING);
    if (rv == APR_SUCCESS && !there) {
        apr_hash_set(registry.stores, apr_pstrdup(registry.pool, key), APR_HASH_KEY_STRING, store);
        registry.of_htaccess += htaccess;
    } else {
        *message = rv == APR_SUCCESS ? NULL : apr_pstrdup(p, why);
        store = rv == APR_SUCCESS ? there : NULL; /* somebody else was faster */
        apr_pool_destroy(pool);
    }
    apr_thread_mutex_unlock(registry.mutex);
    return store;
}

void authws_stores_note_algorithms(unsigned algorithms)
{
    registry.algorithms |= algorithms;
}

void authws_stores_note_userhash(void)
{
    registry.userhash = true;
}

apr_status_t authws_stores_index(void)
{
    const apr_time_t now = apr_time_now();
    apr_status_t rv = APR_SUCCESS;

    for (apr_hash_index_t *at = apr_hash_first(NULL, registry.stores); at && rv == APR_SUCCESS;
         at = apr_hash_next(at)) {
        void *store;

        apr_hash_this(at, NULL, NULL, &store);
        if (registry.userhash) {
            rv = aw_a1_store_index(store, registry.algorithms, now);
        }
        if (rv == APR_SUCCESS) {
            rv = aw_a1_store_share(store, now);
        }
    }
    return rv;
}

/* --- following the files --- */

/* Looks at every store, token file and map; with `following`, lookups leave it to this thread. They
 * are gone through without the mutex, for a reload may take long; once there, a store stays as long
 * as the process.
 */
static void look_at_all(apr_pool_t *p, bool following)
{
    apr_array_header_t *stores = apr_array_make(p, 8, sizeof(aw_a1_store_t *));

    apr_thread_mutex_lock(registry.mutex);
    for (apr_hash_index_t *at = apr_hash_first(p, registry.stores); at; at = apr_hash_next(at)) {
        void *store;

        apr_hash_this(at, NULL, NULL, &store);
        APR_ARRAY_PUSH(stores, aw_a1_store_t *) = store;
    }
    apr_thread_mutex_unlock(registry.mutex);
    authws_files_look(p);
    for (int i = 0; i < stores->nelts; i++) {
        aw_a1_store_t *store = APR_ARRAY_IDX(stores, i, aw_a1_store_t *);

        if (following) {
            aw_a1_store_follow(store);
        }
        aw_a1_store_look(store, apr_time_now());
    }
}

/* The thread that follows the files in one child. */
typedef struct follower_t {
    pthread_t thread;
    atomic_bool stop;
    apr_pool_t *pool; /* the thread's own */
} follower_t;

static void *follow(void *data)
{
    follower_t *follower = data;

    while (!atomic_load(&follower->stop)) {
        look_at_all(follower->pool, true);
        apr_pool_clear(follower->pool);
        apr_sleep(FOLLOW);
    }
    return NULL;
}

static apr_status_t follower_join(void *data)
{
    follower_t *follower = data;

    atomic_store(&follower->stop, true);
    pthread_join(follower->thread, NULL);
    apr_pool_destroy(follower->pool);
    return APR_SUCCESS;
}

void authws_stores_child_init(apr_pool_t *pchild, server_rec *s)
{
    follower_t *follower = apr_pcalloc(pchild, sizeof(*follower));
    int threaded = 0;
    sigset_t all, before;

    look_at_all(pchild, false);
    ap_mpm_query(AP_MPMQ_IS_THREADED, &threaded);
    /* Prefork leaves from within a signal handler, where no thread can be waited for. */
    if (!threaded || apr_pool_create_unmanaged_ex(&follower->pool, NULL, NULL) != APR_SUCCESS) {
        return;
    }
    /* Signals are for the MPM's threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int rv = pthread_create(&follower->thread, NULL, follow, follower);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rv != 0) {
        apr_pool_destroy(follower->pool);
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, s,
                     AWLOGNO(2080) "no thread to follow the A1 files: an edit is seen at the next "
                                   "request that needs it");
        return;
    }
    apr_pool_pre_cleanup_register(pchild, follower, follower_join);
}

int authws_stores_monitor(apr_pool_t *p, server_rec *s)
{
    apr_pool_t *scratch;

    (void)s;
    if (apr_pool_create(&scratch, p) == APR_SUCCESS) {
        look_at_all(scratch, false);
        apr_pool_destroy(scratch);
    }
    return DECLINED;
}

/* Whether the mode lets the server's user in. Access lists and further groups are not looked at:
 * what they allow is warned about once too often. */
static bool is_readable(const struct stat *file)
{
    if (file->st_uid == ap_unixd_config.user_id) {
        return (file->st_mode & S_IRUSR) != 0;
    }
    return (file->st_mode & (file->st_gid == ap_unixd_config.group_id ? S_IRGRP : S_IROTH)) != 0;
}

void authws_stores_check_access(apr_pool_t *ptemp)
{
    if (geteuid() != 0 || ap_unixd_config.user_id == 0) {
        return;
    }
    for (apr_hash_index_t *at = apr_hash_first(ptemp, registry.stores); at;
         at = apr_hash_next(at)) {
        const void *key;
        char *paths, *rest = NULL;

        apr_hash_this(at, &key, NULL, NULL);
        paths = apr_pstrdup(ptemp, key); /* none of .htaccess is there yet */
        for (char *path = apr_strtok(paths, "\n", &rest); path;
             path = apr_strtok(NULL, "\n", &rest)) {
            struct stat file;
            char shown[512];

            if (stat(path, &file) == 0 && !is_readable(&file)) {
                ap_log_error(APLOG_MARK, APLOG_WARNING, 0, ap_server_conf,
                             AWLOGNO(2081) "%s: user %s, whom the server runs as, cannot read "
                                           "the file (mode %04o): edits will not be seen; chgrp "
                                           "it to the server's group, chmod 640",
                             aw_text_escape(shown, sizeof(shown), aw_span(path)),
                             ap_unixd_config.user_name, (unsigned)(file.st_mode & 07777));
            }
        }
    }
}
