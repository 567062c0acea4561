/* The A1 stores of the whole server: one for each list of files, however many sections name it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "stores.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>

/* `mutex` guards everything else here. Lives in `pool`, a child of pconf: gone and made anew at
 * every restart; each child process goes on with its own copy after the fork. */
static struct {
    apr_pool_t *pool;
    apr_hash_t *stores; /* paths joined by line ends -> aw_a1_store_t */
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

aw_a1_store_t *authws_stores_get(const char **message, const char *const *paths, size_t n,
                                 apr_pool_t *p)
{
    const aw_log_t log = authws_log_sink();
    const char *key = "";
    aw_a1_store_t *store;

    for (size_t i = 0; i < n; i++) {
        key = apr_pstrcat(p, key, paths[i], "\n", NULL);
    }
    apr_thread_mutex_lock(registry.mutex);
    store = apr_hash_get(registry.stores, key, APR_HASH_KEY_STRING);
    if (!store) {
        const char *why = NULL;
        apr_pool_t *pool;

        /* A pool of its own, so that what a broken file left behind goes at once. */
        if (apr_pool_create(&pool, registry.pool) != APR_SUCCESS) {
            *message = "out of memory";
        } else if (aw_a1_store_open(&store, &why, paths, n, 0, &log, pool) != APR_SUCCESS) {
            store = NULL;
            *message = apr_pstrdup(p, why);
            apr_pool_destroy(pool);
        } else {
            apr_hash_set(registry.stores, apr_pstrdup(registry.pool, key), APR_HASH_KEY_STRING,
                         store);
        }
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
    apr_status_t rv = APR_SUCCESS;

    if (!registry.userhash) {
        return APR_SUCCESS;
    }
    for (apr_hash_index_t *at = apr_hash_first(NULL, registry.stores); at && rv == APR_SUCCESS;
         at = apr_hash_next(at)) {
        void *store;

        apr_hash_this(at, NULL, NULL, &store);
        rv = aw_a1_store_index(store, registry.algorithms);
    }
    return rv;
}
