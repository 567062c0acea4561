"""authws-htdigest: a drop-in for htdigest that loses nothing.

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import os
import pty
import random
import select
import shutil
import signal
import subprocess
import tempfile
import termios
import time
from pathlib import Path

import pytest

TOOL = os.environ.get("AUTHWS_HTDIGEST") or str(
    Path(os.environ.get("AUTHWS_BUILDDIR") or Path(__file__).resolve().parents[2])
    / "tools" / "authws-htdigest")
HTDIGEST = shutil.which("htdigest")
ROOT = os.geteuid() == 0
NOBODY = 65534


def a1(algorithm, user, realm, password):
    text = b":".join(s if isinstance(s, bytes) else s.encode() for s in (user, realm, password))
    return hashlib.new(algorithm, text).hexdigest()


def lines(user, realm, password):
    """What the tool writes without -a."""
    return (f"{user}:{realm}:{a1('md5', user, realm, password)}\n"
            f"{user}:{realm}:{{SHA-256}}{a1('sha256', user, realm, password)}\n")


def run(*args, password=None, expect=0, tool=TOOL, **more):
    done = subprocess.run([tool, *map(os.fspath, args)], capture_output=True, timeout=100,
                          input=None if password is None else password.encode() + b"\n",
                          stdin=subprocess.DEVNULL if password is None else None, **more)
    assert done.returncode == expect, (done.returncode, done.stderr.decode())
    done.out, done.err = done.stdout.decode(), done.stderr.decode()
    return done


@pytest.fixture
def home():
    """A folder that other users may enter, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="authws-htdigest-"))
    path.chmod(0o755)
    yield path
    subprocess.run(["rm", "-rf", str(path)], check=True)


@pytest.fixture
def file(home):
    path = home / "users.a1"
    path.write_text(lines("al", "R", "old"))
    path.chmod(0o640)
    return path


def test_a_new_file_holds_the_md5_line_first(home):
    file = home / "new.a1"
    said = run("-c", "-i", file, "My Realm", "bob", password="secret").err
    assert "Adding password for bob in realm My Realm." in said
    assert file.read_text() == lines("bob", "My Realm", "secret")
    assert file.stat().st_mode & 0o7777 == 0o640


def test_users_are_added_changed_and_deleted(file):
    assert "Adding user bob in realm R" in run("-i", file, "R", "bob", password="one").err
    assert "Changing password for user bob in realm R" in run(
        "-i", file, "R", "bob", password="two").err
    run("-i", file, "S", "bob", password="other realm")
    assert file.read_text() == (lines("al", "R", "old") + lines("bob", "R", "two")
                                + lines("bob", "S", "other realm"))
    run("-D", file, "R", "bob")
    assert file.read_text() == lines("al", "R", "old") + lines("bob", "S", "other realm")
    assert "no user bob" in run("-D", file, "R", "bob", expect=1).err


@pytest.mark.parametrize("name, python", [
    ("MD5", "md5"), ("SHA", "sha1"), ("SHA-256", "sha256"), ("sha-512-256", "sha512_256"),
    ("SHA-384", "sha384"), ("SHA-512", "sha512")])
def test_each_algorithm_is_stored_as_named(name, python):
    tag = "" if name == "MD5" else "{" + name.upper() + "}"
    out = run("-n", "-i", "-a", name, "R", "bob", password="pw").out
    assert out == f"bob:R:{tag}{a1(python, 'bob', 'R', 'pw')}\n"


def test_several_algorithms_share_a_line_behind_md5(file):
    run("-ia", "SHA-512-256,MD5,SHA-256", file, "R", "bob", password="pw")
    first, second = file.read_text().splitlines()[-2:]
    assert first == f"bob:R:{a1('md5', 'bob', 'R', 'pw')}"
    assert second == (f"bob:R:{{SHA-256}}{a1('sha256', 'bob', 'R', 'pw')}"
                      f"{{SHA-512-256}}{a1('sha512_256', 'bob', 'R', 'pw')}")


def test_names_may_be_utf8_and_hold_quotes(file):
    run("-i", file, 'Büro "Süd"', "jürgen 'x'", password="pässword")
    assert lines("jürgen 'x'", 'Büro "Süd"', "pässword") in file.read_text()
    run("-v", "-i", file, 'Büro "Süd"', "jürgen 'x'", password="pässword")


@pytest.mark.parametrize("realm, user, what", [
    ("R", "bo:b", "user name, column 3: a colon"),
    ("a:b", "bob", "realm, column 2: a colon"),
    ("R", "b\nb", "user name, column 2: a control character"),
    ("R", b"bo\xff", "user name, column 3: not valid UTF-8"),
    ("R", "#bob", "user name, column 1: #"),
    ("", "bob", "realm, column 1: empty"),
    ("R", "x" * 1025, "user name, column 1025: longer")])
def test_unfit_names_are_refused_with_their_column(file, realm, user, what):
    before = file.read_bytes()
    assert what in run("-i", file, realm, user, password="pw", expect=2).err
    assert file.read_bytes() == before


def test_verify_tells_right_from_wrong_and_names_the_algorithms(file):
    right = run("-v", "-i", file, "R", "al", password="old")
    assert "right" in right.out and right.out.rstrip().endswith("MD5 SHA-256")
    assert "wrong" in run("-v", "-i", file, "R", "al", password="olD", expect=1).out
    assert "no user" in run("-v", "-i", file, "R", "bob", password="old", expect=1).err
    assert "no user" in run("-v", "-i", file, "S", "al", password="old", expect=1).err


def test_verify_goes_by_the_strongest_value_and_notices_others(file):
    file.write_text(f"al:R:{a1('md5', 'al', 'R', 'new')}\n"
                    f"al:R:{{SHA-256}}{a1('sha256', 'al', 'R', 'old')}\n")
    assert "MD5 of user al in realm R is of another password" in run(
        "-v", "-i", file, "R", "al", password="old").err
    run("-v", "-i", file, "R", "al", password="new", expect=1)


@pytest.mark.parametrize("given, what, status", [
    (b"", "no password given", 2), (b"\n", "empty password", 2), (b"x" * 1025, "longer than", 2),
    (b"a\0b\n", "NUL", 2)])
def test_unfit_passwords_change_nothing(file, given, what, status):
    before = file.read_bytes()
    done = subprocess.run([TOOL, "-i", file, "R", "al"], input=given, capture_output=True,
                          timeout=20)
    assert (done.returncode, file.read_bytes()) == (status, before)
    assert what in done.stderr.decode()


@pytest.mark.parametrize("given", [b"pw", b"pw\n", b"pw\r\n", b"pw\nsecond line\n"])
def test_the_password_is_the_first_line_without_its_end(given):
    done = subprocess.run([TOOL, "-n", "-i", "R", "bob"], input=given, capture_output=True,
                          timeout=20)
    assert done.stdout.decode() == lines("bob", "R", "pw")


@pytest.mark.parametrize("args", [
    ["-x"], [], ["file", "R"], ["a", "b", "c", "d"], ["-D", "-v", "f", "R", "u"],
    ["-n", "-c", "R", "u"], ["-n", "f", "R", "u"], ["-a", "MD4", "f", "R", "u"],
    ["-a", "", "f", "R", "u"], ["-a", "MD5-sess", "f", "R", "u"], ["-D", "-i", "f", "R", "u"],
    ["--check"], ["--check", "-v", "f"], ["-v", "-a", "MD5", "f", "R", "u"]])
def test_bad_usage_is_2_and_explained(args):
    assert run(*args, expect=2).err


def test_help_and_version_are_printed():
    assert "--check" in run("--help").out
    assert run("--version").out.startswith("authws-htdigest ")


def test_a_missing_file_is_not_made_without_c(home):
    assert "-c creates" in run("-i", home / "no.a1", "R", "u", password="x", expect=3).err
    assert list(home.iterdir()) == []


def test_without_a_terminal_the_error_says_so(file):
    assert "-i" in run(file, "R", "al", expect=3, start_new_session=True).err


def test_check_names_every_broken_line(file):
    assert run("--check", file).out == ""
    with file.open("ab") as f:
        f.write(b"bob:R:12\n# fine\nb\xffb:R:x\nno colon\n")
    assert run("--check", file, expect=1).out.splitlines() == [
        f"{file}:3:9: too few hexadecimal digits for the algorithm",
        f"{file}:5:2: not valid UTF-8",
        f"{file}:6:9: user:realm:value expected, colon missing"]


def test_broken_lines_are_left_and_reported(file):
    with file.open("ab") as f:
        f.write(b"# c\r\nbroken\n\xff\xfe")
    before = file.read_bytes()
    said = run("-i", file, "R", "bob", password="pw").err
    assert f"{file}:4:7: " in said and f"{file}:5:1: not valid UTF-8" in said
    assert file.read_bytes() == before + b"\n" + lines("bob", "R", "pw").encode()


def test_a_broken_line_of_the_user_is_replaced(file):
    file.write_text("al:R:broken\n")
    assert ":1:" not in run("-i", file, "R", "al", password="new").err
    assert file.read_text() == lines("al", "R", "new")


def test_open_permissions_are_warned_of(file):
    file.chmod(0o644)
    assert "mode 0644" in run("-i", file, "R", "al", password="new").err
    assert file.stat().st_mode & 0o7777 == 0o644
    file.chmod(0o640)
    assert "mode" not in run("-i", file, "R", "al", password="new").err


def test_nothing_is_lost_by_parallel_writers(file):
    script = 'for i in $(seq 50); do echo pw | "$0" -i "$1" R "u$2-$i" 2>/dev/null || exit 1; done'
    writers = [subprocess.Popen(["sh", "-c", script, TOOL, file, str(w)]) for w in range(8)]
    assert [w.wait(timeout=300) for w in writers] == [0] * 8
    users = {line.split(":")[0] for line in file.read_text().splitlines()}
    assert users == {"al"} | {f"u{w}-{i}" for w in range(8) for i in range(1, 51)}
    run("--check", file)


def test_a_killed_writer_leaves_the_old_file_or_the_new(file):
    filler = "".join(lines(f"filler{i}", "R", "x") for i in range(2000))
    file.write_text(lines("al", "R", "0") + filler)
    whole = {lines("al", "R", "0") + filler}
    rng = random.Random(7616)
    changed = 0
    for i in range(1, 61):
        before = file.read_text()
        tool = subprocess.Popen([TOOL, "-i", file, "R", "al"], stdin=subprocess.PIPE,
                                stderr=subprocess.DEVNULL)
        tool.stdin.write(b"%d\n" % i)
        tool.stdin.close()
        time.sleep(rng.uniform(0, 0.03))
        tool.kill()
        tool.wait()
        whole.add(lines("al", "R", str(i)) + filler)
        after = file.read_text()
        assert after in whole, f"round {i}"
        changed += after != before
    run("-i", file, "R", "al", password="end")
    assert file.read_text() == lines("al", "R", "end") + filler
    assert sorted(p.name for p in file.parent.iterdir()) == [file.name, file.name + ".lock"]
    assert changed < 60, "no round was killed in time: lower the sleep"


def test_an_edit_waits_for_another_and_says_so(file):
    import fcntl
    lock = open(str(file) + ".lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    tool = subprocess.Popen([TOOL, "-i", file, "R", "bob"], stdin=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    tool.stdin.write(b"pw\n")
    tool.stdin.close()
    said = b""
    while b"waiting" not in said:
        chunk = os.read(tool.stderr.fileno(), 1000)
        assert chunk, said
        said += chunk
    assert "bob" not in file.read_text()
    lock.close()
    assert tool.wait(timeout=30) == 0
    tool.stderr.close()
    assert "bob" in file.read_text()


@pytest.fixture
def small_disk(home):
    mount = home / "disk"
    mount.mkdir()
    if not ROOT or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", mount],
                                  stderr=subprocess.DEVNULL).returncode:
        pytest.skip("mounting a small tmpfs needs root and its capabilities")
    yield mount
    subprocess.run(["umount", mount], check=True)


def test_a_full_disk_is_named_and_the_old_file_whole(small_disk):
    file = small_disk / "users.a1"
    before = lines("al", "R", "old") + "# " + "x" * 40000 + "\n"
    file.write_text(before)
    assert "No space left" in run("-i", file, "R", "bob", password="pw", expect=3).err
    assert file.read_text() == before
    assert sorted(p.name for p in small_disk.iterdir()) == ["users.a1", "users.a1.lock"]


def test_a_linked_file_stays_a_link(file, home):
    (home / "conf").mkdir()
    link = home / "conf" / "link.a1"
    link.symlink_to("../users.a1")
    run("-i", link, "R", "bob", password="pw")
    assert link.is_symlink() and not file.is_symlink()
    assert lines("bob", "R", "pw") in file.read_text()
    assert list((home / "conf").iterdir()) == [link]


@pytest.mark.parametrize("name", ["users.a1.lock", ".users.a1.authws-new"])
def test_a_link_in_the_way_is_refused(file, home, name):
    victim = home / "victim"
    victim.write_text("victim")
    (home / name).symlink_to(victim)
    before = file.read_bytes()
    assert "lock file" in run("-i", file, "R", "bob", password="pw", expect=3).err
    assert (victim.read_text(), file.read_bytes()) == ("victim", before)


@pytest.mark.skipif(not ROOT, reason="needs root to become another user")
@pytest.mark.parametrize("mode", [0o000, 0o111, 0o555])
def test_a_closed_folder_is_an_error_that_changes_nothing(home, mode):
    folder = home / "closed"
    folder.mkdir()
    file = folder / "users.a1"
    file.write_text(lines("al", "R", "old"))
    os.chown(folder, NOBODY, NOBODY)
    os.chown(file, NOBODY, NOBODY)
    folder.chmod(mode)
    tool = shutil.copy(TOOL, home / "tool")  # nobody may not enter where it was built
    said = run("-i", file, "R", "bob", password="pw", expect=3, user=NOBODY, group=NOBODY,
               extra_groups=[], tool=tool).err
    assert "Permission denied" in said
    folder.chmod(0o755)
    assert file.read_text() == lines("al", "R", "old")
    assert list(folder.iterdir()) == [file]


@pytest.mark.skipif(not ROOT, reason="needs root to give a file away")
def test_owner_and_mode_are_kept(file):
    os.chown(file, NOBODY, NOBODY)
    file.chmod(0o604)
    run("-i", file, "R", "bob", password="pw")
    now = file.stat()
    assert (now.st_uid, now.st_gid, now.st_mode & 0o7777) == (NOBODY, NOBODY, 0o604)


class Terminal:
    """A program with a terminal of its own."""

    def __init__(self, *args):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execv(TOOL, [TOOL, *map(os.fspath, args)])
            finally:
                os._exit(127)
        self.seen = ""

    def until(self, text):
        while text not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], 20)
            assert ready, f"no {text!r} in {self.seen!r}"
            try:
                self.seen += os.read(self.fd, 1000).decode()
            except OSError:
                break
        assert text in self.seen, self.seen
        self.seen = self.seen.split(text, 1)[1]

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        rest = self.seen
        try:
            while select.select([self.fd], [], [], 20)[0]:
                chunk = os.read(self.fd, 1000)
                if not chunk:
                    break
                rest += chunk.decode()
        except OSError:
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status), rest


def test_prompts_do_not_echo_and_take_two_equal_passwords(file):
    t = Terminal(file, "R", "bob")
    t.until("Adding user bob in realm R")
    t.until("New password: ")
    assert not t.echoes()
    t.type("sesame\n")
    t.until("Re-type new password: ")
    assert not t.echoes()
    t.type("sesame\n")
    status, rest = t.end()
    assert (status, "sesame" in rest) == (0, False)
    assert file.read_text().endswith(lines("bob", "R", "sesame"))


def test_two_different_passwords_change_nothing(file):
    before = file.read_bytes()
    t = Terminal(file, "R", "al")
    t.until("New password: ")
    t.type("one\n")
    t.until("Re-type new password: ")
    t.type("two\n")
    status, rest = t.end()
    assert status == 1 and "don't match" in rest
    assert file.read_bytes() == before


def test_create_keeps_the_old_file_until_the_password_is_confirmed(file):
    before = file.read_bytes()
    t = Terminal("-c", file, "R", "bob")
    t.until("exists")
    t.until("New password: ")
    t.type("one\n")
    t.until("Re-type new password: ")
    t.type("two\n")
    assert t.end()[0] == 1
    assert file.read_bytes() == before
    run("-ci", file, "R", "bob", password="new")
    assert file.read_text() == lines("bob", "R", "new")


def test_an_interrupt_at_the_prompt_restores_the_terminal_and_leaves_the_file(file):
    before = file.read_bytes()
    t = Terminal(file, "R", "al")
    master = os.dup(t.fd)
    t.until("New password: ")
    assert not t.echoes()
    t.type("half a pass\x03")
    status, rest = t.end()
    assert (status, "half" in rest) == (-signal.SIGINT, False)
    try:
        assert termios.tcgetattr(master)[3] & termios.ECHO
    except termios.error:
        pass  # the terminal has gone with its last user
    os.close(master)
    assert file.read_bytes() == before


def test_a_stopped_prompt_has_the_echo_back_and_asks_again(file):
    t = Terminal.__new__(Terminal)
    t.seen = ""
    t.pid, t.fd = pty.fork()
    if t.pid == 0:
        os.execvp("bash", ["bash", "--norc", "-m", "-c",
                           'trap "" TTOU; "$0" "$1" R bob; echo stopped; fg; echo "status $?"',
                           TOOL, str(file)])
    t.until("New password: ")
    t.type("\x1a")
    t.until("stopped")
    t.until("New password: ")
    assert not t.echoes()
    t.type("pw\n")
    t.until("Re-type new password: ")
    t.type("pw\n")
    t.until("status 0")
    t.end()
    assert lines("bob", "R", "pw") in file.read_text()


def test_end_of_file_at_the_prompt_changes_nothing(file):
    before = file.read_bytes()
    t = Terminal(file, "R", "al")
    t.until("New password: ")
    t.type("\x04")
    status, rest = t.end()
    assert status == 2 and "no password given" in rest
    assert file.read_bytes() == before


def htdigest(*args, password):
    """Apache's htdigest, which wants a terminal."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(HTDIGEST, [HTDIGEST, *map(os.fspath, args)])
    seen = b""
    for prompt in (b"New password: ", b"Re-type new password: "):
        while not seen.endswith(prompt):
            seen += os.read(fd, 1)
        os.write(fd, password.encode() + b"\n")
    try:
        while os.read(fd, 1000):
            pass
    except OSError:
        pass
    os.close(fd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


needs_htdigest = pytest.mark.skipif(not HTDIGEST, reason="htdigest (apache2-utils) is missing")


@needs_htdigest
def test_md5_lines_are_htdigests(home):
    htdigest("-c", home / "theirs", "My Realm", "jürgen", password="päss word")
    run("-cia", "MD5", home / "ours", "My Realm", "jürgen", password="päss word")
    assert (home / "ours").read_bytes() == (home / "theirs").read_bytes()
    run("-vi", home / "theirs", "My Realm", "jürgen", password="päss word")


@needs_htdigest
def test_htdigest_edits_our_files_and_we_notice_what_it_leaves(file):
    htdigest(file, "R", "al", password="new")
    assert file.read_text() == (f"al:R:{a1('md5', 'al', 'R', 'new')}\n"
                                f"al:R:{{SHA-256}}{a1('sha256', 'al', 'R', 'old')}\n")
    assert "MD5 of user al" in run("-vi", file, "R", "al", password="old").err
    htdigest(file, "R", "bob", password="pw")
    run("--check", file)
    run("-i", file, "R", "al", password="new")
    assert file.read_text() == (lines("al", "R", "new")
                                + f"bob:R:{a1('md5', 'bob', 'R', 'pw')}\n")


def test_the_password_is_in_no_argument_and_no_message(file):
    done = run("-i", file, "R", "al", password="tell-nobody")
    done2 = run("-vi", file, "R", "al", password="tell-nobody!", expect=1)
    assert "tell-nobody" not in done.out + done.err + done2.out + done2.err
