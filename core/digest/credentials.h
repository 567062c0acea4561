/* Digest credentials as a client sends them (RFC 7616 section 3.4), checked for form.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_DIGEST_CREDENTIALS_H
#define AUTHWS_DIGEST_CREDENTIALS_H

#include <stdint.h>

#include "digest/algorithm.h"

typedef enum aw_qop_e {
    AW_QOP_NONE, /* RFC 2069 clients; never accepted by the verifier, which counts */
    AW_QOP_AUTH,
    AW_QOP_AUTH_INT
} aw_qop_e;

/* A set of them, as offered in a challenge. */
#define AW_QOP_BIT(qop) (1u << (qop))

/* "auth", "auth-int", or "" for AW_QOP_NONE; static. */
const char *aw_qop_name(aw_qop_e qop);

/* What parsing came to. Everything but AW_CREDENTIALS_OK leaves the struct unspecified. */
typedef enum aw_credentials_e {
    AW_CREDENTIALS_OK,
    AW_CREDENTIALS_OTHER_SCHEME, /* well, but not Digest */
    AW_CREDENTIALS_MALFORMED     /* *why says what: answer 400 */
} aw_credentials_e;

/* All spans are borrowed from the field, or from `scratch` where an escape was taken out. */
typedef struct aw_credentials_t {
    aw_span_t
        username; /* as it counts in A1: unescaped, username* decoded; with userhash the hex */
    aw_span_t realm;
    aw_span_t nonce;
    aw_span_t uri;
    aw_span_t cnonce;
    aw_span_t nc_text; /* exactly 8 hex digits, as sent (they are hashed as text) */
    aw_span_t opaque;  /* empty when absent */
    unsigned char response[AW_HASH_MAX]; /* decoded; aw_alg_size(algorithm.hash) bytes */
    uint32_t nc;
    aw_algorithm_t algorithm; /* MD5 when absent */
    aw_qop_e qop;
    bool userhash;
} aw_credentials_t;

/* Longest accepted value of username, realm, uri and cnonce, in bytes: above is malformed. */
#define AW_CREDENTIALS_VALUE_MAX 8000

/* Parses the value of an Authorization or Proxy-Authorization field. Malformed are: broken
 * grammar; a parameter twice; username, realm, nonce, uri or response missing (nothing but
 * "Digest" too); username together with username*, or username* with userhash=true; an unknown
 * algorithm or qop; qop without cnonce and nc, or nc/cnonce without qop; -sess without cnonce; nc
 * not exactly 8 hex digits; a response that is not exactly the algorithm's number of hex digits; a
 * control character or bad UTF-8 in username or realm; a value above the limit. Unknown parameters
 * are ignored (RFC 7616 3.4). `scratch` has room for field.len bytes and outlives `out`; it may be
 * NULL only if field.len is 0. *why (never NULL on MALFORMED) is a static phrase such as "nc is not
 * 8 hex digits". Pure; any thread. */
aw_credentials_e aw_credentials_parse(aw_credentials_t *out, const char **why, aw_span_t field,
                                      char *scratch);

/* Basic credentials (RFC 7617): the user name and password decoded into `buf`, which has room for
 * field.len bytes and which the caller wipes. The first colon divides. Malformed: not strict
 * base64, no colon, a control character in the name or password. */
aw_credentials_e aw_basic_parse(aw_span_t *user, aw_span_t *password, const char **why,
                                aw_span_t field, char *buf);

#endif
