/* Nonces that need no memory: minting, and opening what comes back.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "digest/nonce.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "base/keyed.h"

enum { AT_ISSUED = 1, AT_RANDOM = 8, AT_TAG = 16, RAW = 30 };
_Static_assert(RAW % 3 == 0 && RAW / 3 * 4 == AW_NONCE_LEN, "base64 without a rest");

#define TAG_LEN    (RAW - AT_TAG)
#define SECRET_MIN 16
#define ISSUED_MAX ((apr_time_t)1 << 56)

/* Never to be changed: the same secret must give the same key in every release. */
#define KEY_PURPOSE "authws digest nonce, version 1"

/* HKDF-SHA-256 (RFC 5869) of a secret, without salt. */
static bool derive(unsigned char *out, size_t size, const void *secret, size_t n)
{
    static char digest[] = "SHA256", purpose[] = KEY_PURPOSE;
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
    EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret, n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, purpose, sizeof(purpose) - 1),
        OSSL_PARAM_construct_end()};
    const bool done = context && EVP_KDF_derive(context, out, size, params) == 1;

    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return done;
}

apr_status_t aw_keyring_derive(aw_keyring_t *ring, const void *secret, size_t n)
{
    unsigned char out[1 + AW_KEYED_KEY];
    apr_status_t status = APR_SUCCESS;

    if (n < SECRET_MIN) {
        return APR_EINVAL;
    }
    if (!derive(out, sizeof(out), secret, n)) {
        status = APR_EGENERAL;
        goto leave;
    }
    aw_wipe(ring, sizeof(*ring));
    ring->count = 1;
    ring->keys[0].id = out[0];
    memcpy(ring->keys[0].key, out + 1, AW_KEYED_KEY);

leave:
    aw_wipe(out, sizeof(out));
    return status;
}

/* The tag over what stands before it in `raw`, and the scope. The first has a fixed length, so no
 * other pair of them gives the same bytes. */
static apr_status_t make_tag(unsigned char *tag, const aw_nonce_key_t *key,
                             const unsigned char *raw, aw_span_t scope)
{
    const aw_span_t parts[] = {{(const char *)raw, AT_TAG}, scope};
    unsigned char hash[16];
    const apr_status_t status = aw_keyed_hash(key->key, parts, 2, hash, sizeof(hash));

    if (status == APR_SUCCESS) {
        memcpy(tag, hash, TAG_LEN);
    }
    aw_wipe(hash, sizeof(hash));
    return status;
}

apr_status_t aw_nonce_mint(const aw_keyring_t *ring, aw_span_t scope, apr_time_t now,
                           const unsigned char *random, char *out)
{
    unsigned char raw[RAW];
    apr_status_t status;

    if (now < 0 || now >= ISSUED_MAX) {
        return APR_EINVAL;
    }
    raw[0] = ring->keys[0].id;
    for (int i = 0; i < AT_RANDOM - AT_ISSUED; i++) {
        raw[AT_ISSUED + i] = (unsigned char)((uint64_t)now >> (48 - 8 * i));
    }
    memcpy(raw + AT_RANDOM, random, AW_NONCE_RANDOM);
    status = make_tag(raw + AT_TAG, &ring->keys[0], raw, scope);
    if (status == APR_SUCCESS) {
        (void)aw_base64_encode(AW_BASE64URL, out, raw, RAW);
    }
    return status;
}

aw_nonce_e aw_nonce_open(const aw_keyring_t *ring, aw_span_t scope, aw_span_t text,
                         aw_nonce_t *nonce)
{
    unsigned char raw[RAW], tag[TAG_LEN];
    aw_nonce_e answer = AW_NONCE_FOREIGN;
    size_t n = 0;

    if (text.len != AW_NONCE_LEN ||
        !aw_base64_decode(AW_BASE64URL, raw, sizeof(raw), &n, text.ptr, text.len)) {
        return AW_NONCE_MALFORMED;
    }
    /* Two keys may have the same id by chance, so each that fits is tried. */
    for (unsigned i = 0; i < ring->count; i++) {
        if (ring->keys[i].id == raw[0] &&
            make_tag(tag, &ring->keys[i], raw, scope) == APR_SUCCESS &&
            aw_equal_secret(tag, raw + AT_TAG, TAG_LEN)) {
            answer = AW_NONCE_OK;
        }
    }
    if (answer == AW_NONCE_OK) {
        uint64_t issued = 0, id = 0;

        for (int i = AT_ISSUED; i < AT_RANDOM; i++) {
            issued = issued << 8 | raw[i];
        }
        for (int i = AT_RANDOM; i < AT_TAG; i++) {
            id = id << 8 | raw[i];
        }
        *nonce = (aw_nonce_t){(apr_time_t)issued, id};
    }
    aw_wipe(tag, sizeof(tag)); /* of a forged nonce, the right tag is a secret */
    return answer;
}
