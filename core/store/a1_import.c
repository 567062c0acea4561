/* Users and passwords in clear from other programs: CSV (RFC 4180) and user:password lines.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/a1_import.h"
#include "base/text.h"

#define BOM AW_SPAN_LIT("\xef\xbb\xbf")

/* What a column may hold. */
enum { USER, PASSWORD, REALM };

/* A column of one line. */
typedef struct field_t {
    aw_span_t text; /* without its quotes */
    size_t at;      /* where the text begins in the line */
} field_t;

typedef struct fields_t {
    field_t of[AW_A1_IMPORT_COLUMNS];
    size_t count;
} fields_t;

void aw_a1_import_init(aw_a1_import_t *in, bool want_realm)
{
    /* Not the buffers: nothing of them is looked at before it has been written. */
    in->want_realm = want_realm;
    in->too_long = in->started = false;
    in->separator = ',';
    in->columns = 0;
    in->line = 0;
    in->pending = 0;
}

/* Says where (offset from 0 in the line) and what; always BROKEN, for callers to return. */
static aw_a1_import_e broken(const aw_a1_import_t *in, aw_text_error_t *error, size_t offset,
                             const char *message)
{
    *error = (aw_text_error_t){in->line, offset + 1, message};
    return AW_A1_IMPORT_BROKEN;
}

/* The separator that a text with this first line uses. */
static char choose_separator(aw_span_t line)
{
    bool quoted = false;

    for (size_t i = 0; i < line.len; i++) {
        const char c = line.ptr[i];

        quoted ^= c == '"';
        if (!quoted && (c == ',' || c == ';' || c == '\t' || c == ':')) {
            return c;
        }
    }
    return ',';
}

/* Takes a field in quotes apart, whose opening quote is at *at, and moves *at behind the closing
 * one. The text goes to `in->unquoted` at *used. */
static const char *unquote(aw_a1_import_t *in, aw_span_t line, size_t *at, size_t *used,
                           aw_span_t *text)
{
    size_t i = *at + 1;
    char *to = in->unquoted + *used;

    text->ptr = to;
    for (;; i++) {
        if (i == line.len) {
            *at = i;
            return "a quote that is not closed on its line";
        }
        if (line.ptr[i] == '"' && (i + 1 == line.len || line.ptr[++i] != '"')) {
            break;
        }
        *to++ = line.ptr[i];
    }
    text->len = (size_t)(to - text->ptr);
    *used += text->len;
    /* At the line's end `i` stands on the quote itself. */
    *at = i + 1 == line.len && line.ptr[i] == '"' ? line.len : i;
    return *at == line.len || line.ptr[*at] == in->separator
               ? NULL
               : "text between a closing quote and the end of the column";
}

/* Takes a line of CSV apart; NULL, or what is wrong, at *at. */
static const char *split_csv(aw_a1_import_t *in, aw_span_t line, fields_t *fields, size_t *at)
{
    size_t used = 0;

    for (fields->count = 0;;) {
        if (fields->count == AW_A1_IMPORT_COLUMNS) {
            return "more than 32 columns";
        }
        field_t *field = &fields->of[fields->count++];

        field->at = *at;
        if (*at < line.len && line.ptr[*at] == '"') {
            const char *message = unquote(in, line, at, &used, &field->text);

            if (message) {
                return message;
            }
            field->at++;
        } else {
            const size_t start = *at;

            while (*at < line.len && line.ptr[*at] != in->separator) {
                if (line.ptr[*at] == '"') {
                    return "a quote within a column that does not begin with one";
                }
                ++*at;
            }
            field->text = (aw_span_t){line.ptr + start, *at - start};
        }
        if (*at == line.len) {
            return NULL;
        }
        ++*at;
    }
}

/* Takes a line at its colons apart; the last column has all the rest. */
static void split_colons(const aw_a1_import_t *in, aw_span_t line, fields_t *fields)
{
    const size_t most = in->want_realm ? 3 : 2;
    size_t at = 0;

    for (fields->count = 0;;) {
        field_t *field = &fields->of[fields->count++];
        const aw_span_t rest = {line.ptr + at, line.len - at};
        const char *colon =
            fields->count < most && rest.len > 0 ? memchr(rest.ptr, ':', rest.len) : NULL;

        field->at = at;
        field->text = rest;
        if (!colon) {
            return;
        }
        field->text.len = (size_t)(colon - rest.ptr);
        at += field->text.len + 1;
    }
}

/* What a header calls the columns. */
static bool is_called(aw_span_t name, int what)
{
    static const char *const names[][5] = {
        [USER] = {"user", "username", "user name", "login", "name"},
        [PASSWORD] = {"password", "passwd"},
        [REALM] = {"realm"},
    };

    for (size_t i = 0; i < 5 && names[what][i]; i++) {
        if (aw_span_equal_nocase(name, aw_span(names[what][i]))) {
            return true;
        }
    }
    return false;
}

/* Column of that name, or fields->count; *twice when there are two. */
static size_t find_column(const fields_t *fields, int what, bool *twice)
{
    size_t found = fields->count;

    for (size_t i = 0; i < fields->count; i++) {
        if (is_called(fields->of[i].text, what)) {
            *twice = *twice || found < fields->count;
            found = i;
        }
    }
    return found;
}

/* Looks at the first line: MORE when it was a header, ROW when it is a row itself. */
static aw_a1_import_e start(aw_a1_import_t *in, const fields_t *fields, aw_text_error_t *error)
{
    size_t column[3];
    bool twice = false;

    for (int what = USER; what <= REALM; what++) {
        column[what] = find_column(fields, what, &twice);
    }
    in->started = true;
    if (column[USER] < fields->count && column[PASSWORD] < fields->count && in->separator != ':') {
        memcpy(in->column, column, sizeof(column));
        in->columns = fields->count;
        if (twice) {
            broken(in, error, 0, "the header names a column twice");
            return AW_A1_IMPORT_UNUSABLE;
        }
        if (in->want_realm && column[REALM] == fields->count) {
            broken(in, error, 0, "the header has no column \"realm\", and no realm was given");
            return AW_A1_IMPORT_UNUSABLE;
        }
        return AW_A1_IMPORT_MORE;
    }
    in->columns = in->want_realm ? 3 : 2;
    in->column[USER] = 0;
    in->column[REALM] = in->separator == ':' ? 1 : 2;
    in->column[PASSWORD] = in->separator == ':' ? in->columns - 1 : 1;
    /* Colons: a header can only name the columns in the one order that there is. */
    return fields->count == in->columns && is_called(fields->of[0].text, USER) &&
                   is_called(fields->of[in->column[PASSWORD]].text, PASSWORD)
               ? AW_A1_IMPORT_MORE
               : AW_A1_IMPORT_ROW;
}

static aw_a1_import_e check_password(const aw_a1_import_t *in, const field_t *field,
                                     aw_text_error_t *error)
{
    const aw_span_t s = field->text;
    const size_t valid = aw_utf8_valid_prefix(s);
    const char *nul = s.len > 0 ? memchr(s.ptr, '\0', s.len) : NULL;

    if (s.len == 0) {
        return broken(in, error, field->at, "empty password");
    }
    if (s.len > AW_A1_PASSWORD_MAX) {
        return broken(in, error, field->at, "password longer than 1024 bytes");
    }
    if (nul) {
        return broken(in, error, field->at + (size_t)(nul - s.ptr), "a NUL character");
    }
    if (valid < s.len) {
        return broken(in, error, field->at + valid, "not valid UTF-8");
    }
    return AW_A1_IMPORT_ROW;
}

/* Makes a row of the columns. */
static aw_a1_import_e make_row(const aw_a1_import_t *in, const fields_t *fields, size_t end,
                               aw_a1_row_t *row, aw_text_error_t *error)
{
    if (fields->count < in->columns) {
        return broken(in, error, end, "a column is missing");
    }
    if (fields->count > in->columns) {
        return broken(in, error, fields->of[in->columns].at, "one column too many");
    }
    const field_t *user = &fields->of[in->column[USER]];
    const field_t *password = &fields->of[in->column[PASSWORD]];
    const field_t *realm = in->want_realm ? &fields->of[in->column[REALM]] : NULL;

    if (user->text.len == 0) {
        return broken(in, error, user->at, "empty user name");
    }
    if (realm && realm->text.len == 0) {
        return broken(in, error, realm->at, "empty realm");
    }
    if (!aw_a1_user_check(user->text, error)) {
        return broken(in, error, user->at + error->column - 1, error->message);
    }
    if (realm && !aw_a1_name_check(realm->text, error)) {
        return broken(in, error, realm->at + error->column - 1, error->message);
    }
    *row = (aw_a1_row_t){.user = user->text,
                         .password = password->text,
                         .line = in->line,
                         .user_column = user->at + 1,
                         .password_column = password->at + 1};
    if (realm) {
        row->realm = realm->text;
        row->realm_column = realm->at + 1;
    }
    return check_password(in, password, error);
}

/* Understands a line without its end; MORE when there is nothing in it. */
static aw_a1_import_e read_line(aw_a1_import_t *in, aw_span_t line, aw_a1_row_t *row,
                                aw_text_error_t *error)
{
    fields_t fields;
    size_t at = 0;

    if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    if (in->line == 1 && line.len >= BOM.len && memcmp(line.ptr, BOM.ptr, BOM.len) == 0) {
        line.ptr += BOM.len;
        line.len -= BOM.len;
    }
    if (line.len == 0 || line.ptr[0] == '#') {
        return AW_A1_IMPORT_MORE;
    }
    if (!in->started) {
        in->separator = choose_separator(line);
    }
    if (in->separator == ':') {
        split_colons(in, line, &fields);
    } else {
        const char *message = split_csv(in, line, &fields, &at);

        if (message) {
            return broken(in, error, at, message);
        }
    }
    if (!in->started) {
        const aw_a1_import_e what = start(in, &fields, error);

        if (what != AW_A1_IMPORT_ROW) {
            return what;
        }
    }
    return make_row(in, &fields, line.len, row, error);
}

/* Puts a line together that comes in pieces. */
static void keep(aw_a1_import_t *in, aw_span_t piece)
{
    if (in->too_long || piece.len > sizeof(in->partial) - in->pending) {
        in->too_long = true;
        return;
    }
    if (piece.len > 0) {
        memcpy(in->partial + in->pending, piece.ptr, piece.len);
        in->pending += piece.len;
    }
}

aw_a1_import_e aw_a1_import_next(aw_a1_import_t *in, aw_span_t *input, bool last, aw_a1_row_t *row,
                                 aw_text_error_t *error)
{
    while (input->len > 0 || (last && (in->pending > 0 || in->too_long))) {
        const char *end = input->len > 0 ? memchr(input->ptr, '\n', input->len) : NULL;
        aw_span_t line = {input->ptr, end ? (size_t)(end - input->ptr) : input->len};
        const size_t taken = line.len + (end ? 1 : 0);

        /* A line that lies in the input whole is not copied. */
        if (in->pending > 0 || in->too_long || (!end && !last) || line.len > sizeof(in->partial)) {
            keep(in, line);
            line = (aw_span_t){in->partial, in->pending};
        }
        input->ptr += taken;
        input->len -= taken;
        if (!end && !last) {
            break;
        }
        const bool too_long = in->too_long;

        in->line++;
        in->pending = 0;
        in->too_long = false;
        const aw_a1_import_e what =
            too_long ? broken(in, error, AW_A1_IMPORT_LINE, "a line longer than 16384 bytes")
                     : read_line(in, line, row, error);

        if (what != AW_A1_IMPORT_MORE) {
            return what;
        }
    }
    return AW_A1_IMPORT_MORE;
}
