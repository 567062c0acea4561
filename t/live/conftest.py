"""Fixtures for tests against a real httpd.

A module of tests sets CONFIG (see httpd.Httpd) and, where it wants, MPM, MODULES, ALLOW and
`prepare(server)`, which is called before the start; its tests take the fixture `server`. Tests that
need several servers, or another configuration, take `start_server`.
SPDX-License-Identifier: Apache-2.0
"""
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

import built  # noqa: E402
import httpd  # noqa: E402

for name in [n for n in os.environ if n.lower() in ("http_proxy", "https_proxy", "all_proxy")]:
    del os.environ[name]
os.environ["NO_PROXY"] = "*"


def make_a1(server, name, realm, users, algorithms=None):
    """Writes conf/NAME with authws-htdigest; `users` maps user names to passwords."""
    path = server.conf / name
    for user, password in users.items():
        more = ["-a", ",".join(algorithms)] if algorithms else []
        create = [] if path.exists() else ["-c"]
        subprocess.run([built.htdigest(), *create, "-i", *more, str(path), realm, user],
                       input=password + "\n", text=True, check=True, timeout=30,
                       capture_output=True)
    server.protect(path)
    return path


class Servers:
    """Starts servers and ends them all, each with a look at its log."""

    def __init__(self):
        self.open = []

    def __call__(self, config, prepare=None, start=True, authws=True, **options):
        path = built.module() if authws else None
        server = httpd.Httpd(config, authws=path, **options)
        self.open.append(server)
        if prepare:
            prepare(server)
        return server.start() if start else server

    def close(self):
        failures = []
        while self.open:
            try:
                self.open.pop().close()
            except AssertionError as error:
                failures.append(str(error))
        assert not failures, "\n".join(failures)


@pytest.fixture(scope="module")
def start_server():
    """start_server(config, prepare=None, start=True, authws=True, mpm=, modules=, allow=) -> Httpd;
    it lives until the module's tests are done."""
    servers = Servers()
    yield servers
    servers.close()


@pytest.fixture(scope="module")
def server(request, start_server):
    """The module's own server."""
    wants = request.module
    return start_server(
        wants.CONFIG, prepare=getattr(wants, "prepare", None), mpm=getattr(wants, "MPM", "event"),
        modules=getattr(wants, "MODULES", ()), allow=getattr(wants, "ALLOW", ()),
        authws=getattr(wants, "AUTHWS", True))
