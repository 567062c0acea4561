/* Walks every interleaving of a few writers on one set of the nc table, a writer killed anywhere.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Between two atomic operations aw_nc_take is a pure function of what the operations so far have
 * returned. So a writer's state is that list of results: to let it do its next operation, the call
 * is run again from the start with the results played back, and left by a long jump at the first
 * operation that has none. A state is then plain data, and states seen before are not walked twice.
 */
#include "nc_explore.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define CELLS (2 + 2 * (1 + 8))

/* The run of aw_nc_take in progress. The library has no state of its own, so this need not be
 * per thread: the explorer is one thread. */
static struct {
    int tries, scene_tries;
    struct aw_nc_set_t *set;
    const struct writer_t *script; /* NULL: operations are done at once */
    unsigned step;
    struct operation_t *pending;
    jmp_buf leave;
    nc_mutant_e mutant;
    size_t last_cell;      /* of the operation before */
    bool last_swapped;     /* it was a swap that succeeded */
    uint64_t known[CELLS]; /* the last value of each cell that this run has seen */
} run;

typedef _Atomic uint64_t *where_t;
static uint64_t explore_load(where_t where);
static bool explore_swap(where_t where, uint64_t *before, uint64_t now);

#define AW_NC_RING                     2
#define AW_NC_TRIES                    run.tries
#define AW_NC_LOAD(where)              explore_load(where)
#define AW_NC_SWAP(where, before, now) explore_swap(where, before, now)
#define aw_nc_take                     explored_take
#define aw_nc_table_init               explored_init
#include "digest/nc_table.c"

_Static_assert(sizeof(nc_set_t) == CELLS * sizeof(uint64_t), "all of it can be known");

#define STEPS_MAX  40
#define TRIES      128
#define STATES_MAX (1u << 22) /* of the table of states seen; walks in use need a tenth */
#define PAIRS_MAX  16         /* a whole number of words, and more than a scene can hold */
#define EPOCH      1000u
#define HERE       7u /* nodes */
#define ELSEWHERE  8u

typedef struct result_t {
    uint64_t value; /* what was read, or found in place of what was expected */
    uint64_t swapped;
} result_t;

typedef struct operation_t {
    size_t cell; /* of the set, counted in words */
    bool swap;
    uint64_t before, now;
} operation_t;

typedef struct writer_t {
    unsigned offer; /* which of its list it is at */
    unsigned steps;
    result_t results[STEPS_MAX];
} writer_t;

typedef struct state_t {
    nc_set_t set;
    unsigned char taken[PAIRS_MAX]; /* how often each offered pair has been */
    writer_t writers[NC_WRITERS_MAX];
} state_t;

typedef struct walk_t {
    const nc_scene_t *scene;
    nc_offer_t pairs[PAIRS_MAX];
    unsigned pairs_count, writers_count;
    operation_t pending[NC_WRITERS_MAX]; /* scratch of one level; recomputed on the way */
    uint64_t *seen;
    nc_explored_t out;
} walk_t;

enum { HEAD = 0, FLOOR = 1, OWNERS = 2, WORDS_AT = OWNERS + AW_NC_RING };

static result_t apply(nc_set_t *set, const operation_t *op)
{
    cell_t *cell = (cell_t *)set + op->cell;
    result_t out = {atomic_load(cell), 0};

    if (op->swap &&
        (out.value == op->before || (run.mutant == NC_BLIND_STORE && op->cell >= WORDS_AT))) {
        atomic_store(cell, op->now);
        out.swapped = 1;
    }
    return out;
}

/* Does an operation, plays it back, or leaves the run there. */
static result_t step(const operation_t *op)
{
    result_t out;

    if (!run.script) {
        out = apply(run.set, op);
    } else if (run.step < run.script->steps) {
        out = run.script->results[run.step++];
    } else {
        *run.pending = *op;
        longjmp(run.leave, 1);
    }
    run.last_cell = op->cell;
    run.last_swapped = out.swapped != 0;
    run.known[op->cell] = out.swapped ? op->now : out.value;
    return out;
}

static uint64_t explore_load(where_t where)
{
    const operation_t op = {(size_t)(where - (where_t)run.set), false, 0, 0};

    if (run.mutant == NC_NO_SECOND_LOOK && op.cell >= OWNERS && op.cell < WORDS_AT &&
        run.last_cell >= WORDS_AT) {
        return run.known[op.cell];
    }
    if (run.mutant == NC_FLOOR_IGNORED && op.cell == FLOOR) {
        return 0;
    }
    return step(&op).value;
}

static bool explore_swap(where_t where, uint64_t *before, uint64_t now)
{
    const operation_t op = {(size_t)(where - (where_t)run.set), true, *before, now};

    if (run.mutant == NC_FLOOR_LATE && op.cell == FLOOR) {
        return true;
    }
    if (run.mutant == NC_NO_HELP && op.cell == HEAD && !run.last_swapped) {
        return false;
    }
    const result_t out = step(&op);

    if (!out.swapped) {
        *before = out.value;
    }
    return out.swapped != 0;
}

static bool is_from_elsewhere(nc_offer_t offer)
{
    return islower(offer.nonce) != 0;
}

static aw_nc_e take(nc_set_t *set, nc_offer_t offer, const writer_t *script)
{
    aw_nc_table_t table = {.sets = set, .count = 1, .stripe = 1, .node = HERE};
    const unsigned letter = (unsigned)(toupper(offer.nonce) - 'A');
    const bool elsewhere = is_from_elsewhere(offer) && run.mutant != NC_ANY_NODE;
    const aw_nonce_t nonce = {.issued = apr_time_from_sec(EPOCH + letter),
                              .node = elsewhere ? ELSEWHERE : HERE,
                              .id = (uint64_t)(letter + (elsewhere ? 101 : 1)) << 44};

    run.set = set;
    run.script = script;
    run.tries = script ? run.scene_tries : TRIES;
    run.step = 0;
    run.last_cell = HEAD;
    run.last_swapped = false;
    return aw_nc_take(&table, &nonce, 0, offer.nc);
}

static unsigned pair_of(const walk_t *walk, nc_offer_t offer)
{
    unsigned i = 0;

    while (walk->pairs[i].nonce != offer.nonce || walk->pairs[i].nc != offer.nc) {
        i++;
    }
    return i;
}

static void count(walk_t *walk, state_t *state, nc_offer_t offer, aw_nc_e answer)
{
    if (answer == AW_NC_TAKEN && ++state->taken[pair_of(walk, offer)] > 1) {
        walk->out.wrong = "a count was taken twice";
    }
    if (answer == AW_NC_TAKEN && is_from_elsewhere(offer) && offer.nc > 1) {
        walk->out.wrong = "a later count of another node's nonce was taken";
    }
}

/* Plays a call back; false when it stops short at an operation that has no result yet. */
static bool play(nc_set_t *set, nc_offer_t offer, const writer_t *script, aw_nc_e *answer)
{
    if (setjmp(run.leave) != 0) {
        return false;
    }
    *answer = take(set, offer, script);
    return true;
}

/* Runs a writer up to its next operation, over the ends of calls. False: it has none left. */
static bool settle_writer(walk_t *walk, state_t *state, unsigned w)
{
    const nc_offer_t *offers = walk->scene->writers[w];
    writer_t *writer = &state->writers[w];

    run.pending = &walk->pending[w];
    while (offers[writer->offer].nonce != 0) {
        aw_nc_e answer;

        if (!play(&state->set, offers[writer->offer], writer, &answer)) {
            return true;
        }
        count(walk, state, offers[writer->offer], answer);
        writer->offer++;
        writer->steps = 0;
    }
    return false;
}

/* Everybody who has not finished is dead now. What is left must be sound for those who come. */
static void check_aftermath(walk_t *walk, const state_t *from)
{
    state_t state = *from;
    aw_nc_e answer;

    for (char fresh = 'X'; fresh <= 'Z'; fresh++) {
        for (unsigned i = 0; i < walk->pairs_count; i++) {
            count(walk, &state, walk->pairs[i], take(&state.set, walk->pairs[i], NULL));
        }
        answer = take(&state.set, (nc_offer_t){fresh, 1}, NULL);
        if (answer != AW_NC_TAKEN) {
            walk->out.wrong = "a newcomer was refused: the set is jammed";
        }
        answer = take(&state.set, (nc_offer_t){fresh, 1}, NULL);
        if (answer != AW_NC_USED) {
            walk->out.wrong = "a newcomer's replay was not seen";
        }
    }
}

static void check_end(walk_t *walk, const state_t *state)
{
    for (unsigned i = 0; walk->scene->exact && i < walk->pairs_count; i++) {
        const bool never = is_from_elsewhere(walk->pairs[i]) && walk->pairs[i].nc > 1;

        if (state->taken[i] != !never) {
            walk->out.wrong = "a count was refused without need";
        }
    }
}

static uint64_t mix(uint64_t hash, const void *data, size_t words)
{
    for (size_t i = 0; i < words; i++) {
        uint64_t word;

        memcpy(&word, (const char *)data + 8 * i, 8);
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    return hash;
}

/* Whether this state is new; remembers it. A state equal in 64 well-mixed bits counts as seen. */
static bool is_new(walk_t *walk, const state_t *state)
{
    uint64_t hash = mix(0x9e3779b97f4a7c15u, state, offsetof(state_t, writers) / 8);

    for (unsigned w = 0; w < walk->writers_count; w++) {
        const writer_t *writer = &state->writers[w];
        const uint64_t place = (uint64_t)writer->offer << 32 | writer->steps;

        hash = mix(mix(hash, &place, 1), writer->results, writer->steps * sizeof(result_t) / 8);
    }
    hash |= 1; /* 0 is an empty place */
    for (uint64_t i = hash >> 40;; i++) {
        uint64_t *place = &walk->seen[i % STATES_MAX];

        if (*place == hash) {
            return false;
        }
        if (*place == 0) {
            *place = hash;
            return true;
        }
    }
}

static void visit(walk_t *walk, const state_t *state)
{
    bool over = true;

    if (walk->out.wrong || !walk->out.complete || !is_new(walk, state)) {
        return;
    }
    if (++walk->out.states > STATES_MAX / 2) {
        walk->out.complete = false;
        return;
    }
    check_aftermath(walk, state);
    for (unsigned w = 0; w < walk->writers_count; w++) {
        state_t next = *state;
        writer_t *writer = &next.writers[w];

        if (!settle_writer(walk, &next, w)) {
            continue;
        }
        over = false;
        if (writer->steps == STEPS_MAX) {
            walk->out.wrong = "a call takes too many steps";
            return;
        }
        writer->results[writer->steps] = apply(&next.set, &walk->pending[w]);
        writer->steps++;
        /* The end of a call is no operation of its own: it belongs to the last one. */
        (void)settle_writer(walk, &next, w);
        visit(walk, &next);
    }
    if (over) {
        check_end(walk, state);
    }
}

static void add_pairs(walk_t *walk, const nc_offer_t *offers)
{
    for (; offers->nonce != 0; offers++) {
        unsigned i = 0;

        while (i < walk->pairs_count &&
               (walk->pairs[i].nonce != offers->nonce || walk->pairs[i].nc != offers->nc)) {
            i++;
        }
        walk->pairs[i] = *offers;
        walk->pairs_count += i == walk->pairs_count;
    }
}

nc_explored_t nc_explore(const nc_scene_t *scene, nc_mutant_e mutant)
{
    walk_t walk = {.scene = scene, .out.complete = true};
    state_t start;

    memset(&start, 0, sizeof(start));
    run.mutant = mutant;
    run.scene_tries = scene->tries ? scene->tries : TRIES;
    walk.seen = calloc(STATES_MAX, sizeof(*walk.seen));
    if (!walk.seen) {
        abort();
    }
    add_pairs(&walk, scene->before);
    for (unsigned w = 0; w < NC_WRITERS_MAX && scene->writers[w][0].nonce != 0; w++) {
        add_pairs(&walk, scene->writers[w]);
        walk.writers_count++;
    }
    for (const nc_offer_t *offer = scene->before; offer->nonce != 0; offer++) {
        count(&walk, &start, *offer, take(&start.set, *offer, NULL));
    }
    visit(&walk, &start);
    free(walk.seen);
    return walk.out;
}
