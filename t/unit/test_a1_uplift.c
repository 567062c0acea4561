/* Storing a stronger value: only of the password that was checked, and nothing else changes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <apr_pools.h>
#include <apr_strings.h>

#include "store/a1_uplift.h"

#define MD5    "00000000000000000000000000000000"
#define OTHER  "ffffffffffffffffffffffffffffffff"
#define SHA    MD5 "00000000"
#define SHA256 "11111111111111111111111111111111" OTHER

/* bob in R, whose MD5 value (zeros) was checked; SHA-256 is wanted. */
static aw_a1_uplift_t job(const char *user)
{
    aw_a1_uplift_t out = {.user = aw_span(user),
                          .realm = AW_SPAN_LIT("R"),
                          .checked = AW_ALG_MD5,
                          .wanted = AW_ALG_SHA256,
                          .outcome = AW_UPLIFT_BROKEN};

    memset(out.wanted_a1, 0x11, 16);
    memset(out.wanted_a1 + 16, 0xff, 16);
    return out;
}

static const char *joined(const aw_a1_edit_t *edit, apr_pool_t *p)
{
    const char *out = "";

    for (size_t i = 0; i < edit->count; i++) {
        out = apr_pstrcat(p, out, apr_pstrmemdup(p, edit->parts[i].ptr, edit->parts[i].len), NULL);
    }
    return out;
}

/* Lifts bob; `after` NULL: nothing is to change. */
static void expect(const char *before, aw_uplift_e outcome, const char *after)
{
    const aw_span_t text = unit_guard(before, strlen(before));
    aw_a1_uplift_t bob = job("bob"), *users[] = {&bob};
    aw_a1_edit_t edit = {0};
    apr_pool_t *p = NULL;

    apr_pool_create(&p, NULL);
    CU_ASSERT_EQUAL(aw_a1_uplift(&edit, text, users, 1, p), after != NULL);
    CU_ASSERT_EQUAL(bob.outcome, outcome);
    if (after) {
        CU_ASSERT_STRING_EQUAL(joined(&edit, p), after);
    } else {
        CU_ASSERT_PTR_NULL(edit.parts);
    }
    CU_ASSERT_EQUAL(aw_a1_uplift_stands(text, &bob, p),
                    outcome == AW_UPLIFT_STORED || outcome == AW_UPLIFT_PRESENT);
    apr_pool_destroy(p);
    unit_guard_free(text);
}

#define LIFTED "bob:R:" MD5 "\nbob:R:{SHA-256}" SHA256 "\n"

static void adds_the_value_and_keeps_all_else(void)
{
    expect("bob:R:" MD5, AW_UPLIFT_STORED, LIFTED);
    expect("bob:R:" MD5 "\n", AW_UPLIFT_STORED, LIFTED);
    expect("bob:R:" MD5 "\r\nend", AW_UPLIFT_STORED, LIFTED "end");
    expect("# bob:R:\nal:R:" OTHER "\nbob:S:" OTHER "\nbobb:R:x\nbob:R:" MD5 "\nbo:R:y",
           AW_UPLIFT_STORED,
           "# bob:R:\nal:R:" OTHER "\nbob:S:" OTHER "\nbobb:R:x\n" LIFTED "bo:R:y");
}

static void joins_the_user_s_lines_with_every_value(void)
{
    expect("bob:R:{SHA}" SHA "\nx\nbob:R:" MD5 "\n", AW_UPLIFT_STORED,
           "bob:R:" MD5 "\nbob:R:{SHA}" SHA "{SHA-256}" SHA256 "\nx\n");
}

static void another_password_is_left_alone(void)
{
    expect("bob:R:" OTHER "\n", AW_UPLIFT_CHANGED, NULL);
    expect("bob:R:{SHA}" SHA "\n", AW_UPLIFT_CHANGED, NULL);
    /* The later line is in force. */
    expect("bob:R:" MD5 "\nbob:R:" OTHER "\n", AW_UPLIFT_CHANGED, NULL);
    expect("bob:R:" OTHER "\nbob:R:" MD5 "\n", AW_UPLIFT_STORED, LIFTED);
}

static void a_value_that_is_there_stays(void)
{
    expect("bob:R:" MD5 "\nbob:R:{SHA-256}" MD5 MD5 "\n", AW_UPLIFT_PRESENT, NULL);
}

static void missing_and_broken_users_change_nothing(void)
{
    expect("", AW_UPLIFT_ABSENT, NULL);
    expect("bob:R", AW_UPLIFT_ABSENT, NULL);
    expect("#bob:R:" MD5 "\nxbob:R:" MD5 "\nbob:R2:" MD5 "\n", AW_UPLIFT_ABSENT, NULL);
    expect("bob:R:", AW_UPLIFT_BROKEN, NULL);
    expect("bob:R:" MD5 "0\n", AW_UPLIFT_BROKEN, NULL);
    expect("bob:R:" MD5 "\nbob:R:rubbish\n", AW_UPLIFT_BROKEN, NULL);
}

static void many_users_are_lifted_in_one_pass(void)
{
    const char *before = "cy:R:" MD5 "\nbob:R:" MD5 "\nmid\nal:R:" MD5 "\ndee:R:" OTHER "\n";
    aw_a1_uplift_t al = job("al"), bob = job("bob"), cy = job("cy"), dee = job("dee");
    aw_a1_uplift_t ed = job("ed"), *users[] = {&bob, &al, &dee, &ed, &cy};
    aw_a1_edit_t edit;
    apr_pool_t *p = NULL;

    apr_pool_create(&p, NULL);
    CU_ASSERT_EQUAL(aw_a1_uplift(&edit, aw_span(before), users, 5, p), 3);
    CU_ASSERT_STRING_EQUAL(joined(&edit, p),
                           "cy:R:" MD5 "\ncy:R:{SHA-256}" SHA256 "\n" LIFTED "mid\nal:R:" MD5
                           "\nal:R:{SHA-256}" SHA256 "\ndee:R:" OTHER "\n");
    CU_ASSERT_EQUAL(dee.outcome, AW_UPLIFT_CHANGED);
    CU_ASSERT_EQUAL(ed.outcome, AW_UPLIFT_ABSENT);
    aw_a1_uplift_wipe(&edit, aw_span(before));
    CU_ASSERT_PTR_NULL(strstr(joined(&edit, p), SHA256));
    CU_ASSERT_PTR_NOT_NULL(strstr(before, "mid"));
    apr_pool_destroy(p);
}

static void every_cut_of_a_file_is_safe(void)
{
    const char *whole = "al:R:" OTHER "\nbob:R:" MD5 "\nbob:R:{SHA}" SHA "\nend\n";
    apr_pool_t *p = NULL;

    apr_pool_create(&p, NULL);
    for (size_t n = 0; n <= strlen(whole); n++) {
        const aw_span_t text = unit_guard(whole, n);
        aw_a1_uplift_t bob = job("bob"), *users[] = {&bob};
        aw_a1_edit_t edit = {0};

        if (aw_a1_uplift(&edit, text, users, 1, p) > 0) {
            CU_ASSERT_EQUAL(bob.outcome, AW_UPLIFT_STORED);
            CU_ASSERT_PTR_NOT_NULL(strstr(joined(&edit, p), "{SHA-256}" SHA256 "\n"));
        } else {
            CU_ASSERT(bob.outcome == AW_UPLIFT_ABSENT || bob.outcome == AW_UPLIFT_BROKEN);
        }
        apr_pool_clear(p);
        unit_guard_free(text);
    }
    apr_pool_destroy(p);
}

static const unit_test_t tests[] = {
    {"adds the value and keeps all else", adds_the_value_and_keeps_all_else},
    {"joins the user's lines with every value", joins_the_user_s_lines_with_every_value},
    {"another password is left alone", another_password_is_left_alone},
    {"a value that is there stays", a_value_that_is_there_stays},
    {"missing and broken users change nothing", missing_and_broken_users_change_nothing},
    {"many users are lifted in one pass", many_users_are_lifted_in_one_pass},
    {"every cut of a file is safe", every_cut_of_a_file_is_safe},
    {NULL, NULL},
};

const unit_suite_t a1_uplift_suite = {"a1_uplift", tests};
