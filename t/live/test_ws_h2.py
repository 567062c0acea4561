"""WebSockets over HTTP/2 (RFC 8441): an extended CONNECT for each, in one connection with pages.

SPDX-License-Identifier: Apache-2.0
"""
import re
import time

import pytest

import digest
import h2
import tls
import ws

CONFIG = """
Protocols h2 h2c http/1.1
H2WebSockets on
LogFormat "%U %H %>s %{authws-scheme}n %{authws-close}n %{authws-in}n %{authws-out}n" notes
CustomLog logs/ws.log notes
<Location "/open">
    AuthWSService echo
    AuthWSProtocol chat
</Location>
<Location "/live">
    AuthType AuthWS
    AuthName "R"
    AuthWSUserFile conf/a1
    Require valid-user
    AuthWSService echo
</Location>
""" + tls.host("Protocols h2 http/1.1\nH2WebSockets on")
MODULES = [*tls.MODULES, "http2"]


def prepare(server):
    tls.certificate(server)
    server.secret("a1", digest.a1_line("alice", "R", "sesame"))


@pytest.fixture(params=["h2c", "h2"])
def connection(server, request):
    secure = request.param == "h2"
    below = tls.Connection(server, alpn=("h2",)) if secure else server.connect()
    with h2.Connection(below, f"127.0.0.1:{server.ports[1 if secure else 0]}",
                       "https" if secure else "http") as made:
        yield made


def open_socket(connection, path="/open", more=()):
    stream = connection.websocket(path, more)
    assert stream.status() == 200
    return ws.Socket(stream)


def test_messages_come_back_in_many_streams_and_pages_between(connection):
    sockets = [open_socket(connection) for _ in range(5)]
    for n, socket in enumerate(sockets):
        assert socket.echo(f"from {n}") == f"from {n}"
    assert connection.get("/index.html")[0] == 200
    big = "0123456789" * 30000  # more than the first window
    assert sockets[2].echo(big) == big
    for n, socket in enumerate(sockets):
        assert socket.echo(f"again {n}") == f"again {n}"
        assert socket.close(3000 + n) == (3000 + n, "")


def test_fragments_pings_and_what_breaks_the_rules(connection):
    socket = open_socket(connection)
    socket.send_raw(ws.frame(ws.TEXT, "Hel", fin=False) + ws.frame(ws.PING, b"p") +
                    ws.frame(ws.CONT, "lo"))
    assert socket.read_frame() == (ws.PONG, True, 0, b"p")
    assert socket.receive() == "Hello"
    socket.send_raw(ws.frame(ws.TEXT, "x", mask=False))
    assert socket.receive()[0] == 1002
    assert socket.connection.closed()
    socket.connection.close()
    socket = open_socket(connection)
    for byte in ws.frame(ws.TEXT, "by the byte"):
        socket.send_raw(bytes([byte]))
    assert socket.receive() == "by the byte"
    assert socket.close() == (1000, "")


def test_what_is_refused_over_http_1_is_refused_here(connection):
    for path, more, version, status in (
            ("/open", [("origin", "https://evil.example")], "13", 403),
            ("/open", [], "12", 426), ("/live", [], "13", 401), ("/none", [], "13", 404),
            ("/open", [("sec-websocket-protocol", "a b")], "13", 400)):
        stream = connection.websocket(path, more, version)
        assert stream.status() == status, path
        stream.close()
    assert connection.get("/open")[0] == 426
    socket = open_socket(connection)  # the connection is as good as before
    assert socket.echo("still") == "still"
    socket.close()


def test_the_user_is_known_and_the_end_is_logged(server, connection):
    with server.connect() as plain:
        client = digest.Client("alice", "sesame")
        client.challenge = digest.pick(plain.request("GET", "/live"))
    mark, log = len(server.log()), server.logs / "ws.log"
    before = len(log.read_text())
    # The method of the digest is that of the request that it has become.
    field = client.authorization("GET", "/live")
    socket = open_socket(connection, "/live", [("authorization", field)])
    assert socket.echo("12345") == "12345"
    assert socket.close(3000) == (3000, "")
    server.wait_log(r'AW2110: WebSocket closed: user "alice" at 127.0.0.1:\d+, /live, '
                    r'scheme Digest: code 3000, 5 bytes in, 5 bytes out', mark)
    for _ in range(100):
        if re.search(r"^/live HTTP/2.0 101 Digest 3000 5 5$", log.read_text()[before:], re.M):
            return
        time.sleep(0.02)
    raise AssertionError(log.read_text()[before:])


def test_a_client_that_goes_without_a_word_leaves_nothing(server, connection):
    for _ in range(3):
        mark = len(server.log())
        socket = open_socket(connection)
        assert socket.echo("x") == "x"
        socket.connection.close()  # RST_STREAM
        server.wait_log(r"AW2110: .*code 1006", mark)
        mark = len(server.log())
        stream = connection.websocket("/open")
        assert stream.status() == 200
        stream.send(b"", end=True)
        server.wait_log(r"AW2110: .*code 1006, the peer ended", mark)
    assert connection.get("/index.html")[0] == 200


def test_a_sixth_websocket_in_a_connection_is_refused_and_pages_go_on(server, connection):
    mark = len(server.log())
    sockets = [open_socket(connection) for _ in range(5)]
    for _ in range(2):
        stream = connection.websocket("/open")
        assert stream.status() == 503
        stream.close()
    server.wait_log(r"AW2132: WebSocket refused: 5 are open in this HTTP/2 connection", mark)
    for _ in range(3):
        assert connection.get("/index.html")[0] == 200
    assert sockets[0].close() == (1000, "")
    end = time.monotonic() + 10
    while True:  # its thread ends a little later than the stream
        stream = connection.websocket("/open")
        if stream.status() == 200:
            break
        stream.close()
        assert time.monotonic() < end
        time.sleep(0.05)
    assert ws.Socket(stream).echo("in its place") == "in its place"
    for socket in [*sockets[1:], ws.Socket(stream)]:
        assert socket.close() == (1000, "")


def test_threads_are_left_for_pages(start_server):
    server = start_server(CONFIG + "StartServers 1\nServerLimit 1\nMaxRequestWorkers 25\n"
                          "MinSpareThreads 1\n",
                          prepare=prepare, modules=MODULES)
    # mod_http2 works on few streams of one connection at a time.
    connections = [h2.Connection(server.connect(), scheme="http") for _ in range(4)]
    streams = [made.websocket("/open") for made in connections for _ in range(5)]
    statuses = [stream.status() for stream in streams]
    assert sorted(statuses) == [200] * 18 + [503] * 2
    assert connections[0].get("/index.html")[0] == 200
    for stream, status in zip(streams, statuses):
        if status == 200:
            assert ws.Socket(stream).close() == (1000, "")
    for made in connections:
        made.below.close()
    server.wait_log("AW2120")
