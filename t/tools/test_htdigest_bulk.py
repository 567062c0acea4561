"""authws-htdigest with many users: import, merge, list, report, index, one realm, NFC.

SPDX-License-Identifier: Apache-2.0
"""
import os
import pty
import random
import select
import subprocess
import unicodedata

import pytest

from test_htdigest import TOOL, a1, file, home, lines, run  # noqa: F401 (fixtures)


def feed(*args, text, expect=0):
    """Runs the tool with `text` on standard input, byte for byte."""
    done = subprocess.run([TOOL, *map(os.fspath, args)], capture_output=True, timeout=100,
                          input=text if isinstance(text, bytes) else text.encode())
    assert done.returncode == expect, (done.returncode, done.stderr.decode())
    done.out, done.err = done.stdout.decode(), done.stderr.decode()
    return done


@pytest.mark.parametrize("text", [
    "user,password\nal,new\n\"b\"\"o\",\"p, w\"\n", "al,new\r\n\"b\"\"o\",\"p, w\"",
    "password;note;user\nnew;;al\n\"p, w\";x;\"b\"\"o\"\n", "al:new\nb\"o:p, w\n",
    "# of Monday\nuser:password\nal:new\n\nb\"o:p, w\n"])
def test_users_come_from_csv_or_lines_for_the_realm_given(file, text):
    said = feed("--import", "-", file, "R", text=text).err
    assert file.read_text() == lines("al", "R", "new") + lines('b"o', "R", "p, w")
    assert "1 users added, 1 changed; 0 lines skipped" in said


@pytest.mark.parametrize("text", [
    "al,new,R\nbo,two,S\n", "realm,user,password\nR,al,new\nS,bo,two\n", "al:R:new\nbo:S:two\n"])
def test_without_a_realm_each_row_names_its_own(file, home, text):
    (home / "users.csv").write_text(text)
    run("--import", home / "users.csv", file)
    assert file.read_text() == lines("al", "R", "new") + lines("bo", "S", "two")


def test_import_stores_the_algorithms_asked_for(home):
    feed("-c", "-a", "SHA-512-256", "--import", "-", home / "new", "R", text="al,one\n")
    assert (home / "new").read_text() == (
        f"al:R:{{SHA-512-256}}{a1('sha512_256', 'al', 'R', 'one')}\n")
    assert (home / "new").stat().st_mode & 0o7777 == 0o640


BAD = "al,new\nbo\nal,again\n:x,y\ncy,\ndy,\"open\ney,five\n"


def test_bad_lines_are_named_and_left_out(file):
    said = feed("--import", "-", file, "R", text=BAD, expect=1).err
    for place in ("-:2:3: ", "-:3:1: the user is in a line before", "-:4:1: a colon",
                  "-:5:4: empty password", "-:6:9: a quote that is not closed"):
        assert place in said
    assert file.read_text() == lines("al", "R", "new") + lines("ey", "R", "five")
    assert "1 users added, 1 changed; 5 lines skipped" in said
    assert "again" not in said and "open\n" not in said


def test_strict_changes_nothing_when_a_line_is_bad(file):
    before = file.stat().st_ino
    assert "nothing was changed" in feed("--strict", "--import", "-", file, "R", text=BAD,
                                         expect=1).err
    assert file.read_text() == lines("al", "R", "old") and file.stat().st_ino == before
    feed("--strict", "--import", "-", file, "R", text="bo,two\n")
    assert lines("bo", "R", "two") in file.read_text()


def test_an_import_keeps_every_other_byte(file):
    with file.open("ab") as f:
        f.write(b"# comment\r\nbo:R:broken\n\xff\n\nal:S:" + b"0" * 32)
    feed("--import", "-", file, "R", text="bo,two\ncy,three\n")
    assert file.read_bytes() == (
        lines("al", "R", "old").encode() + b"# comment\r\n" + lines("bo", "R", "two").encode()
        + b"\xff\n\nal:S:" + b"0" * 32 + b"\n" + lines("cy", "R", "three").encode())


def test_thousands_of_users_keep_their_order_and_their_own_password(home):
    n = 20000
    feed("-c", "-a", "SHA-256", "--import", "-", home / "new", "R",
         text="".join(f"user{i},password {i}\n" for i in range(n)))
    assert (home / "new").read_text() == "".join(
        f"user{i}:R:{{SHA-256}}{a1('sha256', f'user{i}', 'R', f'password {i}')}\n"
        for i in range(n))


def test_an_import_without_a_file_to_change_is_refused_before_it_reads(home):
    assert "-c creates" in feed("--import", "-", home / "no.a1", "R", text="", expect=3).err
    assert "-c creates" not in feed("--import", "-", home / "no" / "no.a1", "R", text="",
                                    expect=3).err
    for action in ("--check", "--list", "--report", "--index"):
        assert "-c creates" not in run(action, home / "no.a1", expect=3).err
    assert "-c creates" not in run("-D", home / "no.a1", "R", "al", expect=3).err
    assert list(home.iterdir()) == []


def test_an_import_replaces_the_file_with_c_only(file):
    assert "it is replaced" in feed("-c", "--import", "-", file, "R", text="bo,two\n").err
    assert file.read_text() == lines("bo", "R", "two")


def test_an_import_or_merge_of_nobody_changes_nothing_and_says_so(file, home):
    before = file.read_bytes()
    (home / "empty").write_text("# nobody\n")
    for create in ([], ["-c"]):
        for said in (feed(*create, "--import", "-", file, "R", text="", expect=1).err,
                     feed(*create, "--import", "-", file, "R", text="no columns\n", expect=1).err,
                     run(*create, "--merge", home / "empty", file, expect=1).err):
            assert "nothing was changed: no users in" in said and "replaced" not in said
            assert file.read_bytes() == before
        run(*create, "--realm", "Intrnet", "--merge", file, file, expect=1)
    assert feed("-c", "--import", "-", home / "new", "R", text="", expect=1)
    assert not (home / "new").exists()


def test_values_that_a_new_password_drops_are_counted(file):
    said = feed("-a", "SHA-256", "--import", "-", file, "R", text="al,new\nbo,two\n").err
    assert "the MD5 values of 1 users were dropped" in said and "SHA-256 values" not in said
    assert "dropped" not in feed("--import", "-", file, "R", text="al,new\nbo,two\n").err
    assert "SHA-256 values of 2 users were dropped" in feed(
        "-a", "MD5", "--import", "-", file, "R", text="al,new\nbo,two\n").err


def test_a_progress_bar_is_for_terminals_alone(file, home):
    rows = "".join(f"user{i},password {i}\n" for i in range(1000000))
    (home / "many.csv").write_text(rows)
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(TOOL, [TOOL, "--import", str(home / "many.csv"), str(file), "R"])
    seen = b""
    try:
        while select.select([fd], [], [], 60)[0]:
            seen += os.read(fd, 65536)
    except OSError:
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(fd)
    assert b"importing [#" in seen and b" %, " in seen
    assert seen.rstrip().endswith(b"1000000 users added, 0 changed; 0 lines skipped")
    (home / "many.csv").write_text(rows[:1000000])
    said = run("--import", home / "many.csv", file, "R")
    assert "importing" not in said.err and "\033" not in said.err


def sha(user, password):
    return f"{user}:R:{{SHA-256}}{a1('sha256', user, 'R', password)}\n"


def md5(user, password):
    return f"{user}:R:{a1('md5', user, 'R', password)}\n"


def test_merge_adds_users_and_algorithms_and_takes_the_others_word(file, home):
    other = home / "other.a1"
    file.write_text(md5("al", "same") + "# kept\n" + md5("bo", "old") + sha("bo", "old")
                    + lines("cy", "R", "only here"))
    other.write_text("# not taken\n" + sha("al", "same") + md5("bo", "new")
                     + lines("dy", "S", "x"))
    said = run("--merge", other, file).err
    assert file.read_text() == (lines("al", "R", "same") + "# kept\n" + md5("bo", "new")
                                + lines("cy", "R", "only here") + lines("dy", "S", "x"))
    assert "1 users added, 2 changed" in said and "1 of those changed had another password" in said
    before = file.read_bytes()
    run("--merge", other, file)
    assert file.read_bytes() == before


def test_merge_skips_broken_lines_or_with_strict_does_nothing(file, home):
    other = home / "other.a1"
    other.write_text("broken\n" + md5("bo", "x"))
    before = file.read_bytes()
    assert f"{other}:1:7: " in run("--strict", "--merge", other, file, expect=1).err
    assert file.read_bytes() == before
    run("--merge", other, file, expect=1)
    assert file.read_text().endswith(md5("bo", "x"))
    run("--merge", home / "missing", file, expect=3)


@pytest.fixture
def realms(file):
    file.write_text(lines("al", "R", "x") + md5("bo", "x") + lines("al", "S", "x")
                    + "# comment\n" + sha("cy", "x"))
    return file


def test_list_says_who_is_there_and_no_hash(realms):
    assert run("--list", realms).out == (
        "al\tR\tMD5,SHA-256\nbo\tR\tMD5\nal\tS\tMD5,SHA-256\ncy\tR\tSHA-256\n")


def test_report_counts_and_says_who_lacks_what(realms):
    assert run("--report", realms, expect=1).out == (
        "# R: 3 users; MD5 2, SHA-256 2, lacking one of MD5,SHA-256: 2\n"
        "# S: 1 users; MD5 1, SHA-256 1, lacking one of MD5,SHA-256: 0\n"
        "bo\tR\tSHA-256\ncy\tR\tMD5\n")
    assert run("--report", "-a", "SHA-256", "--realm", "S", realms).out == (
        "# S: 1 users; MD5 1, SHA-256 1, lacking one of SHA-256: 0\n")


def test_a_report_of_nobody_is_not_a_success(realms, home):
    said = run("--realm", "Intrnet", "--report", realms, expect=1)
    assert said.out == "" and f"no user of realm Intrnet in {realms}" in said.err
    (home / "empty").write_text("# nobody\n")
    said = run("--report", home / "empty", expect=1)
    assert said.out == "" and f"no user in {home / 'empty'}" in said.err


def test_one_realm_can_be_worked_on_alone(realms, home):
    assert run("--realm", "S", "--list", realms).out == "al\tS\tMD5,SHA-256\n"
    feed("--realm", "S", "--import", "-", realms, text="al,new,R\nal,new,S\n")
    assert lines("al", "S", "new") in realms.read_text()
    assert lines("al", "R", "x") in realms.read_text()
    run("-c", "--realm", "S", "--merge", realms, home / "s.a1")
    assert (home / "s.a1").read_text() == lines("al", "S", "new")


def test_check_warns_of_doubles_and_open_files(realms):
    realms.chmod(0o644)
    with realms.open("a") as f:
        f.write(md5("al", "other"))
    said = run("--check", realms)
    assert said.out == ""
    assert f"{realms}:8: warning: user al in realm R has MD5 in a line before" in said.err
    assert "mode 0644" in said.err
    assert "warning" not in run("--check", "--realm", "S", realms).err.replace(
        "warning: mode", "")


def test_an_index_is_written_beside_the_file(realms):
    assert "4 users" in run("--index", realms).err
    index = realms.with_name(realms.name + ".idx")
    assert index.stat().st_mode & 0o7777 == 0o640 and index.stat().st_size > 256
    realms.write_text("broken\n")
    assert ":1:7: " in run("--index", realms, expect=1).err


@pytest.mark.parametrize("args", [
    ["--import", "x.csv"], ["--import", "x.csv", "f", "R", "more"], ["--import"],
    ["--import", "x.csv", "f", "--strict"], ["--import", "x", "--merge", "y", "f"],
    ["--realm", "R", "--import", "x", "f", "R"], ["--list", "f", "more"], ["--list"],
    ["--strict", "--list", "f"], ["-c", "--report", "f"], ["-a", "MD5", "--merge", "x", "f"],
    ["-i", "--import", "x", "f"], ["--realm", "R", "f", "R", "al"],
    ["--realm", "a:b", "--list", "f"],
    ["--import", "x", "f", "a:b"]])
def test_bad_usage_of_the_long_options_is_2(args):
    assert run(*args, expect=2).err


NFC, NFD = "J\u00fcrgen", "Ju\u0308rgen"


def test_names_and_passwords_are_stored_in_nfc(file):
    run("-i", file, "B\u0075\u0308ro", NFD, password="pa\u0308ss")
    assert lines(NFC, "B\u00fcro", "p\u00e4ss") in file.read_text()
    run("-v", "-i", file, "B\u00fcro", NFC, password="p\u00e4ss")
    run("-v", "-i", file, "Bu\u0308ro", NFD, password="pa\u0308ss")
    run("-D", file, "Bu\u0308ro", NFD)
    feed("--import", "-", file, "R", text=f"{NFD},pa\u0308ss\n")
    assert lines(NFC, "R", "p\u00e4ss") in file.read_text()


def test_what_htdigest_stored_as_typed_is_found_as_typed(file):
    file.write_text(lines(NFD, "R", "pa\u0308ss"))
    run("-v", "-i", file, "R", NFD, password="pa\u0308ss")
    assert "warning: the user name is not in Normalization Form C" in run("--check", file).err
    run("-D", file, "R", NFD)
    assert file.read_text() == ""


def test_normalisation_is_unicodes():
    rng = random.Random(7616)
    alphabet = ("aeq\u00e9\u0300\u0301\u0308\u0323\u0327\u0344\u03a9\u1100\u1161\u11a8\u212b\u2126"
                "\uac00\u0958\u0f73\ufb1d\u1e0a\u1e9b\u4e00\U0001d15e")
    for _ in range(100):
        name = "x" + "".join(rng.choices(alphabet, k=rng.randint(1, 12)))
        out = run("-n", "-i", "-a", "MD5", "R", name, password=name).out
        nfc = unicodedata.normalize("NFC", name)
        assert out == f"{nfc}:R:{a1('md5', nfc, 'R', nfc)}\n"


def test_a_password_that_is_no_utf8_is_refused(file):
    before = file.read_bytes()
    assert "UTF-8" in feed("-i", file, "R", "bo", text=b"p\xe4ss\n", expect=2).err
    assert ":1:5: not valid UTF-8" in feed("--import", "-", file, "R", text=b"bo,p\xe4ss\n",
                                           expect=1).err
    assert file.read_bytes() == before
    # What was stored so by htdigest can still be verified.
    file.write_text(f"bo:R:{a1('md5', 'bo', 'R', bytes([112, 228]))}\n")
    feed("-v", "-i", file, "R", "bo", text=b"p\xe4\n")
