/* Fuzzes token files: the reader, the check of the whole, and the edits must agree.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <apr_general.h>
#include <stdint.h>
#include <stdlib.h>

#include "digest/algorithm.h"
#include "store/token_edit.h"

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

/* Counts the lines of `subject` (all, when it is empty); *good: none is broken. The subject of the
 * last entry goes to *last. */
static size_t count(aw_span_t text, aw_span_t subject, bool *good, aw_token_line_t *last,
                    aw_token_value_t *value)
{
    aw_line_reader_t reader;
    aw_token_line_t line;
    aw_token_value_t read;
    aw_line_error_t error;
    aw_line_e what;
    size_t n = 0;

    *good = true;
    aw_line_reader_init(&reader, text);
    while ((what = aw_token_next(&reader, &line, &read, &error)) != AW_LINE_END) {
        require(line.whole.ptr >= text.ptr);
        require(line.whole.ptr + line.whole.len <= text.ptr + text.len);
        if (what == AW_LINE_BROKEN) {
            require(error.line == line.number && error.message[0] != '\0');
            require(error.column >= 1 && error.column <= line.whole.len + 1);
            *good = false;
        } else if (what == AW_LINE_ENTRY &&
                   (subject.len == 0 || aw_span_equal(line.subject, subject))) {
            char expires[AW_TOKEN_EXPIRES_MAX];
            apr_time_t back = -1;

            require(aw_token_expires_parse(aw_span(aw_token_expires_build(expires, read.expires)),
                                           &back, &error) ||
                    read.expires > APR_INT64_C(253402300799000000));
            require(back == read.expires || back == -1);
            *last = line;
            *value = read;
            n++;
        }
    }
    return n;
}

/* The edit's parts in one piece. */
static aw_span_t join(const aw_line_edit_t *edit, apr_pool_t *p)
{
    size_t n = 0, total = 0;

    for (size_t i = 0; i < edit->count; i++) {
        total += edit->parts[i].len;
    }
    char *out = apr_palloc(p, total + 1);

    for (size_t i = 0; i < edit->count; i++) {
        memcpy(out + n, edit->parts[i].ptr, edit->parts[i].len);
        n += edit->parts[i].len;
    }
    return (aw_span_t){out, n};
}

/* Edits about the last entry's subject do what they say, and nothing to the others. */
static void edit_text(aw_span_t text, size_t all, const aw_token_line_t *line,
                      const aw_token_value_t *value, apr_pool_t *p)
{
    aw_token_uplift_t lift = {.subject = line->subject, .wanted = AW_TOKEN_SHA3_512};
    aw_token_uplift_t *const lifts[] = {&lift};
    aw_token_new_t token = {.subject = line->subject, .value = {.alg = AW_TOKEN_SHA384}};
    aw_token_line_t last;
    aw_token_value_t read;
    aw_line_edit_t edit;
    bool good;
    const size_t own = count(text, line->subject, &good, &last, &read);

    lift.checked = value->alg;
    memcpy(lift.checked_hash, value->hash, aw_token_alg_size(value->alg));
    memset(lift.wanted_hash, 0x5a, sizeof(lift.wanted_hash));
    memset(token.value.hash, 0xa5, sizeof(token.value.hash));
    require(aw_token_uplift_stands(text, &lift));
    if (aw_token_uplift(&edit, text, lifts, 1, p) == 1) {
        require(count(join(&edit, p), (aw_span_t){NULL, 0}, &good, &last, &read) == all);
    }
    aw_token_edit_revoke(&edit, text, line->subject, p);
    require(edit.entries >= own);
    require(count(join(&edit, p), line->subject, &good, &last, &read) == 0);
    if (aw_token_edit_add(&edit, text, &token, p) == APR_SUCCESS) {
        require(count(join(&edit, p), line->subject, &good, &last, &read) == 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const aw_span_t text = {(const char *)data, size};
    aw_token_value_t value = {.alg = AW_TOKEN_SHA};
    aw_token_line_t line = {.number = 0};
    apr_pool_t *p = NULL;
    bool good;

    if (size > 65536) {
        return 0;
    }
    const size_t entries = count(text, (aw_span_t){NULL, 0}, &good, &line, &value);

    require(good || aw_token_check(text, NULL, NULL) == APR_EINVAL);
    if (good && entries <= 1) {
        require(aw_token_check(text, NULL, NULL) == APR_SUCCESS);
    }
    if (entries > 0) {
        require(apr_pool_create(&p, NULL) == APR_SUCCESS);
        edit_text(text, entries, &line, &value, p);
        apr_pool_destroy(p);
    }
    return 0;
}
