/* Digest challenges: the server's writing of them and the client's reading.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "digest/challenge.h"

#include "digest/params.h"

/* All that a challenge has besides its quoted values, with every parameter present: generous. */
#define FIXED_MAX 256

size_t aw_challenge_length_max(const aw_challenge_t *challenge)
{
    /* In a quoted-string each byte may become two. */
    return FIXED_MAX + 2 * (challenge->realm.len + challenge->nonce.len + challenge->domain.len +
                            challenge->opaque.len);
}

static char *put(char *at, aw_span_t text)
{
    memcpy(at, text.ptr, text.len);
    return at + text.len;
}

static char *put_quoted(char *at, aw_span_t name, aw_span_t value)
{
    at = put(at, name);
    return at + aw_param_quote(at, value);
}

size_t aw_challenge_build(char *out, const aw_challenge_t *challenge)
{
    const unsigned both = AW_QOP_BIT(AW_QOP_AUTH) | AW_QOP_BIT(AW_QOP_AUTH_INT);
    char name[AW_ALGORITHM_NAME_MAX];
    char *at = out;

    at = put_quoted(at, AW_SPAN_LIT("Digest realm="), challenge->realm);
    at = put_quoted(at, AW_SPAN_LIT(", nonce="), challenge->nonce);
    at = put(at, AW_SPAN_LIT(", algorithm="));
    at = put(at, aw_span(aw_algorithm_name(name, challenge->algorithm)));
    /* No space after the comma: some clients divide the list at commas alone. */
    if ((challenge->qops & both) == both) {
        at = put(at, AW_SPAN_LIT(", qop=\"auth,auth-int\""));
    } else if (challenge->qops & AW_QOP_BIT(AW_QOP_AUTH)) {
        at = put(at, AW_SPAN_LIT(", qop=\"auth\""));
    } else if (challenge->qops & AW_QOP_BIT(AW_QOP_AUTH_INT)) {
        at = put(at, AW_SPAN_LIT(", qop=\"auth-int\""));
    }
    if (challenge->domain.len > 0) {
        at = put_quoted(at, AW_SPAN_LIT(", domain="), challenge->domain);
    }
    if (challenge->opaque.len > 0) {
        at = put_quoted(at, AW_SPAN_LIT(", opaque="), challenge->opaque);
    }
    if (challenge->stale) {
        at = put(at, AW_SPAN_LIT(", stale=true"));
    }
    if (challenge->utf8) {
        at = put(at, AW_SPAN_LIT(", charset=UTF-8"));
    }
    if (challenge->userhash) {
        at = put(at, AW_SPAN_LIT(", userhash=true"));
    }
    return (size_t)(at - out);
}

/* One challenge while it is read. */
enum { SAW_REALM = 1, SAW_NONCE = 2, SAW_DOMAIN = 4, SAW_OPAQUE = 8, SAW_ALGORITHM = 16 };
enum { SAW_QOP = 32, SAW_STALE = 64, SAW_USERHASH = 128, SAW_CHARSET = 256 };

typedef struct reading_t {
    aw_challenge_t challenge;
    unsigned seen;
    bool digest;  /* a Digest challenge is being read */
    bool unknown; /* it asks for something that the library does not know */
    char *scratch;
} reading_t;

static bool is_true(aw_span_t value)
{
    return aw_span_equal_nocase(value, AW_SPAN_LIT("true"));
}

/* The known ones of a list of qops. */
static unsigned qops_parse(aw_span_t list)
{
    unsigned qops = 0;
    size_t i = 0;

    while (i < list.len) {
        size_t end = i;
        while (end < list.len && list.ptr[end] != ',' && list.ptr[end] != ' ' &&
               list.ptr[end] != '\t') {
            end++;
        }
        const aw_span_t one = {list.ptr + i, end - i};
        if (aw_span_equal_nocase(one, AW_SPAN_LIT("auth"))) {
            qops |= AW_QOP_BIT(AW_QOP_AUTH);
        } else if (aw_span_equal_nocase(one, AW_SPAN_LIT("auth-int"))) {
            qops |= AW_QOP_BIT(AW_QOP_AUTH_INT);
        }
        i = end + 1;
    }
    return qops;
}

static unsigned param_find(aw_span_t name)
{
    static const struct {
        aw_span_t name;
        unsigned bit;
    } params[] = {{{"realm", 5}, SAW_REALM},         {{"nonce", 5}, SAW_NONCE},
                  {{"domain", 6}, SAW_DOMAIN},       {{"opaque", 6}, SAW_OPAQUE},
                  {{"algorithm", 9}, SAW_ALGORITHM}, {{"qop", 3}, SAW_QOP},
                  {{"stale", 5}, SAW_STALE},         {{"userhash", 8}, SAW_USERHASH},
                  {{"charset", 7}, SAW_CHARSET}};

    for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
        if (aw_span_equal_nocase(name, params[i].name)) {
            return params[i].bit;
        }
    }
    return 0;
}

/* Takes up one parameter of a Digest challenge; false when it stands twice. */
static bool keep(reading_t *reading, const aw_param_t *item)
{
    aw_challenge_t *challenge = &reading->challenge;
    const unsigned bit = param_find(item->name);
    aw_span_t value = item->value;

    if ((reading->seen & bit) != 0) {
        return false;
    }
    reading->seen |= bit;
    if (item->escaped && bit != 0) {
        value = (aw_span_t){reading->scratch, aw_param_unescape(item, reading->scratch)};
        reading->scratch += value.len;
    }
    switch (bit) {
    case SAW_REALM:
        challenge->realm = value;
        break;
    case SAW_NONCE:
        challenge->nonce = value;
        break;
    case SAW_DOMAIN:
        challenge->domain = value;
        break;
    case SAW_OPAQUE:
        challenge->opaque = value;
        break;
    case SAW_ALGORITHM:
        reading->unknown |= !aw_algorithm_parse(value, &challenge->algorithm);
        break;
    case SAW_QOP:
        challenge->qops = qops_parse(value);
        reading->unknown |= challenge->qops == 0;
        break;
    case SAW_STALE:
        challenge->stale = is_true(value);
        break;
    case SAW_USERHASH:
        challenge->userhash = is_true(value);
        break;
    case SAW_CHARSET:
        challenge->utf8 = aw_span_equal_nocase(value, AW_SPAN_LIT("UTF-8"));
        break;
    default:
        break;
    }
    return true;
}

static void start(reading_t *reading, bool digest)
{
    reading->challenge = (aw_challenge_t){.algorithm = {AW_ALG_MD5, false}};
    reading->seen = 0;
    reading->unknown = false;
    reading->digest = digest;
}

/* Ends the challenge being read; false when it lacks what every challenge has. */
static bool finish(const reading_t *reading, aw_challenge_t *out, int max, int *count)
{
    const unsigned needed = SAW_REALM | SAW_NONCE;

    if (!reading->digest) {
        return true;
    }
    if ((reading->seen & needed) != needed) {
        return false;
    }
    if (!reading->unknown && *count < max) {
        out[(*count)++] = reading->challenge;
    }
    return true;
}

int aw_challenges_parse(aw_challenge_t *out, int max, aw_span_t field, char *scratch)
{
    reading_t reading = {.scratch = scratch};
    aw_params_t it;
    int count = 0;

    start(&reading, false);
    aw_params_init(&it, field, AW_PARAMS_CHALLENGES);
    for (;;) {
        aw_param_t item;
        switch (aw_params_next(&it, &item)) {
        case AW_PARAM_SCHEME:
            if (!finish(&reading, out, max, &count)) {
                return -1;
            }
            start(&reading, aw_span_equal_nocase(item.name, AW_SPAN_LIT("Digest")));
            break;
        case AW_PARAM_PAIR:
            if (reading.digest && !keep(&reading, &item)) {
                return -1;
            }
            break;
        case AW_PARAM_TOKEN68:
            /* Another scheme's; a Digest challenge is now short of its realm. */
            break;
        case AW_PARAM_END:
            return finish(&reading, out, max, &count) ? count : -1;
        case AW_PARAM_BAD:
            return -1;
        }
    }
}
