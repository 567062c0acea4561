/* The options that say whom to call and as whom, of `authws connect` and `authws bench ws`.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dial_options.h"

#include <apr_strings.h>
#include <apr_tables.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

#include "authws.h"
#include "base/text.h"

static int usage(const char *fmt, const char *word)
{
    complain(fmt, word);
    fputs("(--help says more)\n", stderr);
    return EXIT_USAGE;
}

void dial_options_begin(dial_raw_t *raw, dial_options_t *dial, apr_pool_t *p)
{
    *dial = (dial_options_t){.timeout_ms = 10000};
    dial->deflate = (aw_ws_deflate_policy_t){.on = true, .level = 6, .window = 15};
    *raw = (dial_raw_t){.dial = dial, .headers = apr_array_make(p, 4, sizeof(const char *))};
}

int dial_read_seconds(int *ms, const char *option, const char *text)
{
    char *end = NULL;
    const double seconds = strtod(text, &end);

    if (end == text || *end != '\0' || !(seconds >= 0.001) || !(seconds <= 86400)) {
        complain("%s \"%s\" is not a number of seconds, 0.001 to 86400", option, text);
        return EXIT_USAGE;
    }
    *ms = (int)lround(seconds * 1000);
    return EXIT_DONE;
}

int dial_read_number(uint64_t *number, const char *option, const char *text, uint64_t min,
                     uint64_t max)
{
    char *end = NULL;

    errno = 0;
    *number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno || *number < min || *number > max) {
        complain("%s \"%s\" is not a number from %" PRIu64 " to %" PRIu64, option, text, min, max);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

/* A login may be named once. */
static int set_user(dial_user_t *user, dial_login_e login, const char *name)
{
    if (user->login != DIAL_NOBODY) {
        return usage("only one login%s", name ? "" : ": --token and another");
    }
    if (login == DIAL_BASIC && strchr(name, ':')) {
        return usage("\"%s\": Basic cannot carry a user name with a colon", name);
    }
    user->login = login;
    user->name = name;
    return EXIT_DONE;
}

static int add_header(dial_raw_t *raw, const char *line)
{
    const char *colon = strchr(line, ':');

    if (!colon || !aw_is_token((aw_span_t){line, (size_t)(colon - line)}) ||
        strpbrk(line, "\r\n")) {
        return usage("-H \"%s\" is not \"Name: value\"", line);
    }
    *(const char **)apr_array_push(raw->headers) = line;
    return EXIT_DONE;
}

int dial_options_take(dial_raw_t *raw, int option)
{
    dial_options_t *dial = raw->dial;

    switch (option) {
    case DIAL_OPTION_DIGEST:
        return set_user(&dial->user, DIAL_DIGEST, optarg);
    case DIAL_OPTION_BASIC:
        return set_user(&dial->user, DIAL_BASIC, optarg);
    case DIAL_OPTION_TOKEN:
        return set_user(&dial->user, DIAL_TOKEN, NULL);
    case DIAL_OPTION_TOKEN_SCHEME:
        raw->token_scheme = optarg;
        return aw_is_token(aw_span(optarg)) ? EXIT_DONE
                                            : usage("--token-scheme \"%s\" is no token", optarg);
    case DIAL_OPTION_PROXY_DIGEST:
        return set_user(&dial->proxy_user, DIAL_DIGEST, optarg);
    case DIAL_OPTION_PROXY_BASIC:
        return set_user(&dial->proxy_user, DIAL_BASIC, optarg);
    case DIAL_OPTION_CERT:
        raw->cert = optarg;
        return EXIT_DONE;
    case DIAL_OPTION_KEY:
        raw->key = optarg;
        return EXIT_DONE;
    case DIAL_OPTION_CACERT:
        raw->cacert = optarg;
        return EXIT_DONE;
    case DIAL_OPTION_INSECURE:
        raw->insecure = true;
        return EXIT_DONE;
    case DIAL_OPTION_PROXY:
        raw->proxy = optarg;
        return EXIT_DONE;
    case 'H':
        return add_header(raw, optarg);
    case DIAL_OPTION_PROTOCOL:
        dial->protocol = optarg;
        return strpbrk(optarg, "\r\n") ? usage("--protocol \"%s\" is no list", optarg) : EXIT_DONE;
    case DIAL_OPTION_NO_DEFLATE:
        dial->deflate.on = false;
        return EXIT_DONE;
    case DIAL_OPTION_TIMEOUT:
        return dial_read_seconds(&dial->timeout_ms, "--timeout", optarg);
    case 'i':
        raw->from_stdin = true;
        return EXIT_DONE;
    default:
        return EXIT_USAGE;
    }
}

static apr_status_t free_context(void *data)
{
    SSL_CTX_free(data);
    return APR_SUCCESS;
}

static int tls_wrong(const char *what, const char *file)
{
    const char *why = ERR_reason_error_string(ERR_peek_last_error());

    complain("%s %s: %s", what, file, why ? why : "not usable");
    return EXIT_SYSTEM;
}

static int make_tls(dial_options_t *dial, const dial_raw_t *raw, apr_pool_t *p)
{
    const char *key = raw->key ? raw->key : raw->cert;

    dial->tls = SSL_CTX_new(TLS_client_method());
    if (!dial->tls) {
        complain("OpenSSL cannot be set up");
        return EXIT_SYSTEM;
    }
    apr_pool_cleanup_register(p, dial->tls, free_context, apr_pool_cleanup_null);
    SSL_CTX_set_verify(dial->tls, raw->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (raw->cacert ? SSL_CTX_load_verify_file(dial->tls, raw->cacert) != 1
                    : SSL_CTX_set_default_verify_paths(dial->tls) != 1) {
        return tls_wrong("--cacert", raw->cacert ? raw->cacert : "(the system's)");
    }
    if (raw->cert && SSL_CTX_use_certificate_chain_file(dial->tls, raw->cert) != 1) {
        return tls_wrong("--cert", raw->cert);
    }
    if (raw->cert && (SSL_CTX_use_PrivateKey_file(dial->tls, key, SSL_FILETYPE_PEM) != 1 ||
                      SSL_CTX_check_private_key(dial->tls) != 1)) {
        return tls_wrong("--key", key);
    }
    return EXIT_DONE;
}

static apr_status_t wipe_password(void *data)
{
    password_wipe(data);
    return APR_SUCCESS;
}

static int read_password(dial_user_t *user, bool from_stdin, const char *where, apr_pool_t *p)
{
    static const char *const wrong[] = {
        [PASSWORD_NONE] = "there is none",
        [PASSWORD_EMPTY] = "it is empty",
        [PASSWORD_TOO_LONG] = "it is too long",
        [PASSWORD_NUL] = "there is a NUL byte in it",
        [PASSWORD_NO_TERMINAL] = "there is no terminal to ask on; -i reads standard input",
        [PASSWORD_ERROR] = "it cannot be read",
    };
    const bool token = user->login == DIAL_TOKEN;
    const char *prompt =
        token ? "Token: " : apr_psprintf(p, "Password of %s at the %s: ", user->name, where);

    if (user->login == DIAL_NOBODY) {
        return EXIT_DONE;
    }
    apr_pool_cleanup_register(p, &user->password, wipe_password, apr_pool_cleanup_null);
    const password_e rv = from_stdin ? password_from_stdin(&user->password)
                                     : password_from_terminal(&user->password, prompt, NULL);

    if (rv == PASSWORD_OK) {
        return EXIT_DONE;
    }
    complain("the %s for the %s: %s", token ? "token" : "password", where,
             wrong[rv] ? wrong[rv] : "it cannot be read");
    return rv == PASSWORD_NO_TERMINAL || rv == PASSWORD_ERROR ? EXIT_SYSTEM : EXIT_USAGE;
}

int dial_options_complete(dial_raw_t *raw, const char *text, apr_pool_t *p)
{
    dial_options_t *dial = raw->dial;
    const char *wrong = ws_url_parse(&dial->url, text, p);
    int rv = EXIT_DONE;

    if (wrong) {
        complain("\"%s\": %s", text, wrong);
        return EXIT_USAGE;
    }
    if (raw->proxy) {
        ws_url_t *proxy = apr_pcalloc(p, sizeof(*proxy));

        wrong = ws_url_parse(proxy, raw->proxy, p);
        if (!wrong && proxy->tls) {
            wrong = "a proxy is spoken to in plain HTTP here";
        }
        if (wrong) {
            complain("--proxy \"%s\": %s", raw->proxy, wrong);
            return EXIT_USAGE;
        }
        dial->proxy = proxy;
    }
    if (raw->key && !raw->cert) {
        return usage("--key goes with --cert%s", "");
    }
    if (dial->proxy_user.login != DIAL_NOBODY && !dial->proxy) {
        return usage("a login at the proxy goes with --proxy%s", "");
    }
    if (dial->user.login == DIAL_TOKEN) {
        dial->user.name = raw->token_scheme ? raw->token_scheme : "Bearer";
    }
    dial->headers = (const char *const *)raw->headers->elts;
    dial->headers_count = (size_t)raw->headers->nelts;
    if (dial->url.tls) {
        rv = make_tls(dial, raw, p);
    }
    if (rv == EXIT_DONE) {
        rv = read_password(&dial->user, raw->from_stdin, "server", p);
    }
    if (rv == EXIT_DONE) {
        rv = read_password(&dial->proxy_user, raw->from_stdin, "proxy", p);
    }
    return rv;
}
