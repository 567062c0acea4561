/* `authws secret`: writes the file that AuthWSSecretFile names.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <apr_general.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "authws.h"
#include "edit.h"

/* Random bytes in a secret: more than any key that is made of it has. */
#define RANDOM 48

static const char help[] =
    "Usage: authws secret [--force] FILE\n"
    "\n"
    "Writes a random secret for AuthWSSecretFile to FILE, which its owner may read and write and\n"
    "its group read. Copy it to every node that shall accept the others' nonces and tickets.\n"
    "\n"
    "  --force   replace a file that is there: nonces and tickets made with its secret end\n"
    "\n"
    "Exit status: 0 done, 1 not so, 2 bad usage, 3 file or system error.\n";

typedef struct secret_t {
    const char *path;
    bool force;
    char text[2 * RANDOM];
    size_t len;
} secret_t;

/* An edit_fn. */
static int put(void *baton, aw_line_edit_t *edit, aw_span_t text, apr_pool_t *p)
{
    const secret_t *secret = baton;
    aw_span_t *part = apr_palloc(p, sizeof(*part));
    aw_file_id_t id;

    (void)text;
    if (!secret->force && aw_file_identify(secret->path, &id, NULL) == APR_SUCCESS) {
        complain("%s: is there already; --force replaces it, and ends what its secret has made",
                 secret->path);
        return EXIT_NOT_SO;
    }
    *part = (aw_span_t){secret->text, secret->len};
    edit->parts = part;
    edit->count = 1;
    return EXIT_DONE;
}

static bool options(secret_t *secret, int argc, char **argv, int *rv)
{
    static const struct option known[] = {
        {"force", no_argument, NULL, 'f'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int c;

    *rv = EXIT_USAGE;
    optind = 1;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (c == 'h') {
            fputs(help, stdout);
            *rv = EXIT_DONE;
        }
        if (c != 'f') {
            return false;
        }
        secret->force = true;
    }
    if (argc - optind != 1) {
        complain("one file is wanted");
        return false;
    }
    secret->path = argv[optind];
    return true;
}

int secret_run(int argc, char **argv, apr_pool_t *p)
{
    secret_t secret = {.force = false};
    unsigned char random[RANDOM];
    int rv = EXIT_USAGE;

    if (!options(&secret, argc, argv, &rv)) {
        return rv;
    }
    if (apr_generate_random_bytes(random, sizeof(random)) != APR_SUCCESS) {
        complain("no random numbers are to be had");
        return EXIT_SYSTEM;
    }
    secret.len = aw_base64_encode(AW_BASE64URL, secret.text, random, sizeof(random));
    secret.text[secret.len++] = '\n';
    rv = edit_file(secret.path, true, put, &secret, p);
    if (rv == EXIT_DONE) {
        fprintf(stderr, "Wrote a new secret to %s.\n", secret.path);
        edit_warn_mode(secret.path, true);
    }
    aw_wipe(random, sizeof(random));
    aw_wipe(&secret, sizeof(secret));
    return rv;
}
