"""Passwords in clear against the same A1 files: the scheme Basic, and the authn provider authws.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import re
from urllib.parse import urlencode

import pytest

import digest

FILE = """
    AuthName "R"
    AuthWSUserFile conf/a1
    AuthWSThrottle Off
    Require valid-user
"""
CONFIG = f"""
Header always set X-User "expr=%{{REMOTE_USER}}"
Header always set X-Type "expr=%{{AUTH_TYPE}}"
<Location "/scheme">
    AuthType AuthWS
    AuthWSScheme Basic
    {FILE}
</Location>
<Location "/basic">
    AuthType Basic
    AuthBasicProvider authws
    {FILE}
</Location>
<Location "/chain">
    AuthType Basic
    AuthBasicProvider authws file
    AuthUserFile conf/htpasswd
    {FILE}
</Location>
<Location "/digest">
    AuthType Digest
    AuthDigestProvider authws
    {FILE}
</Location>
<Location "/form">
    AuthType form
    AuthFormProvider authws
    Session On
    SessionCookieName session path=/
    {FILE}
</Location>
<Location "/login">
    SetHandler form-login-handler
    AuthType form
    AuthFormProvider authws
    AuthFormLoginSuccessLocation /form/
    Session On
    SessionCookieName session path=/
    AuthName "R"
    AuthWSUserFile conf/a1
</Location>
<Location "/nofile">
    AuthType Basic
    AuthName "R"
    AuthBasicProvider authws
    Require valid-user
</Location>
"""
MODULES = ["auth_digest", "auth_form", "session", "session_cookie", "request"]
ALLOW = ["AH01617: user .*: authentication failure", "AH01618: user .* not found",
         "AH01790: user .* in realm .* not found", "AH01808", "AH01811", "AH01794",
         "AH01807", "AH01816", "AW2050", "AH01814", "AH01815", "AH01612", "AH01613"]
PLACES = ["/scheme/", "/basic/"]

PASSWORDS = {"alice": "sesame", "Jürgen": "pä55wörd", "colon": "a:b::", "empty": "",
             "long": "x" * 3000, "spaces": " a b ", "日本": "語"}


def prepare(server):
    lines = "".join(digest.a1_line(user, "R", password, ["MD5", "SHA-256"])
                    for user, password in PASSWORDS.items())
    lines += digest.a1_line("md5only", "R", "old", ["MD5"])
    lines += digest.a1_line("strong", "R", "only", ["SHA-512-256"])
    # The MD5 value is of an older password: the strongest decides.
    lines += digest.a1_line("changed", "R", "older", ["MD5"])
    lines += digest.a1_line("changed", "R", "newer", ["SHA-256"])
    lines += f"bytes:R:{digest.h('MD5', 'bytes', 'R', bytes([0xff, 0xe4]))}\n"
    lines += digest.a1_line("alice", "other realm", "other", ["MD5", "SHA-256"])
    server.secret("a1", lines)
    server.secret("htpasswd", "dave:{SHA}" + base64.b64encode(
        bytes.fromhex(digest.h("SHA", "dave's"))).decode() + "\n")
    for place in ("scheme", "basic", "chain", "digest", "form", "nofile"):
        server.page(f"{place}/index.html", f"page {place}\n")


def basic(server, uri, user, password):
    pair = user.encode() + b":" + password.encode()
    return server.get(uri, [b"Authorization: Basic " + base64.b64encode(pair)])


@pytest.mark.parametrize("uri", PLACES)
@pytest.mark.parametrize("user", PASSWORDS, ids=ascii)
def test_the_right_password_lets_in(server, uri, user):
    answer = basic(server, uri, user, PASSWORDS[user])
    assert answer.status == 200 and answer.get("X-Type") == "Basic"
    assert answer.get("X-User").encode("latin-1").decode() == user
    assert answer.get("Authentication-Info") is None


@pytest.mark.parametrize("uri", PLACES)
@pytest.mark.parametrize("user, password", [
    ("alice", "wrong"), ("alice", ""), ("alice", "sesame "), ("alice", "Sesame"),
    ("alice", "other"), ("nobody", "sesame"), ("", ""), ("", "sesame"), ("ALICE", "sesame"),
    ("alice:R", "sesame"), ("colon", "a"), ("empty", "x"), ("changed", "older"),
    ("alice", digest.h("MD5", "alice", "R", "sesame")), ("Jürgen".encode().decode("latin-1"),
                                                         "pä55wörd")])
def test_a_wrong_one_does_not(server, uri, user, password):
    answer = basic(server, uri, user, password)
    assert answer.status == 401
    assert answer.get("WWW-Authenticate").startswith('Basic realm="R"')
    assert not answer.get("X-User") or uri != "/scheme/"


@pytest.mark.parametrize("uri", PLACES)
@pytest.mark.parametrize("user, password", [
    ("md5only", "old"), ("strong", "only"), ("changed", "newer")])
def test_the_strongest_value_a_user_has_decides(server, uri, user, password):
    assert basic(server, uri, user, password).status == 200


@pytest.mark.parametrize("uri", PLACES + ["/form"])
@pytest.mark.parametrize("user, password", [
    ("Ju\u0308rgen", "pa\u030855wo\u0308rd"), ("J\u00fcrgen", "pa\u030855w\u00f6rd"),
    ("Ju\u0308rgen", "p\u00e455w\u00f6rd")])
def test_letters_with_combining_accents_are_the_composed_ones(server, uri, user, password):
    if uri == "/form":
        assert log_in(server, user, password).status == 302
        return
    answer = basic(server, uri, user, password)
    assert answer.status == 200
    # Other modules set the user themselves, as it came.
    name = "J\u00fcrgen" if uri == "/scheme/" else user
    assert answer.get("X-User").encode("latin-1").decode() == name


def test_what_is_not_utf_8_is_taken_as_it_is(server):
    for pair, status in ((b"bytes:\xff\xe4", 200), (b"bytes:\xff", 401), (b"\xff:x", 401)):
        field = b"Authorization: Basic " + base64.b64encode(pair)
        assert server.get("/scheme/", [field]).status == status


def test_the_challenge_asks_for_utf_8(server):
    assert server.get("/scheme/").all("WWW-Authenticate") == ['Basic realm="R", charset="UTF-8"']


@pytest.mark.parametrize("field", [
    "Basic", "Basic ", "Basic =", "Basic !!!!", "Basic YWxpY2U6c2VzYW1lCg==x", "Basic YWxpY2U=",
    "Basic YWxpY2U6c2VzYW1l=", "Basic YWxpY2U6c2VzYW1", "Basic a b", 'Basic user="alice"',
    "Basic YWxpY2U6c2VzYW1l, x", "Basic \u00e4\u00f6"])
def test_malformed_credentials_get_400(server, field):
    answer = server.get("/scheme/", [("Authorization", field)])
    assert answer.status == 400 and answer.get("WWW-Authenticate") is None


@pytest.mark.parametrize("field", [
    "basic YWxpY2U6c2VzYW1l", "BASIC   YWxpY2U6c2VzYW1l", "Basic\tYWxpY2U6c2VzYW1l"])
def test_the_word_basic_is_free_in_case_and_spaces(server, field):
    assert server.get("/scheme/", [("Authorization", field)]).status == 200


def test_wrong_password_and_unknown_user_look_the_same(server):
    one, other = basic(server, "/scheme/", "alice", "x"), basic(server, "/scheme/", "ghost", "x")
    assert one.body == other.body
    assert [h for h in one.headers if h[0] != "Date"] == \
        [h for h in other.headers if h[0] != "Date"]


def test_the_log_says_who_and_why_and_no_password(server):
    mark = len(server.log())
    basic(server, "/scheme/", "alice", "hunter2")
    basic(server, "/scheme/", "gh\"o\x7fst", "hunter2")
    server.wait_log(r'AW2031: Basic: user "alice", realm "R": wrong password: /scheme/', mark)
    assert "hunter2" not in server.log(mark)


# --- the provider ---

def test_users_the_files_do_not_know_are_left_to_the_next_provider(server):
    assert basic(server, "/chain/", "alice", "sesame").status == 200
    assert basic(server, "/chain/", "dave", "dave's").status == 200
    assert basic(server, "/chain/", "alice", "wrong").status == 401


def test_mod_auth_digest_takes_md5_values_from_it(server):
    for user, password, status in (("alice", "sesame", 200), ("alice", "wrong", 401),
                                   ("changed", "older", 200), ("strong", "only", 401),
                                   ("nobody", "x", 401)):
        with server.connect() as connection:
            answer = digest.Client(user, password).get(connection, "/digest/")
        assert answer.status == status, user
        if status == 200:
            assert answer.get("X-User") == user and answer.get("X-Type") == "Digest"


def log_in(server, user, password):
    form = urlencode({"httpd_username": user, "httpd_password": password}).encode()
    return server.get("/login", ["Content-Type: application/x-www-form-urlencoded"], "POST", form)


def test_mod_auth_form_logs_in_with_it(server):
    assert server.get("/form/").status == 401
    answer = log_in(server, "alice", "sesame")
    assert answer.status == 302 and answer.get("Location").endswith("/form/")
    cookie = re.match(r"session=[^;]+", answer.get("Set-Cookie")).group(0)
    answer = server.get("/form/", [("Cookie", cookie)])
    assert (answer.status, answer.text, answer.get("X-User")) == (200, "page form\n", "alice")


@pytest.mark.parametrize("user, password", [("alice", "wrong"), ("nobody", "sesame")])
def test_mod_auth_form_refuses_with_it(server, user, password):
    answer = log_in(server, user, password)
    assert answer.status == 401 and answer.get("Location") is None


def test_without_a_file_it_is_500_and_the_log_says_why(server):
    mark = len(server.log())
    assert basic(server, "/nofile/", "alice", "sesame").status == 500
    server.wait_log("AW2050: the authn provider authws needs an AuthWSUserFile or AuthWSProvider: /nofile/", mark)
