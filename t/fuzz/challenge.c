/* Fuzzing of what a server may send as WWW-Authenticate; what is read is written and read again.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>

#include "digest/challenge.h"
#include "digest/params.h"

#define CHALLENGES_MAX 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of a size of its own, so that the sanitizer sees the first byte behind it. */
static char *exactly(size_t size)
{
    char *out = malloc(size > 0 ? size : 1);

    if (out == NULL) {
        abort();
    }
    return out;
}

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

/* Every kind of field comes to an end within as many items as it has bytes. */
static void check_params(aw_span_t field)
{
    for (int kind = AW_PARAMS_CHALLENGES; kind <= AW_PARAMS_BARE; kind++) {
        aw_params_t it;
        aw_param_t item;
        aw_param_e got;
        size_t items = 0;

        aw_params_init(&it, field, (aw_params_kind_e)kind);
        do {
            require(items++ <= field.len + 1);
            got = aw_params_next(&it, &item);
            require(aw_params_offset(&it) <= field.len);
        } while (got != AW_PARAM_END && got != AW_PARAM_BAD);
    }
}

static void check_round_trip(const aw_challenge_t *challenge)
{
    const size_t room = aw_challenge_length_max(challenge);
    char *text = exactly(room);
    const size_t length = aw_challenge_build(text, challenge);
    char *scratch = exactly(length);
    aw_challenge_t back;

    require(length <= room);
    require(aw_challenges_parse(&back, 1, (aw_span_t){text, length}, scratch) == 1);
    require(aw_span_equal(back.realm, challenge->realm));
    require(aw_span_equal(back.nonce, challenge->nonce));
    require(aw_span_equal(back.domain, challenge->domain));
    require(aw_span_equal(back.opaque, challenge->opaque));
    require(back.algorithm.hash == challenge->algorithm.hash);
    require(back.algorithm.sess == challenge->algorithm.sess);
    require(back.qops == challenge->qops && back.stale == challenge->stale);
    require(back.userhash == challenge->userhash && back.utf8 == challenge->utf8);
    free(scratch);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    aw_challenge_t challenges[CHALLENGES_MAX];
    char *copy = exactly(size), *scratch = exactly(size);

    if (size > 0) {
        memcpy(copy, data, size);
    }
    check_params((aw_span_t){copy, size});
    const int n = aw_challenges_parse(challenges, CHALLENGES_MAX, (aw_span_t){copy, size}, scratch);
    require(n >= -1 && n <= CHALLENGES_MAX);
    for (int i = 0; i < n; i++) {
        check_round_trip(&challenges[i]);
    }
    free(scratch);
    free(copy);
    return 0;
}
