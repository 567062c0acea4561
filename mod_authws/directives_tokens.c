/* The directives for tokens, certificates and tickets: one setter each.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "directives_tokens.h"

#include <apr_strings.h>

#include "base/text.h"
#include "certuser.h"
#include "files.h"
#include "words.h"

/* The absolute paths behind the words; NULL and *error. */
static const authws_files_t *paths_of(const char **error, cmd_parms *cmd, int argc,
                                      char *const argv[], const char *what)
{
    authws_files_t *files =
        apr_palloc(cmd->pool, sizeof(*files) + (size_t)argc * sizeof(files->list[0]));

    if (argc == 0) {
        *error = authws_word_missing(cmd, what);
        return NULL;
    }
    for (int i = 0; i < argc; i++) {
        files->list[i] = ap_server_root_relative(cmd->pool, argv[i]);
        if (!files->list[i]) {
            *error = apr_psprintf(cmd->pool, "%s: \"%s\" is not a path", cmd->cmd->name,
                                  authws_word_quoted(cmd->pool, argv[i]));
            return NULL;
        }
    }
    files->count = (size_t)argc;
    return files;
}

static bool is_htaccess(cmd_parms *cmd)
{
    return ap_check_cmd_context(cmd, NOT_IN_HTACCESS) != NULL;
}

const char *authws_set_token_file(cmd_parms *cmd, void *config, int argc, char *const argv[])
{
    authws_dir_t *dir = config;
    const char *error = NULL;
    const authws_files_t *files = paths_of(&error, cmd, argc, argv, "one or more token files");

    if (!files) {
        return error;
    }
    dir->token_files = files;
    dir->tokens = authws_files_tokens(&error, files, is_htaccess(cmd), cmd->pool);
    return dir->tokens ? NULL : apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, error);
}

const char *authws_set_certificate_map(cmd_parms *cmd, void *config, int argc, char *const argv[])
{
    authws_dir_t *dir = config;
    const char *error = NULL;
    const authws_files_t *files = paths_of(&error, cmd, argc, argv, "one or more certificate maps");

    if (!files) {
        return error;
    }
    dir->certmap = authws_files_certmap(&error, files, is_htaccess(cmd), cmd->pool);
    return dir->certmap ? NULL : apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, error);
}

const char *authws_set_token_scheme(cmd_parms *cmd, void *config, const char *word)
{
    const char *at = word;

    while (aw_is_tchar((unsigned char)*at)) {
        at++;
    }
    if (at == word || *at) {
        return apr_psprintf(cmd->pool,
                            "%s: \"%s\" cannot be a scheme; allowed are letters, digits and "
                            "!#$%%&'*+-.^_`|~",
                            cmd->cmd->name, authws_word_quoted(cmd->pool, word));
    }
    if (!ap_cstr_casecmp(word, "Digest") || !ap_cstr_casecmp(word, "Basic")) {
        return apr_psprintf(cmd->pool, "%s: \"%s\" is a scheme of its own; see AuthWSScheme",
                            cmd->cmd->name, word);
    }
    ((authws_dir_t *)config)->token_scheme = word;
    return NULL;
}

const char *authws_set_token_subject(cmd_parms *cmd, void *config, const char *word)
{
    const char *why = NULL;
    const ap_expr_info_t *expr = ap_expr_parse_cmd(cmd, word, authws_expr_flags(cmd), &why, NULL);

    if (why) {
        return apr_psprintf(cmd->pool, "%s: \"%s\" is not an expression: %s", cmd->cmd->name,
                            authws_word_quoted(cmd->pool, word), why);
    }
    ((authws_dir_t *)config)->token_subject = expr;
    return NULL;
}

const char *authws_set_certificate_user(cmd_parms *cmd, void *config, const char *word)
{
    const char *error = NULL;
    const authws_certuser_t *from = authws_certuser_parse(&error, cmd, word);

    if (!from) {
        return apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, error);
    }
    ((authws_dir_t *)config)->certuser = from;
    return NULL;
}

const char *authws_set_ticket_lifetime(cmd_parms *cmd, void *config, const char *word)
{
    return authws_word_time(&((authws_dir_t *)config)->ticket_lifetime, cmd, word,
                            apr_time_from_sec(1), apr_time_from_sec(3600), "1s to 1h");
}
