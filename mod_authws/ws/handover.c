/* Plain sockets go on in another child process: descriptor and state through a socket pair.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "handover.h"

#include <ap_mpm.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../state.h"
#include "account.h"
#include "base/text.h"

#define RETAINED_KEY "mod_authws:handover"
#define MAGIC        0x61774831u /* of the retained pair, and of messages */
#define VERSION      1u

/* Taken at one event, so that the loop's own sockets are served in between, and other processes
 * take their share. */
#define TAKE_MAX 8

typedef struct retained_t {
    uint32_t magic, version;
    int pair[2]; /* sending, receiving */
} retained_t;

typedef struct header_t {
    uint32_t magic, version, size, reserved;
} header_t;

/* Written in the parent before any child is forked. */
static int outlet = -1, inlet = -1;

/* Of this child. */
static uint64_t self;
static atomic_bool left; /* it takes no more */

void authws_handover_post_config(server_rec *s)
{
    retained_t *retained = ap_retained_data_get(RETAINED_KEY);

    /* Another version's: its processes and ours cannot talk, and the pair stays theirs. */
    if (retained && (retained->magic != MAGIC || retained->version != VERSION)) {
        outlet = inlet = -1;
        return;
    }
    if (!retained) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, errno, s,
                         AWLOGNO(2142) "no socket pair to hand WebSockets over at a graceful "
                                       "restart: they will be closed with 1001");
            return;
        }
        retained = ap_retained_data_create(RETAINED_KEY, sizeof(*retained));
        *retained = (retained_t){MAGIC, VERSION, {pair[0], pair[1]}};
    }
    outlet = retained->pair[0];
    inlet = retained->pair[1];
}

void authws_handover_join(void)
{
    self = aw_acceptors_self();
    if (inlet >= 0 && !aw_acceptors_add(authws_state_acceptors(), self)) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, ap_server_conf,
                     AWLOGNO(2143) "more child processes than the table of those that take "
                                   "WebSockets over has room for");
    }
}

void authws_handover_leave(void)
{
    atomic_store(&left, true);
    aw_acceptors_remove(authws_state_acceptors(), self);
}

bool authws_handover_possible(void)
{
    return outlet >= 0 && aw_acceptors_others(authws_state_acceptors(), self);
}

bool authws_handover_pending(void)
{
    struct pollfd at = {inlet, POLLIN, 0};

    return inlet >= 0 && poll(&at, 1, 0) > 0;
}

int authws_handover_outlet(void)
{
    return outlet;
}

/* --- sending --- */

authws_handover_e authws_handover_send(authws_socket_t *socket, unsigned char *scratch)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    int fd = -1;
    const size_t size = authws_live_save(socket, scratch + sizeof(header_t),
                                         AUTHWS_LOOP_BUFFER - sizeof(header_t), &fd);

    if (size == 0) {
        return AUTHWS_HANDOVER_KEPT;
    }
    const header_t header = {MAGIC, VERSION, (uint32_t)size, 0};
    struct iovec piece = {scratch, sizeof(header) + size};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

    memcpy(scratch, &header, sizeof(header));
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(fd));
    memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
    if (sendmsg(outlet, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
        authws_live_moved(socket);
        return AUTHWS_HANDOVER_DONE;
    }
    /* ETOOMANYREFS: the kernel's limit of descriptors in flight. */
    return errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS || errno == EINTR
               ? AUTHWS_HANDOVER_FULL
               : AUTHWS_HANDOVER_KEPT;
}

/* --- receiving --- */

/* Ends a socket that cannot go on: 1001 is all that can be said to it. */
static void refuse(int fd)
{
    static const unsigned char going_away[] = {0x88, 2, 1001 >> 8, 1001 & 255};

    (void)!send(fd, going_away, sizeof(going_away), MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    (void)close(fd);
}

/* The one descriptor of a message; -1 when there is none. More than one were closed. */
static int descriptor_of(struct msghdr *message)
{
    int found = -1;

    for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
        if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS ||
            at->cmsg_len < CMSG_LEN(0)) {
            continue;
        }
        for (size_t i = 0; i < (at->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(at) + i * sizeof(fd), sizeof(fd));
            if (found >= 0) {
                (void)close(fd);
            } else {
                found = fd;
            }
        }
    }
    return found;
}

/* One message, into `scratch`: its bytes, 0 when there is none, and *fd, -1 when it has none. */
static size_t receive(unsigned char *scratch, int *fd)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int)) * 4];
    } control;
    struct iovec piece = {scratch, AUTHWS_LOOP_BUFFER};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    ssize_t n;

    do {
        n = recvmsg(inlet, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return 0;
    }
    *fd = descriptor_of(&message);
    if (message.msg_flags & MSG_TRUNC) { /* nobody of this version sent it */
        return 1;
    }
    return (size_t)n;
}

static bool is_stream(int fd)
{
    int type = 0, listening = 0;
    socklen_t len = sizeof(type), len2 = sizeof(listening);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len2) == 0 && !listening;
}

/* A socket that came, as far as it is known: what the log says of it. */
typedef struct arrival_t {
    const char *user, *peer; /* borrowed from the message; NULL: not known */
    authws_account_t account;
    bool known; /* the account is one */
} arrival_t;

/* Takes a message apart and the socket up. NULL, or why not. */
static const char *take_up(arrival_t *arrival, const unsigned char *message, size_t len, int fd,
                           authws_loop_t *loop)
{
    const unsigned char *state = message + sizeof(header_t);
    authws_account_t *account = &arrival->account;
    authws_live_t live = {0};
    size_t size = 0;
    header_t header;

    if (len < sizeof(header)) {
        return "too short";
    }
    memcpy(&header, message, sizeof(header));
    if (header.magic != MAGIC || header.version != VERSION || header.size != len - sizeof(header)) {
        return "of another version";
    }
    if (!is_stream(fd)) {
        return "without a connection";
    }
    const void *owner = authws_live_saved_owner(state, header.size, &size);

    (void)authws_live_saved_names(state, header.size, &arrival->user, &arrival->peer);
    arrival->known = authws_account_read(account, owner, size);
    if (!arrival->known) {
        return "of another version of the account";
    }
    if (!authws_account_resume(&live, account)) {
        return "of a location that has no such service any more";
    }
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (!authws_live_resume(&live, state, header.size, fd, loop)) {
        authws_account_dropped(account);
        return "not as it was saved";
    }
    return NULL;
}

static void log_refused(const arrival_t *arrival, const char *why)
{
    char user[256], peer[128];

    ap_log_error(
        APLOG_MARK, APLOG_INFO, 0, ap_server_conf,
        AWLOGNO(2144) "a WebSocket handed over, user \"%s\" at %s, %s: it is %s: closed with 1001",
        aw_text_escape(user, sizeof(user), aw_span(arrival->user ? arrival->user : "")),
        aw_text_escape(peer, sizeof(peer), aw_span(arrival->peer ? arrival->peer : "-")),
        arrival->known ? authws_account_path(&arrival->account) : "-", why);
}

static void receiver_ready(authws_source_t *source, uint32_t events)
{
    authws_receiver_t *receiver = (authws_receiver_t *)source;
    unsigned char *scratch = malloc(AUTHWS_LOOP_BUFFER);
    size_t len;
    int fd;

    (void)events;
    /* A loop that has not begun to drain yet must not take what another of this process sends: its
     * user would be counted twice, and the socket would only be sent on. */
    for (unsigned i = 0;
         scratch && !atomic_load(&left) && i < TAKE_MAX && (len = receive(scratch, &fd)) > 0; i++) {
        arrival_t arrival = {.known = false};
        const char *why =
            fd < 0 ? "without a descriptor" : take_up(&arrival, scratch, len, fd, receiver->loop);

        if (why) {
            log_refused(&arrival, why);
        }
        if (why && fd >= 0) {
            refuse(fd);
        }
    }
    free(scratch);
}

void authws_receiver_start(authws_receiver_t *receiver, authws_loop_t *loop)
{
    receiver->loop = loop;
    receiver->source.ready = receiver_ready;
    receiver->source.fd = inlet;
    /* Exclusive: or every loop of every child would wake up for each message. */
    receiver->source.events = EPOLLIN | EPOLLEXCLUSIVE;
    if (inlet >= 0 && authws_loop_add(loop, &receiver->source) != APR_SUCCESS) {
        receiver->source.fd = -1;
    }
}

void authws_receiver_stop(authws_receiver_t *receiver)
{
    if (receiver->source.fd >= 0) {
        authws_loop_remove(receiver->loop, &receiver->source);
        receiver->source.fd = -1;
    }
}

void authws_handover_discard(void)
{
    unsigned char *scratch = malloc(AUTHWS_LOOP_BUFFER);
    int fd;

    while (inlet >= 0 && scratch && !authws_handover_possible() && receive(scratch, &fd) > 0) {
        if (fd >= 0) {
            refuse(fd);
        }
    }
    free(scratch);
}
