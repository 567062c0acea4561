/* Checking a password that was seen in clear against the A1 values.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>

#include "base/normal.h"
#include "digest/compute.h"
#include "lookup.h"
#include "scheme.h"
#include "uplift.h"

aw_span_t authws_normal(apr_pool_t *p, aw_span_t text, bool *copied)
{
    aw_span_t out = text;

    if (aw_text_nfc(&out, text, p) != APR_SUCCESS) {
        out = text;
    }
    if (copied) {
        *copied = out.ptr != text.ptr;
    }
    return out;
}

/* The check itself, of a password in Normalization Form C. */
static authws_password_e check(const aw_a1_entry_t *entry, aw_alg_e alg, bool known,
                               const authws_uplift_t *given, unsigned char *a1)
{
    if (aw_digest_a1(alg, given->user, given->realm, given->password, a1) != APR_SUCCESS) {
        return AUTHWS_PASSWORD_ERROR;
    }
    const bool equal = aw_equal_secret(a1, entry->hash, aw_alg_size(alg));

    if (!known) {
        return AUTHWS_PASSWORD_UNKNOWN;
    }
    return equal ? AUTHWS_PASSWORD_RIGHT : AUTHWS_PASSWORD_WRONG;
}

authws_password_e authws_password_check(request_rec *r, const authws_dir_t *dir, aw_span_t realm,
                                        aw_span_t user, aw_span_t password, aw_alg_e *used)
{
    authws_password_e outcome = AUTHWS_PASSWORD_ERROR;
    bool copied, in_files;
    authws_uplift_t given = {
        .user = user,
        .realm = realm,
        .password = authws_normal(r->pool, password, &copied),
        .checked = AW_ALG_COUNT,
    };
    unsigned char a1[AW_HASH_MAX];
    aw_a1_entry_t entry;
    const apr_status_t rv = authws_lookup(&entry, &in_files, r, dir, realm, user, &given.checked);

    given.a1 = a1;
    /* A user that is not there costs the hash of one that is, in an algorithm that the lookup has
     * chosen for nobody; the outcome is thrown away. */
    if (rv == APR_SUCCESS || rv == APR_NOTFOUND || rv == APR_ENOTIMPL) {
        outcome = check(&entry, given.checked, rv == APR_SUCCESS, &given, a1);
        if (used) {
            *used = given.checked;
        }
    }
    if (outcome == AUTHWS_PASSWORD_RIGHT && in_files) {
        authws_uplift(r, dir, &given);
    }
    if (copied) {
        aw_wipe((char *)(uintptr_t)given.password.ptr, given.password.len); /* our own copy */
    }
    aw_wipe(a1, sizeof(a1));
    aw_wipe(entry.hash, sizeof(entry.hash));
    return outcome;
}
