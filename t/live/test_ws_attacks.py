"""What has broken other WebSocket servers, each line against a real one.

Bounds in time and memory are generous: they tell "held" from "not held" and measure nothing.
SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import select
import socket
import threading
import time
import zlib

import pytest

import conftest
import digest
import fleet
import ws
import ws_talk
from ws import BINARY, CLOSE, CONT, PING, PONG, TEXT
from ws_talk import Compression, binary, close, closing, pong, text

CONFIG = ws_talk.config("""
RequestReadTimeout header=2 body=2
<Location "/echo">
    AuthWSService echo
    AuthWSProtocol v2.echo v1.echo
</Location>
<Location "/brief">
    AuthWSService echo
    AuthWSPing 1s 1s
    AuthWSSendBuffer 64K
</Location>
<Location "/vast">
    AuthWSService echo
    AuthWSMaxMessage 1G
    AuthWSMaxFrame 1G
</Location>
<Location "/login">
    AuthType AuthWS
    AuthName "attacks"
    AuthWSUserFile @CONF@/users.a1
    Require valid-user
    AuthWSService echo
</Location>
""")
MODULES = [*ws_talk.MODULES, "reqtimeout"]

f = ws.frame
BYE, GONE, BAD, INVALID, TOO_BIG = closing(), close(1000), close(1002), close(1007), close(1009)
MIB = 1024  # of what fleet.private_kib counts


def prepare(server):
    ws_talk.tls.certificate(server)
    conftest.make_a1(server, "users.a1", "attacks", {"alice": "sesame"})
    server.page("secret.html", "secret\n")


@pytest.fixture(scope="module", params=ws_talk.TRANSPORTS)
def talk(request, server):
    opener = ws_talk.Opener(request.param, server)
    yield opener
    opener.close()


def memory(server):
    return fleet.private_kib(server.children())


def still_serves(talk):
    """Nobody else has noticed anything."""
    talk.judge(f(TEXT, "somebody else") + BYE, [text("somebody else"), GONE])
    assert talk.server.get("/").status == 200


# --- frames ---

def test_unmasked_client_frames(talk):
    for opcode in (TEXT, BINARY, PING, PONG, CLOSE):
        talk.judge(f(TEXT, "one") + f(opcode, b"", mask=False), [text("one"), BAD])


def test_reserved_bits_and_opcodes(talk):
    for sent in (f(TEXT, "x", rsv=1), f(TEXT, "x", rsv=2), f(TEXT, "x", rsv=4), f(3), f(7, "x"),
                 f(11), f(15, "x")):
        talk.judge(f(TEXT, "one") + sent, [text("one"), BAD])


def test_fragmented_or_oversized_control_frames(talk):
    for opcode in (PING, PONG, CLOSE):
        talk.judge(f(opcode, b"\x03\xe8", fin=False), [BAD])
        talk.judge(f(opcode, b"x" * 126), [BAD])
        talk.judge(f(opcode, b"", length=1 << 40), [BAD])


def test_lengths_not_minimal_or_with_the_top_bit_set(talk):
    for length in (b"\xfe\0\x7d", b"\xff" + b"\0" * 6 + b"\xff\xff", b"\xff\x80" + b"\0" * 7,
                   b"\xff" * 9):
        for first in (b"\x81", b"\x82", b"\x02"):
            talk.judge(first + length + b"mask", [BAD])


@pytest.mark.parametrize("path", ["/echo", "/vast"])
def test_a_declared_length_of_2_63_minus_1_allocates_nothing(talk, path):
    still_serves(talk)
    before = memory(talk.server)
    for _ in range(50):
        talk.judge(f(BINARY, b"x", length=(1 << 63) - 1), [TOO_BIG], path=path)
        talk.judge(f(TEXT, "x", fin=False) + f(CONT, b"x", length=(1 << 63) - 1), [TOO_BIG],
                   path=path)
    assert memory(talk.server) - before < 3 * MIB


def test_a_gigabyte_that_is_allowed_and_only_declared_allocates_nothing(talk):
    still_serves(talk)
    before = memory(talk.server)
    # Five at most in an HTTP/2 connection, one of them somebody else's.
    talks = [talk(path="/vast") for _ in range(20 if talk.transport != "h2" else 4)]
    for t in talks:
        t.send(f(PING, b"p") + f(BINARY, b"the first bytes of it", length=(1 << 30) - 1))
        t.expect(pong(b"p"))
    assert memory(talk.server) - before < 10 * MIB
    still_serves(talk)
    for t in talks:
        t.connection.close()


def test_invalid_utf_8_at_any_split(talk):
    data = "ü€😀".encode() + b"\xed\xa0\x80"
    for at in range(len(data)):
        talk.judge(f(TEXT, data[:at], fin=False) + f(CONT, data[at:]), [INVALID])


def test_close_codes_out_of_range(talk):
    for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535):
        talk.judge(closing(code), [BAD])


def test_data_after_close(talk):
    talk.judge(closing(1000) + f(TEXT, "late") * 100 + f(PING) + b"\xff" * 1000, [GONE])
    talk.judge(f(3) + f(TEXT, "late") * 100, [BAD])


def test_a_peer_that_never_ends_its_sending_after_the_close(server):
    """It is discarded for as long as a close may take, and then nobody listens any more."""
    talk = ws_talk.Opener("ws", server)
    with talk() as t:
        t.send(closing(1000))
        t.expect(GONE)
        with pytest.raises(OSError):
            end = time.monotonic() + 20
            while time.monotonic() < end:
                t.connection.socket.send(b"x" * 1000)
                time.sleep(0.05)


# --- compression ---

def bomb(size):
    c = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (c.compress(b"\0" * size) + c.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_a_decompression_bomb(talk):
    """10 MB of zeros in 10 kB"""
    packed = bomb(10_000_000)
    assert len(packed) < 10_500
    still_serves(talk)
    before = memory(talk.server)
    marks = []
    for _ in range(3):
        for opcode in (BINARY, TEXT) * 10:
            talk.judge(f(opcode, packed, rsv=4), [TOO_BIG], extensions="permessage-deflate",
                       compression=Compression())
        marks.append(memory(talk.server))
    talk.judge(f(BINARY, packed[:5000], rsv=4, fin=False) + f(CONT, packed[5000:]), [TOO_BIG],
               extensions="permessage-deflate", compression=Compression())
    # Each thread of mod_http2 has once what one message may take.
    assert max(marks) - before < (8 if talk.transport != "h2" else 50) * MIB, (before, marks)


def test_the_state_of_context_takeover_does_not_grow(talk):
    c = Compression()
    with talk(extensions="permessage-deflate", compression=c) as t:
        def exchange(n):
            for i in range(n):
                data = b"%d " % i + os.urandom(200).hex().encode()
                t.send(f(TEXT, c.pack(data), rsv=4))
                t.expect(text(data))
        exchange(200)
        before = memory(talk.server)
        exchange(2000)
        assert memory(talk.server) - before < 3 * MIB
        t.send(BYE)
        t.expect(GONE)


# --- those who do not read, or hardly send ---

def flood(connection, data, seconds=1.0):
    """Sends until nothing is taken for a while; how much was."""
    connection.socket.setblocking(False)
    sent = 0
    while sent < len(data):
        if not select.select([], [connection.socket], [], seconds)[1]:
            break
        try:
            sent += connection.socket.send(data[sent:sent + 65536])
        except BlockingIOError:
            pass
        except OSError:
            break
    return sent


def test_a_reader_that_never_reads(server):
    talk = ws_talk.Opener("ws", server)
    still_serves(talk)
    before = memory(server)
    data = f(BINARY, b"x" * 60000) * 400
    mark = len(server.log())
    talks = [talk(path="/brief") for _ in range(5)]
    for t in talks:
        assert flood(t.connection, data, 0.2) < len(data), "all of it was taken"
    assert memory(server) - before < 5 * MIB
    still_serves(talk)
    # Whoever takes nothing does not answer pings either.
    end = time.monotonic() + 30
    while len(re.findall("AW2110.*code 1006", server.log(mark))) < 5:
        assert time.monotonic() < end, server.log(mark)
        time.sleep(0.1)
    for t in talks:
        t.connection.close()


@pytest.mark.parametrize("transport", ["ws", "wss"])
def test_slowloris_before_the_upgrade(server, transport):
    """A byte now and then of a handshake: RequestReadTimeout ends it, and nobody waits."""
    talk = ws_talk.Opener(transport, server)
    slow = [talk.below() for _ in range(40)]
    request = b"GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Up"
    for connection in slow:
        connection.send(request[:10])
    still_serves(talk)
    at, end = 10, time.monotonic() + 20
    waiting = {c.socket: c for c in slow}
    while waiting and time.monotonic() < end:
        for sock in select.select(list(waiting), [], [], 0.3)[0]:
            waiting.pop(sock)  # an answer, or the end
        for connection in waiting.values():
            try:
                connection.send(request[at % len(request):][:1])
            except OSError:
                pass
        at += 1
    assert not waiting, f"{len(waiting)} are still being listened to"
    for connection in slow:
        connection.close()


@pytest.mark.parametrize("transport", ["ws", "wss"])
def test_slowloris_after_the_upgrade(server, transport):
    """A byte now and then of a frame is no sign of life."""
    talk = ws_talk.Opener(transport, server)
    slow = [talk(path="/brief") for _ in range(20)]
    mark = len(server.log())
    frame = f(TEXT, "x" * 100)
    still_serves(talk)
    at, end = 0, time.monotonic() + 30
    while time.monotonic() < end and \
            len(re.findall("AW2110.*a ping was not answered in time", server.log(mark))) < len(slow):
        for t in slow:
            try:
                t.send(frame[at:at + 1])
            except OSError:
                pass
        at += 1
        time.sleep(0.2)
    assert len(re.findall("AW2110.*a ping was not answered in time", server.log(mark))) == len(slow)
    for t in slow:
        t.connection.close()


def test_a_hundred_thousand_pings(server):
    """Nobody else waits, the last is answered, and nothing is kept of those in between."""
    talk = ws_talk.Opener("ws", server)
    still_serves(talk)
    before = memory(server)
    count = 100_000
    data = b"".join(f(PING, b"%06d" % i, mask=b"\1\2\3\4") for i in range(count))
    with talk() as t:
        writer = threading.Thread(target=t.send, args=(data,), daemon=True)
        writer.start()
        still_serves(talk)
        last = -1
        while last < count - 1:
            kind, payload = t.event()
            assert kind == "pong" and int(payload) > last
            last = int(payload)
        t.send(f(TEXT, "after them") + BYE)
        t.expect(text("after them"), GONE)
    assert memory(server) - before < 4 * MIB


def test_a_hundred_thousand_pings_of_a_client_that_does_not_read(server):
    talk = ws_talk.Opener("ws", server)
    still_serves(talk)
    before = memory(server)
    with talk() as t:
        flood(t.connection, f(PING, b"p" * 125, mask=b"\1\2\3\4") * 100_000, 0.3)
        still_serves(talk)
        assert memory(server) - before < 4 * MIB


# --- handshakes ---

def test_cross_site_handshakes(server):
    port = server.port
    own = f"http://127.0.0.1:{port}"
    for origin in ("https://evil.example", "null", f"https://127.0.0.1:{port}",
                   "http://127.0.0.1", f"http://127.0.0.1:{port}.evil.example",
                   f"http://evil.example:{port}", f"{own}@evil.example", f"{own}/", f"{own},",
                   f"{own} {own}", f"http://127.0.0.1.evil.example:{port}", "http://", "*", "",
                   f"http://other:{port}", f"{own}0", f"http://localhost:{port}"):
        with server.connect() as connection:
            answer = ws.handshake(connection, "/echo", more=[("Origin", origin)])
            assert answer.status == 403, (origin, answer)
            assert connection.closed()
    with server.connect() as connection:
        answer = ws.handshake(connection, "/echo", more=[("Origin", own), ("Origin", "https://x")])
        assert answer.status == 403
    for origin in (own, own.upper()):
        with server.connect() as connection:
            assert ws.handshake(connection, "/echo", more=[("Origin", origin)]).status == 101


def test_a_cross_site_handshake_with_good_credentials(server):
    """What a browser would send for a page of somebody else's"""
    with server.connect() as connection:
        answer = ws.handshake(connection, "/login", ("alice", "sesame"),
                              more=[("Origin", "https://evil.example")])
        assert answer.status == 403
    with server.connect() as connection:
        assert ws.handshake(connection, "/login", ("alice", "sesame")).status == 101


@pytest.mark.parametrize("value", [
    b"v1.echo\r\n Set-Cookie: a=b", b"v1.echo\n\tSet-Cookie: a=b", b"v1.echo\rSet-Cookie: a=b",
    b"v1.echo\0", b"v1 echo", b"v1.echo; a=b", b'"v1.echo"', b"v1.echo,", b",v1.echo", b"",
    b"v1.echo,,v2.echo", b"v1.echo, v1.echo", b"v1.echo\xc3\xbc", b"v1.echo:x", b"<v1>",
    b", ".join(b"p%d" % i for i in range(1000))])
def test_header_injection_through_the_subprotocol(server, value):
    with server.connect() as connection:
        key = "dGhlIHNhbXBsZSBub25jZQ=="
        connection.send_request("GET", "/echo", [*ws.headers(key),
                                                 b"Sec-WebSocket-Protocol: " + value])
        answer = connection.response()
        assert answer.status == 400, answer
        assert not answer.get("Set-Cookie") and not answer.get("Sec-WebSocket-Protocol")


def test_the_subprotocol_in_the_answer_is_the_servers_own(server):
    for offered, answered in (("v1.echo, v2.echo", "v2.echo"), ("x, v1.echo", "v1.echo"),
                              ("V1.ECHO", None), ("v1.ech", None), ("x", None)):
        with server.connect() as connection:
            answer = ws.handshake(connection, "/echo",
                                  more=[("Sec-WebSocket-Protocol", offered)])
            assert answer.status == 101
            assert answer.all("Sec-WebSocket-Protocol") == ([answered] if answered else [])


INNER = b"GET /secret.html HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("more", [
    [("Content-Length", str(len(INNER)))], [("Transfer-Encoding", "chunked")],
    [("Content-Length", "1")]], ids=["length", "chunked", "short length"])
def test_smuggling_in_the_body_of_a_handshake(server, more):
    before = server.access().count("secret")
    with server.connect() as connection:
        connection.send_request("GET", "/echo", [*ws.headers(), *more])
        try:
            connection.send(INNER)
            connection.send(INNER)
        except OSError:
            pass
        answer = connection.response()
        assert answer.status == 400
        try:
            assert connection.read_all() == b""
        except ConnectionResetError:
            pass
    assert server.access().count("secret") == before


@pytest.mark.parametrize("fields, status", [
    (ws.headers(version="8"), 426), (ws.headers("short"), 400),
    ([*ws.headers(), ("Origin", "https://evil.example")], 403),
    ([*ws.headers(), ("Sec-WebSocket-Protocol", "a,a")], 400),
    ([*ws.headers(), ("Sec-WebSocket-Extensions", "@")], 400)],
    ids=["version", "key", "origin", "subprotocol", "extension"])
def test_a_request_behind_a_refused_handshake_is_not_answered(server, fields, status):
    """Somebody in between may think that the protocol was switched, and let it pass unseen."""
    before = server.access().count("secret")
    with server.connect() as connection:
        lines = b"".join(f"{k}: {v}\r\n".encode() for k, v in fields)
        connection.send(b"GET /echo HTTP/1.1\r\nHost: localhost\r\n" + lines + b"\r\n" + INNER)
        assert connection.response().status == status
        try:
            assert connection.read_all() == b""
        except ConnectionResetError:
            pass
    assert server.access().count("secret") == before


def test_a_request_behind_a_101_is_no_request(talk):
    before = talk.server.access().count("secret")
    if talk.transport == "h2":
        talk.judge(INNER, [BAD])
    else:
        lines = "".join(f"{k}: {v}\r\n" for k, v in ws.headers()).encode()
        connection = talk.below()
        connection.send(b"GET /echo HTTP/1.1\r\nHost: localhost\r\n" + lines + b"\r\n" + INNER)
        assert connection.response().status == 101
        with ws_talk.Talk(connection) as t:
            t.expect(BAD)
    with talk() as t:
        t.send(f(TEXT, "one"))
        t.expect(text("one"))
        t.send(INNER)
        t.expect(BAD)
    assert talk.server.access().count("secret") == before


@pytest.mark.parametrize("method, version, status", [
    ("POST", "1.1", 400), ("PUT", "1.1", 400), ("GET", "1.0", 400), ("HEAD", "1.1", 400)])
def test_a_handshake_that_is_no_get_of_http_1_1(server, method, version, status):
    with server.connect() as connection:
        lines = "".join(f"{k}: {v}\r\n" for k, v in ws.headers()).encode()
        connection.send(f"{method} /echo HTTP/{version}\r\nHost: localhost\r\n".encode() + lines +
                        b"\r\n" + INNER)
        assert connection.response(method).status == status
        assert b"secret" not in connection.read_all()


def test_a_login_is_needed_before_anything_is_switched(server):
    with server.connect() as connection:
        answer = ws.handshake(connection, "/login")
        assert answer.status == 401 and digest.challenges(answer)
        assert not answer.get("Sec-WebSocket-Accept")
    with server.connect() as connection:
        assert ws.handshake(connection, "/login", ("alice", "wrong")).status == 401


def test_the_socket_of_a_client_that_resets_is_given_back(server):
    talk = ws_talk.Opener("ws", server)
    still_serves(talk)
    pids = server.children()
    before = fleet.descriptors(pids)
    for i in range(200):
        t = talk()
        if i % 2:
            t.send(f(TEXT, "x" * 100, length=1000))
        t.connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        t.connection.close()
    end = time.monotonic() + 10
    while fleet.descriptors(pids) > before and time.monotonic() < end:
        time.sleep(0.05)
    assert fleet.descriptors(pids) <= before
    talk.judge(f(BINARY, b"x") + BYE, [binary(b"x"), GONE])
