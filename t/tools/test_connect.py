"""authws connect: lines in, lines out, past logins and proxies, and what it says of a bad end.

SPDX-License-Identifier: Apache-2.0

The servers are Python's websockets, and small ones of our own where one has to misbehave.
"""
import asyncio
import base64
import hashlib
import os
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest
import websockets

TOOL = os.environ.get("AUTHWS_PROGRAM") or str(
    Path(os.environ.get("AUTHWS_BUILDDIR") or Path(__file__).resolve().parents[2])
    / "tools" / "authws")


def run(*args, text="", expect=0):
    done = subprocess.run([TOOL, "connect", *map(str, args)], capture_output=True, text=True,
                          input=text, timeout=30, check=False)
    assert done.returncode == expect, (done.returncode, done.stdout, done.stderr)
    return done


async def echo(connection, *_):
    async for message in connection:  # until the client closes
        if message == "close 4000":
            await connection.close(4000, "as asked")
            return
        if message == "kill":
            connection.transport.abort()
            return
        await connection.send(message)


class Server:
    """A server of the package websockets in a thread of its own."""

    def __init__(self, context=None, handler=echo, **options):
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        self.context, self.handler, self.options = context, handler, options
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        asyncio.set_event_loop(self.loop)

        async def begin():
            self.server = await websockets.serve(self.handler, "127.0.0.1", 0, ssl=self.context,
                                                 **self.options)
            self.port = self.server.sockets[0].getsockname()[1]
            self.ready.set()
        self.loop.run_until_complete(begin())
        self.loop.run_forever()
        self.server.close()
        self.loop.run_until_complete(self.server.wait_closed())
        self.loop.close()

    def __enter__(self):
        self.thread.start()
        assert self.ready.wait(10)
        scheme = "wss" if self.context else "ws"
        self.url = f"{scheme}://127.0.0.1:{self.port}/live?a=1"
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)


class Raw:
    """Answers every connection with what `answer` makes of its request, and remembers these."""

    def __init__(self, answer):
        self.answer, self.requests = answer, []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}/live"
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                request = b""
                while b"\r\n\r\n" not in request:
                    more = connection.recv(65536)
                    if not more:
                        break
                    request += more
                self.requests.append(request.decode())
                self.answer(connection, request.decode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def accept_of(request):
    key = [line.split(": ")[1] for line in request.split("\r\n")
           if line.lower().startswith("sec-websocket-key:")][0]
    return base64.b64encode(hashlib.sha1(
        (key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


def switching(request, **changes):
    fields = {"Upgrade": "websocket", "Connection": "Upgrade",
              "Sec-WebSocket-Accept": accept_of(request), **changes}
    return ("HTTP/1.1 101 Switching Protocols\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in fields.items() if value) + "\r\n").encode()


CLOSE = b"\x88\x02\x03\xe8"


@pytest.mark.parametrize("options", [(), ("--no-deflate",)])
def test_lines_go_out_as_messages_and_come_back_as_lines(options):
    with Server() as server:
        assert run(*options, server.url, text="one\ntwö\nthree").stdout == "one\ntwö\nthree\n"


def test_a_hundred_thousand_characters_are_one_line():
    with Server() as server:
        line = "0123456789" * 10000
        assert run(server.url, text=line + "\n").stdout == line + "\n"


def test_many_lines_come_back_in_order():
    with Server() as server:
        lines = "".join(f"line {i}\n" for i in range(3000))
        assert run(server.url, text=lines).stdout == lines


def test_binary_lines_may_hold_any_byte():
    with Server() as server:
        done = subprocess.run([TOOL, "connect", "--binary", server.url], input=b"\xff\xfe\n",
                              capture_output=True, timeout=30, check=False)
        assert (done.returncode, done.stdout) == (0, b"\xff\xfe\n")
        done = subprocess.run([TOOL, "connect", server.url], input=b"good\n\xff\xfe\n",
                              capture_output=True, timeout=30, check=False)
        assert (done.returncode, done.stdout) == (1, b"good\n") and b"not UTF-8" in done.stderr


def test_a_close_that_is_no_good_end_is_said_and_not_0():
    with Server() as server:
        assert "4000" in run(server.url, text="close 4000\n", expect=1).stderr
        done = run("--linger", 5, server.url, text="kill\n", expect=1)
        assert "without a close" in done.stderr


def test_pings_are_sent_and_answered():
    async def quiet(connection, *_):
        await (await connection.ping())
        await connection.send("answered")
        await connection.wait_closed()
    with Server(handler=quiet) as server:
        done = run("-v", "--ping", 0.05, "--linger", 0.5, server.url)
        assert done.stdout == "answered\n" and "pong" in done.stderr


def test_without_input_it_listens_until_the_server_closes():
    async def say(connection, *_):
        await connection.send("news")
        await connection.close(1001)
    with Server(handler=say) as server:
        assert run("--no-input", server.url).stdout == "news\n"


def test_a_subprotocol_is_offered_and_agreed_upon():
    with Server(subprotocols=["mqtt"]) as server:
        assert "subprotocol mqtt" in run("-v", "--protocol", "chat, mqtt", server.url).stderr


def test_header_fields_go_along():
    with Server(origins=["https://portal.example.com"]) as server:
        run("-H", "Origin: https://portal.example.com", server.url)
        assert "403" in run("-H", "Origin: https://other.example.com", server.url,
                            expect=1).stderr


def test_tls_is_checked_unless_told_otherwise(tmp_path):
    key, pem = tmp_path / "key", tmp_path / "pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=x",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", pem],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    with Server(context) as server:
        assert run("--cacert", pem, server.url, text="in\n").stdout == "in\n"
        assert run("--insecure", server.url, text="in\n").stdout == "in\n"
        assert "certificate" in run(server.url, expect=3).stderr
        other = server.url.replace("127.0.0.1", "localhost")
        assert "ertificate" in run("--cacert", pem, other, expect=3).stderr


def test_a_client_certificate_is_shown_when_asked_for(tmp_path):
    def make(name):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", tmp_path / f"{name}.key", "-out", tmp_path / f"{name}.pem"],
                       check=True, capture_output=True)
        return tmp_path / f"{name}.pem", tmp_path / f"{name}.key"

    async def who(connection, *_):
        subject = connection.transport.get_extra_info("peercert")["subject"]
        await connection.send(subject[0][0][1])
        await connection.close()
    pem, key = make("server")
    mine, my_key = make("anna")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    context.load_verify_locations(mine)
    context.verify_mode = ssl.CERT_REQUIRED
    with Server(context, handler=who) as server:
        assert run("--cacert", pem, "--cert", mine, "--key", my_key, "--no-input",
                   server.url).stdout == "anna\n"
        run("--cacert", pem, "--no-input", server.url, expect=3)
        assert "--key" in run("--cacert", pem, "--cert", mine, "--key", key, server.url,
                              expect=3).stderr


def test_a_proxy_may_ask_for_digest():
    def answer(connection, request):
        if "Proxy-Authorization: Digest " not in request:
            connection.sendall(b'HTTP/1.1 407 Who\r\nContent-Length: 0\r\nProxy-Authenticate: '
                               b'Digest realm="p", nonce="n", qop="auth", algorithm=SHA-256\r\n\r\n')
            return
        assert 'uri="intranet.example.com:80"' in request and 'username="bert"' in request
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        inner = b""
        while b"\r\n\r\n" not in inner:
            inner += connection.recv(65536)
        connection.sendall(switching(inner.decode()) + CLOSE)
        connection.recv(100)
    with Raw(answer) as proxy:
        run("--proxy", f"http://127.0.0.1:{proxy.port}", "--proxy-digest", "bert", "-i",
            "ws://intranet.example.com/live", text="two\n")
        assert len(proxy.requests) == 2


@pytest.mark.parametrize("login, first, expected", [
    ("--basic", "", "Basic " + base64.b64encode(b"anna:open sesame").decode()),
    ("--token", "", "Bearer open sesame"),
])
def test_basic_and_tokens_go_with_the_first_request(login, first, expected):
    def answer(connection, request):
        connection.sendall(switching(request) + CLOSE)
        connection.recv(100)
    with Raw(answer) as server:
        more = ["anna"] if login == "--basic" else []
        run(login, *more, "-i", server.url, text="open sesame\n")
        assert first == "" and f"Authorization: {expected}\r\n" in server.requests[0]
        assert len(server.requests) == 1


def digest_of(request):
    fields = [line for line in request.split("\r\n") if line.startswith("Authorization: Digest")]
    if not fields:
        return None
    return dict(part.strip().split("=", 1) for part in fields[0][22:].split(", "))


def test_digest_answers_the_challenge_and_no_wrong_one_twice():
    right = True

    def answer(connection, request):
        found = digest_of(request)
        if found:
            def h(text):
                return hashlib.sha256(text.encode()).hexdigest()
            uri, cnonce = found["uri"].strip('"'), found["cnonce"].strip('"')
            wanted = h(f"{h('anna:r:open sesame')}:n1:{found['nc']}:{cnonce}:auth:"
                       f"{h('GET:' + uri)}")
            assert uri == "/live"
            if right and found["response"].strip('"') == wanted:
                connection.sendall(switching(request) + CLOSE)
                connection.recv(100)
                return
        connection.sendall(b'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n'
                           b'WWW-Authenticate: Digest realm="r", nonce="n1", qop="auth", '
                           b'algorithm=SHA-256\r\n\r\n')
    with Raw(answer) as server:
        run("--digest", "anna", "-i", server.url, text="open sesame\n")
        assert len(server.requests) == 2
        right = False
        assert "401" in run("--digest", "anna", "-i", server.url, text="open sesame\n",
                            expect=1).stderr
        assert len(server.requests) == 4


def test_a_proxy_sees_its_own_credentials_and_the_server_never_does():
    seen = []

    def answer(connection, request):
        seen.append(request)
        if "Proxy-Authorization: Basic " not in request:
            connection.sendall(b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n")
            return
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        inner = b""
        while b"\r\n\r\n" not in inner:
            inner += connection.recv(65536)
        seen.append(inner.decode())
        connection.sendall(switching(inner.decode()) + CLOSE)
        connection.recv(100)
    with Raw(answer) as proxy:
        run("--proxy", f"http://127.0.0.1:{proxy.port}", "--proxy-basic", "bert", "--basic",
            "anna", "-i", "ws://intranet.example.com/live", text="one\ntwo\n")
        assert seen[0].startswith("CONNECT intranet.example.com:80 HTTP/1.1\r\n")
        assert "\r\nAuthorization" not in seen[0] and "Proxy-" not in seen[1]
        assert base64.b64encode(b"bert:two").decode() in seen[0]
        assert base64.b64encode(b"anna:one").decode() in seen[1]
        seen.clear()
        assert "407" in run("--proxy", f"http://127.0.0.1:{proxy.port}",
                            "ws://intranet.example.com/live", expect=1).stderr


@pytest.mark.parametrize("changes", [
    {"Sec-WebSocket-Accept": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}, {"Upgrade": ""},
    {"Connection": "keep-alive"}, {"Sec-WebSocket-Protocol": "not-offered"},
    {"Sec-WebSocket-Extensions": "x-unknown"},
])
def test_a_handshake_that_is_not_right_is_refused(changes):
    def answer(connection, request):
        connection.sendall(switching(request, **changes))
    with Raw(answer) as server:
        run(server.url, expect=3)


@pytest.mark.parametrize("sent", [b"\x81\x80abcd", b"\xc1\x01x", b"\x81\x02\xff\xfe", b"\x83\x00"])
def test_a_server_that_breaks_the_protocol_is_told_and_left(sent):
    def answer(connection, request):
        connection.sendall(switching(request) + sent)
        connection.recv(100)
    with Raw(answer) as server:
        assert "protocol" in run("--no-deflate", "--no-input", server.url, expect=1).stderr


@pytest.mark.parametrize("args, wrong", [
    ((), "no URL"), (("x",), "none of"), (("ws://a b/",), "white space"),
    (("ws://u@example.com/",), "no user"), (("ws://example.com/#x",), "fragment"),
    (("ws://example.com:0/",), "port"), (("ws://",), "no host"), (("-H", "x", "ws://a/"), "-H"),
    (("--ping", "x", "ws://a/"), "--ping"), (("--key", "k", "wss://a/"), "--key"),
    (("--digest", "a", "--basic", "b", "ws://a/"), "only one"),
    (("--proxy", "https://a/", "ws://a/"), "plain"), (("--basic", "a:b", "ws://a/"), "colon"),
    (("--proxy-basic", "a", "ws://a/"), "--proxy"), (("ws://a/", "ws://b/"), "too many"),
])
def test_bad_usage_is_named(args, wrong):
    assert wrong in run(*args, expect=2).stderr


def test_nobody_there_is_a_system_error():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert "refused" in run(f"ws://127.0.0.1:{probe.getsockname()[1]}/", expect=3).stderr
