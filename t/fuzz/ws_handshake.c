/* Fuzzing of the WebSocket handshake and of origins: what is let through holds what it promises.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Lines are the fields of a request (see FIELDS); a line that is missing is a field not sent.
 */
#include <stdint.h>
#include <stdlib.h>

#include "ws/handshake.h"
#include "ws/origin.h"

enum {
    METHOD,
    UPGRADE,
    CONNECTION,
    KEY,
    VERSION,
    PROTOCOL,
    HOST,
    ORIGIN,
    RULE,
    ACCEPT,
    CHOSEN,
    FIELDS
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

/* Each field in a block of its own size, so that the sanitizer sees the first byte behind it. */
static void split(aw_span_t *fields, const char *data, size_t size)
{
    for (size_t i = 0; i < FIELDS && size > 0; i++) {
        const char *end = memchr(data, '\n', size);
        const size_t len = end != NULL ? (size_t)(end - data) : size;
        char *copy = malloc(len > 0 ? len : 1);
        require(copy != NULL);
        memcpy(copy, data, len);
        fields[i] = (aw_span_t){copy, len};
        data += end != NULL ? len + 1 : len;
        size -= end != NULL ? len + 1 : len;
    }
}

static void check_handshake(const aw_span_t *fields)
{
    const aw_ws_request_t request = {.method = fields[METHOD],
                                     .http11 = true,
                                     .host = fields[HOST],
                                     .upgrade = fields[UPGRADE],
                                     .connection = fields[CONNECTION],
                                     .key = fields[KEY],
                                     .version = fields[VERSION],
                                     .protocol = fields[PROTOCOL]};
    const aw_span_t ours[] = {AW_SPAN_LIT("chat"), AW_SPAN_LIT("mqtt")};
    const char *why = NULL;
    char accept[AW_WS_ACCEPT_LEN + 1];
    size_t chosen = 99;

    if (aw_ws_handshake_check(&request, &why) == AW_WS_HANDSHAKE_OK) {
        require(aw_ws_accept(accept, fields[KEY]) && strlen(accept) == AW_WS_ACCEPT_LEN);
        require(aw_ws_protocol_choose(&chosen, fields[PROTOCOL], ours, 2) && chosen <= 2);
        const aw_span_t name = chosen < 2 ? ours[chosen] : (aw_span_t){NULL, 0};
        require(aw_ws_answer_check(fields[KEY], AW_SPAN_LIT("websocket"), AW_SPAN_LIT("Upgrade"),
                                   aw_span(accept), name, fields[PROTOCOL]) == NULL);
        require(why == NULL);
    } else {
        (void)aw_ws_protocol_choose(&chosen, fields[PROTOCOL], ours, 2);
    }
    (void)aw_ws_answer_check(fields[KEY], fields[UPGRADE], fields[CONNECTION], fields[ACCEPT],
                             fields[CHOSEN], fields[PROTOCOL]);
}

static void check_origin(const aw_span_t *fields)
{
    const aw_ws_origins_t list = {.count = 1, .list = &fields[RULE]};
    const aw_ws_origins_t same = {.same = true};
    const aw_span_t origin = fields[ORIGIN];
    const bool wrong = aw_ws_origin_check(origin) != NULL;

    if (aw_ws_origin_allowed(&list, origin, fields[HOST], false)) {
        require(!wrong && aw_ws_origin_check(fields[RULE]) == NULL);
    }
    for (int tls = 0; tls <= 1; tls++) {
        if (aw_ws_origin_allowed(&same, origin, fields[HOST], tls == 1)) {
            require(!wrong && origin.len > 7 && origin.ptr[4] == (tls == 1 ? origin.ptr[4] : ':'));
        }
    }
    /* An origin lets itself through. */
    if (!wrong && memchr(origin.ptr, '*', origin.len) == NULL) {
        const aw_ws_origins_t itself = {.count = 1, .list = &origin};
        require(aw_ws_origin_allowed(&itself, origin, fields[HOST], false));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    aw_span_t fields[FIELDS] = {{NULL, 0}};

    split(fields, (const char *)data, size);
    check_handshake(fields);
    check_origin(fields);
    for (size_t i = 0; i < FIELDS; i++) {
        free((void *)(uintptr_t)fields[i].ptr);
    }
    return 0;
}
