"""qop=auth-int: the body is checked before anybody sees it, handed on whole, and answered for.

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import shutil
import socket
import subprocess
import threading
import time

import pytest

import digest

LIMIT = 64 * 1024

COMMON = """
    AuthType AuthWS
    AuthName "I"
    AuthWSUserFile conf/a1
    Require valid-user
"""

CONFIG = f"""
ScriptSock @ROOT@/run/cgisock
ScriptAlias /cgi/ @ROOT@/cgi/
ScriptAlias /acted/ @ROOT@/cgi/
<Directory @ROOT@/cgi>
    Options ExecCGI
    Require all granted
</Directory>
<LocationMatch "^/(cgi|page|dir|acted|redirected|down|proxied|both|chained)">
    AuthWSQop auth-int
    AuthWSBodyLimit 64K
    {COMMON}
</LocationMatch>
<Location "/both">
    AuthWSQop auth auth-int
</Location>
<Location "/none">
    AuthWSQop auth-int
    AuthWSBodyLimit 0
    {COMMON}
</Location>

# After an internal redirect: rewritten per directory, through mod_dir, through an Action.
<Directory @DOCROOT@/redirected>
    RewriteEngine On
    RewriteRule ^to-cgi$ /cgi/echo [L]
    RewriteRule ^to-open$ /open/echo [L]
</Directory>
ScriptAlias /open/ @ROOT@/cgi/
<Directory @DOCROOT@/dir>
    DirectoryIndex index.acted
</Directory>
AddHandler acted .acted
Action acted /acted/echo
<Directory @DOCROOT@/chained>
    DirectoryIndex /cgi/echo
</Directory>

SetOutputFilter DEFLATE
SetEnvIf Request_URI "^/(cgi|page/index|both|dir|backend|proxied)" no-gzip=1

ProxyPass /proxied/ http://127.0.0.1:@PORT2@/backend/
<VirtualHost *:@PORT2@>
    ScriptAlias /backend/ @ROOT@/cgi/
    SetEnv ap_trust_cgilike_cl yes
</VirtualHost>
"""
MODULES = ["cgid", "actions", "proxy", "proxy_http", "filter", "deflate", "asis"]

ECHO = """#!/bin/sh
echo "Content-Type: application/octet-stream"
echo "X-Length: ${CONTENT_LENGTH:-none}"
if [ -n "$CONTENT_LENGTH" ]; then echo "Content-Length: $CONTENT_LENGTH"; fi
echo "X-Who: ${REMOTE_USER:-nobody}"
echo "X-Env: ${AUTH_TYPE:-none} ${AUTHWS_REALM:-none} ${AUTHWS_ALGORITHM:-none}"
echo
cat
"""
SLOW = """#!/bin/sh
echo "Content-Type: text/plain"
echo
echo one
sleep 0.3
echo two
"""
BIG = f"""#!/bin/sh
echo "Content-Type: text/plain"
echo
head -c {LIMIT + 1} /dev/zero
"""


def prepare(server):
    server.secret("a1", digest.a1_line("alice", "I", "sesame", ["MD5", "SHA-256"]))
    scripts = server.root / "cgi"
    scripts.mkdir(exist_ok=True)
    for name, text in (("echo", ECHO), ("slow", SLOW), ("big", BIG)):
        (scripts / name).write_text(text)
        (scripts / name).chmod(0o755)
    for place in ("page", "both", "none"):
        server.page(f"{place}/index.html", "a page, " * 20)
    server.page("down/text.html", "pressed together " * 100)
    server.page("page/exact.bin", b"x" * LIMIT)
    server.page("page/over.bin", b"x" * (LIMIT + 1))
    server.page("page/empty.html", "")
    server.page("redirected/index.html", "")
    server.page("dir/index.acted", "")
    server.page("dir/sub/index.html", "")
    server.page("chained/index.html", "")


def login(server, uri, qop="auth-int", algorithm=None):
    client = digest.Client("alice", "sesame", algorithm, qop=qop)
    answer = server.get(uri)
    assert answer.status == 401
    client.challenge = digest.pick(answer, algorithm)
    return client


def go(server, uri, method="GET", body=None, headers=(), hashed=None, chunks=None):
    """A request with auth-int; `hashed` is what the response is made over. The answer, and the
    fields with the client that made them."""
    client = login(server, uri)
    values = client.fields(method, uri, body=hashed if hashed is not None else body or b"")
    with server.connect() as connection:
        mine = [("Authorization", client.field(values)), *headers]
        if chunks is None:
            answer = connection.request(method, uri, mine, body)
        else:
            coded = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"
            answer = connection.request(method, uri, [*mine, "Transfer-Encoding: chunked"], coded)
    return answer, client, values


def info(answer):
    lines = answer.all("Authentication-Info")
    assert len(lines) == 1, answer
    return digest.params(lines[0])


def proved(answer, client, values, body=None):
    """Whether rspauth is there and right for the body."""
    return info(answer).get("rspauth") == client.rspauth(
        values, answer.body if body is None else body)


# --- requests ---

def test_a_get_without_a_body(server):
    answer, client, values = go(server, "/page/")
    assert answer.status == 200 and answer.text == "a page, " * 20
    assert proved(answer, client, values)
    assert info(answer)["qop"] == "auth-int"


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_every_algorithm_offered(server, algorithm):
    client = login(server, "/page/", algorithm=algorithm)
    values = client.fields("GET", "/page/")
    answer = server.get("/page/", [("Authorization", client.field(values))])
    assert answer.status == 200 and proved(answer, client, values)


BODIES = [b"", b"x", b"\0\r\n\xff" * 3, b"line\n" * 3000, bytes(range(256)) * 255,
          b"y" * LIMIT]
WHERE = ["/cgi/echo", "/proxied/echo"]


@pytest.mark.parametrize("uri", WHERE)
@pytest.mark.parametrize("body", BODIES, ids=len)
def test_a_body_arrives_as_it_was_sent(server, uri, body):
    answer, client, values = go(server, uri, "POST", body)
    assert answer.status == 200 and answer.body == body
    assert proved(answer, client, values)
    assert answer.get("X-Length") == str(len(body)) or not body


@pytest.mark.parametrize("uri", WHERE)
@pytest.mark.parametrize("chunks", [
    [], [b"x"], [b"one", b"\r\n", b"three" * 1000], [b"z"] * 200, [b"y" * (LIMIT - 1), b"y"]],
    ids=len)
def test_a_chunked_body_arrives_as_it_was_sent(server, uri, chunks):
    answer, client, values = go(server, uri, "POST", b"".join(chunks), chunks=chunks)
    assert answer.status == 200 and answer.body == b"".join(chunks)
    if "proxied" not in uri or "rspauth" in info(answer):
        assert proved(answer, client, values)


def test_with_expect_the_client_is_told_to_go_on_only_after_its_header_was_looked_at(server):
    client = login(server, "/cgi/echo")
    body = b"waited for"
    with server.connect() as connection:
        connection.send_request("POST", "/cgi/echo", [
            "Expect: 100-continue", f"Content-Length: {len(body)}"])
        assert connection.response().status == 401, "no 100 before"
    with server.connect() as connection:
        values = client.fields("POST", "/cgi/echo", body=body)
        connection.send_request("POST", "/cgi/echo", [
            "Expect: 100-continue", f"Content-Length: {len(body)}",
            ("Authorization", client.field(values))])
        assert connection._head()[0] == 100
        connection.send(body)
        answer = connection.response("POST")
    assert answer.status == 200 and answer.body == body and proved(answer, client, values)


def test_on_one_connection_one_request_follows_the_other(server):
    client = login(server, "/cgi/echo")
    with server.connect() as connection:
        for body in (b"first", b"", b"second" * 1000, b"third"):
            field = client.authorization("POST", "/cgi/echo", body=body)
            answer = connection.request("POST", "/cgi/echo", [("Authorization", field)], body)
            assert answer.status == 200 and answer.body == body


def test_a_body_nobody_reads_does_no_harm_to_the_next_request(server):
    client = login(server, "/page/")
    with server.connect() as connection:
        for _ in range(3):
            body = b"GET /page/ HTTP/1.1\r\nHost: x\r\n\r\n"
            field = client.authorization("POST", "/page/index.html", body=body)
            answer = connection.request("POST", "/page/index.html", [("Authorization", field)],
                                        body)
            assert answer.status in (200, 405)


def test_redirected_pages_get_the_body_too(server):
    for uri in ("/redirected/to-cgi", "/redirected/to-open", "/dir/index.acted", "/dir/",
                "/chained/"):
        for body in (b"", b"handed on " * 100):
            answer, client, values = go(server, uri, "POST", body)
            assert (answer.status, answer.body) == (200, body), uri
            assert proved(answer, client, values), uri


def test_redirected_pages_get_a_chunked_body_too(server):
    for uri in ("/redirected/to-cgi", "/redirected/to-open", "/dir/", "/chained/"):
        chunks = [b"handed ", b"on " * 100]
        answer, client, values = go(server, uri, "POST", b"".join(chunks), chunks=chunks)
        assert (answer.status, answer.body) == (200, b"".join(chunks)), uri


def test_what_the_script_is_told_after_a_redirect(server):
    for uri in ("/cgi/echo", "/redirected/to-cgi", "/dir/index.acted", "/dir/", "/chained/"):
        answer, _, _ = go(server, uri, "POST", b"x")
        assert answer.get("X-Who") == "alice", uri
        assert answer.get("X-Env") == "Digest I SHA-256", uri


@pytest.mark.parametrize("uri", [*WHERE, "/redirected/to-cgi"])
@pytest.mark.parametrize("sent, hashed", [
    (b"pay 9", b"pay 1"), (b"", b"x"), (b"x", b""), (b"xx", b"x"), (b"x\n", b"x")])
def test_a_tampered_body_is_refused(server, uri, sent, hashed):
    answer, _, _ = go(server, uri, "POST", sent, hashed=hashed)
    assert answer.status == 401 and answer.get("X-Who") is None
    assert "stale" not in digest.pick(answer)


def test_a_tampered_body_uses_no_count_up(server):
    client = login(server, "/cgi/echo")
    for body, status in ((b"wrong", 401), (b"right", 200), (b"right", 401)):
        field = client.authorization("POST", "/cgi/echo", body=b"right", nc=1)
        assert server.get("/cgi/echo", [("Authorization", field)], "POST", body).status == status


@pytest.mark.parametrize("uri", [*WHERE, "/redirected/to-cgi"])
def test_a_body_above_the_limit_gets_413(server, uri):
    body = b"x" * (LIMIT + 1)
    mark = len(server.log())
    assert go(server, uri, "POST", body)[0].status == 413
    assert go(server, uri, "POST", body, chunks=[body[:1000], body[1000:]])[0].status == 413
    said = server.log(mark)
    assert "AW2040" in said and "[authws:error]" not in said


def test_a_declared_length_above_the_limit_is_not_waited_for(server):
    client = login(server, "/cgi/echo")
    with server.connect() as connection:
        connection.send_request("POST", "/cgi/echo", [
            ("Authorization", client.authorization("POST", "/cgi/echo", body=b"")),
            "Content-Length: 9000000000000000000"])
        assert connection.response("POST").status == 413
        assert connection.closed()


def test_with_a_limit_of_0_only_requests_without_a_body_pass(server):
    assert go(server, "/none/index.html")[0].status == 200
    assert go(server, "/none/index.html", "POST", b"")[0].status in (200, 405)
    assert go(server, "/none/index.html", "POST", b"x")[0].status == 413


def test_a_client_that_goes_away_in_the_middle_of_its_body(server):
    client = login(server, "/cgi/echo")
    mark = len(server.log())
    for headers, part in ((["Content-Length: 100"], b"half"),
                          (["Transfer-Encoding: chunked"], b"64\r\nhalf")):
        with server.connect() as connection:
            connection.send_request("POST", "/cgi/echo", [
                ("Authorization", client.authorization("POST", "/cgi/echo", body=b"half")),
                *headers])
            connection.send(part)
    time.sleep(0.2)
    assert "[authws:error]" not in server.log(mark), "a client's fault is no error of the server's"
    assert server.get("/page/").status == 401


def test_broken_chunks_get_400(server):
    client = login(server, "/cgi/echo")
    with server.connect() as connection:
        connection.send_request("POST", "/cgi/echo", [
            ("Authorization", client.authorization("POST", "/cgi/echo", body=b"")),
            "Transfer-Encoding: chunked"])
        connection.send(b"zz\r\n")
        assert connection.response("POST").status == 400


def test_qop_auth_where_only_auth_int_is_offered_is_asked_again(server):
    client = login(server, "/page/", qop="auth")
    assert client.challenge["qop"] == "auth-int"
    field = client.authorization("GET", "/page/")
    answer = server.get("/page/", [("Authorization", field)])
    assert answer.status == 401 and "stale" not in digest.pick(answer)


def test_where_both_are_offered_the_client_chooses(server):
    for qop in ("auth", "auth-int"):
        client = login(server, "/both/", qop=qop)
        values = client.fields("GET", "/both/")
        answer = server.get("/both/", [("Authorization", client.field(values))])
        assert answer.status == 200 and info(answer)["qop"] == qop
        assert proved(answer, client, values, b"" if qop == "auth" else None)


# --- answers ---

@pytest.mark.parametrize("uri, there", [
    ("/page/exact.bin", True), ("/page/over.bin", False), ("/page/empty.html", True),
    ("/page/missing", True), ("/cgi/big", False), ("/cgi/echo", True)])
def test_the_answer_is_answered_for_where_it_can_be_held(server, uri, there):
    answer, client, values = go(server, uri)
    assert (len(answer.body) <= LIMIT) == there
    if there:
        assert proved(answer, client, values)
    else:
        assert "rspauth" not in info(answer) and info(answer)["nc"] == "00000001"


def test_a_head_is_answered_for_with_an_empty_body(server):
    answer, client, values = go(server, "/page/index.html", "HEAD")
    assert answer.status == 200 and answer.get("Content-Length") == "160"
    assert proved(answer, client, values, b"")


def test_a_304_is_answered_for_with_an_empty_body(server):
    tag = go(server, "/page/index.html")[0].get("ETag")
    answer, client, values = go(server, "/page/index.html", headers=[("If-None-Match", tag)])
    assert answer.status == 304
    assert "rspauth" not in info(answer) or proved(answer, client, values, b"")


def test_a_range_goes_out_without_rspauth(server):
    answer, _, _ = go(server, "/page/index.html", headers=["Range: bytes=2-5"])
    assert (answer.status, answer.body) == (206, b"page")
    assert "rspauth" not in info(answer)


def test_a_compressed_answer_is_answered_for_as_it_is_sent(server):
    answer, client, values = go(server, "/down/text.html", headers=["Accept-Encoding: gzip"])
    assert answer.get("Content-Encoding") == "gzip"
    assert proved(answer, client, values)


def test_a_streamed_answer_is_not_held_back(start_server):
    """mod_proxy flushes what its backend sends little by little."""
    goes_on = threading.Event()

    def backend(listener):
        peer, _ = listener.accept()
        with peer:
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
            goes_on.wait(20)
            peer.sendall(b"3\r\ntwo\r\n0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=backend, args=(listener,), daemon=True).start()
        other = start_server(CONFIG.replace(
            "ProxyPass /proxied/",
            f"ProxyPass /proxied/live http://127.0.0.1:{listener.getsockname()[1]}/\n"
            "ProxyPass /proxied/"), prepare=prepare, modules=MODULES)
        client = login(other, "/proxied/live")
        with other.connect() as connection:
            connection.send_request("GET", "/proxied/live", [
                ("Authorization", client.authorization("GET", "/proxied/live"))])
            head = connection._until(b"one")
            goes_on.set()
            connection._until(b"two")
    assert b"nc=00000001" in head and b"rspauth" not in head


def test_over_http_2(start_server):
    config = f"""
Protocols h2c http/1.1
H2Direct on
{CONFIG}"""
    if not shutil.which("curl"):
        pytest.skip("no curl")
    other = start_server(config, prepare=prepare, modules=[*MODULES, "http2"])
    body = "over h2 " * 1000
    # curl hashes an empty body whatever it sends, so the hash is made here.
    client = login(other, "/cgi/echo")
    field = client.authorization("GET", "/page/index.html")
    out = subprocess.run(
        ["curl", "-sS", "-i", "--http2-prior-knowledge", "-H", "Authorization: " + field,
         other.url("/page/index.html")], capture_output=True, text=True, check=True, timeout=30)
    assert "HTTP/2 200" in out.stdout and "rspauth=" in out.stdout
    for uri in WHERE:
        values = client.fields("POST", uri, body=body.encode())
        out = subprocess.run(
            ["curl", "-sS", "-i", "--http2-prior-knowledge", "-H",
             "Authorization: " + client.field(values), "--data-binary", body, other.url(uri)],
            capture_output=True, text=True, check=True, timeout=30)
        head, text = out.stdout.replace("\r", "").split("\n\n", 1)
        assert "HTTP/2 200" in head and text == body
        assert client.rspauth(values, body.encode()) in head
    values = client.fields("POST", "/cgi/echo", body=b"another")
    out = subprocess.run(
        ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--http2-prior-knowledge", "-H",
         "Authorization: " + client.field(values), "--data-binary", body, other.url("/cgi/echo")],
        capture_output=True, text=True, check=True, timeout=30)
    assert out.stdout == "401"


def test_the_hash_is_that_of_rfc_7616(server):
    """Independent of the client's own arithmetic: spelled out once."""
    client = login(server, "/cgi/echo", algorithm="SHA-256")
    body = b"spelled out"
    v = client.fields("POST", "/cgi/echo", body=body)
    a1 = hashlib.sha256(b"alice:I:sesame").hexdigest()
    a2 = hashlib.sha256(
        f"POST:/cgi/echo:{hashlib.sha256(body).hexdigest()}".encode()).hexdigest()
    want = hashlib.sha256(
        f"{a1}:{v['nonce']}:{v['nc']}:{v['cnonce']}:auth-int:{a2}".encode()).hexdigest()
    assert v["response"] == want
