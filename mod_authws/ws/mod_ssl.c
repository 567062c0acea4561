/* mod_ssl's own libssl: the functions by which its TLS connections are taken over.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mod_ssl.h"

#include <apr_dso.h>

static authws_mod_ssl_t found;
static const char *missing = "mod_ssl is not loaded";

static apr_status_t blank_free(void *unused)
{
    (void)unused;
    found.SSL_CTX_free(found.blank);
    found.blank = NULL;
    missing = "the child process is going away";
    return APR_SUCCESS;
}

/* Looks all functions up: NULL, or which one is not there. */
static const char *functions_find(apr_dso_handle_t *handle)
{
    apr_dso_handle_sym_t symbol;

#define FIND_IN(where, f)                                                                          \
    if (apr_dso_sym(&symbol, handle, #f) != APR_SUCCESS) {                                         \
        return "mod_ssl's libssl has no " #f;                                                      \
    }                                                                                              \
    (where).f = (__typeof__((where).f))symbol;
#define FIND(f)     FIND_IN(found, f)
#define FIND_TLS(f) FIND_IN(found.transport, f)
    AUTHWS_TLS_FUNCTIONS(FIND_TLS)
    AUTHWS_MOD_SSL_FUNCTIONS(FIND)
#undef FIND_TLS
#undef FIND
#undef FIND_IN
    return NULL;
}

void authws_mod_ssl_find(apr_pool_t *pchild)
{
    const module *mod_ssl = ap_find_linked_module("mod_ssl.c");

    if (!mod_ssl) {
        return;
    }
    if (!mod_ssl->dynamic_load_handle) {
        missing = "mod_ssl is linked into the server, so its libssl cannot be told";
        return;
    }
    missing = functions_find(mod_ssl->dynamic_load_handle);
    if (missing) {
        return;
    }
    if (found.OpenSSL_version_num() < 0x10101000L) {
        missing = "mod_ssl's OpenSSL is older than 1.1.1";
    } else {
        found.blank = found.SSL_CTX_new(found.TLS_server_method());
        missing = found.blank ? NULL : "no memory for a TLS context";
    }
    if (found.blank) {
        apr_pool_cleanup_register(pchild, NULL, blank_free, apr_pool_cleanup_null);
    }
}

const authws_mod_ssl_t *authws_mod_ssl(const char **why)
{
    *why = missing;
    return missing ? NULL : &found;
}

const char *authws_mod_ssl_check(const authws_mod_ssl_t *lib, const SSL *ssl, const conn_rec *c)
{
    const BIO *in = lib->SSL_get_rbio(ssl), *out = lib->SSL_get_wbio(ssl);

    /* Index 0 is what SSL_get_app_data reads. */
    if (lib->SSL_get_ex_data(ssl, 0) != c) {
        return "the TLS connection belongs to something else than mod_ssl";
    }
    if (!in || !out || strcmp(lib->BIO_method_name(in), "APR input filter") != 0 ||
        strcmp(lib->BIO_method_name(out), "APR output filter") != 0) {
        return "mod_ssl's input and output are not those that are known";
    }
    if (!lib->SSL_is_init_finished(ssl)) {
        return "a TLS handshake is going on";
    }
    if (lib->SSL_renegotiate_pending(ssl)) {
        return "a TLS renegotiation is going on";
    }
    if (lib->transport.SSL_get_shutdown(ssl) != 0) {
        return "the TLS connection is being closed";
    }
    return NULL;
}

static void info_ignore(const SSL *ssl, int where, int ret)
{
    (void)ssl;
    (void)where;
    (void)ret;
}

/* No certificate is asked for any more: one that comes nevertheless is refused. */
static int verify_refuse(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 0;
}

bool authws_mod_ssl_adopt(const authws_mod_ssl_t *lib, SSL *ssl, int fd)
{
    lib->transport.SSL_set_quiet_shutdown(ssl, 0);
    lib->SSL_set_shutdown(ssl, 0);
    /* Not before mod_ssl's cleanup, which reads it. */
    (void)lib->SSL_set_ex_data(ssl, 0, NULL);
    /* NULL would not do: then the context's is called, which wants the conn_rec. */
    lib->SSL_set_info_callback(ssl, info_ignore);
    lib->SSL_set_msg_callback(ssl, NULL);
    lib->SSL_set_verify(ssl, SSL_VERIFY_NONE, verify_refuse);
    (void)lib->SSL_set_options(ssl, SSL_OP_NO_RENEGOTIATION);
    (void)lib->SSL_ctrl(ssl, SSL_CTRL_MODE,
                        SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS,
                        NULL);
    lib->SSL_set_read_ahead(ssl, 1);
    /* Callbacks of mod_ssl's context (key log and others) look for the conn_rec, too. */
    return lib->SSL_set_SSL_CTX(ssl, lib->blank) != NULL &&
           /* Frees mod_ssl's two BIOs; what has been read of a record stays in the SSL. */
           lib->SSL_set_fd(ssl, fd) == 1;
}
