/* The list of schemes, and finding one by its name.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "scheme.h"

#include <apr_strings.h>

#include "lookup.h"

static const authws_scheme_t *const schemes[] = {&authws_scheme_digest, &authws_scheme_basic,
                                                 &authws_scheme_token, &authws_scheme_certificate,
                                                 &authws_scheme_ticket};

#define SCHEMES (sizeof(schemes) / sizeof(schemes[0]))

const authws_schemes_t authws_schemes_default = {1, {&authws_scheme_digest}};

const authws_scheme_t *authws_scheme_find(const char *name)
{
    for (size_t i = 0; i < SCHEMES; i++) {
        if (!ap_cstr_casecmp(name, schemes[i]->name)) {
            return schemes[i];
        }
    }
    return NULL;
}

const char *authws_scheme_names(apr_pool_t *p)
{
    const char *names = schemes[0]->name;

    for (size_t i = 1; i < SCHEMES; i++) {
        names = apr_pstrcat(p, names, ", ", schemes[i]->name, NULL);
    }
    return names;
}

const char *authws_scheme_lacks_users(const authws_dir_t *dir)
{
    return authws_lookup_possible(dir) ? NULL : "AuthWSUserFile or AuthWSProvider";
}
