/* The throttle: failures are counted, blocks begin and end, and nobody can slip from under them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "session/throttle.h"

#include "throttle_stress.h"
#include "unit.h"

#define BUCKET 64u
#define START  apr_time_from_sec(1700000000)

static const unsigned char key[AW_KEYED_KEY] = "a key of 16 byte";
static const aw_throttle_limit_t ten = {10, 60 * APR_USEC_PER_SEC, 300 * APR_USEC_PER_SEC};
static const aw_throttle_limit_t three = {3, 2 * APR_USEC_PER_SEC, 5 * APR_USEC_PER_SEC};

static _Alignas(64) unsigned char memory[64 * BUCKET];

static aw_throttle_t fresh(size_t buckets)
{
    aw_throttle_t throttle = {NULL, 0, {0}};

    memset(memory, 0, sizeof(memory));
    CU_ASSERT_EQUAL_FATAL(aw_throttle_init(&throttle, memory, buckets * BUCKET, key), APR_SUCCESS);
    return throttle;
}

static apr_time_t at(unsigned seconds)
{
    return START + apr_time_from_sec(seconds);
}

static aw_throttle_id_t user(const aw_throttle_t *throttle, const char *name)
{
    return aw_throttle_user(throttle, AW_SPAN_LIT("r"), aw_span(name));
}

/* Somebody of whom there are as many as one likes. */
static aw_throttle_id_t nth(const aw_throttle_t *throttle, unsigned n)
{
    const unsigned char address[4] = {10, (unsigned char)(n >> 16), (unsigned char)(n >> 8),
                                      (unsigned char)n};

    return aw_throttle_address(throttle, address, 4);
}

/* The number of failures, of `n`, that began a block. */
static unsigned fail(aw_throttle_t *throttle, aw_throttle_id_t id, const aw_throttle_limit_t *limit,
                     apr_time_t now, unsigned n)
{
    unsigned blocks = 0;

    for (unsigned i = 0; i < n; i++) {
        blocks += aw_throttle_failed(throttle, id, limit, now);
    }
    return blocks;
}

static void a_table_needs_a_bucket_on_a_cache_line(void)
{
    aw_throttle_t throttle = {NULL, 77, {0}};

    CU_ASSERT_EQUAL(aw_throttle_init(&throttle, NULL, 4096, key), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_throttle_init(&throttle, memory, BUCKET - 1, key), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_throttle_init(&throttle, memory + 8, 4096 - 8, key), APR_EINVAL);
    CU_ASSERT_EQUAL(throttle.count, 77);
    CU_ASSERT_EQUAL(aw_throttle_init(&throttle, memory, BUCKET, key), APR_SUCCESS);
    CU_ASSERT_EQUAL(throttle.count, 1);
    CU_ASSERT_EQUAL(aw_throttle_init(&throttle, memory, 7 * BUCKET + 63, key), APR_SUCCESS);
    CU_ASSERT_EQUAL(throttle.count, 4);
}

static void the_last_failure_allowed_begins_the_block(void)
{
    aw_throttle_t throttle = fresh(4);
    const aw_throttle_id_t id = user(&throttle, "alice");

    CU_ASSERT_EQUAL(fail(&throttle, id, &ten, at(0), 9), 0);
    CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, id, &ten, at(0)), 0);
    CU_ASSERT_TRUE(aw_throttle_failed(&throttle, id, &ten, at(10)));
    CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, id, &ten, at(10)), 300);
}

static void one_failure_may_be_enough(void)
{
    const aw_throttle_limit_t one = {1, APR_USEC_PER_SEC, APR_USEC_PER_SEC};
    aw_throttle_t throttle = fresh(4);

    CU_ASSERT_TRUE(aw_throttle_failed(&throttle, user(&throttle, "a"), &one, at(0)));
    CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, user(&throttle, "a"), &one, at(0)), 1);
    CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, user(&throttle, "a"), &one, at(1)), 0);
}

static void the_largest_limits_are_kept(void)
{
    const aw_throttle_limit_t most = {AW_THROTTLE_FAILURES_MAX, AW_THROTTLE_TIME_MAX,
                                      AW_THROTTLE_TIME_MAX};
    aw_throttle_t throttle = fresh(4);
    const aw_throttle_id_t id = user(&throttle, "alice");

    CU_ASSERT_EQUAL(fail(&throttle, id, &most, at(0), AW_THROTTLE_FAILURES_MAX - 1), 0);
    CU_ASSERT_TRUE(aw_throttle_failed(&throttle, id, &most, at(86399)));
    CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, id, &most, at(86399)), 86400);
    CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, id, &most, at(2 * 86400 - 2)), 1);
    CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, id, &most, at(2 * 86400 - 1)), 0);
}

static void failures_of_a_window_that_is_over_are_forgotten(void)
{
    aw_throttle_t throttle = fresh(4);
    const aw_throttle_id_t id = user(&throttle, "alice");

    CU_ASSERT_EQUAL(fail(&throttle, id, &ten, at(0), 5), 0);
    CU_ASSERT_EQUAL(fail(&throttle, id, &ten, at(59), 4), 0); /* these do not prolong it */
    CU_ASSERT_EQUAL(fail(&throttle, id, &ten, at(60), 9), 0);
    CU_ASSERT_TRUE(aw_throttle_failed(&throttle, id, &ten, at(60)));
}

static void a_block_lasts_to_its_end_whatever_comes_in(void)
{
    aw_throttle_t throttle = fresh(4);
    const aw_throttle_id_t id = user(&throttle, "alice");

    CU_ASSERT_EQUAL(fail(&throttle, id, &ten, at(0), 10), 1);
    for (unsigned s = 0; s < 300; s++) {
        CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, id, &ten, at(s)), 300 - s);
        CU_ASSERT_FALSE(aw_throttle_failed(&throttle, id, &ten, at(s)));
        aw_throttle_succeeded(&throttle, id, &ten, at(s));
    }
    CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, id, &ten, at(300)), 0);
    CU_ASSERT_EQUAL(fail(&throttle, id, &ten, at(300), 9), 0); /* and all begins anew */
    CU_ASSERT_TRUE(aw_throttle_failed(&throttle, id, &ten, at(300)));
}

static void no_block_is_a_fraction_of_a_second_short(void)
{
    aw_throttle_t throttle = fresh(4);
    const aw_throttle_id_t id = user(&throttle, "alice");
    const apr_time_t begin = at(0) + 900000;

    CU_ASSERT_EQUAL(fail(&throttle, id, &three, begin, 3), 1);
    CU_ASSERT(aw_throttle_blocked(&throttle, id, &three, begin + three.block - 1) > 0);
    for (apr_time_t now = begin; now < begin + three.block; now += 100000) {
        const unsigned left = aw_throttle_blocked(&throttle, id, &three, now);

        /* Who comes back when told to gets in. */
        CU_ASSERT(left > 0);
        CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, id, &three, now + apr_time_from_sec(left)),
                        0);
    }
}

static void a_success_forgets_failures(void)
{
    aw_throttle_t throttle = fresh(4);
    const aw_throttle_id_t id = user(&throttle, "alice");

    CU_ASSERT_EQUAL(fail(&throttle, id, &ten, at(0), 9), 0);
    aw_throttle_succeeded(&throttle, user(&throttle, "bob"), &ten, at(1));
    aw_throttle_succeeded(&throttle, id, &ten, at(1));
    CU_ASSERT_EQUAL(fail(&throttle, id, &ten, at(1), 9), 0);
    CU_ASSERT_TRUE(aw_throttle_failed(&throttle, id, &ten, at(1)));
}

static void others_are_not_touched(void)
{
    aw_throttle_t throttle = fresh(1); /* all in one bucket */

    CU_ASSERT_EQUAL(fail(&throttle, user(&throttle, "alice"), &ten, at(0), 10), 1);
    CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, user(&throttle, "bob"), &ten, at(0)), 0);
    CU_ASSERT_EQUAL(fail(&throttle, user(&throttle, "bob"), &ten, at(0), 9), 0);
    CU_ASSERT_EQUAL(
        aw_throttle_blocked(&throttle,
                            aw_throttle_user(&throttle, AW_SPAN_LIT("other"), AW_SPAN_LIT("alice")),
                            &ten, at(0)),
        0);
}

static void a_shorter_block_elsewhere_does_not_shorten_this_one(void)
{
    aw_throttle_t throttle = fresh(4);
    const aw_throttle_id_t id = user(&throttle, "alice");

    CU_ASSERT_EQUAL(fail(&throttle, id, &ten, at(0), 10), 1);
    CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, id, &three, at(0)), 0);
    CU_ASSERT_EQUAL(fail(&throttle, id, &three, at(100), 2), 0);
    aw_throttle_succeeded(&throttle, id, &three, at(100));
    CU_ASSERT_EQUAL(fail(&throttle, id, &three, at(100), 3), 1);
    CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, id, &ten, at(100)), 200);
    CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, id, &three, at(100)), 5);
}

static void nothing_is_never_counted(void)
{
    aw_throttle_t throttle = fresh(1);
    const aw_throttle_id_t nothing = {0};

    CU_ASSERT_EQUAL(fail(&throttle, nothing, &three, at(0), 10), 0);
    CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, nothing, &three, at(0)), 0);
    aw_throttle_succeeded(&throttle, nothing, &three, at(0));
    for (size_t i = 0; i < BUCKET; i++) {
        CU_ASSERT_EQUAL(memory[i], 0);
    }
}

/* --- clocks --- */

static void a_clock_set_back_ends_blocks_rather_than_prolonging_them(void)
{
    aw_throttle_t throttle = fresh(4);
    const aw_throttle_id_t id = user(&throttle, "alice");

    CU_ASSERT_EQUAL(fail(&throttle, id, &ten, at(10000), 10), 1);
    CU_ASSERT(aw_throttle_blocked(&throttle, id, &ten, at(10000) - 1) >= 300); /* other threads */
    CU_ASSERT(aw_throttle_blocked(&throttle, id, &ten, at(10000 - 60)) > 0);
    CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, id, &ten, at(10000 - 61)), 0);
    CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, id, &ten, at(0)), 0);
    CU_ASSERT_EQUAL(fail(&throttle, id, &ten, at(0), 9), 0); /* counted from new on */
    CU_ASSERT_TRUE(aw_throttle_failed(&throttle, id, &ten, at(0)));
    CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, id, &ten, at(0)), 300);
}

static void blocks_work_across_every_wrap_of_the_seconds(void)
{
    const apr_time_t turn = apr_time_from_sec(1 << 22);
    const apr_time_t wrap = START - START % turn + turn;

    for (unsigned before = 0; before <= 301; before++) {
        aw_throttle_t throttle = fresh(1);
        const aw_throttle_id_t id = user(&throttle, "alice");
        const apr_time_t now = wrap - apr_time_from_sec(before);

        CU_ASSERT_EQUAL(fail(&throttle, id, &ten, now, 10), 1);
        CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, id, &ten, now), 300);
        CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, id, &ten, now + apr_time_from_sec(299)), 1);
        CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, id, &ten, now + apr_time_from_sec(300)), 0);
    }
}

static void old_words_are_over_for_a_day_short_of_a_turn(void)
{
    aw_throttle_t throttle = fresh(1);
    const aw_throttle_id_t id = user(&throttle, "alice");

    CU_ASSERT_EQUAL(fail(&throttle, id, &ten, at(0), 10), 1);
    for (unsigned s = 300; s < (1u << 22) - 86400; s += 3600) {
        CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, id, &ten, at(s)), 0);
    }
}

/* --- a full bucket --- */

static void a_bucket_gives_up_what_is_over_first(void)
{
    aw_throttle_t throttle = fresh(1);

    for (unsigned i = 0; i < 8; i++) {
        CU_ASSERT_EQUAL(fail(&throttle, nth(&throttle, i), &three, at(0), i == 5 ? 2 : 1), 0);
    }
    CU_ASSERT_EQUAL(fail(&throttle, nth(&throttle, 5), &three, at(0), 1), 1); /* five seconds */
    /* Two seconds later all but the block are over: seven newcomers have room. */
    for (unsigned i = 10; i < 17; i++) {
        CU_ASSERT_EQUAL(fail(&throttle, nth(&throttle, i), &three, at(2), 2), 0);
    }
    CU_ASSERT(aw_throttle_blocked(&throttle, nth(&throttle, 5), &three, at(2)) > 0);
    for (unsigned i = 10; i < 17; i++) {
        CU_ASSERT_TRUE(aw_throttle_failed(&throttle, nth(&throttle, i), &three, at(2)));
    }
    CU_ASSERT(aw_throttle_blocked(&throttle, nth(&throttle, 5), &three, at(2)) > 0);
}

static void a_bucket_gives_up_who_failed_least(void)
{
    aw_throttle_t throttle = fresh(1);

    for (unsigned i = 0; i < 8; i++) {
        CU_ASSERT_EQUAL(fail(&throttle, nth(&throttle, i), &ten, at(0), i == 3 ? 2 : 9), 0);
    }
    CU_ASSERT_FALSE(aw_throttle_failed(&throttle, nth(&throttle, 99), &ten, at(0)));
    for (unsigned i = 0; i < 8; i++) {
        if (i != 3) {
            CU_ASSERT_TRUE(aw_throttle_failed(&throttle, nth(&throttle, i), &ten, at(0)));
        }
    }
    CU_ASSERT_EQUAL(fail(&throttle, nth(&throttle, 99), &ten, at(0), 8), 0);
    CU_ASSERT_TRUE(aw_throttle_failed(&throttle, nth(&throttle, 99), &ten, at(0)));
}

static void strangers_without_number_do_not_lift_a_block(void)
{
    aw_throttle_t throttle = fresh(1);

    for (unsigned i = 0; i < 7; i++) {
        CU_ASSERT_EQUAL(fail(&throttle, nth(&throttle, i), &ten, at(0), 10), 1);
    }
    for (unsigned i = 100; i < 5000; i++) {
        CU_ASSERT_EQUAL(fail(&throttle, nth(&throttle, i), &ten, at(1), 9), 0);
        /* Under another limit, too: what it thinks of windows does not count. */
        CU_ASSERT_EQUAL(fail(&throttle, nth(&throttle, i), &three, at(200), 2), 0);
    }
    for (unsigned i = 0; i < 7; i++) {
        CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, nth(&throttle, i), &ten, at(200)), 100);
    }
}

static void of_nothing_but_blocks_the_one_that_ends_first_goes(void)
{
    aw_throttle_t throttle = fresh(1);

    for (unsigned i = 0; i < 8; i++) {
        const unsigned begin = i == 4 ? 0 : 10 + i;

        CU_ASSERT_EQUAL(fail(&throttle, nth(&throttle, i), &ten, at(begin), 10), 1);
    }
    CU_ASSERT_FALSE(aw_throttle_failed(&throttle, nth(&throttle, 99), &ten, at(20)));
    for (unsigned i = 0; i < 8; i++) {
        CU_ASSERT_EQUAL(aw_throttle_blocked(&throttle, nth(&throttle, i), &ten, at(20)) > 0,
                        i != 4);
    }
}

static void garbage_in_the_table_harms_nobody(void)
{
    aw_throttle_t throttle = fresh(1);
    uint64_t random = 7;

    for (unsigned round = 0; round < 20000; round++) {
        for (size_t i = 0; i < BUCKET; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            memory[i] = (unsigned char)(random >> 56);
        }
        const aw_throttle_id_t id = nth(&throttle, round);

        CU_ASSERT(aw_throttle_blocked(&throttle, id, &ten, at(0)) <= 360);
        (void)aw_throttle_failed(&throttle, id, &ten, at(0));
        aw_throttle_succeeded(&throttle, id, &ten, at(0));
    }
}

/* --- identities --- */

static void another_spelling_of_a_name_is_the_same(void)
{
    aw_throttle_t throttle = fresh(4);
    const uint64_t alice = user(&throttle, "alice@[x]").hash;

    CU_ASSERT_NOT_EQUAL(alice, 0);
    CU_ASSERT_EQUAL(user(&throttle, "Alice@[x]").hash, alice);
    CU_ASSERT_EQUAL(user(&throttle, "ALICE@[X]").hash, alice);
    CU_ASSERT_NOT_EQUAL(user(&throttle, "alice`[x]").hash, alice); /* neighbours of the letters */
    CU_ASSERT_NOT_EQUAL(user(&throttle, "alice@{x]").hash, alice);
    CU_ASSERT_NOT_EQUAL(user(&throttle, "alice").hash, alice);
}

static void a_letter_cannot_move_between_realm_and_user(void)
{
    aw_throttle_t throttle = fresh(4);

    CU_ASSERT_NOT_EQUAL(aw_throttle_user(&throttle, AW_SPAN_LIT("ra"), AW_SPAN_LIT("lice")).hash,
                        aw_throttle_user(&throttle, AW_SPAN_LIT("r"), AW_SPAN_LIT("alice")).hash);
    CU_ASSERT_NOT_EQUAL(aw_throttle_user(&throttle, AW_SPAN_LIT("R"), AW_SPAN_LIT("alice")).hash,
                        aw_throttle_user(&throttle, AW_SPAN_LIT("r"), AW_SPAN_LIT("alice")).hash);
}

static void names_of_any_length_are_names(void)
{
    static char vast[9000];
    aw_throttle_t throttle = fresh(4);

    memset(vast, 'x', sizeof(vast));
    CU_ASSERT_NOT_EQUAL(user(&throttle, "").hash, 0);
    for (size_t n = 1000; n < 1024; n++) {
        const aw_span_t guarded = unit_guard(vast, n), next = unit_guard(vast, n + 1);

        CU_ASSERT_NOT_EQUAL(aw_throttle_user(&throttle, AW_SPAN_LIT("r"), guarded).hash,
                            aw_throttle_user(&throttle, AW_SPAN_LIT("r"), next).hash);
        unit_guard_free(guarded);
        unit_guard_free(next);
    }
    const aw_span_t all = unit_guard(vast, sizeof(vast));
    CU_ASSERT_EQUAL(aw_throttle_user(&throttle, AW_SPAN_LIT("r"), all).hash,
                    aw_throttle_user(&throttle, AW_SPAN_LIT("r"), (aw_span_t){vast, 1024}).hash);
    unit_guard_free(all);
}

static void an_ipv6_subscriber_is_one(void)
{
    aw_throttle_t throttle = fresh(4);
    unsigned char address[16] = {0x20, 0x01, 0x0d, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const uint64_t hash = aw_throttle_address(&throttle, address, 16).hash;

    for (unsigned i = 0; i < 16; i++) {
        address[i] ^= 1;
        CU_ASSERT_EQUAL(aw_throttle_address(&throttle, address, 16).hash == hash, i >= 8);
        address[i] ^= 1;
    }
    CU_ASSERT_NOT_EQUAL(hash, 0);
}

static void an_ipv4_address_is_one_whatever_it_comes_in(void)
{
    aw_throttle_t throttle = fresh(4);
    unsigned char mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
    const uint64_t hash = aw_throttle_address(&throttle, mapped + 12, 4).hash;

    CU_ASSERT_NOT_EQUAL(hash, 0);
    CU_ASSERT_EQUAL(aw_throttle_address(&throttle, mapped, 16).hash, hash);
    mapped[15] = 2;
    CU_ASSERT_NOT_EQUAL(aw_throttle_address(&throttle, mapped, 16).hash, hash);
    CU_ASSERT_NOT_EQUAL(aw_throttle_address(&throttle, mapped + 12, 4).hash, hash);
    CU_ASSERT_NOT_EQUAL(
        aw_throttle_user(&throttle, AW_SPAN_LIT(""), AW_SPAN_LIT("\xc0\x00\x02\x01")).hash, hash);
}

static void what_is_no_address_is_nothing(void)
{
    aw_throttle_t throttle = fresh(4);
    const unsigned char bytes[20] = {1, 2, 3};

    for (size_t n = 0; n <= sizeof(bytes); n++) {
        const aw_span_t guarded = unit_guard(bytes, n);

        CU_ASSERT_EQUAL(aw_throttle_address(&throttle, guarded.ptr, n).hash != 0,
                        n == 4 || n == 16);
        unit_guard_free(guarded);
    }
}

static void another_key_is_another_place(void)
{
    aw_throttle_t one = fresh(4), two = one;

    two.key[0] ^= 1;
    CU_ASSERT_NOT_EQUAL(user(&one, "alice").hash, user(&two, "alice").hash);
}

static const unit_test_t tests[] = {
    {"a table needs a bucket on a cache line", a_table_needs_a_bucket_on_a_cache_line},
    {"the last failure allowed begins the block", the_last_failure_allowed_begins_the_block},
    {"one failure may be enough", one_failure_may_be_enough},
    {"the largest limits are kept", the_largest_limits_are_kept},
    {"failures of a window that is over are forgotten",
     failures_of_a_window_that_is_over_are_forgotten},
    {"a block lasts to its end whatever comes in", a_block_lasts_to_its_end_whatever_comes_in},
    {"no block is a fraction of a second short", no_block_is_a_fraction_of_a_second_short},
    {"a success forgets failures", a_success_forgets_failures},
    {"others are not touched", others_are_not_touched},
    {"a shorter block elsewhere does not shorten this one",
     a_shorter_block_elsewhere_does_not_shorten_this_one},
    {"nothing is never counted", nothing_is_never_counted},
    {"a clock set back ends blocks rather than prolonging them",
     a_clock_set_back_ends_blocks_rather_than_prolonging_them},
    {"blocks work across every wrap of the seconds", blocks_work_across_every_wrap_of_the_seconds},
    {"old words are over for a day short of a turn", old_words_are_over_for_a_day_short_of_a_turn},
    {"a bucket gives up what is over first", a_bucket_gives_up_what_is_over_first},
    {"a bucket gives up who failed least", a_bucket_gives_up_who_failed_least},
    {"strangers without number do not lift a block", strangers_without_number_do_not_lift_a_block},
    {"of nothing but blocks the one that ends first goes",
     of_nothing_but_blocks_the_one_that_ends_first_goes},
    {"garbage in the table harms nobody", garbage_in_the_table_harms_nobody},
    {"another spelling of a name is the same", another_spelling_of_a_name_is_the_same},
    {"a letter cannot move between realm and user", a_letter_cannot_move_between_realm_and_user},
    {"names of any length are names", names_of_any_length_are_names},
    {"an IPv6 subscriber is one", an_ipv6_subscriber_is_one},
    {"an IPv4 address is one whatever it comes in", an_ipv4_address_is_one_whatever_it_comes_in},
    {"what is no address is nothing", what_is_no_address_is_nothing},
    {"another key is another place", another_key_is_another_place},
    {"of many threads' failures each counts once", of_many_threads_failures_each_counts_once},
    {"threads failing under several names share a bucket",
     threads_failing_under_several_names_share_a_bucket},
    {"processes killed at any moment leave a sound table",
     throttle_processes_killed_at_any_moment_leave_a_sound_table},
    {NULL, NULL},
};

const unit_suite_t throttle_suite = {"throttle", tests};
