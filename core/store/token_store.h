/* One or more token files kept in memory and followed as they change.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Files are followed by the rules of store/a1_store.h: looked at every 25 ms at the most, a new
 * version is taken up 20 ms after its last change, a broken or missing one leaves the last good
 * one in force and is logged once. A lookup waits for no reload.
 */
#ifndef AUTHWS_STORE_TOKEN_STORE_H
#define AUTHWS_STORE_TOKEN_STORE_H

#include "base/log.h"
#include "store/token.h"

/* A store; shared by the threads of a process. */
typedef struct aw_token_store_t aw_token_store_t;

/* Loads `n` files (paths copied into `p`). All must be readable and right: otherwise the status,
 * and *message (in `p`) as `FILE:LINE:COLUMN: what` or `FILE: what`. A file that others may read
 * or write is loaded, with a warning to `log`. `log` is copied (NULL: nothing is logged); its baton
 * outlives `p`'s cleanup of the store. The store lives until `p` is cleared; what is read before a
 * fork is shared with the children until the file changes. aw_algorithms_init comes first. */
apr_status_t aw_token_store_open(aw_token_store_t **store, const char **message,
                                 const char *const *paths, size_t n, const aw_log_t *log,
                                 apr_pool_t *p);

/* Looks whether a file has changed, when it is time; aw_token_store_find does it first. Any
 * thread; returns at once while another thread is at it. */
void aw_token_store_look(aw_token_store_t *store, apr_time_t now);

/* What a token was found to be: a copy. */
typedef struct aw_token_entry_t {
    char subject[AW_TOKEN_SUBJECT_MAX + 1]; /* NUL-terminated */
    size_t subject_len;
    aw_token_alg_e alg;
    unsigned char hash[AW_TOKEN_HASH_MAX]; /* in `alg`; for aw_token_uplift_t; wipe it */
    apr_time_t expires;
    /* What a weak entry is to be lifted to: the strongest algorithm in force in the files, at
     * least AW_TOKEN_ALG_DEFAULT; AW_TOKEN_ALG_COUNT: the entry is strong enough. */
    aw_token_alg_e lift_to;
} aw_token_entry_t;

typedef enum aw_token_verdict_e {
    AW_TOKEN_GOOD,
    AW_TOKEN_EXPIRED, /* *entry is set all the same: for the log */
    AW_TOKEN_UNKNOWN, /* entry->subject is empty; the rest of *entry means nothing */
    AW_TOKEN_FAILED   /* OpenSSL failed, or does not offer an algorithm that a file needs */
} aw_token_verdict_e;

/* Looks a token up: hashes it in each algorithm that the files hold and finds the entry by its
 * hash, in a time that depends neither on the number of tokens nor on whether it is found. A token
 * that is empty or longer than AW_TOKEN_MAX is unknown. Of several files with the token, one where
 * it is good counts. `now` is also what expiry is judged by. Any thread. */
aw_token_verdict_e aw_token_store_find(aw_token_store_t *store, aw_span_t token, apr_time_t now,
                                       aw_token_entry_t *entry);

/* Whether the hash that an entry was found by is still in force for its subject, and not expired:
 * for connections that outlive the request (AuthWSRevalidate). An entry that has been lifted since
 * no longer is: ask with `lifted` what it was lifted to, or NULL. */
bool aw_token_store_holds(aw_token_store_t *store, aw_span_t subject, const aw_token_value_t *value,
                          const aw_token_value_t *lifted, apr_time_t now);

/* Tokens in the versions in force, by algorithm (may be NULL), and all of them. */
size_t aw_token_store_count(aw_token_store_t *store, size_t by_alg[AW_TOKEN_ALG_COUNT]);

#endif
