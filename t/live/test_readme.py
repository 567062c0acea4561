"""Every command and every configuration block of README.md does what it says.

SPDX-License-Identifier: Apache-2.0
"""
import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

import built
import digest

README = (built.SOURCE / "README.md").read_text()
PASSWORD = "correct horse"


def blocks(kind):
    return re.findall(r"^```%s\n(.*?)^```$" % kind, README, re.S | re.M)


def at_a_terminal(command, cwd, env):
    """Runs a line of shell at a pseudo-terminal; types the password whenever asked for one."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execve("/bin/bash", ["bash", "-c", command], env)
    said, unanswered = b"", b""
    end = time.monotonic() + 600
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        said += data
        unanswered += data
        if re.search(rb"assword[^\n]*: ?$", unanswered):
            os.write(terminal, PASSWORD.encode() + b"\n")
            unanswered = b""
    else:
        os.kill(pid, 9)
    os.close(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status, said.decode(errors="replace")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A copy of the source to type the commands in, and a staging folder to install to."""
    place = tmp_path_factory.mktemp("readme") / "clone"
    out = subprocess.run(
        ["bash", "-c", f'. "{built.SOURCE}/build/common.sh" && copy_source "{place}"'],
        capture_output=True, text=True, check=False)
    assert out.returncode == 0, out.stderr
    (place / "conf").mkdir()
    yield place
    shutil.rmtree(place.parent, ignore_errors=True)


@pytest.fixture(scope="module")
def environment(place, tmp_path_factory):
    """`sudo make install` goes to a staging folder; what is installed there is on the PATH."""
    stage, programs = place / "stage", place / "programs"
    programs.mkdir()
    (programs / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    (programs / "sudo").chmod(0o755)
    path = f"{programs}:{stage}/usr/local/bin:{os.environ['PATH']}"
    return {**os.environ, "DESTDIR": str(stage), "PATH": path, "LC_ALL": "C.UTF-8"}


def commands():
    return [line for block in blocks("sh") for line in block.split("\n")
            if line.strip() and not line.startswith("#")]


def test_the_two_commands_come_first():
    assert commands()[:2] == ["build/demo", "build/check"]


@pytest.mark.parametrize("command", commands())
def test_command(start_server, place, environment, command):
    if command.startswith("build/check"):  # we are in it
        command += " --list"
    if command.startswith("authws connect"):
        server = configuration(start_server, place, len(blocks("apache")))
        server.start()
        command = command.replace("wss://intranet.example.com", f"ws://127.0.0.1:{server.port}")
        command += " </dev/null"
    status, said = at_a_terminal(command, place, environment)
    try:
        assert status == 0, said
        if command == "build/demo":
            line = re.search(r"^\s*(curl --digest .*?)\r?$", said, re.M).group(1)
            out = subprocess.run(f"{line} --noproxy '*' -s -m 20", shell=True, check=False,
                                 capture_output=True, text=True)
            assert "You are in." in out.stdout, said
    finally:
        if command == "build/demo":
            assert "stopped" in at_a_terminal("build/demo --stop", place, environment)[1]


def configuration(start_server, place, number):
    """A server with the first blocks, whose conf/ holds what the README's commands have made."""
    def prepare(server):
        (server.root / "modules").mkdir()
        os.symlink(built.module(), server.root / "modules" / "mod_authws.so")
        for made in (place / "conf").iterdir():
            shutil.copy(made, server.conf)
            server.protect(server.conf / made.name)
        server.page("intranet/index.html", "in\n")
    return start_server("\n".join(blocks("apache")[:number]), prepare=prepare, start=False, authws=False)


@pytest.mark.parametrize("number", range(1, len(blocks("apache")) + 1))
def test_configuration_blocks_pass_configtest_and_let_alice_in(start_server, place, number):
    server = configuration(start_server, place, number)
    status, said = server.configtest()
    assert status == 0, said
    server.start()
    with server.connect() as connection:
        assert connection.request("GET", "/intranet/").status == 401
        answer = digest.Client("alice", PASSWORD).get(connection, "/intranet/")
        assert (answer.status, answer.text) == (200, "in\n")


def test_every_link_to_a_file_leads_somewhere():
    for target in re.findall(r"\]\((?!http|#)([^)#]+)", README):
        assert (built.SOURCE / target).exists(), target
