/* Making the block of an A1 table: its header, its user hashes and its buckets.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A million users take a second and more of hashing: the work is cut in pieces that several
 * threads take. No two pieces write the same bytes: hashing writes into records, each of one
 * piece; filling a set of buckets is a piece.
 */
#include "store/a1_layout.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Fewer users than this are not worth a thread. */
#define THREAD_USERS 20000
#define THREADS_MAX  8

/* Records that a thread hashes before it skips those of the others. */
#define STRETCH 256

/* Buckets that are fetched from memory at the same time. */
#define PENDING 32

typedef struct work_t {
    unsigned char *block;
    const aw_a1_header_t *head;
    unsigned threads;
    bool hashing;             /* the first part; else filling buckets */
    _Atomic unsigned next;    /* piece to be taken */
    _Atomic apr_status_t bad; /* what a piece failed with */
} work_t;

uint64_t aw_a1_checksum(const aw_a1_header_t *head)
{
    const aw_span_t part = {(const char *)head, offsetof(aw_a1_header_t, checksum)};
    uint64_t sum;

    aw_keyed_hash8(head->key, &part, 1, &sum);
    return sum;
}

static uint64_t buckets_for(uint64_t users)
{
    uint64_t power = 8;

    while (power < users * 2) {
        power *= 2;
    }
    return power;
}

void *aw_a1_pages_get(uint64_t size)
{
    void *pages = size > SIZE_MAX / 2
                      ? MAP_FAILED
                      : mmap(NULL, size > 0 ? (size_t)size : 1, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return pages == MAP_FAILED ? NULL : pages;
}

void aw_a1_pages_free(void *pages, uint64_t size)
{
    if (pages) {
        munmap(pages, size > 0 ? (size_t)size : 1);
    }
}

unsigned char *aw_a1_block_create(uint64_t users, uint64_t records, unsigned userhash,
                                  const unsigned char *key)
{
    const uint64_t buckets = buckets_for(users), set = buckets * sizeof(uint64_t);
    aw_a1_header_t head = {.byte_order = AW_A1_BYTE_ORDER,
                           .version = AW_A1_VERSION,
                           .users = users,
                           .buckets_mask = buckets - 1,
                           .by_name = sizeof(head),
                           .size = sizeof(head) + set};

    memcpy(head.magic, AW_A1_MAGIC, sizeof(head.magic));
    memcpy(head.key, key, AW_KEYED_KEY);
    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        if (userhash & (1u << a)) {
            head.by_hash[a] = head.size;
            head.size += set;
        }
    }
    head.records = head.size;
    head.size += records;
    if (head.size > SIZE_MAX / 2 || head.size / AW_A1_UNIT > AW_A1_PLACE_MASK) {
        return NULL;
    }
    unsigned char *block = aw_a1_pages_get(head.size);

    if (block) {
        head.checksum = aw_a1_checksum(&head);
        memcpy(block, &head, sizeof(head));
    }
    aw_wipe(&head, sizeof(head));
    return block;
}

/* Buckets to be filled. Each is another cache line: by the time it is filled, it has come. */
typedef struct pending_t {
    uint64_t *buckets;
    uint64_t mask;
    size_t count;
    struct {
        uint64_t hash;
        uint64_t offset;
    } of[PENDING];
} pending_t;

static void insert_pending(pending_t *pending)
{
    uint64_t *buckets = pending->buckets;

    for (size_t n = 0; n < pending->count; n++) {
        const uint64_t hash = pending->of[n].hash;
        uint64_t i = hash & pending->mask;

        /* The low bits choose the bucket, the high ones stand in it. */
        while (buckets[i] != 0) {
            i = (i + 1) & pending->mask;
        }
        buckets[i] = aw_a1_bucket(hash, pending->of[n].offset / AW_A1_UNIT);
    }
    pending->count = 0;
}

static void insert(pending_t *pending, uint64_t hash, uint64_t offset)
{
    __builtin_prefetch(&pending->buckets[hash & pending->mask], 1);
    pending->of[pending->count].hash = hash;
    pending->of[pending->count++].offset = offset;
    if (pending->count == PENDING) {
        insert_pending(pending);
    }
}

static apr_status_t hash_names(unsigned char *record, const aw_a1_rec_t *rec)
{
    const char *user = (const char *)record + aw_a1_rec_user(rec);
    const aw_span_t parts[] = {
        {user, rec->user_len}, AW_SPAN_LIT(":"), {user + rec->user_len, rec->realm_len}};
    apr_status_t rv = APR_SUCCESS;

    for (unsigned a = 0; a < AW_ALG_COUNT && rv == APR_SUCCESS; a++) {
        if (rec->indexed & (1u << a)) {
            rv = aw_hash((aw_alg_e)a, parts, 3, record + aw_a1_rec_userhash(rec, (aw_alg_e)a));
        }
    }
    return rv;
}

/* Hashes the stretches of records that are of one piece. */
static apr_status_t hash_piece(const work_t *work, unsigned piece)
{
    uint64_t number = 0, size;

    for (uint64_t at = work->head->records; at < work->head->size; at += size, number++) {
        aw_a1_rec_t rec;

        memcpy(&rec, work->block + at, sizeof(rec));
        size = aw_a1_rec_size(&rec);
        if (number / STRETCH % work->threads == piece) {
            const apr_status_t rv = hash_names(work->block + at, &rec);

            if (rv != APR_SUCCESS) {
                return rv;
            }
        }
    }
    return APR_SUCCESS;
}

/* Fills one set of buckets: of an algorithm, or, AW_ALG_COUNT, by name. */
static void fill_set(const work_t *work, unsigned alg)
{
    const aw_a1_header_t *head = work->head;
    const uint64_t set = alg < AW_ALG_COUNT ? head->by_hash[alg] : head->by_name;
    pending_t pending = {.buckets = (uint64_t *)(work->block + set), .mask = head->buckets_mask};
    uint64_t size;

    for (uint64_t at = head->records; set != 0 && at < head->size; at += size) {
        const unsigned char *record = work->block + at;
        aw_a1_rec_t rec;
        uint64_t hash;

        memcpy(&rec, record, sizeof(rec));
        size = aw_a1_rec_size(&rec);
        if (alg < AW_ALG_COUNT) {
            hash = aw_a1_hash_userhash(head->key, record + aw_a1_rec_userhash(&rec, (aw_alg_e)alg),
                                       (aw_alg_e)alg);
        } else {
            const char *user = (const char *)record + aw_a1_rec_user(&rec);

            hash = aw_a1_hash_name(head->key, (aw_span_t){user + rec.user_len, rec.realm_len},
                                   (aw_span_t){user, rec.user_len});
        }
        insert(&pending, hash, at);
    }
    insert_pending(&pending);
}

/* What one thread does: pieces, as long as there are any. */
static void *take_pieces(void *data)
{
    work_t *work = data;
    const unsigned pieces = work->hashing ? work->threads : AW_ALG_COUNT + 1;

    for (;;) {
        const unsigned piece = atomic_fetch_add(&work->next, 1);

        if (piece >= pieces) {
            return NULL;
        }
        if (!work->hashing) {
            fill_set(work, piece);
            continue;
        }
        const apr_status_t rv = hash_piece(work, piece);

        if (rv != APR_SUCCESS) {
            atomic_store(&work->bad, rv);
        }
    }
}

/* One part of the work, by this thread and as many more as can be had. */
static void do_part(work_t *work, bool hashing)
{
    pthread_t others[THREADS_MAX];
    unsigned n = 0;
    sigset_t all, before;

    work->hashing = hashing;
    atomic_store(&work->next, 0);
    /* Signals are for the program's own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (n + 1 < work->threads && pthread_create(&others[n], NULL, take_pieces, work) == 0) {
        n++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    take_pieces(work);
    while (n > 0) {
        pthread_join(others[--n], NULL);
    }
}

static unsigned threads_for(uint64_t users)
{
    const long cores = users < THREAD_USERS ? 1 : sysconf(_SC_NPROCESSORS_ONLN);

    return cores < 1 ? 1 : cores > THREADS_MAX ? THREADS_MAX : (unsigned)cores;
}

apr_status_t aw_a1_block_finish(aw_a1_table_t **table, unsigned char *block, bool alone)
{
    aw_a1_header_t head;
    const char *why;

    memcpy(&head, block, sizeof(head));
    work_t work = {.block = block, .head = &head, .threads = alone ? 1 : threads_for(head.users)};

    atomic_store(&work.bad, APR_SUCCESS);
    do_part(&work, true);
    apr_status_t rv = atomic_load(&work.bad);

    if (rv == APR_SUCCESS) {
        do_part(&work, false);
        rv = aw_a1_table_adopt(table, &why, block, (size_t)head.size, false);
    }
    if (rv != APR_SUCCESS) {
        aw_wipe(block, (size_t)head.size);
        aw_a1_pages_free(block, head.size);
    }
    aw_wipe(&head, sizeof(head));
    return rv;
}
