"""HTTP/1.1 over a bare socket: the test decides every byte.

SPDX-License-Identifier: Apache-2.0
"""
import socket


class Response:
    """A response: status, headers in order, body."""

    def __init__(self, status, reason, headers, body):
        self.status, self.reason, self.headers, self.body = status, reason, headers, body

    def all(self, name):
        """Every field line of that name, in order."""
        return [v for k, v in self.headers if k.lower() == name.lower()]

    def get(self, name, default=None):
        found = self.all(name)
        return found[0] if found else default

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:200]!r}>"


class Connection:
    """A connection that sends what it is told and reads whole responses."""

    def __init__(self, host, port, timeout=20):
        self.host, self.port = host, port
        self.socket = socket.create_connection((host, port), timeout)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_request(self, method, target, headers=(), body=None, host=None):
        """Headers: pairs, or whole lines as str or bytes."""
        lines = [f"{method} {target} HTTP/1.1".encode()]
        given = [self._line(h) for h in headers]
        if not any(h.lower().startswith(b"host:") for h in given):
            lines.append(f"Host: {host or f'{self.host}:{self.port}'}".encode())
        lines += given
        if body is not None and not any(
                h.lower().startswith((b"content-length:", b"transfer-encoding:")) for h in given):
            lines.append(f"Content-Length: {len(body)}".encode())
        self.send(b"\r\n".join(lines) + b"\r\n\r\n" + (body or b""))

    def request(self, method, target, headers=(), body=None, host=None):
        self.send_request(method, target, headers, body, host)
        return self.response(method)

    @staticmethod
    def _line(header):
        if isinstance(header, bytes):
            return header
        if isinstance(header, str):
            return header.encode()
        name, value = header
        value = value if isinstance(value, bytes) else value.encode()
        return name.encode() + b": " + value

    def _fill(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def _until(self, mark):
        while mark not in self.buffer:
            if not self._fill():
                raise ConnectionError(f"closed in the middle of {self.buffer[:200]!r}")
        head, self.buffer = self.buffer.split(mark, 1)
        return head

    def read(self, n):
        while len(self.buffer) < n:
            if not self._fill():
                raise ConnectionError(f"closed {n - len(self.buffer)} bytes early")
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def read_all(self):
        while self._fill():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def closed(self):
        """Whether the server ends the connection (waits for it)."""
        try:
            return not self._fill()
        except ConnectionResetError:
            return True

    def response(self, method="GET"):
        """The next final response; 100 Continue is passed over."""
        while True:
            status, reason, headers = self._head()
            if status >= 200 or status == 101:
                break
        answer = Response(status, reason, headers, b"")
        if method == "HEAD" or status in (101, 204, 304) or \
                (method == "CONNECT" and 200 <= status < 300):
            return answer
        if (answer.get("Transfer-Encoding") or "").lower() == "chunked":
            answer.body = self._chunks()
        elif answer.get("Content-Length") is not None:
            answer.body = self.read(int(answer.get("Content-Length")))
        else:
            answer.body = self.read_all()
        return answer

    def _head(self):
        lines = self._until(b"\r\n\r\n").split(b"\r\n")
        _, status, *reason = lines[0].split(b" ", 2)
        headers = []
        for line in lines[1:]:
            name, value = line.split(b":", 1)
            headers.append((name.decode("latin-1"), value.strip().decode("latin-1")))
        return int(status), b"".join(reason).decode("latin-1"), headers

    def _chunks(self):
        body = b""
        while True:
            size = int(self._until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                while self._until(b"\r\n"):
                    pass
                return body
            body += self.read(size)
            self.read(2)
