/* The computations of RFC 7616, each as one hash over parts that lie where they are.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "digest/compute.h"

#define COLON AW_SPAN_LIT(":")

apr_status_t aw_digest_a1(aw_alg_e alg, aw_span_t user, aw_span_t realm, aw_span_t password,
                          unsigned char *a1)
{
    const aw_span_t parts[] = {user, COLON, realm, COLON, password};

    return aw_hash(alg, parts, sizeof(parts) / sizeof(parts[0]), a1);
}

apr_status_t aw_digest_userhash(aw_alg_e alg, aw_span_t user, aw_span_t realm, unsigned char *out)
{
    const aw_span_t parts[] = {user, COLON, realm};

    return aw_hash(alg, parts, sizeof(parts) / sizeof(parts[0]), out);
}

/* A hash in hexadecimal, as it goes into other hashes. */
typedef struct hex_t {
    char digits[AW_HASH_HEX_MAX];
} hex_t;

static aw_span_t hex_set(hex_t *hex, aw_alg_e alg, const unsigned char *hash)
{
    const size_t size = aw_alg_size(alg);

    aw_hex_encode(hex->digits, hash, size);
    return (aw_span_t){hex->digits, 2 * size};
}

/* The A1 that counts, in hex: for -sess H(a1:nonce:cnonce), RFC 7616 3.4.2. */
static apr_status_t hex_a1(hex_t *hex, aw_span_t *out, const aw_digest_input_t *in,
                           const unsigned char *a1)
{
    const aw_alg_e alg = in->algorithm.hash;
    unsigned char hash[AW_HASH_MAX];

    *out = hex_set(hex, alg, a1);
    if (!in->algorithm.sess) {
        return APR_SUCCESS;
    }
    const aw_span_t parts[] = {*out, COLON, in->nonce, COLON, in->cnonce};
    const apr_status_t status = aw_hash(alg, parts, sizeof(parts) / sizeof(parts[0]), hash);
    if (status == APR_SUCCESS) {
        *out = hex_set(hex, alg, hash);
    }
    aw_wipe(hash, sizeof(hash));
    return status;
}

/* A2 in hex: H(method:uri), with the body's hash behind it for auth-int (RFC 7616 3.4.3). The
 * method is empty for rspauth. */
static apr_status_t hex_a2(hex_t *hex, aw_span_t *out, const aw_digest_input_t *in,
                           aw_span_t method, const unsigned char *body_hash)
{
    const aw_alg_e alg = in->algorithm.hash;
    unsigned char hash[AW_HASH_MAX];
    aw_span_t parts[5] = {method, COLON, in->uri, COLON, {NULL, 0}};

    if (body_hash != NULL) {
        parts[4] = hex_set(hex, alg, body_hash);
    }
    const apr_status_t status = aw_hash(alg, parts, body_hash != NULL ? 5 : 3, hash);
    if (status == APR_SUCCESS) {
        *out = hex_set(hex, alg, hash);
    }
    return status;
}

/* KD over A1 and A2 (RFC 7616 3.4.1); without qop the form of RFC 2069. */
static apr_status_t kd(const aw_digest_input_t *in, aw_span_t a1, aw_span_t a2, unsigned char *out)
{
    const aw_alg_e alg = in->algorithm.hash;

    if (in->qop == AW_QOP_NONE) {
        const aw_span_t parts[] = {a1, COLON, in->nonce, COLON, a2};
        return aw_hash(alg, parts, sizeof(parts) / sizeof(parts[0]), out);
    }
    const aw_span_t qop =
        in->qop == AW_QOP_AUTH ? AW_SPAN_LIT(":auth:") : AW_SPAN_LIT(":auth-int:");
    const aw_span_t parts[] = {a1,    COLON,      in->nonce, COLON, in->nc_text,
                               COLON, in->cnonce, qop,       a2};
    return aw_hash(alg, parts, sizeof(parts) / sizeof(parts[0]), out);
}

apr_status_t aw_digest_response(const aw_digest_input_t *in, const unsigned char *a1,
                                unsigned char *response, unsigned char *rspauth)
{
    const bool body = in->qop == AW_QOP_AUTH_INT;
    hex_t hex1, hex2;
    aw_span_t h1, h2;
    unsigned char first[AW_HASH_MAX] = {0}, second[AW_HASH_MAX];

    if (body && (in->request_body_hash == NULL || rspauth != NULL)) {
        return APR_EINVAL;
    }
    apr_status_t status = hex_a1(&hex1, &h1, in, a1);
    if (status != APR_SUCCESS) {
        goto leave;
    }
    status = hex_a2(&hex2, &h2, in, in->method, body ? in->request_body_hash : NULL);
    if (status != APR_SUCCESS) {
        goto leave;
    }
    status = kd(in, h1, h2, first);
    if (status == APR_SUCCESS && rspauth != NULL) {
        status = hex_a2(&hex2, &h2, in, (aw_span_t){NULL, 0}, NULL);
        if (status == APR_SUCCESS) {
            status = kd(in, h1, h2, second);
        }
    }
    if (status == APR_SUCCESS) {
        const size_t size = aw_alg_size(in->algorithm.hash);
        memcpy(response, first, size);
        if (rspauth != NULL) {
            memcpy(rspauth, second, size);
        }
    }
leave:
    /* The right answer to this very request is as good as the password for it. */
    aw_wipe(first, sizeof(first));
    aw_wipe(&hex1, sizeof(hex1));
    return status;
}

apr_status_t aw_digest_rspauth_int(const aw_digest_input_t *in, const unsigned char *a1,
                                   const unsigned char *body_hash, unsigned char *rspauth)
{
    hex_t hex1, hex2;
    aw_span_t h1, h2;

    apr_status_t status = hex_a1(&hex1, &h1, in, a1);
    if (status == APR_SUCCESS) {
        status = hex_a2(&hex2, &h2, in, (aw_span_t){NULL, 0}, body_hash);
    }
    if (status == APR_SUCCESS) {
        status = kd(in, h1, h2, rspauth);
    }
    aw_wipe(&hex1, sizeof(hex1));
    return status;
}
