"""WebSockets of AuthWSService echo on the real httpd: handshakes, messages, limits, what is logged.

Over ws and wss, on the event MPM (taken away from httpd), and on worker and prefork (in a worker
thread each).
SPDX-License-Identifier: Apache-2.0
"""
import re
import time

import pytest

import digest
import tls
import ws

USER = ("alice", "sesame")
LOGIN = """
    AuthType AuthWS
    AuthName "R"
    AuthWSUserFile conf/a1
    Require valid-user
"""
PLACES = {
    "open": "",
    "live": LOGIN,
    "bob": LOGIN.replace("valid-user", "user bob"),
    "chat": "AuthWSProtocol v2.chat chat\nHeader always set X-Always yes\n"
            "Header add Set-Cookie a=1\nHeader add Set-Cookie b=2",
    "small": "AuthWSMaxMessage 1000\nAuthWSMaxFrame 600",
    "plain": "AuthWSDeflate Off",
    "alone": "AuthWSDeflate no-context-takeover",
    "two": LOGIN + "AuthWSUserConnections 2",
    "others": "AuthWSOrigin https://portal.example.com https://*.example.org",
    "any": "AuthWSOrigin any",
    "same": "AuthWSOrigin same",
    "buffer": "AuthWSSendBuffer 64K\nAuthWSPing 1s 1s",
    "files": "",
    "files/off": LOGIN + "AuthWSService Off",
}
CONFIG = """
LogFormat "%U %>s %{authws-scheme}n %{authws-result}n %{authws-close}n %{authws-in}n \
%{authws-out}n %{authws-seconds}n" notes
CustomLog logs/ws.log notes
Timeout 3
""" + "".join(f"""
<Location "/{place}">
    AuthWSService echo
    {directives}
</Location>
""" for place, directives in PLACES.items()) + tls.host()
MODULES = tls.MODULES
ALLOW = ["AH01631: user alice: authorization failure for \"/bob\""]


def prepare(server):
    server.secret("a1", digest.a1_line("alice", "R", "sesame") + digest.a1_line("bob", "R", "b"))
    tls.certificate(server)
    server.page("files/page.html", "a page\n")
    server.page("files/off/page.html", "off\n")


class Site:
    """One server, reached in one way."""

    def __init__(self, server, secure):
        self.server, self.secure = server, secure
        self.blocking = server.mpm != "event"

    def connect(self):
        return tls.Connection(self.server) if self.secure else self.server.connect()

    def open(self, path, user=None, **options):
        return ws.open_socket(self.connect(), path, user, **options)

    def handshake(self, path, user=None, **options):
        with self.connect() as connection:
            return ws.handshake(connection, path, user, **options)

    def origin(self):
        return f"https://127.0.0.1:{self.server.ports[1]}" if self.secure else \
            f"http://127.0.0.1:{self.server.port}"


@pytest.fixture(scope="module", params=["event", "worker", "prefork"])
def server(request, start_server):
    return start_server(CONFIG, prepare=prepare, mpm=request.param, modules=MODULES,
                        allow=ALLOW)


@pytest.fixture(params=["ws", "wss"])
def site(server, request):
    return Site(server, request.param == "wss")


# --- the handshake ---

def test_who_may_have_the_page_gets_the_socket(site):
    mark = len(site.server.log())
    socket = site.open("/live", USER)
    assert socket.echo("hello") == "hello"
    assert socket.answer.get("Authentication-Info"), socket.answer
    assert socket.answer.get("Sec-WebSocket-Protocol") is None
    assert socket.close(1000, "bye") == (1000, "")
    where = "worker thread" if site.blocking else "compressed\n"
    site.server.wait_log(rf'AW2102: WebSocket opened: user "alice", /live,[^\n]*{where}', mark)
    site.server.wait_log(r'AW2110: WebSocket closed: user "alice" at 127.0.0.1:\d+, /live, '
                         r'scheme Digest: code 1000, 5 bytes in, 5 bytes out, 0 s', mark)


def test_who_may_not_gets_challenges_or_403(site):
    answer = site.handshake("/live")
    assert answer.status == 401 and len(answer.all("WWW-Authenticate")) == 2
    assert site.handshake("/live", ("alice", "wrong")).status == 401
    assert site.handshake("/bob", USER).status == 401
    assert site.handshake("/bob", ("bob", "b")).status == 101


@pytest.mark.parametrize("change", [
    {"key": "short"}, {"key": "x" * 24}, {"connection": "keep-alive"}, {"connection": None},
    {"method": "POST"}, {"more": [("Content-Length", "5")]},
    {"more": [("Transfer-Encoding", "chunked")]},
    {"more": [("Sec-WebSocket-Extensions", "permessage-deflate; =")]},
    {"more": [("Sec-WebSocket-Protocol", "a b")]},
    {"more": [("Sec-WebSocket-Protocol", "a, a")]},
    {"more": [("Sec-WebSocket-Version", "13")]},
], ids=str)
def test_a_wrong_handshake_gets_400_and_the_connection_ends(site, change):
    with site.connect() as connection:
        if "POST" in change.values() or "Content-Length" in str(change):
            change = {**change, "more": change.get("more", []) + [("X", "y")]}
        connection.send_request(change.get("method", "GET"), "/open", ws.headers(
            **{k: v for k, v in change.items() if k != "method"}))
        answer = connection.response()
        assert answer.status == 400, answer
        assert answer.get("Connection").lower() == "close"
        # What stands behind it is never taken for a request.
        try:
            connection.send(b"GET /files/page.html HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"a page" not in connection.read_all()
        except OSError:
            pass


def test_another_version_gets_426_and_the_right_one(site):
    for version in ("8", "12", "130", "x"):
        answer = site.handshake("/open", version=version)
        assert answer.status == 426, version
        assert answer.get("Sec-WebSocket-Version") == "13"
        assert answer.get("Upgrade") == "websocket"


def test_a_page_of_another_site_gets_403(site):
    mine = site.origin()
    expected = {
        ("/open", mine): 101, ("/open", None): 101, ("/open", "null"): 403,
        ("/open", "https://evil.example"): 403, ("/open", mine.replace("127.0.0.1", "x")): 403,
        ("/same", mine): 101, ("/same", None): 403,
        ("/others", "https://portal.example.com"): 101, ("/others", "https://a.example.org"): 101,
        ("/others", mine): 403, ("/others", "http://portal.example.com"): 403,
        ("/any", "https://evil.example"): 101,
    }
    for (path, origin), status in expected.items():
        more = [("Origin", origin)] if origin else []
        assert site.handshake(path, more=more).status == status, (path, origin)
    site.server.wait_log(r'AW2101: WebSocket refused with 403: origin \\?"https://evil.example')


def test_the_subprotocol_is_the_first_of_ours_that_is_offered(site):
    for offered, chosen in (("chat, v2.chat", "v2.chat"), ("other,chat", "chat"), ("other", None)):
        answer = site.handshake("/chat", more=[("Sec-WebSocket-Protocol", offered)])
        assert answer.status == 101
        assert answer.get("Sec-WebSocket-Protocol") == chosen, offered
    answer = site.handshake("/chat", more=[("Sec-WebSocket-Protocol", b"chat\tx")])
    assert answer.status == 400


def test_the_answer_carries_what_modules_have_set(site):
    answer = site.handshake("/chat")
    assert answer.get("X-Always") == "yes"
    assert answer.all("Set-Cookie") == ["a=1", "b=2"]
    assert answer.get("Server").startswith("Apache") and answer.get("Date")
    assert answer.get("Content-Length") is None and answer.get("Transfer-Encoding") is None


# --- requests that are none ---

def test_what_is_no_handshake_is_left_to_other_handlers(site):
    with site.connect() as connection:
        answer = connection.request("GET", "/files/page.html")
        assert (answer.status, answer.text) == (200, "a page\n")
        assert connection.request("GET", "/index.html").status == 200
        answer = connection.request("GET", "/open")
        assert answer.status == 426 and answer.get("Upgrade") == "websocket"
        assert "upgrade" in ",".join(answer.all("Connection")).lower()
        assert connection.request("HEAD", "/open").status == 426
        assert connection.request("OPTIONS", "/open").status == 200
        assert connection.request("GET", "/missing").status == 404


def test_a_section_may_be_switched_off(site):
    with site.connect() as connection:
        client = digest.Client(*USER)
        assert client.get(connection, "/files/off/page.html").text == "off\n"
        assert client.get(connection, "/files/off/page.html",
                          headers=ws.headers()).text == "off\n"


# --- messages ---

def test_messages_come_back_as_they_were(site):
    socket = site.open("/open")
    for message in ("", "a", "ü€😀", "x" * 125, "x" * 126, "x" * 65535, "x" * 65536, "y" * 500000,
                    b"", b"\0\xff", bytes(range(256)) * 3000):
        assert socket.echo(message) == message
    assert socket.close() == (1000, "")


def test_fragments_and_pings_between_them(site):
    socket = site.open("/open")
    socket.send_raw(ws.frame(ws.TEXT, "Hel", fin=False) + ws.frame(ws.PING, b"p") +
                    ws.frame(ws.CONT, "lo ", fin=False) + ws.frame(ws.CONT, "you"))
    assert socket.read_frame() == (ws.PONG, True, 0, b"p")
    assert socket.receive() == "Hello you"
    assert socket.close(None) == (1005, "")


def test_the_close_code_comes_back(site):
    for code in (1000, 1001, 1003, 1011, 3000, 4999):
        assert site.open("/open").close(code, "why") == (code, "")


@pytest.mark.parametrize("data,code", [
    (ws.frame(ws.TEXT, "x", mask=False), 1002), (ws.frame(ws.TEXT, "x", rsv=2), 1002),
    (ws.frame(3, "x"), 1002), (ws.frame(ws.CONT, "x"), 1002),
    (ws.frame(ws.PING, "x" * 126), 1002), (ws.frame(ws.PING, "x", fin=False), 1002),
    (ws.frame(ws.TEXT, b"\xc0\x80"), 1007), (ws.close_frame(1005), 1002),
    (ws.close_frame(999), 1002), (ws.frame(ws.BINARY, b"", length=2 ** 63 - 1), 1009),
    (ws.frame(ws.BINARY, b"", length=2 ** 63), 1002),
], ids=lambda value: repr(value)[:12])
def test_what_breaks_the_rules_is_failed_with_its_code(site, data, code):
    socket = site.open("/open")
    socket.send_raw(data)
    assert socket.receive()[0] == code
    assert socket.connection.closed()
    socket.connection.close()


def test_limits_of_messages_and_frames(site):
    socket = site.open("/small")
    assert socket.echo("x" * 600) == "x" * 600
    socket.send_raw(ws.frame(ws.TEXT, "x" * 500, fin=False) + ws.frame(ws.CONT, "x" * 500))
    assert socket.receive() == "x" * 1000
    socket.send_raw(ws.frame(ws.TEXT, "x" * 500, fin=False) + ws.frame(ws.CONT, "x" * 501))
    assert socket.receive()[0] == 1009
    socket.connection.close()
    socket = site.open("/small")
    socket.send("x" * 601)
    assert socket.receive()[0] == 1009
    socket.connection.close()


def test_compression_is_negotiated_and_used(site):
    offer = [("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")]
    for path, answered in (("/open", True), ("/plain", False), ("/alone", True)):
        socket = site.open(path, more=offer)
        assert socket.deflate is answered
        for _ in range(3):
            assert socket.echo("abc" * 5000) == "abc" * 5000
        if answered:
            socket.send_deflated("packed " * 100)
            opcode, _, rsv, data = socket.read_frame()
            assert (opcode, rsv) == (ws.TEXT, 4) and len(data) < 100
        assert socket.close() == (1000, "")
    assert "no_context_takeover" in site.handshake("/alone", more=offer).get(
        "Sec-WebSocket-Extensions")


def test_a_bomb_is_ended_before_it_goes_off(site):
    socket = site.open("/open", more=[("Sec-WebSocket-Extensions", "permessage-deflate")])
    socket.send_deflated(b"\0" * 10_000_000, ws.BINARY)
    assert socket.receive()[0] == 1009
    socket.connection.close()


# --- what one client may do to others ---

def test_a_user_has_no_more_than_he_may(site):
    held = [site.open("/two", USER) for _ in range(2)]
    assert site.handshake("/two", USER).status == 429
    other = site.open("/two", ("bob", "b"))
    assert other.echo("mine") == "mine"
    assert [socket.echo("on") for socket in held] == ["on"] * 2
    assert held.pop().close() == (1000, "")
    for _ in range(100):  # its ending is counted a moment later
        answer = site.handshake("/two", USER)
        if answer.status != 429:
            break
        time.sleep(0.02)
    assert answer.status == 101
    for socket in [*held, other]:
        socket.close()
    site.server.wait_log(r'refused with 429: user \\?"alice\\?" has 2 WebSockets open')
    time.sleep(0.1)  # for the next test's count


def test_a_reader_that_never_reads_is_ended_and_costs_nobody_else(site):
    mark = len(site.server.log())
    lazy, other = site.open("/buffer"), site.open("/open")
    lazy.connection.socket.settimeout(0.2)
    sent = 0
    try:
        for _ in range(2000):
            lazy.send(b"z" * 60000)
            sent += 60000
    except (TimeoutError, OSError):
        pass
    assert sent < 100_000_000, "everything was taken from a client that reads nothing"
    assert other.echo("quick") == "quick"
    site.server.wait_log(r"AW2110: .*/buffer, scheme none: code 1006", mark)
    assert other.close() == (1000, "")
    lazy.connection.close()


def test_a_client_that_has_vanished_is_noticed_by_ping(site):
    mark = len(site.server.log())
    socket = site.open("/buffer")
    assert socket.read_frame()[0] == ws.PING
    site.server.wait_log(r"AW2110: .*/buffer, scheme none: code 1006", mark)
    socket.connection.close()


# --- what is logged ---

def test_the_access_log_knows_the_scheme_and_in_a_worker_thread_the_end(site):
    log = site.server.logs / "ws.log"
    mark = len(log.read_text())
    socket = site.open("/live", USER)
    socket.echo("12345")
    socket.close(4001, "")
    end = r"4001 5 5 0" if site.blocking else r"- - - -"
    for _ in range(100):
        if re.search(rf"^/live 101 Digest \S+ {end}$", log.read_text()[mark:], re.M):
            return
        time.sleep(0.02)
    raise AssertionError(log.read_text()[mark:])


# --- the end of a worker thread's sockets ---

@pytest.mark.parametrize("mpm", ["worker", "prefork"])
def test_a_graceful_restart_ends_those_in_worker_threads_with_1001(start_server, mpm):
    server = start_server(CONFIG, prepare=prepare, mpm=mpm, modules=MODULES)
    socket = Site(server, False).open("/open")
    assert socket.echo("a") == "a"
    server.graceful()
    assert socket.receive()[0] == 1001
    assert socket.connection.closed() or True
    socket.connection.close()
    after = Site(server, False).open("/open")
    assert after.echo("b") == "b"
    after.close()


def test_worker_threads_are_left_for_pages(start_server):
    server = start_server(CONFIG + "ThreadsPerChild 4\nServerLimit 1\nMaxRequestWorkers 4\n"
                          "StartServers 1\nMinSpareThreads 1\n",
                          prepare=prepare, mpm="worker", modules=MODULES)
    site = Site(server, False)
    held = [site.open("/open") for _ in range(3)]
    answer = site.handshake("/open")
    assert answer.status == 503 and answer.get("Retry-After")
    assert server.get("/index.html").status == 200
    assert [socket.echo("on") for socket in held] == ["on"] * 3
    for socket in held:
        socket.close()
    server.wait_log("AW2120")


# --- mistakes in the configuration ---

@pytest.mark.parametrize("line,words", [
    ("AuthWSService nothing", ['"nothing" is not a service', "echo, "]),
    ("AuthWSService echo more", ['"more" is too much']),
    ("AuthWSService", ["nothing is given", "echo"]),
    ("AuthWSOrigin portal.example.com", ['"portal.example.com"', "same, any, none-ok"]),
    ("AuthWSProtocol a,b", ['"a,b" cannot be a subprotocol']),
    ("AuthWSProtocol a b a", ['"a" is given twice']),
    ("AuthWSMaxMessage 2G", ['"2G" is out of range', "1 to 1G"]),
    ("AuthWSMaxFrame 10", ['"10" is out of range', "125 to 1G"]),
    ("AuthWSPing often", ['"often" is not a time']),
    ("AuthWSPing 1s 2s 3s", ['"3s" is too much']),
    ("AuthWSDeflate level=10", ['"10" is not a number from 1 to 9']),
    ("AuthWSDeflate window=8", ['"8" is not a number from 9 to 15']),
    ("AuthWSDeflate fast", ['"fast" is not known', "level=1..9"]),
    ("AuthWSDeflate Off level=1", ["Off stands alone", '"level=1"']),
    ("AuthWSService Off echo", ['"echo" is too much', "Off stands alone"]),
    ("AuthWSMaxMessage", ["a size, 1 to 1G"]),
    ("AuthWSMaxFrame", ["a size, 125 to 1G"]),
    ("AuthWSSendBuffer", ["a size, 4K to 1G"]),
    ("AuthWSDeflate min=", ['"" is not a size']),
    ("AuthWSSendBuffer 1K", ['"1K" is out of range', "4K to 1G"]),
    ("AuthWSUserConnections 0", ['"0" is not a number from 1 to 65535']),
    ("AuthWSReactorThreads 65", ['"65" is not a number from 1 to 64']),
    ("AuthWSDrainTimeout 0", ['"0" is out of range', "1s to 1h"]),
])
def test_a_mistake_is_found_at_configtest_with_its_word(start_server, line, words):
    inside = line.split()[0] not in ("AuthWSReactorThreads", "AuthWSDrainTimeout")
    server = start_server(f'<Location "/x">\n{line}\n</Location>' if inside else line,
                          start=False)
    status, said = server.configtest()
    assert status != 0
    for word in [line.split()[0], "on line", *words]:
        assert word in said, said


def test_every_directive_s_values_are_taken(start_server):
    server = start_server("""
        AuthWSReactorThreads 2
        AuthWSDrainTimeout 2m
        <Location "/x">
        AuthWSService Off
        AuthWSOrigin same any none-ok https://a.example http://b.example:8080
        AuthWSProtocol None
        AuthWSMaxMessage 16M
        AuthWSMaxFrame 125
        AuthWSPing Off
        AuthWSDeflate On level=1 window=9 min=0 no-context-takeover
        AuthWSSendBuffer 4K
        AuthWSUserConnections Off
        </Location>
        """, start=False)
    assert server.configtest()[0] == 0
