/* Nonces that need no memory: minting, and opening what comes back.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "digest/nonce.h"

#include "base/keyed.h"

enum { AT_ISSUED = 1, AT_NODE = 8, AT_RANDOM = 11, AT_TAG = 19, RAW = 33 };
_Static_assert(RAW % 3 == 0 && RAW / 3 * 4 == AW_NONCE_LEN, "base64 without a rest");
_Static_assert(AW_NONCE_LIFETIME_MAX <= AW_KEYRING_PERIOD, "the previous key is enough");

#define TAG_LEN    (RAW - AT_TAG)
#define ISSUED_MAX ((apr_time_t)1 << 56)

/* Numbers stand in a nonce with their highest byte first. */
static void write_number(unsigned char *out, int n, uint64_t number)
{
    for (int i = 0; i < n; i++) {
        out[i] = (unsigned char)(number >> (8 * (n - 1 - i)));
    }
}

static uint64_t read_number(const unsigned char *in, int n)
{
    uint64_t number = 0;

    for (int i = 0; i < n; i++) {
        number = number << 8 | in[i];
    }
    return number;
}

/* The tag over what stands before it in `raw`, and the scope. The first has a fixed length, so no
 * other pair of them gives the same bytes. */
static void make_tag(unsigned char *tag, const aw_nonce_key_t *key, const unsigned char *raw,
                     aw_span_t scope)
{
    const aw_span_t parts[] = {{(const char *)raw, AT_TAG}, scope};
    unsigned char hash[16];

    aw_keyed_hash16(key->key, parts, 2, hash);
    memcpy(tag, hash, TAG_LEN);
    aw_wipe(hash, sizeof(hash));
}

apr_status_t aw_nonce_mint(const aw_keyring_t *ring, aw_span_t scope, apr_time_t now, uint32_t node,
                           const unsigned char *random, char *out)
{
    unsigned char raw[RAW];

    if (now < 0 || now >= ISSUED_MAX || node > AW_NONCE_NODE_MAX) {
        return APR_EINVAL;
    }
    raw[0] = ring->keys[0].id;
    write_number(raw + AT_ISSUED, AT_NODE - AT_ISSUED, (uint64_t)now);
    write_number(raw + AT_NODE, AT_RANDOM - AT_NODE, node);
    memcpy(raw + AT_RANDOM, random, AW_NONCE_RANDOM);
    make_tag(raw + AT_TAG, &ring->keys[0], raw, scope);
    (void)aw_base64_encode(AW_BASE64URL, out, raw, RAW);
    return APR_SUCCESS;
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
        if (ring->keys[i].id == raw[0]) {
            make_tag(tag, &ring->keys[i], raw, scope);
            answer = aw_equal_secret(tag, raw + AT_TAG, TAG_LEN) ? AW_NONCE_OK : answer;
        }
    }
    if (answer == AW_NONCE_OK) {
        *nonce =
            (aw_nonce_t){.issued = (apr_time_t)read_number(raw + AT_ISSUED, AT_NODE - AT_ISSUED),
                         .node = (uint32_t)read_number(raw + AT_NODE, AT_RANDOM - AT_NODE),
                         .id = read_number(raw + AT_RANDOM, AT_TAG - AT_RANDOM)};
    }
    aw_wipe(tag, sizeof(tag)); /* of a forged nonce, the right tag is a secret */
    return answer;
}
