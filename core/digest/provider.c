/* The functions of an OpenSSL algorithm, looked up in the provider that offers it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "digest/provider.h"

#include "base/bytes.h"

/* Whether `name` is among the names of an algorithm, which are divided by colons. */
static bool has_name(const char *names, aw_span_t name)
{
    for (;;) {
        const size_t length = strcspn(names, ":");
        if (aw_span_equal_nocase((aw_span_t){names, length}, name)) {
            return true;
        }
        if (names[length] == '\0') {
            return false;
        }
        names += length + 1;
    }
}

static bool take(const OSSL_DISPATCH *offered, aw_provider_function_t *wanted)
{
    for (; offered->function_id != 0; offered++) {
        if (offered->function_id == wanted->id) {
            wanted->function = offered->function;
            return true;
        }
    }
    return false;
}

bool aw_provider_find(const OSSL_PROVIDER *provider, int operation, const char *name,
                      aw_provider_function_t *functions, size_t n)
{
    int no_cache = 0;
    const OSSL_ALGORITHM *all = OSSL_PROVIDER_query_operation(provider, operation, &no_cache);
    const OSSL_ALGORITHM *one = all;
    bool found;

    if (all == NULL) {
        return false;
    }
    while (one->algorithm_names != NULL && !has_name(one->algorithm_names, aw_span(name))) {
        one++;
    }
    found = one->algorithm_names != NULL;
    for (size_t i = 0; found && i < n; i++) {
        found = take(one->implementation, &functions[i]);
    }
    OSSL_PROVIDER_unquery_operation(provider, operation, all);
    return found;
}
