/* Tests of the credentials parsers: what is taken, and each reason to refuse.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <stdlib.h>

#include "digest/credentials.h"
#include "mutate.h"

#define RESPONSE "6629fae49393a05397450978507c4ef1"
#define R64      RESPONSE RESPONSE
#define N        "Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"/\""
#define Q        ", qop=auth, nc=00000001, cnonce=\"c\""
#define OK       N ", response=\"" RESPONSE "\""

static char scratch[70000];

static aw_credentials_e parse(aw_credentials_t *out, const char **why, const char *field)
{
    const aw_span_t text = unit_guard(field, strlen(field));
    aw_credentials_t got;

    *why = NULL;
    const aw_credentials_e verdict = aw_credentials_parse(&got, why, text, scratch);
    /* The spans point into the guarded copy, which goes: only for what has no spans to check. */
    if (out != NULL) {
        *out = got;
    }
    unit_guard_free(text);
    return verdict;
}

static void all_fields_of_a_full_header_are_taken(void)
{
    static const char field[] =
        "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", "
        "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", qop=auth, "
        "nc=0000a0F1, cnonce=\"0a4f113b\", response=\"" RESPONSE "\", "
        "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\", unheard-of=\"x\"";
    aw_credentials_t c;
    const char *why;

    CU_ASSERT_EQUAL_FATAL(aw_credentials_parse(&c, &why, aw_span(field), scratch),
                          AW_CREDENTIALS_OK);
    CU_ASSERT_TRUE(aw_span_equal(c.username, aw_span("Mufasa")));
    CU_ASSERT_TRUE(aw_span_equal(c.realm, aw_span("testrealm@host.com")));
    CU_ASSERT_TRUE(aw_span_equal(c.nonce, aw_span("dcd98b7102dd2f0e8b11d0f600bfb0c093")));
    CU_ASSERT_TRUE(aw_span_equal(c.uri, aw_span("/dir/index.html")));
    CU_ASSERT_TRUE(aw_span_equal(c.cnonce, aw_span("0a4f113b")));
    CU_ASSERT_TRUE(aw_span_equal(c.nc_text, aw_span("0000a0F1")));
    CU_ASSERT_TRUE(aw_span_equal(c.opaque, aw_span("5ccc069c403ebaf9f0171e9517f40e41")));
    CU_ASSERT_EQUAL(memcmp(c.response, "\x66\x29\xfa\xe4", 4), 0);
    CU_ASSERT_EQUAL(c.nc, 0xa0f1);
    CU_ASSERT_EQUAL(c.algorithm.hash, AW_ALG_MD5);
    CU_ASSERT_FALSE(c.algorithm.sess);
    CU_ASSERT_EQUAL(c.qop, AW_QOP_AUTH);
    CU_ASSERT_FALSE(c.userhash);
}

static void algorithm_qop_and_userhash_are_taken_quoted_or_not(void)
{
    static const char *const fields[] = {
        N ", response=\"" R64 "\", algorithm=SHA-256-sess, qop=auth-int, nc=00000001, "
          "cnonce=\"c\", userhash=true",
        N ", RESPONSE=" R64 ", Algorithm=\"sha-256-SESS\", QOP=\"Auth-Int\", nc=\"00000001\", "
          "cnonce=c, userhash=\"TRUE\""};

    for (size_t i = 0; i < 2; i++) {
        aw_credentials_t c;
        const char *why;
        CU_ASSERT_EQUAL_FATAL(parse(&c, &why, fields[i]), AW_CREDENTIALS_OK);
        CU_ASSERT_EQUAL(c.algorithm.hash, AW_ALG_SHA256);
        CU_ASSERT_TRUE(c.algorithm.sess);
        CU_ASSERT_EQUAL(c.qop, AW_QOP_AUTH_INT);
        CU_ASSERT_TRUE(c.userhash);
        CU_ASSERT_EQUAL(c.nc, 1);
    }
}

static void escapes_are_taken_out_into_scratch(void)
{
    static const char field[] =
        "Digest username=\"a\\\"\\\\b\", realm=\"r\\r\", nonce=\"n\\n\", uri=\"/\\\"\", "
        "cnonce=\"\\c\", opaque=\"\\\\\", qop=auth, nc=00000001, response=\"" RESPONSE "\"";
    const aw_span_t room = unit_guard(field, sizeof(field) - 1);
    aw_credentials_t c;
    const char *why;

    CU_ASSERT_EQUAL_FATAL(
        aw_credentials_parse(&c, &why, aw_span(field), (char *)(uintptr_t)room.ptr),
        AW_CREDENTIALS_OK);
    CU_ASSERT_TRUE(aw_span_equal(c.username, aw_span("a\"\\b")));
    CU_ASSERT_TRUE(aw_span_equal(c.realm, aw_span("rr")));
    CU_ASSERT_TRUE(aw_span_equal(c.nonce, aw_span("nn")));
    CU_ASSERT_TRUE(aw_span_equal(c.uri, aw_span("/\"")));
    CU_ASSERT_TRUE(aw_span_equal(c.cnonce, aw_span("c")));
    CU_ASSERT_TRUE(aw_span_equal(c.opaque, aw_span("\\")));
    unit_guard_free(room);
}

static void an_extended_user_name_is_decoded(void)
{
    static const char field[] = "Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, realm=\"r\", "
                                "nonce=\"n\", uri=\"/\", userhash=false, response=" RESPONSE;
    aw_credentials_t c;
    const char *why;

    CU_ASSERT_EQUAL_FATAL(aw_credentials_parse(&c, &why, aw_span(field), scratch),
                          AW_CREDENTIALS_OK);
    CU_ASSERT_TRUE(aw_span_equal(c.username, aw_span("J\xc3\xa4s\xc3\xb8n Doe")));
    CU_ASSERT_EQUAL(c.qop, AW_QOP_NONE);
    CU_ASSERT_EQUAL(c.nc_text.len, 0);
    CU_ASSERT_EQUAL(c.cnonce.len, 0);
}

static void other_schemes_are_somebody_elses(void)
{
    static const char *const fields[] = {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Negotiate",
                                         "Bearer abc", "Digestive a=b"};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const char *why;
        CU_ASSERT_EQUAL(parse(NULL, &why, fields[i]), AW_CREDENTIALS_OTHER_SCHEME);
    }
}

static void each_malformed_field_is_refused_with_its_reason(void)
{
    static const struct {
        const char *field, *why;
    } vectors[] = {
        {"", "no scheme"},
        {" ", "no scheme"},
        {"=", "no scheme"},
        {"Digest", "username missing"},
        {"Digest ", "username missing"},
        {"Digest key=", "parameters expected"},
        {"Digest key", "parameters expected"},
        {"Digest abc==", "parameters expected"},
        {OK ", key=", "broken grammar"},
        {OK ", key", "broken grammar"},
        {OK ", key=\"", "broken grammar"},
        {OK " x", "broken grammar"},
        {OK ", Basic YTpi", "broken grammar"},
        {OK ", realm=\"r\"", "a parameter stands twice"},
        {OK ", NONCE=\"x\"", "a parameter stands twice"},
        {"Digest realm=\"r\", nonce=\"n\", uri=\"/\", response=\"" RESPONSE "\"",
         "username missing"},
        {"Digest username=\"u\", nonce=\"n\", uri=\"/\", response=\"" RESPONSE "\"",
         "realm missing"},
        {"Digest username=\"u\", realm=\"r\", uri=\"/\", response=\"" RESPONSE "\"",
         "nonce missing"},
        {"Digest username=\"u\", realm=\"r\", nonce=\"n\", response=\"" RESPONSE "\"",
         "uri missing"},
        {N, "response missing"},
        {OK ", username*=UTF-8''u", "username and username* together"},
        {"Digest username*=UTF-8''u, realm=\"r\", nonce=\"n\", uri=\"/\", userhash=true, "
         "response=\"" RESPONSE "\"",
         "username* with userhash"},
        {"Digest username*=\"UTF-8''u\"", "username* is not UTF-8''percent-encoded"},
        {"Digest username*=ISO-8859-1''u", "username* is not UTF-8''percent-encoded"},
        {"Digest username*=UTF-8''%E4", "username* is not UTF-8''percent-encoded"},
        {OK ", userhash=maybe", "userhash is neither true nor false"},
        {"Digest username=\"J\xe4s\", realm=\"r\"", "username is not plain UTF-8 text"},
        {"Digest username=\"a\tb\", realm=\"r\"", "username is not plain UTF-8 text"},
        {"Digest username*=UTF-8''a%0Ab, realm=\"r\"", "username is not plain UTF-8 text"},
        {"Digest username*=UTF-8''a%00, realm=\"r\"", "username is not plain UTF-8 text"},
        {"Digest username=\"\xc2\x85\", realm=\"r\"", "username is not plain UTF-8 text"},
        {"Digest username=\"u\", realm=\"\xff\"", "realm is not plain UTF-8 text"},
        {OK ", algorithm=SHA256", "unknown algorithm"},
        {OK ", algorithm=\"\"", "unknown algorithm"},
        {OK ", qop=auth-conf, nc=00000001, cnonce=\"c\"", "unknown qop"},
        {OK ", qop=\"auth,auth-int\", nc=00000001, cnonce=\"c\"", "unknown qop"},
        {OK ", qop=\"\", nc=00000001, cnonce=\"c\"", "unknown qop"},
        {OK ", qop=auth", "qop without nc and cnonce"},
        {OK ", qop=auth, nc=00000001", "qop without nc and cnonce"},
        {OK ", qop=auth, cnonce=\"c\"", "qop without nc and cnonce"},
        {OK ", nc=00000001", "nc or cnonce without qop"},
        {OK ", cnonce=\"c\"", "nc or cnonce without qop"},
        {OK ", algorithm=MD5-sess", "-sess without cnonce"},
        {OK ", algorithm=MD5-sess, qop=auth, nc=00000001", "qop without nc and cnonce"},
        {OK ", qop=auth, cnonce=\"c\", nc=0000001", "nc is not 8 hex digits"},
        {OK ", qop=auth, cnonce=\"c\", nc=000000001", "nc is not 8 hex digits"},
        {OK ", qop=auth, cnonce=\"c\", nc=0000000g", "nc is not 8 hex digits"},
        {OK ", qop=auth, cnonce=\"c\", nc=\"\"", "nc is not 8 hex digits"},
        {OK ", qop=auth, cnonce=\"c\", nc=+0000001", "nc is not 8 hex digits"},
        {N ", response=\"\"", "response is not as many hex digits as the algorithm's"},
        {N ", response=\"6629fae49393a05397450978507c4ef\"",
         "response is not as many hex digits as the algorithm's"},
        {N ", response=\"" R64 "\"", "response is not as many hex digits as the algorithm's"},
        {N ", response=\"6629fae49393a05397450978507c4efg\"",
         "response is not as many hex digits as the algorithm's"},
        {OK ", algorithm=SHA-256", "response is not as many hex digits as the algorithm's"}};

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const char *why;
        CU_ASSERT_EQUAL(parse(NULL, &why, vectors[i].field), AW_CREDENTIALS_MALFORMED);
        CU_ASSERT_STRING_EQUAL(why == NULL ? vectors[i].field : why, vectors[i].why);
    }
}

/* A header whose parameter `name` has a value of `n` bytes. */
static aw_credentials_e parse_long(const char *before, const char *behind, size_t n,
                                   const char **why)
{
    static char field[60000];
    char *at = field;

    memcpy(at, before, strlen(before));
    at += strlen(before);
    memset(at, 'x', n);
    at += n;
    memcpy(at, behind, strlen(behind) + 1);
    return parse(NULL, why, field);
}

static void values_are_bounded(void)
{
    static const struct {
        const char *before, *behind;
    } vectors[] = {
        {"Digest username=\"", "\", realm=\"r\", nonce=\"n\", uri=\"/\", response=" RESPONSE},
        {"Digest username=\"u\", realm=\"", "\", nonce=\"n\", uri=\"/\", response=" RESPONSE},
        {"Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"", "\", response=" RESPONSE},
        {OK ", qop=auth, nc=00000001, cnonce=\"", "\""}};

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const char *why;
        const char *before = vectors[i].before, *behind = vectors[i].behind;
        CU_ASSERT_EQUAL(parse_long(before, behind, AW_CREDENTIALS_VALUE_MAX, &why),
                        AW_CREDENTIALS_OK);
        CU_ASSERT_EQUAL(parse_long(before, behind, AW_CREDENTIALS_VALUE_MAX + 1, &why),
                        AW_CREDENTIALS_MALFORMED);
        CU_ASSERT_STRING_EQUAL(why, "a value is too long");
        CU_ASSERT_EQUAL(parse_long(before, behind, 50000, &why), AW_CREDENTIALS_MALFORMED);
    }
}

/* --- properties --- */

static const char *const seeds[] = {
    OK, OK Q ", opaque=\"o\\\"\"",
    N ", response=\"" R64 "\", algorithm=SHA-256-sess, userhash=true" Q,
    "Digest username*=UTF-8'en'J%C3%A4s%C3%B8n%20Doe, realm=\"\\\\r\", nonce=\"n\", uri=\"/\", "
    "response=" RESPONSE Q,
    "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="};

#define SEEDS (sizeof(seeds) / sizeof(seeds[0]))

static bool inside(aw_span_t part, const char *start, size_t n)
{
    return part.len == 0 || (part.ptr >= start && part.ptr + part.len <= start + n);
}

/* Parses input and scratch that each end at an inaccessible page; false when what is said to be
 * right is not. */
static bool holds(aw_span_t guard, aw_span_t guard2, const char *text, size_t n)
{
    const aw_span_t field = {unit_tail(guard, text, n), n};
    char *room = unit_tail(guard2, text, n);
    aw_credentials_t c;
    aw_span_t user, password;
    const char *why = NULL;

    if (aw_basic_parse(&user, &password, &why, field, room) == AW_CREDENTIALS_OK &&
        !(inside(user, room, n) && inside(password, room, n))) {
        return false;
    }
    why = NULL;
    switch (aw_credentials_parse(&c, &why, field, room)) {
    case AW_CREDENTIALS_MALFORMED:
        return why != NULL;
    case AW_CREDENTIALS_OTHER_SCHEME:
        return why == NULL;
    case AW_CREDENTIALS_OK:
        break;
    }
    const aw_span_t all[] = {c.username, c.realm, c.nonce, c.uri, c.cnonce, c.nc_text, c.opaque};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (!inside(all[i], field.ptr, n) && !inside(all[i], room, n)) {
            return false;
        }
    }
    return c.algorithm.hash < AW_ALG_COUNT &&
           (c.qop == AW_QOP_NONE ? c.nc_text.len == 0 : c.nc_text.len == 8);
}

static void every_truncation_stays_inside_its_field(void)
{
    const aw_span_t guard = unit_tail_create(), guard2 = unit_tail_create();

    for (size_t i = 0; i < SEEDS; i++) {
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
    uint64_t state = 7616;
    unsigned wrong = 0;

    for (unsigned round = 0; round < 100000; round++) {
        const char *seed = seeds[round % SEEDS];
        char text[1024];
        size_t n = strlen(seed);
        memcpy(text, seed, n);
        n = unit_mutate(text, n, sizeof(text), &state);
        wrong += !holds(guard, guard2, text, n);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    unit_guard_free(guard);
    unit_guard_free(guard2);
}

static void basic_credentials_are_divided_at_the_first_colon(void)
{
    static const struct {
        const char *field, *user, *password;
    } vectors[] = {{"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"},
                   {"bAsIc  dGVzdDoxMjPCow== ", "test", "123\xc2\xa3"},
                   {"Basic YTpiOmM=", "a", "b:c"},
                   {"Basic Og==", "", ""},
                   {"Basic YTo=", "a", ""}};

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        aw_span_t user, password;
        const char *why;
        CU_ASSERT_EQUAL_FATAL(
            aw_basic_parse(&user, &password, &why, aw_span(vectors[i].field), scratch),
            AW_CREDENTIALS_OK);
        CU_ASSERT_TRUE(aw_span_equal(user, aw_span(vectors[i].user)));
        CU_ASSERT_TRUE(aw_span_equal(password, aw_span(vectors[i].password)));
    }
}

static void malformed_basic_credentials_are_refused_with_the_reason(void)
{
    static const struct {
        const char *field, *why;
    } vectors[] = {{"", "no scheme"},
                   {"Basic", "not one base64 word"},
                   {"Basic ", "not one base64 word"},
                   {"Basic YTpi YTpi", "not one base64 word"},
                   {"Basic YTpi, a=b", "not one base64 word"},
                   {"Basic a=\"b\"", "not one base64 word"},
                   {"Basic YTp", "broken base64"},
                   {"Basic YTo", "broken base64"},
                   {"Basic YTp-", "broken base64"},
                   {"Basic YT==", "broken base64"},
                   {"Basic \xff\xff\xff\xff", "not one base64 word"},
                   {"Basic YWJj", "no colon"},
                   {"Basic YQA6Yg==", "a control character"},
                   {"Basic YTpiCg==", "a control character"}};

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        aw_span_t user, password;
        const char *why = "none";
        const aw_span_t field = unit_guard(vectors[i].field, strlen(vectors[i].field));
        CU_ASSERT_EQUAL(aw_basic_parse(&user, &password, &why, field, scratch),
                        AW_CREDENTIALS_MALFORMED);
        CU_ASSERT_STRING_EQUAL(why, vectors[i].why);
        unit_guard_free(field);
    }
    aw_span_t user, password;
    const char *why;
    CU_ASSERT_EQUAL(aw_basic_parse(&user, &password, &why, aw_span(OK), scratch),
                    AW_CREDENTIALS_OTHER_SCHEME);
}

static const unit_test_t tests[] = {
    {"all fields of a full header are taken", all_fields_of_a_full_header_are_taken},
    {"algorithm, qop and userhash are taken quoted or not",
     algorithm_qop_and_userhash_are_taken_quoted_or_not},
    {"escapes are taken out into scratch", escapes_are_taken_out_into_scratch},
    {"an extended user name is decoded", an_extended_user_name_is_decoded},
    {"other schemes are somebody else's", other_schemes_are_somebody_elses},
    {"each malformed field is refused with its reason",
     each_malformed_field_is_refused_with_its_reason},
    {"values are bounded", values_are_bounded},
    {"every truncation stays inside its field", every_truncation_stays_inside_its_field},
    {"a hundred thousand mutations stay inside their field",
     a_hundred_thousand_mutations_stay_inside_their_field},
    {"Basic credentials are divided at the first colon",
     basic_credentials_are_divided_at_the_first_colon},
    {"malformed Basic credentials are refused with the reason",
     malformed_basic_credentials_are_refused_with_the_reason},
    {NULL, NULL}};

const unit_suite_t credentials_suite = {"credentials", tests};
