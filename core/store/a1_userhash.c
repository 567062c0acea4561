/* Adding user hashes to an A1 table that was built without them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/a1_layout.h"

#include <stdlib.h>

static uint64_t count_sets(unsigned userhash)
{
    uint64_t sets = 1; /* by name */

    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        sets += userhash >> a & 1;
    }
    return sets;
}

static unsigned indexed(const aw_a1_table_t *table)
{
    unsigned mask = 0;

    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        mask |= table->by_hash[a] != 0 ? 1u << a : 0;
    }
    return mask;
}

/* Where the records begin in a table like `table` with these user hashes. */
static uint64_t records_at(const aw_a1_table_t *table, unsigned userhash)
{
    return table->by_name + count_sets(userhash) * (table->buckets_mask + 1) * sizeof(uint64_t);
}

static uint64_t record_size(const aw_a1_rec_t *record, unsigned userhash)
{
    const uint64_t size = sizeof(*record) + aw_a1_hashes_size(record->present) +
                          aw_a1_hashes_size(userhash) + record->user_len + record->realm_len;

    return (size + AW_A1_UNIT - 1) / AW_A1_UNIT * AW_A1_UNIT;
}

static const aw_a1_rec_t *record_of(const aw_a1_table_t *table, uint64_t offset)
{
    return (const aw_a1_rec_t *)((const char *)table + offset);
}

static uint64_t *set_of(aw_a1_table_t *table, uint64_t offset)
{
    return (uint64_t *)((char *)table + offset);
}

/* Writes one record at `offset` and names it in every set of buckets. */
static apr_status_t add(aw_a1_table_t *table, uint64_t offset, const aw_a1_rec_t *from,
                        unsigned userhash)
{
    const aw_span_t user = {aw_a1_rec_user(from), from->user_len};
    const aw_span_t realm = {user.ptr + user.len, from->realm_len};
    const aw_span_t parts[] = {user, AW_SPAN_LIT(":"), realm};
    const size_t hashes = aw_a1_hashes_size(from->present);
    aw_a1_rec_t *record = (aw_a1_rec_t *)((char *)table + offset);
    unsigned char *at = (unsigned char *)(record + 1) + hashes;
    apr_status_t rv = APR_SUCCESS;

    *record = *from;
    record->indexed = (uint16_t)userhash;
    memcpy(record + 1, from + 1, hashes);
    aw_a1_insert(set_of(table, table->by_name), table->buckets_mask,
                 aw_a1_hash_name(table->key, realm, user), offset / AW_A1_UNIT);
    for (unsigned a = 0; a < AW_ALG_COUNT && rv == APR_SUCCESS; a++) {
        if (userhash & (1u << a)) {
            rv = aw_hash((aw_alg_e)a, parts, 3, at);
            if (rv == APR_SUCCESS) {
                aw_a1_insert(set_of(table, table->by_hash[a]), table->buckets_mask,
                             aw_a1_hash_userhash(table->key, at, (aw_alg_e)a), offset / AW_A1_UNIT);
            }
            at += aw_alg_size((aw_alg_e)a);
        }
    }
    if (rv == APR_SUCCESS) {
        memcpy(at, user.ptr, user.len + realm.len);
    }
    return rv;
}

apr_status_t aw_a1_table_index(aw_a1_table_t **table, const aw_a1_table_t *from, unsigned userhash)
{
    const unsigned before = indexed(from);
    const unsigned mask = (before | userhash) & ((1u << AW_ALG_COUNT) - 1);
    const uint64_t start = records_at(from, before);
    const uint64_t set_size = (from->buckets_mask + 1) * sizeof(uint64_t);
    uint64_t size = records_at(from, mask);
    uint64_t set = from->by_name + set_size;
    apr_status_t rv = APR_SUCCESS;

    /* Records stand one behind the other, to the end of the block. */
    for (uint64_t at = start; at < from->size; at += record_size(record_of(from, at), before)) {
        size += record_size(record_of(from, at), mask);
    }
    aw_a1_table_t *out =
        size > SIZE_MAX / 2 || size / AW_A1_UNIT > AW_A1_PLACE_MASK ? NULL : calloc(1, size);
    if (!out) {
        return APR_ENOMEM;
    }
    *out = *from;
    out->size = size;
    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        out->by_hash[a] = mask & (1u << a) ? set : 0;
        set += mask & (1u << a) ? set_size : 0;
    }
    uint64_t to = set;

    for (uint64_t at = start; at < from->size && rv == APR_SUCCESS;
         at += record_size(record_of(from, at), before)) {
        rv = add(out, to, record_of(from, at), mask);
        to += record_size(record_of(from, at), mask);
    }
    if (rv != APR_SUCCESS) {
        aw_a1_table_destroy(out);
        return rv;
    }
    *table = out;
    return APR_SUCCESS;
}
