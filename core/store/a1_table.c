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

/* Whether a set of buckets lies where one may. */
static bool is_set(const aw_a1_header_t *head, uint64_t set)
{
    return set >= sizeof(*head) && set % sizeof(uint64_t) == 0 && set <= head->records &&
           head->buckets_mask < (head->records - set) / sizeof(uint64_t);
}

/* NULL when a header can be worked with; otherwise why not. */
static const char *check(const aw_a1_header_t *head, size_t size)
{
    const uint64_t buckets = head->buckets_mask + 1;

    if (memcmp(head->magic, AW_A1_MAGIC, sizeof(head->magic)) != 0) {
        return "not an index";
    }
    if (head->byte_order != AW_A1_BYTE_ORDER) {
        return "made on a machine of another byte order";
    }
    if (head->version != AW_A1_VERSION) {
        return "made by another version of the program";
    }
    if (head->checksum != aw_a1_checksum(head)) {
        return "damaged: its header has another checksum";
    }
    if (head->size != size) {
        return "cut short, or longer than it was made";
    }
    /* A checksum is no proof of good will. */
    if (head->size % AW_A1_UNIT != 0 || head->size / AW_A1_UNIT > AW_A1_PLACE_MASK ||
        head->records % AW_A1_UNIT != 0 || head->records > head->size || buckets < 8 ||
        (buckets & head->buckets_mask) != 0 || head->users > buckets / 2 ||
        !is_set(head, head->by_name)) {
        return "its header contradicts itself";
    }
    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        if (head->by_hash[a] != 0 && !is_set(head, head->by_hash[a])) {
            return "its header contradicts itself";
        }
    }
    return NULL;
}

apr_status_t aw_a1_table_adopt(aw_a1_table_t **table, const char **why, void *block, size_t size,
                               bool mapped)
{
    aw_a1_table_t *t;

    if (size < sizeof(t->head)) {
        *why = "cut short, or longer than it was made";
        return APR_EINVAL;
    }
    t = calloc(1, sizeof(*t));
    if (!t) {
        return APR_ENOMEM;
    }
    memcpy(&t->head, block, sizeof(t->head));
    const char *wrong = check(&t->head, size);

    if (wrong) {
        free(t);
        *why = wrong;
        return APR_EINVAL;
    }
    t->block = block;
    t->mapped = mapped;
    *table = t;
    return APR_SUCCESS;
}

void aw_a1_table_destroy(aw_a1_table_t *table)
{
    if (!table) {
        return;
    }
    unsigned char *block = (unsigned char *)(uintptr_t)table->block;

    if (!table->mapped) {
        aw_wipe(block, (size_t)table->head.size);
    }
    aw_a1_pages_free(block, table->head.size);
    aw_wipe(table, sizeof(*table));
    free(table);
}

size_t aw_a1_table_users(const aw_a1_table_t *table)
{
    return (size_t)table->head.users;
}

/* A record that was found: its place, and the copy of its header that was checked. `at` NULL: none
 * at all. */
typedef struct found_t {
    const unsigned char *at;
    aw_a1_rec_t rec;
    bool wanted; /* it is the one */
} found_t;

static bool is_wanted(const found_t *found, const wanted_t *wanted)
{
    const unsigned char *user = found->at + aw_a1_rec_user(&found->rec);
    const unsigned char *realm = user + found->rec.user_len;

    if (found->rec.realm_len != wanted->realm.len ||
        memcmp(realm, wanted->realm.ptr, wanted->realm.len) != 0) {
        return false;
    }
    if (wanted->userhash) {
        return (found->rec.indexed & (1u << wanted->alg)) &&
               memcmp(found->at + aw_a1_rec_userhash(&found->rec, wanted->alg), wanted->userhash,
                      aw_alg_size(wanted->alg)) == 0;
    }
    return found->rec.user_len == wanted->user.len &&
           memcmp(user, wanted->user.ptr, wanted->user.len) == 0;
}

/* Looks at the record that a bucket names. One that is not there is none. */
static void examine(found_t *found, const aw_a1_table_t *table, uint64_t bucket,
                    const wanted_t *wanted)
{
    const uint64_t offset = (bucket & AW_A1_PLACE_MASK) * AW_A1_UNIT;
    const unsigned char *at = table->block + offset;
    aw_a1_rec_t rec;

    /* The names stand behind the hashes, one or two cache lines on: fetched while the first one
     * is. Such a hint may be about any address. */
    __builtin_prefetch((const void *)((uintptr_t)at + 64));
    __builtin_prefetch((const void *)((uintptr_t)at + 128));
    if (aw_a1_rec_read(table->block, &table->head, offset, &rec)) {
        found->at = at;
        found->rec = rec;
        found->wanted = is_wanted(found, wanted);
    }
}

/* Read once: what is checked is what is used. */
static uint64_t bucket_at(const uint64_t *buckets, uint64_t i)
{
    return __atomic_load_n(&buckets[i], __ATOMIC_RELAXED);
}

/* Searches one set of buckets. What is found may be another's record, or none in an empty
 * table. */
static void search(found_t *found, const aw_a1_table_t *table, uint64_t set, uint64_t hash,
                   const wanted_t *wanted)
{
    const uint64_t *buckets = (const uint64_t *)(table->block + set);
    const uint64_t mask = table->head.buckets_mask;
    const uint64_t tag = aw_a1_bucket(hash, 0);
    unsigned left = AW_A1_PROBES;
    uint64_t i = hash & mask, bucket;

    found->at = NULL;
    found->wanted = false;
    if (table->head.users == 0) {
        return;
    }
    /* To the empty bucket and the next full one, whether there was a match on the way or not. */
    for (; (bucket = bucket_at(buckets, i)) != 0 && left > 0; i = (i + 1) & mask, left--) {
        if ((bucket & ~AW_A1_PLACE_MASK) == tag && !found->wanted) {
            examine(found, table, bucket, wanted);
        }
    }
    for (left = AW_A1_PROBES; (bucket = bucket_at(buckets, i)) == 0 && left > 0; left--) {
        i = (i + 1) & mask;
    }
    if (!found->wanted) {
        examine(found, table, bucket, wanted); /* not the one, but the compiler cannot know */
    }
}

/* Hands out what a record holds. */
static void describe(const found_t *found, aw_a1_record_t *record)
{
    if (!found->at) {
        memset(record, 0, sizeof(*record));
        return;
    }
    const unsigned char *at = found->at + sizeof(found->rec);

    record->user =
        (aw_span_t){(const char *)found->at + aw_a1_rec_user(&found->rec), found->rec.user_len};
    record->present = found->rec.present;
    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        record->hash[a] = NULL;
        if (found->rec.present & (1u << a)) {
            record->hash[a] = at;
            at += aw_alg_size((aw_alg_e)a);
        }
    }
}

apr_status_t aw_a1_table_find(const aw_a1_table_t *table, aw_span_t realm, aw_span_t user,
                              aw_a1_record_t *record)
{
    const wanted_t wanted = {realm, user, NULL, AW_ALG_COUNT};
    const uint64_t hash = aw_a1_hash_name(table->head.key, realm, user);
    found_t found;

    search(&found, table, table->head.by_name, hash, &wanted);
    describe(&found, record);
    return found.wanted ? APR_SUCCESS : APR_NOTFOUND;
}

apr_status_t aw_a1_table_find_userhash(const aw_a1_table_t *table, aw_span_t realm, aw_alg_e alg,
                                       const unsigned char *hash, aw_a1_record_t *record)
{
    const wanted_t wanted = {realm, {NULL, 0}, hash, alg};
    found_t found = {.at = NULL};

    if (alg >= AW_ALG_COUNT || table->head.by_hash[alg] == 0) {
        describe(&found, record);
        return APR_NOTFOUND;
    }
    const uint64_t keyed = aw_a1_hash_userhash(table->head.key, hash, alg);

    search(&found, table, table->head.by_hash[alg], keyed, &wanted);
    describe(&found, record);
    return found.wanted ? APR_SUCCESS : APR_NOTFOUND;
}
