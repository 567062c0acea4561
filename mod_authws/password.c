/* Checking a password that was seen in clear against the A1 files.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "digest/compute.h"
#include "scheme.h"

authws_password_e authws_password_check(const authws_dir_t *dir, aw_span_t realm, aw_span_t user,
                                        aw_span_t password, apr_time_t now, aw_alg_e *used)
{
    authws_password_e outcome = AUTHWS_PASSWORD_ERROR;
    aw_alg_e alg = AW_ALG_COUNT;
    unsigned char a1[AW_HASH_MAX];
    aw_a1_entry_t entry;
    bool known;
    apr_status_t rv;

    rv = aw_a1_store_find(dir->store, realm, user, &alg, now, &entry);
    known = rv == APR_SUCCESS;
    if (!known) {
        if (rv != APR_NOTFOUND && rv != APR_ENOTIMPL) {
            return AUTHWS_PASSWORD_ERROR;
        }
        /* A user that is not there costs the hash of one that is, in an algorithm that the store
         * has taken from another user of the file; the outcome is thrown away. */
    }
    if (aw_digest_a1(alg, user, realm, password, a1) == APR_SUCCESS) {
        const bool equal = aw_equal_secret(a1, entry.hash, aw_alg_size(alg));

        outcome = !known  ? AUTHWS_PASSWORD_UNKNOWN
                  : equal ? AUTHWS_PASSWORD_RIGHT
                          : AUTHWS_PASSWORD_WRONG;
        if (used) {
            *used = alg;
        }
    }
    aw_wipe(a1, sizeof(a1));
    aw_wipe(entry.hash, sizeof(entry.hash));
    return outcome;
}
