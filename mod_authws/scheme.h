/* The schemes that answer "who is this?": one vtable, a file for each.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_SCHEME_H
#define MOD_AUTHWS_SCHEME_H

#include "config.h"
#include "counters.h"
#include "throttle.h"

struct authws_body_t;

/* What the module knows about one request as the client sent it. Subrequests and internal
 * redirects share the one of the request that they come from. */
typedef struct authws_request_t {
    request_rec *initial;       /* the request as it came from the client */
    struct authws_body_t *body; /* its body, when auth-int has read it; see body.h */
    /* The count that a verification of this request took: a subrequest under another
     * configuration verifies again, but must not find its own count used. */
    const char *counted_field;    /* the credentials it was taken with; NULL: none */
    bool counted;                 /* what came of it; see counters.h */
    bool asking;                  /* a provider of AuthWSProvider is being asked */
    const char *admitted;         /* the credentials that have let it in; NULL: none */
    const char *ticket;           /* that it came with; see ticket.h */
    const char *target;           /* as it came, ticket and all; NULL: unparsed_uri says it */
    bool ticket_used;             /* by this very request */
    bool unasked;                 /* it is refused by a 401 that asks for nothing */
    bool address_failed;          /* the throttle has counted a failure for the address */
    aw_throttle_id_t user_failed; /* and one for this user */
} authws_request_t;

/* What is known of `r`'s initial request; _find gives NULL when nothing has been checked yet. */
authws_request_t *authws_request_get(request_rec *r);
authws_request_t *authws_request_find(request_rec *r);

/* Counts what came of the client's request, if nothing has been counted for it yet. */
void authws_request_count(authws_request_t *request, authws_counter_e outcome);

/* The realm of AuthName, NULL without one. ap_auth_name gives what belongs between the quotes of a
 * challenge; this is what it means, and what A1 values are made from. In the request's pool. */
const char *authws_realm(request_rec *r);

/* One check of one request under one configuration; lives on the stack of the hook. */
typedef struct authws_check_t {
    request_rec *r;
    const authws_dir_t *dir;
    const authws_server_t *server;
    authws_request_t *state;
    const char *realm;
    const char *field; /* value of Authorization or Proxy-Authorization; NULL: none */
    bool proxy;
    apr_time_t now;
    authws_throttle_t throttle; /* begun before a scheme is asked */
    /* Set by a scheme: */
    authws_counter_e outcome;
    aw_span_t user;     /* who has failed, if somebody did; in the request's pool */
    const char *result; /* a word or two for the log format %{authws-result}n; static */
    bool stale;
    bool bad_token;      /* a token was sent, and is not good */
    const char *missing; /* what a client lacks that cannot be asked for it: a sentence; static */
} authws_check_t;

/* A scheme. All functions may run in any thread. Either `present` is there, or the three others
 * are: what comes in a field can be asked for, what does not cannot. */
typedef struct authws_scheme_t {
    const char *name; /* as in AuthWSScheme, and as AUTH_TYPE */
    /* The directives that a section needs for this scheme and has not; NULL: all is there. */
    const char *(*lacks)(const authws_dir_t *dir);
    /* The scheme that stands in a field: its credentials come here. */
    const char *(*challenge)(const authws_dir_t *dir);
    /* Looks at what the client has brought along besides the field: OK with r->user set; DECLINED,
     * with check->missing set, when there is nothing that lets it in; or an HTTP status. */
    int (*present)(authws_check_t *check);
    /* Checks the credentials in check->field, which are of this scheme; asks the throttle as soon
     * as it knows the user. OK with r->user set; or HTTP_UNAUTHORIZED: ask again; or another HTTP
     * status. */
    int (*verify)(authws_check_t *check);
    /* Adds this scheme's challenges to `table` under `header`. */
    void (*ask)(authws_check_t *check, apr_table_t *table, const char *header);
} authws_scheme_t;

extern const authws_scheme_t authws_scheme_digest;
extern const authws_scheme_t authws_scheme_basic;
extern const authws_scheme_t authws_scheme_token;
extern const authws_scheme_t authws_scheme_certificate;
extern const authws_scheme_t authws_scheme_ticket;

/* What Digest and Basic lack: a place where passwords are. */
const char *authws_scheme_lacks_users(const authws_dir_t *dir);

/* Digest alone. */
extern const authws_schemes_t authws_schemes_default;

/* Finds a scheme by its AuthWSScheme name, ignoring case; NULL when there is none. */
const authws_scheme_t *authws_scheme_find(const char *name);

/* The names of all, for messages: "Digest, Basic". */
const char *authws_scheme_names(apr_pool_t *p);

/* `text` in Unicode's Normalization Form C, as RFC 7616 section 4 and RFC 7617 section 2.1 ask of
 * what people type; what is not UTF-8, or too long for that, comes back as it is: it is the name
 * or password of nobody, or of somebody whose value was made from those bytes. A copy, if one is
 * needed, is in `p`, with *copied set: for passwords, to wipe it. */
aw_span_t authws_normal(apr_pool_t *p, aw_span_t text, bool *copied);

/* Checks a user name (in Normalization Form C) and password against the section's A1 files and
 * providers, strongest value first, in constant time; the same work is done for a user that is not
 * there, in an algorithm that some user of the file has (so users are not told apart by time where
 * all have the same algorithms). *alg (may be NULL) is the algorithm it was checked with. A
 * password that is right is stored in a stronger one, where AuthWSUplift says so. */
typedef enum authws_password_e {
    AUTHWS_PASSWORD_RIGHT,
    AUTHWS_PASSWORD_WRONG,
    AUTHWS_PASSWORD_UNKNOWN, /* for the log alone */
    AUTHWS_PASSWORD_ERROR
} authws_password_e;
authws_password_e authws_password_check(request_rec *r, const authws_dir_t *dir, aw_span_t realm,
                                        aw_span_t user, aw_span_t password, aw_alg_e *alg);

#endif
