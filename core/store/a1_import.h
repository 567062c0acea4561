/* Users and passwords in clear from other programs: CSV (RFC 4180) and user:password lines.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first line that is neither empty nor a # comment decides for the whole text: whichever of
 * comma, semicolon, tab and colon comes first in it, outside of quotes, separates the columns.
 * With a colon the columns are user, realm (where one is wanted) and password, nothing is quoted,
 * and the password is all the rest, colons too. Otherwise they are user, password and realm, in
 * quotes where need be; a header line that names user and password puts them in any order, among
 * others that are ignored.
 * Other than RFC 4180 a line break ends the row within quotes too: no name holds one, nor does a
 * password that can be typed, and so a missing quote costs one line and not the rest of the file.
 */
#ifndef AUTHWS_STORE_A1_IMPORT_H
#define AUTHWS_STORE_A1_IMPORT_H

#include "store/a1.h"

/* Longest password in bytes. */
#define AW_A1_PASSWORD_MAX 1024

/* Longest line, and most columns. */
#define AW_A1_IMPORT_LINE    16384
#define AW_A1_IMPORT_COLUMNS 32

/* A row. Spans are borrowed from the input or the reader, until the next call. */
typedef struct aw_a1_row_t {
    aw_span_t user;     /* fit to stand in an A1 file, as it came: not in Normalization Form C */
    aw_span_t realm;    /* likewise; empty when none is wanted */
    aw_span_t password; /* UTF-8 without NUL, not empty */
    size_t line;        /* from 1 */
    size_t user_column; /* where these begin: bytes, from 1 */
    size_t realm_column;
    size_t password_column;
} aw_a1_row_t;

typedef enum aw_a1_import_e {
    AW_A1_IMPORT_ROW,
    AW_A1_IMPORT_BROKEN,   /* *error; the next call goes on behind the line */
    AW_A1_IMPORT_UNUSABLE, /* *error: without these columns no line can be understood */
    AW_A1_IMPORT_MORE      /* all of the input is taken; with `last` it was the end */
} aw_a1_import_e;

/* A reader; the fields are its own. It holds passwords: wipe it when it is done. */
typedef struct aw_a1_import_t {
    bool want_realm;
    bool too_long; /* the line that is being put together is */
    bool started;  /* the line that decides has been seen */
    char separator;
    size_t columns;   /* in each row */
    size_t column[3]; /* of user, password and realm; `columns` where there is none */
    size_t line;
    size_t pending; /* bytes of a line whose rest has not come yet */
    char partial[AW_A1_IMPORT_LINE];
    char unquoted[AW_A1_IMPORT_LINE];
} aw_a1_import_t;

/* `want_realm`: each row names its realm; else all are of one that the caller knows. */
void aw_a1_import_init(aw_a1_import_t *in, bool want_realm);

/* Takes the next line off *input, the bytes that came behind those of the last call, cut anywhere;
 * `last`: no more will come, so that what has no line end is a line too. Lines end in LF or CRLF;
 * a byte order mark at the start is skipped. Broken are: a wrong number of columns, a quote that
 * is not closed or stands within a field, a name that aw_a1_user_check or aw_a1_name_check
 * refuses, a password that is empty, longer than AW_A1_PASSWORD_MAX, holds a NUL or is no UTF-8,
 * a line above AW_A1_IMPORT_LINE. No allocation; one thread at a time. */
aw_a1_import_e aw_a1_import_next(aw_a1_import_t *in, aw_span_t *input, bool last, aw_a1_row_t *row,
                                 aw_text_error_t *error);

#endif
