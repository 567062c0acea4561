/* Names and passwords in Unicode's Normalization Form C, as RFC 7616 section 4 asks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/normal.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <utf8proc.h>

#include "base/text.h"

/* Everything below U+0300 has the form and composes with nothing before it; in UTF-8 these
 * characters begin with a byte below this one. */
#define FIRST_MARK 0xCC

static bool is_plain(aw_span_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] >= FIRST_MARK) {
            return false;
        }
    }
    return true;
}

/* Composes into `points`, which has room for `room` characters and one more. The bytes of the
 * result, which then stand in the same place, or negative. */
static utf8proc_ssize_t compose(utf8proc_int32_t *points, utf8proc_ssize_t room, aw_span_t s)
{
    const utf8proc_option_t form = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    const utf8proc_ssize_t n = utf8proc_decompose((const utf8proc_uint8_t *)s.ptr,
                                                  (utf8proc_ssize_t)s.len, points, room, form);

    if (n < 0 || n > room) {
        return UTF8PROC_ERROR_OVERFLOW;
    }
    return utf8proc_reencode(points, n, form);
}

apr_status_t aw_text_nfc(aw_span_t *out, aw_span_t s, apr_pool_t *p)
{
    if (aw_utf8_valid_prefix(s) != s.len) {
        return APR_EINVAL;
    }
    if (is_plain(s)) {
        *out = s;
        return APR_SUCCESS;
    }
    if (s.len > AW_TEXT_NFC_MAX) {
        return APR_ENOSPC;
    }
    /* A character decomposes into four at the most (Unicode: the longest canonical one), and takes
     * two bytes at the least. */
    const size_t room = 2 * s.len;
    utf8proc_int32_t *points = malloc((room + 1) * sizeof(*points));

    if (!points) {
        return APR_ENOMEM;
    }
    const utf8proc_ssize_t n = compose(points, (utf8proc_ssize_t)room, s);
    const apr_status_t rv = n < 0 ? APR_ENOMEM : APR_SUCCESS;

    if (rv == APR_SUCCESS) {
        const aw_span_t composed = {(const char *)points, (size_t)n};

        *out = aw_span_equal(composed, s)
                   ? s
                   : (aw_span_t){apr_pstrmemdup(p, composed.ptr, composed.len), composed.len};
    }
    aw_wipe(points, (room + 1) * sizeof(*points));
    free(points);
    return rv;
}
