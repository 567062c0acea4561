/* Tests of origins: the words of a list, and which requests they let through.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include "ws/origin.h"

static const char *const good[] = {
    "https://portal.example.com", "HTTPS://Portal.Example.COM", "http://localhost:8080",
    "https://*.example.com",      "https://*.example.com:444",  "http://192.0.2.1",
    "https://[2001:db8::1]",      "https://[::1]:8443",         "http://[::ffff:192.0.2.1]",
    "chrome-extension://abcdef",  "https://a_b.example.com.",   "http://h:65535",
};

static const char *const wrong[] = {
    "",
    "null",
    "portal.example.com",
    "https:portal.example.com",
    "https:/portal.example.com",
    "https://",
    "://host",
    "1http://host",
    "ht tp://host",
    "https://me@host",
    "https://me:pw@host",
    "https://host/",
    "https://host/path",
    "https://host?x",
    "https://host#",
    "https://host:",
    "https://host:0",
    "https://host:65536",
    "https://host:123456",
    "https://host:8a",
    "https://host:+80",
    "https://*",
    "https://*.",
    "https://*example.com",
    "https:"
    "//a.*.example.com",
    "https://*.[::1]",
    "https://.example.com",
    "https:"
    "//h..h",
    "https://[::1",
    "https://[]",
    "https://[::1]x",
    "https://[::1]:",
    "https://[::g]",
    "https://[1.2.3.4]",
    "https://::1",
    "https://[fe80::1%25eth0]",
    "https://h\xc3\xb6st",
    "https://a b",
    "https://a,b",
    " https://host",
    "https://host ",
    "https://host\\x",
    "https://a https://b",
    "*",
};

static void test_check(void)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const aw_span_t word = unit_guard(good[i], strlen(good[i]));
        const char *why = aw_ws_origin_check(word);
        CU_ASSERT_PTR_NULL(why);
        unit_guard_free(word);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const aw_span_t word = unit_guard(wrong[i], strlen(wrong[i]));
        CU_ASSERT_PTR_NOT_NULL(aw_ws_origin_check(word));
        unit_guard_free(word);
    }
    CU_ASSERT_PTR_NOT_NULL(aw_ws_origin_check((aw_span_t){"https://[::1\0]", 14}));
    CU_ASSERT_PTR_NOT_NULL(aw_ws_origin_check((aw_span_t){"https://host\0", 13}));
    CU_ASSERT_PTR_NOT_NULL(aw_ws_origin_check((aw_span_t){NULL, 0}));
}

/* Whether a list of one word lets an origin through; both end at a guard page. */
static bool allows(const char *word, const char *origin)
{
    const aw_span_t rule = unit_guard(word, strlen(word));
    const aw_span_t field = unit_guard(origin, strlen(origin));
    const aw_ws_origins_t origins = {.count = 1, .list = &rule};
    const bool out = aw_ws_origin_allowed(&origins, field, AW_SPAN_LIT("server"), true);

    unit_guard_free(field);
    unit_guard_free(rule);
    return out;
}

static void test_list(void)
{
    CU_ASSERT(allows("https://a.example", "https://a.example"));
    CU_ASSERT(allows("https://a.example", "HTTPS://A.Example"));
    CU_ASSERT(allows("https://a.example", "https://a.example:443"));
    CU_ASSERT(allows("https://a.example:443", "https://a.example"));
    CU_ASSERT(allows("http://a.example:80", "http://a.example"));
    CU_ASSERT(allows("https://a.example:8443", "https://a.example:8443"));
    CU_ASSERT(allows("app://inner", "app://inner"));
    CU_ASSERT(!allows("https://a.example", "http://a.example"));
    CU_ASSERT(!allows("https://a.example", "http://a.example:443"));
    CU_ASSERT(!allows("https://a.example", "https://a.example:8443"));
    CU_ASSERT(!allows("https://a.example", "https://a.example.test"));
    CU_ASSERT(!allows("https://a.example", "https://b-a.example"));
    CU_ASSERT(!allows("https://a.example", "https://b.a.example"));
    CU_ASSERT(!allows("https://a.example", "https://a.example@other"));
    CU_ASSERT(!allows("https://a.example", "https://a.example/"));
    CU_ASSERT(!allows("https://a.example", "https://a.example https://other"));
    CU_ASSERT(!allows("https://a.example", "null"));
    CU_ASSERT(!allows("https://a.example", ""));
    CU_ASSERT(!allows("app://inner", "app://inner:1"));
}

static void test_wild(void)
{
    CU_ASSERT(allows("https://*.example.com", "https://a.example.com"));
    CU_ASSERT(allows("https://*.EXAMPLE.com", "https://b.A.example.com:443"));
    CU_ASSERT(!allows("https://*.example.com", "https://example.com"));
    CU_ASSERT(!allows("https://*.example.com", "https://.example.com"));
    CU_ASSERT(!allows("https://*.example.com", "https:"
                                               "//wwwexample.com"));
    CU_ASSERT(!allows("https://*.example.com", "https://a.example.com.test"));
    CU_ASSERT(!allows("https://*.example.com", "https://a.example.com:444"));
    CU_ASSERT(!allows("https://*.example.com", "https://*.example.com"));
    CU_ASSERT(!allows("https://a.example.com", "https://*.example.com"));
}

static void test_addresses(void)
{
    CU_ASSERT(allows("https://[2001:db8::1]", "https://[2001:DB8:0:0:0:0:0:1]"));
    CU_ASSERT(allows("https://[::1]:444", "https://[::1]:444"));
    CU_ASSERT(allows("http://192.0.2.1", "http://192.0.2.1:80"));
    CU_ASSERT(!allows("https://[::1]", "https://[::2]"));
    CU_ASSERT(!allows("https://[::1]", "https://[::1]:444"));
    CU_ASSERT(!allows("https://[::1]", "https://::1"));
    CU_ASSERT(!allows("https://*.1", "https://[::1]"));
}

static bool same(const char *origin, const char *host, bool tls)
{
    const aw_ws_origins_t origins = {.same = true};
    const aw_span_t field = unit_guard(origin, strlen(origin));
    const aw_span_t authority = unit_guard(host, strlen(host));
    const bool out = aw_ws_origin_allowed(&origins, field, authority, tls);

    unit_guard_free(authority);
    unit_guard_free(field);
    return out;
}

static void test_same(void)
{
    CU_ASSERT(same("https://www.example.com", "www.example.com", true));
    CU_ASSERT(same("https://www.example.com", "WWW.example.com:443", true));
    CU_ASSERT(same("http://www.example.com:8080", "www.example.com:8080", false));
    CU_ASSERT(same("http://[::1]:8080", "[0::1]:8080", false));
    CU_ASSERT(!same("http://www.example.com", "www.example.com", true));
    CU_ASSERT(!same("https://www.example.com", "www.example.com", false));
    CU_ASSERT(!same("https://www.example.com", "www.example.com:8443", true));
    CU_ASSERT(!same("https://other.example", "www.example.com", true));
    CU_ASSERT(!same("https://www.example.com", "*.example.com", true));
    CU_ASSERT(!same("https://www.example.com", "", true));
    CU_ASSERT(!same("https://www.example.com", "www.example.com:x", true));
    CU_ASSERT(!same("https://www.example.com", "user@www.example.com", true));
    CU_ASSERT(!same("null", "null", true));
}

static void test_flags(void)
{
    const aw_span_t none = {NULL, 0}, null = AW_SPAN_LIT("null"), host = AW_SPAN_LIT("h");
    aw_ws_origins_t origins = {.any = true};

    CU_ASSERT(aw_ws_origin_allowed(&origins, null, host, true));
    CU_ASSERT(aw_ws_origin_allowed(&origins, none, host, true));
    CU_ASSERT(aw_ws_origin_allowed(&origins, AW_SPAN_LIT("https://other"), host, true));
    origins = (aw_ws_origins_t){.same = true};
    CU_ASSERT(!aw_ws_origin_allowed(&origins, none, host, true));
    CU_ASSERT(!aw_ws_origin_allowed(&origins, null, host, true));
    origins = (aw_ws_origins_t){.same = true, .none_ok = true};
    CU_ASSERT(aw_ws_origin_allowed(&origins, none, host, true));
    CU_ASSERT(!aw_ws_origin_allowed(&origins, (aw_span_t){"", 0}, host, true));
    CU_ASSERT(!aw_ws_origin_allowed(&origins, AW_SPAN_LIT("https://other"), host, true));
    CU_ASSERT(aw_ws_origin_allowed(&origins, AW_SPAN_LIT("https://h"), host, true));
}

static const unit_test_t tests[] = {
    {"a word of the list is scheme://host[:port] and nothing more", test_check},
    {"an origin in the list passes, one that looks like it does not", test_list},
    {"a wildcard stands for one or more labels", test_wild},
    {"addresses are compared, not their spelling", test_addresses},
    {"same is scheme, host and port of the request", test_same},
    {"any, none-ok and null", test_flags},
    {NULL, NULL}};
const unit_suite_t ws_origin_suite = {"ws_origin", tests};
