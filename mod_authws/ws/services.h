/* Services by name, and where the configuration uses them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_WS_SERVICES_H
#define MOD_AUTHWS_WS_SERVICES_H

#include "../module.h"
#include "../mod_authws.h"

/* One AuthWSService. Lives as long as its configuration; read-only after it has been read. */
typedef struct authws_endpoint_t {
    const authws_service_t *service; /* NULL: Off */
    void *config;                    /* what service->configure made of the words */
    uint32_t number;                 /* of the service: made of its name */
    const server_rec *server;
    const char *where; /* the section's path; "" for the whole server */
    const char *words; /* the name and the words behind it */
    uint64_t id;       /* of virtual host, section and words, the same after a restart; 0: in a
                          .htaccess file, which no other process finds again */
    struct authws_endpoint_t *next; /* private */
} authws_endpoint_t;

/* What AuthWSService says: NULL and *endpoint, or what is wrong with it. Off is a service too. */
const char *authws_endpoint_parse(const authws_endpoint_t **endpoint, cmd_parms *cmd, int argc,
                                  char *const argv[]);

/* The endpoint of this configuration with that id, or NULL. Any thread. */
const authws_endpoint_t *authws_endpoint_find(uint64_t id);

/* Whether the configuration names any service, .htaccess files aside. Any thread. */
bool authws_endpoints_any(void);

/* register_hooks: the services that come with the module. */
void authws_services_register(apr_pool_t *p);

/* pre_config: starts with no endpoints. post_config: gives them their ids, which depend on the
 * names and addresses of virtual hosts. */
void authws_services_init(apr_pool_t *pconf);
void authws_services_post_config(apr_pool_t *ptemp);

#endif
