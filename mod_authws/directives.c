/* The directives: one table, one setter each, and a clear word about every mistake.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "config.h"

#include <apr_strings.h>

#include "directives_tokens.h"
#include "domain.h"
#include "lookup.h"
#include "scheme.h"
#include "shm/segment.h"
#include "state.h"
#include "stores.h"
#include "words.h"
#include "ws/directives.h"

static const char *set_scheme(cmd_parms *cmd, void *config, int argc, char *const argv[])
{
    authws_dir_t *dir = config;
    authws_schemes_t *schemes =
        apr_pcalloc(cmd->pool, sizeof(*schemes) + (size_t)argc * sizeof(schemes->list[0]));

    if (argc == 0) {
        return authws_word_missing(cmd, authws_scheme_names(cmd->pool));
    }
    for (int i = 0; i < argc; i++) {
        const authws_scheme_t *scheme = authws_scheme_find(argv[i]);

        if (!scheme) {
            return apr_psprintf(cmd->pool, "%s: \"%s\" is not a scheme; allowed are %s",
                                cmd->cmd->name, authws_word_quoted(cmd->pool, argv[i]),
                                authws_scheme_names(cmd->pool));
        }
        for (size_t k = 0; k < schemes->count; k++) {
            if (schemes->list[k] == scheme) {
                return apr_psprintf(cmd->pool, "%s: %s is given twice", cmd->cmd->name,
                                    scheme->name);
            }
        }
        schemes->list[schemes->count++] = scheme;
    }
    dir->schemes = schemes;
    return NULL;
}

static const char *set_user_file(cmd_parms *cmd, void *config, int argc, char *const argv[])
{
    authws_dir_t *dir = config;
    authws_files_t *files =
        apr_palloc(cmd->pool, sizeof(*files) + (size_t)argc * sizeof(files->list[0]));
    const char *message = NULL;

    if (argc == 0) {
        return authws_word_missing(cmd, "one or more A1 files");
    }
    for (int i = 0; i < argc; i++) {
        files->list[i] = ap_server_root_relative(cmd->pool, argv[i]);
        if (!files->list[i]) {
            return apr_psprintf(cmd->pool, "%s: \"%s\" is not a path", cmd->cmd->name,
                                authws_word_quoted(cmd->pool, argv[i]));
        }
    }
    files->count = (size_t)argc;
    dir->files = files;
    dir->store = authws_stores_get(&message, files->list, (size_t)argc,
                                   ap_check_cmd_context(cmd, NOT_IN_HTACCESS) != NULL, cmd->pool);
    return dir->store ? NULL : apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, message);
}

static const char *set_provider(cmd_parms *cmd, void *config, int argc, char *const argv[])
{
    authws_dir_t *dir = config;
    const char *error;
    const authws_providers_t *providers;

    if (argc == 0) {
        return authws_word_missing(cmd, "one or more authn providers: file, dbm, dbd, socache");
    }
    providers = authws_providers_parse(&error, cmd->pool, argc, argv);
    if (!providers) {
        return apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, error);
    }
    dir->providers = providers;
    authws_lookup_note(cmd, dir);
    return NULL;
}

static const char *set_uplift(cmd_parms *cmd, void *config, int on)
{
    (void)cmd;
    ((authws_dir_t *)config)->uplift = on;
    return NULL;
}

static const char *set_algorithm(cmd_parms *cmd, void *config, int argc, char *const argv[])
{
    authws_dir_t *dir = config;
    const char *error;
    const authws_algorithms_t *algorithms;

    if (argc == 0) {
        return authws_word_missing(cmd, "the algorithms to offer, strongest first");
    }
    algorithms = authws_algorithms_parse(&error, cmd->pool, argc, argv);
    if (!algorithms) {
        return apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, error);
    }
    dir->algorithms = algorithms;
    if (!ap_check_cmd_context(cmd, NOT_IN_HTACCESS)) {
        unsigned mask = 0;

        for (size_t i = 0; i < algorithms->count; i++) {
            mask |= 1u << algorithms->list[i].hash;
        }
        authws_stores_note_algorithms(mask);
    }
    return NULL;
}

static const char *set_qop(cmd_parms *cmd, void *config, int argc, char *const argv[])
{
    authws_dir_t *dir = config;
    unsigned qops = 0;

    if (argc == 0) {
        return authws_word_missing(cmd, "auth, auth-int or both");
    }
    for (int i = 0; i < argc; i++) {
        if (!ap_cstr_casecmp(argv[i], "auth")) {
            qops |= AW_QOP_BIT(AW_QOP_AUTH);
        } else if (!ap_cstr_casecmp(argv[i], "auth-int")) {
            qops |= AW_QOP_BIT(AW_QOP_AUTH_INT);
        } else {
            return apr_psprintf(cmd->pool, "%s: \"%s\" is not a qop; allowed are auth, auth-int",
                                cmd->cmd->name, authws_word_quoted(cmd->pool, argv[i]));
        }
    }
    dir->qops = qops;
    return NULL;
}

static const char *set_userhash(cmd_parms *cmd, void *config, int on)
{
    ((authws_dir_t *)config)->userhash = on;
    authws_lookup_note(cmd, config);
    if (on && !ap_check_cmd_context(cmd, NOT_IN_HTACCESS)) {
        authws_stores_note_userhash();
    }
    return NULL;
}

static const char *set_domain(cmd_parms *cmd, void *config, int argc, char *const argv[])
{
    authws_dir_t *dir = config;
    const char *error;
    const authws_domain_t *domain;

    if (argc == 0) {
        return authws_word_missing(cmd, "paths, absolute URIs or authorities");
    }
    domain = authws_domain_parse(&error, cmd->pool, argc, argv);
    if (!domain) {
        return apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, error);
    }
    dir->domain = domain;
    return NULL;
}

static const char *set_nonce_lifetime(cmd_parms *cmd, void *config, const char *word)
{
    return authws_word_time(&((authws_dir_t *)config)->nonce_lifetime, cmd, word,
                            apr_time_from_sec(1), AW_NONCE_LIFETIME_MAX, "1s to 24h");
}

static const char *set_next_nonce(cmd_parms *cmd, void *config, const char *word)
{
    static const char *const words[] = {
        [AUTHWS_NEXTNONCE_HALF] = "half",
        [AUTHWS_NEXTNONCE_ALWAYS] = "always",
        [AUTHWS_NEXTNONCE_OFF] = "off",
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!ap_cstr_casecmp(word, words[i])) {
            ((authws_dir_t *)config)->next_nonce = (int)i;
            return NULL;
        }
    }
    return apr_psprintf(cmd->pool, "%s: \"%s\" is not known; allowed are half, always, off",
                        cmd->cmd->name, authws_word_quoted(cmd->pool, word));
}

static const char *set_body_limit(cmd_parms *cmd, void *config, const char *word)
{
    return authws_word_size(&((authws_dir_t *)config)->body_limit, cmd, word, 0,
                            (apr_off_t)1024 * 1024 * 1024, "0 to 1G");
}

/* One of the two times of AuthWSThrottle, which counts in seconds. */
static const char *parse_seconds(apr_interval_time_t *out, cmd_parms *cmd, const char *word)
{
    static const char range[] = "whole seconds, 1s to 24h";
    const char *error =
        authws_word_time(out, cmd, word, APR_USEC_PER_SEC, AW_THROTTLE_TIME_MAX, range);

    if (!error && *out % APR_USEC_PER_SEC != 0) {
        error = apr_psprintf(cmd->pool, "%s: \"%s\" is out of range; allowed is %s", cmd->cmd->name,
                             authws_word_quoted(cmd->pool, word), range);
    }
    return error;
}

static const char *set_throttle(cmd_parms *cmd, void *config, int argc, char *const argv[])
{
    static const char form[] = "failures, window and block (10 60s 300s), or Off";
    authws_dir_t *dir = config;
    aw_throttle_limit_t *limit = apr_pcalloc(cmd->pool, sizeof(*limit));
    const char *error;
    apr_off_t failures;

    if (argc == 0) {
        return authws_word_missing(cmd, form);
    }
    if (argc == 1 && !ap_cstr_casecmp(argv[0], "Off")) {
        dir->throttle = limit;
        return NULL;
    }
    if (argc != 3) {
        return apr_psprintf(cmd->pool, "%s: \"%s\" is %s; write %s", cmd->cmd->name,
                            authws_word_quoted(cmd->pool, argv[argc > 3 ? 3 : 0]),
                            argc > 3 ? "too much" : "not all", form);
    }
    if (strspn(argv[0], "0123456789") != strlen(argv[0]) ||
        apr_strtoff(&failures, argv[0], NULL, 10) != APR_SUCCESS || failures < 1 ||
        failures > AW_THROTTLE_FAILURES_MAX) {
        return apr_psprintf(cmd->pool, "%s: \"%s\" is not a number of failures, 1 to %d",
                            cmd->cmd->name, authws_word_quoted(cmd->pool, argv[0]),
                            AW_THROTTLE_FAILURES_MAX);
    }
    limit->failures = (unsigned)failures;
    error = parse_seconds(&limit->window, cmd, argv[1]);
    if (!error) {
        error = parse_seconds(&limit->block, cmd, argv[2]);
    }
    dir->throttle = limit;
    return error;
}

static const char *set_secret_file(cmd_parms *cmd, void *config, const char *word)
{
    authws_server_t *server = ap_get_module_config(cmd->server->module_config, &authws_module);
    const char *error = ap_check_cmd_context(cmd, NOT_IN_DIR_LOC_FILE);

    (void)config;
    if (error) {
        return error;
    }
    server->secret_file = ap_server_root_relative(cmd->pool, word);
    if (!server->secret_file) {
        return apr_psprintf(cmd->pool, "%s: \"%s\" is not a path", cmd->cmd->name,
                            authws_word_quoted(cmd->pool, word));
    }
    error = authws_secret_check(server->secret_file, cmd->pool);
    return error ? apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, error) : NULL;
}

static const char *set_shared_memory(cmd_parms *cmd, void *config, const char *word)
{
    authws_server_t *server = ap_get_module_config(cmd->server->module_config, &authws_module);
    const char *error = ap_check_cmd_context(cmd, NOT_IN_DIR_LOC_FILE);
    apr_off_t size;

    (void)config;
    if (!error) {
        error = authws_word_size(&size, cmd, word, AW_SEGMENT_MIN,
                                 (apr_off_t)64 * 1024 * 1024 * 1024, "64K to 64G");
    }
    if (error) {
        return error;
    }
    server->shared_memory = (apr_size_t)size;
    return NULL;
}

const command_rec authws_commands[] = {
    AP_INIT_TAKE_ARGV("AuthWSScheme", set_scheme, NULL, OR_AUTHCFG,
                      "the schemes to accept: Digest, Basic, Token, Certificate, Ticket"),
    AP_INIT_TAKE_ARGV("AuthWSUserFile", set_user_file, NULL, OR_AUTHCFG,
                      "one or more A1 files: user:realm:value, see authws-htdigest(1)"),
    AP_INIT_TAKE_ARGV("AuthWSProvider", set_provider, NULL, OR_AUTHCFG,
                      "authn providers that have A1 values: file, dbm, dbd, socache"),
    AP_INIT_FLAG("AuthWSUplift", set_uplift, NULL, OR_AUTHCFG,
                 "On stores a stronger hash of a password that was right"),
    AP_INIT_TAKE_ARGV("AuthWSAlgorithm", set_algorithm, NULL, OR_AUTHCFG,
                      "the Digest algorithms to offer, strongest first"),
    AP_INIT_TAKE_ARGV("AuthWSQop", set_qop, NULL, OR_AUTHCFG, "auth, auth-int or both"),
    AP_INIT_FLAG("AuthWSUserhash", set_userhash, NULL, OR_AUTHCFG,
                 "On offers RFC 7616 user name hashing"),
    AP_INIT_TAKE_ARGV("AuthWSDomain", set_domain, NULL, OR_AUTHCFG,
                      "the protection space: paths, absolute URIs, authorities"),
    AP_INIT_TAKE1("AuthWSNonceLifetime", set_nonce_lifetime, NULL, OR_AUTHCFG,
                  "how long a nonce is good, 1s to 24h"),
    AP_INIT_TAKE1("AuthWSNextNonce", set_next_nonce, NULL, OR_AUTHCFG, "half, always or off"),
    AP_INIT_TAKE1("AuthWSBodyLimit", set_body_limit, NULL, OR_AUTHCFG,
                  "largest request body that auth-int checks; above: 413"),
    AP_INIT_TAKE_ARGV("AuthWSThrottle", set_throttle, NULL, OR_AUTHCFG,
                      "failures, in that window, then refused for that long; or Off"),
    AP_INIT_TAKE1("AuthWSSecretFile", set_secret_file, NULL, RSRC_CONF,
                  "file whose content is the nonce key's secret, the same on every node"),
    AP_INIT_TAKE1("AuthWSSharedMemory", set_shared_memory, NULL, RSRC_CONF,
                  "size of the shared memory segment, of the whole server"),
    AUTHWS_TOKENS_COMMANDS,
    AUTHWS_WS_COMMANDS,
    {0},
};
