/* URLs of WebSockets and proxies: ws, wss, http and https.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_TOOLS_WS_URL_H
#define AUTHWS_TOOLS_WS_URL_H

#include <apr_pools.h>
#include <stdbool.h>

typedef struct ws_url_t {
    bool tls;
    const char *host;      /* without the brackets of an IPv6 address */
    const char *port;      /* digits */
    const char *authority; /* for a Host field: without the scheme's own port */
    const char *endpoint;  /* host:port, always with the port: for CONNECT */
    const char *target;    /* path and query, "/" at least */
} ws_url_t;

/* Takes `text` apart, in `p`: NULL, or a static phrase that says what is wrong. User information
 * is refused (passwords do not belong into arguments), a fragment too (RFC 6455 section 3). */
const char *ws_url_parse(ws_url_t *url, const char *text, apr_pool_t *p);

#endif
