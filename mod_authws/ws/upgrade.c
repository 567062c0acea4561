/* The handler: handshakes become WebSockets, and what is none is left to others.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Authentication and authorization have run when a handler is called, so whoever comes here may
 * have the page; what is judged here is the handshake, and the page it comes from.
 */
#include "upgrade.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

#include "../authn.h"
#include "../scheme.h"
#include "account.h"
#include "answer.h"
#include "blocking.h"
#include "detach.h"
#include "settings.h"
#include "users.h"
#include "ws/handshake.h"

/* One handshake on its way. */
typedef struct upgrade_t {
    request_rec *r;
    const authws_ws_dir_t *dir;
    aw_ws_request_t request;
    const char *staying; /* why it stays in the worker thread; NULL: it does not */
    char accept[AW_WS_ACCEPT_LEN + 1];
    char extensions[AW_WS_EXTENSIONS_MAX];
    const char *protocol; /* NULL: none */
    aw_ws_deflate_params_t deflate;
    authws_live_settings_t like;
    authws_account_t account;
    authws_socket_t *socket;
} upgrade_t;

/* The service of a location, where there is one and this is a request of a client. */
static const authws_ws_dir_t *dir_of(const request_rec *r)
{
    const authws_dir_t *dir = ap_get_module_config(r->per_dir_config, &authws_module);
    const authws_ws_dir_t *ws = dir ? dir->ws : NULL;

    /* A status other than 200 is that of an error whose document is being fetched. */
    return r->main || r->status != HTTP_OK || !ws || !ws->endpoint || !ws->endpoint->service ? NULL
                                                                                             : ws;
}

/* All fields of a name as one list: several lines of it are one value (RFC 9110 section 5.3). */
static aw_span_t field(request_rec *r, const char *name)
{
    return aw_span(apr_table_getm(r->pool, r->headers_in, name));
}

static bool has_body(const request_rec *r)
{
    const char *length = apr_table_get(r->headers_in, "Content-Length");

    if (r->connection->master) { /* what follows is the WebSocket's; frames cannot be mistaken */
        return false;
    }
    return apr_table_get(r->headers_in, "Transfer-Encoding") ||
           (length && strspn(length, "0") != strlen(length));
}

static void request_fill(aw_ws_request_t *request, request_rec *r)
{
    *request = (aw_ws_request_t){
        .method = aw_span(r->method),
        .http11 = r->proto_num >= HTTP_VERSION(1, 1),
        .body = has_body(r),
        .host = field(r, "Host"),
        .upgrade = field(r, "Upgrade"),
        .connection = field(r, "Connection"),
        .key = field(r, "Sec-WebSocket-Key"),
        .version = field(r, "Sec-WebSocket-Version"),
        .protocol = field(r, "Sec-WebSocket-Protocol"),
    };
}

/* What is needed to try again, with a 426. */
static void announce(request_rec *r)
{
    if (!r->connection->master) { /* HTTP/2 has no such fields */
        apr_table_setn(r->err_headers_out, "Upgrade", "websocket");
        apr_table_setn(r->err_headers_out, "Connection", "Upgrade");
    }
}

/* The scheme that the user came in by, for the log. */
static const char *scheme_of(const request_rec *r)
{
    const char *scheme = apr_table_get(r->notes, "authws-scheme");

    return scheme ? scheme : "none";
}

/* A client that meant to switch protocols may have sent what is no HTTP behind it: the connection
 * is of no use any more. */
static int refuse(request_rec *r, int status, const char *why)
{
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                  AWLOGNO(2101) "WebSocket refused with %d: %s: %s (user \"%s\", scheme %s)",
                  status, why, authws_log_text(r->pool, aw_span(r->uri)),
                  authws_log_text(r->pool, aw_span(r->user)), scheme_of(r));
    r->connection->keepalive = AP_CONN_CLOSE;
    return status;
}

static int check_origin(const upgrade_t *u)
{
    request_rec *r = u->r;
    const aw_span_t origin = field(r, "Origin");
    const bool tls = !ap_cstr_casecmp(ap_http_scheme(r), "https");

    if (aw_ws_origin_allowed(authws_ws_dir_origins(u->dir), origin, u->request.host, tls)) {
        return OK;
    }
    return refuse(r, HTTP_FORBIDDEN,
                  origin.ptr ? apr_psprintf(r->pool, "origin \"%s\" is not in AuthWSOrigin",
                                            authws_log_text(r->pool, origin))
                             : "there is no Origin, and no none-ok in AuthWSOrigin");
}

/* Subprotocol and extensions. */
static int negotiate(upgrade_t *u)
{
    request_rec *r = u->r;
    const authws_protocols_t *ours = u->dir->protocols;
    const size_t count = ours ? ours->count : 0;
    const aw_span_t offers = field(r, "Sec-WebSocket-Extensions");
    size_t chosen = count;

    if (u->request.protocol.ptr &&
        !aw_ws_protocol_choose(&chosen, u->request.protocol, ours ? ours->list : NULL, count)) {
        return refuse(r, HTTP_BAD_REQUEST, "Sec-WebSocket-Protocol is no list of names");
    }
    u->protocol = chosen < count ? ours->list[chosen].ptr : NULL;
    if (!aw_ws_deflate_answer(&u->deflate, u->extensions, authws_ws_dir_deflate(u->dir), offers)) {
        return refuse(r, HTTP_BAD_REQUEST, "Sec-WebSocket-Extensions is no list of extensions");
    }
    if (!aw_ws_accept(u->accept, u->request.key)) {
        return refuse(r, HTTP_INTERNAL_SERVER_ERROR, "OpenSSL offers no SHA-1");
    }
    return OK;
}

/* Counts the user's connections, where they are limited; the account has the count from then on. */
static int count_user(upgrade_t *u)
{
    request_rec *r = u->r;
    const unsigned limit = authws_ws_dir_user_connections(u->dir);
    const char *realm = authws_realm(r);

    if (limit == 0 || !r->user) {
        return OK;
    }
    const uint64_t tag = authws_users_tag(realm ? realm : "", r->user);
    if (!authws_users_take(tag, limit)) {
        return refuse(r, HTTP_TOO_MANY_REQUESTS,
                      apr_psprintf(r->pool, "user \"%s\" has %u WebSockets open already",
                                   authws_log_text(r->pool, aw_span(r->user)), limit));
    }
    u->account.user_tag = tag;
    return OK;
}

/* Makes the socket, with all that belongs to it, and asks the service. On failure nothing is left.
 */
static int create(upgrade_t *u)
{
    request_rec *r = u->r;
    const authws_endpoint_t *endpoint = u->dir->endpoint;
    const authws_service_t *service = endpoint->service;
    authws_live_t live = {
        .user = r->user,
        .peer = apr_psprintf(r->pool, "%s:%u", r->useragent_ip, r->useragent_addr->port),
        .protocol = u->protocol,
        .settings = authws_settings_share(&u->like, endpoint->number),
        .deflate = u->deflate,
        .ended = authws_account_ended,
        .owner = &u->account,
        .owner_size = u->account.size,
    };
    int status;

    u->socket = live.settings ? authws_live_create(&live) : NULL;
    if (!u->socket) {
        if (live.settings) {
            authws_settings_release(&u->like, endpoint->number);
        }
        authws_users_release(u->account.user_tag);
        return refuse(r, HTTP_SERVICE_UNAVAILABLE, "no memory");
    }
    status = service->open ? service->open(r, endpoint->config, u->socket) : OK;
    if (status != OK) {
        if (status < 300 || status > 599) { /* httpd would take it for an answer that was sent */
            ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                          AWLOGNO(2131) "the service's open returned %d, which is neither OK nor a "
                                        "status to refuse with: %s",
                          status, endpoint->words);
            status = HTTP_INTERNAL_SERVER_ERROR;
        }
        /* Not opened: there is no close event, and no closing line. */
        authws_socket_release(u->socket);
        authws_account_dropped(&u->account);
        return refuse(r, status, "the service refuses");
    }
    return OK;
}

/* Answers, and lets the socket go its way. */
static int complete(upgrade_t *u)
{
    request_rec *r = u->r;
    const authws_answer_t answer = {u->accept, u->protocol,
                                    u->extensions[0] ? u->extensions : NULL};
    const char *head = authws_answer_head(r, &answer);

    if (!head) {
        authws_live_abandon(u->socket);
        if (u->staying) {
            authws_blocking_leave(u->r);
        }
        r->connection->keepalive = AP_CONN_CLOSE;
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    ap_log_rerror(
        APLOG_MARK, APLOG_INFO, 0, r,
        AWLOGNO(2102) "WebSocket opened: user \"%s\", %s, scheme %s, subprotocol %s, %s%s",
        authws_log_text(r->pool, aw_span(r->user)), authws_account_path(&u->account), scheme_of(r),
        u->protocol ? u->protocol : "none", u->deflate.on ? "compressed" : "not compressed",
        u->staying ? ", in its worker thread" : "");
    if (!u->staying) {
        return authws_detach(r, head, u->socket);
    }
    return authws_blocking_run(r, head, u->socket);
}

static int accept_handshake(upgrade_t *u)
{
    request_rec *r = u->r;
    int status = check_origin(u);

    if (status == OK) {
        status = negotiate(u);
    }
    if (status != OK) {
        return status;
    }
    authws_ws_dir_live(&u->like, u->dir);
    authws_account_init(&u->account, r, u->dir->endpoint, &u->like);
    u->staying = authws_detach_check(r);
    if (u->staying && !authws_blocking_enter(r, u->staying)) {
        apr_table_setn(r->err_headers_out, "Retry-After", "10");
        return refuse(r, HTTP_SERVICE_UNAVAILABLE, "no worker thread is left for it");
    }
    status = count_user(u);
    if (status == OK) {
        status = create(u);
    }
    if (status != OK) {
        if (u->staying) {
            authws_blocking_leave(u->r);
        }
        return status;
    }
    return complete(u);
}

int authws_upgrade_handler(request_rec *r)
{
    const authws_ws_dir_t *dir = dir_of(r);
    const char *why = NULL;

    if (!dir) {
        return DECLINED;
    }
    upgrade_t u = {.r = r, .dir = dir};
    request_fill(&u.request, r);
    switch (aw_ws_handshake_check(&u.request, &why)) {
    case AW_WS_HANDSHAKE_OK:
        return accept_handshake(&u);
    case AW_WS_HANDSHAKE_BAD:
        return refuse(r, HTTP_BAD_REQUEST, why);
    case AW_WS_HANDSHAKE_VERSION:
        announce(r);
        apr_table_setn(r->err_headers_out, "Sec-WebSocket-Version", "13");
        return refuse(r, HTTP_UPGRADE_REQUIRED, why);
    case AW_WS_HANDSHAKE_NONE:
        break;
    }
    const authws_endpoint_t *endpoint = dir->endpoint;
    return endpoint->service->request ? endpoint->service->request(r, endpoint->config) : DECLINED;
}

int authws_upgrade_required(request_rec *r)
{
    /* httpd answers OPTIONS and TRACE for any path, and has something to say about files. */
    if (!dir_of(r) || r->method_number == M_OPTIONS || r->method_number == M_TRACE ||
        r->finfo.filetype == APR_REG) {
        return DECLINED;
    }
    announce(r);
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, AWLOGNO(2103) "only WebSockets are served here: %s",
                  authws_log_text(r->pool, aw_span(r->uri)));
    return HTTP_UPGRADE_REQUIRED;
}
