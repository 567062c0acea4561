"""Edits of A1 files and restarts of the server: what is taken up, kept, and never lost.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import os
import re
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

import built
import digest

CONFIG = """
<Location "/">
    AuthType AuthWS
    AuthName "R"
    AuthWSUserFile conf/a1
    AuthWSThrottle Off
    Require valid-user
</Location>
"""
ALLOW = ["AW1002", "AW1003", "AH00045", "AH00046"]


def write(server, **users):
    """Writes the file in place, as an editor would."""
    path = server.conf / "a1"
    path.write_text("".join(digest.a1_line(user, "R", password)
                            for user, password in users.items()))
    server.protect(path)


def prepare(server):
    write(server, alice="old", bob="bob's")


@pytest.fixture
def fresh(start_server):
    """A server of the test's own, with the options it asks for."""
    def start(config=CONFIG, **options):
        return start_server(config, prepare=prepare, allow=ALLOW, **options)
    return start


def status(server, user="alice", password="old", connection=None):
    if connection:
        return digest.Client(user, password).get(connection, "/").status
    for _ in range(3):
        try:
            with server.connect() as own:
                return digest.Client(user, password).get(own, "/").status
        except ConnectionError:
            pass  # a child that is going may close between two requests: clients try again
    raise AssertionError("closed three times in a row")


def basic(server, user="alice", password="old"):
    pair = base64.b64encode(f"{user}:{password}".encode())
    return server.get("/", [b"Authorization: Basic " + pair]).status


def connections_to_children(server, wanted):
    """Open connections, each to another child process (prefork: one stays with its child)."""
    kept = []
    for _ in range(wanted):
        kept.append(server.connect())
        assert kept[-1].request("GET", "/").status == 401
    for _ in range(100):  # a request is logged after its answer
        pids = {line.split()[-1] for line in server.access().splitlines()}
        if len(pids) >= wanted:
            return kept
        time.sleep(0.02)
    raise AssertionError(f"{pids} instead of {wanted} children")


# --- edits ---

def test_who_was_removed_stays_out_when_the_next_edit_is_broken(fresh):
    server = fresh()
    assert [status(server) for _ in range(8)] == [200] * 8
    write(server, bob="bob's")
    time.sleep(0.5)  # and nobody asks any child meanwhile
    with open(server.conf / "a1", "a", encoding="utf-8") as file:
        file.write("broken\n")
    time.sleep(0.2)
    assert [status(server) for _ in range(20)] == [401] * 20
    assert [status(server, "bob", "bob's") for _ in range(8)] == [200] * 8


def test_a_file_that_is_empty_while_it_is_written_anew_locks_nobody_out(fresh):
    server = fresh()
    content = (server.conf / "a1").read_bytes()
    found = []
    for _ in range(3):
        with open(server.conf / "a1", "wb") as file:
            end = time.monotonic() + 0.15
            while time.monotonic() < end:
                found.append(status(server))
            file.write(content)
        time.sleep(0.1)
        found.append(status(server))
    assert set(found) == {200}, found


def credentials(client, scheme):
    pair = f"{client.user}:{client.password}".encode()
    return (client.authorization("GET", "/") if scheme == "Digest" else
            "Basic " + base64.b64encode(pair).decode())


@pytest.mark.parametrize("scheme", ["Basic", "Digest", "Digest On"])
def test_who_sends_slowly_makes_nobody_read_a_half_written_file(fresh, scheme):
    scheme, userhash = (scheme + " Off").split()[:2]
    server = fresh(CONFIG.replace("AuthWSThrottle Off", f"AuthWSScheme {scheme}\n"
                                  f"AuthWSUserhash {userhash}\nAuthWSThrottle Off"),
                   mpm="prefork")  # elsewhere a thread looks, and no request
    path = server.conf / "a1"
    content = path.read_bytes()
    found = []
    client = digest.Client("alice", "old")
    if scheme == "Digest":
        with server.connect() as connection:
            assert client.get(connection, "/").status == 200
    for _ in range(5):
        slow = socket.create_connection(("127.0.0.1", server.port))
        slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        time.sleep(0.3)
        with path.open("r+b") as file:  # what cp does
            file.truncate(0)
            time.sleep(0.03)
            slow.sendall(f"Authorization: {credentials(client, scheme)}\r\n\r\n".encode())
            slow.recv(100)
            slow.close()
            found += [basic(server) if scheme == "Basic" else status(server) for _ in range(4)]
            file.write(content)
        time.sleep(0.1)
    assert set(found) == {200}, found


def test_a_file_that_the_server_s_user_cannot_read_is_warned_about(fresh):
    server = fresh(start=False)
    if server.user is None:
        pytest.skip("only root can start a server whose user cannot read a file")
    (server.conf / "a1").chmod(0o600)
    server.start()
    server.wait_log("AW2081")

def test_an_edit_is_in_force_in_every_child_within_a_second(fresh):
    server = fresh(mpm="prefork")
    kept = connections_to_children(server, 5)
    assert [status(server, connection=c) for c in kept] == [200] * 5
    write(server, alice="new", carol="hers")
    time.sleep(0.9)
    assert [status(server, "alice", "new", c) for c in kept] == [200] * 5
    assert [status(server, "alice", "old", c) for c in kept] == [401] * 5
    assert [status(server, "carol", "hers", c) for c in kept] == [200] * 5
    assert [status(server, "bob", "bob's", c) for c in kept] == [401] * 5
    for connection in kept:
        connection.close()


def test_an_edit_by_the_tool_is_in_force_too(fresh):
    server = fresh()
    assert status(server) == 200
    subprocess.run([built.htdigest(), "-i", str(server.conf / "a1"), "R", "alice"],
                   input="renewed\n", text=True, check=True, capture_output=True)
    time.sleep(0.2)
    assert status(server, "alice", "renewed") == 200 and status(server) == 401
    subprocess.run([built.htdigest(), "-D", str(server.conf / "a1"), "R", "alice"], check=True,
                   capture_output=True)
    time.sleep(0.2)
    assert status(server, "alice", "renewed") == 401 and status(server, "bob", "bob's") == 200


def test_a_nonce_outlives_an_edit(fresh):
    server = fresh()
    client = digest.Client("alice", "old")
    with server.connect() as connection:
        assert client.get(connection, "/").status == 200
        nonce = client.challenge["nonce"]
        write(server, alice="new")
        time.sleep(0.2)
        client.password = "new"
        assert client.get(connection, "/").status == 200 and client.challenge["nonce"] == nonce


def test_a_broken_edit_keeps_the_last_good_one_and_is_logged_once(fresh):
    server = fresh()
    mark = len(server.log())
    (server.conf / "a1").write_text(digest.a1_line("alice", "R", "new") + "\nbob:R:rubbish\n")
    for _ in range(8):
        time.sleep(0.1)
        assert status(server) == 200 and status(server, "alice", "new") == 401
    lines = re.findall(r"AW1002: (.*)", server.log(mark))
    assert set(lines) == {f"{server.conf}/a1:4:7: " + lines[0].split(": ", 1)[1]}
    assert "the last good version stays in force" in lines[0]
    assert 1 <= len(lines) <= len(server.children()), "once in each child"
    write(server, alice="mended")
    time.sleep(0.2)
    assert status(server, "alice", "mended") == 200 and status(server) == 401


def test_a_file_that_goes_is_served_from_memory_until_it_comes_back(fresh):
    server = fresh()
    path = server.conf / "a1"
    away = server.conf / "away"
    mark = len(server.log())
    path.rename(away)
    for _ in range(6):
        time.sleep(0.1)
        assert status(server) == 200
    lines = re.findall(r"AW1003: .*conf/a1: No such file", server.log(mark))
    assert 1 <= len(lines) <= len(server.children())
    away.rename(path)
    time.sleep(0.2)
    assert status(server) == 200
    server.wait_log(r"AW1005: .*conf/a1: back, and unchanged|AW1004: .*conf/a1: read again", mark)
    path.unlink()
    time.sleep(0.2)
    assert status(server) == 200
    write(server, alice="another")
    time.sleep(0.2)
    assert status(server, "alice", "another") == 200 and status(server) == 401


def test_a_file_the_children_may_not_read_keeps_the_last_good_version(fresh):
    server = fresh()
    if os.geteuid() != 0:
        pytest.skip("needs a server started by root")
    write(server, alice="secret")
    os.chmod(server.conf / "a1", 0o600)
    os.chown(server.conf / "a1", 0, 0)
    time.sleep(0.2)
    assert status(server) == 200
    server.wait_log(r"AW1003: .*conf/a1: Permission denied")


def test_nobody_is_refused_while_the_file_is_edited(fresh):
    server = fresh()
    stop = threading.Event()
    seen = []

    def work():
        client = digest.Client("bob", "bob's")
        with server.connect() as connection:
            while not stop.is_set():
                seen.append(client.get(connection, "/").status)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for i in range(15):
        subprocess.run([built.htdigest(), "-i", str(server.conf / "a1"), "R", "alice"],
                       input=f"{i}\n", text=True, check=True, capture_output=True)
        time.sleep(0.06)
    stop.set()
    for thread in threads:
        thread.join()
    assert len(seen) > 100 and set(seen) == {200}
    time.sleep(0.1)
    assert status(server, "alice", "14") == 200


# --- restarts ---

@pytest.mark.parametrize("how", ["graceful", "restart"])
def test_nonces_and_used_counts_outlive_a_restart(fresh, how):
    server = fresh()
    client = digest.Client("alice", "old")
    client.challenge = digest.pick(server.get("/"))
    fields = [[("Authorization", client.authorization("GET", "/", nc=nc))] for nc in range(1, 6)]
    for generation in range(4):
        assert server.get("/", fields[generation]).status == 200
        getattr(server, how)()
        for used in fields[:generation + 1]:
            answer = server.get("/", used)
            assert answer.status == 401 and digest.pick(answer)["stale"] == "true"
    assert server.get("/", fields[4]).status == 200


def test_after_a_stop_and_start_old_nonces_are_stale(fresh):
    server = fresh()
    client = digest.Client("alice", "old")
    client.challenge = digest.pick(server.get("/"))
    server.stop()
    server.start()
    answer = server.get("/", [("Authorization", client.authorization("GET", "/"))])
    assert answer.status == 401 and digest.pick(answer)["stale"] == "true"
    assert status(server) == 200


def test_with_a_secret_file_a_replay_from_before_a_stop_is_stale(start_server):
    def more(server):
        prepare(server)
        server.secret("secret", "the secret of this server\n")

    server = start_server("AuthWSSecretFile conf/secret\n" + CONFIG, prepare=more, allow=ALLOW)
    client = digest.Client("alice", "old")
    client.challenge = digest.pick(server.get("/"))
    field = [("Authorization", client.authorization("GET", "/"))]
    assert server.get("/", field).status == 200
    server.stop()
    server.start()
    answer = server.get("/", field)
    assert answer.status == 401 and digest.pick(answer)["stale"] == "true"


def test_a_new_secret_at_a_restart_is_taken_up(start_server):
    def more(server):
        prepare(server)
        server.secret("secret", "the secret of this server\n")

    server = start_server("AuthWSSecretFile conf/secret\n" + CONFIG, prepare=more, allow=ALLOW)
    client = digest.Client("alice", "old")
    client.challenge = digest.pick(server.get("/"))
    server.secret("secret", "another, because that one is known\n")
    server.graceful()
    answer = server.get("/", [("Authorization", client.authorization("GET", "/"))])
    assert answer.status == 401 and digest.pick(answer)["stale"] == "true"


def test_more_shared_memory_waits_for_a_start_and_says_so(fresh):
    server = fresh("AuthWSSharedMemory 1M\n" + CONFIG)
    client = digest.Client("alice", "old")
    client.challenge = digest.pick(server.get("/"))
    field = [("Authorization", client.authorization("GET", "/"))]
    assert server.get("/", field).status == 200
    server.template = server.template.replace("1M", "2M")
    server.write()
    mark = len(server.log())
    server.graceful()
    server.wait_log("AW2003", mark)
    assert server.get("/", field).status == 401 and status(server) == 200


def test_the_configuration_of_the_new_generation_is_in_force(fresh):
    server = fresh()
    assert len(digest.challenges(server.get("/"))) == 2
    server.template = server.template.replace("AuthWSThrottle Off",
                                              "AuthWSThrottle Off\nAuthWSAlgorithm MD5")
    server.write()
    server.graceful()
    assert [c["algorithm"] for c in digest.challenges(server.get("/"))] == ["MD5"]


def test_restarts_under_load_lose_nothing(fresh):
    server = fresh()
    stop = threading.Event()
    failures, done = [], []

    def work(number):
        client = digest.Client("alice", "old")
        client.challenge = digest.pick(server.get("/"))
        while not stop.is_set():
            try:
                # A connection each: one that is kept may be closed as the request is sent.
                field = client.authorization("GET", "/")
                answer = server.get("/", [("Authorization", field), "Connection: close"])
            except OSError as error:
                failures.append(error)
                continue
            done.append(answer.status)
            if answer.status != 200:
                failures.append((number, answer))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        time.sleep(0.4)
        server.graceful()
    time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    assert len(done) > 200


def resources(server):
    """Descriptors and shared mappings of the parent process."""
    process = Path("/proc") / str(server.process.pid)
    maps = (process / "maps").read_text().splitlines()
    return (len(list((process / "fd").iterdir())),
            sum(1 for line in maps if line.split()[1][3] == "s"))


def test_restarts_leave_nothing_behind(fresh):
    server = fresh()
    server.graceful()
    before = resources(server)
    for _ in range(5):
        assert status(server) == 200
        server.graceful()
    assert resources(server) == before


def test_a_child_killed_at_any_time_takes_nobody_with_it(fresh):
    server = fresh()
    client = digest.Client("alice", "old")
    client.challenge = digest.pick(server.get("/"))
    used = []
    for _ in range(3):
        field = [("Authorization", client.authorization("GET", "/"))]
        assert server.get("/", field).status == 200
        used.append(field)
        for child in server.children():
            try:
                os.kill(child, 9)
            except ProcessLookupError:
                pass
        time.sleep(0.2)
        for old in used:
            assert server.get("/", old).status == 401
