/* Entries found by a hash: token files and certificate maps in memory; not installed.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     +--------+------------------------------+--------------------------------------------+
 *     | header | buckets (power of two), each | records: head, digest, scope, name, padded |
 *     |        | half a record's place        | to 8 bytes                                 |
 *     +--------+------------------------------+--------------------------------------------+
 *
 * One heap block without pointers, built once, then only read. A bucket is 64 bits: 40 of a
 * record's place in units of 8 bytes (0: empty), 24 of its keyed hash; they are searched linearly
 * and at most half full.
 */
#ifndef AUTHWS_STORE_ENTRY_MAP_H
#define AUTHWS_STORE_ENTRY_MAP_H

#include <apr_errno.h>
#include <stdint.h>

#include "base/keyed.h"
#include "store/lines.h"

/* Kinds of hashes are below this, digests at most so long. */
#define AW_ENTRY_KINDS      8
#define AW_ENTRY_DIGEST_MAX 64

/* An entry. kind, digest and scope together find it, and no two may have all three in common;
 * name and value are what it is for. Borrowed from whoever gives it. */
typedef struct aw_entry_t {
    unsigned kind;
    const unsigned char *digest;
    size_t digest_len;
    aw_span_t scope; /* at most 65,535 bytes, like the name */
    aw_span_t name;
    int64_t value;
    size_t line; /* where it stands */
    size_t column;
} aw_entry_t;

typedef struct aw_entry_map_t aw_entry_map_t;

/* Entries on their way into a map. Starts as zeros. */
typedef struct aw_entry_builder_t {
    unsigned char *records; /* heap */
    size_t used;
    size_t room;
    size_t count[AW_ENTRY_KINDS];
} aw_entry_builder_t;

/* Copies an entry. APR_ENOMEM: the builder holds what it held. */
AW_PRIVATE apr_status_t aw_entry_builder_add(aw_entry_builder_t *builder, const aw_entry_t *entry);

/* Called for an entry that has stood in an earlier line. */
typedef void (*aw_entry_twice_fn)(void *baton, const aw_entry_t *entry, const aw_entry_t *earlier);

/* Makes a map of the entries, or says which are there twice: APR_EINVAL, after `twice` has been
 * called for each, in order. `key` is random, AW_KEYED_KEY bytes. APR_ENOMEM. The builder is
 * empty afterwards in any case. */
AW_PRIVATE apr_status_t aw_entry_builder_finish(aw_entry_map_t **map, aw_entry_builder_t *builder,
                                                const unsigned char *key, aw_entry_twice_fn twice,
                                                void *baton);

/* Wipes and frees what the builder holds. */
AW_PRIVATE void aw_entry_builder_clear(aw_entry_builder_t *builder);

/* Wipes and frees. NULL is allowed. */
AW_PRIVATE void aw_entry_map_destroy(aw_entry_map_t *map);

/* Entries of a kind. */
AW_PRIVATE size_t aw_entry_map_count(const aw_entry_map_t *map, unsigned kind);

/* Finds by kind, digest and scope; digests are compared in constant time. *entry is borrowed from
 * the map, and describes some entry also when the result is false: a search that finds nothing
 * costs what one does that finds. A map without entries gives an entry without anything. */
AW_PRIVATE bool aw_entry_map_find(const aw_entry_map_t *map, unsigned kind,
                                  const unsigned char *digest, size_t digest_len, aw_span_t scope,
                                  aw_entry_t *entry);

#endif
