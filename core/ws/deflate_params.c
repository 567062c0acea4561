/* permessage-deflate (RFC 7692): offers and answers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ws/deflate.h"

#include <stdio.h>

#include "base/text.h"

#define NAME "permessage-deflate"

/* zlib's deflate has no window of 2^8 bytes. */
#define WINDOW_MIN_OUT 9
#define WINDOW_MAX     15

/* Longer values are none of ours: what is behind is left out. */
#define VALUE_MAX 16

/* --- lists of extensions (RFC 6455 section 9.1) --- */

typedef struct reader_t {
    const char *at, *end;
} reader_t;

typedef struct param_t {
    aw_span_t name;
    bool has_value;
    char value[VALUE_MAX];
    size_t value_len; /* of the whole value; above VALUE_MAX it is not all there */
} param_t;

static void skip_space(reader_t *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\t')) {
        in->at++;
    }
}

/* Takes `c`, with the space around it, if it comes next. */
static bool take(reader_t *in, char c)
{
    skip_space(in);
    if (in->at == in->end || *in->at != c) {
        return false;
    }
    in->at++;
    skip_space(in);
    return true;
}

static aw_span_t take_token(reader_t *in)
{
    const char *const start = in->at;

    while (in->at < in->end && aw_is_tchar((unsigned char)*in->at)) {
        in->at++;
    }
    return (aw_span_t){start, (size_t)(in->at - start)};
}

static void add(param_t *param, char c)
{
    if (param->value_len < VALUE_MAX) {
        param->value[param->value_len] = c;
    }
    param->value_len++;
}

/* A quoted value behind its first quote. Without its quotes and backslashes it has to be a token
 * as well. */
static bool take_quoted(reader_t *in, param_t *param)
{
    while (in->at < in->end && *in->at != '"') {
        if (*in->at == '\\' && ++in->at == in->end) {
            return false;
        }
        if (!aw_is_tchar((unsigned char)*in->at)) {
            return false;
        }
        add(param, *in->at++);
    }
    if (in->at == in->end || param->value_len == 0) {
        return false;
    }
    in->at++;
    return true;
}

static bool take_param(reader_t *in, param_t *param)
{
    aw_span_t token;

    param->name = take_token(in);
    param->has_value = take(in, '=');
    param->value_len = 0;
    if (param->name.len == 0 || !param->has_value) {
        return param->name.len > 0;
    }
    if (in->at < in->end && *in->at == '"') {
        in->at++;
        return take_quoted(in, param);
    }
    token = take_token(in);
    for (size_t i = 0; i < token.len; i++) {
        add(param, token.ptr[i]);
    }
    return token.len > 0;
}

/* --- the parameters of one offer or answer (RFC 7692 section 7.1) --- */

typedef enum kind_e {
    SERVER_NO_TAKEOVER,
    CLIENT_NO_TAKEOVER,
    SERVER_WINDOW,
    CLIENT_WINDOW,
    KINDS
} kind_e;

static const aw_span_t names[KINDS] = {
    [SERVER_NO_TAKEOVER] = {"server_no_context_takeover", 26},
    [CLIENT_NO_TAKEOVER] = {"client_no_context_takeover", 26},
    [SERVER_WINDOW] = {"server_max_window_bits", 22},
    [CLIENT_WINDOW] = {"client_max_window_bits", 22},
};

typedef struct terms_t {
    bool ours;                   /* it is permessage-deflate */
    bool valid;                  /* every parameter is known, said once and right */
    bool has[KINDS];             /* which are there */
    unsigned char window[KINDS]; /* their values; 0: none */
} terms_t;

/* 8 to 15, without zeros in front; 0 for anything else. */
static unsigned char window_of(const param_t *param)
{
    const char *const v = param->value;

    if (param->value_len == 1 && v[0] >= '8' && v[0] <= '9') {
        return (unsigned char)(v[0] - '0');
    }
    if (param->value_len == 2 && v[0] == '1' && v[1] >= '0' && v[1] <= '5') {
        return (unsigned char)(10 + v[1] - '0');
    }
    return 0;
}

/* `value_needed`: client_max_window_bits may stand alone only in an offer. */
static void add_param(terms_t *terms, const param_t *param, bool value_needed)
{
    unsigned kind = 0;

    while (kind < KINDS && !aw_span_equal(param->name, names[kind])) {
        kind++;
    }
    if (kind == KINDS || terms->has[kind]) {
        terms->valid = false;
        return;
    }
    terms->has[kind] = true;
    if (kind == SERVER_NO_TAKEOVER || kind == CLIENT_NO_TAKEOVER) {
        terms->valid = terms->valid && !param->has_value;
    } else if (param->has_value) {
        terms->window[kind] = window_of(param);
        terms->valid = terms->valid && terms->window[kind] != 0;
    } else {
        terms->valid = terms->valid && kind == CLIENT_WINDOW && !value_needed;
    }
}

/* Reads the next extension of a list, of which at least one is left. False: malformed. */
static bool take_extension(reader_t *in, terms_t *terms, bool value_needed)
{
    aw_span_t name;
    param_t param;

    memset(terms, 0, sizeof(*terms));
    terms->valid = true;
    name = take_token(in);
    terms->ours = aw_span_equal(name, AW_SPAN_LIT(NAME));
    if (name.len == 0) {
        return false;
    }
    while (take(in, ';')) {
        if (!take_param(in, &param)) {
            return false;
        }
        add_param(terms, &param, value_needed);
    }
    return in->at == in->end || *in->at == ',';
}

/* Skips to the next extension; false at the end. Empty elements of a list count for nothing. */
static bool next_extension(reader_t *in)
{
    skip_space(in);
    while (take(in, ',')) {
    }
    return in->at < in->end;
}

/* --- server --- */

static unsigned char smaller(unsigned char a, unsigned char b)
{
    return a < b ? a : b;
}

/* What comes of an offer, or off. */
static aw_ws_deflate_params_t agree(const terms_t *terms, const aw_ws_deflate_policy_t *policy)
{
    aw_ws_deflate_params_t out = {0};
    const unsigned char asked = terms->has[SERVER_WINDOW] ? terms->window[SERVER_WINDOW] : 15;
    const unsigned char hint =
        terms->window[CLIENT_WINDOW] != 0 ? terms->window[CLIENT_WINDOW] : 15;

    if (!terms->ours || !terms->valid || asked < WINDOW_MIN_OUT) {
        return out;
    }
    out.on = true;
    out.out_window = smaller(asked, policy->window);
    out.out_takeover = !policy->no_context_takeover && !terms->has[SERVER_NO_TAKEOVER];
    out.in_takeover = !policy->no_context_takeover && !terms->has[CLIENT_NO_TAKEOVER];
    if (terms->has[CLIENT_WINDOW]) {
        out.in_window = smaller(hint, policy->window);
    } else {
        /* Such a client cannot be told to use less (section 7.1.2.2), but not to keep it. */
        out.in_window = WINDOW_MAX;
        out.in_takeover = out.in_takeover && policy->window == WINDOW_MAX;
    }
    return out;
}

static void write_answer(char answer[AW_WS_EXTENSIONS_MAX], const terms_t *terms,
                         const aw_ws_deflate_params_t *params)
{
    char server[32] = "";
    char client[32] = "";

    if (terms->has[SERVER_WINDOW]) {
        (void)snprintf(server, sizeof(server), "; server_max_window_bits=%u", params->out_window);
    }
    if (terms->has[CLIENT_WINDOW] && params->in_window < WINDOW_MAX) {
        (void)snprintf(client, sizeof(client), "; client_max_window_bits=%u", params->in_window);
    }
    (void)snprintf(answer, AW_WS_EXTENSIONS_MAX, NAME "%s%s%s%s",
                   params->out_takeover ? "" : "; server_no_context_takeover",
                   params->in_takeover ? "" : "; client_no_context_takeover", server, client);
}

bool aw_ws_deflate_answer(aw_ws_deflate_params_t *params, char answer[AW_WS_EXTENSIONS_MAX],
                          const aw_ws_deflate_policy_t *policy, aw_span_t offers)
{
    reader_t in = {offers.ptr, offers.ptr + offers.len};
    aw_ws_deflate_params_t chosen = {0};
    terms_t terms;
    bool any = false;

    memset(params, 0, sizeof(*params));
    answer[0] = '\0';
    if (offers.len == 0) {
        return true;
    }
    while (next_extension(&in)) {
        any = true;
        if (!take_extension(&in, &terms, false)) {
            answer[0] = '\0'; /* of an earlier offer */
            return false;
        }
        if (policy->on && !chosen.on) {
            chosen = agree(&terms, policy);
            if (chosen.on) {
                write_answer(answer, &terms, &chosen);
            }
        }
    }
    *params = chosen;
    return any;
}

/* --- client --- */

void aw_ws_deflate_offer(char offer[AW_WS_EXTENSIONS_MAX], const aw_ws_deflate_policy_t *policy)
{
    char windows[64] = "; client_max_window_bits";

    offer[0] = '\0';
    if (!policy->on) {
        return;
    }
    if (policy->window < WINDOW_MAX) {
        (void)snprintf(windows, sizeof(windows),
                       "; server_max_window_bits=%u; client_max_window_bits=%u", policy->window,
                       policy->window);
    }
    (void)snprintf(offer, AW_WS_EXTENSIONS_MAX, NAME "%s%s",
                   policy->no_context_takeover
                       ? "; server_no_context_takeover; client_no_context_takeover"
                       : "",
                   windows);
}

/* Whether an answer is one to our offer. */
static bool fits(const terms_t *terms, const aw_ws_deflate_policy_t *policy)
{
    if (!terms->ours || !terms->valid) {
        return false;
    }
    if (policy->no_context_takeover && !terms->has[SERVER_NO_TAKEOVER]) {
        return false;
    }
    return policy->window == WINDOW_MAX ||
           (terms->has[SERVER_WINDOW] && terms->window[SERVER_WINDOW] <= policy->window);
}

bool aw_ws_deflate_accept(aw_ws_deflate_params_t *params, const aw_ws_deflate_policy_t *policy,
                          aw_span_t answer)
{
    reader_t in = {answer.ptr, answer.ptr + answer.len};
    terms_t terms;

    memset(params, 0, sizeof(*params));
    if (answer.len == 0) {
        return true;
    }
    if (!policy->on || !next_extension(&in) || !take_extension(&in, &terms, true) ||
        next_extension(&in) || !fits(&terms, policy)) {
        return false;
    }
    params->on = true;
    params->out_window = smaller(
        terms.has[CLIENT_WINDOW] ? terms.window[CLIENT_WINDOW] : WINDOW_MAX, policy->window);
    params->in_window = terms.has[SERVER_WINDOW] ? terms.window[SERVER_WINDOW] : WINDOW_MAX;
    params->out_takeover = !policy->no_context_takeover && !terms.has[CLIENT_NO_TAKEOVER];
    params->in_takeover = !terms.has[SERVER_NO_TAKEOVER];
    return true;
}
