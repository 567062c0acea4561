/* UTF-8 of messages: what is well-formed, at any split, by every way alike.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>

#include "base/text.h"
#include "mutate.h"
#include "ws/utf8_variants.h"

typedef bool (*feed_fn)(aw_ws_utf8_t *text, const unsigned char *in, size_t len);

static bool feed_chosen(aw_ws_utf8_t *text, const unsigned char *in, size_t len)
{
    return aw_ws_utf8_feed(text, in, len);
}

#define WAYS_MAX 4

/* The ways that this processor can go, the portable one first. */
static unsigned variants(feed_fn ways[WAYS_MAX])
{
    unsigned n = 0;

    ways[n++] = aw_ws_utf8_feed_portable;
    ways[n++] = feed_chosen;
#ifdef AW_WS_UTF8_X86
    if (__builtin_cpu_supports("ssse3")) {
        ways[n++] = aw_ws_utf8_feed_ssse3;
    }
    if (__builtin_cpu_supports("avx2")) {
        ways[n++] = aw_ws_utf8_feed_avx2;
    }
#endif
    return n;
}

/* What can be said of bytes so far. */
typedef enum said_e { BROKEN, OPEN, WHOLE } said_e;

static said_e say(feed_fn feed, const unsigned char *in, size_t len)
{
    aw_ws_utf8_t text;

    aw_ws_utf8_init(&text);
    if (!feed(&text, in, len)) {
        return BROKEN;
    }
    return aw_ws_utf8_may_end(&text) ? WHOLE : OPEN;
}

/* RFC 3629 section 4, read backwards from what a decoder would make of it: an oracle that shares
 * nothing with the code. */
static said_e judge(const unsigned char *in, size_t len)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};

    for (size_t at = 0; at < len;) {
        const unsigned char c = in[at];
        const size_t need = c < 0x80 ? 1 : c < 0xC0 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
        uint32_t low = need <= 1 ? c : (uint32_t)c & (0x7Fu >> need);
        if (need == 0 || c >= 0xF8) {
            return BROKEN;
        }
        size_t have = 1;
        for (; have < need && at + have < len; have++) {
            if ((in[at + have] & 0xC0) != 0x80) {
                return BROKEN;
            }
            low = low << 6 | (in[at + have] & 0x3Fu);
        }
        /* What the character can still become lies between these. */
        const unsigned open = (unsigned)(6 * (need - have));
        const uint32_t from = low << open;
        const uint32_t to = from | ((1u << open) - 1);
        if (to < least[need] || from > 0x10FFFF || (from >= 0xD800 && to <= 0xDFFF)) {
            return BROKEN;
        }
        if (have < need) {
            return OPEN;
        }
        at += need;
    }
    return WHOLE;
}

/* --- one character --- */

/* Each sequence at the start, in the middle and at the end of a vector. */
static const size_t places[] = {0, 13, 14, 15, 29, 30, 31, 61, 62, 63};

static unsigned differ_at_places(const unsigned char *bytes, size_t n)
{
    feed_fn ways[WAYS_MAX];
    const unsigned count = variants(ways);
    const said_e want = judge(bytes, n);
    unsigned wrong = 0;
    unsigned char in[160];

    for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
        memset(in, 'a', sizeof(in));
        memcpy(in + places[p], bytes, n);
        const said_e inside = want == WHOLE ? WHOLE : BROKEN; /* ASCII comes behind it */
        for (unsigned w = 0; w < count; w++) {
            wrong += say(ways[w], in, places[p] + n) != want;
            wrong += say(ways[w], in, sizeof(in)) != inside;
        }
    }
    return wrong;
}

static void one_to_three_bytes_are_judged_as_the_rfc_does(void)
{
    unsigned wrong = 0;
    feed_fn ways[WAYS_MAX];
    const unsigned count = variants(ways);

    for (unsigned i = 0; i < 256; i++) {
        const unsigned char one[1] = {(unsigned char)i};
        wrong += differ_at_places(one, 1);
        for (unsigned j = 0; j < 256; j++) {
            const unsigned char two[2] = {(unsigned char)i, (unsigned char)j};
            wrong += differ_at_places(two, 2);
        }
    }
    /* 16 million: in one place. */
    for (uint32_t i = 0; i < 1u << 24; i++) {
        const unsigned char three[3] = {(unsigned char)(i >> 16), (unsigned char)(i >> 8),
                                        (unsigned char)i};
        const said_e want = judge(three, 3);
        wrong += say(ways[0], three, 3) != want;
        wrong += i % 61 == 0 && say(ways[count - 1], three, 3) != want;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* Bytes at which something begins or ends, for each place in a character. */
static const unsigned char edges[] = {
    0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xAF, 0xB0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
    0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF7, 0xF8, 0xFC, 0xFE, 0xFF};
#define EDGES sizeof(edges)

static void every_class_of_four_bytes_is_judged_as_the_rfc_does(void)
{
    unsigned wrong = 0;

    for (size_t i = 0; i < EDGES * EDGES; i++) {
        for (size_t j = 0; j < EDGES * EDGES; j++) {
            const unsigned char four[4] = {edges[i / EDGES], edges[i % EDGES], edges[j / EDGES],
                                           edges[j % EDGES]};
            aw_ws_utf8_t text;
            aw_ws_utf8_init(&text);
            const bool fed = aw_ws_utf8_feed_portable(&text, four, 4);
            const said_e said = !fed ? BROKEN : aw_ws_utf8_may_end(&text) ? WHOLE : OPEN;
            wrong += said != judge(four, 4);
            if (j % 29 == i % 29) {
                wrong += differ_at_places(four, 4);
            }
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* The character at `out`; returns its length. Surrogates and more are written as asked. */
static size_t encode(unsigned char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (unsigned char)c;
        return 1;
    }
    const size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char first[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (unsigned char)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    out[0] = (unsigned char)(first[n] | c);
    return n;
}

static void every_code_point_is_taken_and_every_surrogate_refused(void)
{
    feed_fn ways[WAYS_MAX];
    const unsigned count = variants(ways);
    unsigned wrong = 0;

    for (uint32_t c = 0; c <= 0x110400; c++) {
        unsigned char in[4];
        const size_t n = encode(in, c);
        const bool good = c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF);
        for (unsigned w = 0; w < count; w += c % 7 != 0 ? 2 : 1) {
            wrong += (say(ways[w], in, n) == WHOLE) != good;
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* --- long texts --- */

#define TEXT_MAX 300

/* A well-formed text of about `len` bytes: mostly one alphabet. */
static size_t make_text(unsigned char *out, size_t len, uint64_t *seed)
{
    static const uint32_t from[] = {0x20, 0x80, 0x400, 0x3041, 0xE000, 0x10000, 0x10FF00};
    static const uint32_t many[] = {95, 0x700, 0x100, 0x5000, 0x1FF0, 0xFFFF, 0x100};
    const size_t main_kind = unit_random_below(seed, 7);
    size_t n = 0;

    while (n + 4 <= len) {
        const size_t kind =
            unit_random_below(seed, 4) == 0 ? unit_random_below(seed, 7) : main_kind;
        n += encode(out + n, from[kind] + (uint32_t)unit_random_below(seed, many[kind]));
    }
    return n;
}

/* Two million texts, well-formed ones and such with a byte or two changed. */
static void all_ways_agree_on_millions_of_texts(void)
{
    feed_fn ways[WAYS_MAX];
    const unsigned count = variants(ways);
    const aw_span_t guard = unit_tail_create();
    uint64_t seed = 3629;
    unsigned wrong = 0, good = 0;
    unsigned char base[TEXT_MAX];

    for (unsigned round = 0; round < 40000; round++) {
        const size_t n = make_text(base, unit_random_below(&seed, TEXT_MAX), &seed);
        wrong += judge(base, n) != WHOLE;
        for (unsigned change = 0; change < 50; change++) {
            const size_t cut = n - unit_random_below(&seed, n + 1) / 2;
            unsigned char *const in = (unsigned char *)unit_tail(guard, base, cut);
            for (size_t c = change % 3; c > 0 && cut > 0; c--) {
                in[unit_random_below(&seed, cut)] = change % 2 != 0
                                                        ? edges[unit_random_below(&seed, EDGES)]
                                                        : (unsigned char)(unit_random(&seed) >> 16);
            }
            const said_e want = say(ways[0], in, cut);
            good += want != BROKEN;
            wrong += change < 4 && want != judge(in, cut);
            for (unsigned w = 1; w < count; w++) {
                wrong += say(ways[w], in, cut) != want;
            }
        }
    }
    unit_guard_free(guard);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_TRUE(good > 700000 && good < 1700000); /* both kinds were there */
}

static void random_bytes_are_judged_alike(void)
{
    feed_fn ways[WAYS_MAX];
    const unsigned count = variants(ways);
    uint64_t seed = 4;
    unsigned wrong = 0;
    unsigned char in[96];

    for (unsigned round = 0; round < 1000000; round++) {
        const size_t n = unit_random_below(&seed, sizeof(in));
        memset(in, 'x', sizeof(in));
        for (size_t i = n > 6 ? n - 6 : 0; i < n; i++) {
            in[i] = (unsigned char)(unit_random(&seed) >> 30);
        }
        const said_e want = say(ways[0], in, n);
        for (unsigned w = 1; w < count; w++) {
            wrong += say(ways[w], in, n) != want;
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* --- pieces --- */

/* A text in pieces: true when the mistake is reported with the piece that holds the first byte
 * that is impossible, and not before. */
static bool pieces_are_right(feed_fn feed, const unsigned char *in, size_t n, size_t first_wrong,
                             const size_t *cuts, size_t count)
{
    aw_ws_utf8_t text;
    size_t at = 0;

    aw_ws_utf8_init(&text);
    for (size_t i = 0; i <= count; i++) {
        const size_t to = i == count ? n : cuts[i];
        const bool good = feed(&text, in + at, to - at);
        if (good != (to <= first_wrong)) {
            return false;
        }
        if (!good) {
            return true;
        }
        at = to;
    }
    return aw_ws_utf8_may_end(&text) == (judge(in, n) == WHOLE);
}

/* How many bytes can be part of a well-formed text. */
static size_t good_bytes(const unsigned char *in, size_t n)
{
    size_t at = 0;

    while (at < n && judge(in, at + 1) != BROKEN) {
        at++;
    }
    return at == n ? SIZE_MAX : at;
}

static void a_mistake_is_found_with_its_byte_at_any_split(void)
{
    static const char *const texts[] = {
        "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5 and then ASCII to fill up a vector of 64 "
        "bytes \xF0\x9F\x98\x80\xED\x9F\xBF",
        "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80 edited",
        "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xF4\x90\x80\x80 edited",
        "0123456789012345678901234567890123456789012345678901234567890\xF0\x90\x80\xC3 more",
        "\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC"
        "\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE0\x9F\xBF",
        "\xC0\x80",
        "abc\x80",
        "abc\xF5",
        "\xE2\x82",
    };
    feed_fn ways[WAYS_MAX];
    const unsigned count = variants(ways);
    unsigned wrong = 0;

    for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++) {
        const unsigned char *const in = (const unsigned char *)texts[t];
        const size_t n = strlen(texts[t]);
        const size_t first_wrong = good_bytes(in, n);
        for (size_t a = 0; a <= n; a++) {
            for (size_t b = a; b <= n; b++) {
                const size_t cuts[2] = {a, b};
                for (unsigned w = 0; w < count; w++) {
                    wrong += !pieces_are_right(ways[w], in, n, first_wrong, cuts, 2);
                }
            }
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void long_texts_may_come_in_any_pieces(void)
{
    feed_fn ways[WAYS_MAX];
    const unsigned count = variants(ways);
    uint64_t seed = 81;
    unsigned wrong = 0;
    unsigned char in[TEXT_MAX];

    for (unsigned round = 0; round < 20000; round++) {
        const size_t n = make_text(in, TEXT_MAX, &seed);
        size_t cuts[5];
        if (round % 2 != 0) {
            in[unit_random_below(&seed, n)] = edges[unit_random_below(&seed, EDGES)];
        }
        for (size_t i = 0, at = 0; i < 5; i++) {
            at += unit_random_below(&seed, n - at + 1) / 2;
            cuts[i] = at;
        }
        const aw_span_t whole = {(const char *)in, n};
        const size_t prefix = aw_utf8_valid_prefix(whole);
        const size_t first_wrong = prefix == n ? SIZE_MAX
                                   : good_bytes(in + prefix, n - prefix) == SIZE_MAX
                                       ? SIZE_MAX
                                       : prefix + good_bytes(in + prefix, n - prefix);
        for (unsigned w = 0; w < count; w++) {
            wrong += !pieces_are_right(ways[w], in, n, first_wrong, cuts, 5);
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static const unit_test_t tests[] = {
    {"one to three bytes are judged as the RFC does",
     one_to_three_bytes_are_judged_as_the_rfc_does},
    {"every class of four bytes is judged as the RFC does",
     every_class_of_four_bytes_is_judged_as_the_rfc_does},
    {"every code point is taken, and every surrogate refused",
     every_code_point_is_taken_and_every_surrogate_refused},
    {"all ways agree on millions of texts", all_ways_agree_on_millions_of_texts},
    {"random bytes are judged alike", random_bytes_are_judged_alike},
    {"a mistake is found with its byte at any split",
     a_mistake_is_found_with_its_byte_at_any_split},
    {"long texts may come in any pieces", long_texts_may_come_in_any_pieces},
    {NULL, NULL},
};

const unit_suite_t ws_utf8_suite = {"ws_utf8", tests};
