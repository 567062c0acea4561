/* Is this Digest response right? The verifier of RFC 7616, in the one safe order.
 * SPDX-License-Identifier: Apache-2.0
 *
 * form -> realm, qop, algorithm as configured -> nonce tag -> uri and method as the request's ->
 * age -> who the user is, and whether they are blocked -> A1 (or a decoy for a user that is not
 * there) -> response in constant time -> only now the nc window. No nonce is counted or remembered
 * for anybody who does not know the password.
 */
#ifndef AUTHWS_DIGEST_VERIFY_H
#define AUTHWS_DIGEST_VERIFY_H

#include "digest/compute.h"
#include "digest/nc_table.h"

/* The outcome. The module's answer: OK lets in; BAD_* is 400; NONCE_*, NC_* and FOREIGN ask again
 * with stale=true; the rest ask again; ERROR is 500. */
typedef enum aw_verdict_e {
    AW_VERDICT_OK,
    AW_VERDICT_BAD_FORM, /* result.why */
    AW_VERDICT_BAD_URI,  /* the uri parameter is not the request target */
    AW_VERDICT_OTHER_SCHEME,
    AW_VERDICT_WRONG_REALM,
    AW_VERDICT_WRONG_ALGORITHM, /* not among those offered */
    AW_VERDICT_WRONG_QOP,       /* not among those offered; none at all included */
    AW_VERDICT_WRONG_USERHASH,  /* userhash=true though not offered */
    AW_VERDICT_NONCE_FOREIGN,   /* not ours, or malformed */
    AW_VERDICT_NONCE_EXPIRED,   /* or from the future */
    AW_VERDICT_THROTTLED,       /* policy.blocked said so; right or wrong, nobody has looked */
    AW_VERDICT_UNKNOWN_USER,    /* for the log alone: to the client the same as the next two */
    AW_VERDICT_NO_VALUE,        /* the user has no A1 value in this algorithm */
    AW_VERDICT_WRONG_RESPONSE,
    AW_VERDICT_NC_USED,
    AW_VERDICT_NC_DROPPED,
    AW_VERDICT_ERROR /* result.status: the store or OpenSSL failed */
} aw_verdict_e;

#define AW_VERDICT_COUNT (AW_VERDICT_ERROR + 1)

/* A short phrase for logs, "wrong response" for example; static. */
const char *aw_verdict_text(aw_verdict_e verdict);

/* Whether the client should be told stale=true: its answer may be right, its nonce is not. */
bool aw_verdict_is_stale(aw_verdict_e verdict);

/* What a lookup finds. The spans are borrowed from the lookup's own memory and stay valid until
 * the verifier's caller is done with the result. */
typedef struct aw_a1_found_t {
    aw_span_t user; /* the name as it stands in the store: of a userhash, the name behind it */
    unsigned char a1[AW_HASH_MAX];
} aw_a1_found_t;

/* Looks up `user` (with `userhash`, the hex digits of one in `alg`) in `realm`. APR_SUCCESS and
 * *found; APR_NOTFOUND for no such user; APR_ENOTIMPL, with found->user, when the user is there
 * without a value in `alg`; anything else is a failure of the store. With the first three
 * found->a1 may be written, and should be in the same time. Called once per verification
 * at the most. */
typedef apr_status_t (*aw_a1_lookup_fn)(void *baton, aw_alg_e alg, aw_span_t realm, aw_span_t user,
                                        bool userhash, aw_a1_found_t *found);

/* Whether `user` is refused for now, whatever the response: the name as found by the lookup (given
 * its baton too), or as sent when there is none such. Asked before the response is looked at, and
 * with auth-int once more when the body, which the client may have kept back, has been read. */
typedef bool (*aw_blocked_fn)(void *baton, aw_span_t user);

/* H(request body) in `alg` for auth-int, raw, at `out`. Whatever but APR_SUCCESS it returns ends
 * the verification with AW_VERDICT_ERROR and that status. */
typedef apr_status_t (*aw_body_hash_fn)(void *baton, aw_alg_e alg, unsigned char *out);

/* What the server wants. Shared by threads, read-only. */
typedef struct aw_digest_policy_t {
    aw_span_t realm;
    const aw_algorithm_t *algorithms; /* those offered */
    size_t algorithms_count;
    unsigned qops; /* AW_QOP_BIT()s offered */
    bool userhash;
    apr_interval_time_t nonce_lifetime; /* > 0, at most AW_NONCE_LIFETIME_MAX */
    apr_time_t not_before; /* nonces issued earlier, here or on another node, are expired: the
                            * nc table's own beginning, before which they may have been used */
    const aw_keyring_t *keys;
    aw_nc_table_t *nc_table; /* NULL: no count is checked (a subrequest of a request that was) */
    aw_a1_lookup_fn lookup;
    aw_blocked_fn blocked;     /* may be NULL: nobody is */
    aw_body_hash_fn body_hash; /* may be NULL when auth-int is not offered */
} aw_digest_policy_t;

/* One request. Borrowed. */
typedef struct aw_digest_request_t {
    aw_span_t field;  /* value of Authorization or Proxy-Authorization */
    aw_span_t method; /* as in the request line */
    aw_span_t
        target;     /* the request target as in the request line (origin, absolute, authority, *) */
    aw_span_t host; /* Host field or :authority; may be empty */
    char *scratch;  /* field.len bytes, outlives the result */
    apr_time_t now;
    bool want_rspauth;
    void *lookup_baton;
    void *body_baton;
} aw_digest_request_t;

/* What came out. `credentials` is set unless the verdict is BAD_FORM or OTHER_SCHEME; `user`,
 * `nonce` and `rspauth` (raw; with qop=auth and if wanted) with OK only. The A1 value is kept
 * with OK and auth-int (for rspauth over the answer's body); the caller wipes the result. */
typedef struct aw_digest_result_t {
    aw_credentials_t credentials;
    const char *why;
    apr_status_t status;
    aw_span_t user;
    aw_nonce_t nonce;
    bool has_rspauth;
    unsigned char rspauth[AW_HASH_MAX];
    unsigned char a1[AW_HASH_MAX];
} aw_digest_result_t;

/* Verifies. Any thread. */
aw_verdict_e aw_digest_verify(aw_digest_result_t *result, const aw_digest_policy_t *policy,
                              const aw_digest_request_t *request);

#endif
