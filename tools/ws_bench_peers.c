/* Many WebSockets in one epoll loop: echo, idle and fan-out of `authws bench ws`.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A message begins with 16 hexadecimal digits of when it was sent, in nanoseconds, and 16 of its
 * number on its connection: what comes back out of order, twice or not at all is seen.
 */
#include "ws_bench.h"

#include <apr_strings.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "authws.h"

#define PIECE  (256 * 1024)
#define STAMPS 32

typedef struct peer_t {
    stream_t stream;
    aw_ws_conn_t conn;
    uint64_t sent, received;
    unsigned char *out; /* what could not be written at once */
    size_t out_from, out_len, out_room;
    bool waiting; /* for being writable */
    bool over;
} peer_t;

typedef struct bench_t {
    const ws_bench_options_t *options;
    ws_bench_result_t *result;
    aw_ws_settings_t settings, reading;
    aw_ws_pool_t *pool;
    peer_t *peers; /* of fan-out the last one publishes */
    size_t count, alive;
    int epoll;
    unsigned char *payload, *piece;
    uint64_t begun, wanted, until;
    bool pinging;
} bench_t;

static void drop(bench_t *bench, peer_t *peer, const char *why)
{
    if (peer->over) {
        return;
    }
    peer->over = true;
    bench->alive--;
    bench->result->broken++;
    bench->result->why = bench->result->why ? bench->result->why : why;
    stream_close(&peer->stream);
}

static bool keep(peer_t *peer, const void *data, size_t len)
{
    if (peer->out_from == peer->out_len) {
        peer->out_from = peer->out_len = 0;
    }
    if (peer->out_room - peer->out_len < len) {
        const size_t room = (peer->out_len + len) * 2;
        unsigned char *more = realloc(peer->out, room);

        if (!more) {
            return false;
        }
        peer->out = more;
        peer->out_room = room;
    }
    memcpy(peer->out + peer->out_len, data, len);
    peer->out_len += len;
    return true;
}

/* Writes what is kept, and asks to be told when more can be. */
static void flush(bench_t *bench, peer_t *peer)
{
    while (!peer->over && peer->out_from < peer->out_len) {
        const ssize_t n =
            stream_give(&peer->stream, peer->out + peer->out_from, peer->out_len - peer->out_from);

        if (n == STREAM_AGAIN) {
            break;
        }
        if (n == STREAM_BROKEN) {
            drop(bench, peer, "a write failed");
            return;
        }
        peer->out_from += (size_t)n;
    }
    const bool waiting = peer->out_from < peer->out_len;

    if (!peer->over && waiting != peer->waiting) {
        struct epoll_event event = {.events = EPOLLIN | (waiting ? (uint32_t)EPOLLOUT : 0),
                                    .data.ptr = peer};

        peer->waiting = waiting;
        (void)epoll_ctl(bench->epoll, EPOLL_CTL_MOD, peer->stream.fd, &event);
    }
}

static void put(bench_t *bench, peer_t *peer, aw_ws_opcode_e opcode, const void *data, size_t len)
{
    /* The keys are for proxies that would take frames for requests: a load needs none that nobody
     * can guess. */
    const unsigned char key[4] = {0x5a, (unsigned char)peer->sent, 0xc3, 0x17};
    aw_ws_out_t out;

    if (!aw_ws_conn_write(&peer->conn, &bench->settings, bench->pool, opcode, data, len, key,
                          &out) ||
        !keep(peer, out.head, out.head_len) || !keep(peer, out.data, out.len)) {
        drop(bench, peer, "a message could not be sent");
    }
}

static void send_next(bench_t *bench, peer_t *peer)
{
    char stamps[STAMPS + 1];

    (void)snprintf(stamps, sizeof(stamps), "%016" PRIx64 "%016" PRIx64, ws_bench_now(), peer->sent);
    memcpy(bench->payload, stamps, STAMPS);
    put(bench, peer, bench->options->binary ? AW_WS_BINARY : AW_WS_TEXT, bench->payload,
        bench->options->size);
    peer->sent++;
}

/* Whether connection `peer` may send one more. */
static bool may_send(const bench_t *bench, const peer_t *peer)
{
    const ws_bench_options_t *options = bench->options;

    if (bench->until > 0 && ws_bench_now() >= bench->until) {
        return false;
    }
    if (options->mode == WS_BENCH_FANOUT) {
        const uint64_t done = bench->result->messages / (bench->count - 1);

        return (bench->wanted == 0 || peer->sent < bench->wanted) &&
               peer->sent < done + options->depth;
    }
    return (bench->wanted == 0 || peer->sent < bench->wanted) &&
           peer->sent - peer->received < options->depth;
}

static void take_message(bench_t *bench, peer_t *peer, const aw_ws_found_t *found)
{
    char stamps[STAMPS + 1] = "";
    uint64_t at = 0, number = 0;

    if (found->len >= STAMPS) {
        memcpy(stamps, found->data, STAMPS);
    }
    if (found->len != bench->options->size ||
        sscanf(stamps, "%16" SCNx64 "%16" SCNx64, &at, &number) != 2 || number != peer->received ||
        memcmp(found->data + STAMPS, bench->payload + STAMPS, found->len - STAMPS) != 0) {
        bench->result->wrong++;
        bench->result->why = bench->result->why ? bench->result->why : "a message was not the next";
    } else {
        bench_latency_add(&bench->result->latency, ws_bench_now() - at);
    }
    peer->received++;
    bench->result->messages++;
}

static void take_event(bench_t *bench, peer_t *peer, aw_ws_event_e event,
                       const aw_ws_found_t *found)
{
    switch (event) {
    case AW_WS_EVENT_MESSAGE:
        if (peer != &bench->peers[bench->count - 1] || bench->options->mode != WS_BENCH_FANOUT) {
            take_message(bench, peer, found);
        }
        break;
    case AW_WS_EVENT_PING:
        put(bench, peer, AW_WS_PONG, found->data, found->len);
        break;
    case AW_WS_EVENT_PONG:
        bench->result->messages += bench->pinging;
        break;
    case AW_WS_EVENT_CLOSE:
        bench->result->going_away += found->code == AW_WS_CODE_GOING_AWAY;
        drop(bench, peer, "the server has closed a connection");
        break;
    case AW_WS_EVENT_FAILED:
        drop(bench, peer, found->why);
        break;
    case AW_WS_EVENT_MORE:
        break;
    }
}

static void take_bytes(bench_t *bench, peer_t *peer, unsigned char *in, size_t len)
{
    aw_ws_event_e event = AW_WS_EVENT_PING;

    while (len > 0 && event != AW_WS_EVENT_MORE && !peer->over) {
        aw_ws_found_t found;
        size_t used = 0;

        event = aw_ws_conn_read(&peer->conn, &bench->reading, bench->pool, in, len, &used, &found);
        take_event(bench, peer, event, &found);
        in += used;
        len -= used;
    }
}

static void fill(bench_t *bench, peer_t *peer)
{
    while (!peer->over && may_send(bench, peer)) {
        send_next(bench, peer);
    }
    flush(bench, peer);
}

static void on_event(bench_t *bench, peer_t *peer)
{
    ssize_t n = 0;

    while (!peer->over && (n = stream_take(&peer->stream, bench->piece, PIECE)) > 0) {
        take_bytes(bench, peer, bench->piece, (size_t)n);
        if (n < PIECE && !peer->stream.ssl) {
            break;
        }
    }
    if (!peer->over && (n == STREAM_END || n == STREAM_BROKEN)) {
        drop(bench, peer, "a connection has ended");
    }
    if (peer->over) {
        return;
    }
    if (bench->options->mode == WS_BENCH_ECHO && !bench->pinging) {
        fill(bench, peer);
    } else {
        flush(bench, peer);
    }
}

/* Goes round until `wanted` messages have come in all (0: until `until`), or the patience with
 * nothing at all ends. */
static void go_round(bench_t *bench, uint64_t wanted, uint64_t until,
                     const volatile sig_atomic_t *stop)
{
    struct epoll_event events[256];
    peer_t *publisher = &bench->peers[bench->count - 1];

    while (!*stop && bench->alive > 0 && (wanted == 0 || bench->result->messages < wanted)) {
        const uint64_t now = ws_bench_now();

        if (until > 0 && now >= until) {
            break;
        }
        const uint64_t left = until > 0 ? (until - now) / 1000000 + 1 : UINT64_MAX;
        const bool limited = left < bench->options->patience_ms;
        const int n = epoll_wait(bench->epoll, events, 256,
                                 (int)(limited ? left : bench->options->patience_ms));

        if (n == 0 && !limited && bench->options->mode != WS_BENCH_IDLE) {
            break;
        }
        for (int i = 0; i < n; i++) {
            on_event(bench, events[i].data.ptr);
        }
        if (bench->options->mode == WS_BENCH_FANOUT && !publisher->over) {
            fill(bench, publisher);
        }
    }
}

static bool open_all(bench_t *bench, const volatile sig_atomic_t *stop, apr_pool_t *p)
{
    const uint64_t begun = ws_bench_now();
    apr_pool_t *ptemp = NULL;

    apr_pool_create(&ptemp, p);
    for (size_t i = 0; i < bench->count && !*stop; i++) {
        peer_t *peer = &bench->peers[i];
        dial_t dial = {.early_len = 0};
        const char *why = NULL;

        apr_pool_clear(ptemp);
        if (dial_open(&dial, &bench->options->dial, &why, ptemp) != DIAL_OK) {
            bench->result->refused++;
            bench->result->why = bench->result->why ? bench->result->why : apr_pstrdup(p, why);
            if (bench->result->opened == 0) {
                break;
            }
            peer->over = true;
            continue;
        }
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};

        peer->stream = dial.stream;
        aw_ws_conn_init(&peer->conn, &dial.deflate);
        bench->result->opened++;
        bench->alive++;
        if (epoll_ctl(bench->epoll, EPOLL_CTL_ADD, peer->stream.fd, &event) != 0) {
            drop(bench, peer, "epoll refuses a connection");
        }
        take_bytes(bench, peer, dial.early, dial.early_len);
    }
    bench->result->opening = (double)(ws_bench_now() - begun) / 1e9;
    if (bench->alive == 0) {
        complain("%s", bench->result->why ? bench->result->why : "stopped");
    }
    return bench->alive > 0;
}

static void run(bench_t *bench, const volatile sig_atomic_t *stop)
{
    const ws_bench_options_t *options = bench->options;
    const bool fanout = options->mode == WS_BENCH_FANOUT;
    uint64_t sent = 0;

    bench->begun = ws_bench_now();
    bench->until = options->time_ms > 0 ? bench->begun + options->time_ms * 1000000 : 0;
    if (options->mode == WS_BENCH_IDLE) {
        go_round(bench, 0, bench->until, stop);
        bench->pinging = true;
        for (size_t i = 0; i < bench->count; i++) {
            if (!bench->peers[i].over) {
                put(bench, &bench->peers[i], AW_WS_PING, "still there?", 12);
                flush(bench, &bench->peers[i]);
            }
        }
        sent = bench->alive;
        bench->begun = ws_bench_now();
        go_round(bench, sent, bench->begun + options->patience_ms * 1000000, stop);
    } else {
        /* What is wanted is of each connection, or of the publisher. */
        bench->wanted = options->messages == 0 ? 0
                        : fanout               ? options->messages
                                 : (options->messages + bench->count - 1) / bench->count;
        for (size_t i = fanout ? bench->count - 1 : 0; i < bench->count; i++) {
            if (!bench->peers[i].over) {
                fill(bench, &bench->peers[i]);
            }
        }
        go_round(bench, fanout ? bench->wanted * (bench->alive - 1) : bench->wanted * bench->alive,
                 bench->until, stop);
    }
    bench->result->seconds = (double)(ws_bench_now() - bench->begun) / 1e9;
    /* What is still under way is waited for, and not counted into the time. */
    for (size_t i = 0; !fanout && options->mode == WS_BENCH_ECHO && i < bench->count; i++) {
        sent += bench->peers[i].over ? bench->peers[i].received : bench->peers[i].sent;
    }
    if (fanout) {
        sent = bench->peers[bench->count - 1].sent * (bench->alive > 0 ? bench->alive - 1 : 0);
    }
    bench->until = bench->until > 0 ? 1 : 0;
    if (sent > bench->result->messages) {
        go_round(bench, sent, ws_bench_now() + options->patience_ms * 1000000, stop);
    }
    bench->result->late = sent > bench->result->messages ? sent - bench->result->messages : 0;
}

static void close_all(bench_t *bench)
{
    for (size_t i = 0; i < bench->count; i++) {
        peer_t *peer = &bench->peers[i];
        unsigned char payload[AW_WS_CONTROL_MAX];
        const unsigned char key[4] = {1, 2, 3, 4};
        aw_ws_out_t out;

        if (!peer->over && aw_ws_conn_close(&peer->conn, &bench->settings, AW_WS_CODE_NORMAL,
                                            (aw_span_t){NULL, 0}, key, payload, &out)) {
            (void)(keep(peer, out.head, out.head_len) && keep(peer, out.data, out.len));
            flush(bench, peer);
            stream_close(&peer->stream);
        }
        aw_ws_conn_end(&peer->conn, bench->pool);
        free(peer->out);
    }
}

bool ws_bench_peers(const ws_bench_options_t *options, ws_bench_result_t *result,
                    const volatile sig_atomic_t *stop, apr_pool_t *p)
{
    bench_t bench = {.options = options, .result = result};
    bool ok = false;

    bench.count = options->connections + (options->mode == WS_BENCH_FANOUT);
    bench.settings = (aw_ws_settings_t){.client = true,
                                        .max_message = UINT32_MAX,
                                        .max_frame = UINT32_MAX,
                                        .deflate = options->dial.deflate};
    bench.reading = bench.settings;
    bench.reading.client = !options->bare;
    bench.peers = calloc(bench.count, sizeof(*bench.peers));
    bench.payload = malloc(options->size);
    bench.piece = malloc(PIECE);
    bench.pool = aw_ws_pool_create();
    bench.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!bench.peers || !bench.payload || !bench.piece || !bench.pool || bench.epoll < 0) {
        complain("out of memory or descriptors");
        goto leave;
    }
    for (size_t i = 0; i < bench.count; i++) {
        bench.peers[i].stream.fd = -1;
    }
    for (size_t i = 0; i < options->size; i++) {
        bench.payload[i] = (unsigned char)("{\"key\": \"value\", \"n\": 12345}\n"[i % 29]);
    }
    ok = ws_bench_look(options, &result->before) && open_all(&bench, stop, p) &&
         ws_bench_look(options, &result->open);
    if (ok) {
        run(&bench, stop);
        ok = ws_bench_look(options, &result->after);
    }
    close_all(&bench);
leave:
    if (bench.epoll >= 0) {
        close(bench.epoll);
    }
    aw_ws_pool_destroy(bench.pool);
    free(bench.piece);
    free(bench.payload);
    free(bench.peers);
    return ok;
}
