/* `authws token add` and `revoke`: what changes a token file.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "token.h"

#include <apr_general.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/token_edit.h"

/* Random bytes in a token that is made here: 256 bits. */
#define RANDOM 32

/* A token that somebody else made is at least so long: its hash is all that protects it. */
#define GIVEN_MIN 16

int token_ask(password_t *token, bool from_stdin)
{
    const bool stdin_first = from_stdin || !isatty(STDIN_FILENO);
    const password_e rv = stdin_first && !isatty(STDIN_FILENO)
                              ? password_from_stdin(token)
                              : password_from_terminal(token, "Token: ", NULL);

    switch (rv) {
    case PASSWORD_OK:
        return EXIT_DONE;
    case PASSWORD_NONE:
    case PASSWORD_EMPTY:
        complain("no token was given");
        return EXIT_NOT_SO;
    case PASSWORD_TOO_LONG:
        complain("a token has at most %d bytes", AW_TOKEN_MAX);
        return EXIT_NOT_SO;
    case PASSWORD_NO_TERMINAL:
        complain("there is no terminal to ask on; with -i the token is read from standard input");
        return EXIT_SYSTEM;
    case PASSWORD_ERROR:
        complain("the token could not be read: %s", strerror(errno));
        return EXIT_SYSTEM;
    default:
        complain("a token holds no NUL byte");
        return EXIT_NOT_SO;
    }
}

/* Whether a token can be sent after the word Bearer, and not be guessed. */
static int check_given(const password_t *token)
{
    for (size_t i = 0; i < token->len; i++) {
        if (token->text[i] <= 0x20 || token->text[i] > 0x7E) {
            complain("a token consists of letters, digits and signs of ASCII, without spaces");
            return EXIT_NOT_SO;
        }
    }
    if (token->len < GIVEN_MIN) {
        complain("a token has at least %d characters, random ones", GIVEN_MIN);
        return EXIT_NOT_SO;
    }
    return EXIT_DONE;
}

static int make(password_t *token)
{
    unsigned char random[RANDOM];

    if (apr_generate_random_bytes(random, sizeof(random)) != APR_SUCCESS) {
        complain("no random numbers are to be had");
        return EXIT_SYSTEM;
    }
    token->len = aw_base64_encode(AW_BASE64URL, token->text, random, sizeof(random));
    aw_wipe(random, sizeof(random));
    return EXIT_DONE;
}

typedef struct adding_t {
    const token_job_t *job;
    aw_token_new_t token;
    size_t before; /* earlier tokens of the subject */
} adding_t;

/* An edit_fn. */
static int add_to(void *baton, aw_line_edit_t *edit, aw_span_t text, apr_pool_t *p)
{
    adding_t *adding = baton;

    if (aw_token_edit_add(edit, text, &adding->token, p) != APR_SUCCESS) {
        complain("%s: holds this token already", adding->job->file);
        return EXIT_NOT_SO;
    }
    adding->before = edit->entries;
    return EXIT_DONE;
}

/* Mistakes anywhere keep a server from taking an edit up: better said now. */
static void say_mistakes(const char *file, apr_pool_t *p)
{
    edit_say_t say = {.path = file, .to_stderr = true};
    aw_span_t text;

    if (edit_read(file, &text, p) == EXIT_DONE) {
        (void)aw_token_check(text, edit_say, &say);
        edit_warn_mode(file, true);
    }
}

/* Says what was done; the token, if it was made here, on standard output. */
static int say_added(const adding_t *adding, const password_t *token)
{
    const token_job_t *job = adding->job;
    char when[AW_TOKEN_EXPIRES_MAX];

    aw_token_expires_build(when, job->expires);
    fprintf(stderr, "Added a token for %.*s (%s%s%s) to %s.\n", SPAN(job->subject),
            aw_token_alg_name(job->algorithm), when[0] ? ", good until " : "", when, job->file);
    if (adding->before > 0 && job->until == AW_TOKEN_NEVER) {
        fprintf(stderr, "Earlier tokens of this subject that are good no longer: %zu.\n",
                adding->before);
    } else if (adding->before > 0) {
        aw_token_expires_build(when, job->until);
        fprintf(stderr, "Earlier tokens of this subject, good until %s at the longest: %zu.\n",
                when, adding->before);
    }
    if (job->from_stdin) {
        return EXIT_DONE;
    }
    fputs("It is shown this once, and stored as its hash only:\n", stderr);
    if (fwrite(token->text, 1, token->len, stdout) != token->len || putchar('\n') == EOF ||
        fflush(stdout) != 0) {
        complain("the token could not be written out: %s; revoke it", strerror(errno));
        return EXIT_SYSTEM;
    }
    return EXIT_DONE;
}

int token_add(int argc, char **argv, apr_pool_t *p)
{
    password_t token = {.len = 0};
    token_job_t job;
    adding_t adding = {.job = &job};
    int rv = EXIT_USAGE;

    if (!token_options(&job, argc, argv, SUBJECT_MUST, &rv)) {
        return rv;
    }
    rv = job.from_stdin ? token_ask(&token, true) : make(&token);
    if (rv == EXIT_DONE && job.from_stdin) {
        rv = check_given(&token);
    }
    adding.token = (aw_token_new_t){.subject = job.subject,
                                    .value = {.alg = job.algorithm, .expires = job.expires},
                                    .note = job.note,
                                    .until = job.until};
    if (rv == EXIT_DONE && aw_token_hash(job.algorithm, password_span(&token),
                                         adding.token.value.hash) != APR_SUCCESS) {
        complain("OpenSSL does not offer %s here", aw_token_alg_name(job.algorithm));
        rv = EXIT_SYSTEM;
    }
    if (rv == EXIT_DONE) {
        rv = edit_file(job.file, true, add_to, &adding, p);
    }
    if (rv == EXIT_DONE) {
        rv = say_added(&adding, &token);
        say_mistakes(job.file, p);
    }
    password_wipe(&token);
    return rv;
}

typedef struct revoking_t {
    const token_job_t *job;
    size_t before;
} revoking_t;

/* An edit_fn. */
static int revoke_from(void *baton, aw_line_edit_t *edit, aw_span_t text, apr_pool_t *p)
{
    revoking_t *revoking = baton;

    aw_token_edit_revoke(edit, text, revoking->job->subject, p);
    revoking->before = edit->entries;
    if (edit->entries == 0) {
        complain("%s: holds no token of %.*s", revoking->job->file, SPAN(revoking->job->subject));
        return EXIT_NOT_SO;
    }
    return EXIT_DONE;
}

int token_revoke(int argc, char **argv, apr_pool_t *p)
{
    token_job_t job;
    revoking_t revoking = {.job = &job};
    int rv = EXIT_USAGE;

    if (!token_options(&job, argc, argv, SUBJECT_MUST, &rv)) {
        return rv;
    }
    rv = edit_file(job.file, false, revoke_from, &revoking, p);
    if (rv == EXIT_DONE) {
        fprintf(stderr, "Revoked tokens of %.*s in %s: %zu.\n", SPAN(job.subject), job.file,
                revoking.before);
        say_mistakes(job.file, p);
    }
    return rv;
}
