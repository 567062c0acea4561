/* What every file of the module needs: the module record's name, logging, and message numbers.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_MODULE_H
#define MOD_AUTHWS_MODULE_H

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>
#include <http_main.h>

#include "base/bytes.h"
#include "base/log.h"

extern module AP_MODULE_DECLARE_DATA authws_module;
APLOG_USE_MODULE(authws);

/* The number of a message: AW2000 and up here, AW1000 and up in the library; never used again. */
#define AWLOGNO(n) "AW" #n ": "

/* The sink through which the library writes to the server's error log. */
aw_log_t authws_log_sink(void);

/* Text from a client, fit to stand between quotes in a message; NUL-terminated, in `p`. */
const char *authws_log_text(apr_pool_t *p, aw_span_t text);

#endif
