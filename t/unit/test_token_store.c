/* Token files and certificate maps in memory: found by hash, followed as they change.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/certmap_store.h"
#include "store/token_store.h"

/* Hashes of "secret", by openssl dgst. */
#define SECRET_SHA "e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4"
#define SECRET_SHA384                                                                              \
    "58a775ba4112be3005ae4407ce757d88fda71d40497bb8026ecac54d4e3ffc72"                             \
    "32ce8de3ab5acb30ae39760fee7c53ed"
#define HEX40 "0123456701234567012345670123456701234567"
#define HEX64 "0123456701234567012345670123456701234567012345670123456701234567"

static apr_pool_t *pool;
static char path[2][64];
static char lines[4000]; /* what was logged */
static apr_time_t now;

static void note(void *baton, aw_log_level_e level, unsigned number, const char *text)
{
    const size_t n = strlen(lines);

    (void)baton;
    (void)level;
    snprintf(lines + n, sizeof(lines) - n, "%u %s\n", number, text);
}

static const aw_log_t noting = {note, NULL};

/* Writes a file; the clock then moves on far enough for the store to look and take it up. A file's
 * times come from the real clock, so the store's is kept ahead of it. */
static void put(int file, const char *text)
{
    FILE *f = fopen(path[file], "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs(text, f);
    fclose(f);
    chmod(path[file], 0600);
    now += apr_time_from_sec(1);
}

static void begin(void)
{
    apr_pool_create(&pool, NULL);
    now = apr_time_now() + apr_time_from_sec(100);
    lines[0] = '\0';
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof(path[i]), "/tmp/authws-tokens-%d-XXXXXX", i);
        close(mkstemp(path[i]));
    }
}

static void end(void)
{
    apr_pool_destroy(pool);
    unlink(path[0]);
    unlink(path[1]);
}

static aw_token_store_t *open_store(size_t n)
{
    const char *const paths[] = {path[0], path[1]};
    aw_token_store_t *store = NULL;
    const char *message = NULL;

    CU_ASSERT_EQUAL_FATAL(aw_token_store_open(&store, &message, paths, n, &noting, pool),
                          APR_SUCCESS);
    return store;
}

static aw_token_verdict_e find(aw_token_store_t *store, const char *token, aw_token_entry_t *entry)
{
    return aw_token_store_find(store, aw_span(token), now, entry);
}

static void a_token_is_found_in_whatever_algorithm_it_stands(void)
{
    aw_token_entry_t entry;

    begin();
    put(0, "old:{SHA}" SECRET_SHA "\nother:{SHA-384}"
           "00000000"
           "11111111"
           "22222222"
           "33333333"
           "44444444"
           "55555555"
           "66666666"
           "77777777"
           "88888888"
           "99999999"
           "aaaaaaaa"
           "bbbbbbbb"
           "\n");
    aw_token_store_t *store = open_store(1);

    CU_ASSERT_EQUAL(find(store, "secret", &entry), AW_TOKEN_GOOD);
    CU_ASSERT_STRING_EQUAL(entry.subject, "old");
    CU_ASSERT_EQUAL(entry.subject_len, 3);
    CU_ASSERT_EQUAL(entry.alg, AW_TOKEN_SHA);
    CU_ASSERT_EQUAL(entry.hash[0], 0xe5);
    CU_ASSERT_EQUAL(entry.lift_to, AW_TOKEN_SHA384);
    CU_ASSERT_EQUAL(entry.expires, AW_TOKEN_NEVER);
    CU_ASSERT_EQUAL(find(store, "Secret", &entry), AW_TOKEN_UNKNOWN);
    CU_ASSERT_STRING_EQUAL(entry.subject, "");
    CU_ASSERT_EQUAL(find(store, "", &entry), AW_TOKEN_UNKNOWN);
    CU_ASSERT_EQUAL(find(store, "secre", &entry), AW_TOKEN_UNKNOWN);
    CU_ASSERT_EQUAL(find(store, "secrets", &entry), AW_TOKEN_UNKNOWN);
    end();
}

static void a_token_that_is_too_long_is_unknown(void)
{
    aw_token_entry_t entry;
    char token[AW_TOKEN_MAX + 1];

    begin();
    memset(token, 'a', sizeof(token));
    put(0, "");
    aw_token_store_t *store = open_store(1);

    CU_ASSERT_EQUAL(aw_token_store_find(store, (aw_span_t){token, sizeof(token)}, now, &entry),
                    AW_TOKEN_UNKNOWN);
    CU_ASSERT_EQUAL(aw_token_store_find(store, (aw_span_t){token, AW_TOKEN_MAX}, now, &entry),
                    AW_TOKEN_UNKNOWN);
    end();
}

static void weak_entries_are_lifted_to_the_strongest_in_force(void)
{
    size_t by_alg[AW_TOKEN_ALG_COUNT];
    aw_token_entry_t entry;

    begin();
    put(0, "old:{SHA}" SECRET_SHA "\n");
    put(1, "x:{SHA-512}" HEX64 HEX64 "\n");
    aw_token_store_t *store = open_store(2);

    CU_ASSERT_EQUAL(find(store, "secret", &entry), AW_TOKEN_GOOD);
    CU_ASSERT_EQUAL(entry.lift_to, AW_TOKEN_SHA512);
    CU_ASSERT_EQUAL(aw_token_store_count(store, by_alg), 2);
    CU_ASSERT_EQUAL(by_alg[AW_TOKEN_SHA], 1);
    CU_ASSERT_EQUAL(by_alg[AW_TOKEN_SHA512], 1);
    put(0, "new:{SHA-384}" SECRET_SHA384 "\n");
    CU_ASSERT_EQUAL(find(store, "secret", &entry), AW_TOKEN_GOOD);
    CU_ASSERT_EQUAL(entry.lift_to, AW_TOKEN_ALG_COUNT);
    CU_ASSERT_STRING_EQUAL(entry.subject, "new");
    end();
}

static void an_expired_token_is_told_from_an_unknown_one(void)
{
    aw_token_entry_t entry;

    begin();
    put(0, "a:{SHA}" SECRET_SHA ":2020-01-01\n");
    put(1, "# none\n");
    aw_token_store_t *store = open_store(2);

    CU_ASSERT_EQUAL(find(store, "secret", &entry), AW_TOKEN_EXPIRED);
    CU_ASSERT_STRING_EQUAL(entry.subject, "a");
    CU_ASSERT_EQUAL(aw_token_store_find(store, AW_SPAN_LIT("secret"), entry.expires - 1, &entry),
                    AW_TOKEN_GOOD);
    CU_ASSERT_EQUAL(aw_token_store_find(store, AW_SPAN_LIT("secret"), entry.expires, &entry),
                    AW_TOKEN_EXPIRED);
    put(1, "b:{SHA-384}" SECRET_SHA384 "\n");
    CU_ASSERT_EQUAL(find(store, "secret", &entry), AW_TOKEN_GOOD);
    CU_ASSERT_STRING_EQUAL(entry.subject, "b");
    end();
}

static void a_revoked_token_is_unknown_at_the_next_look(void)
{
    aw_token_entry_t entry;

    begin();
    put(0, "a:{SHA}" SECRET_SHA "\nb:{SHA}" HEX40 "\n");
    aw_token_store_t *store = open_store(1);

    CU_ASSERT_EQUAL(find(store, "secret", &entry), AW_TOKEN_GOOD);
    put(0, "b:{SHA}" HEX40 "\n");
    CU_ASSERT_EQUAL(find(store, "secret", &entry), AW_TOKEN_UNKNOWN);
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "1073 "));
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "read again after a change, 1 tokens"));
    end();
}

static void a_broken_or_missing_file_leaves_the_last_good_version(void)
{
    aw_token_entry_t entry;

    begin();
    put(0, "a:{SHA}" SECRET_SHA "\n");
    aw_token_store_t *store = open_store(1);

    put(0, "b:{SHA}" HEX40 "\nb:{SHA}12\n");
    CU_ASSERT_EQUAL(find(store, "secret", &entry), AW_TOKEN_GOOD);
    now += apr_time_from_sec(1);
    CU_ASSERT_EQUAL(find(store, "secret", &entry), AW_TOKEN_GOOD);
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, ":2:10: 2 characters in the hash"));
    CU_ASSERT_PTR_EQUAL(strstr(lines, "1071 "), lines);
    CU_ASSERT_PTR_NULL(strstr(lines + 1, "1071 "));
    unlink(path[0]);
    now += apr_time_from_sec(1);
    CU_ASSERT_EQUAL(find(store, "secret", &entry), AW_TOKEN_GOOD);
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "1072 "));
    put(0, "c:{SHA}" SECRET_SHA "\n");
    CU_ASSERT_EQUAL(find(store, "secret", &entry), AW_TOKEN_GOOD);
    CU_ASSERT_STRING_EQUAL(entry.subject, "c");
    end();
}

static void a_version_that_has_not_settled_is_not_taken_up(void)
{
    aw_token_entry_t entry;

    begin();
    put(0, "a:{SHA}" SECRET_SHA "\n");
    aw_token_store_t *store = open_store(1);

    CU_ASSERT_EQUAL(find(store, "secret", &entry), AW_TOKEN_GOOD);
    put(0, "b:{SHA}" SECRET_SHA "\n");
    struct stat st;

    CU_ASSERT_EQUAL(stat(path[0], &st), 0);
    const apr_time_t changed =
        (apr_time_t)st.st_ctim.tv_sec * 1000000 + (apr_time_t)(st.st_ctim.tv_nsec / 1000);

    now = changed + apr_time_from_msec(19);
    CU_ASSERT_EQUAL(find(store, "secret", &entry), AW_TOKEN_GOOD);
    CU_ASSERT_STRING_EQUAL(entry.subject, "a");
    now += apr_time_from_msec(50);
    CU_ASSERT_EQUAL(find(store, "secret", &entry), AW_TOKEN_GOOD);
    CU_ASSERT_STRING_EQUAL(entry.subject, "b");
    end();
}

static void files_that_are_wrong_are_not_opened(void)
{
    const char *const paths[] = {path[0], path[1]};
    aw_token_store_t *store = NULL;
    const char *message = NULL;

    begin();
    put(0, "a:{SHA}" SECRET_SHA "\n");
    put(1, "a:{SHA}" SECRET_SHA "\nb:{SHA}" SECRET_SHA "\n");
    CU_ASSERT_EQUAL(aw_token_store_open(&store, &message, paths, 2, &noting, pool), APR_EINVAL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(message);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(message, ":2:3: the same token as in line 1, there for another subject"));
    unlink(path[1]);
    CU_ASSERT_EQUAL(aw_token_store_open(&store, &message, paths, 2, &noting, pool), APR_ENOENT);
    CU_ASSERT_PTR_NULL(store);
    end();
}

static void a_file_that_all_may_read_is_warned_of(void)
{
    begin();
    put(0, "a:{SHA}" SECRET_SHA "\n");
    chmod(path[0], 0644);
    (void)open_store(1);
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "mode 0644 lets everybody read"));
    end();
}

static void what_was_found_can_be_asked_for_again(void)
{
    aw_token_value_t value = {.alg = AW_TOKEN_SHA}, lifted = {.alg = AW_TOKEN_SHA384};
    const aw_span_t a = AW_SPAN_LIT("a");

    begin();
    (void)aw_hex_decode(value.hash, SECRET_SHA, 20);
    (void)aw_hex_decode(lifted.hash, SECRET_SHA384, 48);
    put(0, "a:{SHA}" SECRET_SHA "\n");
    aw_token_store_t *store = open_store(1);

    CU_ASSERT_TRUE(aw_token_store_holds(store, a, &value, NULL, now));
    CU_ASSERT_FALSE(aw_token_store_holds(store, AW_SPAN_LIT("b"), &value, NULL, now));
    put(0, "a:{SHA-384}" SECRET_SHA384 "\n");
    CU_ASSERT_FALSE(aw_token_store_holds(store, a, &value, NULL, now));
    CU_ASSERT_TRUE(aw_token_store_holds(store, a, &value, &lifted, now));
    put(0, "a:{SHA-384}" SECRET_SHA384 ":2020-01-01\n");
    CU_ASSERT_FALSE(aw_token_store_holds(store, a, &value, &lifted, now));
    end();
}

/* --- many, and at once --- */

static void every_one_of_many_is_found_and_nobody_else(void)
{
    enum { MANY = 3000 };
    aw_token_entry_t entry;
    char token[32], hex[2 * AW_TOKEN_HASH_MAX + 1];
    unsigned char hash[AW_TOKEN_HASH_MAX];
    size_t right = 0, wrong = 0;

    begin();
    FILE *f = fopen(path[0], "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    for (int i = 0; i < MANY; i++) {
        const aw_token_alg_e alg = (aw_token_alg_e)(i % AW_TOKEN_ALG_COUNT);

        snprintf(token, sizeof(token), "token %d", i);
        CU_ASSERT_EQUAL_FATAL(aw_token_hash(alg, aw_span(token), hash), APR_SUCCESS);
        aw_hex_encode(hex, hash, aw_token_alg_size(alg));
        hex[2 * aw_token_alg_size(alg)] = '\0';
        fprintf(f, "subject %d:{%s}%s\n", i, aw_token_alg_name(alg), hex);
    }
    fclose(f);
    chmod(path[0], 0600);
    aw_token_store_t *store = open_store(1);

    CU_ASSERT_EQUAL(aw_token_store_count(store, NULL), MANY);
    for (int i = 0; i < 2 * MANY; i++) {
        char subject[32];

        snprintf(token, sizeof(token), "token %d", i);
        snprintf(subject, sizeof(subject), "subject %d", i);
        const bool found = find(store, token, &entry) == AW_TOKEN_GOOD;

        right += i < MANY && found && strcmp(entry.subject, subject) == 0;
        wrong += i >= MANY && found;
    }
    CU_ASSERT_EQUAL(right, MANY);
    CU_ASSERT_EQUAL(wrong, 0);
    end();
}

static _Atomic bool stop;
static _Atomic unsigned long asked, failures;
static _Atomic apr_time_t shared_now;

static void *ask(void *data)
{
    aw_token_store_t *store = data;
    aw_token_entry_t entry;

    while (!stop) {
        const aw_token_verdict_e verdict =
            aw_token_store_find(store, AW_SPAN_LIT("secret"), shared_now, &entry);

        failures += verdict != AW_TOKEN_GOOD ||
                    (strcmp(entry.subject, "even") != 0 && strcmp(entry.subject, "odd") != 0);
        asked++;
    }
    return NULL;
}

static void readers_go_on_while_the_file_changes(void)
{
    pthread_t threads[3];

    begin();
    stop = false;
    asked = failures = 0;
    put(0, "even:{SHA}" SECRET_SHA "\n");
    shared_now = now;
    aw_token_store_t *store = open_store(1);

    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, ask, store), 0);
    }
    for (int i = 0; i < 40; i++) {
        const unsigned long before = asked;
        char fresh[80];

        /* As writers do: whole, then renamed. */
        snprintf(fresh, sizeof(fresh), "%s.new", path[0]);
        FILE *f = fopen(fresh, "w");

        fprintf(f, "%s:{SHA}" SECRET_SHA "\n", i % 2 ? "odd" : "even");
        fclose(f);
        chmod(fresh, 0600);
        CU_ASSERT_EQUAL(rename(fresh, path[0]), 0);
        now += apr_time_from_sec(2);
        shared_now = now;
        while (asked < before + 20) {
            usleep(100);
        }
    }
    stop = true;
    for (size_t i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    CU_ASSERT_EQUAL(failures, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "1073 "));
    end();
}

/* --- certificate maps --- */

static aw_certmap_t *open_map(size_t n)
{
    const char *const paths[] = {path[0], path[1]};
    aw_certmap_t *map = NULL;
    const char *message = NULL;

    CU_ASSERT_EQUAL_FATAL(aw_certmap_open(&map, &message, paths, n, &noting, pool), APR_SUCCESS);
    return map;
}

static const char *user_of(aw_certmap_t *map, const aw_fingerprints_t *prints, const char *realm)
{
    static aw_certmap_entry_t entry;
    const apr_status_t rv = aw_certmap_find(map, prints, aw_span(realm), now, &entry);

    CU_ASSERT_EQUAL(rv, entry.user_len > 0 ? APR_SUCCESS : APR_NOTFOUND);
    return entry.user;
}

static void a_certificate_is_found_by_either_fingerprint(void)
{
    aw_fingerprints_t prints = {{0}, {0}}, other;

    begin();
    (void)aw_hex_decode(prints.sha1, HEX40, 20);
    (void)aw_hex_decode(prints.sha256, HEX64, 32);
    other = prints;
    other.sha256[31] ^= 1;
    put(0, HEX40 " jane\n");
    aw_certmap_t *map = open_map(1);

    CU_ASSERT_STRING_EQUAL(user_of(map, &prints, "R"), "jane");
    CU_ASSERT_STRING_EQUAL(user_of(map, &other, "R"), "jane");
    put(0, HEX40 " jane\n" HEX64 " joe\n");
    CU_ASSERT_STRING_EQUAL(user_of(map, &prints, "R"), "joe");
    CU_ASSERT_STRING_EQUAL(user_of(map, &other, "R"), "jane");
    CU_ASSERT_EQUAL(aw_certmap_count(map), 2);
    other.sha1[0] ^= 0x80;
    CU_ASSERT_STRING_EQUAL(user_of(map, &other, "R"), "");
    end();
}

static void a_line_for_the_realm_goes_before_one_for_all(void)
{
    aw_fingerprints_t prints = {{0}, {0}};

    begin();
    (void)aw_hex_decode(prints.sha1, HEX40, 20);
    (void)aw_hex_decode(prints.sha256, HEX64, 32);
    put(0, HEX64 " all\n" HEX40 " \"in R\" R\n");
    put(1, HEX64 " second\n" HEX64 " s S\n");
    aw_certmap_t *map = open_map(2);

    CU_ASSERT_STRING_EQUAL(user_of(map, &prints, "R"), "in R");
    CU_ASSERT_STRING_EQUAL(user_of(map, &prints, "S"), "s");
    CU_ASSERT_STRING_EQUAL(user_of(map, &prints, "T"), "all");
    CU_ASSERT_STRING_EQUAL(user_of(map, &prints, ""), "all");
    put(0, HEX40 " \"in R\" R\n");
    put(1, "");
    now += apr_time_from_sec(5);
    CU_ASSERT_STRING_EQUAL(user_of(map, &prints, "T"), "");
    end();
}

static void a_fingerprint_that_could_not_be_made_is_not_found(void)
{
    const aw_fingerprints_t prints = {{0}, {1}};

    begin();
    put(0, "0000000000000000000000000000000000000000 nobody\n");
    aw_certmap_t *map = open_map(1);

    CU_ASSERT_STRING_EQUAL(user_of(map, &prints, "R"), "");
    end();
}

static const unit_test_t tests[] = {
    {"a token is found in whatever algorithm it stands",
     a_token_is_found_in_whatever_algorithm_it_stands},
    {"a token that is too long is unknown", a_token_that_is_too_long_is_unknown},
    {"weak entries are lifted to the strongest in force",
     weak_entries_are_lifted_to_the_strongest_in_force},
    {"an expired token is told from an unknown one", an_expired_token_is_told_from_an_unknown_one},
    {"a revoked token is unknown at the next look", a_revoked_token_is_unknown_at_the_next_look},
    {"a broken or missing file leaves the last good version",
     a_broken_or_missing_file_leaves_the_last_good_version},
    {"a version that has not settled is not taken up",
     a_version_that_has_not_settled_is_not_taken_up},
    {"files that are wrong are not opened", files_that_are_wrong_are_not_opened},
    {"a file that all may read is warned of", a_file_that_all_may_read_is_warned_of},
    {"what was found can be asked for again", what_was_found_can_be_asked_for_again},
    {"every one of many is found and nobody else", every_one_of_many_is_found_and_nobody_else},
    {"readers go on while the file changes", readers_go_on_while_the_file_changes},
    {"a certificate is found by either fingerprint", a_certificate_is_found_by_either_fingerprint},
    {"a line for the realm goes before one for all", a_line_for_the_realm_goes_before_one_for_all},
    {"a fingerprint that could not be made is not found",
     a_fingerprint_that_could_not_be_made_is_not_found},
    {NULL, NULL}};

const unit_suite_t token_store_suite = {"token_store", tests};
