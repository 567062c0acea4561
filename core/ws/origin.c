/* Origins taken apart and compared: the list of a location, and the field of a request.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ws/origin.h"

#include <arpa/inet.h>
#include <stdint.h>

/* Longest host name (RFC 1035), and room for a literal address without its brackets. */
enum { HOST_MAX = 255, ADDRESS_MAX = INET6_ADDRSTRLEN };

typedef struct origin_t {
    aw_span_t scheme;
    aw_span_t host; /* an IPv6 address with its brackets */
    unsigned port;  /* 0: the scheme has no default and none is named */
} origin_t;

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The bytes of "[address]". */
static bool address(struct in6_addr *out, aw_span_t host)
{
    char text[ADDRESS_MAX];

    if (host.len < 4 || host.len - 2 >= sizeof text || host.ptr[0] != '[' ||
        host.ptr[host.len - 1] != ']') {
        return false;
    }
    memcpy(text, host.ptr + 1, host.len - 2);
    text[host.len - 2] = '\0';
    /* A NUL within would end the text early. */
    return strlen(text) == host.len - 2 && inet_pton(AF_INET6, text, out) == 1;
}

/* Letters, digits, hyphens, underscores, and single dots behind labels. What is outside ASCII
 * stands in an origin in its xn-- form. */
static bool is_name(aw_span_t host)
{
    char before = '.';

    if (host.len == 0 || host.len > HOST_MAX) {
        return false;
    }
    for (size_t i = 0; i < host.len; i++) {
        const char c = host.ptr[i];
        if (c == '.' ? before == '.' : !is_alpha(c) && !is_digit(c) && c != '-' && c != '_') {
            return false;
        }
        before = c;
    }
    return true;
}

static bool is_scheme(aw_span_t scheme)
{
    if (scheme.len == 0 || !is_alpha(scheme.ptr[0])) {
        return false;
    }
    for (size_t i = 1; i < scheme.len; i++) {
        const char c = scheme.ptr[i];
        if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '-' && c != '.') {
            return false;
        }
    }
    return true;
}

static unsigned default_port(aw_span_t scheme)
{
    static const struct {
        aw_span_t scheme;
        unsigned port;
    } known[] = {{{"http", 4}, 80}, {{"https", 5}, 443}, {{"ws", 2}, 80}, {{"wss", 3}, 443}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (aw_span_equal_nocase(scheme, known[i].scheme)) {
            return known[i].port;
        }
    }
    return 0;
}

/* 1 to 65535. */
static bool parse_port(unsigned *port, aw_span_t s)
{
    unsigned n = 0;

    if (s.len == 0 || s.len > 5) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.ptr[i])) {
            return false;
        }
        n = n * 10 + (unsigned)(s.ptr[i] - '0');
    }
    *port = n;
    return n >= 1 && n <= UINT16_MAX;
}

/* Divides host[:port]; the host is not judged, the port stays what it was when there is none.
 * NULL, or what is wrong. */
static const char *split_authority(origin_t *out, aw_span_t authority)
{
    const char *end = authority.ptr + authority.len;
    const char *colon = NULL;

    if (authority.len > 0 && authority.ptr[0] == '[') {
        const char *bracket = memchr(authority.ptr, ']', authority.len);
        if (bracket == NULL) {
            return "an IPv6 address without its closing bracket";
        }
        if (bracket + 1 < end) {
            colon = bracket + 1;
        }
    } else if (authority.len > 0) {
        colon = memchr(authority.ptr, ':', authority.len);
    }
    out->host = authority;
    if (colon == NULL) {
        return NULL;
    }
    out->host.len = (size_t)(colon - authority.ptr);
    if (*colon != ':' ||
        !parse_port(&out->port, (aw_span_t){colon + 1, (size_t)(end - colon - 1)})) {
        return "a port is a number from 1 to 65535";
    }
    return NULL;
}

/* NULL, or what is wrong. `wild`: a "*." may lead the host; it stays in out->host. */
static const char *parse(origin_t *out, aw_span_t word, bool wild)
{
    const char *colon = word.len > 0 ? memchr(word.ptr, ':', word.len) : NULL;
    const char *end = colon != NULL ? word.ptr + word.len : NULL;
    struct in6_addr bytes;
    aw_span_t name;

    if (colon == NULL || end - colon < 3 || colon[1] != '/' || colon[2] != '/') {
        return "an origin is scheme://host or scheme://host:port";
    }
    out->scheme = (aw_span_t){word.ptr, (size_t)(colon - word.ptr)};
    if (!is_scheme(out->scheme)) {
        return "a scheme is letters and digits, as in https";
    }
    const aw_span_t authority = {colon + 3, (size_t)(end - colon - 3)};
    if (authority.len > 0 && memchr(authority.ptr, '@', authority.len) != NULL) {
        return "an origin has no user name";
    }
    if (authority.len > 0 && (memchr(authority.ptr, '/', authority.len) != NULL ||
                              memchr(authority.ptr, '?', authority.len) != NULL ||
                              memchr(authority.ptr, '#', authority.len) != NULL)) {
        return "an origin has no path, not even a slash behind the host";
    }
    out->port = default_port(out->scheme);
    const char *wrong = split_authority(out, authority);
    if (wrong != NULL) {
        return wrong;
    }
    name = out->host;
    if (wild && name.len > 2 && name.ptr[0] == '*' && name.ptr[1] == '.') {
        name.ptr += 2;
        name.len -= 2;
    }
    if (name.len > 0 && name.ptr[0] == '[') {
        return address(&bytes, out->host) ? NULL : "not an IPv6 address";
    }
    return is_name(name) ? NULL : "not a host name";
}

/* `rule` may begin with "*.". */
static bool host_matches(aw_span_t rule, aw_span_t host)
{
    struct in6_addr a, b;

    if (rule.len > 2 && rule.ptr[0] == '*') {
        const aw_span_t tail = {rule.ptr + 1, rule.len - 1};
        return host.len > tail.len && host.ptr[0] != '[' &&
               aw_span_equal_nocase((aw_span_t){host.ptr + (host.len - tail.len), tail.len}, tail);
    }
    if (address(&a, rule)) {
        /* One address has many spellings. */
        return address(&b, host) && memcmp(&a, &b, sizeof a) == 0;
    }
    return aw_span_equal_nocase(rule, host);
}

static bool matches(const origin_t *rule, const origin_t *origin)
{
    return aw_span_equal_nocase(rule->scheme, origin->scheme) && rule->port == origin->port &&
           host_matches(rule->host, origin->host);
}

static bool is_same(const origin_t *origin, aw_span_t host, bool tls)
{
    origin_t own = {.scheme = tls ? AW_SPAN_LIT("https") : AW_SPAN_LIT("http")};
    struct in6_addr bytes;

    own.port = default_port(own.scheme);
    if (host.len == 0 || split_authority(&own, host) != NULL) {
        return false;
    }
    return (is_name(own.host) || address(&bytes, own.host)) && matches(&own, origin);
}

const char *aw_ws_origin_check(aw_span_t word)
{
    origin_t origin;

    return parse(&origin, word, true);
}

bool aw_ws_origin_allowed(const aw_ws_origins_t *origins, aw_span_t origin, aw_span_t host,
                          bool tls)
{
    origin_t theirs, rule;

    if (origins->any) {
        return true;
    }
    if (origin.ptr == NULL) {
        return origins->none_ok;
    }
    if (parse(&theirs, origin, false) != NULL) {
        return false;
    }
    if (origins->same && is_same(&theirs, host, tls)) {
        return true;
    }
    for (size_t i = 0; i < origins->count; i++) {
        if (parse(&rule, origins->list[i], true) == NULL && matches(&rule, &theirs)) {
            return true;
        }
    }
    return false;
}
