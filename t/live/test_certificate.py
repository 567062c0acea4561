"""The scheme Certificate: who is let in, under which name, and what the others are told.

SPDX-License-Identifier: Apache-2.0
"""
import re
import ssl
import time

import pytest

import digest
import h2
import pki
import tls

LOGIN = """
    AuthType AuthWS
    AuthName "R"
    AuthWSUserFile conf/a1
    AuthWSThrottle Off
    Require valid-user
"""
PLACES = {
    "only": "AuthWSScheme Certificate",
    "both": "AuthWSScheme Certificate Digest",
    "digestfirst": "AuthWSScheme Digest Certificate",
    "map": "AuthWSScheme Certificate Digest\nAuthWSCertificateMap conf/map",
    "maponly": "AuthWSScheme Certificate\nAuthWSCertificateMap conf/map\n"
               "AuthWSCertificateUser None",
    "alice": "AuthWSScheme Certificate\nRequire user alice",
    "scheme": "AuthWSScheme Certificate Digest\nRequire authws-scheme Certificate",
    "any": "AuthWSScheme Certificate Digest\n<RequireAny>\nRequire user bob\n"
           "Require authws-scheme Certificate\n</RequireAny>",
    "dn": "AuthWSScheme Certificate\nAuthWSCertificateUser DN",
    "email": "AuthWSScheme Certificate\nAuthWSCertificateUser SAN-email",
    "upn": "AuthWSScheme Certificate\nAuthWSCertificateUser SAN-upn",
    "dns": "AuthWSScheme Certificate\nAuthWSCertificateUser SAN-dns",
    "uri": "AuthWSScheme Certificate\nAuthWSCertificateUser SAN-uri",
    "print": "AuthWSScheme Certificate\nAuthWSCertificateUser Fingerprint",
    "expr": "AuthWSScheme Certificate\n"
            "AuthWSCertificateUser \"expr=%{tolower:%{SSL_CLIENT_S_DN_O}}\"",
    "throttle": "AuthWSScheme Certificate Digest\nAuthWSThrottle 10 60s 300s",
    "throttleonly": "AuthWSScheme Certificate\nAuthWSThrottle 10 60s 300s",
}
LOCATIONS = "".join(
    f'<Location "/{name}">\n{LOGIN.replace("Require valid-user", "") if "Require" in more else LOGIN}'
    f'{more}\n</Location>\n' for name, more in PLACES.items())
HOST = """
<VirtualHost 127.0.0.1:@PORT2@>
    ServerName {name}
    SSLEngine On
    SSLCertificateFile @CONF@/server.pem
    SSLCertificateKeyFile @CONF@/server.key
    SSLCACertificateFile @CONF@/{ca}.pem
    SSLVerifyClient {verify}
    SSLVerifyDepth 3
    {more}
</VirtualHost>
"""
CONFIG = (LOCATIONS + """
SSLSessionCache shmcb:@ROOT@/run/sessions(512000)
ScriptSock @ROOT@/run/cgisock
ScriptAlias /both/cgi @CONF@/show
<Directory "@CONF@">
    Require all granted
</Directory>
LogFormat "%{Host}i %U %u %>s %{authws-scheme}n %{authws-result}n" notes
CustomLog logs/notes.log notes
Header always set X-User "expr=%{REMOTE_USER}"
Header always set X-Type "expr=%{AUTH_TYPE}"
Header always set X-Print "expr=%{reqenv:AUTHWS_FINGERPRINT}"
"""
          + HOST.format(name="a.test", ca="root-a", verify="optional",
                        more="SSLCARevocationFile @CONF@/root-a.crl\n"
                             "SSLCARevocationCheck leaf no_crl_for_cert_ok\nProtocols h2 http/1.1")
          + HOST.format(name="b.test", ca="root-b", verify="optional", more="")
          + HOST.format(name="c.test", ca="root-a", verify="optional_no_ca", more=""))
MODULES = tls.MODULES + ["cgid", "http2"]
ALLOW = ["AH01631: user .*: authorization failure", "AH02032: Hostname", "AH02039", "AH02276",
         "AH02261", "AH02008", "AH01630", "AH10501"]
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
UPN = "subjectAltName = otherName:1.3.6.1.4.1.311.20.2.3;UTF8:erika@corp.example"


def prepare(server):
    conf = server.conf
    root = pki.Authority(conf, "root-a")
    middle = pki.Authority(conf, "middle", root)
    other = pki.Authority(conf, "root-b")
    root.issue("server", "/CN=localhost", extensions="server")
    root.issue("alice", "/O=Example/CN=alice")
    root.issue("rsa", "/CN=rsa", key="rsa")
    root.issue("ed", "/CN=ed", key="ed25519")
    middle.issue("far", "/CN=far")
    (conf / "far.pem").write_text((conf / "far.pem").read_text() + middle.pem.read_text())
    root.issue("expired", "/CN=alice", start=-3, end=-1)
    root.issue("early", "/CN=alice", start=1, end=3)
    root.issue("revoked", "/CN=alice")
    root.issue("purpose", "/CN=alice", extensions="server")
    root.issue("two", "/CN=alice/CN=bob")
    root.issue("comma", "/O=A, B/CN=Müller, Jörg")
    root.issue("nameless", "/O=Example")
    root.issue("email", "/CN=x", more="subjectAltName = email:a@example.com")
    root.issue("emails", "/CN=x", more="subjectAltName = email:a@example.com, email:b@example.com")
    root.issue("upn", "/CN=x", more=UPN)
    root.issue("dns", "/CN=x", more="subjectAltName = DNS:xn--mller-kva.example")
    root.issue("uri", "/CN=x", more="subjectAltName = URI:spiffe://example/web")
    other.issue("bob", "/CN=bob")
    pki.self_signed(conf, "pinned", "/CN=whatever")
    pki.self_signed(conf, "stranger", "/CN=alice")
    root.revoke("revoked")
    root.crl()
    write_map(server)
    server.secret("a1", digest.a1_line("dora", "R", "sesame") + digest.a1_line("bob", "R", "b"))
    for name in list(PLACES) + ["both/sub"]:
        server.page(f"{name}/index.html", f"{name}\n")
    script = conf / "show"
    script.write_text("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\n"
                      "echo $REMOTE_USER $AUTH_TYPE $AUTHWS_REALM $AUTHWS_FINGERPRINT\n")
    script.chmod(0o755)
    for path in conf.glob("*.pem"):
        path.chmod(0o644)


def write_map(server, more=""):
    pinned = server.conf / "pinned.pem"
    colons = ":".join(re.findall("..", pki.fingerprint(pinned).upper()))
    text = f"# people\n{colons} \"Pia Pinned\" R\n"
    text += f"{pki.fingerprint(server.conf / 'rsa.pem', 'sha1')} mapped\n{more}"
    path = server.conf / "map.new"
    path.write_text(text)
    path.chmod(0o644)
    path.rename(server.conf / "map")


def who(answer):
    return answer.status, answer.get("X-User"), answer.get("X-Type")


# --- who gets in ---

@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("client", ["alice", "rsa", "ed", "far"])
def test_a_verified_certificate_is_let_in_under_its_common_name(server, client, version):
    answer = pki.get(server, "/only/", client, version=version)
    assert who(answer) == (200, client, "Certificate")
    assert answer.get("X-Print") == pki.fingerprint(server.conf / f"{client}.pem")


def test_it_is_never_asked_for_while_a_request_runs(server):
    """One connection, no certificate: the places that want one answer at once, without it."""
    with pki.Connection(server) as connection:
        for _ in range(3):
            assert connection.get("/only/").status == 403
            assert connection.get("/both/").status == 401
            assert connection.get("/").status == 200


def test_over_http2_each_stream_knows_the_user(server):
    def status(place, client):
        connection = h2.Connection(pki.Connection(server, client, alpn=["h2"]), "a.test")
        with connection:
            return [connection.get(place)[0] for _ in range(3)]
    assert status("/only/", "alice") == [200] * 3
    assert status("/only/", None) == [403] * 3
    assert status("/alice/", "rsa") == [403] * 3


def test_cgi_and_logs_know_who_it_is(server):
    with pki.Connection(server, "alice") as connection:
        body = connection.get("/both/cgi").body.decode().split()
    assert body == ["alice", "Certificate", "R", pki.fingerprint(server.conf / "alice.pem")]
    line, end = "a.test /both/cgi alice 200 Certificate ok\n", time.monotonic() + 10
    while line not in (server.logs / "notes.log").read_text():  # written after the answer
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("place,client,user", [
    ("dn", "comma", "CN=Müller\\, Jörg,O=A\\, B"), ("only", "comma", "Müller, Jörg"),
    ("email", "email", "a@example.com"), ("upn", "upn", "erika@corp.example"),
    ("dns", "dns", "xn--mller-kva.example"), ("uri", "uri", "spiffe://example/web"),
    ("expr", "alice", "example")])
def test_the_user_is_the_name_that_is_asked_for(server, place, client, user):
    answer = pki.get(server, f"/{place}/", client)
    assert who(answer) == (200, user.encode().decode("latin-1"), "Certificate")


def test_the_fingerprint_can_be_the_user(server):
    print_of = pki.fingerprint(server.conf / "alice.pem")
    assert who(pki.get(server, "/print/", "alice")) == (200, print_of, "Certificate")


@pytest.mark.parametrize("place,client", [
    ("only", "two"), ("only", "nameless"), ("email", "emails"), ("email", "alice"),
    ("upn", "email"), ("expr", "rsa")])
def test_no_name_and_several_names_are_nobody(server, place, client):
    mark = len(server.log())
    assert pki.get(server, f"/{place}/", client).status == 403
    server.wait_log(r"AW2173: Certificate: fingerprint [0-9a-f]{64}, TLS says SUCCESS, "
                    r"realm \"R\": (it has (no|several) name|the expression for its user gives)",
                    mark)


# --- who does not ---

@pytest.mark.parametrize("client", ["expired", "early", "revoked", "purpose", "stranger", "bob"])
@pytest.mark.parametrize("version", VERSIONS)
def test_what_tls_does_not_verify_gets_nobody_in(server, client, version):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        pki.get(server, "/only/", client, version=version)


@pytest.mark.parametrize("client", ["stranger", "bob"])
def test_a_certificate_without_a_ca_counts_only_when_it_is_pinned(server, client):
    assert pki.get(server, "/only/", client, sni="c.test").status == 403
    assert pki.get(server, "/both/", client, sni="c.test").status == 401
    assert pki.get(server, "/map/", client, sni="c.test").status == 401
    assert pki.get(server, "/maponly/", client, sni="c.test").status == 403


def test_a_pinned_certificate_is_let_in_without_a_ca(server):
    for place in ("/map/", "/maponly/"):
        assert who(pki.get(server, place, "pinned", sni="c.test")) == \
            (200, "Pia Pinned", "Certificate")
    assert pki.get(server, "/only/", "pinned", sni="c.test").status == 403


def test_the_map_goes_before_the_name(server):
    assert who(pki.get(server, "/map/", "rsa")) == (200, "mapped", "Certificate")
    assert who(pki.get(server, "/map/", "alice")) == (200, "alice", "Certificate")
    assert pki.get(server, "/maponly/", "alice").status == 403


def test_an_edit_of_the_map_is_seen_at_once(server):
    print_of = pki.fingerprint(server.conf / "stranger.pem")
    with pki.Connection(server, "stranger", sni="c.test") as connection:
        assert connection.get("/maponly/").status == 403
        write_map(server, f"{print_of} new\n")
        time.sleep(0.1)
        assert who(connection.get("/maponly/")) == (200, "new", "Certificate")
        write_map(server)
        time.sleep(0.1)
        assert connection.get("/maponly/").status == 403


def test_a_certificate_that_expires_on_an_open_connection_is_refused(server):
    pki.Authority(server.conf, "brief").issue("brief-user", "/CN=brief", end=6 / 86400)
    print_of = pki.fingerprint(server.conf / "brief-user.pem")
    write_map(server, f"{print_of} brief\n")
    time.sleep(0.1)
    mark = len(server.log())
    with pki.Connection(server, "brief-user", sni="c.test") as connection:
        assert connection.get("/maponly/").status == 200
        end = time.monotonic() + 20
        while connection.get("/maponly/").status == 200 and time.monotonic() < end:
            time.sleep(0.2)
        assert connection.get("/maponly/").status == 403
    server.wait_log("AW2173.*it has expired", mark)
    write_map(server)


# --- what is said to those without ---

def test_who_has_none_is_told_what_is_missing_or_asked_by_the_next_scheme(server):
    answer = pki.get(server, "/only/")
    assert answer.status == 403 and answer.get("WWW-Authenticate") is None
    assert b"A client certificate is needed, and none was sent." in answer.body
    answer = pki.get(server, "/both/")
    assert {c.get("realm") for c in digest.challenges(answer)} == {"R"}
    answer = server.get("/only/")
    assert answer.status == 403 and b"this is no TLS connection" in answer.body
    with pki.Connection(server) as connection:
        assert who(digest.Client("dora", "sesame").get(connection, "/both/")) == \
            (200, "dora", "Digest")


def test_a_name_and_password_are_meant_where_digest_comes_first(server):
    with pki.Connection(server, "alice") as connection:
        assert who(connection.get("/digestfirst/")) == (200, "alice", "Certificate")
        challenge = digest.challenges(server.get("/digestfirst/"))[0]
        for password, expected in (("sesame", (200, "dora", "Digest")), ("wrong", 401)):
            field = digest.Client("dora", password).fields("GET", "/digestfirst/", challenge)
            answer = connection.get("/digestfirst/", [digest_field(field)])
            assert (who(answer) if answer.status == 200 else answer.status) == expected


def digest_field(values):
    return ("Authorization", digest.Client.field(values))


def test_who_may_not_go_on_is_not_sent_round_in_circles(server):
    answer = pki.get(server, "/alice/", "rsa")
    assert answer.status == 403 and answer.get("WWW-Authenticate") is None
    assert b"Forbidden" in answer.body and b"401" not in answer.body
    assert pki.get(server, "/alice/", "alice").status == 200


def test_require_authws_scheme_looks_at_how_the_user_came_in(server):
    assert pki.get(server, "/scheme/", "alice").status == 200
    with pki.Connection(server) as connection:
        assert digest.Client("dora", "sesame").get(connection, "/scheme/").status == 401
        assert digest.Client("dora", "sesame").get(connection, "/any/").status == 401
        assert digest.Client("bob", "b").get(connection, "/any/").status == 200
    assert pki.get(server, "/any/", "alice").status == 200


@pytest.mark.parametrize("place,first", [("/throttle/", 401), ("/throttleonly/", 403)])
def test_a_client_that_keeps_coming_without_is_refused_for_a_while(server, place, first):
    agent = [("User-Agent", "background" + place)]
    with pki.Connection(server) as connection:
        for _ in range(10):
            assert connection.get(place, agent).status == first
        answer = connection.get(place, agent)
        assert answer.status == 429 and int(answer.get("Retry-After")) <= 301
        # Others at this address are not: another client, a certificate, a password.
        assert connection.get(place, [("User-Agent", "browser")]).status == first
    assert pki.get(server, place, "alice", agent).status == 200
    server.wait_log("AW2171")


def test_a_login_forgets_that_a_client_came_without(server):
    with pki.Connection(server) as connection:
        for _ in range(15):
            client = digest.Client("dora", "sesame")
            assert client.get(connection, "/throttle/",
                              headers=[("User-Agent", "script")]).status == 200


# --- virtual hosts and sessions ---

@pytest.mark.parametrize("version", VERSIONS)
def test_a_certificate_is_not_taken_along_to_another_virtual_host(server, version):
    """The handshake was for a.test: what is asked of b.test is asked of other CAs."""
    with pki.Connection(server, "alice", sni="a.test", version=version) as connection:
        assert connection.get("/only/", host="b.test").status == 421
    with pki.Connection(server, "alice", sni="a.test", version=version) as connection:
        assert connection.get("/only/", host="c.test").status == 421
    with pki.Connection(server, "bob", sni="b.test", version=version) as connection:
        assert who(connection.get("/only/")) == (200, "bob", "Certificate")


@pytest.mark.parametrize("version", VERSIONS)
def test_without_sni_it_counts_for_the_first_virtual_host_alone(server, version):
    with pki.Connection(server, "alice", sni=None, version=version) as connection:
        assert connection.get("/only/", host="a.test").status == 200
        assert connection.get("/only/", host="b.test").status in (403, 421)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("source,target", [("a.test", "b.test"), ("c.test", "b.test"),
                                           ("c.test", "a.test")])
def test_a_session_is_not_resumed_for_another_virtual_host(server, source, target, version):
    """c.test lets everybody in who has any certificate; its sessions are worth nothing at a.test
    and b.test, whatever name the resumption asks for."""
    client = "stranger" if source == "c.test" else "alice"
    settings = pki.context(server, client, version)
    with pki.Connection(server, sni=source, settings=settings) as connection:
        assert connection.get("/").status == 200
        session = connection.socket.session
    with pki.Connection(server, sni=source, settings=settings, session=session) as connection:
        assert connection.get("/").status == 200
        assert connection.socket.session_reused
        session = connection.socket.session
    try:
        with pki.Connection(server, sni=target, settings=settings, session=session) as connection:
            answer = connection.get("/only/")
            assert answer.status != 200, "the certificate crossed"
    except (ssl.SSLError, ConnectionError):
        pass  # a full handshake, which does not know this certificate


@pytest.mark.parametrize("version", VERSIONS)
def test_a_resumed_session_is_still_who_it_was(server, version):
    settings = pki.context(server, "alice", version)
    with pki.Connection(server, settings=settings) as connection:
        assert connection.get("/only/").status == 200
        session = connection.socket.session
    with pki.Connection(server, settings=settings, session=session) as connection:
        assert who(connection.get("/only/")) == (200, "alice", "Certificate")
        assert connection.socket.session_reused


# --- configuration ---

@pytest.mark.parametrize("line,said", [
    ("AuthWSCertificateMap", "AuthWSCertificateMap: "),
    ("AuthWSCertificateMap conf/none", "AuthWSCertificateMap: .*none: No such file"),
    ("AuthWSCertificateMap conf/broken", r"broken:2:1: .*U\+200E"),
    ("AuthWSCertificateUser Nick",
     '"Nick" is not known; allowed are CN, DN, SAN-email, SAN-upn, SAN-dns, SAN-uri, Fingerprint, '
     'None, expr='),
    ("AuthWSCertificateUser expr=%{nonsense", "is not an expression"),
    ("AuthWSScheme Certificat", '"Certificat" is not a scheme; allowed are'),
    ("Require authws-scheme Ticke", '"Ticke" is not a scheme'),
    ("Require authws-scheme", "needs one or more of"),
])
def test_mistakes_are_found_before_the_start(start_server, line, said):
    server = start_server(f'<Location "/">\n{line}\n</Location>\n', start=False)
    (server.conf / "broken").write_text("# people\n\u200e" + "ab" * 32 + " alice\n")
    status, text = server.configtest()
    assert status != 0 and re.search(said, text), text
    assert "httpd.conf:" in text


def test_the_log_shows_no_more_than_a_fingerprint(server):
    assert "BEGIN CERTIFICATE" not in server.log()
