/* Does the time that the verifier takes tell who is a user? A statistical test, as dudect does it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Three classes of requests that are all refused (a user with a wrong password, nobody of that
 * name, a user without a value in the algorithm) are verified in random order, against a store of
 * so many users, in such order, that what is read in place of an unknown one lies neither nearer
 * nor farther in the memory than a user. Welch's t compares the classes in pairs, on what lies
 * below several percentiles: what comes above is the machine's doing. |t| below 4.5 is what equal
 * distributions give; above 10 in all of several rounds is a leak.
 *
 *     dudect [SAMPLES]      a class and round; 100,000 unless told
 */
#include <apr_general.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "digest/verify.h"
#include "store/a1_store.h"

#define NOW         apr_time_from_sec(1700000000)
#define USERS       512 /* a class */
#define BYSTANDERS  38  /* users that nobody asks for, to each two that are asked for */
#define ROUNDS      8
#define T_LEAK      10.0
#define T_EQUAL     4.5
#define SAMPLES_MIN 1000
#define SAMPLES_MAX 10000000
#define REALM       "Intranet"

typedef enum class_e { WRONG_PASSWORD, UNKNOWN_USER, NO_VALUE, CLASSES } class_e;

static const char *const class_names[CLASSES] = {"a user with a wrong password", "an unknown user",
                                                 "a user without a value"};
static const aw_verdict_e class_verdicts[CLASSES] = {AW_VERDICT_WRONG_RESPONSE,
                                                     AW_VERDICT_UNKNOWN_USER, AW_VERDICT_NO_VALUE};

/* All that the verifier works on. */
typedef struct world_t {
    apr_pool_t *p;
    aw_a1_store_t *store;
    aw_keyring_t keys;
    char nonce[AW_NONCE_LEN];
    char (*fields)[USERS][512]; /* Authorization values of each class */
    bool hasty;                 /* unknown users are found out without looking */
    aw_a1_entry_t entry;
} world_t;

/* Figures of one class below a threshold. */
typedef struct moments_t {
    double n, mean, m2;
} moments_t;

static void die(const char *what)
{
    fprintf(stderr, "dudect: %s\n", what);
    exit(3);
}

static uint64_t next_random(void)
{
    static uint64_t state = 0x9e3779b97f4a7c15u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* As the module looks users up. */
static apr_status_t look_up(void *baton, aw_alg_e alg, aw_span_t realm, aw_span_t user,
                            bool userhash, aw_a1_found_t *found)
{
    world_t *w = baton;

    (void)userhash;
    if (w->hasty && user.len > 0 && user.ptr[0] == 'u') {
        return APR_NOTFOUND;
    }
    const apr_status_t rv = aw_a1_store_find(w->store, realm, user, &alg, NOW, &w->entry);

    if (rv == APR_SUCCESS || rv == APR_ENOTIMPL) {
        found->user = (aw_span_t){w->entry.user, w->entry.user_len};
    }
    memcpy(found->a1, w->entry.hash, sizeof(found->a1));
    aw_wipe(w->entry.hash, sizeof(w->entry.hash));
    return rv;
}

/* Names of one length: w00042, u00042, n00042, and b00042 for a bystander. */
static void name_of(char *out, size_t size, unsigned class, unsigned i)
{
    snprintf(out, size, "%c%05u", "wunb"[class], i);
}

static void hex_random(char *out, size_t digits)
{
    for (size_t i = 0; i < digits; i++) {
        out[i] = "0123456789abcdef"[next_random() % 16];
    }
    out[digits] = '\0';
}

static void make_store(world_t *w)
{
    char path[] = "/tmp/authws-dudect-XXXXXX", name[16], hex[65];
    const char *const paths[] = {path}, *message = NULL;
    const int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

    if (!file) {
        die("no temporary file");
    }
    for (unsigned i = 0; i < USERS * (2 + BYSTANDERS); i++) {
        const unsigned place = i % (2 + BYSTANDERS);
        const unsigned class = place == 0                    ? WRONG_PASSWORD
                               : place == 1 + BYSTANDERS / 2 ? NO_VALUE
                                                             : CLASSES;

        name_of(name, sizeof(name), class, class == CLASSES ? i : i / (2 + BYSTANDERS));
        hex_random(hex, class == NO_VALUE ? 32 : 64);
        fprintf(file, "%s:" REALM ":%s%s\n", name, class == NO_VALUE ? "" : "{SHA-256}", hex);
    }
    if (fclose(file) != 0 ||
        aw_a1_store_open(&w->store, &message, paths, 1, 0, NULL, w->p) != APR_SUCCESS) {
        die(message ? message : "the store cannot be made");
    }
    (void)unlink(path);
}

static void make_fields(world_t *w)
{
    char name[16], hex[65];

    w->fields = apr_palloc(w->p, CLASSES * sizeof(*w->fields));
    for (unsigned c = 0; c < CLASSES; c++) {
        for (unsigned i = 0; i < USERS; i++) {
            name_of(name, sizeof(name), c, i);
            hex_random(hex, 64);
            snprintf(w->fields[c][i], sizeof(w->fields[c][i]),
                     "Digest username=\"%s\", realm=\"" REALM "\", nonce=\"%.*s\", uri=\"/\", "
                     "algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"0123456789abcdef\", "
                     "response=\"%s\"",
                     name, AW_NONCE_LEN, w->nonce, hex);
        }
    }
}

/* One verification of class `c`; nanoseconds. */
static double sample(world_t *w, class_e c)
{
    static const aw_algorithm_t offered[] = {{AW_ALG_SHA256, false}, {AW_ALG_MD5, false}};
    static char field[512], scratch[512];
    const aw_digest_policy_t policy = {.realm = AW_SPAN_LIT(REALM),
                                       .algorithms = offered,
                                       .algorithms_count = 2,
                                       .qops = AW_QOP_BIT(AW_QOP_AUTH),
                                       .nonce_lifetime = apr_time_from_sec(60),
                                       .keys = &w->keys,
                                       .lookup = look_up};
    aw_digest_request_t request = {.method = AW_SPAN_LIT("GET"),
                                   .target = AW_SPAN_LIT("/"),
                                   .scratch = scratch,
                                   .now = NOW,
                                   .want_rspauth = true,
                                   .lookup_baton = w};
    aw_digest_result_t result;
    struct timespec before, after;

    /* From one place, or the cache would tell the classes apart. */
    memcpy(field, w->fields[c][next_random() % USERS], sizeof(field));
    request.field = aw_span(field);
    clock_gettime(CLOCK_MONOTONIC, &before);
    const aw_verdict_e verdict = aw_digest_verify(&result, &policy, &request);
    clock_gettime(CLOCK_MONOTONIC, &after);
    if (verdict != class_verdicts[c]) {
        die(aw_verdict_text(verdict));
    }
    return (double)(after.tv_sec - before.tv_sec) * 1e9 + (double)(after.tv_nsec - before.tv_nsec);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static moments_t moments_below(const double *samples, size_t n, double limit)
{
    moments_t m = {0, 0, 0};

    for (size_t i = 0; i < n; i++) {
        if (samples[i] <= limit) {
            const double delta = samples[i] - m.mean;

            m.n += 1;
            m.mean += delta / m.n;
            m.m2 += delta * (samples[i] - m.mean);
        }
    }
    return m;
}

static double welch(const moments_t *a, const moments_t *b)
{
    if (a->n < 2 || b->n < 2) {
        return 1e9; /* one class lies wholly above: as clear as can be */
    }
    const double variance = a->m2 / (a->n - 1) / a->n + b->m2 / (b->n - 1) / b->n;

    if (variance <= 0) {
        return a->mean == b->mean ? 0 : 1e9;
    }
    return fabs(a->mean - b->mean) / sqrt(variance);
}

/* The greatest |t| of two classes over the percentiles; *ns the difference of their means at the
 * last of them. `scratch` holds 2n. */
static double t_of(double *ns, const double *a, const double *b, size_t n, double *scratch)
{
    static const double percentiles[] = {0.5, 0.75, 0.9, 0.95};
    double worst = 0;

    memcpy(scratch, a, n * sizeof(*a));
    memcpy(scratch + n, b, n * sizeof(*b));
    qsort(scratch, 2 * n, sizeof(*scratch), compare);
    for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++) {
        const double limit = scratch[(size_t)((double)(2 * n) * percentiles[i])];
        const moments_t x = moments_below(a, n, limit), y = moments_below(b, n, limit);

        worst = fmax(worst, welch(&x, &y));
        *ns = x.mean - y.mean;
    }
    return worst;
}

/* Takes `n` samples of each class, in random order. */
static void take_samples(world_t *w, double *samples[CLASSES], size_t n)
{
    size_t taken[CLASSES] = {0};

    for (size_t i = 0; i < n / 10; i++) {
        (void)sample(w, (class_e)(next_random() % CLASSES)); /* the caches are warm from here on */
    }
    for (size_t left = CLASSES * n; left > 0;) {
        const class_e c = (class_e)(next_random() % CLASSES);

        if (taken[c] < n) {
            samples[c][taken[c]++] = sample(w, c);
            left--;
        }
    }
}

/* Whether two classes look alike in at least one round. */
static bool report(const char *what, const char *against, const double *t, const double *ns)
{
    unsigned best = 0;
    char all[ROUNDS * 12] = "";
    size_t at = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        best = t[round] < t[best] ? round : best;
        at += (size_t)snprintf(all + at, sizeof(all) - at, " %.1f", fmin(t[round], 99999));
    }
    const bool passed = t[best] < T_LEAK;

    printf("%s dudect: %s and %s take the same time: |t| %.1f (%s), %+.1f ns; rounds%s\n",
           passed ? "ok" : "not ok", what, against, t[best],
           t[best] < T_EQUAL  ? "no difference"
           : t[best] < T_LEAK ? "below the limit of 10"
                              : "a leak",
           ns[best], all);
    return passed;
}

static bool compare_classes(world_t *w, double *samples[CLASSES], double *scratch, size_t n)
{
    double t[CLASSES][ROUNDS], ns[CLASSES][ROUNDS];
    bool passed = true;

    for (unsigned round = 0; round < ROUNDS; round++) {
        take_samples(w, samples, n);
        for (unsigned c = 0; c < CLASSES; c++) {
            t[c][round] = t_of(&ns[c][round], samples[c], samples[(c + 1) % CLASSES], n, scratch);
        }
    }
    for (unsigned c = 0; c < CLASSES; c++) {
        passed &= report(class_names[c], class_names[(c + 1) % CLASSES], t[c], ns[c]);
    }
    return passed;
}

/* A verifier that does leak must be found out, or all of the above says nothing. */
static bool control(world_t *w, double *samples[CLASSES], double *scratch, size_t n)
{
    double ns;

    w->hasty = true;
    take_samples(w, samples, n);
    const double t = t_of(&ns, samples[WRONG_PASSWORD], samples[UNKNOWN_USER], n, scratch);

    printf("%s dudect: a store that does not look for unknown users is noticed: |t| %.1f, %+.1f "
           "ns\n",
           t > T_LEAK ? "ok" : "not ok", t, ns);
    return t > T_LEAK;
}

int main(int argc, char **argv)
{
    static const unsigned char bits[AW_NONCE_RANDOM] = {1};
    const long wanted = argc > 1 ? strtol(argv[1], NULL, 10) : 100000;
    double *samples[CLASSES];
    world_t w = {.p = NULL};

    if (wanted < SAMPLES_MIN || wanted > SAMPLES_MAX) {
        fprintf(stderr, "usage: dudect [SAMPLES]\n");
        return 2;
    }
    const size_t n = (size_t)wanted;

    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&w.p, NULL) != APR_SUCCESS ||
        aw_algorithms_init() != APR_SUCCESS ||
        aw_keyring_derive(&w.keys, "a secret for the test", 21, NOW) != APR_SUCCESS ||
        aw_nonce_mint(&w.keys, AW_SPAN_LIT(REALM), NOW, 1, bits, w.nonce) != APR_SUCCESS) {
        die("no library");
    }
    make_store(&w);
    make_fields(&w);
    for (unsigned c = 0; c < CLASSES; c++) {
        samples[c] = apr_palloc(w.p, n * sizeof(double));
    }
    double *scratch = apr_palloc(w.p, 2 * n * sizeof(double));
    bool passed = compare_classes(&w, samples, scratch, n);

    passed &= control(&w, samples, scratch, n);
    apr_pool_destroy(w.p);
    return passed ? 0 : 1;
}
