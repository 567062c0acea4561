/* Stands in for libFuzzer: feeds a fuzz target the given files, and every truncation of them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Above this a truncation a byte would take longer than it is worth: then 2,048 of them. */
#define EVERY_BYTE 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

/* The target gets a block of exactly `size` bytes, so that a sanitizer sees a read behind it. */
static void feed(const char *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);

    if (exact == NULL) {
        abort();
    }
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static int replay_file(const char *path, long size)
{
    FILE *file = fopen(path, "rb");
    const size_t n = (size_t)size;
    char *data = malloc(n ? n : 1);
    int rc = -1;

    if (file == NULL || data == NULL || fread(data, 1, n, file) != n) {
        perror(path);
        goto leave;
    }
    const size_t step = n > EVERY_BYTE ? n / EVERY_BYTE : 1;
    for (size_t cut = 0; cut < n; cut += step) {
        feed(data, cut);
    }
    feed(data, n);
    rc = 1;
leave:
    free(data);
    if (file != NULL) {
        fclose(file);
    }
    return rc;
}

/* Replays a file, or all files of a folder; how many that were, or -1. */
static int replay(const char *path)
{
    struct stat st;
    int count = 0;

    if (stat(path, &st) != 0) {
        perror(path);
        return -1;
    }
    if (!S_ISDIR(st.st_mode)) {
        return replay_file(path, st.st_size);
    }
    DIR *folder = opendir(path);
    if (folder == NULL) {
        perror(path);
        return -1;
    }
    for (const struct dirent *entry; count >= 0 && (entry = readdir(folder)) != NULL;) {
        char inner[4096];
        if (entry->d_name[0] == '.') {
            continue;
        }
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        const int more = replay(inner);
        count = more < 0 ? -1 : count + more;
    }
    closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;

    if (LLVMFuzzerInitialize != NULL) {
        LLVMFuzzerInitialize(&argc, &argv);
    }
    for (int i = 1; i < argc; i++) {
        const int count = replay(argv[i]);
        if (count < 0) {
            return 1;
        }
        total += count;
    }
    if (total == 0) {
        fprintf(stderr, "nothing to replay\n");
        return 1;
    }
    printf("%d files and all their truncations\n", total);
    return 0;
}
