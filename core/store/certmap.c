/* Certificate maps: fingerprints, and the lines of the files.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/certmap.h"

#include "base/invisible.h"
#include "base/text.h"
#include "digest/algorithm.h"

#define SHA1_DIGITS   (2 * (size_t)AW_SHA1_SIZE)
#define SHA256_DIGITS (2 * (size_t)AW_SHA256_SIZE)

_Static_assert(AW_SHA256_SIZE >= AW_SHA1_SIZE, "the larger buffer takes both");

apr_status_t aw_fingerprints_make(aw_fingerprints_t *prints, aw_span_t der)
{
    apr_status_t rv = aw_hash(AW_ALG_SHA, &der, 1, prints->sha1);

    if (rv == APR_ENOTIMPL) {
        memset(prints->sha1, 0, sizeof(prints->sha1));
        rv = APR_SUCCESS;
    }
    return rv == APR_SUCCESS ? aw_hash(AW_ALG_SHA256, &der, 1, prints->sha256) : rv;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void skip_blanks(aw_span_t s, size_t *at)
{
    while (*at < s.len && is_blank(s.ptr[*at])) {
        ++*at;
    }
}

/* Says which character stands where a digit should. */
static bool not_a_digit(aw_line_error_t *error, aw_span_t s, size_t at)
{
    const aw_char_t c = aw_text_first((aw_span_t){s.ptr + at, s.len - at});

    if (aw_text_find_invisible((aw_span_t){s.ptr + at, c.len}, false, NULL) == 0) {
        return aw_line_mistake(error, at, "U+%04X (%s) in the fingerprint", c.code_point,
                               aw_invisible_name(c.code_point));
    }
    if (c.code_point > 0x7E) {
        return aw_line_mistake(error, at, "U+%04X is not a hexadecimal digit", c.code_point);
    }
    return aw_line_mistake(error, at, "\"%c\" is not a hexadecimal digit", (char)c.code_point);
}

static bool wrong_length(aw_line_error_t *error, size_t at, size_t digits)
{
    return aw_line_mistake(
        error, at, "%zu hexadecimal digits; a fingerprint has 40 (SHA-1) or 64 (SHA-256)", digits);
}

/* A fingerprint that is read: its digits, as many as fit, and how many there were. */
typedef struct digits_t {
    char of[SHA256_DIGITS];
    size_t count;
} digits_t;

/* Reads the word at `*at`: digits, with single colons between them. */
static bool read_word(digits_t *digits, aw_span_t s, size_t *at, aw_line_error_t *error)
{
    const size_t from = *at;

    for (; *at < s.len && !is_blank(s.ptr[*at]); ++*at) {
        const char c = s.ptr[*at];

        if (c == ':' && *at > from && s.ptr[*at - 1] != ':' && *at + 1 < s.len &&
            !is_blank(s.ptr[*at + 1])) {
            continue;
        }
        if (!is_hex(c)) {
            return not_a_digit(error, s, *at);
        }
        if (digits->count < SHA256_DIGITS) {
            digits->of[digits->count] = c;
        }
        digits->count++;
    }
    return true;
}

/* Length of the run of digits at `at`, when it is a whole word; else 0. */
static size_t group_at(aw_span_t s, size_t at)
{
    size_t n = 0;

    while (at + n < s.len && is_hex(s.ptr[at + n])) {
        n++;
    }
    return at + n == s.len || is_blank(s.ptr[at + n]) ? n : 0;
}

/* Goes on with groups as long as the first, from `*at`, behind it. After 40 digits there may be
 * more groups or a user whose name looks like one; but at the most a user and a realm, which are
 * never the 24 digits that the longer fingerprint has in addition. */
static bool read_groups(digits_t *digits, aw_span_t s, size_t *at, aw_line_error_t *error)
{
    const size_t group = digits->count;
    size_t end = *at, behind_sha1 = 0, next = *at;

    while (digits->count < SHA256_DIGITS) {
        skip_blanks(s, &next);
        if (group_at(s, next) != group || digits->count + group > SHA256_DIGITS) {
            break;
        }
        memcpy(digits->of + digits->count, s.ptr + next, group);
        digits->count += group;
        next += group;
        end = next;
        behind_sha1 = digits->count == SHA1_DIGITS ? next : behind_sha1;
    }
    if (digits->count != SHA256_DIGITS && behind_sha1 > 0) {
        digits->count = SHA1_DIGITS;
        end = behind_sha1;
    }
    if (digits->count != SHA256_DIGITS && digits->count != SHA1_DIGITS) {
        /* What ended it tells more than the number. */
        for (size_t i = next; i < s.len && !is_blank(s.ptr[i]); i++) {
            if (!is_hex(s.ptr[i])) {
                return not_a_digit(error, s, i);
            }
        }
        return wrong_length(error, next, digits->count);
    }
    *at = end;
    return true;
}

/* Reads the fingerprint at `*at` and moves it behind. */
static bool parse_print(unsigned char print[AW_SHA256_SIZE], size_t *size, aw_span_t s, size_t *at,
                        aw_line_error_t *error)
{
    digits_t digits = {.count = 0};
    const size_t from = *at;

    if (from == s.len) {
        return aw_line_mistake(error, from, "a fingerprint expected");
    }
    if (!read_word(&digits, s, at, error)) {
        return false;
    }
    /* A short first word without colons is the first of several groups. */
    if (digits.count == *at - from && digits.count <= SHA1_DIGITS / 2 &&
        !read_groups(&digits, s, at, error)) {
        return false;
    }
    if (digits.count != SHA1_DIGITS && digits.count != SHA256_DIGITS) {
        return wrong_length(error, digits.count < SHA256_DIGITS ? *at : from, digits.count);
    }
    *size = digits.count / 2;
    memset(print, 0, AW_SHA256_SIZE);
    (void)aw_hex_decode(print, digits.of, *size);
    return true;
}

bool aw_fingerprint_parse(aw_span_t text, unsigned char print[AW_SHA256_SIZE], size_t *size,
                          aw_line_error_t *error)
{
    const size_t valid = aw_utf8_valid_prefix(text);
    unsigned char read[AW_SHA256_SIZE];
    size_t at = 0, bytes = 0;

    if (valid < text.len) {
        return aw_line_mistake(error, valid, "not valid UTF-8");
    }
    skip_blanks(text, &at);
    if (!parse_print(read, &bytes, text, &at, error)) {
        return false;
    }
    skip_blanks(text, &at);
    if (at < text.len) {
        return not_a_digit(error, text, at);
    }
    memcpy(print, read, sizeof(read));
    *size = bytes;
    return true;
}

bool aw_certmap_name_check(aw_span_t name, bool user, aw_line_error_t *error)
{
    const size_t valid = aw_utf8_valid_prefix(name);
    aw_char_t c;

    if (name.len == 0) {
        return aw_line_mistake(error, 0, user ? "empty user name" : "empty realm");
    }
    if (name.len > AW_CERTMAP_NAME_MAX) {
        return aw_line_mistake(error, AW_CERTMAP_NAME_MAX, "longer than %d bytes",
                               AW_CERTMAP_NAME_MAX);
    }
    if (valid < name.len) {
        return aw_line_mistake(error, valid, "not valid UTF-8");
    }
    const size_t control = aw_text_find_control(name);
    const size_t invisible = aw_text_find_invisible(name, true, &c);

    if (invisible < name.len || control < name.len) {
        const size_t at = invisible < control ? invisible : control;

        c = aw_text_first((aw_span_t){name.ptr + at, name.len - at});
        return aw_line_mistake(error, at, "U+%04X (%s) in the %s", c.code_point,
                               c.code_point == '\t' ? "TAB" : aw_invisible_name(c.code_point),
                               user ? "user name" : "realm");
    }
    const char *colon = user ? memchr(name.ptr, ':', name.len) : NULL;

    return !colon || aw_line_mistake(error, (size_t)(colon - name.ptr), "a colon in the user name");
}

/* Reads the quoted text at `*at`, a quote, and moves it behind the other. */
static bool read_quoted(char *out, size_t *len, aw_span_t s, size_t *at, aw_line_error_t *error)
{
    const size_t from = *at;
    size_t n = 0;

    for (++*at; *at < s.len && s.ptr[*at] != '"'; ++*at) {
        if (s.ptr[*at] == '\\') {
            ++*at;
            if (*at == s.len || (s.ptr[*at] != '"' && s.ptr[*at] != '\\')) {
                return aw_line_mistake(error, *at, "behind \\ only \" or \\ may stand");
            }
        }
        if (n == AW_CERTMAP_NAME_MAX) {
            return aw_line_mistake(error, *at, "longer than %d bytes", AW_CERTMAP_NAME_MAX);
        }
        out[n++] = s.ptr[*at];
    }
    if (*at == s.len) {
        return aw_line_mistake(error, from, "a quote without its end");
    }
    ++*at;
    if (*at < s.len && !is_blank(s.ptr[*at])) {
        return aw_line_mistake(error, *at, "a space expected behind the quote");
    }
    *len = n;
    return true;
}

/* Reads a user or a realm at `*at` and moves it behind. */
static bool parse_name(char *out, size_t *len, bool user, aw_span_t s, size_t *at,
                       aw_line_error_t *error)
{
    const size_t from = *at;
    size_t n = 0;

    if (s.ptr[from] == '"') {
        if (!read_quoted(out, &n, s, at, error)) {
            return false;
        }
    } else if (s.ptr[from] == '#') {
        return aw_line_mistake(error, from,
                               "# within a line: a comment has a line of its own, a "
                               "name that begins so is quoted");
    } else {
        while (*at < s.len && !is_blank(s.ptr[*at])) {
            if (s.ptr[*at] == '"' || n == AW_CERTMAP_NAME_MAX) {
                return s.ptr[*at] == '"' ? aw_line_mistake(error, *at, "a quote within a name")
                                         : aw_line_mistake(error, *at, "longer than %d bytes",
                                                           AW_CERTMAP_NAME_MAX);
            }
            out[n++] = s.ptr[(*at)++];
        }
    }
    out[n] = '\0';
    /* The column of a mistake is that in the line, backslashes counted. */
    if (!aw_certmap_name_check((aw_span_t){out, n}, user, error)) {
        size_t column = from + (s.ptr[from] == '"');

        for (size_t i = 0; i + 1 < error->column; i++) {
            column += s.ptr[from] == '"' && s.ptr[column] == '\\' ? 2 : 1;
        }
        error->column = column + 1;
        return false;
    }
    *len = n;
    return true;
}

/* Takes a line apart; on a mistake error->column is that in the line. */
static bool parse_line(aw_certmap_line_t *line, aw_line_error_t *error)
{
    const aw_span_t s = line->whole;
    const size_t valid = aw_utf8_valid_prefix(s);
    size_t at = 0;

    if (valid < s.len) {
        return aw_line_mistake(error, valid, "not valid UTF-8");
    }
    skip_blanks(s, &at);
    if (!parse_print(line->print, &line->size, s, &at, error)) {
        return false;
    }
    skip_blanks(s, &at);
    if (at == s.len) {
        return aw_line_mistake(error, at, "a user name expected behind the fingerprint");
    }
    line->user_column = at + 1;
    if (!parse_name(line->user, &line->user_len, true, s, &at, error)) {
        return false;
    }
    skip_blanks(s, &at);
    if (at == s.len) {
        return true;
    }
    if (!parse_name(line->realm, &line->realm_len, false, s, &at, error)) {
        return false;
    }
    skip_blanks(s, &at);
    return at == s.len ||
           aw_line_mistake(error, at, "more than a user and a realm: names with spaces are quoted");
}

aw_line_e aw_certmap_next(aw_line_reader_t *reader, aw_certmap_line_t *line, aw_line_error_t *error)
{
    aw_char_t c;
    size_t at = 0;
    bool ok;

    if (reader->rest.len == 0) {
        return AW_LINE_END;
    }
    line->whole = aw_line_next(reader, NULL);
    line->number = reader->number;
    line->size = line->user_len = line->user_column = line->realm_len = 0;
    line->user[0] = line->realm[0] = '\0';
    skip_blanks(line->whole, &at);
    if (at == line->whole.len || line->whole.ptr[at] == '#') {
        return AW_LINE_BLANK;
    }
    /* Before a comment too: it would stand before the first fingerprint otherwise. */
    if (line->number == 1 && line->whole.len >= 3 &&
        memcmp(line->whole.ptr, "\xef\xbb\xbf", 3) == 0) {
        c = aw_text_first(line->whole);
        ok = aw_line_mistake(error, 0, "U+%04X (%s) before the first line", c.code_point,
                             aw_invisible_name(c.code_point));
    } else {
        ok = parse_line(line, error);
    }
    if (!ok) {
        error->line = line->number;
        return AW_LINE_BROKEN;
    }
    return AW_LINE_ENTRY;
}
