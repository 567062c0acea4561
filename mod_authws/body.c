/* Bodies under qop=auth-int: read and checked first, handed on unharmed, and the answer's hashed.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Both filters stand at the request's end of the protocol filters: entity-bodies as RFC 7616 3.4.3
 * wants them, transfer coding off, content coding on. Request filters are lost in an internal
 * redirect, so insert_filter puts them back.
 */
#include "body.h"

#include <apr_strings.h>
#include <http_protocol.h>
#include <util_filter.h>

#include "digest/compute.h"

#define FILTER_TYPE ((ap_filter_type)(AP_FTYPE_PROTOCOL - 1))

/* What a client still has to be told about the answer's body. Copied out of the verification. */
typedef struct reply_t {
    aw_digest_input_t input;
    unsigned char a1[AW_HASH_MAX];
    const char *header;
    apr_bucket_brigade *held;
} reply_t;

typedef struct authws_body_t {
    bool read;
    int status; /* why it could not be read; 0: nothing wrong */
    char *data;
    apr_size_t len;
    apr_size_t pos; /* what the handler has taken */
    apr_off_t limit;
    reply_t *reply; /* NULL: nothing asked for, done, or given up */
} authws_body_t;

static ap_filter_rec_t *input_filter;
static ap_filter_rec_t *output_filter;

static bool has_filter(const ap_filter_t *f, const ap_filter_rec_t *rec)
{
    for (; f; f = f->next) {
        if (f->frec == rec) {
            return true;
        }
    }
    return false;
}

/* Appends the data of one brigade to `all`; sets *eos at its end. An HTTP status, or OK. */
static int collect(apr_bucket_brigade *all, apr_bucket_brigade *bb, apr_off_t *length,
                   apr_off_t limit, bool *eos)
{
    for (apr_bucket *b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb);
         b = APR_BUCKET_NEXT(b)) {
        const char *data;
        apr_size_t len;

        if (APR_BUCKET_IS_EOS(b)) {
            *eos = true;
            return OK;
        }
        if (APR_BUCKET_IS_METADATA(b)) {
            continue;
        }
        if (apr_bucket_read(b, &data, &len, APR_BLOCK_READ) != APR_SUCCESS) {
            return HTTP_BAD_REQUEST;
        }
        *length += (apr_off_t)len;
        if (*length > limit) {
            return HTTP_REQUEST_ENTITY_TOO_LARGE;
        }
        if (apr_brigade_write(all, NULL, NULL, data, len) != APR_SUCCESS) {
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return OK;
}

/* Reads the whole body from the filters below. An HTTP status, or OK. */
static int read_all(authws_body_t *body, request_rec *r, apr_pool_t *p)
{
    apr_bucket_brigade *all = apr_brigade_create(p, r->connection->bucket_alloc);
    apr_bucket_brigade *bb = apr_brigade_create(p, r->connection->bucket_alloc);
    const char *declared = apr_table_get(r->headers_in, "Content-Length");
    apr_off_t length = 0;
    int status = OK;
    bool eos = false;

    if (declared && apr_strtoff(&length, declared, NULL, 10) == APR_SUCCESS &&
        length > body->limit) {
        return HTTP_REQUEST_ENTITY_TOO_LARGE;
    }
    length = 0;
    while (!eos && status == OK) {
        const apr_status_t rv = ap_get_brigade(r->input_filters, bb, AP_MODE_READBYTES,
                                               APR_BLOCK_READ, HUGE_STRING_LEN);

        if (rv != APR_SUCCESS) {
            status = ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
        } else {
            status = collect(all, bb, &length, body->limit, &eos);
        }
        apr_brigade_cleanup(bb);
    }
    if (status == OK && apr_brigade_pflatten(all, &body->data, &body->len, p) != APR_SUCCESS) {
        status = HTTP_INTERNAL_SERVER_ERROR;
    }
    apr_brigade_destroy(bb);
    apr_brigade_destroy(all);
    return status;
}

apr_status_t authws_body_hash(authws_request_t *state, request_rec *r, apr_off_t limit,
                              aw_alg_e alg, unsigned char *out)
{
    request_rec *initial = state->initial;
    authws_body_t *body = state->body;

    if (!body) {
        body = apr_pcalloc(initial->pool, sizeof(*body));
        body->limit = limit;
        state->body = body;
        /* A subrequest has no body of its own: what is read is always the client's. */
        request_rec *reader = r->main ? initial : r;
        body->status = read_all(body, reader, initial->pool);
        if (body->status == OK) {
            body->read = true;
            ap_add_input_filter_handle(input_filter, NULL, reader, reader->connection);
        } else {
            ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                          AWLOGNO(2040) "auth-int: the request body cannot be checked (status "
                                        "%d, limit %" APR_OFF_T_FMT " bytes)",
                          body->status, limit);
        }
    }
    if (body->status != OK) {
        return APR_EGENERAL;
    }
    const aw_span_t part = {body->data, body->len};
    return aw_hash(alg, &part, 1, out);
}

int authws_body_status(const authws_request_t *state)
{
    return state->body && state->body->status != OK ? state->body->status
                                                    : HTTP_INTERNAL_SERVER_ERROR;
}

/* How much of the rest a read in this mode is to have. */
static apr_size_t share(const authws_body_t *body, ap_input_mode_t mode, apr_off_t readbytes)
{
    const apr_size_t rest = body->len - body->pos;

    if (mode == AP_MODE_GETLINE) {
        const char *from = body->data + body->pos;
        const char *end = rest > 0 ? memchr(from, '\n', rest) : NULL;

        return end ? (apr_size_t)(end - from) + 1 : rest;
    }
    if (mode == AP_MODE_EXHAUSTIVE || readbytes < 0 || (apr_uint64_t)readbytes > rest) {
        return rest;
    }
    return (apr_size_t)readbytes;
}

static apr_status_t replay(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode,
                           apr_read_type_e block, apr_off_t readbytes)
{
    const authws_request_t *state = authws_request_find(f->r);
    authws_body_t *body = state->body;
    apr_size_t n;

    (void)block;
    if (mode == AP_MODE_INIT || mode == AP_MODE_EATCRLF) {
        return APR_SUCCESS;
    }
    n = share(body, mode, readbytes);
    if (n > 0) {
        APR_BRIGADE_INSERT_TAIL(bb,
                                apr_bucket_pool_create(body->data + body->pos, n,
                                                       state->initial->pool, f->c->bucket_alloc));
    }
    if (mode != AP_MODE_SPECULATIVE) {
        body->pos += n;
        if (body->pos == body->len) {
            APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(f->c->bucket_alloc));
        }
    }
    return APR_SUCCESS;
}

static aw_span_t copy(apr_pool_t *p, aw_span_t span)
{
    return (aw_span_t){apr_pmemdup(p, span.ptr, span.len), span.len};
}

static apr_status_t wipe_reply(void *data)
{
    reply_t *reply = data;

    aw_wipe(reply->a1, sizeof(reply->a1));
    return APR_SUCCESS;
}

void authws_body_answer(authws_request_t *state, request_rec *r, const aw_digest_result_t *result,
                        const char *header)
{
    apr_pool_t *p = state->initial->pool;
    const aw_credentials_t *sent = &result->credentials;
    reply_t *reply;

    if (!state->body || r->main || apr_table_get(r->headers_in, "Range")) {
        return;
    }
    reply = apr_pcalloc(p, sizeof(*reply));
    reply->input.algorithm = sent->algorithm;
    reply->input.qop = sent->qop;
    reply->input.uri = copy(p, sent->uri);
    reply->input.nonce = copy(p, sent->nonce);
    reply->input.cnonce = copy(p, sent->cnonce);
    reply->input.nc_text = copy(p, sent->nc_text);
    reply->header = header;
    memcpy(reply->a1, result->a1, sizeof(reply->a1));
    apr_pool_cleanup_register(p, reply, wipe_reply, apr_pool_cleanup_null);
    state->body->reply = reply;
}

/* Adds up what would be held; false when it may not be: too much, or streamed. A flush says that
 * somebody waits, unless the end is in sight: mod_proxy flushes whenever its backend pauses, and
 * whether rspauth is there must not be a matter of luck. */
static bool may_hold(request_rec *r, const apr_bucket_brigade *held, const apr_bucket_brigade *bb,
                     apr_off_t limit, bool *eos)
{
    const bool has_length = apr_table_get(r->headers_out, "Content-Length") != NULL;
    apr_off_t before = 0;
    apr_off_t length = 0;

    if (held) {
        apr_brigade_length((apr_bucket_brigade *)held, 0, &before);
    }
    for (apr_bucket *b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb);
         b = APR_BUCKET_NEXT(b)) {
        if (APR_BUCKET_IS_EOS(b)) {
            *eos = true;
            break;
        }
        if (APR_BUCKET_IS_FLUSH(b) && !has_length) {
            return false;
        }
        if (!APR_BUCKET_IS_METADATA(b)) {
            const char *data;
            apr_size_t len = b->length;

            /* A pipe from a CGI has no length until it is read; reading may wait, as the
             * handler's own client would have to. */
            if (len == (apr_size_t)-1 &&
                apr_bucket_read(b, &data, &len, APR_BLOCK_READ) != APR_SUCCESS) {
                return false;
            }
            length += (apr_off_t)len;
            if (before + length > limit) {
                return false;
            }
        }
    }
    return true;
}

/* H(answer's body), and with it the header field. */
static void set_rspauth(request_rec *r, const reply_t *reply, apr_bucket_brigade *bb)
{
    const aw_alg_e alg = reply->input.algorithm.hash;
    const size_t size = aw_alg_size(alg);
    unsigned char hash[AW_HASH_MAX];
    unsigned char rspauth[AW_HASH_MAX];
    char hex[AW_HASH_HEX_MAX];
    aw_hasher_t *hasher = NULL;
    apr_status_t rv = aw_hasher_create(&hasher, alg);
    const bool empty = r->header_only || AP_STATUS_IS_HEADER_ONLY(r->status);

    for (apr_bucket *b = APR_BRIGADE_FIRST(bb);
         rv == APR_SUCCESS && !empty && b != APR_BRIGADE_SENTINEL(bb); b = APR_BUCKET_NEXT(b)) {
        const char *data;
        apr_size_t len;

        if (!APR_BUCKET_IS_METADATA(b)) {
            rv = apr_bucket_read(b, &data, &len, APR_BLOCK_READ);
            if (rv == APR_SUCCESS) {
                rv = aw_hasher_update(hasher, data, len);
            }
        }
    }
    if (rv == APR_SUCCESS) {
        rv = aw_hasher_finish(hasher, hash);
    }
    aw_hasher_destroy(hasher);
    if (rv == APR_SUCCESS) {
        rv = aw_digest_rspauth_int(&reply->input, reply->a1, hash, rspauth);
    }
    if (rv != APR_SUCCESS) {
        return;
    }
    aw_hex_encode(hex, rspauth, size);
    /* For an error page httpd has exchanged the two tables by now. */
    apr_table_t *headers = r->err_headers_out;
    const char *rest = apr_table_get(headers, reply->header);
    if (!rest) {
        headers = r->headers_out;
        rest = apr_table_get(headers, reply->header);
    }
    if (rest) {
        apr_table_setn(headers, reply->header,
                       apr_psprintf(r->pool, "rspauth=\"%.*s\", %s", (int)(2 * size), hex, rest));
    }
}

static apr_status_t hold(ap_filter_t *f, apr_bucket_brigade *bb)
{
    authws_body_t *body = authws_request_find(f->r)->body;
    reply_t *reply = body->reply;
    bool eos = false;

    if (reply && may_hold(f->r, reply->held, bb, body->limit, &eos)) {
        if (!eos) {
            return ap_save_brigade(f, &reply->held, &bb, f->r->pool);
        }
        if (reply->held) {
            APR_BRIGADE_PREPEND(bb, reply->held);
        }
        set_rspauth(f->r, reply, bb);
    } else if (reply && reply->held) {
        APR_BRIGADE_PREPEND(bb, reply->held);
    }
    body->reply = NULL;
    ap_remove_output_filter(f);
    return ap_pass_brigade(f->next, bb);
}

void authws_body_insert(request_rec *r)
{
    const authws_request_t *state = authws_request_find(r);

    if (!state || !state->body || !state->body->read || r->main) {
        return;
    }
    if (!has_filter(r->input_filters, input_filter)) {
        ap_add_input_filter_handle(input_filter, NULL, r, r->connection);
    }
    if (state->body->reply && !has_filter(r->output_filters, output_filter)) {
        ap_add_output_filter_handle(output_filter, NULL, r, r->connection);
    }
}

void authws_body_register(void)
{
    input_filter = ap_register_input_filter("AUTHWS_BODY", replay, NULL, FILTER_TYPE);
    output_filter = ap_register_output_filter("AUTHWS_RSPAUTH", hold, NULL, FILTER_TYPE);
}
