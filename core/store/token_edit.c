/* Changing a token file: adding, revoking and lifting tokens, the rest untouched.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/token_edit.h"

#include <stdlib.h>

/* Whether a line begins with "subject:". A subject has no colon, so this is the subject's line and
 * nobody else's, even where the rest is broken. */
static bool is_line_of(aw_span_t line, aw_span_t subject)
{
    return subject.len < line.len && line.ptr[0] != '#' &&
           memcmp(line.ptr, subject.ptr, subject.len) == 0 && line.ptr[subject.len] == ':';
}

static bool is_same(const aw_token_value_t *value, aw_token_alg_e alg, const unsigned char *hash)
{
    return value->alg == alg && aw_equal_secret(value->hash, hash, aw_token_alg_size(alg));
}

/* Takes a lone line apart; `whole` is with its end. */
static bool take_apart(aw_span_t whole, aw_token_line_t *line, aw_token_value_t *value)
{
    aw_line_reader_t reader;
    aw_line_error_t error;

    aw_line_reader_init(&reader, whole);
    return aw_token_next(&reader, line, value, &error) == AW_LINE_ENTRY;
}

/* "subject:{ALGORITHM}hex[:expires[:note]]\n", in `p`. */
static aw_span_t build_line(aw_span_t subject, const aw_token_value_t *value, aw_span_t note,
                            apr_pool_t *p)
{
    const aw_span_t name = aw_span(aw_token_alg_name(value->alg));
    const size_t digits = 2 * aw_token_alg_size(value->alg);
    char expires[AW_TOKEN_EXPIRES_MAX];
    const aw_span_t until = aw_span(aw_token_expires_build(expires, value->expires));
    char *line = apr_palloc(p, subject.len + name.len + digits + until.len + note.len + 6);
    char *at = line;

    memcpy(at, subject.ptr, subject.len);
    at += subject.len;
    *at++ = ':';
    *at++ = '{';
    memcpy(at, name.ptr, name.len);
    at += name.len;
    *at++ = '}';
    aw_hex_encode(at, value->hash, digits / 2);
    at += digits;
    if (until.len > 0 || note.len > 0) {
        *at++ = ':';
        memcpy(at, until.ptr, until.len);
        at += until.len;
    }
    if (note.len > 0) {
        *at++ = ':';
        memcpy(at, note.ptr, note.len);
        at += note.len;
    }
    *at++ = '\n';
    return (aw_span_t){line, (size_t)(at - line)};
}

/* The subject's earlier line, good until `until` at the longest. Empty: it is no longer any good,
 * or broken. */
static aw_span_t shorten(aw_span_t whole, apr_time_t until, apr_pool_t *p)
{
    aw_token_value_t value;
    aw_token_line_t line;
    aw_span_t out = {NULL, 0};

    if (until != AW_TOKEN_NEVER && take_apart(whole, &line, &value)) {
        if (value.expires != AW_TOKEN_NEVER && value.expires <= until) {
            return whole;
        }
        value.expires = until;
        out = build_line(line.subject, &value, line.note, p);
    }
    aw_wipe(&value, sizeof(value));
    return out;
}

/* Whether the hash stands in the file for anybody, or, when earlier tokens go, for another. */
static bool is_taken(aw_span_t text, const aw_token_new_t *token)
{
    aw_line_reader_t reader;
    aw_token_line_t line;
    aw_token_value_t value = {.expires = 0};
    aw_line_error_t error;
    aw_line_e what;
    bool taken = false;

    aw_line_reader_init(&reader, text);
    while (!taken && (what = aw_token_next(&reader, &line, &value, &error)) != AW_LINE_END) {
        taken = what == AW_LINE_ENTRY && is_same(&value, token->value.alg, token->value.hash) &&
                (token->until != AW_TOKEN_NEVER || !aw_span_equal(line.subject, token->subject));
    }
    aw_wipe(&value, sizeof(value));
    return taken;
}

/* Walks the lines; `token` NULL: all of the subject's go. */
static void replace(aw_line_edit_t *edit, aw_span_t text, aw_span_t subject,
                    const aw_token_new_t *token, apr_pool_t *p)
{
    const aw_span_t fresh =
        token ? build_line(subject, &token->value, token->note, p) : (aw_span_t){NULL, 0};
    apr_array_header_t *parts = apr_array_make(p, 8, sizeof(aw_span_t));
    aw_line_reader_t reader;
    bool ended = true;

    edit->entries = 0;
    aw_line_reader_init(&reader, text);
    while (reader.rest.len > 0) {
        aw_span_t whole;

        (void)aw_line_next(&reader, &whole);
        const bool end = whole.ptr[whole.len - 1] == '\n';

        if (!is_line_of(whole, subject)) {
            aw_parts_push(parts, whole);
            ended = end;
            continue;
        }
        if (edit->entries++ == 0) {
            aw_parts_push(parts, fresh);
        }
        if (token) {
            const aw_span_t kept = shorten(whole, token->until, p);

            aw_parts_push(parts, kept);
            ended = kept.len == 0 || kept.ptr[kept.len - 1] == '\n';
        }
    }
    if (!ended && token) {
        aw_parts_push(parts, AW_SPAN_LIT("\n"));
    }
    if (edit->entries == 0) {
        aw_parts_push(parts, fresh);
    }
    edit->parts = (const aw_span_t *)parts->elts;
    edit->count = (size_t)parts->nelts;
}

apr_status_t aw_token_edit_add(aw_line_edit_t *edit, aw_span_t text, const aw_token_new_t *token,
                               apr_pool_t *p)
{
    if (is_taken(text, token)) {
        return APR_EEXIST;
    }
    replace(edit, text, token->subject, token, p);
    return APR_SUCCESS;
}

void aw_token_edit_revoke(aw_line_edit_t *edit, aw_span_t text, aw_span_t subject, apr_pool_t *p)
{
    replace(edit, text, subject, NULL, p);
}

/* --- lifting --- */

/* What is to become of one token; *old is the hash in the text. */
static aw_uplift_e judge(aw_span_t text, const aw_token_uplift_t *token, aw_span_t *old)
{
    aw_line_reader_t reader;
    aw_uplift_e outcome = AW_UPLIFT_ABSENT;

    aw_line_reader_init(&reader, text);
    while (reader.rest.len > 0) {
        aw_token_line_t line;
        aw_token_value_t value;
        aw_span_t whole;

        (void)aw_line_next(&reader, &whole);
        if (!is_line_of(whole, token->subject)) {
            continue;
        }
        if (outcome == AW_UPLIFT_ABSENT) {
            outcome = AW_UPLIFT_CHANGED;
        }
        if (take_apart(whole, &line, &value)) {
            const bool stands = is_same(&value, token->checked, token->checked_hash);

            if (is_same(&value, token->wanted, token->wanted_hash)) {
                outcome = AW_UPLIFT_PRESENT;
            } else if (stands && outcome != AW_UPLIFT_PRESENT) {
                outcome = AW_UPLIFT_STORED;
                *old = line.hash;
            }
        }
        aw_wipe(&value, sizeof(value));
    }
    return outcome;
}

/* A stretch of the text and what takes its place. */
typedef struct change_t {
    aw_span_t old;
    aw_span_t new;
} change_t;

static int by_place(const void *a, const void *b)
{
    const char *one = ((const change_t *)a)->old.ptr;
    const char *other = ((const change_t *)b)->old.ptr;

    return (one > other) - (one < other);
}

/* "{ALGORITHM}hex", in `p`. */
static aw_span_t build_hash(aw_token_alg_e alg, const unsigned char *hash, apr_pool_t *p)
{
    const aw_token_value_t value = {.alg = alg, .expires = AW_TOKEN_NEVER};
    aw_token_value_t copy = value;

    memcpy(copy.hash, hash, aw_token_alg_size(alg));
    aw_span_t line = build_line((aw_span_t){"", 0}, &copy, (aw_span_t){NULL, 0}, p);

    aw_wipe(&copy, sizeof(copy));
    return (aw_span_t){line.ptr + 1, line.len - 2}; /* without the colon and the line's end */
}

size_t aw_token_uplift(aw_line_edit_t *edit, aw_span_t text, aw_token_uplift_t *const tokens[],
                       size_t n, apr_pool_t *p)
{
    change_t *changes = apr_palloc(p, (n + 1) * sizeof(*changes));
    apr_array_header_t *parts;
    const char *at = text.ptr;
    size_t stored = 0;

    for (size_t i = 0; i < n; i++) {
        aw_span_t old = {NULL, 0};

        tokens[i]->outcome = judge(text, tokens[i], &old);
        if (tokens[i]->outcome == AW_UPLIFT_STORED) {
            changes[stored++] =
                (change_t){old, build_hash(tokens[i]->wanted, tokens[i]->wanted_hash, p)};
        }
    }
    if (stored == 0) {
        return 0;
    }
    qsort(changes, stored, sizeof(*changes), by_place);
    parts = apr_array_make(p, 2 * (int)stored + 1, sizeof(aw_span_t));
    for (size_t i = 0; i < stored; i++) {
        aw_parts_push(parts, (aw_span_t){at, (size_t)(changes[i].old.ptr - at)});
        aw_parts_push(parts, changes[i].new);
        at = changes[i].old.ptr + changes[i].old.len;
    }
    aw_parts_push(parts, (aw_span_t){at, (size_t)(text.ptr + text.len - at)});
    edit->parts = (const aw_span_t *)parts->elts;
    edit->count = (size_t)parts->nelts;
    edit->entries = stored;
    return stored;
}

bool aw_token_uplift_stands(aw_span_t text, const aw_token_uplift_t *token)
{
    aw_span_t old = {NULL, 0};
    const aw_uplift_e outcome = judge(text, token, &old);

    return outcome == AW_UPLIFT_STORED || outcome == AW_UPLIFT_PRESENT;
}
