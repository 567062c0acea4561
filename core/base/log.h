/* The sink through which the library reports to whoever runs it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AUTHWS_BASE_LOG_H
#define AUTHWS_BASE_LOG_H

/* The levels that the library uses; a sink maps them to its own. */
typedef enum aw_log_level_e {
    AW_LOG_ERROR,
    AW_LOG_WARNING,
    AW_LOG_NOTICE,
    AW_LOG_INFO,
    AW_LOG_DEBUG
} aw_log_level_e;

/* Receives one message, `text`: NUL-terminated, without a final newline, without secrets, client
 * text already escaped; borrowed for the call. `number` is the message's own, unique in the whole
 * project and never used again (see t/check/messages). May be called from any thread. */
typedef void (*aw_log_fn)(void *baton, aw_log_level_e level, unsigned number, const char *text);

/* A sink: the function and its baton. `fn` NULL discards everything. */
typedef struct aw_log_t {
    aw_log_fn fn;
    void *baton;
} aw_log_t;

/* Formats (printf) at most 1,000 characters and hands them to the sink; `log` may be NULL. */
void aw_log(const aw_log_t *log, aw_log_level_e level, unsigned number, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
