/* The protection space (domain of a Digest challenge, RFC 7616 3.3) from AuthWSDomain's words.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "domain.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>

#include "base/text.h"

typedef enum word_e { WORD_PATH, WORD_URI, WORD_AUTHORITY, WORD_WRONG } word_e;

/* Printable ASCII without what would end the quoted-string, or the list that stands in it. */
static bool is_plain(const char *word)
{
    for (; *word; word++) {
        if (*word <= ' ' || *word > '~' || *word == '"' || *word == '\\') {
            return false;
        }
    }
    return true;
}

/* Whether the port, if there is one, is one: apr_uri_parse takes any number. */
static bool is_port(const apr_uri_t *uri)
{
    apr_int64_t port;
    char *end;

    if (!uri->port_str) {
        return true;
    }
    port = apr_strtoi64(uri->port_str, &end, 10);
    return uri->port_str[0] && *end == '\0' && port > 0 && port <= 65535;
}

/* host or host:port, and nothing more. */
static bool is_authority(const char *word, apr_pool_t *p)
{
    apr_uri_t uri;

    return !strpbrk(word, "/?#@") &&
           apr_uri_parse(p, apr_pstrcat(p, "http://", word, "/", NULL), &uri) == APR_SUCCESS &&
           uri.hostname && uri.hostname[0] && is_port(&uri);
}

static word_e classify(const char *word, apr_pool_t *p)
{
    if (!is_plain(word)) {
        return WORD_WRONG;
    }
    if (word[0] == '/') {
        return word[1] == '/' ? WORD_WRONG : WORD_PATH;
    }
    const char *separator = strstr(word, "://");
    if (separator) {
        apr_uri_t uri;
        const bool web = !strncasecmp(word, "http:", 5) || !strncasecmp(word, "https:", 6);

        return web && apr_uri_parse(p, word, &uri) == APR_SUCCESS && uri.hostname &&
                       uri.hostname[0] && is_port(&uri)
                   ? WORD_URI
                   : WORD_WRONG;
    }
    return is_authority(word, p) ? WORD_AUTHORITY : WORD_WRONG;
}

/* The authorities combined with the paths, under one scheme, behind what stands alone. */
static const char *combine(apr_pool_t *p, const char *scheme, const apr_array_header_t *alone,
                           const apr_array_header_t *paths, const apr_array_header_t *authorities)
{
    apr_array_header_t *all = apr_array_copy(p, alone);

    for (int a = 0; a < authorities->nelts; a++) {
        const char *authority = APR_ARRAY_IDX(authorities, a, const char *);

        for (int i = 0; i < paths->nelts; i++) {
            APR_ARRAY_PUSH(all, const char *) = apr_pstrcat(
                p, scheme, "://", authority, APR_ARRAY_IDX(paths, i, const char *), NULL);
        }
        if (paths->nelts == 0) {
            APR_ARRAY_PUSH(all, const char *) = apr_pstrcat(p, scheme, "://", authority, "/", NULL);
        }
    }
    return apr_array_pstrcat(p, all, ' ');
}

const authws_domain_t *authws_domain_parse(const char **error, apr_pool_t *p, int argc,
                                           char *const argv[])
{
    apr_array_header_t *alone = apr_array_make(p, argc, sizeof(const char *));
    apr_array_header_t *paths = apr_array_make(p, argc, sizeof(const char *));
    apr_array_header_t *authorities = apr_array_make(p, argc, sizeof(const char *));
    authws_domain_t *domain = apr_palloc(p, sizeof(*domain));

    for (int i = 0; i < argc; i++) {
        char shown[264];

        switch (classify(argv[i], p)) {
        case WORD_PATH:
            APR_ARRAY_PUSH(paths, const char *) = argv[i];
            APR_ARRAY_PUSH(alone, const char *) = argv[i];
            break;
        case WORD_URI:
            APR_ARRAY_PUSH(alone, const char *) = argv[i];
            break;
        case WORD_AUTHORITY:
            APR_ARRAY_PUSH(authorities, const char *) = argv[i];
            break;
        case WORD_WRONG:
            *error = apr_psprintf(p,
                                  "\"%s\" is not part of a protection space; allowed are paths "
                                  "(/intranet), http or https URIs (https://host/path) and "
                                  "authorities (host or host:port)",
                                  aw_text_escape(shown, sizeof(shown), aw_span(argv[i])));
            return NULL;
        }
    }
    domain->http = combine(p, "http", alone, paths, authorities);
    domain->https = combine(p, "https", alone, paths, authorities);
    return domain;
}
