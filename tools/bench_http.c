/* Reading HTTP/1.1 answers as they come in: the head over borrowed bytes, the body counted off.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench_http.h"

#define CHUNK_MAX ((uint64_t)1 << 40)

static aw_span_t trim(const char *start, const char *end)
{
    while (start < end && (*start == ' ' || *start == '\t')) {
        start++;
    }
    while (end > start && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    return (aw_span_t){start, (size_t)(end - start)};
}

static bool read_number(aw_span_t text, uint64_t *out)
{
    uint64_t n = 0;

    if (text.len == 0 || text.len > 18) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
        n = n * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    *out = n;
    return true;
}

/* Whether a comma-separated list holds a token. */
static bool lists(aw_span_t list, aw_span_t token)
{
    const char *end = list.ptr + list.len;

    for (const char *at = list.ptr; at < end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;

        if (aw_span_equal_nocase(trim(at, stop), token)) {
            return true;
        }
        at = stop + 1;
    }
    return false;
}

static bool read_status(bench_http_t *http, const char *line, const char *end)
{
    /* HTTP/1.x NNN */
    if (end - line < 12 || memcmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ') {
        return false;
    }
    for (int i = 9; i < 12; i++) {
        if (line[i] < '0' || line[i] > '9') {
            return false;
        }
        http->status = http->status * 10 + (line[i] - '0');
    }
    http->close = line[7] == '0';
    return http->status >= 100;
}

/* What the field line says, as far as it matters here. False when it is malformed. */
static bool read_field(bench_http_t *http, const char *line, const char *end, bool *has_length)
{
    const char *colon = memchr(line, ':', (size_t)(end - line));

    if (!colon || colon == line) {
        return false;
    }
    const aw_span_t name = {line, (size_t)(colon - line)};
    const aw_span_t value = trim(colon + 1, end);

    if (aw_span_equal_nocase(name, AW_SPAN_LIT("Content-Length"))) {
        *has_length = true;
        return read_number(value, &http->left);
    }
    if (aw_span_equal_nocase(name, AW_SPAN_LIT("Transfer-Encoding"))) {
        if (lists(value, AW_SPAN_LIT("chunked"))) {
            http->body = BENCH_BODY_CHUNK_SIZE;
        }
    } else if (aw_span_equal_nocase(name, AW_SPAN_LIT("Connection"))) {
        http->close = http->close || lists(value, AW_SPAN_LIT("close"));
    } else if (aw_span_equal_nocase(name, AW_SPAN_LIT("Authentication-Info"))) {
        http->info = value;
    } else if (aw_span_equal_nocase(name, AW_SPAN_LIT("WWW-Authenticate")) &&
               http->challenges_count < BENCH_CHALLENGES) {
        http->challenges[http->challenges_count++] = value;
    }
    return true;
}

ssize_t bench_http_head(bench_http_t *http, const char *bytes, size_t n)
{
    const char *stop = memmem(bytes, n, "\r\n\r\n", 4);
    bool first = true, has_length = false;

    if (!stop) {
        return 0;
    }
    *http = (bench_http_t){.body = BENCH_BODY_UNTIL_END};
    for (const char *line = bytes; line <= stop;) {
        const char *end = memmem(line, (size_t)(stop + 2 - line), "\r\n", 2);

        if (!end ||
            !(first ? read_status(http, line, end) : read_field(http, line, end, &has_length))) {
            return -1;
        }
        first = false;
        line = end + 2;
    }
    if (http->status < 200 || http->status == 204 || http->status == 304) {
        http->body = BENCH_BODY_LENGTH;
        http->left = 0;
    } else if (http->body != BENCH_BODY_CHUNK_SIZE && has_length) {
        http->body = BENCH_BODY_LENGTH;
    } else if (http->body == BENCH_BODY_CHUNK_SIZE) {
        http->left = 0; /* chunks overrule a length: RFC 9112 6.3 */
    }
    return stop + 4 - bytes;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* One byte of a chunk size, or what ends it. */
static bool chunk_size(bench_http_t *http, char c)
{
    const int digit = hex_digit(c);

    if (digit >= 0 && http->left < CHUNK_MAX) {
        http->left = http->left * 16 + (uint64_t)digit;
        http->digits = true;
        return true;
    }
    http->body = BENCH_BODY_CHUNK_EXTENSION;
    return http->digits && (c == '\r' || c == ';' || c == ' ' || c == '\t');
}

/* One byte between the chunks' data; `whole` when it is the last of all. */
static bool chunk_step(bench_http_t *http, char c, bool *whole)
{
    switch (http->body) {
    case BENCH_BODY_CHUNK_SIZE:
        return chunk_size(http, c);
    case BENCH_BODY_CHUNK_EXTENSION:
        if (c == '\n') {
            http->body = http->left > 0 ? BENCH_BODY_CHUNK_DATA : BENCH_BODY_TRAILER;
            http->digits = false;
        }
        return true;
    case BENCH_BODY_CHUNK_END:
        if (c == '\n') {
            http->body = BENCH_BODY_CHUNK_SIZE;
        }
        return c == '\r' || c == '\n';
    case BENCH_BODY_TRAILER:
        if (c == '\n') {
            *whole = true;
        } else if (c != '\r') {
            http->body = BENCH_BODY_TRAILER_LINE;
        }
        return true;
    default:
        if (c == '\n') {
            http->body = BENCH_BODY_TRAILER;
        }
        return true;
    }
}

ssize_t bench_http_body(bench_http_t *http, const char *bytes, size_t n, bool *whole)
{
    size_t used = 0;

    *whole = http->body == BENCH_BODY_LENGTH && http->left == 0;
    if (http->body == BENCH_BODY_UNTIL_END) {
        return (ssize_t)n;
    }
    while (used < n && !*whole) {
        if (http->body == BENCH_BODY_LENGTH || http->body == BENCH_BODY_CHUNK_DATA) {
            const uint64_t take = http->left < n - used ? http->left : n - used;

            used += (size_t)take;
            http->left -= take;
            if (http->left == 0) {
                *whole = http->body == BENCH_BODY_LENGTH;
                http->body = *whole ? http->body : BENCH_BODY_CHUNK_END;
            }
        } else if (!chunk_step(http, bytes[used++], whole)) {
            return -1;
        }
    }
    return (ssize_t)used;
}
