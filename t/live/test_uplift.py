"""AuthWSUplift: a password seen in clear brings a stronger value into the file, and nothing else.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import fcntl
import os
import re
import shutil
import subprocess
import threading
import time
from urllib.parse import urlencode

import pytest

import built
import digest

CONFIG = """
<Location "/">
    AuthType AuthWS
    AuthName "R"
    AuthWSScheme Digest Basic
    AuthWSAlgorithm @ALGORITHMS@
    AuthWSUserFile @FILES@
    AuthWSUplift On
    Require valid-user
</Location>
<Location "/off">
    AuthWSUplift Off
</Location>
<Location "/provider">
    AuthType Basic
    AuthBasicProvider authws
</Location>
<Location "/login">
    SetHandler form-login-handler
    AuthType form
    AuthFormProvider authws
    Session On
    SessionCookieName session path=/
</Location>
"""
MODULES = ["auth_form", "session", "session_cookie", "request"]


def own(server, name, text):
    """A file in a folder of the server's user, who may change both."""
    folder = server.conf / "own"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o640)
    if server.user:
        shutil.chown(folder, server.user, server.group)
        shutil.chown(path, server.user, server.group)
    return path


@pytest.fixture
def fresh(start_server):
    """A server over files `own/NAME` with the given texts."""
    def start(algorithms="SHA-256 MD5", mpm="event", **files):
        files = files or {"a1": "# kept\n" + "".join(
            digest.a1_line(f"user{i}", "R", f"pass{i}", ["MD5"]) for i in range(60)) + "# end"}
        config = CONFIG.replace("@ALGORITHMS@", algorithms).replace(
            "@FILES@", " ".join(f"conf/own/{name}" for name in files))

        def prepare(server):
            for name, text in files.items():
                own(server, name, text)
        return start_server(config, prepare=prepare, mpm=mpm, modules=MODULES,
                            allow=["AH01617", "AH01618"])
    return start


def basic(server, user, password, uri="/"):
    pair = f"{user}:{password}".encode()
    return server.get(uri, [b"Authorization: Basic " + base64.b64encode(pair)]).status


def by_digest(server, user, password, algorithm):
    with server.connect() as connection:
        return digest.Client(user, password, algorithm).get(connection, "/").status


def text(server, name="a1"):
    return (server.conf / "own" / name).read_text(encoding="utf-8")


def stored(server, mark=0):
    """Users for whom the log says that a value was stored."""
    return re.findall(r'AW2092: uplift: user "([^"]*)", realm "R": a value in \S+ stored in',
                      server.log(mark))


def wait_stored(server, user, mark=0):
    server.wait_log(f'AW2092: uplift: user "{user}", realm "R": a value in .* stored in .*/own/',
                    mark)
    time.sleep(0.3)  # until every child has read the file again


@pytest.mark.parametrize("mpm", ["event", "prefork"])
@pytest.mark.parametrize("algorithms, wanted", [
    ("SHA-256 MD5", "SHA-256"), ("MD5 SHA-512-256 SHA-256", "SHA-512-256")])
def test_a_login_by_basic_stores_the_strongest_algorithm(fresh, mpm, algorithms, wanted):
    server = fresh(algorithms, mpm)
    before = text(server)
    mode = (server.conf / "own" / "a1").stat()
    assert by_digest(server, "user7", "pass7", wanted) == 401
    assert basic(server, "user7", "pass7") == 200
    wait_stored(server, "user7")
    old = digest.a1_line("user7", "R", "pass7", ["MD5"])
    assert text(server) == before.replace(old, digest.a1_line("user7", "R", "pass7",
                                                              ["MD5", wanted]))
    for algorithm in (wanted, "MD5"):
        assert by_digest(server, "user7", "pass7", algorithm) == 200
        assert by_digest(server, "user7", "wrong", algorithm) == 401
    assert basic(server, "user7", "pass7") == 200
    now = (server.conf / "own" / "a1").stat()
    assert (now.st_mode, now.st_uid, now.st_gid) == (mode.st_mode, mode.st_uid, mode.st_gid)
    assert "pass7" not in server.log()


@pytest.mark.parametrize("mpm", ["event", "prefork"])
def test_fifty_logins_at_once_are_one_edit(fresh, mpm):
    server = fresh(mpm=mpm)
    threads = [threading.Thread(target=basic, args=(server, "user1", "pass1")) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_stored(server, "user1")
    time.sleep(1)
    assert stored(server) == ["user1"]
    assert text(server).count("user1:R:") == 2


@pytest.mark.parametrize("mpm", ["event", "prefork"])
def test_many_users_at_once_all_get_theirs_in_the_end(fresh, mpm):
    server = fresh(mpm=mpm)
    threads = [threading.Thread(target=basic, args=(server, f"user{i}", f"pass{i}"))
               for i in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    end = time.monotonic() + 20
    while len(stored(server)) < 60 and time.monotonic() < end:
        time.sleep(0.1)
    assert sorted(stored(server)) == sorted(f"user{i}" for i in range(60))
    assert text(server) == "# kept\n" + "".join(
        digest.a1_line(f"user{i}", "R", f"pass{i}") for i in range(60)) + "# end"


def test_logins_through_other_modules_count(fresh):
    server = fresh()
    assert basic(server, "user2", "pass2", "/provider/") == 404
    wait_stored(server, "user2")
    form = urlencode({"httpd_username": "user3", "httpd_password": "pass3"}).encode()
    answer = server.get("/login", ["Content-Type: application/x-www-form-urlencoded"], "POST", form)
    assert answer.status != 401
    wait_stored(server, "user3")


def test_nothing_is_stored_for_those_who_need_not_or_may_not(fresh):
    strong = digest.a1_line("strong", "R", "x", ["SHA-512-256"])
    has = digest.a1_line("has", "R", "x", ["SHA-256"])
    server = fresh(a1=digest.a1_line("weak", "R", "x", ["MD5"]) + strong + has)
    before = text(server)
    assert basic(server, "weak", "wrong") == 401
    assert basic(server, "nobody", "x") == 401
    assert basic(server, "weak", "x", "/off/") == 404
    assert by_digest(server, "weak", "x", "MD5") == 200
    for user in ("strong", "has"):
        assert basic(server, user, "x") == 200
    time.sleep(0.5)
    assert text(server) == before and "AW209" not in server.log()
    assert not (server.conf / "own" / "a1.lock").exists()


def test_of_several_files_the_one_with_the_value_is_edited(fresh):
    server = fresh(first=digest.a1_line("both", "R", "older", ["MD5"]) +
                   digest.a1_line("one", "R", "1", ["MD5"]),
                   second=digest.a1_line("both", "R", "newer", ["MD5"]))
    first = text(server, "first")
    assert basic(server, "both", "newer") == 200
    wait_stored(server, "both")
    assert text(server, "second") == digest.a1_line("both", "R", "newer")
    assert text(server, "first") == first
    mark = len(server.log())
    assert basic(server, "one", "1") == 200
    wait_stored(server, "one", mark)
    assert text(server, "first") == first.replace(digest.a1_line("one", "R", "1", ["MD5"]),
                                                  digest.a1_line("one", "R", "1"))


def test_a_password_changed_meanwhile_is_not_brought_back(fresh):
    server = fresh()
    path = server.conf / "own" / "a1"
    with open(str(path) + ".lock", "w", encoding="utf-8") as lock:
        os.chmod(lock.name, 0o660)
        if server.user:
            shutil.chown(lock.name, server.user, server.group)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert basic(server, "user5", "pass5") == 200
        time.sleep(0.5)  # the server waits for the lock
        changed = text(server).replace(digest.a1_line("user5", "R", "pass5", ["MD5"]),
                                       digest.a1_line("user5", "R", "changed", ["MD5"]))
        own(server, "a1", changed)
    server.wait_log('AW2092: uplift: user "user5", .* not stored, another password by now')
    assert text(server) == changed
    time.sleep(0.3)
    assert basic(server, "user5", "pass5") == 401


@pytest.mark.parametrize("mpm", ["event", "prefork"])
def test_a_file_that_cannot_be_written_is_said_once_and_logins_go_on(fresh, mpm):
    server = fresh(mpm=mpm)
    if server.user is None:
        pytest.skip("only root can make a file that the server's user cannot change")
    folder = server.conf / "own"
    os.chown(folder, 0, 0)
    os.chmod(folder, 0o755)
    before = text(server)
    for i in range(40):
        assert basic(server, f"user{i}", f"pass{i}") == 200
    server.wait_log("AW2090")
    time.sleep(1)
    found = re.findall(r"AW2090: AuthWSUplift stores nothing in (\S+): the file must belong to user "
                       r"(\S+),", server.log())
    assert found == [(str(folder / "a1"), server.user)]
    assert text(server) == before and stored(server) == []


def test_the_names_are_those_of_the_file(fresh):
    name = "J\u00fcrgen"
    server = fresh(a1=digest.a1_line(name, "R", "p\u00e4ss", ["MD5"]))
    assert basic(server, "Ju\u0308rgen", "pa\u0308ss") == 200
    server.wait_log("AW2092")
    assert text(server) == digest.a1_line(name, "R", "p\u00e4ss")


def test_an_index_beside_the_file_is_made_anew(fresh):
    server = fresh()
    path = server.conf / "own" / "a1"
    subprocess.run([built.htdigest(), "--index", str(path)], check=True, capture_output=True)
    index = path.with_name("a1.idx")
    if server.user:
        shutil.chown(index, server.user, server.group)
    before = index.read_bytes()
    assert basic(server, "user4", "pass4") == 200
    wait_stored(server, "user4")
    assert index.read_bytes() != before and index.stat().st_mtime >= path.stat().st_mtime
    assert "AW2093" not in server.log()
    assert by_digest(server, "user4", "pass4", "SHA-256") == 200


def test_the_children_use_an_index_of_their_own_user_and_root_does_not(fresh):
    server = fresh()
    if not server.user:
        pytest.skip("needs a server started by root")
    path = server.conf / "own" / "a1"
    index = server.conf / "own" / "a1.idx"

    def mapping():
        return {pid for pid in [server.process.pid, *server.children()]
                if str(index) in open(f"/proc/{pid}/maps", encoding="utf-8").read()}

    mark = len(server.log())
    subprocess.run([built.htdigest(), "--index", str(path)], check=True, capture_output=True)
    assert index.stat().st_uid == 0
    server.wait_log("AW1051", mark)
    assert basic(server, "user7", "pass7") == 200
    wait_stored(server, "user7", mark)
    for _ in range(100):
        if index.stat().st_uid and mapping() == set(server.children()):
            break
        time.sleep(0.05)
    assert index.stat().st_uid != 0 and mapping() == set(server.children())
    # Whoever has that user could kill root's process by cutting it short. After a restart:
    mark = len(server.log())
    server.graceful()
    server.wait_log("AW1053: .*a1.idx", mark)
    assert basic(server, "user8", "pass8") == 200
    for _ in range(100):
        if mapping() == set(server.children()):
            break
        time.sleep(0.05)
    assert mapping() == set(server.children()), server.process.pid
