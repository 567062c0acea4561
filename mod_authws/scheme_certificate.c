/* Certificate: who the client is by the certificate that mod_ssl verified at the handshake.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Nothing here asks a client for a certificate: SSLVerifyClient does, for the whole virtual host.
 * Asking later, for one directory, means renegotiation, which TLS 1.3, HTTP/2 and most clients do
 * not have.
 */
#include <ap_release.h>
#include <apr_strings.h>
#include <http_ssl.h>

#include "certuser.h"
#include "scheme.h"

#define CACHE_KEY "mod_authws:certificate"

/* The last certificate of a connection, taken apart. The certificate of a connection can change:
 * a SSLVerifyClient in some directory has it asked for again. */
typedef struct seen_t {
    apr_pool_t *pool; /* of the rest; goes when another comes */
    const char *pem;
    aw_cert_t *cert; /* NULL: cannot be read */
} seen_t;

/* One certificate on its way. */
typedef struct presented_t {
    const char *verify; /* as SSL_CLIENT_VERIFY has it */
    aw_cert_t *cert;
    const aw_fingerprints_t *prints;
    const char *user;
    const char *why; /* it lets nobody in; static */
} presented_t;

static const char *lookup(const authws_check_t *check, const char *name)
{
    request_rec *r = check->r;

    return ap_ssl_var_lookup(r->pool, r->server, r->connection, r, name);
}

/* The certificate behind `pem`; NULL when it cannot be read. Of HTTP/2 each stream has a conn_rec,
 * a thread and so a cache of its own. */
static aw_cert_t *read_cached(conn_rec *c, const char *pem)
{
    void *found = NULL;
    seen_t *seen;

    apr_pool_userdata_get(&found, CACHE_KEY, c->pool);
    seen = found;
    if (seen && seen->pool && !strcmp(seen->pem, pem)) {
        return seen->cert;
    }
    if (!seen) {
        seen = apr_pcalloc(c->pool, sizeof(*seen));
        apr_pool_userdata_setn(seen, CACHE_KEY, NULL, c->pool);
    } else if (seen->pool) {
        apr_pool_destroy(seen->pool);
    }
    seen->pool = NULL;
    seen->cert = NULL;
    if (apr_pool_create(&seen->pool, c->pool) != APR_SUCCESS) {
        seen->pool = NULL;
        return NULL;
    }
    seen->pem = apr_pstrdup(seen->pool, pem);
    if (aw_cert_read(&seen->cert, aw_span(pem), seen->pool) != APR_SUCCESS) {
        seen->cert = NULL;
    }
    return seen->cert;
}

/* Whether the handshake was another virtual host's than the request is for: that one has other
 * CAs, and who they vouch for is nobody here. mod_ssl compares the settings of both (and tells
 * sessions apart by the virtual host they were made for), but what it compares has changed from
 * release to release. This asks for less trust: both were chosen by the same name, so they are the
 * same. Without SNI the handshake was that of the first virtual host of the address. */
static bool is_misdirected(const authws_check_t *check)
{
    const request_rec *r = check->r;
    const conn_rec *c = r->connection->master ? r->connection->master : r->connection;
    const char *sni;

    if (!c->vhost_lookup_data) { /* there is one virtual host at this address */
        return false;
    }
    sni = lookup(check, "SSL_TLS_SNI");
    if (!sni || !*sni) {
        return r->server != c->base_server;
    }
    return !r->hostname || ap_cstr_casecmp(sni, r->hostname);
}

/* Before 2.4.64 mod_ssl resumed TLS 1.3 sessions for another virtual host than they were made for
 * (CVE-2025-23048), with the certificate that was verified by the other's CAs. */
static bool is_resumed_elsewhere(const authws_check_t *check)
{
    const conn_rec *c = check->r->connection;
    const char *protocol, *resumed;
    ap_version_t version;

    ap_get_server_revision(&version);
    if (!(c->master ? c->master : c)->vhost_lookup_data || version.major != 2 ||
        version.minor != 4 || version.patch >= 64) {
        return false;
    }
    protocol = lookup(check, "SSL_PROTOCOL");
    resumed = lookup(check, "SSL_SESSION_RESUMED");
    return protocol && resumed && !strcmp(protocol, "TLSv1.3") && !strcmp(resumed, "Resumed");
}

/* By the map: it says itself whom it trusts, whatever TLS makes of the certificate. */
static bool is_in_map(authws_check_t *check, presented_t *presented)
{
    aw_certmap_entry_t entry;

    if (!check->dir->certmap ||
        aw_certmap_find(check->dir->certmap, presented->prints, aw_span(check->realm),
                        apr_time_now(), &entry) != APR_SUCCESS) {
        return false;
    }
    presented->user = apr_pstrmemdup(check->r->pool, entry.user, entry.user_len);
    return true;
}

/* Finds the user: in presented->user, or NULL and why not. */
static void judge(authws_check_t *check, presented_t *presented)
{
    static const char *const times[] = {
        [AW_CERT_IN_TIME] = NULL,
        [AW_CERT_NOT_YET] = "it is not yet valid",
        [AW_CERT_EXPIRED] = "it has expired",
        [AW_CERT_NO_TIME] = "its dates cannot be read",
    };

    if (!presented->cert) {
        presented->why = "it cannot be read";
        return;
    }
    presented->prints = aw_cert_fingerprints(presented->cert);
    presented->why = times[aw_cert_time(presented->cert, apr_time_now())];
    if (!presented->why && strstr(presented->verify, "revoked")) {
        presented->why = "it has been revoked";
    }
    if (presented->why || is_in_map(check, presented)) {
        return;
    }
    if (strcmp(presented->verify, "SUCCESS")) {
        presented->why = check->dir->certmap ? "it is not in the map, and no CA vouches for it"
                                             : "no CA vouches for it";
    } else if (is_resumed_elsewhere(check)) {
        presented->why = "its session may be another virtual host's";
    } else {
        presented->user = authws_certuser_of(&presented->why, check->r, authws_certuser(check->dir),
                                             presented->cert);
    }
}

static void let_in(authws_check_t *check, const presented_t *presented)
{
    request_rec *r = check->r;
    char *print = apr_palloc(r->pool, 2 * AW_SHA256_SIZE + 1);

    aw_hex_encode(print, presented->prints->sha256, AW_SHA256_SIZE);
    print[2 * AW_SHA256_SIZE] = '\0';
    r->user = apr_pstrdup(r->pool, presented->user);
    apr_table_setn(r->subprocess_env, "AUTHWS_FINGERPRINT", print);
    check->result = "ok";
    check->outcome = AUTHWS_COUNT_CERTIFICATE;
}

static int refuse(authws_check_t *check, const presented_t *presented)
{
    char print[2 * AW_SHA256_SIZE + 1] = "unknown";

    if (presented->prints) {
        aw_hex_encode(print, presented->prints->sha256, AW_SHA256_SIZE);
        print[2 * AW_SHA256_SIZE] = '\0';
    }
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, check->r,
                  AWLOGNO(2173) "Certificate: fingerprint %s, TLS says %s, realm \"%s\": %s: %s",
                  print, authws_log_text(check->r->pool, aw_span(presented->verify)), check->realm,
                  presented->why, check->r->uri);
    check->result = "certificate refused";
    check->missing = "A client certificate is needed that is known here; the one that was sent "
                     "is not.";
    return DECLINED;
}

static int present(authws_check_t *check)
{
    presented_t presented = {.verify = lookup(check, "SSL_CLIENT_VERIFY")};
    const char *pem;

    check->missing = "A client certificate is needed, and none was sent.";
    if (!presented.verify || !ap_ssl_conn_is_ssl(check->r->connection)) {
        check->missing = "A client certificate is needed, and this is no TLS connection.";
        return DECLINED;
    }
    pem = strcmp(presented.verify, "NONE") ? lookup(check, "SSL_CLIENT_CERT") : NULL;
    if (!pem || !*pem) {
        return DECLINED;
    }
    if (is_misdirected(check)) {
        check->result = "other virtual host";
        check->outcome = AUTHWS_COUNT_REFUSED;
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, check->r,
                      AWLOGNO(2174) "Certificate: it was verified for another virtual host than "
                                    "the one that is asked: %s",
                      check->r->uri);
        return HTTP_MISDIRECTED_REQUEST;
    }
    presented.cert = read_cached(check->r->connection, pem);
    judge(check, &presented);
    if (!presented.user) {
        return refuse(check, &presented);
    }
    let_in(check, &presented);
    return OK;
}

/* AuthWSCertificateUser has a default. */
static const char *lacks(const authws_dir_t *dir)
{
    (void)dir;
    return NULL;
}

const authws_scheme_t authws_scheme_certificate = {
    .name = "Certificate",
    .lacks = lacks,
    .present = present,
};
