/* Editing an A1 file's text: one user changes, every other byte stays.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <apr_pools.h>
#include <apr_strings.h>

#include "store/a1_edit.h"

#define MD5    "00000000000000000000000000000000"
#define SHA256 MD5 MD5
#define OLD    "ffffffffffffffffffffffffffffffff"
#define NEW(u) u ":R:" MD5 "\n" u ":R:{SHA-256}" SHA256 "\n"

static const aw_a1_value_t both = {.present = 1u << AW_ALG_MD5 | 1u << AW_ALG_SHA256};

static const char *joined(const aw_a1_edit_t *edit, apr_pool_t *p)
{
    const char *out = "";

    for (size_t i = 0; i < edit->count; i++) {
        out = apr_pstrcat(p, out, apr_pstrmemdup(p, edit->parts[i].ptr, edit->parts[i].len), NULL);
    }
    return out;
}

/* Sets (or, with `value` NULL, removes) bob in R and compares. */
static void expect(const char *before, const aw_a1_value_t *value, const char *after, bool existed)
{
    const aw_span_t text = unit_guard(before, strlen(before));
    aw_a1_edit_t edit;
    apr_pool_t *p = NULL;

    apr_pool_create(&p, NULL);
    if (value) {
        aw_a1_edit_set(&edit, text, AW_SPAN_LIT("bob"), AW_SPAN_LIT("R"), value, p);
    } else {
        aw_a1_edit_remove(&edit, text, AW_SPAN_LIT("bob"), AW_SPAN_LIT("R"), p);
    }
    CU_ASSERT_STRING_EQUAL(joined(&edit, p), after);
    CU_ASSERT_EQUAL(edit.existed, existed);
    apr_pool_destroy(p);
    unit_guard_free(text);
}

static void appends_new_users(void)
{
    expect("", &both, NEW("bob"), false);
    expect("al:R:" OLD "\n", &both, "al:R:" OLD "\n" NEW("bob"), false);
    expect("al:R:" OLD, &both, "al:R:" OLD "\n" NEW("bob"), false);
    expect("bob:S:" OLD "\nbobb:R:" OLD "\nbo:R:" OLD "\n", &both,
           "bob:S:" OLD "\nbobb:R:" OLD "\nbo:R:" OLD "\n" NEW("bob"), false);
}

static void replaces_in_place(void)
{
    expect("# c\r\nbob:R:" OLD "\r\nal:R:" OLD "\r\nbob:R:{SHA-512}zz\nend", &both,
           "# c\r\n" NEW("bob") "al:R:" OLD "\r\nend\n", true);
    expect("bob:R:" OLD, &both, NEW("bob"), true);
    expect("al:R:" OLD "\nbob:R:", &both, "al:R:" OLD "\n" NEW("bob"), true);
}

static void keeps_broken_lines_and_comments(void)
{
    expect("\xff\xff\n#bob:R:" OLD "\n\n  \nbob:R:" OLD "\n::::\n", &both,
           "\xff\xff\n#bob:R:" OLD "\n\n  \n" NEW("bob") "::::\n", true);
}

static void drops_algorithms_of_the_old_password(void)
{
    const aw_a1_value_t md5 = {.present = 1u << AW_ALG_MD5};
    const aw_a1_value_t sha = {.present = 1u << AW_ALG_SHA256};

    expect(NEW("bob"), &md5, "bob:R:" MD5 "\n", true);
    expect(NEW("bob"), &sha, "bob:R:{SHA-256}" SHA256 "\n", true);
}

static void removes_all_lines(void)
{
    expect("al:R:" OLD "\n" NEW("bob") "cy:R:" OLD "\nbob:R:x", NULL,
           "al:R:" OLD "\ncy:R:" OLD "\n", true);
    expect("al:R:" OLD, NULL, "al:R:" OLD, false);
    expect("", NULL, "", false);
    expect("bob:R", NULL, "bob:R", false);
}

/* Wherever the text is cut, an edit leaves one whole entry and reads nothing behind it. */
static void works_on_every_truncation(void)
{
    static const char text[] = "al:R:" OLD "\nbob:R:" OLD "\nbob:R:{SHA-256}" OLD OLD "\n";

    for (size_t n = 0; n < sizeof(text); n++) {
        const aw_span_t cut = unit_guard(text, n);
        aw_a1_edit_t edit;
        apr_pool_t *p = NULL;

        apr_pool_create(&p, NULL);
        aw_a1_edit_set(&edit, cut, AW_SPAN_LIT("bob"), AW_SPAN_LIT("R"), &both, p);
        const char *found = strstr(joined(&edit, p), NEW("bob"));

        CU_ASSERT_PTR_NOT_NULL_FATAL(found);
        CU_ASSERT_PTR_NULL(strstr(found + 1, "\nbob:R:" OLD));
        apr_pool_destroy(p);
        unit_guard_free(cut);
    }
}

static const unit_test_t tests[] = {
    {"a new user stands at the end, behind a line end", appends_new_users},
    {"a user's lines are replaced where the first stood, MD5 first", replaces_in_place},
    {"comments and broken lines stay byte for byte", keeps_broken_lines_and_comments},
    {"algorithms of the old password go", drops_algorithms_of_the_old_password},
    {"removing takes every line of the user and nothing else", removes_all_lines},
    {"a text cut anywhere can be edited", works_on_every_truncation},
    {NULL, NULL}};

const unit_suite_t a1_edit_suite = {"a1_edit", tests};
