/* The keys of nonces: derivation, and the change of the ring under threads that read it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "digest/keyring.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/bytes.h"

/* Never to be changed: the same secret must give the same keys in every release. */
#define KEY_PURPOSE "authws digest nonce, version 2, day "

#define PURPOSE_LEN (sizeof(KEY_PURPOSE) - 1)
#define KEY_LEN     sizeof(((aw_nonce_key_t *)NULL)->key)

/* A ring as aw_keys_t keeps it. */
typedef struct link_t {
    aw_keyring_t ring;
    struct link_t *before;
} link_t;

struct aw_keys_t {
    _Atomic(link_t *) last; /* released when its ring is ready, acquired by every reader */
    atomic_flag deriving;   /* held by the one thread that makes the next */
    size_t n;
    unsigned char secret[];
};

/* The key of one period: HKDF-SHA-256 (RFC 5869) of the secret, without salt. */
static bool derive(aw_nonce_key_t *key, EVP_KDF_CTX *context, const void *secret, size_t n,
                   uint64_t period)
{
    static char digest[] = "SHA256";
    unsigned char info[PURPOSE_LEN + 8], out[1 + KEY_LEN];
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret, n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof(info)),
        OSSL_PARAM_construct_end()};

    memcpy(info, KEY_PURPOSE, PURPOSE_LEN);
    for (size_t i = 0; i < 8; i++) {
        info[PURPOSE_LEN + i] = (unsigned char)(period >> (56 - 8 * i));
    }
    EVP_KDF_CTX_reset(context);
    const bool done = EVP_KDF_derive(context, out, sizeof(out), params) == 1;

    if (done) {
        key->id = out[0];
        memcpy(key->key, out + 1, KEY_LEN);
    }
    aw_wipe(out, sizeof(out));
    return done;
}

apr_status_t aw_keyring_derive(aw_keyring_t *ring, const void *secret, size_t n, apr_time_t now)
{
    aw_keyring_t made;
    apr_status_t status = APR_EGENERAL;

    if (n < AW_SECRET_MIN || now < 0) {
        return APR_EINVAL;
    }
    const uint64_t period = (uint64_t)(now / AW_KEYRING_PERIOD);
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
    EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;

    memset(&made, 0, sizeof(made));
    made.count = 3;
    made.from = now - now % AW_KEYRING_PERIOD;
    made.until = made.from + AW_KEYRING_PERIOD;
    /* On the first day of 1970 there is no day before; its number wraps, and harms nobody. */
    if (context && derive(&made.keys[0], context, secret, n, period) &&
        derive(&made.keys[1], context, secret, n, period - 1) &&
        derive(&made.keys[2], context, secret, n, period + 1)) {
        *ring = made;
        status = APR_SUCCESS;
    }
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    aw_wipe(&made, sizeof(made));
    return status;
}

/* Derives the ring of `now` and makes it the last one. For one thread at a time. */
static apr_status_t add(aw_keys_t *keys, apr_time_t now)
{
    link_t *made = calloc(1, sizeof(*made));
    apr_status_t status;

    if (!made) {
        return APR_ENOMEM;
    }
    status = aw_keyring_derive(&made->ring, keys->secret, keys->n, now);
    if (status != APR_SUCCESS) {
        free(made);
        return status;
    }
    made->before = atomic_load_explicit(&keys->last, memory_order_relaxed);
    atomic_store_explicit(&keys->last, made, memory_order_release);
    return APR_SUCCESS;
}

static apr_status_t wipe_all(void *baton)
{
    aw_keys_t *keys = baton;
    link_t *link = atomic_load(&keys->last);

    while (link) {
        link_t *before = link->before;

        aw_wipe(link, sizeof(*link));
        free(link);
        link = before;
    }
    atomic_store(&keys->last, NULL);
    aw_wipe(keys->secret, keys->n);
    return APR_SUCCESS;
}

apr_status_t aw_keys_create(aw_keys_t **keys, const void *secret, size_t n, apr_time_t now,
                            apr_pool_t *p)
{
    if (n < AW_SECRET_MIN) {
        return APR_EINVAL;
    }
    aw_keys_t *made = apr_palloc(p, sizeof(*made) + n);

    atomic_init(&made->last, NULL);
    atomic_flag_clear(&made->deriving);
    made->n = n;
    memcpy(made->secret, secret, n);
    apr_pool_cleanup_register(p, made, wipe_all, apr_pool_cleanup_null);

    const apr_status_t status = add(made, now);

    if (status != APR_SUCCESS) {
        (void)apr_pool_cleanup_run(p, made, wipe_all);
        return status;
    }
    *keys = made;
    return APR_SUCCESS;
}

const aw_keyring_t *aw_keys_get(aw_keys_t *keys, apr_time_t now)
{
    const link_t *last = atomic_load_explicit(&keys->last, memory_order_acquire);

    if (!aw_keyring_serves(&last->ring, now) && !atomic_flag_test_and_set(&keys->deriving)) {
        last = atomic_load_explicit(&keys->last, memory_order_acquire);
        if (!aw_keyring_serves(&last->ring, now)) { /* nobody was faster */
            (void)add(keys, now);
        }
        atomic_flag_clear(&keys->deriving);
        last = atomic_load_explicit(&keys->last, memory_order_acquire);
    }
    return &last->ring;
}
