/* What all child processes and generations share: the nonce keys and the shared-memory segment.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Both outlive a graceful restart: a struct in the process pool, found again by name, holds the
 * secret and where the segment is mapped. The module's code may be unloaded and loaded again in
 * between, so that struct holds no pointer to code, and its version is checked.
 */
#include "state.h"

#include <apr_strings.h>
#include <openssl/rand.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "counters.h"
#include "shm/segment.h"

#define RETAINED_KEY     "mod_authws:retained"
#define RETAINED_VERSION 2

#define SECRET_MAX (64 * 1024)

#define SEGMENT_DEFAULT (8 * 1024 * 1024)

typedef struct retained_t {
    unsigned version;
    unsigned char secret[32];
    void *segment;
    size_t segment_size; /* mapped */
    size_t asked;        /* what AuthWSSharedMemory was when it was mapped */
    uint32_t node;       /* of the nonces counted in it */
} retained_t;

/* Written in the parent before any child is forked; read-only afterwards. */
static aw_nc_table_t nc_table;
static aw_throttle_t throttle;
static aw_counters_t counters;
static aw_connections_t connections;
static aw_acceptors_t acceptors;
static apr_time_t created;

/* A secret file's content without its final line ends: the same secret, however it was copied. */
static apr_status_t read_secret(aw_span_t *secret, const char *path, apr_pool_t *p)
{
    aw_file_id_t id;
    apr_status_t rv = aw_file_read(path, SECRET_MAX, secret, &id, p);

    if (rv == APR_SUCCESS) {
        while (secret->len > 0 &&
               (secret->ptr[secret->len - 1] == '\n' || secret->ptr[secret->len - 1] == '\r')) {
            secret->len--;
        }
    }
    return rv;
}

const char *authws_secret_check(const char *path, apr_pool_t *p)
{
    aw_file_id_t id;
    mode_t mode = 0;
    aw_span_t secret = {NULL, 0};
    char shown[512];
    char why[128];
    apr_status_t rv = aw_file_identify(path, &id, &mode);

    aw_text_escape(shown, sizeof(shown), aw_span(path));
    if (rv == APR_SUCCESS) {
        rv = read_secret(&secret, path, p);
    }
    if (rv != APR_SUCCESS) {
        return apr_psprintf(p, "%s: %s", shown, apr_strerror(rv, why, sizeof(why)));
    }
    const size_t len = secret.len;
    aw_wipe((char *)secret.ptr, len);
    if (len < AW_SECRET_MIN) {
        return apr_psprintf(p, "%s: holds %" APR_SIZE_T_FMT " bytes; a secret has at least %d",
                            shown, len, AW_SECRET_MIN);
    }
    if (mode & (S_IRWXO | S_IWGRP)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING | APLOG_STARTUP, 0, ap_server_conf,
                     AWLOGNO(2001) "AuthWSSecretFile %s may be read by everybody, or written by "
                                   "more than its owner: whoever has the secret can make nonces",
                     shown);
    }
    return NULL;
}

static retained_t *retained_get(server_rec *s)
{
    void *found = NULL;
    retained_t *retained;

    apr_pool_userdata_get(&found, RETAINED_KEY, s->process->pool);
    retained = found;
    if (retained && retained->version == RETAINED_VERSION) {
        return retained;
    }
    if (retained) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     AWLOGNO(2008) "what the generation before has kept is of another version of "
                                   "this module: key and shared memory are made anew, clients will "
                                   "be challenged once more");
    }
    retained = apr_pcalloc(s->process->pool, sizeof(*retained));
    retained->version = RETAINED_VERSION;
    if (RAND_bytes(retained->secret, sizeof(retained->secret)) != 1) {
        return NULL;
    }
    /* Not _setn: the key must not lie in this module, which may be unloaded and loaded elsewhere.
     */
    apr_pool_userdata_set(retained, RETAINED_KEY, NULL, s->process->pool);
    return retained;
}

/* The largest AuthWSSharedMemory of all virtual hosts: there is one segment. */
static size_t segment_asked(server_rec *s)
{
    size_t asked = 0;

    for (; s; s = s->next) {
        const authws_server_t *server = ap_get_module_config(s->module_config, &authws_module);

        if (server->shared_memory > asked) {
            asked = server->shared_memory;
        }
    }
    return asked ? asked : SEGMENT_DEFAULT;
}

/* Lines of the table of connections: an eighth of the memory, as far as it gets better by it. */
static size_t connection_lines(size_t asked)
{
    size_t lines = AW_CONNECTIONS_LINES;

    while (lines > AW_CONNECTIONS_WINDOW && AW_CONNECTIONS_SIZE(lines) > asked / 8) {
        lines /= 2;
    }
    return lines;
}

/* The segment for so much memory: counters, an eighth for the throttle, the rest for nonces. */
static apr_status_t segment_make(retained_t *retained, size_t asked)
{
    const size_t for_throttle = asked / 8;
    const size_t for_connections = AW_CONNECTIONS_SIZE(connection_lines(asked));
    const aw_segment_table_t tables[] = {
        {AW_TABLE_COUNTERS, AW_COUNTERS_VERSION, AW_COUNTERS_SIZE},
        {AW_TABLE_THROTTLE, AW_THROTTLE_VERSION, for_throttle},
        {AW_TABLE_ACCEPTORS, AW_ACCEPTORS_VERSION, AW_ACCEPTORS_SIZE},
        {AW_TABLE_CONNECTIONS, AW_CONNECTIONS_VERSION, for_connections},
        {AW_TABLE_NC, AW_NC_TABLE_VERSION,
         asked - for_throttle - for_connections - AW_COUNTERS_SIZE - AW_ACCEPTORS_SIZE},
    };
    unsigned char random[4];
    aw_segment_t *segment;
    apr_status_t rv;

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return APR_EGENERAL;
    }
    rv = aw_segment_create(&segment, tables, sizeof(tables) / sizeof(tables[0]), apr_time_now());
    if (rv == APR_SUCCESS) {
        retained->segment = segment;
        retained->segment_size = aw_segment_size(segment);
        retained->asked = asked;
        memcpy(&retained->node, random, sizeof(random));
        retained->node &= AW_NONCE_NODE_MAX;
    }
    return rv;
}

/* What the segment lacks for this module, or NULL. */
static const char *segment_lacks(aw_segment_t *segment)
{
    if (!aw_segment_find(segment, AW_TABLE_NC, AW_NC_TABLE_VERSION, NULL)) {
        return "its nonce table has another layout";
    }
    if (!aw_segment_find(segment, AW_TABLE_THROTTLE, AW_THROTTLE_VERSION, NULL) ||
        !aw_segment_find(segment, AW_TABLE_COUNTERS, AW_COUNTERS_VERSION, NULL)) {
        return "its throttle or counters have another layout";
    }
    if (!aw_segment_find(segment, AW_TABLE_ACCEPTORS, AW_ACCEPTORS_VERSION, NULL) ||
        !aw_segment_find(segment, AW_TABLE_CONNECTIONS, AW_CONNECTIONS_VERSION, NULL)) {
        return "its tables of processes and connections have another layout";
    }
    return NULL;
}

static bool is_alive(uint64_t who, void *unused)
{
    (void)unused;
    return aw_acceptors_alive(who);
}

/* Lays all tables but that of nonces over the segment. */
static apr_status_t tables_attach(const retained_t *retained, aw_segment_t *segment)
{
    const aw_span_t label = AW_SPAN_LIT("authws throttle");
    unsigned char key[AW_KEYED_KEY];
    apr_status_t rv;
    size_t size = 0;
    void *memory = aw_segment_find(segment, AW_TABLE_THROTTLE, AW_THROTTLE_VERSION, &size);

    aw_keyed_hash16(retained->secret, &label, 1, key);
    rv = aw_throttle_init(&throttle, memory, size, key);
    if (rv == APR_SUCCESS) {
        memory = aw_segment_find(segment, AW_TABLE_COUNTERS, AW_COUNTERS_VERSION, &size);
        rv = aw_counters_init(&counters, memory, size);
    }
    if (rv == APR_SUCCESS) {
        memory = aw_segment_find(segment, AW_TABLE_ACCEPTORS, AW_ACCEPTORS_VERSION, &size);
        rv = aw_acceptors_init(&acceptors, memory, size);
    }
    if (rv == APR_SUCCESS) {
        memory = aw_segment_find(segment, AW_TABLE_CONNECTIONS, AW_CONNECTIONS_VERSION, &size);
        rv = aw_connections_init(&connections, memory, size, is_alive, NULL);
    }
    aw_wipe(key, sizeof(key));
    return rv;
}

static apr_status_t segment_setup(retained_t *retained, server_rec *s)
{
    const size_t asked = segment_asked(s);
    const char *why = NULL;
    aw_segment_t *segment = NULL;
    size_t size = 0;
    apr_status_t rv;

    if (retained->segment) {
        rv = aw_segment_attach(&segment, &why, retained->segment, retained->segment_size);
        if (rv == APR_SUCCESS) {
            why = segment_lacks(segment);
        }
        if (why) {
            ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                         AWLOGNO(2002) "the shared memory of the generation before is not used: "
                                       "%s; clients will be challenged once more",
                         why);
            /* In this process alone: the children of that generation go on with it. */
            (void)munmap(retained->segment, retained->segment_size);
            retained->segment = NULL;
        } else if (asked != retained->asked) {
            ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                         AWLOGNO(2003) "AuthWSSharedMemory takes effect when the server is "
                                       "stopped and started: the windows in use live on");
        }
    }
    if (!retained->segment) {
        rv = segment_make(retained, asked);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        segment = retained->segment;
    }
    created = aw_segment_created(segment);
    rv = tables_attach(retained, segment);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    void *memory = aw_segment_find(segment, AW_TABLE_NC, AW_NC_TABLE_VERSION, &size);
    rv = aw_nc_table_init(&nc_table, memory, size, retained->node);
    nc_table.counters = &counters;
    nc_table.evicted = AUTHWS_COUNT_EVICTED;
    return rv;
}

/* The keys of one server: from its secret file, else from the process's own secret. */
static apr_status_t keys_setup(authws_server_t *server, const retained_t *retained,
                               apr_pool_t *pconf, apr_pool_t *ptemp)
{
    aw_span_t secret = {(const char *)retained->secret, sizeof(retained->secret)};
    apr_status_t rv = APR_SUCCESS;

    if (server->secret_file) {
        rv = read_secret(&secret, server->secret_file, ptemp);
    }
    if (rv == APR_SUCCESS) {
        rv = aw_keys_create(&server->keys, secret.ptr, secret.len, apr_time_now(), pconf);
    }
    if (server->secret_file && secret.ptr != (const char *)retained->secret) {
        aw_wipe((char *)(uintptr_t)secret.ptr, secret.len);
    }
    return rv;
}

int authws_state_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                             server_rec *main_server)
{
    retained_t *retained = retained_get(main_server);
    apr_status_t rv;

    (void)plog;
    if (!retained) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, main_server,
                     AWLOGNO(2004) "OpenSSL has no random bytes for the nonce key");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    rv = segment_setup(retained, main_server);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, main_server,
                     AWLOGNO(2005) "the shared memory segment cannot be made");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    for (server_rec *s = main_server; s; s = s->next) {
        authws_server_t *server = ap_get_module_config(s->module_config, &authws_module);

        rv = keys_setup(server, retained, pconf, ptemp);
        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                         AWLOGNO(2006) "the nonce key cannot be derived from %s",
                         server->secret_file ? server->secret_file : "the random secret");
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return OK;
}

aw_nc_table_t *authws_state_nc_table(void)
{
    return &nc_table;
}

apr_time_t authws_state_created(void)
{
    return created;
}

aw_throttle_t *authws_state_throttle(void)
{
    return &throttle;
}

const aw_counters_t *authws_state_counters(void)
{
    return &counters;
}

const aw_acceptors_t *authws_state_acceptors(void)
{
    return &acceptors;
}

const aw_connections_t *authws_state_connections(void)
{
    return &connections;
}

static apr_status_t connections_end(void *unused)
{
    (void)unused;
    aw_connections_close(&connections);
    return APR_SUCCESS;
}

void authws_state_child_init(apr_pool_t *pchild, server_rec *s)
{
    const apr_status_t rv = aw_connections_open(&connections, aw_acceptors_self());

    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                     AWLOGNO(2130) "this process cannot count connections: AuthWSUserConnections "
                                   "refuses all that come to it");
        return;
    }
    apr_pool_cleanup_register(pchild, NULL, connections_end, apr_pool_cleanup_null);
}

bool authws_state_random(void *out, size_t n)
{
    /* OpenSSL's generator costs more than all else in a challenge, so it is asked for many bytes
     * at once. Requests are served after the fork only, but a process that forks later (mod_cgi
     * does, to exec) must not go on with its parent's bytes. */
    static _Thread_local struct {
        pid_t pid;
        size_t left;
        unsigned char bytes[512];
    } pool;

    if (n > sizeof(pool.bytes)) {
        return false;
    }
    if (pool.left < n || pool.pid != getpid()) {
        if (RAND_bytes(pool.bytes, (int)sizeof(pool.bytes)) != 1) {
            return false;
        }
        pool.left = sizeof(pool.bytes);
        pool.pid = getpid();
    }
    unsigned char *at = pool.bytes + sizeof(pool.bytes) - pool.left;
    memcpy(out, at, n);
    aw_wipe(at, n);
    pool.left -= n;
    return true;
}
