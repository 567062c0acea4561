/* Fuzzing of a WebSocket connection: any split, and any move to another process, says the same.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte is the role and what was negotiated, the second one seeds the pieces; the rest is
 * what the peer sends.
 */
#include <stdint.h>
#include <stdlib.h>

#include "ws/conn.h"

enum { CLIENT = 1, DEFLATE = 2, TAKEOVER = 4, SMALL_WINDOW = 8, SMALL_LIMITS = 16 };

/* Room for a state: all that can be half there. */
#define SAVED_MAX (128 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An end, and what it said. */
typedef struct end_t {
    aw_ws_conn_t conn;
    aw_ws_pool_t *pool;
    unsigned char *said;
    size_t len, room;
} end_t;

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

static void say(end_t *end, const void *data, size_t len)
{
    if (end->room - end->len < len) {
        end->room = 2 * end->room + len + 256;
        end->said = realloc(end->said, end->room);
        require(end->said != NULL);
    }
    if (len > 0) {
        memcpy(end->said + end->len, data, len);
    }
    end->len += len;
}

static void feed(end_t *end, const aw_ws_settings_t *settings, const uint8_t *data, size_t size)
{
    unsigned char *copy = malloc(size > 0 ? size : 1), *at = copy;
    aw_ws_event_e event;

    require(copy != NULL);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    do {
        aw_ws_found_t found = {0};
        size_t used = 0;
        event = aw_ws_conn_read(&end->conn, settings, end->pool, at, size, &used, &found);
        require(used <= size && (event != AW_WS_EVENT_MORE || used == size));
        require(end->conn.message.len <= settings->max_message);
        require(found.len <= settings->max_message || event != AW_WS_EVENT_MESSAGE);
        at += used;
        size -= used;
        if (event == AW_WS_EVENT_MORE) {
            break;
        }
        say(end, &event, sizeof event);
        say(end, &found.opcode, sizeof found.opcode);
        say(end, &found.code, sizeof found.code);
        say(end, found.why, found.why != NULL ? strlen(found.why) : 0);
        say(end, &found.len, sizeof found.len);
        say(end, found.data, found.len);
    } while (event != AW_WS_EVENT_MORE);
    free(copy);
}

/* Goes on in another connection, where that can be done. */
static void move(end_t *end)
{
    unsigned char *saved = malloc(SAVED_MAX);
    aw_ws_conn_t other;

    require(saved != NULL);
    const size_t len = aw_ws_conn_save(&end->conn, saved, SAVED_MAX);
    if (len > 0) {
        require(aw_ws_conn_restore(&other, end->pool, saved, len));
        aw_ws_conn_end(&end->conn, end->pool);
        end->conn = other;
    }
    free(saved);
}

enum { WHOLE, PIECES, MOVED };

static end_t run(int how, unsigned seed, const aw_ws_settings_t *settings,
                 const aw_ws_deflate_params_t *params, const uint8_t *data, size_t size)
{
    end_t end = {.pool = aw_ws_pool_create()};

    require(end.pool != NULL);
    aw_ws_conn_init(&end.conn, params);
    while (how != WHOLE && size > 0) {
        seed = seed * 1103515245 + 12345;
        /* Mostly few bytes, so that heads are cut; sometimes many. */
        const unsigned most = (seed >> 28) == 0 ? 4096 : 7;
        const size_t want = 1 + (seed >> 16) % most, some = want < size ? want : size;
        feed(&end, settings, data, some);
        data += some;
        size -= some;
        if (how == MOVED) {
            move(&end);
        } else if ((seed >> 8) % 8 == 0) {
            aw_ws_conn_rest(&end.conn, end.pool);
        }
    }
    feed(&end, settings, data, size);
    aw_ws_conn_end(&end.conn, end.pool);
    aw_ws_pool_destroy(end.pool);
    return end;
}

/* What a peer sends may also be taken for a state. */
static void restore_anything(const uint8_t *data, size_t size)
{
    aw_ws_pool_t *pool = aw_ws_pool_create();
    const aw_ws_settings_t settings = {.max_message = 65536, .max_frame = 65536};
    end_t end = {.pool = pool};

    require(pool != NULL);
    if (aw_ws_conn_restore(&end.conn, pool, data, size)) {
        feed(&end, &settings, data, size);
        aw_ws_conn_end(&end.conn, pool);
    }
    free(end.said);
    aw_ws_pool_destroy(pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    const unsigned flags = data[0], seed = data[1];
    const aw_ws_settings_t settings = {.client = (flags & CLIENT) != 0,
                                       .max_message = flags & SMALL_LIMITS ? 100 : 65536,
                                       .max_frame = flags & SMALL_LIMITS ? 80 : 65536,
                                       .deflate = {.on = true, .level = 6}};
    const unsigned char window = flags & SMALL_WINDOW ? 9 : 15;
    const aw_ws_deflate_params_t params = {.on = (flags & DEFLATE) != 0,
                                           .out_window = window,
                                           .in_window = window,
                                           .out_takeover = (flags & TAKEOVER) != 0,
                                           .in_takeover = (flags & TAKEOVER) != 0};
    end_t whole = run(WHOLE, seed, &settings, &params, data + 2, size - 2);
    for (int how = PIECES; how <= MOVED; how++) {
        end_t other = run(how, seed, &settings, &params, data + 2, size - 2);
        require(other.len == whole.len &&
                (whole.len == 0 || memcmp(other.said, whole.said, whole.len) == 0));
        free(other.said);
    }
    free(whole.said);
    restore_anything(data + 2, size - 2);
    return 0;
}
