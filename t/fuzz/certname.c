/* Fuzzes what is read from certificates: no name may hold what a name must not.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <apr_general.h>
#include <openssl/err.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "digest/algorithm.h"
#include "store/certname.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool so)
{
    if (!so) {
        abort();
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    require(apr_initialize() == APR_SUCCESS && aw_algorithms_init() == APR_SUCCESS);
    return 0;
}

static void look_at_names(const aw_cert_t *cert, aw_certname_e kind, apr_pool_t *p)
{
    const aw_span_t *names = NULL;
    const char *why = NULL;
    size_t count = 0;
    const apr_status_t rv = aw_cert_names(&names, &count, &why, cert, kind, p);

    require(rv == APR_SUCCESS || rv == APR_NOTFOUND || rv == APR_EINVAL);
    require((rv == APR_SUCCESS) == (count > 0) && (rv == APR_EINVAL) == (why != NULL));
    require(count <= AW_CERTNAME_MANY);
    for (size_t i = 0; i < count; i++) {
        require(names[i].len > 0 && names[i].len <= AW_CERTNAME_MAX);
        require(strlen(names[i].ptr) == names[i].len);
        require(aw_utf8_valid_prefix(names[i]) == names[i].len);
        require(aw_text_find_control(names[i]) == names[i].len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    aw_cert_t *cert = NULL, *again = NULL;
    apr_pool_t *p = NULL;
    apr_time_t at = 0;

    require(apr_pool_create(&p, NULL) == APR_SUCCESS);
    if (aw_cert_read(&cert, (aw_span_t){(const char *)data, size}, p) == APR_SUCCESS) {
        for (unsigned kind = 0; kind < AW_CERTNAME_COUNT; kind++) {
            look_at_names(cert, (aw_certname_e)kind, p);
        }
        if (!aw_cert_expires(cert, &at)) {
            require(aw_cert_time(cert, 0) == AW_CERT_NO_TIME);
        }
        /* What it says of itself is what others would hash. */
        if (aw_cert_read(&again, aw_cert_der(cert), p) == APR_SUCCESS) {
            require(memcmp(aw_cert_fingerprints(cert), aw_cert_fingerprints(again),
                           sizeof(aw_fingerprints_t)) == 0);
        }
    }
    require(ERR_peek_error() == 0);
    apr_pool_destroy(p);
    return 0;
}
