/* URLs of WebSockets and proxies: ws, wss, http and https.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ws_url.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    bool tls;
} schemes[] = {{"ws://", false}, {"wss://", true}, {"http://", false}, {"https://", true}};

/* Divides host[:port]; *port is NULL without one. */
static const char *split_authority(const char *authority, const char **host, const char **port,
                                   apr_pool_t *p)
{
    const char *colon;

    if (authority[0] == '[') {
        const char *end = strchr(authority, ']');

        if (!end) {
            return "the bracket of the address is not closed";
        }
        if (end[1] != '\0' && end[1] != ':') {
            return "behind the address only a port may stand";
        }
        *host = apr_pstrmemdup(p, authority + 1, (apr_size_t)(end - authority - 1));
        colon = end[1] == ':' ? end + 1 : NULL;
    } else {
        colon = strchr(authority, ':');
        *host = colon ? apr_pstrmemdup(p, authority, (apr_size_t)(colon - authority)) : authority;
    }
    if (**host == '\0') {
        return "there is no host";
    }
    *port = colon ? colon + 1 : NULL;
    if (*port) {
        char *end = NULL;
        const unsigned long number = strtoul(*port, &end, 10);

        if (**port < '0' || **port > '9' || *end != '\0' || number < 1 || number > 65535) {
            return "the port is not a number from 1 to 65535";
        }
    }
    return NULL;
}

const char *ws_url_parse(ws_url_t *url, const char *text, apr_pool_t *p)
{
    const char *host = NULL, *port = NULL;
    size_t scheme = 0;

    while (scheme < sizeof(schemes) / sizeof(schemes[0]) &&
           strncasecmp(text, schemes[scheme].name, strlen(schemes[scheme].name)) != 0) {
        scheme++;
    }
    if (scheme == sizeof(schemes) / sizeof(schemes[0])) {
        return "it begins with none of ws://, wss://, http:// and https://";
    }
    for (const char *at = text; *at != '\0'; at++) {
        if (*at <= ' ' || *at == 0x7f) {
            return "there is white space or a control character in it";
        }
    }
    if (strchr(text, '#')) {
        return "a WebSocket has no fragment (\"#\")";
    }
    const char *rest = text + strlen(schemes[scheme].name);
    const size_t authority_len = strcspn(rest, "/?");
    const char *authority = apr_pstrmemdup(p, rest, authority_len);

    if (strchr(authority, '@')) {
        return "no user in the URL: there are options for it";
    }
    const char *wrong = split_authority(authority, &host, &port, p);

    if (wrong) {
        return wrong;
    }
    const char *usual = schemes[scheme].tls ? "443" : "80";
    const char *bracketed = strchr(host, ':') ? apr_psprintf(p, "[%s]", host) : host;

    rest += authority_len;
    url->tls = schemes[scheme].tls;
    url->host = host;
    url->port = port ? port : usual;
    url->endpoint = apr_psprintf(p, "%s:%s", bracketed, url->port);
    url->authority = strcmp(url->port, usual) == 0 ? bracketed : url->endpoint;
    url->target = *rest == '/' ? rest : apr_pstrcat(p, "/", rest, NULL);
    return NULL;
}
