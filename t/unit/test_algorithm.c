/* Tests of the algorithm table and of hashing with it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <pthread.h>

#include "digest/algorithm.h"

static const struct {
    aw_alg_e alg;
    const char *name;
    size_t size;
    bool standard;
    const char *abc;  /* of "abc" */
    const char *none; /* of nothing */
} known[] = {{AW_ALG_MD5, "MD5", 16, true, "900150983cd24fb0d6963f7d28e17f72",
              "d41d8cd98f00b204e9800998ecf8427e"},
             {AW_ALG_SHA, "SHA", 20, false, "a9993e364706816aba3e25717850c26c9cd0d89d",
              "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
             {AW_ALG_SHA256, "SHA-256", 32, true,
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
             {AW_ALG_SHA512_256, "SHA-512-256", 32, true,
              "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23",
              "c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a"},
             {AW_ALG_SHA384, "SHA-384", 48, false,
              "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
              "8086072ba1e7cc2358baeca134c825a7",
              "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
              "274edebfe76f65fbd51ad2f14898b95b"},
             {AW_ALG_SHA512, "SHA-512", 64, false,
              "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
              "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
              "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
              "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"}};

#define KNOWN (sizeof(known) / sizeof(known[0]))

static bool is_hex(const unsigned char *hash, size_t size, const char *expected)
{
    char hex[AW_HASH_HEX_MAX];

    aw_hex_encode(hex, hash, size);
    return aw_span_equal((aw_span_t){hex, 2 * size}, aw_span(expected));
}

static void every_algorithm_has_its_name_size_and_standing(void)
{
    CU_ASSERT_EQUAL(KNOWN, AW_ALG_COUNT);
    for (size_t i = 0; i < KNOWN; i++) {
        aw_alg_e alg = AW_ALG_COUNT;
        CU_ASSERT_STRING_EQUAL(aw_alg_name(known[i].alg), known[i].name);
        CU_ASSERT_EQUAL(aw_alg_size(known[i].alg), known[i].size);
        CU_ASSERT_EQUAL(aw_alg_is_standard(known[i].alg), known[i].standard);
        CU_ASSERT_TRUE(aw_alg_parse(aw_span(known[i].name), &alg));
        CU_ASSERT_EQUAL(alg, known[i].alg);
    }
}

static void names_with_sess_are_read_and_written(void)
{
    for (size_t i = 0; i < KNOWN; i++) {
        for (int sess = 0; sess < 2; sess++) {
            char name[AW_ALGORITHM_NAME_MAX];
            const aw_algorithm_t alg = {known[i].alg, sess != 0};
            aw_algorithm_t back = {AW_ALG_COUNT, false};
            CU_ASSERT_PTR_EQUAL(aw_algorithm_name(name, alg), name);
            CU_ASSERT_EQUAL(strlen(name), strlen(known[i].name) + (sess ? 5 : 0));
            CU_ASSERT_TRUE(aw_algorithm_parse(aw_span(name), &back));
            CU_ASSERT_EQUAL(back.hash, alg.hash);
            CU_ASSERT_EQUAL(back.sess, alg.sess);
        }
    }
    aw_algorithm_t alg;
    CU_ASSERT_TRUE(aw_algorithm_parse(aw_span("sha-512-256-SESS"), &alg));
    CU_ASSERT_EQUAL(alg.hash, AW_ALG_SHA512_256);
    CU_ASSERT_TRUE(alg.sess);
    CU_ASSERT_TRUE(aw_algorithm_parse(aw_span("md5"), &alg));
    CU_ASSERT_EQUAL(alg.hash, AW_ALG_MD5);
    CU_ASSERT_FALSE(alg.sess);
}

static void unknown_names_are_refused(void)
{
    static const char *const names[] = {"",       "-sess",   "SHA256",        "SHA-512/256",
                                        "MD5-",   "MD4",     "MD5-sess-sess", "MD5 ",
                                        "SHA-25", "SHA-2566"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        aw_algorithm_t alg = {AW_ALG_COUNT, true};
        const aw_span_t name = unit_guard(names[i], strlen(names[i]));
        CU_ASSERT_FALSE(aw_algorithm_parse(name, &alg));
        CU_ASSERT_EQUAL(alg.hash, AW_ALG_COUNT);
        unit_guard_free(name);
    }
    aw_alg_e alg = AW_ALG_COUNT;
    CU_ASSERT_FALSE(aw_alg_parse(aw_span("MD5-sess"), &alg));
    CU_ASSERT_EQUAL(alg, AW_ALG_COUNT);
}

static void hashes_are_the_published_ones_again_and_again(void)
{
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < KNOWN; i++) {
            unsigned char out[AW_HASH_MAX];
            const aw_span_t abc = AW_SPAN_LIT("abc");
            const aw_span_t parts[] = {{"a", 1}, {NULL, 0}, {"bc", 2}};
            CU_ASSERT_EQUAL(aw_hash(known[i].alg, &abc, 1, out), APR_SUCCESS);
            CU_ASSERT_TRUE(is_hex(out, known[i].size, known[i].abc));
            CU_ASSERT_EQUAL(aw_hash(known[i].alg, NULL, 0, out), APR_SUCCESS);
            CU_ASSERT_TRUE(is_hex(out, known[i].size, known[i].none));
            CU_ASSERT_EQUAL(aw_hash(known[i].alg, parts, 3, out), APR_SUCCESS);
            CU_ASSERT_TRUE(is_hex(out, known[i].size, known[i].abc));
        }
    }
}

static void how_the_input_is_divided_does_not_matter(void)
{
    char text[3000];
    unsigned char whole[AW_HASH_MAX], divided[AW_HASH_MAX];
    const size_t cuts[] = {0, 1, 1023, 1024, 1025, 2048, 3000};

    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        const aw_span_t all = {text, sizeof(text)};
        const aw_span_t parts[] = {{text, cuts[i]}, {text, sizeof(text) - cuts[i]}};
        CU_ASSERT_EQUAL(aw_hash(AW_ALG_SHA256, &all, 1, whole), APR_SUCCESS);
        CU_ASSERT_EQUAL(aw_hash(AW_ALG_SHA256, parts, 2, divided), APR_SUCCESS);
        CU_ASSERT_EQUAL(memcmp(whole, divided, 32), 0);
    }
}

static void a_hasher_gives_the_same_in_pieces(void)
{
    for (size_t i = 0; i < KNOWN; i++) {
        aw_hasher_t *hasher = NULL;
        unsigned char out[AW_HASH_MAX];
        CU_ASSERT_EQUAL_FATAL(aw_hasher_create(&hasher, known[i].alg), APR_SUCCESS);
        CU_ASSERT_EQUAL(aw_hasher_update(hasher, "ab", 2), APR_SUCCESS);
        CU_ASSERT_EQUAL(aw_hasher_update(hasher, NULL, 0), APR_SUCCESS);
        CU_ASSERT_EQUAL(aw_hasher_update(hasher, "c", 1), APR_SUCCESS);
        CU_ASSERT_EQUAL(aw_hasher_finish(hasher, out), APR_SUCCESS);
        CU_ASSERT_TRUE(is_hex(out, known[i].size, known[i].abc));
        aw_hasher_destroy(hasher);
    }
    aw_hasher_destroy(NULL);
}

static void *hash_in_thread(void *ok)
{
    const aw_span_t abc = AW_SPAN_LIT("abc");

    for (int i = 0; i < 2000; i++) {
        unsigned char out[AW_HASH_MAX];
        const size_t k = (size_t)i % KNOWN;
        if (aw_hash(known[k].alg, &abc, 1, out) != APR_SUCCESS ||
            !is_hex(out, known[k].size, known[k].abc)) {
            return NULL;
        }
    }
    return ok;
}

static void threads_do_not_disturb_each_other(void)
{
    pthread_t threads[4];
    int ok = 0;

    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, hash_in_thread, &ok), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *done = NULL;
        CU_ASSERT_EQUAL(pthread_join(threads[i], &done), 0);
        CU_ASSERT_PTR_EQUAL(done, &ok);
    }
}

/* The runner holds one init of its own: inner pairs nest, and a full term and init, as at a
 * graceful restart, leaves a library that works. */
static void the_library_can_be_ended_and_begun_again(void)
{
    const aw_span_t abc = AW_SPAN_LIT("abc");
    unsigned char out[AW_HASH_MAX];

    CU_ASSERT_EQUAL(aw_algorithms_init(), APR_SUCCESS);
    aw_algorithms_term();
    CU_ASSERT_EQUAL(aw_hash(AW_ALG_MD5, &abc, 1, out), APR_SUCCESS);
    aw_algorithms_term();
    CU_ASSERT_EQUAL(aw_hash(AW_ALG_MD5, &abc, 1, out), APR_ENOTIMPL);
    CU_ASSERT_EQUAL(aw_algorithms_init(), APR_SUCCESS);
    CU_ASSERT_EQUAL(aw_hash(AW_ALG_MD5, &abc, 1, out), APR_SUCCESS);
    CU_ASSERT_TRUE(is_hex(out, 16, known[0].abc));
}

static const unit_test_t tests[] = {
    {"every algorithm has its name, size and standing",
     every_algorithm_has_its_name_size_and_standing},
    {"names with -sess are read and written", names_with_sess_are_read_and_written},
    {"unknown names are refused", unknown_names_are_refused},
    {"hashes are the published ones, again and again",
     hashes_are_the_published_ones_again_and_again},
    {"how the input is divided does not matter", how_the_input_is_divided_does_not_matter},
    {"a hasher gives the same in pieces", a_hasher_gives_the_same_in_pieces},
    {"threads do not disturb each other", threads_do_not_disturb_each_other},
    {"the library can be ended and begun again", the_library_can_be_ended_and_begun_again},
    {NULL, NULL}};

const unit_suite_t algorithm_suite = {"algorithm", tests};
