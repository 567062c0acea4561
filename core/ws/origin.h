/* Who may open a WebSocket from a browser: the Origin field against a list (RFC 6455 10.2).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_WS_ORIGIN_H
#define AUTHWS_WS_ORIGIN_H

#include "base/bytes.h"

/* AuthWSOrigin. An origin is scheme://host[:port], as RFC 6454 section 6.2 writes it; a leading
 * "*." in the host stands for one or more labels. Read-only once filled; borrowed spans. */
typedef struct aw_ws_origins_t {
    bool any;     /* whatever it says, and when there is none */
    bool same;    /* the origin that the request itself came to */
    bool none_ok; /* requests without an Origin, which are not from a browser */
    size_t count;
    const aw_span_t *list;
} aw_ws_origins_t;

/* Whether `word` may stand in the list: NULL, or a static phrase that says what is wrong. */
const char *aw_ws_origin_check(aw_span_t word);

/* Whether a request with this Origin field (ptr NULL: none; the word "null" matches nothing but
 * `any`) may go on. `host` is the request's authority with its port if it has one, `tls` whether
 * it came over TLS: both for `same`. Host names and schemes ignore case, default ports are equal
 * to none. */
bool aw_ws_origin_allowed(const aw_ws_origins_t *origins, aw_span_t origin, aw_span_t host,
                          bool tls);

#endif
