/* The client's half of Digest: an Authorization value from a challenge.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_DIGEST_RESPOND_H
#define AUTHWS_DIGEST_RESPOND_H

#include <apr_pools.h>

#include "digest/challenge.h"

/* One request to be authorized. All borrowed. */
typedef struct aw_respond_t {
    aw_span_t user;
    aw_span_t password;      /* used when `a1` is NULL */
    const unsigned char *a1; /* the value of an A1 file in the challenge's algorithm, or NULL */
    aw_span_t method;
    aw_span_t uri;    /* the request target exactly as it will be sent */
    aw_span_t cnonce; /* fresh and random: the caller's; at least 1 character, no '"' or '\' */
    uint32_t nc;      /* how often this nonce has been used, this time included: from 1 */
    aw_span_t body;   /* hashed for auth-int */
    aw_qop_e qop;     /* which of the challenge's to use; AW_QOP_NONE picks auth, else auth-int */
} aw_respond_t;

/* Builds the value of an Authorization (or Proxy-Authorization) field in `p`, NUL-terminated.
 * With challenge->userhash the user name is hashed; a name that is not ASCII goes as username*
 * otherwise. APR_EINVAL when the wanted qop is not offered, or nc is 0, or the cnonce or method is
 * empty. */
apr_status_t aw_digest_respond(const char **authorization, const aw_challenge_t *challenge,
                               const aw_respond_t *request, apr_pool_t *p);

/* The strongest of n challenges that OpenSSL can answer here, or -1. */
int aw_challenges_pick(const aw_challenge_t *challenges, int n);

#endif
