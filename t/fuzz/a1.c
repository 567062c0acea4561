/* Fuzzes the A1 reader, the table and the edits: what one says of a text the others must too.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <apr_general.h>
#include <stdint.h>
#include <stdlib.h>

#include "store/a1_edit.h"
#include "store/a1_table.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned char key[AW_KEYED_KEY] = "sixteen bytes ok";

static void require(bool so)
{
    if (!so) {
        abort();
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    require(apr_initialize() == APR_SUCCESS && aw_algorithms_init() == APR_SUCCESS);
    return 0;
}

/* Reads the text; true when no line is broken. Every user of it must be in the table. */
static bool read_through(aw_span_t text, const aw_a1_table_t *table)
{
    aw_a1_reader_t reader;
    aw_a1_line_t line;
    aw_a1_value_t value;
    aw_text_error_t error = {0, 0, NULL};
    aw_a1_line_e what;
    bool ok = true;

    aw_a1_reader_init(&reader, text);
    while ((what = aw_a1_reader_next(&reader, &line, &value, &error)) != AW_A1_END) {
        require(line.whole.ptr >= text.ptr);
        require(line.whole.ptr + line.whole.len <= text.ptr + text.len);
        if (what == AW_A1_BROKEN) {
            require(error.line == line.number && error.message);
            require(error.column >= 1 && error.column <= line.whole.len + 1);
            ok = false;
        }
        if (what == AW_A1_LINE) {
            aw_a1_record_t record;

            /* Not aw_a1_user_check: a byte order mark is one at the start of a file only. */
            require(line.user.ptr[0] != '#' && aw_a1_name_check(line.user, &error) &&
                    aw_a1_name_check(line.realm, &error));
            require(!table ||
                    (aw_a1_table_find(table, line.realm, line.user, &record) == APR_SUCCESS &&
                     (record.present & value.present) == value.present));
        }
    }
    return ok;
}

/* Sets a user in the text, and removes it again. */
static void edit_text(aw_span_t text, bool ok, apr_pool_t *p)
{
    const aw_a1_value_t value = {.present = 1u << AW_ALG_MD5 | 1u << AW_ALG_SHA256};
    const aw_span_t user = AW_SPAN_LIT("bob"), realm = AW_SPAN_LIT("R");
    aw_a1_edit_t edit;
    char *after, *at;
    size_t len = 0;

    aw_a1_edit_set(&edit, text, user, realm, &value, p);
    for (size_t i = 0; i < edit.count; i++) {
        len += edit.parts[i].len;
    }
    at = after = apr_palloc(p, len);
    for (size_t i = 0; i < edit.count; i++) {
        memcpy(at, edit.parts[i].ptr, edit.parts[i].len);
        at += edit.parts[i].len;
    }
    require(!ok || read_through((aw_span_t){after, len}, NULL));
    aw_a1_edit_remove(&edit, (aw_span_t){after, len}, user, realm, p);
    require(edit.existed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const aw_span_t text = {(const char *)data, size};
    aw_a1_table_t *table = NULL;
    aw_text_error_t error;
    apr_pool_t *p = NULL;
    size_t file = 1;
    const apr_status_t rv =
        aw_a1_table_create(&table, &text, 1, 1u << AW_ALG_MD5, key, &file, &error);
    const bool ok = read_through(text, table);

    require(ok == (rv == APR_SUCCESS));
    require(apr_pool_create(&p, NULL) == APR_SUCCESS);
    edit_text(text, ok, p);
    apr_pool_destroy(p);
    aw_a1_table_destroy(table);
    return 0;
}
