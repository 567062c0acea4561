/* A bare epoll echo to measure against: shakes hands, then sends back bytes as they came.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     ws_bare PORT [CERTIFICATE KEY]
 *
 * One thread, one read and one write for what an event brings, nothing parsed: what a WebSocket
 * server can hardly be below. With a certificate the same over TLS. Prints its port when it
 * listens; 0 chooses one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/tcp.h>

#include "ws/handshake.h"

#define BUFFER (256 * 1024)

typedef struct peer_t {
    int fd;
    SSL *ssl;
    bool open;
    char *head; /* of the handshake, until it is there */
    size_t head_len;
    char *kept; /* what could not be written */
    size_t kept_from, kept_len;
} peer_t;

static int queue;
static SSL_CTX *context;
static char buffer[BUFFER];

static void drop(peer_t *peer)
{
    if (peer->ssl) {
        SSL_free(peer->ssl);
    }
    close(peer->fd);
    free(peer->head);
    free(peer->kept);
    free(peer);
}

static ssize_t take(peer_t *peer, void *out, size_t room)
{
    if (!peer->ssl) {
        return read(peer->fd, out, room);
    }
    ERR_clear_error();
    const int n = SSL_read(peer->ssl, out, (int)room);

    if (n <= 0) {
        const int error = SSL_get_error(peer->ssl, n);

        errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EIO;
        return error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
    }
    return n;
}

static ssize_t give(peer_t *peer, const void *data, size_t len)
{
    if (!peer->ssl) {
        return send(peer->fd, data, len, MSG_NOSIGNAL);
    }
    ERR_clear_error();
    const int n = SSL_write(peer->ssl, data, (int)len);

    errno = EAGAIN;
    return n > 0 ? n : -1;
}

static void watch(peer_t *peer, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = peer};

    if (epoll_ctl(queue, how, peer->fd, &event) != 0) {
        perror("epoll_ctl");
        exit(3);
    }
}

static void put(peer_t *peer, const char *data, size_t len)
{
    const ssize_t n = give(peer, data, len);
    const size_t done = n > 0 ? (size_t)n : 0;

    if (done < len) {
        peer->kept = realloc(peer->kept, len - done);
        if (!peer->kept) {
            exit(3);
        }
        memcpy(peer->kept, data + done, len - done);
        peer->kept_from = 0;
        peer->kept_len = len - done;
        watch(peer, EPOLL_CTL_MOD, EPOLLOUT);
    }
}

/* Answers the handshake once it is whole. False: it is none. */
static bool shake_hands(peer_t *peer)
{
    static const char name[] = "\r\nSec-WebSocket-Key: ";
    char accepted[AW_WS_ACCEPT_LEN + 1], answer[256];
    const char *key = memmem(peer->head, peer->head_len, name, sizeof(name) - 1);

    if (!memmem(peer->head, peer->head_len, "\r\n\r\n", 4)) {
        return true;
    }
    if (!key || !aw_ws_accept(accepted, (aw_span_t){key + sizeof(name) - 1, AW_WS_KEY_LEN})) {
        return false;
    }
    const int len = snprintf(answer, sizeof(answer),
                             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                             "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                             accepted);

    peer->open = true;
    free(peer->head);
    peer->head = NULL;
    put(peer, answer, (size_t)len);
    return true;
}

static void on_event(peer_t *peer, uint32_t events)
{
    if (peer->kept_len > peer->kept_from) {
        const ssize_t n =
            give(peer, peer->kept + peer->kept_from, peer->kept_len - peer->kept_from);

        peer->kept_from += n > 0 ? (size_t)n : 0;
        if (peer->kept_from == peer->kept_len) {
            watch(peer, EPOLL_CTL_MOD, EPOLLIN);
        } else if (events & (EPOLLHUP | EPOLLERR)) {
            drop(peer);
        }
        return;
    }
    const ssize_t n = take(peer, buffer, sizeof(buffer));

    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        drop(peer);
    } else if (n > 0 && peer->open) {
        put(peer, buffer, (size_t)n);
    } else if (n > 0) {
        peer->head = realloc(peer->head, peer->head_len + (size_t)n);
        if (!peer->head) {
            exit(3);
        }
        memcpy(peer->head + peer->head_len, buffer, (size_t)n);
        peer->head_len += (size_t)n;
        if (!shake_hands(peer)) {
            drop(peer);
        }
    }
}

static void welcome(int listener)
{
    const int one = 1;
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    peer_t *peer = calloc(1, sizeof(*peer));

    if (fd < 0 || !peer) {
        free(peer);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    peer->fd = fd;
    if (context) {
        peer->ssl = SSL_new(context);
        SSL_set_fd(peer->ssl, fd);
        SSL_set_accept_state(peer->ssl);
        SSL_set_mode(peer->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    }
    watch(peer, EPOLL_CTL_ADD, EPOLLIN);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    struct rlimit limit;
    struct epoll_event events[256];
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int one = 1;

    if (argc != 2 && argc != 4) {
        fputs("usage: ws_bare PORT [CERTIFICATE KEY]\n", stderr);
        return 2;
    }
    if (argc == 4) {
        context = SSL_CTX_new(TLS_server_method());
        if (!context || SSL_CTX_use_certificate_chain_file(context, argv[2]) != 1 ||
            SSL_CTX_use_PrivateKey_file(context, argv[3], SSL_FILETYPE_PEM) != 1) {
            ERR_print_errors_fp(stderr);
            return 3;
        }
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    queue = epoll_create1(EPOLL_CLOEXEC);
    if (listener < 0 || queue < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 ||
        listen(listener, 1024) != 0 || getsockname(listener, (struct sockaddr *)&address, &size)) {
        perror("ws_bare");
        return 3;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};

    (void)epoll_ctl(queue, EPOLL_CTL_ADD, listener, &event);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        const int n = epoll_wait(queue, events, 256, -1);

        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr) {
                on_event(events[i].data.ptr, events[i].events);
            } else {
                welcome(listener);
            }
        }
    }
}
