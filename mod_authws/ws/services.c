/* Services by name, and where the configuration uses them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "services.h"

#include <apr_strings.h>

#include "../words.h"
#include "base/keyed.h"
#include "echo.h"
#include "ticket.h"

/* Written in the parent while it reads the configuration; read-only in the children. */
static authws_endpoint_t *endpoints;

static apr_status_t forget(void *unused)
{
    (void)unused;
    endpoints = NULL;
    return APR_SUCCESS;
}

void authws_services_init(apr_pool_t *pconf)
{
    endpoints = NULL;
    apr_pool_cleanup_register(pconf, NULL, forget, apr_pool_cleanup_null);
}

void authws_services_register(apr_pool_t *p)
{
    authws_echo_register(p);
    authws_ticket_register(p);
}

/* The names that could have been written. */
static const char *names(apr_pool_t *p)
{
    const apr_array_header_t *list =
        ap_list_provider_names(p, AUTHWS_SERVICE_GROUP, AUTHWS_SERVICE_VERSION);
    const char *text = "";

    for (int i = 0; i < list->nelts; i++) {
        text = apr_pstrcat(p, text, APR_ARRAY_IDX(list, i, ap_list_provider_names_t).provider_name,
                           ", ", NULL);
    }
    return apr_pstrcat(p, text, "Off", NULL);
}

static const char *joined(apr_pool_t *p, int argc, char *const argv[])
{
    const char *text = argv[0];

    for (int i = 1; i < argc; i++) {
        text = apr_pstrcat(p, text, " ", argv[i], NULL);
    }
    return text;
}

/* Keyed with zeros: a name for what the administrator wrote, no secret. */
static uint64_t number_of(const char *text)
{
    static const unsigned char key[AW_KEYED_KEY];
    const aw_span_t part = aw_span(text);
    uint64_t number;

    aw_keyed_hash8(key, &part, 1, &number);
    return number;
}

const char *authws_endpoint_parse(const authws_endpoint_t **endpoint, cmd_parms *cmd, int argc,
                                  char *const argv[])
{
    static const authws_endpoint_t off = {.service = NULL};
    authws_endpoint_t *made;
    const authws_service_t *service;
    const char *error = NULL;

    if (argc == 0) {
        return authws_word_missing(cmd,
                                   apr_pstrcat(cmd->pool, "one of ", names(cmd->temp_pool), NULL));
    }
    if (!ap_cstr_casecmp(argv[0], "Off")) {
        if (argc > 1) {
            return apr_psprintf(cmd->pool, "%s: \"%s\" is too much: Off stands alone",
                                cmd->cmd->name, authws_word_quoted(cmd->pool, argv[1]));
        }
        *endpoint = &off;
        return NULL;
    }
    service = ap_lookup_provider(AUTHWS_SERVICE_GROUP, argv[0], AUTHWS_SERVICE_VERSION);
    if (!service) {
        return apr_psprintf(cmd->pool,
                            "%s: \"%s\" is not a service; there are %s (modules that "
                            "are loaded may add more)",
                            cmd->cmd->name, authws_word_quoted(cmd->pool, argv[0]),
                            names(cmd->temp_pool));
    }
    made = apr_pcalloc(cmd->pool, sizeof(*made));
    made->service = service;
    made->number = (uint32_t)number_of(argv[0]);
    made->server = cmd->server;
    made->where = cmd->path ? apr_pstrdup(cmd->pool, cmd->path) : "";
    made->words = joined(cmd->pool, argc, argv);
    if (service->configure) {
        error = service->configure(cmd, argc - 1, argv + 1, &made->config);
    } else if (argc > 1) {
        error = apr_psprintf(cmd->pool, "\"%s\" is too much: %s takes no words",
                             authws_word_quoted(cmd->pool, argv[1]), argv[0]);
    }
    if (error) {
        return apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, error);
    }
    if (!ap_check_cmd_context(cmd, NOT_IN_HTACCESS)) {
        made->next = endpoints;
        endpoints = made;
    }
    *endpoint = made;
    return NULL;
}

static uint64_t id_of(const authws_endpoint_t *endpoint, apr_pool_t *p)
{
    const server_rec *s = endpoint->server;
    const char *host = s->server_hostname ? s->server_hostname : "";
    uint64_t id;

    for (const server_addr_rec *address = s->addrs; address; address = address->next) {
        host = apr_psprintf(p, "%s %s:%u", host, address->virthost, (unsigned)address->host_port);
    }
    id = number_of(apr_pstrcat(p, host, "\n", endpoint->where, "\n", endpoint->words, NULL));
    return id ? id : 1;
}

void authws_services_post_config(apr_pool_t *ptemp)
{
    for (authws_endpoint_t *endpoint = endpoints; endpoint; endpoint = endpoint->next) {
        endpoint->id = id_of(endpoint, ptemp);
    }
}

const authws_endpoint_t *authws_endpoint_find(uint64_t id)
{
    for (const authws_endpoint_t *endpoint = endpoints; endpoint; endpoint = endpoint->next) {
        if (endpoint->id == id) {
            return endpoint;
        }
    }
    return NULL;
}

bool authws_endpoints_any(void)
{
    return endpoints != NULL;
}
