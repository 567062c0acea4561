/* Tests of the verifier: each verdict, its order, and that nothing is touched before it is earned.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <apr_strings.h>

#include "mutate.h"
#include "verify_world.h"

static void a_right_answer_is_let_in_with_everything_the_module_needs(void)
{
    world_t *w = create();
    unsigned char a1[AW_HASH_MAX], response[AW_HASH_MAX], rspauth[AW_HASH_MAX];
    const aw_digest_input_t in = {.algorithm = {AW_ALG_SHA256, false},
                                  .qop = AW_QOP_AUTH,
                                  .method = AW_SPAN_LIT("GET"),
                                  .uri = AW_SPAN_LIT("/rock?a=b"),
                                  .nonce = {w->nonce, AW_NONCE_LEN},
                                  .cnonce = AW_SPAN_LIT("cn"),
                                  .nc_text = AW_SPAN_LIT("00000001")};

    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_OK);
    CU_ASSERT_TRUE(aw_span_equal(w->result.user, aw_span("Mufasa")));
    CU_ASSERT_EQUAL(w->result.nonce.issued, NOW);
    CU_ASSERT_EQUAL(w->result.credentials.nc, 1);
    CU_ASSERT_EQUAL(w->result.credentials.qop, AW_QOP_AUTH);
    CU_ASSERT_EQUAL(w->lookups, 1);
    CU_ASSERT_TRUE(w->result.has_rspauth);
    aw_digest_a1(AW_ALG_SHA256, aw_span("Mufasa"), aw_span("lions"), aw_span("Circle of Life"), a1);
    aw_digest_response(&in, a1, response, rspauth);
    CU_ASSERT_EQUAL(memcmp(w->result.rspauth, rspauth, 32), 0);
    w->respond.nc = 2;
    w->request.want_rspauth = false;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_OK);
    CU_ASSERT_FALSE(w->result.has_rspauth);
    destroy(w);
}

static void every_offered_form_of_answer_is_let_in(void)
{
    for (unsigned i = 0; i < 3u * 2 * 2; i++) {
        world_t *w = create();
        w->challenge.algorithm = offered[i % 3];
        w->respond.qop = i / 3 % 2 ? AW_QOP_AUTH : AW_QOP_AUTH_INT;
        w->challenge.userhash = i / 6 != 0;
        CU_ASSERT_EQUAL(verify(w), AW_VERDICT_OK);
        CU_ASSERT_TRUE(aw_span_equal(w->result.user, aw_span("Mufasa")));
        if (w->respond.qop == AW_QOP_AUTH_INT) {
            unsigned char a1[AW_HASH_MAX];
            aw_digest_a1(offered[i % 3].hash, aw_span("Mufasa"), aw_span("lions"),
                         aw_span("Circle of Life"), a1);
            CU_ASSERT_FALSE(w->result.has_rspauth);
            CU_ASSERT_EQUAL(memcmp(w->result.a1, a1, aw_alg_size(offered[i % 3].hash)), 0);
        }
        destroy(w);
    }
}

static void an_extended_user_name_is_the_same_user(void)
{
    world_t *w = create();
    const char *text = with(w, answer(w), "username=\"Mufasa\"", "username*=UTF-8''%4Dufas%61");

    CU_ASSERT_EQUAL(verify_text(w, text), AW_VERDICT_OK);
    CU_ASSERT_TRUE(aw_span_equal(w->result.user, aw_span("Mufasa")));
    destroy(w);
}

static void malformed_answers_are_bad_form_with_the_reason(void)
{
    static const struct {
        const char *from, *to, *why;
    } vectors[] = {
        {", qop=auth, nc=00000001, cnonce=\"cn\"", ", algorithm=MD5-sess",
         "a parameter stands twice"},
        {", algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"cn\"", ", algorithm=SHA-256-sess",
         "-sess without cnonce"},
        {"nc=00000001", "nc=0000001", "nc is not 8 hex digits"},
        {"nc=00000001", "nc=000000001", "nc is not 8 hex digits"},
        {"nc=00000001, ", "", "qop without nc and cnonce"},
        {", cnonce=\"cn\"", ", key=", "broken grammar"},
        {", cnonce=\"cn\"", "", "qop without nc and cnonce"},
        {"qop=auth, ", "", "nc or cnonce without qop"},
        {"response=\"", "response=\"00", "response is not as many hex digits as the algorithm's"},
        {"algorithm=SHA-256", "algorithm=SHA-257", "unknown algorithm"}};
    world_t *w = create();

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const char *text = with(w, answer(w), vectors[i].from, vectors[i].to);
        CU_ASSERT_EQUAL(verify_text(w, text), AW_VERDICT_BAD_FORM);
        CU_ASSERT_STRING_EQUAL(w->result.why, vectors[i].why);
        CU_ASSERT_EQUAL(w->lookups, 0);
    }
    CU_ASSERT_EQUAL(verify_text(w, "Digest key="), AW_VERDICT_BAD_FORM);
    CU_ASSERT_EQUAL(verify_text(w, "Digest key"), AW_VERDICT_BAD_FORM);
    CU_ASSERT_EQUAL(verify_text(w, "Digest"), AW_VERDICT_BAD_FORM);
    CU_ASSERT_EQUAL(verify_text(w, ""), AW_VERDICT_BAD_FORM);
    CU_ASSERT_EQUAL(verify_text(w, "Basic YTpi"), AW_VERDICT_OTHER_SCHEME);
    CU_ASSERT_TRUE(table_is_untouched());
    destroy(w);
}

static void a_very_long_uri_is_bounded(void)
{
    world_t *w = create();
    char *uri = apr_palloc(w->p, 20001);

    memset(uri, 'x', 20000);
    uri[0] = '/';
    uri[8000] = '\0';
    w->respond.uri = w->request.target = aw_span(uri);
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_OK);
    uri[8000] = 'x';
    uri[8001] = '\0';
    w->respond.uri = w->request.target = aw_span(uri);
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_BAD_FORM);
    CU_ASSERT_STRING_EQUAL(w->result.why, "a value is too long");
    destroy(w);
}

static void what_was_not_offered_is_refused_by_name(void)
{
    world_t *w = create();
    const char *text;

    text = with(w, answer(w), "realm=\"lions\"", "realm=\"hyenas\"");
    CU_ASSERT_EQUAL(verify_text(w, text), AW_VERDICT_WRONG_REALM);
    w->challenge.algorithm = (aw_algorithm_t){AW_ALG_SHA256, true};
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_WRONG_ALGORITHM);
    w->challenge.algorithm = (aw_algorithm_t){AW_ALG_SHA512, false};
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_WRONG_ALGORITHM);
    w->challenge.algorithm = offered[0];
    w->policy.qops = AW_QOP_BIT(AW_QOP_AUTH_INT);
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_WRONG_QOP);
    w->policy.qops = AW_QOP_BIT(AW_QOP_AUTH);
    w->respond.qop = AW_QOP_AUTH_INT;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_WRONG_QOP);
    w->respond.qop = AW_QOP_AUTH;
    w->policy.userhash = false;
    w->challenge.userhash = true;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_WRONG_USERHASH);
    CU_ASSERT_EQUAL(w->lookups, 0);
    CU_ASSERT_TRUE(table_is_untouched());
    destroy(w);
}

static void an_answer_without_qop_is_never_accepted(void)
{
    world_t *w = create();

    w->challenge.qops = 0;
    w->respond.qop = AW_QOP_NONE;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_WRONG_QOP);
    w->policy.qops = ~0u;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_WRONG_QOP);
    destroy(w);
}

static void a_nonce_of_another_key_realm_or_making_is_foreign(void)
{
    static const char *const made_up[] = {
        "",
        "x",
        "1700000000",
        "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "\xff\xfe\x80\x90\xff\xfe\x80\x90",
        ("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"
         "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"),
        "AAAA=",
        "===="};
    world_t *w = create();

    mint(w, &other_keys, "lions", NOW);
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_NONCE_FOREIGN);
    mint(w, &keys, "hyenas", NOW);
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_NONCE_FOREIGN);
    mint(w, &keys, "lions", NOW);
    for (size_t i = 0; i < AW_NONCE_LEN; i++) {
        const char kept = w->nonce[i];
        w->nonce[i] = kept == 'A' ? 'Q' : 'A';
        CU_ASSERT_EQUAL(verify(w), AW_VERDICT_NONCE_FOREIGN);
        w->nonce[i] = kept;
    }
    for (size_t i = 0; i < sizeof(made_up) / sizeof(made_up[0]); i++) {
        w->challenge.nonce = aw_span(made_up[i]);
        CU_ASSERT_EQUAL(verify(w), AW_VERDICT_NONCE_FOREIGN);
    }
    CU_ASSERT_EQUAL(w->lookups, 0);
    CU_ASSERT_TRUE(table_is_untouched());
    destroy(w);
}

static void a_nonce_lives_for_its_lifetime_and_five_seconds_of_skew(void)
{
    static const struct {
        apr_time_t issued; /* relative to the request */
        aw_verdict_e verdict;
    } vectors[] = {{0, AW_VERDICT_OK},
                   {-LIFETIME + 1, AW_VERDICT_OK},
                   {-LIFETIME, AW_VERDICT_NONCE_EXPIRED},
                   {-LIFETIME - 1, AW_VERDICT_NONCE_EXPIRED},
                   {-NOW, AW_VERDICT_NONCE_EXPIRED},
                   {apr_time_from_sec(5), AW_VERDICT_OK},
                   {apr_time_from_sec(5) + 1, AW_VERDICT_NONCE_EXPIRED},
                   {apr_time_from_sec(86400 * 365), AW_VERDICT_NONCE_EXPIRED}};
    world_t *w = create();

    w->request.now = NOW;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        mint(w, &keys, "lions", NOW + vectors[i].issued);
        CU_ASSERT_EQUAL(verify(w), vectors[i].verdict);
        CU_ASSERT_EQUAL(w->lookups, vectors[i].verdict == AW_VERDICT_OK ? 1 : 0);
    }
    destroy(w);
}

static void a_uri_that_is_not_the_request_target_is_bad(void)
{
    world_t *w = create();

    w->respond.uri = AW_SPAN_LIT("/other");
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_BAD_URI);
    w->respond.uri = AW_SPAN_LIT("");
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_BAD_URI);
    CU_ASSERT_EQUAL(w->lookups, 0);
    CU_ASSERT_TRUE(table_is_untouched());
    destroy(w);
}

static void wrong_and_unknown_alike_touch_nothing(void)
{
    world_t *w = create();

    w->respond.password = AW_SPAN_LIT("wrong");
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_WRONG_RESPONSE);
    CU_ASSERT_EQUAL(w->lookups, 1);
    CU_ASSERT_EQUAL(w->result.user.len, 0);
    CU_ASSERT_FALSE(w->result.has_rspauth);
    w->respond.user = AW_SPAN_LIT("mufasa");
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_UNKNOWN_USER);
    CU_ASSERT_EQUAL(w->lookups, 1);
    CU_ASSERT_FALSE(w->result.has_rspauth);
    w->challenge.userhash = true;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_UNKNOWN_USER);
    w->challenge.userhash = false;
    w->respond.user = AW_SPAN_LIT("Scar");
    w->respond.password = AW_SPAN_LIT("Circle of Life");
    w->challenge.algorithm = (aw_algorithm_t){AW_ALG_MD5, false};
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_NO_VALUE);
    CU_ASSERT_FALSE(w->result.has_rspauth);
    CU_ASSERT_TRUE(table_is_untouched());
    w->challenge.algorithm = (aw_algorithm_t){AW_ALG_SHA256, false};
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_OK);
    CU_ASSERT_FALSE(table_is_untouched());
    destroy(w);
}

/* Every bit of a right response flipped, one at a time. */
static void no_response_but_the_right_one_passes(void)
{
    world_t *w = create();
    const char *text = answer(w);
    char *changed = apr_pstrdup(w->p, text);
    char *response = strstr(changed, "response=\"") + 10;

    for (size_t i = 0; i < 64; i++) {
        const char kept = response[i];
        response[i] = kept == '0' ? '1' : '0';
        CU_ASSERT_EQUAL(verify_text(w, changed), AW_VERDICT_WRONG_RESPONSE);
        response[i] = kept;
    }
    CU_ASSERT_EQUAL(verify_text(w, text), AW_VERDICT_OK);
    destroy(w);
}

/* A hash of nothing, of "null", all zeros: what has let unknown users in elsewhere. */
static void no_guessable_a1_lets_an_unknown_user_in(void)
{
    world_t *w = create();
    unsigned char a1[AW_HASH_MAX] = {0};
    static const char *const passwords[] = {"", "null", "(null)", "Circle of Life"};

    w->respond.user = AW_SPAN_LIT("Zazu");
    for (size_t i = 0; i < sizeof(passwords) / sizeof(passwords[0]); i++) {
        w->respond.password = aw_span(passwords[i]);
        CU_ASSERT_EQUAL(verify(w), AW_VERDICT_UNKNOWN_USER);
    }
    w->respond.a1 = a1;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_UNKNOWN_USER);
    destroy(w);
}

static void the_method_and_the_body_are_under_the_response(void)
{
    world_t *w = create();

    w->request.method = AW_SPAN_LIT("POST");
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_WRONG_RESPONSE);
    w->request.method = AW_SPAN_LIT("GET");
    w->respond.qop = AW_QOP_AUTH_INT;
    w->respond.body = AW_SPAN_LIT("name=other");
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_WRONG_RESPONSE);
    w->respond.body = AW_SPAN_LIT("name=value");
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_OK);
    destroy(w);
}

static void a_count_is_good_once_in_any_order(void)
{
    world_t *w = create();

    for (uint32_t i = 0; i < 128; i++) {
        w->respond.nc = 128 - i;
        CU_ASSERT_EQUAL(verify(w), AW_VERDICT_OK);
    }
    for (uint32_t i = 1; i <= 128; i++) {
        w->respond.nc = i;
        CU_ASSERT_EQUAL(verify(w), AW_VERDICT_NC_USED);
        CU_ASSERT_EQUAL(w->result.user.len, 0);
    }
    w->respond.nc = 129;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_OK);
    w->respond.nc = AW_NC_MAX + 1;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_NC_DROPPED);
    w->respond.nc = 129;
    w->policy.nc_table = NULL;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_OK);
    destroy(w);
}

static void who_sees_a_nonce_cannot_use_up_its_counts(void)
{
    world_t *w = create();

    w->respond.password = AW_SPAN_LIT("wrong");
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_WRONG_RESPONSE);
    w->respond.nc = AW_NC_MAX;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_WRONG_RESPONSE);
    w->respond.password = AW_SPAN_LIT("Circle of Life");
    w->respond.nc = 1;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_OK);
    destroy(w);
}

static void failures_of_store_and_body_are_errors_with_their_status(void)
{
    world_t *w = create();

    w->lookup_fails = APR_EACCES;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_ERROR);
    CU_ASSERT_EQUAL(w->result.status, APR_EACCES);
    w->lookup_fails = APR_SUCCESS;
    w->respond.qop = AW_QOP_AUTH_INT;
    w->body_fails = APR_ENOSPC;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_ERROR);
    CU_ASSERT_EQUAL(w->result.status, APR_ENOSPC);
    w->policy.body_hash = NULL;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_ERROR);
    CU_ASSERT_TRUE(table_is_untouched());
    w->policy.body_hash = hash_body;
    w->body_fails = APR_SUCCESS;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_OK);
    CU_ASSERT_EQUAL(w->result.status, APR_SUCCESS);
    destroy(w);
}

static void a_proxys_forms_of_the_target_are_let_in(void)
{
    static const struct {
        const char *uri, *target, *host;
    } vectors[] = {{"/rock", "http://pride.example/rock", "pride.example"},
                   {"http://pride.example/rock", "http://pride.example/rock", "pride.example"},
                   {"http://pride.example:80/rock", "/rock", "Pride.Example"},
                   {"pride.example:443", "pride.example:443", "pride.example:443"}};
    world_t *w = create();

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        w->respond.uri = aw_span(vectors[i].uri);
        w->respond.nc = (uint32_t)i + 1;
        w->request.target = aw_span(vectors[i].target);
        w->request.host = aw_span(vectors[i].host);
        CU_ASSERT_EQUAL(verify(w), AW_VERDICT_OK);
    }
    destroy(w);
}

static void who_is_blocked_gets_one_answer_right_or_wrong(void)
{
    static const char *const users[] = {"Mufasa", "Scar", "Nobody"};
    static const char *const passwords[] = {"Circle of Life", "wrong"};

    for (int i = 0; i < 12; i++) {
        world_t *w = create();

        w->policy.blocked = is_blocked;
        w->respond.user = w->blocked = aw_span(users[i % 3]);
        w->respond.password = aw_span(passwords[i / 3 % 2]);
        w->challenge.algorithm.hash = i / 6 ? AW_ALG_MD5 : AW_ALG_SHA256; /* Scar has none */
        CU_ASSERT_EQUAL(verify(w), AW_VERDICT_THROTTLED);
        CU_ASSERT_PTR_NULL(w->result.user.ptr);
        CU_ASSERT_FALSE(w->result.has_rspauth);
        CU_ASSERT_TRUE(table_is_untouched());
        w->blocked = AW_SPAN_LIT("another");
        CU_ASSERT_EQUAL(verify(w) == AW_VERDICT_OK, i == 0 || i == 1 || i == 6);
        CU_ASSERT_STRING_EQUAL(w->blocked_asked, users[i % 3]);
        destroy(w);
    }
}

static void the_block_is_asked_about_the_name_behind_a_userhash(void)
{
    world_t *w = create();

    w->policy.blocked = is_blocked;
    w->blocked = AW_SPAN_LIT("Mufasa");
    w->challenge.userhash = true;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_THROTTLED);
    CU_ASSERT_STRING_EQUAL(w->blocked_asked, "Mufasa");
    w->respond.user = AW_SPAN_LIT("Nobody"); /* of whom there is only the hash */
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_UNKNOWN_USER);
    CU_ASSERT_EQUAL(strspn(w->blocked_asked, "0123456789abcdef"), 63);
    destroy(w);
}

static void nobody_is_asked_about_who_guesses_at_nothing(void)
{
    world_t *w = create();

    w->policy.blocked = is_blocked;
    w->blocked = AW_SPAN_LIT("Mufasa");
    CU_ASSERT_EQUAL(verify_text(w, "Digest key="), AW_VERDICT_BAD_FORM);
    w->request.now = NOW + LIFETIME + 1;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_NONCE_EXPIRED);
    w->request.now = NOW + 1;
    w->policy.realm = AW_SPAN_LIT("hyenas");
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_WRONG_REALM);
    CU_ASSERT_STRING_EQUAL(w->blocked_asked, "");
    destroy(w);
}

static void every_verdict_has_its_own_words_and_stale_is_for_nonces_only(void)
{
    for (int i = 0; i < AW_VERDICT_COUNT; i++) {
        const aw_verdict_e verdict = (aw_verdict_e)i;
        const bool stale = verdict == AW_VERDICT_NONCE_FOREIGN ||
                           verdict == AW_VERDICT_NONCE_EXPIRED || verdict == AW_VERDICT_NC_USED ||
                           verdict == AW_VERDICT_NC_DROPPED;
        CU_ASSERT_EQUAL(aw_verdict_is_stale(verdict), stale);
        CU_ASSERT_PTR_NOT_NULL_FATAL(aw_verdict_text(verdict));
        for (int k = 0; k < i; k++) {
            CU_ASSERT_STRING_NOT_EQUAL(aw_verdict_text(verdict), aw_verdict_text((aw_verdict_e)k));
        }
    }
}

/* Only a field that means the same as the right one is let in: whatever was changed, the fields
 * that are hashed, and the response, read as they did. */
static void a_hundred_thousand_mutations_let_nobody_else_in(void)
{
    world_t *w = create();
    const char *text = answer(w);
    const size_t length = strlen(text);
    const aw_span_t guard = unit_tail_create();
    uint64_t state = 2;
    unsigned wrong = 0, refused = 0;

    w->policy.nc_table = NULL;
    for (unsigned round = 0; round < 100000; round++) {
        char changed[1024];
        memcpy(changed, text, length);
        const size_t n = unit_mutate(changed, length, sizeof(changed), &state);
        w->request.field = (aw_span_t){unit_tail(guard, changed, n), n};
        if (aw_digest_verify(&w->result, &w->policy, &w->request) != AW_VERDICT_OK) {
            refused++;
            continue;
        }
        const aw_credentials_t *c = &w->result.credentials;
        wrong += !aw_span_equal(c->username, w->respond.user) ||
                 !aw_span_equal(c->realm, w->policy.realm) ||
                 !aw_span_equal(c->nonce, w->challenge.nonce) ||
                 !aw_span_equal(c->uri, w->respond.uri) ||
                 !aw_span_equal(c->cnonce, w->respond.cnonce) || c->nc != 1 ||
                 c->qop != AW_QOP_AUTH;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_TRUE(refused > 50000);
    unit_guard_free(guard);
    destroy(w);
}

static void of_another_nodes_nonce_only_the_first_request_is_let_in_and_once(void)
{
    world_t *w = create();

    mint_at(w, NODE + 1, &keys, "lions", NOW);
    w->respond.nc = 2;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_NC_DROPPED);
    CU_ASSERT_TRUE(table_is_untouched());
    w->respond.nc = 1;
    w->respond.password = AW_SPAN_LIT("wrong");
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_WRONG_RESPONSE);
    CU_ASSERT_TRUE(table_is_untouched());
    w->respond.password = AW_SPAN_LIT("Circle of Life");
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_OK);
    CU_ASSERT_EQUAL(w->result.nonce.node, NODE + 1);
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_NC_USED);
    w->respond.nc = 2;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_NC_DROPPED);
    w->policy.not_before = NOW + 1; /* it may have been used before this table was made */
    mint_at(w, NODE + 1, &keys, "lions", NOW);
    w->respond.nc = 1;
    CU_ASSERT_EQUAL(verify(w), AW_VERDICT_NONCE_EXPIRED);
    destroy(w);
}

/* The window goes by who the user is, not by how the client has put it. */
static void a_userhash_and_its_name_count_in_one_window(void)
{
    world_t *w = create();

    for (uint32_t nc = 1; nc <= 40; nc++) {
        w->respond.nc = nc;
        w->challenge.userhash = nc % 2 == 0;
        CU_ASSERT_EQUAL(verify(w), AW_VERDICT_OK);
        CU_ASSERT_TRUE(aw_span_equal(w->result.user, aw_span("Mufasa")));
        w->challenge.userhash = nc % 2 == 1;
        CU_ASSERT_EQUAL(verify(w), AW_VERDICT_NC_USED);
    }
    destroy(w);
}

static const unit_test_t tests[] = {
    {"a right answer is let in with everything the module needs",
     a_right_answer_is_let_in_with_everything_the_module_needs},
    {"every offered form of answer is let in", every_offered_form_of_answer_is_let_in},
    {"an extended user name is the same user", an_extended_user_name_is_the_same_user},
    {"malformed answers are bad form with the reason",
     malformed_answers_are_bad_form_with_the_reason},
    {"a very long uri is bounded", a_very_long_uri_is_bounded},
    {"what was not offered is refused by name", what_was_not_offered_is_refused_by_name},
    {"an answer without qop is never accepted", an_answer_without_qop_is_never_accepted},
    {"a nonce of another key, realm or making is foreign",
     a_nonce_of_another_key_realm_or_making_is_foreign},
    {"a nonce lives for its lifetime, and five seconds of skew",
     a_nonce_lives_for_its_lifetime_and_five_seconds_of_skew},
    {"a uri that is not the request target is bad", a_uri_that_is_not_the_request_target_is_bad},
    {"wrong and unknown alike touch nothing", wrong_and_unknown_alike_touch_nothing},
    {"no response but the right one passes", no_response_but_the_right_one_passes},
    {"no guessable A1 lets an unknown user in", no_guessable_a1_lets_an_unknown_user_in},
    {"the method and the body are under the response",
     the_method_and_the_body_are_under_the_response},
    {"a count is good once, in any order", a_count_is_good_once_in_any_order},
    {"who sees a nonce cannot use up its counts", who_sees_a_nonce_cannot_use_up_its_counts},
    {"failures of store and body are errors with their status",
     failures_of_store_and_body_are_errors_with_their_status},
    {"a proxy's forms of the target are let in", a_proxys_forms_of_the_target_are_let_in},
    {"who is blocked gets one answer, right or wrong",
     who_is_blocked_gets_one_answer_right_or_wrong},
    {"the block is asked about the name behind a userhash",
     the_block_is_asked_about_the_name_behind_a_userhash},
    {"nobody is asked about who guesses at nothing", nobody_is_asked_about_who_guesses_at_nothing},
    {"every verdict has its own words, and stale is for nonces only",
     every_verdict_has_its_own_words_and_stale_is_for_nonces_only},
    {"a hundred thousand mutations let nobody else in",
     a_hundred_thousand_mutations_let_nobody_else_in},
    {"of another node's nonce only the first request is let in, and once",
     of_another_nodes_nonce_only_the_first_request_is_let_in_and_once},
    {"a userhash and its name count in one window", a_userhash_and_its_name_count_in_one_window},
    {NULL, NULL}};

const unit_suite_t verify_suite = {"verify", tests};
