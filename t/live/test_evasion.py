"""Ways around the checks that were open once: each is tried as it was found.

SPDX-License-Identifier: Apache-2.0
"""
import time

import pytest

import digest

CONFIG = """
ProxyRequests On
<Proxy "*">
    AuthType AuthWS
    AuthName "Proxy"
    AuthWSUserFile conf/a1
    Require valid-user
</Proxy>
ErrorDocument 503 /error/page.html
<Location "/error">
    AuthType AuthWS
    AuthName "R"
    AuthWSUserFile conf/a1
    AuthWSThrottle 3 60s 60s
    Require valid-user
</Location>
<Location "/int">
    AuthType AuthWS
    AuthName "R"
    AuthWSQop auth-int
    AuthWSUserFile conf/a1
    AuthWSThrottle 5 60s 60s
    Require valid-user
</Location>
<Directory "@DOCROOT@">
    AllowOverride AuthConfig
</Directory>
"""
MODULES = ("proxy", "proxy_http")
NOWHERE = "http://127.0.0.1:1/nothing"


def prepare(server):
    path = server.conf / "a1"
    path.write_text("".join(digest.a1_line(user, realm, "right")
                            for user in ("alice", "bob") for realm in ("R", "Proxy")))
    server.protect(path)
    server.page("error/page.html", "the error page\n")
    server.page("int/index.html", "in\n")


@pytest.fixture
def fresh(start_server):
    return start_server(CONFIG, prepare=prepare, modules=MODULES,
                        allow=["AH00957", "AH01114", "AH00526", "core:alert", "AW1002", "AW1003"])


def test_requests_whose_bodies_are_kept_back_are_no_way_past_the_throttle(fresh):
    body = b"12345678"
    challenge = digest.pick(fresh.get("/int/"))
    kept = []
    for number in range(12):
        password = "right" if number == 11 else f"guess {number}"
        client = digest.Client("alice", password, qop="auth-int")
        field = client.authorization("POST", "/int/", challenge=challenge, nc=number + 1,
                                     body=body)
        kept.append(fresh.connect())
        kept[-1].send(f"POST /int/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n"
                      f"Authorization: {field}\r\n\r\n".encode() + body[:-1])
    time.sleep(0.5)
    found = []
    for connection in kept:
        connection.send(body[-1:])
        found.append(connection.response("POST").status)
        connection.close()
    assert found[:5] == [401] * 5 and found[5:] == [429] * 7


def through_the_proxy(server, authorization):
    """A request that logs in at the proxy, fails there, and is answered by the error page."""
    client = digest.Client("bob", "right")
    client.challenge = digest.pick(server.get(NOWHERE), proxy=True)
    return server.get(NOWHERE, [("Proxy-Authorization", client.authorization("GET", NOWHERE)),
                                ("Authorization", authorization)])


def test_a_login_at_the_proxy_does_not_let_the_other_field_be_replayed(fresh):
    client = digest.Client("alice", "right")
    client.challenge = digest.pick(fresh.get("/error/page.html"))
    recorded = client.authorization("GET", NOWHERE)
    texts = [through_the_proxy(fresh, recorded).text for _ in range(3)]
    assert texts[0] == "the error page\n"
    assert "the error page\n" not in texts[1:]


def test_a_login_at_the_proxy_does_not_free_the_other_field_from_the_throttle(fresh):
    def tried(password):
        client = digest.Client("alice", password)
        client.challenge = digest.pick(fresh.get("/error/page.html"))
        return through_the_proxy(fresh, client.authorization("GET", NOWHERE)).text
    for number in range(4):
        assert tried(f"guess {number}") != "the error page\n"
    assert tried("right") != "the error page\n"


def test_a_user_name_cannot_put_words_into_the_log(fresh):
    mark = len(fresh.log())
    name = 'a", realm "R": verified: /'
    client = digest.Client(name, "wrong", qop="auth-int")
    client.challenge = digest.pick(fresh.get("/int/"))
    assert fresh.get("/int/", [("Authorization", client.authorization("GET", "/int/"))]
                     ).status == 401
    line = fresh.wait_log("AW2022", mark)
    assert 'user "a", realm' not in fresh.log(mark), line


def htaccess(server, folder, text):
    server.page(f"{folder}/index.html", "in\n")
    server.page(f"{folder}/.htaccess",
                f'AuthType AuthWS\nAuthName "R"\nRequire valid-user\n{text}\n')


def test_a_htaccess_file_cannot_have_gigabytes_read(fresh):
    large = fresh.docroot / "large"
    with open(large, "wb") as file:
        file.truncate(1 << 30)
    large.chmod(0o644)
    htaccess(fresh, "greedy", f"AuthWSUserFile {large}")
    mark = len(fresh.log())
    start = time.monotonic()
    assert fresh.get("/greedy/").status == 500
    fresh.wait_log("larger than", mark)
    assert time.monotonic() - start < 5
    htaccess(fresh, "many", "AuthWSUserFile " + f"{fresh.conf / 'a1'} " * 17)
    assert fresh.get("/many/").status == 500
    fresh.wait_log("at most 16 files", mark)


def test_a_htaccess_file_gets_no_store_that_root_has_opened(fresh):
    path = fresh.conf / "a1"
    htaccess(fresh, "borrowed", f"AuthWSUserFile {path}")
    client = digest.Client("alice", "right")
    with fresh.connect() as connection:
        assert client.get(connection, "/borrowed/").status == 200
    path.chmod(0o600)  # root's, and its alone: of what the configuration has loaded
    if fresh.user is None:
        pytest.skip("only root has files that the server's user cannot read")
    htaccess(fresh, "other", f"AuthWSUserFile {path} {path}")
    assert fresh.get("/other/").status == 500
