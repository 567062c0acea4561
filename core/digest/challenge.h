/* Digest challenges: building one, and reading them as a client does.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_DIGEST_CHALLENGE_H
#define AUTHWS_DIGEST_CHALLENGE_H

#include "digest/credentials.h"

/* One Digest challenge. All spans borrowed. */
typedef struct aw_challenge_t {
    aw_span_t realm;
    aw_span_t nonce;
    aw_span_t domain; /* URIs divided by spaces; empty: left out */
    aw_span_t opaque; /* empty: left out */
    aw_algorithm_t algorithm;
    unsigned qops; /* AW_QOP_BIT(AW_QOP_AUTH) | ...; 0 when a server sent none (RFC 2069) */
    bool stale;
    bool userhash;
    bool utf8; /* charset=UTF-8 */
} aw_challenge_t;

/* Upper bound of what aw_challenge_build writes. */
size_t aw_challenge_length_max(const aw_challenge_t *challenge);

/* Writes `Digest realm="...", ...` (RFC 7616 3.3) without a NUL; returns its length. realm, nonce,
 * domain, qop, opaque are quoted-strings; algorithm, stale, userhash and charset are tokens. */
size_t aw_challenge_build(char *out, const aw_challenge_t *challenge);

/* Reads the Digest challenges out of one field value that may hold several challenges of several
 * schemes. Digest challenges with an algorithm, or only with qops, that the library does not know
 * are skipped, as RFC 7616 3.3 asks. Fills at most `max`, in order; escapes are taken out into
 * `scratch` (field.len bytes, outlives `out`). Returns how many, or -1 when the field is
 * malformed. */
int aw_challenges_parse(aw_challenge_t *out, int max, aw_span_t field, char *scratch);

#endif
