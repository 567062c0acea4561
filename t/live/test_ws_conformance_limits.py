"""RFC 6455, case by case: messages up to 16 MB, in one frame and in many, and the limits.

Over ws, wss and HTTP/2.
SPDX-License-Identifier: Apache-2.0
"""
import os
import struct
import threading

import pytest

import ws
import ws_talk
from ws import BINARY, CONT, PING, TEXT
from ws_talk import binary, close, closing, pong, text

CONFIG = ws_talk.config("""
<Location "/echo">
    AuthWSService echo
    AuthWSMaxMessage 16M
    AuthWSSendBuffer 64K
</Location>
<Location "/small">
    AuthWSService echo
    AuthWSMaxMessage 1000
    AuthWSMaxFrame 400
</Location>
<Location "/default">
    AuthWSService echo
</Location>
""")
MODULES = ws_talk.MODULES

f = ws.frame
BYE, GONE, TOO_BIG = closing(), close(1000), close(1009)
K, M = 1024, 1024 * 1024


def prepare(server):
    ws_talk.tls.certificate(server)


@pytest.fixture(scope="module", params=ws_talk.TRANSPORTS)
def talk(request, server):
    opener = ws_talk.Opener(request.param, server)
    yield opener
    opener.close()


TEXT_16M = ("Käse 日本 😀 " * 700000).encode()[:16 * M].decode(errors="ignore").encode()
BINARY_16M = os.urandom(16 * M)


def of(kind, n):
    if kind is binary:
        return BINARY_16M[:n]
    return TEXT_16M[:n].decode(errors="ignore").encode()


def fragments(opcode, data, size):
    """The message in fragments of so many bytes."""
    out = []
    for at in range(0, len(data), size):
        out.append(f(opcode if at == 0 else CONT, data[at:at + size], fin=at + size >= len(data),
                     mask=b"\x11\x22\x33\x44"))
    return b"".join(out)


# --- large ones ---

@pytest.mark.parametrize("kind", [text, binary])
@pytest.mark.parametrize("size", [64 * K, 256 * K, M, 4 * M, 8 * M, 16 * M])
def test_a_message_in_one_frame(talk, size, kind):
    data = of(kind, size)
    talk.judge(f(TEXT if kind is text else BINARY, data) + BYE, [kind(data), GONE])


@pytest.mark.parametrize("kind", [text, binary])
@pytest.mark.parametrize("size, part", [
    (M, 64), (4 * M, 256), (4 * M, K), (4 * M, 4 * K), (4 * M, 16 * K), (4 * M, 64 * K),
    (4 * M, 256 * K), (4 * M, M), (16 * M, 4 * M), (16 * M, 64 * K)])
def test_a_message_in_fragments(talk, size, part, kind):
    data = of(kind, size)
    talk.judge(fragments(TEXT if kind is text else BINARY, data, part) + BYE, [kind(data), GONE])


@pytest.mark.parametrize("chop", [64, 128, 256, 512, 997, 1024, 2048])
def test_a_megabyte_in_small_writes(talk, chop):
    size = M if chop > 256 else 256 * K
    data = of(text, size)
    talk.judge(f(TEXT, data) + BYE, [text(data), GONE], chop)


@pytest.mark.parametrize("kind", [text, binary])
@pytest.mark.parametrize("size", [0, 16, 64, 256, 1024, 4096, 16384, 65536])
def test_many_messages_one_after_the_other(talk, size, kind):
    data = of(kind, size)
    frame = f(TEXT if kind is text else BINARY, data)
    with talk() as t:
        for _ in range(200 if size < 16384 else 50):
            t.send(frame)
            t.expect(kind(data))
        t.send(BYE)
        t.expect(GONE)


def test_more_is_sent_than_may_wait_while_all_is_read(talk):
    """8 MB back and forth through a send buffer of 64K, each message larger than the last."""
    sizes = [n * 4001 for n in range(1, 64)]
    data = b"".join(f(BINARY, BINARY_16M[:n]) for n in sizes) + BYE
    with talk() as t:
        write = t.send
        if talk.transport == "wss":  # sealed by one thread, before the other reads
            write, data = t.connection.socket.sendall, t.connection.seal(data)
        if talk.transport == "h2":  # reads while it waits for the window
            write(data)
        else:
            writer = threading.Thread(target=write, args=(data,), daemon=True)
            writer.start()
        t.expect(*[binary(BINARY_16M[:n]) for n in sizes], GONE)


# --- limits ---

def test_a_message_of_the_limit_passes_and_a_byte_more_does_not(talk):
    data = of(binary, 16 * M)
    talk.judge(f(TEXT, "one") + f(BINARY, b"x", length=16 * M + 70000), [text("one"), TOO_BIG])
    half = data[:8 * M]
    talk.judge(f(BINARY, half, fin=False) + f(CONT, data[8 * M:]) + BYE, [binary(data), GONE])
    talk.judge(f(BINARY, half, fin=False) + f(CONT, b"", length=8 * M + 1), [TOO_BIG])


def test_small_limits_hold_to_the_byte(talk):
    a, b, c = (bytes([65 + i]) * 400 for i in range(3))
    talk.judge(f(BINARY, a) + f(BINARY, a, fin=False) + f(CONT, b, fin=False) + f(CONT, c[:200]) +
               BYE, [binary(a), binary(a + b + c[:200]), GONE], path="/small")
    for chop in (0, 1):
        talk.judge(f(BINARY, a) + f(BINARY, a + b"x"), [binary(a), TOO_BIG], chop, path="/small")
        talk.judge(f(BINARY, a, fin=False) + f(PING, b"p") + f(CONT, b, fin=False) +
                   f(CONT, c[:201]), [pong(b"p"), TOO_BIG], chop, path="/small")
    talk.judge(f(BINARY, a, fin=False) + f(CONT, b, fin=False) + f(CONT, c[:200], fin=False) +
               f(CONT, b"", fin=False) + f(CONT, b"x"), [TOO_BIG], path="/small")


def test_a_limit_is_known_from_the_head_alone(talk):
    for length in (401, 1001, 65535, 65536, 1 << 32, (1 << 63) - 1):
        talk.judge(f(TEXT, "one") + f(BINARY, b"", length=length), [text("one"), TOO_BIG],
                   path="/small")
        talk.judge(f(BINARY, b"x", fin=False) + f(CONT, b"", length=length), [TOO_BIG],
                   path="/small")


def test_control_frames_do_not_count(talk):
    data = b"x" * 125
    talk.judge(f(BINARY, data, fin=False) + f(PING, data) * 20 + f(CONT, data) + BYE,
               [pong(data)] * 20 + [binary(data * 2), GONE], path="/small")


def test_the_default_is_a_megabyte(talk):
    data = of(text, M)
    talk.judge(f(TEXT, data) + f(TEXT, "x" * (M - len(data))) + BYE,
               [text(data), text("x" * (M - len(data))), GONE], path="/default")
    talk.judge(f(BINARY, b"", length=M + 1), [TOO_BIG], path="/default")
    talk.judge(f(BINARY, BINARY_16M[:M], fin=False) + f(CONT, b"x"), [TOO_BIG], path="/default")


def test_the_top_bit_is_a_mistake_and_not_a_length(talk):
    for length in (1 << 63, (1 << 64) - 1):
        talk.judge(b"\x82\xff" + struct.pack(">Q", length) + b"mask", [close(1002)], path="/small")
