/* Fuzzing of permessage-deflate: hostile offers, and hostile payloads within limits.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte says what the rest is: 0 to 63 an offer, above that a payload, and how it comes.
 */
#include <stdint.h>
#include <stdlib.h>

#include "ws/deflate.h"

#define MADE_MAX (256 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

/* What a server answers, a client that offered everything takes up. */
static void check_offer(const unsigned char *in, size_t len, unsigned how)
{
    const aw_ws_deflate_policy_t all = {true, 6, 15, false, 0};
    const aw_ws_deflate_policy_t policy = {true, 6, (unsigned char)(9 + how % 7), how / 8 % 2 != 0,
                                           0};
    const aw_span_t text = {(const char *)in, len};
    char answer[AW_WS_EXTENSIONS_MAX];
    aw_ws_deflate_params_t ours, theirs;

    if (aw_ws_deflate_answer(&ours, answer, &policy, text)) {
        require(aw_ws_deflate_accept(&theirs, &all, aw_span(answer)));
        require(theirs.on == ours.on && theirs.in_takeover == ours.out_takeover);
        require(!ours.on || (ours.out_window <= policy.window && ours.out_window >= 9));
    } else {
        require(!ours.on && answer[0] == '\0');
    }
    (void)aw_ws_deflate_accept(&theirs, &policy, text);
    require(!theirs.on || (theirs.in_window >= 8 && theirs.in_window <= 15));
}

typedef struct peer_t {
    aw_ws_pool_t *pool;
    aw_ws_deflate_t *deflate;
    aw_ws_deflate_params_t params;
} peer_t;

/* The message in pieces of `piece` bytes into a room of `room`; its length, or -1. */
static long inflate_all(peer_t *peer, const unsigned char *in, size_t len, size_t piece,
                        size_t room, unsigned char *out)
{
    size_t total = 0, used, made;
    aw_ws_inflate_e rc;

    for (size_t at = 0; at < len;) {
        const size_t some = len - at < piece ? len - at : piece;
        size_t done = 0;
        do {
            const size_t space = room < MADE_MAX - total ? room : MADE_MAX - total;
            rc = aw_ws_inflate_part(&peer->deflate, &peer->params, peer->pool, in + at + done,
                                    some - done, &used, out + total, space, &made);
            require(used <= some - done && made <= space);
            total += made;
            done += used;
            if (rc != AW_WS_INFLATE_OK || total == MADE_MAX) {
                return -1;
            }
            require(done == some || made == space);
            if (made < space) {
                break;
            }
        } while (true);
        at += some;
    }
    do {
        const size_t space = room < MADE_MAX - total ? room : MADE_MAX - total;
        rc =
            aw_ws_inflate_end(&peer->deflate, &peer->params, peer->pool, out + total, space, &made);
        require(made <= space);
        total += made;
        if (rc != AW_WS_INFLATE_OK || total == MADE_MAX) {
            return -1;
        }
    } while (made > 0);
    return (long)total;
}

/* Whole and in pieces it is the same message; what was inflated, compressed again, comes back. */
static void check_payload(const unsigned char *in, size_t len, unsigned how)
{
    static unsigned char one[MADE_MAX], two[MADE_MAX];
    static unsigned char window[32768];
    const unsigned char bits = (unsigned char)(9 + how % 7);
    peer_t peer = {aw_ws_pool_create(), NULL, {true, bits, bits, true, how % 2 != 0}};
    aw_ws_deflate_t *sender = NULL;
    aw_span_t again;

    require(peer.pool != NULL);
    for (int round = 0; round < 2; round++) {
        const long n = inflate_all(&peer, in, len, SIZE_MAX, sizeof(one), one);
        aw_ws_deflate_close(&peer.deflate, peer.pool);
        require(inflate_all(&peer, in, len, 1 + how % 5, 1 + how, two) == n);
        require(n < 0 || memcmp(one, two, (size_t)n) == 0);
        if (n < 0) {
            break;
        }
        const size_t kept = aw_ws_deflate_save(peer.deflate, window);
        require(kept <= sizeof(window) && (peer.params.in_takeover || kept == 0));
        aw_ws_deflate_rest(&peer.deflate, peer.pool);
        require(aw_ws_deflate_message(&sender, &peer.params, 1 + how % 9, peer.pool,
                                      (aw_span_t){(const char *)one, (size_t)n}, &again));
        aw_ws_deflate_close(&peer.deflate, peer.pool);
        if (!peer.params.in_takeover) {
            aw_ws_deflate_close(&sender, peer.pool);
        }
        if (round == 0) {
            require(inflate_all(&peer, (const unsigned char *)again.ptr, again.len, 7, 4096, two) ==
                    n);
            require(memcmp(one, two, (size_t)n) == 0);
            aw_ws_deflate_close(&peer.deflate, peer.pool);
        }
    }
    aw_ws_deflate_close(&peer.deflate, peer.pool);
    aw_ws_deflate_close(&sender, peer.pool);
    aw_ws_pool_destroy(peer.pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    /* Of a size of its own, so that the sanitizer sees the first byte behind it. */
    unsigned char *copy = malloc(size > 1 ? size - 1 : 1);

    require(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    if (data[0] < 64) {
        check_offer(copy, size - 1, data[0]);
    } else {
        check_payload(copy, size - 1, data[0]);
    }
    free(copy);
    return 0;
}
