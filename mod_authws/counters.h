/* What happened to requests, counted over all child processes and generations.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each request of a client counts once, by the first check that it meets; subrequests and internal
 * redirects of it do not count again. AUTHWS_COUNT_BLOCKS and _EVICTED count happenings besides.
 */
#ifndef MOD_AUTHWS_COUNTERS_H
#define MOD_AUTHWS_COUNTERS_H

#include "module.h"

#include "digest/verify.h"
#include "shm/counters.h"

/* Places in the table in shared memory: new ones go to the end, and none is used for another. */
typedef enum authws_counter_e {
    AUTHWS_COUNT_CHALLENGED,     /* came without credentials, and was asked for them */
    AUTHWS_COUNT_VERIFIED,       /* let in by Digest */
    AUTHWS_COUNT_BASIC_VERIFIED, /* let in by Basic, or by the authn provider */
    AUTHWS_COUNT_STALE,          /* nonce expired, not from here, or its counts forgotten */
    AUTHWS_COUNT_REPLAYED,       /* right, but the nonce count had been used */
    AUTHWS_COUNT_MALFORMED,      /* 400 */
    AUTHWS_COUNT_REFUSED,        /* another scheme, realm, algorithm or qop than those offered */
    AUTHWS_COUNT_WRONG,          /* wrong response or password */
    AUTHWS_COUNT_UNKNOWN,        /* no such user */
    AUTHWS_COUNT_THROTTLED,      /* 429 */
    AUTHWS_COUNT_ERRORS,         /* 500 */
    AUTHWS_COUNT_BLOCKS,         /* blocks begun, of addresses and of users */
    AUTHWS_COUNT_EVICTED,        /* nonce windows that made room for others */
    AUTHWS_COUNT_CERTIFICATE,    /* let in by Certificate */
    AUTHWS_COUNT_TOKEN,          /* let in by Token */
    AUTHWS_COUNT_WITHOUT,        /* came without a certificate, where nothing else would do */
    AUTHWS_COUNT_TICKET,         /* let in by Ticket */
    AUTHWS_COUNTERS
} authws_counter_e;

/* The counter for what the Digest verifier says. */
authws_counter_e authws_counter_of(aw_verdict_e verdict);

/* Counts one. Any thread, before the segment is there too. */
void authws_count(authws_counter_e which);

/* post_config hook: has the totals logged when this generation of the parent process ends. */
int authws_counters_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                                server_rec *s);

#endif
