/* Ticket: a client that was somebody a moment ago, and got a ticket for that (ws/ticket.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include <apr_strings.h>

#include "scheme.h"
#include "state.h"
#include "ticket.h"

/* Whether the ticket is for the path that the client asked for. */
static bool is_path(const authws_check_t *check, const authws_ticket_t *ticket)
{
    request_rec *r = check->state->initial;
    char *path = apr_pstrdup(r->pool, r->parsed_uri.path ? r->parsed_uri.path : "");

    return !*ticket->path || (ap_unescape_url(path) == OK && !strcmp(path, ticket->path));
}

/* Why a ticket lets nobody in; NULL: it does, and that was its only use. */
static const char *judge(const authws_check_t *check, authws_ticket_t *ticket)
{
    aw_nc_table_t *table = authws_state_nc_table();
    authws_request_t *state = check->state;

    /* Not the time of the request: who sends one slowly would live in the past. */
    if (apr_time_now() >= ticket->expires || ticket->nonce.issued < authws_state_created()) {
        return "ticket expired";
    }
    if (!is_path(check, ticket)) {
        return "ticket for another path";
    }
    /* Subrequests and internal redirects come with the ticket that their request has used. */
    if (!state->ticket_used &&
        aw_nc_take(table, &ticket->nonce, aw_nc_user(table, aw_span(ticket->user)), 1) !=
            AW_NC_TAKEN) {
        return "ticket used before";
    }
    state->ticket_used = true;
    return NULL;
}

static int present(authws_check_t *check)
{
    request_rec *r = check->r;
    authws_ticket_t ticket = {.user = ""};

    if (!check->state->ticket) {
        check->missing = check->missing ? "A client certificate or a ticket is needed, and none "
                                          "was sent that is good here."
                                        : "A ticket is needed, and none was sent.";
        return DECLINED;
    }
    authws_throttle_begin(&check->throttle, r, check->state, check->dir, check->realm, NULL);
    if (authws_throttle_refuse_address(&check->throttle)) {
        check->result = "throttled";
        check->outcome = AUTHWS_COUNT_THROTTLED;
        return authws_throttle_answer(&check->throttle);
    }
    /* What a page of this address refers to must not be told the address. */
    apr_table_setn(r->err_headers_out, "Referrer-Policy", "no-referrer");
    check->result = "ticket of nowhere";
    if (authws_ticket_open(&ticket, r, check->realm, check->state->ticket)) {
        check->result = judge(check, &ticket);
    }
    if (check->result) {
        check->outcome = AUTHWS_COUNT_WRONG;
        check->missing = "The ticket is not good here, or not any more.";
        ap_log_rerror(
            APLOG_MARK, APLOG_INFO, 0, r, AWLOGNO(2180) "Ticket: user \"%s\", realm \"%s\": %s: %s",
            authws_log_text(r->pool, aw_span(ticket.user)), check->realm, check->result, r->uri);
        return HTTP_UNAUTHORIZED;
    }
    r->user = apr_pstrdup(r->pool, ticket.user);
    check->result = "ok";
    check->outcome = AUTHWS_COUNT_TICKET;
    return OK;
}

static const char *lacks(const authws_dir_t *dir)
{
    (void)dir;
    return NULL;
}

const authws_scheme_t authws_scheme_ticket = {
    .name = "Ticket",
    .lacks = lacks,
    .present = present,
};
