/* The A1 store: changes are taken up whole, mistakes never, and readers do not wait.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <apr_strings.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/a1_store.h"

#define ZERO "00000000000000000000000000000000"
#define ONES "11111111111111111111111111111111"

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
        snprintf(path[i], sizeof(path[i]), "/tmp/authws-store-%d-XXXXXX", i);
        close(mkstemp(path[i]));
    }
}

static void end(void)
{
    apr_pool_destroy(pool);
    unlink(path[0]);
    unlink(path[1]);
}

static aw_a1_store_t *open_store(size_t n, unsigned userhash)
{
    const char *const paths[] = {path[0], path[1]};
    aw_a1_store_t *store = NULL;
    const char *message = NULL;

    CU_ASSERT_EQUAL_FATAL(aw_a1_store_open(&store, &message, paths, n, userhash, &noting, pool),
                          APR_SUCCESS);
    CU_ASSERT_PTR_NULL(message);
    return store;
}

/* First byte of the user's MD5 value in realm R, or -1. */
static int md5_of(aw_a1_store_t *store, const char *user)
{
    aw_a1_entry_t entry;
    aw_alg_e alg = AW_ALG_MD5;

    return aw_a1_store_find(store, AW_SPAN_LIT("R"), aw_span(user), &alg, now, &entry) ==
                   APR_SUCCESS
               ? entry.hash[0]
               : -1;
}

static void finds_what_is_asked_for(void)
{
    aw_a1_entry_t entry;
    aw_alg_e alg = AW_ALG_COUNT;

    begin();
    put(0, "bob:R:" ZERO "\nbob:R:{SHA-256}" ONES ONES "\n");
    aw_a1_store_t *store = open_store(1, 0);
    const aw_span_t realm = AW_SPAN_LIT("R"), bob = AW_SPAN_LIT("bob");

    CU_ASSERT_EQUAL(aw_a1_store_find(store, realm, bob, &alg, now, &entry), APR_SUCCESS);
    CU_ASSERT_EQUAL(alg, AW_ALG_SHA256);
    CU_ASSERT_STRING_EQUAL(entry.user, "bob");
    CU_ASSERT_EQUAL(entry.user_len, 3);
    CU_ASSERT_EQUAL(entry.hash[31], 0x11);
    alg = AW_ALG_SHA512;
    CU_ASSERT_EQUAL(aw_a1_store_find(store, realm, bob, &alg, now, &entry), APR_ENOTIMPL);
    CU_ASSERT_EQUAL(alg, AW_ALG_SHA512);
    CU_ASSERT_EQUAL(entry.present, 1u << AW_ALG_MD5 | 1u << AW_ALG_SHA256);
    CU_ASSERT_EQUAL(aw_a1_store_find(store, realm, AW_SPAN_LIT("al"), &alg, now, &entry),
                    APR_NOTFOUND);
    CU_ASSERT_EQUAL(aw_a1_store_users(store), 1);
    end();
}

static void refuses_to_open_broken_files(void)
{
    const char *const paths[] = {path[0], path[1]};
    aw_a1_store_t *store = NULL;
    const char *message = NULL;

    begin();
    put(0, "bob:R:" ZERO "\n");
    put(1, "# c\nbob:R:x\n");
    CU_ASSERT_EQUAL(aw_a1_store_open(&store, &message, paths, 2, 0, NULL, pool), APR_EINVAL);
    CU_ASSERT_STRING_EQUAL(message,
                           apr_pstrcat(pool, path[1], ":2:7: not a hexadecimal digit", NULL));
    unlink(path[1]);
    CU_ASSERT_EQUAL(aw_a1_store_open(&store, &message, paths, 2, 0, NULL, pool), APR_ENOENT);
    CU_ASSERT_EQUAL(strncmp(message, path[1], strlen(path[1])), 0);
    CU_ASSERT_PTR_NULL(store);
    end();
}

static void takes_up_changes(void)
{
    begin();
    put(0, "bob:R:" ZERO "\n");
    aw_a1_store_t *store = open_store(1, 0);

    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0);
    put(0, "bob:R:" ONES "\nal:R:" ONES "\n");
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0x11);
    CU_ASSERT_EQUAL(md5_of(store, "al"), 0x11);
    put(0, "");
    CU_ASSERT_EQUAL(md5_of(store, "bob"), -1);
    CU_ASSERT_EQUAL(aw_a1_store_users(store), 0);
    end();
}

static void looks_only_when_it_is_time(void)
{
    begin();
    put(0, "bob:R:" ZERO "\n");
    aw_a1_store_t *store = open_store(1, 0);

    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0);
    const apr_time_t looked = now;

    put(0, "bob:R:" ONES "\n");
    now = looked + AW_A1_STORE_CHECK - 1;
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0);
    now = looked + AW_A1_STORE_CHECK;
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0x11);
    put(0, "bob:R:" ZERO "\n");
    now = looked - apr_time_from_sec(50); /* a clock that was set back */
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0);
    end();
}

static void leaves_looking_to_who_follows(void)
{
    begin();
    put(0, "bob:R:" ZERO "\n");
    aw_a1_store_t *store = open_store(1, 0);

    aw_a1_store_follow(store);
    put(0, "bob:R:" ONES "\n");
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0);
    aw_a1_store_look(store, now);
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0x11);
    end();
}

static void keeps_the_last_good_version(void)
{
    begin();
    put(0, "bob:R:" ZERO "\n");
    aw_a1_store_t *store = open_store(1, 0);

    put(0, "bob:R:" ONES "\nbroken\n");
    for (int i = 0; i < 3; i++, now += apr_time_from_sec(1)) {
        CU_ASSERT_EQUAL(md5_of(store, "bob"), 0);
    }
    const char *first = strstr(lines, ":2:7: ");

    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    CU_ASSERT_PTR_NULL(strstr(first + 1, ":2:7: "));
    put(0, "also\n");
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, ":1:5: "));
    put(0, "bob:R:" ONES "\n");
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0x11);
    end();
}

static void a_file_that_grows_beyond_the_limit_is_not_read(void)
{
    const char *const paths[] = {path[0]};
    aw_a1_store_t *store = NULL;
    const char *message = NULL;

    begin();
    put(0, "bob:R:" ZERO "\n");
    CU_ASSERT_EQUAL(aw_a1_store_open_limited(&store, &message, paths, 1, 38, &noting, pool),
                    APR_ENOMEM);
    CU_ASSERT_PTR_NOT_NULL_FATAL(message);
    CU_ASSERT_PTR_NOT_NULL(strstr(message, "larger than the 38 bytes"));
    CU_ASSERT_EQUAL_FATAL(aw_a1_store_open_limited(&store, &message, paths, 1, 39, &noting, pool),
                          APR_SUCCESS);
    put(0, "bob:R:" ONES "\n\n");
    CU_ASSERT_EQUAL(truncate(path[0], 1 << 30), 0);
    for (int i = 0; i < 3; i++, now += apr_time_from_sec(1)) {
        CU_ASSERT_EQUAL(md5_of(store, "bob"), 0);
    }
    const char *first = strstr(lines, "larger than the 39 bytes");

    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    CU_ASSERT_PTR_NULL(strstr(first + 1, "larger than"));
    put(0, "bob:R:" ONES "\n");
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0x11);
    end();
}

static void outlives_the_file(void)
{
    char away[80];

    begin();
    snprintf(away, sizeof(away), "%s.away", path[0]);
    put(0, "bob:R:" ZERO "\n");
    aw_a1_store_t *store = open_store(1, 0);

    CU_ASSERT_EQUAL(rename(path[0], away), 0);
    for (int i = 0; i < 3; i++) {
        now += apr_time_from_sec(1);
        CU_ASSERT_EQUAL(md5_of(store, "bob"), 0);
    }
    const char *first = strstr(lines, "No such file");

    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    CU_ASSERT_PTR_NULL(strstr(first + 1, "No such file"));
    CU_ASSERT_EQUAL(mkdir(path[0], 0700), 0);
    now += apr_time_from_sec(1);
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "not a regular file"));
    rmdir(path[0]);
    put(0, "bob:R:" ONES "\n");
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0x11);
    unlink(away);
    end();
}

/* One file being broken must not hold back what was revoked in the other. */
static void follows_each_file_by_itself(void)
{
    begin();
    put(0, "bob:R:" ZERO "\nal:R:" ZERO "\n");
    put(1, "bob:R:{SHA-256}" ONES ONES "\ncy:R:" ZERO "\n");
    aw_a1_store_t *store = open_store(2, 0);
    aw_a1_entry_t entry;
    aw_alg_e alg = AW_ALG_COUNT;

    CU_ASSERT_EQUAL(
        aw_a1_store_find(store, AW_SPAN_LIT("R"), AW_SPAN_LIT("bob"), &alg, now, &entry),
        APR_SUCCESS);
    CU_ASSERT_EQUAL(entry.present, 1u << AW_ALG_MD5 | 1u << AW_ALG_SHA256);
    CU_ASSERT_EQUAL(alg, AW_ALG_SHA256);
    put(1, "broken\n");
    put(0, "bob:R:" ONES "\n");
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0x11);
    CU_ASSERT_EQUAL(md5_of(store, "al"), -1);
    CU_ASSERT_EQUAL(md5_of(store, "cy"), 0);
    put(1, "bob:R:" ZERO "\n");
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0);
    CU_ASSERT_EQUAL(md5_of(store, "cy"), -1);
    end();
}

static void waits_until_a_version_has_settled(void)
{
    aw_file_id_t id;

    begin();
    put(0, "bob:R:" ZERO "\n");
    aw_a1_store_t *store = open_store(1, 0);

    put(0, "bob:R:" ONES "\n");
    CU_ASSERT_EQUAL(aw_file_identify(path[0], &id, NULL), APR_SUCCESS);
    const apr_time_t changed = (apr_time_t)(id.ctime_ns / 1000);

    now = changed + 1000;
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0);
    now += AW_A1_STORE_CHECK;
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0x11);
    end();
}

/* Changed after the clock was read, or by another machine's clock. */
static void a_file_from_the_future_waits_a_second(void)
{
    aw_file_id_t id;

    begin();
    put(0, "bob:R:" ZERO "\n");
    aw_a1_store_t *store = open_store(1, 0);

    for (int round = 0; round < 2; round++) {
        put(0, round ? "bob:R:" ZERO "\n" : "bob:R:" ONES "\n");
        CU_ASSERT_EQUAL(aw_file_identify(path[0], &id, NULL), APR_SUCCESS);
        now = (apr_time_t)(id.ctime_ns / 1000) - apr_time_from_sec(3600 * (round + 1));
        for (int i = 0; i < 10; i++, now += apr_time_from_msec(90)) {
            CU_ASSERT_EQUAL(md5_of(store, "bob"), round ? 0x11 : 0);
        }
        now += apr_time_from_sec(1);
        CU_ASSERT_EQUAL(md5_of(store, "bob"), round ? 0 : 0x11);
    }
    end();
}

static void warns_of_open_permissions(void)
{
    begin();
    put(0, "bob:R:" ZERO "\n");
    chmod(path[0], 0644);
    aw_a1_store_t *store = open_store(1, 0);

    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "0644"));
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0);
    lines[0] = '\0';
    chmod(path[0], 0602);
    now += apr_time_from_sec(1);
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "change"));
    end();
}

static void finds_by_userhash(void)
{
    const aw_span_t part = AW_SPAN_LIT("bob:R"), realm = AW_SPAN_LIT("R");
    unsigned char hash[AW_HASH_MAX];
    char hex[AW_HASH_HEX_MAX];
    aw_a1_entry_t entry;

    begin();
    put(0, "bob:R:{SHA-256}" ONES ONES "\nbob:R:" ZERO "\n");
    aw_a1_store_t *store = open_store(1, 1u << AW_ALG_SHA256);

    aw_hash(AW_ALG_SHA256, &part, 1, hash);
    aw_hex_encode(hex, hash, 32);
    CU_ASSERT_EQUAL(
        aw_a1_store_find_userhash(store, realm, (aw_span_t){hex, 64}, AW_ALG_SHA256, now, &entry),
        APR_SUCCESS);
    CU_ASSERT_STRING_EQUAL(entry.user, "bob");
    CU_ASSERT_EQUAL(entry.hash[0], 0x11);
    CU_ASSERT_EQUAL(
        aw_a1_store_find_userhash(store, realm, (aw_span_t){hex, 63}, AW_ALG_SHA256, now, &entry),
        APR_NOTFOUND);
    CU_ASSERT_EQUAL(aw_a1_store_find_userhash(store, AW_SPAN_LIT("S"), (aw_span_t){hex, 64},
                                              AW_ALG_SHA256, now, &entry),
                    APR_NOTFOUND);
    hex[7] = 'x';
    CU_ASSERT_EQUAL(
        aw_a1_store_find_userhash(store, realm, (aw_span_t){hex, 64}, AW_ALG_SHA256, now, &entry),
        APR_NOTFOUND);
    end();
}

static void indexes_when_asked(void)
{
    const aw_span_t part = AW_SPAN_LIT("bob:R"), realm = AW_SPAN_LIT("R");
    unsigned char hash[AW_HASH_MAX];
    char hex[AW_HASH_HEX_MAX];
    aw_a1_entry_t entry;

    begin();
    put(0, "bob:R:{SHA-256}" ONES ONES "\nbob:R:" ZERO "\n");
    aw_a1_store_t *store = open_store(1, 0);

    put(0, "broken\n");
    for (int i = 0; i < 2; i++) {
        const aw_alg_e alg = i ? AW_ALG_MD5 : AW_ALG_SHA256;

        aw_hash(alg, &part, 1, hash);
        aw_hex_encode(hex, hash, aw_alg_size(alg));
        CU_ASSERT_EQUAL_FATAL(aw_a1_store_find_userhash(store, realm,
                                                        (aw_span_t){hex, 2 * aw_alg_size(alg)}, alg,
                                                        now, &entry),
                              APR_SUCCESS);
        CU_ASSERT_STRING_EQUAL(entry.user, "bob");
    }
    end();
}

enum { READERS = 3, VERSIONS = 40 };

static _Atomic bool stop;
static _Atomic apr_time_t shared_now;

/* Two users always change together: a reader that sees one value of "bob" after another must only
 * see whole ones. */
static void *read_on(void *baton)
{
    size_t wrong = 0;

    while (!atomic_load(&stop)) {
        aw_a1_entry_t entry;
        aw_alg_e alg = AW_ALG_SHA256;
        const apr_status_t rv = aw_a1_store_find(baton, AW_SPAN_LIT("R"), AW_SPAN_LIT("bob"), &alg,
                                                 atomic_load(&shared_now), &entry);

        for (int i = 1; rv == APR_SUCCESS && i < 32; i++) {
            wrong += entry.hash[i] != entry.hash[0];
        }
        wrong += rv != APR_SUCCESS;
    }
    return (void *)wrong;
}

static void readers_see_whole_versions(void)
{
    pthread_t readers[READERS];
    char text[200];

    begin();
    put(0, "bob:R:{SHA-256}" ONES ONES "\n");
    aw_a1_store_t *store = open_store(1, 0);

    atomic_store(&stop, false);
    atomic_store(&shared_now, now);
    for (int i = 0; i < READERS; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&readers[i], NULL, read_on, store), 0);
    }
    for (int v = 0; v < VERSIONS; v++) {
        char digits[65], beside[80];

        memset(digits, "0123456789abcdef"[v % 16], 64);
        digits[64] = '\0';
        snprintf(text, sizeof(text), "bob:R:{SHA-256}%s\n", digits);
        snprintf(beside, sizeof(beside), "%s.new", path[0]);
        FILE *f = fopen(beside, "w");

        CU_ASSERT_PTR_NOT_NULL_FATAL(f);
        fputs(text, f);
        fclose(f);
        CU_ASSERT_EQUAL(rename(beside, path[0]), 0);
        now += apr_time_from_sec(1);
        atomic_store(&shared_now, now);
        usleep(2000);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < READERS; i++) {
        void *wrong = NULL;

        pthread_join(readers[i], &wrong);
        CU_ASSERT_PTR_NULL(wrong);
    }
    now += apr_time_from_sec(1);
    aw_a1_entry_t entry;
    aw_alg_e alg = AW_ALG_SHA256;

    CU_ASSERT_EQUAL(
        aw_a1_store_find(store, AW_SPAN_LIT("R"), AW_SPAN_LIT("bob"), &alg, now, &entry),
        APR_SUCCESS);
    CU_ASSERT_EQUAL(entry.hash[0], ((VERSIONS - 1) % 16) * 0x11);
    end();
}

static const unit_test_t tests[] = {
    {"a user's strongest or named value is found", finds_what_is_asked_for},
    {"a broken or missing file is named and not opened", refuses_to_open_broken_files},
    {"a change is taken up at the next look", takes_up_changes},
    {"files are looked at when it is time, also by a clock set back", looks_only_when_it_is_time},
    {"lookups leave looking to who follows", leaves_looking_to_who_follows},
    {"a broken edit is logged once and changes nothing", keeps_the_last_good_version},
    {"a file that grows beyond its limit is not read, and logged once",
     a_file_that_grows_beyond_the_limit_is_not_read},
    {"a file that goes is logged once and missed by nobody", outlives_the_file},
    {"files are followed each by itself and merged", follows_each_file_by_itself},
    {"a version is taken up when it has settled", waits_until_a_version_has_settled},
    {"a version from the future is taken up after a second", a_file_from_the_future_waits_a_second},
    {"permissions that are too open are warned of", warns_of_open_permissions},
    {"user hashes find users, malformed ones nobody", finds_by_userhash},
    {"user hashes are indexed when first asked for, whatever the file says", indexes_when_asked},
    {"threads see whole versions while files change", readers_see_whole_versions},
    {NULL, NULL}};

const unit_suite_t a1_store_suite = {"a1_store", tests};
