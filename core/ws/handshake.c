/* The opening handshake of both ends: what is asked for, what is answered.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ws/handshake.h"

#include <openssl/sha.h>

#include "base/text.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static aw_span_t trim(aw_span_t s)
{
    while (s.len > 0 && is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_space(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

/* Takes the next element, which may be empty, off a list; false behind the last one. A list is
 * at its end when its ptr is NULL. */
static bool next(aw_span_t *list, aw_span_t *element)
{
    if (list->ptr == NULL) {
        return false;
    }
    const char *comma = list->len > 0 ? memchr(list->ptr, ',', list->len) : NULL;
    if (comma == NULL) {
        *element = trim(*list);
        *list = (aw_span_t){NULL, 0};
        return true;
    }
    const size_t before = (size_t)(comma - list->ptr);
    *element = trim((aw_span_t){list->ptr, before});
    list->ptr += before + 1;
    list->len -= before + 1;
    return true;
}

static bool has_token(aw_span_t list, aw_span_t token)
{
    aw_span_t element;

    while (next(&list, &element)) {
        if (aw_span_equal_nocase(element, token)) {
            return true;
        }
    }
    return false;
}

/* Whether `list` is one or more tokens, each once; at most AW_WS_PROTOCOLS_MAX, for every two of
 * them are compared. */
static bool is_protocol_list(aw_span_t list)
{
    aw_span_t seen[AW_WS_PROTOCOLS_MAX], element;
    size_t n = 0;

    while (next(&list, &element)) {
        if (n == AW_WS_PROTOCOLS_MAX || !aw_is_token(element)) {
            return false;
        }
        for (size_t i = 0; i < n; i++) {
            if (aw_span_equal(seen[i], element)) {
                return false;
            }
        }
        seen[n++] = element;
    }
    return n > 0;
}

static bool among(aw_span_t list, aw_span_t name)
{
    aw_span_t element;

    while (next(&list, &element)) {
        if (aw_span_equal(element, name)) {
            return true;
        }
    }
    return false;
}

static bool is_key(aw_span_t key)
{
    unsigned char bytes[16];
    size_t n;

    return key.len == AW_WS_KEY_LEN &&
           aw_base64_decode(AW_BASE64, bytes, sizeof bytes, &n, key.ptr, key.len) &&
           n == sizeof bytes;
}

static aw_ws_handshake_e bad(const char **why, const char *what)
{
    *why = what;
    return AW_WS_HANDSHAKE_BAD;
}

aw_ws_handshake_e aw_ws_handshake_check(const aw_ws_request_t *request, const char **why)
{
    const aw_span_t version = trim(request->version);

    if (!has_token(request->upgrade, AW_SPAN_LIT("websocket"))) {
        return AW_WS_HANDSHAKE_NONE;
    }
    if (!aw_span_equal(request->method, AW_SPAN_LIT("GET"))) {
        return bad(why, "the method is not GET");
    }
    if (!request->http11) {
        return bad(why, "HTTP is older than 1.1");
    }
    if (request->body) {
        return bad(why, "the request has a body");
    }
    if (trim(request->host).len == 0) {
        return bad(why, "no Host");
    }
    if (!has_token(request->connection, AW_SPAN_LIT("upgrade"))) {
        return bad(why, "Connection does not say Upgrade");
    }
    if (!aw_is_token(version)) {
        /* The field must not be repeated (section 11.3.5): a list is as bad as nothing. */
        return bad(why, "Sec-WebSocket-Version is not one version");
    }
    /* Before the key: other versions have other keys, or none. */
    if (!aw_span_equal(version, AW_SPAN_LIT("13"))) {
        *why = "Sec-WebSocket-Version is not 13";
        return AW_WS_HANDSHAKE_VERSION;
    }
    if (!is_key(trim(request->key))) {
        return bad(why, "Sec-WebSocket-Key is not 16 bytes in base64");
    }
    if (request->protocol.ptr != NULL && !is_protocol_list(request->protocol)) {
        return bad(why, "Sec-WebSocket-Protocol is not a list of different tokens");
    }
    return AW_WS_HANDSHAKE_OK;
}

bool aw_ws_accept(char accept[AW_WS_ACCEPT_LEN + 1], aw_span_t key)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char text[AW_WS_KEY_LEN + sizeof guid], hash[SHA_DIGEST_LENGTH];

    key = trim(key);
    if (key.len != AW_WS_KEY_LEN) {
        return false;
    }
    memcpy(text, key.ptr, key.len);
    memcpy(text + key.len, guid, sizeof guid - 1);
    if (SHA1(text, key.len + sizeof guid - 1, hash) == NULL) {
        return false;
    }
    accept[aw_base64_encode(AW_BASE64, accept, hash, sizeof hash)] = '\0';
    return true;
}

bool aw_ws_protocol_choose(size_t *chosen, aw_span_t offered, const aw_span_t *ours, size_t n)
{
    size_t i = 0;

    if (offered.ptr == NULL) {
        *chosen = n;
        return true;
    }
    if (!is_protocol_list(offered)) {
        return false;
    }
    while (i < n && !among(offered, ours[i])) {
        i++;
    }
    *chosen = i;
    return true;
}

void aw_ws_key(char key[AW_WS_KEY_LEN + 1], const unsigned char random[16])
{
    key[aw_base64_encode(AW_BASE64, key, random, 16)] = '\0';
}

const char *aw_ws_answer_check(aw_span_t key, aw_span_t upgrade, aw_span_t connection,
                               aw_span_t accept, aw_span_t protocol, aw_span_t offered)
{
    char expected[AW_WS_ACCEPT_LEN + 1];

    if (!aw_span_equal_nocase(trim(upgrade), AW_SPAN_LIT("websocket"))) {
        return "Upgrade does not say websocket";
    }
    if (!has_token(connection, AW_SPAN_LIT("upgrade"))) {
        return "Connection does not say Upgrade";
    }
    if (!aw_ws_accept(expected, key)) {
        return "no SHA-1, or no key, to compare Sec-WebSocket-Accept with";
    }
    if (!aw_span_equal(trim(accept), aw_span(expected))) {
        return "Sec-WebSocket-Accept does not belong to the key";
    }
    if (protocol.ptr == NULL) {
        return NULL;
    }
    protocol = trim(protocol);
    if (!aw_is_token(protocol) || !among(offered, protocol)) {
        return "Sec-WebSocket-Protocol was not offered";
    }
    return NULL;
}
