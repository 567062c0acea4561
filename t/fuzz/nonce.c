/* Fuzzes aw_nonce_open: a line with the scope, then the text of a nonce.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Whatever opens must be exactly what minting with the same time, node and random part gives: a
 * nonce has one spelling.
 */
#include "digest/nonce.h"

#include <stdlib.h>

#include "digest/algorithm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW apr_time_from_sec(1700000000)

static const char secret[] = "correct horse battery staple";

static aw_keyring_t make_ring(void)
{
    aw_keyring_t ring;

    if (aw_algorithms_init() != APR_SUCCESS ||
        aw_keyring_derive(&ring, secret, sizeof(secret) - 1, NOW) != APR_SUCCESS) {
        abort();
    }
    return ring;
}

/* Whether one of the ring's keys gives exactly this text for these values. */
static bool is_minted(const aw_keyring_t *ring, aw_span_t scope, const aw_nonce_t *nonce,
                      const char *text)
{
    unsigned char random[AW_NONCE_RANDOM];
    char again[AW_NONCE_LEN];
    bool found = false;

    for (size_t i = 0; i < AW_NONCE_RANDOM; i++) {
        random[i] = (unsigned char)(nonce->id >> (56 - 8 * i));
    }
    for (unsigned i = 0; i < ring->count; i++) {
        const aw_keyring_t one = {.count = 1, .keys = {ring->keys[i]}};

        found |=
            aw_nonce_mint(&one, scope, nonce->issued, nonce->node, random, again) == APR_SUCCESS &&
            memcmp(again, text, AW_NONCE_LEN) == 0;
    }
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static aw_keyring_t ring;
    const char *text = (const char *)data;
    const char *end = size ? memchr(text, '\n', size) : NULL;
    const aw_span_t scope = {text, end ? (size_t)(end - text) : 0};
    const size_t skipped = end ? scope.len + 1 : 0;
    const aw_span_t candidate = {text + skipped, size - skipped};
    aw_nonce_t nonce = {.issued = -1};

    if (ring.count == 0) {
        ring = make_ring();
    }
    const aw_nonce_e answer = aw_nonce_open(&ring, scope, candidate, &nonce);

    if (answer != AW_NONCE_OK) {
        if (nonce.issued != -1 || nonce.id != 0 || nonce.node != 0) {
            abort(); /* outputs are untouched on failure */
        }
        return 0;
    }
    if (candidate.len != AW_NONCE_LEN || !is_minted(&ring, scope, &nonce, candidate.ptr)) {
        abort();
    }
    return 0;
}
