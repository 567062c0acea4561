/* Fuzzes certificate maps: the reader, the check of the whole, and the edit must agree.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <apr_general.h>
#include <stdint.h>
#include <stdlib.h>

#include "digest/algorithm.h"
#include "store/certmap.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

/* Counts the entries; the last goes to *last. */
static size_t count(aw_span_t text, bool *good, aw_certmap_line_t *last)
{
    static aw_certmap_line_t line;
    aw_line_reader_t reader;
    aw_line_error_t error;
    aw_line_e what;
    size_t n = 0;

    *good = true;
    aw_line_reader_init(&reader, text);
    while ((what = aw_certmap_next(&reader, &line, &error)) != AW_LINE_END) {
        require(line.whole.ptr >= text.ptr);
        require(line.whole.ptr + line.whole.len <= text.ptr + text.len);
        if (what == AW_LINE_BROKEN) {
            require(error.line == line.number && error.message[0] != '\0');
            require(error.column >= 1 && error.column <= line.whole.len + 1);
            *good = false;
        } else if (what == AW_LINE_ENTRY) {
            require(line.size == AW_SHA1_SIZE || line.size == AW_SHA256_SIZE);
            require(line.user_len > 0 && strlen(line.user) == line.user_len);
            require(strlen(line.realm) == line.realm_len);
            require(line.user_column > 40 && line.user_column <= line.whole.len);
            *last = line;
            n++;
        }
    }
    return n;
}

/* Puts the last entry's user in the text, for a certificate that is not there: one entry more, the
 * same when read again. */
static void edit_text(aw_span_t text, size_t entries, const aw_certmap_line_t *line, apr_pool_t *p)
{
    static aw_certmap_line_t again;
    aw_fingerprints_t prints;
    aw_line_error_t error;
    aw_line_edit_t edit;
    bool good;

    memset(&prints, 0x5a, sizeof(prints));
    require(aw_certmap_edit_set(&edit, text, &prints, (aw_span_t){line->user, line->user_len},
                                (aw_span_t){line->realm, line->realm_len}, &error,
                                p) == APR_SUCCESS);
    size_t n = 0, total = 0;

    for (size_t i = 0; i < edit.count; i++) {
        total += edit.parts[i].len;
    }
    char *out = apr_palloc(p, total + 1);

    for (size_t i = 0; i < edit.count; i++) {
        memcpy(out + n, edit.parts[i].ptr, edit.parts[i].len);
        n += edit.parts[i].len;
    }
    if (edit.entries == 0) {
        require(count((aw_span_t){out, n}, &good, &again) == entries + 1);
        require(strcmp(again.user, line->user) == 0 && strcmp(again.realm, line->realm) == 0);
        require(memcmp(again.print, prints.sha256, AW_SHA256_SIZE) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static aw_certmap_line_t line;
    const aw_span_t text = {(const char *)data, size};
    apr_pool_t *p = NULL;
    bool good;

    if (size > 65536) {
        return 0;
    }
    const size_t entries = count(text, &good, &line);

    require(good || aw_certmap_check(text, NULL, NULL) == APR_EINVAL);
    if (good && entries <= 1) {
        require(aw_certmap_check(text, NULL, NULL) == APR_SUCCESS);
    }
    if (entries > 0) {
        require(apr_pool_create(&p, NULL) == APR_SUCCESS);
        edit_text(text, entries, &line, p);
        apr_pool_destroy(p);
    }
    return 0;
}
