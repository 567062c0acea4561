/* authws-htdigest --import: users and passwords from CSV or user:password lines.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Passwords are streamed: of the input no more is held than a block and the batches under way.
 */
#include "htdigest_bulk.h"
#include "htdigest_hash.h"
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/normal.h"
#include "store/a1_import.h"

#define BLOCK 65536

typedef struct import_t {
    const job_t *job;
    bulk_t bulk;
    progress_t progress;
    crew_t *crew;
    apr_pool_t *p; /* for names that change their form; cleared now and then */
    int fd;
    bool ended;       /* the input has */
    bool finished;    /* all rows have been taken, or no more can be */
    uint64_t bytes;   /* read */
    hash_row_t held;  /* a row that did not fit any more */
    aw_span_t secret; /* its password in Normalization Form C, where that is in `p` */
    bool holding;
    aw_span_t rest; /* of `block`, not taken yet */
    aw_a1_import_t reader;
    char block[BLOCK];
} import_t;

/* Says what is wrong with a line, which is then left out. */
static void skip(import_t *in, size_t line, size_t column, const char *message)
{
    const aw_text_error_t error = {line, column, message};

    progress_clear(&in->progress);
    file_say_broken(stderr, in->job->other, &error);
    in->bulk.skipped++;
}

/* Reads on; EXIT_DONE, or it has been said why not. */
static int read_block(import_t *in)
{
    ssize_t n;

    do {
        n = read(in->fd, in->block, sizeof(in->block));
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        complain("%s: %s", in->job->other, strerror(errno));
        return EXIT_SYSTEM;
    }
    in->ended = n == 0;
    in->rest = (aw_span_t){in->block, (size_t)n};
    in->bytes += (uint64_t)n;
    progress_at(&in->progress, in->bytes, aw_a1_users_count(in->bulk.users));
    return EXIT_DONE;
}

/* Brings a column into Normalization Form C; false when it then is too long. */
static bool normalise(import_t *in, aw_span_t *text, size_t most)
{
    return aw_text_nfc(text, *text, in->p) == APR_SUCCESS && text->len <= most;
}

/* Wipes the copy that normalise made of a password. */
static void forget(import_t *in)
{
    file_wipe(in->secret);
    in->secret.len = 0;
}

/* Hands a row to the batch, or holds it where that is full. */
static void hand_on(import_t *in, batch_t *batch)
{
    in->holding = !batch_add(batch, &in->held);
    if (!in->holding) {
        forget(in);
    }
}

/* Makes a row ready for hashing; false when it is not wanted. */
static bool prepare(import_t *in, const aw_a1_row_t *row, hash_row_t *out)
{
    out->user = row->user;
    out->realm = in->job->realm.len > 0 ? in->job->realm : row->realm;
    out->password = row->password;
    out->line = row->line;
    out->column = row->user_column;
    if (!file_wants(in->job, out->realm)) {
        return false;
    }
    if (!normalise(in, &out->user, AW_A1_NAME_MAX)) {
        skip(in, row->line, row->user_column, "longer than 1024 bytes in Normalization Form C");
        return false;
    }
    if (!normalise(in, &out->realm, AW_A1_NAME_MAX)) {
        skip(in, row->line, row->realm_column, "longer than 1024 bytes in Normalization Form C");
        return false;
    }
    const bool fits = normalise(in, &out->password, AW_A1_PASSWORD_MAX);

    if (out->password.ptr != row->password.ptr) {
        in->secret = out->password;
    }
    if (!fits) {
        forget(in);
        skip(in, row->line, row->password_column, "longer than 1024 bytes in Normalization Form C");
    }
    return fits;
}

/* Fills a batch as far as it goes. */
static int fill(import_t *in, batch_t *batch)
{
    aw_a1_row_t row;
    aw_text_error_t error;
    int rv = EXIT_DONE;

    if (in->holding) {
        hand_on(in, batch);
    }
    /* Held rows borrow from the pool, the reader and the block: none of these moves on before the
     * row is in a batch. */
    apr_pool_clear(in->p);
    while (rv == EXIT_DONE && !in->finished && !in->holding) {
        switch (aw_a1_import_next(&in->reader, &in->rest, in->ended, &row, &error)) {
        case AW_A1_IMPORT_ROW:
            if (prepare(in, &row, &in->held)) {
                hand_on(in, batch);
            }
            break;
        case AW_A1_IMPORT_BROKEN:
            skip(in, error.line, error.column, error.message);
            break;
        case AW_A1_IMPORT_UNUSABLE:
            skip(in, error.line, error.column, error.message);
            rv = EXIT_NOT_SO;
            break;
        case AW_A1_IMPORT_MORE:
            in->finished = in->ended;
            rv = in->ended ? EXIT_DONE : read_block(in);
            break;
        }
    }
    return rv;
}

/* Takes what has been computed. */
static int absorb(import_t *in, batch_t *batch)
{
    if (batch->computed && batch->status != APR_SUCCESS) {
        complain("OpenSSL does not offer all of these algorithms here; choose others with -a");
        return EXIT_SYSTEM;
    }
    for (size_t i = 0; batch->computed && i < batch->count; i++) {
        const hash_row_t *row = &batch->rows[i];
        const apr_status_t rv = aw_a1_users_add(in->bulk.users, row->user, row->realm, &row->value);

        if (rv == APR_EEXIST) {
            skip(in, row->line, row->column, "the user is in a line before, which counts");
        } else if (rv != APR_SUCCESS) {
            return no_memory();
        }
    }
    batch_clear(batch);
    return EXIT_DONE;
}

/* Reads, hashes and collects all rows. */
static int collect(import_t *in)
{
    int rv = EXIT_DONE;

    while (rv == EXIT_DONE && (!in->finished || in->holding)) {
        batch_t *batch = crew_next(in->crew);

        rv = absorb(in, batch);
        if (rv == EXIT_DONE) {
            rv = fill(in, batch);
        }
        if (rv == EXIT_DONE && batch->count > 0) {
            crew_submit(in->crew, batch);
        }
    }
    for (size_t i = crew_batches(in->crew); i > 0 && rv == EXIT_DONE; i--) {
        rv = absorb(in, crew_next(in->crew));
    }
    return rv;
}

static int open_input(import_t *in)
{
    struct stat st;

    in->fd = strcmp(in->job->other, "-") == 0
                 ? STDIN_FILENO
                 : open(in->job->other, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (in->fd < 0 || fstat(in->fd, &st) != 0) {
        complain("%s: %s", in->job->other, strerror(errno));
        return EXIT_SYSTEM;
    }
    if (S_ISDIR(st.st_mode)) {
        complain("%s: it is a folder", in->job->other);
        return EXIT_SYSTEM;
    }
    progress_begin(&in->progress, "importing", S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0);
    return EXIT_DONE;
}

int run_import(const job_t *job, apr_pool_t *p)
{
    import_t *in = calloc(1, sizeof(*in));

    if (!in) {
        return no_memory();
    }
    in->job = job;
    in->fd = -1;
    aw_a1_import_init(&in->reader, job->realm.len == 0);
    int rv = bulk_begin(&in->bulk, job, AW_A1_REPLACE);

    if (rv == EXIT_DONE) {
        rv = open_input(in);
    }
    if (rv == EXIT_DONE && (apr_pool_create(&in->p, p) != APR_SUCCESS ||
                            crew_start(&in->crew, job->algorithms) != APR_SUCCESS)) {
        rv = no_memory();
    }
    if (rv == EXIT_DONE) {
        rv = collect(in);
    }
    progress_clear(&in->progress);
    crew_end(in->crew);
    if (rv == EXIT_DONE) {
        rv = bulk_store(&in->bulk, job, p);
    }
    if (in->fd > STDIN_FILENO) {
        close(in->fd);
    }
    bulk_end(&in->bulk);
    aw_wipe(in, sizeof(*in));
    free(in);
    return rv;
}
