/* Taking a connection away from httpd: socket and TLS state go to a loop, the worker goes free.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      handler            101 sent, dup of the socket, reference to the SSL, answer DONE
 *        |                  httpd: log line, request gone, connection to be closed
 *      pre_close          TLS: mod_ssl leaves, without a close_notify; then "aborted", so that
 *        |                  httpd closes its descriptor and does not shut the connection down
 *      connection's pool  mod_ssl's cleanup, then ours, which was registered earlier (LIFO): the
 *        |                  SSL becomes ours alone
 *      loop
 */
#include "detach.h"

#include <ap_mpm.h>
#include <apr_optional.h>
#include <apr_optional_hooks.h>
#include <apr_portable.h>
#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_ssl.h>
#include <unistd.h>
#include <util_filter.h>

#include "../reactor/socket.h"
#include "mod_ssl.h"
#include "reactors.h"

/* mod_ssl's hook; its header is not everywhere where mod_ssl is. */
typedef int pre_handshake_t(conn_rec *c, SSL *ssl, int is_proxy);

/* What may have come behind the handshake: frames of a client that does not wait for the answer.
 * More than the largest read of a loop is no client's that means well. */
#define EARLY_MAX (64 * 1024)

/* A connection that may be, or has been, taken away; in its pool, found through its conn_config. */
typedef struct claim_t {
    SSL *ssl;                /* NULL: plain. A reference of our own once `socket` is set */
    authws_socket_t *socket; /* set: taken away */
    int fd;
    unsigned char *early;
    size_t early_len;
} claim_t;

static claim_t *claim_get(const conn_rec *c)
{
    return ap_get_module_config(c->conn_config, &authws_module);
}

/* The reactors have ended before the connection did, at the end of the process. */
static void claim_drop(claim_t *claim, const authws_mod_ssl_t *lib)
{
    if (claim->ssl && lib) {
        lib->transport.SSL_set_quiet_shutdown(claim->ssl, 1);
        (void)lib->transport.SSL_shutdown(claim->ssl);
        lib->transport.SSL_free(claim->ssl);
    }
    (void)close(claim->fd);
    authws_live_abandon(claim->socket);
}

/* The connection's pool goes: from here on it is ours alone. */
static apr_status_t claim_take(void *data)
{
    claim_t *claim = data;
    const char *why;
    authws_transport_t transport;

    if (!claim->socket) {
        return APR_SUCCESS;
    }
    const authws_mod_ssl_t *lib = authws_mod_ssl(&why);
    authws_loop_t *loop = authws_reactors_take();

    if (!loop || (claim->ssl && (!lib || !authws_mod_ssl_adopt(lib, claim->ssl, claim->fd)))) {
        claim_drop(claim, lib);
    } else {
        (void)fcntl(claim->fd, F_SETFL, fcntl(claim->fd, F_GETFL) | O_NONBLOCK);
        if (claim->ssl) {
            authws_transport_tls(&transport, &lib->transport, claim->ssl, claim->fd);
        } else {
            authws_transport_plain(&transport, claim->fd);
        }
        authws_live_start(claim->socket, &transport, loop, claim->early, claim->early_len);
    }
    claim->socket = NULL;
    return APR_SUCCESS;
}

static claim_t *claim_create(conn_rec *c, SSL *ssl)
{
    claim_t *claim = apr_pcalloc(c->pool, sizeof(*claim));

    claim->ssl = ssl;
    claim->fd = -1;
    apr_pool_cleanup_register(c->pool, claim, claim_take, apr_pool_cleanup_null);
    ap_set_module_config(c->conn_config, &authws_module, claim);
    return claim;
}

/* Before mod_ssl registers its own cleanup of the connection: so ours runs after it. */
static int pre_handshake(conn_rec *c, SSL *ssl, int is_proxy)
{
    const char *why;

    if (!is_proxy && !c->outgoing && !c->master && authws_mod_ssl(&why)) {
        (void)claim_create(c, ssl);
    }
    return DECLINED;
}

/* httpd is about to end the connection, in its own way if it were not for this. */
static int pre_close(conn_rec *c)
{
    const claim_t *claim = c->master ? NULL : claim_get(c);
    const char *why;

    if (!claim || !claim->socket) {
        return OK;
    }
    if (claim->ssl && !c->aborted) {
        const authws_mod_ssl_t *lib = authws_mod_ssl(&why);

        /* Has mod_ssl free its reference and the client's certificate. Had the connection been
         * aborted before, it would not, and would leak the certificate. */
        if (lib) {
            lib->transport.SSL_set_quiet_shutdown(claim->ssl, 1);
            (void)ap_shutdown_conn(c, 1);
        }
    }
    c->aborted = 1; /* the descriptor is closed, and not shut down, which the peer would see */
    return OK;
}

void authws_detach_register(apr_pool_t *p)
{
    (void)p;
    apr_optional_hook_add("pre_handshake", (void (*)(void))(pre_handshake_t *)pre_handshake, NULL,
                          NULL, APR_HOOK_MIDDLE);
    ap_hook_pre_close_connection(pre_close, NULL, NULL, APR_HOOK_MIDDLE);
}

void authws_detach_child_init(apr_pool_t *pchild, server_rec *s)
{
    (void)s;
    authws_mod_ssl_find(pchild);
}

/* --- what is checked --- */

/* A filter that is not known may keep bytes, change them, or wait for the end of the connection:
 * NULL, or why not (in `p`). */
static const char *filters_check(ap_filter_t *filter, const char *const *known, const char *kind,
                                 apr_pool_t *p)
{
    for (; filter; filter = filter->next) {
        const char *name = filter->frec->name;
        unsigned i = 0;

        while (known[i] && ap_cstr_casecmp(name, known[i]) != 0) {
            i++;
        }
        if (!known[i]) {
            return apr_psprintf(p, "there is an %s filter of another module: %s", kind, name);
        }
    }
    return NULL;
}

static bool filter_is_there(ap_filter_t *filter, const char *name)
{
    while (filter && ap_cstr_casecmp(filter->frec->name, name) != 0) {
        filter = filter->next;
    }
    return filter != NULL;
}

static const char *chains_check(const conn_rec *c, bool tls, apr_pool_t *p)
{
    static const char tls_filter[] = "SSL/TLS filter";
    /* mod_remoteip's filter takes the PROXY line off the start of the connection. It lets nothing
     * through before, and then passes all on as it is: with a request here, it is done. */
    static const char proxy_line[] = "REMOTEIP_INPUT";
    static const char *const in[] = {"core_in", "log_input_output", proxy_line, NULL};
    static const char *const in_tls[] = {"core_in", "log_input_output", proxy_line, tls_filter,
                                         NULL};
    static const char *const out[] = {"core", "log_input_output", NULL};
    static const char *const out_tls[] = {"core", "log_input_output", tls_filter,
                                          "SSL/TLS coalescing filter", NULL};
    const char *why = filters_check(c->input_filters, tls ? in_tls : in, "input", p);

    if (!why) {
        why = filters_check(c->output_filters, tls ? out_tls : out, "output", p);
    }
    if (!why && tls &&
        (!filter_is_there(c->input_filters, tls_filter) ||
         !filter_is_there(c->output_filters, tls_filter))) {
        why = "mod_ssl's filters are not there";
    }
    return why;
}

static const char *tls_check(const conn_rec *c)
{
    const claim_t *claim = claim_get(c);
    const char *why;
    const authws_mod_ssl_t *lib = authws_mod_ssl(&why);

    if (!lib) {
        return why;
    }
    if (!claim || !claim->ssl) {
        return "TLS is another module's than mod_ssl";
    }
    return authws_mod_ssl_check(lib, claim->ssl, c);
}

const char *authws_detach_check(request_rec *r)
{
    conn_rec *c = r->connection;
    const bool tls = ap_ssl_conn_is_ssl(c) != 0;
    int async = 0;

    if (c->master) {
        return "an HTTP/2 stream has no connection of its own";
    }
    if (ap_mpm_query(AP_MPMQ_IS_ASYNC, &async) != APR_SUCCESS || !async) {
        return "the MPM keeps a thread for each connection";
    }
    if (!authws_reactors_pick()) {
        return authws_reactors_stopping() ? "the child process is going away"
                                          : "no event loop could be started";
    }
    if (!ap_get_conn_socket(c)) {
        return "the connection has no socket";
    }
    /* The handshake is there: their time is over in any case. */
    (void)ap_remove_input_filter_byhandle(c->input_filters, "reqtimeout");
    (void)ap_remove_output_filter_byhandle(c->output_filters, "reqtimeout");
    if (c->data_in_output_filters) {
        return "output waits in the connection's filters";
    }
    const char *why = chains_check(c, tls, r->pool);

    return why || !tls ? why : tls_check(c);
}

/* --- the way over --- */

/* Reads what is there behind the handshake, in the filters and in the socket: it would wake no
 * loop. APR_EOF is no failure, the loop sees the end for itself. APR_ENOSPC: too much. */
static apr_status_t early_read(request_rec *r, claim_t *claim)
{
    conn_rec *c = r->connection;
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, c->bucket_alloc);
    apr_status_t rv;

    while ((rv = ap_get_brigade(c->input_filters, bb, AP_MODE_READBYTES, APR_NONBLOCK_READ,
                                AP_IOBUFSIZE)) == APR_SUCCESS &&
           !APR_BRIGADE_EMPTY(bb)) {
        apr_size_t len = EARLY_MAX - claim->early_len;
        apr_off_t all = 0;

        rv = apr_brigade_length(bb, 1, &all);
        if (rv != APR_SUCCESS) {
            break;
        }
        if (all < 0 || (apr_size_t)all > len) {
            return APR_ENOSPC;
        }
        if (!claim->early) { /* few clients do not wait for the answer */
            claim->early = apr_palloc(c->pool, EARLY_MAX);
        }
        rv = apr_brigade_flatten(bb, (char *)claim->early + claim->early_len, &len);
        claim->early_len += len;
        if (rv != APR_SUCCESS || APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(bb))) {
            break;
        }
        apr_brigade_cleanup(bb);
    }
    apr_brigade_destroy(bb);
    return rv == APR_SUCCESS || APR_STATUS_IS_EAGAIN(rv) || APR_STATUS_IS_EOF(rv) ? APR_SUCCESS
                                                                                  : rv;
}

/* Writes the answer through the filters, and out. */
static apr_status_t answer_write(request_rec *r, const char *answer)
{
    conn_rec *c = r->connection;
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, c->bucket_alloc);

    APR_BRIGADE_INSERT_TAIL(bb,
                            apr_bucket_transient_create(answer, strlen(answer), c->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(c->bucket_alloc));
    apr_status_t rv = ap_pass_brigade(c->output_filters, bb);

    apr_brigade_destroy(bb);
    if (rv == APR_SUCCESS && (c->aborted || c->data_in_output_filters)) {
        rv = APR_ECONNABORTED;
    }
    return rv;
}

static int give_up(request_rec *r, authws_socket_t *socket, apr_status_t rv, int status)
{
    ap_log_rerror(APLOG_MARK, APLOG_INFO, rv, r,
                  AWLOGNO(2140) "the connection could not be given to a loop");
    authws_live_abandon(socket);
    r->connection->keepalive = AP_CONN_CLOSE;
    if (status == DONE) {
        r->connection->aborted = 1;
    }
    return status;
}

/* The request is over as far as httpd is concerned; the connection, too, but in order, so that the
 * log line shows a request like others. */
static void request_finish(request_rec *r)
{
    r->status = HTTP_SWITCHING_PROTOCOLS;
    r->status_line = "101 Switching Protocols";
    r->sent_bodyct = 1;
    r->eos_sent = 1;
    /* Or httpd would look for a next request in the frames. */
    r->connection->keepalive = AP_CONN_CLOSE;
}

int authws_detach(request_rec *r, const char *answer, authws_socket_t *socket)
{
    conn_rec *c = r->connection;
    const bool tls = ap_ssl_conn_is_ssl(c) != 0;
    claim_t *claim = tls ? claim_get(c) : claim_create(c, NULL);
    const char *why;
    int fd = -1;
    apr_status_t rv = early_read(r, claim);

    if (rv != APR_SUCCESS) {
        return give_up(r, socket, rv, rv == APR_ENOSPC ? HTTP_REQUEST_ENTITY_TOO_LARGE : DONE);
    }
    (void)apr_os_sock_get(&fd, ap_get_conn_socket(c));
    claim->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (claim->fd < 0) {
        return give_up(r, socket, APR_FROM_OS_ERROR(errno), HTTP_SERVICE_UNAVAILABLE);
    }
    rv = answer_write(r, answer);
    if (rv != APR_SUCCESS || (tls && authws_mod_ssl(&why)->SSL_up_ref(claim->ssl) != 1)) {
        (void)close(claim->fd);
        return give_up(r, socket, rv, DONE);
    }
    claim->socket = socket; /* from here on it is taken */
    request_finish(r);
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r,
                  AWLOGNO(2141) "the connection goes to a loop: %s, %" APR_SIZE_T_FMT
                                " bytes came behind the handshake",
                  tls ? "TLS" : "plain", claim->early_len);
    return DONE;
}
