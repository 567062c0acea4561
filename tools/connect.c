/* `authws connect`: a WebSocket for people and scripts, lines in and lines out.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <apr_strings.h>
#include <errno.h>
#include <openssl/rand.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "authws.h"
#include "base/text.h"
#include "connect_options.h"

#define PIECE        (64 * 1024)
#define CLOSE_MS     5000
#define QUEUE_ENOUGH (1024 * 1024) /* while more waits to be sent, no line is read */

/* A growing string of bytes that is used up from its front. */
typedef struct bytes_t {
    unsigned char *data;
    size_t from, len, room;
} bytes_t;

typedef struct session_t {
    const connect_options_t *options;
    aw_ws_settings_t settings;
    aw_ws_conn_t conn;
    aw_ws_pool_t *pool;
    stream_t stream;
    bytes_t out;  /* to be sent */
    bytes_t line; /* of the input, not ended yet */
    bool input_over, server_over, failed;
    unsigned code;    /* the close code that counts; 0: none yet */
    int64_t close_at; /* when to close, or to give up waiting for it; 0: never */
    int64_t ping_at;
} session_t;

static volatile sig_atomic_t interrupted;

static void on_signal(int signo)
{
    interrupted = signo;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void append(bytes_t *bytes, const void *data, size_t len)
{
    if (bytes->from > 0 && bytes->from == bytes->len) {
        bytes->from = bytes->len = 0;
    }
    if (bytes->room - bytes->len < len) {
        bytes->room = (bytes->len + len) * 2;
        bytes->data = realloc(bytes->data, bytes->room);
        if (!bytes->data) {
            complain("out of memory");
            exit(EXIT_SYSTEM);
        }
    }
    if (len > 0) {
        memcpy(bytes->data + bytes->len, data, len);
    }
    bytes->len += len;
}

static void queue(session_t *session, const aw_ws_out_t *out)
{
    append(&session->out, out->head, out->head_len);
    append(&session->out, out->data, out->len);
}

static const unsigned char *mask_key(unsigned char key[4])
{
    if (RAND_bytes(key, 4) != 1) {
        complain("OpenSSL has no random bytes");
        exit(EXIT_SYSTEM);
    }
    return key;
}

static void send_frame(session_t *session, aw_ws_opcode_e opcode, const void *data, size_t len)
{
    unsigned char key[4];
    aw_ws_out_t out;

    if (aw_ws_conn_write(&session->conn, &session->settings, session->pool, opcode, data, len,
                         mask_key(key), &out)) {
        queue(session, &out);
    }
}

static void send_close(session_t *session, unsigned code, const char *reason)
{
    unsigned char key[4], payload[AW_WS_CONTROL_MAX];
    aw_ws_out_t out;

    if (aw_ws_conn_close(&session->conn, &session->settings, code, aw_span(reason), mask_key(key),
                         payload, &out)) {
        queue(session, &out);
        session->close_at = now_ms() + CLOSE_MS;
    }
    session->input_over = true;
}

/* Prints a message as a line. Standard output that is gone ends it all, as with
 * any filter. */
static void print_message(session_t *session, const aw_ws_found_t *found)
{
    if (fwrite(found->data, 1, found->len, stdout) != found->len || putchar('\n') == EOF ||
        fflush(stdout) != 0) {
        complain("standard output: %m");
        session->failed = true;
        send_close(session, AW_WS_CODE_GOING_AWAY, NULL);
    }
}

static void take_close(session_t *session, const aw_ws_found_t *found)
{
    char reason[4 * AW_WS_REASON_MAX + 1];

    session->code = found->code;
    if (session->options->verbose) {
        aw_text_escape(reason, sizeof(reason), (aw_span_t){(char *)found->data, found->len});
        complain("closed%s: %u%s%s", aw_ws_conn_close_sent(&session->conn) ? "" : " by the server",
                 found->code, found->len > 0 ? " " : "", reason);
    }
    send_close(session, found->code, NULL);
}

static void take_event(session_t *session, aw_ws_event_e event, const aw_ws_found_t *found)
{
    switch (event) {
    case AW_WS_EVENT_MESSAGE:
        print_message(session, found);
        if (session->close_at > 0 && !aw_ws_conn_close_sent(&session->conn)) {
            session->close_at = now_ms() + session->options->linger_ms;
        }
        break;
    case AW_WS_EVENT_PING:
        send_frame(session, AW_WS_PONG, found->data, found->len);
        break;
    case AW_WS_EVENT_PONG:
        if (session->options->verbose) {
            complain("pong");
        }
        break;
    case AW_WS_EVENT_CLOSE:
        take_close(session, found);
        break;
    case AW_WS_EVENT_FAILED:
        complain("the server breaks the protocol: %s", found->why);
        session->failed = true;
        send_close(session, found->code, found->why);
        break;
    case AW_WS_EVENT_MORE:
        break;
    }
}

static void take_bytes(session_t *session, unsigned char *in, size_t len)
{
    aw_ws_event_e event = AW_WS_EVENT_PING;

    while (len > 0 && event != AW_WS_EVENT_MORE) {
        aw_ws_found_t found;
        size_t used = 0;

        event = aw_ws_conn_read(&session->conn, &session->settings, session->pool, in, len, &used,
                                &found);
        take_event(session, event, &found);
        in += used;
        len -= used;
    }
}

/* Reads what has come from the server. */
static void read_server(session_t *session)
{
    unsigned char piece[PIECE];
    ssize_t n;

    while ((n = stream_take(&session->stream, piece, sizeof(piece))) > 0) {
        take_bytes(session, piece, (size_t)n);
    }
    if (n != STREAM_AGAIN) {
        session->server_over = true;
    }
}

static void write_server(session_t *session)
{
    bytes_t *out = &session->out;

    while (out->from < out->len) {
        const ssize_t n =
            stream_give(&session->stream, out->data + out->from, out->len - out->from);

        if (n == STREAM_BROKEN) {
            session->server_over = true;
            return;
        }
        if (n == STREAM_AGAIN) {
            return;
        }
        out->from += (size_t)n;
    }
}

/* Sends one line of the input. */
static void send_line(session_t *session, const unsigned char *line, size_t len)
{
    const bool binary = session->options->binary;

    if (!binary && aw_utf8_valid_prefix((aw_span_t){(const char *)line, len}) < len) {
        complain("a line that is not UTF-8 is left out; --binary would send it");
        session->failed = true;
        return;
    }
    send_frame(session, binary ? AW_WS_BINARY : AW_WS_TEXT, line, len);
}

static void end_input(session_t *session)
{
    session->input_over = true;
    if (session->line.len > session->line.from) {
        send_line(session, session->line.data + session->line.from,
                  session->line.len - session->line.from);
    }
    session->close_at = now_ms() + session->options->linger_ms;
}

static void read_input(session_t *session)
{
    unsigned char piece[PIECE];
    const ssize_t n = read(STDIN_FILENO, piece, sizeof(piece));
    bytes_t *line = &session->line;

    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    if (n <= 0) {
        end_input(session);
        return;
    }
    size_t searched = line->len - line->from;

    append(line, piece, (size_t)n);
    for (;;) {
        unsigned char *at = line->data + line->from;
        const size_t len = line->len - line->from;
        const unsigned char *end = memchr(at + searched, '\n', len - searched);

        if (!end) {
            break;
        }
        const size_t whole = (size_t)(end - at);

        send_line(session, at, whole > 0 && at[whole - 1] == '\r' ? whole - 1 : whole);
        line->from += whole + 1;
        searched = 0;
    }
}

/* How long to wait at the most; -1: for ever. */
static int patience(const session_t *session, int64_t now)
{
    int64_t at = session->close_at;

    if (session->ping_at > 0 && (at == 0 || session->ping_at < at)) {
        at = session->ping_at;
    }
    return at == 0 ? -1 : at <= now ? 0 : (int)(at - now);
}

/* What has become due. False: the server does not answer the close. */
static bool look_at_clock(session_t *session)
{
    const int64_t now = now_ms();

    if (interrupted && !aw_ws_conn_close_sent(&session->conn)) {
        send_close(session, AW_WS_CODE_GOING_AWAY, NULL);
    }
    if (session->ping_at > 0 && now >= session->ping_at) {
        session->ping_at = now + session->options->ping_ms;
        send_frame(session, AW_WS_PING, NULL, 0);
    }
    if (session->close_at > 0 && now >= session->close_at) {
        if (aw_ws_conn_close_sent(&session->conn)) {
            return false;
        }
        send_close(session, AW_WS_CODE_NORMAL, NULL);
    }
    return true;
}

static bool step(session_t *session)
{
    const size_t waiting = session->out.len - session->out.from;
    struct pollfd entries[2] = {
        {.fd = session->stream.fd, .events = (short)(POLLIN | (waiting > 0 ? POLLOUT : 0))},
        {.fd = session->input_over || waiting > QUEUE_ENOUGH ? -1 : STDIN_FILENO,
         .events = POLLIN}};

    if (poll(entries, 2, patience(session, now_ms())) < 0 && errno != EINTR) {
        complain("poll: %m");
        return false;
    }
    if (entries[1].revents != 0 && !interrupted) {
        read_input(session);
    }
    read_server(session);
    const bool go_on = look_at_clock(session);

    write_server(session);
    return go_on;
}

/* Until the close. Returns the exit status. */
static int talk(session_t *session)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    const connect_options_t *options = session->options;

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    session->input_over = options->no_input;
    session->ping_at = options->ping_ms > 0 ? now_ms() + options->ping_ms : 0;
    write_server(session);
    while (!session->server_over && step(session)) {
        if (aw_ws_conn_close_sent(&session->conn) && aw_ws_conn_close_received(&session->conn) &&
            session->out.from == session->out.len) {
            break;
        }
    }
    if (session->code == 0) {
        complain("the connection has ended without a close");
        return EXIT_NOT_SO;
    }
    const bool in_order = session->code == AW_WS_CODE_NORMAL ||
                          session->code == AW_WS_CODE_GOING_AWAY ||
                          session->code == AW_WS_CODE_NONE;

    if (!in_order && !options->verbose) {
        complain("closed by the server: %u", session->code);
    }
    return in_order && !session->failed ? EXIT_DONE : EXIT_NOT_SO;
}

int connect_run(int argc, char **argv, apr_pool_t *p)
{
    session_t session = {.stream.fd = -1};
    connect_options_t *options = apr_pcalloc(p, sizeof(*options));
    dial_t dial = {.early_len = 0};
    const char *why = NULL;
    bool answered = false;
    int rv = connect_options_read(options, argc, argv, &answered, p);

    if (rv != EXIT_DONE || answered) {
        return rv;
    }
    /* TLS writes without MSG_NOSIGNAL; a server may be gone as early as in the handshake. */
    signal(SIGPIPE, SIG_IGN);
    switch (dial_open(&dial, &options->dial, &why, p)) {
    case DIAL_OK:
        break;
    case DIAL_REFUSED:
        complain("%s", why);
        return EXIT_NOT_SO;
    case DIAL_FAILED:
        complain("%s", why);
        return EXIT_SYSTEM;
    }
    if (options->verbose) {
        complain("open: %s%s%s%s%s", options->dial.url.endpoint,
                 options->dial.proxy ? " through a proxy" : "",
                 dial.protocol ? ", subprotocol " : "", dial.protocol ? dial.protocol : "",
                 dial.deflate.on ? ", compressed" : "");
    }
    session.options = options;
    session.stream = dial.stream;
    session.pool = aw_ws_pool_create();
    if (!session.pool) {
        complain("out of memory");
        exit(EXIT_SYSTEM);
    }
    session.settings = (aw_ws_settings_t){.client = true,
                                          .max_message = options->max_message,
                                          .max_frame = options->max_message,
                                          .deflate = options->dial.deflate};
    aw_ws_conn_init(&session.conn, &dial.deflate);
    take_bytes(&session, dial.early, dial.early_len);
    rv = talk(&session);
    aw_ws_conn_end(&session.conn, session.pool);
    aw_ws_pool_destroy(session.pool);
    stream_close(&session.stream);
    free(session.out.data);
    free(session.line.data);
    return rv;
}
