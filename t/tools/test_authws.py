"""authws bench digest: what it says of servers that do well, and of servers that do not.

SPDX-License-Identifier: Apache-2.0

The server is a small one of our own that can be told to misbehave, and to send its answers in any
pieces.
"""
import hashlib
import json
import os
import re
import socket
import subprocess
import threading
from pathlib import Path

import pytest

TOOL = os.environ.get("AUTHWS_PROGRAM") or str(
    Path(os.environ.get("AUTHWS_BUILDDIR") or Path(__file__).resolve().parents[2])
    / "tools" / "authws")
USER, PASSWORD = "alice", "open sesame"


def run(*args, password=None, expect=0):
    done = subprocess.run([TOOL, *map(str, args)], capture_output=True, text=True, timeout=60,
                          input=None if password is None else password + "\n",
                          stdin=subprocess.DEVNULL if password is None else None, check=False)
    assert done.returncode == expect, (done.returncode, done.stdout, done.stderr)
    return done


def h(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Server:
    """Digest, SHA-256, in a thread a connection. Attributes say what it does."""

    def __init__(self, **how):
        self.accept_replays = self.never_satisfied = self.wrong_rspauth = False
        self.no_login = self.close_always = False
        self.forget_after = 0  # counts of a nonce; above: stale
        self.nextnonce_every = 0
        self.refuse_after = 0  # accepted requests; above: 401, not stale
        self.body = lambda: (b"Content-Length: 3\r\n", b"in\n")
        self.pieces = 0  # bytes of each; 0: all at once
        self.swallow = 0  # so many answers are never sent; the connection ends instead
        self.before = b""  # an interim answer
        self.qop = "auth"
        vars(self).update(how)
        self.lock = threading.Lock()
        self.nonces, self.seen, self.fields = {}, 0, []
        self.accepted = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/page?a=1"
        threading.Thread(target=self.listen, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def listen(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        buffer = b""
        with connection:
            while True:
                while b"\r\n\r\n" not in buffer:
                    try:
                        data = connection.recv(65536)
                    except OSError:
                        return
                    if not data:
                        return
                    buffer += data
                head, buffer = buffer.split(b"\r\n\r\n", 1)
                with self.lock:
                    self.seen += 1
                    answer = self.answer(head.decode())
                    lose, self.swallow = self.swallow > 0, max(0, self.swallow - 1)
                if lose:
                    return
                size = self.pieces or len(answer)
                for i in range(0, len(answer), size):
                    connection.sendall(answer[i:i + size])
                if self.close_always or b"close" in head:
                    return

    def challenge(self, stale):
        nonce = f"nonce{len(self.nonces)}"
        self.nonces[nonce] = set()
        # Other challenges around it, in one field.
        return (f'WWW-Authenticate: Basic realm="r, s", Digest realm="r", nonce="{nonce}", '
                f'qop="{self.qop}", algorithm=SHA-256{", stale=true" if stale else ""}, '
                f'Newer x="1"\r\n')

    def answer(self, head):
        field = re.search(r"^Authorization: Digest (.*?)\r?$", head, re.M | re.S)
        if self.no_login:
            return self.before + b"HTTP/1.1 200 OK\r\n" + b"".join(
                [self.body()[0], b"\r\n", self.body()[1]])
        lines, status = "", "401 Unauthorized"
        if not field:
            lines = self.challenge(False)
        else:
            self.fields.append(field.group(1))
            sent = dict((n, q or t) for n, q, t in re.findall(
                r'(\w+)=(?:"([^"]*)"|([^,\s]+))', field.group(1).split("\r\n")[0]))
            status, lines = self.judge(sent, head.split()[1])
        fields, body = self.body()
        return (self.before + f"HTTP/1.1 {status}\r\n{lines}".encode() + fields + b"\r\n" + body)

    def judge(self, sent, target):
        a1 = h(f"{USER}:r:{PASSWORD}")
        tail = f"{sent['nonce']}:{sent['nc']}:{sent['cnonce']}:auth:"
        right = (sent["response"] == h(f"{a1}:{tail}{h('GET:' + target)}")
                 and sent["uri"] == target and sent["nonce"] in self.nonces)
        if not right or self.never_satisfied or 0 < self.refuse_after <= self.accepted:
            return "401 Unauthorized", self.challenge(False)
        counts = self.nonces[sent["nonce"]]
        if (sent["nc"] in counts and not self.accept_replays) or \
                0 < self.forget_after <= len(counts):
            return "401 Unauthorized", self.challenge(True)
        counts.add(sent["nc"])
        self.accepted += 1
        rspauth = h(f"{a1}:{tail}{h(':' + target)}")
        info = f'Authentication-Info: qop=auth, rspauth="{rspauth}"'
        if self.wrong_rspauth:
            info = info.replace(rspauth, "0" * 64)
        if self.nextnonce_every and self.accepted % self.nextnonce_every == 0:
            fresh = f"nonce{len(self.nonces)}"
            self.nonces[fresh] = set()
            info += f', nextnonce="{fresh}"'
        return "200 OK", info + "\r\n"


def bench(server, *args, expect=0, password=PASSWORD):
    who = () if "--flood" in args else ("-u", USER)
    return json.loads(run("bench", "digest", "--json", *who, *args, server.url, expect=expect,
                          password=None if "--flood" in args else password).stdout)


def test_a_login_then_calls_under_its_nonce():
    with Server() as server:
        said = bench(server, "-n", 50)
        assert said["status"] == {"200": 50, "401": 1}
        assert (said["calls"], said["accepted"], said["first_challenges"]) == (50, 50, 1)
        assert said["requests"] == server.seen == 51
        assert said["connects"] == 1 and said["rspauth_missing"] == 0
        assert list(server.nonces.values()) == [{f"{n:08x}" for n in range(1, 51)}]


def test_each_connection_is_a_client_unless_they_share():
    with Server() as server:
        assert bench(server, "-c", 4, "-n", 40)["first_challenges"] == 4
        assert bench(server, "-c", 4, "-n", 40, "--share")["first_challenges"] == 1
        assert bench(server, "-c", 6, "--clients", 2, "-n", 40, "--share")["first_challenges"] == 2
        assert bench(server, "-c", 6, "-t", 3, "-n", 41)["calls"] == 41


def test_shuffled_counts_are_all_sent_and_none_twice():
    with Server() as server:
        said = bench(server, "-c", 4, "-n", 300, "--share", "--shuffle", 32, "--seed", 7)
        assert said["stale"] == 0
        sent = [re.search(r"nc=(\w+)", field).group(1) for field in server.fields]
        counts = [int(n, 16) for n in sent]
        assert len(set(counts)) == 300 and counts != sorted(counts)
        low = 1  # the oldest not yet seen: nothing is sent 32 or more above it
        for i, count in enumerate(counts):
            while low in counts[:i]:
                low += 1
            assert count < low + 32


def test_nextnonce_is_followed_and_stale_is_no_refusal():
    with Server(nextnonce_every=10) as server:
        said = bench(server, "-n", 95)
        assert (said["nextnonces"], said["stale"], said["first_challenges"]) == (9, 0, 1)
    with Server(forget_after=10) as server:
        said = bench(server, "-n", 95)
        assert (said["stale"], said["false_401"], said["first_challenges"]) == (9, 0, 1)
        assert said["calls"] == said["accepted"] == 95


def test_replays_are_sent_and_refused():
    with Server() as server:
        said = bench(server, "-c", 3, "-n", 100, "--share", "--replay", 100)
        assert said["replays"] >= 95 and said["accepted_replays"] == 0
        assert said["stale"] == 0 and said["calls"] == said["accepted"] == 100
        assert said["status"] == {"200": 100, "401": 1 + said["replays"]}


def test_of_two_at_once_one_is_accepted():
    with Server() as server:
        said = bench(server, "-c", 4, "-n", 100, "--share", "--race", 50)
        assert said["replays"] > 10 and said["accepted_replays"] == 0
        assert said["calls"] == 100 and said["stale"] == 0
        assert all(len(set(counts)) == len(counts) for counts in server.nonces.values())


@pytest.mark.parametrize("how", ["--replay", "--race"])
def test_an_accepted_replay_ends_in_status_1(how):
    with Server(accept_replays=True) as server:
        assert bench(server, "-c", 2, "-n", 50, "--share", how, 50, expect=1)["accepted_replays"] > 5


def test_right_credentials_refused_end_in_status_1():
    with Server(refuse_after=20) as server:
        said = bench(server, "-n", 50, expect=1)
        assert (said["accepted"], said["false_401"], said["refused"]) == (20, 30, 0)


def test_a_wrong_password_is_told_from_a_false_401():
    with Server() as server:
        said = bench(server, "-n", 5, password="wrong", expect=1)
        assert (said["accepted"], said["false_401"], said["refused"]) == (0, 0, 5)


def test_a_wrong_rspauth_ends_in_status_1():
    with Server(wrong_rspauth=True) as server:
        assert bench(server, "-n", 10, expect=1)["rspauth_mismatches"] == 10


def test_a_flood_sends_no_credentials():
    with Server() as server:
        said = bench(server, "--flood", "-c", 3, "-n", 100)
        assert said["status"] == {"401": 100} and said["calls"] == 100
        assert server.fields == []


def test_a_lost_answer_is_asked_for_again_with_a_new_count():
    with Server() as server:
        bench(server, "-n", 1)
        server.swallow = 3
        said = bench(server, "-c", 2, "-n", 40)
        assert said["lost"] == 3 and said["calls"] == 40 and said["stale"] == 0


def test_connections_are_renewed_when_asked_and_when_the_server_ends_them():
    with Server() as server:
        assert bench(server, "-n", 29, "--reconnect", 10)["connects"] == 3
    with Server(close_always=True, before=b"") as server:
        server.body = lambda: (b"Content-Length: 3\r\nConnection: keep-alive, Close\r\n", b"in\n")
        said = bench(server, "-n", 20)
        assert (said["connects"], said["lost"], said["calls"]) == (21, 0, 20)


def test_a_client_logs_in_again_when_asked():
    with Server() as server:
        assert bench(server, "-n", 30, "--relogin", 3)["first_challenges"] == 10


def test_clients_call_once_in_an_interval():
    with Server() as server:
        said = bench(server, "--clients", 5, "--interval", 0.2, "-n", 15)
        assert said["calls"] == 15 and said["first_challenges"] == 5
        assert said["seconds"] >= 0.39  # the third round is due by then, and not before


BODIES = {
    "length": (b"Content-Length: 11\r\n", b"hello world"),
    "empty": (b"Content-Length: 0\r\n", b""),
    "chunks": (b"Transfer-Encoding: chunked\r\n",
               b"5\r\nhello\r\n006;x=y\r\n world\r\n0\r\nTrailer: t\r\n\r\n"),
    "chunks of hex": (b"transfer-encoding: gzip, Chunked\r\nContent-Length: 4\r\n",
                      b"1A\r\n" + b"x" * 26 + b"\r\n0\r\n\r\n"),
    "long": (b"Content-Length: 70000\r\n", b"y" * 70000),
}


@pytest.mark.parametrize("pieces", [0, 1, 7])
@pytest.mark.parametrize("body", list(BODIES))
def test_answers_may_come_in_any_pieces(body, pieces):
    if pieces == 1 and body == "long":
        pieces = 1400
    with Server(pieces=pieces) as server:
        server.body = lambda: BODIES[body]
        said = bench(server, "-n", 10)
        assert said["status"] == {"200": 10, "401": 1}
        assert said["connects"] == 1 and said["bad_answers"] == said["lost"] == 0


def test_a_body_may_end_with_the_connection():
    with Server(close_always=True) as server:
        server.body = lambda: (b"", b"hello")
        said = bench(server, "-n", 5)
        assert said["connects"] == 6 and said["bad_answers"] == said["lost"] == 0


def test_an_interim_answer_is_passed_over():
    with Server(before=b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", pieces=3) as server:
        assert bench(server, "-n", 5)["status"] == {"200": 5, "401": 1}


@pytest.mark.parametrize("said", ids=range(9), argvalues=[
    b"HTTP/2 200 OK\r\n\r\n", b"HTTP/1.1 2x0 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n", b"garbage\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy", b"HTTP/1.1 200 " + b"x" * 9000,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 20 + b"\r\n"])
def test_what_is_no_http_is_counted_and_asked_for_again(said):
    with Server() as server:
        honest, lies = server.answer, [said] * 2
        server.answer = lambda head: lies.pop() if lies else honest(head)
        counted = bench(server, "-n", 5)
        assert counted["bad_answers"] == 2 and counted["calls"] == counted["accepted"] == 5


def test_an_open_page_is_a_call_without_a_login():
    with Server(no_login=True) as server:
        said = bench(server, "-n", 7)
        assert said["calls"] == 7 and said["status"] == {"200": 7}


def test_a_challenge_nobody_can_answer_is_counted():
    with Server() as server:
        assert bench(server, "-n", 3, "--algorithm", "MD5")["bad_answers"] == 3
    with Server(qop="auth-int") as server:
        said = run("bench", "digest", "-u", USER, "-n", "3", server.url, expect=3,
                   password=PASSWORD)
        assert "cannot be answered" in said.stderr


def test_a_server_that_never_answers_is_waited_for_so_long():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        said = json.loads(run("bench", "digest", "--json", "--flood", "-T", 1.2, "--timeout", 0.5,
                              f"http://127.0.0.1:{deaf.getsockname()[1]}/").stdout)
        assert said["requests"] == 0 and said["timeouts"] >= 1


def test_many_users_take_turns(tmp_path):
    file = tmp_path / "users"
    file.write_text(f"{USER}:{PASSWORD}\nbob:no: password\r\n\n")
    with Server() as server:
        said = json.loads(run("bench", "digest", "--json", "--users", file, "--clients", 4, "-n",
                              40, "--interval", 0.01, server.url, expect=1).stdout)
        assert said["refused"] > 0 and said["accepted"] > 0 and said["false_401"] == 0
        assert {re.search(r'username="(\w+)"', f).group(1) for f in server.fields} == {USER, "bob"}


def test_the_password_comes_from_a_file_or_standard_input_never_from_the_arguments(tmp_path):
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\nmore\n")
    with Server() as server:
        run("bench", "digest", "-u", USER, "--password-file", file, "-n", 2, server.url)
        run("bench", "digest", "-u", USER, "-n", 2, server.url, password=PASSWORD)
        assert "no password" in run("bench", "digest", "-u", USER, server.url, expect=2).stderr
        file.write_text("")
        run("bench", "digest", "-u", USER, "--password-file", file, server.url, expect=3)


def test_the_server_s_cpu_and_memory_are_told():
    with Server() as server:
        said = bench(server, "-n", 2000, "--pid", os.getpid())
        assert said["after"]["cpu_s"] > said["before"]["cpu_s"]
        assert said["cpu_us_per_request"] > 0
        assert said["before"]["private_kib"] > 1000 and said["before"]["processes"] >= 1
        assert "a process named" in run("bench", "digest", "--flood", "--pid", 2 ** 22 + 1,
                                        server.url, expect=3).stderr


def test_latencies_are_in_order_and_people_can_read_them():
    with Server() as server:
        found = bench(server, "-c", 4, "-n", 500)["latency"]
        assert 0 < found["p50_ms"] <= found["p90_ms"] <= found["p99_ms"] <= found["p999_ms"] \
            <= found["max_ms"]
        text = run("bench", "digest", "-u", USER, "-n", 5, server.url, password=PASSWORD).stdout
        for word in ("requests", "p99.9", "200: 5 401: 1", "first challenges", "accepted replays",
                     "false 401s", "rspauth mismatches", "connection errors"):
            assert word in text


def test_help_and_version_are_there_and_mistakes_are_told():
    assert "bench digest" in run("--help").stdout
    assert re.match(r"authws \S+\n$", run("--version").stdout)
    said = run("bench", "digest", "--help").stdout
    for option in ("--user", "--users", "--flood", "--clients", "--requests", "--time", "--share",
                   "--connections", "--interval", "--reconnect", "--relogin", "--shuffle",
                   "--replay", "--race", "--algorithm", "--pid", "--json", "--password-file"):
        assert option in said
    url = "http://localhost/"
    for wrong in ([], ["bench"], ["frobnicate", "x"], ["bench", "digest"],
                  ["bench", "digest", url], ["bench", "digest", "--flood"],
                  ["bench", "digest", "--flood", "-u", "a", url],
                  ["bench", "digest", "--flood", url, url],
                  ["bench", "digest", "--flood", "-n", "0", url],
                  ["bench", "digest", "--flood", "-n", "-1", url],
                  ["bench", "digest", "--flood", "-n", "1x", url],
                  ["bench", "digest", "--flood", "-n", "1", "-T", "1", url],
                  ["bench", "digest", "--flood", "-T", "nan", url],
                  ["bench", "digest", "--flood", "--replay", "101", url],
                  ["bench", "digest", "--flood", "--shuffle", "9999", url],
                  ["bench", "digest", "--flood", "--algorithm", "SHA-3", url],
                  ["bench", "digest", "--flood", "-t", "2", url],
                  ["bench", "digest", "--flood", "ftp://localhost/"],
                  ["bench", "digest", "--flood", "http://"],
                  ["bench", "digest", "--flood", 'http://localhost/"'],
                  ["bench", "digest", "--frobnicate", url]):
        assert run(*wrong, expect=2).stderr
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    run("bench", "digest", "--flood", f"http://127.0.0.1:{port}/", expect=3)
    run("bench", "digest", "--users", "/nowhere", url, expect=3)
