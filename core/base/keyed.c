/* SipHash-2-4 through OpenSSL, with one context a thread and output size.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/keyed.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/provider.h"

/* Parts that fit are hashed by one call: each call costs more than the hash of some bytes. */
#define GATHER_MAX 256

enum { SIZE_8, SIZE_16, SIZES };

/* The contexts of one thread. */
typedef struct contexts_t {
    void *of[SIZES];
} contexts_t;

static EVP_MAC *siphash; /* holds its provider */
static OSSL_FUNC_mac_newctx_fn *mac_create;
static OSSL_FUNC_mac_freectx_fn *mac_destroy;
static OSSL_FUNC_mac_set_ctx_params_fn *mac_set;
static OSSL_FUNC_mac_init_fn *mac_init;
static OSSL_FUNC_mac_update_fn *mac_update;
static OSSL_FUNC_mac_final_fn *mac_final;
static pthread_key_t contexts_key;
static unsigned users;      /* nested calls of init */
static unsigned generation; /* of `contexts_key`: what a thread made before it is not ours */

static _Thread_local contexts_t *own;
static _Thread_local unsigned own_generation;

static void contexts_free(void *p)
{
    contexts_t *contexts = p;

    if (contexts != NULL) {
        for (int i = 0; i < SIZES; i++) {
            if (contexts->of[i] != NULL) {
                mac_destroy(contexts->of[i]);
            }
        }
        free(contexts);
    }
}

static bool find_functions(void)
{
    aw_provider_function_t functions[] = {
        {OSSL_FUNC_MAC_NEWCTX, NULL},         {OSSL_FUNC_MAC_FREECTX, NULL},
        {OSSL_FUNC_MAC_SET_CTX_PARAMS, NULL}, {OSSL_FUNC_MAC_INIT, NULL},
        {OSSL_FUNC_MAC_UPDATE, NULL},         {OSSL_FUNC_MAC_FINAL, NULL}};

    if (!aw_provider_find(EVP_MAC_get0_provider(siphash), OSSL_OP_MAC, "SIPHASH", functions,
                          sizeof(functions) / sizeof(functions[0]))) {
        return false;
    }
    mac_create = (OSSL_FUNC_mac_newctx_fn *)functions[0].function;
    mac_destroy = (OSSL_FUNC_mac_freectx_fn *)functions[1].function;
    mac_set = (OSSL_FUNC_mac_set_ctx_params_fn *)functions[2].function;
    mac_init = (OSSL_FUNC_mac_init_fn *)functions[3].function;
    mac_update = (OSSL_FUNC_mac_update_fn *)functions[4].function;
    mac_final = (OSSL_FUNC_mac_final_fn *)functions[5].function;
    return true;
}

apr_status_t aw_keyed_init(void)
{
    if (users > 0) {
        users++;
        return APR_SUCCESS;
    }
    siphash = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    if (siphash == NULL) {
        return APR_EGENERAL;
    }
    if (!find_functions() || pthread_key_create(&contexts_key, contexts_free) != 0) {
        EVP_MAC_free(siphash);
        siphash = NULL;
        return APR_EGENERAL;
    }
    generation++;
    users = 1;
    return APR_SUCCESS;
}

void aw_keyed_term(void)
{
    if (users == 0 || --users > 0) {
        return;
    }
    /* The key goes with the library: a destructor must not be left that points into code which
     * may be unloaded. */
    if (own != NULL && own_generation == generation) {
        contexts_free(own);
        own = NULL;
    }
    (void)pthread_key_delete(contexts_key);
    EVP_MAC_free(siphash);
    siphash = NULL;
}

static void *context_create(size_t size)
{
    void *ctx = mac_create(OSSL_PROVIDER_get0_provider_ctx(EVP_MAC_get0_provider(siphash)));
    OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                           OSSL_PARAM_construct_end()};

    if (ctx != NULL && !mac_set(ctx, params)) {
        mac_destroy(ctx);
        ctx = NULL;
    }
    return ctx;
}

/* This thread's contexts, made at its first call; NULL when they cannot be had. */
static contexts_t *contexts_get(void)
{
    if (own != NULL && own_generation == generation) {
        return own;
    }
    if (users == 0) {
        return NULL;
    }
    contexts_t *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return NULL;
    }
    made->of[SIZE_8] = context_create(8);
    made->of[SIZE_16] = context_create(16);
    if (made->of[SIZE_8] == NULL || made->of[SIZE_16] == NULL ||
        pthread_setspecific(contexts_key, made) != 0) {
        contexts_free(made);
        return NULL;
    }
    own = made;
    own_generation = generation;
    return made;
}

static bool update(void *ctx, const aw_span_t *parts, size_t n)
{
    unsigned char all[GATHER_MAX];
    size_t total = 0;
    bool ok = true;

    for (size_t i = 0; i < n; i++) {
        if (parts[i].len > sizeof(all) - total) {
            total = SIZE_MAX;
            break;
        }
        if (parts[i].len > 0) {
            memcpy(all + total, parts[i].ptr, parts[i].len);
            total += parts[i].len;
        }
    }
    if (total != SIZE_MAX) {
        return mac_update(ctx, all, total) != 0;
    }
    for (size_t i = 0; ok && i < n; i++) {
        ok = parts[i].len == 0 ||
             mac_update(ctx, (const unsigned char *)parts[i].ptr, parts[i].len) != 0;
    }
    return ok;
}

apr_status_t aw_keyed_hash(const unsigned char *key, const aw_span_t *parts, size_t n, void *out,
                           size_t size)
{
    contexts_t *contexts = contexts_get();
    unsigned char hash[16];
    size_t written;

    if (contexts == NULL || (size != 8 && size != 16)) {
        return APR_EGENERAL;
    }
    void *ctx = contexts->of[size == 8 ? SIZE_8 : SIZE_16];
    if (!mac_init(ctx, key, AW_KEYED_KEY, NULL) || !update(ctx, parts, n) ||
        !mac_final(ctx, hash, &written, sizeof(hash)) || written != size) {
        return APR_EGENERAL;
    }
    memcpy(out, hash, size);
    return APR_SUCCESS;
}
