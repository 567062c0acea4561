/* The client of t/bench/digest: keep-alive connections that stay logged in, and count answers.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     digest_client MODE PORT PATH USER PASSWORD ALGORITHM REQUESTS CONNECTIONS
 *
 * MODE: none    no Authorization field
 *       made-up a Digest response to a challenge that no server sent, nc counting up
 *       basic   Basic
 *       digest  a first request without credentials, then a Digest session: nc counts up, nextnonce
 *               and stale=true are followed
 *
 * A thread a connection, each sending its share of REQUESTS one after the other. Prints how many
 * answers had which status: "200=N 401=N other=N challenges=N", the 401s that started or renewed a
 * session counted under challenges alone.
 */
#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "digest/respond.h"

#define CONNECTIONS_MAX 256
#define ANSWER_MAX      16384
#define CHALLENGES_MAX  8

typedef struct options_t {
    const char *mode, *path, *user, *password;
    aw_algorithm_t algorithm;
    unsigned port;
    unsigned long requests; /* of each connection */
    unsigned connections;
} options_t;

typedef struct session_t {
    const options_t *options;
    int fd;
    apr_pool_t *p;     /* of the challenge */
    apr_pool_t *ptemp; /* of one request */
    aw_challenge_t challenge;
    uint32_t nc;
    char answer[ANSWER_MAX];
    unsigned long ok, refused, other, challenges;
} session_t;

static void fail(const char *what)
{
    fprintf(stderr, "digest_client: %s\n", what);
    exit(1);
}

static int connect_to(unsigned port)
{
    const int on = 1;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
        fail("cannot connect");
    }
    return fd;
}

/* The value of the next field of a name in the answer's head from `*at` on; false when there is
 * none. The name is given with its colon. */
static bool next_field(const char **at, const char *name, aw_span_t *value)
{
    const size_t n = strlen(name);

    for (const char *line = strstr(*at, "\r\n"); line && line[2] != '\r';
         line = strstr(line + 2, "\r\n")) {
        const char *end = strstr(line + 2, "\r\n");

        if (end && strncasecmp(line + 2, name, n) == 0) {
            const char *start = line + 2 + n;

            start += strspn(start, " ");
            *value = (aw_span_t){start, (size_t)(end - start)};
            *at = end;
            return true;
        }
    }
    return false;
}

/* Reads one answer, its body too; its status. The head stays in session->answer. */
static int receive(session_t *session)
{
    size_t have = 0, whole = 0;
    char *body = NULL;

    while (!body || have < whole) {
        const ssize_t n =
            recv(session->fd, session->answer + have, sizeof(session->answer) - 1 - have, 0);

        if (n <= 0) {
            fail("the server closed the connection, or its answer is too long");
        }
        have += (size_t)n;
        session->answer[have] = '\0';
        if (!body && (body = strstr(session->answer, "\r\n\r\n")) != NULL) {
            const char *at = session->answer;
            aw_span_t length = {NULL, 0};

            if (next_field(&at, "Content-Length:", &length)) {
                whole = strtoul(length.ptr, NULL, 10);
            } else if (next_field(&at, "Transfer-Encoding:", &length)) {
                fail("a chunked answer: not for this client");
            }
            whole += (size_t)(body + 4 - session->answer);
        }
    }
    return (int)strtol(session->answer + sizeof("HTTP/1.1 ") - 1, NULL, 10);
}

static int send_request(session_t *session, const char *authorization)
{
    const char *request = apr_psprintf(
        session->ptemp,
        "GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: digest_client\r\n%s%s%s\r\n",
        session->options->path, authorization ? "Authorization: " : "",
        authorization ? authorization : "", authorization ? "\r\n" : "");
    const size_t n = strlen(request);

    if (send(session->fd, request, n, MSG_NOSIGNAL) != (ssize_t)n) {
        fail("cannot send");
    }
    return receive(session);
}

/* Takes up the challenge of the wanted algorithm from a 401. */
static void read_challenge(session_t *session)
{
    const aw_algorithm_t wanted = session->options->algorithm;
    const char *at = session->answer;
    aw_span_t field;

    apr_pool_clear(session->p);
    while (next_field(&at, "WWW-Authenticate:", &field)) {
        aw_challenge_t all[CHALLENGES_MAX];
        const char *copy = apr_pstrmemdup(session->p, field.ptr, field.len);
        const int count = aw_challenges_parse(all, CHALLENGES_MAX, (aw_span_t){copy, field.len},
                                              apr_palloc(session->p, field.len));

        for (int i = 0; i < count; i++) {
            if (all[i].algorithm.hash == wanted.hash && all[i].algorithm.sess == wanted.sess) {
                session->challenge = all[i];
                session->nc = 0;
                session->challenges++;
                return;
            }
        }
    }
    fail("the server does not offer this algorithm");
}

static void read_nextnonce(session_t *session)
{
    static const char name[] = "nextnonce=\"";
    const char *at = session->answer;
    aw_span_t field;

    if (next_field(&at, "Authentication-Info:", &field)) {
        const char *start = strstr(field.ptr, name);

        if (start && start < field.ptr + field.len) {
            start += sizeof(name) - 1;
            session->challenge.nonce =
                aw_span(apr_pstrmemdup(session->p, start, (size_t)(strchr(start, '"') - start)));
            session->nc = 0;
        }
    }
}

static const char *respond(session_t *session)
{
    const options_t *options = session->options;
    const char *authorization = NULL;
    unsigned char random[8];
    char cnonce[2 * sizeof(random)];
    aw_respond_t request = {.user = aw_span(options->user),
                            .password = aw_span(options->password),
                            .method = AW_SPAN_LIT("GET"),
                            .uri = aw_span(options->path),
                            .cnonce = {cnonce, sizeof(cnonce)},
                            .nc = ++session->nc};

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        fail("no random bytes");
    }
    aw_hex_encode(cnonce, random, sizeof(random));
    if (aw_digest_respond(&authorization, &session->challenge, &request, session->ptemp) !=
        APR_SUCCESS) {
        fail("cannot respond to the challenge");
    }
    return authorization;
}

static const char *basic(session_t *session)
{
    const char *pair =
        apr_pstrcat(session->ptemp, session->options->user, ":", session->options->password, NULL);
    const size_t n = strlen(pair);
    char *out = apr_pcalloc(session->ptemp, aw_base64_length(AW_BASE64, n) + 7);

    memcpy(out, "Basic ", 6);
    (void)aw_base64_encode(AW_BASE64, out + 6, pair, n);
    return out;
}

/* One request of a session that may have to be renewed on the way. */
static int request_digest(session_t *session)
{
    int status = send_request(session, respond(session));

    if (status == 401) {
        read_challenge(session);
        if (session->challenge.stale) {
            status = send_request(session, respond(session));
        }
    }
    read_nextnonce(session);
    return status;
}

static void *run_session(void *baton)
{
    session_t *session = baton;
    const char *mode = session->options->mode;
    const bool digest = strcmp(mode, "digest") == 0;

    session->challenge =
        (aw_challenge_t){.realm = AW_SPAN_LIT("bench"),
                         .nonce = AW_SPAN_LIT("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5"),
                         .algorithm = session->options->algorithm,
                         .qops = AW_QOP_BIT(AW_QOP_AUTH)};
    if (digest && send_request(session, NULL) == 401) {
        read_challenge(session);
    }
    for (unsigned long i = 0; i < session->options->requests; i++) {
        int status;

        apr_pool_clear(session->ptemp);
        if (digest) {
            status = request_digest(session);
        } else if (strcmp(mode, "made-up") == 0) {
            status = send_request(session, respond(session));
        } else {
            status = send_request(session, strcmp(mode, "basic") == 0 ? basic(session) : NULL);
        }
        session->ok += status == 200;
        session->refused += status == 401;
        session->other += status != 200 && status != 401;
    }
    close(session->fd);
    return NULL;
}

static unsigned long number(const char *text)
{
    char *end;
    const unsigned long n = strtoul(text, &end, 10);

    if (*end != '\0' || end == text) {
        fail("not a number");
    }
    return n;
}

int main(int argc, char **argv)
{
    static session_t sessions[CONNECTIONS_MAX];
    pthread_t threads[CONNECTIONS_MAX];
    options_t options = {0};
    session_t sum = {0};

    if (argc != 9) {
        fail("MODE PORT PATH USER PASSWORD ALGORITHM REQUESTS CONNECTIONS");
    }
    if (apr_initialize() != APR_SUCCESS || aw_algorithms_init() != APR_SUCCESS ||
        !aw_algorithm_parse(aw_span(argv[6]), &options.algorithm)) {
        fail("cannot start, or no such algorithm");
    }
    options.mode = argv[1];
    options.port = (unsigned)number(argv[2]);
    options.path = argv[3];
    options.user = argv[4];
    options.password = argv[5];
    options.connections = (unsigned)number(argv[8]);
    if (options.connections == 0 || options.connections > CONNECTIONS_MAX) {
        fail("1 to 256 connections");
    }
    options.requests = number(argv[7]) / options.connections;
    for (unsigned i = 0; i < options.connections; i++) {
        sessions[i].options = &options;
        sessions[i].fd = connect_to(options.port);
        apr_pool_create(&sessions[i].p, NULL);
        apr_pool_create(&sessions[i].ptemp, NULL);
        if (pthread_create(&threads[i], NULL, run_session, &sessions[i]) != 0) {
            fail("no thread");
        }
    }
    for (unsigned i = 0; i < options.connections; i++) {
        pthread_join(threads[i], NULL);
        sum.ok += sessions[i].ok;
        sum.refused += sessions[i].refused;
        sum.other += sessions[i].other;
        sum.challenges += sessions[i].challenges;
    }
    printf("200=%lu 401=%lu other=%lu challenges=%lu\n", sum.ok, sum.refused, sum.other,
           sum.challenges);
    return 0;
}
