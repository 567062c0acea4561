"""AuthWSThrottle: who fails too often is refused for a while, and cannot slip from under it.

Each test comes from an address of its own (all of 127.0.0.0/8 is this machine) and uses users of
its own, so that none inherits the failures of another.
SPDX-License-Identifier: Apache-2.0
"""
import base64
import itertools
import re
import socket
import time
import urllib.parse

import pytest

import digest
import http1

CONFIG = """
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.9.9.9
SetEnvIf Remote_Addr "^127\\.8\\." authws-nothrottle
<Location "/">
    AuthType AuthWS
    AuthName "r"
    AuthWSScheme Digest Basic
    AuthWSUserFile @CONF@/users
</Location>
# AuthWSThrottle is not set here: the default is 10 60s 300s.
<Location "/default">
    ErrorDocument 401 /default/sorry.html
    Require valid-user
</Location>
<Location "/long">
    AuthWSThrottle 3 60s 60s
    Require valid-user
</Location>
<Location "/long/other-realm">
    AuthName "other"
</Location>
<Location "/short">
    AuthWSThrottle 3 2s 2s
    Require valid-user
</Location>
<Location "/off">
    AuthWSThrottle off
    Require valid-user
</Location>
<Location "/userhash">
    AuthWSUserhash On
    AuthWSThrottle 3 60s 60s
    Require valid-user
</Location>
<Location "/provider">
    AuthType Basic
    AuthBasicProvider authws
    AuthWSThrottle 3 60s 60s
    Require valid-user
</Location>
<Location "/provider/two">
    AuthBasicProvider authws file
    AuthUserFile @CONF@/others
</Location>
<VirtualHost 127.0.0.1:@PORT2@>
    ProxyRequests On
    <Proxy "*">
        AuthType AuthWS
        AuthName "r"
        AuthWSUserFile @CONF@/users
        AuthWSThrottle 3 60s 60s
        Require valid-user
    </Proxy>
</VirtualHost>
LogFormat "%u %>s %{authws-result}n %P" results
CustomLog @ROOT@/logs/results.log results
"""
ALLOW = ["AH01617: user user"]  # mod_auth_basic on who does not get in
MODULES = ["remoteip", "proxy", "proxy_http"]
USERS = [f"user{i}" for i in range(60)] + ["Jos\u00e9"]
PLACES = ("default", "long", "long/other-realm", "short", "off", "userhash", "provider",
          "provider/two")

sources = (f"127.1.{n // 250}.{n % 250 + 1}" for n in itertools.count())
users = iter(USERS)


def prepare(server):
    server.secret("users", "".join(
        digest.a1_line(user, realm, "right") for user in USERS for realm in ("r", "other")))
    server.secret("others", "stranger:{SHA}" + base64.b64encode(
        bytes.fromhex(digest.h("SHA", "right"))).decode() + "\n")
    for place in PLACES:
        server.page(f"{place}/index.html", "in\n")
    server.page("default/sorry.html", "sorry\n")
    server.page("open.html", "open\n")


@pytest.fixture
def source():
    """An address that nobody has come from yet."""
    return next(sources)


@pytest.fixture
def user():
    """A user who has not failed yet."""
    return next(users)


def connect(server, source, port=None, to="127.0.0.1"):
    connection = http1.Connection.__new__(http1.Connection)
    connection.host, connection.port, connection.buffer = to, port or server.port, b""
    connection.socket = socket.create_connection((to, connection.port), 20, (source, 0))
    return connection


def get(server, source, user, password, path="/default/", headers=()):
    """One login by Digest, on a connection of its own."""
    with connect(server, source) as connection:
        return digest.Client(user, password).get(connection, path, headers=headers)


def basic(server, source, user, password, path="/default/", headers=()):
    text = base64.b64encode(f"{user}:{password}".encode()).decode()
    with connect(server, source) as connection:
        return connection.request("GET", path, [*headers, ("Authorization", f"Basic {text}")])


def fail(server, sources_, user, times, path="/default/", by=get):
    """Wrong passwords, each of them answered as such; from one address, or one each."""
    for i in range(times):
        source = sources_ if isinstance(sources_, str) else next(sources_)
        answer = by(server, source, user, f"wrong {i}", path)
        assert answer.status == 401, (i, answer)


def refused(answer, most):
    """Whether it is the answer to somebody blocked, for `most` seconds at most."""
    return answer.status == 429 and 0 < int(answer.get("Retry-After")) <= most \
        and answer.get("WWW-Authenticate") is None and answer.get("Authentication-Info") is None


# --- what the defaults promise ---


def test_after_ten_failures_an_address_is_refused_with_the_right_password_too(server, source):
    mark = len(server.log())
    for other in ("nobody1", "nobody2", next(users), next(users), "nobody3"):
        fail(server, source, other, 2)
    for by in (get, basic):
        right, wrong = by(server, source, "user59", "right"), by(server, source, "user59", "no")
        assert refused(right, 301) and refused(wrong, 301)
        assert right.body == wrong.body
        assert [name for name, _ in right.headers] == [name for name, _ in wrong.headers]
    assert get(server, next(sources), "user59", "right").status == 200
    said = server.log(mark)
    assert len(re.findall(rf"authws:notice.*AW2062: address {source} is refused for 300 s, "
                          r"after 10 failures within 60 s", said)) == 1
    assert len(re.findall("authws:notice", said)) == 1
    assert f"AW2060: address {source} is refused for" in said


def test_after_ten_failures_from_anywhere_a_user_is_refused(server, user):
    mark = len(server.log())
    fail(server, sources, user, 10)
    for by in (get, basic):
        right, wrong = (by(server, next(sources), user, p) for p in ("right", "wrong"))
        assert refused(right, 301) and refused(wrong, 301)
        assert right.body == wrong.body
        assert [name for name, _ in right.headers] == [name for name, _ in wrong.headers]
    assert get(server, next(sources), next(users), "right").status == 200
    said = server.log(mark)
    assert len(re.findall(rf'authws:notice.*AW2063: user "{user}" of realm "r" is refused for '
                          r"300 s, after 10 failures within 60 s", said)) == 1
    assert len(re.findall("authws:notice", said)) == 1


def test_a_user_that_there_is_not_is_refused_like_one_that_there_is(server):
    fail(server, sources, "nobody at all", 10)
    assert refused(get(server, next(sources), "nobody at all", "x"), 301)
    assert refused(basic(server, next(sources), "nobody at all", "x"), 301)


def test_the_refusal_stands_in_the_access_log(server, source):
    fail(server, source, next(users), 3, "/long/")
    assert refused(get(server, source, next(users), "right", "/long/"), 61)
    assert " 429 throttled " in (server.logs / "results.log").read_text()


# --- who counts ---


def test_another_spelling_of_the_name_is_the_same_user(server, user):
    for name in (user.upper(), user.capitalize(), user):
        fail(server, sources, name, 1, "/long/")
    for name in (user, user.upper(), user.title()):
        assert refused(get(server, next(sources), name, "right", "/long/"), 61)


def userhash(user):
    return digest.h("SHA-256", user, "r")


def get_as(server, source, fields, password="right", path="/userhash/"):
    """A login with other parameters than those an ordinary client sends."""
    with connect(server, source) as connection:
        client = digest.Client(fields.pop("real"), password)
        challenge = {**digest.pick(connection.request("GET", path)), "userhash": "false"}
        values = client.fields("GET", path, challenge=challenge)
        return connection.request("GET", path,
                                  [("Authorization", client.field(values, **fields))])


def test_a_user_hash_and_an_extended_name_are_the_user_behind_them(server):
    name = "Jos\u00e9"
    extended = "UTF-8''" + urllib.parse.quote(name)
    hashed = {"real": name, "username": userhash(name), "userhash": "true"}
    starred = {"real": name, "username": None, "username*": extended}
    assert get_as(server, next(sources), dict(hashed)).status == 200
    assert get_as(server, next(sources), dict(starred)).status == 200
    assert get_as(server, next(sources), dict(hashed), "wrong").status == 401
    assert get_as(server, next(sources), dict(starred), "wrong").status == 401
    assert get_as(server, next(sources), {"real": name}, "wrong").status == 401
    for fields in (hashed, starred, {"real": name}):
        assert refused(get_as(server, next(sources), dict(fields)), 61)
    assert refused(basic(server, next(sources), name, "right", "/userhash/"), 61)


def test_a_hash_of_nobody_is_counted_for_itself(server, user):
    fields = {"real": user, "username": "0" * 64, "userhash": "true"}
    for _ in range(3):
        assert get_as(server, next(sources), dict(fields), "wrong").status == 401
    assert refused(get_as(server, next(sources), dict(fields)), 61)
    assert get_as(server, next(sources), {"real": user}).status == 200


def test_digest_and_basic_share_their_counts(server, user):
    fail(server, sources, user, 2, "/long/")
    fail(server, sources, user, 1, "/long/", basic)
    assert refused(get(server, next(sources), user, "right", "/long/"), 61)
    assert refused(basic(server, next(sources), user, "right", "/long/"), 61)


def test_another_realm_has_its_own_user_but_the_same_address(server, source, user):
    fail(server, source, user, 3, "/long/")
    assert get(server, next(sources), user, "right", "/long/other-realm/").status == 200
    assert refused(get(server, source, next(users), "right", "/long/other-realm/"), 61)


def test_other_users_and_other_addresses_are_not_touched(server, source, user):
    fail(server, source, user, 3, "/long/")
    assert get(server, next(sources), next(users), "right", "/long/").status == 200


def test_the_addresses_behind_mod_remoteip_are_the_real_ones(server):
    def forwarded(address):
        return [("X-Forwarded-For", address)]

    for address in ("192.0.2.1", "2001:db8:1:2::3"):
        for _ in range(3):
            answer = basic(server, "127.9.9.9", f"nobody {next(users)}", "x", "/long/",
                           forwarded(address))
            assert answer.status == 401
    for address in ("192.0.2.1", "2001:db8:1:2::3", "2001:db8:1:2:ffff::9"):
        assert refused(basic(server, "127.9.9.9", "user58", "right", "/long/",
                             forwarded(address)), 61)
    for address in ("192.0.2.2", "2001:db8:1:3::3"):
        assert basic(server, "127.9.9.9", "user58", "right", "/long/",
                     forwarded(address)).status == 200


def test_nobody_can_name_another_address_by_himself(server, source):
    for i in range(3):
        basic(server, source, f"nobody {next(users)}", "x", "/long/",
              [("X-Forwarded-For", f"192.0.2.{100 + i}")])
    assert refused(basic(server, source, "user58", "right", "/long/",
                         [("X-Forwarded-For", "192.0.2.200")]), 61)


def test_over_ipv6_too(start_server):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    server = start_server(CONFIG + "Listen [::1]:@PORT@\n", prepare=prepare, modules=MODULES)
    for i in range(3):
        with connect(server, "::1", to="::1") as connection:
            assert digest.Client(f"user{i}", "x").get(
                connection, "/long/", headers=["Host: localhost"]).status == 401
    with connect(server, "::1", to="::1") as connection:
        assert refused(digest.Client("user5", "right").get(
            connection, "/long/", headers=["Host: localhost"]), 61)
    assert get(server, next(sources), "user5", "right", "/long/").status == 200


# --- what is a failure ---


def test_what_guesses_at_nothing_is_no_failure(server, source, user):
    with connect(server, source) as connection:
        client = digest.Client(user, "right")
        challenge = digest.pick(connection.request("GET", "/long/"))
        first = client.authorization("GET", "/long/", challenge=challenge)
        assert connection.request("GET", "/long/", [("Authorization", first)]).status == 200
        harmless = [
            first,  # a replay
            client.authorization("GET", "/long/", challenge={**challenge, "nonce": "foreign"}),
            client.authorization("GET", "/long/", challenge={**challenge, "realm": "another"}),
            "Digest key=", "Basic !", "Bearer x",
        ]
    for value in harmless * 4:
        with connect(server, source) as connection:
            assert connection.request("GET", "/long/").status == 401
            status = connection.request("GET", "/long/", [("Authorization", value)]).status
            assert status in (400, 401), value
    assert get(server, source, user, "right", "/long/").status == 200


def test_a_login_forgets_the_failures_of_the_user_but_not_of_the_address(server, source, user):
    for _ in range(3):
        fail(server, sources, user, 2, "/long/")
        assert get(server, next(sources), user, "right", "/long/").status == 200
    fail(server, source, user, 2, "/long/")
    assert get(server, source, user, "right", "/long/").status == 200
    fail(server, source, next(users), 1, "/long/")
    assert refused(get(server, source, user, "right", "/long/"), 61)


def test_a_page_about_the_failure_in_the_protected_place_counts_no_second_one(server, source,
                                                                              user):
    # ErrorDocument 401 lies in /default, where the same wrong credentials are checked again.
    fail(server, source, user, 9)
    assert get(server, source, user, "right").status == 200


def test_nobody_gets_out_of_a_block_by_going_where_it_is_shorter(server, user):
    fail(server, sources, user, 3, "/long/")
    fail(server, sources, user, 3, "/short/")
    assert refused(get(server, next(sources), user, "right", "/short/"), 3)
    assert refused(get(server, next(sources), user, "right", "/long/"), 61)


# --- when and where not ---


def test_windows_and_blocks_end(server, source, user):
    fail(server, source, user, 2, "/short/")
    time.sleep(3.1)  # what comes now is too far apart from it
    fail(server, source, user, 3, "/short/")
    answer = get(server, source, user, "right", "/short/")
    assert refused(answer, 3)
    time.sleep(int(answer.get("Retry-After")))
    assert get(server, source, user, "right", "/short/").status == 200


def test_an_exempt_request_neither_counts_nor_is_refused(server, user):
    exempt = "127.8.0.1"
    fail(server, exempt, user, 12, "/long/")
    assert get(server, exempt, user, "right", "/long/").status == 200
    fail(server, sources, user, 3, "/long/")
    assert refused(get(server, next(sources), user, "right", "/long/"), 61)
    assert get(server, exempt, user, "right", "/long/").status == 200
    assert refused(get(server, next(sources), user, "right", "/long/"), 61)


def test_off_is_off(server, source, user):
    fail(server, source, user, 25, "/off/")
    assert get(server, source, user, "right", "/off/").status == 200
    assert get(server, source, user, "right").status == 200


def test_pages_for_everybody_are_for_the_blocked_too(server, source):
    fail(server, source, next(users), 3, "/long/")
    with connect(server, source) as connection:
        assert connection.request("GET", "/open.html").status == 200


# --- the other ways in ---


def test_a_proxy_refuses_with_429_too(server, source, user):
    def through(password):
        with connect(server, source, server.ports[1]) as connection:
            return digest.Client(user, password).get(
                connection, f"http://127.0.0.1:{server.port}/open.html", proxy=True)

    assert through("right").status == 200
    for _ in range(3):
        assert through("wrong").status == 407
    answer = through("right")
    assert refused(answer, 61) and answer.get("Proxy-Authenticate") is None


def test_the_provider_denies_who_is_blocked_and_says_so_in_the_log(server, source, user):
    fail(server, sources, user, 3, "/provider/", basic)
    mark = len(server.log())
    assert basic(server, next(sources), user, "right", "/provider/").status == 401
    assert f'AW2061: user "{user}" is refused for' in server.log(mark)
    assert refused(basic(server, next(sources), user, "right", "/long/"), 61)  # one count
    for _ in range(3):
        assert basic(server, source, next(users), "wrong", "/provider/").status == 401
    assert basic(server, source, next(users), "right", "/provider/").status == 401
    assert f"AW2060: address {source} is refused for" in server.log(mark)


def test_users_of_another_provider_do_not_fail_here(server, source):
    for _ in range(12):
        assert basic(server, source, "stranger", "right", "/provider/two/").status == 200


# --- all processes, all generations ---


def test_all_children_count_together(start_server):
    server = start_server(CONFIG, prepare=prepare, modules=MODULES, mpm="prefork")
    source, name = next(sources), "user1"
    connections = [connect(server, source) for _ in range(10)]
    for connection in connections:  # each has a child of its own, for as long as it is open
        assert digest.Client(name, "wrong").get(connection, "/default/").status == 401
    for connection in connections:
        assert refused(digest.Client(name, "right").get(connection, "/default/"), 301)
        connection.close()
    time.sleep(0.1)
    used = re.findall(r"429 throttled (\d+)", (server.logs / "results.log").read_text())
    assert len(set(used)) >= 4


def test_a_block_outlives_a_graceful_restart(start_server):
    server = start_server(CONFIG, prepare=prepare, modules=MODULES)
    source = next(sources)
    fail(server, source, "user1", 3, "/long/")
    fail(server, sources, "user2", 2, "/long/")
    server.graceful()
    assert refused(get(server, source, "user3", "right", "/long/"), 61)
    assert refused(get(server, next(sources), "user1", "right", "/long/"), 61)
    fail(server, sources, "user2", 1, "/long/")
    assert refused(get(server, next(sources), "user2", "right", "/long/"), 61)


def totals(server, mark=0):
    line = server.wait_log(r"AW2070: since start:(.*)", mark).group(1)
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line)}


def test_the_log_says_at_every_end_what_has_happened_since_the_start(start_server):
    server = start_server(CONFIG, prepare=prepare, modules=MODULES)
    assert "AW2070" not in server.log()
    source = next(sources)
    assert get(server, source, "user1", "right", "/off/").status == 200
    assert basic(server, source, "user1", "right", "/off/").status == 200
    assert basic(server, source, "nobody", "right", "/off/").status == 401
    fail(server, source, "user1", 3, "/long/")
    assert refused(get(server, source, "user1", "right", "/long/"), 61)
    with connect(server, source) as connection:
        client = digest.Client("user1", "right")
        client.challenge = digest.pick(connection.request("GET", "/off/"))
        field = [("Authorization", client.authorization("GET", "/off/"))]
        assert connection.request("GET", "/off/", field).status == 200
        assert connection.request("GET", "/off/", field).status == 401
        assert connection.request("GET", "/off/", ["Authorization: Bearer x"]).status == 401
        client.challenge = {**client.challenge, "nonce": "foreign"}
        assert connection.request("GET", "/off/", [
            ("Authorization", client.authorization("GET", "/off/"))]).status == 401
        assert connection.request("GET", "/off/", ["Authorization: Digest x"]).status == 400
    mark = len(server.log())
    server.graceful()
    found = totals(server, mark)
    expected = {"challenged": 6, "verified": 2, "basic_verified": 1, "stale": 1, "replayed": 1,
                "malformed": 1, "refused": 1, "wrong": 3, "unknown": 1, "throttled": 1,
                "errors": 0, "blocks": 2, "evicted": 0, "certificate_verified": 0,
                "token_verified": 0, "ticket_verified": 0, "without_certificate": 0}
    assert found == expected
    assert get(server, next(sources), "user2", "right", "/off/").status == 200
    mark = len(server.log())
    server.stop()
    found = totals(server, mark)
    assert found == {**expected, "challenged": 7, "verified": 3}
    assert len(re.findall("AW2070", server.log(mark))) == 1


def test_windows_that_make_room_are_counted(start_server):
    server = start_server("AuthWSSharedMemory 64K\n" + CONFIG, prepare=prepare, modules=MODULES)
    for _ in range(2):  # more than a user's share of so small a table holds
        for _ in range(60):
            get(server, "127.0.0.1", "user1", "right", "/off/")
        time.sleep(1.1)
    mark = len(server.log())
    server.stop()
    assert totals(server, mark)["evicted"] > 0


# --- the directive ---


@pytest.mark.parametrize("words, said", [
    ("", "nothing is given; write failures, window and block"),
    ("On", '"On" is not all'),
    ("10", '"10" is not all'),
    ("10 60s", '"10" is not all'),
    ("10 60s 300s 5", '"5" is too much'),
    ("0 60s 300s", '"0" is not a number of failures, 1 to 1000'),
    ("1001 60s 300s", '"1001" is not a number'),
    ("-1 60s 300s", '"-1" is not a number'),
    ("ten 60s 300s", '"ten" is not a number'),
    ("10 x 300s", '"x" is not a time'),
    ("10 0 300s", '"0" is out of range; allowed is whole seconds, 1s to 24h'),
    ("10 1500ms 300s", '"1500ms" is out of range; allowed is whole seconds'),
    ("10 60s 25h", '"25h" is out of range'),
])
def test_a_wrong_word_is_named_with_what_is_allowed(start_server, words, said):
    broken = start_server(f"<Location />\nAuthWSThrottle {words}\n</Location>\n", start=False)
    status, text = broken.configtest()
    assert status != 0 and said in text and re.search(r"Syntax error on line \d+", text)


@pytest.mark.parametrize("words", ["Off", "OFF", "1 1 1", "1000 24h 24h", "10 1m 5mi"])
def test_every_form_allowed_is_taken(start_server, words):
    fine = start_server(f"<Location />\nAuthWSThrottle {words}\n</Location>\n", start=False)
    assert fine.configtest()[0] == 0
