/* The head of the answer that completes a handshake.
 * SPDX-License-Identifier: Apache-2.0
 *
 * httpd has no way to send a 101 with the fields that modules have set: its header filter is for
 * answers with a body, and the one for interim answers leaves them out. So the head is put together
 * here, and goes to the connection's own filters.
 */
#include "answer.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <util_filter.h>
#include <util_time.h>

static ap_filter_rec_t *end_of_chain;

static apr_status_t swallow(ap_filter_t *f, apr_bucket_brigade *in)
{
    (void)f;
    return apr_brigade_cleanup(in);
}

void authws_answer_register(void)
{
    end_of_chain =
        ap_register_output_filter("AUTHWS_ANSWER_END", swallow, NULL, AP_FTYPE_CONNECTION);
}

/* mod_headers does what its directives say when the first data passes its filter, and leaves the
 * list. There is no data in a 101, so a brigade without any is sent through that filter alone. */
static void run_mod_headers(request_rec *r)
{
    ap_filter_t **link = &r->output_filters;
    ap_filter_t *f = *link;
    ap_filter_t *next;
    ap_filter_t *end;
    apr_bucket_brigade *bb;

    while (f && f->frec && ap_cstr_casecmp(f->frec->name, "fixup_headers_out")) {
        link = &f->next;
        f = f->next;
    }
    if (!f || !f->frec) {
        return;
    }
    bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(r->connection->bucket_alloc));
    end = apr_pcalloc(r->pool, sizeof(*end));
    end->frec = end_of_chain;
    end->r = r;
    end->c = r->connection;
    next = f->next;
    f->next = end;
    (void)ap_pass_brigade(f, bb);
    apr_brigade_destroy(bb);
    *link = next;
}

/* Fields that are the handshake's own, or that describe a body. */
static bool is_ours(const char *name)
{
    static const char *const names[] = {
        "Connection",       "Upgrade",           "Keep-Alive", "Content-Length", "Content-Type",
        "Content-Encoding", "Transfer-Encoding", "Trailer",    "Date",           "Server",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!ap_cstr_casecmp(name, names[i])) {
            return true;
        }
    }
    return !ap_cstr_casecmpn(name, "Sec-WebSocket-", 14);
}

typedef struct head_t {
    request_rec *r;
    apr_array_header_t *parts; /* of const char * */
} head_t;

static void add(head_t *head, const char *name, const char *value)
{
    if (value) {
        APR_ARRAY_PUSH(head->parts, const char *) = name;
        APR_ARRAY_PUSH(head->parts, const char *) = ": ";
        APR_ARRAY_PUSH(head->parts, const char *) = value;
        APR_ARRAY_PUSH(head->parts, const char *) = "\r\n";
    }
}

/* The same test as httpd's own header filter makes: a field that would end the head, or begin
 * another one, stops the answer. */
static int add_field(void *baton, const char *name, const char *value)
{
    head_t *head = baton;

    if (is_ours(name)) {
        return 1;
    }
    if (*name == '\0' || *ap_scan_http_token(name) || *ap_scan_http_field_content(value)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, head->r,
                      AWLOGNO(2100) "WebSocket: a module has set the field \"%s\", which cannot "
                                    "stand in an answer",
                      authws_log_text(head->r->pool, aw_span(name)));
        return 0;
    }
    add(head, name, value);
    return 1;
}

const char *authws_answer_head(request_rec *r, const authws_answer_t *answer)
{
    head_t head = {r, apr_array_make(r->pool, 64, sizeof(const char *))};
    char *date = apr_palloc(r->pool, APR_RFC822_DATE_LEN);

    run_mod_headers(r);
    (void)ap_recent_rfc822_date(date, r->request_time);
    APR_ARRAY_PUSH(head.parts, const char *) = "HTTP/1.1 101 Switching Protocols\r\n";
    add(&head, "Date", date);
    add(&head, "Server", ap_get_server_banner());
    add(&head, "Upgrade", "websocket");
    add(&head, "Connection", "Upgrade");
    add(&head, "Sec-WebSocket-Accept", answer->accept);
    add(&head, "Sec-WebSocket-Protocol", answer->protocol);
    add(&head, "Sec-WebSocket-Extensions", answer->extensions);
    if (!apr_table_do(add_field, &head, r->err_headers_out, NULL) ||
        !apr_table_do(add_field, &head, r->headers_out, NULL)) {
        return NULL;
    }
    APR_ARRAY_PUSH(head.parts, const char *) = "\r\n";
    return apr_array_pstrcat(r->pool, head.parts, '\0');
}
