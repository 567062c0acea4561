/* WebSocket frames (RFC 6455 section 5.2): their heads, and the codes of a close.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure functions; any thread.
 */
#ifndef AUTHWS_WS_FRAME_H
#define AUTHWS_WS_FRAME_H

#include <stdint.h>

#include "base/bytes.h"

typedef enum aw_ws_opcode_e {
    AW_WS_CONTINUATION = 0x0,
    AW_WS_TEXT = 0x1,
    AW_WS_BINARY = 0x2,
    AW_WS_CLOSE = 0x8,
    AW_WS_PING = 0x9,
    AW_WS_PONG = 0xA
} aw_ws_opcode_e;

/* Codes of section 7.4.1 that are used here. 1005 and 1006 never stand in a frame. */
enum {
    AW_WS_CODE_NORMAL = 1000,
    AW_WS_CODE_GOING_AWAY = 1001,
    AW_WS_CODE_PROTOCOL = 1002,
    AW_WS_CODE_UNSUPPORTED = 1003,
    AW_WS_CODE_NONE = 1005,     /* the close frame had no code */
    AW_WS_CODE_ABNORMAL = 1006, /* there was no close frame */
    AW_WS_CODE_INVALID = 1007,  /* text that is not UTF-8, data that does not inflate */
    AW_WS_CODE_POLICY = 1008,
    AW_WS_CODE_TOO_BIG = 1009,
    AW_WS_CODE_INTERNAL = 1011,
    AW_WS_CODE_TRY_LATER = 1013
};

/* Whether a close frame may carry `code`: 1000-1003, 1007-1014, 3000-4999 (section 7.4). */
bool aw_ws_code_may_be_sent(unsigned code);

/* Bytes of the longest head. */
#define AW_WS_HEAD_MAX 14

/* Longest payload of a control frame, and longest reason of a close. */
#define AW_WS_CONTROL_MAX 125
#define AW_WS_REASON_MAX  123

typedef struct aw_ws_head_t {
    bool fin;
    unsigned char rsv; /* RSV1 is 4, RSV2 2, RSV3 1 */
    unsigned char opcode;
    bool masked;
    unsigned char key[4]; /* when masked */
    uint64_t len;         /* of the payload */
} aw_ws_head_t;

#define AW_WS_AGAIN  0    /* not all of the head is there */
#define AW_WS_EPROTO (-1) /* length not minimal, or its top bit set */

/* Reads the head at the start of `len` bytes. Returns how many bytes it takes (2 to 14),
 * AW_WS_AGAIN, or AW_WS_EPROTO as soon as that is certain. Opcode, bits and masking are not
 * judged here: only a connection knows what is right. */
int aw_ws_head_parse(aw_ws_head_t *head, const unsigned char *in, size_t len);

/* Writes a head, at most AW_WS_HEAD_MAX bytes; returns how many. */
size_t aw_ws_head_build(unsigned char *out, const aw_ws_head_t *head);

#endif
