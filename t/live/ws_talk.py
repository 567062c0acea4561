"""Conversations with a WebSocket server: what a test sends byte by byte, what must come back.

A conversation is judged as a whole: the events in their order, how they are framed, the close, the
end of the connection by the server, and nothing behind it. Over plain, TLS and HTTP/2 alike.
SPDX-License-Identifier: Apache-2.0
"""
import socket
import struct
import zlib

import h2
import tls
import ws
from ws import BINARY, CLOSE, CONT, PING, PONG, TEXT

TRANSPORTS = ["ws", "wss", "h2"]
MODULES = [*tls.MODULES, "http2"]


def config(inside):
    """A configuration with these lines for all three transports."""
    return ("LogLevel info authws:info http2:warn\nH2WebSockets on\nH2MaxSessionStreams 200\n"
            + inside + tls.host("Protocols h2 http/1.1\n"))


def closing(code=1000, reason=b""):
    """A client's close frame; None: without a code."""
    return ws.frame(CLOSE, b"" if code is None else struct.pack(">H", code) + reason)


def text(data):
    return ("text", data.encode() if isinstance(data, str) else data)


def binary(data):
    return ("binary", data)


def pong(data):
    return ("pong", data)


def close(code=1000, reason=b""):
    """The event of a close frame; None: it has no code."""
    return ("close", code, reason)


class Compression:
    """What a client agreed to: its own deflater, and a strict inflater for what comes."""

    def __init__(self, out_bits=15, in_bits=15, out_takeover=True, in_takeover=True, level=6):
        self.out_bits, self.in_bits, self.level = out_bits, in_bits, level
        self.out_takeover, self.in_takeover = out_takeover, in_takeover
        self.deflater = self.inflater = None

    def pack(self, data):
        if self.deflater is None or not self.out_takeover:
            self.deflater = zlib.compressobj(self.level, zlib.DEFLATED, -self.out_bits)
        packed = self.deflater.compress(data) + self.deflater.flush(zlib.Z_SYNC_FLUSH)
        assert packed.endswith(b"\0\0\xff\xff")
        return packed[:-4]

    def unpack(self, data):
        if self.inflater is None or not self.in_takeover:
            self.inflater = zlib.decompressobj(-self.in_bits)
        whole = self.inflater.decompress(data + b"\0\0\xff\xff")
        assert not self.inflater.unconsumed_tail and not self.inflater.unused_data
        return whole


class Line:
    """Reads from a connection into one buffer that large messages may fill."""

    def __init__(self, connection):
        self.connection = connection
        self.data, self.at = bytearray(connection.buffer), 0
        connection.buffer = b""

    def fill(self):
        """Takes what comes next; False at the end."""
        below = self.connection
        if isinstance(below, h2.Stream):
            while not below.buffer and not below.ended:
                below.connection.step()
        else:
            below._fill()
        came, below.buffer = below.buffer, b""
        if self.at > 1 << 20:
            del self.data[:self.at]
            self.at = 0
        self.data += came
        return bool(came)

    def read(self, n):
        while len(self.data) - self.at < n:
            if not self.fill():
                raise ConnectionError(f"the server ended it {n} bytes early")
        self.at += n
        return bytes(self.data[self.at - n:self.at])

    def ended(self):
        """Whether the end comes next; what comes instead."""
        while self.fill():
            pass
        return bytes(self.data[self.at:])


class Talk:
    """One open WebSocket, told every byte."""

    def __init__(self, connection, answer=None, compression=None):
        self.connection, self.answer, self.compression = connection, answer, compression
        self.line = Line(connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def send(self, data, chop=0):
        """Sends in pieces of `chop` bytes, in one for 0."""
        if not chop:
            self.connection.send(data)
        else:
            for at in range(0, len(data), chop):
                self.connection.send(data[at:at + chop])

    def frame(self):
        """(opcode, fin, rsv, payload), as strict as a client may be."""
        first, second = self.line.read(2)
        assert not second & 0x80, "masked by the server"
        n = second & 0x7F
        if n == 126:
            n = struct.unpack(">H", self.line.read(2))[0]
            assert n > 125, "length not minimal"
        elif n == 127:
            n = struct.unpack(">Q", self.line.read(8))[0]
            assert n > 65535, "length not minimal"
        opcode, fin, rsv = first & 15, bool(first & 0x80), first >> 4 & 7
        assert opcode in (CONT, TEXT, BINARY, CLOSE, PING, PONG), opcode
        assert not rsv & 3, "a reserved bit is set"
        if opcode >= 8:
            assert fin and not rsv and n < 126, "a control frame out of order"
        return opcode, fin, rsv, self.line.read(n)

    def event(self):
        """The next one: ("text" | "binary" | "pong" | "ping", bytes) or ("close", code, reason)."""
        kind, packed, pieces = None, False, []
        while True:
            opcode, fin, rsv, data = self.frame()
            if opcode == CLOSE:
                assert len(data) != 1, "half a close code"
                return ("close", struct.unpack(">H", data[:2])[0] if data else None, data[2:])
            if opcode in (PING, PONG):
                assert not pieces, "a control frame within a message is not awaited here"
                return ("ping" if opcode == PING else "pong", data)
            assert (opcode == CONT) == (kind is not None), "fragments out of order"
            if kind is None:
                kind, packed = opcode, bool(rsv)
                assert self.compression or not packed, "compressed without being asked"
            else:
                assert not rsv, "a continuation says that it is compressed"
            pieces.append(data)
            if fin:
                whole = b"".join(pieces)
                if packed:
                    whole = self.compression.unpack(whole)
                if kind == TEXT:
                    whole.decode()  # strictly
                return ("text" if kind == TEXT else "binary", whole)

    def expect(self, *events):
        """These come next. Behind a close the server ends the connection, without a byte more and
        without the client's doing. Only the code of a close of the server's own is given: its
        reason is free, but has to be UTF-8."""
        for wanted in events:
            got = self.event()
            if wanted[0] == "close" and got[0] == "close":
                got[2].decode()
                assert got[1] == wanted[1], f"{got} instead of {wanted}"
                rest = self.line.ended()
                assert rest == b"", f"behind the close: {rest[:80]!r}"
            else:
                assert got == wanted, f"{short(got)} instead of {short(wanted)}"


def short(event):
    return tuple(f"{len(v)} bytes: {v[:60]!r}" if isinstance(v, bytes) and len(v) > 60 else v
                 for v in event)


class Opener:
    """Opens talks over one transport; the HTTP/2 ones share a connection."""

    def __init__(self, transport, server):
        self.transport, self.server = transport, server
        self.session = None
        self.settings = None if transport == "ws" else tls.context(server)

    def below(self, alpn=()):
        if self.transport == "ws":
            made = self.server.connect()
        else:
            made = tls.Connection(self.server, alpn=alpn)
        made.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def __call__(self, path="/echo", extensions=None, compression=None, more=()):
        fields = list(more)
        if extensions:
            fields.append(("Sec-WebSocket-Extensions", extensions))
        if self.transport == "h2":
            if not self.session or self.session.gone or len(self.session.streams) > 150:
                self.close()
                self.session = h2.Connection(self.below(("h2",)))
            stream = self.session.websocket(path, [(k.lower(), v) for k, v in fields])
            assert stream.status() == 200, stream.answered
            return Talk(stream, None, compression)
        opened = ws.open_socket(self.below(), path, more=fields)
        return Talk(opened.connection, opened.answer, compression)

    def judge(self, sent, expected, chop=0, **options):
        """Sends all of it and judges what comes. When the server is to close because of it, it may
        do so before all has been sent."""
        with self(**options) as talk:
            try:
                talk.send(sent, chop)
            except OSError:
                assert expected[-1][0] == "close" and expected[-1][1] in (1002, 1007, 1009)
            talk.expect(*expected)

    def close(self):
        if self.session:
            self.session.below.close()
            self.session = None
