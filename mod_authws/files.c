/* The token files and certificate maps of the whole server: one store for each list of files.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "files.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include "base/file.h"
#include "base/text.h"
#include "stores.h"

/* What the registry holds; one of the two is set. */
typedef struct store_t {
    aw_token_store_t *tokens;
    aw_certmap_t *certmap;
} store_t;

/* Opens one kind of store. */
typedef apr_status_t (*open_fn)(store_t *store, const char **message, const authws_files_t *files,
                                apr_pool_t *p);

/* `mutex` guards the rest. Lives in `pool`, a child of pconf: gone and made anew at every restart;
 * each child process goes on with its own copy after the fork. */
static struct {
    apr_pool_t *pool;
    apr_hash_t *stores; /* kind and paths, each with a line end -> store_t */
    unsigned of_htaccess;
    apr_thread_mutex_t *mutex;
} registry;

static apr_status_t forget(void *unused)
{
    (void)unused;
    memset(&registry, 0, sizeof(registry));
    return APR_SUCCESS;
}

apr_status_t authws_files_init(apr_pool_t *pconf)
{
    apr_status_t rv = apr_pool_create(&registry.pool, pconf);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_pool_tag(registry.pool, "authws_files");
    apr_pool_cleanup_register(registry.pool, NULL, forget, apr_pool_cleanup_null);
    registry.stores = apr_hash_make(registry.pool);
    return apr_thread_mutex_create(&registry.mutex, APR_THREAD_MUTEX_DEFAULT, registry.pool);
}

static apr_status_t open_tokens(store_t *store, const char **message, const authws_files_t *files,
                                apr_pool_t *p)
{
    const aw_log_t log = authws_log_sink();

    return aw_token_store_open(&store->tokens, message, files->list, files->count, &log, p);
}

static apr_status_t open_certmap(store_t *store, const char **message, const authws_files_t *files,
                                 apr_pool_t *p)
{
    const aw_log_t log = authws_log_sink();

    return aw_certmap_open(&store->certmap, message, files->list, files->count, &log, p);
}

/* The limits of .htaccess files; NULL when they are kept. */
static const char *over_limits(const authws_files_t *files, apr_pool_t *p)
{
    if (files->count > AUTHWS_HTACCESS_FILES) {
        return apr_psprintf(p, "a .htaccess file names at most %d files", AUTHWS_HTACCESS_FILES);
    }
    for (size_t i = 0; i < files->count; i++) {
        aw_file_id_t id;
        char shown[512];

        if (aw_file_identify(files->list[i], &id, NULL) == APR_SUCCESS &&
            id.size > AUTHWS_HTACCESS_BYTES) {
            return apr_psprintf(p, "%s: larger than the %d bytes that a .htaccess file may name",
                                aw_text_escape(shown, sizeof(shown), aw_span(files->list[i])),
                                AUTHWS_HTACCESS_BYTES);
        }
    }
    return NULL;
}

/* A store of the registry, or a new one. With the mutex held while a new one is read: only
 * .htaccess files can come here at the same time, and what they name is small. */
static const store_t *get(const char **message, const char *key, open_fn open_it,
                          const authws_files_t *files, bool htaccess, apr_pool_t *p)
{
    const char *why = NULL;
    store_t *store = apr_hash_get(registry.stores, key, APR_HASH_KEY_STRING);
    apr_pool_t *pool;

    if (store) {
        return store;
    }
    if (htaccess && registry.of_htaccess >= AUTHWS_HTACCESS_STORES) {
        *message = "too many token files and certificate maps are named in .htaccess files";
        return NULL;
    }
    if (apr_pool_create(&pool, registry.pool) != APR_SUCCESS) {
        *message = "out of memory";
        return NULL;
    }
    store = apr_pcalloc(pool, sizeof(*store));
    if (open_it(store, &why, files, pool) != APR_SUCCESS) {
        *message = apr_pstrdup(p, why);
        apr_pool_destroy(pool);
        return NULL;
    }
    apr_hash_set(registry.stores, apr_pstrdup(pool, key), APR_HASH_KEY_STRING, store);
    registry.of_htaccess += htaccess;
    return store;
}

/* As `get`, with limits and mutex; `kind` keeps apart what opens differently. */
static const store_t *get_locked(const char **message, const char *kind, open_fn open_it,
                                 const authws_files_t *files, bool htaccess, apr_pool_t *p)
{
    const char *key = apr_pstrcat(p, kind, htaccess ? " h\n" : "\n", NULL);
    const char *why = htaccess ? over_limits(files, p) : NULL;
    const store_t *store;

    if (why) {
        *message = why;
        return NULL;
    }
    for (size_t i = 0; i < files->count; i++) {
        key = apr_pstrcat(p, key, files->list[i], "\n", NULL);
    }
    apr_thread_mutex_lock(registry.mutex);
    store = get(message, key, open_it, files, htaccess, p);
    apr_thread_mutex_unlock(registry.mutex);
    return store;
}

aw_token_store_t *authws_files_tokens(const char **message, const authws_files_t *files,
                                      bool htaccess, apr_pool_t *p)
{
    const store_t *store = get_locked(message, "tokens", open_tokens, files, htaccess, p);

    return store ? store->tokens : NULL;
}

aw_certmap_t *authws_files_certmap(const char **message, const authws_files_t *files, bool htaccess,
                                   apr_pool_t *p)
{
    const store_t *store = get_locked(message, "certificates", open_certmap, files, htaccess, p);

    return store ? store->certmap : NULL;
}

void authws_files_look(apr_pool_t *p)
{
    apr_array_header_t *stores = apr_array_make(p, 8, sizeof(const store_t *));

    apr_thread_mutex_lock(registry.mutex);
    for (apr_hash_index_t *at = apr_hash_first(p, registry.stores); at; at = apr_hash_next(at)) {
        void *store;

        apr_hash_this(at, NULL, NULL, &store);
        APR_ARRAY_PUSH(stores, const store_t *) = store;
    }
    apr_thread_mutex_unlock(registry.mutex);
    for (int i = 0; i < stores->nelts; i++) {
        const store_t *store = APR_ARRAY_IDX(stores, i, const store_t *);

        if (store->tokens) {
            aw_token_store_look(store->tokens, apr_time_now());
        } else {
            aw_certmap_look(store->certmap, apr_time_now());
        }
    }
}
