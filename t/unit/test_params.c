/* Tests of the pull parser for authentication fields.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <stdio.h>

#include "digest/params.h"
#include "mutate.h"

/* Writes what the parser says, one item after another: S(scheme) T(token68) name=value
 * name="value" END, or BAD@offset. */
static const char *spell(char *out, size_t room, aw_span_t field, aw_params_kind_e kind)
{
    aw_params_t it;
    aw_param_t item;
    size_t n = 0;

    aw_params_init(&it, field, kind);
    for (;;) {
        const char *quote;
        switch (aw_params_next(&it, &item)) {
        case AW_PARAM_SCHEME:
            n += (size_t)snprintf(out + n, room - n, "S(%.*s) ", (int)item.name.len, item.name.ptr);
            break;
        case AW_PARAM_TOKEN68:
            n += (size_t)snprintf(out + n, room - n, "T(%.*s) ", (int)item.value.len,
                                  item.value.ptr);
            break;
        case AW_PARAM_PAIR:
            quote = item.quoted ? (item.escaped ? "'" : "\"") : "";
            n += (size_t)snprintf(out + n, room - n, "%.*s=%s%.*s%s ", (int)item.name.len,
                                  item.name.ptr, quote, (int)item.value.len, item.value.ptr, quote);
            break;
        case AW_PARAM_END:
            (void)snprintf(out + n, room - n, "END");
            return out;
        case AW_PARAM_BAD:
            (void)snprintf(out + n, room - n, "BAD@%zu", aw_params_offset(&it));
            return aw_params_next(&it, &item) == AW_PARAM_BAD ? out : "BAD does not stay";
        }
    }
}

typedef struct vector_t {
    aw_params_kind_e kind;
    const char *field;
    const char *expected;
} vector_t;

#define L AW_PARAMS_CHALLENGES
#define C AW_PARAMS_CREDENTIALS
#define B AW_PARAMS_BARE

static const vector_t good[] = {
    {C, "Digest a=b", "S(Digest) a=b END"},
    {C, "Digest a=b, c=\"d\"", "S(Digest) a=b c=\"d\" END"},
    {C, "Digest a=b,c=\"d\" , e=f ", "S(Digest) a=b c=\"d\" e=f END"},
    {C, "Digest\ta = b ,\t c\t=\t\"d\"", "S(Digest) a=b c=\"d\" END"},
    {C, "Digest , ,a=b,,,c=d,, ", "S(Digest) a=b c=d END"},
    {C, "Digest", "S(Digest) END"},
    {C, " Digest  ", "S(Digest) END"},
    {C, "Digest a=\"\"", "S(Digest) a=\"\" END"},
    {C, "Digest a=\"x=\\\"y\\\\\", b=c", "S(Digest) a='x=\\\"y\\\\' b=c END"},
    {C, "Digest a=\"b, c=d\"", "S(Digest) a=\"b, c=d\" END"},
    {C, "Digest a=\"\xc3\xa4\t \xff\"", "S(Digest) a=\"\xc3\xa4\t \xff\" END"},
    {C, "Digest username*=UTF-8''J%C3%A4", "S(Digest) username*=UTF-8''J%C3%A4 END"},
    {C, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "S(Basic) T(QWxhZGRpbjpvcGVuIHNlc2FtZQ==) END"},
    {C, "Basic +/-._~Az09= ", "S(Basic) T(+/-._~Az09=) END"},
    {C, "Digest key", "S(Digest) T(key) END"},
    {C, "Digest key=", "S(Digest) T(key=) END"},
    {C, "Digest key==", "S(Digest) T(key==) END"},
    {L, "", "END"},
    {L, " , ,", "END"},
    {L, "Negotiate", "S(Negotiate) END"},
    {L, "Negotiate, NTLM", "S(Negotiate) S(NTLM) END"},
    {L, ", Basic realm=\"a\",, Digest realm=\"b\", nonce=\"c\"",
     "S(Basic) realm=\"a\" S(Digest) realm=\"b\" nonce=\"c\" END"},
    {L, "Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"",
     "S(Newauth) realm=\"apps\" type=1 title='Login to \\\"apps\\\"' S(Basic) realm=\"simple\" "
     "END"},
    {L, "Negotiate YII=, Digest a=b", "S(Negotiate) T(YII=) S(Digest) a=b END"},
    {L, "Digest , a=b", "S(Digest) a=b END"},
    {L, "Digest a=b, Negotiate,", "S(Digest) a=b S(Negotiate) END"},
    {B, "", "END"},
    {B, "nextnonce=\"abc\", qop=auth", "nextnonce=\"abc\" qop=auth END"},
    {B, ",a=b", "a=b END"}};

static const vector_t bad[] = {{C, "", "BAD@0"},
                               {C, "   ", "BAD@3"},
                               {C, ",Digest a=b", "BAD@0"},
                               {C, "Digest,a=b", "S(Digest) BAD@6"},
                               {C, "Digest=b", "S(Digest) BAD@6"},
                               {C, "\"Digest\" a=b", "BAD@0"},
                               {C, "Digest a b=c", "S(Digest) BAD@8"},
                               {C, "Digest a=b c=d", "S(Digest) a=b BAD@11"},
                               {C, "Digest a=b;c=d", "S(Digest) a=b BAD@10"},
                               {C, "Digest a=b, c", "S(Digest) a=b BAD@13"},
                               {C, "Digest a=b, c=", "S(Digest) a=b BAD@14"},
                               {C, "Digest a=, c=d", "S(Digest) T(a=) BAD@9"},
                               {C, "Digest a= , c=d", "S(Digest) T(a=) BAD@10"},
                               {C, "Digest a= \"b\" c", "S(Digest) a=\"b\" BAD@14"},
                               {C, "Digest a=\"b\"c", "S(Digest) a=\"b\" BAD@12"},
                               {C, "Digest a=\"b", "S(Digest) BAD@11"},
                               {C, "Digest a=\"b\\", "S(Digest) BAD@11"},
                               {C, "Digest a=\"b\\\"", "S(Digest) BAD@13"},
                               {C, "Digest a=\"b\nc\"", "S(Digest) BAD@11"},
                               {C, "Digest a=\"b\x7f\"", "S(Digest) BAD@11"},
                               {C, "Digest a=\"b\\\n\"", "S(Digest) BAD@11"},
                               {C, "Digest a=b\x01", "S(Digest) a=b BAD@10"},
                               {C, "Digest a=\xc3\xa4", "S(Digest) BAD@9"},
                               {C, "Digest \xc3\xa4=a", "S(Digest) BAD@7"},
                               {C, "Digest =a", "S(Digest) BAD@7"},
                               {C, "Digest a=b, Basic c=d", "S(Digest) a=b BAD@17"},
                               {C, "Digest a=b\r\n", "S(Digest) a=b BAD@10"},
                               {C, "Basic YTpi YTpi", "S(Basic) BAD@10"},
                               {C, "Basic YTpi, a=b", "S(Basic) T(YTpi) BAD@10"},
                               {C, "Basic YTpi=x=", "S(Basic) YTpi=x BAD@12"},
                               {L, "Negotiate YII=, a=b", "S(Negotiate) T(YII=) S(a) BAD@17"},
                               {L, "Negotiate Basic a=b", "S(Negotiate) BAD@15"},
                               {L, "a=b", "S(a) BAD@1"},
                               {B, "a", "BAD@1"},
                               {B, "Digest a=b", "BAD@6"}};

static void check_vectors(const vector_t *vectors, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char out[1024];
        const aw_span_t field = unit_guard(vectors[i].field, strlen(vectors[i].field));
        CU_ASSERT_STRING_EQUAL(spell(out, sizeof(out), field, vectors[i].kind),
                               vectors[i].expected);
        unit_guard_free(field);
    }
}

static void fields_are_taken_apart_by_rfc_9110(void)
{
    check_vectors(good, sizeof(good) / sizeof(good[0]));
}

static void broken_grammar_is_bad_where_it_breaks(void)
{
    check_vectors(bad, sizeof(bad) / sizeof(bad[0]));
}

static void a_nul_byte_is_bad_like_any_control(void)
{
    char out[256];

    CU_ASSERT_STRING_EQUAL(spell(out, sizeof(out), AW_SPAN_LIT("Digest a=\"b\0c\""), C),
                           "S(Digest) BAD@11");
    CU_ASSERT_STRING_EQUAL(spell(out, sizeof(out), AW_SPAN_LIT("Digest a=b\0"), C),
                           "S(Digest) a=b BAD@10");
}

/* Runs a parser to its end; false when an item lies outside the field or the end never comes. */
static bool stays_inside(aw_span_t field, aw_params_kind_e kind)
{
    aw_params_t it;
    aw_param_t item;
    const char *end = field.ptr + field.len;

    aw_params_init(&it, field, kind);
    for (size_t items = 0; items <= field.len + 1; items++) {
        const aw_param_e got = aw_params_next(&it, &item);
        if (got == AW_PARAM_END || got == AW_PARAM_BAD) {
            return aw_params_offset(&it) <= field.len;
        }
        const aw_span_t all[] = {item.name, item.value};
        for (size_t i = 0; i < 2; i++) {
            if (all[i].len > 0 && (all[i].ptr < field.ptr || all[i].ptr + all[i].len > end)) {
                return false;
            }
        }
        char plain[UNIT_TAIL];
        if (aw_param_unescape(&item, plain) > item.value.len) {
            return false;
        }
    }
    return false;
}

static void every_truncation_stays_inside_its_field(void)
{
    const aw_span_t guard = unit_tail_create();

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        for (size_t n = 0; n <= strlen(good[i].field); n++) {
            const aw_span_t field = {unit_tail(guard, good[i].field, n), n};
            CU_ASSERT_TRUE(stays_inside(field, good[i].kind));
        }
    }
    unit_guard_free(guard);
}

static void a_hundred_thousand_mutations_stay_inside_their_field(void)
{
    const aw_span_t guard = unit_tail_create();
    uint64_t state = 20240611;
    unsigned wrong = 0;

    for (unsigned round = 0; round < 100000; round++) {
        const vector_t *vector = &good[round % (sizeof(good) / sizeof(good[0]))];
        char text[512];
        size_t n = strlen(vector->field);
        memcpy(text, vector->field, n);
        n = unit_mutate(text, n, sizeof(text), &state);
        wrong += !stays_inside((aw_span_t){unit_tail(guard, text, n), n}, vector->kind);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    unit_guard_free(guard);
}

static void quoting_and_unescaping_are_inverse(void)
{
    static const char *const values[] = {"", "plain", "a\"b", "\\", "\\\"\\", "J\xc3\xa4s, = x"};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char text[128] = "X a=", plain[64];
        aw_params_t it;
        aw_param_t item;
        const size_t n = 4 + aw_param_quote(text + 4, aw_span(values[i]));
        CU_ASSERT_TRUE(n <= 4 + 2 * strlen(values[i]) + 2);
        aw_params_init(&it, (aw_span_t){text, n}, C);
        CU_ASSERT_EQUAL(aw_params_next(&it, &item), AW_PARAM_SCHEME);
        CU_ASSERT_EQUAL_FATAL(aw_params_next(&it, &item), AW_PARAM_PAIR);
        const aw_span_t back = {plain, aw_param_unescape(&item, plain)};
        CU_ASSERT_TRUE(aw_span_equal(back, aw_span(values[i])));
        CU_ASSERT_EQUAL(aw_params_next(&it, &item), AW_PARAM_END);
    }
}

static void extended_values_are_decoded_by_rfc_8187(void)
{
    static const struct {
        const char *text, *plain; /* plain NULL: refused */
    } vectors[] = {{"UTF-8''J%C3%A4s%C3%B8n%20Doe", "J\xc3\xa4s\xc3\xb8n Doe"},
                   {"utf-8'en-GB'a!#$&+-.^_`|~z", "a!#$&+-.^_`|~z"},
                   {"UTF-8''%41%7a%7A", "Azz"},
                   {"UTF-8''", ""},
                   {"UTF-8'", NULL},
                   {"UTF-8", NULL},
                   {"", NULL},
                   {"'en'abc", NULL},
                   {"ISO-8859-1''abc", NULL},
                   {"UTF-8'e n'abc", NULL},
                   {"UTF-8''%C3", NULL},
                   {"UTF-8''%E4", NULL},
                   {"UTF-8''%ED%A0%80", NULL},
                   {"UTF-8''%", NULL},
                   {"UTF-8''%4", NULL},
                   {"UTF-8''%4g", NULL},
                   {"UTF-8''a'b", NULL},
                   {"UTF-8''a*b", NULL},
                   {"UTF-8''a b", NULL},
                   {"UTF-8''\xc3\xa4", NULL}};

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        char out[64];
        size_t n = 99;
        const aw_span_t text = unit_guard(vectors[i].text, strlen(vectors[i].text));
        const bool ok = aw_param_decode_ext(text, out, &n);
        CU_ASSERT_EQUAL(ok, vectors[i].plain != NULL);
        if (ok) {
            CU_ASSERT_TRUE(aw_span_equal((aw_span_t){out, n}, aw_span(vectors[i].plain)));
        } else {
            CU_ASSERT_EQUAL(n, 99);
        }
        unit_guard_free(text);
    }
}

static const unit_test_t tests[] = {
    {"fields are taken apart by RFC 9110", fields_are_taken_apart_by_rfc_9110},
    {"broken grammar is bad where it breaks", broken_grammar_is_bad_where_it_breaks},
    {"a NUL byte is bad like any control", a_nul_byte_is_bad_like_any_control},
    {"every truncation stays inside its field", every_truncation_stays_inside_its_field},
    {"a hundred thousand mutations stay inside their field",
     a_hundred_thousand_mutations_stay_inside_their_field},
    {"quoting and unescaping are inverse", quoting_and_unescaping_are_inverse},
    {"extended values are decoded by RFC 8187", extended_values_are_decoded_by_rfc_8187},
    {NULL, NULL}};

const unit_suite_t params_suite = {"params", tests};
