/* Pull parser for authentication fields: challenges and credentials of RFC 9110 section 11.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Reads WWW-Authenticate, Proxy-Authenticate, Authorization, Proxy-Authorization and
 * Authentication-Info values: schemes, token68, and auth-params with token or quoted-string
 * values, any number of challenges in one field. It borrows its input, allocates nothing, never
 * reads outside [ptr, ptr + len), and needs no NUL. Pure; any thread.
 *
 *     aw_params_t it;
 *     aw_param_t item;
 *     aw_params_init(&it, field, AW_PARAMS_CHALLENGES);
 *     for (;;)
 *         switch (aw_params_next(&it, &item)) { ... }
 */
#ifndef AUTHWS_DIGEST_PARAMS_H
#define AUTHWS_DIGEST_PARAMS_H

#include "base/bytes.h"

/* What stands in the field. */
typedef enum aw_params_kind_e {
    AW_PARAMS_CHALLENGES,  /* a list of challenges: scheme [1*SP (token68 / params)], ... */
    AW_PARAMS_CREDENTIALS, /* exactly one scheme and what belongs to it */
    AW_PARAMS_BARE         /* parameters without a scheme: Authentication-Info */
} aw_params_kind_e;

typedef enum aw_param_e {
    AW_PARAM_SCHEME,  /* item.name is the scheme; the parameters that follow are its own */
    AW_PARAM_TOKEN68, /* item.value is the token68 of the scheme before it */
    AW_PARAM_PAIR,    /* item.name and item.value */
    AW_PARAM_END,     /* nothing more */
    AW_PARAM_BAD      /* the field breaks the grammar at aw_params_offset(); stays so */
} aw_param_e;

/* One item; the spans point into the field. */
typedef struct aw_param_t {
    aw_span_t name;
    aw_span_t value; /* of a quoted-string: what stands between the quotes, escapes kept */
    bool quoted;
    bool escaped; /* quoted, with at least one backslash: see aw_param_unescape */
} aw_param_t;

/* The parser; private, but of known size so that it can live on the stack. */
typedef struct aw_params_t {
    const char *start, *pos, *end;
    aw_params_kind_e kind;
    int state;
} aw_params_t;

void aw_params_init(aw_params_t *it, aw_span_t field, aw_params_kind_e kind);

/* The next item. *item is set for SCHEME, TOKEN68 and PAIR only. White space around '=' is
 * accepted (RFC 9110: "BWS"), a name without a value, an empty unquoted value, an unterminated
 * quoted-string, a control character in one, or junk between items is AW_PARAM_BAD. Empty list
 * elements (", ,") are skipped, as RFC 9110 section 5.6.1.2 asks. */
aw_param_e aw_params_next(aw_params_t *it, aw_param_t *item);

/* Offset into the field of what comes next, or of what was wrong. */
size_t aw_params_offset(const aw_params_t *it);

/* Writes the item's value without its escapes into `out`, which has room for item->value.len
 * bytes; returns how many were written. */
size_t aw_param_unescape(const aw_param_t *item, char *out);

/* Writes `value` as a quoted-string, with its quotes, '"' and '\' escaped, into `out` (2 * len + 2
 * bytes at the most); returns how many were written. */
size_t aw_param_quote(char *out, aw_span_t value);

/* Decodes an ext-value of RFC 8187 (UTF-8'lang'percent-encoded) into `out`, room value.len bytes.
 * Only the charset UTF-8 is accepted, and only well-formed UTF-8. False when it is malformed;
 * *outlen is then untouched. */
bool aw_param_decode_ext(aw_span_t value, char *out, size_t *outlen);

#endif
