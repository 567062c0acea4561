/* A WebSocket's bytes through httpd's filters: for connections that stay in their worker thread.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Reading never waits: filters are asked until they have nothing, because what they keep (records
 * of TLS, frames of HTTP/2) makes no descriptor readable. Writing waits, for as long as httpd's
 * Timeout: nobody else is served by this thread.
 */
#include "filters.h"

#include <apr_portable.h>
#include <errno.h>
#include <http_connection.h>
#include <http_core.h>
#include <sys/socket.h>
#include <util_filter.h>

typedef struct filters_t {
    conn_rec *c;
    authws_loop_t *loop;
    apr_bucket_brigade *in;  /* read, but not taken up yet */
    apr_bucket_brigade *out; /* empty between calls */
    bool drained;            /* the filters have said that they have nothing */
    bool ended;              /* the client has ended its half */
    bool finished;           /* we have ended ours */
    bool closed;
} filters_t;

static filters_t *context_of(const authws_transport_t *transport)
{
    return transport->context;
}

/* Copies from the first bucket, and deletes it when it is used up. */
static apr_status_t take(filters_t *filters, char *out, size_t room, size_t *taken)
{
    apr_bucket *b = APR_BRIGADE_FIRST(filters->in);
    const char *data;
    apr_size_t len = 0;
    apr_status_t rv = APR_SUCCESS;

    *taken = 0;
    if (APR_BUCKET_IS_METADATA(b)) {
        /* mod_http2 says with an EOS that the request has no body, and that is not the end of the
         * stream; that comes as APR_EOF. */
        if (APR_BUCKET_IS_EOS(b) && !filters->c->master) {
            filters->ended = true;
        }
    } else {
        rv = apr_bucket_read(b, &data, &len, APR_NONBLOCK_READ);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (len > room) {
            (void)apr_bucket_split(b, room);
            len = room;
        }
        memcpy(out, data, len);
        *taken = len;
    }
    apr_bucket_delete(b);
    return APR_SUCCESS;
}

/* Asks the filters, when there is nothing left of what they gave. */
static apr_status_t fill(filters_t *filters, size_t len)
{
    apr_status_t rv;

    if (!APR_BRIGADE_EMPTY(filters->in)) {
        return APR_SUCCESS;
    }
    rv = ap_get_brigade(filters->c->input_filters, filters->in, AP_MODE_READBYTES,
                        APR_NONBLOCK_READ, (apr_off_t)len);
    return rv == APR_SUCCESS && APR_BRIGADE_EMPTY(filters->in) ? APR_EAGAIN : rv;
}

static ssize_t filters_read(authws_transport_t *transport, void *out, size_t len)
{
    filters_t *filters = context_of(transport);
    size_t done = 0;

    while (done < len && !filters->ended) {
        size_t taken = 0;
        apr_status_t rv = done == 0 ? fill(filters, len) : APR_SUCCESS;

        if (rv == APR_SUCCESS && APR_BRIGADE_EMPTY(filters->in)) {
            break;
        }
        if (rv == APR_SUCCESS) {
            rv = take(filters, (char *)out + done, len - done, &taken);
        }
        if (APR_STATUS_IS_EAGAIN(rv)) {
            filters->drained = true;
            return done > 0 ? (ssize_t)done : -EAGAIN;
        }
        if (rv != APR_SUCCESS) {
            filters->ended = true;
            if (done == 0 && !APR_STATUS_IS_EOF(rv)) {
                return -ECONNRESET;
            }
        }
        done += taken;
    }
    filters->drained = false;
    return (ssize_t)done;
}

static bool filters_pending(const authws_transport_t *transport)
{
    const filters_t *filters = context_of(transport);

    return !filters->drained && !filters->closed;
}

apr_status_t authws_filters_write(conn_rec *c, apr_pool_t *p, const char *data, size_t len)
{
    apr_bucket_brigade *bb = apr_brigade_create(p, c->bucket_alloc);
    apr_status_t rv;

    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_transient_create(data, len, c->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(c->bucket_alloc));
    rv = ap_pass_brigade(c->output_filters, bb);
    apr_brigade_destroy(bb);
    return rv == APR_SUCCESS && c->aborted ? APR_ECONNABORTED : rv;
}

static ssize_t filters_write2(authws_transport_t *transport, const void *head, size_t head_len,
                              const void *body, size_t body_len)
{
    filters_t *filters = context_of(transport);
    conn_rec *c = filters->c;
    apr_bucket_brigade *bb = filters->out;
    apr_status_t rv;

    if (head_len > 0) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_transient_create(head, head_len, c->bucket_alloc));
    }
    if (body_len > 0) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_transient_create(body, body_len, c->bucket_alloc));
    }
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(c->bucket_alloc));
    rv = ap_pass_brigade(c->output_filters, bb);
    apr_brigade_cleanup(bb);
    return rv == APR_SUCCESS && !c->aborted ? (ssize_t)(head_len + body_len) : -ECONNRESET;
}

static ssize_t filters_write(authws_transport_t *transport, const void *data, size_t len)
{
    return filters_write2(transport, NULL, 0, data, len);
}

/* The end of our half. Of an HTTP/2 stream it is an EOS. */
static void filters_finish(authws_transport_t *transport)
{
    filters_t *filters = context_of(transport);
    conn_rec *c = filters->c;

    if (c->aborted || filters->finished) {
        return;
    }
    filters->finished = true;
    if (c->master) {
        APR_BRIGADE_INSERT_TAIL(filters->out, apr_bucket_eos_create(c->bucket_alloc));
        APR_BRIGADE_INSERT_TAIL(filters->out, apr_bucket_flush_create(c->bucket_alloc));
        (void)ap_pass_brigade(c->output_filters, filters->out);
        apr_brigade_cleanup(filters->out);
    } else {
        /* TLS: close_notify, after which mod_ssl's filters must not be asked any more. What the
         * client may still send is discarded by httpd when it ends the connection. */
        (void)ap_shutdown_conn(c, 1);
        (void)shutdown(transport->fd, SHUT_WR);
        filters->ended = true;
    }
}

/* The descriptor stays httpd's, which ends the connection after the request. */
static void filters_close(authws_transport_t *transport, bool orderly)
{
    filters_t *filters = context_of(transport);

    filters->closed = true;
    if (!orderly) {
        filters->c->aborted = 1;
    } else if (filters->c->master) {
        /* Where the client has ended its half first nobody has asked for it, and mod_http2 would
         * leave the stream half open. */
        filters_finish(transport);
    }
    authws_loop_stop(filters->loop);
}

/* The descriptor that says when there is something to read: -1 for none. */
static int descriptor_of(conn_rec *c, apr_pool_t *p)
{
    apr_pollfd_t pollfd = {.p = p, .desc_type = APR_NO_DESC};
    int fd = -1;

    if (ap_get_pollfd_from_conn(c, &pollfd, NULL) != APR_SUCCESS) {
        return -1;
    }
    if (pollfd.desc_type == APR_POLL_FILE) { /* HTTP/2: a pipe beside the stream */
        (void)apr_os_file_get(&fd, pollfd.desc.f);
    } else if (pollfd.desc_type == APR_POLL_SOCKET) {
        (void)apr_os_sock_get(&fd, pollfd.desc.s);
    }
    return fd;
}

bool authws_filters_transport(authws_transport_t *transport, request_rec *r, authws_loop_t *loop)
{
    static const authws_transport_class_t class = {
        .name = "filters",
        .read = filters_read,
        .write = filters_write,
        .write2 = filters_write2,
        .pending = filters_pending,
        .finish = filters_finish,
        .close = filters_close,
    };
    conn_rec *c = r->connection;
    filters_t *filters = apr_pcalloc(r->pool, sizeof(*filters));

    transport->class = &class;
    transport->fd = descriptor_of(c, r->pool);
    transport->context = filters;
    filters->c = c;
    filters->loop = loop;
    filters->in = apr_brigade_create(r->pool, c->bucket_alloc);
    filters->out = apr_brigade_create(r->pool, c->bucket_alloc);
    return transport->fd >= 0;
}

bool authws_filters_closed(const authws_transport_t *transport)
{
    return context_of(transport)->closed;
}
