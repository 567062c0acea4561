"""The harness itself, proved on httpd's own mod_auth_digest.

SPDX-License-Identifier: Apache-2.0
"""
import os
import signal
import subprocess

import pytest

import digest
import httpd

CONFIG = """
<Location "/closed">
    AuthType Digest
    AuthName "r"
    AuthDigestProvider file
    AuthUserFile @CONF@/users
    Require valid-user
</Location>
"""
MODULES = ["auth_digest"]
AUTHWS = False
ALLOW = ["AH01794: user alice: password mismatch"]


def prepare(server):
    server.secret("users", digest.a1_line("alice", "r", "sesame", ["MD5"]))
    server.page("closed/index.html", "closed\n")


@pytest.mark.parametrize("mpm", ["event", "worker", "prefork"])
def test_every_mpm_starts_answers_and_stops(start_server, mpm):
    started = start_server(CONFIG, prepare=prepare, authws=False, mpm=mpm, modules=MODULES)
    assert started.get("/").status == 200
    started.graceful()
    assert started.get("/").status == 200
    pid = started.process.pid
    started.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_digest_client_gets_in_and_a_wrong_password_does_not(server):
    with server.connect() as connection:
        answer = digest.Client("alice", "sesame").get(connection, "/closed/")
        assert (answer.status, answer.text) == (200, "closed\n")
    with server.connect() as connection:
        assert digest.Client("alice", "wrong").get(connection, "/closed/").status == 401


def test_the_clients_arithmetic_is_that_of_rfc_7616():
    client = digest.Client("Mufasa", "Circle of Life")
    challenge = {"realm": "http-auth@example.org",
                 "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                 "algorithm": "SHA-256"}
    fields = client.fields("GET", "/dir/index.html", challenge=challenge, nc=1,
                           cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    assert fields["response"] == \
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"


def test_a_mistake_in_the_configuration_is_told(start_server):
    broken = start_server("NoSuchDirective on\n", start=False, authws=False)
    status, said = broken.configtest()
    assert status != 0 and "NoSuchDirective" in said


def test_an_error_nobody_allowed_fails_the_module_of_tests():
    victim = httpd.Httpd(CONFIG.replace("users", "missing"), modules=MODULES)
    prepare(victim)
    victim.start()
    with victim.connect() as connection:
        assert digest.Client("alice", "sesame").get(connection, "/closed/").status >= 400
    with pytest.raises(AssertionError, match="unexpected in the error log"):
        victim.close()


def test_a_crashed_child_fails_the_module_of_tests():
    victim = httpd.Httpd("", mpm="prefork")
    victim.start()
    child = victim.children()[0]
    os.kill(child, signal.SIGSEGV)
    victim.wait_log("AH00051|AH00052|exit signal")
    with pytest.raises(AssertionError, match="exit signal"):
        victim.close()


def test_nothing_is_left_running(start_server):
    gone = start_server("", authws=False)
    group = gone.process.pid
    gone.stop()
    out = subprocess.run(["ps", "-o", "pid=", "-g", str(group)], capture_output=True, text=True,
                         check=False)
    assert out.stdout.strip() == ""
