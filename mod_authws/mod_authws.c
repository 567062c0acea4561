/* mod_authws: the module record and the order of its hooks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "module.h"

#include <http_protocol.h>
#include <http_request.h>
#include <mpm_common.h>

#include "authn.h"
#include "authz.h"
#include "body.h"
#include "config.h"
#include "counters.h"
#include "files.h"
#include "lookup.h"
#include "provider.h"
#include "state.h"
#include "stores.h"
#include "ticket.h"
#include "uplift.h"
#include "ws/answer.h"
#include "ws/blocking.h"
#include "ws/detach.h"
#include "ws/handover.h"
#include "ws/reactors.h"
#include "ws/services.h"
#include "ws/upgrade.h"

static apr_status_t algorithms_term(void *unused)
{
    (void)unused;
    aw_algorithms_term();
    return APR_SUCCESS;
}

static int pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)plog;
    (void)ptemp;
    if (aw_algorithms_init() != APR_SUCCESS) {
        ap_log_perror(APLOG_MARK, APLOG_CRIT, 0, pconf,
                      AWLOGNO(2000) "OpenSSL offers none of the Digest algorithms");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    authws_lookup_init(pconf);
    authws_services_init(pconf);
    apr_pool_cleanup_register(pconf, NULL, algorithms_term, apr_pool_cleanup_null);
    return authws_stores_init(pconf) == APR_SUCCESS && authws_files_init(pconf) == APR_SUCCESS
               ? OK
               : HTTP_INTERNAL_SERVER_ERROR;
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    const apr_status_t rv = authws_stores_index();

    authws_stores_check_access(ptemp);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                     AWLOGNO(2007) "the user hashes of the A1 files cannot be indexed");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    authws_services_post_config(ptemp);
    if (authws_uplift_post_config(pconf) != APR_SUCCESS) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    const int status = authws_state_post_config(pconf, plog, ptemp, s);
    if (status == OK && authws_endpoints_any()) {
        authws_handover_post_config(s);
    }
    return status;
}

/* What belongs to WebSockets. */
static void register_ws_hooks(apr_pool_t *p)
{
    ap_hook_child_init(authws_state_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(authws_detach_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(authws_blocking_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(authws_reactors_child_init, NULL, NULL, APR_HOOK_LAST);
    ap_hook_child_stopping(authws_reactors_child_stopping, NULL, NULL, APR_HOOK_MIDDLE);
    /* Before mod_proxy, which has its own idea of a handshake; and before httpd's handler for
     * files, which answers 404 where there is none. */
    ap_hook_handler(authws_upgrade_handler, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(authws_upgrade_required, NULL, NULL, APR_HOOK_REALLY_LAST - 1);
    authws_answer_register();
    authws_detach_register(p);
    authws_services_register(p);
}

static void register_hooks(apr_pool_t *p)
{
    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(authws_lookup_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(authws_counters_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(authws_stores_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(authws_uplift_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_monitor(authws_stores_monitor, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_authn(authws_authn_check, NULL, NULL, APR_HOOK_MIDDLE, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_post_read_request(authws_ticket_take, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_note_auth_failure(authws_authn_note_failure, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_fixups(authws_authn_fixup, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_insert_filter(authws_body_insert, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_insert_error_filter(authws_body_insert, NULL, NULL, APR_HOOK_MIDDLE);
    authws_body_register();
    ap_hook_insert_error_filter(authws_authn_forbid, NULL, NULL, APR_HOOK_MIDDLE);
    authws_provider_register(p);
    authws_authz_register(p);
    register_ws_hooks(p);
}

module AP_MODULE_DECLARE_DATA authws_module = {
    STANDARD20_MODULE_STUFF, authws_dir_create, authws_dir_merge, authws_server_create,
    authws_server_merge,     authws_commands,   register_hooks,   0,
};
