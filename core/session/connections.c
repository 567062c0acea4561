/* How many live connections a user has, over all processes: counts in shared memory.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "session/connections.h"

#include <stdatomic.h>

#define WORDS 8 /* of a line */

/* A swap fails only when somebody else's succeeds; so many in a row are garbage. */
#define TRIES 1000

/* Attempts of one who is refused only because of others that were just trying, too. */
#define ATTEMPTS 16

#define TURN_BITS  10
#define TURN_MASK  ((1u << TURN_BITS) - 1)
#define PLACE_BITS 10
#define PLACE_MASK ((1u << PLACE_BITS) - 1)
#define COUNT_BITS 16
#define COUNT_MASK ((1u << COUNT_BITS) - 1)
#define PID_BITS   22

#define OWNER_SHIFT COUNT_BITS
#define NAME_SHIFT  (COUNT_BITS + TURN_BITS + PLACE_BITS)
#define OWNER_MASK  ((UINT64_C(1) << NAME_SHIFT) - 1)

_Static_assert(AW_CONNECTIONS_PROCESSES == 1 << PLACE_BITS, "a place fits");
_Static_assert(AW_CONNECTIONS_MAX == COUNT_MASK, "a count fits");
_Static_assert(AW_CONNECTIONS_SIZE(0) % 64 == 0, "counts begin with a line");

typedef _Atomic uint64_t word_t;

/* All operations are sequentially consistent: the header's argument rests on it. */
static uint64_t get(const word_t *word)
{
    return atomic_load(word);
}

static bool swap(word_t *word, uint64_t before, uint64_t after)
{
    return atomic_compare_exchange_strong(word, &before, after);
}

apr_status_t aw_connections_init(aw_connections_t *connections, void *memory, size_t size,
                                 aw_connections_alive_fn alive, void *baton)
{
    size_t lines = 1;

    if (!memory || (uintptr_t)memory % 64 != 0 || size < AW_CONNECTIONS_SIZE(1)) {
        return APR_EINVAL;
    }
    while (AW_CONNECTIONS_SIZE(lines * 2) <= size) {
        lines *= 2;
    }
    *connections = (aw_connections_t){
        .processes = memory,
        .counts = (unsigned char *)memory + AW_CONNECTIONS_SIZE(0),
        .lines = lines,
        .alive = alive,
        .baton = baton,
    };
    return APR_SUCCESS;
}

/* --- processes --- */

static word_t *process_at(const aw_connections_t *connections, unsigned place)
{
    return (word_t *)connections->processes + place;
}

static unsigned turn_of(uint64_t process)
{
    return (unsigned)(process & TURN_MASK);
}

static bool is_empty(uint64_t process)
{
    return process >> TURN_BITS == 0;
}

static uint64_t who_of(uint64_t process)
{
    return process >> TURN_BITS;
}

/* Empties the place of a process that is no more; what it counted is free from then on. */
static bool bury(const aw_connections_t *connections, unsigned place)
{
    word_t *const at = process_at(connections, place);
    const uint64_t process = get(at);

    if (is_empty(process) || connections->alive(who_of(process), connections->baton)) {
        return false;
    }
    (void)swap(at, process, turn_of(process)); /* or somebody else has just done so */
    return true;
}

/* --- counts --- */

/* Of a count: fingerprint, place and turn, without the number. */
static uint64_t name_of(uint64_t tag)
{
    return tag >> NAME_SHIFT << NAME_SHIFT;
}

static uint64_t owner_of(const aw_connections_t *connections)
{
    return ((uint64_t)connections->place << TURN_BITS | connections->turn) << OWNER_SHIFT;
}

static unsigned place_of(uint64_t count)
{
    return (unsigned)(count >> (OWNER_SHIFT + TURN_BITS)) & PLACE_MASK;
}

static bool is_owned(const aw_connections_t *connections, uint64_t count)
{
    if (count == 0) {
        return false;
    }
    const uint64_t process = get(process_at(connections, place_of(count)));
    return !is_empty(process) && turn_of(process) == ((count >> OWNER_SHIFT) & TURN_MASK);
}

static size_t window_words(const aw_connections_t *connections)
{
    const size_t lines = connections->lines;
    return (lines < AW_CONNECTIONS_WINDOW ? lines : AW_CONNECTIONS_WINDOW) * WORDS;
}

/* The i-th word of a user's window. */
static word_t *count_at(const aw_connections_t *connections, uint64_t tag, size_t i)
{
    const size_t line = ((size_t)tag + i / WORDS) & (connections->lines - 1);
    return (word_t *)connections->counts + line * WORDS + i % WORDS;
}

static unsigned sum(const aw_connections_t *connections, uint64_t tag)
{
    const size_t words = window_words(connections);
    unsigned out = 0;

    for (size_t i = 0; i < words; i++) {
        const uint64_t count = get(count_at(connections, tag, i));
        if (name_of(count) == name_of(tag) && is_owned(connections, count)) {
            out += (unsigned)(count & COUNT_MASK);
        }
    }
    return out;
}

/* Looks up the processes that count in a window: all, or those that count this user. Whether one
 * was dead. */
static bool bury_in_window(const aw_connections_t *connections, uint64_t tag, bool all)
{
    unsigned char asked[AW_CONNECTIONS_PROCESSES / 8] = {0};
    const size_t words = window_words(connections);
    bool any = false;

    for (size_t i = 0; i < words; i++) {
        const uint64_t count = get(count_at(connections, tag, i));
        const unsigned place = place_of(count);
        if (count == 0 || place == connections->place ||
            (asked[place / 8] & 1u << place % 8) != 0 || (!all && name_of(count) != name_of(tag)) ||
            !is_owned(connections, count)) {
            continue;
        }
        asked[place / 8] = (unsigned char)(asked[place / 8] | 1u << place % 8);
        any = bury(connections, place) || any;
    }
    return any;
}

/* Counts one more in this process's own word, or a free one. False: there is none. */
static bool count_up(const aw_connections_t *connections, uint64_t tag)
{
    const uint64_t own = name_of(tag) | owner_of(connections);
    const size_t words = window_words(connections);

    for (int tries = 0; tries < TRIES; tries++) {
        word_t *chosen = NULL;
        uint64_t before = 0;
        uint64_t after = own | 1;
        for (size_t i = 0; i < words; i++) {
            word_t *const at = count_at(connections, tag, i);
            const uint64_t count = get(at);
            if (count >> OWNER_SHIFT == own >> OWNER_SHIFT && (count & COUNT_MASK) != COUNT_MASK) {
                chosen = at;
                before = count;
                after = count + 1;
                break;
            }
            if (chosen == NULL && !is_owned(connections, count)) {
                chosen = at;
                before = count;
            }
        }
        if (chosen == NULL) {
            return false;
        }
        if (swap(chosen, before, after)) {
            return true;
        }
    }
    return false;
}

static void count_down(const aw_connections_t *connections, uint64_t tag)
{
    const uint64_t own = name_of(tag) | owner_of(connections);
    const size_t words = window_words(connections);

    for (size_t i = 0; i < words; i++) {
        word_t *const at = count_at(connections, tag, i);
        uint64_t count = get(at);
        /* Only this process changes its own words, so that a jam of its threads ends. */
        while (count >> OWNER_SHIFT == own >> OWNER_SHIFT) {
            if (swap(at, count, (count & COUNT_MASK) > 1 ? count - 1 : 0)) {
                return;
            }
            count = get(at);
        }
    }
}

/* --- what callers do --- */

/* A place for `who` among the empty ones. */
static bool settle(aw_connections_t *connections, uint64_t who)
{
    for (unsigned place = 0; place < AW_CONNECTIONS_PROCESSES; place++) {
        word_t *const at = process_at(connections, place);
        const uint64_t process = get(at);
        const unsigned turn = (turn_of(process) + 1) & TURN_MASK;
        if (is_empty(process) && swap(at, process, who << TURN_BITS | turn)) {
            connections->place = place;
            connections->turn = turn;
            return true;
        }
    }
    return false;
}

apr_status_t aw_connections_open(aw_connections_t *connections, uint64_t who)
{
    if (who >> 32 == 0 || who >> 32 >= UINT64_C(1) << PID_BITS) {
        return APR_EINVAL;
    }
    if (!settle(connections, who)) {
        for (unsigned place = 0; place < AW_CONNECTIONS_PROCESSES; place++) {
            (void)bury(connections, place);
        }
        if (!settle(connections, who)) {
            return APR_ENOSPC;
        }
    }
    for (size_t i = 0; i < connections->lines * WORDS; i++) {
        word_t *const at = (word_t *)connections->counts + i;
        const uint64_t count = get(at);
        const uint64_t owner = (count & OWNER_MASK) >> OWNER_SHIFT;
        if (count != 0 && owner == owner_of(connections) >> OWNER_SHIFT) {
            (void)swap(at, count, 0); /* or somebody else has just reused it */
        }
    }
    connections->open = true;
    return APR_SUCCESS;
}

void aw_connections_close(aw_connections_t *connections)
{
    if (connections->open) {
        atomic_store(process_at(connections, connections->place), connections->turn);
        connections->open = false;
    }
}

aw_connections_e aw_connections_take(const aw_connections_t *connections, uint64_t tag,
                                     unsigned limit)
{
    if (!connections->open) {
        return AW_CONNECTIONS_NO_ROOM;
    }
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (!count_up(connections, tag) &&
            (!bury_in_window(connections, tag, true) || !count_up(connections, tag))) {
            return AW_CONNECTIONS_NO_ROOM;
        }
        if (limit == 0 || sum(connections, tag) <= limit ||
            (bury_in_window(connections, tag, false) && sum(connections, tag) <= limit)) {
            return AW_CONNECTIONS_TAKEN;
        }
        count_down(connections, tag);
        if (sum(connections, tag) >= limit) {
            return AW_CONNECTIONS_LIMIT;
        }
    }
    return AW_CONNECTIONS_LIMIT;
}

void aw_connections_release(const aw_connections_t *connections, uint64_t tag)
{
    if (connections->open) {
        count_down(connections, tag);
    }
}

unsigned aw_connections_count(const aw_connections_t *connections, uint64_t tag)
{
    return sum(connections, tag);
}
