/* Hashing many users' passwords on all processors, in the order they came.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A ring of batches: one thread fills them and takes the results, the others compute. Passwords
 * are wiped as soon as they are hashed.
 */
#ifndef AUTHWS_TOOLS_HTDIGEST_HASH_H
#define AUTHWS_TOOLS_HTDIGEST_HASH_H

#include <apr_errno.h>

#include "store/a1.h"

#define BATCH_ROWS 256
#define BATCH_TEXT 65536

/* A user on the way; names lie in the batch's text. */
typedef struct hash_row_t {
    aw_span_t user;
    aw_span_t realm;
    aw_span_t password; /* empty once it is hashed */
    size_t line, column;
    aw_a1_value_t value;
} hash_row_t;

typedef struct batch_t {
    enum { BATCH_EMPTY, BATCH_FULL, BATCH_BUSY, BATCH_DONE } state; /* the crew's lock */
    bool computed;       /* crew_next: the rows have their values */
    apr_status_t status; /* of the hashing */
    size_t count, used;
    hash_row_t rows[BATCH_ROWS];
    char text[BATCH_TEXT];
} batch_t;

typedef struct crew_t crew_t;

/* Starts a thread for each processor at hand; `mask`: the algorithms to compute. APR_ENOMEM, or
 * what pthread_create said when not even one could be started. */
apr_status_t crew_start(crew_t **crew, unsigned mask);

size_t crew_batches(const crew_t *crew);

/* The next batch of the ring, which no thread has any more: take its rows where it is computed,
 * then batch_clear it, fill it and hand it on with crew_submit, or let it be. */
batch_t *crew_next(crew_t *crew);
void crew_submit(crew_t *crew, batch_t *batch);

/* Copies a row in; false when the batch is full. */
bool batch_add(batch_t *batch, const hash_row_t *row);

/* Wipes and empties a batch. */
void batch_clear(batch_t *batch);

/* Ends the threads; wipes and frees all. NULL is allowed. */
void crew_end(crew_t *crew);

#endif
