"""Nonces across servers, restarts and time: what one secret on several nodes is good for.

SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import struct
import time

import pytest

import digest

CONFIG = """
AuthWSSecretFile conf/secret
<Location "/">
    AuthType AuthWS
    AuthName "Intranet"
    AuthWSUserFile conf/intranet.a1
    AuthWSNonceLifetime 10m
    Require valid-user
</Location>
"""
ALONE = CONFIG.replace("AuthWSSecretFile conf/secret\n", "")
SECRET = "one secret for all the nodes\n"
MAGIC = 0x617574687773a1e0


def with_secret(secret):
    def prepare(server):
        server.secret("intranet.a1", digest.a1_line("alice", "Intranet", "sesame"))
        server.secret("secret", secret)
    return prepare


@pytest.fixture(scope="module")
def nodes(start_server):
    """Two servers with one secret; its final line end is no part of it."""
    return [start_server(CONFIG, prepare=with_secret(SECRET)),
            start_server(CONFIG, prepare=with_secret(SECRET.rstrip()))]


def challenge_of(server):
    answer = server.get("/")
    assert answer.status == 401
    return digest.pick(answer)


def send(server, challenge, nc):
    fields = digest.Client("alice", "sesame").fields("GET", "/", challenge, nc=nc)
    return server.get("/", [("Authorization", digest.Client.field(fields))])


def is_stale(answer):
    return answer.status == 401 and all(
        c.get("stale") == "true" for c in digest.challenges(answer))


def next_nonce(answer):
    return digest.params(answer.get("Authentication-Info")).get("nextnonce")


def next_generation(server):
    """A graceful restart, and the end of the children that were there: they accept for a while."""
    before = set(server.children())
    server.graceful()
    end = time.monotonic() + 20
    while before & set(server.children()):
        assert time.monotonic() < end, "the children of the generation before stay"
        time.sleep(0.05)


def test_the_answer_to_one_nodes_challenge_may_arrive_at_another(nodes):
    a, b = nodes
    assert send(b, challenge_of(a), 1).status == 200
    assert send(a, challenge_of(b), 1).status == 200


def test_a_nonce_used_elsewhere_is_stale(nodes):
    a, b = nodes
    challenge = challenge_of(a)
    assert send(a, challenge, 1).status == 200
    assert is_stale(send(b, challenge, 2))
    assert is_stale(send(b, challenge, 3))
    assert send(a, challenge, 2).status == 200


def test_between_nodes_only_a_first_request_can_be_replayed_and_only_once(nodes):
    a, b = nodes
    challenge = challenge_of(a)
    fields = [digest.Client("alice", "sesame").fields("GET", "/", challenge, nc=nc)
              for nc in (1, 2, 3)]
    recorded = [[("Authorization", digest.Client.field(f))] for f in fields]
    assert [a.get("/", r).status for r in recorded] == [200, 200, 200]
    assert [b.get("/", r).status for r in recorded] == [200, 401, 401]
    assert all(is_stale(node.get("/", r)) for node in nodes for r in recorded)


def test_a_client_that_goes_from_node_to_node_is_challenged_once(nodes):
    challenge = challenge_of(nodes[0])
    for turn in range(20):
        answer = send(nodes[(turn + 1) % 2], challenge, 1)
        assert answer.status == 200
        challenge = {**challenge, "nonce": next_nonce(answer)}


def test_a_client_that_stays_keeps_its_nonce(nodes):
    challenge = challenge_of(nodes[0])
    for nc in range(1, 20):
        answer = send(nodes[0], challenge, nc)
        assert answer.status == 200
        assert next_nonce(answer) is None


def test_another_secret_means_stale_and_no_more(nodes, start_server):
    other = start_server(CONFIG, prepare=with_secret("quite another secret"))
    challenge = challenge_of(nodes[0])
    assert is_stale(send(other, challenge, 1))
    assert is_stale(send(nodes[1], challenge_of(other), 1))
    alone = start_server(ALONE, prepare=with_secret(SECRET))
    assert is_stale(send(alone, challenge, 1))


def test_a_node_that_starts_anew_takes_nothing_from_before(start_server):
    a = start_server(CONFIG, prepare=with_secret(SECRET))
    b = start_server(CONFIG, prepare=with_secret(SECRET))
    of_a, of_b = challenge_of(a), challenge_of(b)
    assert send(b, of_a, 1).status == 200
    assert send(b, of_b, 1).status == 200
    b.stop()
    b.start()
    assert is_stale(send(b, of_a, 1))
    assert is_stale(send(b, of_b, 1))
    assert is_stale(send(b, of_b, 2))
    assert send(b, challenge_of(a), 1).status == 200


@pytest.mark.parametrize("config", [CONFIG, ALONE], ids=["file", "random"])
def test_nonces_and_their_counts_live_on_in_the_next_generation(start_server, config):
    server = start_server(config, prepare=with_secret(SECRET))
    challenge = challenge_of(server)
    assert send(server, challenge, 1).status == 200
    for nc in (2, 3):
        next_generation(server)
        assert send(server, challenge, nc).status == 200
        assert is_stale(send(server, challenge, nc))
        assert is_stale(send(server, challenge, 1))
    assert next_nonce(send(server, challenge, 4)) is None  # it is still the same node


def test_a_new_secret_costs_one_round_trip_that_nobody_sees(start_server):
    server = start_server(CONFIG, prepare=with_secret(SECRET))
    client = digest.Client("alice", "sesame")
    with server.connect() as connection:
        assert client.get(connection, "/").status == 200
    challenge = client.challenge
    server.secret("secret", "the secret of another year\n")
    assert send(server, challenge, 2).status == 200  # read at a restart, not before
    next_generation(server)
    assert is_stale(send(server, challenge, 3))
    with server.connect() as connection:
        assert client.get(connection, "/").status == 200


def other_version(server):
    """Makes the running server's segment one of another version, through the kernel: the server
    itself has it read-only."""
    folder = f"/proc/{server.process.pid}/map_files"
    try:
        names = os.listdir(folder)
    except PermissionError:
        pytest.skip("not allowed to look into another process")
    for name in names:
        try:
            file = os.open(f"{folder}/{name}", os.O_RDWR)
        except OSError:
            continue
        try:
            if os.pread(file, 8, 0) == struct.pack("=Q", MAGIC):
                layout = struct.unpack("=I", os.pread(file, 4, 8))[0]
                os.pwrite(file, struct.pack("=I", layout + 1), 8)
                return
        except OSError:
            continue
        finally:
            os.close(file)
    pytest.skip("the segment cannot be opened from outside")


def test_a_segment_of_another_version_is_refused_with_a_clear_line(start_server):
    server = start_server(CONFIG, prepare=with_secret(SECRET))
    challenge = challenge_of(server)
    assert send(server, challenge, 1).status == 200
    other_version(server)
    mark = len(server.log())
    next_generation(server)
    line = re.search(r".*AW2002: .*", server.log(mark))
    assert line and "clients will be challenged once more" in line.group(0), server.log(mark)
    assert is_stale(send(server, challenge, 1))
    assert is_stale(send(server, challenge, 2))
    assert send(server, challenge_of(server), 1).status == 200
