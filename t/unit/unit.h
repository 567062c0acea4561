/* What every unit suite shares: its table of tests, and input that ends at an inaccessible page.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_T_UNIT_H
#define AUTHWS_T_UNIT_H

#include <CUnit/CUnit.h>

#include "base/bytes.h"

typedef struct unit_test_t {
    const char *name; /* says what is promised */
    void (*run)(void);
} unit_test_t;

/* A suite: `tests` ends with a NULL name. The library is initialised before the first suite. */
typedef struct unit_suite_t {
    const char *name;
    const unit_test_t *tests;
} unit_suite_t;

extern const unit_suite_t ws_conn_suite, ws_conn_deflate_suite, ws_conn_save_suite, ws_frame_suite,
    ws_handshake_suite, ws_memory_suite, ws_origin_suite, loop_suite, live_suite,
    live_threads_suite, live_tls_suite, live_move_suite;
extern const unit_suite_t connections_suite, ws_deflate_suite, ws_deflate_params_suite,
    ws_mask_suite, ws_pool_suite, ws_utf8_suite;
extern const unit_suite_t bytes_suite, text_suite, normal_suite, file_suite, log_suite, keyed_suite,
    algorithm_suite, params_suite, credentials_suite, compute_suite, challenge_suite, respond_suite,
    keyring_suite, nonce_suite, nc_table_suite, segment_suite, uri_suite, verify_suite, a1_suite,
    a1_table_suite, a1_store_suite, a1_edit_suite, a1_import_suite, a1_users_suite, a1_index_suite,
    a1_share_suite, a1_uplift_suite, throttle_suite, counters_suite, acceptors_suite;
extern const unit_suite_t token_suite, token_edit_suite, token_store_suite, certmap_suite,
    certname_suite;

/* A copy of `n` bytes (at most 64 KiB) whose last byte is followed by an inaccessible page and
 * whose first is preceded by one whenever `n` is a whole number of pages: reading behind it is a
 * crash. Free with unit_guard_free. */
aw_span_t unit_guard(const void *data, size_t n);
void unit_guard_free(aw_span_t guarded);

/* The test's vector directory (t/vectors), from the environment or relative to the program. */
const char *unit_vectors(void);

#endif
