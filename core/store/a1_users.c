/* A set of users with their values, to be put into an A1 file in one pass.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/a1_users.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/keyed.h"
#include "store/a1_edit.h"

/* Records stand one behind the other in blocks of this size, which never move. */
#define BLOCK_SIZE ((size_t)1 << 20)

#define SLOTS_FIRST 1024

/* What is known of a user. Behind it stand the hashes of `stored`, weakest first, then user and
 * realm. */
typedef struct record_t {
    uint16_t user_len;
    uint16_t realm_len;
    uint16_t given;   /* algorithms that came into the set */
    uint16_t present; /* these, and what a text has added */
    uint16_t stored;  /* algorithms with room for a hash */
    uint16_t had;     /* algorithms that the text has of it */
    bool seen;        /* in the text that is being written */
    bool conflict;
} record_t;

typedef struct block_t {
    struct block_t *next;
    size_t used; /* bytes behind this */
} block_t;

/* `slots` are an open hash table of places in `records`, from 1; 0 is free. It is at most half
 * full. */
struct aw_a1_users_t {
    unsigned char key[AW_KEYED_KEY];
    block_t *blocks; /* the newest first */
    record_t **records;
    size_t count, room;
    uint32_t *slots;
    size_t slots_mask;
};

static unsigned char *hashes_of(record_t *record)
{
    return (unsigned char *)(record + 1);
}

static size_t hashes_size(unsigned mask)
{
    size_t size = 0;

    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        size += mask & (1u << a) ? aw_alg_size((aw_alg_e)a) : 0;
    }
    return size;
}

/* Where the hash of an algorithm in `stored` is. */
static unsigned char *hash_of(record_t *record, unsigned alg)
{
    return hashes_of(record) + hashes_size(record->stored & ((1u << alg) - 1));
}

static aw_span_t user_of(const record_t *record)
{
    return (aw_span_t){(const char *)(record + 1) + hashes_size(record->stored), record->user_len};
}

static aw_span_t realm_of(const record_t *record)
{
    return (aw_span_t){user_of(record).ptr + record->user_len, record->realm_len};
}

apr_status_t aw_a1_users_create(aw_a1_users_t **users, const unsigned char *key)
{
    aw_a1_users_t *made = calloc(1, sizeof(*made));

    if (!made) {
        return APR_ENOMEM;
    }
    made->slots = calloc(SLOTS_FIRST, sizeof(*made->slots));
    if (!made->slots) {
        free(made);
        return APR_ENOMEM;
    }
    made->slots_mask = SLOTS_FIRST - 1;
    memcpy(made->key, key, sizeof(made->key));
    *users = made;
    return APR_SUCCESS;
}

void aw_a1_users_destroy(aw_a1_users_t *users)
{
    if (!users) {
        return;
    }
    while (users->blocks) {
        block_t *block = users->blocks;

        users->blocks = block->next;
        aw_wipe(block + 1, block->used);
        free(block);
    }
    free(users->records);
    free(users->slots);
    free(users);
}

size_t aw_a1_users_count(const aw_a1_users_t *users)
{
    return users->count;
}

/* The slot of a user, or the free one where it belongs. */
static uint32_t *find_slot(const aw_a1_users_t *users, aw_span_t user, aw_span_t realm)
{
    const aw_span_t parts[] = {user, AW_SPAN_LIT(":"), realm};
    uint64_t hash;

    aw_keyed_hash8(users->key, parts, 3, &hash);
    for (size_t i = (size_t)hash & users->slots_mask;; i = (i + 1) & users->slots_mask) {
        uint32_t *slot = &users->slots[i];
        const record_t *record = *slot > 0 ? users->records[*slot - 1] : NULL;

        if (!record ||
            (aw_span_equal(user_of(record), user) && aw_span_equal(realm_of(record), realm))) {
            return slot;
        }
    }
}

static record_t *find(const aw_a1_users_t *users, aw_span_t user, aw_span_t realm)
{
    const uint32_t *slot = find_slot(users, user, realm);

    return *slot > 0 ? users->records[*slot - 1] : NULL;
}

/* Makes room for one more user. */
static apr_status_t grow(aw_a1_users_t *users)
{
    if (users->count == users->room) {
        const size_t room = users->room > 0 ? 2 * users->room : SLOTS_FIRST / 2;
        record_t **records = realloc(users->records, room * sizeof(record_t *));

        if (!records) {
            return APR_ENOMEM;
        }
        users->records = records;
        users->room = room;
    }
    if (2 * (users->count + 1) <= users->slots_mask + 1) {
        return APR_SUCCESS;
    }
    const size_t n = 2 * (users->slots_mask + 1);
    uint32_t *slots = n < UINT32_MAX ? calloc(n, sizeof(*slots)) : NULL;

    if (!slots) {
        return APR_ENOMEM;
    }
    free(users->slots);
    users->slots = slots;
    users->slots_mask = n - 1;
    for (size_t i = 0; i < users->count; i++) {
        const record_t *record = users->records[i];

        *find_slot(users, user_of(record), realm_of(record)) = (uint32_t)(i + 1);
    }
    return APR_SUCCESS;
}

/* Takes memory from the newest block. */
static void *take(aw_a1_users_t *users, size_t size)
{
    size = (size + _Alignof(record_t) - 1) / _Alignof(record_t) * _Alignof(record_t);
    if (!users->blocks || size > BLOCK_SIZE - sizeof(block_t) - users->blocks->used) {
        block_t *block = malloc(BLOCK_SIZE);

        if (!block) {
            return NULL;
        }
        *block = (block_t){.next = users->blocks};
        users->blocks = block;
    }
    void *out = (char *)(users->blocks + 1) + users->blocks->used;

    users->blocks->used += size;
    return out;
}

/* A record with room for the hashes in `stored`, which are not set. */
static record_t *make_record(aw_a1_users_t *users, aw_span_t user, aw_span_t realm, unsigned stored)
{
    const size_t hashes = hashes_size(stored);
    record_t *record = take(users, sizeof(*record) + hashes + user.len + realm.len);

    if (record) {
        *record = (record_t){.user_len = (uint16_t)user.len,
                             .realm_len = (uint16_t)realm.len,
                             .stored = (uint16_t)stored};
        char *names = (char *)hashes_of(record) + hashes;

        memcpy(names, user.ptr, user.len);
        memcpy(names + user.len, realm.ptr, realm.len);
    }
    return record;
}

/* Finds the user, or adds one with room for the hashes in `stored`. */
static apr_status_t find_or_make(aw_a1_users_t *users, aw_span_t user, aw_span_t realm,
                                 unsigned stored, uint32_t **slot)
{
    if (user.len == 0 || user.len > AW_A1_NAME_MAX || realm.len == 0 ||
        realm.len > AW_A1_NAME_MAX) {
        return APR_EINVAL;
    }
    const apr_status_t rv = grow(users);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    *slot = find_slot(users, user, realm);
    if (**slot == 0) {
        record_t *record = make_record(users, user, realm, stored);

        if (!record) {
            return APR_ENOMEM;
        }
        users->records[users->count++] = record;
        **slot = (uint32_t)users->count;
    }
    return APR_SUCCESS;
}

/* Sets the values in `value` that are in `mask`, moving the record where they do not fit. */
static record_t *set_values(aw_a1_users_t *users, record_t **place, const aw_a1_value_t *value,
                            unsigned mask)
{
    record_t *record = *place;

    mask &= value->present;
    if (mask & ~(unsigned)record->stored) {
        record_t *larger =
            make_record(users, user_of(record), realm_of(record), record->stored | mask);

        if (!larger) {
            return NULL;
        }
        larger->given = record->given;
        larger->present = record->present;
        larger->had = record->had;
        larger->seen = record->seen;
        larger->conflict = record->conflict;
        for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
            if (record->stored & (1u << a)) {
                memcpy(hash_of(larger, a), hash_of(record, a), aw_alg_size((aw_alg_e)a));
            }
        }
        aw_wipe(hashes_of(record), hashes_size(record->stored));
        *place = record = larger;
    }
    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        if (mask & (1u << a)) {
            memcpy(hash_of(record, a), value->hash[a], aw_alg_size((aw_alg_e)a));
        }
    }
    record->present |= (uint16_t)mask;
    return record;
}

apr_status_t aw_a1_users_join(aw_a1_users_t *users, aw_span_t user, aw_span_t realm,
                              const aw_a1_value_t *value)
{
    uint32_t *slot = NULL;
    const apr_status_t rv = find_or_make(users, user, realm, value->present, &slot);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    record_t *record = set_values(users, &users->records[*slot - 1], value, value->present);

    if (!record) {
        return APR_ENOMEM;
    }
    record->given |= (uint16_t)value->present;
    return APR_SUCCESS;
}

apr_status_t aw_a1_users_add(aw_a1_users_t *users, aw_span_t user, aw_span_t realm,
                             const aw_a1_value_t *value)
{
    return find(users, user, realm) ? APR_EEXIST : aw_a1_users_join(users, user, realm, value);
}

apr_status_t aw_a1_users_note(aw_a1_users_t *users, aw_span_t user, aw_span_t realm, unsigned mask,
                              unsigned *before)
{
    uint32_t *slot = NULL;
    const apr_status_t rv = find_or_make(users, user, realm, 0, &slot);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    record_t *record = users->records[*slot - 1];

    if (before) {
        *before = record->present;
    }
    record->present |= (uint16_t)mask;
    return APR_SUCCESS;
}

void aw_a1_users_each(const aw_a1_users_t *users, aw_a1_users_fn each, void *baton)
{
    bool on = true;

    for (size_t i = 0; i < users->count && on; i++) {
        const record_t *record = users->records[i];

        on = each(baton, user_of(record), realm_of(record), record->present);
    }
}

/* Forgets what an earlier text has added. */
static void reset(aw_a1_users_t *users)
{
    for (size_t i = 0; i < users->count; i++) {
        users->records[i]->present = users->records[i]->given;
        users->records[i]->had = 0;
        users->records[i]->seen = users->records[i]->conflict = false;
    }
}

/* Notes what the text has of the set's users, and with AW_A1_MERGE adds it to their records. */
static apr_status_t collect(aw_a1_users_t *users, aw_span_t text, aw_a1_apply_e how)
{
    aw_a1_reader_t reader;
    aw_a1_line_t line;
    aw_a1_value_t value;
    aw_text_error_t error;
    aw_a1_line_e what;
    apr_status_t rv = APR_SUCCESS;

    aw_a1_reader_init(&reader, text);
    while (rv == APR_SUCCESS &&
           (what = aw_a1_reader_next(&reader, &line, &value, &error)) != AW_A1_END) {
        const uint32_t *slot =
            what == AW_A1_LINE ? find_slot(users, line.user, line.realm) : &(uint32_t){0};

        if (*slot == 0) {
            continue;
        }
        record_t *record = users->records[*slot - 1];

        record->had |= (uint16_t)value.present;
        if (how != AW_A1_MERGE) {
            continue;
        }
        for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
            if (record->given & value.present & (1u << a) &&
                !aw_equal_secret(hash_of(record, a), value.hash[a], aw_alg_size((aw_alg_e)a))) {
                record->conflict = true;
            }
        }
        if (!set_values(users, &users->records[*slot - 1], &value, ~(unsigned)record->given)) {
            rv = APR_ENOMEM;
        }
    }
    aw_wipe(&value, sizeof(value));
    return rv;
}

/* Writes the lines of one user. */
static apr_status_t write_user(record_t *record, aw_file_write_fn write, void *sink)
{
    char lines[AW_A1_LINES_MAX];
    aw_a1_value_t value;

    value.present = record->conflict ? record->given : record->present;
    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        if (value.present & (1u << a)) {
            memcpy(value.hash[a], hash_of(record, a), aw_alg_size((aw_alg_e)a));
        }
    }
    const size_t len = aw_a1_lines_put(lines, user_of(record), realm_of(record), &value);
    const apr_status_t rv = write(sink, (aw_span_t){lines, len});

    aw_wipe(lines, len);
    aw_wipe(&value, sizeof(value));
    return rv;
}

/* The record that a line belongs to, even where its value is broken: a name has no colon. */
static record_t *find_owner(const aw_a1_users_t *users, aw_span_t line)
{
    const char *end = line.ptr + line.len;
    const char *first = line.ptr[0] != '#' ? memchr(line.ptr, ':', line.len) : NULL;
    const char *second = first ? memchr(first + 1, ':', (size_t)(end - first) - 1) : NULL;

    return second ? find(users, (aw_span_t){line.ptr, (size_t)(first - line.ptr)},
                         (aw_span_t){first + 1, (size_t)(second - first) - 1})
                  : NULL;
}

static void count_dropped(aw_a1_applied_t *applied, const record_t *record)
{
    const unsigned left = record->conflict ? record->given : record->present;

    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        applied->dropped[a] += (record->had & ~left) >> a & 1;
    }
}

/* Writes the text with the users that it has; *ended: whether its last line is. */
static apr_status_t write_text(aw_a1_users_t *users, aw_span_t text, bool *ended,
                               aw_a1_applied_t *applied, aw_file_write_fn write, void *sink)
{
    apr_status_t rv = APR_SUCCESS;

    *ended = true;
    while (text.len > 0 && rv == APR_SUCCESS) {
        const char *end = memchr(text.ptr, '\n', text.len);
        const aw_span_t line = {text.ptr, end ? (size_t)(end + 1 - text.ptr) : text.len};
        record_t *record = find_owner(users, line);

        text.ptr += line.len;
        text.len -= line.len;
        if (!record) {
            rv = write(sink, line);
            *ended = end != NULL;
        } else if (!record->seen) {
            record->seen = true;
            applied->replaced++;
            applied->conflicts += record->conflict;
            count_dropped(applied, record);
            rv = write_user(record, write, sink);
        }
    }
    return rv;
}

apr_status_t aw_a1_users_apply(aw_a1_users_t *users, aw_span_t text, aw_a1_apply_e how,
                               aw_a1_applied_t *applied, aw_file_write_fn write, void *sink)
{
    aw_a1_applied_t did = {.added = 0};
    bool ended = true;

    reset(users);
    apr_status_t rv = collect(users, text, how);

    if (rv == APR_SUCCESS) {
        rv = write_text(users, text, &ended, &did, write, sink);
    }
    if (rv == APR_SUCCESS && !ended && users->count > 0) {
        rv = write(sink, AW_SPAN_LIT("\n"));
    }
    for (size_t i = 0; i < users->count && rv == APR_SUCCESS; i++) {
        if (!users->records[i]->seen) {
            did.added++;
            rv = write_user(users->records[i], write, sink);
        }
    }
    if (rv == APR_SUCCESS) {
        *applied = did;
    }
    return rv;
}
