/* The command line of `authws bench digest`.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench_options.h"

#include <apr_strings.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "authws.h"
#include "base/file.h"
#include "password.h"

#define USERS_FILE_MAX ((size_t)256 * 1024 * 1024)
#define NS             1000000000.0

static const char usage_line[] = "Usage: authws bench digest [options] http://host[:port]/path\n";

static const char help[] =
    "\n"
    "Asks for a page over and over, logged in with Digest, and judges every answer.\n"
    "\n"
    "Who asks:\n"
    "  -u, --user NAME         the user; the password comes from standard input\n"
    "      --password-file F   ... or from the first line of a file\n"
    "      --users FILE        many users, user:password lines\n"
    "      --flood             nobody: no credentials at all\n"
    "      --clients N         clients, each with a login of its own (default: with --share one,\n"
    "                          otherwise one a connection)\n"
    "How much:\n"
    "  -n, --requests N        calls in all (default 1000, unless -T)\n"
    "  -T, --time S            or for so many seconds\n"
    "  -c, --connections N     connections in all (default: one a client)\n"
    "  -t, --threads N         threads, each with its share of the clients (default 1)\n"
    "      --interval S        each client calls once in S seconds, not as fast as it can\n"
    "      --reconnect N       a new connection after N requests\n"
    "      --relogin N         a new login after N calls\n"
    "      --timeout S         what has no answer by then is lost (default 30)\n"
    "How:\n"
    "      --share             all connections of a client use one nonce, counting in order\n"
    "      --window W          counts less than W above the oldest unanswered one are under way\n"
    "                          at once (default 128)\n"
    "      --shuffle W         the same, and within the window in any order\n"
    "      --replay P          sends P % of the credentials again once they have been answered\n"
    "      --race P            sends P % of the credentials twice at once\n"
    "      --algorithm ALG     answer this challenge (default: the strongest)\n"
    "      --seed N            repeat what was left to chance\n"
    "What it says:\n"
    "      --pid PID           CPU and memory of this process and its children; repeatable\n"
    "      --json              one JSON object\n"
    "      --help              this\n"
    "\n"
    "Exit status: 0 done; 1 a replay was accepted, right credentials were refused, or a rspauth\n"
    "was wrong; 2 bad usage; 3 file or system error.\n";

enum {
    OPTION_PASSWORD_FILE = 256,
    OPTION_USERS,
    OPTION_FLOOD,
    OPTION_CLIENTS,
    OPTION_INTERVAL,
    OPTION_RECONNECT,
    OPTION_RELOGIN,
    OPTION_TIMEOUT,
    OPTION_SHARE,
    OPTION_WINDOW,
    OPTION_SHUFFLE,
    OPTION_REPLAY,
    OPTION_RACE,
    OPTION_ALGORITHM,
    OPTION_SEED,
    OPTION_PID,
    OPTION_JSON,
    OPTION_HELP
};

static const struct option long_options[] = {
    {"user", required_argument, NULL, 'u'},
    {"password-file", required_argument, NULL, OPTION_PASSWORD_FILE},
    {"users", required_argument, NULL, OPTION_USERS},
    {"flood", no_argument, NULL, OPTION_FLOOD},
    {"clients", required_argument, NULL, OPTION_CLIENTS},
    {"requests", required_argument, NULL, 'n'},
    {"time", required_argument, NULL, 'T'},
    {"connections", required_argument, NULL, 'c'},
    {"threads", required_argument, NULL, 't'},
    {"interval", required_argument, NULL, OPTION_INTERVAL},
    {"reconnect", required_argument, NULL, OPTION_RECONNECT},
    {"relogin", required_argument, NULL, OPTION_RELOGIN},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"share", no_argument, NULL, OPTION_SHARE},
    {"window", required_argument, NULL, OPTION_WINDOW},
    {"shuffle", required_argument, NULL, OPTION_SHUFFLE},
    {"replay", required_argument, NULL, OPTION_REPLAY},
    {"race", required_argument, NULL, OPTION_RACE},
    {"algorithm", required_argument, NULL, OPTION_ALGORITHM},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"pid", required_argument, NULL, OPTION_PID},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0}};

/* What is read before it can be put together. */
typedef struct raw_t {
    const char *user, *password_file, *users;
    bool has_seed;
} raw_t;

static int usage(const char *fmt, const char *what)
{
    if (fmt) {
        complain(fmt, what);
    }
    fputs(usage_line, stderr);
    fputs("       (--help says more)\n", stderr);
    return EXIT_USAGE;
}

/* A whole number from `least` to `most`, with nothing behind it. */
static bool number(uint64_t *out, const char *text, uint64_t least, uint64_t most)
{
    char *end = NULL;

    errno = 0;
    const unsigned long long n = strtoull(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || n < least || n > most) {
        return false;
    }
    *out = n;
    return true;
}

static bool small(unsigned *out, const char *text, unsigned least, unsigned most)
{
    uint64_t n = 0;

    if (!number(&n, text, least, most)) {
        return false;
    }
    *out = (unsigned)n;
    return true;
}

/* Seconds, fractions too, above 0 and at most a week. */
static bool seconds(uint64_t *ns, const char *text)
{
    char *end = NULL;
    const double s = strtod(text, &end);

    if (end == text || *end != '\0' || !(s > 0) || s > 7 * 86400.0) {
        return false;
    }
    *ns = (uint64_t)(s * NS);
    return *ns > 0;
}

static bool read_algorithm(bench_options_t *options, const char *text, apr_pool_t *p)
{
    aw_algorithm_t *algorithm = apr_palloc(p, sizeof(*algorithm));

    options->algorithm = algorithm;
    return aw_algorithm_parse(aw_span(text), algorithm);
}

static bool read_pid(bench_options_t *options, const char *text)
{
    unsigned pid = 0;

    if (options->pids_count == BENCH_PIDS_MAX || !small(&pid, text, 1, INT32_MAX)) {
        return false;
    }
    options->pids[options->pids_count++] = (pid_t)pid;
    return true;
}

/* One option with a number or name behind it; false when that is none. */
static bool read_value(bench_options_t *options, raw_t *raw, int option, const char *text,
                       apr_pool_t *p)
{
    const unsigned connections = BENCH_CONNECTIONS_MAX;

    switch (option) {
    case OPTION_CLIENTS:
        return small(&options->clients, text, 1, connections);
    case 'c':
        return small(&options->connections, text, 1, connections);
    case 'n':
        return number(&options->requests, text, 1, INT64_MAX);
    case 'T':
        return seconds(&options->duration_ns, text);
    case 't':
        return small(&options->threads, text, 1, BENCH_THREADS_MAX);
    case OPTION_INTERVAL:
        return seconds(&options->interval_ns, text);
    case OPTION_TIMEOUT:
        return seconds(&options->patience_ns, text);
    case OPTION_RECONNECT:
        return small(&options->reconnect, text, 1, INT32_MAX);
    case OPTION_RELOGIN:
        return small(&options->relogin, text, 1, INT32_MAX);
    case OPTION_SHUFFLE:
        options->shuffle = true;
        return small(&options->window, text, 1, BENCH_WINDOW_MAX);
    case OPTION_WINDOW:
        return small(&options->window, text, 1, BENCH_WINDOW_MAX);
    case OPTION_REPLAY:
        return small(&options->replay, text, 0, 100);
    case OPTION_RACE:
        return small(&options->race, text, 0, 100);
    case OPTION_SEED:
        raw->has_seed = true;
        return number(&options->seed, text, 0, UINT64_MAX);
    case OPTION_PID:
        return read_pid(options, text);
    default:
        return read_algorithm(options, text, p);
    }
}

static const char *option_name(int option)
{
    for (const struct option *o = long_options; o->name; o++) {
        if (o->val == option) {
            return o->name;
        }
    }
    return "?";
}

static int read_options(bench_options_t *options, raw_t *raw, int argc, char **argv, bool *answered,
                        apr_pool_t *p)
{
    int option;

    while ((option = getopt_long(argc, argv, "u:n:T:c:t:", long_options, NULL)) != -1) {
        switch (option) {
        case 'u':
            raw->user = optarg;
            break;
        case OPTION_PASSWORD_FILE:
            raw->password_file = optarg;
            break;
        case OPTION_USERS:
            raw->users = optarg;
            break;
        case OPTION_FLOOD:
            options->flood = true;
            break;
        case OPTION_SHARE:
            options->share = true;
            break;
        case OPTION_JSON:
            options->json = true;
            break;
        case OPTION_HELP:
            fputs(usage_line, stdout);
            fputs(help, stdout);
            *answered = true;
            return EXIT_DONE;
        case '?':
            return usage(NULL, NULL);
        default:
            if (!read_value(options, raw, option, optarg, p)) {
                complain("--%s: \"%s\" is not fit", option_name(option), optarg);
                return EXIT_USAGE;
            }
        }
    }
    return EXIT_DONE;
}

static apr_status_t wipe_span(void *data)
{
    aw_span_t *span = data;

    aw_wipe((char *)span->ptr, span->len);
    return APR_SUCCESS;
}

/* Has the bytes wiped when `p` goes. */
static aw_span_t secret(aw_span_t bytes, apr_pool_t *p)
{
    aw_span_t *span = apr_palloc(p, sizeof(*span));

    *span = bytes;
    apr_pool_cleanup_register(p, span, wipe_span, apr_pool_cleanup_null);
    return bytes;
}

/* The next line of `text` from *at on, without its end. */
static bool next_line(aw_span_t text, size_t *at, aw_span_t *line)
{
    if (*at >= text.len) {
        return false;
    }
    const char *start = text.ptr + *at;
    const char *end = memchr(start, '\n', text.len - *at);

    line->ptr = start;
    line->len = end ? (size_t)(end - start) : text.len - *at;
    *at += line->len + 1;
    if (line->len > 0 && start[line->len - 1] == '\r') {
        line->len--;
    }
    return true;
}

static int read_file(aw_span_t *text, const char *path, apr_pool_t *p)
{
    aw_file_id_t id;
    char why[128];
    const apr_status_t status = aw_file_read(path, USERS_FILE_MAX, text, &id, p);

    if (status != APR_SUCCESS) {
        complain("%s: %s", path, apr_strerror(status, why, sizeof(why)));
        return EXIT_SYSTEM;
    }
    (void)secret(*text, p);
    return EXIT_DONE;
}

static int read_users(bench_options_t *options, const char *path, apr_pool_t *p)
{
    aw_span_t text, line;
    size_t lines = 0, number_of_line = 0;
    const int rv = read_file(&text, path, p);

    if (rv != EXIT_DONE) {
        return rv;
    }
    for (size_t at = 0; next_line(text, &at, &line);) {
        lines++;
    }
    options->users = apr_pcalloc(p, (lines + 1) * sizeof(*options->users));
    for (size_t at = 0; next_line(text, &at, &line);) {
        const char *colon = line.len > 0 ? memchr(line.ptr, ':', line.len) : NULL;

        number_of_line++;
        if (line.len == 0) {
            continue;
        }
        if (!colon || colon == line.ptr) {
            complain("%s:%zu:1: not user:password", path, number_of_line);
            return EXIT_SYSTEM;
        }
        bench_user_t *user = &options->users[options->users_count++];

        user->name = (aw_span_t){line.ptr, (size_t)(colon - line.ptr)};
        user->password = (aw_span_t){colon + 1, line.len - user->name.len - 1};
    }
    if (options->users_count == 0) {
        complain("%s: holds no user", path);
        return EXIT_SYSTEM;
    }
    return EXIT_DONE;
}

static int read_password(bench_options_t *options, const raw_t *raw, apr_pool_t *p)
{
    password_t password;
    aw_span_t text, line = {NULL, 0};
    size_t at = 0;
    int rv = EXIT_DONE;

    options->users = apr_pcalloc(p, sizeof(*options->users));
    options->users_count = 1;
    options->users->name = aw_span(raw->user);
    if (raw->password_file) {
        rv = read_file(&text, raw->password_file, p);
        if (rv == EXIT_DONE && (!next_line(text, &at, &line) || line.len == 0)) {
            complain("%s: holds no password", raw->password_file);
            rv = EXIT_SYSTEM;
        }
    } else {
        const password_e got = password_from_stdin(&password);

        if (got == PASSWORD_OK) {
            line = password_span(&password);
            line = secret((aw_span_t){apr_pmemdup(p, line.ptr, line.len), line.len}, p);
        } else {
            complain("standard input holds no password");
            rv = EXIT_USAGE;
        }
        password_wipe(&password);
    }
    options->users->password = line;
    return rv;
}

static int read_url(bench_options_t *options, const char *url, apr_pool_t *p)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;

    if (strncmp(url, "http://", 7) != 0) {
        return usage("\"%s\": only http:// is measured", url);
    }
    const char *host = url + 7;
    const size_t len = strcspn(host, "/?#");

    options->authority = apr_pstrmemdup(p, host, len);
    options->target = host[len] == '/' ? host + len : "/";
    if (len == 0 || strlen(url) > 2000 || strcspn(url, " \t\r\n\"\\#@") != strlen(url)) {
        return usage("\"%s\" is no URL that can be asked for", url);
    }
    const bool literal = host[0] == '[';
    const char *end = literal ? strchr(options->authority, ']') : NULL;
    const char *colon = strrchr(end ? end : options->authority, ':');
    const char *name = options->authority + literal;
    const size_t name_len = end     ? (size_t)(end - name)
                            : colon ? (size_t)(colon - name)
                                    : strlen(name);
    const int failed =
        getaddrinfo(apr_pstrmemdup(p, name, name_len), colon ? colon + 1 : "80", &hints, &found);

    if (failed != 0) {
        complain("%s: %s", options->authority, gai_strerror(failed));
        return EXIT_SYSTEM;
    }
    memcpy(&options->address, found->ai_addr, found->ai_addrlen);
    options->address_len = found->ai_addrlen;
    freeaddrinfo(found);
    return EXIT_DONE;
}

/* Fills in what was not said, and refuses what does not go together. */
static int settle(bench_options_t *options, const raw_t *raw)
{
    const int who = (raw->user != NULL) + (raw->users != NULL) + options->flood;

    if (who != 1) {
        return usage("one of --user, --users and --flood%s", "");
    }
    if (raw->password_file && !raw->user) {
        return usage("--password-file goes with --user%s", "");
    }
    if (options->requests > 0 && options->duration_ns > 0) {
        return usage("one of --requests and --time%s", "");
    }
    if (options->requests == 0 && options->duration_ns == 0) {
        options->requests = 1000;
    }
    if (options->clients == 0) {
        options->clients = options->share || options->connections == 0 ? 1 : options->connections;
    }
    if (options->connections < options->clients) {
        options->connections = options->clients;
    }
    if (!options->share) {
        options->clients = options->connections; /* each has a login of its own */
    }
    if (options->threads > options->clients) {
        return usage("more threads than clients%s", "");
    }
    if (!raw->has_seed &&
        getrandom(&options->seed, sizeof(options->seed), 0) != (ssize_t)sizeof(options->seed)) {
        complain("no random bytes");
        return EXIT_SYSTEM;
    }
    return EXIT_DONE;
}

int bench_options_read(bench_options_t *options, int argc, char **argv, bool *answered,
                       apr_pool_t *p)
{
    raw_t raw = {.user = NULL};
    int rv;

    *options = (bench_options_t){
        .threads = 1, .window = 128, .patience_ns = (uint64_t)(30 * NS), .seed = 0};
    rv = read_options(options, &raw, argc, argv, answered, p);
    if (rv != EXIT_DONE || *answered) {
        return rv;
    }
    if (argc - optind != 1) {
        return usage("one URL%s", "");
    }
    rv = settle(options, &raw);
    if (rv == EXIT_DONE) {
        rv = read_url(options, argv[optind], p);
    }
    if (rv == EXIT_DONE && raw.users) {
        rv = read_users(options, raw.users, p);
    } else if (rv == EXIT_DONE && raw.user) {
        rv = read_password(options, &raw, p);
    }
    return rv;
}
