/* One-time tickets: made here, taken out of a request before anybody can log it, and opened again.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ticket.h"

#include <apr_strings.h>

#include "scheme.h"
#include "state.h"

#define MARK     "aw1."
#define PARAM    "ticket=" MARK
#define PROTOCOL "authws.ticket."

#define EXPIRES     8
#define PAYLOAD_MAX (EXPIRES + AUTHWS_TICKET_USER_MAX + 1 + AUTHWS_TICKET_PATH_MAX)

/* --- making and opening --- */

/* What the tag covers besides the nonce itself. */
static aw_span_t scope_of(request_rec *r, const char *realm, aw_span_t payload)
{
    const char *parts[] = {"\1authws ticket", r->server->server_hostname, realm};
    const size_t room = sizeof("\1authws ticket") + strlen(realm) + 2 + payload.len +
                        (parts[1] ? strlen(parts[1]) : 0);
    char *scope = apr_palloc(r->pool, room);
    size_t len = 0;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const aw_span_t part = aw_span(parts[i]);

        if (part.len > 0) {
            memcpy(scope + len, part.ptr, part.len);
        }
        len += part.len;
        scope[len++] = '\0'; /* in no name: two of them cannot be taken for two others */
    }
    memcpy(scope + len, payload.ptr, payload.len);
    return (aw_span_t){scope, len + payload.len};
}

static const aw_keyring_t *keys_of(request_rec *r)
{
    const authws_server_t *server = ap_get_module_config(r->server->module_config, &authws_module);

    return aw_keys_get(server->keys, r->request_time);
}

const char *authws_ticket_build(request_rec *r, const char *realm, const authws_ticket_t *ticket)
{
    const size_t user = strlen(ticket->user), path = strlen(ticket->path);
    const size_t size = EXPIRES + user + 1 + path;
    const size_t digits = aw_base64_length(AW_BASE64URL, size);
    char *payload = apr_palloc(r->pool, size);
    char *text = apr_palloc(r->pool, sizeof(MARK) + AW_NONCE_LEN + digits);
    char *at = text + sizeof(MARK) - 1;
    unsigned char random[AW_NONCE_RANDOM];

    if (user > AUTHWS_TICKET_USER_MAX || path > AUTHWS_TICKET_PATH_MAX ||
        !authws_state_random(random, sizeof(random))) {
        return NULL;
    }
    for (int i = 0; i < EXPIRES; i++) {
        payload[i] = (char)((uint64_t)ticket->expires >> 8 * (EXPIRES - 1 - i) & 0xff);
    }
    memcpy(payload + EXPIRES, ticket->user, user + 1);
    memcpy(payload + EXPIRES + user + 1, ticket->path, path);
    memcpy(text, MARK, sizeof(MARK) - 1);
    if (aw_nonce_mint(keys_of(r), scope_of(r, realm, (aw_span_t){payload, size}), r->request_time,
                      authws_state_nc_table()->node, random, at) != APR_SUCCESS) {
        return NULL;
    }
    at += AW_NONCE_LEN;
    at[aw_base64_encode(AW_BASE64URL, at, payload, size)] = '\0';
    return text;
}

bool authws_ticket_open(authws_ticket_t *ticket, request_rec *r, const char *realm,
                        const char *text)
{
    const size_t head = sizeof(MARK) - 1 + AW_NONCE_LEN;
    const size_t len = strlen(text);
    char *payload = apr_palloc(r->pool, PAYLOAD_MAX + 1);
    const char *end;
    uint64_t expires = 0;
    size_t size;

    if (len < head || strncmp(text, MARK, sizeof(MARK) - 1) ||
        !aw_base64_decode(AW_BASE64URL, payload, PAYLOAD_MAX, &size, text + head, len - head) ||
        aw_nonce_open(keys_of(r), scope_of(r, realm, (aw_span_t){payload, size}),
                      (aw_span_t){text + sizeof(MARK) - 1, AW_NONCE_LEN},
                      &ticket->nonce) != AW_NONCE_OK) {
        return false;
    }
    /* Ours: no more than what was built above can be in it. */
    end = size > EXPIRES ? memchr(payload + EXPIRES, '\0', size - EXPIRES) : NULL;
    if (!end) {
        return false;
    }
    for (int i = 0; i < EXPIRES; i++) {
        expires = expires << 8 | (unsigned char)payload[i];
    }
    payload[size] = '\0';
    ticket->expires = (apr_time_t)expires;
    ticket->user = payload + EXPIRES;
    ticket->path = end + 1;
    return true;
}

/* --- taking it out --- */

/* `text` without the tickets in the query that begins at `query`, and goes on to a blank or the
 * end; without the question mark before it when nothing is left. *ticket: the first one. */
static char *without(apr_pool_t *p, const char *text, const char *query, const char **ticket)
{
    char *out = apr_pcalloc(p, strlen(text) + 1);
    char *to = out + (query - text);
    const char *at = query;
    bool first = true;

    memcpy(out, text, (size_t)(query - text));
    while (*at && *at != ' ') {
        const size_t len = strcspn(at, "& ");

        if (!strncmp(at, PARAM, sizeof(PARAM) - 1)) {
            const size_t skip = sizeof("ticket=") - 1;

            *ticket = *ticket ? *ticket : apr_pstrmemdup(p, at + skip, len - skip);
        } else {
            if (!first) {
                *to++ = '&';
            }
            memcpy(to, at, len);
            to += len;
            first = false;
        }
        at += len;
        at += *at == '&';
    }
    if (first && to > out) {
        to--;
    }
    memcpy(to, at, strlen(at) + 1);
    return out;
}

static void take_from_query(request_rec *r, const char **ticket)
{
    const char *query = strchr(r->unparsed_uri, '?');

    r->args = without(r->pool, r->args, r->args, ticket);
    r->args = *r->args ? r->args : NULL;
    r->parsed_uri.query = r->args;
    if (query) {
        r->unparsed_uri = without(r->pool, r->unparsed_uri, query + 1, ticket);
    }
    query = r->the_request ? strchr(r->the_request, '?') : NULL;
    if (query) {
        r->the_request = without(r->pool, r->the_request, query + 1, ticket);
    }
}

/* A subprotocol that is a ticket is none: the others are what the client speaks. */
static void take_from_protocols(request_rec *r, const char *protocols, const char **ticket)
{
    const char *left = NULL;
    char *rest = NULL;

    for (char *word = apr_strtok(apr_pstrdup(r->pool, protocols), ", \t", &rest); word;
         word = apr_strtok(NULL, ", \t", &rest)) {
        if (!strncmp(word, PROTOCOL, sizeof(PROTOCOL) - 1)) {
            *ticket = *ticket ? *ticket : word + sizeof(PROTOCOL) - 1;
        } else {
            left = left ? apr_pstrcat(r->pool, left, ", ", word, NULL) : word;
        }
    }
    if (left) {
        apr_table_setn(r->headers_in, "Sec-WebSocket-Protocol", left);
    } else {
        apr_table_unset(r->headers_in, "Sec-WebSocket-Protocol");
    }
}

int authws_ticket_take(request_rec *r)
{
    const bool in_query = r->args && strstr(r->args, PARAM);
    const char *protocols = apr_table_getm(r->pool, r->headers_in, "Sec-WebSocket-Protocol");
    const char *target = r->unparsed_uri;
    const char *ticket = NULL;
    authws_request_t *state;

    if (in_query) {
        take_from_query(r, &ticket);
    }
    if (protocols && strstr(protocols, PROTOCOL)) {
        take_from_protocols(r, protocols, &ticket);
    }
    if (ticket) {
        state = authws_request_get(r);
        state->ticket = ticket;
        state->target = target;
    }
    return DECLINED;
}
