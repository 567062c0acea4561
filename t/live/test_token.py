"""The scheme Token: hashed tokens, expiry, revocation, subjects, and lifting them.

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import re
import shutil
import time

import pytest

import digest

LOGIN = """
    AuthType AuthWS
    AuthName "R"
    AuthWSScheme Token
    AuthWSTokenFile conf/tokens
    AuthWSThrottle Off
    Require valid-user
"""
PLACES = {
    "bearer": LOGIN,
    "apple": LOGIN + "AuthWSTokenScheme ApplePass",
    "both": LOGIN + "AuthWSScheme Token Digest Basic\nAuthWSUserFile conf/a1",
    "two": LOGIN + "AuthWSTokenFile conf/tokens conf/more",
    "throttle": LOGIN + "AuthWSThrottle 5 60s 300s",
    "scheme": LOGIN.replace("valid-user", "authws-scheme Token"),
}
CONFIG = "".join(f'<Location "/{name}">\n{more}\n</Location>\n' for name, more in PLACES.items()) + f"""
<LocationMatch "^/passes/(?<serial>[^/]+)">
    {LOGIN}
    AuthWSTokenSubject "%{{env:MATCH_SERIAL}}"
</LocationMatch>
ScriptSock @ROOT@/run/cgisock
ScriptAlias /bearer/cgi @CONF@/show
<Directory "@CONF@">
    Require all granted
</Directory>
Header always set X-User "expr=%{{REMOTE_USER}}"
Header always set X-Type "expr=%{{AUTH_TYPE}}"
LogFormat "%U %u %>s %{{authws-scheme}}n %{{authws-result}}n" notes
CustomLog logs/notes.log notes
"""
MODULES = ["cgid"]
ALLOW = [r"AW1071: .*tokens:11:"]
SECRETS = []


def line(subject, token, algorithm="SHA-384", more=""):
    SECRETS.append(token)
    made = hashlib.new({"SHA": "sha1"}.get(algorithm, algorithm.replace("SHA-", "sha")
                                          .replace("SHA3-", "sha3_")), token.encode())
    return f"{subject}:{{{algorithm}}}{made.hexdigest()}{more}\n"


def write(server, text, name="tokens"):
    path = server.secret(name + ".new", text)
    path.rename(server.conf / name)


TOKENS = {"device-1": "t1-0123456789", "device-2": "t2-abcdef=", "a/b c": "t3~._+/"}


def tokens():
    return "# tokens\n" + "".join(line(s, t) for s, t in TOKENS.items()) + \
        line("strong", "t4-strong", "SHA-512") + line("three", "t5-three", "SHA3-384") + \
        line("old", "t6-old", "SHA-256") + line("older", "t7-older", "SHA") + \
        line("gone", "t8-gone", more=":2020-01-01") + \
        line("later", "t9-later", more=":2199-01-01:a note")


def prepare(server):
    write(server, tokens())
    write(server, line("extra", "t10-extra"), "more")
    server.secret("a1", digest.a1_line("alice", "R", "sesame"))
    for place in list(PLACES) + ["passes/device-1"]:
        server.page(f"{place}/index.html", "in\n")
    script = server.conf / "show"
    script.write_text("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\n"
                      "echo $REMOTE_USER $AUTH_TYPE $AUTHWS_REALM $AUTHWS_SUBJECT "
                      "$AUTHWS_ALGORITHM\n")
    script.chmod(0o755)


def get(server, path, token, scheme="Bearer"):
    return server.get(path, [("Authorization", f"{scheme} {token}")])


def who(answer):
    return answer.status, answer.get("X-User"), answer.get("X-Type")


@pytest.mark.parametrize("subject,token", [*TOKENS.items(), ("strong", "t4-strong"),
                                           ("three", "t5-three"), ("old", "t6-old"),
                                           ("older", "t7-older"), ("later", "t9-later")])
def test_a_token_is_let_in_as_its_subject(server, subject, token):
    assert who(get(server, "/bearer/", token)) == (200, subject, "Token")
    assert who(get(server, "/bearer/", token, "bEARER ")) == (200, subject, "Token")
    assert get(server, "/scheme/", token).status == 200


def test_cgi_and_logs_know_the_subject(server):
    assert get(server, "/bearer/cgi", "t1-0123456789").body.decode().split() == \
        ["device-1", "Token", "R", "device-1", "SHA-384"]
    end = time.monotonic() + 10
    while "/bearer/cgi device-1 200 Token ok\n" not in (server.logs / "notes.log").read_text():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("token,why", [
    ("t1-012345678", "unknown token"), ("t1-01234567890", "unknown token"),
    ("T1-0123456789", "unknown token"), ("x" * 1025, "unknown token"),
    ("t8-gone", "token expired"), ("device-1", "unknown token")])
def test_another_token_is_refused_and_the_log_says_why(server, token, why):
    mark = len(server.log())
    answer = get(server, "/bearer/", token)
    assert answer.status == 401
    assert answer.get("WWW-Authenticate") == 'Bearer realm="R", error="invalid_token"'
    server.wait_log(f'AW2176: Token: subject "(gone)?", realm "R": {why}', mark)


@pytest.mark.parametrize("field", ["Bearer", "Bearer ", "Bearer a b", "Bearer a\tb", "Bearer \xe9"])
def test_what_cannot_be_a_token_is_400(server, field):
    assert server.get("/bearer/", [b"Authorization: " + field.encode("latin-1")]).status == 400


def test_a_hash_from_the_file_is_no_token(server):
    for value in re.findall(r"\{.*?\}([0-9a-f]+)", tokens()):
        assert get(server, "/bearer/", value).status == 401


def test_the_challenge_names_the_scheme_and_errors_only_after_a_token(server):
    assert server.get("/bearer/").get("WWW-Authenticate") == 'Bearer realm="R"'
    assert server.get("/apple/").get("WWW-Authenticate") == 'ApplePass realm="R"'
    assert get(server, "/apple/", "wrong", "ApplePass").get("WWW-Authenticate") == \
        'ApplePass realm="R"'
    assert get(server, "/apple/", "t1-0123456789", "ApplePass").status == 200
    assert get(server, "/apple/", "t1-0123456789").status == 401


def test_schemes_in_one_place_do_not_get_into_each_others_way(server):
    answer = server.get("/both/")
    schemes = [value.split()[0] for name, value in answer.headers if name == "WWW-Authenticate"]
    assert schemes == ["Bearer", "Digest", "Digest", "Basic"]
    assert who(get(server, "/both/", "t1-0123456789")) == (200, "device-1", "Token")
    assert who(server.get("/both/", [("Authorization", "Basic YWxpY2U6c2VzYW1l")])) == \
        (200, "alice", "Basic")
    with server.connect() as connection:
        assert who(digest.Client("alice", "sesame").get(connection, "/both/")) == \
            (200, "alice", "Digest")


def test_several_files_are_one(server):
    assert get(server, "/two/", "t10-extra").status == 200
    assert get(server, "/two/", "t1-0123456789").status == 200
    assert get(server, "/bearer/", "t10-extra").status == 401


def test_a_token_is_good_only_for_what_the_url_names(server):
    assert get(server, "/passes/device-1/", "t1-0123456789").status == 200
    mark = len(server.log())
    assert get(server, "/passes/device-1/", "t2-abcdef=").status == 401
    server.wait_log('AW2176: Token: subject "device-2", realm "R": token of another subject', mark)
    assert get(server, "/passes/device-2/", "t1-0123456789").status == 401
    assert get(server, "/passes/", "t1-0123456789").status != 200


def test_a_revoked_token_is_refused_within_100_ms_by_every_child(server):
    extra = line("brief", "t11-brief")
    write(server, tokens() + extra)
    time.sleep(0.1)
    for _ in range(20):
        assert get(server, "/bearer/", "t11-brief").status == 200
    write(server, tokens())
    time.sleep(0.1)
    for _ in range(20):
        assert get(server, "/bearer/", "t11-brief").status == 401


def test_a_broken_edit_leaves_the_last_good_one_in_force(server):
    mark = len(server.log())
    write(server, tokens() + "broken:{SHA-384}12\n")
    server.wait_log("tokens:11:", mark)
    assert get(server, "/bearer/", "t1-0123456789").status == 200
    write(server, tokens())


def test_guessing_tokens_is_throttled(server):
    for _ in range(5):
        assert get(server, "/throttle/", "guess").status == 401
    assert get(server, "/throttle/", "t1-0123456789").status == 429
    assert get(server, "/bearer/", "t1-0123456789").status == 200


def test_no_token_and_no_hash_is_ever_logged(server):
    log = server.log()
    for secret in [*SECRETS, *re.findall(r"\{.*?\}([0-9a-f]+)", tokens())]:
        assert secret not in log


@pytest.mark.parametrize("mpm", ["event", "prefork"])
def test_old_generations_are_lifted_at_their_first_use(start_server, mpm):
    text = tokens()

    def before(server):
        folder = server.root / "tokens"
        folder.mkdir()
        path = folder / "tokens"
        path.write_text(text)
        path.chmod(0o640)
        if server.user:
            for place in (folder, path):
                shutil.chown(place, server.user, server.group)
        server.page("index.html", "in\n")

    server = start_server(f'<Location "/">\n{LOGIN.replace("conf/tokens", "tokens/tokens")}\n'
                          f'AuthWSUplift On\n</Location>\n', prepare=before, mpm=mpm)
    path = server.root / "tokens" / "tokens"
    for subject, token in (("older", "t7-older"), ("old", "t6-old"), ("device-1", "t1-0123456789")):
        assert get(server, "/", token).status == 200
        if subject != "device-1":
            server.wait_log(f'AW2179: uplift: subject "{subject}": a token in SHA-512 stored in')
        assert get(server, "/", token).status == 200
    after = path.read_text()
    assert line("older", "t7-older", "SHA-512") in after
    assert line("old", "t6-old", "SHA-512") in after
    assert "{SHA}" not in after and "{SHA-256}" not in after
    keep = [row for row in text.splitlines() if not row.startswith("old")]
    assert [row for row in after.splitlines() if not row.startswith("old")] == keep
    time.sleep(0.1)
    for _ in range(10):
        assert get(server, "/", "t7-older").status == 200


@pytest.mark.parametrize("line_of,said", [
    ("AuthWSTokenFile", "AuthWSTokenFile: "),
    ("AuthWSTokenFile conf/none", "AuthWSTokenFile: .*none: No such file"),
    ("AuthWSTokenFile conf/broken", "broken:2:"),
    ("AuthWSTokenScheme \"a b\"", '"a b" cannot be a scheme'),
    ("AuthWSTokenScheme Basic", '"Basic" is a scheme of its own'),
    ("AuthWSTokenSubject %{nonsense", "is not an expression"),
])
def test_mistakes_are_found_before_the_start(start_server, line_of, said):
    server = start_server(f'<Location "/">\n{line_of}\n</Location>\n', start=False)
    server.secret("broken", "# tokens\nx:{SHA-1024}00\n")
    status, text = server.configtest()
    assert status != 0 and re.search(said, text), text


def test_a_section_without_a_token_file_is_an_error_that_is_named(start_server):
    server = start_server('<Location "/">\nAuthType AuthWS\nAuthName R\nAuthWSScheme Token\n'
                          'Require valid-user\n</Location>\n', allow=["AW2011"])
    assert server.get("/").status == 500
    server.wait_log("AW2011: AuthType AuthWS, scheme Token, needs an AuthWSTokenFile")
