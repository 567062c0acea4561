"""As much HTTP/2 as a WebSocket over it needs (RFC 9113, RFC 8441), over any http1.Connection.

Field sections are sent as literals; of those that come only the status is read.
SPDX-License-Identifier: Apache-2.0
"""
import struct

DATA, HEADERS, RST, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
HEADER_TABLE_SIZE, ENABLE_CONNECT_PROTOCOL = 1, 8
STATIC_STATUS = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
DIGITS = {"00000": "0", "00001": "1", "00010": "2", "011001": "3", "011010": "4", "011011": "5",
          "011100": "6", "011101": "7", "011110": "8", "011111": "9"}  # of HPACK's Huffman code


def literal(text):
    data = text.encode()
    n = len(data)
    if n < 127:
        return bytes([n]) + data
    head, n = [127], n - 127
    while n >= 128:
        head.append(n & 127 | 128)
        n >>= 7
    return bytes(head + [n]) + data


def digits(data, huffman):
    if not huffman:
        return data.decode()
    bits, text, code = "".join(f"{byte:08b}" for byte in data), "", ""
    for bit in bits:
        code += bit
        if code in DIGITS:
            text, code = text + DIGITS[code], ""
    return text[:3]


def status_of(block):
    """:status, which comes first in a field section."""
    while block[0] & 0xE0 == 0x20:  # a change of the table's size, below 31
        block = block[1:]
    if block[0] & 0x80:
        return STATIC_STATUS[block[0] & 0x7F]
    length = block[1] & 0x7F
    return int(digits(block[2:2 + length], block[1] & 0x80))


class Connection:
    """A connection with its preface behind it; one reader."""

    def __init__(self, below, authority="localhost", scheme="https"):
        self.below, self.authority, self.scheme = below, authority, scheme
        self.settings, self.streams, self.next_id = {}, {}, 1
        self.window, self.gone = 65535, False
        below.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.frame(SETTINGS, 0, 0, struct.pack(">HI", HEADER_TABLE_SIZE, 0))
        while not self.settings:
            self.step()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.below.close()

    def frame(self, kind, flags, stream, payload=b""):
        self.below.send(struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) +
                        struct.pack(">I", stream) + payload)

    def step(self):
        """Reads one frame and does what it says."""
        head = self.below.read(9)
        size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        number = struct.unpack(">I", head[5:])[0] & 0x7FFFFFFF
        payload = self.below.read(size)
        stream = self.streams.get(number)
        if kind == SETTINGS and not flags & ACK:
            for at in range(0, size, 6):
                name, value = struct.unpack(">HI", payload[at:at + 6])
                self.settings[name] = value
            self.settings.setdefault(0, 0)
            self.frame(SETTINGS, ACK, 0)
        elif kind == PING and not flags & ACK:
            self.frame(PING, ACK, 0, payload)
        elif kind == WINDOW_UPDATE:
            more = struct.unpack(">I", payload)[0]
            if number == 0:
                self.window += more
            elif stream:
                stream.window += more
        elif kind == GOAWAY:
            self.gone = True
        elif stream:
            stream.take(kind, flags, payload)
            if kind == DATA and size:
                self.frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", size))
                if not stream.ended:
                    self.frame(WINDOW_UPDATE, 0, number, struct.pack(">I", size))

    def request(self, fields, end=True):
        """Sends a request; the Stream, without waiting for the answer."""
        stream = Stream(self, self.next_id)
        self.streams[self.next_id] = stream
        self.next_id += 2
        block = b"".join(b"\0" + literal(k) + literal(v) for k, v in fields)
        self.frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream.number, block)
        return stream

    def get(self, path, more=()):
        """A whole request; (status, body)."""
        stream = self.request([(":method", "GET"), (":scheme", self.scheme), (":path", path),
                               (":authority", self.authority), *more])
        return stream.status(), stream.read_all()

    def websocket(self, path, more=(), version="13"):
        """An extended CONNECT; the Stream, whose status 200 means that it is open."""
        assert self.settings.get(ENABLE_CONNECT_PROTOCOL) == 1, self.settings
        return self.request(
            [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", self.scheme),
             (":path", path), (":authority", self.authority),
             ("sec-websocket-version", version), *more], end=False)


class Stream:
    """One stream; has what ws.Socket needs of a connection."""

    def __init__(self, connection, number):
        self.connection, self.number = connection, number
        self.buffer, self.answered, self.ended = b"", None, False
        self.finished = False  # our half
        self.window = connection.settings.get(4, 65535)

    def take(self, kind, flags, payload):
        if kind == HEADERS:
            if self.answered is None:
                self.answered = status_of(payload)
        elif kind == DATA:
            self.buffer += payload
        elif kind == RST:
            self.ended = True
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            self.ended = True

    def status(self):
        while self.answered is None and not self.ended:
            self.connection.step()
        return self.answered

    def send(self, data, end=False):
        while data or end:
            while data and min(self.window, self.connection.window) <= 0:
                self.connection.step()
            n = min(len(data), 16384, self.window, self.connection.window)
            last = end and n == len(data)
            self.connection.frame(DATA, END_STREAM if last else 0, self.number, data[:n])
            self.window -= n
            self.connection.window -= n
            data, end = data[n:], end and not last
            self.finished = self.finished or last

    def read(self, n):
        while len(self.buffer) < n:
            if self.ended:
                raise ConnectionError(f"stream ended {n - len(self.buffer)} bytes early")
            self.connection.step()
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def read_all(self):
        while not self.ended:
            self.connection.step()
        data, self.buffer = self.buffer, b""
        return data

    def closed(self):
        """Whether the server ends the stream (waits for it)."""
        while not self.ended and not self.buffer:
            self.connection.step()
        return self.ended and not self.buffer

    def close(self):
        if self.ended and not self.finished:
            self.send(b"", end=True)
        elif not self.ended:
            self.connection.frame(RST, 0, self.number, struct.pack(">I", 8))
