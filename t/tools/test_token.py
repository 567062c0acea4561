"""authws token and secret: tokens that are shown once and stored as hashes.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import calendar
import concurrent.futures
import hashlib
import os
import pty
import re
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import built  # noqa: E402

GIVEN = "0123456789abcdefX"


def run(*args, given=None, expect=0, **more):
    done = subprocess.run([built.authws(), *map(os.fspath, args)], capture_output=True, timeout=100,
                          input=None if given is None else given.encode() + b"\n",
                          stdin=subprocess.DEVNULL if given is None else None, **more)
    assert done.returncode == expect, (done.returncode, done.stdout, done.stderr.decode())
    done.out, done.err = done.stdout.decode(), done.stderr.decode()
    return done


@pytest.fixture
def file(tmp_path):
    return tmp_path / "devices.tokens"


def add(file, subject, *more, **options):
    return run("token", "add", "--file", file, *more, subject, **options).out.rstrip("\n")


def verify(file, token, *subject, expect=0):
    return run("token", "verify", "--file", file, *subject, given=token, expect=expect).out


def line(subject, token, algorithm="SHA-384", rest=""):
    name = {"SHA": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512",
            "SHA3-384": "sha3_384", "SHA3-512": "sha3_512"}[algorithm]
    return f"{subject}:{{{algorithm}}}{hashlib.new(name, token.encode()).hexdigest()}{rest}\n"


def test_a_token_is_shown_once_and_only_its_hash_is_stored(file):
    token = add(file, "gate 7")
    assert len(base64.urlsafe_b64decode(token + "=")) == 32
    assert file.read_text() == line("gate 7", token)
    assert file.stat().st_mode & 0o7777 == 0o640
    assert verify(file, token) == "good\tgate 7\tnever\tSHA-384\n"
    assert token not in run("token", "list", "--file", file).out


def test_tokens_differ(file):
    tokens = {add(file, f"s{i}") for i in range(20)}
    assert len(tokens) == 20


@pytest.mark.parametrize("algorithm", ["SHA-384", "SHA-512", "SHA3-384", "SHA3-512"])
def test_a_given_token_is_stored_in_the_algorithm_asked_for(file, algorithm):
    done = run("token", "add", "--file", file, "--algorithm", algorithm, "-i", "x", given=GIVEN)
    assert done.out == "" and GIVEN not in done.err
    assert file.read_text() == line("x", GIVEN, algorithm)
    assert verify(file, GIVEN, "x").startswith("good\tx\t")


@pytest.mark.parametrize("algorithm", ["SHA", "SHA-256", "SHA-512-256", "MD5", ""])
def test_weak_algorithms_are_refused_for_new_tokens(file, algorithm):
    assert "--algorithm" in run("token", "add", "--file", file, "--algorithm", algorithm, "x",
                                expect=2).err
    assert not file.exists()


@pytest.mark.parametrize("given", ["", "short", "with a space in the middle", "J\u00f6rg" * 10,
                                   "x" * 1025])
def test_tokens_that_cannot_serve_are_refused(file, given):
    run("token", "add", "--file", file, "-i", "x", given=given, expect=1)
    assert not file.exists()


def test_a_subject_has_one_token_and_adding_replaces_it(file):
    file.write_text("# devices\n" + line("a", "one") + line("b", "two"))
    file.chmod(0o600)
    token = add(file, "a")
    assert file.read_text() == "# devices\n" + line("a", token) + line("b", "two")
    assert file.stat().st_mode & 0o7777 == 0o600
    assert verify(file, "one", expect=1) == "unknown\n"


def test_with_an_overlap_the_earlier_token_ends_later(file):
    old = add(file, "a", "--note", "old: one")
    new = add(file, "a", "--overlap", "2h")
    first, second = file.read_text().splitlines()
    assert first + "\n" == line("a", new)
    found = re.fullmatch(re.escape(line("a", old)[:-1]) + r":(\S+Z):old: one", second)
    ends = time.strptime(found.group(1), "%Y-%m-%dT%H:%M:%SZ")
    assert abs(calendar.timegm(ends) - time.time() - 7200) < 60
    assert verify(file, old).startswith("good") and verify(file, new).startswith("good")


def test_expiry_is_told_from_being_unknown(file):
    file.write_text(line("a", GIVEN, rest=":2020-01-01")
                    + line("b", GIVEN + "b", rest=":2999-01-01:n"))
    file.chmod(0o600)
    assert verify(file, GIVEN, expect=1) == "expired\ta\t2020-01-02T00:00:00Z\tSHA-384\n"
    assert verify(file, GIVEN + "b") == "good\tb\t2999-01-02T00:00:00Z\tSHA-384\n"
    assert verify(file, GIVEN + "b", "a", expect=1) == "of another subject\n"
    assert verify(file, "nonsense", expect=1) == "unknown\n"


@pytest.mark.parametrize("expires,stored", [
    ("2999-12-31", "3000-01-01T00:00:00Z"), ("2999-12-31T12:00:00Z", "2999-12-31T12:00:00Z"),
    ("4102444800", "2100-01-01T00:00:00Z")])
def test_expiry_is_stored_as_a_time(file, expires, stored):
    token = add(file, "a", "--expires", expires)
    assert file.read_text() == line("a", token, rest=f":{stored}")


@pytest.mark.parametrize("expires", ["", "tomorrow", "2020-01-01", "2999-02-30", "90", "0d", "-1d",
                                     "90x"])
def test_expiries_that_are_none_are_refused(file, expires):
    assert "--expires" in run("token", "add", "--file", file, "--expires", expires, "x",
                              expect=2).err
    assert not file.exists()


def test_revoking_removes_every_line_of_the_subject(file):
    file.write_text(line("a", "one") + "# a\n" + line("ab", "two") + line("a", "three"))
    file.chmod(0o600)
    run("token", "revoke", "--file", file, "a")
    assert file.read_text() == "# a\n" + line("ab", "two")
    run("token", "revoke", "--file", file, "a", expect=1)
    run("token", "revoke", "--file", file.with_name("none"), "a", expect=3)


def test_the_report_counts_what_is_left_to_lift(file):
    file.write_text(line("a", "1", "SHA") + line("b", "2", "SHA-256") + line("c", "3")
                    + line("d", "4", "SHA", ":2020-01-01"))
    file.chmod(0o600)
    assert run("token", "report", "--file", file, expect=1).out == (
        "a\tSHA\nb\tSHA-256\n# 4 tokens; SHA 2, SHA-256 1, SHA-384 1, expired 1, to be lifted 2\n")
    assert run("token", "list", "--file", file).out.splitlines()[3] == (
        "d\tSHA\t2020-01-02T00:00:00Z (expired)\t")
    run("token", "revoke", "--file", file, "a")
    run("token", "revoke", "--file", file, "b")
    run("token", "report", "--file", file)


def test_broken_lines_are_named_and_stay(file):
    file.write_text("x\n" + line("a", "1") + line("b", "1"))
    file.chmod(0o600)
    said = run("token", "list", "--file", file, expect=1).err
    assert f"{file}:1:2: " in said
    assert f"{file}:3:3: the same token as in line 2, there for another subject" in said
    run("token", "verify", "--file", file, given="1", expect=3)
    assert f"{file}:1:2: " in run("token", "add", "--file", file, "c").err
    assert file.read_text().startswith("x\n")


def test_the_same_token_is_not_added_for_another(file):
    run("token", "add", "--file", file, "-i", "a", given=GIVEN)
    assert "holds this token already" in run("token", "add", "--file", file, "-i", "b", given=GIVEN,
                                             expect=1).err
    assert file.read_text() == line("a", GIVEN)


def test_edits_at_the_same_time_lose_nothing(file):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(lambda i: add(file, f"s{i}"), range(40)))
    assert sorted(file.read_text().splitlines(True)) == sorted(
        line(f"s{i}", token) for i, token in enumerate(tokens))


def test_the_file_may_come_from_the_environment(tmp_path):
    env = dict(os.environ, AUTHWS_TOKEN_FILE=str(tmp_path / "t"))
    run("token", "add", "x", env=env)
    assert (tmp_path / "t").exists()
    env.pop("AUTHWS_TOKEN_FILE")
    run("token", "add", "x", env=env, cwd=tmp_path)
    assert (tmp_path / "authws.tokens").exists()


@pytest.mark.parametrize("args", [
    ("add",), ("add", "a", "b"), ("add", "a:b"), ("add", "#a"), ("add", ""),
    ("add", "--nonsense", "a"),
    ("list", "a"), ("list", "-i"), ("revoke",), ("revoke", "--note", "x", "a"), ("report", "a"),
    ("add", "--note", "a\nb", "a"), ("add", "--overlap", "x", "a"), ("nonsense",), ()])
def test_bad_usage_is_told(file, args):
    assert run("token", *args, expect=2, cwd=file.parent).err != ""
    assert list(file.parent.iterdir()) == []


def test_a_token_is_asked_for_on_the_terminal_without_echo(file):
    run("token", "add", "--file", file, "-i", "a", given=GIVEN)
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(built.authws(), ["authws", "token", "verify", "--file", str(file)])
    seen = b""
    while b"Token: " not in seen:
        seen += os.read(fd, 1000)
    os.write(fd, GIVEN.encode() + b"\n")
    try:
        while more := os.read(fd, 1000):
            seen += more
    except OSError:
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert b"good\ta" in seen and GIVEN.encode() not in seen


def test_every_job_says_what_it_takes():
    for job in ("add", "verify", "revoke", "list", "report"):
        assert "authws token" in run("token", job, "--help").out
    assert "AuthWSSecretFile" in run("secret", "--help").out


def test_a_secret_is_random_long_and_not_for_all(tmp_path):
    for name in ("a", "b"):
        run("secret", tmp_path / name)
    a, b = ((tmp_path / name).read_text() for name in ("a", "b"))
    assert a != b and re.fullmatch(r"[\w-]{64}\n", a)
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o640


def test_a_secret_that_is_there_stays_unless_forced(tmp_path):
    path = tmp_path / "secret"
    run("secret", path)
    before = path.read_text()
    assert "--force" in run("secret", path, expect=1).err
    assert path.read_text() == before
    run("secret", "--force", path)
    assert path.read_text() != before
    run("secret", expect=2)
    run("secret", tmp_path / "none" / "secret", expect=3)
