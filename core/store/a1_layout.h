/* The layout of an A1 table, for what builds and what searches it; not installed.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A record, padded to 8 bytes:
 *
 *     +----------+-----------+---------+----------+--------+---------------+------+-------+
 *     | user_len | realm_len | present | indexed  | hashes | user hashes   | user | realm |
 *     | 16 bit   | 16 bit    | 16 bit  | 16 bit   | in the order of aw_alg_e | bytes| bytes |
 *     +----------+-----------+---------+----------+--------+---------------+------+-------+
 *
 * A bucket is 64 bits: 40 of a record's place in units of 8 bytes (0: empty), 24 of its hash. The
 * sets of buckets are searched linearly from the place that the hash names, and are at most half
 * full.
 */
#ifndef AUTHWS_STORE_A1_LAYOUT_H
#define AUTHWS_STORE_A1_LAYOUT_H

#include <stdint.h>

#include "store/a1_table.h"

#define AW_A1_PLACE_BITS 40
#define AW_A1_PLACE_MASK ((UINT64_C(1) << AW_A1_PLACE_BITS) - 1)
#define AW_A1_UNIT       8

typedef struct aw_a1_rec_t {
    uint16_t user_len;
    uint16_t realm_len;
    uint16_t present; /* bit 1u << aw_alg_e: hashes that follow */
    uint16_t indexed; /* likewise: user hashes that follow */
} aw_a1_rec_t;

_Static_assert(sizeof(aw_a1_rec_t) == AW_A1_UNIT, "records are counted in units of their header");

/* All places are offsets from the start of the block. */
struct aw_a1_table_t {
    uint64_t size; /* of the block */
    uint64_t users;
    uint64_t buckets_mask;           /* number of buckets in each set, less one */
    uint64_t by_name;                /* set of buckets */
    uint64_t by_hash[AW_ALG_COUNT];  /* likewise; 0: not indexed */
    unsigned char key[AW_KEYED_KEY]; /* of the buckets' hashes */
};

static inline uint64_t aw_a1_hash_name(const unsigned char *key, aw_span_t realm, aw_span_t user)
{
    const aw_span_t parts[] = {realm, AW_SPAN_LIT(":"), user};
    uint64_t hash;

    aw_keyed_hash8(key, parts, 3, &hash);
    return hash;
}

/* User hashes are hashed again under the key, so that nobody who may choose names chooses
 * buckets. */
static inline uint64_t aw_a1_hash_userhash(const unsigned char *key, const unsigned char *userhash,
                                           aw_alg_e alg)
{
    const aw_span_t part = {(const char *)userhash, aw_alg_size(alg)};
    uint64_t hash;

    aw_keyed_hash8(key, &part, 1, &hash);
    return hash;
}

static inline size_t aw_a1_hashes_size(unsigned mask)
{
    size_t size = 0;

    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        size += mask & (1u << a) ? aw_alg_size((aw_alg_e)a) : 0;
    }
    return size;
}

/* A record's parts behind its header and its hashes. */
static inline const unsigned char *aw_a1_rec_userhash(const aw_a1_rec_t *record, aw_alg_e alg)
{
    return (const unsigned char *)(record + 1) + aw_a1_hashes_size(record->present) +
           aw_a1_hashes_size(record->indexed & ((1u << alg) - 1));
}

static inline const char *aw_a1_rec_user(const aw_a1_rec_t *record)
{
    return (const char *)(record + 1) + aw_a1_hashes_size(record->present) +
           aw_a1_hashes_size(record->indexed);
}

/* The bucket for a record, or the bits of one that a search compares. */
static inline uint64_t aw_a1_bucket(uint64_t hash, uint64_t place)
{
    return (hash & ~AW_A1_PLACE_MASK) | place;
}

/* The low bits choose the bucket, the high ones stand in it. */
static inline void aw_a1_insert(uint64_t *buckets, uint64_t mask, uint64_t hash, uint64_t place)
{
    uint64_t i = hash & mask;

    while (buckets[i] != 0) {
        i = (i + 1) & mask;
    }
    buckets[i] = aw_a1_bucket(hash, place);
}

#endif
