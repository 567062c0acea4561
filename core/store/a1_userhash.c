/* Adding user hashes to an A1 table that was built without them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/a1_layout.h"

unsigned aw_a1_table_userhash(const aw_a1_table_t *table)
{
    unsigned mask = 0;

    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        mask |= table->head.by_hash[a] != 0 ? 1u << a : 0;
    }
    return mask;
}

/* Walks the records and says what they take with other user hashes. APR_EINVAL: not records from
 * end to end. */
static apr_status_t measure(const aw_a1_table_t *from, unsigned userhash, uint64_t *users,
                            uint64_t *size)
{
    aw_a1_rec_t rec;

    *users = *size = 0;
    for (uint64_t at = from->head.records; at < from->head.size; at += aw_a1_rec_size(&rec)) {
        if (!aw_a1_rec_read(from->block, &from->head, at, &rec)) {
            return APR_EINVAL;
        }
        aw_a1_rec_t more = rec;

        more.indexed = (uint16_t)userhash;
        *size += aw_a1_rec_size(&more);
        *users += 1;
    }
    return APR_SUCCESS;
}

/* Writes the records as they will be, but for the user hashes. What was measured may have changed,
 * if it is a file: nothing is written behind `size`. */
static apr_status_t copy(unsigned char *to, uint64_t size, const aw_a1_table_t *from,
                         unsigned userhash)
{
    aw_a1_rec_t rec;

    for (uint64_t at = from->head.records; at < from->head.size; at += aw_a1_rec_size(&rec)) {
        if (!aw_a1_rec_read(from->block, &from->head, at, &rec)) {
            return APR_EINVAL;
        }
        const unsigned char *record = from->block + at;
        aw_a1_rec_t more = rec;

        more.indexed = (uint16_t)userhash;
        if (aw_a1_rec_size(&more) > size) {
            return APR_EINVAL;
        }
        memcpy(to, &more, sizeof(more));
        memcpy(to + sizeof(rec), record + sizeof(rec), aw_a1_hashes_size(rec.present));
        memcpy(to + aw_a1_rec_user(&more), record + aw_a1_rec_user(&rec),
               (size_t)rec.user_len + rec.realm_len);
        to += aw_a1_rec_size(&more);
        size -= aw_a1_rec_size(&more);
    }
    return size == 0 ? APR_SUCCESS : APR_EINVAL;
}

apr_status_t aw_a1_table_index(aw_a1_table_t **table, const aw_a1_table_t *from, unsigned userhash)
{
    return aw_a1_table_extend(table, from, userhash, false);
}

apr_status_t aw_a1_table_extend(aw_a1_table_t **table, const aw_a1_table_t *from, unsigned userhash,
                                bool alone)
{
    const unsigned mask = (aw_a1_table_userhash(from) | userhash) & AW_A1_ALGS;
    uint64_t users, size;
    aw_a1_header_t head;
    apr_status_t rv = measure(from, mask, &users, &size);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    unsigned char *block = aw_a1_block_create(users, size, mask, from->head.key);

    if (!block) {
        return APR_ENOMEM;
    }
    memcpy(&head, block, sizeof(head));
    rv = copy(block + head.records, size, from, mask);
    if (rv != APR_SUCCESS) {
        aw_wipe(block, (size_t)head.size);
        aw_a1_pages_free(block, head.size);
        return rv;
    }
    return aw_a1_block_finish(table, block, alone);
}
