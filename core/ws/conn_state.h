/* What the files of a WebSocket connection share: its states, and the steps of reading.
 * SPDX-License-Identifier: Apache-2.0
 *
 *              head complete                        payload complete
 *     HEAD ----------------------> DATA, CONTROL ----------------------> HEAD
 *       \_____________ CLOSE or FAILED, from anywhere ________________> DONE
 */
#ifndef AUTHWS_WS_CONN_STATE_H
#define AUTHWS_WS_CONN_STATE_H

#include "ws/conn.h"

/* Of aw_ws_conn_t.state. The first is 0: reading's short way asks for several zeros at once. */
enum { STATE_HEAD, STATE_DATA, STATE_CONTROL, STATE_DONE };

/* Of aw_ws_conn_t.lent. */
enum { LENT_NOTHING, LENT_MESSAGE, LENT_CONTROL };

/* One call of aw_ws_conn_read. */
typedef struct aw_ws_reader_t {
    aw_ws_conn_t *conn;
    const aw_ws_settings_t *settings;
    aw_ws_pool_t *pool;
    unsigned char *at; /* what is left of the input */
    size_t len;
    aw_ws_found_t *found;
} aw_ws_reader_t;

/* A step gives an aw_ws_event_e, or this: take the next step. */
#define AW_WS_GO_ON (-1)

static inline bool aw_ws_is_control(unsigned char opcode)
{
    return (opcode & 8) != 0;
}

/* Ends reading with FAILED. */
AW_PRIVATE int aw_ws_read_fail(aw_ws_reader_t *reader, unsigned code, const char *why);

/* Takes up what there is of a data frame's payload (STATE_DATA). */
AW_PRIVATE int aw_ws_read_data(aw_ws_reader_t *reader);

/* Takes back what the last event lent out. */
AW_PRIVATE void aw_ws_conn_settle(aw_ws_conn_t *conn, aw_ws_pool_t *pool);

#endif
