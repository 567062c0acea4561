/* Every interleaving of a few writers on one set of the nc table.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The explorer compiles nc_table.c again, with a ring of two slots and with its two atomic
 * operations as scheduling points, and walks all orders in which the writers' operations can fall.
 * In every state reached, the writers that have not finished are also taken for killed there: what
 * they leave behind must neither let a count be taken twice nor jam the set.
 */
#ifndef AUTHWS_T_NC_EXPLORE_H
#define AUTHWS_T_NC_EXPLORE_H

#include <stdbool.h>
#include <stdint.h>

#define NC_WRITERS_MAX 3
#define NC_OFFERS_MAX  4

/* One call of aw_nc_take: nonces are named by letters, 'A' issued first, a second apart each; small
 * letters are nonces of another node, 'a' issued when 'A' was. Nonce 0 ends a list. */
typedef struct nc_offer_t {
    char nonce;
    uint32_t nc;
} nc_offer_t;

typedef struct nc_scene_t {
    nc_offer_t before[NC_OFFERS_MAX + 1]; /* taken in order before anybody else starts */
    nc_offer_t writers[NC_WRITERS_MAX][NC_OFFERS_MAX + 1];
    int tries;  /* of the algorithm's loops; 0: as many as ever */
    bool exact; /* no pressure: what may be taken at all is taken once, not at most once */
} nc_scene_t;

/* Ways to break the algorithm, each of which the explorer must notice. */
typedef enum nc_mutant_e {
    NC_SOUND,
    NC_NO_SECOND_LOOK, /* the owner is not read again between reading a word and swapping it */
    NC_BLIND_STORE,    /* a word is stored, not swapped */
    NC_FLOOR_IGNORED,  /* whoever has no slot is taken for new */
    NC_FLOOR_LATE,     /* the victim goes, and then its writer dies before it raises floor */
    NC_NO_HELP,        /* nobody moves head on for a dead newcomer */
    NC_ANY_NODE,       /* a nonce of another node is taken for one of this */
    NC_MUTANTS
} nc_mutant_e;

typedef struct nc_explored_t {
    unsigned long states;
    const char *wrong; /* the first promise broken (static), or NULL */
    bool complete;     /* all states were visited, none left out for lack of room */
} nc_explored_t;

nc_explored_t nc_explore(const nc_scene_t *scene, nc_mutant_e mutant);

#endif
