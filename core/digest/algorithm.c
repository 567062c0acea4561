/* The hash algorithms of RFC 7616: names, sizes, and contexts that each thread keeps.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "digest/algorithm.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "digest/provider.h"

/* Parts that fit are hashed by one call: a call costs about as much as copying this many bytes. */
#define GATHER_MAX 1024

#define SESS "-sess"

typedef struct alg_info_t {
    const char *name;
    const char *openssl;
    size_t size;
    bool standard;
} alg_info_t;

static const alg_info_t algs[AW_ALG_COUNT] = {
    [AW_ALG_MD5] = {"MD5", "MD5", 16, true},
    [AW_ALG_SHA] = {"SHA", "SHA1", 20, false},
    [AW_ALG_SHA256] = {"SHA-256", "SHA256", 32, true},
    [AW_ALG_SHA512_256] = {"SHA-512-256", "SHA512-256", 32, true},
    [AW_ALG_SHA384] = {"SHA-384", "SHA384", 48, false},
    [AW_ALG_SHA512] = {"SHA-512", "SHA512", 64, false}};

/* The contexts of one thread, made as they are needed. */
typedef struct contexts_t {
    void *of[AW_ALG_COUNT];
} contexts_t;

/* A hash as its provider computes it; `md` holds the provider, NULL when there is none. */
typedef struct hash_t {
    EVP_MD *md;
    OSSL_FUNC_digest_newctx_fn *create;
    OSSL_FUNC_digest_freectx_fn *destroy;
    OSSL_FUNC_digest_init_fn *init;
    OSSL_FUNC_digest_update_fn *update;
    OSSL_FUNC_digest_final_fn *final;
} hash_t;

static hash_t hashes[AW_ALG_COUNT];
static pthread_key_t contexts_key;
static unsigned users;      /* nested calls of init */
static unsigned generation; /* of `contexts_key`: what a thread made before it is not ours */

static _Thread_local contexts_t *own;
static _Thread_local unsigned own_generation;

static void contexts_free(void *p)
{
    contexts_t *contexts = p;

    if (contexts != NULL) {
        for (int i = 0; i < AW_ALG_COUNT; i++) {
            if (contexts->of[i] != NULL) {
                hashes[i].destroy(contexts->of[i]);
            }
        }
        /* A destructor that runs later in this thread may hash once more. */
        own = contexts == own ? NULL : own;
        free(contexts);
    }
}

static bool fetch(hash_t *hash, const char *name)
{
    aw_provider_function_t functions[] = {{OSSL_FUNC_DIGEST_NEWCTX, NULL},
                                          {OSSL_FUNC_DIGEST_FREECTX, NULL},
                                          {OSSL_FUNC_DIGEST_INIT, NULL},
                                          {OSSL_FUNC_DIGEST_UPDATE, NULL},
                                          {OSSL_FUNC_DIGEST_FINAL, NULL}};
    EVP_MD *md = EVP_MD_fetch(NULL, name, NULL);

    if (md == NULL || !aw_provider_find(EVP_MD_get0_provider(md), OSSL_OP_DIGEST, name, functions,
                                        sizeof(functions) / sizeof(functions[0]))) {
        EVP_MD_free(md);
        return false;
    }
    hash->md = md;
    hash->create = (OSSL_FUNC_digest_newctx_fn *)functions[0].function;
    hash->destroy = (OSSL_FUNC_digest_freectx_fn *)functions[1].function;
    hash->init = (OSSL_FUNC_digest_init_fn *)functions[2].function;
    hash->update = (OSSL_FUNC_digest_update_fn *)functions[3].function;
    hash->final = (OSSL_FUNC_digest_final_fn *)functions[4].function;
    return true;
}

static void unfetch(void)
{
    for (int i = 0; i < AW_ALG_COUNT; i++) {
        EVP_MD_free(hashes[i].md);
        hashes[i].md = NULL;
    }
}

apr_status_t aw_algorithms_init(void)
{
    bool any = false;

    if (users > 0) {
        users++;
        return APR_SUCCESS;
    }
    /* What is missing here is missing for good; it leaves no error behind for others to find. */
    ERR_set_mark();
    for (int i = 0; i < AW_ALG_COUNT; i++) {
        any |= fetch(&hashes[i], algs[i].openssl);
    }
    ERR_pop_to_mark();
    if (!any || pthread_key_create(&contexts_key, contexts_free) != 0) {
        unfetch();
        return APR_EGENERAL;
    }
    generation++;
    users = 1;
    return APR_SUCCESS;
}

void aw_algorithms_term(void)
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
    unfetch();
}

const char *aw_alg_name(aw_alg_e alg)
{
    return algs[alg].name;
}

size_t aw_alg_size(aw_alg_e alg)
{
    return algs[alg].size;
}

bool aw_alg_is_standard(aw_alg_e alg)
{
    return algs[alg].standard;
}

bool aw_alg_parse(aw_span_t name, aw_alg_e *alg)
{
    for (int i = 0; i < AW_ALG_COUNT; i++) {
        if (aw_span_equal_nocase(name, aw_span(algs[i].name))) {
            *alg = (aw_alg_e)i;
            return true;
        }
    }
    return false;
}

bool aw_algorithm_parse(aw_span_t name, aw_algorithm_t *alg)
{
    const aw_span_t sess = AW_SPAN_LIT(SESS);
    aw_algorithm_t found = {AW_ALG_MD5, false};

    if (name.len > sess.len &&
        aw_span_equal_nocase((aw_span_t){name.ptr + (name.len - sess.len), sess.len}, sess)) {
        found.sess = true;
        name.len -= sess.len;
    }
    if (!aw_alg_parse(name, &found.hash)) {
        return false;
    }
    *alg = found;
    return true;
}

const char *aw_algorithm_name(char *out, aw_algorithm_t alg)
{
    const aw_span_t name = aw_span(algs[alg.hash].name);

    memcpy(out, name.ptr, name.len + 1);
    if (alg.sess) {
        memcpy(out + name.len, SESS, sizeof(SESS));
    }
    return out;
}

/* This thread's context for a hash that is offered; NULL when it cannot be had. */
static void *context_get(aw_alg_e alg)
{
    if (own == NULL || own_generation != generation) {
        contexts_t *made = calloc(1, sizeof(*made));
        if (made == NULL || pthread_setspecific(contexts_key, made) != 0) {
            free(made);
            return NULL;
        }
        own = made;
        own_generation = generation;
    }
    contexts_t *contexts = own;
    if (contexts->of[alg] == NULL) {
        contexts->of[alg] = hashes[alg].create(
            OSSL_PROVIDER_get0_provider_ctx(EVP_MD_get0_provider(hashes[alg].md)));
    }
    return contexts->of[alg];
}

/* Hashes several parts, by one call where they fit together; wipes what it gathered. */
static bool update(const hash_t *hash, void *ctx, const aw_span_t *parts, size_t n)
{
    unsigned char all[GATHER_MAX];
    size_t total = 0;
    bool fits = true, ok = true;

    for (size_t i = 0; fits && i < n; i++) {
        if (parts[i].len > sizeof(all) - total) {
            fits = false;
        } else if (parts[i].len > 0) {
            memcpy(all + total, parts[i].ptr, parts[i].len);
            total += parts[i].len;
        }
    }
    if (fits) {
        ok = hash->update(ctx, all, total) != 0;
    }
    for (size_t i = 0; !fits && ok && i < n; i++) {
        ok = parts[i].len == 0 ||
             hash->update(ctx, (const unsigned char *)parts[i].ptr, parts[i].len) != 0;
    }
    aw_wipe(all, total);
    return ok;
}

apr_status_t aw_hash(aw_alg_e alg, const aw_span_t *parts, size_t n, unsigned char *out)
{
    const hash_t *hash = &hashes[alg];
    size_t written;

    if (hash->md == NULL) {
        return APR_ENOTIMPL;
    }
    void *ctx = context_get(alg);
    if (ctx == NULL || !hash->init(ctx, NULL)) {
        return APR_EGENERAL;
    }
    /* One part needs no gathering: its bytes lie together already. */
    const bool ok = n == 1 && parts[0].len > 0
                        ? hash->update(ctx, (const unsigned char *)parts[0].ptr, parts[0].len) != 0
                        : update(hash, ctx, parts, n);
    if (!ok || !hash->final(ctx, out, &written, aw_alg_size(alg))) {
        return APR_EGENERAL;
    }
    return APR_SUCCESS;
}

struct aw_hasher_t {
    EVP_MD_CTX *ctx;
};

apr_status_t aw_hasher_create(aw_hasher_t **hasher, aw_alg_e alg)
{
    if (hashes[alg].md == NULL) {
        return APR_ENOTIMPL;
    }
    aw_hasher_t *made = malloc(sizeof(*made));
    if (made == NULL) {
        return APR_ENOMEM;
    }
    made->ctx = EVP_MD_CTX_new();
    if (made->ctx == NULL || !EVP_DigestInit_ex2(made->ctx, hashes[alg].md, NULL)) {
        aw_hasher_destroy(made);
        return APR_EGENERAL;
    }
    *hasher = made;
    return APR_SUCCESS;
}

apr_status_t aw_hasher_update(aw_hasher_t *hasher, const void *data, size_t n)
{
    return n == 0 || EVP_DigestUpdate(hasher->ctx, data, n) ? APR_SUCCESS : APR_EGENERAL;
}

apr_status_t aw_hasher_finish(aw_hasher_t *hasher, unsigned char *out)
{
    return EVP_DigestFinal_ex(hasher->ctx, out, NULL) ? APR_SUCCESS : APR_EGENERAL;
}

void aw_hasher_destroy(aw_hasher_t *hasher)
{
    if (hasher != NULL) {
        EVP_MD_CTX_free(hasher->ctx);
        free(hasher);
    }
}
