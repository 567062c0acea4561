/* Opening a WebSocket from the outside: proxy, TLS, login and handshake, until frames may flow.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every attempt is on a connection of its own: what a server says behind a
 * refusal need not be read. Credentials go only to whom they are for: those for
 * the proxy never through the tunnel, those for the server never to the proxy.
 */
#include "dial.h"

#include <apr_strings.h>
#include <openssl/rand.h>

#include "answer.h"
#include "base/text.h"
#include "digest/respond.h"
#include "ws/handshake.h"

#define CHALLENGES_MAX 16

/* What is known of one who asks for a login. */
typedef struct login_t {
    const dial_user_t *user;
    const char *ask;   /* name of the field with challenges */
    const char *field; /* and of the one with credentials */
    const char *value; /* credentials for the next attempt; NULL: none */
    int answered;      /* challenges */
} login_t;

/* One call, over several attempts. */
typedef struct call_t {
    const dial_options_t *options;
    login_t server, proxy;
    stream_t stream;
    char key[AW_WS_KEY_LEN + 1];
    apr_pool_t *p;
    const char *why;
} call_t;

/* Credentials that need no challenge. */
static const char *known_credentials(const dial_user_t *user, apr_pool_t *p)
{
    const aw_span_t secret = password_span(&user->password);

    if (user->login == DIAL_TOKEN) {
        return apr_psprintf(p, "%s %.*s", user->name, (int)secret.len, secret.ptr);
    }
    if (user->login == DIAL_BASIC) {
        const char *pair = apr_psprintf(p, "%s:%.*s", user->name, (int)secret.len, secret.ptr);
        const size_t len = strlen(pair);
        char *out = apr_palloc(p, 6 + aw_base64_length(AW_BASE64, len) + 1);

        memcpy(out, "Basic ", 6);
        out[6 + aw_base64_encode(AW_BASE64, out + 6, pair, len)] = '\0';
        return out;
    }
    return NULL;
}

/* Reads the challenges in an answer; how many. */
static int read_challenges(const call_t *call, const answer_t *answer, const char *name,
                           aw_challenge_t *all)
{
    int n = 0;

    for (int i = 0; n < CHALLENGES_MAX; i++) {
        const aw_span_t field = answer_field_at(answer, name, i);
        int more;

        if (!field.ptr) {
            break;
        }
        more = aw_challenges_parse(all + n, CHALLENGES_MAX - n, field,
                                   apr_palloc(call->p, field.len + 1));
        n += more > 0 ? more : 0;
    }
    return n;
}

/* Makes Digest credentials for the next attempt; false when there is nothing
 * (more) to say. */
static bool answer_challenge(call_t *call, login_t *login, const answer_t *answer,
                             const char *method, const char *uri)
{
    aw_challenge_t all[CHALLENGES_MAX];
    unsigned char random[18];
    char cnonce[32];
    const int n = read_challenges(call, answer, login->ask, all);
    const int best = aw_challenges_pick(all, n);

    /* The same question a second time means "wrong", unless only the nonce was
     * too old. */
    if (login->user->login != DIAL_DIGEST || best < 0 || login->answered > 2 ||
        (login->answered > 0 && !all[best].stale)) {
        return false;
    }
    if (RAND_bytes(random, sizeof(random)) != 1) {
        return false;
    }
    const aw_respond_t request = {
        .user = aw_span(login->user->name),
        .password = password_span(&login->user->password),
        .method = aw_span(method),
        .uri = aw_span(uri),
        .cnonce = {cnonce, aw_base64_encode(AW_BASE64URL, cnonce, random, sizeof(random))},
        .nc = 1};

    login->answered++;
    return aw_digest_respond(&login->value, &all[best], &request, call->p) == APR_SUCCESS;
}

static dial_e fail(call_t *call, const char *who, const char *why)
{
    call->why = apr_psprintf(call->p, "%s: %s", who, why);
    return DIAL_FAILED;
}

static dial_e refuse(call_t *call, const char *who, const answer_t *answer)
{
    char reason[128];

    aw_text_escape(reason, sizeof(reason), answer->reason);
    call->why = apr_psprintf(call->p, "%s: %d %s", who, answer->status, reason);
    return DIAL_REFUSED;
}

/* Connects, to the proxy if there is one, and asks it for a tunnel.
 * DIAL_REFUSED with *again: the proxy's challenge can be answered on a new
 * connection. */
static dial_e reach(call_t *call, bool *again)
{
    const dial_options_t *options = call->options;
    const ws_url_t *first = options->proxy ? options->proxy : &options->url;
    const char *wrong =
        stream_connect(&call->stream, first->host, first->port, options->timeout_ms);
    answer_t answer;

    if (wrong || !options->proxy) {
        return wrong ? fail(call, first->endpoint, wrong) : DIAL_OK;
    }
    const char *endpoint = options->url.endpoint;
    const char *request =
        apr_psprintf(call->p, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n", endpoint, endpoint,
                     call->proxy.value ? "Proxy-Authorization: " : "",
                     call->proxy.value ? call->proxy.value : "", call->proxy.value ? "\r\n" : "");

    wrong = stream_write(&call->stream, request, strlen(request), options->timeout_ms);
    if (!wrong) {
        wrong = answer_read(&answer, &call->stream, options->timeout_ms, call->p);
    }
    if (wrong) {
        return fail(call, "proxy", wrong);
    }
    if (answer.status / 100 != 2) {
        *again = answer.status == 407 &&
                 answer_challenge(call, &call->proxy, &answer, "CONNECT", endpoint);
        return refuse(call, "proxy", &answer);
    }
    /* A server speaks only when spoken to, so nothing can have come through the
     * tunnel. */
    return answer.rest_len > 0 ? fail(call, "proxy", "it has sent something behind its answer")
                               : DIAL_OK;
}

static const char *handshake_request(call_t *call, const char *extensions)
{
    const dial_options_t *options = call->options;
    const char *more = "";

    for (size_t i = 0; i < options->headers_count; i++) {
        more = apr_pstrcat(call->p, more, options->headers[i], "\r\n", NULL);
    }
    if (call->server.value) {
        more = apr_pstrcat(call->p, more, "Authorization: ", call->server.value, "\r\n", NULL);
    }
    if (options->protocol) {
        more =
            apr_pstrcat(call->p, more, "Sec-WebSocket-Protocol: ", options->protocol, "\r\n", NULL);
    }
    if (*extensions) {
        more = apr_pstrcat(call->p, more, "Sec-WebSocket-Extensions: ", extensions, "\r\n", NULL);
    }
    return apr_psprintf(call->p,
                        "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                        "Sec-WebSocket-Version: 13\r\n%s\r\n",
                        options->url.target, options->url.authority, call->key, more);
}

/* Judges a 101 and fills *dial. */
static dial_e complete(call_t *call, const answer_t *answer, dial_t *dial)
{
    const dial_options_t *options = call->options;
    const aw_span_t protocol = answer_field(answer, "Sec-WebSocket-Protocol", call->p);
    const aw_span_t extensions = answer_field(answer, "Sec-WebSocket-Extensions", call->p);
    const char *wrong =
        aw_ws_answer_check(aw_span(call->key), answer_field(answer, "Upgrade", call->p),
                           answer_field(answer, "Connection", call->p),
                           answer_field(answer, "Sec-WebSocket-Accept", call->p), protocol,
                           aw_span(options->protocol));

    if (!wrong && !aw_ws_deflate_accept(&dial->deflate, &options->deflate, extensions)) {
        wrong = "the server has chosen an extension that was not offered";
    }
    if (wrong) {
        return fail(call, options->url.authority, wrong);
    }
    dial->protocol = protocol.ptr ? apr_pstrmemdup(call->p, protocol.ptr, protocol.len) : NULL;
    dial->early = (unsigned char *)(uintptr_t)answer->rest;
    dial->early_len = answer->rest_len;
    dial->stream = call->stream;
    return DIAL_OK;
}

/* Asks the server, which has been reached, for a WebSocket. *again as with
 * reach. */
static dial_e shake_hands(call_t *call, dial_t *dial, bool *again)
{
    const dial_options_t *options = call->options;
    const char *host = options->url.authority;
    const char *wrong = NULL;
    char extensions[AW_WS_EXTENSIONS_MAX];
    unsigned char random[16];
    answer_t answer;

    if (options->url.tls) {
        wrong = stream_secure(&call->stream, options->tls, options->url.host, options->timeout_ms);
    }
    if (!wrong && RAND_bytes(random, sizeof(random)) != 1) {
        wrong = "OpenSSL has no random bytes";
    }
    if (wrong) {
        return fail(call, host, wrong);
    }
    aw_ws_key(call->key, random);
    aw_ws_deflate_offer(extensions, &options->deflate);
    const char *request = handshake_request(call, extensions);

    wrong = stream_write(&call->stream, request, strlen(request), options->timeout_ms);
    if (!wrong) {
        wrong = answer_read(&answer, &call->stream, options->timeout_ms, call->p);
    }
    if (wrong) {
        return fail(call, host, wrong);
    }
    if (answer.status == 101) {
        return complete(call, &answer, dial);
    }
    *again = answer.status == 401 &&
             answer_challenge(call, &call->server, &answer, "GET", options->url.target);
    if (*again && call->proxy.user->login == DIAL_DIGEST) {
        /* Its credentials were good for one tunnel: for the next it is asked anew.
         */
        call->proxy.value = NULL;
        call->proxy.answered = 0;
    }
    return refuse(call, host, &answer);
}

dial_e dial_open(dial_t *dial, const dial_options_t *options, const char **why, apr_pool_t *p)
{
    call_t call = {.options = options,
                   .server = {.user = &options->user,
                              .ask = "WWW-Authenticate",
                              .value = known_credentials(&options->user, p)},
                   .proxy = {.user = &options->proxy_user,
                             .ask = "Proxy-Authenticate",
                             .value = known_credentials(&options->proxy_user, p)},
                   .p = p};
    dial_e outcome;
    bool again;

    do {
        again = false;
        outcome = reach(&call, &again);
        if (outcome == DIAL_OK) {
            outcome = shake_hands(&call, dial, &again);
        }
        if (outcome != DIAL_OK) {
            stream_close(&call.stream);
        }
    } while (again);
    *why = call.why;
    return outcome;
}
