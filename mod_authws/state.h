/* What all child processes and generations share: the nonce keys and the shared-memory segment.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_STATE_H
#define MOD_AUTHWS_STATE_H

#include "config.h"
#include "session/connections.h"
#include "shm/acceptors.h"
#include "shm/counters.h"

/* Whether `path` can serve as AuthWSSecretFile: NULL, or what is wrong (in `p`). Warns in the log
 * when others may read it. */
const char *authws_secret_check(const char *path, apr_pool_t *p);

/* Sets up keys and segment, or takes up those of the generation before; OK or
 * HTTP_INTERNAL_SERVER_ERROR that stops the start, already logged. Runs in the parent, at every
 * (re)start. */
int authws_state_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

/* The nonce windows of this process, and when their segment was created: nonces from before may
 * have been used without a trace. Any thread. */
aw_nc_table_t *authws_state_nc_table(void);
apr_time_t authws_state_created(void);

/* The throttle's table and the counters of this process. Any thread. */
aw_throttle_t *authws_state_throttle(void);
const aw_counters_t *authws_state_counters(void);

/* Which processes take live sockets over. Any thread. */
const aw_acceptors_t *authws_state_acceptors(void);

/* How many WebSockets users have open. Any thread, in a child process. */
const aw_connections_t *authws_state_connections(void);

/* child_init hook: this process's place among those that count connections. */
void authws_state_child_init(apr_pool_t *pchild, server_rec *s);

/* Random bytes for nonces, never given out twice; `n` at most 512. Any thread. False when OpenSSL
 * has none. */
bool authws_state_random(void *out, size_t n);

#endif
