/* Edits of token files: what is meant changes, every other byte stays.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include "store/token_edit.h"

#define HEX40  "0123456701234567012345670123456701234567"
#define ZERO8  "00000000"
#define ZERO96 ZERO8 ZERO8 ZERO8 ZERO8 ZERO8 ZERO8 ZERO8 ZERO8 ZERO8 ZERO8 ZERO8 ZERO8
#define ONES96                                                                                     \
    "11111111"                                                                                     \
    "11111111"                                                                                     \
    "11111111"                                                                                     \
    "11111111"                                                                                     \
    "11111111"                                                                                     \
    "11111111"                                                                                     \
    "11111111"                                                                                     \
    "11111111"                                                                                     \
    "11111111"                                                                                     \
    "11111111"                                                                                     \
    "11111111"                                                                                     \
    "11111111"

static apr_pool_t *pool;

static const char *join(const aw_line_edit_t *edit)
{
    static char out[4000];
    size_t n = 0;

    for (size_t i = 0; i < edit->count; i++) {
        CU_ASSERT_FATAL(n + edit->parts[i].len < sizeof(out));
        memcpy(out + n, edit->parts[i].ptr, edit->parts[i].len);
        n += edit->parts[i].len;
    }
    out[n] = '\0';
    return out;
}

/* A token of `subject` whose hash is all ones (SHA-384). */
static aw_token_new_t token_for(const char *subject)
{
    aw_token_new_t token = {.subject = aw_span(subject), .value = {.alg = AW_TOKEN_SHA384}};

    memset(token.value.hash, 0x11, sizeof(token.value.hash));
    return token;
}

static void a_new_token_takes_the_place_of_the_earlier_ones(void)
{
    aw_line_edit_t edit = {NULL, 0, 0};
    aw_token_new_t token = token_for("b");

    apr_pool_create(&pool, NULL);
    token.note = AW_SPAN_LIT("new");
    token.value.expires = apr_time_from_sec(APR_INT64_C(1898470923));
    CU_ASSERT_EQUAL(
        aw_token_edit_add(&edit, aw_span("# x\nb:{SHA}" HEX40 "\nbb:zz\nb:broken"), &token, pool),
        APR_SUCCESS);
    CU_ASSERT_STRING_EQUAL(join(&edit),
                           "# x\nb:{SHA-384}" ONES96 ":2030-02-28T01:02:03Z:new\nbb:zz\n");
    CU_ASSERT_EQUAL(edit.entries, 2);
    apr_pool_destroy(pool);
}

static void a_new_subject_stands_at_the_end(void)
{
    aw_line_edit_t edit = {NULL, 0, 0};
    const aw_token_new_t token = token_for("b");

    apr_pool_create(&pool, NULL);
    CU_ASSERT_EQUAL(aw_token_edit_add(&edit, aw_span("a:{SHA}" HEX40), &token, pool), APR_SUCCESS);
    CU_ASSERT_STRING_EQUAL(join(&edit), "a:{SHA}" HEX40 "\nb:{SHA-384}" ONES96 "\n");
    CU_ASSERT_EQUAL(edit.entries, 0);
    CU_ASSERT_EQUAL(aw_token_edit_add(&edit, aw_span(""), &token, pool), APR_SUCCESS);
    CU_ASSERT_STRING_EQUAL(join(&edit), "b:{SHA-384}" ONES96 "\n");
    apr_pool_destroy(pool);
}

static void earlier_tokens_may_stay_for_a_while(void)
{
    aw_line_edit_t edit = {NULL, 0, 0};
    aw_token_new_t token = token_for("b");

    apr_pool_create(&pool, NULL);
    token.until = apr_time_from_sec(APR_INT64_C(1898470923));
    CU_ASSERT_EQUAL(aw_token_edit_add(&edit,
                                      aw_span("b:{SHA-384}" ZERO96 "::old\n"
                                              "b:{SHA}" HEX40 ":2020-01-01\nb:broken\nc:x"),
                                      &token, pool),
                    APR_SUCCESS);
    CU_ASSERT_STRING_EQUAL(join(&edit),
                           "b:{SHA-384}" ONES96 "\nb:{SHA-384}" ZERO96
                           ":2030-02-28T01:02:03Z:old\nb:{SHA}" HEX40 ":2020-01-01\nc:x\n");
    CU_ASSERT_EQUAL(edit.entries, 3);
    apr_pool_destroy(pool);
}

static void a_token_is_not_added_twice(void)
{
    aw_line_edit_t edit = {NULL, 0, 0};
    aw_token_new_t token = token_for("b");

    apr_pool_create(&pool, NULL);
    CU_ASSERT_EQUAL(aw_token_edit_add(&edit, aw_span("a:{SHA-384}" ONES96), &token, pool),
                    APR_EEXIST);
    CU_ASSERT_EQUAL(aw_token_edit_add(&edit, aw_span("b:{SHA-384}" ONES96), &token, pool),
                    APR_SUCCESS);
    token.until = apr_time_from_sec(APR_INT64_C(1898470923));
    CU_ASSERT_EQUAL(aw_token_edit_add(&edit, aw_span("b:{SHA-384}" ONES96), &token, pool),
                    APR_EEXIST);
    apr_pool_destroy(pool);
}

static void revoking_takes_all_lines_of_the_subject_and_no_others(void)
{
    aw_line_edit_t edit = {NULL, 0, 0};

    apr_pool_create(&pool, NULL);
    aw_token_edit_revoke(&edit,
                         aw_span("#b:\nb:{SHA}" HEX40 "\nbc:{SHA}\nb:\nb\nB:{SHA}" HEX40 "\r\nb:x"),
                         AW_SPAN_LIT("b"), pool);
    CU_ASSERT_STRING_EQUAL(join(&edit), "#b:\nbc:{SHA}\nb\nB:{SHA}" HEX40 "\r\n");
    CU_ASSERT_EQUAL(edit.entries, 3);
    aw_token_edit_revoke(&edit, aw_span("a:x"), AW_SPAN_LIT("b"), pool);
    CU_ASSERT_STRING_EQUAL(join(&edit), "a:x");
    CU_ASSERT_EQUAL(edit.entries, 0);
    apr_pool_destroy(pool);
}

/* A token of `subject` that was checked against HEX40. */
static aw_token_uplift_t lift_of(const char *subject)
{
    aw_token_uplift_t lift = {
        .subject = aw_span(subject), .checked = AW_TOKEN_SHA, .wanted = AW_TOKEN_SHA384};

    (void)aw_hex_decode(lift.checked_hash, HEX40, 20);
    memset(lift.wanted_hash, 0x11, sizeof(lift.wanted_hash));
    return lift;
}

static void lifting_replaces_the_hash_alone(void)
{
    aw_line_edit_t edit = {NULL, 0, 0};
    aw_token_uplift_t one = lift_of("b"), gone = lift_of("nobody"), other = lift_of("c");
    aw_token_uplift_t *all[] = {&other, &gone, &one};
    const aw_span_t text = aw_span("# x\r\nb:{SHA}" HEX40 ":2030-01-01:n:{SHA}\r\nc:broken\n");

    apr_pool_create(&pool, NULL);
    CU_ASSERT_TRUE(aw_token_uplift_stands(text, &one));
    CU_ASSERT_FALSE(aw_token_uplift_stands(text, &other));
    CU_ASSERT_EQUAL(aw_token_uplift(&edit, text, all, 3, pool), 1);
    CU_ASSERT_EQUAL(one.outcome, AW_UPLIFT_STORED);
    CU_ASSERT_EQUAL(gone.outcome, AW_UPLIFT_ABSENT);
    CU_ASSERT_EQUAL(other.outcome, AW_UPLIFT_CHANGED);
    CU_ASSERT_STRING_EQUAL(join(&edit),
                           "# x\r\nb:{SHA-384}" ONES96 ":2030-01-01:n:{SHA}\r\nc:broken\n");
    apr_pool_destroy(pool);
}

static void what_was_revoked_meanwhile_is_not_brought_back(void)
{
    static const char after[] = "b:{SHA-384}" ONES96;
    aw_line_edit_t edit = {NULL, 7, 7};
    aw_token_uplift_t one = lift_of("b");
    aw_token_uplift_t *all[] = {&one};

    apr_pool_create(&pool, NULL);
    CU_ASSERT_EQUAL(aw_token_uplift(&edit, aw_span("b:{SHA-384}" ZERO96 "\n"), all, 1, pool), 0);
    CU_ASSERT_EQUAL(one.outcome, AW_UPLIFT_CHANGED);
    CU_ASSERT_EQUAL(aw_token_uplift(&edit, aw_span("bb:{SHA}" HEX40), all, 1, pool), 0);
    CU_ASSERT_EQUAL(one.outcome, AW_UPLIFT_ABSENT);
    CU_ASSERT_EQUAL(aw_token_uplift(&edit, aw_span(after), all, 1, pool), 0);
    CU_ASSERT_EQUAL(one.outcome, AW_UPLIFT_PRESENT);
    CU_ASSERT_EQUAL(edit.count, 7);
    apr_pool_destroy(pool);
}

static void several_subjects_are_lifted_in_one_go(void)
{
    aw_line_edit_t edit = {NULL, 0, 0};
    aw_token_uplift_t one = lift_of("a"), two = lift_of("b");
    aw_token_uplift_t *all[] = {&two, &one};

    apr_pool_create(&pool, NULL);
    memset(two.wanted_hash, 0, sizeof(two.wanted_hash));
    CU_ASSERT_EQUAL(
        aw_token_uplift(&edit, aw_span("a:{SHA}" HEX40 "\nb:{SHA}" HEX40), all, 2, pool), 2);
    CU_ASSERT_STRING_EQUAL(join(&edit), "a:{SHA-384}" ONES96 "\nb:{SHA-384}" ZERO96);
    apr_pool_destroy(pool);
}

static void a_byte_order_mark_never_comes_to_the_start_of_the_file(void)
{
    /* If the second line were an entry, the file would be broken when the first had gone. */
    aw_token_uplift_t lift = lift_of("\xef\xbb\xbf"
                                     "b");

    CU_ASSERT_EQUAL(aw_token_check(aw_span("a:{SHA}" HEX40 "\n\xef\xbb\xbf"
                                           "b:{SHA-384}" ZERO96),
                                   NULL, NULL),
                    APR_EINVAL);
    CU_ASSERT_FALSE(aw_token_uplift_stands(aw_span("\n\xef\xbb\xbf"
                                                   "b:{SHA}" HEX40),
                                           &lift));
}

static const unit_test_t tests[] = {
    {"a new token takes the place of the earlier ones",
     a_new_token_takes_the_place_of_the_earlier_ones},
    {"a new subject stands at the end", a_new_subject_stands_at_the_end},
    {"earlier tokens may stay for a while", earlier_tokens_may_stay_for_a_while},
    {"a token is not added twice", a_token_is_not_added_twice},
    {"revoking takes all lines of the subject and no others",
     revoking_takes_all_lines_of_the_subject_and_no_others},
    {"lifting replaces the hash alone", lifting_replaces_the_hash_alone},
    {"what was revoked meanwhile is not brought back",
     what_was_revoked_meanwhile_is_not_brought_back},
    {"several subjects are lifted in one go", several_subjects_are_lifted_in_one_go},
    {"a byte order mark never comes to the start of the file",
     a_byte_order_mark_never_comes_to_the_start_of_the_file},
    {NULL, NULL}};

const unit_suite_t token_edit_suite = {"token_edit", tests};
