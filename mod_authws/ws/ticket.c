/* AuthWSService ticket: gives one-time tickets to authenticated clients.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ticket.h"

#include <apr_strings.h>
#include <http_protocol.h>

#include "../mod_authws.h"
#include "../scheme.h"
#include "../ticket.h"

/* The path of `?path=`: empty without one, NULL when it is none. */
static const char *path_of(request_rec *r)
{
    static const char name[] = "path=";
    char *rest = NULL;

    for (char *word = apr_strtok(apr_pstrdup(r->pool, r->args ? r->args : ""), "&", &rest); word;
         word = apr_strtok(NULL, "&", &rest)) {
        if (!strncmp(word, name, sizeof(name) - 1)) {
            char *path = word + sizeof(name) - 1;

            return ap_unescape_urlencoded(path) == OK && *path == '/' &&
                           strlen(path) <= AUTHWS_TICKET_PATH_MAX
                       ? path
                       : NULL;
        }
    }
    return "";
}

static int refuse(request_rec *r, int status, const char *why)
{
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, AWLOGNO(2181) "no ticket is given: %s: %s", why,
                  authws_log_text(r->pool, aw_span(r->uri)));
    return status;
}

static int answer(request_rec *r, void *config)
{
    const authws_dir_t *dir = ap_get_module_config(r->per_dir_config, &authws_module);
    const char *realm = authws_realm(r);
    authws_ticket_t ticket = {.expires = r->request_time + authws_dir_ticket_lifetime(dir)};
    const char *text;

    (void)config;
    if (r->method_number != M_GET) {
        r->allowed |= AP_METHOD_BIT << M_GET;
        return HTTP_METHOD_NOT_ALLOWED;
    }
    if (!r->user || !realm) {
        return refuse(r, HTTP_FORBIDDEN, "nobody was asked who he is");
    }
    /* Or a ticket would be as good as a login for ever. */
    if (r->ap_auth_type && !strcmp(r->ap_auth_type, authws_scheme_ticket.name)) {
        return refuse(r, HTTP_FORBIDDEN, "the client came with a ticket itself");
    }
    ticket.user = r->user;
    ticket.path = path_of(r);
    if (!ticket.path) {
        return refuse(r, HTTP_BAD_REQUEST, "its path does not begin with a slash, or is too long");
    }
    text = authws_ticket_build(r, realm, &ticket);
    if (!text) {
        return refuse(r, HTTP_INTERNAL_SERVER_ERROR, "no random bytes, or a name that is too long");
    }
    ap_set_content_type(r, "application/json");
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    ap_rprintf(r, "{\"ticket\":\"%s\",\"expires\":%" APR_TIME_T_FMT "}\n", text,
               apr_time_sec(ticket.expires));
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                  AWLOGNO(2182) "a ticket for user \"%s\", realm \"%s\"",
                  authws_log_text(r->pool, aw_span(r->user)), realm);
    return OK;
}

static int open_none(request_rec *r, void *config, authws_socket_t *socket)
{
    (void)r;
    (void)config;
    (void)socket;
    return HTTP_FORBIDDEN;
}

void authws_ticket_register(apr_pool_t *p)
{
    static const authws_service_t service = {.open = open_none, .request = answer};

    ap_register_provider(p, AUTHWS_SERVICE_GROUP, "ticket", AUTHWS_SERVICE_VERSION, &service);
}
