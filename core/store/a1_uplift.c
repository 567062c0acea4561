/* Adding a stronger value to users whose password has just been seen to be right.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/a1_uplift.h"

#include <apr_tables.h>
#include <stdint.h>
#include <stdlib.h>

/* A stretch of the text, whole lines, and what takes its place. */
typedef struct change_t {
    aw_span_t old;
    aw_span_t new;
} change_t;

/* The next line of a user from `from` on, with its end; false when there is none. Searched for as
 * a string: files may be large, and the users few. */
static bool next_line(aw_span_t *line, aw_span_t *value, aw_span_t text, size_t from,
                      aw_span_t head)
{
    while (from < text.len) {
        const char *at = memmem(text.ptr + from, text.len - from, head.ptr, head.len);

        if (!at) {
            return false;
        }
        from = (size_t)(at - text.ptr) + 1;
        if (at != text.ptr && at[-1] != '\n') {
            continue;
        }
        const char *begin = at + head.len;
        const size_t rest = (size_t)(text.ptr + text.len - begin);
        const char *end = memchr(begin, '\n', rest);

        *value = (aw_span_t){begin, end ? (size_t)(end - begin) : rest};
        *line = (aw_span_t){at, head.len + value->len + (end != NULL)};
        if (value->len > 0 && begin[value->len - 1] == '\r') {
            value->len--;
        }
        return true;
    }
    return false;
}

/* "user:realm:", in `p`. */
static aw_span_t head_of(const aw_a1_uplift_t *user, apr_pool_t *p)
{
    char *head = apr_palloc(p, user->user.len + user->realm.len + 2);

    memcpy(head, user->user.ptr, user->user.len);
    head[user->user.len] = ':';
    memcpy(head + user->user.len + 1, user->realm.ptr, user->realm.len);
    head[user->user.len + 1 + user->realm.len] = ':';
    return (aw_span_t){head, user->user.len + user->realm.len + 2};
}

/* Gathers the user's values and notes where they stand; what is to become of them. */
static aw_uplift_e judge(aw_a1_value_t *value, apr_array_header_t *changes, aw_span_t text,
                         const aw_a1_uplift_t *user, apr_pool_t *p)
{
    const aw_span_t head = head_of(user, p);
    aw_span_t line, digits;
    size_t from = 0;

    while (next_line(&line, &digits, text, from, head)) {
        aw_text_error_t error;

        if (!aw_a1_value_parse(value, digits, &error)) {
            return AW_UPLIFT_BROKEN;
        }
        APR_ARRAY_PUSH(changes, change_t) = (change_t){line, {NULL, 0}};
        from = (size_t)(line.ptr - text.ptr) + line.len;
    }
    if (from == 0) {
        return AW_UPLIFT_ABSENT;
    }
    if (!(value->present & (1u << user->checked)) ||
        !aw_equal_secret(value->hash[user->checked], user->checked_a1,
                         aw_alg_size(user->checked))) {
        return AW_UPLIFT_CHANGED;
    }
    return value->present & (1u << user->wanted) ? AW_UPLIFT_PRESENT : AW_UPLIFT_STORED;
}

/* Notes the changes of one user's lines. */
static void lift(apr_array_header_t *changes, aw_span_t text, aw_a1_uplift_t *user, apr_pool_t *p)
{
    const int before = changes->nelts;
    aw_a1_value_t value;

    memset(&value, 0, sizeof(value));
    user->outcome = judge(&value, changes, text, user, p);
    if (user->outcome == AW_UPLIFT_STORED) {
        value.present |= 1u << user->wanted;
        memcpy(value.hash[user->wanted], user->wanted_a1, aw_alg_size(user->wanted));
        APR_ARRAY_IDX(changes, before, change_t).new =
            aw_span(aw_a1_lines_build(user->user, user->realm, &value, p));
    } else {
        changes->nelts = before;
    }
    aw_wipe(&value, sizeof(value));
}

static int by_place(const void *a, const void *b)
{
    const char *one = ((const change_t *)a)->old.ptr;
    const char *other = ((const change_t *)b)->old.ptr;

    return (one > other) - (one < other);
}

size_t aw_a1_uplift(aw_a1_edit_t *edit, aw_span_t text, aw_a1_uplift_t *const users[], size_t n,
                    apr_pool_t *p)
{
    apr_array_header_t *changes = apr_array_make(p, 8, sizeof(change_t));
    const char *at = text.ptr;
    aw_span_t *parts;
    size_t stored = 0, count = 0;

    for (size_t i = 0; i < n; i++) {
        lift(changes, text, users[i], p);
        stored += users[i]->outcome == AW_UPLIFT_STORED;
    }
    if (stored == 0) {
        return 0;
    }
    qsort(changes->elts, (size_t)changes->nelts, sizeof(change_t), by_place);
    parts = apr_palloc(p, (2 * (size_t)changes->nelts + 1) * sizeof(*parts));
    for (int i = 0; i < changes->nelts; i++) {
        const change_t *change = &APR_ARRAY_IDX(changes, i, change_t);

        parts[count++] = (aw_span_t){at, (size_t)(change->old.ptr - at)};
        parts[count++] = change->new;
        at = change->old.ptr + change->old.len;
    }
    parts[count++] = (aw_span_t){at, (size_t)(text.ptr + text.len - at)};
    edit->parts = parts;
    edit->count = count;
    edit->existed = true;
    return stored;
}

void aw_a1_uplift_wipe(const aw_a1_edit_t *edit, aw_span_t text)
{
    for (size_t i = 0; i < edit->count; i++) {
        const aw_span_t part = edit->parts[i];

        if (part.len > 0 && (part.ptr < text.ptr || part.ptr >= text.ptr + text.len)) {
            aw_wipe((char *)(uintptr_t)part.ptr, part.len); /* in our pool, and ours to write */
        }
    }
}

bool aw_a1_uplift_stands(aw_span_t text, const aw_a1_uplift_t *user, apr_pool_t *p)
{
    apr_array_header_t *changes = apr_array_make(p, 2, sizeof(change_t));
    aw_a1_value_t value;

    memset(&value, 0, sizeof(value));
    const aw_uplift_e outcome = judge(&value, changes, text, user, p);

    aw_wipe(&value, sizeof(value));
    return outcome == AW_UPLIFT_STORED || outcome == AW_UPLIFT_PRESENT;
}
