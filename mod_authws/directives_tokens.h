/* The directives for tokens, certificates and tickets.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOD_AUTHWS_DIRECTIVES_TOKENS_H
#define MOD_AUTHWS_DIRECTIVES_TOKENS_H

#include "module.h"

/* The setters, as httpd calls them: NULL, or what is wrong. */
const char *authws_set_token_file(cmd_parms *cmd, void *config, int argc, char *const argv[]);
const char *authws_set_token_scheme(cmd_parms *cmd, void *config, const char *word);
const char *authws_set_token_subject(cmd_parms *cmd, void *config, const char *word);
const char *authws_set_certificate_map(cmd_parms *cmd, void *config, int argc, char *const argv[]);
const char *authws_set_certificate_user(cmd_parms *cmd, void *config, const char *word);
const char *authws_set_ticket_lifetime(cmd_parms *cmd, void *config, const char *word);

/* Their lines in the table of commands. */
#define AUTHWS_TOKENS_COMMANDS                                                                     \
    AP_INIT_TAKE_ARGV("AuthWSTokenFile", authws_set_token_file, NULL, OR_AUTHCFG,                  \
                      "one or more files of hashed tokens, see authws-token(1)"),                  \
        AP_INIT_TAKE1("AuthWSTokenScheme", authws_set_token_scheme, NULL, OR_AUTHCFG,              \
                      "the scheme that tokens are sent with: Bearer, ApplePass, any token"),       \
        AP_INIT_TAKE1("AuthWSTokenSubject", authws_set_token_subject, NULL, OR_AUTHCFG,            \
                      "an expression: the subject that a token must be of"),                       \
        AP_INIT_TAKE_ARGV("AuthWSCertificateMap", authws_set_certificate_map, NULL, OR_AUTHCFG,    \
                          "one or more maps from fingerprints to users"),                          \
        AP_INIT_TAKE1("AuthWSCertificateUser", authws_set_certificate_user, NULL, OR_AUTHCFG,      \
                      "CN, DN, SAN-email, SAN-upn, SAN-dns, SAN-uri, Fingerprint, None, expr="),   \
        AP_INIT_TAKE1("AuthWSTicketLifetime", authws_set_ticket_lifetime, NULL, OR_AUTHCFG,        \
                      "how long a ticket is good, 1s to 1h")

#endif
