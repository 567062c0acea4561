/* The head of an HTTP/1.1 answer, read whole: its status and any of its fields.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "answer.h"

#include <apr_strings.h>

#define HEAD_MAX (64 * 1024)

static aw_span_t trim(aw_span_t s)
{
    while (s.len > 0 && (*s.ptr == ' ' || *s.ptr == '\t')) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

/* Takes a head apart: its length, 0 when more is needed, or *wrong. */
static size_t parse(answer_t *answer, const char *bytes, size_t len, const char **wrong)
{
    const char *end = memmem(bytes, len, "\r\n\r\n", 4);

    if (!end) {
        return 0;
    }
    const char *line = memmem(bytes, len, "\r\n", 2);
    const size_t line_len = (size_t)(line - bytes);

    if (line_len < 12 || memcmp(bytes, "HTTP/1.", 7) != 0 || bytes[8] != ' ' || bytes[9] < '1' ||
        bytes[9] > '5' || bytes[10] < '0' || bytes[10] > '9' || bytes[11] < '0' ||
        bytes[11] > '9') {
        *wrong = "the answer is no HTTP/1.1";
        return 0;
    }
    answer->status = (bytes[9] - '0') * 100 + (bytes[10] - '0') * 10 + (bytes[11] - '0');
    answer->reason = trim((aw_span_t){bytes + 12, line_len - 12});
    answer->fields = (aw_span_t){line + 2, (size_t)(end + 2 - (line + 2))};
    return (size_t)(end + 4 - bytes);
}

const char *answer_read(answer_t *answer, stream_t *stream, int timeout_ms, apr_pool_t *p)
{
    char *bytes = apr_palloc(p, HEAD_MAX);
    size_t len = 0, head = 0;

    for (;;) {
        const char *wrong = NULL;
        size_t more = 0;

        head = parse(answer, bytes, len, &wrong);
        if (wrong) {
            return wrong;
        }
        if (head > 0 && (answer->status >= 200 || answer->status == 101)) {
            break;
        }
        if (head > 0) {
            len -= head;
            memmove(bytes, bytes + head, len);
            continue;
        }
        if (len == HEAD_MAX) {
            return "the head of the answer is too long";
        }
        wrong = stream_read(stream, bytes + len, HEAD_MAX - len, &more, timeout_ms);
        if (wrong) {
            return wrong;
        }
        len += more;
    }
    answer->rest = (unsigned char *)bytes + head;
    answer->rest_len = len - head;
    return NULL;
}

aw_span_t answer_field_at(const answer_t *answer, const char *name, int n)
{
    const aw_span_t wanted = aw_span(name);
    const char *at = answer->fields.ptr;
    size_t left = answer->fields.len;

    while (left > 0) {
        const char *end = memmem(at, left, "\r\n", 2);
        const size_t len = end ? (size_t)(end - at) : left;
        const char *colon = memchr(at, ':', len);

        if (colon && aw_span_equal_nocase((aw_span_t){at, (size_t)(colon - at)}, wanted) &&
            n-- == 0) {
            return trim((aw_span_t){colon + 1, len - (size_t)(colon + 1 - at)});
        }
        left -= end ? len + 2 : left;
        at = end ? end + 2 : at;
    }
    return (aw_span_t){NULL, 0};
}

aw_span_t answer_field(const answer_t *answer, const char *name, apr_pool_t *p)
{
    aw_span_t all = answer_field_at(answer, name, 0);

    for (int n = 1; all.ptr; n++) {
        const aw_span_t more = answer_field_at(answer, name, n);

        if (!more.ptr) {
            break;
        }
        all.ptr = apr_psprintf(p, "%.*s, %.*s", (int)all.len, all.ptr, (int)more.len, more.ptr);
        all.len = strlen(all.ptr);
    }
    return all;
}
