"""Many writers of one A1 file, a reader meanwhile, writers killed, and a full disk.

SPDX-License-Identifier: Apache-2.0

AUTHWS_LONG=0.1 takes a tenth of the edits.
"""
import os
import random
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), os.pardir, "tools"))

from test_htdigest import TOOL, file, home, lines, run, small_disk  # noqa: E402, F401 (fixtures)

SCALE = float(os.environ.get("AUTHWS_LONG") or 1)
LINE = re.compile(rb"[a-z0-9-]+:R:([0-9a-f]{32}|\{SHA-256\}[0-9a-f]{64})\n")
WRITERS = 8


def scaled(n):
    return max(1, int(n * SCALE))


class Reader(threading.Thread):
    """Reads the file over and over: every line is whole, and nobody ever goes."""

    def __init__(self, path):
        super().__init__()
        self.path, self.reads, self.wrong, self.users = path, 0, [], set()
        self.ending = threading.Event()

    def run(self):
        while not self.ending.is_set() and not self.wrong:
            whole = self.path.read_bytes().splitlines(keepends=True)
            self.reads += 1
            self.wrong += [line for line in whole if not LINE.fullmatch(line)]
            users = {line.split(b":")[0] for line in whole}
            self.wrong += self.users - users
            if len(whole) != 2 * len(users):
                self.wrong.append(f"{len(whole)} lines of {len(users)} users")
            self.users = users

    def end(self):
        self.ending.set()
        self.join()
        assert self.wrong == [] and self.reads > 10


def test_nothing_is_lost_or_torn_by_eight_writers(file):  # noqa: F811
    each = scaled(500)
    script = ('for i in $(seq "$3"); do echo pw | "$0" -i "$1" R "u$2-$i" 2>/dev/null || exit 1; '
              'done')
    reader = Reader(file)
    reader.start()
    began = time.monotonic()
    writers = [subprocess.Popen(["sh", "-c", script, TOOL, file, str(w), str(each)])
               for w in range(WRITERS)]
    ended = [w.wait(timeout=1800) for w in writers]
    seconds = time.monotonic() - began
    reader.end()
    users = {line.split(":")[0] for line in file.read_text().splitlines()}
    print(f"{len(users) - 1} of {WRITERS * each} present after {seconds:.0f} s, "
          f"{reader.reads} reads")
    assert ended == [0] * WRITERS
    assert users == {"al"} | {f"u{w}-{i}" for w in range(WRITERS) for i in range(1, each + 1)}
    assert run("--check", file).out == ""


def killed(file, rounds, command, longest):  # noqa: F811
    """Kills a writer `rounds` times; how often the file had changed before. `command` gives the
    arguments, the input and the new content of one round."""
    rng = random.Random(7616)
    changed = 0
    for i in range(rounds):
        before = file.read_bytes()
        args, given, new = command(i)
        tool = subprocess.Popen([TOOL, *map(os.fspath, args)], stdin=subprocess.PIPE,
                                stderr=subprocess.DEVNULL)
        tool.stdin.write(given)
        tool.stdin.close()
        time.sleep(rng.uniform(0, longest))
        tool.kill()
        tool.wait()
        after = file.read_bytes()
        assert after in (before, new), f"round {i}"
        changed += after == new
    left = {p.name for p in file.parent.iterdir()}
    assert left <= {file.name, file.name + ".lock", f".{file.name}.authws-new"}
    return changed


def test_a_thousand_killed_edits_leave_the_old_file_or_the_new(file):  # noqa: F811
    filler = "".join(lines(f"filler{i}", "R", "x") for i in range(2000))
    file.write_text(lines("al", "R", "first") + filler)
    rounds = scaled(1000)
    changed = killed(file, rounds, lambda i: (
        ["-i", file, "R", "al"], b"%d\n" % i, (lines("al", "R", str(i)) + filler).encode()), 0.03)
    print(f"{rounds} killed: {changed} times the new file, {rounds - changed} times the old")
    assert 0 < changed < rounds
    run("-i", file, "R", "al", password="end")
    assert file.read_text() == lines("al", "R", "end") + filler


def test_killed_imports_leave_the_old_file_or_the_new(file):  # noqa: F811
    rounds, users = scaled(200), range(2000)
    rows = "".join(f"user{i},pw\n" for i in users)
    kept = "".join(lines(f"user{i}", "R", "pw") for i in users)
    changed = killed(file, rounds, lambda i: (
        ["-c", "--import", "-", file, "R"], (rows + f"al,{i}\n").encode(),
        (kept + lines("al", "R", str(i))).encode()), 0.06)
    print(f"{rounds} killed: {changed} times the new file, {rounds - changed} times the old")
    assert 0 < changed < rounds
    run("--check", file)


def test_a_disk_that_fills_during_an_import_keeps_the_old_file(small_disk):  # noqa: F811
    path = small_disk / "users.a1"
    path.write_text(lines("al", "R", "old"))
    rows = small_disk.parent / "rows.csv"
    rows.write_text("".join(f"user{i},pw\n" for i in range(2000)))
    assert "No space left" in run("--import", rows, path, "R", expect=3).err
    assert path.read_text() == lines("al", "R", "old")
    assert sorted(p.name for p in small_disk.iterdir()) == ["users.a1", "users.a1.lock"]
