/* The connections of one thread of `authws bench`: an epoll loop that sends and receives.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A connection carries one request at a time. One with nothing to send is on its client's idle
 * list, open or not, and is opened when it has something.
 *
 *     idle -> connecting -> sending -> receiving -> idle      closed on the way: idle
 *                 |                                           refused: backing off, then idle
 *
 * No event can be trusted to be for the state that its connection is in: earlier in the same
 * batch the connection may have been put to another use. So every step may find EAGAIN.
 */
#include "bench_loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "bench_jobs.h"

#define HEAD_MAX ((size_t)8192)
#define IN_MAX   (HEAD_MAX + 4096)
#define OUT_MAX  4096
#define EVENTS   256
#define NS       1000000000ull
#define BACKOFF  (NS / 20) /* after a connection was refused */
#define SWEEP    (NS / 2)  /* how often the clock is held against unanswered requests */
#define LAST_ASK (NS * 10) /* for what is under way when the time is up, if not less */

typedef enum state_e {
    STATE_IDLE,
    STATE_CONNECTING,
    STATE_SENDING,
    STATE_RECEIVING,
    STATE_BACKOFF
} state_e;

typedef struct client_t client_t;

typedef struct connection_t {
    int fd; /* -1: closed */
    state_e state;
    bool wants_out; /* registered for writing */
    client_t *client;
    struct connection_t *next; /* on the idle list, or among those that back off */
    uint64_t begun, due;
    unsigned served; /* requests on this connection */
    bench_job_e job;
    bench_attempt_t *attempt;
    size_t out_len, out_sent;
    size_t in_len, head_len; /* head_len 0: still in the head */
    bench_http_t http;       /* borrows the head in `in` */
    char out[OUT_MAX], in[IN_MAX];
} connection_t;

struct client_t {
    bench_client_t jobs;
    connection_t *idle;
    client_t *next; /* among those that wait for their next call */
    uint64_t due;
};

struct bench_loop_t {
    bench_jobs_t jobs;
    const bench_options_t *options;
    const volatile sig_atomic_t *stop;
    int epoll;
    uint64_t now, end, last; /* no new call after end (0: none); last is when patience ends */
    uint64_t swept;
    client_t *clients;
    unsigned clients_count;
    connection_t **connections;
    unsigned connections_count;
    client_t *waiting, **waiting_end;             /* by due time */
    connection_t *backing_off, **backing_off_end; /* likewise */
};

static uint64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

/* --- connections --- */

static void close_connection(connection_t *c)
{
    if (c->fd >= 0) {
        close(c->fd); /* leaves the epoll set by itself */
    }
    c->fd = -1;
    c->served = 0;
}

static void make_idle(connection_t *c)
{
    c->state = STATE_IDLE;
    c->next = c->client->idle;
    c->client->idle = c;
}

static void back_off(bench_loop_t *loop, connection_t *c)
{
    c->state = STATE_BACKOFF;
    c->due = loop->now + BACKOFF;
    c->next = NULL;
    *loop->backing_off_end = c;
    loop->backing_off_end = &c->next;
}

/* Begins to connect. False when it cannot. */
static bool open_connection(bench_loop_t *loop, connection_t *c)
{
    const struct sockaddr_storage *address = &loop->options->address;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    const int on = 1;

    c->fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        (connect(c->fd, (const struct sockaddr *)address, loop->options->address_len) != 0 &&
         errno != EINPROGRESS) ||
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        return false;
    }
    c->wants_out = true;
    c->state = STATE_CONNECTING;
    return true;
}

/* There will be no answer. `refused`: there was not even a connection. */
static void lose(bench_loop_t *loop, connection_t *c, bool refused)
{
    loop->jobs.stats.count[BENCH_CONNECTION_ERRORS] += refused || c->in_len > 0;
    loop->jobs.stats.count[BENCH_LOST] += !refused;
    bench_jobs_lost(&loop->jobs, &c->client->jobs, c->job, c->attempt);
    close_connection(c);
    if (refused) {
        back_off(loop, c);
    } else {
        make_idle(c);
    }
}

static void want_out(bench_loop_t *loop, connection_t *c, bool out)
{
    struct epoll_event event = {.events = EPOLLIN | (out ? EPOLLOUT : 0u), .data.ptr = c};

    if (c->wants_out != out) {
        c->wants_out = out;
        (void)epoll_ctl(loop->epoll, EPOLL_CTL_MOD, c->fd, &event);
    }
}

static void send_more(bench_loop_t *loop, connection_t *c)
{
    while (c->out_sent < c->out_len) {
        const ssize_t n = send(c->fd, c->out + c->out_sent, c->out_len - c->out_sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            want_out(loop, c, true);
            return;
        }
        if (n < 0) {
            lose(loop, c, false);
            return;
        }
        c->out_sent += (size_t)n;
    }
    want_out(loop, c, false);
    c->state = STATE_RECEIVING;
}

/* Writes the request into the connection's buffer. False when it has no room there. */
static bool compose(const bench_loop_t *loop, connection_t *c)
{
    const bench_options_t *options = loop->options;
    const bench_attempt_t *attempt = c->attempt;
    /* The server is to end it: then no port of ours lingers in TIME_WAIT. */
    const bool last = options->reconnect > 0 && c->served + 1 >= options->reconnect;
    const int n = snprintf(c->out, OUT_MAX,
                           "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: authws-bench\r\n"
                           "%s%s%.*s%s\r\n",
                           options->target, options->authority, last ? "Connection: close\r\n" : "",
                           attempt ? "Authorization: " : "", attempt ? (int)attempt->len : 0,
                           attempt ? attempt->text : "", attempt ? "\r\n" : "");

    c->out_len = n > 0 && n < OUT_MAX ? (size_t)n : 0;
    c->out_sent = c->in_len = c->head_len = 0;
    return c->out_len > 0;
}

/* Starts a job on a connection that is on no list. */
static void start(bench_loop_t *loop, connection_t *c, bench_job_e job, bench_attempt_t *attempt)
{
    c->job = job;
    c->attempt = attempt;
    c->begun = loop->now = clock_ns();
    if (!compose(loop, c)) {
        loop->jobs.stuck = true;
        lose(loop, c, false);
    } else if (c->fd >= 0) {
        c->state = STATE_SENDING;
        send_more(loop, c);
    } else if (!open_connection(loop, c)) {
        lose(loop, c, true);
    }
}

/* Gives idle connections of the client whatever there is to send. */
static void pump(bench_loop_t *loop, client_t *client)
{
    while (client->idle) {
        connection_t *c = client->idle;
        bench_attempt_t *attempt = NULL;
        const bench_job_e job = bench_jobs_next(&loop->jobs, &client->jobs, &attempt);

        if (job == BENCH_JOB_NONE) {
            return;
        }
        client->idle = c->next;
        start(loop, c, job, attempt);
    }
}

/* --- answers --- */

/* The answer is whole. */
static void finish(bench_loop_t *loop, connection_t *c)
{
    const unsigned limit = loop->options->reconnect;

    loop->now = clock_ns();
    bench_latency_add(&loop->jobs.stats, loop->now - c->begun);
    bench_jobs_done(&loop->jobs, &c->client->jobs, c->job, c->attempt, &c->http);
    c->served++;
    if (c->http.close || c->http.body == BENCH_BODY_UNTIL_END || (limit && c->served >= limit)) {
        close_connection(c);
    }
    make_idle(c);
}

/* Reads heads from the front of what came in, up to a final one. False when there is none that
 * can be understood. */
static bool read_head(connection_t *c)
{
    while (c->head_len == 0 && c->in_len > 0) {
        const size_t look = c->in_len < HEAD_MAX ? c->in_len : HEAD_MAX;
        const ssize_t n = bench_http_head(&c->http, c->in, look);

        if (n < 0 || (n == 0 && look == HEAD_MAX)) {
            return false;
        }
        if (n == 0) {
            break;
        }
        if (c->http.status >= 200) {
            c->head_len = (size_t)n;
        } else {
            c->in_len -= (size_t)n;
            memmove(c->in, c->in + n, c->in_len);
        }
    }
    return true;
}

/* Looks at what came in. The head stays in the buffer until the answer is whole, and every piece
 * of the body is dropped. False when it is no HTTP, or more than was asked for. */
static bool look(bench_loop_t *loop, connection_t *c)
{
    bool whole = false;

    if (!read_head(c)) {
        return false;
    }
    if (c->head_len == 0) {
        return true;
    }
    const size_t n = c->in_len - c->head_len;
    const ssize_t used = bench_http_body(&c->http, c->in + c->head_len, n, &whole);

    if (used < 0 || (size_t)used != n) {
        return false;
    }
    c->in_len = c->head_len;
    if (whole) {
        finish(loop, c);
    }
    return true;
}

static void receive(bench_loop_t *loop, connection_t *c)
{
    while (c->state == STATE_RECEIVING || c->state == STATE_SENDING) {
        const size_t room = IN_MAX - c->in_len;
        const ssize_t n = recv(c->fd, c->in + c->in_len, room, 0);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n <= 0) {
            if (n == 0 && c->head_len > 0 && c->http.body == BENCH_BODY_UNTIL_END) {
                finish(loop, c);
            } else {
                lose(loop, c, false);
            }
            return;
        }
        c->in_len += (size_t)n;
        if (!look(loop, c)) {
            loop->jobs.stats.count[BENCH_BAD_ANSWERS]++;
            lose(loop, c, false);
        } else if ((size_t)n < room) {
            return; /* most likely that was all: the next event will tell */
        }
    }
}

/* --- events --- */

static void connected(bench_loop_t *loop, connection_t *c)
{
    int failed = 0;
    socklen_t len = sizeof(failed);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &failed, &len) != 0 || failed != 0) {
        lose(loop, c, true);
        return;
    }
    loop->jobs.stats.count[BENCH_CONNECTS]++;
    c->state = STATE_SENDING;
    send_more(loop, c);
}

static void on_event(bench_loop_t *loop, connection_t *c, uint32_t events)
{
    if (c->state == STATE_IDLE && c->fd >= 0) {
        close_connection(c); /* the server has ended it, or says what nobody asked */
    } else if (c->state == STATE_CONNECTING) {
        connected(loop, c);
    } else {
        if (c->state == STATE_SENDING && (events & EPOLLOUT)) {
            send_more(loop, c);
        }
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
            receive(loop, c);
        }
    }
    pump(loop, c->client);
}

static void wait_for_call(bench_loop_t *loop, client_t *client, uint64_t due)
{
    client->due = due;
    client->next = NULL;
    *loop->waiting_end = client;
    loop->waiting_end = &client->next;
}

static void on_time(bench_loop_t *loop)
{
    loop->now = clock_ns();
    while (loop->waiting && loop->waiting->due <= loop->now) {
        client_t *client = loop->waiting;

        loop->waiting = client->next;
        loop->waiting_end = loop->waiting ? loop->waiting_end : &loop->waiting;
        bench_jobs_due(&loop->jobs, &client->jobs);
        wait_for_call(loop, client, client->due + loop->options->interval_ns);
        pump(loop, client);
    }
    while (loop->backing_off && loop->backing_off->due <= loop->now) {
        connection_t *c = loop->backing_off;

        loop->backing_off = c->next;
        loop->backing_off_end = loop->backing_off ? loop->backing_off_end : &loop->backing_off;
        make_idle(c);
        pump(loop, c->client);
    }
    if (loop->now < loop->swept + SWEEP) {
        return;
    }
    loop->swept = loop->now;
    for (unsigned i = 0; i < loop->connections_count; i++) {
        connection_t *c = loop->connections[i];

        if (c->state != STATE_IDLE && c->state != STATE_BACKOFF &&
            loop->now > c->begun + loop->options->patience_ns) {
            loop->jobs.stats.count[BENCH_TIMEOUTS]++;
            lose(loop, c, false);
            pump(loop, c->client);
        }
    }
}

static int wait_ms(const bench_loop_t *loop)
{
    uint64_t until = loop->swept + SWEEP;

    if (loop->waiting && loop->waiting->due < until) {
        until = loop->waiting->due;
    }
    if (loop->backing_off && loop->backing_off->due < until) {
        until = loop->backing_off->due;
    }
    if (loop->end > loop->now && loop->end < until) {
        until = loop->end;
    }
    return until <= loop->now ? 0 : (int)((until - loop->now + 999999) / 1000000);
}

/* Whether to go on. */
static bool goes_on(bench_loop_t *loop)
{
    if (*loop->stop && !loop->jobs.over) {
        loop->end = loop->now;
    }
    if (loop->end && loop->now >= loop->end && !loop->jobs.over) {
        loop->jobs.over = true;
        loop->last = loop->now + (loop->options->patience_ns < LAST_ASK ? loop->options->patience_ns
                                                                        : LAST_ASK);
    }
    return !bench_jobs_finished(&loop->jobs) && !(loop->jobs.over && loop->now > loop->last);
}

int bench_loop_run(bench_loop_t *loop, bench_stats_t *stats)
{
    struct epoll_event events[EVENTS];
    const uint64_t interval = loop->options->interval_ns;
    int failed = 0;

    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0) {
        return errno;
    }
    loop->now = loop->swept = clock_ns();
    loop->end = loop->options->duration_ns ? loop->now + loop->options->duration_ns : 0;
    for (unsigned i = 0; i < loop->clients_count; i++) {
        if (interval > 0) {
            /* Spread over the interval, as people are. */
            wait_for_call(loop, &loop->clients[i], loop->now + interval / loop->clients_count * i);
        }
        pump(loop, &loop->clients[i]);
    }
    while (failed == 0 && goes_on(loop)) {
        const int n = epoll_wait(loop->epoll, events, EVENTS, wait_ms(loop));

        for (int i = 0; i < n; i++) {
            on_event(loop, events[i].data.ptr, events[i].events);
        }
        failed = n < 0 && errno != EINTR ? errno : 0;
        on_time(loop);
    }
    for (unsigned i = 0; i < loop->connections_count; i++) {
        close_connection(loop->connections[i]);
    }
    for (unsigned i = 0; i < loop->clients_count; i++) {
        bench_session_end(&loop->clients[i].jobs.session);
    }
    close(loop->epoll);
    loop->jobs.stats.count[BENCH_LOST] += loop->jobs.under_way;
    *stats = loop->jobs.stats;
    return failed != 0 ? failed : loop->jobs.stuck ? EMSGSIZE : 0;
}

/* How many of `all` fall to thread `which` when they are dealt out in turns. */
static uint64_t share_of(uint64_t all, unsigned which, unsigned threads)
{
    return all / threads + (which < all % threads);
}

bench_loop_t *bench_loop_create(const bench_options_t *options, unsigned thread,
                                const volatile sig_atomic_t *stop, apr_pool_t *p)
{
    bench_loop_t *loop = apr_pcalloc(p, sizeof(*loop));
    bench_jobs_t *jobs = &loop->jobs;

    loop->options = jobs->options = options;
    loop->stop = stop;
    loop->waiting_end = &loop->waiting;
    loop->backing_off_end = &loop->backing_off;
    apr_pool_create(&jobs->ptemp, p);
    /* Never 0, and another one in every thread. */
    jobs->random = (options->seed + thread * 0x9e3779b97f4a7c15ull) | 1;
    jobs->budget =
        options->requests ? share_of(options->requests, thread, options->threads) : UINT64_MAX;
    loop->clients_count = (unsigned)share_of(options->clients, thread, options->threads);
    loop->clients = apr_pcalloc(p, loop->clients_count * sizeof(*loop->clients));
    for (unsigned i = 0; i < loop->clients_count; i++) {
        const size_t nth = (size_t)i * options->threads + thread;
        const bench_user_t *user =
            options->users_count ? &options->users[nth % options->users_count] : NULL;

        bench_session_init(&loop->clients[i].jobs.session, options, user, &jobs->stats,
                           &jobs->random, p);
    }
    loop->connections = apr_pcalloc(p, options->connections * sizeof(connection_t *));
    for (unsigned i = 0; i < options->connections; i++) {
        const unsigned client = i % options->clients;

        if (client % options->threads == thread) {
            connection_t *c = apr_palloc(p, sizeof(*c));

            *c = (connection_t){.fd = -1, .client = &loop->clients[client / options->threads]};
            loop->connections[loop->connections_count++] = c;
            make_idle(c);
        }
    }
    return loop;
}
