/* The figures of the A1 store alone, for t/bench/store: indexing, opening, lookups, a reload.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     store_core FOLDER USERS RELOADED
 *
 * Makes an A1 file of USERS users in FOLDER, and one of RELOADED, and prints lines `NAME VALUE`:
 * seconds to index RELOADED and USERS users, milliseconds to open the index of USERS and find the
 * first, nanoseconds of a lookup (medians over batches) by name and by user hash, of a user and of
 * nobody, and the milliseconds that the slowest lookup took while RELOADED users were read again,
 * and for as long afterwards; and the slowest of those that were never without a processor.
 */
#include <apr_general.h>
#include <apr_strings.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "store/a1_index.h"
#include "store/a1_store.h"

#define BOTH    (1u << AW_ALG_MD5 | 1u << AW_ALG_SHA256)
#define BATCHES 100
#define WARM    200 /* batches before those: a server that has been up has its pages mapped */
#define BATCH   2000

static apr_pool_t *pool;
static uint64_t state = 88172645463325252u;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    fprintf(stderr, "store_core: %s\n", what);
    exit(1);
}

/* Values differ from user to user; that they are nobody's hashes does not matter here. */
static const char *write_users(const char *folder, const char *name, unsigned users)
{
    const char *path = apr_pstrcat(pool, folder, "/", name, NULL);
    FILE *file = fopen(path, "w");

    if (!file) {
        fail("cannot write");
    }
    for (unsigned i = 0; i < users; i++) {
        fprintf(file, "user%u:R:{MD5}%032x{SHA-256}%064x\n", i, i, i);
    }
    if (fclose(file) != 0) {
        fail("cannot write");
    }
    return path;
}

static double index_users(const char *path)
{
    const aw_a1_index_job_t job = {.userhash = BOTH,
                                   .key = (const unsigned char *)"not random, here",
                                   .timeout = apr_time_from_sec(10)};
    const char *message = NULL;
    struct timespec settle = {0, 50000000};

    nanosleep(&settle, NULL);
    const double start = seconds();

    if (aw_a1_index_write(NULL, &message, path, &job, pool) != APR_SUCCESS) {
        fail(message);
    }
    return seconds() - start;
}

static aw_a1_store_t *open_store(const char *path)
{
    const char *message = NULL;
    aw_a1_store_t *store = NULL;

    if (aw_a1_store_open(&store, &message, &path, 1, BOTH, NULL, pool) != APR_SUCCESS) {
        fail(message);
    }
    return store;
}

static int compare(const void *a, const void *b)
{
    return *(const double *)a < *(const double *)b ? -1 : *(const double *)a > *(const double *)b;
}

typedef struct name_t {
    char text[24];
    unsigned len;
    char hex[64];
} name_t;

/* Looks BATCH users up; `users` 0 asks for nobody. */
static double look_up(aw_a1_store_t *store, apr_time_t now, const name_t *names, bool hashed,
                      bool there)
{
    const aw_span_t realm = AW_SPAN_LIT("R");
    aw_a1_entry_t entry;
    size_t found = 0;
    const double start = seconds();

    for (size_t i = 0; i < BATCH; i++) {
        aw_alg_e alg = AW_ALG_SHA256;
        const apr_status_t rv =
            hashed ? aw_a1_store_find_userhash(store, realm, (aw_span_t){names[i].hex, 64}, alg,
                                               now, &entry)
                   : aw_a1_store_find(store, realm, (aw_span_t){names[i].text, names[i].len}, &alg,
                                      now, &entry);

        found += rv == APR_SUCCESS;
    }
    if (found != (there ? BATCH : 0)) {
        fail("a lookup went wrong");
    }
    return (seconds() - start) / BATCH * 1e9;
}

static void measure_lookups(aw_a1_store_t *store, unsigned users)
{
    static const char *const what[] = {"hit", "miss", "hit_userhash", "miss_userhash"};
    const apr_time_t now = apr_time_now();
    name_t *names = apr_palloc(pool, BATCH * sizeof(*names));
    double took[4][BATCHES];

    for (unsigned batch = 0; batch < WARM + BATCHES; batch++) {
        const unsigned b = batch % BATCHES; /* later ones replace the first */

        for (unsigned k = 0; k < 2; k++) {
            for (unsigned i = 0; i < BATCH; i++) {
                const unsigned user = (unsigned)(next_random() % users) + k * users;
                unsigned char hash[32];

                names[i].len = (unsigned)snprintf(names[i].text, 24, "user%u", user);
                const aw_span_t parts[] = {{names[i].text, names[i].len}, AW_SPAN_LIT(":R")};

                if (aw_hash(AW_ALG_SHA256, parts, 2, hash) != APR_SUCCESS) {
                    fail("no SHA-256");
                }
                aw_hex_encode(names[i].hex, hash, 32);
            }
            took[k][b] = look_up(store, now, names, false, k == 0);
            /* The names that were just looked up would be in the cache. */
            for (unsigned i = 0; i < BATCH; i++) {
                const unsigned user = (unsigned)(next_random() % users) + k * users;
                unsigned char hash[32];
                char text[24];
                const aw_span_t parts[] = {
                    {text, (size_t)snprintf(text, sizeof(text), "user%u", user)},
                    AW_SPAN_LIT(":R")};

                (void)aw_hash(AW_ALG_SHA256, parts, 2, hash);
                aw_hex_encode(names[i].hex, hash, 32);
            }
            took[2 + k][b] = look_up(store, now, names, true, k == 0);
        }
    }
    for (unsigned k = 0; k < 4; k++) {
        qsort(took[k], BATCHES, sizeof(double), compare);
        printf("lookup_%s_ns %.0f\n", what[k], took[k][BATCHES / 2]);
    }
}

/* Reads every page once, as a server that has been up for a while has. */
static void warm_up(const char *path)
{
    char *buffer = apr_palloc(pool, 1 << 20);
    FILE *file = fopen(apr_pstrcat(pool, path, AW_A1_INDEX_SUFFIX, NULL), "r");

    if (!file) {
        fail("no index");
    }
    while (fread(buffer, 1, 1 << 20, file) > 0) {
        ;
    }
    fclose(file);
}

/* --- a reload --- */

static atomic_bool stop;

static void *reload_on(void *data)
{
    while (!atomic_load(&stop)) {
        aw_a1_store_look(data, apr_time_now());
        apr_sleep(1000);
    }
    return NULL;
}

/* How often the scheduler took this thread's processor away. */
static long preempted(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : 0;
}

/* The longest that a lookup takes when nothing is read: what the machine does by itself. */
static double measure_quiet(aw_a1_store_t *store, double until)
{
    const aw_span_t realm = AW_SPAN_LIT("R"), user = AW_SPAN_LIT("user1");
    double longest = 0, before = seconds();
    aw_alg_e alg = AW_ALG_MD5;
    aw_a1_entry_t entry;

    while (before < until) {
        (void)aw_a1_store_find(store, realm, user, &alg, 1, &entry);
        const double now = seconds();

        longest = now - before > longest ? now - before : longest;
        before = now;
    }
    return longest;
}

/* The longest that a lookup takes from before the text changes until the change is in force. */
static void measure_reload(const char *path)
{
    const aw_span_t realm = AW_SPAN_LIT("R"), fresh = AW_SPAN_LIT("fresh");
    const char *beside = apr_pstrcat(pool, path, ".new", NULL);
    aw_a1_store_t *store = open_store(path);
    FILE *from = fopen(path, "r"), *to = fopen(beside, "w");
    aw_alg_e alg = AW_ALG_MD5;
    double longest = 0, waited = 0, before;
    long switches = preempted();
    aw_a1_entry_t entry;
    pthread_t thread;
    char line[200];

    if (!from || !to || aw_a1_store_share(store, apr_time_now()) != APR_SUCCESS) {
        fail("cannot prepare the reload");
    }
    while (fgets(line, sizeof(line), from)) {
        fputs(line, to);
    }
    fprintf(to, "fresh:R:%032x\n", 1);
    fclose(from);
    fclose(to);
    aw_a1_store_follow(store);
    if (pthread_create(&thread, NULL, reload_on, store) != 0 || rename(beside, path) != 0) {
        fail("cannot prepare the reload");
    }
    const double start = before = seconds();

    while (aw_a1_store_find(store, realm, fresh, &alg, 1, &entry) != APR_SUCCESS) {
        const double now = seconds();
        const long after = preempted();

        longest = now - before > longest ? now - before : longest;
        if (after == switches) {
            waited = now - before > waited ? now - before : waited;
        }
        switches = after;
        before = now;
        if (now - start > 60) {
            fail("the change does not come");
        }
    }
    longest = seconds() - before > longest ? seconds() - before : longest;
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    printf("reload_s %.3f\nstall_ms %.3f\n", before - start, longest * 1e3);
    printf("waited_ms %.3f\n", waited * 1e3);
    printf("quiet_ms %.3f\n", measure_quiet(store, seconds() + before - start) * 1e3);
}

int main(int argc, char **argv)
{
    if (argc != 4 || apr_initialize() != APR_SUCCESS || aw_algorithms_init() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        fprintf(stderr, "usage: %s FOLDER USERS RELOADED\n", argv[0]);
        return 2;
    }
    const unsigned users = (unsigned)strtoul(argv[2], NULL, 10);
    const char *reloaded = write_users(argv[1], "reloaded", (unsigned)strtoul(argv[3], NULL, 10));

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("index_reloaded_s %.3f\n", index_users(reloaded));
    unlink(apr_pstrcat(pool, reloaded, AW_A1_INDEX_SUFFIX, NULL));
    measure_reload(reloaded);
    unlink(reloaded);

    const char *path = write_users(argv[1], "users", users);

    printf("index_s %.3f\n", index_users(path));
    const double start = seconds();
    aw_a1_store_t *store = open_store(path);
    aw_alg_e alg = AW_ALG_MD5;
    aw_a1_entry_t entry;

    if (aw_a1_store_find(store, AW_SPAN_LIT("R"), AW_SPAN_LIT("user1"), &alg, apr_time_now(),
                         &entry) != APR_SUCCESS) {
        fail("a lookup went wrong");
    }
    printf("open_ms %.3f\n", (seconds() - start) * 1e3);
    warm_up(path);
    measure_lookups(store, users);
    apr_pool_destroy(pool);
    aw_algorithms_term();
    apr_terminate();
    return 0;
}
