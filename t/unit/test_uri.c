/* Tests of comparing a uri parameter with the request target.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include "digest/uri.h"

static void uris_match_in_the_forms_that_clients_send_and_no_other(void)
{
    static const struct {
        const char *uri, *target, *host;
        bool matches;
    } vectors[] = {{"/a?b", "/a?b", "h", true},
                   {"/a?b", "/a?b", "", true},
                   {"/a", "/a?b", "h", false},
                   {"/a?b", "/a", "h", false},
                   {"/A", "/a", "h", false},
                   {"/a%20b", "/a b", "h", false},
                   {"", "", "h", false},
                   {"", "/", "h", false},
                   {"*", "*", "h", true},
                   {"*", "/", "h", false},
                   {"h:443", "h:443", "h:443", true},
                   {"h:443", "h:444", "h:443", false},
                   {"http://h/a?b", "/a?b", "h", true},
                   {"http://H/a?b", "/a?b", "h", true},
                   {"HTTPS://h/a", "/a", "H", true},
                   {"http://h:80/a", "/a", "h", true},
                   {"http://h/a", "/a", "h:80", true},
                   {"http://h:/a", "/a", "h", true},
                   {"https://h:443/a", "/a", "h", true},
                   {"https://h/a", "/a", "h:443", true},
                   {"http://h/a", "/a", "h:443", false},
                   {"http://h:8080/a", "/a", "h:8080", true},
                   {"http://h:8080/a", "/a", "h", false},
                   {"http://[::1]/a", "/a", "[::1]:80", true},
                   {"http://[::1]:81/a", "/a", "[::1]", false},
                   {"http://[::1]/a", "/a", "[::1]", true},
                   {"ws://h/a", "/a", "h:80", true},
                   {"wss://h/a", "/a", "h:443", true},
                   {"http://h", "/", "h", true},
                   {"http://h?b", "/?b", "h", true},
                   {"http://h", "/a", "h", false},
                   {"http://h/a", "/a", "", false},
                   {"http://other/a", "/a", "h", false},
                   {"http://u@h/a", "/a", "h", false},
                   {"http://h/a#f", "/a", "h", false},
                   {"http:///a", "/a", "", false},
                   {"http://", "/", "", false},
                   {"http:/a", "/a", "h", false},
                   {"gopher://h/a", "/a", "h", false},
                   {"//h/a", "/a", "h", false},
                   {"/a", "http://h/a", "x", true},
                   {"/a?b", "http://h:81/a?b", "", true},
                   {"/", "http://h", "h", true},
                   {"/?b", "http://h?b", "h", true},
                   {"/b", "http://h/a", "h", false},
                   {"a", "http://h/a", "h", false},
                   {"http://h/a", "http://h/a", "", true},
                   {"http://H:80/a", "http://h/a", "", true},
                   {"https://h/a", "http://h/a", "h", false},
                   {"http://h/a", "http://h2/a", "h", false},
                   {"http://h/A", "http://h/a", "h", false}};

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const aw_span_t uri = unit_guard(vectors[i].uri, strlen(vectors[i].uri));
        const aw_span_t target = unit_guard(vectors[i].target, strlen(vectors[i].target));
        const aw_span_t host = unit_guard(vectors[i].host, strlen(vectors[i].host));
        CU_ASSERT_EQUAL(aw_digest_uri_matches(uri, target, host), vectors[i].matches);
        unit_guard_free(uri);
        unit_guard_free(target);
        unit_guard_free(host);
    }
    CU_ASSERT_FALSE(
        aw_digest_uri_matches(AW_SPAN_LIT("/a\0b"), AW_SPAN_LIT("/a"), AW_SPAN_LIT("h")));
}

/* Whatever the three are, cut anywhere: nothing outside them is read, and what is no target is
 * no match for its own beginning. */
static void every_truncation_is_compared_inside_its_bytes(void)
{
    static const char *const uris[] = {"http://h:80/a?b", "https://[::1]:443?b", "/a?b", "ws://h:"};
    static const char target[] = "http://h/a?b";

    for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
        for (size_t n = 0; n < strlen(uris[i]); n++) {
            const aw_span_t uri = unit_guard(uris[i], n);
            for (size_t k = 0; k < sizeof(target) - 1; k++) {
                const aw_span_t cut = unit_guard(target, k);
                const aw_span_t whole = aw_span(target);
                (void)aw_digest_uri_matches(uri, cut, cut);
                (void)aw_digest_uri_matches(cut, uri, uri);
                CU_ASSERT_FALSE(aw_digest_uri_matches(cut, whole, whole));
                unit_guard_free(cut);
            }
            unit_guard_free(uri);
        }
    }
}

static const unit_test_t tests[] = {{"uris match in the forms that clients send, and no other",
                                     uris_match_in_the_forms_that_clients_send_and_no_other},
                                    {"every truncation is compared inside its bytes",
                                     every_truncation_is_compared_inside_its_bytes},
                                    {NULL, NULL}};

const unit_suite_t uri_suite = {"uri", tests};
