/* What happened to requests: which verdict counts where, and the totals in the log.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "counters.h"

#include <apr_strings.h>
#include <http_core.h>
#include <unistd.h>

#include "state.h"

static const char *const names[AUTHWS_COUNTERS] = {
    [AUTHWS_COUNT_CHALLENGED] = "challenged",
    [AUTHWS_COUNT_VERIFIED] = "verified",
    [AUTHWS_COUNT_BASIC_VERIFIED] = "basic_verified",
    [AUTHWS_COUNT_STALE] = "stale",
    [AUTHWS_COUNT_REPLAYED] = "replayed",
    [AUTHWS_COUNT_MALFORMED] = "malformed",
    [AUTHWS_COUNT_REFUSED] = "refused",
    [AUTHWS_COUNT_WRONG] = "wrong",
    [AUTHWS_COUNT_UNKNOWN] = "unknown",
    [AUTHWS_COUNT_THROTTLED] = "throttled",
    [AUTHWS_COUNT_ERRORS] = "errors",
    [AUTHWS_COUNT_BLOCKS] = "blocks",
    [AUTHWS_COUNT_EVICTED] = "evicted",
    [AUTHWS_COUNT_CERTIFICATE] = "certificate_verified",
    [AUTHWS_COUNT_TOKEN] = "token_verified",
    [AUTHWS_COUNT_TICKET] = "ticket_verified",
    [AUTHWS_COUNT_WITHOUT] = "without_certificate",
};

authws_counter_e authws_counter_of(aw_verdict_e verdict)
{
    static const authws_counter_e counters[AW_VERDICT_COUNT] = {
        [AW_VERDICT_OK] = AUTHWS_COUNT_VERIFIED,
        [AW_VERDICT_BAD_FORM] = AUTHWS_COUNT_MALFORMED,
        [AW_VERDICT_BAD_URI] = AUTHWS_COUNT_MALFORMED,
        [AW_VERDICT_OTHER_SCHEME] = AUTHWS_COUNT_REFUSED,
        [AW_VERDICT_WRONG_REALM] = AUTHWS_COUNT_REFUSED,
        [AW_VERDICT_WRONG_ALGORITHM] = AUTHWS_COUNT_REFUSED,
        [AW_VERDICT_WRONG_QOP] = AUTHWS_COUNT_REFUSED,
        [AW_VERDICT_WRONG_USERHASH] = AUTHWS_COUNT_REFUSED,
        [AW_VERDICT_NONCE_FOREIGN] = AUTHWS_COUNT_STALE,
        [AW_VERDICT_NONCE_EXPIRED] = AUTHWS_COUNT_STALE,
        [AW_VERDICT_THROTTLED] = AUTHWS_COUNT_THROTTLED,
        [AW_VERDICT_UNKNOWN_USER] = AUTHWS_COUNT_UNKNOWN,
        /* To the client the same as a wrong password, so it is to the throttle. */
        [AW_VERDICT_NO_VALUE] = AUTHWS_COUNT_WRONG,
        [AW_VERDICT_WRONG_RESPONSE] = AUTHWS_COUNT_WRONG,
        [AW_VERDICT_NC_USED] = AUTHWS_COUNT_REPLAYED,
        [AW_VERDICT_NC_DROPPED] = AUTHWS_COUNT_STALE,
        [AW_VERDICT_ERROR] = AUTHWS_COUNT_ERRORS,
    };

    return counters[verdict];
}

void authws_count(authws_counter_e which)
{
    aw_counters_add(authws_state_counters(), which);
}

/* --- the totals at the end --- */

/* The two pools that may go first: at a restart pconf, with the module's code, at a stop the logs'
 * own. Whichever it is logs, and takes the other's cleanup away, which would come too late. */
static struct {
    pid_t parent;
    apr_pool_t *pconf, *plog;
} report;

static void log_totals(void)
{
    const aw_counters_t *counters = authws_state_counters();
    char line[AUTHWS_COUNTERS * 40];
    char *at = line;

    for (unsigned i = 0; i < AUTHWS_COUNTERS; i++) {
        at += apr_snprintf(at, sizeof(line) - (size_t)(at - line), " %s=%" APR_UINT64_T_FMT,
                           names[i], aw_counters_get(counters, i));
    }
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, ap_server_conf, AWLOGNO(2070) "since start:%s", line);
}

static apr_status_t end_of_generation(void *unused)
{
    (void)unused;
    apr_pool_cleanup_kill(report.pconf, NULL, end_of_generation);
    apr_pool_cleanup_kill(report.plog, NULL, end_of_generation);
    /* Children destroy their copies of the pools, too. */
    if (getpid() == report.parent && ap_server_conf) {
        log_totals();
    }
    return APR_SUCCESS;
}

int authws_counters_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                                server_rec *s)
{
    (void)ptemp;
    (void)s;
    if (ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG) {
        report.parent = getpid();
        report.pconf = pconf;
        report.plog = plog;
        apr_pool_pre_cleanup_register(pconf, NULL, end_of_generation);
        apr_pool_pre_cleanup_register(plog, NULL, end_of_generation);
    }
    return OK;
}
