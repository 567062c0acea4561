/* The functions of an OpenSSL algorithm, called without the EVP layer between.
 * SPDX-License-Identifier: Apache-2.0
 *
 * EVP of OpenSSL 3.0 frees and allocates the algorithm's state at every initialisation and asks
 * for engines each time: more instructions than hashing a short text. What is used here instead
 * is the providers' own documented interface (provider-digest(7)), of the very
 * provider that EVP would use.
 */
#ifndef AUTHWS_DIGEST_PROVIDER_H
#define AUTHWS_DIGEST_PROVIDER_H

#include <openssl/core_dispatch.h>
#include <openssl/provider.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/* One function wanted: its number (OSSL_FUNC_...), and where it goes. */
typedef struct aw_provider_function_t {
    int id;
    void (*function)(void); /* to be cast to the type that belongs to the number */
} aw_provider_function_t;

/* Fills in the `n` functions of the algorithm `name` (one of its names, any case) of an operation
 * (OSSL_OP_...). They stay valid as long as somebody holds the provider: what EVP_MD_fetch
 * returns does. False when the algorithm or one of the functions is missing. */
AW_PRIVATE bool aw_provider_find(const OSSL_PROVIDER *provider, int operation, const char *name,
                                 aw_provider_function_t *functions, size_t n);

#endif
