"""Connections that are taken away from httpd: each step of it on the installed server, plain and TLS,
and what it falls back to.

SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import signal
import socket
import ssl
import struct
import time

import pytest

import fleet
import tls

CONFIG = """
LogLevel info authws:debug
AuthWSDrainTimeout 3s
<Location "/ws">
    AuthWSService echo
</Location>
""" + tls.host("""
    SSLOptions +StdEnvVars
    <Location "/mine">
        AuthWSService echo
        SSLRequireSSL
    </Location>
""")
MODULES = tls.MODULES
ALLOW = [r"AH02261: Re-negotiation handshake failed"]

KINDS = {"plain": None, "tls12": ssl.TLSVersion.TLSv1_2, "tls13": ssl.TLSVersion.TLSv1_3}


def prepare(server):
    tls.certificate(server)
    tls.certificate(server, "alice", "alice")


@pytest.fixture(params=list(KINDS))
def connect(request, server):
    """Makes connections of one kind."""
    def make(to=server, **options):
        if request.param == "plain":
            return to.connect()
        return tls.Connection(to, version=KINDS[request.param], **options)
    make.tls = request.param != "plain"
    make.name = "TLS" if make.tls else "plain"
    return make


@pytest.fixture(scope="module")
def proxied(start_server):
    """A server that speaks HAProxy's PROXY protocol, on both ports."""
    config = CONFIG.replace("SSLEngine On", "SSLEngine On\nRemoteIPProxyProtocol On")
    return start_server("RemoteIPProxyProtocol On\n" + config, prepare=prepare,
                        modules=[*MODULES, "remoteip"])


def taken(server, mark=0):
    """The processes that took connections away, with the kind and the bytes that came early."""
    return [(int(pid), kind, int(early)) for pid, kind, early in re.findall(
        r"\[pid (\d+):.*AW2141: the connection goes to a loop: (\w+), (\d+) bytes",
        server.log(mark))]


def settled(measure, allowed, seconds=5):
    """Waits until the measure is at most what is allowed; its last value."""
    end = time.monotonic() + seconds
    while True:
        value = measure()
        if value <= allowed or time.monotonic() > end:
            return value
        time.sleep(0.05)


# --- step by step ---

def test_an_echo_comes_from_a_loop_and_not_from_a_worker(server, connect):
    mark = len(server.log())
    with fleet.Peer(connect()) as peer:
        for i in range(20):
            peer.echo(f"message {i} " + "x" * i * 100)
        peer.send(b"p", fleet.PING)
        assert peer.receive() == (fleet.PONG, b"p")
        assert [(kind, early) for _, kind, early in taken(server, mark)] == [(connect.name, 0)]
        peer.close()
    assert "AW2121" not in server.log(), "a worker thread served a WebSocket"


def test_the_access_log_has_its_line_at_the_upgrade(server, connect):
    before = len(server.access())
    with fleet.Peer(connect()) as peer:
        peer.echo("here")
        end = time.monotonic() + 5
        while "/ws" not in server.access()[before:]:
            assert time.monotonic() < end
            time.sleep(0.02)
        assert re.search(r'127\.0\.0\.1 - "GET /ws HTTP/1\.1" 101 [+-] \d+',
                         server.access()[before:])


def test_nothing_reaches_the_client_when_httpd_lets_go_of_the_connection(server, connect):
    with fleet.Peer(connect()) as peer:
        peer.connection.socket.settimeout(1.2)
        with pytest.raises(socket.timeout):  # no close_notify, no FIN, not a byte
            peer.connection.socket.recv(1)
        peer.connection.socket.settimeout(20)
        peer.echo("still there")


def test_frames_right_behind_the_handshake_are_answered(server, connect):
    mark = len(server.log())
    behind = b"".join(fleet.frame(f"early {i}") for i in range(50))
    with fleet.Peer(connect(), behind=behind) as peer:
        assert [peer.receive() for _ in range(50)] == \
            [(1, f"early {i}".encode()) for i in range(50)]
        peer.echo("and later")
    assert [early > 0 for _, _, early in taken(server, mark)] == [True]


@pytest.mark.parametrize("length", [1, 2, 3, 5, 7])
def test_the_first_bytes_of_a_frame_behind_the_handshake_are_kept(server, connect, length):
    whole = fleet.frame("in two pieces")
    with fleet.Peer(connect(), behind=whole[:length]) as peer:
        time.sleep(0.1)
        peer.connection.send(whole[length:])
        assert peer.receive() == (1, b"in two pieces")


@pytest.mark.parametrize("version", ["tls12", "tls13"])
def test_a_tls_record_that_is_there_in_part_at_the_upgrade_is_read_to_its_end(server, version):
    for cut in (1, 4, 5, 6, 20, -1):
        connection = tls.Connection(server, version=KINDS[version])
        head = connection.seal(fleet.handshake())
        record = connection.seal(fleet.frame("cut in its record"))
        connection.socket.sendall(head + record[:cut])
        assert connection.response().status == 101
        time.sleep(0.05)
        connection.socket.sendall(record[cut:])
        with connection:
            assert connection.read(2 + 17) == b"\x81\x11cut in its record"


def test_a_client_that_sends_all_and_ends_its_half_gets_its_answers(server):
    with server.connect() as connection:
        connection.send(fleet.handshake() + fleet.frame("the only one"))
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.response().status == 101
        assert connection.read(2 + 12) == b"\x81\x0cthe only one"


def test_too_much_behind_the_handshake_is_refused_and_holds_nothing(server, connect):
    connection = connect()
    try:
        connection.send(fleet.handshake() + fleet.frame(b"x" * 300_000, 2))
        answer = connection.response()
        assert answer.status in (101, 413)
    except (ConnectionError, OSError):
        pass  # refused before all had been sent
    connection.close()
    with fleet.Peer(connect()) as peer:
        peer.echo("the next one")


def test_a_client_certificate_asked_for_at_the_handshake_does_no_harm(start_server):
    server = start_server(
        CONFIG.replace("SSLOptions +StdEnvVars", "SSLVerifyClient optional\n"
                       "SSLCACertificateFile @CONF@/alice.pem"),
        prepare=prepare, modules=MODULES)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        def churn(n, version=version):
            for _ in range(n):
                with fleet.Peer(tls.Connection(server, "alice", version)) as peer:
                    peer.echo("with a certificate")
                    peer.close()
        churn(400)
        children = server.children()
        fds, memory = fleet.descriptors(children), fleet.private_kib(children)
        churn(400)
        assert server.children() == children
        assert settled(lambda c=children: fleet.descriptors(c), fds) <= fds
        # A certificate left behind each time would be 400 times 3 KiB; httpd itself grows by about
        # a fifth of that for pages with client certificates.
        assert fleet.private_kib(children) < memory + 700
    assert {kind for _, kind, _ in taken(server)} == {"TLS"}
    assert "AW2121" not in server.log()


def test_a_resumed_tls_session_is_taken_too(start_server):
    server = start_server("SSLSessionCache shmcb:@ROOT@/run/cache(512000)\n" + CONFIG,
                          prepare=prepare, modules=MODULES)
    settings = tls.context(server, version=ssl.TLSVersion.TLSv1_2)
    session = None
    for _ in range(3):
        raw = socket.create_connection(("127.0.0.1", server.ports[1]), 20)
        with settings.wrap_socket(raw, server_hostname="localhost", session=session) as sock:
            assert sock.session_reused == (session is not None)
            sock.sendall(fleet.handshake() + fleet.frame("again"))
            got = b""
            while not got.endswith(b"\x81\x05again"):
                data = sock.recv(4096)
                assert data, got
                got += data
            sock.sendall(fleet.frame(struct.pack(">H", 1000), fleet.CLOSE))
            assert sock.recv(100) == b"\x88\x02\x03\xe8"
            session = sock.session
    assert [kind for _, kind, _ in taken(server)] == ["TLS"] * 3


def test_mod_ssl_may_log_everything(start_server):
    """Its callbacks want the connection that is gone: they must not be called any more."""
    server = start_server(CONFIG.replace("authws:debug", "authws:debug ssl:trace8 core:trace8"),
                          prepare=prepare, modules=MODULES)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with fleet.Peer(tls.Connection(server, version=version)) as peer:
            peer.echo("x" * 20000)
            peer.close()
    assert [kind for _, kind, _ in taken(server)] == ["TLS", "TLS"]


def test_a_service_inside_a_virtual_host_is_taken_too(server):
    with fleet.Peer(tls.Connection(server), "/mine") as peer:
        peer.echo("mine")


@pytest.mark.parametrize("zeros", ["0", "00", "0000000000000000000000"])
def test_no_body_may_be_written_with_any_number_of_zeros(server, connect, zeros):
    mark = len(server.log())
    with fleet.Peer(connect(), headers=[f"Content-Length: {zeros}"]) as peer:
        peer.echo("no body")
    assert [kind for _, kind, _ in taken(server, mark)] == [connect.name]


PROXY_1 = b"PROXY TCP4 192.0.2.7 192.0.2.1 40001 443\r\n"
PROXY_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(
    ">H4s4sHH", 12, bytes([192, 0, 2, 7]), bytes([192, 0, 2, 1]), 40001, 443)


@pytest.mark.parametrize("line", [PROXY_1, PROXY_2])
def test_connections_behind_the_proxy_protocol_are_taken_too(proxied, line):
    mark = len(proxied.log())
    plain = proxied.connect()
    plain.send(line)
    for connection in (plain, tls.Connection(proxied, before=line)):
        with fleet.Peer(connection) as peer:
            peer.echo("from behind a balancer")
            peer.close()
    assert [kind for _, kind, _ in taken(proxied, mark)] == ["plain", "TLS"]
    for _ in range(2):
        mark += proxied.wait_log(r"AW2110: .* at 192\.0\.2\.7:40001, ", mark).end()


# --- what it is good for ---

def test_more_websockets_than_workers_are_open_and_a_page_still_answers(server, connect):
    mark = len(server.log())
    peers = [fleet.Peer(connect()) for _ in range(120)]  # there are 75 workers
    begun = time.monotonic()
    assert server.get("/").status == 200
    assert time.monotonic() - begun < 2
    for i, peer in enumerate(peers):
        peer.echo(f"of many: {i}")
    assert len(taken(server, mark)) == 120
    for peer in peers:
        peer.close()


def test_nothing_is_left_of_connections_that_came_and_went(server, connect):
    def churn(n):
        for i in range(n):
            with fleet.Peer(connect()) as peer:
                peer.echo("in and out")
                if i % 3 == 0:
                    peer.close()  # in order; the others just go

    churn(300)
    children = server.children()
    time.sleep(0.3)
    fds, memory = fleet.descriptors(children), fleet.private_kib(children)
    churn(1000 if connect.tls else 2000)
    assert server.children() == children
    assert settled(lambda: fleet.descriptors(children), fds) <= fds
    assert fleet.private_kib(children) < memory + 1000


def test_a_child_that_is_killed_takes_only_its_own_sockets_with_it(start_server):
    server = start_server(CONFIG, prepare=prepare, modules=MODULES)
    peers = {}
    for _ in range(40):
        mark = len(server.log())
        peer = fleet.Peer(server.connect())
        server.wait_log("AW2141", mark)
        peers.setdefault(taken(server, mark)[0][0], []).append(peer)
        if len(peers) == 2 and min(map(len, peers.values())) >= 3:
            break
        if len(peers) == 1:
            time.sleep(0.02)
    assert len(peers) == 2, "one child took all connections"
    victim, survivor = peers
    os.kill(victim, signal.SIGKILL)
    for peer in peers[victim]:
        assert peer.connection.closed()
    for peer in peers[survivor]:
        peer.echo("alive")
    with fleet.Peer(server.connect()) as peer:
        peer.echo("and the server goes on")


# --- what it falls back to ---

def test_a_filter_of_another_module_keeps_the_connection_in_its_worker(start_server):
    config = CONFIG.replace("authws:debug", "authws:debug dumpio:trace7")
    server = start_server(
        "DumpIOInput On\n" + config.replace("SSLEngine On", "SSLEngine On\nDumpIOInput On"),
        prepare=prepare, modules=[*MODULES, "dumpio"])
    for connection in (server.connect(), tls.Connection(server)):
        with fleet.Peer(connection) as peer:
            peer.echo("in a worker")
            peer.close()
    assert re.search(r"AW2121: .*filter of another module: DUMPIO_IN", server.log(), re.I)
    assert not taken(server)


def test_the_worker_mpm_keeps_connections_in_their_workers(start_server):
    server = start_server(CONFIG, prepare=prepare, modules=MODULES, mpm="worker")
    with fleet.Peer(server.connect()) as peer:
        peer.echo("in a worker")
        peer.close()
    assert re.search(r"AW2121: .*the MPM keeps a thread for each connection", server.log())
    assert not taken(server)
