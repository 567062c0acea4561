/* The library's messages, written to the server's error log.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "module.h"

#include "base/text.h"

static void sink(void *baton, aw_log_level_e level, unsigned number, const char *text)
{
    static const int levels[] = {
        [AW_LOG_ERROR] = APLOG_ERR,     [AW_LOG_WARNING] = APLOG_WARNING,
        [AW_LOG_NOTICE] = APLOG_NOTICE, [AW_LOG_INFO] = APLOG_INFO,
        [AW_LOG_DEBUG] = APLOG_DEBUG,
    };
    /* While the configuration is read for the first time there is no server yet; a message
     * without one goes to standard error, where the administrator is looking. */
    const int startup = ap_server_conf == NULL ? APLOG_STARTUP : 0;

    (void)baton;
    ap_log_error(APLOG_MARK, levels[level] | startup, 0, ap_server_conf, "AW%04u: %s", number,
                 text);
}

aw_log_t authws_log_sink(void)
{
    return (aw_log_t){.fn = sink, .baton = NULL};
}

const char *authws_log_text(apr_pool_t *p, aw_span_t text)
{
    const size_t room = 512;

    return aw_text_escape(apr_palloc(p, room), room, text);
}
