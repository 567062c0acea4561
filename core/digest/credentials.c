/* Digest and Basic credentials, taken apart in one pass and checked for form.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "digest/credentials.h"

#include "base/text.h"
#include "digest/params.h"

/* Where a parameter's value goes. */
enum {
    FIELD_USERNAME,
    FIELD_USERNAME_EXT,
    FIELD_REALM,
    FIELD_NONCE,
    FIELD_URI,
    FIELD_RESPONSE,
    FIELD_ALGORITHM,
    FIELD_CNONCE,
    FIELD_OPAQUE,
    FIELD_QOP,
    FIELD_NC,
    FIELD_USERHASH,
    FIELDS
};

typedef struct field_info_t {
    aw_span_t name;
    size_t max; /* bytes of its value; 0: as many as the field has */
} field_info_t;

#define INFO(text, max)                                                                            \
    {                                                                                              \
        {text, sizeof(text) - 1}, max                                                              \
    }
static const field_info_t infos[FIELDS] = {
    [FIELD_USERNAME] = INFO("username", AW_CREDENTIALS_VALUE_MAX),
    [FIELD_USERNAME_EXT] = INFO("username*", AW_CREDENTIALS_VALUE_MAX),
    [FIELD_REALM] = INFO("realm", AW_CREDENTIALS_VALUE_MAX),
    [FIELD_NONCE] = INFO("nonce", 0),
    [FIELD_URI] = INFO("uri", AW_CREDENTIALS_VALUE_MAX),
    [FIELD_RESPONSE] = INFO("response", 0),
    [FIELD_ALGORITHM] = INFO("algorithm", 0),
    [FIELD_CNONCE] = INFO("cnonce", AW_CREDENTIALS_VALUE_MAX),
    [FIELD_OPAQUE] = INFO("opaque", 0),
    [FIELD_QOP] = INFO("qop", 0),
    [FIELD_NC] = INFO("nc", 0),
    [FIELD_USERHASH] = INFO("userhash", 0)};

/* The values as they were found. */
typedef struct raw_t {
    unsigned seen; /* bit 1u << FIELD_... */
    aw_span_t value[FIELDS];
    char *scratch; /* what is left of it */
} raw_t;

static bool has(const raw_t *raw, int field)
{
    return (raw->seen >> field & 1) != 0;
}

const char *aw_qop_name(aw_qop_e qop)
{
    static const char *const names[] = {
        [AW_QOP_NONE] = "", [AW_QOP_AUTH] = "auth", [AW_QOP_AUTH_INT] = "auth-int"};
    return names[qop];
}

/* The field of a name written in lower case, as every client does: comparisons of a fixed length
 * are a few instructions each. */
static int field_find_exact(aw_span_t name)
{
#define IS(text) (memcmp(name.ptr, text, sizeof(text) - 1) == 0)
    switch (name.len) {
    case 2:
        return IS("nc") ? FIELD_NC : FIELDS;
    case 3:
        return IS("uri") ? FIELD_URI : IS("qop") ? FIELD_QOP : FIELDS;
    case 5:
        return IS("nonce") ? FIELD_NONCE : IS("realm") ? FIELD_REALM : FIELDS;
    case 6:
        return IS("cnonce") ? FIELD_CNONCE : IS("opaque") ? FIELD_OPAQUE : FIELDS;
    case 8:
        return IS("username")   ? FIELD_USERNAME
               : IS("response") ? FIELD_RESPONSE
               : IS("userhash") ? FIELD_USERHASH
                                : FIELDS;
    case 9:
        return IS("algorithm") ? FIELD_ALGORITHM : IS("username*") ? FIELD_USERNAME_EXT : FIELDS;
    default:
        return FIELDS;
    }
#undef IS
}

static int field_find(aw_span_t name)
{
    const int exact = field_find_exact(name);

    if (exact != FIELDS) {
        return exact;
    }
    for (int i = 0; i < FIELDS; i++) {
        if (aw_span_equal_nocase(infos[i].name, name)) {
            return i;
        }
    }
    return FIELDS;
}

/* Keeps one parameter; the reason when it cannot stand. */
static const char *keep(raw_t *raw, const aw_param_t *item)
{
    const int field = field_find(item->name);

    if (field == FIELDS) {
        return NULL;
    }
    if (has(raw, field)) {
        return "a parameter stands twice";
    }
    raw->seen |= 1u << field;
    if (infos[field].max != 0 && item->value.len > infos[field].max) {
        return "a value is too long";
    }
    if (field == FIELD_USERNAME_EXT) {
        size_t n;
        if (item->quoted || !aw_param_decode_ext(item->value, raw->scratch, &n)) {
            return "username* is not UTF-8''percent-encoded";
        }
        raw->value[field] = (aw_span_t){raw->scratch, n};
        raw->scratch += n;
    } else if (item->escaped) {
        const size_t n = aw_param_unescape(item, raw->scratch);
        raw->value[field] = (aw_span_t){raw->scratch, n};
        raw->scratch += n;
    } else {
        raw->value[field] = item->value;
    }
    return NULL;
}

/* Reads all parameters; the reason when they cannot stand. */
static const char *collect(raw_t *raw, aw_params_t *it)
{
    for (;;) {
        aw_param_t item;
        const char *why;
        switch (aw_params_next(it, &item)) {
        case AW_PARAM_PAIR:
            why = keep(raw, &item);
            if (why != NULL) {
                return why;
            }
            break;
        case AW_PARAM_END:
            return NULL;
        case AW_PARAM_TOKEN68:
        case AW_PARAM_SCHEME:
            return "parameters expected";
        case AW_PARAM_BAD:
            return "broken grammar";
        }
    }
}

/* Whether a name or realm could stand in an A1 file. */
static bool is_name(aw_span_t text)
{
    return aw_utf8_valid_prefix(text) == text.len && aw_text_find_control(text) == text.len;
}

static const char *check_names(aw_credentials_t *out, const raw_t *raw)
{
    const bool ext = has(raw, FIELD_USERNAME_EXT);

    if (ext == has(raw, FIELD_USERNAME)) {
        return ext ? "username and username* together" : "username missing";
    }
    if (!has(raw, FIELD_REALM)) {
        return "realm missing";
    }
    if (has(raw, FIELD_USERHASH)) {
        const aw_span_t value = raw->value[FIELD_USERHASH];
        out->userhash = aw_span_equal_nocase(value, AW_SPAN_LIT("true"));
        if (!out->userhash && !aw_span_equal_nocase(value, AW_SPAN_LIT("false"))) {
            return "userhash is neither true nor false";
        }
    }
    if (ext && out->userhash) {
        return "username* with userhash";
    }
    out->username = raw->value[ext ? FIELD_USERNAME_EXT : FIELD_USERNAME];
    out->realm = raw->value[FIELD_REALM];
    if (!is_name(out->username)) {
        return "username is not plain UTF-8 text";
    }
    return is_name(out->realm) ? NULL : "realm is not plain UTF-8 text";
}

/* qop, nc and cnonce, of which each needs the others. */
static const char *check_count(aw_credentials_t *out, const raw_t *raw)
{
    unsigned char nc[4];

    if (!has(raw, FIELD_QOP)) {
        return has(raw, FIELD_NC) || has(raw, FIELD_CNONCE) ? "nc or cnonce without qop"
               : out->algorithm.sess                        ? "-sess without cnonce"
                                                            : NULL;
    }
    if (aw_span_equal_nocase(raw->value[FIELD_QOP], AW_SPAN_LIT("auth"))) {
        out->qop = AW_QOP_AUTH;
    } else if (aw_span_equal_nocase(raw->value[FIELD_QOP], AW_SPAN_LIT("auth-int"))) {
        out->qop = AW_QOP_AUTH_INT;
    } else {
        return "unknown qop";
    }
    if (!has(raw, FIELD_NC) || !has(raw, FIELD_CNONCE)) {
        return "qop without nc and cnonce";
    }
    out->cnonce = raw->value[FIELD_CNONCE];
    out->nc_text = raw->value[FIELD_NC];
    if (out->nc_text.len != 8 || aw_hex_decode(nc, out->nc_text.ptr, sizeof(nc)) != 8) {
        return "nc is not 8 hex digits";
    }
    out->nc = (uint32_t)nc[0] << 24 | (uint32_t)nc[1] << 16 | (uint32_t)nc[2] << 8 | nc[3];
    return NULL;
}

static const char *check_rest(aw_credentials_t *out, const raw_t *raw)
{
    if (!has(raw, FIELD_NONCE)) {
        return "nonce missing";
    }
    if (!has(raw, FIELD_URI)) {
        return "uri missing";
    }
    if (!has(raw, FIELD_RESPONSE)) {
        return "response missing";
    }
    if (has(raw, FIELD_ALGORITHM) &&
        !aw_algorithm_parse(raw->value[FIELD_ALGORITHM], &out->algorithm)) {
        return "unknown algorithm";
    }
    const aw_span_t response = raw->value[FIELD_RESPONSE];
    const size_t size = aw_alg_size(out->algorithm.hash);
    if (response.len != 2 * size ||
        aw_hex_decode(out->response, response.ptr, size) != response.len) {
        return "response is not as many hex digits as the algorithm's";
    }
    out->nonce = raw->value[FIELD_NONCE];
    out->uri = raw->value[FIELD_URI];
    out->opaque = raw->value[FIELD_OPAQUE];
    return NULL;
}

aw_credentials_e aw_credentials_parse(aw_credentials_t *out, const char **why, aw_span_t field,
                                      char *scratch)
{
    aw_params_t it;
    aw_param_t item;
    raw_t raw;

    aw_params_init(&it, field, AW_PARAMS_CREDENTIALS);
    if (aw_params_next(&it, &item) != AW_PARAM_SCHEME) {
        *why = "no scheme";
        return AW_CREDENTIALS_MALFORMED;
    }
    if (!aw_span_equal_nocase(item.name, AW_SPAN_LIT("Digest"))) {
        return AW_CREDENTIALS_OTHER_SCHEME;
    }
    raw.seen = 0;
    raw.scratch = scratch;
    raw.value[FIELD_OPAQUE] = (aw_span_t){NULL, 0};
    out->cnonce = out->nc_text = raw.value[FIELD_OPAQUE];
    out->nc = 0;
    out->algorithm = (aw_algorithm_t){AW_ALG_MD5, false};
    out->qop = AW_QOP_NONE;
    out->userhash = false;

    const char *wrong = collect(&raw, &it);
    if (wrong == NULL) {
        wrong = check_names(out, &raw);
    }
    if (wrong == NULL) {
        wrong = check_rest(out, &raw);
    }
    if (wrong == NULL) {
        wrong = check_count(out, &raw);
    }
    if (wrong != NULL) {
        *why = wrong;
        return AW_CREDENTIALS_MALFORMED;
    }
    return AW_CREDENTIALS_OK;
}

aw_credentials_e aw_basic_parse(aw_span_t *user, aw_span_t *password, const char **why,
                                aw_span_t field, char *buf)
{
    aw_params_t it;
    aw_param_t item, more;
    size_t n;

    aw_params_init(&it, field, AW_PARAMS_CREDENTIALS);
    if (aw_params_next(&it, &item) != AW_PARAM_SCHEME) {
        *why = "no scheme";
        return AW_CREDENTIALS_MALFORMED;
    }
    if (!aw_span_equal_nocase(item.name, AW_SPAN_LIT("Basic"))) {
        return AW_CREDENTIALS_OTHER_SCHEME;
    }
    if (aw_params_next(&it, &item) != AW_PARAM_TOKEN68 ||
        aw_params_next(&it, &more) != AW_PARAM_END) {
        *why = "not one base64 word";
        return AW_CREDENTIALS_MALFORMED;
    }
    if (!aw_base64_decode(AW_BASE64, buf, field.len, &n, item.value.ptr, item.value.len)) {
        *why = "broken base64";
        return AW_CREDENTIALS_MALFORMED;
    }
    const char *colon = n > 0 ? memchr(buf, ':', n) : NULL;
    if (colon == NULL) {
        *why = "no colon";
        return AW_CREDENTIALS_MALFORMED;
    }
    if (aw_text_find_control((aw_span_t){buf, n}) != n) {
        *why = "a control character";
        return AW_CREDENTIALS_MALFORMED;
    }
    const size_t length = (size_t)(colon - buf);
    *user = (aw_span_t){buf, length};
    *password = (aw_span_t){colon + 1, n - length - 1};
    return AW_CREDENTIALS_OK;
}
