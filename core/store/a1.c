/* The text of A1 files (user:realm:value): values, lines, and whole files with their mistakes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/a1.h"
#include "base/text.h"

/* What Windows editors like to put at the start of a file. */
#define BOM "\xef\xbb\xbf"

/* Says where (offset from 0) and what; always false, so that callers can return it. */
static bool mistake(aw_text_error_t *error, size_t offset, const char *message)
{
    error->line = 1;
    error->column = offset + 1;
    error->message = message;
    return false;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Decodes the digits of `alg` at offset `at` of `text`, up to the next "{" or the end, and moves
 * `at` behind them. */
static bool parse_digits(unsigned char *hash, aw_alg_e alg, aw_span_t text, size_t *at,
                         aw_text_error_t *error)
{
    const size_t want = 2 * aw_alg_size(alg);
    size_t n = 0;

    /* The quick way; a mistake is looked for below. */
    if (text.len - *at >= want && (text.len - *at == want || text.ptr[*at + want] == '{') &&
        aw_hex_decode(hash, text.ptr + *at, want / 2) == want) {
        *at += want;
        return true;
    }
    for (; *at + n < text.len && text.ptr[*at + n] != '{'; n++) {
        const char c = text.ptr[*at + n];

        if (c == ' ' || c == '\t') {
            return mistake(error, *at + n, "white space in or behind the value");
        }
        if (!is_hex(c)) {
            return mistake(error, *at + n, "not a hexadecimal digit");
        }
        if (n == want) {
            return mistake(error, *at + n, "too many hexadecimal digits for the algorithm");
        }
    }
    if (n < want) {
        return mistake(error, *at + n, "too few hexadecimal digits for the algorithm");
    }
    aw_hex_decode(hash, text.ptr + *at, want / 2);
    *at += want;
    return true;
}

/* Reads "{ALGORITHM}" at offset `at` of `text` and moves `at` behind it. */
static bool parse_tag(aw_alg_e *alg, aw_span_t text, size_t *at, aw_text_error_t *error)
{
    if (text.ptr[*at] != '{') {
        return mistake(error, *at, "the end of the value or {ALGORITHM} expected");
    }
    const char *name = text.ptr + *at + 1;
    const char *end = memchr(name, '}', text.len - *at - 1);

    if (!end) {
        return mistake(error, *at, "{ without }");
    }
    if (!aw_alg_parse((aw_span_t){name, (size_t)(end - name)}, alg)) {
        return mistake(error, *at + 1, "unknown algorithm");
    }
    *at = (size_t)(end + 1 - text.ptr);
    return true;
}

static bool parse_tagged(aw_a1_value_t *fresh, aw_span_t text, aw_text_error_t *error)
{
    size_t at = 0;

    while (at < text.len) {
        aw_alg_e alg = AW_ALG_COUNT;
        const size_t tag = at;

        if (!parse_tag(&alg, text, &at, error)) {
            return false;
        }
        if (fresh->present & (1u << alg)) {
            return mistake(error, tag + 1, "the same algorithm twice in one value");
        }
        if (!parse_digits(fresh->hash[alg], alg, text, &at, error)) {
            return false;
        }
        fresh->present |= 1u << alg;
    }
    return true;
}

bool aw_a1_value_parse(aw_a1_value_t *value, aw_span_t text, aw_text_error_t *error)
{
    aw_a1_value_t fresh;
    size_t at = 0;
    bool ok;

    fresh.present = 0; /* the hashes need no zeroing: only those present are looked at */
    if (text.len == 0) {
        return mistake(error, 0, "empty value");
    }
    if (text.ptr[0] == '{') {
        ok = parse_tagged(&fresh, text, error);
    } else {
        fresh.present = 1u << AW_ALG_MD5;
        ok = parse_digits(fresh.hash[AW_ALG_MD5], AW_ALG_MD5, text, &at, error);
        if (ok && at < text.len) {
            ok = mistake(error, at, "MD5 without {MD5} cannot be followed by another algorithm");
        }
    }
    for (unsigned a = 0; ok && a < AW_ALG_COUNT; a++) {
        if (fresh.present & (1u << a)) {
            memcpy(value->hash[a], fresh.hash[a], aw_alg_size((aw_alg_e)a));
            value->present |= 1u << a;
        }
    }
    aw_wipe(&fresh, sizeof(fresh));
    return ok;
}

size_t aw_a1_value_build(char *out, const aw_a1_value_t *value, unsigned mask)
{
    char *p = out;

    mask &= value->present;
    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        if (!(mask & (1u << a))) {
            continue;
        }
        const size_t size = aw_alg_size((aw_alg_e)a);

        if (mask != 1u << AW_ALG_MD5) {
            const aw_span_t name = aw_span(aw_alg_name((aw_alg_e)a));

            *p++ = '{';
            memcpy(p, name.ptr, name.len);
            p += name.len;
            *p++ = '}';
        }
        aw_hex_encode(p, value->hash[a], size);
        p += 2 * size;
    }
    return (size_t)(p - out);
}

aw_alg_e aw_a1_value_strongest(const aw_a1_value_t *value)
{
    for (unsigned a = AW_ALG_COUNT; a-- > 0;) {
        if (value->present & (1u << a)) {
            return (aw_alg_e)a;
        }
    }
    return AW_ALG_COUNT;
}

/* Whether bytes are fit to stand anywhere in a line. */
static bool check_text(aw_span_t s, aw_text_error_t *error)
{
    const size_t valid = aw_utf8_valid_prefix(s);
    const size_t control = aw_text_find_control((aw_span_t){s.ptr, valid});

    if (control < valid) {
        return mistake(error, control,
                       s.ptr[control] == '\0' ? "a NUL character" : "a control character");
    }
    return valid == s.len || mistake(error, valid, "not valid UTF-8");
}

bool aw_a1_name_check(aw_span_t name, aw_text_error_t *error)
{
    const char *colon = name.len > 0 ? memchr(name.ptr, ':', name.len) : NULL;

    if (name.len == 0) {
        return mistake(error, 0, "empty");
    }
    if (name.len > AW_A1_NAME_MAX) {
        return mistake(error, AW_A1_NAME_MAX, "longer than 1024 bytes");
    }
    if (!check_text(name, error)) {
        return false;
    }
    return !colon || mistake(error, (size_t)(colon - name.ptr), "a colon");
}

bool aw_a1_user_check(aw_span_t name, aw_text_error_t *error)
{
    if (name.len > 0 && name.ptr[0] == '#') {
        return mistake(error, 0, "# at the start, which would make the line a comment");
    }
    if (name.len >= sizeof(BOM) - 1 && memcmp(name.ptr, BOM, sizeof(BOM) - 1) == 0) {
        return mistake(error, 0, "a byte order mark");
    }
    return aw_a1_name_check(name, error);
}

void aw_a1_reader_init(aw_a1_reader_t *reader, aw_span_t text)
{
    reader->rest = text;
    reader->number = 0;
}

/* Takes the next line off the text, without its end. */
static aw_span_t next_line(aw_a1_reader_t *reader)
{
    aw_span_t line = reader->rest;
    const char *end = memchr(line.ptr, '\n', line.len);

    reader->number++;
    if (!end) {
        reader->rest = (aw_span_t){line.ptr + line.len, 0};
        return line;
    }
    line.len = (size_t)(end - line.ptr);
    reader->rest.ptr += line.len + 1;
    reader->rest.len -= line.len + 1;
    if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    return line;
}

/* Takes a line apart; on a mistake error->column is that in the line. */
static bool parse_line(aw_a1_line_t *line, aw_a1_value_t *value, aw_text_error_t *error)
{
    const aw_span_t s = line->whole;
    const char *end = s.ptr + s.len;

    if (!check_text(s, error)) {
        return false;
    }
    const char *first = memchr(s.ptr, ':', s.len);
    const char *second = first ? memchr(first + 1, ':', (size_t)(end - first) - 1) : NULL;

    if (!second) {
        return mistake(error, s.len, "user:realm:value expected, colon missing");
    }
    const char *third = memchr(second + 1, ':', (size_t)(end - second) - 1);

    if (third) {
        return mistake(error, (size_t)(third - s.ptr), "a third colon");
    }
    line->user = (aw_span_t){s.ptr, (size_t)(first - s.ptr)};
    line->realm = (aw_span_t){first + 1, (size_t)(second - first) - 1};
    line->value = (aw_span_t){second + 1, (size_t)(end - second) - 1};
    if (line->user.len == 0) {
        return mistake(error, 0, "empty user name");
    }
    if (line->user.len > AW_A1_NAME_MAX) {
        return mistake(error, AW_A1_NAME_MAX, "user name longer than 1024 bytes");
    }
    const size_t realm_at = (size_t)(line->realm.ptr - s.ptr);

    if (line->realm.len == 0) {
        return mistake(error, realm_at, "empty realm");
    }
    if (line->realm.len > AW_A1_NAME_MAX) {
        return mistake(error, realm_at + AW_A1_NAME_MAX, "realm longer than 1024 bytes");
    }
    if (!aw_a1_value_parse(value, line->value, error)) {
        error->column += (size_t)(line->value.ptr - s.ptr);
        return false;
    }
    return true;
}

aw_a1_line_e aw_a1_reader_next(aw_a1_reader_t *reader, aw_a1_line_t *line, aw_a1_value_t *value,
                               aw_text_error_t *error)
{
    aw_a1_value_t checked;
    bool ok;

    if (reader->rest.len == 0) {
        return AW_A1_END;
    }
    *line = (aw_a1_line_t){.whole = next_line(reader)};
    line->number = reader->number;
    if (line->whole.len == 0 || line->whole.ptr[0] == '#') {
        return AW_A1_BLANK;
    }
    if (line->number == 1 && line->whole.len >= sizeof(BOM) - 1 &&
        memcmp(line->whole.ptr, BOM, sizeof(BOM) - 1) == 0) {
        ok = mistake(error, 0, "a byte order mark");
    } else if (value) {
        value->present = 0;
        ok = parse_line(line, value, error);
    } else {
        checked.present = 0;
        ok = parse_line(line, &checked, error);
        aw_wipe(&checked, sizeof(checked));
    }
    if (!ok) {
        error->line = line->number;
        return AW_A1_BROKEN;
    }
    return AW_A1_LINE;
}
