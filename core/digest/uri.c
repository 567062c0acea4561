/* Comparison of a Digest uri parameter with the request target, in the forms that clients send.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "digest/uri.h"

/* A URI in absolute form, taken apart. */
typedef struct absolute_t {
    aw_span_t scheme;
    aw_span_t authority;
    aw_span_t path; /* with the query; may be empty */
} absolute_t;

static aw_span_t from(aw_span_t s, size_t offset)
{
    return (aw_span_t){s.ptr + offset, s.len - offset};
}

static bool absolute_parse(absolute_t *out, aw_span_t uri)
{
    static const aw_span_t schemes[] = {
        {"http", 4}, {"https", 5}, {"ws", 2}, {"wss", 3}, {"ftp", 3}};
    const char *colon = uri.len > 0 ? memchr(uri.ptr, ':', uri.len) : NULL;

    if (colon == NULL) {
        return false;
    }
    out->scheme = (aw_span_t){uri.ptr, (size_t)(colon - uri.ptr)};
    const aw_span_t rest = from(uri, out->scheme.len + 1);
    if (rest.len < 3 || rest.ptr[0] != '/' || rest.ptr[1] != '/') {
        return false;
    }
    size_t end = 2;
    while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?') {
        end++;
    }
    out->authority = (aw_span_t){rest.ptr + 2, end - 2};
    out->path = from(rest, end);
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (aw_span_equal_nocase(out->scheme, schemes[i])) {
            return out->authority.len > 0;
        }
    }
    return false;
}

/* The authority without an empty port, or the scheme's default one. */
static aw_span_t without_port(aw_span_t authority, aw_span_t scheme)
{
    static const struct {
        aw_span_t scheme, port;
    } defaults[] = {{{"http", 4}, {"80", 2}},
                    {{"https", 5}, {"443", 3}},
                    {{"ws", 2}, {"80", 2}},
                    {{"wss", 3}, {"443", 3}},
                    {{"ftp", 3}, {"21", 2}}};
    size_t colon = authority.len;

    /* From behind, and not into the brackets of an IPv6 address. */
    while (colon > 0 && authority.ptr[colon - 1] != ':' && authority.ptr[colon - 1] != ']') {
        colon--;
    }
    if (colon == 0 || authority.ptr[colon - 1] != ':') {
        return authority;
    }
    const aw_span_t port = from(authority, colon), host = {authority.ptr, colon - 1};
    if (port.len == 0) {
        return host;
    }
    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        if (aw_span_equal_nocase(scheme, defaults[i].scheme) &&
            aw_span_equal(port, defaults[i].port)) {
            return host;
        }
    }
    return authority;
}

/* Equal to the byte, an empty path being "/" (RFC 9110 section 4.2.3). Neither holds anything
 * but a path and a query: what does not start with '/' starts with '?'. */
static bool path_equal(aw_span_t a, aw_span_t b)
{
    if (a.len > 0 && a.ptr[0] == '/') {
        a = from(a, 1);
    }
    if (b.len > 0 && b.ptr[0] == '/') {
        b = from(b, 1);
    }
    return aw_span_equal(a, b);
}

bool aw_digest_uri_matches(aw_span_t uri, aw_span_t target, aw_span_t host)
{
    absolute_t a, b;

    if (uri.len == 0) {
        return false;
    }
    if (aw_span_equal(uri, target)) {
        return true;
    }
    const bool uri_absolute = absolute_parse(&a, uri), target_absolute = absolute_parse(&b, target);
    if (uri.ptr[0] == '/') {
        return target_absolute && path_equal(uri, b.path);
    }
    if (!uri_absolute) {
        return false;
    }
    if (target_absolute) {
        return aw_span_equal_nocase(a.scheme, b.scheme) &&
               aw_span_equal_nocase(without_port(a.authority, a.scheme),
                                    without_port(b.authority, b.scheme)) &&
               path_equal(a.path, b.path);
    }
    return target.len > 0 && target.ptr[0] == '/' && host.len > 0 &&
           aw_span_equal_nocase(without_port(a.authority, a.scheme),
                                without_port(host, a.scheme)) &&
           path_equal(a.path, target);
}
