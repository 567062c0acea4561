/* The head of the answer that completes a handshake.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_WS_ANSWER_H
#define MOD_AUTHWS_WS_ANSWER_H

#include "../module.h"

/* What the handshake came to. */
typedef struct authws_answer_t {
    const char *accept;
    const char *protocol;   /* NULL: none */
    const char *extensions; /* NULL: none */
} authws_answer_t;

/* A whole 101 head, ready to be written to the connection, in r->pool: the fields of the handshake
 * and whatever modules have set for this request (cookies, Authentication-Info, the Header
 * directives of mod_headers). NULL, and logged, when one of those could not stand in a head. */
const char *authws_answer_head(request_rec *r, const authws_answer_t *answer);

/* register_hooks: the end of a chain of filters that the head is prepared with. */
void authws_answer_register(void);

#endif
