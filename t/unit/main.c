/* Runs the unit tests: all of them, one suite, or one test.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     main [-s SUITE] [-t TEST]     main -l
 *
 * Prints `ok SUITE: TEST` or, with what failed and where, `not ok SUITE: TEST`. Exit status: 0 all
 * passed, 1 some did not, 2 bad usage or nothing to run.
 */
#include "unit.h"

#include <apr_general.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "digest/algorithm.h"

static const unit_suite_t *const suites[] = {
    &connections_suite,
    &ws_deflate_suite,
    &ws_deflate_params_suite,
    &ws_mask_suite,
    &ws_pool_suite,
    &ws_utf8_suite,
    &ws_conn_suite,
    &ws_conn_deflate_suite,
    &ws_conn_save_suite,
    &ws_frame_suite,
    &ws_handshake_suite,
    &ws_origin_suite,
    &bytes_suite,
    &text_suite,
    &normal_suite,
    &file_suite,
    &log_suite,
    &keyed_suite,
    &segment_suite,
    &algorithm_suite,
    &params_suite,
    &credentials_suite,
    &compute_suite,
    &keyring_suite,
    &nonce_suite,
    &nc_table_suite,
    &uri_suite,
    &verify_suite,
    &challenge_suite,
    &respond_suite,
    &a1_suite,
    &a1_table_suite,
    &a1_store_suite,
    &a1_edit_suite,
    &a1_import_suite,
    &a1_users_suite,
    &a1_index_suite,
    &a1_share_suite,
    &a1_uplift_suite,
    &token_suite,
    &token_edit_suite,
    &token_store_suite,
    &certmap_suite,
    &certname_suite,
    &throttle_suite,
    &counters_suite,
    &acceptors_suite,
    &loop_suite,
    &live_suite,
    &live_threads_suite,
    &live_tls_suite,
    &live_move_suite,
    &ws_memory_suite,
};

#define SUITES (sizeof suites / sizeof suites[0])

/* What the crash handler may look at: set before each test. */
static char crash_line[512];
static size_t crash_length;
static unsigned asserts_before;
static unsigned failed, passed;

const char *unit_vectors(void)
{
    static char path[4096];
    const char *given = getenv("AUTHWS_VECTORS");
    ssize_t n;

    if (given != NULL) {
        return given;
    }
    n = readlink("/proc/self/exe", path, sizeof path - 16);
    if (n < 0) {
        return "t/vectors";
    }
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    memcpy(slash, "/../vectors", sizeof "/../vectors");
    return path;
}

/* A test that dies is named before the program does (async-signal-safe). */
static void on_crash(int number)
{
    if (write(STDOUT_FILENO, crash_line, crash_length) < 0) {
        _exit(1);
    }
    signal(number, SIG_DFL);
    raise(number);
}

/* Only where nobody (a sanitizer) reports crashes already. */
static void catch_crashes(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction old;
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL) {
            signal(numbers[i], on_crash);
        }
    }
}

static void on_start(const CU_pTest test, const CU_pSuite suite)
{
    int n = snprintf(crash_line, sizeof crash_line, "not ok %s: %s (crashed)\n", suite->pName,
                     test->pName);

    crash_length = n < (int)sizeof crash_line ? (size_t)n : sizeof crash_line - 1;
    asserts_before = CU_get_run_summary()->nAsserts;
}

static void on_complete(const CU_pTest test, const CU_pSuite suite,
                        const CU_pFailureRecord failures)
{
    const bool silent = CU_get_run_summary()->nAsserts == asserts_before;

    if (failures == NULL && !silent) {
        passed++;
        printf("ok %s: %s\n", suite->pName, test->pName);
        return;
    }
    failed++;
    printf("not ok %s: %s\n", suite->pName, test->pName);
    if (silent) {
        printf("    it asserts nothing\n");
    }
    for (CU_pFailureRecord f = failures; f != NULL; f = f->pNext) {
        printf("    %s:%u: %s\n", f->strFileName, f->uiLineNumber, f->strCondition);
    }
}

static void list_tests(void)
{
    for (size_t i = 0; i < SUITES; i++) {
        for (const unit_test_t *t = suites[i]->tests; t->name != NULL; t++) {
            printf("%s: %s\n", suites[i]->name, t->name);
        }
    }
}

/* Registers what was asked for; returns how many tests that is, or -1. */
static int add_tests(const char *suite_wanted, const char *test_wanted)
{
    int added = 0;

    for (size_t i = 0; i < SUITES; i++) {
        if (suite_wanted != NULL && strcmp(suite_wanted, suites[i]->name) != 0) {
            continue;
        }
        CU_pSuite suite = CU_add_suite(suites[i]->name, NULL, NULL);
        if (suite == NULL) {
            return -1;
        }
        for (const unit_test_t *t = suites[i]->tests; t->name != NULL; t++) {
            if (test_wanted != NULL && strcmp(test_wanted, t->name) != 0) {
                continue;
            }
            if (CU_add_test(suite, t->name, t->run) == NULL) {
                fprintf(stderr, "%s: %s: %s\n", suites[i]->name, t->name, CU_get_error_msg());
                return -1;
            }
            added++;
        }
    }
    return added;
}

static int run(const char *suite, const char *test)
{
    int added;
    int rc = 2;

    if (CU_initialize_registry() != CUE_SUCCESS) {
        return rc;
    }
    CU_set_error_action(CUEA_IGNORE);
    added = add_tests(suite, test);
    if (added <= 0) {
        fprintf(stderr, "no such test\n");
        goto leave;
    }
    CU_set_test_start_handler(on_start);
    CU_set_test_complete_handler(on_complete);
    CU_run_all_tests();
    /* Everything that was registered must have come by: a runner that stops early is a failure. */
    rc = failed == 0 && passed == (unsigned)added ? 0 : 1;
leave:
    CU_cleanup_registry();
    return rc;
}

int main(int argc, char **argv)
{
    const char *suite = NULL;
    const char *test = NULL;
    int option;

    while ((option = getopt(argc, argv, "ls:t:")) != -1) {
        switch (option) {
        case 'l':
            list_tests();
            return 0;
        case 's':
            suite = optarg;
            break;
        case 't':
            test = optarg;
            break;
        default:
            fprintf(stderr, "usage: %s [-l] [-s SUITE] [-t TEST]\n", argv[0]);
            return 2;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (apr_initialize() != APR_SUCCESS || aw_algorithms_init() != APR_SUCCESS) {
        fprintf(stderr, "the library cannot be initialised\n");
        return 2;
    }
    catch_crashes();
    option = run(suite, test);
    aw_algorithms_term();
    apr_terminate();
    return option;
}
