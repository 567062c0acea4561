/* Tests of the opening handshake, both ends.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <stdio.h>

#include "ws/handshake.h"

#define KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define NONE   ((aw_span_t){NULL, 0})

static aw_ws_request_t good(void)
{
    return (aw_ws_request_t){.method = AW_SPAN_LIT("GET"),
                             .http11 = true,
                             .host = AW_SPAN_LIT("server.example.com"),
                             .upgrade = AW_SPAN_LIT("websocket"),
                             .connection = AW_SPAN_LIT("Upgrade"),
                             .key = AW_SPAN_LIT(KEY),
                             .version = AW_SPAN_LIT("13"),
                             .protocol = AW_SPAN_LIT("chat, superchat")};
}

static aw_ws_handshake_e check(const aw_ws_request_t *request)
{
    const char *why = NULL;
    const aw_ws_handshake_e got = aw_ws_handshake_check(request, &why);

    /* A reason where there is one to give, and only there. */
    CU_ASSERT_EQUAL(why != NULL, got == AW_WS_HANDSHAKE_BAD || got == AW_WS_HANDSHAKE_VERSION);
    return got;
}

/* One field of a good request replaced, behind a guard page. */
#define WITH(field, text, expected)                                                                \
    do {                                                                                           \
        aw_ws_request_t asked = good();                                                            \
        asked.field = unit_guard(text, strlen(text));                                              \
        CU_ASSERT_EQUAL(check(&asked), AW_WS_HANDSHAKE_##expected);                                \
        unit_guard_free(asked.field);                                                              \
    } while (0)

#define WITHOUT(field, expected)                                                                   \
    do {                                                                                           \
        aw_ws_request_t asked = good();                                                            \
        asked.field = NONE;                                                                        \
        CU_ASSERT_EQUAL(check(&asked), AW_WS_HANDSHAKE_##expected);                                \
    } while (0)

static void test_good(void)
{
    aw_ws_request_t request = good();

    CU_ASSERT_EQUAL(check(&request), AW_WS_HANDSHAKE_OK);
    WITH(upgrade, "WebSocket", OK);
    WITH(upgrade, "h2c, \tWEBSOCKET", OK);
    WITH(connection, "keep-alive, Upgrade", OK);
    WITH(connection, "keep-alive,,UPGRADE ,", OK);
    WITH(key, " " KEY " ", OK);
    WITH(version, "13 ", OK);
    WITH(protocol, "one", OK);
    WITHOUT(protocol, OK);
}

static void test_none(void)
{
    WITHOUT(upgrade, NONE);
    WITH(upgrade, "", NONE);
    WITH(upgrade, "h2c", NONE);
    WITH(upgrade, "websocket2", NONE);
    WITH(upgrade, "web socket", NONE);
    WITH(upgrade, "xwebsocket", NONE);
}

static void test_bad(void)
{
    aw_ws_request_t request = good();

    request.http11 = false;
    CU_ASSERT_EQUAL(check(&request), AW_WS_HANDSHAKE_BAD);
    request = good();
    request.body = true;
    CU_ASSERT_EQUAL(check(&request), AW_WS_HANDSHAKE_BAD);
    WITH(method, "POST", BAD);
    WITH(method, "get", BAD);
    WITHOUT(host, BAD);
    WITH(host, "", BAD);
    WITHOUT(connection, BAD);
    WITH(connection, "keep-alive", BAD);
    WITH(connection, "Upgraded", BAD);
    WITH(connection, "keep-alive Upgrade", BAD);
}

static void test_key(void)
{
    WITHOUT(key, BAD);
    WITH(key, "", BAD);
    WITH(key, "dGhlIHNhbXBsZSBub25jZQ=", BAD);
    WITH(key, "dGhlIHNhbXBsZSBub25jZQ", BAD);
    WITH(key, "dGhlIHNhbXBsZSBub25jZR==", BAD); /* bits left over */
    WITH(key, "dGhlIHNhbXBsZSBub25jZTE=", BAD); /* 17 bytes */
    WITH(key, "dGhlIHNhbXBsZSBub25jZTEy", BAD); /* 18 */
    WITH(key, "dGhlIHNhbXBsZSBub25j", BAD);
    WITH(key, "dGhlIHNhbXBsZSBub2-jZQ==", BAD);
    WITH(key, "dGhlIHNhbXBs SBub25jZQ==", BAD);
    WITH(key, KEY ", " KEY, BAD);
    WITH(key, KEY KEY, BAD);
}

static void test_version(void)
{
    WITH(version, "8", VERSION);
    WITH(version, "14", VERSION);
    WITH(version, "013", VERSION);
    WITH(version, "130", VERSION);
    WITH(version, "hixie", VERSION);
    WITHOUT(version, BAD);
    WITH(version, "", BAD);
    WITH(version, "13, 13", BAD);
    WITH(version, "13, 8", BAD);

    /* An old client, whose key is another, is told which version to take. */
    aw_ws_request_t request = good();
    request.version = AW_SPAN_LIT("6");
    request.key = NONE;
    CU_ASSERT_EQUAL(check(&request), AW_WS_HANDSHAKE_VERSION);
}

static const char *const wrong_lists[] = {"",      ",",     "a, ",     ", a",
                                          "a,,b",  "a b",   "a, b, a", "a, a",
                                          "a;q=1", "\"a\"", "a\x01",   "caf\xc3\xa9"};

static void test_protocols(void)
{
    const aw_span_t ours[] = {AW_SPAN_LIT("v2.chat"), AW_SPAN_LIT("chat"), AW_SPAN_LIT("mqtt")};
    size_t chosen = 99;

    CU_ASSERT(aw_ws_protocol_choose(&chosen, AW_SPAN_LIT("chat, v2.chat"), ours, 3) && chosen == 0);
    CU_ASSERT(aw_ws_protocol_choose(&chosen, AW_SPAN_LIT("x,\tmqtt ,chat"), ours, 3) &&
              chosen == 1);
    CU_ASSERT(aw_ws_protocol_choose(&chosen, AW_SPAN_LIT("Chat"), ours, 3) && chosen == 3);
    CU_ASSERT(aw_ws_protocol_choose(&chosen, AW_SPAN_LIT("Chat, chat"), ours, 3) && chosen == 1);
    CU_ASSERT(aw_ws_protocol_choose(&chosen, AW_SPAN_LIT("mqtt"), NULL, 0) && chosen == 0);
    CU_ASSERT(aw_ws_protocol_choose(&chosen, NONE, ours, 3) && chosen == 3);
    for (size_t i = 0; i < sizeof wrong_lists / sizeof wrong_lists[0]; i++) {
        const aw_span_t offered = unit_guard(wrong_lists[i], strlen(wrong_lists[i]));
        aw_ws_request_t request = good();
        CU_ASSERT(!aw_ws_protocol_choose(&chosen, offered, ours, 3));
        request.protocol = offered;
        CU_ASSERT_EQUAL(check(&request), AW_WS_HANDSHAKE_BAD);
        unit_guard_free(offered);
    }
}

static void test_many_protocols(void)
{
    char list[(AW_WS_PROTOCOLS_MAX + 1) * 8];
    const aw_span_t last = AW_SPAN_LIT("p63");
    size_t n = 0, chosen = 99, before = 0;

    for (int i = 0; i <= AW_WS_PROTOCOLS_MAX; i++) {
        before = n;
        n += (size_t)snprintf(list + n, sizeof list - n, i == 0 ? "p%d" : ", p%d", i);
    }
    CU_ASSERT(!aw_ws_protocol_choose(&chosen, (aw_span_t){list, n}, &last, 1));
    CU_ASSERT(aw_ws_protocol_choose(&chosen, (aw_span_t){list, before}, &last, 1) && chosen == 0);
}

static void test_accept(void)
{
    static const unsigned char sample[16] = "the sample nonce";
    char key[AW_WS_KEY_LEN + 1], accept[AW_WS_ACCEPT_LEN + 1];

    CU_ASSERT(aw_ws_accept(accept, AW_SPAN_LIT(KEY)));
    CU_ASSERT_STRING_EQUAL(accept, ACCEPT);
    CU_ASSERT(!aw_ws_accept(accept, AW_SPAN_LIT("short")));
    CU_ASSERT(!aw_ws_accept(accept, NONE));
    aw_ws_key(key, sample);
    CU_ASSERT_STRING_EQUAL(key, KEY);
}

static const char *answer(const char *upgrade, const char *connection, const char *accept,
                          const char *protocol, const char *offered)
{
    return aw_ws_answer_check(AW_SPAN_LIT(KEY), aw_span(upgrade), aw_span(connection),
                              aw_span(accept), aw_span(protocol), aw_span(offered));
}

static void test_answer(void)
{
    CU_ASSERT_PTR_NULL(answer("websocket", "Upgrade", ACCEPT, NULL, NULL));
    CU_ASSERT_PTR_NULL(answer("WebSocket", "keep-alive, upgrade", " " ACCEPT " ", NULL, "a, b"));
    CU_ASSERT_PTR_NULL(answer("websocket", "Upgrade", ACCEPT, "b", "a, b"));
    CU_ASSERT_PTR_NOT_NULL(answer(NULL, "Upgrade", ACCEPT, NULL, NULL));
    CU_ASSERT_PTR_NOT_NULL(answer("websocket, h2c", "Upgrade", ACCEPT, NULL, NULL));
    CU_ASSERT_PTR_NOT_NULL(answer("websocket", NULL, ACCEPT, NULL, NULL));
    CU_ASSERT_PTR_NOT_NULL(answer("websocket", "close", ACCEPT, NULL, NULL));
    CU_ASSERT_PTR_NOT_NULL(answer("websocket", "Upgrade", NULL, NULL, NULL));
    CU_ASSERT_PTR_NOT_NULL(
        answer("websocket", "Upgrade", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", NULL, NULL));
    CU_ASSERT_PTR_NOT_NULL(answer("websocket", "Upgrade", ACCEPT "=", NULL, NULL));
    CU_ASSERT_PTR_NOT_NULL(answer("websocket", "Upgrade", ACCEPT, "a", NULL));
    CU_ASSERT_PTR_NOT_NULL(answer("websocket", "Upgrade", ACCEPT, "c", "a, b"));
    CU_ASSERT_PTR_NOT_NULL(answer("websocket", "Upgrade", ACCEPT, "A", "a, b"));
    CU_ASSERT_PTR_NOT_NULL(answer("websocket", "Upgrade", ACCEPT, "a, b", "a, b"));
    CU_ASSERT_PTR_NOT_NULL(answer("websocket", "Upgrade", ACCEPT, "", "a, b"));
}

static const unit_test_t tests[] = {
    {"a handshake is known, whatever the case and order of its lists", test_good},
    {"without websocket in Upgrade there is none", test_none},
    {"method, HTTP version, body, Host and Connection must fit", test_bad},
    {"a key is 16 bytes in base64 and nothing else", test_key},
    {"another version is told apart from none and from a list", test_version},
    {"a subprotocol is chosen in our order; a wrong list is refused", test_protocols},
    {"the number of subprotocols is bounded", test_many_protocols},
    {"the RFC's key gives the RFC's answer", test_accept},
    {"a client takes only the answer to its own request", test_answer},
    {NULL, NULL}};
const unit_suite_t ws_handshake_suite = {"ws_handshake", tests};
