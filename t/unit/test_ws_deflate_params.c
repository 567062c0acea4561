/* permessage-deflate's offers and answers: every parameter, and everything that is none.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "mutate.h"
#include "ws/deflate.h"

static const aw_ws_deflate_policy_t usual = {true, 6, 15, false, 0};
static const aw_ws_deflate_policy_t small = {true, 6, 11, false, 0};
static const aw_ws_deflate_policy_t frugal = {true, 6, 15, true, 0};
static const aw_ws_deflate_policy_t off = {false, 6, 15, false, 0};

typedef struct row_t {
    const char *in;
    const char *out; /* the answer; NULL: refused */
    aw_ws_deflate_params_t params;
} row_t;

#define NOTHING                                                                                    \
    {                                                                                              \
        false, 0, 0, false, false                                                                  \
    }

static bool same(const aw_ws_deflate_params_t *a, const aw_ws_deflate_params_t *b)
{
    return a->on == b->on && a->out_window == b->out_window && a->in_window == b->in_window &&
           a->out_takeover == b->out_takeover && a->in_takeover == b->in_takeover;
}

/* From input that ends at an inaccessible page. */
static void check_answers(const aw_ws_deflate_policy_t *policy, const row_t *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const aw_span_t in = unit_guard(rows[i].in, strlen(rows[i].in));
        char answer[AW_WS_EXTENSIONS_MAX];
        aw_ws_deflate_params_t params;
        const bool good = aw_ws_deflate_answer(&params, answer, policy, in);
        const bool right = rows[i].out == NULL ? !good && !params.on
                                               : good && strcmp(answer, rows[i].out) == 0 &&
                                                     same(&params, &rows[i].params);
        CU_ASSERT_TRUE(right);
        if (!right) {
            CU_FAIL(rows[i].in);
        }
        unit_guard_free(in);
    }
}

#define CHECK_ANSWERS(policy, rows) check_answers(policy, rows, sizeof(rows) / sizeof((rows)[0]))

static void every_parameter_is_answered(void)
{
    static const row_t rows[] = {
        {"permessage-deflate", "permessage-deflate", {true, 15, 15, true, true}},
        {"permessage-deflate; server_no_context_takeover",
         "permessage-deflate; server_no_context_takeover",
         {true, 15, 15, false, true}},
        {"permessage-deflate; client_no_context_takeover",
         "permessage-deflate; client_no_context_takeover",
         {true, 15, 15, true, false}},
        {"permessage-deflate; client_max_window_bits",
         "permessage-deflate",
         {true, 15, 15, true, true}},
        {"permessage-deflate; client_max_window_bits=15",
         "permessage-deflate",
         {true, 15, 15, true, true}},
        {"permessage-deflate; client_max_window_bits=8",
         "permessage-deflate; client_max_window_bits=8",
         {true, 15, 8, true, true}},
        {"permessage-deflate; server_max_window_bits=15",
         "permessage-deflate; server_max_window_bits=15",
         {true, 15, 15, true, true}},
        {"permessage-deflate; server_max_window_bits=9",
         "permessage-deflate; server_max_window_bits=9",
         {true, 9, 15, true, true}},
        {"permessage-deflate;client_max_window_bits=10;server_max_window_bits=12;"
         "server_no_context_takeover;client_no_context_takeover",
         "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
         "server_max_window_bits=12; client_max_window_bits=10",
         {true, 12, 10, false, false}},
    };
    CHECK_ANSWERS(&usual, rows);
}

static void white_space_and_quotes_are_read(void)
{
    static const row_t rows[] = {
        {" permessage-deflate\t;  client_max_window_bits =\t\"1\\0\" ",
         "permessage-deflate; client_max_window_bits=10",
         {true, 15, 10, true, true}},
        {"permessage-deflate; server_max_window_bits=\"12\"",
         "permessage-deflate; server_max_window_bits=12",
         {true, 12, 15, true, true}},
        {",, permessage-deflate,", "permessage-deflate", {true, 15, 15, true, true}},
    };
    CHECK_ANSWERS(&usual, rows);
}

static void an_offer_that_is_wrong_is_passed_over(void)
{
    static const char *const wrong[] = {
        "server_max_window_bits=8", /* zlib cannot */
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=010",
        "server_max_window_bits=1",
        "server_max_window_bits=99999999999999999999999999999999999999999999",
        "server_max_window_bits=1x",
        "client_max_window_bits=0",
        "client_max_window_bits=16",
        "client_max_window_bits=\"08\"",
        "client_no_context_takeover=1",
        "client_no_context_takeover=\"\\1\"",
        "server_no_context_takeover=true",
        "unknown",
        "unknown=1",
        "Client_max_window_bits",
        "client_max_window_bits; client_max_window_bits",
        "client_max_window_bits=10; client_max_window_bits=10",
        "server_no_context_takeover; server_no_context_takeover",
    };
    char in[256];

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const row_t alone = {in, "", NOTHING};
        (void)snprintf(in, sizeof(in), "permessage-deflate; %s", wrong[i]);
        check_answers(&usual, &alone, 1);
        const row_t before = {
            in, "permessage-deflate; client_max_window_bits=9", {true, 15, 9, true, true}};
        (void)snprintf(in, sizeof(in),
                       "permessage-deflate; %s, permessage-deflate; client_max_window_bits=9, "
                       "permessage-deflate",
                       wrong[i]);
        check_answers(&usual, &before, 1);
    }
}

static void other_extensions_are_passed_over(void)
{
    static const row_t rows[] = {
        {"", "", NOTHING},
        {"x-webkit-deflate-frame", "", NOTHING},
        {"permessage-deflate2, permessage-bzip2; x=\"y\"", "", NOTHING},
        {"foo; bar=baz, permessage-deflate, quux",
         "permessage-deflate",
         {true, 15, 15, true, true}},
    };
    CHECK_ANSWERS(&usual, rows);
    static const row_t refused[] = {{"permessage-deflate", "", NOTHING}};
    CHECK_ANSWERS(&off, refused);
}

static void what_the_grammar_does_not_allow_is_refused(void)
{
    static const row_t rows[] = {
        {",", NULL, NOTHING},
        {" ", NULL, NOTHING},
        {"permessage-deflate;", NULL, NOTHING},
        {"permessage-deflate; ", NULL, NOTHING},
        {"permessage-deflate, ;", NULL, NOTHING},
        {"permessage-deflate x", NULL, NOTHING},
        {"permessage-deflate; a=", NULL, NOTHING},
        {"permessage-deflate; =a", NULL, NOTHING},
        {"permessage-deflate; a=\"", NULL, NOTHING},
        {"permessage-deflate; a=\"\"", NULL, NOTHING},
        {"permessage-deflate; a=\"b c\"", NULL, NOTHING},
        {"permessage-deflate; a=\"b\\", NULL, NOTHING},
        {"permessage-deflate; a=\"b\" c", NULL, NOTHING},
        {"permessage-deflate; a b", NULL, NOTHING},
        {"permessage-deflate, foo;;", NULL, NOTHING},
        {"permessage-deflate\x80", NULL, NOTHING},
        {"\"permessage-deflate\"", NULL, NOTHING},
    };
    CHECK_ANSWERS(&usual, rows);
    CHECK_ANSWERS(&off, rows);
}

static void the_policy_bounds_windows_and_takeover(void)
{
    static const row_t rows[] = {
        {"permessage-deflate; client_max_window_bits",
         "permessage-deflate; client_max_window_bits=11",
         {true, 11, 11, true, true}},
        {"permessage-deflate; client_max_window_bits=10; server_max_window_bits=15",
         "permessage-deflate; server_max_window_bits=11; client_max_window_bits=10",
         {true, 11, 10, true, true}},
        {"permessage-deflate",
         "permessage-deflate; client_no_context_takeover",
         {true, 11, 15, true, false}},
    };
    CHECK_ANSWERS(&small, rows);
    static const row_t none[] = {
        {"permessage-deflate",
         "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
         {true, 15, 15, false, false}},
    };
    CHECK_ANSWERS(&frugal, none);
}

/* --- client --- */

static void a_client_offers_what_its_policy_says(void)
{
    char offer[AW_WS_EXTENSIONS_MAX];

    aw_ws_deflate_offer(offer, &usual);
    CU_ASSERT_STRING_EQUAL(offer, "permessage-deflate; client_max_window_bits");
    aw_ws_deflate_offer(offer, &small);
    CU_ASSERT_STRING_EQUAL(
        offer, "permessage-deflate; server_max_window_bits=11; client_max_window_bits=11");
    aw_ws_deflate_offer(offer, &frugal);
    CU_ASSERT_STRING_EQUAL(offer, "permessage-deflate; server_no_context_takeover; "
                                  "client_no_context_takeover; client_max_window_bits");
    aw_ws_deflate_offer(offer, &off);
    CU_ASSERT_STRING_EQUAL(offer, "");
}

static void check_accepts(const aw_ws_deflate_policy_t *policy, const row_t *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const aw_span_t in = unit_guard(rows[i].in, strlen(rows[i].in));
        aw_ws_deflate_params_t params;
        const bool good = aw_ws_deflate_accept(&params, policy, in);
        const bool right =
            rows[i].out == NULL ? !good && !params.on : good && same(&params, &rows[i].params);
        CU_ASSERT_TRUE(right);
        if (!right) {
            CU_FAIL(rows[i].in);
        }
        unit_guard_free(in);
    }
}

#define CHECK_ACCEPTS(policy, rows) check_accepts(policy, rows, sizeof(rows) / sizeof((rows)[0]))

static void an_answer_to_the_offer_is_taken_up(void)
{
    static const row_t rows[] = {
        {"", "", NOTHING},
        {"permessage-deflate", "", {true, 15, 15, true, true}},
        {"permessage-deflate; server_no_context_takeover", "", {true, 15, 15, true, false}},
        {"permessage-deflate; client_no_context_takeover", "", {true, 15, 15, false, true}},
        {"permessage-deflate; server_max_window_bits=8", "", {true, 15, 8, true, true}},
        {"permessage-deflate; client_max_window_bits=9", "", {true, 9, 15, true, true}},
        {"permessage-deflate; client_max_window_bits=8", "", {true, 8, 15, true, true}},
    };
    CHECK_ACCEPTS(&usual, rows);
    static const row_t less[] = {
        {"permessage-deflate; server_max_window_bits=10", "", {true, 11, 10, true, true}},
        {"permessage-deflate; server_max_window_bits=11; client_max_window_bits=15",
         "",
         {true, 11, 11, true, true}},
        {"permessage-deflate", NULL, NOTHING},
        {"permessage-deflate; server_max_window_bits=12", NULL, NOTHING},
    };
    CHECK_ACCEPTS(&small, less);
    static const row_t none[] = {
        {"permessage-deflate; server_no_context_takeover", "", {true, 15, 15, false, false}},
        {"permessage-deflate; client_no_context_takeover", NULL, NOTHING},
    };
    CHECK_ACCEPTS(&frugal, none);
}

static void an_answer_to_something_else_is_refused(void)
{
    static const row_t rows[] = {
        {",", NULL, NOTHING},
        {"foo", NULL, NOTHING},
        {"permessage-deflate, permessage-deflate", NULL, NOTHING},
        {"permessage-deflate, foo", NULL, NOTHING},
        {"permessage-deflate; foo", NULL, NOTHING},
        {"permessage-deflate; client_max_window_bits", NULL, NOTHING},
        {"permessage-deflate; server_max_window_bits", NULL, NOTHING},
        {"permessage-deflate; server_max_window_bits=16", NULL, NOTHING},
        {"permessage-deflate; server_no_context_takeover=1", NULL, NOTHING},
        {"permessage-deflate; server_no_context_takeover; server_no_context_takeover", NULL,
         NOTHING},
        {"permessage-deflate;", NULL, NOTHING},
    };
    CHECK_ACCEPTS(&usual, rows);
    static const row_t refused[] = {{"permessage-deflate", NULL, NOTHING}, {"", "", NOTHING}};
    CHECK_ACCEPTS(&off, refused);
}

/* Whatever was changed in an offer: what is answered is an answer that a client takes up, with
 * both ends of one mind about it. */
static void both_ends_agree_whatever_was_offered(void)
{
    static const char *const seeds[] = {
        "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
        "x; y=1, permessage-deflate; client_max_window_bits=\"12\"",
        "foo; a=\"b\", permessage-deflate; client_no_context_takeover",
    };
    const aw_span_t guard = unit_tail_create();
    uint64_t seed = 7692;
    unsigned wrong = 0, on = 0;
    char text[512];

    for (unsigned i = 0; i < 200000; i++) {
        const char *const from = seeds[i % 3];
        size_t n = strlen(from);
        memcpy(text, from, n);
        n = unit_mutate(text, n, sizeof(text), &seed);
        const aw_span_t in = {unit_tail(guard, text, n), n};
        char answer[AW_WS_EXTENSIONS_MAX];
        aw_ws_deflate_params_t ours, theirs;
        if (!aw_ws_deflate_answer(&ours, answer, i % 2 != 0 ? &usual : &small, in)) {
            wrong += ours.on || answer[0] != '\0';
            continue;
        }
        wrong += ours.on != (answer[0] != '\0');
        wrong += !aw_ws_deflate_accept(&theirs, &usual, aw_span(answer)) || theirs.on != ours.on;
        wrong += theirs.in_window < ours.out_window || theirs.out_window > ours.in_window;
        wrong += theirs.in_takeover != ours.out_takeover || theirs.out_takeover != ours.in_takeover;
        on += ours.on;
    }
    unit_guard_free(guard);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_TRUE(on > 1000);
}

static const unit_test_t tests[] = {
    {"every parameter is answered", every_parameter_is_answered},
    {"white space and quotes are read", white_space_and_quotes_are_read},
    {"an offer that is wrong is passed over", an_offer_that_is_wrong_is_passed_over},
    {"other extensions are passed over", other_extensions_are_passed_over},
    {"what the grammar does not allow is refused", what_the_grammar_does_not_allow_is_refused},
    {"the policy bounds windows and takeover", the_policy_bounds_windows_and_takeover},
    {"a client offers what its policy says", a_client_offers_what_its_policy_says},
    {"an answer to the offer is taken up", an_answer_to_the_offer_is_taken_up},
    {"an answer to something else is refused", an_answer_to_something_else_is_refused},
    {"both ends agree whatever was offered", both_ends_agree_whatever_was_offered},
    {NULL, NULL},
};

const unit_suite_t ws_deflate_params_suite = {"ws_deflate_params", tests};
