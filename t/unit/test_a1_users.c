/* A set of users put into a text: replaced in place, added at the end, merged.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/keyed.h"
#include "store/a1_users.h"

#define MD5    "00000000000000000000000000000000"
#define SHA256 MD5 MD5
#define OLD    "ffffffffffffffffffffffffffffffff"
#define NEW(u) u ":R:" MD5 "\n" u ":R:{SHA-256}" SHA256 "\n"

static const unsigned char key[AW_KEYED_KEY] = "sixteen bytes ok";
static const aw_a1_value_t md5 = {.present = 1u << AW_ALG_MD5};
static const aw_a1_value_t both = {.present = 1u << AW_ALG_MD5 | 1u << AW_ALG_SHA256};

/* What has been written; it fails once `room` is used up. */
typedef struct sink_t {
    char text[4096];
    size_t len, room;
} sink_t;

static apr_status_t write_sink(void *data, aw_span_t bytes)
{
    sink_t *sink = data;

    if (bytes.len > sink->room - sink->len) {
        return APR_ENOSPC;
    }
    memcpy(sink->text + sink->len, bytes.ptr, bytes.len);
    sink->len += bytes.len;
    return APR_SUCCESS;
}

/* Whether the set turns `before`, behind which no byte may be read, into `after`. */
static bool turns(aw_a1_users_t *users, const char *before, aw_a1_apply_e how, const char *after,
                  aw_a1_applied_t did)
{
    const aw_span_t text = unit_guard(before, strlen(before));
    aw_a1_applied_t applied = {.added = 0};
    sink_t *sink = calloc(1, sizeof(*sink));

    sink->room = sizeof(sink->text) - 1;
    const apr_status_t rv = aw_a1_users_apply(users, text, how, &applied, write_sink, sink);
    const bool same = rv == APR_SUCCESS && strcmp(sink->text, after) == 0 &&
                      applied.added == did.added && applied.replaced == did.replaced &&
                      applied.conflicts == did.conflicts;

    if (!same) {
        printf("%s instead of %s\n", sink->text, after);
    }
    free(sink);
    unit_guard_free(text);
    return same;
}

static aw_a1_users_t *make(const char *name, const aw_a1_value_t *value)
{
    aw_a1_users_t *users = NULL;

    CU_ASSERT_EQUAL_FATAL(aw_a1_users_create(&users, key), APR_SUCCESS);
    if (name) {
        CU_ASSERT_EQUAL(aw_a1_users_add(users, aw_span(name), AW_SPAN_LIT("R"), value),
                        APR_SUCCESS);
    }
    return users;
}

static void users_are_replaced_in_place_or_added(void)
{
    aw_a1_users_t *users = make("bob", &both);

    CU_ASSERT_EQUAL(aw_a1_users_add(users, AW_SPAN_LIT("bob"), AW_SPAN_LIT("R"), &md5), APR_EEXIST);
    CU_ASSERT_EQUAL(aw_a1_users_add(users, AW_SPAN_LIT("cy"), AW_SPAN_LIT("R"), &md5), APR_SUCCESS);
    CU_ASSERT_EQUAL(aw_a1_users_count(users), 2);
    CU_ASSERT_TRUE(turns(users, "", AW_A1_REPLACE, NEW("bob") "cy:R:" MD5 "\n",
                         (aw_a1_applied_t){.added = 2}));
    CU_ASSERT_TRUE(turns(
        users,
        "# c\r\ncy:R:broken\nbob:S:" OLD "\r\n\xff\n\nbob:R:" OLD "\ncy:R:{SHA-512}x\nal:R:" OLD,
        AW_A1_REPLACE, "# c\r\ncy:R:" MD5 "\nbob:S:" OLD "\r\n\xff\n\n" NEW("bob") "al:R:" OLD "\n",
        (aw_a1_applied_t){.replaced = 2}));
    aw_a1_users_destroy(users);
}

static void a_set_of_nobody_changes_no_byte(void)
{
    aw_a1_users_t *users = make(NULL, NULL);

    CU_ASSERT_TRUE(turns(users, "", AW_A1_REPLACE, "",
                         (aw_a1_applied_t){.added = 0, .replaced = 0, .conflicts = 0}));
    CU_ASSERT_TRUE(turns(users, "::\n#\nbob:R:" OLD, AW_A1_MERGE, "::\n#\nbob:R:" OLD,
                         (aw_a1_applied_t){.added = 0, .replaced = 0, .conflicts = 0}));
    aw_a1_users_destroy(users);
    aw_a1_users_destroy(NULL);
}

static void merging_keeps_other_algorithms_of_the_same_password(void)
{
    aw_a1_users_t *users = make("bob", &md5);
    static const char sha[] = "bob:R:{SHA-256}" SHA256 "\n";

    /* The same MD5, or none to compare: what the text has beyond it stays. */
    CU_ASSERT_TRUE(
        turns(users, NEW("bob"), AW_A1_MERGE, NEW("bob"), (aw_a1_applied_t){.replaced = 1}));
    CU_ASSERT_TRUE(turns(users, sha, AW_A1_MERGE, NEW("bob"), (aw_a1_applied_t){.replaced = 1}));
    /* Another MD5: another password, whose SHA-256 must not outlive it. */
    CU_ASSERT_TRUE(turns(users, "bob:R:" OLD "\nbob:R:{SHA-256}" SHA256 "\n", AW_A1_MERGE,
                         "bob:R:" MD5 "\n", (aw_a1_applied_t){.replaced = 1, .conflicts = 1}));
    /* Nothing of an earlier text is left. */
    CU_ASSERT_TRUE(turns(users, "bob:R:" MD5, AW_A1_MERGE, "bob:R:" MD5 "\n",
                         (aw_a1_applied_t){.replaced = 1}));
    CU_ASSERT_TRUE(turns(users, "", AW_A1_MERGE, "bob:R:" MD5 "\n", (aw_a1_applied_t){.added = 1}));
    aw_a1_users_destroy(users);
}

static void values_join_as_the_lines_of_a_file(void)
{
    aw_a1_users_t *users = make(NULL, NULL);
    aw_a1_value_t old = both;

    memset(old.hash[AW_ALG_MD5], 0xff, 16);
    CU_ASSERT_EQUAL(aw_a1_users_join(users, AW_SPAN_LIT("al"), AW_SPAN_LIT("R"), &old),
                    APR_SUCCESS);
    CU_ASSERT_EQUAL(aw_a1_users_join(users, AW_SPAN_LIT("al"), AW_SPAN_LIT("R"), &md5),
                    APR_SUCCESS);
    CU_ASSERT_TRUE(turns(users, "", AW_A1_REPLACE, NEW("al"), (aw_a1_applied_t){.added = 1}));
    aw_a1_users_destroy(users);
}

static bool count_user(void *baton, aw_span_t user, aw_span_t realm, unsigned present)
{
    size_t *count = baton;
    char name[40];

    snprintf(name, sizeof(name), "user%zu", *count);
    CU_ASSERT_TRUE(aw_span_equal(user, aw_span(name)) && realm.len == 1 && present == 3);
    return ++*count < 40000;
}

/* Far more users than the first table and the first block hold. */
static void many_users_are_found_again_and_listed_in_order(void)
{
    aw_a1_users_t *users = make(NULL, NULL);
    size_t count = 0;
    bool right = true;

    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < 50000; i++) {
            char name[40];
            unsigned before = 9;

            snprintf(name, sizeof(name), "user%zu", i);
            right = right &&
                    aw_a1_users_note(users, aw_span(name), AW_SPAN_LIT("R"), 1u << round,
                                     &before) == APR_SUCCESS &&
                    before == round;
        }
    }
    CU_ASSERT_TRUE(right);
    CU_ASSERT_EQUAL(aw_a1_users_count(users), 50000);
    aw_a1_users_each(users, count_user, &count);
    CU_ASSERT_EQUAL(count, 40000);
    aw_a1_users_destroy(users);
}

static void names_are_bounded_and_a_failing_write_ends_it(void)
{
    static char name[AW_A1_NAME_MAX + 1];
    aw_a1_users_t *users = make("bob", &both);
    aw_a1_applied_t applied = {.added = 7, .replaced = 7, .conflicts = 7};

    memset(name, 'n', sizeof(name));
    CU_ASSERT_EQUAL(aw_a1_users_add(users, (aw_span_t){name, sizeof(name)}, AW_SPAN_LIT("R"), &md5),
                    APR_EINVAL);
    CU_ASSERT_EQUAL(aw_a1_users_add(users, AW_SPAN_LIT("x"), AW_SPAN_LIT(""), &md5), APR_EINVAL);
    for (size_t room = 0; room < sizeof(NEW("bob")); room++) {
        sink_t sink = {.room = room};
        const apr_status_t rv =
            aw_a1_users_apply(users, AW_SPAN_LIT("\n"), AW_A1_REPLACE, &applied, write_sink, &sink);

        CU_ASSERT_EQUAL(rv, APR_ENOSPC);
        CU_ASSERT_EQUAL(applied.added, 7);
    }
    aw_a1_users_destroy(users);
}

static const unit_test_t tests[] = {
    {"users are replaced in place, or added at the end", users_are_replaced_in_place_or_added},
    {"a set of nobody changes no byte", a_set_of_nobody_changes_no_byte},
    {"merging keeps other algorithms of the same password",
     merging_keeps_other_algorithms_of_the_same_password},
    {"values join as the lines of a file do", values_join_as_the_lines_of_a_file},
    {"many users are found again and listed in order",
     many_users_are_found_again_and_listed_in_order},
    {"names are bounded, and a write that fails ends it",
     names_are_bounded_and_a_failing_write_ends_it},
    {NULL, NULL}};

const unit_suite_t a1_users_suite = {"a1_users", tests};
