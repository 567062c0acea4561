/* Changing an A1 file: adding, replacing and removing one user's values, the rest untouched.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/a1_edit.h"

#include <apr_strings.h>
#include <apr_tables.h>

/* Appends bytes to the parts, joining them to the last part where they follow it in memory. */
static void push(apr_array_header_t *parts, aw_span_t s)
{
    if (s.len == 0) {
        return;
    }
    if (parts->nelts > 0) {
        aw_span_t *last = &APR_ARRAY_IDX(parts, parts->nelts - 1, aw_span_t);

        if (last->ptr + last->len == s.ptr) {
            last->len += s.len;
            return;
        }
    }
    APR_ARRAY_PUSH(parts, aw_span_t) = s;
}

/* Whether a line begins with "user:realm:". A name has no colon, so this is the user's line and
 * nobody else's, even where its value is broken. */
static bool is_line_of(aw_span_t line, aw_span_t user, aw_span_t realm)
{
    return user.len + 1 < line.len && realm.len + 1 < line.len - user.len && line.ptr[0] != '#' &&
           memcmp(line.ptr, user.ptr, user.len) == 0 && line.ptr[user.len] == ':' &&
           memcmp(line.ptr + user.len + 1, realm.ptr, realm.len) == 0 &&
           line.ptr[user.len + 1 + realm.len] == ':';
}

/* Puts `lines` in the place of all the user's lines. */
static void replace(aw_a1_edit_t *edit, aw_span_t text, aw_span_t user, aw_span_t realm,
                    aw_span_t lines, apr_pool_t *p)
{
    apr_array_header_t *parts = apr_array_make(p, 8, sizeof(aw_span_t));
    bool found = false, ended = true;

    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        const aw_span_t line = {text.ptr, end ? (size_t)(end + 1 - text.ptr) : text.len};

        text.ptr += line.len;
        text.len -= line.len;
        if (!is_line_of(line, user, realm)) {
            push(parts, line);
            ended = end != NULL;
        } else if (!found) {
            push(parts, lines);
            found = true;
        }
    }
    if (!found && lines.len > 0) {
        if (!ended) {
            push(parts, AW_SPAN_LIT("\n"));
            ended = true;
        }
        push(parts, lines);
    } else if (!ended && lines.len > 0) {
        push(parts, AW_SPAN_LIT("\n"));
    }
    edit->parts = (const aw_span_t *)parts->elts;
    edit->count = (size_t)parts->nelts;
    edit->existed = found;
}

void aw_a1_edit_set(aw_a1_edit_t *edit, aw_span_t text, aw_span_t user, aw_span_t realm,
                    const aw_a1_value_t *value, apr_pool_t *p)
{
    replace(edit, text, user, realm, aw_span(aw_a1_lines_build(user, realm, value, p)), p);
}

void aw_a1_edit_remove(aw_a1_edit_t *edit, aw_span_t text, aw_span_t user, aw_span_t realm,
                       apr_pool_t *p)
{
    replace(edit, text, user, realm, (aw_span_t){NULL, 0}, p);
}

/* Writes "user:realm:value\n" for the algorithms in `mask`; returns where it ends. */
static char *put_line(char *out, aw_span_t user, aw_span_t realm, const aw_a1_value_t *value,
                      unsigned mask)
{
    memcpy(out, user.ptr, user.len);
    out += user.len;
    *out++ = ':';
    memcpy(out, realm.ptr, realm.len);
    out += realm.len;
    *out++ = ':';
    out += aw_a1_value_build(out, value, mask);
    *out++ = '\n';
    return out;
}

size_t aw_a1_lines_put(char *out, aw_span_t user, aw_span_t realm, const aw_a1_value_t *value)
{
    const unsigned md5 = 1u << AW_ALG_MD5;
    char *at = out;

    /* MD5 alone and first: mod_auth_digest takes the first line that it finds. */
    if (value->present & md5) {
        at = put_line(at, user, realm, value, md5);
    }
    if (value->present & ~md5) {
        at = put_line(at, user, realm, value, ~md5);
    }
    return (size_t)(at - out);
}

const char *aw_a1_lines_build(aw_span_t user, aw_span_t realm, const aw_a1_value_t *value,
                              apr_pool_t *p)
{
    char *lines = apr_palloc(p, 2 * (user.len + realm.len + AW_A1_VALUE_TEXT_MAX + 3) + 1);

    lines[aw_a1_lines_put(lines, user, realm, value)] = '\0';
    return lines;
}
