/* Tests of the client's half: what it builds is what RFC 7616 shows, and the verifier takes it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <apr_pools.h>
#include <stdlib.h>

#include "digest/respond.h"
#include "digest/verify.h"

static apr_pool_t *pool_create(void)
{
    apr_pool_t *p = NULL;

    if (apr_pool_create(&p, NULL) != APR_SUCCESS) {
        abort();
    }
    return p;
}

static const aw_challenge_t rfc = {.realm = {"http-auth@example.org", 21},
                                   .nonce = {"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", 44},
                                   .opaque = {"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", 44},
                                   .algorithm = {AW_ALG_SHA256, false},
                                   .qops = AW_QOP_BIT(AW_QOP_AUTH) | AW_QOP_BIT(AW_QOP_AUTH_INT)};

static const aw_respond_t mufasa = {.user = {"Mufasa", 6},
                                    .password = {"Circle of Life", 14},
                                    .method = {"GET", 3},
                                    .uri = {"/dir/index.html", 15},
                                    .cnonce = {"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", 44},
                                    .nc = 1};

static void the_example_of_rfc_7616_comes_out(void)
{
    apr_pool_t *p = pool_create();
    const char *text = NULL;

    CU_ASSERT_EQUAL_FATAL(aw_digest_respond(&text, &rfc, &mufasa, p), APR_SUCCESS);
    CU_ASSERT_STRING_EQUAL(
        text, "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", "
              "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", uri=\"/dir/index.html\", "
              "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\", "
              "algorithm=SHA-256, qop=auth, nc=00000001, "
              "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", "
              "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"");
    apr_pool_destroy(p);
}

static void the_example_with_userhash_and_username_ext_comes_out(void)
{
    aw_challenge_t challenge = {.realm = AW_SPAN_LIT("api@example.org"),
                                .nonce =
                                    AW_SPAN_LIT("5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK"),
                                .algorithm = {AW_ALG_SHA512_256, false},
                                .qops = AW_QOP_BIT(AW_QOP_AUTH),
                                .userhash = true};
    const aw_respond_t request = {.user = AW_SPAN_LIT("J\xc3\xa4s\xc3\xb8n Doe"),
                                  .password = AW_SPAN_LIT("Secret, or not?"),
                                  .method = AW_SPAN_LIT("GET"),
                                  .uri = AW_SPAN_LIT("/doe.json"),
                                  .cnonce =
                                      AW_SPAN_LIT("NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"),
                                  .nc = 1};
    const char *response = "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5";
    apr_pool_t *p = pool_create();
    const char *text = NULL;

    CU_ASSERT_EQUAL_FATAL(aw_digest_respond(&text, &challenge, &request, p), APR_SUCCESS);
    CU_ASSERT_PTR_NOT_NULL(strstr(
        text, "username=\"793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, ", userhash=true"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, response));
    challenge.userhash = false;
    CU_ASSERT_EQUAL_FATAL(aw_digest_respond(&text, &challenge, &request, p), APR_SUCCESS);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Digest username*=UTF-8''J%c3%a4s%c3%b8n%20Doe, realm"));
    CU_ASSERT_PTR_NULL(strstr(text, "userhash"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, response));
    apr_pool_destroy(p);
}

static void the_a1_value_serves_instead_of_the_password(void)
{
    apr_pool_t *p = pool_create();
    aw_respond_t request = mufasa;
    const char *text = NULL;
    unsigned char a1[AW_HASH_MAX];

    CU_ASSERT_EQUAL(aw_digest_a1(AW_ALG_SHA256, mufasa.user, rfc.realm, mufasa.password, a1),
                    APR_SUCCESS);
    request.a1 = a1;
    request.password = AW_SPAN_LIT("wrong");
    CU_ASSERT_EQUAL_FATAL(aw_digest_respond(&text, &rfc, &request, p), APR_SUCCESS);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"));
    apr_pool_destroy(p);
}

static void what_cannot_be_sent_is_refused(void)
{
    apr_pool_t *p = pool_create();
    const char *text = "untouched";
    aw_challenge_t challenge = rfc;
    aw_respond_t request;

#define REFUSED(field, value)                                                                      \
    request = mufasa;                                                                              \
    request.field = value;                                                                         \
    CU_ASSERT_EQUAL(aw_digest_respond(&text, &challenge, &request, p), APR_EINVAL)
    REFUSED(nc, 0);
    REFUSED(cnonce, AW_SPAN_LIT(""));
    REFUSED(cnonce, AW_SPAN_LIT("a\"b"));
    REFUSED(cnonce, AW_SPAN_LIT("a\\b"));
    REFUSED(method, AW_SPAN_LIT(""));
    REFUSED(uri, AW_SPAN_LIT("/\r\nX: y"));
    REFUSED(user, AW_SPAN_LIT("a\nb"));
    REFUSED(user, AW_SPAN_LIT("J\xe4s"));
    challenge.realm = AW_SPAN_LIT("a\nb");
    REFUSED(nc, 1);
    challenge = rfc;
    challenge.qops = AW_QOP_BIT(AW_QOP_AUTH);
    REFUSED(qop, AW_QOP_AUTH_INT);
    challenge.qops = 0;
    REFUSED(qop, AW_QOP_AUTH);
#undef REFUSED
    CU_ASSERT_STRING_EQUAL(text, "untouched");
    apr_pool_destroy(p);
}

static void a_server_without_qop_is_answered_as_in_rfc_2069(void)
{
    apr_pool_t *p = pool_create();
    aw_challenge_t challenge = {.realm = AW_SPAN_LIT("testrealm@host.com"),
                                .nonce = AW_SPAN_LIT("dcd98b7102dd2f0e8b11d0f600bfb0c093"),
                                .algorithm = {AW_ALG_MD5, false}};
    aw_respond_t request = mufasa;
    const char *text = NULL;

    request.password = AW_SPAN_LIT("CircleOfLife");
    CU_ASSERT_EQUAL_FATAL(aw_digest_respond(&text, &challenge, &request, p), APR_SUCCESS);
    /* The response of RFC 2069 section 2.4 as its errata give it. */
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "response=\"1949323746fe6a43ef61f9606e7febea\""));
    CU_ASSERT_PTR_NULL(strstr(text, "qop="));
    CU_ASSERT_PTR_NULL(strstr(text, "nc="));
    CU_ASSERT_PTR_NULL(strstr(text, "cnonce="));
    apr_pool_destroy(p);
}

static void the_strongest_challenge_is_picked_first_among_equals(void)
{
    aw_challenge_t all[4] = {rfc, rfc, rfc, rfc};

    CU_ASSERT_EQUAL(aw_challenges_pick(all, 0), -1);
    CU_ASSERT_EQUAL(aw_challenges_pick(all, 4), 0);
    all[0].algorithm.hash = AW_ALG_MD5;
    CU_ASSERT_EQUAL(aw_challenges_pick(all, 4), 1);
    all[3].algorithm.hash = AW_ALG_SHA512_256;
    CU_ASSERT_EQUAL(aw_challenges_pick(all, 4), 3);
    CU_ASSERT_EQUAL(aw_challenges_pick(all, 1), 0);
}

/* --- round trips --- */

/* One user, known by name and by userhash. */
typedef struct user_t {
    aw_span_t name, realm, password, body;
} user_t;

static apr_status_t look_up(void *baton, aw_alg_e alg, aw_span_t realm, aw_span_t user,
                            bool userhash, aw_a1_found_t *found)
{
    const user_t *one = baton;
    unsigned char hash[AW_HASH_MAX];
    char hex[AW_HASH_HEX_MAX];
    aw_span_t wanted = one->name;

    if (userhash) {
        aw_digest_userhash(alg, one->name, realm, hash);
        aw_hex_encode(hex, hash, aw_alg_size(alg));
        wanted = (aw_span_t){hex, 2 * aw_alg_size(alg)};
    }
    if (!aw_span_equal(user, wanted)) {
        return APR_NOTFOUND;
    }
    found->user = one->name;
    return aw_digest_a1(alg, one->name, realm, one->password, found->a1);
}

static apr_status_t hash_body(void *baton, aw_alg_e alg, unsigned char *out)
{
    return aw_hash(alg, &((const user_t *)baton)->body, 1, out);
}

static void round_trip(aw_algorithm_t algorithm, aw_qop_e qop, bool userhash, user_t *user,
                       apr_pool_t *p)
{
    static const aw_keyring_t keys = {.count = 1, .keys = {{1, {1, 2, 3}}}};
    static const unsigned char random[AW_NONCE_RANDOM] = {9};
    const apr_time_t now = apr_time_from_sec(1700000000);
    const aw_digest_policy_t policy = {.realm = user->realm,
                                       .algorithms = &algorithm,
                                       .algorithms_count = 1,
                                       .qops = AW_QOP_BIT(qop),
                                       .userhash = userhash,
                                       .nonce_lifetime = apr_time_from_sec(60),
                                       .keys = &keys,
                                       .lookup = look_up,
                                       .body_hash = hash_body};
    char nonce[AW_NONCE_LEN], built[2048], room[2048], scratch[2048];
    aw_challenge_t challenge = {.realm = user->realm,
                                .nonce = {nonce, AW_NONCE_LEN},
                                .opaque = AW_SPAN_LIT("o\"p"),
                                .algorithm = algorithm,
                                .qops = AW_QOP_BIT(qop),
                                .userhash = userhash,
                                .utf8 = true};
    const aw_respond_t request = {.user = user->name,
                                  .password = user->password,
                                  .method = AW_SPAN_LIT("POST"),
                                  .uri = AW_SPAN_LIT("/a\"b?c=d%20e"),
                                  .cnonce = AW_SPAN_LIT("cn once"),
                                  .nc = 0xabc,
                                  .body = user->body};
    aw_digest_result_t result;
    const char *text = NULL;

    CU_ASSERT_EQUAL_FATAL(aw_nonce_mint(&keys, user->realm, now, 1, random, nonce), APR_SUCCESS);
    const aw_span_t field = {built, aw_challenge_build(built, &challenge)};
    CU_ASSERT_EQUAL_FATAL(aw_challenges_parse(&challenge, 1, field, room), 1);
    CU_ASSERT_EQUAL_FATAL(aw_digest_respond(&text, &challenge, &request, p), APR_SUCCESS);
    aw_digest_request_t incoming = {.field = aw_span(text),
                                    .method = request.method,
                                    .target = request.uri,
                                    .scratch = scratch,
                                    .now = now + 1,
                                    .want_rspauth = true,
                                    .lookup_baton = user,
                                    .body_baton = user};
    CU_ASSERT_EQUAL(aw_digest_verify(&result, &policy, &incoming), AW_VERDICT_OK);
    CU_ASSERT_TRUE(aw_span_equal(result.user, user->name));
    CU_ASSERT_EQUAL(result.has_rspauth, qop == AW_QOP_AUTH);
    incoming.method = AW_SPAN_LIT("GET");
    CU_ASSERT_EQUAL(aw_digest_verify(&result, &policy, &incoming), AW_VERDICT_WRONG_RESPONSE);
    incoming.method = request.method;
    user->body = AW_SPAN_LIT("another body");
    CU_ASSERT_EQUAL(aw_digest_verify(&result, &policy, &incoming),
                    qop == AW_QOP_AUTH ? AW_VERDICT_OK : AW_VERDICT_WRONG_RESPONSE);
}

static void the_verifier_takes_what_respond_builds(void)
{
    static const char *const names[] = {
        "Mufasa", "a\"b\\c",         "J\xc3\xa4s\xc3\xb8n Doe", "\xe7\x8e\x8b\\\"'%*",
        " ",      "x@y, realm=\"z\""};
    apr_pool_t *p = pool_create();

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (unsigned k = 0; k < AW_ALG_COUNT * 8u; k++) {
            const aw_algorithm_t algorithm = {(aw_alg_e)(k / 8), (k & 1) != 0};
            user_t user = {aw_span(names[i]), AW_SPAN_LIT("r\\e\"alm \xc3\xa4"),
                           AW_SPAN_LIT("p:\"w\xff"), AW_SPAN_LIT("body")};
            round_trip(algorithm, k & 2 ? AW_QOP_AUTH : AW_QOP_AUTH_INT, (k & 4) != 0, &user, p);
            apr_pool_clear(p);
        }
    }
    apr_pool_destroy(p);
}

static const unit_test_t tests[] = {
    {"the example of RFC 7616 comes out", the_example_of_rfc_7616_comes_out},
    {"the example with userhash and username* comes out",
     the_example_with_userhash_and_username_ext_comes_out},
    {"the A1 value serves instead of the password", the_a1_value_serves_instead_of_the_password},
    {"what cannot be sent is refused", what_cannot_be_sent_is_refused},
    {"a server without qop is answered as in RFC 2069",
     a_server_without_qop_is_answered_as_in_rfc_2069},
    {"the strongest challenge is picked, first among equals",
     the_strongest_challenge_is_picked_first_among_equals},
    {"the verifier takes what respond builds", the_verifier_takes_what_respond_builds},
    {NULL, NULL}};

const unit_suite_t respond_suite = {"respond", tests};
