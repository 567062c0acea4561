"""WebSocket clients that people really use, over ws and wss, with and without compression.

SPDX-License-Identifier: Apache-2.0
"""
import asyncio
import base64
import json
import os
import re
import shutil
import subprocess

import pytest

import browser
import conftest
import digest
import tls
from ws_peers import PEERS

REALM, USER, PASSWORD = "peers", "alice", "correct horse"
CONFIG = f"""
LogLevel info authws:info
LogFormat "%H %u %>s %U %{{authws-scheme}}n" peers
CustomLog @ROOT@/logs/peers.log peers
H2WebSockets on
<Location "/">
    AuthType AuthWS
    AuthName "{REALM}"
    AuthWSUserFile @CONF@/users.a1
    AuthWSScheme Digest Basic
    Require valid-user
</Location>
<Location "/live">
    AuthWSService echo
    AuthWSProtocol v2.echo v1.echo
</Location>
<Location "/open">
    AuthWSService echo
    Require all granted
</Location>
""" + tls.HOST % "Protocols http/1.1" + (tls.HOST % "Protocols h2 http/1.1").replace(
    "@PORT2@", "@PORT3@") + (tls.HOST % """Protocols http/1.1
    SSLVerifyClient require
    SSLCACertificateFile @CONF@/alice.pem""").replace("@PORT2@", "@PORT4@")
MODULES = [*tls.MODULES, "http2"]
ALLOW = [r"AH02008|AH02261"]


def prepare(server):
    tls.certificate(server)
    tls.certificate(server, "alice", "alice")
    conftest.make_a1(server, "users.a1", REALM, {USER: PASSWORD}, ["MD5", "SHA-256"])


MESSAGES = [
    ("text", ""), ("binary", b""), ("text", "Hello"), ("text", "κόσμε 日本語 😀"),
    ("binary", bytes(range(256))), ("text", "x" * 125), ("text", "y" * 126), ("binary", b"z" * 65535),
    ("binary", os.urandom(65536)), ("text", "ü" * 100000), ("binary", os.urandom(300000)),
    *[("text", json.dumps({"id": i, "user": "alice", "value": "v" * (i * 37 % 900)}))
      for i in range(60)]]


def digest_field(server):
    """An Authorization for /live, computed for the server's own challenge."""
    client = digest.Client(USER, PASSWORD)
    answer = server.get("/live")
    assert answer.status == 401
    client.challenge = digest.pick(answer)
    return client.authorization("GET", "/live")


def basic_field(_):
    return "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("deflate", [False, True], ids=["plain", "deflate"])
@pytest.mark.parametrize("name", list(PEERS))
def test_a_client_gets_back_what_it_sends(server, name, deflate, secure):
    peer = PEERS[name]
    url = f"wss://localhost:{server.ports[1]}/live" if secure else \
        f"ws://127.0.0.1:{server.port}/live"
    mark = len(server.log())
    told = peer(url, digest_field(server), deflate,
                str(server.conf / "server.pem") if secure else None, MESSAGES)
    assert "got" in told, told
    assert told["got"] == MESSAGES
    assert told["code"] == 4000
    opened = server.wait_log(r"AW2102: .*", mark).group(0)
    assert ("not compressed" in opened) == (not deflate), opened
    closed = server.wait_log(r"AW2110: .*", mark).group(0)
    assert f'user "{USER}"' in closed and "scheme Digest: code 4000" in closed, closed


@pytest.mark.parametrize("name", list(PEERS))
def test_a_client_logs_in_with_basic_or_stays_outside(server, name):
    peer = PEERS[name]
    url = f"ws://127.0.0.1:{server.port}/live"
    assert peer(url, basic_field(server), False, None, [("text", "in")])["got"] == [("text", "in")]
    wrong = "Basic " + base64.b64encode(f"{USER}:wrong".encode()).decode()
    assert peer(url, wrong, False, None, [("text", "in")])["status"] == 401
    assert peer(url, "", False, None, [("text", "in")])["status"] == 401


# --- a browser ---

ECHO = """new Promise((resolve) => {
    const socket = new WebSocket(%s, %s);
    const told = {got: [], kinds: []};
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
        told.extensions = socket.extensions;
        told.protocol = socket.protocol;
        for (const text of ['', 'Hello', 'κόσμε 😀', 'x'.repeat(200000)]) socket.send(text);
        for (const n of [0, 125, 65536, 100000]) socket.send(new Uint8Array(n).fill(n & 255));
    };
    socket.onmessage = ({data}) => {
        told.kinds.push(typeof data == 'string' ? 'text' : 'binary');
        told.got.push(typeof data == 'string' ? [data.length, data.slice(0, 20)]
            : [data.byteLength, new Uint8Array(data)[0] ?? -1]);
        if (told.got.length == 8) socket.close(4000, 'done');
    };
    socket.onclose = ({code, wasClean}) => resolve(Object.assign(told, {code, wasClean}));
    setTimeout(() => resolve(Object.assign(told, {code: -1})), 15000);
})"""
GOT = [[0, ""], [5, "Hello"], [8, "κόσμε 😀"], [200000, "x" * 20], [0, -1], [125, 125], [65536, 0],
       [100000, 100000 & 255]]


def in_browser(steps, *flags, **options):
    async def run():
        async with browser.Browser(*flags, **options) as chromium:
            await steps(await chromium.tab())
    asyncio.run(run())


async def echo(tab, url, protocols=()):
    return await tab.evaluate(ECHO % (json.dumps(url), json.dumps(list(protocols))))


def judge(told, protocol=""):
    assert told["code"] == 4000 and told["wasClean"], told
    assert told["got"] == GOT and told["kinds"] == ["text"] * 4 + ["binary"] * 4
    assert told["extensions"].startswith("permessage-deflate")
    assert told["protocol"] == protocol


def logged(server, mark):
    """The lines of the access log for /live."""
    lines = (server.logs / "peers.log").read_text()[mark:].splitlines()
    return [line for line in lines if "/live" in line]


def test_browser_ws_after_the_digest_login_of_its_page(server):
    async def steps(tab):
        assert await tab.visit(server.url("/"), (USER, PASSWORD)) == 200
        judge(await echo(tab, f"ws://127.0.0.1:{server.port}/live", ["v1.echo", "x"]), "v1.echo")
        judge(await echo(tab, f"ws://127.0.0.1:{server.port}/live"))
        assert tab.prompts == 1
    mark = len((server.logs / "peers.log").read_text())
    in_browser(steps)
    assert set(logged(server, mark)) <= {f"HTTP/1.1 {USER} 101 /live Digest",
                                         "HTTP/1.1 - 401 /live Digest", "HTTP/1.1 - 401 /live -"}
    assert f"HTTP/1.1 {USER} 101 /live Digest" in logged(server, mark)


def test_browser_ws_of_another_site_is_refused(server):
    async def steps(tab):
        assert await tab.visit(server.url("/", "localhost"), (USER, PASSWORD)) == 200
        told = await echo(tab, f"ws://127.0.0.1:{server.port}/open")
        assert told["code"] == 1006 and not told["got"], told
        judge(await echo(tab, f"ws://localhost:{server.port}/open"))
    mark = len(server.log())
    in_browser(steps)
    assert re.search(r"AW2101: WebSocket refused with 403: origin", server.log(mark))


def test_browser_wss(server):
    async def steps(tab):
        port = server.ports[1]
        assert await tab.visit(f"https://localhost:{port}/", (USER, PASSWORD)) == 200
        judge(await echo(tab, f"wss://localhost:{port}/live", ["v2.echo"]), "v2.echo")
        assert tab.prompts == 1
    in_browser(steps, "--ignore-certificate-errors")


def test_browser_wss_over_http_2(server):
    async def steps(tab):
        port = server.ports[2]
        assert await tab.visit(f"https://localhost:{port}/", (USER, PASSWORD)) == 200
        judge(await echo(tab, f"wss://localhost:{port}/live"))
        assert tab.prompts == 1
    mark = len((server.logs / "peers.log").read_text())
    log = len(server.log())
    in_browser(steps, "--ignore-certificate-errors")
    server.wait_log(r"AW2110: WebSocket closed", log)
    assert f"HTTP/2.0 {USER} 101 /live Digest" in logged(server, mark) or \
        f"HTTP/2.0 {USER} 200 /live Digest" in logged(server, mark), logged(server, mark)


def namespace():
    """How to run a program that sees another /etc/chromium, where that is possible."""
    for flags in (["-m"], ["-rm"]):
        command = ["unshare", *flags, "sh", "-c", "mount -t tmpfs none /etc/chromium"]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return ["unshare", *flags]
    return None


def test_browser_wss_with_a_client_certificate(server):
    wrap = namespace()
    if not wrap:
        pytest.skip("no mount namespaces: Chromium's policies cannot be set")
    home = server.root / "browser"
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    bundle = home / "alice.p12"
    for command in (
            ["openssl", "pkcs12", "-export", "-passout", "pass:", "-in", server.conf / "alice.pem",
             "-inkey", server.conf / "alice.key", "-out", bundle, "-name", "alice"],
            ["certutil", "-N", "--empty-password", "-d", f"sql:{database}"],
            ["pk12util", "-i", bundle, "-d", f"sql:{database}", "-W", "", "-K", ""]):
        subprocess.run([str(c) for c in command], check=True, capture_output=True, timeout=60)
    policy = home / "policy.json"
    policy.write_text(json.dumps({"AutoSelectCertificateForUrls": [
        json.dumps({"pattern": "https://localhost", "filter": {}})]}))
    script = "mount -t tmpfs none /etc/chromium && mkdir -p /etc/chromium/policies/managed && " \
        f"cp {policy} /etc/chromium/policies/managed/ && exec \"$@\""

    async def steps(tab):
        port = server.ports[3]
        assert await tab.visit(f"https://localhost:{port}/", (USER, PASSWORD)) == 200
        judge(await echo(tab, f"wss://localhost:{port}/live"))

    in_browser(steps, "--ignore-certificate-errors", wrap=[*wrap, "sh", "-c", script, "sh"],
               home=str(home))
    shutil.rmtree(home)
