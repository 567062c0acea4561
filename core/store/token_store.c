/* One or more token files kept in memory, and finding tokens in them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * In the entry maps the kind is the algorithm, the name the subject, the value when it expires.
 */
#include "store/token_store.h"
#include "store/follow.h"

#include <apr_general.h>

_Static_assert((int)AW_TOKEN_ALG_COUNT <= AW_ENTRY_KINDS, "an algorithm is a kind of entry");
_Static_assert(AW_TOKEN_HASH_MAX <= AW_ENTRY_DIGEST_MAX, "a hash fits in an entry");

struct aw_token_store_t {
    aw_follow_t *follow;
};

/* --- from text to entries --- */

typedef struct teller_t {
    aw_line_error_fn say;
    void *baton;
} teller_t;

/* An aw_entry_twice_fn. */
static void say_twice(void *baton, const aw_entry_t *entry, const aw_entry_t *earlier)
{
    const teller_t *teller = baton;
    aw_line_error_t error;

    aw_line_mistake(&error, 0, "the same token as in line %zu%s", earlier->line,
                    aw_span_equal(entry->name, earlier->name) ? "" : ", there for another subject");
    error.line = entry->line;
    error.column = entry->column;
    if (teller->say) {
        teller->say(teller->baton, &error);
    }
}

/* An aw_follow_build_fn. */
static apr_status_t build(aw_entry_map_t **map, aw_span_t text, const unsigned char *key,
                          aw_line_error_fn say, void *baton)
{
    teller_t teller = {say, baton};
    aw_entry_builder_t builder = {NULL, 0, 0, {0}};
    aw_line_reader_t reader;
    aw_token_line_t line;
    aw_token_value_t value = {.expires = 0};
    aw_line_error_t error;
    apr_status_t rv = APR_SUCCESS, broken = APR_SUCCESS;
    aw_entry_map_t *made = NULL;
    aw_line_e what;

    aw_line_reader_init(&reader, text);
    while (rv == APR_SUCCESS &&
           (what = aw_token_next(&reader, &line, &value, &error)) != AW_LINE_END) {
        if (what == AW_LINE_BROKEN) {
            broken = APR_EINVAL;
            if (say) {
                say(baton, &error);
            }
        } else if (what == AW_LINE_ENTRY) {
            const aw_entry_t entry = {.kind = value.alg,
                                      .digest = value.hash,
                                      .digest_len = aw_token_alg_size(value.alg),
                                      .name = line.subject,
                                      .value = value.expires,
                                      .line = line.number,
                                      .column = line.subject.len + 2};

            rv = aw_entry_builder_add(&builder, &entry);
        }
    }
    aw_wipe(&value, sizeof(value));
    if (rv != APR_SUCCESS) {
        aw_entry_builder_clear(&builder);
        return rv;
    }
    rv = aw_entry_builder_finish(&made, &builder, key, say_twice, &teller);
    if (rv == APR_SUCCESS && broken == APR_SUCCESS) {
        *map = made;
        return APR_SUCCESS;
    }
    aw_entry_map_destroy(made);
    return rv != APR_SUCCESS ? rv : broken;
}

apr_status_t aw_token_check(aw_span_t text, aw_line_error_fn say, void *baton)
{
    unsigned char key[AW_KEYED_KEY];
    aw_entry_map_t *map = NULL;
    apr_status_t rv = apr_generate_random_bytes(key, sizeof(key));

    if (rv == APR_SUCCESS) {
        rv = build(&map, text, key, say, baton);
    }
    if (rv == APR_SUCCESS) {
        aw_entry_map_destroy(map);
    }
    return rv;
}

/* --- the store --- */

apr_status_t aw_token_store_open(aw_token_store_t **store, const char **message,
                                 const char *const *paths, size_t n, const aw_log_t *log,
                                 apr_pool_t *p)
{
    static const aw_follow_kind_t kind = {"tokens", build};
    aw_token_store_t *made = apr_palloc(p, sizeof(*made));
    const apr_status_t rv = aw_follow_open(&made->follow, message, &kind, paths, n, log, p);

    if (rv == APR_SUCCESS) {
        *store = made;
    }
    return rv;
}

void aw_token_store_look(aw_token_store_t *store, apr_time_t now)
{
    aw_follow_look(store->follow, now);
}

/* Entries of each algorithm in all files; between enter and leave. */
static void count_all(aw_token_store_t *store, size_t count[AW_TOKEN_ALG_COUNT])
{
    memset(count, 0, AW_TOKEN_ALG_COUNT * sizeof(count[0]));
    for (size_t i = 0; i < aw_follow_count(store->follow); i++) {
        const aw_entry_map_t *map = aw_follow_map(store->follow, i);

        for (unsigned a = 0; a < AW_TOKEN_ALG_COUNT; a++) {
            count[a] += aw_entry_map_count(map, a);
        }
    }
}

/* What weak entries are lifted to. */
static aw_token_alg_e strongest(const size_t count[AW_TOKEN_ALG_COUNT])
{
    unsigned a = AW_TOKEN_ALG_COUNT - 1;

    while (a > AW_TOKEN_ALG_DEFAULT && count[a] == 0) {
        a--;
    }
    return (aw_token_alg_e)a;
}

static void copy(aw_token_entry_t *to, const aw_entry_t *from, aw_token_alg_e alg)
{
    memcpy(to->subject, from->name.ptr, from->name.len);
    to->subject[from->name.len] = '\0';
    to->subject_len = from->name.len;
    to->alg = alg;
    memset(to->hash, 0, sizeof(to->hash));
    memcpy(to->hash, from->digest, from->digest_len);
    to->expires = from->value;
}

/* Searches every file for one hash, wherever it has been found, and copies what was found or what
 * stands in for it. */
static void search(aw_token_store_t *store, aw_token_alg_e alg, const unsigned char *hash,
                   apr_time_t now, aw_token_entry_t *best, aw_token_verdict_e *verdict)
{
    for (size_t i = 0; i < aw_follow_count(store->follow); i++) {
        aw_token_entry_t spare, *to = &spare;
        aw_entry_t entry;
        const bool found = aw_entry_map_find(aw_follow_map(store->follow, i), alg, hash,
                                             aw_token_alg_size(alg), (aw_span_t){NULL, 0}, &entry);
        const bool good = found && !aw_token_is_expired(entry.value, now);

        if ((good && *verdict != AW_TOKEN_GOOD) || (found && *verdict == AW_TOKEN_UNKNOWN)) {
            *verdict = good ? AW_TOKEN_GOOD : AW_TOKEN_EXPIRED;
            to = best;
        }
        if (entry.name.ptr) { /* a file without tokens has nobody to stand in */
            copy(to, &entry, alg);
        }
        aw_wipe(spare.hash, sizeof(spare.hash));
    }
}

aw_token_verdict_e aw_token_store_find(aw_token_store_t *store, aw_span_t token, apr_time_t now,
                                       aw_token_entry_t *entry)
{
    aw_token_verdict_e verdict = AW_TOKEN_UNKNOWN;
    size_t count[AW_TOKEN_ALG_COUNT];
    unsigned char hash[AW_TOKEN_HASH_MAX];
    bool ok = true;

    aw_follow_look(store->follow, now);
    entry->subject[0] = '\0';
    entry->subject_len = 0;
    if (token.len == 0 || token.len > AW_TOKEN_MAX) {
        return AW_TOKEN_UNKNOWN;
    }
    const unsigned side = aw_follow_enter(store->follow);

    count_all(store, count);
    for (unsigned a = 0; a < AW_TOKEN_ALG_COUNT; a++) {
        if (count[a] > 0 && aw_token_hash((aw_token_alg_e)a, token, hash) == APR_SUCCESS) {
            search(store, (aw_token_alg_e)a, hash, now, entry, &verdict);
        } else {
            ok &= count[a] == 0;
        }
    }
    aw_follow_leave(store->follow, side);
    aw_wipe(hash, sizeof(hash));
    if (verdict == AW_TOKEN_UNKNOWN) {
        return ok ? AW_TOKEN_UNKNOWN : AW_TOKEN_FAILED;
    }
    entry->lift_to = aw_token_alg_is_weak(entry->alg) ? strongest(count) : AW_TOKEN_ALG_COUNT;
    return verdict;
}

/* Whether a hash is in force for a subject; between enter and leave. */
static bool holds(aw_token_store_t *store, aw_span_t subject, const aw_token_value_t *value,
                  apr_time_t now)
{
    for (size_t i = 0; i < aw_follow_count(store->follow); i++) {
        aw_entry_t entry;

        if (aw_entry_map_find(aw_follow_map(store->follow, i), value->alg, value->hash,
                              aw_token_alg_size(value->alg), (aw_span_t){NULL, 0}, &entry) &&
            aw_span_equal(entry.name, subject) && !aw_token_is_expired(entry.value, now)) {
            return true;
        }
    }
    return false;
}

bool aw_token_store_holds(aw_token_store_t *store, aw_span_t subject, const aw_token_value_t *value,
                          const aw_token_value_t *lifted, apr_time_t now)
{
    aw_follow_look(store->follow, now);
    const unsigned side = aw_follow_enter(store->follow);
    const bool so =
        holds(store, subject, value, now) || (lifted && holds(store, subject, lifted, now));

    aw_follow_leave(store->follow, side);
    return so;
}

size_t aw_token_store_count(aw_token_store_t *store, size_t by_alg[AW_TOKEN_ALG_COUNT])
{
    size_t count[AW_TOKEN_ALG_COUNT], total = 0;
    const unsigned side = aw_follow_enter(store->follow);

    count_all(store, count);
    aw_follow_leave(store->follow, side);
    for (unsigned a = 0; a < AW_TOKEN_ALG_COUNT; a++) {
        total += count[a];
    }
    if (by_alg) {
        memcpy(by_alg, count, sizeof(count));
    }
    return total;
}
