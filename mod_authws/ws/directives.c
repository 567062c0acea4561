/* The directives for WebSockets: one setter each, and a clear word about every mistake.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "directives.h"

#include <apr_strings.h>

#include "../words.h"
#include "base/text.h"
#include "settings.h"

#define MESSAGE_MAX ((apr_off_t)1024 * 1024 * 1024)

const char *authws_ws_set_service(cmd_parms *cmd, void *config, int argc, char *const argv[])
{
    const authws_endpoint_t *endpoint;
    const char *error = authws_endpoint_parse(&endpoint, cmd, argc, argv);

    if (!error) {
        authws_ws_dir_get(cmd->pool, config)->endpoint = endpoint;
    }
    return error;
}

const char *authws_ws_set_origin(cmd_parms *cmd, void *config, int argc, char *const argv[])
{
    aw_ws_origins_t *origins = apr_pcalloc(cmd->pool, sizeof(*origins));
    aw_span_t *list = apr_pcalloc(cmd->pool, ((size_t)argc + 1) * sizeof(*list));

    if (argc == 0) {
        return authws_word_missing(cmd, "same, any, none-ok, or origins (https://host[:port])");
    }
    for (int i = 0; i < argc; i++) {
        if (!ap_cstr_casecmp(argv[i], "same")) {
            origins->same = true;
        } else if (!ap_cstr_casecmp(argv[i], "any")) {
            origins->any = true;
        } else if (!ap_cstr_casecmp(argv[i], "none-ok")) {
            origins->none_ok = true;
        } else {
            const char *why = aw_ws_origin_check(aw_span(argv[i]));

            if (why) {
                return apr_psprintf(cmd->pool,
                                    "%s: \"%s\": %s; allowed are same, any, none-ok, and origins "
                                    "(https://host[:port], https://*.example.com)",
                                    cmd->cmd->name, authws_word_quoted(cmd->pool, argv[i]), why);
            }
            list[origins->count++] = aw_span(argv[i]);
        }
    }
    origins->list = list;
    authws_ws_dir_get(cmd->pool, config)->origins = origins;
    return NULL;
}

static bool is_token(const char *word)
{
    const char *at = word;

    while (aw_is_tchar((unsigned char)*at)) {
        at++;
    }
    return at != word && *at == '\0';
}

const char *authws_ws_set_protocol(cmd_parms *cmd, void *config, int argc, char *const argv[])
{
    authws_protocols_t *protocols =
        apr_pcalloc(cmd->pool, sizeof(*protocols) + (size_t)argc * sizeof(protocols->list[0]));

    if (argc == 0) {
        return authws_word_missing(cmd, "names of subprotocols, or None");
    }
    for (int i = 0; i < argc && (argc > 1 || ap_cstr_casecmp(argv[0], "None")); i++) {
        if (!is_token(argv[i])) {
            return apr_psprintf(cmd->pool,
                                "%s: \"%s\" cannot be a subprotocol; allowed are letters, digits "
                                "and !#$%%&'*+-.^_`|~",
                                cmd->cmd->name, authws_word_quoted(cmd->pool, argv[i]));
        }
        for (size_t k = 0; k < protocols->count; k++) {
            if (aw_span_equal(protocols->list[k], aw_span(argv[i]))) {
                return apr_psprintf(cmd->pool, "%s: \"%s\" is given twice", cmd->cmd->name,
                                    argv[i]);
            }
        }
        protocols->list[protocols->count++] = aw_span(argv[i]);
    }
    authws_ws_dir_get(cmd->pool, config)->protocols = protocols;
    return NULL;
}

const char *authws_ws_set_max_message(cmd_parms *cmd, void *config, const char *word)
{
    return authws_word_size(&authws_ws_dir_get(cmd->pool, config)->max_message, cmd, word, 1,
                            MESSAGE_MAX, "1 to 1G");
}

const char *authws_ws_set_max_frame(cmd_parms *cmd, void *config, const char *word)
{
    return authws_word_size(&authws_ws_dir_get(cmd->pool, config)->max_frame, cmd, word,
                            AW_WS_CONTROL_MAX, MESSAGE_MAX, "125 to 1G");
}

const char *authws_ws_set_ping(cmd_parms *cmd, void *config, int argc, char *const argv[])
{
    static const char range[] = "1s to 24h";
    static const char form[] = "an interval and a timeout (30s 20s), or Off";
    const apr_interval_time_t most = apr_time_from_sec(24 * 3600);
    authws_ping_t *ping = apr_pcalloc(cmd->pool, sizeof(*ping));
    const char *error = NULL;

    if (argc == 0) {
        return authws_word_missing(cmd, form);
    }
    if (argc > 2) {
        return apr_psprintf(cmd->pool, "%s: \"%s\" is too much; write %s", cmd->cmd->name,
                            authws_word_quoted(cmd->pool, argv[2]), form);
    }
    ping->timeout = AUTHWS_WS_PING_TIMEOUT;
    if (argc > 1 || ap_cstr_casecmp(argv[0], "Off")) {
        error = authws_word_time(&ping->interval, cmd, argv[0], apr_time_from_sec(1), most, range);
        if (!error && argc > 1) {
            error =
                authws_word_time(&ping->timeout, cmd, argv[1], apr_time_from_sec(1), most, range);
        }
    }
    authws_ws_dir_get(cmd->pool, config)->ping = ping;
    return error;
}

/* A word of AuthWSDeflate with a value: level=, window=, min=. */
static const char *set_deflate_value(cmd_parms *cmd, aw_ws_deflate_policy_t *policy,
                                     const char *word)
{
    static const char form[] = "On, Off, level=1..9, window=9..15, no-context-takeover, min=bytes";
    const char *value = strchr(word, '=');
    const size_t len = value ? (size_t)(value - word) : 0;
    const aw_span_t name = {word, len};
    const char *error = NULL;
    apr_off_t size;
    int number = 0;

    if (aw_span_equal_nocase(name, AW_SPAN_LIT("level"))) {
        error = authws_word_number(&number, cmd, value + 1, 1, 9);
        policy->level = (unsigned char)number;
    } else if (aw_span_equal_nocase(name, AW_SPAN_LIT("window"))) {
        error = authws_word_number(&number, cmd, value + 1, 9, 15);
        policy->window = (unsigned char)number;
    } else if (aw_span_equal_nocase(name, AW_SPAN_LIT("min"))) {
        error = authws_word_size(&size, cmd, value + 1, 0, MESSAGE_MAX, "0 to 1G");
        if (!error) {
            policy->min = (uint32_t)size;
        }
    } else {
        error = apr_psprintf(cmd->pool, "%s: \"%s\" is not known; allowed are %s", cmd->cmd->name,
                             authws_word_quoted(cmd->pool, word), form);
    }
    return error;
}

const char *authws_ws_set_deflate(cmd_parms *cmd, void *config, int argc, char *const argv[])
{
    static const aw_ws_deflate_policy_t initial = AUTHWS_WS_DEFLATE_DEFAULT;
    aw_ws_deflate_policy_t *policy = apr_pmemdup(cmd->pool, &initial, sizeof(initial));
    const char *error = NULL;

    if (argc == 0) {
        return authws_word_missing(
            cmd, "On, Off, level=1..9, window=9..15, no-context-takeover, min=bytes");
    }
    for (int i = 0; i < argc && !error; i++) {
        if (!ap_cstr_casecmp(argv[i], "On")) {
            policy->on = true;
        } else if (!ap_cstr_casecmp(argv[i], "Off")) {
            policy->on = false;
            if (argc > 1) {
                error =
                    apr_psprintf(cmd->pool, "%s: Off stands alone, not with \"%s\"", cmd->cmd->name,
                                 authws_word_quoted(cmd->pool, argv[i == 0 ? 1 : 0]));
            }
        } else if (!ap_cstr_casecmp(argv[i], "no-context-takeover")) {
            policy->no_context_takeover = true;
        } else {
            error = set_deflate_value(cmd, policy, argv[i]);
        }
    }
    authws_ws_dir_get(cmd->pool, config)->deflate = policy;
    return error;
}

const char *authws_ws_set_send_buffer(cmd_parms *cmd, void *config, const char *word)
{
    return authws_word_size(&authws_ws_dir_get(cmd->pool, config)->send_buffer, cmd, word,
                            (apr_off_t)4 * 1024, MESSAGE_MAX, "4K to 1G");
}

const char *authws_ws_set_user_connections(cmd_parms *cmd, void *config, const char *word)
{
    authws_ws_dir_t *dir = authws_ws_dir_get(cmd->pool, config);

    if (!ap_cstr_casecmp(word, "Off")) {
        dir->user_connections = 0;
        return NULL;
    }
    return authws_word_number(&dir->user_connections, cmd, word, 1, 65535);
}

const char *authws_ws_set_reactor_threads(cmd_parms *cmd, void *config, const char *word)
{
    authws_server_t *server = ap_get_module_config(cmd->server->module_config, &authws_module);
    const char *error = ap_check_cmd_context(cmd, NOT_IN_DIR_LOC_FILE);
    int threads = 0;

    (void)config;
    if (!error) {
        error = authws_word_number(&threads, cmd, word, 1, 64);
    }
    if (!error) {
        server->reactor_threads = (unsigned)threads;
    }
    return error;
}

const char *authws_ws_set_drain_timeout(cmd_parms *cmd, void *config, const char *word)
{
    authws_server_t *server = ap_get_module_config(cmd->server->module_config, &authws_module);
    const char *error = ap_check_cmd_context(cmd, NOT_IN_DIR_LOC_FILE);

    (void)config;
    return error ? error
                 : authws_word_time(&server->drain_timeout, cmd, word, apr_time_from_sec(1),
                                    apr_time_from_sec(3600), "1s to 1h");
}
