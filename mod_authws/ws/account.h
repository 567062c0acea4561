/* What the module knows of a live WebSocket after its request is gone, and its closing line.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_WS_ACCOUNT_H
#define MOD_AUTHWS_WS_ACCOUNT_H

#include "../module.h"
#include "../reactor/socket.h"
#include "services.h"

/* Bytes of the longest scheme and path, with their NUL. */
#define AUTHWS_ACCOUNT_SCHEME 16
#define AUTHWS_ACCOUNT_PATH   128

/* The owner bytes of every socket of the module (authws_live_t.owner). It goes from process to
 * process at a graceful restart, so there is no pointer in it. */
typedef struct authws_account_t {
    uint32_t size;     /* bytes of it that are used, up to the end of the text */
    uint32_t service;  /* its number; see services.h */
    uint64_t endpoint; /* hash of where the service was configured: virtual host, section, words.
                          A new generation without it closes the socket with 1001. */
    uint64_t user_tag; /* in the table of connections per user; 0: not counted */
    /* The settings it goes on with. */
    aw_ws_settings_t ws;
    int64_t ping, ping_timeout;
    uint64_t send_buffer;
    /* For the log: the scheme that it was authenticated by ("" none), NUL, the request's path, cut
     * and escaped, NUL. Last, and kept only as far as it goes: ten thousand sockets have one. */
    char text[AUTHWS_ACCOUNT_SCHEME + AUTHWS_ACCOUNT_PATH];
} authws_account_t;

static inline const char *authws_account_scheme(const authws_account_t *account)
{
    return account->text;
}

static inline const char *authws_account_path(const authws_account_t *account)
{
    return account->text + strlen(account->text) + 1;
}

/* Whether another process can find the location again: not that of a .htaccess file. */
static inline bool authws_account_is_movable(const authws_account_t *account)
{
    return account->endpoint != 0;
}

/* Begins the account of a request's WebSocket with these settings; the rest is the caller's. */
void authws_account_init(authws_account_t *account, request_rec *r,
                         const authws_endpoint_t *endpoint, const authws_live_settings_t *live);

/* authws_live_t.ended of every socket: the closing line in the log, the user's count, the
 * settings. One that was handed over stays counted until this process has ended. */
void authws_account_ended(authws_socket_t *socket, void *owner, const authws_ending_t *ending);

/* Where a worker thread that serves one socket wants its ending to be put; NULL: nowhere (any
 * more). Its thread. */
void authws_account_expect(authws_ending_t *ending);

/* Reads the account of a saved socket from `size` bytes at `owner`, which may be NULL. False when
 * that is none of this version. */
bool authws_account_read(authws_account_t *account, const void *owner, size_t size);

/* Takes up a socket of the generation before: what authws_live_resume needs, from its account,
 * whose values are checked. False, with nothing to undo: no such endpoint is configured
 * any more, or the account is of another version. Otherwise authws_account_ended undoes it; or
 * authws_account_dropped, when authws_live_resume fails. */
bool authws_account_resume(authws_live_t *live, const authws_account_t *account);
void authws_account_dropped(const authws_account_t *account);

#endif
