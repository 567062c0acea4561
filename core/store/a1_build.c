/* Building an A1 table from text.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/a1_layout.h"

/* A user while the table is built. Borrowed from the text. */
typedef struct draft_t {
    const char *user; /* ":" and the realm follow in the text */
    uint64_t place;   /* of the record, in units */
    uint64_t hash;    /* of the name */
    uint16_t user_len;
    uint16_t realm_len;
    uint16_t present;
} draft_t;

/* What building needs besides the table. */
typedef struct build_t {
    const unsigned char *key;
    unsigned userhash;
    draft_t *drafts;
    uint32_t users;
    uint32_t lines;
    uint32_t *line_user;   /* for each line its draft */
    unsigned char *values; /* of all lines: a mask of 16 bits and the hashes of each */
    size_t values_size;    /* what is used */
    uint32_t *slots;       /* draft + 1 by the hash of the name; 0: empty */
    uint64_t slots_mask;
    unsigned char *block;
} build_t;

/* Keeps a line's value until the records have their places. There is room: in the text each byte
 * takes two digits, and the mask stands for the colons and the names. */
static void keep_value(build_t *build, const aw_a1_value_t *value)
{
    unsigned char *to = build->values + build->values_size;
    const uint16_t present = (uint16_t)value->present;

    memcpy(to, &present, sizeof(present));
    to += sizeof(present);
    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        if (present & (1u << a)) {
            memcpy(to, value->hash[a], aw_alg_size((aw_alg_e)a));
            to += aw_alg_size((aw_alg_e)a);
        }
    }
    build->values_size = (size_t)(to - build->values);
}

/* One line: finds or adds its user's draft. */
static void add_line(build_t *build, const aw_a1_line_t *line, const aw_a1_value_t *value)
{
    const uint64_t hash = aw_a1_hash_name(build->key, line->realm, line->user);
    uint64_t i = hash & build->slots_mask;
    draft_t *draft = NULL;

    for (; build->slots[i] != 0; i = (i + 1) & build->slots_mask) {
        draft_t *other = &build->drafts[build->slots[i] - 1];

        /* Both names at once: the colon between them stands in the text. */
        if (other->hash == hash && other->user_len == line->user.len &&
            other->realm_len == line->realm.len &&
            memcmp(other->user, line->user.ptr, line->user.len + 1 + line->realm.len) == 0) {
            draft = other;
            break;
        }
    }
    if (!draft) {
        draft = &build->drafts[build->users++];
        *draft = (draft_t){.user = line->user.ptr,
                           .hash = hash,
                           .user_len = (uint16_t)line->user.len,
                           .realm_len = (uint16_t)line->realm.len};
        build->slots[i] = build->users;
    }
    draft->present = (uint16_t)(draft->present | value->present);
    build->line_user[build->lines++] = (uint32_t)(draft - build->drafts);
    keep_value(build, value);
}

/* Counts line ends, which bounds the number of users, before anything is allocated. */
static bool count_lines(const aw_span_t *texts, size_t n, size_t *count)
{
    size_t lines = 0;

    for (size_t i = 0; i < n; i++) {
        const char *at = texts[i].ptr;
        size_t left = texts[i].len;

        while (left > 0) {
            const char *end = memchr(at, '\n', left);

            lines++;
            left -= end ? (size_t)(end + 1 - at) : left;
            at = end ? end + 1 : at;
        }
        if (lines > UINT32_MAX / 8) {
            return false;
        }
    }
    *count = lines;
    return true;
}

static aw_a1_rec_t record_of(const build_t *build, const draft_t *draft)
{
    return (aw_a1_rec_t){draft->user_len, draft->realm_len, draft->present,
                         (uint16_t)build->userhash};
}

static uint64_t power_of_two(uint64_t n)
{
    uint64_t power = 8;

    while (power < n) {
        power *= 2;
    }
    return power;
}

static apr_status_t read_texts(build_t *build, const aw_span_t *texts, size_t n, size_t *file,
                               aw_text_error_t *error)
{
    apr_status_t rv = APR_SUCCESS;
    aw_a1_value_t value;
    aw_text_error_t found;

    for (size_t i = 0; i < n && rv == APR_SUCCESS; i++) {
        aw_a1_reader_t reader;
        aw_a1_line_t line;
        aw_a1_line_e what;

        aw_a1_reader_init(&reader, texts[i]);
        while (rv == APR_SUCCESS &&
               (what = aw_a1_reader_next(&reader, &line, &value, &found)) != AW_A1_END) {
            if (what == AW_A1_BROKEN) {
                *file = i;
                *error = found;
                rv = APR_EINVAL;
            } else if (what == AW_A1_LINE) {
                add_line(build, &line, &value);
            }
        }
    }
    aw_wipe(&value, sizeof(value));
    return rv;
}

/* Finds each record its place and writes what is known of it. Nothing can overflow: everything is
 * bounded by a multiple of what the texts take in memory, or by 2^29 users of 4 KiB. */
static apr_status_t lay_out(build_t *build)
{
    uint64_t size = 0, start;

    for (uint32_t i = 0; i < build->users; i++) {
        draft_t *draft = &build->drafts[i];
        const aw_a1_rec_t rec = record_of(build, draft);

        draft->place = size / AW_A1_UNIT;
        size += aw_a1_rec_size(&rec);
    }
    build->block = aw_a1_block_create(build->users, size, build->userhash, build->key);
    if (!build->block) {
        return APR_ENOMEM;
    }
    memcpy(&start, build->block + offsetof(aw_a1_header_t, records), sizeof(start));
    for (uint32_t i = 0; i < build->users; i++) {
        draft_t *draft = &build->drafts[i];
        const aw_a1_rec_t rec = record_of(build, draft);

        draft->place += start / AW_A1_UNIT;
        unsigned char *record = build->block + draft->place * AW_A1_UNIT;
        unsigned char *user = record + aw_a1_rec_user(&rec);

        memcpy(record, &rec, sizeof(rec));
        memcpy(user, draft->user, draft->user_len);
        memcpy(user + draft->user_len, draft->user + draft->user_len + 1, draft->realm_len);
    }
    return APR_SUCCESS;
}

/* Writes the hashes, in the order of the lines, so that later ones win. */
static void fill_hashes(const build_t *build)
{
    const unsigned char *from = build->values;

    for (uint32_t line = 0; line < build->lines; line++) {
        const draft_t *draft = &build->drafts[build->line_user[line]];
        unsigned char *hashes = build->block + draft->place * AW_A1_UNIT + sizeof(aw_a1_rec_t);
        uint16_t present;

        memcpy(&present, from, sizeof(present));
        from += sizeof(present);
        for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
            if (present & (1u << a)) {
                memcpy(hashes + aw_a1_hashes_size(draft->present & ((1u << a) - 1)), from,
                       aw_alg_size((aw_alg_e)a));
                from += aw_alg_size((aw_alg_e)a);
            }
        }
    }
}

apr_status_t aw_a1_table_create(aw_a1_table_t **table, const aw_span_t *texts, size_t n,
                                unsigned userhash, const unsigned char *key, size_t *file,
                                aw_text_error_t *error)
{
    return aw_a1_table_build(table, texts, n, userhash, key, false, file, error);
}

apr_status_t aw_a1_table_build(aw_a1_table_t **table, const aw_span_t *texts, size_t n,
                               unsigned userhash, const unsigned char *key, bool alone,
                               size_t *file, aw_text_error_t *error)
{
    build_t build = {.key = key, .userhash = userhash & AW_A1_ALGS};
    apr_status_t rv = APR_ENOMEM;
    size_t lines = 0, bytes = 0;
    uint64_t drafts_size, lines_size, slots_size, values_size;

    if (!count_lines(texts, n, &lines)) {
        return rv;
    }
    for (size_t i = 0; i < n; i++) {
        bytes += texts[i].len;
    }
    build.slots_mask = power_of_two(2 * (uint64_t)lines) - 1;
    drafts_size = lines * sizeof(*build.drafts);
    lines_size = lines * sizeof(*build.line_user);
    slots_size = (build.slots_mask + 1) * sizeof(*build.slots);
    values_size = bytes / 2;
    build.drafts = aw_a1_pages_get(drafts_size);
    build.line_user = aw_a1_pages_get(lines_size);
    build.slots = aw_a1_pages_get(slots_size);
    build.values = aw_a1_pages_get(values_size);
    if (!build.drafts || !build.line_user || !build.slots || !build.values) {
        goto leave;
    }
    rv = read_texts(&build, texts, n, file, error);
    if (rv == APR_SUCCESS) {
        rv = lay_out(&build);
    }
    if (rv == APR_SUCCESS) {
        fill_hashes(&build);
        rv = aw_a1_block_finish(table, build.block, alone);
    }
leave:
    if (build.values) {
        aw_wipe(build.values, build.values_size);
    }
    aw_a1_pages_free(build.values, values_size);
    aw_a1_pages_free(build.slots, slots_size);
    aw_a1_pages_free(build.line_user, lines_size);
    aw_a1_pages_free(build.drafts, drafts_size);
    return rv;
}
