"""A WebSocket client for tests, over any http1.Connection: the test decides every byte.

Written from RFC 6455 and RFC 7692 and independent of the library, so that it can judge it.
SPDX-License-Identifier: Apache-2.0
"""
import base64
import hashlib
import os
import struct
import zlib

import digest

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_of(key):
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


def headers(key=None, version="13", upgrade="websocket", connection="Upgrade", more=()):
    """The fields of a handshake; None leaves one out."""
    fields = [("Upgrade", upgrade), ("Connection", connection),
              ("Sec-WebSocket-Key", key or base64.b64encode(os.urandom(16)).decode()),
              ("Sec-WebSocket-Version", version)]
    return [(k, v) for k, v in fields if v is not None] + list(more)


def frame(opcode, data=b"", fin=True, rsv=0, mask=None, length=None):
    """A client's frame. `mask`: four bytes, or False for none; `length`: what the head says."""
    data = data.encode() if isinstance(data, str) else data
    n = len(data) if length is None else length
    masked = 0 if mask is False else 0x80
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if n < 126:
        head += bytes([masked | n])
    elif n < 65536:
        head += struct.pack(">BH", masked | 126, n)
    else:
        head += struct.pack(">BQ", masked | 127, n)
    if mask is False:
        return head + data
    key = mask or os.urandom(4)
    stream = int.from_bytes(data, "big") ^ \
        int.from_bytes((key * (len(data) // 4 + 1))[:len(data)], "big")
    return head + key + stream.to_bytes(len(data), "big")


def close_frame(code=1000, reason=""):
    return frame(CLOSE, b"" if code is None else struct.pack(">H", code) + reason.encode())


class Refused(Exception):
    """The handshake was answered with something else than 101."""

    def __init__(self, answer):
        super().__init__(repr(answer))
        self.answer = answer


class Socket:
    """An open WebSocket over a connection whose handshake is done."""

    def __init__(self, connection, answer=None):
        self.connection, self.answer = connection, answer
        self.inflater = None
        extensions = (answer.get("Sec-WebSocket-Extensions") if answer else None) or ""
        self.deflate = extensions.startswith("permessage-deflate")
        self.takeover = "server_no_context_takeover" not in extensions

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def send_raw(self, data):
        self.connection.send(data)

    def send(self, data, opcode=None, **options):
        if opcode is None:
            opcode = TEXT if isinstance(data, str) else BINARY
        self.send_raw(frame(opcode, data, **options))

    def send_deflated(self, data, opcode=TEXT):
        data = data.encode() if isinstance(data, str) else data
        packer = zlib.compressobj(wbits=-15)
        packed = packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
        self.send_raw(frame(opcode, packed[:-4], rsv=4))

    def read_frame(self):
        """(opcode, fin, rsv, payload); the server must not mask."""
        first, second = self.connection.read(2)
        assert not second & 0x80, "masked by the server"
        n = second & 0x7F
        if n == 126:
            n = struct.unpack(">H", self.connection.read(2))[0]
            assert n > 125, "length not minimal"
        elif n == 127:
            n = struct.unpack(">Q", self.connection.read(8))[0]
            assert n > 65535, "length not minimal"
        return first & 0x0F, bool(first & 0x80), first >> 4 & 7, self.connection.read(n)

    def _inflate(self, data):
        if self.inflater is None or not self.takeover:
            self.inflater = zlib.decompressobj(wbits=-15)
        return self.inflater.decompress(data + b"\0\0\xff\xff")

    def receive(self):
        """The next message, text as str, pings answered; or (code, reason) when it closes."""
        whole, kind, packed = b"", None, False
        while True:
            opcode, fin, rsv, data = self.read_frame()
            if opcode == CLOSE:
                return (struct.unpack(">H", data[:2])[0], data[2:].decode()) if data else (1005, "")
            if opcode == PING:
                self.send_raw(frame(PONG, data))
                continue
            if opcode == PONG:
                continue
            if opcode != CONT:
                kind, packed = opcode, bool(rsv & 4)
            whole += data
            if fin:
                whole = self._inflate(whole) if packed else whole
                return whole.decode() if kind == TEXT else whole

    def echo(self, data):
        self.send(data)
        return self.receive()

    def close(self, code=1000, reason=""):
        """Closes as a client does: waits for the server's answer, which is returned, and its FIN."""
        self.send_raw(close_frame(code, reason))
        while True:
            answer = self.receive()
            if isinstance(answer, tuple):
                break
        assert self.connection.closed(), "the server closes first"
        self.connection.close()
        return answer


def handshake(connection, path, user=None, key=None, more=(), version="13", method="GET",
              **options):
    """Sends a handshake and returns the answer; `user` is (name, password) or a digest.Client,
    which is asked once and answers."""
    key = key or base64.b64encode(os.urandom(16)).decode()
    fields = headers(key, version, more=more, **options)
    if user is not None:
        client = digest.Client(*user) if isinstance(user, tuple) else user
        answer = client.get(connection, path, method=method, headers=fields)
    else:
        answer = connection.request(method, path, fields)
    if answer.status == 101:
        assert answer.get("Sec-WebSocket-Accept") == accept_of(key), answer
        assert answer.get("Upgrade").lower() == "websocket", answer
        assert answer.get("Connection").lower() == "upgrade", answer
    return answer


def open_socket(connection, path, user=None, **options):
    """A Socket; raises Refused."""
    answer = handshake(connection, path, user, **options)
    if answer.status != 101:
        raise Refused(answer)
    return Socket(connection, answer)
