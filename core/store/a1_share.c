/* Versions of one A1 file that one process reads for all those that fork from the same one.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/a1_share.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* How long the version before the newest stays: most readers are through in a microsecond; for
 * one that is not, there is the floor. */
#define LINGER apr_time_from_sec(1)

/* Between two looks at a slot the newest version may have changed; not for ever. */
#define ATTEMPTS 100

apr_status_t aw_a1_share_create(aw_a1_share_t *share)
{
    void *shared = mmap(NULL, sizeof(*share->shared), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED) {
        return errno;
    }
    const int fd = memfd_create("authws-a1", MFD_CLOEXEC);

    if (fd < 0) {
        const apr_status_t rv = errno;

        munmap(shared, sizeof(*share->shared));
        return rv;
    }
    share->shared = shared;
    share->fd = fd;
    return APR_SUCCESS;
}

void aw_a1_share_close(aw_a1_share_t *share)
{
    close(share->fd);
    munmap(share->shared, sizeof(*share->shared));
}

bool aw_a1_share_lock(aw_a1_share_t *share, bool wait)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int rv;

    do {
        rv = fcntl(share->fd, wait ? F_SETLKW : F_SETLK, &lock);
    } while (rv != 0 && errno == EINTR);
    return rv == 0;
}

void aw_a1_share_unlock(aw_a1_share_t *share)
{
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

    (void)fcntl(share->fd, F_SETLK, &lock);
}

static apr_status_t write_block(int fd, off_t offset, const aw_a1_table_t *table)
{
    const unsigned char *at = table->block;
    uint64_t left = table->head.size;

    while (left > 0) {
        const ssize_t n = pwrite(fd, at, (size_t)left, offset);

        if (n < 0 && errno != EINTR) {
            return errno;
        }
        at += n > 0 ? n : 0;
        offset += n > 0 ? n : 0;
        left -= n > 0 ? (uint64_t)n : 0;
    }
    return APR_SUCCESS;
}

apr_status_t aw_a1_share_publish(aw_a1_share_t *share, const aw_a1_table_t *table,
                                 const aw_file_id_t *id, apr_time_t now)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    const uint64_t generation = aw_a1_share_generation(share);
    const aw_a1_slot_t *before = &share->shared->slots[generation & 1];
    const uint64_t offset = (before->offset + before->size + page - 1) / page * page;

    /* What a process that died left behind the newest version goes first. */
    if (offset > INT64_MAX / 2 || ftruncate(share->fd, (off_t)offset) != 0) {
        return offset > INT64_MAX / 2 ? APR_ENOMEM : errno;
    }
    const apr_status_t rv = write_block(share->fd, (off_t)offset, table);

    if (rv != APR_SUCCESS) {
        (void)!ftruncate(share->fd, (off_t)offset);
        return rv;
    }
    share->shared->slots[(generation + 1) & 1] = (aw_a1_slot_t){*id, offset, table->head.size};
    atomic_store_explicit(&share->shared->published, now, memory_order_relaxed);
    atomic_store(&share->shared->generation, generation + 1);
    return APR_SUCCESS;
}

apr_status_t aw_a1_share_take(aw_a1_table_t **table, aw_file_id_t *id, aw_a1_share_t *share)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        const uint64_t generation = aw_a1_share_generation(share);
        const aw_a1_slot_t slot = share->shared->slots[generation & 1];
        const char *why;

        if (generation == 0) {
            return APR_ENOENT;
        }
        atomic_thread_fence(memory_order_acquire);
        if (aw_a1_share_generation(share) != generation || slot.size == 0) {
            continue;
        }
        void *block =
            mmap(NULL, (size_t)slot.size, PROT_READ, MAP_SHARED, share->fd, (off_t)slot.offset);

        if (block == MAP_FAILED) {
            return errno;
        }
        if (aw_a1_table_adopt(table, &why, block, (size_t)slot.size, true) == APR_SUCCESS) {
            (*table)->generation = generation;
            (*table)->floor = &share->shared->floor;
            *id = slot.id;
            return APR_SUCCESS;
        }
        munmap(block, (size_t)slot.size); /* trimmed already, or no memory for the table */
    }
    return APR_ENOMEM;
}

void aw_a1_share_trim(aw_a1_share_t *share, apr_time_t now)
{
    aw_a1_shared_t *shared = share->shared;
    const apr_time_t age = now - atomic_load_explicit(&shared->published, memory_order_relaxed);

    if (atomic_load(&shared->floor) >= aw_a1_share_generation(share) ||
        (age > -LINGER && age < LINGER) || !aw_a1_share_lock(share, false)) {
        return;
    }
    const uint64_t generation = aw_a1_share_generation(share);
    const uint64_t offset = shared->slots[generation & 1].offset;

    /* First said, then done. */
    atomic_store(&shared->floor, generation);
    if (offset > 0) {
        (void)fallocate(share->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)offset);
    }
    aw_a1_share_unlock(share);
}
