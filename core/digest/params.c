/* Pull parser for authentication fields: one pass over borrowed bytes, no look behind.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "digest/params.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/text.h"

enum {
    STATE_FIRST,   /* nothing read yet */
    STATE_SCHEME,  /* behind a scheme */
    STATE_PAIR,    /* behind a parameter: a comma or the end must follow */
    STATE_TOKEN68, /* behind a token68: the same, and no parameter after the comma */
    STATE_BAD      /* stays */
};

/* What a byte may be. */
enum { IS_TCHAR = 1, IS_TOKEN68 = 2, IS_QUOTED = 4, IS_ATTR = 8 };

/* Bits of each class by character: T token, 6 token68, A attr-char of RFC 8187, Q what may stand
 * in a quoted-string as it is. Bytes over 127 (obs-text) are Q, by range below. */
#define Q_   IS_QUOTED
#define TQ   (IS_TCHAR | IS_QUOTED)
#define TAQ  (IS_TCHAR | IS_ATTR | IS_QUOTED)
#define T6AQ (IS_TCHAR | IS_TOKEN68 | IS_ATTR | IS_QUOTED)
#define SQ   (IS_TOKEN68 | IS_QUOTED)
static const unsigned char classes[256] = {
    ['\t'] = Q_,          [' '] = Q_,           ['!'] = TAQ, ['#'] = TAQ,  ['$'] = TAQ,
    ['%'] = TQ,           ['&'] = TAQ,          ['\''] = TQ, ['('] = Q_,   [')'] = Q_,
    ['*'] = TQ,           ['+'] = T6AQ,         [','] = Q_,  ['-'] = T6AQ, ['.'] = T6AQ,
    ['/'] = SQ,           ['0' ... '9'] = T6AQ, [':'] = Q_,  [';'] = Q_,   ['<'] = Q_,
    ['='] = Q_,           ['>'] = Q_,           ['?'] = Q_,  ['@'] = Q_,   ['A' ... 'Z'] = T6AQ,
    ['['] = Q_,           [']'] = Q_,           ['^'] = TAQ, ['_'] = T6AQ, ['`'] = TAQ,
    ['a' ... 'z'] = T6AQ, ['{'] = Q_,           ['|'] = TAQ, ['}'] = Q_,   ['~'] = T6AQ,
    [0x80 ... 0xFF] = Q_};

static bool is(char c, int class)
{
    return (classes[(unsigned char)c] & class) != 0;
}

static const char *skip(const char *at, const char *end, int class)
{
    while (at < end && is(*at, class)) {
        at++;
    }
    return at;
}

/* Over what may stand in a quoted-string as it is: sixteen bytes at a time where the machine can.
 * Both ways give the same answer. */
static const char *skip_quoted(const char *at, const char *end)
{
#ifdef __SSE2__
    while (end - at >= 16) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
        const __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7F));
        const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
        const __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
        const int hits =
            _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(control, del), _mm_or_si128(quote, slash)));
        if (hits != 0) {
            at += __builtin_ctz((unsigned)hits);
            break;
        }
        at += 16;
    }
#endif
    /* The rest; also what follows a HTAB, which is a control character but may stand here. */
    return skip(at, end, IS_QUOTED);
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    return at;
}

/* White space and commas: the empty elements of a list. */
static const char *skip_separators(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == ',')) {
        at++;
    }
    return at;
}

static aw_param_e bad(aw_params_t *it)
{
    it->state = STATE_BAD;
    return AW_PARAM_BAD;
}

void aw_params_init(aw_params_t *it, aw_span_t field, aw_params_kind_e kind)
{
    it->start = it->pos = field.len > 0 ? field.ptr : "";
    it->end = it->start + field.len;
    it->kind = kind;
    it->state = STATE_FIRST;
}

size_t aw_params_offset(const aw_params_t *it)
{
    return (size_t)(it->pos - it->start);
}

/* The quoted-string whose opening quote is at it->pos. */
static bool read_quoted(aw_params_t *it, aw_param_t *item)
{
    const char *at = it->pos + 1;

    item->quoted = true;
    item->value.ptr = at;
    for (;;) {
        at = skip_quoted(at, it->end);
        if (at == it->end) {
            break;
        }
        if (*at == '"') {
            item->value.len = (size_t)(at - item->value.ptr);
            it->pos = at + 1;
            return true;
        }
        /* A quoted-pair: any character that may stand in a quoted-string, or '"' or '\'. */
        if (*at != '\\' || it->end - at < 2 ||
            !(is(at[1], IS_QUOTED) || at[1] == '"' || at[1] == '\\')) {
            break;
        }
        item->escaped = true;
        at += 2;
    }
    it->pos = at;
    return false;
}

/* The value behind "name =", and the rest of the item. */
static aw_param_e read_value(aw_params_t *it, aw_param_t *item, aw_span_t name)
{
    aw_param_t got = {.name = name};

    if (it->pos < it->end && *it->pos == '"') {
        if (!read_quoted(it, &got)) {
            return bad(it);
        }
    } else {
        got.value.ptr = it->pos;
        it->pos = skip(it->pos, it->end, IS_TCHAR);
        got.value.len = (size_t)(it->pos - got.value.ptr);
        if (got.value.len == 0) {
            return bad(it);
        }
    }
    it->state = STATE_PAIR;
    *item = got;
    return AW_PARAM_PAIR;
}

/* A parameter, or where one may stand a scheme: which it is shows behind the name. */
static aw_param_e read_element(aw_params_t *it, aw_param_t *item, bool pair_allowed,
                               bool scheme_allowed)
{
    const char *start = it->pos;
    const char *behind = skip(start, it->end, IS_TCHAR);
    const aw_span_t name = {start, (size_t)(behind - start)};

    if (name.len == 0) {
        return bad(it);
    }
    const char *next = skip_space(behind, it->end);
    if (next < it->end && *next == '=' && pair_allowed) {
        it->pos = skip_space(next + 1, it->end);
        return read_value(it, item, name);
    }
    it->pos = behind;
    if (!scheme_allowed) {
        return bad(it);
    }
    it->state = STATE_SCHEME;
    *item = (aw_param_t){.name = name};
    return AW_PARAM_SCHEME;
}

/* A token68 fills all up to the next comma; a parameter never looks like one, because something
 * follows its '='. What does look like one ("key=", "key") is one, and is for the scheme to
 * refuse. */
static bool read_token68(aw_params_t *it, aw_param_t *item)
{
    const char *at = skip(it->pos, it->end, IS_TOKEN68);

    if (at == it->pos) {
        return false;
    }
    while (at < it->end && *at == '=') {
        at++;
    }
    const char *next = skip_space(at, it->end);
    if (next < it->end && *next != ',') {
        return false;
    }
    *item = (aw_param_t){.value = {it->pos, (size_t)(at - it->pos)}};
    it->pos = at;
    it->state = STATE_TOKEN68;
    return true;
}

static aw_param_e after_scheme(aw_params_t *it, aw_param_t *item)
{
    const bool list = it->kind == AW_PARAMS_CHALLENGES;
    const char *next = skip_space(it->pos, it->end);

    if (next == it->end) {
        it->pos = next;
        return AW_PARAM_END;
    }
    if (next == it->pos && !(list && *next == ',')) {
        return bad(it);
    }
    it->pos = next;
    if (*next != ',') {
        return read_token68(it, item) ? AW_PARAM_TOKEN68 : read_element(it, item, true, false);
    }
    it->pos = skip_separators(next, it->end);
    return it->pos == it->end ? AW_PARAM_END : read_element(it, item, true, list);
}

static aw_param_e after_item(aw_params_t *it, aw_param_t *item)
{
    const bool list = it->kind == AW_PARAMS_CHALLENGES;
    const bool pair = it->state == STATE_PAIR;

    it->pos = skip_space(it->pos, it->end);
    if (it->pos == it->end) {
        return AW_PARAM_END;
    }
    if (*it->pos != ',' || (!pair && !list)) {
        return bad(it);
    }
    it->pos = skip_separators(it->pos, it->end);
    return it->pos == it->end ? AW_PARAM_END : read_element(it, item, pair, list);
}

static aw_param_e first(aw_params_t *it, aw_param_t *item)
{
    const bool one = it->kind == AW_PARAMS_CREDENTIALS;

    it->pos = one ? skip_space(it->pos, it->end) : skip_separators(it->pos, it->end);
    if (it->pos == it->end) {
        return one ? bad(it) : AW_PARAM_END;
    }
    return it->kind == AW_PARAMS_BARE ? read_element(it, item, true, false)
                                      : read_element(it, item, false, true);
}

aw_param_e aw_params_next(aw_params_t *it, aw_param_t *item)
{
    switch (it->state) {
    case STATE_FIRST:
        return first(it, item);
    case STATE_SCHEME:
        return after_scheme(it, item);
    case STATE_PAIR:
    case STATE_TOKEN68:
        return after_item(it, item);
    default:
        return AW_PARAM_BAD;
    }
}

size_t aw_param_unescape(const aw_param_t *item, char *out)
{
    const aw_span_t value = item->value;
    size_t n = 0;

    for (size_t i = 0; i < value.len; i++) {
        if (item->escaped && value.ptr[i] == '\\' && i + 1 < value.len) {
            i++;
        }
        out[n++] = value.ptr[i];
    }
    return n;
}

size_t aw_param_quote(char *out, aw_span_t value)
{
    size_t n = 0;

    out[n++] = '"';
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"' || value.ptr[i] == '\\') {
            out[n++] = '\\';
        }
        out[n++] = value.ptr[i];
    }
    out[n++] = '"';
    return n;
}

bool aw_param_decode_ext(aw_span_t value, char *out, size_t *outlen)
{
    const aw_span_t charset = AW_SPAN_LIT("UTF-8'");
    size_t n = 0, i = charset.len;

    if (value.len <= i || !aw_span_equal_nocase((aw_span_t){value.ptr, i}, charset)) {
        return false;
    }
    /* The language says nothing that a user name needs. */
    while (i < value.len && value.ptr[i] != '\'') {
        const char c = value.ptr[i++];
        if (c != '-' && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9')) {
            return false;
        }
    }
    if (i++ == value.len) {
        return false;
    }
    while (i < value.len) {
        if (value.ptr[i] != '%') {
            if (!is(value.ptr[i], IS_ATTR)) {
                return false;
            }
            out[n++] = value.ptr[i++];
            continue;
        }
        if (value.len - i < 3 || aw_hex_decode(out + n, value.ptr + i + 1, 1) != 2) {
            return false;
        }
        n++;
        i += 3;
    }
    if (aw_utf8_valid_prefix((aw_span_t){out, n}) != n) {
        return false;
    }
    *outlen = n;
    return true;
}
