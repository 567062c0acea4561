/* Lists of Digest algorithms, as AuthWSAlgorithm and the authws-algorithm variable name them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "config.h"

#include <apr_strings.h>

#include "base/text.h"

/* Whether this OpenSSL has the hash: a FIPS build lacks MD5. */
static bool is_offered(aw_alg_e alg)
{
    unsigned char out[AW_HASH_MAX];

    return aw_hash(alg, NULL, 0, out) == APR_SUCCESS;
}

const authws_algorithms_t *authws_algorithms_parse(const char **error, apr_pool_t *p, int n,
                                                   char *const names[])
{
    authws_algorithms_t *out = apr_pcalloc(p, sizeof(*out) + (size_t)n * sizeof(out->list[0]));

    for (int i = 0; i < n; i++) {
        char shown[264];
        aw_algorithm_t algorithm;

        aw_text_escape(shown, sizeof(shown), aw_span(names[i]));
        if (!aw_algorithm_parse(aw_span(names[i]), &algorithm)) {
            *error = apr_psprintf(p,
                                  "\"%s\" is not an algorithm; allowed are MD5, SHA-256 and "
                                  "SHA-512-256, the non-standard SHA, SHA-384 and SHA-512, and "
                                  "each with -sess",
                                  shown);
            return NULL;
        }
        if (!is_offered(algorithm.hash)) {
            *error = apr_psprintf(p, "\"%s\" is not offered by this server's OpenSSL", shown);
            return NULL;
        }
        for (size_t k = 0; k < out->count; k++) {
            if (out->list[k].hash == algorithm.hash && out->list[k].sess == algorithm.sess) {
                *error = apr_psprintf(p, "\"%s\" is given twice", shown);
                return NULL;
            }
        }
        out->list[out->count++] = algorithm;
    }
    return out;
}
