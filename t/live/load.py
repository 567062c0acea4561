"""Load on a server, while it is restarted and its children are killed.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import threading
import time

import built
import digest
import httpd

USER, PASSWORD, REALM = "alice", "open sesame", "r"

LOCATION = """
<Location "/in">
    AuthType AuthWS
    AuthName "r"
    AuthWSUserFile @CONF@/users.a1
    AuthWSAlgorithm SHA-256 MD5
    Require valid-user
    {more}
</Location>
"""
NATIVE = """
<Location "/in">
    AuthType Digest
    AuthName "r"
    AuthDigestProvider file
    AuthUserFile @CONF@/users.a1
    AuthDigestNcCheck {nccheck}
    Require valid-user
</Location>
"""
# Four children, all the time; twice as many slots, for those that a graceful restart lets finish.
LIMITS = """
ServerLimit 8
StartServers 4
ThreadsPerChild 32
MaxRequestWorkers 128
MinSpareThreads 1
MaxSpareThreads 128
AsyncRequestWorkerFactor 10
ListenBackLog 2048
"""
CREDENTIALS_LOG = """
LogFormat "%>s %{Authorization}i" credentials
CustomLog @ROOT@/logs/credentials.log credentials
"""
KILLED = re.compile(r"exit signal Killed \(9\)")


class Shaken(httpd.Httpd):
    """A server whose children are killed on purpose, and whose log says so."""

    def unexpected(self):
        return [line for line in super().unexpected() if not KILLED.search(line)]


@contextlib.contextmanager
def running(config, users=None, kind=httpd.Httpd, authws=True, **options):
    """A server that lives as long as the block; its log is looked at in the end."""
    server = kind(LIMITS + config, authws=built.module() if authws else None, **options)
    for i, (user, password) in enumerate((users or {USER: PASSWORD}).items()):
        algorithms = ("MD5", "SHA-256") if authws else ("MD5",)
        with (server.conf / "users.a1").open("a" if i else "w", encoding="utf-8") as file:
            file.write(digest.a1_line(user, REALM, password, algorithms))
    server.protect(server.conf / "users.a1")
    server.page("in/index.html", "in\n")
    server.start()
    try:
        yield server
    finally:
        server.close()


def users_file(server, users):
    """A file for --users."""
    path = server.root / "passwords"
    path.write_text("".join(f"{name}:{password}\n" for name, password in users.items()),
                    encoding="utf-8")
    return path


def begin(server, *options, who=("--user", USER), path="/in/index.html"):
    """Starts `authws bench digest`."""
    command = [built.authws(), "bench", "digest", "--json", *who, *options, server.url(path)]
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if "--user" in who:
        process.stdin.write(PASSWORD + "\n")
    process.stdin.close()
    process.stdin = None
    return process


def end(process, seconds=60):
    """Its exit status and what it counted."""
    out, err = process.communicate(timeout=seconds)
    assert out, err
    said = json.loads(out)
    print(json.dumps(said))
    return process.returncode, said


def bench(server, *options, seconds=60, **more):
    return end(begin(server, *options, **more), seconds)


class Killer:
    """Kills a child at random about once in so many seconds, for as long as the block lasts."""

    def __init__(self, server, every, seed):
        self.server, self.every = server, every
        self.chance = random.Random(seed)
        self.kills = 0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def run(self):
        while not self.done.wait(self.chance.uniform(0, 2 * self.every)):
            children = self.server.children()
            if children:
                try:
                    os.kill(self.chance.choice(children), signal.SIGKILL)
                    self.kills += 1
                except ProcessLookupError:
                    pass


def restart_gracefully(server, times, seconds):
    """So often, evenly spread over the time."""
    for _ in range(times):
        time.sleep(seconds / (times + 1))
        server.graceful()
    time.sleep(seconds / (times + 1))


def accepted_counts(server):
    """(nonce, nc) -> how often an answer let it in, from the server's own log."""
    found = {}
    wanted = re.compile(r'^(2\d\d|304) Digest .*\bnonce="([^"]+)".*\bnc=([0-9a-f]{8})')
    # A child killed while it writes may leave half a line, with another one behind it.
    log = (server.logs / "credentials.log").read_text(errors="replace").replace("\\\"", '"')
    for line in log.splitlines():
        match = wanted.match(line)
        if match:
            key = match.group(2), match.group(3)
            found[key] = found.get(key, 0) + 1
    return found


def judge(status, said):
    """What must hold whatever happens to the server."""
    assert said["false_401"] == said["refused"] == 0, said
    assert said["accepted_replays"] == 0 and said["rspauth_mismatches"] == 0, said
    assert said["bad_answers"] == said["timeouts"] == 0, said
    assert status == 0


def judge_log(server, said):
    """The log of the server agrees that no count was let in twice, and that as many were as the
    tool was told; when children were killed, some lines are missing."""
    wanted = 1 if isinstance(server, Shaken) else said["accepted"]
    counts = wait_for(lambda: accepted_counts(server), lambda found: len(found) >= wanted)
    assert len(counts) >= wanted
    assert max(counts.values()) == 1


def logged(server, requests):
    """status -> how many lines of the access log; waits until there are so many lines."""
    def count():
        found = {}
        for line in server.access().splitlines():
            status = line.rsplit(" ", 3)[1]
            found[status] = found.get(status, 0) + 1
        return found
    return wait_for(count, lambda found: sum(found.values()) >= requests)


def wait_for(look, enough, seconds=10):
    """Lines are logged when an answer has been sent: the tool may be done before the last ones."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if enough(found) or time.monotonic() > end:
            return found
        time.sleep(0.1)
