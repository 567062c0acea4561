/* Live sockets over TLS: records that hold several frames, partial writes, orderly ends.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "live_world.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <signal.h>

static const authws_tls_calls_t calls = {
#define CALL(f) .f = f,
    AUTHWS_TLS_FUNCTIONS(CALL)
#undef CALL
};

typedef struct tls_t {
    SSL_CTX *context[2]; /* server, client */
    SSL *client;
    world_t world;
} tls_t;

static void certify(SSL_CTX *context)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();

    CU_ASSERT_FATAL(key && certificate);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    CU_ASSERT(X509_sign(certificate, key, EVP_sha256()) > 0);
    CU_ASSERT_EQUAL(SSL_CTX_use_certificate(context, certificate), 1);
    CU_ASSERT_EQUAL(SSL_CTX_use_PrivateKey(context, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void start(tls_t *t, int version, bool read_ahead)
{
    authws_transport_t transport;
    world_t *w = &t->world;
    SSL *server;
    int pair[2];

    /* As httpd does: libssl writes without MSG_NOSIGNAL. */
    signal(SIGPIPE, SIG_IGN);
    world_init(w);
    w->echo = true;
    world_pair(pair);
    w->fd = pair[1];
    aw_ws_conn_init(&w->client, NULL);
    for (unsigned i = 0; i < 2; i++) {
        t->context[i] = SSL_CTX_new(i == 0 ? TLS_server_method() : TLS_client_method());
        CU_ASSERT_PTR_NOT_NULL_FATAL(t->context[i]);
        SSL_CTX_set_max_proto_version(t->context[i], version);
        SSL_CTX_set_mode(t->context[i],
                         SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    certify(t->context[0]);
    server = SSL_new(t->context[0]);
    t->client = SSL_new(t->context[1]);
    CU_ASSERT_FATAL(server && t->client);
    SSL_set_read_ahead(server, read_ahead);
    SSL_set_fd(server, pair[0]);
    SSL_set_fd(t->client, pair[1]);
    SSL_set_accept_state(server);
    SSL_set_connect_state(t->client);
    for (unsigned i = 0; i < 10; i++) {
        (void)SSL_do_handshake(t->client);
        (void)SSL_do_handshake(server);
    }
    CU_ASSERT_FATAL(SSL_is_init_finished(server) && SSL_is_init_finished(t->client));
    w->socket = world_socket(w, NULL);
    authws_transport_tls(&transport, &calls, server, pair[0]);
    authws_live_start(w->socket, &transport, w->loop, NULL, 0);
    world_run(w, 2);
}

static bool tls_read(tls_t *t)
{
    static unsigned char buffer[65536];
    int n;

    ERR_clear_error();
    n = SSL_read(t->client, buffer, sizeof buffer);
    if (n > 0) {
        world_take(&t->world, buffer, (size_t)n);
    } else if (SSL_get_error(t->client, n) == SSL_ERROR_ZERO_RETURN) {
        t->world.got_end = true;
    }
    return n > 0;
}

static void settle(tls_t *t)
{
    for (unsigned quiet = 0; quiet < 40;) {
        world_run(&t->world, 1);
        quiet = tls_read(t) ? 0 : quiet + 1;
    }
}

/* Writes as the client; the loop runs, and what comes is read, while there is no room. */
static void tls_write(tls_t *t, const void *bytes, size_t len, bool reads)
{
    for (size_t done = 0, tries = 0; done < len && tries < 100000; tries++) {
        int n;

        ERR_clear_error();
        n = SSL_write(t->client, (const char *)bytes + done, (int)(len - done));
        done += n > 0 ? (size_t)n : 0;
        if (n <= 0) {
            world_run(&t->world, 1);
            if (reads) {
                (void)tls_read(t);
            }
        }
    }
}

static void tls_send(tls_t *t, const void *data, size_t len)
{
    unsigned char *frame;
    const size_t n = world_frame(&t->world, &frame, AW_WS_BINARY, data, len);

    tls_write(t, frame, n, true);
    free(frame);
}

static void end(tls_t *t)
{
    SSL_free(t->client);
    SSL_CTX_free(t->context[0]);
    SSL_CTX_free(t->context[1]);
    world_end(&t->world);
    CU_ASSERT_EQUAL(ERR_peek_error(), 0);
}

static void messages_of_any_size_come_back_over_tls(void)
{
    static const size_t sizes[] = {0, 1, 125, 16370, 16384, 40000, 65536, 300000, 1 << 20};
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    char *data = calloc(1, 1 << 20);

    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    for (unsigned v = 0; v < 4; v++) {
        tls_t t;

        start(&t, versions[v / 2], v % 2);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            t.world.got_bytes = 0;
            tls_send(&t, data, sizes[i]);
            settle(&t);
            CU_ASSERT_EQUAL(t.world.got, i + 1);
            CU_ASSERT_EQUAL(t.world.got_bytes, sizes[i]);
        }
        end(&t);
    }
    free(data);
}

static void a_thousand_frames_in_few_records_are_all_served(void)
{
    char *frames = malloc(1000 * 106);
    size_t len = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(frames);
    for (unsigned read_ahead = 0; read_ahead < 2; read_ahead++) {
        tls_t t;

        start(&t, TLS1_3_VERSION, read_ahead);
        len = 0;
        for (unsigned i = 0; i < 1000; i++) {
            static const char data[100] = "x";
            unsigned char *frame;
            const size_t n = world_frame(&t.world, &frame, AW_WS_BINARY, data, sizeof data);

            memcpy(frames + len, frame, n);
            len += n;
            free(frame);
        }
        tls_write(&t, frames, len, true);
        settle(&t);
        CU_ASSERT_EQUAL(t.world.messages, 1000);
        CU_ASSERT_EQUAL(t.world.got, 1000);
        end(&t);
    }
    free(frames);
}

static void go_on(authws_socket_t *socket, void *baton)
{
    (void)baton;
    authws_socket_read(socket, true);
}

static void a_service_that_reads_one_by_one_is_not_forgotten_with_what_is_decrypted(void)
{
    char *frames = malloc(20 * 1100);
    size_t len = 0;
    tls_t t;

    CU_ASSERT_PTR_NOT_NULL_FATAL(frames);
    start(&t, TLS1_3_VERSION, true);
    t.world.pause = true;
    for (unsigned i = 0; i < 20; i++) {
        static const char data[1000] = "x";
        unsigned char *frame;
        const size_t n = world_frame(&t.world, &frame, AW_WS_BINARY, data, sizeof data);

        memcpy(frames + len, frame, n);
        len += n;
        free(frame);
    }
    tls_write(&t, frames, len / 2, true); /* two records in one read */
    tls_write(&t, frames + len / 2, len - len / 2, true);
    for (unsigned i = 1; i <= 20; i++) {
        settle(&t);
        CU_ASSERT_EQUAL(t.world.messages, i);
        authws_socket_run(t.world.socket, go_on, NULL);
    }
    free(frames);
    end(&t);
}

static void a_slow_reader_gets_everything_in_order(void)
{
    static char block[30000];
    tls_t t;

    start(&t, TLS1_3_VERSION, false);
    t.world.settings.send_buffer = 200000;
    for (unsigned i = 0; i < 60; i++) { /* more than buffers hold: reading stops in between */
        unsigned char *frame;

        memset(block, (int)i, sizeof block);
        const size_t n = world_frame(&t.world, &frame, AW_WS_BINARY, block, sizeof block);
        tls_write(&t, frame, n, i > 20);
        free(frame);
    }
    settle(&t);
    CU_ASSERT_EQUAL(t.world.messages, 60);
    CU_ASSERT_EQUAL(t.world.got, 60);
    CU_ASSERT_EQUAL(t.world.got_bytes, 60 * sizeof block);
    CU_ASSERT_EQUAL(t.world.got_last[0], 59);
    end(&t);
}

static void a_close_ends_with_close_notify(void)
{
    unsigned char payload[AW_WS_CONTROL_MAX];
    static const unsigned char key[4] = {1, 2, 3, 4};
    aw_ws_out_t out;
    tls_t t;

    start(&t, TLS1_3_VERSION, false);
    CU_ASSERT(aw_ws_conn_close(&t.world.client, &t.world.client_settings, 1000,
                               (aw_span_t){NULL, 0}, key, payload, &out));
    tls_write(&t, out.head, out.head_len, true);
    tls_write(&t, out.data, out.len, true);
    settle(&t);
    CU_ASSERT_EQUAL(t.world.got_code, 1000);
    CU_ASSERT(t.world.got_end);
    (void)SSL_shutdown(t.client);
    settle(&t);
    CU_ASSERT_EQUAL(t.world.ended, 1);
    CU_ASSERT_EQUAL(t.world.close_code, 1000);
    CU_ASSERT_PTR_NULL(t.world.ending.why);
    end(&t);
}

static void noise_instead_of_records_ends_with_1006_and_leaves_no_error_behind(void)
{
    static const char noise[] = "GET / HTTP/1.0\r\n\r\n";
    tls_t t;

    start(&t, TLS1_3_VERSION, false);
    CU_ASSERT_EQUAL(write(t.world.fd, noise, sizeof noise), (ssize_t)sizeof noise);
    world_run(&t.world, 3);
    CU_ASSERT_EQUAL(t.world.ended, 1);
    CU_ASSERT_EQUAL(t.world.close_code, 1006);
    end(&t);
}

static void a_connection_that_breaks_off_ends_with_1006(void)
{
    tls_t t;

    start(&t, TLS1_2_VERSION, false);
    close(t.world.fd);
    t.world.fd = -1;
    world_run(&t.world, 3);
    CU_ASSERT_EQUAL(t.world.ended, 1);
    CU_ASSERT_EQUAL(t.world.close_code, 1006);
    end(&t);
}

#define T(name)                                                                                    \
    {                                                                                              \
#name, name                                                                                \
    }

static const unit_test_t tests[] = {
    T(messages_of_any_size_come_back_over_tls),
    T(a_thousand_frames_in_few_records_are_all_served),
    T(a_service_that_reads_one_by_one_is_not_forgotten_with_what_is_decrypted),
    T(a_slow_reader_gets_everything_in_order),
    T(a_close_ends_with_close_notify),
    T(noise_instead_of_records_ends_with_1006_and_leaves_no_error_behind),
    T(a_connection_that_breaks_off_ends_with_1006),
    {NULL, NULL},
};

const unit_suite_t live_tls_suite = {"live_tls", tests};
