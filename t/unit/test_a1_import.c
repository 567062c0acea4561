/* Reading CSV and user:password lines: what is a row, what is refused and where, at any split.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/a1_import.h"

enum { SAID = 65536 };

/* Writes what the reader says of a text, cut at `first`: rows as [user|realm|password], mistakes
 * as LINE:COLUMN. */
static void read_cut(char *said, aw_span_t text, size_t first, bool want_realm)
{
    aw_a1_import_t in;
    aw_a1_row_t row;
    aw_text_error_t error;
    size_t len = 0;

    said[0] = '\0';
    aw_a1_import_init(&in, want_realm);
    for (int part = 0; part < 2; part++) {
        const aw_span_t piece = part == 0 ? (aw_span_t){text.ptr, first}
                                          : (aw_span_t){text.ptr + first, text.len - first};
        const aw_span_t copy = unit_guard(piece.ptr, piece.len);
        aw_span_t input = copy;
        aw_a1_import_e what;

        while ((what = aw_a1_import_next(&in, &input, part == 1, &row, &error)) !=
               AW_A1_IMPORT_MORE) {
            const char *mark = what == AW_A1_IMPORT_UNUSABLE ? "!" : "";
            const int n = what == AW_A1_IMPORT_ROW
                              ? snprintf(said + len, SAID - len, "[%.*s|%.*s|%.*s]",
                                         (int)row.user.len, row.user.ptr, (int)row.realm.len,
                                         row.realm.ptr, (int)row.password.len, row.password.ptr)
                              : snprintf(said + len, SAID - len, "%zu:%zu%s ", error.line,
                                         error.column, mark);

            len += (size_t)n;
            if (what == AW_A1_IMPORT_UNUSABLE) {
                part = 1;
                break;
            }
        }
        unit_guard_free(copy);
    }
}

/* Whether a text is understood so, wherever it is cut in two. */
static bool reads(aw_span_t text, bool want_realm, const char *expected)
{
    char *said = malloc(SAID);
    bool same = true;

    for (size_t cut = 0; cut <= text.len && same; cut++) {
        read_cut(said, text, cut, want_realm);
        same = strcmp(said, expected) == 0;
        if (!same) {
            printf("cut at %zu: %s instead of %s\n", cut, said, expected);
        }
    }
    free(said);
    return same;
}

#define READS(text, expected)        CU_ASSERT_TRUE(reads(AW_SPAN_LIT(text), false, expected))
#define READS_REALMS(text, expected) CU_ASSERT_TRUE(reads(AW_SPAN_LIT(text), true, expected))

static void csv_is_read_as_rfc_4180_says(void)
{
    READS("al,one\nbo,two\r\ncy,three", "[al||one][bo||two][cy||three]");
    READS("\"al\",\"one, \"\"two\"\"\"\n", "[al||one, \"two\"]");
    READS("a b, c \n", "[a b|| c ]");
    READS("al;a,b\n", "[al||a,b]");
    READS("al\ta;b\n", "[al||a;b]");
    READS("\"a;l\",x\n", "[a;l||x]");
    READS_REALMS("al,one,R\nal,two,S\n", "[al|R|one][al|S|two]");
}

static void a_header_puts_columns_in_any_order(void)
{
    READS("user,password\nal,one\n", "[al||one]");
    READS("Password;note;\"USERNAME\"\none;;al\n", "[al||one]");
    READS("realm,user,password\nR,al,one\n", "[al||one]");
    READS_REALMS("password,realm,login\none,R,al\n", "[al|R|one]");
    READS("al,password\n", "[al||password]"); /* no header: it names no user column */
    READS("user,password,user\nal,one,al\n", "1:1! ");
    READS_REALMS("user,password\nal,one\n", "1:1! ");
}

static void lines_with_colons_take_passwords_as_they_are(void)
{
    READS("al:one\nbo:t:w,\"o\"\n", "[al||one][bo||t:w,\"o\"]");
    READS_REALMS("al:R:one:1\nbo:S:two\n", "[al|R|one:1][bo|S|two]");
    READS("user:password\nal:one\n", "[al||one]");
    READS_REALMS("user:realm:password\nal:R:one\n", "[al|R|one]");
    READS_REALMS("al:R\n", "1:5 ");
    READS("al\nbo,x\n", "1:3 [bo||x]"); /* no separator at all: CSV */
}

static void comments_and_empty_lines_are_no_rows(void)
{
    READS("", "");
    READS("\n\r\n# user,password\n\nal,one\n#bo,two\n", "[al||one]");
    READS("\xef\xbb\xbf"
          "al,one\n",
          "[al||one]");
}

static void mistakes_are_named_by_line_and_column(void)
{
    READS("al,one\nbo\ncy,a,b\n,x\ndy,\n", "[al||one]2:3 3:6 4:1 5:4 ");
    READS("al,\"on\nbo,two\n", "1:7 [bo||two]"); /* a missing quote costs one line */
    READS("al,\"one\"x\n", "1:9 ");
    READS("al,o\"ne\n", "1:5 ");
    READS("a:l,x\n\"b:c\",y\n", "[a||l,x][\"b||c\",y]");
    READS("x,y\n\"b:c\",y\n", "[x||y]2:3 ");
    READS("x,y\nb\x01,y\nc,\xff\nd,a\0b\n\xff,y\n", "[x||y]2:2 3:3 4:4 5:1 ");
    READS_REALMS("x,y,R\nx,y,\nx,y,a:b\n", "[x|R|y]2:5 3:6 ");
}

static void lengths_are_bounded(void)
{
    enum { LONG = AW_A1_IMPORT_LINE + 100 };
    char *text = malloc(2 * LONG);
    char said[200];
    const size_t user = AW_A1_NAME_MAX, password = AW_A1_PASSWORD_MAX;

    /* The longest names and passwords pass, and a byte more does not. */
    memset(text, 'a', 2 * LONG);
    text[user] = ',';
    text[user + 1 + password] = '\n';
    char *rows = malloc(SAID);

    read_cut(rows, (aw_span_t){text, user + password + 2}, 500, false);
    CU_ASSERT_EQUAL(strlen(rows), user + password + 4);
    text[user] = 'a';
    text[user + 1] = ',';
    read_cut(rows, (aw_span_t){text, user + password + 2}, 500, false);
    CU_ASSERT_STRING_EQUAL(rows, "1:1025 ");
    free(rows);
    /* A line without end costs its own length and nothing else. */
    memset(text, 'a', LONG);
    memcpy(text + LONG, "\nbo,two\n", 8);
    for (size_t cut = 0; cut <= LONG; cut += 97) {
        read_cut(said, (aw_span_t){text, LONG + 8}, cut, false);
        CU_ASSERT_STRING_EQUAL(said, "1:16385 [bo||two]");
    }
    free(text);
}

static void too_many_columns_are_refused(void)
{
    char text[AW_A1_IMPORT_COLUMNS + 2];

    memset(text, ',', sizeof(text));
    CU_ASSERT_TRUE(reads((aw_span_t){text, sizeof(text)}, false, "1:33 "));
}

static const unit_test_t tests[] = {
    {"CSV is read as RFC 4180 says", csv_is_read_as_rfc_4180_says},
    {"a header puts the columns in any order", a_header_puts_columns_in_any_order},
    {"lines with colons take passwords as they are", lines_with_colons_take_passwords_as_they_are},
    {"comments, empty lines and a byte order mark are no rows",
     comments_and_empty_lines_are_no_rows},
    {"mistakes are named by line and column", mistakes_are_named_by_line_and_column},
    {"lines, names and passwords are bounded", lengths_are_bounded},
    {"too many columns are refused", too_many_columns_are_refused},
    {NULL, NULL}};

const unit_suite_t a1_import_suite = {"a1_import", tests};
