/* Clients and users that fail too often are refused for a while: AuthWSThrottle.
 * SPDX-License-Identifier: Apache-2.0
 *
 * For one check of one request: begin; refuse_address before anything is made of the credentials;
 * refuse_user once it is known who they are for, and before it is known whether they are right;
 * then failed or succeeded. A request whose credentials have been let in counts no more, nor does
 * one failure count twice for the same user, however many subrequests and internal redirects check
 * the same credentials again.
 */
#ifndef MOD_AUTHWS_THROTTLE_H
#define MOD_AUTHWS_THROTTLE_H

#include "config.h"

struct authws_request_t;

/* What is known for one check. */
typedef struct authws_throttle_t {
    const aw_throttle_limit_t *limit; /* NULL: nothing is refused or counted */
    request_rec *r;
    struct authws_request_t *state;
    const char *realm;
    const char *field; /* the credentials being checked; NULL: not of a header field */
    apr_time_t now;
    aw_throttle_id_t address;
    aw_throttle_id_t user;
    aw_throttle_id_t without; /* this kind of client at this address; see _refuse_without */
    bool certificates;        /* the section asks for certificates: set by the caller of begin */
    unsigned left;            /* seconds of the block that refused; 0: none did */
} authws_throttle_t;

/* `state` is that of r's initial request. Everything is borrowed for as long as `throttle` is in
 * use. */
void authws_throttle_begin(authws_throttle_t *throttle, request_rec *r,
                           struct authws_request_t *state, const authws_dir_t *dir,
                           const char *realm, const char *field);

/* Whether the client's address, or the user, is blocked; logged. */
bool authws_throttle_refuse_address(authws_throttle_t *throttle);
bool authws_throttle_refuse_user(authws_throttle_t *throttle, aw_span_t user);

/* Counts a client that has come without a certificate, and without anything else; whether such
 * clients are blocked by now, which is logged. They are told apart by address, realm and
 * User-Agent, and counted apart from wrong passwords: they guess nothing, and must not lock out
 * those who share their address. Once for a request of a client. */
bool authws_throttle_refuse_without(authws_throttle_t *throttle);

/* The answer to whom any of these has refused: sets Retry-After and returns 429. */
int authws_throttle_answer(const authws_throttle_t *throttle);

/* Counts a failure for the address and for the user that refuse_user was asked about; `user` is
 * that name, for the log. */
void authws_throttle_failed(authws_throttle_t *throttle, aw_span_t user);

/* Forgets the failures of that user, and that such a client came without anything. Those of the
 * address stay: whoever has one account must not get any number of guesses at others. */
void authws_throttle_succeeded(authws_throttle_t *throttle);

#endif
