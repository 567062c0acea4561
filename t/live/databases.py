"""Databases for the tests: SQLite files, and a PostgreSQL server of the test's own.

SPDX-License-Identifier: Apache-2.0
"""
import glob
import os
import pwd
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

import httpd

TABLE = "CREATE TABLE users (name TEXT, realm TEXT, a1 TEXT, PRIMARY KEY (name, realm))"


def sqlite(path, rows):
    """A SQLite database with the table; rows are (name, realm, a1)."""
    with sqlite3.connect(path) as database:
        database.execute(TABLE)
        database.executemany("INSERT INTO users VALUES (?, ?, ?)", rows)
    database.close()


def postgres_programs():
    """The folder of the newest PostgreSQL server, or None."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres")) or [shutil.which("postgres")]
    return Path(found[-1]).parent if found[-1] else None


class Postgres:
    """A PostgreSQL server on loopback; it does not run as root, so not always as who we are."""

    def __init__(self):
        self.programs = postgres_programs()
        self.user = None
        if os.geteuid() == 0:
            self.user = pwd.getpwnam(httpd.unprivileged()[0])
        self.root = Path(tempfile.mkdtemp(prefix="authws-postgres-"))
        if self.user:
            os.chown(self.root, self.user.pw_uid, self.user.pw_gid)
        self.data = self.root / "data"
        self.port = httpd.free_port()
        self.process = None
        self.run("initdb", "-D", self.data, "-U", "owner", "-A", "trust", "-N",
                 "--locale=C.UTF-8", "-E", "UTF8")

    def options(self):
        own = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} \
            if self.user else {}
        return {"cwd": self.root, "env": {"PATH": os.environ["PATH"], "LANG": "C"}, **own}

    def run(self, program, *arguments, **more):
        return subprocess.run([self.programs / program, *map(str, arguments)], check=True,
                              capture_output=True, text=True, timeout=60,
                              **{**self.options(), **more})

    def start(self):
        self.process = subprocess.Popen(
            [self.programs / "postgres", "-D", self.data, "-p", str(self.port), "-h", "127.0.0.1",
             "-k", self.root, "-F"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=(self.root / "log").open("ab"), **self.options())
        end = time.monotonic() + 30
        while subprocess.run([self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p",
                              str(self.port)], check=False, **self.options()).returncode != 0:
            assert time.monotonic() < end and self.process.poll() is None, \
                (self.root / "log").read_text()
            time.sleep(0.05)
        return self

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def sql(self, text):
        self.run("psql", "-h", "127.0.0.1", "-p", self.port, "-U", "owner", "-d", "postgres", "-v",
                 "ON_ERROR_STOP=1", "-q", "-c", text)

    def fill(self, rows):
        self.sql(TABLE)
        for row in rows:
            self.sql("INSERT INTO users VALUES ({})".format(
                ", ".join("'" + word.replace("'", "''") + "'" for word in row)))

    def close(self):
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)
