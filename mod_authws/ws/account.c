/* What the module knows of a live WebSocket after its request is gone, and its closing line.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "account.h"

#include <apr_strings.h>

#include "base/text.h"
#include "settings.h"
#include "users.h"

/* Written and read by the worker thread whose socket it is. */
static _Thread_local authws_ending_t *expected;

void authws_account_expect(authws_ending_t *ending)
{
    expected = ending;
}

void authws_account_init(authws_account_t *account, request_rec *r,
                         const authws_endpoint_t *endpoint, const authws_live_settings_t *live)
{
    const char *scheme = apr_table_get(r->notes, "authws-scheme");
    char *path;

    memset(account, 0, sizeof(*account));
    account->service = endpoint->number;
    account->endpoint = endpoint->id;
    path = apr_cpystrn(account->text, scheme ? scheme : "", AUTHWS_ACCOUNT_SCHEME) + 1;
    /* Not the query: tickets and tokens stand there. */
    aw_text_escape(path, AUTHWS_ACCOUNT_PATH, aw_span(r->uri));
    account->size = (uint32_t)(path + strlen(path) + 1 - (char *)account);
    account->ws = live->ws;
    account->ping = live->ping;
    account->ping_timeout = live->ping_timeout;
    account->send_buffer = live->send_buffer;
}

/* The settings of an account, as they are shared. */
static void live_of(authws_live_settings_t *live, const authws_account_t *account)
{
    memset(live, 0, sizeof(*live));
    live->ws = account->ws;
    live->ping = account->ping;
    live->ping_timeout = account->ping_timeout;
    live->send_buffer = (size_t)account->send_buffer;
    live->close_timeout = AUTHWS_WS_CLOSE_TIMEOUT;
}

static void log_ending(authws_socket_t *socket, const authws_account_t *account,
                       const authws_ending_t *ending)
{
    const authws_endpoint_t *endpoint = authws_endpoint_find(account->endpoint);
    const server_rec *s = endpoint ? endpoint->server : ap_server_conf;
    const char *user = authws_socket_user(socket);
    char shown[256];

    ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                 AWLOGNO(2110) "WebSocket closed: user \"%s\" at %s, %s, scheme %s: code %u%s%s, "
                               "%" APR_UINT64_T_FMT " bytes in, %" APR_UINT64_T_FMT
                               " bytes out, %" APR_TIME_T_FMT " s",
                 aw_text_escape(shown, sizeof(shown), aw_span(user ? user : "")),
                 authws_socket_peer(socket), authws_account_path(account),
                 account->text[0] ? authws_account_scheme(account) : "none", ending->code,
                 ending->why ? ", " : "", ending->why ? ending->why : "", ending->in, ending->out,
                 apr_time_sec(ending->lasted));
}

static void settings_drop(const authws_account_t *account)
{
    authws_live_settings_t live;

    live_of(&live, account);
    authws_settings_release(&live, account->service);
}

void authws_account_ended(authws_socket_t *socket, void *owner, const authws_ending_t *ending)
{
    const authws_account_t *account = owner;

    if (ending->code != 0) { /* else it goes on in another process */
        log_ending(socket, account, ending);
    }
    if (expected) {
        *expected = *ending;
    }
    settings_drop(account);
    /* A socket that goes on elsewhere is counted there only when it is taken up: given back now,
     * its place would be another's. It stays counted here until this process ends. */
    if (ending->code != 0) {
        authws_users_release(account->user_tag);
    }
}

void authws_account_dropped(const authws_account_t *account)
{
    settings_drop(account);
    authws_users_release(account->user_tag);
}

bool authws_account_read(authws_account_t *account, const void *owner, size_t size)
{
    const size_t head = offsetof(authws_account_t, text);

    if (!owner || size < head + 2 || size > sizeof(*account)) {
        return false;
    }
    memset(account, 0, sizeof(*account));
    memcpy(account, owner, size);
    /* Both strings end within it, the second with it. */
    const char *end = (const char *)account + size;
    const char *scheme_end = memchr(account->text, '\0', size - head);

    return account->size == size && scheme_end && scheme_end + 1 < end &&
           memchr(scheme_end + 1, '\0', (size_t)(end - scheme_end - 1)) == end - 1;
}

/* Whether the settings are what a configuration could have said. The process that sent them is
 * httpd's own, but maybe of another build. */
static bool is_sound(const authws_account_t *account)
{
    const aw_ws_deflate_policy_t *deflate = &account->ws.deflate;

    return !account->ws.client && account->ws.max_message > 0 && account->ws.max_frame > 0 &&
           account->ping >= 0 && account->ping_timeout > 0 && account->send_buffer > 0 &&
           deflate->level >= 1 && deflate->level <= 9 && deflate->window >= 9 &&
           deflate->window <= 15;
}

bool authws_account_resume(authws_live_t *live, const authws_account_t *account)
{
    const authws_endpoint_t *endpoint;
    authws_live_settings_t settings;

    if (!is_sound(account)) {
        return false;
    }
    endpoint = account->endpoint ? authws_endpoint_find(account->endpoint) : NULL;
    if (!endpoint || endpoint->number != account->service) {
        return false;
    }
    live_of(&settings, account);
    settings.events = &endpoint->service->events;
    live->settings = authws_settings_share(&settings, account->service);
    if (!live->settings) {
        return false;
    }
    /* It was let in under the limit of its time. */
    if (!authws_users_take(account->user_tag, 0)) {
        authws_settings_release(&settings, account->service);
        return false;
    }
    live->ended = authws_account_ended;
    live->owner = (void *)(uintptr_t)account;
    live->owner_size = account->size;
    return true;
}
