/* Fuzzing of UTF-8: every way says the same as the oldest function of the library, at any split.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "ws/utf8_variants.h"

typedef bool (*feed_fn)(aw_ws_utf8_t *text, const unsigned char *in, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

static bool feed_chosen(aw_ws_utf8_t *text, const unsigned char *in, size_t len)
{
    return aw_ws_utf8_feed(text, in, len);
}

/* The text in two pieces: what is said in the end, and the place it stands at. */
static bool feed_both(feed_fn feed, const unsigned char *in, size_t len, size_t cut,
                      aw_ws_utf8_t *text)
{
    aw_ws_utf8_init(text);
    return feed(text, in, cut) && feed(text, in + cut, len - cut);
}

static void check(feed_fn feed, const unsigned char *in, size_t len)
{
    const bool whole = aw_utf8_valid_prefix((aw_span_t){(const char *)in, len}) == len;
    aw_ws_utf8_t want, text;
    const bool good = feed_both(aw_ws_utf8_feed_portable, in, len, 0, &want);

    require(whole == (good && aw_ws_utf8_may_end(&want)));
    for (size_t cut = 0; cut <= len; cut += 1 + len / 64) {
        require(feed_both(feed, in, len, cut, &text) == good);
        require(!good || text.state == want.state);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Of a size of its own, so that the sanitizer sees the first byte behind it. */
    unsigned char *copy = malloc(size > 0 ? size : 1);

    require(copy != NULL);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    check(aw_ws_utf8_feed_portable, copy, size);
    check(feed_chosen, copy, size);
#ifdef AW_WS_UTF8_X86
    if (__builtin_cpu_supports("ssse3")) {
        check(aw_ws_utf8_feed_ssse3, copy, size);
    }
    if (__builtin_cpu_supports("avx2")) {
        check(aw_ws_utf8_feed_avx2, copy, size);
    }
#endif
    free(copy);
    return 0;
}
