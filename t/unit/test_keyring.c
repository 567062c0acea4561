/* The keys of nonces: the same on every server, others every day, nonces unharmed by the change.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "digest/nonce.h"

#define DAY  AW_KEYRING_PERIOD
#define NOON (19700 * DAY + DAY / 2)
#define DUSK (19701 * DAY) /* the end of that day */

static const char secret[] = "correct horse battery staple";
static const unsigned char bits[AW_NONCE_RANDOM] = {1, 2, 3, 4, 5, 6, 7, 8};

static aw_keyring_t ring_at(apr_time_t now)
{
    aw_keyring_t ring;

    memset(&ring, 0, sizeof(ring));
    CU_ASSERT_EQUAL_FATAL(aw_keyring_derive(&ring, secret, strlen(secret), now), APR_SUCCESS);
    return ring;
}

/* Whether what is minted with `ring` at `when` opens with `other`. */
static bool opens(const aw_keyring_t *ring, apr_time_t when, const aw_keyring_t *other)
{
    char text[AW_NONCE_LEN];
    aw_nonce_t nonce;

    CU_ASSERT_EQUAL_FATAL(aw_nonce_mint(ring, aw_span("x"), when, 1, bits, text), APR_SUCCESS);
    return aw_nonce_open(other, aw_span("x"), (aw_span_t){text, sizeof(text)}, &nonce) ==
           AW_NONCE_OK;
}

/* The same secret means the same keys on every machine and in every release. */
static void the_derivation_never_changes(void)
{
    static const char *const expected[] = {"30d1e1107274f5af0d6defb648782e7fce",
                                           "e53f4f7c8d2093ecc907c6da09f0e1ec1c",
                                           "654d2f6e6751dca4483803f7ff1654f7ec"};
    const aw_keyring_t ring = ring_at(NOON), again = ring_at(NOON);

    CU_ASSERT_EQUAL(ring.count, 3);
    CU_ASSERT_EQUAL(memcmp(&ring, &again, sizeof(ring)), 0);
    for (unsigned i = 0; i < 3; i++) {
        char hex[2 * 17 + 1] = {0};

        aw_hex_encode(hex, &ring.keys[i].id, 1);
        aw_hex_encode(hex + 2, ring.keys[i].key, 16);
        CU_ASSERT_STRING_EQUAL(hex, expected[i]);
    }
}

static void a_short_secret_or_an_impossible_time_is_refused_and_leaves_the_ring(void)
{
    aw_keyring_t ring = ring_at(NOON);
    const aw_keyring_t before = ring;

    CU_ASSERT_EQUAL(aw_keyring_derive(&ring, secret, 15, NOON), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_keyring_derive(&ring, "", 0, NOON), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_keyring_derive(&ring, secret, 16, -1), APR_EINVAL);
    CU_ASSERT_EQUAL(memcmp(&ring, &before, sizeof(ring)), 0);
    CU_ASSERT_EQUAL(aw_keyring_derive(&ring, secret, 16, NOON), APR_SUCCESS);
    CU_ASSERT_NOT_EQUAL(memcmp(ring.keys[0].key, before.keys[0].key, 16), 0);
}

static void a_day_has_one_ring_and_the_next_day_another(void)
{
    const aw_keyring_t first = ring_at(DUSK - DAY), last = ring_at(DUSK - 1), next = ring_at(DUSK);

    CU_ASSERT_EQUAL(memcmp(&first, &last, sizeof(first)), 0);
    CU_ASSERT_EQUAL(first.from, DUSK - DAY);
    CU_ASSERT_EQUAL(first.until, DUSK);
    CU_ASSERT_EQUAL(next.from, DUSK);
    CU_ASSERT_EQUAL(memcmp(&next.keys[1], &first.keys[0], sizeof(first.keys[0])), 0);
    CU_ASSERT_EQUAL(memcmp(&next.keys[0], &first.keys[2], sizeof(first.keys[0])), 0);
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned j = 0; j < i; j++) {
            CU_ASSERT_NOT_EQUAL(memcmp(first.keys[i].key, first.keys[j].key, 16), 0);
        }
    }
}

static void a_nonce_opens_all_its_life_across_the_change_of_keys(void)
{
    const apr_time_t issued[] = {DUSK - DAY, DUSK - 1, DUSK, DUSK + 1};

    for (size_t i = 0; i < sizeof(issued) / sizeof(issued[0]); i++) {
        const aw_keyring_t ring = ring_at(issued[i]);

        for (apr_time_t age = 0; age <= AW_NONCE_LIFETIME_MAX; age += AW_NONCE_LIFETIME_MAX / 48) {
            const aw_keyring_t later = ring_at(issued[i] + age);

            CU_ASSERT_TRUE(opens(&ring, issued[i], &later));
        }
    }
}

static void two_days_later_a_nonce_is_foreign(void)
{
    const aw_keyring_t ring = ring_at(DUSK - 1), day = ring_at(DUSK + DAY - 1),
                       two_days = ring_at(DUSK + DAY), before = ring_at(DUSK - 2 * DAY - 1);

    CU_ASSERT_TRUE(opens(&ring, DUSK - 1, &day));
    CU_ASSERT_FALSE(opens(&ring, DUSK - 1, &two_days));
    CU_ASSERT_FALSE(opens(&ring, DUSK - 1, &before));
}

static void a_server_whose_clock_is_ahead_is_understood(void)
{
    const aw_keyring_t behind = ring_at(DUSK - 1), ahead = ring_at(DUSK + apr_time_from_sec(5));

    CU_ASSERT_TRUE(opens(&ahead, DUSK + apr_time_from_sec(5), &behind));
    CU_ASSERT_TRUE(opens(&behind, DUSK - 1, &ahead));
}

static void a_ring_serves_until_its_day_is_over(void)
{
    const aw_keyring_t ring = ring_at(NOON);

    CU_ASSERT_TRUE(aw_keyring_serves(&ring, NOON));
    CU_ASSERT_TRUE(aw_keyring_serves(&ring, DUSK - 1));
    CU_ASSERT_FALSE(aw_keyring_serves(&ring, DUSK));
    CU_ASSERT_TRUE(aw_keyring_serves(&ring, DUSK - 2 * DAY));
    CU_ASSERT_FALSE(aw_keyring_serves(&ring, DUSK - 2 * DAY - 1));
}

static aw_keys_t *keys_at(apr_time_t now, apr_pool_t **p)
{
    aw_keys_t *keys = NULL;

    CU_ASSERT_EQUAL_FATAL(apr_pool_create(p, NULL), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(aw_keys_create(&keys, secret, strlen(secret), now, *p), APR_SUCCESS);
    return keys;
}

static void keys_change_when_the_day_is_over_and_old_rings_stay_readable(void)
{
    apr_pool_t *p;
    aw_keys_t *keys = keys_at(NOON, &p);
    const aw_keyring_t *first = aw_keys_get(keys, NOON), before = *first;
    const aw_keyring_t *last = first;

    CU_ASSERT_PTR_EQUAL(aw_keys_get(keys, DUSK - 1), first);
    for (unsigned day = 0; day < 100; day++) {
        const aw_keyring_t *ring = aw_keys_get(keys, DUSK + day * DAY);
        const aw_keyring_t right = ring_at(DUSK + day * DAY);

        CU_ASSERT_PTR_NOT_EQUAL(ring, last);
        CU_ASSERT_EQUAL(memcmp(ring, &right, sizeof(right)), 0);
        /* A request that came in just before midnight does not change them back. */
        CU_ASSERT_PTR_EQUAL(aw_keys_get(keys, DUSK + day * DAY - 1), ring);
        last = ring;
    }
    CU_ASSERT_EQUAL(memcmp(first, &before, sizeof(before)), 0);
    apr_pool_destroy(p);
}

static void keys_follow_a_clock_that_is_set_back_by_days(void)
{
    apr_pool_t *p;
    aw_keys_t *keys = keys_at(NOON, &p);
    const aw_keyring_t right = ring_at(NOON - 10 * DAY);

    CU_ASSERT_EQUAL(memcmp(aw_keys_get(keys, NOON - 10 * DAY), &right, sizeof(right)), 0);
    apr_pool_destroy(p);
}

static void keys_that_cannot_be_derived_leave_the_ring_in_force(void)
{
    apr_pool_t *p;
    aw_keys_t *keys = keys_at(NOON, &p), *none = (aw_keys_t *)&p;
    const aw_keyring_t *ring = aw_keys_get(keys, NOON);

    CU_ASSERT_PTR_EQUAL(aw_keys_get(keys, -1), ring);
    CU_ASSERT_PTR_EQUAL(aw_keys_get(keys, -1), ring); /* tried again, no lock is left */
    CU_ASSERT_PTR_NOT_EQUAL(aw_keys_get(keys, DUSK), ring);
    CU_ASSERT_EQUAL(aw_keys_create(&none, secret, 15, NOON, p), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_keys_create(&none, secret, 16, -1, p), APR_EINVAL);
    CU_ASSERT_PTR_EQUAL(none, (aw_keys_t *)&p);
    apr_pool_destroy(p);
}

/* --- many threads at the turn of the day --- */

#define THREADS 8
#define DAYS    200

typedef struct turn_t {
    aw_keys_t *keys;
    atomic_int day;
    atomic_int wrong;
} turn_t;

static void *read_across_days(void *baton)
{
    turn_t *turn = baton;
    int day;

    while ((day = atomic_load(&turn->day)) < DAYS) {
        const apr_time_t now = NOON + day * DAY;
        const aw_keyring_t *ring = aw_keys_get(turn->keys, now);
        char text[AW_NONCE_LEN];
        aw_nonce_t nonce;

        /* Whichever ring this is, it is whole: what it mints opens with it. */
        if (ring->count != 3 || ring->until - ring->from != DAY ||
            aw_nonce_mint(ring, aw_span("x"), now, 1, bits, text) != APR_SUCCESS ||
            aw_nonce_open(ring, aw_span("x"), (aw_span_t){text, sizeof(text)}, &nonce) !=
                AW_NONCE_OK) {
            atomic_fetch_add(&turn->wrong, 1);
        }
        if (ring->from <= now && now < ring->until) {
            (void)atomic_compare_exchange_strong(&turn->day, &day, day + 1);
        }
    }
    return NULL;
}

static void threads_that_meet_the_turn_of_a_day_read_whole_rings(void)
{
    apr_pool_t *p;
    turn_t turn = {.keys = keys_at(NOON, &p)};
    pthread_t threads[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, read_across_days, &turn), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        CU_ASSERT_EQUAL(pthread_join(threads[i], NULL), 0);
    }
    CU_ASSERT_EQUAL(atomic_load(&turn.wrong), 0);
    CU_ASSERT_EQUAL(atomic_load(&turn.day), DAYS);
    apr_pool_destroy(p);
}

static const unit_test_t tests[] = {
    {"the_derivation_never_changes", the_derivation_never_changes},
    {"a_short_secret_or_an_impossible_time_is_refused_and_leaves_the_ring",
     a_short_secret_or_an_impossible_time_is_refused_and_leaves_the_ring},
    {"a_day_has_one_ring_and_the_next_day_another", a_day_has_one_ring_and_the_next_day_another},
    {"a_nonce_opens_all_its_life_across_the_change_of_keys",
     a_nonce_opens_all_its_life_across_the_change_of_keys},
    {"two_days_later_a_nonce_is_foreign", two_days_later_a_nonce_is_foreign},
    {"a_server_whose_clock_is_ahead_is_understood", a_server_whose_clock_is_ahead_is_understood},
    {"a_ring_serves_until_its_day_is_over", a_ring_serves_until_its_day_is_over},
    {"keys_change_when_the_day_is_over_and_old_rings_stay_readable",
     keys_change_when_the_day_is_over_and_old_rings_stay_readable},
    {"keys_follow_a_clock_that_is_set_back_by_days", keys_follow_a_clock_that_is_set_back_by_days},
    {"keys_that_cannot_be_derived_leave_the_ring_in_force",
     keys_that_cannot_be_derived_leave_the_ring_in_force},
    {"threads_that_meet_the_turn_of_a_day_read_whole_rings",
     threads_that_meet_the_turn_of_a_day_read_whole_rings},
    {NULL, NULL},
};

const unit_suite_t keyring_suite = {"keyring", tests};
