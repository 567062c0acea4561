/* WebSocket frames: heads read and written, and which codes a close may carry.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ws/frame.h"

/* Bits of the first byte, and of the second. */
enum { FIN = 0x80, OPCODE = 0x0F, MASK = 0x80, LENGTH = 0x7F };

/* What stands for a length of two and of eight bytes. */
enum { LENGTH_16 = 126, LENGTH_64 = 127 };

bool aw_ws_code_may_be_sent(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static uint64_t number(const unsigned char *in, size_t bytes)
{
    uint64_t out = 0;

    for (size_t i = 0; i < bytes; i++) {
        out = out << 8 | in[i];
    }
    return out;
}

/* The length behind the second byte: its number of bytes, AW_WS_AGAIN or AW_WS_EPROTO. A length of
 * eight bytes is judged as they come: a peer that means nothing good need not send all. */
static int long_length(uint64_t *length, unsigned char kind, const unsigned char *in, size_t len)
{
    if (kind == LENGTH_16) {
        if (len < 2) {
            return AW_WS_AGAIN;
        }
        *length = number(in, 2);
        return *length < LENGTH_16 ? AW_WS_EPROTO : 2;
    }
    if (len > 0 && (in[0] & 0x80) != 0) {
        return AW_WS_EPROTO;
    }
    if (len >= 6 && number(in, 6) == 0) {
        return AW_WS_EPROTO;
    }
    if (len < 8) {
        return AW_WS_AGAIN;
    }
    *length = number(in, 8);
    return 8;
}

int aw_ws_head_parse(aw_ws_head_t *head, const unsigned char *in, size_t len)
{
    size_t at = 2;

    if (len < 2) {
        return AW_WS_AGAIN;
    }
    head->fin = (in[0] & FIN) != 0;
    head->rsv = in[0] >> 4 & 7;
    head->opcode = in[0] & OPCODE;
    head->masked = (in[1] & MASK) != 0;
    head->len = in[1] & LENGTH;
    if (head->len >= LENGTH_16) {
        const int more = long_length(&head->len, in[1] & LENGTH, in + 2, len - 2);
        if (more <= 0) {
            return more;
        }
        at += (size_t)more;
    }
    if (head->masked) {
        if (len - at < sizeof head->key) {
            return AW_WS_AGAIN;
        }
        memcpy(head->key, in + at, sizeof head->key);
        at += sizeof head->key;
    }
    return (int)at;
}

size_t aw_ws_head_build(unsigned char *out, const aw_ws_head_t *head)
{
    const size_t bytes = head->len < LENGTH_16 ? 0 : head->len <= UINT16_MAX ? 2 : 8;
    unsigned char *at = out;

    *at++ = (unsigned char)((head->fin ? FIN : 0) | (head->rsv & 7) << 4 | (head->opcode & OPCODE));
    *at++ = (unsigned char)((head->masked ? MASK : 0) | (bytes == 0   ? head->len
                                                         : bytes == 2 ? LENGTH_16
                                                                      : LENGTH_64));
    for (size_t i = bytes; i > 0; i--) {
        *at++ = (unsigned char)(head->len >> 8 * (i - 1));
    }
    if (head->masked) {
        memcpy(at, head->key, sizeof head->key);
        at += sizeof head->key;
    }
    return (size_t)(at - out);
}
