/* Files read whole and replaced whole: identity, locks, links, leftovers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <apr_strings.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

static apr_pool_t *pool;
static const char *folder;

/* A folder of the test's own. */
static void begin(void)
{
    char name[] = "/tmp/authws-file-XXXXXX";

    apr_pool_create(&pool, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(name));
    folder = apr_pstrdup(pool, name);
}

static const char *in(const char *name)
{
    return apr_pstrcat(pool, folder, "/", name, NULL);
}

static void end(void)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;

    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            (void)(unlinkat(dirfd(dir), entry->d_name, 0) == 0 ||
                   unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) == 0);
        }
    }
    closedir(dir);
    CU_ASSERT_EQUAL(rmdir(folder), 0);
    apr_pool_destroy(pool);
}

static void put(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs(text, f);
    fclose(f);
    chmod(path, mode);
}

static bool holds(const char *path, const char *text)
{
    aw_span_t content;
    aw_file_id_t id;

    return aw_file_read(path, 1000, &content, &id, pool) == APR_SUCCESS &&
           aw_span_equal(content, aw_span(text)) && content.ptr[content.len] == '\0';
}

/* Replaces a file by `text`. */
static apr_status_t replace(const char *path, bool create, const char *text)
{
    aw_file_edit_t *edit = NULL;
    aw_span_t content;
    const aw_span_t part = aw_span(text);
    const apr_status_t rv = aw_file_open_edit(&edit, &content, path, create, 0, NULL, NULL, pool);

    return rv == APR_SUCCESS ? aw_file_commit_edit(edit, &part, 1) : rv;
}

static void reads_files(void)
{
    aw_span_t content = {"untouched", 9};
    aw_file_id_t id = {0}, again = {0};
    mode_t mode = 0;

    begin();
    put(in("a"), "hello", 0604);
    CU_ASSERT_TRUE(holds(in("a"), "hello"));
    put(in("empty"), "", 0600);
    CU_ASSERT_TRUE(holds(in("empty"), ""));
    CU_ASSERT_EQUAL(aw_file_read(in("a"), 5, &content, &id, pool), APR_SUCCESS);
    CU_ASSERT_EQUAL(aw_file_identify(in("a"), &again, &mode), APR_SUCCESS);
    CU_ASSERT_TRUE(aw_file_id_equal(&id, &again));
    CU_ASSERT_EQUAL(mode, 0604);
    content = AW_SPAN_LIT("untouched");
    CU_ASSERT_EQUAL(aw_file_read(in("a"), 4, &content, &again, pool), APR_ENOMEM);
    CU_ASSERT_EQUAL(aw_file_read(in("none"), 4, &content, &again, pool), APR_ENOENT);
    CU_ASSERT_EQUAL(aw_file_read(folder, 4, &content, &again, pool), APR_EINVAL);
    mkfifo(in("fifo"), 0600);
    CU_ASSERT_EQUAL(aw_file_read(in("fifo"), 4, &content, &again, pool), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_file_identify(in("fifo"), &again, NULL), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_file_identify(in("none"), &again, NULL), APR_ENOENT);
    CU_ASSERT_TRUE(aw_span_equal(content, AW_SPAN_LIT("untouched")));
    CU_ASSERT_TRUE(aw_file_id_equal(&id, &again));
    end();
}

static void tells_versions_apart(void)
{
    aw_file_id_t first, second;

    begin();
    put(in("a"), "one", 0600);
    CU_ASSERT_EQUAL(aw_file_identify(in("a"), &first, NULL), APR_SUCCESS);
    CU_ASSERT_EQUAL(replace(in("a"), false, "two"), APR_SUCCESS);
    CU_ASSERT_EQUAL(aw_file_identify(in("a"), &second, NULL), APR_SUCCESS);
    CU_ASSERT_FALSE(aw_file_id_equal(&first, &second));
    end();
}

static void replaces_keeping_the_mode(void)
{
    struct stat st;
    aw_file_edit_t *edit = NULL;
    aw_span_t content;
    const aw_span_t parts[] = {AW_SPAN_LIT("new "), {NULL, 0}, AW_SPAN_LIT("text")};

    begin();
    put(in("a"), "old", 0604);
    CU_ASSERT_EQUAL_FATAL(aw_file_open_edit(&edit, &content, in("a"), false, 0, NULL, NULL, pool),
                          APR_SUCCESS);
    CU_ASSERT_TRUE(aw_span_equal(content, AW_SPAN_LIT("old")));
    CU_ASSERT_EQUAL(aw_file_commit_edit(edit, parts, 3), APR_SUCCESS);
    CU_ASSERT_TRUE(holds(in("a"), "new text"));
    CU_ASSERT_EQUAL(stat(in("a"), &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 07777, 0604);
    CU_ASSERT_EQUAL(replace(in("b"), false, "x"), APR_ENOENT);
    CU_ASSERT_NOT_EQUAL(access(in("b.lock"), F_OK), 0);
    CU_ASSERT_EQUAL(replace(in("b"), true, "x"), APR_SUCCESS);
    CU_ASSERT_EQUAL(stat(in("b"), &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 07777, 0640);
    CU_ASSERT_NOT_EQUAL(access(in(".a.authws-new"), F_OK), 0);
    end();
}

static void abandons_without_a_trace(void)
{
    aw_file_edit_t *edit = NULL;
    aw_span_t content;

    begin();
    put(in("a"), "old", 0600);
    CU_ASSERT_EQUAL(aw_file_open_edit(&edit, &content, in("a"), false, 0, NULL, NULL, pool),
                    APR_SUCCESS);
    aw_file_abandon_edit(edit);
    CU_ASSERT_TRUE(holds(in("a"), "old"));
    CU_ASSERT_EQUAL(replace(in("a"), false, "next"), APR_SUCCESS);
    end();
}

static void unlocks_with_the_pool(void)
{
    aw_file_edit_t *edit = NULL;
    aw_span_t content;
    apr_pool_t *sub = NULL;

    begin();
    put(in("a"), "old", 0600);
    apr_pool_create(&sub, pool);
    CU_ASSERT_EQUAL(aw_file_open_edit(&edit, &content, in("a"), false, 0, NULL, NULL, sub),
                    APR_SUCCESS);
    CU_ASSERT_EQUAL(replace(in("a"), false, "no"), APR_TIMEUP);
    apr_pool_destroy(sub);
    CU_ASSERT_EQUAL(replace(in("a"), false, "yes"), APR_SUCCESS);
    end();
}

static void count_wait(void *baton, const char *path, apr_interval_time_t timeout)
{
    (void)path;
    (void)timeout;
    ++*(int *)baton;
}

static void lets_one_edit_at_a_time(void)
{
    aw_file_edit_t *edit = NULL, *other = NULL;
    aw_span_t content;
    int waits = 0;

    begin();
    put(in("a"), "old", 0600);
    CU_ASSERT_EQUAL(symlink("a", in("link")), 0);
    CU_ASSERT_EQUAL(aw_file_open_edit(&edit, &content, in("a"), false, 0, NULL, NULL, pool),
                    APR_SUCCESS);
    CU_ASSERT_EQUAL(
        aw_file_open_edit(&other, &content, in("link"), false, 30000, count_wait, &waits, pool),
        APR_TIMEUP);
    CU_ASSERT_EQUAL(waits, 1);
    aw_file_abandon_edit(edit);
    CU_ASSERT_EQUAL(
        aw_file_open_edit(&other, &content, in("link"), false, 30000, count_wait, &waits, pool),
        APR_SUCCESS);
    CU_ASSERT_EQUAL(waits, 1);
    aw_file_abandon_edit(other);
    end();
}

static void follows_links_and_keeps_them(void)
{
    struct stat st;

    begin();
    CU_ASSERT_EQUAL(mkdir(in("d"), 0700), 0);
    CU_ASSERT_EQUAL(symlink("d/target", in("one")), 0);
    CU_ASSERT_EQUAL(symlink(in("one"), in("two")), 0);
    CU_ASSERT_EQUAL(replace(in("two"), true, "x"), APR_SUCCESS);
    CU_ASSERT_EQUAL(replace(in("two"), false, "y"), APR_SUCCESS);
    CU_ASSERT_TRUE(lstat(in("two"), &st) == 0 && S_ISLNK(st.st_mode));
    CU_ASSERT_TRUE(lstat(in("one"), &st) == 0 && S_ISLNK(st.st_mode));
    CU_ASSERT_TRUE(lstat(in("d/target"), &st) == 0 && S_ISREG(st.st_mode));
    CU_ASSERT_TRUE(holds(in("d/target"), "y"));
    CU_ASSERT_EQUAL(symlink("loop", in("loop")), 0);
    CU_ASSERT_EQUAL(replace(in("loop"), true, "x"), ELOOP);
    unlink(in("d/target"));
    unlink(in("d/target.lock"));
    end();
}

/* In a folder of the server's user a link could lead root to any file. */
static void follows_no_link_of_another_user(void)
{
    begin();
    put(in("victim"), "victim", 0600);
    CU_ASSERT_EQUAL(symlink("victim", in("foreign")), 0);
    CU_ASSERT_EQUAL(symlink("foreign", in("own")), 0);
    if (geteuid() == 0) { /* nobody else can give links away */
        CU_ASSERT_EQUAL(lchown(in("foreign"), 12345, 12345), 0);
        CU_ASSERT_EQUAL(replace(in("foreign"), false, "new"), EPERM);
        CU_ASSERT_EQUAL(replace(in("foreign"), true, "new"), EPERM);
        CU_ASSERT_EQUAL(replace(in("own"), false, "new"), EPERM);
        CU_ASSERT_TRUE(holds(in("victim"), "victim"));
        CU_ASSERT_EQUAL(lchown(in("foreign"), 0, 12345), 0);
    }
    CU_ASSERT_EQUAL(replace(in("own"), false, "new"), APR_SUCCESS);
    CU_ASSERT_TRUE(holds(in("victim"), "new"));
    end();
}

/* Who may open the lock file can hold it for ever. */
static void only_writers_of_the_file_can_lock(void)
{
    static const struct {
        mode_t file, lock;
    } cases[] = {{0640, 0600}, {0644, 0600}, {0600, 0600}, {0660, 0660}, {0620, 0660}};
    struct stat st;

    begin();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put(in("a"), "old", cases[i].file);
        unlink(in("a.lock"));
        CU_ASSERT_EQUAL(replace(in("a"), false, "new"), APR_SUCCESS);
        CU_ASSERT_TRUE(stat(in("a.lock"), &st) == 0 && (st.st_mode & 07777) == cases[i].lock);
        CU_ASSERT_EQUAL(chmod(in("a.lock"), 0664), 0); /* as another version made it */
        CU_ASSERT_EQUAL(replace(in("a"), false, "newer"), APR_SUCCESS);
        CU_ASSERT_TRUE(stat(in("a.lock"), &st) == 0 && (st.st_mode & 07777) == cases[i].lock);
    }
    /* A second name of another file is left as it is. */
    put(in("victim"), "", 0644);
    unlink(in("a.lock"));
    CU_ASSERT_EQUAL(link(in("victim"), in("a.lock")), 0);
    put(in("a"), "old", 0600);
    CU_ASSERT_EQUAL(replace(in("a"), false, "new"), APR_SUCCESS);
    CU_ASSERT_TRUE(stat(in("victim"), &st) == 0 && (st.st_mode & 07777) == 0644);
    end();
}

static void refuses_what_stands_in_the_way(void)
{
    begin();
    put(in("a"), "old", 0600);
    put(in("victim"), "victim", 0600);
    CU_ASSERT_EQUAL(symlink("victim", in("a.lock")), 0);
    CU_ASSERT_EQUAL(replace(in("a"), false, "new"), ELOOP);
    unlink(in("a.lock"));
    mkfifo(in("a.lock"), 0600);
    CU_ASSERT_EQUAL(replace(in("a"), false, "new"), APR_EEXIST);
    unlink(in("a.lock"));
    CU_ASSERT_EQUAL(mkdir(in("a.lock"), 0700), 0);
    CU_ASSERT_EQUAL(replace(in("a"), false, "new"), APR_EEXIST);
    rmdir(in("a.lock"));
    CU_ASSERT_EQUAL(symlink("victim", in(".a.authws-new")), 0);
    CU_ASSERT_EQUAL(replace(in("a"), false, "new"), APR_EEXIST);
    CU_ASSERT_TRUE(holds(in("a"), "old"));
    CU_ASSERT_TRUE(holds(in("victim"), "victim"));
    CU_ASSERT_EQUAL(replace(folder, false, "new"), APR_EINVAL);
    CU_ASSERT_EQUAL(replace(in(""), true, "new"), EISDIR);
    CU_ASSERT_EQUAL(replace(in("no/file"), true, "new"), APR_ENOENT);
    rmdir(apr_pstrcat(pool, folder, ".lock", NULL));
    unlink(apr_pstrcat(pool, folder, ".lock", NULL));
    end();
}

static void removes_what_a_killed_process_left(void)
{
    begin();
    put(in("a"), "old", 0600);
    put(in(".a.authws-new"), "half a li", 0600);
    CU_ASSERT_EQUAL(replace(in("a"), false, "new"), APR_SUCCESS);
    CU_ASSERT_TRUE(holds(in("a"), "new"));
    CU_ASSERT_NOT_EQUAL(access(in(".a.authws-new"), F_OK), 0);
    end();
}

static void keeps_foreign_changes(void)
{
    const aw_span_t part = AW_SPAN_LIT("ours");
    aw_file_edit_t *edit = NULL;
    aw_span_t content;

    begin();
    put(in("a"), "old", 0600);
    CU_ASSERT_EQUAL(aw_file_open_edit(&edit, &content, in("a"), false, 0, NULL, NULL, pool),
                    APR_SUCCESS);
    put(in("a"), "an editor's", 0600);
    CU_ASSERT_EQUAL(aw_file_commit_edit(edit, &part, 1), APR_EAGAIN);
    CU_ASSERT_TRUE(holds(in("a"), "an editor's"));
    CU_ASSERT_EQUAL(aw_file_open_edit(&edit, &content, in("b"), true, 0, NULL, NULL, pool),
                    APR_SUCCESS);
    put(in("b"), "an editor's", 0600);
    CU_ASSERT_EQUAL(aw_file_commit_edit(edit, &part, 1), APR_EAGAIN);
    CU_ASSERT_TRUE(holds(in("b"), "an editor's"));
    end();
}

enum { THREADS = 4, EDITS = 25 };

/* Adds one character again and again. */
/* Writes as many pieces as `baton` says, some larger than any buffer; with 50 it fails then. */
static apr_status_t write_pieces(void *baton, aw_file_write_fn write, void *sink)
{
    static char piece[40000];
    const size_t *pieces = baton;
    apr_status_t rv = APR_SUCCESS;

    memset(piece, 'p', sizeof(piece));
    for (size_t i = 0; i < *pieces && rv == APR_SUCCESS; i++) {
        rv = write(sink, (aw_span_t){piece, i * 997 % sizeof(piece)});
    }
    return rv == APR_SUCCESS && *pieces == 50 ? APR_EGENERAL : rv;
}

static void takes_pieces_of_any_size_or_nothing(void)
{
    size_t pieces = 49, len = 0;
    aw_file_edit_t *edit = NULL;
    aw_span_t text;
    aw_file_id_t id;

    begin();
    put(in("a"), "old", 0600);
    CU_ASSERT_EQUAL(aw_file_open_edit(&edit, &text, in("a"), false, 0, NULL, NULL, pool),
                    APR_SUCCESS);
    CU_ASSERT_EQUAL(aw_file_commit_edit_from(edit, write_pieces, &pieces), APR_SUCCESS);
    for (size_t i = 0; i < pieces; i++) {
        len += i * 997 % 40000;
    }
    CU_ASSERT_EQUAL(aw_file_read(in("a"), 10 * len, &text, &id, pool), APR_SUCCESS);
    CU_ASSERT_EQUAL(text.len, len);
    CU_ASSERT_EQUAL(strspn(text.ptr, "p"), len);
    pieces = 50;
    CU_ASSERT_EQUAL(aw_file_open_edit(&edit, &text, in("a"), false, 0, NULL, NULL, pool),
                    APR_SUCCESS);
    CU_ASSERT_EQUAL(aw_file_commit_edit_from(edit, write_pieces, &pieces), APR_EGENERAL);
    CU_ASSERT_EQUAL(aw_file_read(in("a"), 10 * len, &text, &id, pool), APR_SUCCESS);
    CU_ASSERT_EQUAL(text.len, len);
    CU_ASSERT_NOT_EQUAL(access(in(".a.authws-new"), F_OK), 0);
    end();
}

static void *append(void *baton)
{
    apr_pool_t *p = NULL;

    apr_pool_create(&p, NULL);
    for (int i = 0; i < EDITS; i++) {
        aw_file_edit_t *edit = NULL;
        aw_span_t parts[2] = {{NULL, 0}, AW_SPAN_LIT("+")};

        if (aw_file_open_edit(&edit, &parts[0], baton, false, apr_time_from_sec(60), NULL, NULL,
                              p) != APR_SUCCESS ||
            aw_file_commit_edit(edit, parts, 2) != APR_SUCCESS) {
            break;
        }
    }
    apr_pool_destroy(p);
    return NULL;
}

static void loses_no_update(void)
{
    pthread_t threads[THREADS];
    struct stat st;

    begin();
    put(in("a"), "", 0600);
    char *path = apr_pstrdup(pool, in("a"));

    for (int i = 0; i < THREADS; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, append, path), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    CU_ASSERT_EQUAL(st.st_size, THREADS * EDITS);
    end();
}

static void survives_deletion_of_the_lock(void)
{
    begin();
    put(in("a"), "", 0600);
    for (int i = 0; i < 3; i++) {
        append(apr_pstrdup(pool, in("a")));
        CU_ASSERT_EQUAL(unlink(in("a.lock")), 0);
    }
    CU_ASSERT_EQUAL(replace(in("a"), false, "x"), APR_SUCCESS);
    end();
}

static const unit_test_t tests[] = {
    {"regular files are read, within the limit, and nothing else", reads_files},
    {"two versions have two identities", tells_versions_apart},
    {"a replaced file keeps its mode, a new one is 0640", replaces_keeping_the_mode},
    {"an abandoned edit leaves the file and the lock free", abandons_without_a_trace},
    {"an edit ends with its pool", unlocks_with_the_pool},
    {"of two edits one waits, by whatever name it came", lets_one_edit_at_a_time},
    {"symbolic links are followed and stay", follows_links_and_keeps_them},
    {"a symbolic link of another user is not followed", follows_no_link_of_another_user},
    {"only those who may write to the file can lock it", only_writers_of_the_file_can_lock},
    {"links and strangers in the place of lock or new file are refused",
     refuses_what_stands_in_the_way},
    {"what a killed process left is removed", removes_what_a_killed_process_left},
    {"what a program without the lock wrote is not lost", keeps_foreign_changes},
    {"a version written in pieces of any size is whole, one that fails leaves the old",
     takes_pieces_of_any_size_or_nothing},
    {"no update of four threads is lost", loses_no_update},
    {"a deleted lock file is made again", survives_deletion_of_the_lock},
    {NULL, NULL}};

const unit_suite_t file_suite = {"file", tests};
