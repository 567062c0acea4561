/* Who has failed too often: counts of failures in shared memory, for addresses and for user names.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "session/throttle.h"

#include <stdatomic.h>

#define WORDS 8

/* A swap fails only when somebody else's succeeds, so this many are a jam of thousands of threads,
 * or garbage: one failure more or less does not matter then. */
#define TRIES 1000

#define UNTIL_BITS 22
#define UNTIL_MASK ((UINT64_C(1) << UNTIL_BITS) - 1)
#define COUNT_BITS 10
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)
#define BLOCKED    (UINT64_C(1) << (UNTIL_BITS + COUNT_BITS))
#define NAME_SHIFT 33

#define SECONDS_MAX 86400

_Static_assert(AW_THROTTLE_FAILURES_MAX <= COUNT_MASK, "the count holds the largest limit");
_Static_assert(AW_THROTTLE_TIME_MAX == SECONDS_MAX * APR_USEC_PER_SEC, "in seconds");
_Static_assert(2 * (SECONDS_MAX + AW_THROTTLE_SKEW_MAX) < UNTIL_MASK, "ahead and behind differ");

/* As long as a name in an A1 file can be. */
#define NAME_MAX_COUNTED 1024

typedef struct aw_throttle_bucket_t {
    _Alignas(64) _Atomic uint64_t word[WORDS];
} bucket_t;

/* Where one address or name is counted under one limit. */
typedef struct place_t {
    bucket_t *bucket;
    uint64_t name; /* the fingerprint, in its place in a word */
} place_t;

apr_status_t aw_throttle_init(aw_throttle_t *throttle, void *memory, size_t size,
                              const unsigned char *key)
{
    size_t count = 1;

    if (!memory || (uintptr_t)memory % sizeof(bucket_t) != 0 || size < sizeof(bucket_t)) {
        return APR_EINVAL;
    }
    while (count <= size / sizeof(bucket_t) / 2) {
        count *= 2;
    }
    throttle->buckets = memory;
    throttle->count = count;
    memcpy(throttle->key, key, sizeof(throttle->key));
    return APR_SUCCESS;
}

/* --- what is counted --- */

static aw_throttle_id_t identify(const aw_throttle_t *throttle, const aw_span_t *parts, size_t n)
{
    aw_throttle_id_t id = {0};

    aw_keyed_hash8(throttle->key, parts, n, &id.hash);
    return id;
}

aw_throttle_id_t aw_throttle_address(const aw_throttle_t *throttle, const void *address, size_t n)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    aw_span_t parts[] = {AW_SPAN_LIT("4"), {address, n}};

    if (n == 16 && memcmp(address, mapped, sizeof(mapped)) == 0) {
        parts[1] = (aw_span_t){(const char *)address + sizeof(mapped), 4};
    } else if (n == 16) {
        parts[0] = AW_SPAN_LIT("6");
        parts[1].len = 8;
    } else if (n != 4) {
        return (aw_throttle_id_t){0};
    }
    return identify(throttle, parts, 2);
}

aw_throttle_id_t aw_throttle_user(const aw_throttle_t *throttle, aw_span_t realm, aw_span_t user)
{
    char name[NAME_MAX_COUNTED + 2];
    const size_t n = user.len < NAME_MAX_COUNTED ? user.len : NAME_MAX_COUNTED;
    const aw_span_t parts[] = {{name, n + 2}, realm};

    name[0] = 'u';
    for (size_t i = 0; i < n; i++) {
        const char c = user.ptr[i];

        name[i + 1] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    name[n + 1] = '\0'; /* so that no letter can move between name and realm */
    return identify(throttle, parts, 2);
}

/* The limit is mixed into the place. It is nobody's secret and nobody's choice: any bijection that
 * spreads its few bits does. */
static place_t place_of(const aw_throttle_t *throttle, aw_throttle_id_t id,
                        const aw_throttle_limit_t *limit)
{
    uint64_t mixed = limit->failures | (uint64_t)apr_time_sec(limit->window) << COUNT_BITS |
                     (uint64_t)apr_time_sec(limit->block) << (COUNT_BITS + 17);

    mixed *= UINT64_C(0x9e3779b97f4a7c15);
    mixed ^= mixed >> 32;
    mixed = id.hash ^ mixed * UINT64_C(0x9e3779b97f4a7c15);
    return (place_t){&throttle->buckets[mixed & (throttle->count - 1)],
                     mixed >> NAME_SHIFT << NAME_SHIFT};
}

/* --- words --- */

static unsigned count_of(uint64_t word)
{
    return (unsigned)(word >> UNTIL_BITS & COUNT_MASK);
}

static bool is_named(uint64_t word, uint64_t name)
{
    return word != 0 && word >> NAME_SHIFT == name >> NAME_SHIFT;
}

/* Seconds until the word is over; 0 for one that is, or that cannot be from this time. */
static unsigned left_of(uint64_t word, uint64_t second, unsigned longest)
{
    const unsigned left = (unsigned)((word - second) & UNTIL_MASK);

    return word != 0 && left <= longest + AW_THROTTLE_SKEW_MAX ? left : 0;
}

/* The same for the word of one whose limit is known. */
static unsigned left_under(uint64_t word, uint64_t second, const aw_throttle_limit_t *limit)
{
    return left_of(word, second,
                   (unsigned)apr_time_sec(word & BLOCKED ? limit->block : limit->window));
}

/* A word that ends `lasts` after `now`, not a fraction of a second earlier. */
static uint64_t word_of(uint64_t name, unsigned count, bool blocked, apr_time_t now,
                        apr_interval_time_t lasts)
{
    const uint64_t until = (uint64_t)apr_time_sec(now + lasts + APR_USEC_PER_SEC - 1);

    return name | (blocked ? BLOCKED : 0) | (uint64_t)count << UNTIL_BITS | (until & UNTIL_MASK);
}

/* How much of a loss a word is, whatever limit it was made under. */
static uint64_t worth_of(uint64_t word, uint64_t second)
{
    const unsigned left = left_of(word, second, SECONDS_MAX);

    if (left == 0) {
        return 0;
    }
    return (word & BLOCKED) ? UINT64_C(1) << 63 | left
                            : (uint64_t)count_of(word) << UNTIL_BITS | left;
}

/* The word to count a failure in: one's own, or else the one that is missed least. */
static unsigned choose(const place_t *at, uint64_t second, uint64_t *before)
{
    unsigned chosen = 0;
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < WORDS; i++) {
        const uint64_t word = atomic_load_explicit(&at->bucket->word[i], memory_order_relaxed);
        const uint64_t worth = worth_of(word, second);

        if (is_named(word, at->name)) {
            *before = word;
            return i;
        }
        if (worth < least) {
            least = worth;
            chosen = i;
            *before = word;
        }
    }
    return chosen;
}

/* --- the three questions --- */

/* All orders are relaxed: a word says everything, and no other memory goes with it. */

unsigned aw_throttle_blocked(const aw_throttle_t *throttle, aw_throttle_id_t id,
                             const aw_throttle_limit_t *limit, apr_time_t now)
{
    const uint64_t second = (uint64_t)apr_time_sec(now);
    unsigned longest = 0;

    if (id.hash == 0) {
        return 0;
    }
    const place_t at = place_of(throttle, id, limit);
    for (unsigned i = 0; i < WORDS; i++) {
        const uint64_t word = atomic_load_explicit(&at.bucket->word[i], memory_order_relaxed);

        if (is_named(word, at.name) && (word & BLOCKED)) {
            const unsigned left = left_under(word, second, limit);

            longest = left > longest ? left : longest;
        }
    }
    return longest;
}

bool aw_throttle_failed(aw_throttle_t *throttle, aw_throttle_id_t id,
                        const aw_throttle_limit_t *limit, apr_time_t now)
{
    const uint64_t second = (uint64_t)apr_time_sec(now);

    if (id.hash == 0) {
        return false;
    }
    const place_t at = place_of(throttle, id, limit);
    for (int tries = 0; tries < TRIES; tries++) {
        uint64_t before = 0;
        const unsigned chosen = choose(&at, second, &before);
        const bool alive = is_named(before, at.name) && left_under(before, second, limit) > 0;

        if (alive && (before & BLOCKED)) {
            return false;
        }
        const unsigned count = alive ? count_of(before) + 1 : 1;
        const bool blocks = count >= limit->failures;
        uint64_t after =
            word_of(at.name, count, blocks, now, blocks ? limit->block : limit->window);

        if (alive && !blocks) {
            after = (after & ~UNTIL_MASK) | (before & UNTIL_MASK); /* the window goes on */
        }
        if (atomic_compare_exchange_strong_explicit(&at.bucket->word[chosen], &before, after,
                                                    memory_order_relaxed, memory_order_relaxed)) {
            return blocks;
        }
    }
    return false;
}

void aw_throttle_succeeded(aw_throttle_t *throttle, aw_throttle_id_t id,
                           const aw_throttle_limit_t *limit, apr_time_t now)
{
    const uint64_t second = (uint64_t)apr_time_sec(now);

    if (id.hash == 0) {
        return;
    }
    const place_t at = place_of(throttle, id, limit);
    for (unsigned i = 0; i < WORDS; i++) {
        uint64_t word = atomic_load_explicit(&at.bucket->word[i], memory_order_relaxed);

        for (int tries = 0; tries < TRIES && is_named(word, at.name); tries++) {
            if ((word & BLOCKED) && left_under(word, second, limit) > 0) {
                break;
            }
            if (atomic_compare_exchange_strong_explicit(
                    &at.bucket->word[i], &word, 0, memory_order_relaxed, memory_order_relaxed)) {
                break;
            }
        }
    }
}
