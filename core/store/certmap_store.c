/* One or more certificate maps kept in memory, and finding certificates in them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * In the entry maps the kind says which fingerprint it is, the scope is the realm, the name the
 * user.
 */
#include "store/certmap_store.h"
#include "store/follow.h"

#include <apr_general.h>

enum { KIND_SHA256, KIND_SHA1 };

struct aw_certmap_t {
    aw_follow_t *follow;
};

typedef struct teller_t {
    aw_line_error_fn say;
    void *baton;
} teller_t;

/* An aw_entry_twice_fn. */
static void say_twice(void *baton, const aw_entry_t *entry, const aw_entry_t *earlier)
{
    const teller_t *teller = baton;
    aw_line_error_t error;

    aw_line_mistake(&error, 0, "the same fingerprint%s as in line %zu%s",
                    entry->scope.len > 0 ? " and realm" : "", earlier->line,
                    aw_span_equal(entry->name, earlier->name) ? "" : ", there for another user");
    error.line = entry->line;
    error.column = entry->column;
    if (teller->say) {
        teller->say(teller->baton, &error);
    }
}

/* Where the fingerprint begins, from 1. */
static size_t column_of(const aw_certmap_line_t *line)
{
    size_t blanks = 0;

    while (line->whole.ptr[blanks] == ' ' || line->whole.ptr[blanks] == '\t') {
        blanks++;
    }
    return blanks + 1;
}

/* An aw_follow_build_fn. */
static apr_status_t build(aw_entry_map_t **map, aw_span_t text, const unsigned char *key,
                          aw_line_error_fn say, void *baton)
{
    teller_t teller = {say, baton};
    aw_entry_builder_t builder = {NULL, 0, 0, {0}};
    apr_status_t rv = APR_SUCCESS, broken = APR_SUCCESS;
    aw_entry_map_t *made = NULL;
    aw_line_reader_t reader;
    aw_certmap_line_t line;
    aw_line_error_t error;
    aw_line_e what;

    aw_line_reader_init(&reader, text);
    while (rv == APR_SUCCESS && (what = aw_certmap_next(&reader, &line, &error)) != AW_LINE_END) {
        if (what == AW_LINE_BROKEN) {
            broken = APR_EINVAL;
            if (say) {
                say(baton, &error);
            }
        } else if (what == AW_LINE_ENTRY) {
            const aw_entry_t entry = {.kind = line.size == AW_SHA1_SIZE ? KIND_SHA1 : KIND_SHA256,
                                      .digest = line.print,
                                      .digest_len = line.size,
                                      .scope = {line.realm, line.realm_len},
                                      .name = {line.user, line.user_len},
                                      .line = line.number,
                                      .column = column_of(&line)};

            rv = aw_entry_builder_add(&builder, &entry);
        }
    }
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

apr_status_t aw_certmap_check(aw_span_t text, aw_line_error_fn say, void *baton)
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

apr_status_t aw_certmap_open(aw_certmap_t **map, const char **message, const char *const *paths,
                             size_t n, const aw_log_t *log, apr_pool_t *p)
{
    static const aw_follow_kind_t kind = {"fingerprints", build};
    aw_certmap_t *made = apr_palloc(p, sizeof(*made));
    const apr_status_t rv = aw_follow_open(&made->follow, message, &kind, paths, n, log, p);

    if (rv == APR_SUCCESS) {
        *map = made;
    }
    return rv;
}

void aw_certmap_look(aw_certmap_t *map, apr_time_t now)
{
    aw_follow_look(map->follow, now);
}

/* Searches all files for one fingerprint in one realm; the first that has it counts. */
static bool search(aw_certmap_t *map, unsigned kind, const unsigned char *print, size_t size,
                   aw_span_t realm, aw_certmap_entry_t *entry)
{
    for (size_t i = 0; i < aw_follow_count(map->follow); i++) {
        aw_entry_t found;

        if (aw_entry_map_find(aw_follow_map(map->follow, i), kind, print, size, realm, &found)) {
            memcpy(entry->user, found.name.ptr, found.name.len);
            entry->user[found.name.len] = '\0';
            entry->user_len = found.name.len;
            entry->size = size;
            return true;
        }
    }
    return false;
}

apr_status_t aw_certmap_find(aw_certmap_t *map, const aw_fingerprints_t *prints, aw_span_t realm,
                             apr_time_t now, aw_certmap_entry_t *entry)
{
    static const unsigned char zeros[AW_SHA1_SIZE];
    const bool sha1 = memcmp(prints->sha1, zeros, sizeof(zeros)) != 0;
    const aw_span_t realms[] = {realm, {NULL, 0}};
    bool found = false;

    aw_follow_look(map->follow, now);
    entry->user[0] = '\0';
    entry->user_len = entry->size = 0;
    const unsigned side = aw_follow_enter(map->follow);

    for (size_t i = realm.len == 0; i < 2 && !found; i++) {
        found = search(map, KIND_SHA256, prints->sha256, AW_SHA256_SIZE, realms[i], entry) ||
                (sha1 && search(map, KIND_SHA1, prints->sha1, AW_SHA1_SIZE, realms[i], entry));
    }
    aw_follow_leave(map->follow, side);
    return found ? APR_SUCCESS : APR_NOTFOUND;
}

size_t aw_certmap_count(aw_certmap_t *map)
{
    const unsigned side = aw_follow_enter(map->follow);
    size_t total = 0;

    for (size_t i = 0; i < aw_follow_count(map->follow); i++) {
        const aw_entry_map_t *one = aw_follow_map(map->follow, i);

        total += aw_entry_map_count(one, KIND_SHA256) + aw_entry_map_count(one, KIND_SHA1);
    }
    aw_follow_leave(map->follow, side);
    return total;
}
