/* Live sockets that go from one loop to another, as from one process to the next.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "live_world.h"

static bool may_save = true, may_resume = true;
static unsigned resumed;

static long on_save(authws_socket_t *socket, void *out, size_t room)
{
    (void)socket;
    if (!may_save || room < 4) {
        return -1;
    }
    memcpy(out, "mine", 4);
    return 4;
}

static bool on_resume(authws_socket_t *socket, const void *saved, size_t len)
{
    CU_ASSERT_EQUAL_FATAL(len, 4);
    CU_ASSERT_EQUAL(memcmp(saved, "mine", 4), 0);
    /* The owner pointer is no pointer of this process: the test's world is the only one. */
    socket->state = *(world_t *const *)authws_live_owner(socket);
    resumed++;
    return may_resume;
}

static void on_ended(authws_socket_t *socket, void *owner, const authws_ending_t *ending)
{
    world_on_ended(socket, *(world_t **)owner, ending);
}

static const authws_events_t movable_events = {
    .begin = world_on_begin,
    .message = world_on_message,
    .writable = world_on_writable,
    .close = world_on_close,
    .save = on_save,
    .resume = on_resume,
};

/* A world whose socket has owner bytes and can be moved. */
static void start(world_t *w, const aw_ws_deflate_params_t *deflate)
{
    authws_transport_t transport;
    int pair[2];

    world_init(w);
    may_save = may_resume = true;
    resumed = 0;
    w->echo = true;
    w->settings.events = &movable_events;
    world_pair(pair);
    w->fd = pair[1];
    aw_ws_conn_init(&w->client, deflate);
    const authws_live_t live = {.user = "bob",
                                .peer = "192.0.2.1",
                                .protocol = "chat",
                                .settings = &w->settings,
                                .deflate = deflate ? *deflate : (aw_ws_deflate_params_t){0},
                                .ended = on_ended,
                                .owner = &w,
                                .owner_size = sizeof w};
    w->socket = authws_live_create(&live);
    CU_ASSERT_PTR_NOT_NULL_FATAL(w->socket);
    w->socket->state = w;
    authws_transport_plain(&transport, pair[0]);
    authws_live_start(w->socket, &transport, w->loop, NULL, 0);
    world_run(w, 2);
}

/* What the other process brings along; no user and no owner of its own. */
static authws_live_t other(world_t *w)
{
    static world_t *nobody;

    return (authws_live_t){
        .settings = &w->settings, .ended = on_ended, .owner = &nobody, .owner_size = sizeof nobody};
}

/* Moves the socket to a loop of its own and goes on there. */
static void move(world_t *w)
{
    static unsigned char state[200000];
    authws_loop_t *old = w->loop;
    const authws_live_t live = other(w);
    int fd = -1;

    CU_ASSERT_FATAL(authws_live_may_move(w->socket));
    const size_t len = authws_live_save(w->socket, state, sizeof state, &fd);
    CU_ASSERT_FATAL(len > 0);
    fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    CU_ASSERT_FATAL(fd >= 0);
    authws_live_moved(w->socket);
    CU_ASSERT_EQUAL(w->ended, 1);
    CU_ASSERT_EQUAL(w->ending.code, 0);
    CU_ASSERT_EQUAL(w->close_code, 0);
    CU_ASSERT_EQUAL(authws_live_count(old), 0);
    authws_loop_destroy(old);
    w->ended = w->closed = 0;

    size_t owner_size = 0;
    const void *owner = authws_live_saved_owner(state, len, &owner_size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(owner);
    CU_ASSERT_EQUAL(owner_size, sizeof w);
    CU_ASSERT_EQUAL(memcmp(owner, &w, sizeof w), 0);
    CU_ASSERT_EQUAL_FATAL(authws_loop_create(&w->loop), APR_SUCCESS);
    /* At an exact end of memory. */
    aw_span_t guarded = unit_guard(state, len < 65536 ? len : 0);
    w->socket = authws_live_resume(&live, len < 65536 ? (const unsigned char *)guarded.ptr : state,
                                   len, fd, w->loop);
    unit_guard_free(guarded);
    CU_ASSERT_PTR_NOT_NULL_FATAL(w->socket);
    world_run(w, 2);
}

static void a_moved_socket_goes_on_wherever_in_a_frame_it_was(void)
{
    unsigned char *frame;
    world_t w;

    start(&w, NULL);
    const size_t n = world_frame(&w, &frame, AW_WS_TEXT, "move me around", 14);
    for (size_t cut = 0; cut <= n; cut++) {
        world_write(&w, frame, cut);
        world_run(&w, 2);
        move(&w);
        world_write(&w, frame + cut, n - cut);
        world_settle(&w);
        CU_ASSERT_EQUAL(w.messages, cut + 1);
        CU_ASSERT_EQUAL(w.got, cut + 1);
        CU_ASSERT_EQUAL(w.ended, 0);
    }
    CU_ASSERT_EQUAL(resumed, n + 1);
    CU_ASSERT_EQUAL(w.begun, 1);
    CU_ASSERT_STRING_EQUAL(authws_socket_user(w.socket), "bob");
    CU_ASSERT_STRING_EQUAL(authws_socket_peer(w.socket), "192.0.2.1");
    CU_ASSERT_STRING_EQUAL(authws_socket_protocol(w.socket), "chat");
    world_close(&w, 1000);
    world_settle(&w);
    close(w.fd);
    w.fd = -1;
    world_run(&w, 2);
    CU_ASSERT_EQUAL(w.ending.messages_in, n + 1); /* all its life long */
    CU_ASSERT_EQUAL(w.ending.messages_out, n + 1);
    free(frame);
    world_end(&w);
}

static void a_moved_socket_keeps_its_compression_window(void)
{
    static const aw_ws_deflate_params_t params = {true, 15, 15, true, true};
    char text[2000];
    world_t w;

    start(&w, &params);
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)('a' + i * i % 26);
    }
    for (unsigned i = 1; i <= 6; i++) {
        world_send(&w, AW_WS_TEXT, text, sizeof text);
        world_settle(&w);
        CU_ASSERT_EQUAL(w.messages, i);
        CU_ASSERT_EQUAL(w.got, i);
        CU_ASSERT_EQUAL(memcmp(w.last, text, sizeof w.last), 0);
        CU_ASSERT_EQUAL(memcmp(w.got_last, text, sizeof w.got_last), 0);
        move(&w);
    }
    world_end(&w);
}

static void a_service_that_does_not_resume_ends_with_1001(void)
{
    world_t w;

    start(&w, NULL);
    may_resume = false;
    move(&w);
    world_settle(&w);
    CU_ASSERT_EQUAL(w.got_code, 1001);
    world_end(&w);
}

static void fill(authws_socket_t *socket, void *baton)
{
    static char block[8192];
    unsigned *full = baton;

    while (*full == 0) {
        *full = authws_socket_send(socket, AUTHWS_BINARY, block, sizeof block) == AUTHWS_FULL;
    }
}

static void a_socket_that_has_something_to_say_does_not_move(void)
{
    unsigned char state[4096];
    unsigned full = 0;
    world_t w;
    int fd = -1;

    start(&w, NULL);
    CU_ASSERT(authws_live_is_movable(w.socket));
    may_save = false;
    CU_ASSERT_EQUAL(authws_live_save(w.socket, state, sizeof state, &fd), 0);
    may_save = true;
    authws_socket_run(w.socket, fill, &full);
    world_run(&w, 2);
    CU_ASSERT(!authws_live_may_move(w.socket));
    CU_ASSERT_EQUAL(authws_live_save(w.socket, state, sizeof state, &fd), 0);
    world_settle(&w);
    CU_ASSERT(authws_live_may_move(w.socket));
    CU_ASSERT(authws_live_save(w.socket, state, sizeof state, &fd) > 0);
    world_close(&w, 1000);
    world_settle(&w);
    CU_ASSERT(!authws_live_is_open(w.socket));
    CU_ASSERT(!authws_live_may_move(w.socket));
    CU_ASSERT_EQUAL(authws_live_save(w.socket, state, sizeof state, &fd), 0);
    world_end(&w);
}

static void no_room_is_ever_overrun_and_no_part_of_a_state_is_one(void)
{
    unsigned char state[4096], again[4096];
    world_t w;
    int fd = -1;

    start(&w, NULL);
    const authws_live_t live = other(&w);
    const size_t len = authws_live_save(w.socket, state, sizeof state, &fd);
    CU_ASSERT_FATAL(len > 0);
    for (size_t n = 0; n < len; n++) {
        size_t size;
        const aw_span_t part = unit_guard(state, n);
        const unsigned char *in = (const unsigned char *)part.ptr;

        CU_ASSERT_PTR_NULL(authws_live_resume(&live, in, n, fd, w.loop));
        CU_ASSERT_PTR_NULL(authws_live_saved_owner(in, n, &size));
        unit_guard_free(part);
        again[n] = 0x55;
        CU_ASSERT_EQUAL(authws_live_save(w.socket, again, n, &fd), 0);
        CU_ASSERT_EQUAL(again[n], 0x55);
    }
    state[0] ^= 1; /* another version */
    CU_ASSERT_PTR_NULL(authws_live_resume(&live, state, len, fd, w.loop));
    world_end(&w);
}

static void a_state_with_any_byte_changed_is_refused_or_harmless(void)
{
    static const authws_events_t none = {0};
    authws_live_settings_t quiet;
    unsigned char state[4096];
    unsigned refused = 0, taken = 0;
    world_t w;
    int fd = -1;

    start(&w, NULL);
    quiet = w.settings;
    quiet.events = &none; /* it does not resume: taken up, and ended with 1001 */
    const authws_live_t live = {.settings = &quiet};
    const size_t len = authws_live_save(w.socket, state, sizeof state, &fd);
    for (size_t i = 0; i < len; i++) {
        for (unsigned mask = 1; mask < 256; mask = mask * 2 + 1) {
            int pair[2];

            world_pair(pair);
            state[i] ^= (unsigned char)mask;
            if (authws_live_resume(&live, state, len, pair[0], w.loop)) {
                taken++;
            } else {
                refused++;
                close(pair[0]);
            }
            state[i] ^= (unsigned char)mask;
            close(pair[1]);
            world_run(&w, 4);
            CU_ASSERT_EQUAL(authws_live_count(w.loop), 1);
        }
    }
    CU_ASSERT(refused > 5 * 8 * 8); /* magic and lengths */
    CU_ASSERT(taken > 0);           /* counters */
    world_end(&w);
}

static void drop_it(authws_socket_t *socket, void *baton)
{
    (void)baton;
    authws_live_drop(socket);
}

static void a_dropped_socket_waits_for_nobody(void)
{
    world_t w;

    start(&w, NULL);
    authws_live_each(w.loop, drop_it, NULL);
    CU_ASSERT_EQUAL(w.ended, 1);
    CU_ASSERT_EQUAL(authws_live_count(w.loop), 0);
    world_end(&w);
}

#define T(name)                                                                                    \
    {                                                                                              \
#name, name                                                                                \
    }

static const unit_test_t tests[] = {
    T(a_moved_socket_goes_on_wherever_in_a_frame_it_was),
    T(a_moved_socket_keeps_its_compression_window),
    T(a_service_that_does_not_resume_ends_with_1001),
    T(a_socket_that_has_something_to_say_does_not_move),
    T(no_room_is_ever_overrun_and_no_part_of_a_state_is_one),
    T(a_state_with_any_byte_changed_is_refused_or_harmless),
    T(a_dropped_socket_waits_for_nobody),
    {NULL, NULL},
};

const unit_suite_t live_move_suite = {"live_move", tests};
