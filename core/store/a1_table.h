/* A1 values in memory: one block without pointers, built once, then only read.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     +--------+-------------------------+------------------------------------------+
 *     | header | buckets (power of two)  | records: user, realm, mask, hashes       |
 *     +--------+-------------------------+------------------------------------------+
 *
 * Buckets hold offsets of records, by keyed hash of (realm, user); a second set of buckets, when
 * asked for, by userhash. The block may be copied, or mapped by several processes.
 */
#ifndef AUTHWS_STORE_A1_TABLE_H
#define AUTHWS_STORE_A1_TABLE_H

#include <apr_pools.h>

#include "base/keyed.h"
#include "store/a1.h"

typedef struct aw_a1_table_t aw_a1_table_t;

/* Builds a table from the texts of `n` files, in order; later lines add algorithms to, or replace
 * those of, earlier ones for the same user and realm. `userhash` is a mask (1u << aw_alg_e) of
 * the algorithms to index user hashes for. `key` is random, AW_KEYED_KEY bytes. The table is one
 * block of pages (see aw_a1_table_destroy).
 * On a broken line: APR_EINVAL, *error, and *file the index of the text that it stands in. */
apr_status_t aw_a1_table_create(aw_a1_table_t **table, const aw_span_t *texts, size_t n,
                                unsigned userhash, const unsigned char *key, size_t *file,
                                aw_text_error_t *error);

/* Builds a table that holds what `from` holds and also finds users by the user hashes of the
 * algorithms in `userhash`. `from` is only read. APR_ENOMEM, or what OpenSSL failed with. */
apr_status_t aw_a1_table_index(aw_a1_table_t **table, const aw_a1_table_t *from, unsigned userhash);

/* Wipes and frees. NULL is allowed. */
void aw_a1_table_destroy(aw_a1_table_t *table);

size_t aw_a1_table_users(const aw_a1_table_t *table);

/* Finds a user in a realm. *user and the pointers in *hashes are borrowed from the table.
 * APR_SUCCESS; APR_NOTFOUND, with a record that means nothing: written all the same, and maybe of
 * somebody else, because leaving it would take less time. Any thread. */
typedef struct aw_a1_record_t {
    aw_span_t user;
    unsigned present;
    const unsigned char *hash[AW_ALG_COUNT]; /* NULL where absent */
} aw_a1_record_t;
apr_status_t aw_a1_table_find(const aw_a1_table_t *table, aw_span_t realm, aw_span_t user,
                              aw_a1_record_t *record);

/* Finds by userhash: `hash` is raw, aw_alg_size(alg) bytes. Only for algorithms that the table was
 * built for; others are APR_NOTFOUND. */
apr_status_t aw_a1_table_find_userhash(const aw_a1_table_t *table, aw_span_t realm, aw_alg_e alg,
                                       const unsigned char *hash, aw_a1_record_t *record);

#endif
