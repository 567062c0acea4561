"""Where authentication applies: virtual hosts, .htaccess, Require, subrequests, redirects, MPMs.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import time

import pytest

import digest

AUTH = """
    AuthType AuthWS
    AuthName "P"
    AuthWSUserFile conf/a1
"""

CONFIG = f"""
LogFormat "%u %{{authws-scheme}}n '%{{authws-result}}n' %>s %U" who
CustomLog @ROOT@/logs/who.log who
Header always set X-User "expr=%{{REMOTE_USER}}"
ScriptSock @ROOT@/run/cgisock
ScriptAlias /cgi/ @ROOT@/cgi/
ScriptAlias /opencgi/ @ROOT@/cgi/
<Directory @ROOT@/cgi>
    Options ExecCGI
    Require all granted
</Directory>
<Location "/cgi">{AUTH}
    Require valid-user
</Location>
<Location "/plain">{AUTH}
    Require valid-user
</Location>
<Location "/plain/open">
    Require all granted
</Location>
<Location "/plain/other">
    AuthName "Q"
</Location>
<Location "/open">
    AuthType AuthWS
</Location>
<Location "/noname">
    AuthType AuthWS
    AuthWSUserFile conf/a1
    Require valid-user
</Location>
<Location "/nofile">
    AuthType AuthWS
    AuthName "P"
    Require valid-user
</Location>

<Location "/user">{AUTH}
    Require user alice
</Location>
<Location "/forbidden">{AUTH}
    Require user alice
    AuthzSendForbiddenOnFailure On
</Location>
<Location "/group">{AUTH}
    AuthGroupFile conf/groups
    Require group staff
</Location>
<Location "/any">{AUTH}
    <RequireAny>
        Require expr "%{{HTTP:X-Door}} == 'back'"
        Require user alice
    </RequireAny>
</Location>
<Location "/all">{AUTH}
    <RequireAll>
        Require valid-user
        Require expr "%{{HTTP:X-Door}} != 'shut'"
        <RequireNone>
            Require user bob
        </RequireNone>
    </RequireAll>
</Location>
<Location "/satisfy">{AUTH}
    Require valid-user
    Order deny,allow
    Deny from all
    Allow from env=insider
    Satisfy Any
</Location>
SetEnvIf X-Door back insider
<Location "/satisfyall">{AUTH}
    Require valid-user
    Order deny,allow
    Deny from env=insider
    Satisfy All
</Location>

<Directory @DOCROOT@/ht>
    AllowOverride AuthConfig
</Directory>

<Directory @DOCROOT@/ssi>
    Options +Includes
    AddOutputFilter INCLUDES .shtml
</Directory>
<Location "/ssi">{AUTH}
    Require valid-user
</Location>
<Directory @DOCROOT@/started>{AUTH}
    DirectoryIndex start.html
    Require valid-user
    <Files "start.html">
        AuthWSNextNonce always
    </Files>
    <Files "closed.html">
        Require user bob
    </Files>
</Directory>
<Location "/opened">
    Options +Includes
    SetOutputFilter INCLUDES
</Location>

<Directory @DOCROOT@/moved>
    RewriteEngine On
    RewriteRule ^inside$ /moved/target.html [L]
    RewriteRule ^other$ /plain/index.html [L]
    RewriteRule ^foreign$ /plain/other/index.html [L]
    RewriteRule ^cgi$ /cgi/env [L]
    RewriteRule ^opencgi$ /opencgi/env [L]
</Directory>
<Location "/moved">{AUTH}
    Require valid-user
</Location>

<Location "/said">{AUTH}
    ErrorDocument 401 /sorry.html
    Require valid-user
</Location>
<Location "/saidinside">{AUTH}
    ErrorDocument 401 /saidinside/sorry.html
    Require valid-user
</Location>
<Location "/saidcgi">{AUTH}
    ErrorDocument 404 /cgi/env
    Require valid-user
</Location>

<Location "/httpds">
    AuthType Digest
    AuthName "httpd's own"
    AuthDigestProvider file
    AuthUserFile conf/htdigest
    Require valid-user
</Location>
<Location "/httpds/ours">{AUTH}
    Require valid-user
</Location>
<Location "/both">{AUTH}
    AuthWSScheme Basic Digest
    AuthWSAlgorithm SHA-256
    Require valid-user
</Location>

<VirtualHost *:@PORT@>
    ServerName first.example
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName one.example
    <Location "/plain">
        AuthName "One"
        AuthWSUserFile conf/one.a1
    </Location>
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName two.example
    <Location "/plain">
        AuthName "Two"
        AuthWSUserFile conf/two.a1 conf/one.a1
        AuthWSAlgorithm MD5
    </Location>
</VirtualHost>

<VirtualHost *:@PORT2@>
    # One configuration for everything, so that httpd does not ask the hooks again.
    DocumentRoot @ROOT@/whole
    Action whole /env
    AddHandler whole .whole
    ErrorDocument 404 /env
    <Directory @ROOT@/whole>
        Require all granted
        Options +ExecCGI
    </Directory>
    <Files "env">
        SetHandler cgi-script
    </Files>
    <Location "/">{AUTH}
        Require valid-user
    </Location>
</VirtualHost>
"""
MODULES = ["cgid", "include", "access_compat", "auth_digest", "actions"]
ALLOW = [
    "AW2010: AuthType AuthWS needs an AuthName: /noname/",
    "AW2011: AuthType AuthWS, scheme Digest, needs an AuthWSUserFile or AuthWSProvider: /nofile/",
    r"AH01631: user \w+: authorization failure",
    r"AH01630: client denied by server configuration",
    r"AH01797: client denied by server configuration",
    r"include:error.* unable to include",
    r"htaccess: ",
]

ENV = """#!/bin/sh
echo "Content-Type: text/plain"
echo
env | grep -E '^(REDIRECT_)?(REMOTE_USER|AUTH_TYPE|AUTHWS_[A-Z]*|HTTP_AUTHORIZATION)=' | sort
"""


def prepare(server):
    everybody = "".join(
        digest.a1_line(user, realm, user + "'s")
        for realm in ("P", "Q") for user in ("alice", "bob"))
    server.secret("a1", everybody)
    server.secret("one.a1", digest.a1_line("alice", "One", "one")
                  + digest.a1_line("alice", "Two", "two"))
    server.secret("two.a1", digest.a1_line("bob", "Two", "two", ["MD5"]))
    server.secret("groups", "staff: alice\n")
    server.secret("htdigest", digest.a1_line("alice", "httpd's own", "old", ["MD5"]))
    scripts = server.root / "cgi"
    scripts.mkdir(exist_ok=True)
    whole = server.root / "whole"
    whole.mkdir(exist_ok=True)
    for path in (scripts / "env", whole / "env"):
        path.write_text(ENV)
        path.chmod(0o755)
    (whole / "index.html").write_text("whole\n")
    (whole / "page.whole").write_text("")
    for place in ("plain", "plain/open", "plain/other", "open", "noname", "nofile", "user",
                  "forbidden", "group", "any", "all", "satisfy", "satisfyall", "moved", "said",
                  "saidinside", "saidcgi", "httpds", "httpds/ours", "both", "ht", "ht/deep",
                  "ht/broken", "ht/missing", "ht/server"):
        server.page(f"{place}/index.html", f"page {place}\n")
    server.page("started/start.html", "page started\n")
    server.page("started/closed.html", "page closed\n")
    server.page("moved/target.html", "page target\n")
    server.page("sorry.html", "so sorry\n")
    server.page("saidinside/sorry.html", "never shown\n")
    server.page("ssi/index.shtml", '[<!--#include virtual="/ssi/part.html" -->]'
                '[<!--#include virtual="/plain/index.html" -->]'
                '[<!--#include virtual="/plain/other/index.html" -->]'
                '[<!--#include virtual="/user/index.html" -->]'
                '[<!--#echo var="REMOTE_USER" -->]')
    server.page("ssi/part.html", "part")
    server.page("opened/index.html", '[<!--#include virtual="/plain/index.html" -->]')
    server.page("ht/.htaccess", f"""AuthType AuthWS
AuthName P
AuthWSUserFile {server.conf}/a1
AuthWSAlgorithm SHA-256
AuthWSScheme Digest
AuthWSQop auth
AuthWSNonceLifetime 30m
AuthWSNextNonce always
AuthWSUserhash On
AuthWSDomain /ht
AuthWSBodyLimit 1K
Require valid-user
""")
    server.page("ht/deep/.htaccess", "AuthWSNextNonce off\nRequire user bob\n")
    server.page("ht/broken/.htaccess", "AuthWSAlgorithm ROT13\n")
    server.page("ht/missing/.htaccess", f"AuthWSUserFile {server.conf}/gone\n")
    server.page("ht/server/.htaccess", "AuthWSSharedMemory 1M\n")


def fetch(server, uri, user=None, password=None, headers=(), host=None, **options):
    """A request by a user, from the challenge on; the last answer."""
    headers = [*headers, ("Host", host)] if host else headers
    with server.connect(options.pop("port", None)) as connection:
        if user is None:
            return connection.request("GET", uri, headers)
        client = digest.Client(user, password or user + "'s", **options)
        return client.get(connection, uri, headers=headers)


def realm_of(answer):
    assert answer.status == 401
    return {c["realm"] for c in digest.challenges(answer)}


def body(server, uri, user="alice", **options):
    answer = fetch(server, uri, user, **options)
    assert answer.status == 200, answer
    return answer.text


# --- sections and hosts ---

def test_authtype_alone_asks_nobody(server):
    for headers in ((), [("Authorization", "Digest rubbish")], [("Authorization", "Basic eA==")]):
        answer = server.get("/open/", headers)
        assert (answer.status, answer.text) == (200, "page open\n")


def test_an_inner_section_opens_what_the_outer_one_closes(server):
    assert server.get("/plain/").status == 401
    assert server.get("/plain/open/").status == 200


def test_an_inner_section_may_have_another_realm(server):
    assert realm_of(fetch(server, "/plain/other/")) == {"Q"}
    assert body(server, "/plain/other/") == "page plain/other\n"


def test_every_virtual_host_has_its_own_realm_and_files(server):
    assert realm_of(fetch(server, "/plain/", host="one.example")) == {"One"}
    assert realm_of(fetch(server, "/plain/", host="two.example")) == {"Two"}
    assert realm_of(fetch(server, "/plain/", host="first.example")) == {"P"}
    assert body(server, "/plain/", password="one", host="one.example") == "page plain\n"
    assert fetch(server, "/plain/", "alice", "two", host="one.example").status == 401
    assert fetch(server, "/plain/", "alice", "alice's", host="one.example").status == 401


def test_several_files_are_searched_as_one(server):
    assert body(server, "/plain/", "bob", password="two", host="two.example") == "page plain\n"
    assert body(server, "/plain/", "alice", password="two", host="two.example") == "page plain\n"


def test_without_authname_or_file_it_is_500_and_the_log_says_why(server):
    for uri, number in (("/noname/", "AW2010"), ("/nofile/", "AW2011")):
        mark = len(server.log())
        answer = server.get(uri)
        assert answer.status == 500 and answer.get("WWW-Authenticate") is None
        server.wait_log(rf"authws:error.*{number}: AuthType AuthWS.* needs an .*: {uri}", mark)


# --- .htaccess ---

def test_every_directory_directive_works_in_htaccess(server):
    answer = fetch(server, "/ht/")
    asked = digest.pick(answer)
    assert (asked["realm"], asked["algorithm"], asked["domain"], asked["userhash"]) == \
        ("P", "SHA-256", "/ht", "true")
    answer = fetch(server, "/ht/", "alice")
    assert answer.status == 200 and "nextnonce" in answer.get("Authentication-Info")


def test_a_deeper_htaccess_overrides(server):
    assert fetch(server, "/ht/deep/", "alice").status == 401
    answer = fetch(server, "/ht/deep/", "bob")
    assert answer.status == 200 and "nextnonce" not in answer.get("Authentication-Info")


@pytest.mark.parametrize("place, said", [
    ("broken", 'AuthWSAlgorithm: "ROT13" is not an algorithm; allowed are MD5'),
    ("missing", "AuthWSUserFile: .*/conf/gone: No such file"),
    ("server", "AuthWSSharedMemory not allowed here")])
def test_a_mistake_in_htaccess_is_500_and_a_log_line(server, place, said):
    mark = len(server.log())
    for _ in range(3):
        assert server.get(f"/ht/{place}/").status == 500
    server.wait_log(rf"{place}/\.htaccess: {said}", mark)


def test_an_edited_htaccess_is_in_force_at_once(server):
    path = server.docroot / "ht/deep/.htaccess"
    before = path.read_text()
    try:
        path.write_text("Require user alice\n")
        assert fetch(server, "/ht/deep/", "alice").status == 200
        assert fetch(server, "/ht/deep/", "bob").status == 401
    finally:
        path.write_text(before)


# --- Require ---

def test_the_wrong_user_is_challenged_again_without_authentication_info(server):
    assert fetch(server, "/user/", "alice").status == 200
    answer = fetch(server, "/user/", "bob")
    assert answer.status == 401 and realm_of(answer) == {"P"}
    assert len(answer.all("WWW-Authenticate")) == 2
    assert all("stale" not in c for c in digest.challenges(answer))
    assert answer.get("Authentication-Info") is None


def test_the_wrong_user_gets_403_where_configured(server):
    answer = fetch(server, "/forbidden/", "bob")
    assert answer.status == 403 and answer.get("WWW-Authenticate") is None
    assert fetch(server, "/forbidden/").status == 401
    assert fetch(server, "/forbidden/", "alice").status == 200


def test_groups(server):
    assert fetch(server, "/group/", "alice").status == 200
    assert fetch(server, "/group/", "bob").status == 401


def test_require_any_asks_only_who_comes_by_no_other_door(server):
    back = [("X-Door", "back")]
    assert fetch(server, "/any/", headers=back).status == 200
    assert fetch(server, "/any/").status == 401
    assert fetch(server, "/any/", "alice").status == 200
    assert fetch(server, "/any/", "bob").status == 401


def test_require_all_and_none(server):
    assert fetch(server, "/all/").status == 401
    assert fetch(server, "/all/", "alice").status == 200
    assert fetch(server, "/all/", "bob").status == 401
    assert fetch(server, "/all/", "alice", headers=[("X-Door", "shut")]).status in (401, 403)


def test_satisfy_any_lets_in_by_address_or_by_user(server):
    back = [("X-Door", "back")]
    assert fetch(server, "/satisfy/", headers=back).status == 200
    assert fetch(server, "/satisfy/").status == 401
    assert fetch(server, "/satisfy/", "alice").status == 200


def test_satisfy_all_wants_both(server):
    assert fetch(server, "/satisfyall/", "alice").status == 200
    assert fetch(server, "/satisfyall/", "alice", headers=[("X-Door", "back")]).status == 403


# --- subrequests, redirects, error documents ---

def test_included_pages_are_those_the_user_may_see(server):
    text = body(server, "/ssi/index.shtml")
    parts = text.strip("[]").split("][")
    assert parts[0] == "part" and parts[1] == "page plain\n"
    assert "plain/other" not in parts[2], "another realm wants other credentials"
    assert parts[3] == "page user\n" and parts[4] == "alice"
    text = body(server, "/ssi/index.shtml", "bob")
    parts = text.strip("[]").split("][")
    assert parts[1] == "page plain\n" and "page user" not in parts[3] and parts[4] == "bob"


def test_an_open_page_includes_no_closed_one(server):
    answer = fetch(server, "/opened/")
    assert answer.status == 200 and "page plain" not in answer.text
    assert answer.get("WWW-Authenticate") is None


def test_a_page_with_included_pages_uses_one_count_and_answers_for_itself(server):
    client = digest.Client("alice", "alice's")
    with server.connect() as connection:
        client.challenge = digest.pick(connection.request("GET", "/ssi/index.shtml"))
        for _ in range(3):
            values = client.fields("GET", "/ssi/index.shtml")
            answer = connection.request("GET", "/ssi/index.shtml", [
                ("Authorization", client.field(values))])
            lines = answer.all("Authentication-Info")
            assert answer.status == 200 and len(lines) == 1
            assert digest.params(lines[0])["rspauth"] == client.rspauth(values)


def test_an_index_page_with_settings_of_its_own_is_answered_for_once(server):
    client = digest.Client("alice", "alice's")
    client.challenge = digest.pick(server.get("/started/"))
    values = client.fields("GET", "/started/")
    answer = server.get("/started/", [("Authorization", client.field(values))])
    assert (answer.status, answer.text) == (200, "page started\n")
    lines = answer.all("Authentication-Info")
    assert len(lines) == 1 and digest.params(lines[0])["rspauth"] == client.rspauth(values)
    assert fetch(server, "/started/closed.html", "alice").status == 401
    assert fetch(server, "/started/closed.html", "bob").status == 200


@pytest.mark.parametrize("uri, text", [
    ("/moved/inside", "page target\n"), ("/moved/other", "page plain\n")])
def test_a_rewritten_page_is_reached_with_one_count(server, uri, text):
    client = digest.Client("alice", "alice's")
    with server.connect() as connection:
        client.challenge = digest.pick(connection.request("GET", uri))
        values = client.fields("GET", uri)
        field = [("Authorization", client.field(values))]
        answer = connection.request("GET", uri, field)
        assert (answer.status, answer.text) == (200, text)
        assert digest.params(answer.get("Authentication-Info"))["rspauth"] == \
            client.rspauth(values)
        assert digest.pick(connection.request("GET", uri, field))["stale"] == "true"


def test_a_page_rewritten_into_another_realm_asks_for_that(server):
    answer = fetch(server, "/moved/foreign", "alice")
    assert realm_of(answer) == {"Q"}
    assert answer.all("Authentication-Info") == []


ENVIRONMENT = ["AUTHWS_ALGORITHM=SHA-256", "AUTHWS_REALM=P", "AUTH_TYPE=Digest",
               "REMOTE_USER=alice"]


def test_a_script_is_told_who_it_is_and_never_the_credentials(server):
    assert body(server, "/cgi/env").splitlines() == ENVIRONMENT
    lines = body(server, "/moved/cgi").splitlines()
    assert set(ENVIRONMENT) <= set(lines)
    assert not any("HTTP_AUTHORIZATION" in line for line in lines)


def test_an_open_script_behind_a_redirect_is_told_as_httpd_does(server):
    lines = body(server, "/moved/opencgi").splitlines()
    assert "REDIRECT_REMOTE_USER=alice" in lines and "REMOTE_USER=alice" not in lines
    assert "REDIRECT_AUTHWS_REALM=P" in lines and "AUTHWS_REALM=P" not in lines


@pytest.mark.parametrize("uri", ["/page.whole", "/missing"])
def test_where_httpd_does_not_ask_again_the_script_is_told_the_same(server, uri):
    answer = fetch(server, uri, "alice", port=server.ports[1])
    assert set(ENVIRONMENT) <= set(answer.text.splitlines()), answer.text


def test_a_local_error_document_comes_with_the_challenge(server):
    answer = fetch(server, "/said/")
    assert (answer.status, answer.text) == (401, "so sorry\n") and realm_of(answer) == {"P"}
    assert len(answer.all("WWW-Authenticate")) == 2
    answer = fetch(server, "/said/", "alice", "wrong")
    assert (answer.status, answer.text) == (401, "so sorry\n")
    assert fetch(server, "/said/", "alice").text == "page said\n"


def test_an_error_document_inside_the_closed_place_does_no_harm(server):
    answer = fetch(server, "/saidinside/")
    assert answer.status == 401 and len(answer.all("WWW-Authenticate")) == 2
    assert fetch(server, "/saidinside/", "alice").text == "page saidinside\n"


def test_an_error_document_for_a_user_who_is_in(server):
    answer = fetch(server, "/saidcgi/missing", "alice")
    assert answer.status == 404 and "REMOTE_USER=alice" in answer.text.splitlines()
    assert len(answer.all("Authentication-Info")) == 1


# --- beside others ---

def test_mod_auth_digest_serves_its_own_places_beside(server):
    assert realm_of(fetch(server, "/httpds/")) == {"httpd's own"}
    assert fetch(server, "/httpds/", "alice", "old").status == 200
    assert realm_of(fetch(server, "/httpds/ours/")) == {"P"}
    assert fetch(server, "/httpds/ours/", "alice").status == 200
    assert fetch(server, "/httpds/ours/", "alice", "old").status == 401


def test_two_schemes_are_offered_in_the_order_configured_and_either_will_do(server):
    lines = fetch(server, "/both/").all("WWW-Authenticate")
    assert lines[0] == 'Basic realm="P", charset="UTF-8"'
    assert lines[1].startswith('Digest realm="P", ') and len(lines) == 2
    assert fetch(server, "/both/", "alice").status == 200
    basic = base64.b64encode(b"alice:alice's").decode()
    answer = fetch(server, "/both/", headers=[("Authorization", f"Basic {basic}")])
    assert (answer.status, answer.get("X-User")) == (200, "alice")
    assert answer.get("Authentication-Info") is None


def test_a_scheme_that_is_not_offered_is_answered_with_those_that_are(server):
    basic = base64.b64encode(b"alice:alice's").decode()
    for field in (f"Basic {basic}", "Bearer abc", "Negotiate YII=", "Digestive x=y", "x"):
        answer = fetch(server, "/plain/", headers=[("Authorization", field)])
        assert answer.status == 401 and realm_of(answer) == {"P"}
        assert all("stale" not in c for c in digest.challenges(answer))


def test_the_access_log_says_who_how_and_with_what_result(server):
    path = server.logs / "who.log"
    mark = len(path.read_text())
    fetch(server, "/plain/", "alice")
    fetch(server, "/plain/", "bob", "wrong")
    fetch(server, "/cgi/env", headers=[("Authorization", "Digest x")])
    fetch(server, "/plain/", headers=[("Authorization", "Bearer x")])
    fetch(server, "/open/")
    fetch(server, "/said/", "alice", "wrong")
    fetch(server, "/moved/other", "alice")
    time.sleep(0.5)
    # Each line is written after its answer, by whichever thread: their order is anybody's.
    assert sorted(path.read_text()[mark:].splitlines()) == sorted([
        "- - 'no credentials' 401 /plain/", "alice Digest 'ok' 200 /plain/index.html",
        "- - 'no credentials' 401 /plain/", "- Digest 'wrong response' 401 /plain/",
        "- Digest 'malformed credentials' 400 /cgi/env",
        "- - 'other scheme' 401 /plain/", "- - '-' 200 /open/index.html",
        "- - 'no credentials' 401 /said/", "- Digest 'wrong response' 401 /said/",
        "- - 'no credentials' 401 /moved/other", "alice Digest 'ok' 200 /moved/other"])


@pytest.mark.parametrize("mpm", ["event", "worker", "prefork"])
def test_every_mpm(start_server, mpm):
    modules = [m if m != "cgid" or mpm != "prefork" else "cgi" for m in MODULES]
    config = CONFIG if mpm != "prefork" else "\n".join(
        line for line in CONFIG.splitlines() if not line.startswith("ScriptSock"))
    one = start_server(config, prepare=prepare, mpm=mpm, modules=modules, allow=ALLOW)
    client = digest.Client("alice", "alice's")
    for _ in range(10):
        with one.connect() as connection:
            assert client.get(connection, "/plain/").status == 200
            assert client.get(connection, "/cgi/env").text.splitlines() == ENVIRONMENT
            assert connection.request("GET", "/plain/").status == 401
    one.graceful()
    with one.connect() as connection:
        assert client.get(connection, "/plain/").status == 200
