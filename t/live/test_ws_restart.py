"""WebSockets and the end of processes: restarts that nobody notices, and ends that are told.

SPDX-License-Identifier: Apache-2.0
"""
import array
import base64
import ctypes
import os
import random
import re
import signal
import socket
import struct
import time

import pytest

import digest
import fleet
import tls

CONFIG = """
LogLevel info authws:debug
AuthWSDrainTimeout 3s
<Location "/ws">
    AuthWSService echo
    AuthWSMaxMessage 4M
</Location>
""" + tls.host()
# httpd's own: a child that drains keeps its place on the scoreboard.
ALLOW = ["AH00045", "AH00046", "AH03490"]


def prepare(server):
    tls.certificate(server)


@pytest.fixture
def fresh(start_server):
    """A server of the test's own."""
    def start(config=CONFIG, **options):
        return start_server(config, prepare=prepare, modules=tls.MODULES, allow=ALLOW, **options)
    return start


def ends(server, mark=0):
    """What the children said at their ends, added up: handed over, closed, cut off."""
    found = re.findall(r"AW2145: .*: (\d+) handed over, (\d+) closed with 1001, (\d+) cut off",
                       server.log(mark))
    return tuple(sum(int(line[i]) for line in found) for i in range(3))


def wait_gone(pids, seconds=10):
    end = time.monotonic() + seconds
    while any(os.path.exists(f"/proc/{pid}") for pid in pids):
        assert time.monotonic() < end, "a child was left behind"
        time.sleep(0.02)


def test_three_hundred_clients_live_through_five_graceful_restarts(fresh):
    server = fresh()
    clients = fleet.Fleet(server.port, 300)
    clients.wait(1000)
    for _ in range(5):
        before = server.children()
        server.graceful()
        wait_gone(before)
        clients.wait(1000)
    assert clients.stop() == []
    moved, closed, _ = ends(server)
    assert moved == 5 * 300 and closed == 0
    assert "AW2144" not in server.log()


def test_a_frame_sent_by_halves_comes_whole_out_of_the_next_generation(fresh):
    server = fresh()
    whole = fleet.frame("half before, half after")
    peers = []
    for cut in range(1, len(whole)):
        peers.append((fleet.Peer(server.connect(), behind=whole[:cut]), cut))
    before = server.children()
    server.graceful()
    wait_gone(before)
    for peer, cut in peers:
        peer.connection.send(whole[cut:])
        assert peer.receive() == (1, b"half before, half after")
        peer.echo("and on")
    assert ends(server)[:2] == (len(peers), 0)


def test_half_a_message_of_fragments_goes_along(fresh):
    server = fresh()
    with fleet.Peer(server.connect()) as peer:
        peer.connection.send(fleet.frame("\u00e4 one ", fin=False))
        peer.connection.send(fleet.frame("two ".encode(), 0, fin=False))
        before = server.children()
        server.graceful()
        wait_gone(before)
        peer.connection.send(fleet.frame("three", 0))
        assert peer.receive() == (1, "\u00e4 one two three".encode())


def test_a_socket_with_much_half_there_moves_once_its_message_is_done(fresh):
    server = fresh(CONFIG.replace("3s", "8s"))
    whole = fleet.frame(b"m" * 300_000, 2)
    with fleet.Peer(server.connect()) as peer:
        peer.connection.send(whole[:200_000])
        time.sleep(0.3)
        before = server.children()
        server.graceful()
        peer.connection.send(whole[200_000:])
        assert peer.receive() == (2, b"m" * 300_000)
        wait_gone(before)
        peer.echo("in the next generation")
    assert ends(server)[:2] == (1, 0)


def test_tls_clients_are_told_1001_within_the_drain_time(fresh):
    server = fresh()
    peers = [fleet.Peer(tls.Connection(server)) for _ in range(30)]
    before, begun = server.children(), time.monotonic()
    server.graceful()
    assert {peer.closed_with() for peer in peers} == {1001}
    wait_gone(before)
    assert time.monotonic() - begun < 3 + 2
    assert ends(server) == (0, 30, 0)
    with fleet.Peer(tls.Connection(server)) as peer:
        peer.echo("the next one")


def test_tls_clients_that_do_not_answer_keep_no_child(fresh):
    server = fresh()
    peers = [fleet.Peer(tls.Connection(server)) for _ in range(5)]
    before = server.children()
    server.graceful()
    wait_gone(before, 8)
    assert ends(server) == (0, 5, 5)
    for peer in peers:
        assert peer.receive()[0] == fleet.CLOSE


@pytest.mark.parametrize("how", ["stop", "restart"])
def test_a_stop_is_told_to_everybody(fresh, how):
    server = fresh()
    peers = [fleet.Peer(server.connect()) for _ in range(60)] + \
        [fleet.Peer(tls.Connection(server)) for _ in range(20)]
    before, begun = server.children(), time.monotonic()
    server.process.send_signal(signal.SIGTERM if how == "stop" else signal.SIGHUP)
    assert {peer.closed_with() for peer in peers} == {1001}
    wait_gone(before)
    assert time.monotonic() - begun < 6
    if how == "stop":
        assert server.process.wait(10) == 0
    else:
        server.wait_listening()
        with fleet.Peer(server.connect()) as peer:
            peer.echo("again")


def test_a_stop_does_not_wait_long_for_the_silent(fresh):
    server = fresh("AuthWSDrainTimeout 60s\n" + CONFIG.replace("AuthWSDrainTimeout 3s", ""))
    peers = [fleet.Peer(server.connect()) for _ in range(100)]
    before, begun = server.children(), time.monotonic()
    server.process.terminate()
    assert server.process.wait(20) == 0
    assert time.monotonic() - begun < 7
    wait_gone(before, 1)
    assert "AH00046" not in server.log(), "a child had to be killed"
    for peer in peers:
        assert peer.receive()[0] == fleet.CLOSE


def test_a_graceful_stop_with_nobody_to_go_to_is_told_in_time(fresh):
    server = fresh("GracefulShutdownTimeout 20\n" + CONFIG)
    peers = [fleet.Peer(server.connect()) for _ in range(20)]
    before, begun = server.children(), time.monotonic()
    server.process.send_signal(signal.SIGWINCH)
    peers[0].echo("served meanwhile")
    assert {peer.closed_with() for peer in peers} == {1001}
    wait_gone(before)
    assert 1 < time.monotonic() - begun < 6


def test_a_child_that_has_had_its_share_of_connections_passes_its_sockets_on(fresh):
    server = fresh("MaxConnectionsPerChild 40\n" + CONFIG.replace("3s", "10s"))
    clients = fleet.Fleet(server.port, 20)
    before = server.children()
    for _ in range(120):
        server.get("/")
    end = time.monotonic() + 20
    while set(before) & set(server.children()):
        assert time.monotonic() < end, "no child was retired"
        server.get("/")
        time.sleep(0.02)
    clients.wait(500)
    assert clients.stop() == []
    assert ends(server)[0] >= 20 and ends(server)[1] == 0


def test_a_service_that_the_new_configuration_has_not_is_ended_with_1001(fresh):
    server = fresh(CONFIG + '<Location "/other">\nAuthWSService echo\n</Location>\n')
    peers = [fleet.Peer(server.connect(), "/ws") for _ in range(10)]
    kept = fleet.Peer(server.connect(), "/other")
    server.template = server.template.replace('<Location "/ws">', '<Location "/renamed">')
    server.write()
    server.graceful()
    assert {peer.closed_with() for peer in peers} == {1001}
    kept.echo("this one is still there")
    server.wait_log("AW2144: .*no such service")


def test_no_service_at_all_in_the_new_configuration_ends_all_with_1001(fresh):
    server = fresh()
    peers = [fleet.Peer(server.connect()) for _ in range(10)]
    before = server.children()
    server.template = server.template.replace("AuthWSService echo", "")
    server.write()
    server.graceful()
    assert {peer.closed_with() for peer in peers} == {1001}
    wait_gone(before)


def test_restarts_leave_no_descriptor_and_no_thread_behind(fresh):
    server = fresh()
    clients = fleet.Fleet(server.port, 30)

    def left():
        """Of the parent, and of one child without its sockets."""
        return len(os.listdir(f"/proc/{server.process.pid}/fd"))

    def turn():
        before = server.children()
        clients.wait(200)
        server.graceful()
        wait_gone(before)

    turn()
    parent = left()
    for _ in range(4):
        turn()
    assert left() == parent
    assert clients.stop() == []
    for pid in server.children():
        assert len(os.listdir(f"/proc/{pid}/task")) < 25 + 8


def test_a_killed_child_is_no_one_to_hand_over_to(fresh):
    """One that was killed still stands in the table: the dead must not be waited for."""
    server = fresh()
    with fleet.Peer(server.connect()) as peer:
        peer.echo("here")
        found = re.findall(r"\[pid (\d+):.*AW2141", server.log())
        for pid in server.children():
            if str(pid) != found[-1]:
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
        before = server.children()
        server.graceful()
        wait_gone(before)
        peer.echo("moved")


def test_several_loops_in_a_child_share_the_sockets_and_hand_all_over(fresh):
    server = fresh("AuthWSReactorThreads 3\n" + CONFIG)
    clients = fleet.Fleet(server.port, 90)
    for _ in range(2):
        clients.wait(300)
        before = server.children()
        server.graceful()
        wait_gone(before)
        clients.wait(300)
    assert clients.stop() == []
    assert ends(server)[:2] == (180, 0)


LOGIN = """
StartServers 1
MinSpareThreads 1
LogLevel info authws:debug
AuthWSDrainTimeout 10s
<Location "/ws">
    AuthType AuthWS
    AuthName "R"
    AuthWSUserFile conf/a1
    AuthWSScheme Basic
    Require valid-user
    AuthWSUserConnections 5
    AuthWSService echo
</Location>
"""
BASIC = ["Authorization: Basic " + base64.b64encode(b"alice:sesame").decode()]


def test_the_limit_per_user_holds_while_sockets_change_process(start_server):
    server = start_server(
        LOGIN, allow=ALLOW,
        prepare=lambda made: made.secret("a1", digest.a1_line("alice", "R", "sesame")))
    whole = fleet.frame(b"m" * 300_000, 2)
    stays = fleet.Peer(server.connect(), headers=BASIC)
    stays.connection.send(whole[:200_000])  # it cannot go before its message is done
    peers = [fleet.Peer(server.connect(), headers=BASIC) for _ in range(2)]
    time.sleep(0.3)
    before = server.children()
    server.graceful()
    time.sleep(1.5)
    # Two are counted in both processes: three, and two.
    with server.connect() as connection:
        connection.send(fleet.handshake(headers=BASIC))
        assert connection.response().status == 429
    stays.connection.send(whole[200_000:])
    assert stays.receive() == (2, b"m" * 300_000)
    wait_gone(before, 15)
    peers.append(stays)
    for _ in range(2):  # and no place is lost with the old process
        peers.append(fleet.Peer(server.connect(), headers=BASIC))
    for peer in peers:
        peer.echo("moved, or new")
    with server.connect() as connection:
        connection.send(fleet.handshake(headers=BASIC))
        assert connection.response().status == 429


FILES = """
LogLevel info authws:debug
AuthWSDrainTimeout 3s
<Directory "@ROOT@/docroot/ws">
    AllowOverride AuthConfig
</Directory>
"""


def test_a_service_in_a_htaccess_file_alone_is_served_by_loops_and_told_of_a_restart(start_server):
    def prepare_files(server):
        server.page("ws/.htaccess", "AuthWSService echo\n")
    server = start_server(FILES, prepare=prepare_files, allow=ALLOW)
    assert "AW2145" not in server.log()
    peers = [fleet.Peer(server.connect(), "/ws/") for _ in range(3)]
    for peer in peers:
        peer.echo("from a loop")
    assert server.log().count("AW2141") == 3 and "AW2121" not in server.log()
    before, mark = server.children(), len(server.log())
    server.graceful()
    assert {peer.closed_with() for peer in peers} == {1001}
    wait_gone(before)
    assert ends(server, mark) == (0, 3, 0)
    lines = re.findall(r"AW2110: WebSocket closed: .* /ws/, .* code 1001", server.log(mark))
    assert len(lines) == 3 and "AW2144" not in server.log()


def test_a_socket_that_is_not_taken_up_is_logged_with_all_that_is_known(fresh):
    server = fresh()
    peer = fleet.Peer(server.connect(), "/ws")
    port = peer.connection.socket.getsockname()[1]
    server.template = server.template.replace('<Location "/ws">', '<Location "/renamed">')
    server.write()
    server.graceful()
    assert peer.closed_with() == 1001
    server.wait_log(rf'AW2144: .* user "" at 127\.0\.0\.1:{port}, /ws: .*no such service')


# --- what comes through the pair is not trusted ---

def sending_end(server):
    """The parent's end of the pair, as a socket of this process."""
    if not hasattr(os, "pidfd_open"):
        pytest.skip("needs pidfd_open")
    pidfd = os.pidfd_open(server.process.pid)
    try:
        for fd in sorted(map(int, os.listdir(f"/proc/{server.process.pid}/fd"))):
            # pidfd_getfd
            copy = ctypes.CDLL(None, use_errno=True).syscall(438, pidfd, fd, 0)
            if copy < 0:
                pytest.skip("may not look into the server's descriptors")
            try:
                found = socket.socket(fileno=copy)
            except OSError:
                os.close(copy)
                continue
            if found.family == socket.AF_UNIX and found.type == socket.SOCK_SEQPACKET:
                return found  # made first, so it has the lower number
            found.close()
    finally:
        os.close(pidfd)
    raise AssertionError("the parent holds no pair")


def test_what_is_not_a_saved_socket_is_ended_and_harms_nobody(fresh):
    server = fresh()
    chance = random.Random(5)
    with fleet.Peer(server.connect()) as peer, sending_end(server) as pair:
        children = server.children()
        header = struct.pack("=IIII", 0x61774831, 1, 64, 0)
        for message in (b"x", b"\0" * 16, header[:15], header, header + b"\0" * 64,
                        header + chance.randbytes(64), header + chance.randbytes(63),
                        struct.pack("=IIII", 0x61774831, 1, 0xffffffff, 0) + b"\xff" * 64,
                        struct.pack("=IIII", 0x61774831, 2, 64, 0) + b"\0" * 64,
                        struct.pack("=IIII", 0x61774831, 1, 60000, 0) + chance.randbytes(60000),
                        chance.randbytes(100_000)):
            mark = len(server.log())
            ours, theirs = socket.socketpair()
            ours.settimeout(10)
            pair.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                      array.array("i", [theirs.fileno()]))])
            theirs.close()
            assert ours.recv(100) == b"\x88\x02\x03\xe9" and ours.recv(1) == b""
            ours.close()
            server.wait_log("AW2144", mark)
        mark = len(server.log())
        pair.send(header + b"no descriptor")
        server.wait_log("AW2144: .*without a descriptor", mark)
        with open("/dev/null", "rb") as file:
            pair.sendmsg([header + b"\0" * 64], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                                  array.array("i", [file.fileno()] * 3))])
        server.wait_log("AW2144: .*without a connection", mark)
        peer.echo("undisturbed")
        assert server.children() == children
