/* Normalization Form C: what changes, what stays and is not copied, what is refused.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <stdlib.h>

#include "base/normal.h"

/* Whether `in`, behind which no byte may be read, becomes `want`; with `copied` as another text. */
static bool becomes(aw_span_t in, aw_span_t want, bool copied)
{
    const aw_span_t guarded = unit_guard(in.ptr, in.len);
    apr_pool_t *p = NULL;
    aw_span_t out = {NULL, 0};

    apr_pool_create(&p, NULL);
    const bool ok = aw_text_nfc(&out, guarded, p) == APR_SUCCESS && aw_span_equal(out, want) &&
                    (out.ptr != guarded.ptr) == copied && (!copied || out.ptr[out.len] == '\0');

    apr_pool_destroy(p);
    unit_guard_free(guarded);
    return ok;
}

#define STAYS(s)        becomes(AW_SPAN_LIT(s), AW_SPAN_LIT(s), false)
#define CHANGES(s, nfc) becomes(AW_SPAN_LIT(s), AW_SPAN_LIT(nfc), true)

static void what_has_the_form_is_not_copied(void)
{
    CU_ASSERT_TRUE(STAYS(""));
    CU_ASSERT_TRUE(STAYS("Mufasa, Circle Of Life"));
    CU_ASSERT_TRUE(STAYS("a\0b"));
    CU_ASSERT_TRUE(STAYS("J\xc3\xbcrgen"));
    CU_ASSERT_TRUE(STAYS("\xe6\x97\xa5\xe6\x9c\xac"));     /* Han */
    CU_ASSERT_TRUE(STAYS("q\xcc\x80"));                    /* a mark that has no composition */
    CU_ASSERT_TRUE(STAYS("\xef\xac\x81 \xef\xbc\xa1"));    /* compatibility forms stay */
    CU_ASSERT_TRUE(STAYS("\xef\xbf\xbf\xf4\x8f\xbf\xbf")); /* noncharacters */
    CU_ASSERT_TRUE(STAYS("\xcc\x81"
                         "a")); /* a mark with nothing before it */
}

static void marks_are_composed_and_put_in_order(void)
{
    CU_ASSERT_TRUE(CHANGES("Ju\xcc\x88rgen", "J\xc3\xbcrgen"));
    CU_ASSERT_TRUE(CHANGES("\xe2\x84\xab", "\xc3\x85"));          /* U+212B, a singleton */
    CU_ASSERT_TRUE(CHANGES("\xe2\x84\xa6", "\xce\xa9"));          /* U+2126 */
    CU_ASSERT_TRUE(CHANGES("s\xcc\x87\xcc\xa3", "\xe1\xb9\xa9")); /* the lower mark first */
    CU_ASSERT_TRUE(CHANGES("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c")); /* Hangul */
    CU_ASSERT_TRUE(CHANGES("\xe0\xa5\x98", "\xe0\xa4\x95\xe0\xa4\xbc")); /* excluded: stays apart */
    CU_ASSERT_TRUE(CHANGES("\xe1\xbe\x82\xe1\xbe\x82\xcd\x84",
                           "\xe1\xbe\x82\xe1\xbe\x82\xcc\x88\xcc\x81")); /* U+0344 expands */
}

static void ill_formed_text_is_refused(void)
{
    static const char *const bad[] = {
        "\xff", "a\x80", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "u\xcc"};
    aw_span_t out = AW_SPAN_LIT("untouched");
    apr_pool_t *p = NULL;

    apr_pool_create(&p, NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_EQUAL(aw_text_nfc(&out, aw_span(bad[i]), p), APR_EINVAL);
    }
    CU_ASSERT_STRING_EQUAL(out.ptr, "untouched");
    apr_pool_destroy(p);
}

/* Long text of the slow kind is refused, long text of the fast kind is not. */
static void the_work_is_bounded(void)
{
    enum { LONG = 100 * AW_TEXT_NFC_MAX };
    char *text = malloc(LONG);
    aw_span_t out = {NULL, 0};
    apr_pool_t *p = NULL;

    apr_pool_create(&p, NULL);
    memset(text, 'a', LONG);
    CU_ASSERT_EQUAL(aw_text_nfc(&out, (aw_span_t){text, LONG}, p), APR_SUCCESS);
    CU_ASSERT_PTR_EQUAL(out.ptr, text);
    for (size_t i = 0; i + 4 <= LONG; i += 4) {
        memcpy(text + i, "\xcc\x81\xcc\xa3", 4); /* two marks in the wrong order */
    }
    CU_ASSERT_EQUAL(aw_text_nfc(&out, (aw_span_t){text, AW_TEXT_NFC_MAX + 4}, p), APR_ENOSPC);
    CU_ASSERT_EQUAL(aw_text_nfc(&out, (aw_span_t){text, AW_TEXT_NFC_MAX}, p), APR_SUCCESS);
    CU_ASSERT_EQUAL(out.len, AW_TEXT_NFC_MAX);
    CU_ASSERT_NSTRING_EQUAL(out.ptr, "\xcc\xa3\xcc\xa3", 4);
    apr_pool_destroy(p);
    free(text);
}

/* The most that a text can grow: characters of three bytes that become twelve. */
static void the_longest_decompositions_fit(void)
{
    char text[AW_TEXT_NFC_MAX];
    aw_span_t out = {NULL, 0};
    apr_pool_t *p = NULL;

    for (size_t i = 0; i + 4 <= sizeof(text); i += 4) {
        memcpy(text + i, "\xf0\x9d\x85\xa0", 4); /* U+1D160: three characters of four bytes */
    }
    apr_pool_create(&p, NULL);
    CU_ASSERT_EQUAL(aw_text_nfc(&out, (aw_span_t){text, sizeof(text)}, p), APR_SUCCESS);
    CU_ASSERT_EQUAL(out.len, 3 * sizeof(text));
    apr_pool_destroy(p);
}

static const unit_test_t tests[] = {
    {"text that has the form is handed back without a copy", what_has_the_form_is_not_copied},
    {"marks are composed and put in order", marks_are_composed_and_put_in_order},
    {"text that is no UTF-8 is refused", ill_formed_text_is_refused},
    {"a stranger's long text costs no time", the_work_is_bounded},
    {"the longest decompositions fit", the_longest_decompositions_fit},
    {NULL, NULL}};

const unit_suite_t normal_suite = {"normal", tests};
