/* Getting a password from a terminal without echo, or from standard input.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "password.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

/* The signals that end or stop a program at a prompt. SIGTTIN and SIGTTOU are left alone: they
 * come before the terminal has been touched. */
static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};

#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

static volatile sig_atomic_t caught;

static void note(int signo)
{
    caught = signo;
}

void password_wipe(password_t *password)
{
    aw_wipe(password, sizeof(*password));
}

aw_span_t password_span(const password_t *password)
{
    return (aw_span_t){password->text, password->len};
}

/* Reads a line byte by byte: nothing is left in a buffer of ours, nor taken of what follows.
 * `mask` (may be NULL) are the signals blocked while waiting; one that is caught ends it. */
static password_e read_line(int fd, password_t *password, const sigset_t *mask)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    bool any = false, nul = false;
    size_t len = 0;
    char c = 0;

    for (;;) {
        if (mask && ppoll(&readable, 1, NULL, mask) < 0) {
            if (errno == EINTR && !caught) {
                continue;
            }
            return PASSWORD_ERROR;
        }
        const ssize_t n = read(fd, &c, 1);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return PASSWORD_ERROR;
        }
        any = any || n > 0;
        if (n == 0 || c == '\n') {
            break;
        }
        nul = nul || c == '\0';
        if (len < PASSWORD_MAX) {
            password->text[len] = c;
        }
        len++;
    }
    if (len > 0 && len <= PASSWORD_MAX && password->text[len - 1] == '\r') {
        len--;
    }
    password->len = len < PASSWORD_MAX ? len : PASSWORD_MAX;
    if (!any) {
        return PASSWORD_NONE;
    }
    if (len > PASSWORD_MAX) {
        return PASSWORD_TOO_LONG;
    }
    return nul ? PASSWORD_NUL : len == 0 ? PASSWORD_EMPTY : PASSWORD_OK;
}

/* Writes a prompt; where the terminal is gone the read that follows says so. */
static void say(int fd, const char *text)
{
    aw_span_t rest = aw_span(text);

    while (rest.len > 0) {
        const ssize_t n = write(fd, rest.ptr, rest.len);

        if (n < 0) {
            return;
        }
        rest.ptr += n;
        rest.len -= (size_t)n;
    }
}

/* Asks once. Signals are blocked but for the wait itself, so that none slips in between a look
 * at `caught` and the wait; the terminal is restored before one takes effect. *signo: which. */
static password_e ask_once(int tty, const char *prompt, password_t *password, int *signo)
{
    struct sigaction action = {.sa_handler = note}, before[SIGNALS];
    struct termios shown, hidden;
    sigset_t block, mask;
    password_e rv = PASSWORD_ERROR;

    sigemptyset(&block);
    for (size_t i = 0; i < SIGNALS; i++) {
        sigaddset(&block, signals[i]);
    }
    sigprocmask(SIG_BLOCK, &block, &mask);
    caught = 0;
    for (size_t i = 0; i < SIGNALS; i++) {
        sigaction(signals[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN) {
            sigaction(signals[i], &action, NULL);
        }
    }
    if (tcgetattr(tty, &shown) == 0) {
        hidden = shown;
        hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
        if (tcsetattr(tty, TCSAFLUSH, &hidden) == 0) {
            say(tty, prompt);
            rv = read_line(tty, password, &mask);
            say(tty, "\n");
            tcsetattr(tty, TCSAFLUSH, &shown);
        }
    }
    for (size_t i = 0; i < SIGNALS; i++) {
        sigaction(signals[i], &before[i], NULL);
    }
    *signo = caught;
    sigprocmask(SIG_SETMASK, &mask, NULL);
    return rv;
}

/* Asks, and again after the program was stopped and continued. */
static password_e ask(int tty, const char *prompt, password_t *password)
{
    for (;;) {
        int signo = 0;
        const password_e rv = ask_once(tty, prompt, password, &signo);

        if (signo == 0) {
            return rv;
        }
        password_wipe(password);
        raise(signo);
        if (signo != SIGTSTP) {
            errno = EINTR;
            return PASSWORD_ERROR;
        }
    }
}

password_e password_from_terminal(password_t *password, const char *prompt, const char *again)
{
    const int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    password_t second = {.len = 0};

    if (tty < 0) {
        return PASSWORD_NO_TERMINAL;
    }
    password_e rv = ask(tty, prompt, password);

    if (rv == PASSWORD_OK && again) {
        rv = ask(tty, again, &second);
        if (rv != PASSWORD_ERROR && rv != PASSWORD_NONE) {
            const bool same = second.len == password->len &&
                              aw_equal_secret(second.text, password->text, second.len);

            rv = rv == PASSWORD_OK && same ? PASSWORD_OK : PASSWORD_MISMATCH;
        }
    }
    password_wipe(&second);
    close(tty);
    return rv;
}

password_e password_from_stdin(password_t *password)
{
    /* Who types at -i should not see the password either. */
    if (isatty(STDIN_FILENO)) {
        return password_from_terminal(password, "Password: ", NULL);
    }
    return read_line(STDIN_FILENO, password, NULL);
}
