/* Finding users in an A1 table.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A search that fails costs what one that succeeds costs: both go on to an empty bucket
 * and the next full one, and without a match that one's record is compared and described as if it
 * were the one, so that the time does not tell who is a user.
 */
#include "store/a1_table.h"
#include "store/a1_layout.h"

#include <stdlib.h>

/* What is looked for. `userhash` NULL: by name. */
typedef struct wanted_t {
    aw_span_t realm;
    aw_span_t user;
    const unsigned char *userhash;
    aw_alg_e alg;
} wanted_t;

void aw_a1_table_destroy(aw_a1_table_t *table)
{
    if (table) {
        aw_wipe(table, (size_t)table->size);
        free(table);
    }
}

size_t aw_a1_table_users(const aw_a1_table_t *table)
{
    return (size_t)table->users;
}

static const aw_a1_rec_t *record_at(const aw_a1_table_t *table, uint64_t bucket)
{
    return (const aw_a1_rec_t *)((const char *)table + (bucket & AW_A1_PLACE_MASK) * AW_A1_UNIT);
}

static bool is_wanted(const aw_a1_rec_t *record, const wanted_t *wanted)
{
    const char *user = aw_a1_rec_user(record);
    const char *realm = user + record->user_len;

    if (record->realm_len != wanted->realm.len ||
        memcmp(realm, wanted->realm.ptr, wanted->realm.len) != 0) {
        return false;
    }
    if (wanted->userhash) {
        return memcmp(aw_a1_rec_userhash(record, wanted->alg), wanted->userhash,
                      aw_alg_size(wanted->alg)) == 0;
    }
    return record->user_len == wanted->user.len &&
           memcmp(user, wanted->user.ptr, wanted->user.len) == 0;
}

/* Searches one set of buckets, which always has an empty one. *found says whether the record is
 * the one; it may be another, or NULL in an empty table. */
static const aw_a1_rec_t *search(bool *found, const aw_a1_table_t *table, uint64_t set,
                                 uint64_t hash, const wanted_t *wanted)
{
    const uint64_t *buckets = (const uint64_t *)((const char *)table + set);
    const uint64_t mask = table->buckets_mask;
    const uint64_t tag = aw_a1_bucket(hash, 0);
    const aw_a1_rec_t *record = NULL;
    uint64_t i = hash & mask;

    *found = false;
    if (table->users == 0) {
        return NULL;
    }
    /* To the empty bucket and the next full one, whether there was a match on the way or not. */
    for (; buckets[i] != 0; i = (i + 1) & mask) {
        if ((buckets[i] & ~AW_A1_PLACE_MASK) == tag && !*found) {
            record = record_at(table, buckets[i]);
            *found = is_wanted(record, wanted);
        }
    }
    while (buckets[i] == 0) {
        i = (i + 1) & mask;
    }
    if (!*found) {
        record = record_at(table, buckets[i]);
        *found = is_wanted(record, wanted); /* false, but not for the compiler */
    }
    return record;
}

/* Hands out what a record holds. */
static void describe(const aw_a1_rec_t *from, aw_a1_record_t *record)
{
    if (!from) {
        memset(record, 0, sizeof(*record));
        return;
    }
    const unsigned char *at = (const unsigned char *)(from + 1);

    record->user = (aw_span_t){aw_a1_rec_user(from), from->user_len};
    record->present = from->present;
    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        record->hash[a] = NULL;
        if (from->present & (1u << a)) {
            record->hash[a] = at;
            at += aw_alg_size((aw_alg_e)a);
        }
    }
}

apr_status_t aw_a1_table_find(const aw_a1_table_t *table, aw_span_t realm, aw_span_t user,
                              aw_a1_record_t *record)
{
    const wanted_t wanted = {realm, user, NULL, AW_ALG_COUNT};
    const uint64_t hash = aw_a1_hash_name(table->key, realm, user);
    bool found;

    describe(search(&found, table, table->by_name, hash, &wanted), record);
    return found ? APR_SUCCESS : APR_NOTFOUND;
}

apr_status_t aw_a1_table_find_userhash(const aw_a1_table_t *table, aw_span_t realm, aw_alg_e alg,
                                       const unsigned char *hash, aw_a1_record_t *record)
{
    const wanted_t wanted = {realm, {NULL, 0}, hash, alg};

    if (alg >= AW_ALG_COUNT || table->by_hash[alg] == 0) {
        describe(NULL, record);
        return APR_NOTFOUND;
    }
    const uint64_t keyed = aw_a1_hash_userhash(table->key, hash, alg);
    bool found;

    describe(search(&found, table, table->by_hash[alg], keyed, &wanted), record);
    return found ? APR_SUCCESS : APR_NOTFOUND;
}
