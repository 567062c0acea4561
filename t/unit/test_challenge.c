/* Tests of building challenges and of reading them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include "digest/challenge.h"
#include "mutate.h"

#define AUTH     AW_QOP_BIT(AW_QOP_AUTH)
#define AUTH_INT AW_QOP_BIT(AW_QOP_AUTH_INT)

static char scratch[UNIT_TAIL];

static void a_challenge_is_written_as_rfc_7616_says(void)
{
    const aw_challenge_t small = {.realm = AW_SPAN_LIT("r"),
                                  .nonce = AW_SPAN_LIT("n"),
                                  .algorithm = {AW_ALG_MD5, false},
                                  .qops = AUTH};
    const aw_challenge_t full = {.realm = AW_SPAN_LIT("a \"b\" \\c"),
                                 .nonce = AW_SPAN_LIT("n-_"),
                                 .domain = AW_SPAN_LIT("/a https://h/b"),
                                 .opaque = AW_SPAN_LIT("o"),
                                 .algorithm = {AW_ALG_SHA512_256, true},
                                 .qops = AUTH | AUTH_INT,
                                 .stale = true,
                                 .userhash = true,
                                 .utf8 = true};
    char out[1024];
    aw_span_t text = {out, aw_challenge_build(out, &small)};

    CU_ASSERT_TRUE(aw_span_equal(
        text, AW_SPAN_LIT("Digest realm=\"r\", nonce=\"n\", algorithm=MD5, qop=\"auth\"")));
    CU_ASSERT_TRUE(text.len <= aw_challenge_length_max(&small));
    text.len = aw_challenge_build(out, &full);
    CU_ASSERT_TRUE(aw_span_equal(
        text, AW_SPAN_LIT("Digest realm=\"a \\\"b\\\" \\\\c\", nonce=\"n-_\", "
                          "algorithm=SHA-512-256-sess, qop=\"auth,auth-int\", "
                          "domain=\"/a https://h/b\", opaque=\"o\", stale=true, charset=UTF-8, "
                          "userhash=true")));
    CU_ASSERT_TRUE(text.len <= aw_challenge_length_max(&full));
}

static bool same(const aw_challenge_t *a, const aw_challenge_t *b)
{
    return aw_span_equal(a->realm, b->realm) && aw_span_equal(a->nonce, b->nonce) &&
           aw_span_equal(a->domain, b->domain) && aw_span_equal(a->opaque, b->opaque) &&
           a->algorithm.hash == b->algorithm.hash && a->algorithm.sess == b->algorithm.sess &&
           a->qops == b->qops && a->stale == b->stale && a->userhash == b->userhash &&
           a->utf8 == b->utf8;
}

static void what_is_written_is_read_back(void)
{
    static const char *const texts[] = {"r", "\"\\\"", "J\xc3\xa4s, Digest x=\"", " "};

    for (unsigned i = 0; i < 4u * AW_ALG_COUNT * 2 * 4 * 8; i++) {
        const unsigned alg = i / 4 % AW_ALG_COUNT, rest = i / (4 * AW_ALG_COUNT);
        const aw_span_t value = aw_span(texts[i % 4]);
        const aw_challenge_t challenge = {.realm = value,
                                          .nonce = value,
                                          .domain = rest & 1 ? value : aw_span(""),
                                          .opaque = rest & 2 ? value : aw_span(""),
                                          .algorithm = {(aw_alg_e)alg, (rest & 1) != 0},
                                          .qops = (rest >> 1 & 3) << 1,
                                          .stale = (rest & 8) != 0,
                                          .userhash = (rest & 16) != 0,
                                          .utf8 = (rest & 32) != 0};
        char out[1024], room[1024];
        aw_challenge_t back;
        const aw_span_t text = {out, aw_challenge_build(out, &challenge)};
        CU_ASSERT_TRUE(text.len <= aw_challenge_length_max(&challenge));
        CU_ASSERT_EQUAL_FATAL(aw_challenges_parse(&back, 1, text, room), 1);
        CU_ASSERT_TRUE(same(&challenge, &back));
    }
}

static int parse(aw_challenge_t *out, int max, const char *field)
{
    return aw_challenges_parse(out, max, aw_span(field), scratch);
}

static void several_schemes_in_one_field_are_told_apart(void)
{
    aw_challenge_t got[4];

    CU_ASSERT_EQUAL_FATAL(
        parse(got, 4,
              "Negotiate YII=, Digest realm=\"a\", nonce=\"1\", qop=\"auth\", algorithm=SHA-256, "
              "Basic realm=\"b\", charset=UTF-8, digest Realm=\"c\", NONCE=\"2\", "
              "stale=TRUE, qop=\"auth-int , auth\""),
        2);
    CU_ASSERT_TRUE(aw_span_equal(got[0].realm, aw_span("a")));
    CU_ASSERT_TRUE(aw_span_equal(got[0].nonce, aw_span("1")));
    CU_ASSERT_EQUAL(got[0].algorithm.hash, AW_ALG_SHA256);
    CU_ASSERT_EQUAL(got[0].qops, AUTH);
    CU_ASSERT_FALSE(got[0].stale);
    CU_ASSERT_FALSE(got[0].utf8);
    CU_ASSERT_TRUE(aw_span_equal(got[1].realm, aw_span("c")));
    CU_ASSERT_EQUAL(got[1].algorithm.hash, AW_ALG_MD5);
    CU_ASSERT_EQUAL(got[1].qops, AUTH | AUTH_INT);
    CU_ASSERT_TRUE(got[1].stale);
}

static void what_is_not_known_is_skipped(void)
{
    aw_challenge_t got[4];

    CU_ASSERT_EQUAL(parse(got, 4, ""), 0);
    CU_ASSERT_EQUAL(parse(got, 4, "Basic realm=\"a\""), 0);
    CU_ASSERT_EQUAL(parse(got, 4, "Digest realm=\"a\", nonce=\"1\", algorithm=SHA3-256"), 0);
    CU_ASSERT_EQUAL(parse(got, 4, "Digest realm=\"a\", nonce=\"1\", qop=\"auth-conf\""), 0);
    CU_ASSERT_EQUAL_FATAL(
        parse(got, 4,
              "Digest realm=\"a\", nonce=\"1\", algorithm=X, "
              "Digest realm=\"b\", nonce=\"2\", qop=\"auth-conf,auth\", x=y, x=y"),
        1);
    CU_ASSERT_TRUE(aw_span_equal(got[0].realm, aw_span("b")));
    CU_ASSERT_EQUAL(got[0].qops, AUTH);
    CU_ASSERT_EQUAL(parse(got, 4, "Digest realm=\"a\", nonce=\"1\", stale=no, userhash=\"\""), 1);
    CU_ASSERT_EQUAL(got[0].qops, 0);
    CU_ASSERT_FALSE(got[0].stale);
    CU_ASSERT_FALSE(got[0].userhash);
}

static void no_more_are_filled_than_asked_for(void)
{
    aw_challenge_t got[2];

    got[1].qops = 77;
    CU_ASSERT_EQUAL(parse(got, 1, "Digest realm=a, nonce=1, Digest realm=b, nonce=2"), 1);
    CU_ASSERT_TRUE(aw_span_equal(got[0].realm, aw_span("a")));
    CU_ASSERT_EQUAL(got[1].qops, 77);
    CU_ASSERT_EQUAL(parse(got, 0, "Digest realm=a, nonce=1"), 0);
}

static void malformed_fields_are_refused_whole(void)
{
    static const char *const fields[] = {"Digest",
                                         "Digest realm=\"a\"",
                                         "Digest nonce=\"a\"",
                                         "Digest realm=",
                                         "Digest realm=\"a\", nonce=\"b",
                                         "Digest realm=\"a\", nonce=\"b\", nonce=\"c\"",
                                         "Digest realm=\"a\", Digest realm=\"a\", nonce=\"b\"",
                                         "Digest realm=\"a\", nonce=\"b\" Basic",
                                         "Digest realm=\"a\", nonce=\"b\", Basic \"",
                                         "Digest YII="};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        aw_challenge_t got[4];
        const aw_span_t field = unit_guard(fields[i], strlen(fields[i]));
        CU_ASSERT_EQUAL(aw_challenges_parse(got, 4, field, scratch), -1);
        unit_guard_free(field);
    }
}

/* --- properties --- */

static const char *const seeds[] = {
    "Negotiate YII=, Digest realm=\"a\\\"\", nonce=\"1\", qop=\"auth,auth-int\", "
    "algorithm=SHA-256-sess, stale=true, userhash=true, charset=UTF-8, Basic realm=\"b\"",
    "Digest realm=\"\\\\c\", nonce=\"\\2\", domain=\"/a /b\", opaque=\"\\\"\", Digest realm=a, "
    "nonce=b"};

/* False when the count or a span is impossible. */
static bool holds(aw_span_t guard, aw_span_t guard2, const char *text, size_t n)
{
    const aw_span_t field = {unit_tail(guard, text, n), n};
    const char *room = unit_tail(guard2, text, n);
    aw_challenge_t got[3];
    const int count = aw_challenges_parse(got, 3, field, (char *)(uintptr_t)room);

    if (count < -1 || count > 3) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        const aw_span_t all[] = {got[i].realm, got[i].nonce, got[i].domain, got[i].opaque};
        for (size_t k = 0; k < 4; k++) {
            if (all[k].len == 0) {
                continue; /* and ptr may be NULL */
            }
            const char *end = all[k].ptr + all[k].len;
            if (!(all[k].ptr >= field.ptr && end <= field.ptr + n) &&
                !(all[k].ptr >= room && end <= room + n)) {
                return false;
            }
        }
    }
    return true;
}

static void every_truncation_stays_inside_its_field(void)
{
    const aw_span_t guard = unit_tail_create(), guard2 = unit_tail_create();

    for (size_t i = 0; i < 2; i++) {
        for (size_t n = 0; n <= strlen(seeds[i]); n++) {
            CU_ASSERT_TRUE(holds(guard, guard2, seeds[i], n));
        }
    }
    unit_guard_free(guard);
    unit_guard_free(guard2);
}

static void a_hundred_thousand_mutations_stay_inside_their_field(void)
{
    const aw_span_t guard = unit_tail_create(), guard2 = unit_tail_create();
    uint64_t state = 9110;
    unsigned wrong = 0;

    for (unsigned round = 0; round < 100000; round++) {
        char text[1024];
        size_t n = strlen(seeds[round % 2]);
        memcpy(text, seeds[round % 2], n);
        n = unit_mutate(text, n, sizeof(text), &state);
        wrong += !holds(guard, guard2, text, n);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    unit_guard_free(guard);
    unit_guard_free(guard2);
}

static const unit_test_t tests[] = {
    {"a challenge is written as RFC 7616 says", a_challenge_is_written_as_rfc_7616_says},
    {"what is written is read back", what_is_written_is_read_back},
    {"several schemes in one field are told apart", several_schemes_in_one_field_are_told_apart},
    {"what is not known is skipped", what_is_not_known_is_skipped},
    {"no more are filled than asked for", no_more_are_filled_than_asked_for},
    {"malformed fields are refused whole", malformed_fields_are_refused_whole},
    {"every truncation stays inside its field", every_truncation_stays_inside_its_field},
    {"a hundred thousand mutations stay inside their field",
     a_hundred_thousand_mutations_stay_inside_their_field},
    {NULL, NULL}};

const unit_suite_t challenge_suite = {"challenge", tests};
