/* Tests of the computations against the RFCs' examples and an independent implementation.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include "digest/compute.h"

static bool is_hex(const unsigned char *hash, aw_alg_e alg, const char *expected)
{
    char hex[AW_HASH_HEX_MAX];

    aw_hex_encode(hex, hash, aw_alg_size(alg));
    return aw_span_equal((aw_span_t){hex, 2 * aw_alg_size(alg)}, aw_span(expected));
}

typedef struct example_t {
    aw_alg_e alg;
    const char *user, *realm, *password, *uri, *nonce, *cnonce, *response, *rspauth;
} example_t;

#define NONCE_7616  "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
#define CNONCE_7616 "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"

static const example_t examples[] = {
    {AW_ALG_MD5, "Mufasa", "testrealm@host.com", "Circle Of Life", "/dir/index.html",
     "dcd98b7102dd2f0e8b11d0f600bfb0c093", "0a4f113b", "6629fae49393a05397450978507c4ef1",
     "376602cfd2f4e8e5e78b948a85263e85"},
    {AW_ALG_MD5, "Mufasa", "http-auth@example.org", "Circle of Life", "/dir/index.html", NONCE_7616,
     CNONCE_7616, "8ca523f5e9506fed4657c9700eebdbec", "9b712497bc9f91499fbcca1dfc5f09a5"},
    {AW_ALG_SHA256, "Mufasa", "http-auth@example.org", "Circle of Life", "/dir/index.html",
     NONCE_7616, CNONCE_7616, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
     "86d3b25618d41854ca5039a5d7e53ff6355d5134a9b1fb088a78ac3c462195a0"},
    {AW_ALG_SHA512_256, "J\xc3\xa4s\xc3\xb8n Doe", "api@example.org", "Secret, or not?",
     "/doe.json", "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
     "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
     "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5",
     "2a14c644cc564038709393846dc914772273b178abe03a2fb02c9684116bbc2d"}};

static void the_examples_of_the_rfcs_come_out(void)
{
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        const example_t *e = &examples[i];
        unsigned char a1[AW_HASH_MAX], response[AW_HASH_MAX], rspauth[AW_HASH_MAX];
        const aw_digest_input_t in = {.algorithm = {e->alg, false},
                                      .qop = AW_QOP_AUTH,
                                      .method = AW_SPAN_LIT("GET"),
                                      .uri = aw_span(e->uri),
                                      .nonce = aw_span(e->nonce),
                                      .cnonce = aw_span(e->cnonce),
                                      .nc_text = AW_SPAN_LIT("00000001")};
        CU_ASSERT_EQUAL(
            aw_digest_a1(e->alg, aw_span(e->user), aw_span(e->realm), aw_span(e->password), a1),
            APR_SUCCESS);
        CU_ASSERT_EQUAL(aw_digest_response(&in, a1, response, rspauth), APR_SUCCESS);
        CU_ASSERT_TRUE(is_hex(response, e->alg, e->response));
        CU_ASSERT_TRUE(is_hex(rspauth, e->alg, e->rspauth));
        memset(response, 0, sizeof(response));
        CU_ASSERT_EQUAL(aw_digest_response(&in, a1, response, NULL), APR_SUCCESS);
        CU_ASSERT_TRUE(is_hex(response, e->alg, e->response));
    }
}

static void the_userhash_is_that_of_erratum_4897(void)
{
    unsigned char hash[AW_HASH_MAX];

    CU_ASSERT_EQUAL(aw_digest_userhash(AW_ALG_SHA512_256, aw_span("J\xc3\xa4s\xc3\xb8n Doe"),
                                       aw_span("api@example.org"), hash),
                    APR_SUCCESS);
    CU_ASSERT_TRUE(is_hex(hash, AW_ALG_SHA512_256,
                          "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"));
}

/* response and rspauth of POST /dir/index.html?a=b, nc 0000002a, cnonce f2/wE4q74E6z, user and
 * nonce of RFC 7616 3.9.1; request body name=value, answer body done and a newline. Made with
 * Python's hashlib. */
static const struct {
    aw_algorithm_t algorithm;
    aw_qop_e qop;
    const char *response, *rspauth;
} matrix[] = {{{AW_ALG_MD5, false},
               AW_QOP_AUTH,
               "89fa3d27a47ccc1e7bf7ed08909b8324",
               "da3c3e86686048b5c2819c8f2e71aa23"},
              {{AW_ALG_MD5, false},
               AW_QOP_AUTH_INT,
               "73b9d6d4f031b3ab991258bd723d99be",
               "4ae7a48b2810f193659b27655b118ef5"},
              {{AW_ALG_MD5, false},
               AW_QOP_NONE,
               "fce0d0cc10ab1962ecd82709687a535f",
               "a977239450cb8ebe09e9cc15eb8f34b4"},
              {{AW_ALG_MD5, true},
               AW_QOP_AUTH,
               "74dd1bb32f29224d58139523c9018682",
               "da6472be23b65ca99df3b5ba979078a3"},
              {{AW_ALG_MD5, true},
               AW_QOP_AUTH_INT,
               "b6e8e2f256f6f25508e5ff3aece7fee3",
               "25fd689ae5c6bf592ca881be7d5e4f75"},
              {{AW_ALG_MD5, true},
               AW_QOP_NONE,
               "d5abf8095a1808f8cceae951875b5116",
               "3ccb725afac497523d7dbd2b34d14278"},
              {{AW_ALG_SHA, false},
               AW_QOP_AUTH,
               "f38f2a6295635d3907c4f210022d3802266d3df5",
               "21c3d13f6964b8c2c42a85c7f979cb6f8637b324"},
              {{AW_ALG_SHA, false},
               AW_QOP_AUTH_INT,
               "31339238eb4f2e5d0105180321901a9eed5c1518",
               "1b7332f02d199ca1ba829cc785da17b0b46f2e3d"},
              {{AW_ALG_SHA, false},
               AW_QOP_NONE,
               "289a00cf0978b2133b6eef9470470795004f720c",
               "66a4b98ae510c9e6f9194bb38ab12c86f362b723"},
              {{AW_ALG_SHA, true},
               AW_QOP_AUTH,
               "d0f9de7cf53f0c7774bfa48cacefbaf421ea9131",
               "4b2cc3c7803a6f53dc0c9794b6b074c473396e4b"},
              {{AW_ALG_SHA, true},
               AW_QOP_AUTH_INT,
               "e6a0395e53d230044309cb601909c0d30552cf7d",
               "5edb4ca9d7d4859715e099abbaf38ed1255efc0f"},
              {{AW_ALG_SHA, true},
               AW_QOP_NONE,
               "0416115845a5b6439825679dcdbc1541bb5b070d",
               "447d4fb9843847ea9f031dfb4d98fcd14438ea3c"},
              {{AW_ALG_SHA256, false},
               AW_QOP_AUTH,
               "e6a4e7de073fbd257281c8a8bc4deca3b885d1d8e16d0ef9009707bc38723ac6",
               "29202d04878f23a5d6c15beecd837f664bb64c65c844dca3d45ce3a8989b91c7"},
              {{AW_ALG_SHA256, false},
               AW_QOP_AUTH_INT,
               "d3009edc655918f8b1a6d75b5db385ab20292ab546c85061e5fe1c924afcc088",
               "8ecb95fa7e8020962b4e22228de4dd7290a42cd232c24dfe7788b5903cb97fcc"},
              {{AW_ALG_SHA256, false},
               AW_QOP_NONE,
               "4056769673779ba0c84e43b2763ef46e346af00f7ad445dbe3c820bb5e2dee03",
               "5e9f6d2430bee1dd1869943835bccab2fc42f780e3d400c199037f33cae8a615"},
              {{AW_ALG_SHA256, true},
               AW_QOP_AUTH,
               "280d0238337e69fb7e63a03b994875fc8eb6ac6d95d9d73196d28b8da5f1395c",
               "0e6e7ab4d187bde53926b63378475611a28cbf371c74e56e6f0befafaf653aa5"},
              {{AW_ALG_SHA256, true},
               AW_QOP_AUTH_INT,
               "e6135ee35ef959cafe7adf3cc663e068933b64f3d2adc4369187d80807cef107",
               "7731128f3dce54f7835a11b277cffc38c798e7292ffd20245ffc2d16b8bc91fd"},
              {{AW_ALG_SHA256, true},
               AW_QOP_NONE,
               "0106513bcf8f04e2bbecb7b4ac743688767fe92bc98ad8093ef2f55cb0725713",
               "124415df68d2a29560a9b3f8020b893726f8950c29bdc71a727d453fc8b73297"},
              {{AW_ALG_SHA512_256, false},
               AW_QOP_AUTH,
               "d3beed2691b5becdf131b0f1ac832a086c31462f568a63ae416f43d0f495627b",
               "538b361a2d4fdb0e12fc0a8b7f070e6010cc90c131044fea0e8edabcfffd11b9"},
              {{AW_ALG_SHA512_256, false},
               AW_QOP_AUTH_INT,
               "df1e1e32a9735bae7536f065553304121f34aaa7b27a7bff936301c36b126e18",
               "b6b436a0b3085f13a06a1150f84e57a7bf1400c80c46e3d59663a9b1043074ac"},
              {{AW_ALG_SHA512_256, false},
               AW_QOP_NONE,
               "f6e359001d1926d29a06524db097638232e39d8eeff78906b3d45064c528e175",
               "e2c51f8cb8c94bac49d634c748bfc0e43d3241bc1fd1405b0f5f0959f755e71f"},
              {{AW_ALG_SHA512_256, true},
               AW_QOP_AUTH,
               "9a8031a31926b04fa76511bd86b78311cb015e33527ee37838017a505bb8b9ba",
               "8488836c761d70dbfc91cb074320f17b265113d274dc0191af5e8a7fd7c95264"},
              {{AW_ALG_SHA512_256, true},
               AW_QOP_AUTH_INT,
               "3f7640ab0bd3b499fc61d6c254687f9eac0504894ae9c84476d249c03dfa5882",
               "f2dbcaed4bebfdc64ad8bff0cdc9171c6cc6b2fa78a26965813249d0bb29b508"},
              {{AW_ALG_SHA512_256, true},
               AW_QOP_NONE,
               "26a9dc795e47f94d409d1d079552e849fa3c6c90d84268bf2ef0531d7900c02e",
               "44fff08a6de8a24e909db8428a63e21e52b95241626e1add08a778aad8a18358"},
              {{AW_ALG_SHA384, false},
               AW_QOP_AUTH,
               "a28e9013522f7bce07c4eb9c778a7f43e25dd042ab49ad80ae46298e735cb2ff"
               "2e94da2d4b104c33a874100207b95ced",
               "4107e162686dfe78d2f4b01ef0ecff7786bee84613d230e56528a35d8e27004c"
               "37eed98abe19d98263ff7103a294f3a9"},
              {{AW_ALG_SHA384, false},
               AW_QOP_AUTH_INT,
               "33e800e509839589b7cd8b582f1df9f0964f88a533e59b03056e2a6de5264e62"
               "9586aef3a298f86e61e6a0b3b7c53643",
               "7ba93644152d01cbec306747b9a3ab225075d91dde40d99862030cd4d5fa64b8"
               "514103aa04de7cdd19e8654d7f0851bb"},
              {{AW_ALG_SHA384, false},
               AW_QOP_NONE,
               "7d33ee689eb2e7f8f5ccc8c6cee6ea945b1d5df1ad439d5e533d3fb7ecfa9d4e"
               "a61c38e2483e2ede490a806b98c174ed",
               "53a6e943b746737ab9238dd830b0457c6611567f4a99512ca4cab560d15ed4f9"
               "3ab86a6b03f1200cd389cff13981cb73"},
              {{AW_ALG_SHA384, true},
               AW_QOP_AUTH,
               "ba2830a4ec848a3df0a859e273f94076bb39b3370fabaf3c70b9d248cbc330fb"
               "538776b20ae087e3da9845361f3b9ba7",
               "1c2a82a7b6a518b37dd8eabdf7f726488a171f217a5a7e9c194054274cd921e0"
               "0d25e44fcd00f4bdcd043a0c2ecb6216"},
              {{AW_ALG_SHA384, true},
               AW_QOP_AUTH_INT,
               "1ac2d3a2faab389aa321f127be9bfb3ff2edd765518e726c331681d76076f448"
               "af0ee67d515ac41145cdbfbeba3c58d0",
               "b20ee72a96b76e77ae8979b48d7b2fd6fe2dedcee76a7d3b301b2ee187961a1e"
               "003e41557b624be141b8693728b78dc9"},
              {{AW_ALG_SHA384, true},
               AW_QOP_NONE,
               "82e262550a3180d35fafa6884d7ccfce91f8c7a78532d8ef0a954e7f91dc7db0"
               "844e869d3e99ec7241c1f7993afe7db2",
               "cd529085ded3c609a46de37436f2cdcd71b333c6e47ba768efa2a75860437d96"
               "65138a7432bc6ebac6e13cae12275643"},
              {{AW_ALG_SHA512, false},
               AW_QOP_AUTH,
               "7acc12dcadf075c95442ecf990a0bff75d6ba95845e3fc62b6a1b64f504ee848"
               "34628b2f38636715f3baf4083d7b18f315b7424ba8dffacc5a35494f1c43e151",
               "76707b788fc0265f711b8aa2cb0fc4d738b8cce830f9db3768a51bf5fdd2ef3c"
               "0c9b033065bba0f9611a633cd9b5a307e3efe32a9c27240b45af87a62216509d"},
              {{AW_ALG_SHA512, false},
               AW_QOP_AUTH_INT,
               "ced4fb4d29d4b8c3d50b79cc10b05a5c49f386f93b874cd263423774d06ae154"
               "59846e91fc14c7548a2de42f89de636c95912d72a046af26f2ea0bc6e2a35403",
               "f8ac71fbbbf038d40c714c0c9a331d3d6a735f09b0c93aee6ad74351d9cab8c5"
               "da51ee5a99f814ed2c8c7fbff0e7bda342280d5b1a878b5cddcb05ba6f137de5"},
              {{AW_ALG_SHA512, false},
               AW_QOP_NONE,
               "b44811126128e7f5247664b37069400d22435002f60a95e6c086de89bfe31976"
               "3de41ae2ec8a1397625656267ec0c27347bda7ca9f70266d404d4c21f6b18030",
               "4508e583f5fad315df4809dcf53fb9e1569ebe9e3e7eb693a9148a7d4c080ab1"
               "7484b30f32bcb6e85fa4e64460599301f7ded261ca4bd8f57ff95aa87dd02fce"},
              {{AW_ALG_SHA512, true},
               AW_QOP_AUTH,
               "19ff52ce108a4466a227418b1df7c7faa3cdbf2e9616c61249e75daf74646a75"
               "ac8aff183236439a3a90602f3b65cc459cfd5e6d8c2531c1c718e3d454cd75dd",
               "21f3a40b4390dec07a50f8c21adb202b072ac86292e6798b05b1ec6fe148dfc7"
               "1689755b3bc655fb57b6c4b87c114ed48e447f0e4d4746ded90929c490c79449"},
              {{AW_ALG_SHA512, true},
               AW_QOP_AUTH_INT,
               "7a950a8815fb80a907fedeef9c4401458bcde43e64fa4f5c45885bf0a4d59486"
               "a8bfdf276e90c7e1b57a83088e61021b0aa5c763b6efff9d41c505cf2bf31dfd",
               "625f080fe5f6fa312ed1eb4dc0281837fb9ff9505351e92036f1bafa72883cdc"
               "6ce03bcb49d214ae36d6082ce11bb11b21fe060b30398701b91addcfb7fb709f"},
              {{AW_ALG_SHA512, true},
               AW_QOP_NONE,
               "49bc381eba702f852b0b9c09f9f2c2d5f99cfc36cccf316b3134e6f544aef2f5"
               "216c992cab5572b735daec3a13c5b96ab84bd2b2dd8ceac998b10ee9f724bac6",
               "0606e55b9391318e6ef20a5a89d3ce182aaac869ff1616371da0e0e5e390e46c"
               "f6a53a8fe14763f05f7b2012fdecf7fe4c5fc7b739f8394ad471c21497a48298"}};

static void every_algorithm_and_qop_agrees_with_an_independent_computation(void)
{
    for (size_t i = 0; i < sizeof(matrix) / sizeof(matrix[0]); i++) {
        const aw_alg_e alg = matrix[i].algorithm.hash;
        const bool body = matrix[i].qop == AW_QOP_AUTH_INT;
        const aw_span_t request = AW_SPAN_LIT("name=value"), answer = AW_SPAN_LIT("done\n");
        unsigned char a1[AW_HASH_MAX], in_body[AW_HASH_MAX], out_body[AW_HASH_MAX];
        unsigned char response[AW_HASH_MAX], rspauth[AW_HASH_MAX];
        const aw_digest_input_t in = {.algorithm = matrix[i].algorithm,
                                      .qop = matrix[i].qop,
                                      .method = AW_SPAN_LIT("POST"),
                                      .uri = AW_SPAN_LIT("/dir/index.html?a=b"),
                                      .nonce = AW_SPAN_LIT(NONCE_7616),
                                      .cnonce = AW_SPAN_LIT("f2/wE4q74E6z"),
                                      .nc_text = AW_SPAN_LIT("0000002a"),
                                      .request_body_hash = body ? in_body : NULL};
        CU_ASSERT_EQUAL(aw_digest_a1(alg, aw_span("Mufasa"), aw_span("http-auth@example.org"),
                                     aw_span("Circle of Life"), a1),
                        APR_SUCCESS);
        CU_ASSERT_EQUAL(aw_hash(alg, &request, 1, in_body), APR_SUCCESS);
        CU_ASSERT_EQUAL(aw_hash(alg, &answer, 1, out_body), APR_SUCCESS);
        CU_ASSERT_EQUAL(aw_digest_response(&in, a1, response, body ? NULL : rspauth), APR_SUCCESS);
        if (body) {
            CU_ASSERT_EQUAL(aw_digest_rspauth_int(&in, a1, out_body, rspauth), APR_SUCCESS);
        }
        CU_ASSERT_TRUE(is_hex(response, alg, matrix[i].response));
        CU_ASSERT_TRUE(is_hex(rspauth, alg, matrix[i].rspauth));
    }
    CU_ASSERT_EQUAL(sizeof(matrix) / sizeof(matrix[0]), AW_ALG_COUNT * 2 * 3);
}

static void a_body_hash_that_is_missing_is_an_error(void)
{
    const unsigned char a1[AW_HASH_MAX] = {0};
    unsigned char out[AW_HASH_MAX] = {0}, rspauth[AW_HASH_MAX];
    aw_digest_input_t in = {.algorithm = {AW_ALG_MD5, false}, .qop = AW_QOP_AUTH_INT};

    CU_ASSERT_EQUAL(aw_digest_response(&in, a1, out, NULL), APR_EINVAL);
    in.request_body_hash = a1;
    CU_ASSERT_EQUAL(aw_digest_response(&in, a1, out, rspauth), APR_EINVAL);
    CU_ASSERT_EQUAL(out[0], 0);
    CU_ASSERT_EQUAL(aw_digest_response(&in, a1, out, NULL), APR_SUCCESS);
}

/* Lengths on both sides of every internal buffer: the same as one hash over one text. */
static void long_values_give_the_same_as_one_text(void)
{
    static char uri[8000], text[17000];
    const size_t lengths[] = {1, 100, 700, 800, 900, 1000, 1100, 8000};

    memset(uri, 'u', sizeof(uri));
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        const aw_span_t value = {uri, lengths[i]};
        unsigned char a1[16], hash[16], response[16], rspauth[16];
        const aw_digest_input_t in = {.qop = AW_QOP_AUTH,
                                      .method = AW_SPAN_LIT("GET"),
                                      .uri = value,
                                      .nonce = AW_SPAN_LIT("n"),
                                      .cnonce = value,
                                      .nc_text = AW_SPAN_LIT("00000001")};
        memset(a1, 0xa1, sizeof(a1));
        CU_ASSERT_EQUAL(aw_digest_response(&in, a1, response, rspauth), APR_SUCCESS);
        for (int side = 0; side < 2; side++) {
            size_t n = side == 0 ? 4 : 1;
            memcpy(text, side == 0 ? "GET:" : ":", n);
            memcpy(text + n, uri, value.len);
            CU_ASSERT_EQUAL(aw_hash(AW_ALG_MD5, &(aw_span_t){text, n + value.len}, 1, hash),
                            APR_SUCCESS);
            aw_hex_encode(text, a1, 16);
            memcpy(text + 32, ":n:00000001:", 12);
            memcpy(text + 44, uri, value.len);
            n = 44 + value.len;
            memcpy(text + n, ":auth:", 6);
            aw_hex_encode(text + n + 6, hash, 16);
            CU_ASSERT_EQUAL(aw_hash(AW_ALG_MD5, &(aw_span_t){text, n + 38}, 1, hash), APR_SUCCESS);
            CU_ASSERT_EQUAL(memcmp(hash, side == 0 ? response : rspauth, 16), 0);
        }
    }
}

static const unit_test_t tests[] = {
    {"the examples of the RFCs come out", the_examples_of_the_rfcs_come_out},
    {"the userhash is that of erratum 4897", the_userhash_is_that_of_erratum_4897},
    {"every algorithm and qop agrees with an independent computation",
     every_algorithm_and_qop_agrees_with_an_independent_computation},
    {"a body hash that is missing is an error", a_body_hash_that_is_missing_is_an_error},
    {"long values give the same as one text", long_values_give_the_same_as_one_text},
    {NULL, NULL}};

const unit_suite_t compute_suite = {"compute", tests};
