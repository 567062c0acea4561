/* Entries that are found by a hash: building the block, and searching it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/entry_map.h"

#include <stdlib.h>

#define UNIT       8
#define PLACE_BITS 40
#define PLACE_MASK ((UINT64_C(1) << PLACE_BITS) - 1)

typedef struct record_t {
    int64_t value;
    uint32_t line;
    uint32_t column;
    uint16_t scope_len;
    uint16_t name_len;
    uint8_t digest_len;
    uint8_t kind;
    uint16_t zero;
} record_t;

_Static_assert(sizeof(record_t) % UNIT == 0, "records are counted in units");

struct aw_entry_map_t {
    size_t size; /* of the block */
    uint64_t mask;
    size_t count[AW_ENTRY_KINDS];
    unsigned char key[AW_KEYED_KEY];
    uint64_t buckets[]; /* then the records; a place counts from the start of the block */
};

static size_t record_size(const record_t *record)
{
    const size_t size =
        sizeof(*record) + record->digest_len + (size_t)record->scope_len + record->name_len;

    return (size + UNIT - 1) / UNIT * UNIT;
}

static uint64_t hash_of(const unsigned char *key, unsigned kind, const unsigned char *digest,
                        size_t digest_len, aw_span_t scope)
{
    const char tag = (char)kind;
    const aw_span_t parts[] = {{&tag, 1}, {(const char *)digest, digest_len}, scope};
    uint64_t hash;

    aw_keyed_hash8(key, parts, 3, &hash);
    return hash;
}

/* The entry that a record at `at` holds. */
static void describe(aw_entry_t *entry, const unsigned char *at)
{
    record_t record;

    memcpy(&record, at, sizeof(record));
    entry->kind = record.kind;
    entry->digest = at + sizeof(record);
    entry->digest_len = record.digest_len;
    entry->scope = (aw_span_t){(const char *)entry->digest + record.digest_len, record.scope_len};
    entry->name = (aw_span_t){entry->scope.ptr + record.scope_len, record.name_len};
    entry->value = record.value;
    entry->line = record.line;
    entry->column = record.column;
}

/* --- building --- */

void aw_entry_builder_clear(aw_entry_builder_t *builder)
{
    if (builder->records) {
        aw_wipe(builder->records, builder->used);
        free(builder->records);
    }
    memset(builder, 0, sizeof(*builder));
}

/* Makes room for `more` bytes; what is moved is not left behind. */
static bool grow(aw_entry_builder_t *builder, size_t more)
{
    size_t room = builder->room > 0 ? builder->room : 4096;

    while (room - builder->used < more) {
        if (room > SIZE_MAX / 4) {
            return false;
        }
        room *= 2;
    }
    if (room == builder->room) {
        return true;
    }
    unsigned char *records = malloc(room);

    if (!records) {
        return false;
    }
    if (builder->used > 0) {
        memcpy(records, builder->records, builder->used);
        aw_wipe(builder->records, builder->used);
    }
    free(builder->records);
    builder->records = records;
    builder->room = room;
    return true;
}

apr_status_t aw_entry_builder_add(aw_entry_builder_t *builder, const aw_entry_t *entry)
{
    const record_t record = {.value = entry->value,
                             .line = entry->line < UINT32_MAX ? (uint32_t)entry->line : UINT32_MAX,
                             .column =
                                 entry->column < UINT32_MAX ? (uint32_t)entry->column : UINT32_MAX,
                             .scope_len = (uint16_t)entry->scope.len,
                             .name_len = (uint16_t)entry->name.len,
                             .digest_len = (uint8_t)entry->digest_len,
                             .kind = (uint8_t)entry->kind};
    const size_t size = record_size(&record);

    if (!grow(builder, size)) {
        return APR_ENOMEM;
    }
    unsigned char *at = builder->records + builder->used;

    memset(at + size - UNIT, 0, UNIT);
    memcpy(at, &record, sizeof(record));
    at += sizeof(record);
    memcpy(at, entry->digest, entry->digest_len);
    at += entry->digest_len;
    if (entry->scope.len > 0) {
        memcpy(at, entry->scope.ptr, entry->scope.len);
    }
    if (entry->name.len > 0) {
        memcpy(at + entry->scope.len, entry->name.ptr, entry->name.len);
    }
    builder->used += size;
    builder->count[entry->kind]++;
    return APR_SUCCESS;
}

static bool same(const aw_entry_t *a, const aw_entry_t *b)
{
    return a->kind == b->kind && a->digest_len == b->digest_len &&
           memcmp(a->digest, b->digest, a->digest_len) == 0 && aw_span_equal(a->scope, b->scope);
}

/* Puts the record at `place` in a bucket. False when its like is there already, *earlier. */
static bool insert(aw_entry_map_t *map, const aw_entry_t *entry, size_t place, aw_entry_t *earlier)
{
    const uint64_t hash =
        hash_of(map->key, entry->kind, entry->digest, entry->digest_len, entry->scope);
    uint64_t i = hash & map->mask;

    for (; map->buckets[i] != 0; i = (i + 1) & map->mask) {
        if ((map->buckets[i] & ~PLACE_MASK) == (hash & ~PLACE_MASK)) {
            describe(earlier, (unsigned char *)map + (map->buckets[i] & PLACE_MASK) * UNIT);
            if (same(earlier, entry)) {
                return false;
            }
        }
    }
    map->buckets[i] = (hash & ~PLACE_MASK) | place / UNIT;
    return true;
}

/* A block for the builder's entries, its buckets empty, and its records copied. */
static aw_entry_map_t *create(const aw_entry_builder_t *builder, const unsigned char *key,
                              size_t *records)
{
    size_t total = 0, buckets = 8;

    for (unsigned k = 0; k < AW_ENTRY_KINDS; k++) {
        total += builder->count[k];
    }
    while (buckets < 2 * total) {
        buckets *= 2;
    }
    *records = sizeof(aw_entry_map_t) + buckets * sizeof(uint64_t);
    const size_t size = *records + builder->used;

    if (size / UNIT > PLACE_MASK) {
        return NULL;
    }
    aw_entry_map_t *map = calloc(1, size);

    if (!map) {
        return NULL;
    }
    map->size = size;
    map->mask = buckets - 1;
    memcpy(map->count, builder->count, sizeof(map->count));
    memcpy(map->key, key, AW_KEYED_KEY);
    if (builder->used > 0) {
        memcpy((unsigned char *)map + *records, builder->records, builder->used);
    }
    return map;
}

apr_status_t aw_entry_builder_finish(aw_entry_map_t **map, aw_entry_builder_t *builder,
                                     const unsigned char *key, aw_entry_twice_fn twice, void *baton)
{
    apr_status_t rv = APR_SUCCESS;
    size_t records = 0, size;
    aw_entry_map_t *made = create(builder, key, &records);

    aw_entry_builder_clear(builder);
    if (!made) {
        return APR_ENOMEM;
    }
    for (size_t at = records; at < made->size; at += size) {
        const unsigned char *block = (const unsigned char *)made;
        aw_entry_t entry, earlier;
        record_t record;

        memcpy(&record, block + at, sizeof(record));
        size = record_size(&record);
        describe(&entry, block + at);
        if (!insert(made, &entry, at, &earlier)) {
            twice(baton, &entry, &earlier);
            rv = APR_EINVAL;
        }
    }
    if (rv != APR_SUCCESS) {
        aw_entry_map_destroy(made);
        return rv;
    }
    *map = made;
    return APR_SUCCESS;
}

/* --- searching --- */

void aw_entry_map_destroy(aw_entry_map_t *map)
{
    if (map) {
        aw_wipe(map, map->size);
        free(map);
    }
}

size_t aw_entry_map_count(const aw_entry_map_t *map, unsigned kind)
{
    return map->count[kind];
}

/* What is looked for. */
typedef struct wanted_t {
    unsigned kind;
    const unsigned char *digest;
    size_t digest_len;
    aw_span_t scope;
} wanted_t;

static bool matches(const aw_entry_t *entry, const wanted_t *wanted)
{
    return entry->kind == wanted->kind && entry->digest_len == wanted->digest_len &&
           aw_equal_secret(entry->digest, wanted->digest, wanted->digest_len) &&
           aw_span_equal(entry->scope, wanted->scope);
}

bool aw_entry_map_find(const aw_entry_map_t *map, unsigned kind, const unsigned char *digest,
                       size_t digest_len, aw_span_t scope, aw_entry_t *entry)
{
    const uint64_t hash = hash_of(map->key, kind, digest, digest_len, scope);
    const wanted_t wanted = {kind, digest, digest_len, scope};
    const unsigned char *block = (const unsigned char *)map;
    aw_entry_t seen[2] = {{.kind = 0}, {.kind = 0}}; /* any other, and the one */
    bool found = false;
    uint64_t i = hash & map->mask;

    for (; map->buckets[i] != 0; i = (i + 1) & map->mask) {
        if ((map->buckets[i] & ~PLACE_MASK) == (hash & ~PLACE_MASK)) {
            aw_entry_t one;

            describe(&one, block + (map->buckets[i] & PLACE_MASK) * UNIT);
            const bool match = matches(&one, &wanted);

            seen[match] = one;
            found |= match;
        }
    }
    /* On to the next full bucket: without a match its record, no less far away in memory, is looked
     * at as if it were the one. */
    for (uint64_t n = 0; n <= map->mask && map->buckets[i] == 0; n++) {
        i = (i + 1) & map->mask;
    }
    if (!found && map->buckets[i] != 0) {
        aw_entry_t other;

        describe(&other, block + (map->buckets[i] & PLACE_MASK) * UNIT);
        (void)matches(&other, &wanted);
        seen[0] = other;
    }
    *entry = seen[found];
    return found;
}
