/* Fuzzing of what a client may send as Authorization: Digest and Basic credentials.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "digest/credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of a size of its own, so that the sanitizer sees the first byte behind it. */
static char *exactly(size_t size)
{
    char *out = malloc(size > 0 ? size : 1);

    if (out == NULL) {
        abort();
    }
    return out;
}

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

static int inside(aw_span_t part, const char *start, size_t n)
{
    return part.len == 0 ||
           (part.ptr >= start && part.len <= n && part.ptr <= start + (n - part.len));
}

static void check_digest(aw_span_t field)
{
    char *scratch = exactly(field.len);
    const char *why = NULL;
    aw_credentials_t c;

    switch (aw_credentials_parse(&c, &why, field, scratch)) {
    case AW_CREDENTIALS_OK: {
        const aw_span_t all[] = {c.username, c.realm,   c.nonce, c.uri,
                                 c.cnonce,   c.nc_text, c.opaque};
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
            require(inside(all[i], field.ptr, field.len) || inside(all[i], scratch, field.len));
        }
        require(aw_utf8_valid_prefix(c.username) == c.username.len);
        require(aw_text_find_control(c.username) == c.username.len);
        require(c.username.len <= AW_CREDENTIALS_VALUE_MAX);
        require(c.uri.len <= AW_CREDENTIALS_VALUE_MAX);
        require(c.algorithm.hash < AW_ALG_COUNT);
        require(c.nc_text.len == (c.qop == AW_QOP_NONE ? 0 : 8));
        require(!c.algorithm.sess || c.qop != AW_QOP_NONE);
        break;
    }
    case AW_CREDENTIALS_MALFORMED:
        require(why != NULL);
        break;
    case AW_CREDENTIALS_OTHER_SCHEME:
        break;
    }
    free(scratch);
}

static void check_basic(aw_span_t field)
{
    char *scratch = exactly(field.len);
    aw_span_t user, password;
    const char *why = NULL;

    if (aw_basic_parse(&user, &password, &why, field, scratch) == AW_CREDENTIALS_OK) {
        require(inside(user, scratch, field.len) && inside(password, scratch, field.len));
        require(user.len == 0 || memchr(user.ptr, ':', user.len) == NULL);
    }
    free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = exactly(size);

    if (size > 0) {
        memcpy(copy, data, size);
    }
    check_digest((aw_span_t){copy, size});
    check_basic((aw_span_t){copy, size});
    free(copy);
    return 0;
}
