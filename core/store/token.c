/* Hashed tokens: their algorithms, and the lines of token files.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/token.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/text.h"
#include "digest/algorithm.h"

#define BOM "\xef\xbb\xbf"

/* Expiry is of this century or a later one: years and seconds below are mistakes, such as a day
 * that was written without its dashes. */
#define YEAR_MIN    2000
#define SECONDS_MIN 10

static const struct {
    const char *name;
    const char *openssl; /* what the Digest algorithms have not; else `digest` */
    size_t size;
    aw_alg_e digest;
} algs[AW_TOKEN_ALG_COUNT] = {[AW_TOKEN_SHA] = {"SHA", NULL, 20, AW_ALG_SHA},
                              [AW_TOKEN_SHA256] = {"SHA-256", NULL, 32, AW_ALG_SHA256},
                              [AW_TOKEN_SHA512_256] = {"SHA-512-256", NULL, 32, AW_ALG_SHA512_256},
                              [AW_TOKEN_SHA384] = {"SHA-384", NULL, 48, AW_ALG_SHA384},
                              [AW_TOKEN_SHA3_384] = {"SHA3-384", "SHA3-384", 48, AW_ALG_COUNT},
                              [AW_TOKEN_SHA512] = {"SHA-512", NULL, 64, AW_ALG_SHA512},
                              [AW_TOKEN_SHA3_512] = {"SHA3-512", "SHA3-512", 64, AW_ALG_COUNT}};

const char *aw_token_alg_name(aw_token_alg_e alg)
{
    return algs[alg].name;
}

size_t aw_token_alg_size(aw_token_alg_e alg)
{
    return algs[alg].size;
}

bool aw_token_alg_parse(aw_span_t name, aw_token_alg_e *alg)
{
    if (aw_span_equal_nocase(name, AW_SPAN_LIT("SHA-1"))) {
        name = AW_SPAN_LIT("SHA");
    }
    for (unsigned a = 0; a < AW_TOKEN_ALG_COUNT; a++) {
        if (aw_span_equal_nocase(name, aw_span(algs[a].name))) {
            *alg = (aw_token_alg_e)a;
            return true;
        }
    }
    return false;
}

apr_status_t aw_token_hash(aw_token_alg_e alg, aw_span_t token, unsigned char *out)
{
    if (!algs[alg].openssl) {
        return aw_hash(algs[alg].digest, &token, 1, out);
    }
    /* What is missing here leaves no error behind for others to find. */
    ERR_set_mark();
    EVP_MD *md = EVP_MD_fetch(NULL, algs[alg].openssl, NULL);
    apr_status_t rv = APR_ENOTIMPL;

    if (md) {
        rv = EVP_Digest(token.ptr, token.len, out, NULL, md, NULL) ? APR_SUCCESS : APR_EGENERAL;
        EVP_MD_free(md);
    }
    ERR_pop_to_mark();
    return rv;
}

/* --- expiry --- */

/* The number that `n` digits at `at` are; false when one of them is none. */
static bool number(const char *at, size_t n, long long *out)
{
    long long value = 0;

    for (size_t i = 0; i < n; i++) {
        if (at[i] < '0' || at[i] > '9') {
            return false;
        }
        value = value * 10 + (at[i] - '0');
    }
    *out = value;
    return true;
}

static size_t count_digits(aw_span_t text)
{
    size_t n = 0;

    while (n < text.len && text.ptr[n] >= '0' && text.ptr[n] <= '9') {
        n++;
    }
    return n;
}

/* Reads "YYYY-MM-DD", and behind it "THH:MM:SSZ" if there is anything. */
static bool parse_day(aw_span_t text, apr_time_t *expires, aw_line_error_t *error)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:ddZ";
    const bool timed = text.len > 10;
    long long of[6] = {0, 0, 0, 0, 0, 0};
    apr_time_exp_t day = {0}, back;
    apr_time_t at = 0;

    for (size_t i = 0, field = 0; i < (timed ? sizeof(shape) - 1 : 10); i++) {
        const char c = i < text.len ? text.ptr[i] : '\0';

        if (shape[i] != 'd' ? (c & ~(shape[i] >= 'A' ? 0x20 : 0)) != shape[i]
                            : c < '0' || c > '9') {
            return aw_line_mistake(error, i < text.len ? i : text.len,
                                   "YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ expected");
        }
        if (shape[i] == 'd') {
            of[field] = of[field] * 10 + (c - '0');
        } else {
            field++;
        }
    }
    if (text.len > sizeof(shape) - 1) {
        return aw_line_mistake(error, sizeof(shape) - 1, "a colon or the end expected");
    }
    day.tm_year = (apr_int32_t)of[0] - 1900;
    day.tm_mon = (apr_int32_t)of[1] - 1;
    day.tm_mday = (apr_int32_t)of[2];
    day.tm_hour = (apr_int32_t)of[3];
    day.tm_min = (apr_int32_t)of[4];
    day.tm_sec = (apr_int32_t)of[5];
    /* Whatever is no day of the calendar comes back as another. */
    if (of[0] < YEAR_MIN || of[1] < 1 || of[1] > 12 ||
        apr_time_exp_gmt_get(&at, &day) != APR_SUCCESS ||
        apr_time_exp_gmt(&back, at) != APR_SUCCESS || back.tm_mday != day.tm_mday ||
        back.tm_hour != day.tm_hour || back.tm_min != day.tm_min || back.tm_sec != day.tm_sec) {
        return aw_line_mistake(error, 0,
                               of[0] < YEAR_MIN ? "a year before 2000" : "no such day or time");
    }
    *expires = timed ? at : at + apr_time_from_sec(24 * 60 * 60);
    return true;
}

bool aw_token_expires_parse(aw_span_t text, apr_time_t *expires, aw_line_error_t *error)
{
    long long seconds = 0;

    if (text.len == 0) {
        *expires = AW_TOKEN_NEVER;
        return true;
    }
    if (count_digits(text) != text.len) {
        return parse_day(text, expires, error);
    }
    /* 253402300800 is the year 10000. */
    if (text.len < SECONDS_MIN || text.len > 12 || !number(text.ptr, text.len, &seconds) ||
        seconds < 1000000000 || seconds >= 253402300800) {
        return aw_line_mistake(error, 0,
                               "neither a time in seconds since 1970 nor a day (YYYY-MM-DD)");
    }
    *expires = apr_time_from_sec(seconds);
    return true;
}

const char *aw_token_expires_build(char *out, apr_time_t expires)
{
    const apr_time_t last = apr_time_from_sec(APR_INT64_C(253402300799));
    apr_size_t len = 0;
    apr_time_exp_t t;

    out[0] = '\0';
    if (expires != AW_TOKEN_NEVER &&
        apr_time_exp_gmt(&t, expires < last ? expires : last) == APR_SUCCESS) {
        apr_strftime(out, &len, AW_TOKEN_EXPIRES_MAX, "%Y-%m-%dT%H:%M:%SZ", &t);
    }
    return out;
}

/* --- lines --- */

/* Whether bytes are fit to stand anywhere in a line. */
static bool check_text(aw_span_t s, aw_line_error_t *error)
{
    const size_t valid = aw_utf8_valid_prefix(s);
    const size_t control = aw_text_find_control((aw_span_t){s.ptr, valid});

    if (control < valid) {
        return aw_line_mistake(error, control,
                               s.ptr[control] == '\0' ? "a NUL character" : "a control character");
    }
    return valid == s.len || aw_line_mistake(error, valid, "not valid UTF-8");
}

bool aw_token_subject_check(aw_span_t subject, aw_line_error_t *error)
{
    const char *colon = subject.len > 0 ? memchr(subject.ptr, ':', subject.len) : NULL;

    if (subject.len == 0) {
        return aw_line_mistake(error, 0, "empty");
    }
    if (subject.ptr[0] == '#') {
        return aw_line_mistake(error, 0, "# at the start, which would make the line a comment");
    }
    if (subject.len >= sizeof(BOM) - 1 && memcmp(subject.ptr, BOM, sizeof(BOM) - 1) == 0) {
        return aw_line_mistake(error, 0, "a byte order mark");
    }
    if (subject.len > AW_TOKEN_SUBJECT_MAX) {
        return aw_line_mistake(error, AW_TOKEN_SUBJECT_MAX, "longer than %d bytes",
                               AW_TOKEN_SUBJECT_MAX);
    }
    return check_text(subject, error) &&
           (!colon || aw_line_mistake(error, (size_t)(colon - subject.ptr), "a colon"));
}

/* Reads "{ALGORITHM}hex" at `at` and moves it behind. */
static bool parse_hash(aw_token_value_t *value, aw_span_t s, size_t *at, aw_line_error_t *error)
{
    if (*at == s.len || s.ptr[*at] != '{') {
        return aw_line_mistake(error, *at, "{ALGORITHM} expected");
    }
    const char *name = s.ptr + *at + 1;
    const char *end = memchr(name, '}', s.len - *at - 1);

    if (!end) {
        return aw_line_mistake(error, *at, "{ without }");
    }
    if (!aw_token_alg_parse((aw_span_t){name, (size_t)(end - name)}, &value->alg)) {
        return aw_line_mistake(error, *at + 1,
                               "unknown algorithm: SHA-384, SHA-512, SHA3-384 and SHA3-512 are "
                               "known, and to be lifted SHA, SHA-256 and SHA-512-256");
    }
    const size_t want = 2 * algs[value->alg].size;
    const size_t from = (size_t)(end + 1 - s.ptr);
    const char *colon = memchr(s.ptr + from, ':', s.len - from);
    const size_t have = (colon ? (size_t)(colon - s.ptr) : s.len) - from;
    const size_t right = aw_hex_decode(value->hash, s.ptr + from, (have < want ? have : want) / 2);

    if (right < (have < want ? have : want) / 2 * 2) {
        return aw_line_mistake(error, from + right, "not a hexadecimal digit");
    }
    if (have != want) {
        return aw_line_mistake(error, from + (have < want ? have : want),
                               "%zu characters in the hash, %s has %zu hexadecimal digits", have,
                               algs[value->alg].name, want);
    }
    *at = from + want;
    return true;
}

/* Where `expires` ends: a time of the day has colons of its own. */
static size_t expires_end(aw_span_t s, size_t from)
{
    const char *colon = memchr(s.ptr + from, ':', s.len - from);
    const size_t end = colon ? (size_t)(colon - s.ptr) : s.len;

    if (end - from == 13 && s.ptr[from + 4] == '-') { /* YYYY-MM-DDTHH */
        return s.len - from > 20 ? from + 20 : s.len;
    }
    return end;
}

/* Takes a line apart; on a mistake error->column is that in the line. */
static bool parse_line(aw_token_line_t *line, aw_token_value_t *value, aw_line_error_t *error)
{
    const aw_span_t s = line->whole;
    size_t at;

    if (!check_text(s, error)) {
        return false;
    }
    const char *colon = memchr(s.ptr, ':', s.len);

    if (!colon) {
        return aw_line_mistake(error, s.len, "subject:{ALGORITHM}hex expected, colon missing");
    }
    line->subject = (aw_span_t){s.ptr, (size_t)(colon - s.ptr)};
    if (line->subject.len == 0 || line->subject.len > AW_TOKEN_SUBJECT_MAX) {
        return line->subject.len == 0
                   ? aw_line_mistake(error, 0, "empty subject")
                   : aw_line_mistake(error, AW_TOKEN_SUBJECT_MAX, "subject longer than %d bytes",
                                     AW_TOKEN_SUBJECT_MAX);
    }
    at = line->subject.len + 1;
    if (!parse_hash(value, s, &at, error)) {
        return false;
    }
    line->hash = (aw_span_t){colon + 1, at - line->subject.len - 1};
    value->expires = AW_TOKEN_NEVER;
    if (at == s.len) {
        return true;
    }
    at++;
    line->expires = (aw_span_t){s.ptr + at, expires_end(s, at) - at};
    if (!aw_token_expires_parse(line->expires, &value->expires, error)) {
        error->column += at;
        return false;
    }
    at += line->expires.len;
    if (at < s.len && s.ptr[at] != ':') {
        return aw_line_mistake(error, at, "a colon or the end expected");
    }
    if (at < s.len) {
        line->note = (aw_span_t){s.ptr + at + 1, s.len - at - 1};
    }
    return true;
}

aw_line_e aw_token_next(aw_line_reader_t *reader, aw_token_line_t *line, aw_token_value_t *value,
                        aw_line_error_t *error)
{
    bool ok;

    if (reader->rest.len == 0) {
        return AW_LINE_END;
    }
    *line = (aw_token_line_t){.whole = aw_line_next(reader, NULL)};
    line->number = reader->number;
    if (line->whole.len == 0 || line->whole.ptr[0] == '#') {
        return AW_LINE_BLANK;
    }
    /* Not in the first line only: a line may become the first. */
    if (line->whole.len >= sizeof(BOM) - 1 && memcmp(line->whole.ptr, BOM, sizeof(BOM) - 1) == 0) {
        ok = aw_line_mistake(error, 0, "a byte order mark");
    } else {
        ok = parse_line(line, value, error);
    }
    if (!ok) {
        error->line = line->number;
        return AW_LINE_BROKEN;
    }
    return AW_LINE_ENTRY;
}
