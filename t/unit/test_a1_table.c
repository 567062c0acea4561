/* The A1 table: everybody is found, nobody else, also among many.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/a1_table.h"

#define ZERO "00000000000000000000000000000000"
#define ONES "11111111111111111111111111111111"

static const unsigned char key[AW_KEYED_KEY] = "sixteen bytes ok";

static aw_a1_table_t *table_of(const char *text, unsigned userhash)
{
    const aw_span_t span = aw_span(text);
    aw_a1_table_t *table = NULL;
    aw_text_error_t error;
    size_t file = 0;

    CU_ASSERT_EQUAL_FATAL(aw_a1_table_create(&table, &span, 1, userhash, key, &file, &error),
                          APR_SUCCESS);
    return table;
}

static apr_status_t look_up(const aw_a1_table_t *table, const char *realm, const char *user,
                            aw_a1_record_t *record)
{
    return aw_a1_table_find(table, aw_span(realm), aw_span(user), record);
}

static void finds_users(void)
{
    aw_a1_table_t *table = table_of("bob:R:" ONES "\nbob:S:{SHA-256}" ZERO ZERO "\n"
                                    "bob:R:{SHA-256}" ONES ONES "\n",
                                    0);
    aw_a1_record_t record;

    CU_ASSERT_EQUAL(aw_a1_table_users(table), 2);
    CU_ASSERT_EQUAL_FATAL(look_up(table, "R", "bob", &record), APR_SUCCESS);
    CU_ASSERT_TRUE(aw_span_equal(record.user, AW_SPAN_LIT("bob")));
    CU_ASSERT_EQUAL(record.present, 1u << AW_ALG_MD5 | 1u << AW_ALG_SHA256);
    CU_ASSERT_EQUAL(record.hash[AW_ALG_MD5][15], 0x11);
    CU_ASSERT_EQUAL(record.hash[AW_ALG_SHA256][31], 0x11);
    CU_ASSERT_PTR_NULL(record.hash[AW_ALG_SHA512]);
    CU_ASSERT_EQUAL_FATAL(look_up(table, "S", "bob", &record), APR_SUCCESS);
    CU_ASSERT_PTR_NULL(record.hash[AW_ALG_MD5]);
    CU_ASSERT_EQUAL(record.hash[AW_ALG_SHA256][0], 0);
    aw_a1_table_destroy(table);
}

static void finds_nobody_else(void)
{
    aw_a1_table_t *table = table_of("bob:R:" ONES "\n", 0);
    aw_a1_table_t *empty = table_of("# nobody\n", 1u << AW_ALG_MD5);
    aw_a1_record_t record;
    const unsigned char hash[16] = {0};

    CU_ASSERT_EQUAL(look_up(table, "R", "bo", &record), APR_NOTFOUND);
    CU_ASSERT_EQUAL(look_up(table, "R", "Bob", &record), APR_NOTFOUND);
    CU_ASSERT_EQUAL(look_up(table, "r", "bob", &record), APR_NOTFOUND);
    CU_ASSERT_EQUAL(look_up(table, "", "", &record), APR_NOTFOUND);
    /* The hash is over the same bytes as that of bob in R. */
    CU_ASSERT_EQUAL(look_up(table, "R:bo", "b", &record), APR_NOTFOUND);
    CU_ASSERT_EQUAL(look_up(table, "", "R:bob", &record), APR_NOTFOUND);
    CU_ASSERT_EQUAL(aw_a1_table_users(empty), 0);
    CU_ASSERT_EQUAL(look_up(empty, "R", "bob", &record), APR_NOTFOUND);
    CU_ASSERT_EQUAL(aw_a1_table_find_userhash(empty, aw_span("R"), AW_ALG_MD5, hash, &record),
                    APR_NOTFOUND);
    aw_a1_table_destroy(empty);
    aw_a1_table_destroy(table);
    aw_a1_table_destroy(NULL);
}

static void finds_by_userhash(void)
{
    aw_a1_table_t *table = table_of("al:R:" ZERO "\nbob:R:" ONES "\nbob:S:" ZERO "\n",
                                    1u << AW_ALG_SHA256 | 1u << AW_ALG_MD5);
    const aw_span_t parts[] = {AW_SPAN_LIT("bob:R")};
    unsigned char hash[AW_HASH_MAX];
    aw_a1_record_t record;

    for (int i = 0; i < 2; i++) {
        const aw_alg_e alg = i ? AW_ALG_SHA256 : AW_ALG_MD5;

        CU_ASSERT_EQUAL(aw_hash(alg, parts, 1, hash), APR_SUCCESS);
        CU_ASSERT_EQUAL_FATAL(aw_a1_table_find_userhash(table, aw_span("R"), alg, hash, &record),
                              APR_SUCCESS);
        CU_ASSERT_TRUE(aw_span_equal(record.user, AW_SPAN_LIT("bob")));
        CU_ASSERT_EQUAL(record.hash[AW_ALG_MD5][0], 0x11);
        CU_ASSERT_EQUAL(aw_a1_table_find_userhash(table, aw_span("S"), alg, hash, &record),
                        APR_NOTFOUND);
        hash[aw_alg_size(alg) - 1] ^= 1;
        CU_ASSERT_EQUAL(aw_a1_table_find_userhash(table, aw_span("R"), alg, hash, &record),
                        APR_NOTFOUND);
    }
    CU_ASSERT_EQUAL(aw_a1_table_find_userhash(table, aw_span("R"), AW_ALG_SHA512, hash, &record),
                    APR_NOTFOUND);
    CU_ASSERT_EQUAL(look_up(table, "R", "bob", &record), APR_SUCCESS);
    aw_a1_table_destroy(table);
}

/* In two steps, over enough users that buckets meet, and over none. */
static void indexes_later(void)
{
    enum { USERS = 3000 };
    char *text = malloc(USERS * 64), *at = text;
    unsigned char hash[AW_HASH_MAX];
    aw_a1_record_t record;

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    for (int i = 0; i < USERS; i++) {
        at += snprintf(at, 64, "user%d:R:%032x\n", i, (unsigned)i & 0xffu);
    }
    aw_a1_table_t *plain = table_of(text, 0), *one = NULL, *two = NULL;

    CU_ASSERT_EQUAL_FATAL(aw_a1_table_index(&one, plain, 1u << AW_ALG_SHA256), APR_SUCCESS);
    aw_a1_table_destroy(plain);
    CU_ASSERT_EQUAL_FATAL(aw_a1_table_index(&two, one, 1u << AW_ALG_MD5), APR_SUCCESS);
    aw_a1_table_destroy(one);
    free(text);
    CU_ASSERT_EQUAL(aw_a1_table_users(two), USERS);
    for (int i = 0; i < USERS; i++) {
        char name[16];
        const int len = snprintf(name, sizeof(name), "user%d", i);
        const aw_span_t user = {name, (size_t)len};
        const aw_span_t parts[] = {user, AW_SPAN_LIT(":R")};

        for (int k = 0; k < 3; k++) {
            const aw_alg_e alg = k == 1 ? AW_ALG_SHA256 : AW_ALG_MD5;

            CU_ASSERT_EQUAL(aw_hash(alg, parts, 2, hash), APR_SUCCESS);
            CU_ASSERT_EQUAL_FATAL(
                k == 2 ? look_up(two, "R", name, &record)
                       : aw_a1_table_find_userhash(two, aw_span("R"), alg, hash, &record),
                APR_SUCCESS);
            CU_ASSERT_TRUE(aw_span_equal(record.user, user));
            CU_ASSERT_EQUAL(record.hash[AW_ALG_MD5][15], i & 0xff);
            CU_ASSERT_PTR_NULL(record.hash[AW_ALG_SHA256]);
        }
    }
    CU_ASSERT_EQUAL(aw_a1_table_find_userhash(two, aw_span("R"), AW_ALG_SHA512, hash, &record),
                    APR_NOTFOUND);
    aw_a1_table_destroy(two);

    plain = table_of("", 0);
    CU_ASSERT_EQUAL_FATAL(aw_a1_table_index(&one, plain, 1u << AW_ALG_MD5), APR_SUCCESS);
    CU_ASSERT_EQUAL(aw_a1_table_find_userhash(one, aw_span("R"), AW_ALG_MD5, hash, &record),
                    APR_NOTFOUND);
    aw_a1_table_destroy(one);
    aw_a1_table_destroy(plain);
}

static void later_lines_win(void)
{
    const aw_span_t texts[] = {AW_SPAN_LIT("bob:R:" ZERO "\nbob:R:{SHA}" ZERO "00000000\n"),
                               AW_SPAN_LIT(""), AW_SPAN_LIT("al:R:" ZERO "\nbob:R:" ONES)};
    aw_a1_table_t *table = NULL;
    aw_a1_record_t record;
    aw_text_error_t error;
    size_t file = 0;

    CU_ASSERT_EQUAL_FATAL(aw_a1_table_create(&table, texts, 3, 0, key, &file, &error), APR_SUCCESS);
    CU_ASSERT_EQUAL(aw_a1_table_users(table), 2);
    CU_ASSERT_EQUAL_FATAL(look_up(table, "R", "bob", &record), APR_SUCCESS);
    CU_ASSERT_EQUAL(record.hash[AW_ALG_MD5][0], 0x11);
    CU_ASSERT_EQUAL(record.hash[AW_ALG_SHA][19], 0);
    aw_a1_table_destroy(table);
}

static void names_the_broken_file(void)
{
    const aw_span_t texts[] = {AW_SPAN_LIT("bob:R:" ZERO "\n"), AW_SPAN_LIT("# c\nal:R:xx\n")};
    aw_a1_table_t *table = NULL;
    aw_text_error_t error = {0, 0, NULL};
    size_t file = 9;

    CU_ASSERT_EQUAL(aw_a1_table_create(&table, texts, 2, 0, key, &file, &error), APR_EINVAL);
    CU_ASSERT_PTR_NULL(table);
    CU_ASSERT_EQUAL(file, 1);
    CU_ASSERT_EQUAL(error.line, 2);
    CU_ASSERT_EQUAL(error.column, 6);
}

/* Enough users for probing to wrap and tags to meet. */
static void finds_each_of_many(void)
{
    enum { USERS = 20000 };
    char *text = malloc(USERS * 64), *at = text;
    size_t found = 0, strangers = 0;

    for (unsigned i = 0; i < USERS; i++) {
        at += snprintf(at, 64, "u%u:R:%032x\n", i, i);
    }
    aw_a1_table_t *table = table_of(text, 1u << AW_ALG_SHA256);

    free(text);
    CU_ASSERT_EQUAL(aw_a1_table_users(table), USERS);
    for (unsigned i = 0; i < 2 * USERS; i++) {
        char user[16], hex[33];
        unsigned char hash[AW_HASH_MAX];
        aw_a1_record_t record, other;
        aw_span_t parts[2] = {{user, (size_t)snprintf(user, sizeof(user), "u%u", i)},
                              AW_SPAN_LIT(":R")};

        aw_hash(AW_ALG_SHA256, parts, 2, hash);
        const apr_status_t rv = look_up(table, "R", user, &record);

        if (rv != aw_a1_table_find_userhash(table, aw_span("R"), AW_ALG_SHA256, hash, &other)) {
            CU_FAIL("name and user hash do not agree");
        }
        if (rv == APR_NOTFOUND) {
            strangers++;
            continue;
        }
        snprintf(hex, sizeof(hex), "%032x", i);
        char back[33] = {0};

        aw_hex_encode(back, record.hash[AW_ALG_MD5], 16);
        found += strcmp(hex, back) == 0 && other.user.ptr == record.user.ptr;
    }
    CU_ASSERT_EQUAL(found, USERS);
    CU_ASSERT_EQUAL(strangers, USERS);
    aw_a1_table_destroy(table);
}

/* Nothing is borrowed from the text. */
static void depends_on_its_lines_only(void)
{
    char *text = strdup("bob:R:" ONES "\n");
    aw_a1_table_t *table = table_of(text, 0);
    aw_a1_record_t record;

    memset(text, 'x', strlen(text));
    free(text);
    CU_ASSERT_EQUAL(look_up(table, "R", "bob", &record), APR_SUCCESS);
    aw_a1_table_destroy(table);
}

static const unit_test_t tests[] = {
    {"a user has what all lines of the realm say", finds_users},
    {"no other spelling, realm or split of names is found", finds_nobody_else},
    {"user hashes find users of their realm only", finds_by_userhash},
    {"user hashes added later find whom those of the text find", indexes_later},
    {"later lines and files add and replace", later_lines_win},
    {"a broken line is named by file, line and column", names_the_broken_file},
    {"each of 20000 is found and no stranger", finds_each_of_many},
    {"the text may go once the table is built", depends_on_its_lines_only},
    {NULL, NULL}};

const unit_suite_t a1_table_suite = {"a1_table", tests};
