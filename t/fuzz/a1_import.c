/* Fuzzes the reader of CSV and user:password lines: any split says the same, in bounds.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "store/a1_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool so)
{
    if (!so) {
        abort();
    }
}

/* Looks at one answer and adds it to a sum that tells any two courses apart. */
static uint64_t add_up(uint64_t sum, aw_a1_import_e what, const aw_a1_row_t *row,
                       const aw_text_error_t *error)
{
    aw_text_error_t none;
    const aw_span_t parts[] = {row->user, row->realm, row->password};

    sum = sum * 31 + (uint64_t)what;
    if (what != AW_A1_IMPORT_ROW) {
        require(error->message && error->line >= 1 && error->column >= 1 &&
                error->column <= AW_A1_IMPORT_LINE + 1);
        return sum * 31 + error->line * 16384 + error->column;
    }
    require(aw_a1_user_check(row->user, &none));
    require(row->realm.len == 0 || aw_a1_name_check(row->realm, &none));
    require(row->password.len > 0 && row->password.len <= AW_A1_PASSWORD_MAX);
    require(aw_utf8_valid_prefix(row->password) == row->password.len);
    require(!memchr(row->password.ptr, '\0', row->password.len) &&
            !memchr(row->password.ptr, '\n', row->password.len));
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < parts[i].len; j++) {
            sum = sum * 31 + (unsigned char)parts[i].ptr[j];
        }
        sum = sum * 31 + 256;
    }
    return sum * 31 + row->line * 16384 + row->user_column;
}

/* Reads all of the text in pieces of at most `piece` bytes. */
static uint64_t read_through(aw_span_t text, size_t piece, bool want_realm)
{
    aw_a1_import_t *in = malloc(sizeof(*in));
    uint64_t sum = 0;

    require(in != NULL);
    aw_a1_import_init(in, want_realm);
    for (bool on = true; on;) {
        const size_t n = text.len < piece ? text.len : piece;
        aw_span_t input = {text.ptr, n};
        const bool last = n == text.len;

        text.ptr += n;
        text.len -= n;
        for (;;) {
            aw_a1_row_t row = {.line = 0};
            aw_text_error_t error = {0, 0, NULL};
            const aw_a1_import_e what = aw_a1_import_next(in, &input, last, &row, &error);

            if (what == AW_A1_IMPORT_MORE) {
                require(input.len == 0);
                on = !last;
                break;
            }
            sum = add_up(sum, what, &row, &error);
            if (what == AW_A1_IMPORT_UNUSABLE) {
                on = false;
                break;
            }
        }
    }
    free(in);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const aw_span_t text = {(const char *)data, size};

    for (int realm = 0; realm < 2; realm++) {
        const uint64_t whole = read_through(text, size + 1, realm);

        require(read_through(text, 1, realm) == whole);
        require(read_through(text, 7, realm) == whole);
    }
    return 0;
}
