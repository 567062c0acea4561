"""The precomputed index beside an A1 file: used, outdated by an edit, made anew, shared.

SPDX-License-Identifier: Apache-2.0
"""
import re
import subprocess
import time

import pytest

import built
import digest

CONFIG = """
<Location "/">
    AuthType AuthWS
    AuthName "R"
    AuthWSUserFile conf/a1
    AuthWSThrottle Off
    AuthWSUserhash On
    Require valid-user
</Location>
"""


def write(server, **users):
    path = server.conf / "a1"
    path.write_text("".join(digest.a1_line(user, "R", password)
                            for user, password in users.items()))
    server.protect(path)


def index(server):
    subprocess.run([built.htdigest(), "--index", str(server.conf / "a1")], check=True,
                   capture_output=True)


def status(server, user="alice", password="old"):
    with server.connect() as connection:
        return digest.Client(user, password).get(connection, "/").status


@pytest.fixture
def served(start_server):
    """A server that found an index when it started."""
    def prepare(server):
        write(server, alice="old")
        index(server)
    return start_server(CONFIG, prepare=prepare, allow=["AW1002"])


def test_users_are_found_in_the_index(served):
    assert re.search(r"AW1051: .*conf/a1: served from its index, 1 users", served.log())
    assert [status(served) for _ in range(4)] == [200] * 4
    assert status(served, "alice", "wrong") == status(served, "nobody") == 401
    mapped = [child for child in served.children() for line in open(f"/proc/{child}/maps",
              encoding="utf-8") if "/conf/a1.idx" in line]
    assert sorted(mapped) == sorted(served.children())


def test_an_edit_is_in_force_without_the_index_and_with_a_new_one(served):
    mark = len(served.log())
    write(served, alice="new")
    time.sleep(0.2)
    assert [status(served, "alice", "new") for _ in range(8)] == [200] * 8
    assert status(served) == 401
    lines = re.findall(r"AW1050: (.*)", served.log(mark))
    assert len(lines) == 1 and "authws-htdigest --index" in lines[0], lines
    assert len(re.findall("AW1004", served.log(mark))) == 1
    mark = len(served.log())
    index(served)
    served.wait_log("AW1051", mark)
    assert [status(served, "alice", "new") for _ in range(8)] == [200] * 8


def test_a_damaged_index_changes_nothing(served):
    path = served.conf / "a1.idx"
    damaged = served.conf / "damaged"
    content = path.read_bytes()
    mark = len(served.log())
    damaged.write_bytes(content[:300])
    served.protect(damaged)
    damaged.rename(path)
    served.wait_log("AW1050.*cut short", mark)
    assert [status(served) for _ in range(8)] == [200] * 8
    # Its header is right, and nothing behind it.
    damaged.write_bytes(content[:256] + bytes(len(content) - 256))
    served.protect(damaged)
    damaged.rename(path)
    time.sleep(0.2)
    assert {status(served) for _ in range(8)} == {401}
    write(served, alice="new")
    time.sleep(0.2)
    assert [status(served, "alice", "new") for _ in range(8)] == [200] * 8
    served.restart()
    assert status(served, "alice", "new") == 200


def test_one_child_reads_a_version_for_all(start_server):
    server = start_server(CONFIG, mpm="prefork", prepare=lambda s: write(s, alice="old"),
                          allow=["AW1002"])
    assert {status(server) for _ in range(20)} == {200}
    mark = len(server.log())
    write(server, alice="new")
    time.sleep(0.2)
    assert {status(server, "alice", "new") for _ in range(20)} == {200}
    assert len(re.findall("AW1004", server.log(mark))) == 1
    write(server, alice="newer")
    with (server.conf / "a1").open("a", encoding="utf-8") as file:
        file.write("broken\n")
    time.sleep(0.2)
    assert {status(server, "alice", "new") for _ in range(20)} == {200}
    assert len(re.findall("AW1002", server.log(mark))) == 1
