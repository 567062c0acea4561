/* Plain stream sockets as a transport.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "transport.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* The result of a call that was not interrupted, with its error as a negative number. */
static ssize_t result(ssize_t n)
{
    if (n >= 0) {
        return n;
    }
    return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

static ssize_t plain_read(authws_transport_t *transport, void *out, size_t len)
{
    ssize_t n;

    do {
        n = recv(transport->fd, out, len, 0);
    } while (n < 0 && errno == EINTR);
    return result(n);
}

static ssize_t plain_write(authws_transport_t *transport, const void *data, size_t len)
{
    ssize_t n;

    do {
        n = send(transport->fd, data, len, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return result(n);
}

static ssize_t plain_write2(authws_transport_t *transport, const void *head, size_t head_len,
                            const void *body, size_t body_len)
{
    struct iovec parts[2] = {{(void *)(uintptr_t)head, head_len},
                             {(void *)(uintptr_t)body, body_len}};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n;

    do {
        n = sendmsg(transport->fd, &message, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return result(n);
}

static void plain_finish(authws_transport_t *transport)
{
    (void)shutdown(transport->fd, SHUT_WR);
}

static void plain_close(authws_transport_t *transport, bool orderly)
{
    /* No shutdown: another process may have the same socket from here on. */
    (void)orderly;
    close(transport->fd);
    transport->fd = -1;
}

static const authws_transport_class_t plain = {
    .name = "plain",
    .read = plain_read,
    .write = plain_write,
    .write2 = plain_write2,
    .finish = plain_finish,
    .close = plain_close,
    .movable = true,
};

void authws_transport_plain(authws_transport_t *transport, int fd)
{
    *transport = (authws_transport_t){.class = &plain, .fd = fd};
}
