/* FILE.idx: it says what the file says, and damaged, foreign or hostile ones are never followed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <apr_strings.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mutate.h"
#include "store/a1_index.h"
#include "store/a1_share.h"

#define ZERO "00000000000000000000000000000000"
#define ONES "11111111111111111111111111111111"

#define BOTH (1u << AW_ALG_MD5 | 1u << AW_ALG_SHA256)

enum { USERS = 40 };

static const unsigned char key[AW_KEYED_KEY] = "sixteen bytes ok";
static apr_pool_t *pool;
static char path[80], index_path[100];

static void begin(void)
{
    apr_pool_create(&pool, NULL);
    snprintf(path, sizeof(path), "/tmp/authws-index-XXXXXX");
    close(mkstemp(path));
    snprintf(index_path, sizeof(index_path), "%s.idx", path);
}

static void end(void)
{
    apr_pool_destroy(pool);
    unlink(index_path);
    unlink(path);
    snprintf(index_path, sizeof(index_path), "%s.lock", path);
    unlink(index_path);
}

static void put(const char *text)
{
    FILE *f = fopen(path, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs(text, f);
    fclose(f);
}

static const char *users_text(void)
{
    const char *text = "";

    for (int i = 0; i < USERS; i++) {
        text = apr_psprintf(pool, "%suser%d:R:%032x\n", text, i, (unsigned)i);
    }
    return text;
}

static apr_status_t write_index(const char **message)
{
    const aw_a1_index_job_t job = {.userhash = BOTH, .key = key, .timeout = apr_time_from_sec(10)};
    size_t users = 0;
    const apr_status_t rv = aw_a1_index_write(&users, message, path, &job, pool);

    CU_ASSERT_EQUAL(users, rv == APR_SUCCESS ? USERS : 0);
    return rv;
}

/* NULL and *why when it is refused. */
static aw_a1_table_t *open_index(const char **why, unsigned userhash)
{
    aw_a1_table_t *table = NULL;
    aw_file_id_t text, id;

    CU_ASSERT_EQUAL_FATAL(aw_file_identify(path, &text, NULL), APR_SUCCESS);
    *why = "";
    const apr_status_t rv = aw_a1_index_open(&table, why, index_path, path, &text, userhash, &id);

    CU_ASSERT_EQUAL(rv == APR_SUCCESS, table != NULL);
    return table;
}

/* How many of the users are found, by name and by user hash. */
static unsigned count_found(const aw_a1_table_t *table)
{
    unsigned found = 0;

    for (int i = 0; i < USERS + 2; i++) {
        char name[16];
        const aw_span_t user = {name, (size_t)snprintf(name, sizeof(name), "user%d", i)};
        const aw_span_t realm = AW_SPAN_LIT("R"), parts[] = {user, AW_SPAN_LIT(":R")};
        unsigned char hash[AW_HASH_MAX];
        aw_a1_record_t record;

        for (unsigned a = 0; a <= AW_ALG_COUNT; a++) {
            if (a < AW_ALG_COUNT) {
                CU_ASSERT_EQUAL(aw_hash((aw_alg_e)a, parts, 2, hash), APR_SUCCESS);
            }
            const apr_status_t rv =
                a < AW_ALG_COUNT
                    ? aw_a1_table_find_userhash(table, realm, (aw_alg_e)a, hash, &record)
                    : aw_a1_table_find(table, realm, user, &record);

            found += rv == APR_SUCCESS && record.user.len == user.len &&
                     memcmp(record.user.ptr, name, user.len) == 0 && record.hash[AW_ALG_MD5] &&
                     record.hash[AW_ALG_MD5][15] == i;
            /* Whatever it is that stands in for nobody can be read. */
            if (record.user.len > 0) {
                memcpy(hash, record.user.ptr + record.user.len - 1, 1);
            }
            CU_ASSERT(record.user.len <= AW_A1_NAME_MAX);
            for (unsigned k = 0; k < AW_ALG_COUNT; k++) {
                if (record.hash[k]) {
                    memcpy(hash, record.hash[k], aw_alg_size((aw_alg_e)k));
                }
            }
        }
    }
    return found;
}

static void says_what_the_file_says(void)
{
    struct stat text, index;
    const char *message = NULL, *why;

    begin();
    put(users_text());
    chmod(path, 0620);
    CU_ASSERT_EQUAL_FATAL(write_index(&message), APR_SUCCESS);
    stat(path, &text);
    CU_ASSERT_EQUAL_FATAL(stat(index_path, &index), 0);
    CU_ASSERT_EQUAL(text.st_mode & ~022u, index.st_mode);
    CU_ASSERT_EQUAL(text.st_uid, index.st_uid);
    aw_a1_table_t *table = open_index(&why, BOTH);

    CU_ASSERT_PTR_NOT_NULL_FATAL(table);
    CU_ASSERT_EQUAL(aw_a1_table_users(table), USERS);
    CU_ASSERT_EQUAL(count_found(table), 3 * USERS);
    aw_a1_table_destroy(table);
    end();
}

static void another_version_of_the_text_is_refused(void)
{
    const char *message = NULL, *why;

    begin();
    const char *text = users_text();

    put(text);
    CU_ASSERT_PTR_NULL(open_index(&why, BOTH)); /* there is none */
    CU_ASSERT_STRING_EQUAL(why, "");
    CU_ASSERT_EQUAL_FATAL(write_index(&message), APR_SUCCESS);
    usleep(30000);
    put(text); /* the same bytes, at another time */
    CU_ASSERT_PTR_NULL(open_index(&why, BOTH));
    CU_ASSERT_STRING_EQUAL(why, "made for another version of the file");
    CU_ASSERT_EQUAL_FATAL(write_index(&message), APR_SUCCESS);
    CU_ASSERT_PTR_NULL(open_index(&why, BOTH | 1u << AW_ALG_SHA512));
    CU_ASSERT_STRING_EQUAL(why, "made without the user hashes of an algorithm that is offered");
    aw_a1_table_t *table = open_index(&why, BOTH);

    CU_ASSERT_PTR_NOT_NULL(table);
    aw_a1_table_destroy(table);
    end();
}

/* What rsync --inplace -t does, and what a revoked password would outlive. */
static void an_edit_that_keeps_size_and_time_is_noticed(void)
{
    const char *message = NULL, *why;
    struct stat before;

    begin();
    put(users_text());
    CU_ASSERT_EQUAL_FATAL(write_index(&message), APR_SUCCESS);
    aw_a1_table_t *table = open_index(&why, BOTH);

    CU_ASSERT_PTR_NOT_NULL(table);
    aw_a1_table_destroy(table);
    CU_ASSERT_EQUAL_FATAL(stat(path, &before), 0);
    FILE *f = fopen(path, "r+");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs("USER", f);
    fclose(f);
    const struct timespec times[] = {before.st_atim, before.st_mtim};

    CU_ASSERT_EQUAL_FATAL(utimensat(AT_FDCWD, path, times, 0), 0);
    CU_ASSERT_PTR_NULL(open_index(&why, BOTH));
    CU_ASSERT_EQUAL(strncmp(why, "older than the last change", 26), 0);
    CU_ASSERT_EQUAL_FATAL(write_index(&message), APR_SUCCESS);
    table = open_index(&why, BOTH);
    CU_ASSERT_PTR_NOT_NULL(table);
    aw_a1_table_destroy(table);
    end();
}

static void a_broken_text_leaves_the_index_alone(void)
{
    const char *message = NULL, *why;

    begin();
    put(users_text());
    CU_ASSERT_EQUAL_FATAL(write_index(&message), APR_SUCCESS);
    CU_ASSERT_PTR_NULL(message);
    put("# c\nbob:R:x\n");
    CU_ASSERT_EQUAL(write_index(&message), APR_EINVAL);
    CU_ASSERT_STRING_EQUAL(message, apr_pstrcat(pool, path, ":2:7: not a hexadecimal digit", NULL));
    CU_ASSERT_EQUAL(access(index_path, F_OK), 0);
    CU_ASSERT_PTR_NULL(open_index(&why, BOTH));
    end();
    begin();
    unlink(path);
    CU_ASSERT_EQUAL(write_index(&message), APR_ENOENT);
    CU_ASSERT_EQUAL(strncmp(message, path, strlen(path)), 0);
    end();
}

static void one_open_to_more_people_is_refused(void)
{
    const char *message = NULL, *why;

    begin();
    put(users_text());
    chmod(path, 0600);
    CU_ASSERT_EQUAL_FATAL(write_index(&message), APR_SUCCESS);
    chmod(index_path, 0640);
    CU_ASSERT_PTR_NULL(open_index(&why, 0));
    CU_ASSERT_STRING_EQUAL(why, "open to more people than the file");
    chmod(index_path, 0400);
    aw_a1_table_t *table = open_index(&why, 0);

    CU_ASSERT_PTR_NOT_NULL(table);
    aw_a1_table_destroy(table);
    unlink(index_path);
    CU_ASSERT_EQUAL(symlink(path, index_path), 0);
    CU_ASSERT_PTR_NULL(open_index(&why, 0));
    unlink(index_path);
    CU_ASSERT_EQUAL(mkfifo(index_path, 0600), 0);
    CU_ASSERT_PTR_NULL(open_index(&why, 0));
    CU_ASSERT_STRING_EQUAL(why, "not a regular file");
    end();
}

/* Whoever may write to it may cut it short, and the process that reads there then dies. */
static void one_that_others_may_write_is_refused(void)
{
    const char *message = NULL, *why;

    begin();
    put(users_text());
    chmod(path, 0660);
    CU_ASSERT_EQUAL_FATAL(write_index(&message), APR_SUCCESS);
    aw_a1_table_t *table = open_index(&why, 0);

    CU_ASSERT_PTR_NOT_NULL(table);
    aw_a1_table_destroy(table);
    chmod(index_path, 0620);
    CU_ASSERT_PTR_NULL(open_index(&why, 0));
    CU_ASSERT_STRING_EQUAL(why, "open to others than its owner for writing");
    chmod(index_path, 0600);
    if (geteuid() == 0) { /* also where the text is of the same owner */
        CU_ASSERT_EQUAL(chown(index_path, 12345, (gid_t)-1), 0);
        CU_ASSERT_EQUAL(chown(path, 12345, (gid_t)-1), 0);
        CU_ASSERT_PTR_NULL(open_index(&why, 0));
        CU_ASSERT_STRING_EQUAL(why, "of another owner than root and this process");
    }
    end();
}

/* So that a server that root has started can map it. */
static void root_s_index_stays_root_s(void)
{
    static const struct {
        mode_t mode;
        uid_t owner;
        gid_t group;
        uid_t want;
    } cases[] = {
        {0640, 12345, 12346, 0}, {0604, 12345, 0, 0}, {0600, 12345, 12346, 12345},
        {0640, 12345, 0, 12345}, {0640, 0, 12346, 0},
    };

    for (size_t i = 0; geteuid() == 0 && i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *message = NULL;
        struct stat st;

        begin();
        put(users_text());
        CU_ASSERT_EQUAL(chown(path, cases[i].owner, cases[i].group), 0);
        chmod(path, cases[i].mode);
        CU_ASSERT_EQUAL_FATAL(write_index(&message), APR_SUCCESS);
        CU_ASSERT_EQUAL_FATAL(stat(index_path, &st), 0);
        CU_ASSERT_EQUAL(st.st_uid, cases[i].want);
        CU_ASSERT_EQUAL(st.st_gid, cases[i].group);
        CU_ASSERT_EQUAL(st.st_mode & 07777, cases[i].mode);
        end();
    }
}

static void behind_a_link_it_stands_beside_the_target(void)
{
    const char *message = NULL, *why;
    char kept[64];

    begin();
    put(users_text());
    apr_cpystrn(kept, path, sizeof(kept));
    snprintf(path, sizeof(path), "%s.link", kept);
    CU_ASSERT_EQUAL(symlink(kept, path), 0);
    CU_ASSERT_EQUAL_FATAL(write_index(&message), APR_SUCCESS);
    unlink(path);
    apr_cpystrn(path, kept, sizeof(path));
    aw_a1_table_t *table = open_index(&why, BOTH);

    CU_ASSERT_PTR_NOT_NULL(table);
    aw_a1_table_destroy(table);
    end();
}

/* --- hostile blocks --- */

/* A block of the users, copied where a read behind its end is a crash. */
static aw_span_t guarded_block(void)
{
    const aw_span_t text = aw_span(users_text());
    aw_a1_table_t *table = NULL;
    aw_text_error_t error;
    size_t file;

    CU_ASSERT_EQUAL_FATAL(aw_a1_table_create(&table, &text, 1, BOTH, key, &file, &error),
                          APR_SUCCESS);
    const aw_span_t block = unit_guard(table->block, (size_t)table->head.size);

    aw_a1_table_destroy(table);
    return block;
}

/* Opens a block in guarded memory; NULL and *why when it is refused. Unmapping, at its end, fails:
 * it does not begin on a page. */
static aw_a1_table_t *open_block(aw_span_t block, const char **why)
{
    aw_a1_table_t *table = NULL;

    *why = NULL;
    const apr_status_t rv =
        aw_a1_table_adopt(&table, why, (char *)(uintptr_t)block.ptr, block.len, true);

    CU_ASSERT_EQUAL(rv, *why ? APR_EINVAL : APR_SUCCESS);
    return table;
}

static void sign_header(aw_span_t block)
{
    aw_a1_header_t head;

    memcpy(&head, block.ptr, sizeof(head));
    head.checksum = aw_a1_checksum(&head);
    memcpy((char *)(uintptr_t)block.ptr, &head, sizeof(head));
}

static void damaged_headers_are_refused(void)
{
    const char *why;

    begin();
    const aw_span_t block = guarded_block();
    char *bytes = (char *)(uintptr_t)block.ptr;
    aw_a1_table_t *table = open_block(block, &why);

    CU_ASSERT_PTR_NOT_NULL_FATAL(table);
    CU_ASSERT_EQUAL(count_found(table), 3 * USERS);
    aw_a1_table_destroy(table);
    for (size_t i = 0; i < sizeof(aw_a1_header_t); i++) {
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] = (char)(bytes[i] ^ 1 << bit);
            CU_ASSERT_PTR_NULL(open_block(block, &why));
            bytes[i] = (char)(bytes[i] ^ 1 << bit);
        }
    }
    unit_guard_free(block);
    end();
}

static void cut_ones_are_refused_at_every_length(void)
{
    const char *why;

    begin();
    const aw_span_t block = guarded_block();

    for (size_t n = 0; n < block.len; n++) {
        /* A copy of its own, so that what is cut off is not there. */
        const aw_span_t cut = unit_guard(block.ptr, n);

        CU_ASSERT_PTR_NULL(open_block(cut, &why));
        unit_guard_free(cut);
    }
    unit_guard_free(block);
    end();
}

static void foreign_ones_are_named(void)
{
    static const struct {
        size_t offset;
        uint32_t value;
        const char *why;
    } cases[] = {
        {offsetof(aw_a1_header_t, magic), 0, "not an index"},
        {offsetof(aw_a1_header_t, byte_order), 0x04030201,
         "made on a machine of another byte order"},
        {offsetof(aw_a1_header_t, version), 99, "made by another version of the program"},
        {offsetof(aw_a1_header_t, size), 256, "cut short, or longer than it was made"},
        {offsetof(aw_a1_header_t, users), 0x7fffffff, "its header contradicts itself"},
        {offsetof(aw_a1_header_t, buckets_mask), 0xffffffff, "its header contradicts itself"},
        {offsetof(aw_a1_header_t, buckets_mask), 6, "its header contradicts itself"},
        {offsetof(aw_a1_header_t, by_name), 0x7ffffff8, "its header contradicts itself"},
        {offsetof(aw_a1_header_t, by_name), 257, "its header contradicts itself"},
        {offsetof(aw_a1_header_t, by_hash), 0x7ffffff8, "its header contradicts itself"},
        {offsetof(aw_a1_header_t, records), 0x7ffffff8, "its header contradicts itself"},
        {offsetof(aw_a1_header_t, records), 256, "its header contradicts itself"},
    };
    const char *why;

    begin();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const aw_span_t block = guarded_block();

        memcpy((char *)(uintptr_t)block.ptr + cases[i].offset, &cases[i].value, 4);
        sign_header(block);
        CU_ASSERT_PTR_NULL(open_block(block, &why));
        CU_ASSERT_PTR_NOT_NULL_FATAL(why);
        CU_ASSERT_STRING_EQUAL(why, cases[i].why);
        unit_guard_free(block);
    }
    end();
}

/* Whatever a table says: searches end, and stay inside. */
static void try_everything(const aw_a1_table_t *table)
{
    aw_a1_table_t *more = NULL;

    (void)count_found(table);
    if (aw_a1_table_index(&more, table, 1u << AW_ALG_SHA512) == APR_SUCCESS) {
        CU_ASSERT_EQUAL(aw_a1_table_userhash(more),
                        aw_a1_table_userhash(table) | 1u << AW_ALG_SHA512);
        aw_a1_table_destroy(more);
    }
}

static void damage_behind_the_header_is_not_followed(void)
{
    static const unsigned char masks[] = {0x01, 0x80, 0xff};
    const char *why;
    unsigned less = 0;

    begin();
    const aw_span_t block = guarded_block();
    char *bytes = (char *)(uintptr_t)block.ptr;
    aw_a1_table_t *table = open_block(block, &why);

    CU_ASSERT_PTR_NOT_NULL_FATAL(table);
    for (size_t i = sizeof(aw_a1_header_t); i < block.len; i += 3) {
        const char kept = bytes[i];

        bytes[i] = (char)(bytes[i] ^ masks[i % 3]);
        less += count_found(table) < 3 * USERS;
        bytes[i] = kept;
    }
    CU_ASSERT(less > 100);
    CU_ASSERT_EQUAL(count_found(table), 3 * USERS);
    memset(bytes + sizeof(aw_a1_header_t), 0, block.len - sizeof(aw_a1_header_t));
    CU_ASSERT_EQUAL(count_found(table), 0);
    try_everything(table);
    memset(bytes + sizeof(aw_a1_header_t), 0xff, block.len - sizeof(aw_a1_header_t));
    CU_ASSERT_EQUAL(count_found(table), 0);
    try_everything(table);
    aw_a1_table_destroy(table);
    unit_guard_free(block);
    end();
}

/* Headers whose checksum is right, and bodies that are not. */
static void enemies_get_nowhere(void)
{
    uint64_t state = 4711;
    unsigned opened = 0;
    const char *why;

    begin();
    const aw_span_t block = guarded_block();
    char *bytes = (char *)(uintptr_t)block.ptr;
    char *kept = malloc(block.len);

    CU_ASSERT_PTR_NOT_NULL_FATAL(kept);
    memcpy(kept, bytes, block.len);
    for (int i = 0; i < 3000; i++) {
        memcpy(bytes, kept, block.len);
        for (size_t n = unit_random_below(&state, 6); n > 0; n--) {
            /* Numbers of the header: places, sizes. */
            const uint64_t value = unit_random(&state) >> unit_random_below(&state, 64);

            memcpy(bytes + 16 + 8 * unit_random_below(&state, 11), &value, sizeof(value));
        }
        for (size_t n = unit_random_below(&state, 20); n > 0; n--) {
            bytes[256 + unit_random_below(&state, block.len - 256)] = (char)unit_random(&state);
        }
        sign_header(block);
        aw_a1_table_t *table = open_block(block, &why);

        if (table) {
            opened++;
            try_everything(table);
            aw_a1_table_destroy(table);
        }
    }
    CU_ASSERT(opened > 300);
    free(kept);
    unit_guard_free(block);
    end();
}

/* --- versions that processes share --- */

static void a_trimmed_version_is_noticed(void)
{
    const aw_span_t one = AW_SPAN_LIT("bob:R:" ZERO "\n"), two = AW_SPAN_LIT("al:R:" ONES "\n");
    const aw_span_t realm = AW_SPAN_LIT("R"), bob = AW_SPAN_LIT("bob");
    aw_a1_table_t *built[2] = {NULL, NULL}, *taken[2] = {NULL, NULL};
    aw_file_id_t id = {.size = 1}, got;
    aw_text_error_t error;
    aw_a1_record_t record;
    aw_a1_share_t share;
    size_t file;

    CU_ASSERT_EQUAL_FATAL(aw_a1_share_create(&share), APR_SUCCESS);
    aw_a1_table_create(&built[0], &one, 1, 0, key, &file, &error);
    aw_a1_table_create(&built[1], &two, 1, 0, key, &file, &error);
    CU_ASSERT_EQUAL(aw_a1_share_take(&taken[0], &got, &share), APR_ENOENT);
    CU_ASSERT_EQUAL(aw_a1_share_publish(&share, built[0], &id, 1), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(aw_a1_share_take(&taken[0], &got, &share), APR_SUCCESS);
    CU_ASSERT_EQUAL(got.size, 1);
    id.size = 2;
    CU_ASSERT_EQUAL(aw_a1_share_publish(&share, built[1], &id, 1000), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(aw_a1_share_take(&taken[1], &got, &share), APR_SUCCESS);
    CU_ASSERT_EQUAL(got.size, 2);
    aw_a1_share_trim(&share, 1000);
    CU_ASSERT_TRUE(aw_a1_table_is_there(taken[0])); /* too early */
    CU_ASSERT_EQUAL(aw_a1_table_find(taken[0], realm, bob, &record), APR_SUCCESS);
    aw_a1_share_trim(&share, apr_time_from_sec(10));
    CU_ASSERT_FALSE(aw_a1_table_is_there(taken[0]));
    CU_ASSERT_EQUAL(aw_a1_table_find(taken[0], realm, bob, &record), APR_NOTFOUND);
    CU_ASSERT_TRUE(aw_a1_table_is_there(taken[1]));
    CU_ASSERT_EQUAL(aw_a1_table_find(taken[1], realm, AW_SPAN_LIT("al"), &record), APR_SUCCESS);
    for (int i = 0; i < 2; i++) {
        aw_a1_table_destroy(built[i]);
        aw_a1_table_destroy(taken[i]);
    }
    aw_a1_share_close(&share);
}

static const unit_test_t tests[] = {
    {"an index says what the file says, to the same people", says_what_the_file_says},
    {"an index of another version of the text is refused", another_version_of_the_text_is_refused},
    {"an index of a text edited in place is refused", an_edit_that_keeps_size_and_time_is_noticed},
    {"no index is made of a broken or missing text", a_broken_text_leaves_the_index_alone},
    {"an index open to more people than the text is refused", one_open_to_more_people_is_refused},
    {"an index that others may write to is refused", one_that_others_may_write_is_refused},
    {"an index that root makes is root's where a group reads it", root_s_index_stays_root_s},
    {"behind a symbolic link the index is the target's", behind_a_link_it_stands_beside_the_target},
    {"a header with any bit changed is refused", damaged_headers_are_refused},
    {"an index cut at any length is refused", cut_ones_are_refused_at_every_length},
    {"foreign and contradictory headers are refused by name", foreign_ones_are_named},
    {"damage behind the header finds fewer, inside", damage_behind_the_header_is_not_followed},
    {"no signed nonsense is followed out of bounds or for ever", enemies_get_nowhere},
    {"who reads a version that was trimmed notices", a_trimmed_version_is_noticed},
    {NULL, NULL}};

const unit_suite_t a1_index_suite = {"a1_index", tests};
