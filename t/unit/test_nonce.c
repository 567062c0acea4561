/* Nonces: what was minted opens, and nothing else does.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include "digest/nonce.h"

#define NOW  apr_time_make(1700000000, 123456)
#define NODE 0xa1b2c3u

static const char secret[] = "correct horse battery staple";
static const unsigned char bits[AW_NONCE_RANDOM] = {1, 2, 3, 4, 0xfc, 0xfd, 0xfe, 0xff};

static aw_keyring_t ring_of(const char *text)
{
    aw_keyring_t ring = {0};

    CU_ASSERT_EQUAL_FATAL(aw_keyring_derive(&ring, text, strlen(text), NOW), APR_SUCCESS);
    return ring;
}

static void mint(const aw_keyring_t *ring, const char *scope, char *out)
{
    CU_ASSERT_EQUAL_FATAL(aw_nonce_mint(ring, aw_span(scope), NOW, NODE, bits, out), APR_SUCCESS);
}

/* Opens a guarded copy of `n` characters. */
static aw_nonce_e open_copy(const aw_keyring_t *ring, const char *scope, const char *text, size_t n,
                            aw_nonce_t *nonce)
{
    const aw_span_t guarded = unit_guard(text, n);
    const aw_nonce_e answer = aw_nonce_open(ring, aw_span(scope), guarded, nonce);

    unit_guard_free(guarded);
    return answer;
}

static void what_was_minted_opens_and_says_when(void)
{
    const aw_keyring_t ring = ring_of(secret);
    const apr_time_t times[] = {0, 1, NOW, ((apr_time_t)1 << 56) - 1};

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        char text[AW_NONCE_LEN + 1];
        aw_nonce_t nonce = {.issued = -1};

        text[AW_NONCE_LEN] = '!'; /* nothing is written behind */
        CU_ASSERT_EQUAL(aw_nonce_mint(&ring, aw_span("Intranet"), times[i], NODE, bits, text),
                        APR_SUCCESS);
        CU_ASSERT_EQUAL(text[AW_NONCE_LEN], '!');
        CU_ASSERT_EQUAL(open_copy(&ring, "Intranet", text, AW_NONCE_LEN, &nonce), AW_NONCE_OK);
        CU_ASSERT_EQUAL(nonce.issued, times[i]);
        CU_ASSERT_EQUAL(nonce.id, UINT64_C(0x01020304fcfdfeff));
        CU_ASSERT_EQUAL(nonce.node, NODE);
    }
}

static void a_time_or_node_that_does_not_fit_is_refused(void)
{
    const aw_keyring_t ring = ring_of(secret);
    char text[AW_NONCE_LEN] = "untouched";

    CU_ASSERT_EQUAL(aw_nonce_mint(&ring, aw_span("x"), -1, NODE, bits, text), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_nonce_mint(&ring, aw_span("x"), (apr_time_t)1 << 56, NODE, bits, text),
                    APR_EINVAL);
    CU_ASSERT_EQUAL(aw_nonce_mint(&ring, aw_span("x"), NOW, 1 << 24, bits, text), APR_EINVAL);
    CU_ASSERT_STRING_EQUAL(text, "untouched");
    CU_ASSERT_EQUAL(aw_nonce_mint(&ring, aw_span("x"), NOW, AW_NONCE_NODE_MAX, bits, text),
                    APR_SUCCESS);
}

static void the_form_never_changes(void)
{
    const aw_keyring_t ring = {.count = 1, .keys = {{0x18, {1, 2, 3, 4, 5, 6, 7, 8}}}};
    char text[AW_NONCE_LEN + 1] = {0};

    mint(&ring, "Intranet", text);
    CU_ASSERT_STRING_EQUAL(text, "GAYKJBggIkChssMBAgME_P3-_8LWoq-v90xmJwrfzYSO");
}

static void another_scope_is_foreign(void)
{
    const char *const scopes[] = {"", "Intrane", "Intranet ", "intranet", "Intranet2", "Extranet"};
    const aw_keyring_t ring = ring_of(secret);
    char text[AW_NONCE_LEN];
    aw_nonce_t nonce = {77, 77, 77};

    mint(&ring, "Intranet", text);
    for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
        CU_ASSERT_EQUAL(open_copy(&ring, scopes[i], text, AW_NONCE_LEN, &nonce), AW_NONCE_FOREIGN);
    }
    mint(&ring, "", text);
    CU_ASSERT_EQUAL(open_copy(&ring, "", text, AW_NONCE_LEN, &nonce), AW_NONCE_OK);
    CU_ASSERT_EQUAL(nonce.issued, NOW);
}

static void another_key_is_foreign_even_with_the_same_id(void)
{
    const aw_keyring_t ring = ring_of(secret);
    aw_keyring_t other = ring_of("another secret, long enough");
    char text[AW_NONCE_LEN];
    aw_nonce_t nonce = {77, 77, 77};

    mint(&ring, "Intranet", text);
    CU_ASSERT_EQUAL(open_copy(&other, "Intranet", text, AW_NONCE_LEN, &nonce), AW_NONCE_FOREIGN);
    for (unsigned i = 0; i < other.count; i++) {
        other.keys[i].id = ring.keys[0].id;
    }
    CU_ASSERT_EQUAL(open_copy(&other, "Intranet", text, AW_NONCE_LEN, &nonce), AW_NONCE_FOREIGN);
    other.count = 0;
    CU_ASSERT_EQUAL(open_copy(&other, "Intranet", text, AW_NONCE_LEN, &nonce), AW_NONCE_FOREIGN);
    CU_ASSERT_EQUAL(nonce.issued, 77);
    CU_ASSERT_EQUAL(nonce.id, 77);
    CU_ASSERT_EQUAL(nonce.node, 77);
}

static void the_key_before_still_verifies_and_only_the_first_mints(void)
{
    const aw_keyring_t old = ring_of("the key of last month"), new = ring_of(secret);
    aw_keyring_t both = new;
    char text[AW_NONCE_LEN];
    aw_nonce_t nonce = {.issued = 0};

    both.keys[1] = old.keys[0];
    both.count = 2;
    mint(&old, "Intranet", text);
    CU_ASSERT_EQUAL(open_copy(&both, "Intranet", text, AW_NONCE_LEN, &nonce), AW_NONCE_OK);
    CU_ASSERT_EQUAL(open_copy(&new, "Intranet", text, AW_NONCE_LEN, &nonce), AW_NONCE_FOREIGN);
    mint(&both, "Intranet", text);
    CU_ASSERT_EQUAL(open_copy(&new, "Intranet", text, AW_NONCE_LEN, &nonce), AW_NONCE_OK);
    CU_ASSERT_EQUAL(open_copy(&old, "Intranet", text, AW_NONCE_LEN, &nonce), AW_NONCE_FOREIGN);

    both.keys[1].id = both.keys[0].id; /* by chance: each is tried */
    aw_keyring_t alias = old;
    alias.keys[0].id = both.keys[0].id;
    mint(&alias, "Intranet", text);
    CU_ASSERT_EQUAL(open_copy(&both, "Intranet", text, AW_NONCE_LEN, &nonce), AW_NONCE_OK);
}

static void no_character_can_be_changed(void)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const aw_keyring_t ring = ring_of(secret);
    char text[AW_NONCE_LEN], changed[AW_NONCE_LEN];
    aw_nonce_t nonce = {77, 77, 77};

    mint(&ring, "Intranet", text);
    for (size_t i = 0; i < AW_NONCE_LEN; i++) {
        for (int c = 0; c < 256; c++) {
            const bool ours = c != 0 && strchr(alphabet, c) != NULL;

            if ((char)c == text[i]) {
                continue;
            }
            memcpy(changed, text, AW_NONCE_LEN);
            changed[i] = (char)c;
            CU_ASSERT_EQUAL(aw_nonce_open(&ring, aw_span("Intranet"),
                                          (aw_span_t){changed, AW_NONCE_LEN}, &nonce),
                            ours ? AW_NONCE_FOREIGN : AW_NONCE_MALFORMED);
        }
    }
    CU_ASSERT_EQUAL(nonce.issued, 77);
}

static void every_other_length_is_malformed(void)
{
    const aw_keyring_t ring = ring_of(secret);
    char text[4 * AW_NONCE_LEN];
    aw_nonce_t nonce = {77, 77, 77};

    mint(&ring, "Intranet", text);
    memcpy(text + AW_NONCE_LEN, text, AW_NONCE_LEN);
    memset(text + 2 * AW_NONCE_LEN, '=', 2 * AW_NONCE_LEN);
    for (size_t n = 0; n <= sizeof(text); n++) {
        CU_ASSERT_EQUAL(open_copy(&ring, "Intranet", text, n, &nonce),
                        n == AW_NONCE_LEN ? AW_NONCE_OK : AW_NONCE_MALFORMED);
    }
    CU_ASSERT_EQUAL(aw_nonce_open(&ring, aw_span("Intranet"), aw_span(NULL), &nonce),
                    AW_NONCE_MALFORMED);
}

static void two_random_parts_give_two_nonces(void)
{
    const aw_keyring_t ring = ring_of(secret);
    unsigned char others[AW_NONCE_RANDOM];
    char one[AW_NONCE_LEN], two[AW_NONCE_LEN];

    mint(&ring, "Intranet", one);
    for (size_t i = 0; i < AW_NONCE_RANDOM; i++) {
        memcpy(others, bits, sizeof(others));
        others[i] ^= 1;
        CU_ASSERT_EQUAL(aw_nonce_mint(&ring, aw_span("Intranet"), NOW, NODE, others, two),
                        APR_SUCCESS);
        CU_ASSERT_NOT_EQUAL(memcmp(one, two, AW_NONCE_LEN), 0);
    }
}

static const unit_test_t tests[] = {
    {"what_was_minted_opens_and_says_when", what_was_minted_opens_and_says_when},
    {"a_time_or_node_that_does_not_fit_is_refused", a_time_or_node_that_does_not_fit_is_refused},
    {"the_form_never_changes", the_form_never_changes},
    {"another_scope_is_foreign", another_scope_is_foreign},
    {"another_key_is_foreign_even_with_the_same_id", another_key_is_foreign_even_with_the_same_id},
    {"the_key_before_still_verifies_and_only_the_first_mints",
     the_key_before_still_verifies_and_only_the_first_mints},
    {"no_character_can_be_changed", no_character_can_be_changed},
    {"every_other_length_is_malformed", every_other_length_is_malformed},
    {"two_random_parts_give_two_nonces", two_random_parts_give_two_nonces},
    {NULL, NULL},
};

const unit_suite_t nonce_suite = {"nonce", tests};
