/* The layout of an A1 table's block, for what builds, maps and searches it; not installed.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     +-------------------+--------------------------------+---------------------------------+
 *     | header, 256 bytes | sets of buckets: by name, then | records, one behind the other,  |
 *     |                   | by user hash, per algorithm    | to the end of the block         |
 *     +-------------------+--------------------------------+---------------------------------+
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
 *
 * The block may be a file (store/a1_index.h) that somebody damaged, or damages now: a number that
 * stands in it is read once, checked, and only then used.
 */
#ifndef AUTHWS_STORE_A1_LAYOUT_H
#define AUTHWS_STORE_A1_LAYOUT_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/file.h"
#include "store/a1_table.h"

#define AW_A1_PLACE_BITS 40
#define AW_A1_PLACE_MASK ((UINT64_C(1) << AW_A1_PLACE_BITS) - 1)
#define AW_A1_UNIT       8
#define AW_A1_ALGS       ((1u << AW_ALG_COUNT) - 1)

/* The longest way to an empty bucket, and from there to the next full one. With a random key the
 * longest among 2^29 users is expected below 200: a longer one is damage, or an enemy's work. */
#define AW_A1_PROBES 4096

#define AW_A1_MAGIC      "authwsA1"
#define AW_A1_BYTE_ORDER UINT32_C(0x01020304)
#define AW_A1_VERSION    1 /* also another when aw_alg_e changes */

/* All places are offsets from the start of the block. */
typedef struct aw_a1_header_t {
    char magic[8];
    uint32_t byte_order;
    uint32_t version;
    uint64_t size; /* of the block */
    uint64_t users;
    uint64_t buckets_mask;           /* number of buckets in each set, less one */
    uint64_t by_name;                /* set of buckets */
    uint64_t by_hash[AW_ALG_COUNT];  /* likewise; 0: not indexed */
    uint64_t records;                /* the first */
    unsigned char key[AW_KEYED_KEY]; /* of the buckets' hashes */
    uint64_t text_size;              /* identity of the text, in index files; else zeros */
    int64_t text_mtime_ns;
    uint64_t text_ino;
    unsigned char zeros[104];
    uint64_t checksum; /* SipHash, under `key`, of everything before it */
} aw_a1_header_t;

_Static_assert(sizeof(aw_a1_header_t) == 256, "the header's size is part of the format");
_Static_assert(AW_ALG_COUNT == 6, "the number of algorithms is part of the format");

typedef struct aw_a1_rec_t {
    uint16_t user_len;
    uint16_t realm_len;
    uint16_t present; /* bit 1u << aw_alg_e: hashes that follow */
    uint16_t indexed; /* likewise: user hashes that follow */
} aw_a1_rec_t;

_Static_assert(sizeof(aw_a1_rec_t) == AW_A1_UNIT, "records are counted in units of their header");

/* A block in memory, and what of its header has been checked. */
struct aw_a1_table_t {
    const unsigned char *block;
    aw_a1_header_t head; /* a copy: the block's may change under our eyes */
    bool mapped;         /* of a file, or shared: not to be wiped */
    /* Blocks that processes share (store/a1_share.h) are no longer there when *floor is above
     * `generation`; `floor` NULL: always there. */
    uint64_t generation;
    const _Atomic uint64_t *floor;
};

/* Zeroed memory, as whole pages of its own, which go back to the system at once: what a heap keeps
 * of what a reload took, each of many processes keeps. NULL: none. `size` may be 0. */
AW_PRIVATE void *aw_a1_pages_get(uint64_t size);

/* Gives it back; the same `size`. NULL is allowed. */
AW_PRIVATE void aw_a1_pages_free(void *pages, uint64_t size);

/* Makes a table of a block: checks the header. The block must be aligned as a mapping or malloc
 * is; the table takes it over, to be unmapped, and wiped before that unless `mapped`. APR_EINVAL
 * and *why (static), or APR_ENOMEM: the block is still the caller's. */
AW_PRIVATE apr_status_t aw_a1_table_adopt(aw_a1_table_t **table, const char **why, void *block,
                                          size_t size, bool mapped);

/* Allocates a block for records of `records` bytes in all and writes its header, buckets empty:
 * the caller writes the records, with `indexed` as `userhash` and the user hashes left open, then
 * calls aw_a1_block_finish. NULL: no memory, or too large. */
AW_PRIVATE unsigned char *aw_a1_block_create(uint64_t users, uint64_t records, unsigned userhash,
                                             const unsigned char *key);

/* Computes the user hashes and fills the buckets, when there are many users by as many threads as
 * there are cores, or by this one alone (a server that is at work has others to serve), then makes
 * a table of the block. On failure the block is wiped and freed. */
AW_PRIVATE apr_status_t aw_a1_block_finish(aw_a1_table_t **table, unsigned char *block, bool alone);

/* aw_a1_table_create and aw_a1_table_index, by one thread alone if asked for. */
AW_PRIVATE apr_status_t aw_a1_table_build(aw_a1_table_t **table, const aw_span_t *texts, size_t n,
                                          unsigned userhash, const unsigned char *key, bool alone,
                                          size_t *file, aw_text_error_t *error);
AW_PRIVATE apr_status_t aw_a1_table_extend(aw_a1_table_t **table, const aw_a1_table_t *from,
                                           unsigned userhash, bool alone);

/* The algorithms whose user hashes a table finds users by; a mask. */
AW_PRIVATE unsigned aw_a1_table_userhash(const aw_a1_table_t *table);

/* The header's checksum. */
AW_PRIVATE uint64_t aw_a1_checksum(const aw_a1_header_t *head);

/* Maps the index of the A1 file `path`, if it was made for the version `text` and finds users by
 * the user hashes of `userhash`. APR_ENOENT: there is none; APR_EINVAL and *why (static); EPERM
 * likewise: whoever owns it could kill this process with it; or what the system said. *id: the
 * index file's, also when it is refused. */
AW_PRIVATE apr_status_t aw_a1_index_open(aw_a1_table_t **table, const char **why, const char *index,
                                         const char *path, const aw_file_id_t *text,
                                         unsigned userhash, aw_file_id_t *id);

/* Writes the identity of a text, and the new checksum, into a header. */
AW_PRIVATE void aw_a1_index_sign(aw_a1_header_t *head, const aw_file_id_t *text);

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

/* Bytes of the hashes of a mask of algorithms. */
static inline size_t aw_a1_hashes_size(unsigned mask)
{
    static const unsigned char sizes[AW_ALG_COUNT] = {16, 20, 32, 32, 48, 64};
    size_t size = 0;

    for (mask &= AW_A1_ALGS; mask != 0; mask &= mask - 1) {
        size += sizes[__builtin_ctz(mask)];
    }
    return size;
}

/* Bytes of a record with its padding. */
static inline uint64_t aw_a1_rec_size(const aw_a1_rec_t *record)
{
    const uint64_t size = sizeof(*record) + aw_a1_hashes_size(record->present) +
                          aw_a1_hashes_size(record->indexed) + record->user_len + record->realm_len;

    return (size + AW_A1_UNIT - 1) / AW_A1_UNIT * AW_A1_UNIT;
}

/* The record at `offset`, its header copied to *record, if it lies in the block whole. */
static inline bool aw_a1_rec_read(const unsigned char *block, const aw_a1_header_t *head,
                                  uint64_t offset, aw_a1_rec_t *record)
{
    if (offset < head->records || offset > head->size - sizeof(*record)) {
        return false;
    }
    memcpy(record, block + offset, sizeof(*record));
    /* Otherwise a compiler could read the block a second time behind the checks. */
    atomic_signal_fence(memory_order_seq_cst);
    return record->user_len <= AW_A1_NAME_MAX && record->realm_len <= AW_A1_NAME_MAX &&
           ((record->present | record->indexed) & ~AW_A1_ALGS) == 0 &&
           aw_a1_rec_size(record) <= head->size - offset;
}

/* Where a record's parts stand, from its start. */
static inline size_t aw_a1_rec_userhash(const aw_a1_rec_t *record, aw_alg_e alg)
{
    return sizeof(*record) + aw_a1_hashes_size(record->present) +
           aw_a1_hashes_size(record->indexed & ((1u << alg) - 1));
}

static inline size_t aw_a1_rec_user(const aw_a1_rec_t *record)
{
    return sizeof(*record) + aw_a1_hashes_size(record->present) +
           aw_a1_hashes_size(record->indexed);
}

/* The bucket for a record, or the bits of one that a search compares. */
static inline uint64_t aw_a1_bucket(uint64_t hash, uint64_t place)
{
    return (hash & ~AW_A1_PLACE_MASK) | place;
}

#endif
