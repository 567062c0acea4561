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

/* Longest text that is put together in one buffer; beyond, the hash takes its parts one by one. */
#define TEXT_MAX 1024

/* Copies the parts one behind the other into `text`; 0 when they take more than `room`. */
static size_t join(char *text, size_t room, const aw_span_t *parts, size_t n)
{
    char *at = text;

    for (size_t i = 0; i < n; i++) {
        if (parts[i].len > room - (size_t)(at - text)) {
            return 0;
        }
        if (parts[i].len > 0) {
            memcpy(at, parts[i].ptr, parts[i].len);
            at += parts[i].len;
        }
    }
    return (size_t)(at - text);
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

/* KD of RFC 7616 3.4.1 for one A1 and any number of A2: all but A2 is put together once. */
enum { PARTS_MAX = 8 };
typedef struct kd_t {
    aw_alg_e alg;
    hex_t a1, a2;
    aw_span_t parts[PARTS_MAX + 1]; /* the last is A2 */
    size_t count;                   /* without A2 */
    size_t joined;                  /* bytes of them in `text`; 0: too many */
    char text[TEXT_MAX + AW_HASH_HEX_MAX];
} kd_t;

static apr_status_t kd_init(kd_t *kd, const aw_digest_input_t *in, const unsigned char *a1)
{
    size_t n = 0;

    kd->alg = in->algorithm.hash;
    kd->joined = 0;
    const apr_status_t status = hex_a1(&kd->a1, &kd->parts[n++], in, a1);
    if (status != APR_SUCCESS) {
        return status;
    }
    kd->parts[n++] = COLON;
    kd->parts[n++] = in->nonce;
    kd->parts[n++] = COLON;
    /* Without qop: the form of RFC 2069. */
    if (in->qop != AW_QOP_NONE) {
        kd->parts[n++] = in->nc_text;
        kd->parts[n++] = COLON;
        kd->parts[n++] = in->cnonce;
        kd->parts[n++] = in->qop == AW_QOP_AUTH ? AW_SPAN_LIT(":auth:") : AW_SPAN_LIT(":auth-int:");
    }
    kd->count = n;
    kd->joined = join(kd->text, TEXT_MAX, kd->parts, n);
    return APR_SUCCESS;
}

static apr_status_t kd_hash(kd_t *kd, const unsigned char *a2, unsigned char *out)
{
    const size_t size = aw_alg_size(kd->alg);

    if (kd->joined > 0) {
        aw_hex_encode(kd->text + kd->joined, a2, size);
        return aw_hash(kd->alg, &(aw_span_t){kd->text, kd->joined + 2 * size}, 1, out);
    }
    kd->parts[kd->count] = hex_set(&kd->a2, kd->alg, a2);
    return aw_hash(kd->alg, kd->parts, kd->count + 1, out);
}

static void kd_wipe(kd_t *kd)
{
    aw_wipe(&kd->a1, sizeof(kd->a1));
    /* Of the text only A1, at its start, is secret. */
    aw_wipe(kd->text, 2 * aw_alg_size(kd->alg));
}

/* H(method:uri), with the body's hash behind it for auth-int (RFC 7616 3.4.3); the method is
 * empty for rspauth. */
static apr_status_t hash_a2(const aw_digest_input_t *in, aw_span_t method,
                            const unsigned char *body_hash, unsigned char *out)
{
    const aw_alg_e alg = in->algorithm.hash;
    aw_span_t parts[] = {method, COLON, in->uri, COLON, {NULL, 0}};
    hex_t hex;

    if (body_hash == NULL) {
        return aw_hash(alg, parts, 3, out);
    }
    parts[4] = hex_set(&hex, alg, body_hash);
    return aw_hash(alg, parts, 5, out);
}

/* Both A2 of qop=auth: rspauth's is the end of the request's (RFC 7616 3.5). */
static apr_status_t hash_both_a2(const aw_digest_input_t *in, unsigned char *request,
                                 unsigned char *answer)
{
    const aw_alg_e alg = in->algorithm.hash;
    const aw_span_t parts[] = {in->method, COLON, in->uri};
    char text[TEXT_MAX];
    const size_t joined = join(text, sizeof(text), parts, 3), skip = in->method.len;

    if (joined == 0) {
        const apr_status_t status = aw_hash(alg, parts, 3, request);
        return status != APR_SUCCESS ? status : aw_hash(alg, parts + 1, 2, answer);
    }
    const apr_status_t status = aw_hash(alg, &(aw_span_t){text, joined}, 1, request);
    return status != APR_SUCCESS
               ? status
               : aw_hash(alg, &(aw_span_t){text + skip, joined - skip}, 1, answer);
}

apr_status_t aw_digest_response(const aw_digest_input_t *in, const unsigned char *a1,
                                unsigned char *response, unsigned char *rspauth)
{
    const size_t size = aw_alg_size(in->algorithm.hash);
    const bool body = in->qop == AW_QOP_AUTH_INT;
    unsigned char a2[AW_HASH_MAX], a2_answer[AW_HASH_MAX], out[AW_HASH_MAX],
        out_answer[AW_HASH_MAX];
    kd_t kd;

    if (body && (in->request_body_hash == NULL || rspauth != NULL)) {
        return APR_EINVAL;
    }
    apr_status_t status = rspauth != NULL
                              ? hash_both_a2(in, a2, a2_answer)
                              : hash_a2(in, in->method, body ? in->request_body_hash : NULL, a2);
    if (status != APR_SUCCESS) {
        return status;
    }
    status = kd_init(&kd, in, a1);
    if (status == APR_SUCCESS) {
        status = kd_hash(&kd, a2, out);
    }
    if (status == APR_SUCCESS && rspauth != NULL) {
        status = kd_hash(&kd, a2_answer, out_answer);
    }
    if (status == APR_SUCCESS) {
        memcpy(response, out, size);
        if (rspauth != NULL) {
            memcpy(rspauth, out_answer, size);
        }
        /* The right answer to this very request is as good as the password for it. */
        aw_wipe(out, size);
    }
    kd_wipe(&kd);
    return status;
}

apr_status_t aw_digest_rspauth_int(const aw_digest_input_t *in, const unsigned char *a1,
                                   const unsigned char *body_hash, unsigned char *rspauth)
{
    unsigned char a2[AW_HASH_MAX];
    kd_t kd;

    apr_status_t status = hash_a2(in, (aw_span_t){NULL, 0}, body_hash, a2);
    if (status != APR_SUCCESS) {
        return status;
    }
    status = kd_init(&kd, in, a1);
    if (status == APR_SUCCESS) {
        status = kd_hash(&kd, a2, rspauth);
    }
    kd_wipe(&kd);
    return status;
}
