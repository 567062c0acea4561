/* Fuzzes the A1 index: whatever its bytes are, searches end and stay inside.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte says what is made right before the bytes are taken for an index: bit 0 the
 * checksum, bit 1 the size, bit 2 magic, byte order and version. Guessing them would take for ever.
 */
#include <apr_general.h>
#include <stdint.h>
#include <stdlib.h>

#include "store/a1_layout.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool so)
{
    if (!so) {
        abort();
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    require(apr_initialize() == APR_SUCCESS && aw_algorithms_init() == APR_SUCCESS);
    return 0;
}

static void make_right(unsigned char *block, size_t size, unsigned what)
{
    aw_a1_header_t head;

    if (size < sizeof(head)) {
        return;
    }
    memcpy(&head, block, sizeof(head));
    if (what & 4) {
        memcpy(head.magic, AW_A1_MAGIC, sizeof(head.magic));
        head.byte_order = AW_A1_BYTE_ORDER;
        head.version = AW_A1_VERSION;
    }
    if (what & 2) {
        head.size = size;
    }
    if (what & 1) {
        head.checksum = aw_a1_checksum(&head);
    }
    memcpy(block, &head, sizeof(head));
}

/* Reads every byte that a search hands out. */
static void use(const aw_a1_record_t *record)
{
    static volatile unsigned char sink;

    require(record->user.len <= AW_A1_NAME_MAX);
    for (size_t i = 0; i < record->user.len; i++) {
        sink = (unsigned char)record->user.ptr[i];
    }
    for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
        for (size_t i = 0; record->hash[a] && i < aw_alg_size((aw_alg_e)a); i++) {
            sink = record->hash[a][i];
        }
    }
    (void)sink;
}

static void search(const aw_a1_table_t *table)
{
    static const char *const users[] = {"al", "bob", "cy", "", "x"};
    unsigned char hash[AW_HASH_MAX];
    aw_a1_record_t record;

    for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
        const aw_span_t user = aw_span(users[i]), parts[] = {user, AW_SPAN_LIT(":R")};

        (void)aw_a1_table_find(table, AW_SPAN_LIT("R"), user, &record);
        use(&record);
        for (unsigned a = 0; a < AW_ALG_COUNT; a++) {
            require(aw_hash((aw_alg_e)a, parts, 2, hash) == APR_SUCCESS);
            (void)aw_a1_table_find_userhash(table, AW_SPAN_LIT("R"), (aw_alg_e)a, hash, &record);
            use(&record);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    aw_a1_table_t *table = NULL, *more = NULL;
    const char *why = NULL;

    if (size < 2) {
        return 0;
    }
    /* Exactly as long as it says, so that a sanitizer sees a read behind it. */
    unsigned char *block = malloc(size - 1);

    require(block != NULL);
    memcpy(block, data + 1, size - 1);
    make_right(block, size - 1, data[0]);
    const apr_status_t rv = aw_a1_table_adopt(&table, &why, block, size - 1, true);

    require(rv == APR_SUCCESS || (rv == APR_EINVAL && why && !table));
    if (rv != APR_SUCCESS) {
        free(block);
        return 0;
    }
    search(table);
    if (aw_a1_table_index(&more, table, 1u << AW_ALG_SHA) == APR_SUCCESS) {
        search(more);
        aw_a1_table_destroy(more);
    }
    free(table); /* the block is none that it could unmap */
    free(block);
    return 0;
}
