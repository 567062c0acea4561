/* The A1 store with an index, and the processes that share one store.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/a1_index.h"
#include "store/a1_store.h"

#define ZERO "00000000000000000000000000000000"
#define ONES "11111111111111111111111111111111"

#define BOTH (1u << AW_ALG_MD5 | 1u << AW_ALG_SHA256)

enum { CHILDREN = 4 };

static const unsigned char key[AW_KEYED_KEY] = "sixteen bytes ok";
static apr_pool_t *pool;
static char path[64];
static int log_fd[2]; /* what was logged, by all processes */
static apr_time_t now;

static void note(void *baton, aw_log_level_e level, unsigned number, const char *text)
{
    char line[1100];
    const int n = snprintf(line, sizeof(line), "%u %s\n", number, text);

    (void)baton;
    (void)level;
    CU_ASSERT_EQUAL(write(log_fd[1], line, (size_t)n), n);
}

static const aw_log_t noting = {note, NULL};

/* Takes what was logged, and counts the lines that begin with `number`. */
static int count_logged(const char *number)
{
    static char lines[60000];
    ssize_t n = 0, got;
    int count = 0;

    while (n < (ssize_t)sizeof(lines) - 1 &&
           (got = read(log_fd[0], lines + n, sizeof(lines) - 1 - (size_t)n)) > 0) {
        n += got;
    }
    lines[n] = '\0';
    for (const char *at = lines; *at; at = strchr(at, '\n') + 1) {
        count += strncmp(at, number, strlen(number)) == 0;
    }
    return count;
}

static void put(const char *text)
{
    char beside[80];

    snprintf(beside, sizeof(beside), "%s.new", path);
    FILE *f = fopen(beside, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs(text, f);
    fclose(f);
    chmod(beside, 0600);
    CU_ASSERT_EQUAL(rename(beside, path), 0);
    now += apr_time_from_sec(2);
}

static void begin(void)
{
    apr_pool_create(&pool, NULL);
    now = apr_time_now() + apr_time_from_sec(100);
    snprintf(path, sizeof(path), "/tmp/authws-share-XXXXXX");
    close(mkstemp(path));
    CU_ASSERT_EQUAL_FATAL(pipe2(log_fd, O_NONBLOCK), 0);
}

static void end(void)
{
    char beside[80];

    apr_pool_destroy(pool);
    close(log_fd[0]);
    close(log_fd[1]);
    unlink(path);
    snprintf(beside, sizeof(beside), "%s.idx", path);
    unlink(beside);
    snprintf(beside, sizeof(beside), "%s.lock", path);
    unlink(beside);
}

static void write_index(unsigned userhash)
{
    const aw_a1_index_job_t job = {
        .userhash = userhash, .key = key, .timeout = apr_time_from_sec(10)};
    const char *message = NULL;

    CU_ASSERT_EQUAL_FATAL(aw_a1_index_write(NULL, &message, path, &job, pool), APR_SUCCESS);
    now += apr_time_from_sec(2);
}

static aw_a1_store_t *open_store(void)
{
    const char *const paths[] = {path};
    aw_a1_store_t *store = NULL;
    const char *message = NULL;

    CU_ASSERT_EQUAL_FATAL(aw_a1_store_open(&store, &message, paths, 1, 0, &noting, pool),
                          APR_SUCCESS);
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

static int md5_by_userhash(aw_a1_store_t *store, const char *user, aw_alg_e alg)
{
    const aw_span_t parts[] = {aw_span(user), AW_SPAN_LIT(":R")};
    unsigned char hash[AW_HASH_MAX];
    char hex[AW_HASH_HEX_MAX];
    aw_a1_entry_t entry;

    CU_ASSERT_EQUAL(aw_hash(alg, parts, 2, hash), APR_SUCCESS);
    aw_hex_encode(hex, hash, aw_alg_size(alg));
    const apr_status_t rv = aw_a1_store_find_userhash(
        store, AW_SPAN_LIT("R"), (aw_span_t){hex, 2 * aw_alg_size(alg)}, alg, now, &entry);

    return rv == APR_SUCCESS || rv == APR_ENOTIMPL ? strcmp(entry.user, user) == 0 : -1;
}

/* --- an index --- */

static void serves_from_an_index(void)
{
    begin();
    put("bob:R:" ONES "\n");
    write_index(BOTH);
    aw_a1_store_t *store = open_store();

    CU_ASSERT_EQUAL(count_logged("1051 "), 1);
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0x11);
    CU_ASSERT_EQUAL(md5_of(store, "al"), -1);
    CU_ASSERT_EQUAL(md5_by_userhash(store, "bob", AW_ALG_SHA256), 1);
    /* One that the index was made without is added in memory. */
    CU_ASSERT_EQUAL(md5_by_userhash(store, "bob", AW_ALG_SHA512), 1);
    CU_ASSERT_EQUAL(md5_by_userhash(store, "al", AW_ALG_SHA512), -1);
    CU_ASSERT_EQUAL(aw_a1_store_users(store), 1);
    end();
}

static void an_edit_outdates_the_index_until_it_is_made_anew(void)
{
    begin();
    put("bob:R:" ZERO "\n");
    write_index(BOTH);
    aw_a1_store_t *store = open_store();

    CU_ASSERT_EQUAL(count_logged("1051 "), 1);
    put("bob:R:" ONES "\n");
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0x11);
    for (int i = 0; i < 3; i++) {
        now += apr_time_from_sec(1);
        CU_ASSERT_EQUAL(md5_of(store, "bob"), 0x11);
    }
    CU_ASSERT_EQUAL(count_logged("1050 "), 1);
    write_index(0);
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0x11);
    CU_ASSERT_EQUAL(count_logged("1051 "), 1);
    /* An edit whose index is there at once never needs the text. */
    put("bob:R:" ZERO "\n");
    write_index(0);
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0);
    CU_ASSERT_EQUAL(count_logged("1004 "), 0);
    end();
}

static void a_damaged_index_is_named_and_does_without(void)
{
    char index[80];

    begin();
    put("bob:R:" ONES "\n");
    write_index(BOTH);
    snprintf(index, sizeof(index), "%s.idx", path);
    CU_ASSERT_EQUAL(truncate(index, 300), 0);
    aw_a1_store_t *store = open_store();

    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0x11);
    CU_ASSERT_EQUAL(count_logged("1050 "), 1);
    write_index(BOTH);
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0x11);
    CU_ASSERT_EQUAL(count_logged("1051 "), 1);
    end();
}

/* --- processes --- */

/* One line of commands to a child: "?" looks bob up and answers with a byte, the end ends it. */
typedef struct child_t {
    pid_t pid;
    int to, from;
} child_t;

static child_t children[CHILDREN];

static void serve(aw_a1_store_t *store, int in, int out)
{
    apr_time_t at;

    while (read(in, &at, sizeof(at)) == sizeof(at)) {
        now = at < 0 ? -at : at;
        const int value =
            at < 0 ? md5_by_userhash(store, "bob", AW_ALG_SHA256) : md5_of(store, "bob");

        if (write(out, &value, sizeof(value)) != sizeof(value)) {
            break;
        }
    }
    _exit(0);
}

static void fork_children(aw_a1_store_t *store)
{
    for (int i = 0; i < CHILDREN; i++) {
        int to[2], from[2];

        CU_ASSERT_EQUAL_FATAL(pipe(to), 0);
        CU_ASSERT_EQUAL_FATAL(pipe(from), 0);
        children[i] = (child_t){fork(), to[1], from[0]};
        if (children[i].pid == 0) {
            for (int k = 0; k <= i; k++) {
                close(children[k].to);
                close(children[k].from);
            }
            serve(store, to[0], from[1]);
        }
        close(to[0]);
        close(from[1]);
    }
}

static void join_children(void)
{
    for (int i = 0; i < CHILDREN; i++) {
        int status = -1;

        close(children[i].to);
        close(children[i].from);
        CU_ASSERT_EQUAL(waitpid(children[i].pid, &status, 0), children[i].pid);
        CU_ASSERT_EQUAL(status, 0);
    }
}

/* What a child says of bob; `at` negative asks by user hash. */
static int ask(int child, apr_time_t at)
{
    int value = -2;

    CU_ASSERT_EQUAL(write(children[child].to, &at, sizeof(at)), sizeof(at));
    CU_ASSERT_EQUAL(read(children[child].from, &value, sizeof(value)), sizeof(value));
    return value;
}

static void one_process_reads_for_all(void)
{
    begin();
    put("bob:R:" ZERO "\n");
    aw_a1_store_t *store = open_store();

    CU_ASSERT_EQUAL_FATAL(aw_a1_store_share(store, now), APR_SUCCESS);
    fork_children(store);
    for (int i = 0; i < CHILDREN; i++) {
        CU_ASSERT_EQUAL(ask(i, now), 0);
    }
    count_logged("");
    put("bob:R:" ONES "\n");
    CU_ASSERT_EQUAL(ask(0, now), 0x11);
    /* Without the file, and although it is not time for them to look. */
    const apr_time_t before = now - apr_time_from_sec(2);

    unlink(path);
    for (int i = 1; i < CHILDREN; i++) {
        CU_ASSERT_EQUAL(ask(i, before), 0x11);
    }
    CU_ASSERT_EQUAL(count_logged("1004 "), 1);
    /* Versions come and go; who slept through them sees the last. */
    for (int v = 0; v < 5; v++) {
        put(v % 2 ? "bob:R:" ZERO "\n" : "bob:R:" ONES "\n");
        CU_ASSERT_EQUAL(ask(1, now), v % 2 ? 0 : 0x11);
        CU_ASSERT_EQUAL(ask(1, now + apr_time_from_msec(1500)), v % 2 ? 0 : 0x11);
    }
    CU_ASSERT_EQUAL(ask(2, before), 0x11);
    CU_ASSERT_EQUAL(md5_of(store, "bob"), 0x11);
    join_children();
    end();
}

static void a_broken_edit_is_logged_by_one_process(void)
{
    begin();
    put("bob:R:" ONES "\n");
    aw_a1_store_t *store = open_store();

    CU_ASSERT_EQUAL_FATAL(aw_a1_store_share(store, now), APR_SUCCESS);
    fork_children(store);
    put("broken\n");
    for (int i = 0; i < CHILDREN; i++) {
        CU_ASSERT_EQUAL(ask(i, now), 0x11);
        CU_ASSERT_EQUAL(ask(i, now + apr_time_from_sec(1)), 0x11);
    }
    CU_ASSERT_EQUAL(count_logged("1002 "), 1);
    put("bob:R:" ZERO "\n");
    for (int i = 0; i < CHILDREN; i++) {
        CU_ASSERT_EQUAL(ask(i, now), 0);
    }
    join_children();
    end();
}

static void user_hashes_added_by_one_process_serve_all(void)
{
    begin();
    put("bob:R:" ONES "\n");
    aw_a1_store_t *store = open_store();

    CU_ASSERT_EQUAL_FATAL(aw_a1_store_share(store, now), APR_SUCCESS);
    fork_children(store);
    for (int i = 0; i < CHILDREN; i++) {
        CU_ASSERT_EQUAL(ask(i, -now), 1);
        CU_ASSERT_EQUAL(ask(i, now), 0x11);
    }
    put("bob:R:" ZERO "\n");
    for (int i = 0; i < CHILDREN; i++) {
        CU_ASSERT_EQUAL(ask(i, now), 0);
        CU_ASSERT_EQUAL(ask(i, -now), 1);
    }
    join_children();
    end();
}

static void a_process_that_dies_takes_nobody_with_it(void)
{
    begin();
    put("bob:R:" ZERO "\n");
    aw_a1_store_t *store = open_store();

    CU_ASSERT_EQUAL_FATAL(aw_a1_store_share(store, now), APR_SUCCESS);
    for (int v = 0; v < 10; v++) {
        const char *text = v % 2 ? "bob:R:" ZERO "\n" : "bob:R:" ONES "\n";

        fork_children(store);
        put(text);
        for (int i = 0; i < CHILDREN; i++) {
            CU_ASSERT_EQUAL(write(children[i].to, &now, sizeof(now)), sizeof(now));
        }
        usleep((useconds_t)v * 100);
        kill(children[v % CHILDREN].pid, SIGKILL); /* maybe while it reads */
        int status;

        waitpid(children[v % CHILDREN].pid, &status, 0);
        now += apr_time_from_sec(1);
        CU_ASSERT_EQUAL(md5_of(store, "bob"), v % 2 ? 0 : 0x11);
        for (int i = 0; i < CHILDREN; i++) {
            close(children[i].to);
            close(children[i].from);
            waitpid(children[i].pid, &status, 0);
        }
    }
    end();
}

static const unit_test_t tests[] = {
    {"an index is served from, and more user hashes are added to it", serves_from_an_index},
    {"an edit outdates the index, said once, until it is made anew",
     an_edit_outdates_the_index_until_it_is_made_anew},
    {"a damaged index is named and done without", a_damaged_index_is_named_and_does_without},
    {"one process reads a version for all, who have it at once", one_process_reads_for_all},
    {"a broken edit is logged by one process", a_broken_edit_is_logged_by_one_process},
    {"user hashes come to all processes", user_hashes_added_by_one_process_serve_all},
    {"a process that is killed takes nobody with it", a_process_that_dies_takes_nobody_with_it},
    {NULL, NULL}};

const unit_suite_t a1_share_suite = {"a1_share", tests};
