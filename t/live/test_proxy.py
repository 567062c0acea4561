"""Forward proxy: 407 and its header fields, CONNECT; and Digest before a reverse proxy.

SPDX-License-Identifier: Apache-2.0
"""
import shutil
import subprocess

import pytest

import digest

AUTH = """
    AuthType AuthWS
    AuthWSUserFile conf/a1
    Require valid-user
"""
CONFIG = f"""
ProxyRequests On
AllowCONNECT @PORT2@ @PORT3@
<Proxy "*">
    AuthName "Proxy"
    AuthWSDomain /nowhere
    {AUTH}
</Proxy>
<Proxy "http://127.0.0.1:@PORT2@/int">
    AuthWSQop auth-int
</Proxy>
ProxyPass /reverse http://127.0.0.1:@PORT2@/open
<Location "/reverse">
    AuthName "Reverse"
</Location>
<Location "/own">
    AuthName "Own"
    {AUTH}
</Location>

ScriptSock @ROOT@/run/cgisock
<Directory @ROOT@/cgi>
    Options ExecCGI
    Require all granted
</Directory>
<VirtualHost *:@PORT2@>
    ProxyRequests Off
    ScriptAlias /open @ROOT@/cgi/show
    ScriptAlias /int @ROOT@/cgi/show
    ScriptAlias /closed @ROOT@/cgi/show
    <Location "/closed">
        AuthName "Origin"
        {AUTH}
    </Location>
</VirtualHost>
<VirtualHost *:@PORT3@>
    ProxyRequests Off
    SSLEngine On
    SSLCertificateFile @CONF@/cert.pem
    SSLCertificateKeyFile @CONF@/key.pem
    ScriptAlias /open @ROOT@/cgi/show
    ScriptAlias /closed @ROOT@/cgi/show
    <Location "/closed">
        AuthName "Origin"
        AuthWSDomain /closed host.example
        {AUTH}
    </Location>
</VirtualHost>
"""
MODULES = ["cgid", "proxy", "proxy_http", "proxy_connect", "ssl", "socache_shmcb"]
ALLOW = ["AH00898: Connect to remote machine blocked", "AH01909"]

SHOW = """#!/bin/sh
echo "Content-Type: text/plain"
echo "X-Origin: yes"
echo
env | grep -E '^(HTTP_(PROXY_)?AUTH|REMOTE_USER|REQUEST_METHOD)' | sort
cat
"""


def prepare(server):
    server.secret("a1", "".join(digest.a1_line("alice", realm, realm.lower())
                                for realm in ("Proxy", "Origin", "Reverse", "Own")))
    scripts = server.root / "cgi"
    scripts.mkdir(exist_ok=True)
    (scripts / "show").write_text(SHOW)
    (scripts / "show").chmod(0o755)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", str(server.conf / "key.pem"), "-out", str(server.conf / "cert.pem")],
        check=True, capture_output=True)
    server.page("own/index.html", "own\n")


def origin(server, path="/open"):
    return f"http://127.0.0.1:{server.ports[1]}{path}"


def through(server, uri, method="GET", **options):
    """Logs in at the proxy; the answer, the client and its last fields' challenge."""
    client = digest.Client("alice", "proxy", **options)
    with server.connect() as connection:
        answer = client.get(connection, uri, method=method, proxy=True)
    return answer, client


def info(answer):
    lines = answer.all("Proxy-Authentication-Info")
    assert len(lines) == 1, answer
    return digest.params(lines[0])


def test_without_credentials_it_is_407_and_nothing_is_fetched(server):
    answer = server.get(origin(server))
    assert answer.status == 407 and answer.get("X-Origin") is None
    lines = answer.all("Proxy-Authenticate")
    assert len(lines) == 2 and all(line.startswith('Digest realm="Proxy", ') for line in lines)
    assert answer.get("WWW-Authenticate") is None
    assert all("domain" not in digest.params(line) for line in lines), \
        "RFC 7616: domain means nothing to a proxy"


def test_the_proxy_proves_itself_and_the_origin_learns_no_credentials(server):
    uri = origin(server)
    client = digest.Client("alice", "proxy")
    client.challenge = digest.pick(server.get(uri), proxy=True)
    values = client.fields("GET", uri)
    answer = server.get(uri, [("Proxy-Authorization", client.field(values))])
    assert answer.status == 200 and answer.get("X-Origin") == "yes"
    assert info(answer)["rspauth"] == client.rspauth(values)
    assert answer.get("Authentication-Info") is None
    assert answer.text == "REQUEST_METHOD=GET\n"


def test_wrong_credentials_and_replays_at_the_proxy(server):
    uri = origin(server)
    client = digest.Client("alice", "wrong")
    client.challenge = digest.pick(server.get(uri), proxy=True)
    answer = server.get(uri, [("Proxy-Authorization", client.authorization("GET", uri))])
    assert answer.status == 407 and "stale" not in digest.pick(answer, proxy=True)
    assert answer.get("Proxy-Authentication-Info") is None
    client.password = "proxy"
    field = [("Proxy-Authorization", client.authorization("GET", uri))]
    assert server.get(uri, field).status == 200
    answer = server.get(uri, field)
    assert answer.status == 407 and digest.pick(answer, proxy=True)["stale"] == "true"


def test_a_uri_without_the_authority_is_good_too(server):
    client = digest.Client("alice", "proxy")
    client.challenge = digest.pick(server.get(origin(server)), proxy=True)
    for uri, status in (("/open", 200), ("/elsewhere", 400), ("http://other.example/open", 400)):
        field = client.authorization("GET", uri)
        assert server.get(origin(server), [("Proxy-Authorization", field)]).status == status


def test_malformed_credentials_get_400_from_the_proxy(server):
    answer = server.get(origin(server), [("Proxy-Authorization", "Digest key=")])
    assert answer.status == 400 and answer.get("X-Origin") is None


def test_the_origins_own_login_goes_through_beside(server):
    uri = origin(server, "/closed")
    at_origin = digest.Client("alice", "origin")
    at_proxy = digest.Client("alice", "proxy")
    with server.connect() as connection:
        answer = at_proxy.get(connection, uri, proxy=True)
        assert answer.status == 401 and answer.get("Proxy-Authenticate") is None
        assert digest.pick(answer)["realm"] == "Origin"
        assert info(answer)["nc"] == "00000001"
        at_origin.challenge = digest.pick(answer)
        mine = at_origin.fields("GET", uri)
        answer = at_proxy.get(connection, uri, proxy=True,
                              headers=[("Authorization", at_origin.field(mine))])
    assert answer.status == 200 and "REMOTE_USER=alice" in answer.text
    assert digest.params(answer.get("Authentication-Info"))["rspauth"] == at_origin.rspauth(mine)
    assert len(answer.all("Authentication-Info")) == 1 and info(answer)["nc"] == "00000002"


def test_each_field_opens_only_its_own_door(server):
    client = digest.Client("alice", "proxy")
    client.challenge = digest.pick(server.get(origin(server)), proxy=True)
    field = client.authorization("GET", origin(server))
    answer = server.get(origin(server), [("Authorization", field)])
    assert answer.status == 407
    own = digest.Client("alice", "own")
    own.challenge = digest.pick(server.get("/own/"))
    field = own.authorization("GET", "/own/")
    answer = server.get("/own/", [("Proxy-Authorization", field)])
    assert answer.status == 401 and answer.get("Proxy-Authenticate") is None
    assert server.get("/own/", [("Authorization", field)]).status == 200


def test_auth_int_at_the_proxy_checks_the_body_on_its_way(server):
    uri = origin(server, "/int")
    client = digest.Client("alice", "proxy", qop="auth-int")
    client.challenge = digest.pick(server.get(uri), proxy=True)
    for body, hashed, status in ((b"a" * 100000, None, 200), (b"pay 9", b"pay 1", 407)):
        values = client.fields("POST", uri, body=hashed or body)
        answer = server.get(uri, [("Proxy-Authorization", client.field(values))], "POST", body)
        assert answer.status == status
        if status == 200:
            assert answer.body == b"REQUEST_METHOD=POST\n" + body
            assert info(answer).get("rspauth") in (None, client.rspauth(values, answer.body))


def connect(connection, target, field=None):
    headers = [("Proxy-Authorization", field)] if field else []
    connection.send_request("CONNECT", target, headers, host=target)
    return connection.response("CONNECT")


def test_connect(server):
    target = f"127.0.0.1:{server.ports[1]}"
    client = digest.Client("alice", "proxy")
    with server.connect() as connection:
        answer = connect(connection, target)
        assert answer.status == 407 and answer.get("WWW-Authenticate") is None
        client.challenge = digest.pick(answer, proxy=True)
        answer = connect(connection, target, client.authorization("CONNECT", target))
        assert answer.status == 200
        answer = connection.request("GET", "/open", host=target)
        assert answer.status == 200 and answer.text == "REQUEST_METHOD=GET\n"


def test_connect_is_checked_like_any_request(server):
    target = f"127.0.0.1:{server.ports[1]}"
    client = digest.Client("alice", "proxy")
    client.challenge = digest.pick(server.get(origin(server)), proxy=True)
    used = client.authorization("CONNECT", target)
    for field, status in (
            (client.authorization("GET", target), 407),
            (client.authorization("CONNECT", f"127.0.0.1:{server.ports[2]}"), 400),
            (client.field(client.fields("CONNECT", target), response="0" * 64), 407),
            (used, 200), (used, 407)):
        with server.connect() as connection:
            assert connect(connection, target, field).status == status


def test_connect_to_a_port_that_is_not_allowed(server):
    target = f"127.0.0.1:{server.port}"
    client = digest.Client("alice", "proxy")
    client.challenge = digest.pick(server.get(origin(server)), proxy=True)
    with server.connect() as connection:
        answer = connect(connection, target, client.authorization("CONNECT", target))
        assert answer.status == 403


@pytest.mark.parametrize("scheme, path", [
    ("http", "/open"), ("https", "/open"), ("http", "/closed"), ("https", "/closed")])
def test_curl_through_the_proxy(server, scheme, path):
    if not shutil.which("curl"):
        pytest.skip("no curl")
    port = server.ports[2] if scheme == "https" else server.ports[1]
    command = ["curl", "-sS", "--noproxy", "", "--cacert", str(server.conf / "cert.pem"),
               "-x", f"http://127.0.0.1:{server.port}", "--proxy-digest", "-U", "alice:proxy",
               "-w", "%{http_code} %{http_connect}"]
    if path == "/closed":
        command += ["--digest", "-u", "alice:origin"]
    out = subprocess.run([*command, f"{scheme}://127.0.0.1:{port}{path}"], capture_output=True,
                         text=True, check=True, timeout=30)
    assert "REQUEST_METHOD=GET" in out.stdout and "PROXY_AUTH" not in out.stdout
    assert out.stdout.endswith("200 200" if scheme == "https" else "200 000")


def test_over_tls_the_protection_space_is_https(server):
    out = subprocess.run(
        ["curl", "-sS", "-k", "-i", f"https://127.0.0.1:{server.ports[2]}/closed"],
        capture_output=True, text=True, check=True, timeout=30)
    line = [x for x in out.stdout.splitlines() if x.lower().startswith("www-authenticate")][0]
    assert digest.params(line)["domain"] == "/closed https://host.example/closed"


def test_before_a_reverse_proxy_it_is_401_and_authentication_info(server):
    answer = server.get("/reverse")
    assert answer.status == 401 and answer.get("Proxy-Authenticate") is None
    assert digest.pick(answer)["realm"] == "Reverse"
    client = digest.Client("alice", "reverse")
    client.challenge = digest.pick(answer)
    values = client.fields("GET", "/reverse")
    answer = server.get("/reverse", [("Authorization", client.field(values))])
    assert answer.status == 200 and answer.get("X-Origin") == "yes"
    lines = answer.all("Authentication-Info")
    assert len(lines) == 1 and digest.params(lines[0])["rspauth"] == client.rspauth(values)
    assert answer.get("Proxy-Authentication-Info") is None
