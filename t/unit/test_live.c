/* Live sockets: messages, every way to an end, backpressure, pings; over real socketpairs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "live_world.h"

#define SECOND APR_USEC_PER_SEC

static void a_message_reaches_the_service_and_its_echo_the_client(void)
{
    world_t w;

    world_init(&w);
    w.echo = true;
    world_start(&w, NULL, NULL, 0);
    CU_ASSERT_EQUAL(w.begun, 1);
    CU_ASSERT_STRING_EQUAL(authws_socket_user(w.socket), "alice");
    CU_ASSERT_STRING_EQUAL(authws_socket_peer(w.socket), "192.0.2.7:50000");
    CU_ASSERT_PTR_NULL(authws_socket_protocol(w.socket));
    CU_ASSERT_EQUAL(authws_live_count(w.loop), 1);
    world_send(&w, AW_WS_TEXT, "hello", 5);
    world_send(&w, AW_WS_BINARY, "", 0);
    world_settle(&w);
    CU_ASSERT_EQUAL(w.messages, 2);
    CU_ASSERT_EQUAL(w.got, 2);
    CU_ASSERT_EQUAL(w.got_bytes, 5);
    world_close(&w, 1000);
    world_settle(&w);
    CU_ASSERT_EQUAL(w.got_code, 1000);
    CU_ASSERT(w.got_end);
    close(w.fd);
    w.fd = -1;
    world_run(&w, 2);
    CU_ASSERT_EQUAL(w.ended, 1);
    CU_ASSERT_EQUAL(w.ending.code, 1000);
    CU_ASSERT_PTR_NULL(w.ending.why);
    CU_ASSERT_EQUAL(w.ending.messages_in, 2);
    CU_ASSERT_EQUAL(w.ending.messages_out, 2);
    CU_ASSERT_EQUAL(w.ending.in, 5);
    CU_ASSERT_EQUAL(w.ending.out, 5);
    CU_ASSERT_EQUAL(authws_live_count(w.loop), 0);
    world_end(&w);
}

static void what_came_behind_the_handshake_is_the_first_message(void)
{
    world_t w;
    unsigned char *frame;

    world_init(&w);
    aw_ws_conn_init(&w.client, NULL);
    const size_t n = world_frame(&w, &frame, AW_WS_TEXT, "early", 5);
    world_start(&w, NULL, frame, n - 1); /* and its last byte by the socket */
    CU_ASSERT_EQUAL(w.messages, 0);
    world_write(&w, frame + n - 1, 1);
    world_settle(&w);
    CU_ASSERT_EQUAL(w.messages, 1);
    CU_ASSERT_EQUAL(memcmp(w.last, "early", 5), 0);
    free(frame);
    world_end(&w);
}

static void any_split_of_the_input_gives_the_same_messages(void)
{
    world_t w;
    unsigned char *frame;

    world_init(&w);
    w.echo = true;
    world_start(&w, NULL, NULL, 0);
    for (unsigned round = 0; round < 5; round++) {
        const size_t n = world_frame(&w, &frame, AW_WS_TEXT, "byte by byte", 12);

        for (size_t i = 0; i < n; i++) {
            world_write(&w, frame + i, 1);
            world_run(&w, 1);
        }
        free(frame);
    }
    world_settle(&w);
    CU_ASSERT_EQUAL(w.messages, 5);
    CU_ASSERT_EQUAL(w.got, 5);
    world_end(&w);
}

static void messages_of_any_size_come_back_whole(void)
{
    static const size_t sizes[] = {0, 1, 125, 126, 16383, 16384, 65535, 65536, 300000, 1 << 20};
    char *data = malloc(1 << 20);
    world_t w;

    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    memset(data, 'x', 1 << 20);
    world_init(&w);
    w.echo = true;
    world_start(&w, NULL, NULL, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        w.got_bytes = 0;
        world_send(&w, AW_WS_TEXT, data, sizes[i]);
        world_settle(&w);
        CU_ASSERT_EQUAL(w.got, i + 1);
        CU_ASSERT_EQUAL(w.got_bytes, sizes[i]);
    }
    CU_ASSERT_EQUAL(authws_socket_queued(w.socket), 0);
    free(data);
    world_end(&w);
}

static void a_close_from_outside_comes_after_what_was_sent_from_there(void)
{
    world_t w;

    world_init(&w);
    world_start(&w, NULL, NULL, 0);
    CU_ASSERT_EQUAL(authws_socket_send(w.socket, AUTHWS_TEXT, "bye", 3), AUTHWS_SENT);
    authws_socket_close(w.socket, 4001, "enough");
    authws_socket_close(w.socket, 4002, "the first wins");
    CU_ASSERT_EQUAL(authws_socket_send(w.socket, AUTHWS_TEXT, "x", 1), AUTHWS_CLOSED);
    world_send(&w, AW_WS_TEXT, "too late", 8); /* no message event after the close */
    world_settle(&w);
    CU_ASSERT_EQUAL(w.got, 1);
    CU_ASSERT_EQUAL(w.got_code, 4001);
    CU_ASSERT_EQUAL(w.messages, 0);
    world_end(&w);
}

static void close_in_run(authws_socket_t *socket, void *baton)
{
    (void)baton;
    CU_ASSERT_EQUAL(authws_socket_send(socket, AUTHWS_TEXT, "bye", 3), AUTHWS_SENT);
    authws_socket_close(socket, 4001, "enough");
    authws_socket_close(socket, 4002, "the first wins");
    CU_ASSERT_EQUAL(authws_socket_send(socket, AUTHWS_TEXT, "x", 1), AUTHWS_CLOSED);
}

static void the_first_close_wins_after_what_was_sent_before(void)
{
    world_t w;

    world_init(&w);
    world_start(&w, NULL, NULL, 0);
    authws_socket_run(w.socket, close_in_run, NULL);
    world_run(&w, 1);
    world_send(&w, AW_WS_TEXT, "too late", 8);
    world_settle(&w);
    CU_ASSERT_EQUAL(w.got, 1);
    CU_ASSERT_EQUAL(w.got_code, 4001);
    CU_ASSERT_EQUAL(w.messages, 0);
    CU_ASSERT(!w.got_end); /* the peer's close frame is waited for */
    CU_ASSERT_EQUAL(w.closed, 0);
    world_close(&w, 3000);
    world_settle(&w);
    CU_ASSERT(w.got_end);
    CU_ASSERT_EQUAL(w.closed, 0); /* its FIN is, too */
    CU_ASSERT_EQUAL(shutdown(w.fd, SHUT_WR), 0);
    world_settle(&w);
    CU_ASSERT_EQUAL(w.close_code, 3000);
    world_end(&w);
}

static void a_peer_that_answers_no_close_is_waited_for_no_longer_than_the_timeout(void)
{
    world_t w;

    world_init(&w);
    world_start(&w, NULL, NULL, 0);
    authws_socket_run(w.socket, close_in_run, NULL);
    world_settle(&w);
    CU_ASSERT_EQUAL(w.got_code, 4001);
    CU_ASSERT_EQUAL(w.ended, 0);
    world_await(&w, &w.ended);
    CU_ASSERT_EQUAL(w.ended, 1);
    CU_ASSERT_EQUAL(w.close_code, 4001);
    CU_ASSERT_PTR_NOT_NULL(w.ending.why);
    world_end(&w);
}

static void a_peer_that_never_ends_is_lingered_for_no_longer_than_the_timeout(void)
{
    world_t w;

    world_init(&w);
    world_start(&w, NULL, NULL, 0);
    world_close(&w, 1000);
    world_settle(&w);
    CU_ASSERT(w.got_end);
    CU_ASSERT_EQUAL(w.ended, 0);
    world_await(&w, &w.ended);
    CU_ASSERT_EQUAL(w.close_code, 1000);
    world_end(&w);
}

static void a_close_frame_without_a_code_is_answered_without_one(void)
{
    world_t w;

    world_init(&w);
    world_start(&w, NULL, NULL, 0);
    world_close(&w, AW_WS_CODE_NONE);
    world_settle(&w);
    CU_ASSERT_EQUAL(w.got_code, AW_WS_CODE_NONE);
    close(w.fd);
    w.fd = -1;
    world_settle(&w);
    CU_ASSERT_EQUAL(w.close_code, AW_WS_CODE_NONE);
    world_end(&w);
}

static void a_mistake_of_the_peer_is_told_and_what_it_sends_on_is_discarded(void)
{
    static const unsigned char unmasked[] = {0x81, 0x01, 'x'};
    char *noise = calloc(1, 500000);
    world_t w;

    CU_ASSERT_PTR_NOT_NULL_FATAL(noise);
    world_init(&w);
    world_start(&w, NULL, NULL, 0);
    world_write(&w, unmasked, sizeof unmasked);
    world_write(&w, noise, 500000);
    world_settle(&w);
    CU_ASSERT_EQUAL(w.got_code, 1002);
    CU_ASSERT(w.got_end);
    CU_ASSERT_EQUAL(w.messages, 0);
    CU_ASSERT_EQUAL(w.ended, 0);
    CU_ASSERT_EQUAL(shutdown(w.fd, SHUT_WR), 0);
    world_settle(&w);
    CU_ASSERT_EQUAL(w.close_code, 1002);
    CU_ASSERT_PTR_NOT_NULL(w.ending.why);
    free(noise);
    world_end(&w);
}

static void a_peer_that_vanishes_ends_with_1006(void)
{
    world_t w;

    for (unsigned round = 0; round < 2; round++) { /* its FIN; a reset */
        world_init(&w);
        world_start(&w, NULL, NULL, 0);
        if (round == 0) {
            CU_ASSERT_EQUAL(shutdown(w.fd, SHUT_WR), 0);
        } else {
            close(w.fd);
            w.fd = -1;
            authws_socket_send(w.socket, AUTHWS_TEXT, "into the void", 13);
        }
        world_run(&w, 4);
        CU_ASSERT_EQUAL(w.ended, 1);
        CU_ASSERT_EQUAL(w.close_code, 1006);
        CU_ASSERT_PTR_NOT_NULL(w.ending.why);
        world_end(&w);
    }
}

static void a_socket_that_is_not_started_is_abandoned_with_its_close_event(void)
{
    world_t w;

    world_init(&w);
    authws_live_abandon(world_socket(&w, NULL));
    CU_ASSERT_EQUAL(w.closed, 1);
    CU_ASSERT_EQUAL(w.ended, 1);
    CU_ASSERT_EQUAL(w.close_code, 1006);
    world_end(&w);
}

static void a_descriptor_that_cannot_be_watched_ends_the_socket(void)
{
    world_t w;
    authws_transport_t transport;

    world_init(&w);
    authws_transport_plain(&transport, open("/dev/null", O_RDWR | O_CLOEXEC)); /* no epoll there */
    authws_live_start(world_socket(&w, NULL), &transport, w.loop, "x", 1);
    world_run(&w, 1);
    CU_ASSERT_EQUAL(w.begun, 0);
    CU_ASSERT_EQUAL(w.closed, 1);
    CU_ASSERT_EQUAL(w.ended, 1);
    world_end(&w);
}

static void a_loop_that_goes_away_ends_its_sockets(void)
{
    world_t w;

    world_init(&w);
    world_start(&w, NULL, NULL, 0);
    world_end(&w); /* asserts both events */
}

/* --- backpressure --- */

static void fill(authws_socket_t *socket, void *baton)
{
    static char block[8192];
    unsigned *full = baton;

    for (unsigned i = 0; i < 1000 && *full == 0; i++) {
        *full = authws_socket_send(socket, AUTHWS_BINARY, block, sizeof block) == AUTHWS_FULL
                    ? i + 1
                    : 0;
    }
}

static void a_full_queue_is_told_stops_reading_and_tells_when_it_is_half_empty(void)
{
    world_t w;
    unsigned full = 0;

    world_init(&w);
    world_start(&w, NULL, NULL, 0);
    authws_socket_run(w.socket, fill, &full);
    world_run(&w, 2);
    CU_ASSERT(full > 1);
    CU_ASSERT(authws_socket_queued(w.socket) > w.settings.send_buffer);
    world_send(&w, AW_WS_TEXT, "not yet", 7);
    world_run(&w, 10);
    CU_ASSERT_EQUAL(w.messages, 0);
    CU_ASSERT_EQUAL(w.writable, 0);
    for (unsigned i = 0; i < 100 && w.writable == 0; i++) {
        (void)world_read(&w);
        world_run(&w, 1);
    }
    CU_ASSERT_EQUAL(w.writable, 1);
    world_settle(&w);
    CU_ASSERT_EQUAL(w.messages, 1);
    CU_ASSERT_EQUAL(w.got, full);
    CU_ASSERT_EQUAL(w.got_bytes, full * 8192);
    CU_ASSERT_EQUAL(authws_socket_queued(w.socket), 0);
    world_end(&w);
}

static void an_echo_to_a_reader_that_never_reads_keeps_memory_bounded(void)
{
    static char block[4000];
    world_t w;
    size_t most = 0;
    unsigned sent = 0;

    world_init(&w);
    w.echo = true;
    world_start(&w, NULL, NULL, 0);
    for (unsigned i = 0; i < 3000; i++) {
        unsigned char *frame;
        const size_t n = world_frame(&w, &frame, AW_WS_BINARY, block, sizeof block);
        const ssize_t went = send(w.fd, frame, n, MSG_NOSIGNAL);

        free(frame);
        if (went != (ssize_t)n) {
            break; /* the server has stopped reading */
        }
        sent++;
        world_run(&w, 1);
        most = authws_socket_queued(w.socket) > most ? authws_socket_queued(w.socket) : most;
    }
    CU_ASSERT(sent > 10 && sent < 3000);
    CU_ASSERT(most <= w.settings.send_buffer + 2 * AUTHWS_LOOP_BUFFER);
    world_end(&w);
}

static void fill_some(authws_socket_t *socket, void *baton)
{
    static char block[8192];

    (void)baton;
    for (unsigned i = 0; i < 1000 && authws_socket_queued(socket) < 3 * AUTHWS_LOOP_BUFFER; i++) {
        CU_ASSERT_EQUAL(authws_socket_send(socket, AUTHWS_BINARY, block, sizeof block),
                        AUTHWS_SENT);
    }
}

static void a_hundred_thousand_pings_to_a_reader_that_never_reads_cost_one_pong(void)
{
    world_t w;

    world_init(&w);
    w.settings.send_buffer = 1 << 20; /* reading goes on */
    world_start(&w, NULL, NULL, 0);
    authws_socket_run(w.socket, fill_some, NULL);
    world_run(&w, 2);
    const size_t before = authws_socket_queued(w.socket);
    CU_ASSERT_FATAL(before > 0);
    for (uint32_t i = 0; i < 100000; i++) {
        unsigned char *ping;
        const size_t n = world_frame(&w, &ping, AW_WS_PING, &i, sizeof i);

        world_write(&w, ping, n);
        free(ping);
    }
    world_run(&w, 100);
    CU_ASSERT_EQUAL(authws_socket_queued(w.socket), before);
    CU_ASSERT_EQUAL(w.pongs, 0);
    world_settle(&w);
    CU_ASSERT_EQUAL(w.pongs, 1);
    world_end(&w);
}

static void every_ping_of_a_peer_that_reads_is_answered(void)
{
    world_t w;

    world_init(&w);
    world_start(&w, NULL, NULL, 0);
    for (unsigned i = 0; i < 50; i++) {
        world_send(&w, AW_WS_PING, &i, sizeof i);
    }
    world_settle(&w);
    CU_ASSERT_EQUAL(w.pongs, 50);
    CU_ASSERT_EQUAL(w.got_last_len, sizeof(unsigned));
    CU_ASSERT_EQUAL(*(unsigned *)(void *)w.got_last, 49);
    world_end(&w);
}

static void go_on(authws_socket_t *socket, void *baton)
{
    (void)baton;
    authws_socket_read(socket, true);
}

static void a_service_that_stops_reading_gets_no_message_until_it_goes_on(void)
{
    world_t w;

    world_init(&w);
    w.pause = true;
    world_start(&w, NULL, NULL, 0);
    for (unsigned i = 0; i < 20; i++) { /* all of them in one read */
        world_send(&w, AW_WS_TEXT, "one by one", 10);
    }
    world_settle(&w);
    CU_ASSERT_EQUAL(w.messages, 1);
    for (unsigned i = 2; i <= 20; i++) {
        authws_socket_run(w.socket, go_on, NULL);
        world_settle(&w);
        CU_ASSERT_EQUAL(w.messages, i);
    }
    w.pause = false;
    authws_socket_run(w.socket, go_on, NULL);
    world_send(&w, AW_WS_TEXT, "and on", 6);
    world_settle(&w);
    CU_ASSERT_EQUAL(w.messages, 21);
    world_end(&w);
}

static void a_peer_that_resets_while_nobody_reads_is_noticed(void)
{
    world_t w;

    world_init(&w);
    w.pause = true;
    world_start(&w, NULL, NULL, 0);
    world_send(&w, AW_WS_TEXT, "x", 1);
    world_settle(&w);
    close(w.fd);
    w.fd = -1;
    world_run(&w, 3);
    CU_ASSERT_EQUAL(w.ended, 1);
    CU_ASSERT_EQUAL(w.close_code, 1006);
    world_end(&w);
}

/* --- pings --- */

static void a_quiet_peer_is_pinged_and_lives_on_when_it_answers(void)
{
    world_t w;

    world_init(&w);
    w.settings.ping = SECOND / 5;
    w.settings.ping_timeout = SECOND / 2;
    world_start(&w, NULL, NULL, 0);
    for (unsigned i = 1; i <= 4; i++) {
        const unsigned before = w.pings;
        unsigned more = 0;

        for (unsigned j = 0; j < 500 && w.pings == before; j++) {
            world_run(&w, 1);
            (void)world_read(&w);
            (void)poll(NULL, 0, 10);
        }
        more = w.pings - before;
        CU_ASSERT_EQUAL(more, 1);
        world_send(&w, AW_WS_PONG, "", 0);
    }
    CU_ASSERT_EQUAL(w.ended, 0);
    world_end(&w);
}

static void a_peer_that_answers_no_ping_is_ended_with_1006(void)
{
    world_t w;

    world_init(&w);
    w.settings.ping = SECOND / 10;
    w.settings.ping_timeout = SECOND / 10;
    world_start(&w, NULL, NULL, 0);
    world_await(&w, &w.ended);
    CU_ASSERT_EQUAL(w.pings, 1);
    CU_ASSERT_EQUAL(w.close_code, 1006);
    CU_ASSERT_PTR_NOT_NULL(w.ending.why);
    world_end(&w);
}

static void a_peer_that_sends_a_byte_now_and_then_is_ended_all_the_same(void)
{
    static const unsigned char start[] = {0x82, 0xfe, 0x40, 0x00, 1, 2, 3, 4};
    world_t w;

    world_init(&w);
    w.settings.ping = SECOND / 10;
    w.settings.ping_timeout = SECOND;
    world_start(&w, NULL, NULL, 0);
    world_write(&w, start, sizeof start);
    for (unsigned i = 0; i < 200 && w.ended == 0; i++) {
        (void)send(w.fd, "x", 1, MSG_NOSIGNAL);
        world_run(&w, 1);
        (void)poll(NULL, 0, 10);
    }
    CU_ASSERT_EQUAL(w.ended, 1);
    CU_ASSERT_EQUAL(w.close_code, 1006);
    world_end(&w);
}

static void a_peer_within_a_long_frame_that_moves_on_is_given_time(void)
{
    static const unsigned char start[] = {0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 1, 2, 3, 4};
    static char part[2000];
    world_t w;
    unsigned i;

    world_init(&w);
    w.settings.ping = SECOND / 10;
    w.settings.ping_timeout = SECOND;
    world_start(&w, NULL, NULL, 0);
    world_write(&w, start, sizeof start);
    for (i = 0; i < 16 && w.ended == 0; i++) { /* 1.6 s: past ping and its timeout */
        world_write(&w, part, sizeof part);
        world_run(&w, 1);
        (void)poll(NULL, 0, 100);
    }
    CU_ASSERT_EQUAL(i, 16);
    CU_ASSERT_EQUAL(w.ended, 0);
    world_end(&w);
}

#define T(name)                                                                                    \
    {                                                                                              \
#name, name                                                                                \
    }

static const unit_test_t tests[] = {
    T(a_message_reaches_the_service_and_its_echo_the_client),
    T(what_came_behind_the_handshake_is_the_first_message),
    T(any_split_of_the_input_gives_the_same_messages),
    T(messages_of_any_size_come_back_whole),
    T(a_close_from_outside_comes_after_what_was_sent_from_there),
    T(the_first_close_wins_after_what_was_sent_before),
    T(a_peer_that_answers_no_close_is_waited_for_no_longer_than_the_timeout),
    T(a_peer_that_never_ends_is_lingered_for_no_longer_than_the_timeout),
    T(a_close_frame_without_a_code_is_answered_without_one),
    T(a_mistake_of_the_peer_is_told_and_what_it_sends_on_is_discarded),
    T(a_peer_that_vanishes_ends_with_1006),
    T(a_socket_that_is_not_started_is_abandoned_with_its_close_event),
    T(a_descriptor_that_cannot_be_watched_ends_the_socket),
    T(a_loop_that_goes_away_ends_its_sockets),
    T(a_full_queue_is_told_stops_reading_and_tells_when_it_is_half_empty),
    T(an_echo_to_a_reader_that_never_reads_keeps_memory_bounded),
    T(a_hundred_thousand_pings_to_a_reader_that_never_reads_cost_one_pong),
    T(every_ping_of_a_peer_that_reads_is_answered),
    T(a_service_that_stops_reading_gets_no_message_until_it_goes_on),
    T(a_peer_that_resets_while_nobody_reads_is_noticed),
    T(a_quiet_peer_is_pinged_and_lives_on_when_it_answers),
    T(a_peer_that_answers_no_ping_is_ended_with_1006),
    T(a_peer_that_sends_a_byte_now_and_then_is_ended_all_the_same),
    T(a_peer_within_a_long_frame_that_moves_on_is_given_time),
    {NULL, NULL},
};

const unit_suite_t live_suite = {"live", tests};
