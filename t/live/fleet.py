"""WebSocket clients for tests of processes and connections: one that is told every byte, and many
that send and check all the time.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import os
import selectors
import socket
import struct
import threading
import time

CLOSE, PING, PONG = 8, 9, 10


def handshake(path="/ws", headers=()):
    """The bytes of a handshake."""
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket",
             "Connection: Upgrade", "Sec-WebSocket-Version: 13",
             "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode(), *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def frame(payload, opcode=1, fin=True):
    """A client's frame, masked."""
    if isinstance(payload, str):
        payload = payload.encode()
    n = len(payload)
    if n < 126:
        head = bytes([0x80 | n])
    elif n < 65536:
        head = bytes([0x80 | 126]) + struct.pack(">H", n)
    else:
        head = bytes([0x80 | 127]) + struct.pack(">Q", n)
    mask = os.urandom(4)
    stream = int.from_bytes(payload, "big") ^ \
        int.from_bytes((mask * (n // 4 + 1))[:n], "big")
    return bytes([(0x80 if fin else 0) | opcode]) + head + mask + stream.to_bytes(n, "big")


def parse(data):
    """A server's first frame: (opcode, payload, bytes used), or None while it is not all there."""
    if len(data) < 2:
        return None
    n, at = data[1] & 127, 2
    if n >= 126:
        size = 2 if n == 126 else 8
        if len(data) < 2 + size:
            return None
        n, at = int.from_bytes(data[2:2 + size], "big"), 2 + size
    if len(data) < at + n:
        return None
    return data[0] & 15, bytes(data[at:at + n]), at + n


def code(payload):
    """The code of a close frame."""
    return struct.unpack(">H", payload[:2])[0] if payload else 1005


class Peer:
    """A client on an http1.Connection or tls.Connection, after its handshake; `behind` is sent in
    one piece with it."""

    def __init__(self, connection, path="/ws", headers=(), behind=b""):
        self.connection = connection
        connection.send(handshake(path, headers) + behind)
        self.answer = connection.response()
        assert self.answer.status == 101, self.answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def send(self, payload, opcode=1):
        self.connection.send(frame(payload, opcode))

    def receive(self):
        while True:
            found = parse(self.connection.buffer)
            if found:
                self.connection.buffer = self.connection.buffer[found[2]:]
                return found[0], found[1]
            if not self.connection._fill():
                raise ConnectionError("closed")

    def echo(self, text):
        """Sends a text and gets it back."""
        self.send(text)
        assert self.receive() == (1, text.encode())

    def closed_with(self):
        """Waits for the server's close frame, answers it, and waits for the end: its code."""
        opcode, payload = self.receive()
        assert opcode == CLOSE, (opcode, payload)
        self.send(payload[:2], CLOSE)
        assert self.connection.closed()
        self.connection.close()
        return code(payload)

    def close(self):
        self.send(struct.pack(">H", 1000), CLOSE)
        assert self.receive() == (CLOSE, struct.pack(">H", 1000))
        assert self.connection.closed()
        self.connection.close()


class _Member:
    def __init__(self, number, port):
        self.number, self.sent, self.got = number, 0, 0
        self.rest = b""  # of a frame that has been sent in part
        self.buffer = bytearray()
        self.ended = None
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self.socket.sendall(handshake())
        while b"\r\n\r\n" not in self.buffer:
            data = self.socket.recv(4096)
            assert data, "closed in the handshake"
            self.buffer += data
        assert self.buffer.startswith(b"HTTP/1.1 101"), bytes(self.buffer)
        del self.buffer[:self.buffer.index(b"\r\n\r\n") + 4]
        self.socket.setblocking(False)

    def text(self, k):
        return f"{self.number}:{k}:".encode() + b"x" * ((self.number * 7 + k * 13) % 300)

    def step(self):
        """Sends the second half of a message, or the first of the next."""
        if self.rest:
            data, self.rest = self.rest, b""
        else:
            whole = frame(self.text(self.sent))
            self.sent += 1
            cut = 1 + (self.sent * 31 + self.number) % len(whole)
            data, self.rest = whole[:cut], whole[cut:]
        self.socket.send(data)

    def take(self, data):
        """What came: each message must be the next one that is due. None, or what is wrong."""
        self.buffer += data
        while True:
            found = parse(self.buffer)
            if not found:
                return None
            opcode, payload, used = found
            del self.buffer[:used]
            if opcode == CLOSE:
                self.ended = f"closed with {code(payload)}"
                return self.ended
            if opcode == 1:
                if payload != self.text(self.got):
                    return f"message {self.got} is not what was sent: {payload[:40]!r}"
                self.got += 1


class Fleet:
    """`n` plain clients with messages under way all the time, each sent in two pieces; what comes
    back must be what was sent, in order and once."""

    def __init__(self, port, n):
        self.members = [_Member(i, port) for i in range(n)]
        self.faults = []
        self.stopping = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        selector = selectors.DefaultSelector()
        for member in self.members:
            selector.register(member.socket, selectors.EVENT_READ, member)
            member.step()
        while selector.get_map():
            for key, _ in selector.select(0.02):
                self._read(selector, key.data)
            for member in self.members:
                if not member.ended and (member.rest or
                                         (not self.stopping and member.got == member.sent)):
                    self._step(selector, member)
            if self.stopping and all(m.ended or m.got == m.sent for m in self.members):
                break
        selector.close()

    def _end(self, selector, member, why):
        member.ended = why
        self.faults.append(f"client {member.number}: {why}")
        selector.unregister(member.socket)

    def _step(self, selector, member):
        try:
            member.step()
        except OSError as error:
            self._end(selector, member, f"cannot send: {error}")

    def _read(self, selector, member):
        try:
            data = member.socket.recv(65536)
        except OSError as error:
            data, why = b"", f"{error}"
        else:
            why = "closed without a word"
        wrong = member.take(data) if data else why
        if wrong:
            self._end(selector, member, wrong)

    def messages(self):
        """How many came back so far."""
        return sum(member.got for member in self.members)

    def wait(self, more, seconds=20):
        """Waits until so many more messages have come back."""
        wanted, end = self.messages() + more, time.monotonic() + seconds
        while self.messages() < wanted and not self.faults:
            assert time.monotonic() < end, f"{wanted - self.messages()} messages short"
            time.sleep(0.01)

    def stop(self):
        """Waits for what is under way; the faults."""
        self.stopping = True
        self.thread.join(20)
        assert not self.thread.is_alive(), "messages were lost: " + str(
            [(m.number, m.sent, m.got) for m in self.members if m.got != m.sent][:5])
        for member in self.members:
            member.socket.close()
        return self.faults


def private_kib(pids):
    """Memory that only these processes have, in KiB."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
            total += sum(int(line.split()[1]) for line in lines
                         if line.startswith(("Private_Clean", "Private_Dirty")))
    return total


def descriptors(pids):
    """How many descriptors these processes have open."""
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)
