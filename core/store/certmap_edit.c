/* Changing a certificate map: putting a line for a certificate in it, the rest untouched.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/certmap.h"

/* Whether a line is of the certificate and the realm. */
static bool is_line_of(const aw_certmap_line_t *line, const aw_fingerprints_t *prints,
                       aw_span_t realm)
{
    const unsigned char *print = line->size == AW_SHA1_SIZE ? prints->sha1 : prints->sha256;

    return memcmp(line->print, print, line->size) == 0 &&
           aw_span_equal((aw_span_t){line->realm, line->realm_len}, realm);
}

static bool needs_quotes(aw_span_t name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == ' ' || name.ptr[i] == '"') {
            return true;
        }
    }
    return name.ptr[0] == '#';
}

/* Writes a name as it stands in a line; returns where it ends. */
static char *put_name(char *at, aw_span_t name)
{
    if (!needs_quotes(name)) {
        memcpy(at, name.ptr, name.len);
        return at + name.len;
    }
    *at++ = '"';
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"' || name.ptr[i] == '\\') {
            *at++ = '\\';
        }
        *at++ = name.ptr[i];
    }
    *at++ = '"';
    return at;
}

/* The line with its end, in `p`. */
static aw_span_t build_line(const aw_fingerprints_t *prints, aw_span_t user, aw_span_t realm,
                            apr_pool_t *p)
{
    char *line = apr_palloc(p, 2 * (size_t)AW_SHA256_SIZE + 2 * (user.len + realm.len) + 7);
    char *at = line;

    aw_hex_encode(at, prints->sha256, AW_SHA256_SIZE);
    at += 2 * AW_SHA256_SIZE;
    *at++ = ' ';
    at = put_name(at, user);
    if (realm.len > 0) {
        *at++ = ' ';
        at = put_name(at, realm);
    }
    *at++ = '\n';
    return (aw_span_t){line, (size_t)(at - line)};
}

apr_status_t aw_certmap_edit_set(aw_line_edit_t *edit, aw_span_t text,
                                 const aw_fingerprints_t *prints, aw_span_t user, aw_span_t realm,
                                 aw_line_error_t *error, apr_pool_t *p)
{
    apr_array_header_t *parts;
    aw_line_reader_t reader;
    aw_certmap_line_t line;
    aw_line_error_t broken;
    aw_line_e what;
    bool ended = true;

    if (!aw_certmap_name_check(user, true, error) ||
        (realm.len > 0 && !aw_certmap_name_check(realm, false, error))) {
        return APR_EINVAL;
    }
    const aw_span_t fresh = build_line(prints, user, realm, p);

    parts = apr_array_make(p, 8, sizeof(aw_span_t));
    edit->entries = 0;
    aw_line_reader_init(&reader, text);
    for (const char *from = text.ptr;
         (what = aw_certmap_next(&reader, &line, &broken)) != AW_LINE_END; from = reader.rest.ptr) {
        const aw_span_t whole = {from, (size_t)(reader.rest.ptr - from)};

        if (what != AW_LINE_ENTRY || !is_line_of(&line, prints, realm)) {
            aw_parts_push(parts, whole);
            ended = whole.ptr[whole.len - 1] == '\n';
        } else if (edit->entries++ == 0) {
            aw_parts_push(parts, fresh);
        }
    }
    if (!ended) {
        aw_parts_push(parts, AW_SPAN_LIT("\n"));
    }
    if (edit->entries == 0) {
        aw_parts_push(parts, fresh);
    }
    edit->parts = (const aw_span_t *)parts->elts;
    edit->count = (size_t)parts->nelts;
    return APR_SUCCESS;
}
