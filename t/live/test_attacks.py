"""What has broken other servers, tried on this one.

Each test is named after what was seen; the names behind it are where.
SPDX-License-Identifier: Apache-2.0
"""
import base64
import random
import threading
import time

import pytest

import digest

CONFIG = """
LimitRequestFieldSize 65536
LimitRequestLine 65536
Header always set X-User "expr=%{REMOTE_USER}"
<Location "/a">
    AuthType AuthWS
    AuthName "A"
    AuthWSUserFile conf/a1
    AuthWSThrottle Off
    Require valid-user
</Location>
<Location "/b">
    AuthType AuthWS
    AuthName "B"
    AuthWSUserFile conf/a1
    AuthWSThrottle Off
    Require valid-user
</Location>
<Location "/sess">
    AuthType AuthWS
    AuthName "A"
    AuthWSAlgorithm MD5-sess SHA-256-sess
    AuthWSUserFile conf/a1
    AuthWSThrottle Off
    Require valid-user
</Location>
<Location "/basic">
    AuthType AuthWS
    AuthName "A"
    AuthWSScheme Basic
    AuthWSUserFile conf/a1
    AuthWSThrottle Off
    Require valid-user
</Location>
"""
USERS = {f"user{i}": f"password {i}" for i in range(12)}


def prepare(server):
    lines = ""
    for realm in ("A", "B"):
        lines += digest.a1_line("alice", realm, "sesame")
        for user, password in USERS.items():
            lines += digest.a1_line(user, realm, password)
    server.secret("a1", lines)
    for place in ("a", "b", "sess", "basic"):
        server.page(f"{place}/index.html", "inside\n")


def challenge(server, uri="/a/", algorithm=None):
    return digest.pick(server.get(uri), algorithm)


def alice(server, uri="/a/", algorithm=None):
    client = digest.Client("alice", "sesame", algorithm)
    client.challenge = challenge(server, uri, algorithm)
    return client


def send(server, field, uri="/a/"):
    return server.get(uri, [("Authorization", field)])


def is_stale(answer):
    return answer.status == 401 and digest.pick(answer).get("stale") == "true"


def in_parallel(jobs):
    """Runs the jobs in threads; raises what one of them raised."""
    errors = []

    def guarded(job):
        try:
            job()
        except Exception as error:  # pylint: disable=broad-except
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


# --- form ---

@pytest.mark.parametrize("rest", [
    "", " ", " key", " key=", " key=,", ' username="alice", key=', ' username="alice", key',
    ' username="alice', ' username="alice\\', " =", " =x", " ,", ' "alice"', " username==x",
    ' username="a" realm="A"', " dXNlcjpwYXNz", ' username="alice", username="alice"'])
def test_a_key_without_a_value(server, rest):
    """httpd CVE-2017-9788"""
    answer = send(server, "Digest" + rest)
    assert answer.status == 400
    assert answer.get("WWW-Authenticate") is None and answer.get("X-User") in (None, "")
    assert "alice" not in answer.text and "key" not in answer.text


def test_every_parameter_cut_short_or_left_out(server):
    """A whole field is right; what is left of it at any place is not."""
    whole = alice(server).authorization("GET", "/a/")
    for end in range(len("Digest"), len(whole)):
        assert send(server, whole[:end]).status in (400, 401), whole[:end]
    assert send(server, whole).status == 200


@pytest.mark.parametrize("missing", [
    "username", "realm", "nonce", "uri", "response", "cnonce", "nc", "qop"])
def test_a_parameter_is_missing(server, missing):
    """httpd: no qop while counts are checked; Squid CVE-2023-46847"""
    client = alice(server)
    assert send(server, client.field(client.fields("GET", "/a/"), **{missing: None})
                ).status == 400


def test_no_qop_and_a_right_response_of_rfc_2069(server):
    """httpd: header without qop while nc checking is on"""
    client = alice(server, algorithm="MD5")
    v = client.fields("GET", "/a/")
    old = digest.h("MD5", client.a1(v), v["nonce"], digest.h("MD5", "GET", "/a/"))
    field = client.field(v, response=old, qop=None, nc=None, cnonce=None)
    for _ in range(2):
        assert send(server, field).status == 400


@pytest.mark.parametrize("algorithm", ["MD5-sess", "SHA-256-sess"])
def test_sess_without_cnonce(server, algorithm):
    """lighttpd CVE-2007-3946"""
    client = alice(server, "/sess/", algorithm)
    values = client.fields("GET", "/sess/")
    for change in ({"cnonce": None}, {"cnonce": None, "qop": None, "nc": None}):
        assert send(server, client.field(values, **change), "/sess/").status == 400
    assert send(server, client.field(values), "/sess/").status == 200


@pytest.mark.parametrize("tail", [" ", "\t \t", ",", " , ,", ", "])
def test_white_space_and_commas_at_the_end(server, tail):
    """lighttpd CVE-2007-3946"""
    assert send(server, alice(server).authorization("GET", "/a/") + tail).status == 200


@pytest.mark.parametrize("nonce", [
    "=", "=" * 40, "A" * 39, "A" * 41, "A" * 39 + "=", "A" * 38 + "==", "!" * 40, "A" * 4000,
    "+" * 40, "A" * 20 + " " + "A" * 19, "A" * 39 + "\u00e4", "\u00ff" * 20])
def test_malformed_base64_in_the_nonce(server, nonce):
    """httpd CVE-2020-35452, lighttpd CVE-2011-4362"""
    client = digest.Client("alice", "sesame")
    field = client.authorization("GET", "/a/", challenge=challenge(server), nonce=nonce)
    assert is_stale(send(server, field))


@pytest.mark.parametrize("word", [
    b"YWxpY2U6c2VzYW1l\xc3\xa4", b"\xff\xfe\xfd", b"YWxpY2U6c2VzYW1l=", b"YWxp", b"", b"=",
    b"YWxpY2U6c2VzYW1", b"YWxpY2U6c2VzYW1l YWxp", b"YWxpY2U6c2Vz,YW1l", b"YWxpY2U6c2VzYW1l!",
    base64.b64encode(b"alice"), base64.b64encode(b"alice:ses\x00ame"),
    base64.b64encode(b"al\x00ice:sesame"), base64.b64encode(b"alice:sesame\n")])
def test_malformed_base64_in_basic(server, word):
    """lighttpd CVE-2011-4362"""
    assert server.get("/basic/", [b"Authorization: Basic " + word]).status == 400
    assert server.get("/basic/", [b"Authorization: Basic YWxpY2U6c2VzYW1l"]).status == 200


@pytest.mark.parametrize("nc", [
    "", "1", "0000001", "000000001", "0000000g", "-0000001", "0x000001", "+0000001", " 0000001",
    "100000001", "f" * 64])
def test_a_count_that_is_not_eight_hex_digits(server, nc):
    """Squid CVE-2020-11945 and audits"""
    client = alice(server)
    values = client.fields("GET", "/a/", nc=nc)
    assert send(server, client.field(values).replace(f"nc={nc},", f'nc="{nc}",')).status == 400


@pytest.mark.parametrize("nc", ["00000000", "ffffffff", "80000000", "00200000"])
def test_counts_at_the_ends_of_the_range(server, nc):
    """Squid CVE-2020-11945: the count wraps"""
    client = alice(server)
    for _ in range(2):
        assert is_stale(send(server, client.authorization("GET", "/a/", nc=nc)))
    assert send(server, client.authorization("GET", "/a/", nc=1)).status == 200
    assert is_stale(send(server, client.authorization("GET", "/a/", nc=1)))


def test_a_very_long_uri(server):
    """libmicrohttpd CVE-2013-7039"""
    client = alice(server)
    target = "/a/?" + "x" * 7000
    assert send(server, client.authorization("GET", target), target).status == 200
    for length in (8001, 30000, 60000):
        target = "/a/?" + "x" * length
        assert send(server, client.authorization("GET", target), target).status == 400
        assert send(server, client.authorization("GET", target)).status == 400


@pytest.mark.parametrize("name", ["username", "realm", "cnonce", "nonce", "response", "opaque"])
def test_a_very_long_value(server, name):
    client = alice(server)
    values = client.fields("GET", "/a/")
    for length in (8000, 8001, 60000):
        answer = send(server, client.field(values, **{name: "a" * length}))
        if name == "opaque":  # nothing rests on it
            assert answer.status == 200 if length == 8000 else is_stale(answer)
        else:
            assert answer.status in (400, 401)


def test_thousands_of_unknown_parameters(server):
    client = alice(server)
    field = client.authorization("GET", "/a/") + ", x=y" * 8000
    assert send(server, field).status == 200


@pytest.mark.parametrize("text", ["a\tb", "a\x7fb", "a\\\tb"])
def test_control_characters_in_the_name(server, text):
    client = alice(server)
    values = client.fields("GET", "/a/", username=text)
    assert send(server, client.field(values)).status == 400


def test_bad_utf_8_in_the_name(server):
    client = alice(server)
    field = client.authorization("GET", "/a/").encode().replace(b'"alice"', b'"al\xc3ice"')
    assert server.get("/a/", [b"Authorization: " + field]).status == 400


def test_a_random_byte_changed_anywhere_never_lets_in_and_never_breaks(server):
    def meaning(field):
        found = digest.params(field.decode("latin-1"))
        return [found.get(name, "").lower() if name in ("response", "algorithm") else
                found.get(name) for name in ("username", "realm", "nonce", "uri", "cnonce", "nc",
                                             "response", "algorithm")]

    rng = random.Random(2617)
    client = alice(server)
    whole = client.authorization("GET", "/a/").encode()
    for _ in range(600):
        bad = bytearray(whole)
        for _ in range(rng.choice((1, 1, 2, 8))):
            at = rng.randrange(6, len(bad))
            bad[at] = rng.choice(b'",=\\ \t' + bytes(range(0x21, 0x7f)) + bytes(range(0x80, 0x100)))
        answer = server.get("/a/", [b"Authorization: " + bytes(bad)])
        assert answer.status in (400, 401) or \
            (answer.status == 200 and meaning(bad) == meaning(whole)), (bad, answer)
    assert server.get("/a/", [b"Authorization: " + whole]).status in (200, 401)


# --- every field counts ---

@pytest.mark.parametrize("change, status", [
    ({"realm": "B"}, 401), ({"username": "user1"}, 401), ({"username": "Alice"}, 401),
    ({"cnonce": "other"}, 401), ({"nc": "00000002"}, 401), ({"qop": "auth-int"}, 401),
    ({"uri": "/a/index.html"}, 400), ({"uri": "/b/"}, 400), ({"uri": "*"}, 400),
    ({"uri": "http://elsewhere.example/a/"}, 400), ({"uri": ""}, 400), ({"algorithm": "MD5"}, 400),
    ({"algorithm": "SHA-256-sess"}, 401), ({"algorithm": "SHA-512-256"}, 401),
    ({"algorithm": "ROT13"}, 400), ({"qop": "auth-conf"}, 400), ({"userhash": "true"}, 401),
    ({"userhash": "perhaps"}, 400)])
def test_a_field_changed_after_the_response_was_made(server, change, status):
    """Tomcat CVE-2011-1184, CVE-2012-5885 to -5887"""
    client = alice(server, algorithm="SHA-256")
    values = client.fields("GET", "/a/")
    assert send(server, client.field(values, **change)).status == status
    assert send(server, client.field(values)).status == 200


@pytest.mark.parametrize("place", range(64))
def test_each_digit_of_the_response_counts(server, place):
    """httpd CVE-2026-33006"""
    client = alice(server, algorithm="SHA-256")
    values = client.fields("GET", "/a/")
    digits = list(values["response"])
    digits[place] = "0" if digits[place] != "0" else "1"
    assert send(server, client.field(values, response="".join(digits))).status == 401
    assert send(server, client.field(values)).status == 200


def test_the_uri_is_another_than_the_target(server):
    """LibCXX: a right response for /a/ opens no other page"""
    server.page("a/secret.html", "secret\n")
    client = alice(server)
    field = client.authorization("GET", "/a/")
    for target in ("/a/secret.html", "/a/?x", "/a//", "/a/./", "/a/%2e/", "//a/"):
        answer = send(server, field, target)
        assert answer.status == 400 and "secret" not in answer.text
    assert send(server, field).status == 200


def test_a_nonce_made_from_the_clock(server):
    """LibCXX"""
    for nonce in (str(int(time.time())), f"{int(time.time()):x}",
                  base64.b64encode(str(time.time()).encode()).decode()):
        client = digest.Client("alice", "sesame")
        assert is_stale(send(server, client.authorization(
            "GET", "/a/", challenge=challenge(server), nonce=nonce)))


def test_a_connection_that_has_logged_in_keeps_nothing(server):
    """Tomcat CVE-2012-5886: the session kept the authentication"""
    with server.connect() as connection:
        client = digest.Client("alice", "sesame")
        assert client.get(connection, "/a/").status == 200
        assert connection.request("GET", "/a/").status == 401
        other = [("Authorization", digest.Client("user1", "x").authorization(
            "GET", "/a/", challenge=client.challenge, nc=9))]
        assert connection.request("GET", "/a/", other).status == 401


def test_a_used_count_under_new_cnonces(server):
    """Tomcat CVE-2012-5885: the cnonce was tracked instead of nonce and nc"""
    client = alice(server)
    assert send(server, client.authorization("GET", "/a/", nc=1)).status == 200
    for _ in range(5):
        assert is_stale(send(server, client.authorization("GET", "/a/", nc=1)))


@pytest.mark.parametrize("a1", ["", "null", "None", "0" * 32, "0" * 64, digest.h("MD5", ""),
                                digest.h("SHA-256", ""), digest.h("MD5", "ghost:A:"),
                                digest.h("MD5", "ghost", "A", "null")])
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_an_unknown_user_and_a_null_hash(server, a1, algorithm):
    """Tomcat CVE-2026-43512"""
    client = digest.Client("ghost", "null", algorithm)
    client.a1 = lambda values: a1
    client.challenge = challenge(server, algorithm=algorithm)
    answer = send(server, client.authorization("GET", "/a/"))
    assert answer.status == 401 and not is_stale(answer)


def test_another_spelling_of_the_name_is_another_user(server):
    """Tomcat CVE-2026-43513"""
    for name in ("ALICE", "alice ", " alice", "alice\u200e", "\uff41lice", "alice@A"):
        client = digest.Client(name, "sesame")
        client.challenge = challenge(server)
        assert send(server, client.authorization("GET", "/a/")).status == 401


# --- nonces and counts ---

def test_a_nonce_of_another_realm(server):
    """httpd CVE-2018-1312"""
    client = digest.Client("alice", "sesame")
    values = client.fields("GET", "/b/", challenge={**challenge(server, "/a/"), "realm": "B"})
    assert is_stale(send(server, client.field(values), "/b/"))


def test_a_nonce_of_another_server(server, start_server):
    """httpd CVE-2018-1312"""
    other = start_server(CONFIG, prepare=prepare)
    field = alice(other).authorization("GET", "/a/")
    assert is_stale(send(server, field)) and send(other, field).status == 200


def test_servers_with_one_secret_share_nonces(start_server):
    """The other side of it: a farm with one AuthWSSecretFile."""
    def farm(server):
        prepare(server)
        server.secret("secret", "correct horse battery staple\n")

    config = "AuthWSSecretFile conf/secret\n" + CONFIG
    one, two = start_server(config, prepare=farm), start_server(config, prepare=farm)
    client = alice(one)
    first = client.authorization("GET", "/a/", nc=1)
    answer = send(two, first)
    assert answer.status == 200, "a balancer may send the answer elsewhere than the question"
    following = digest.params(answer.get("Authentication-Info"))["nextnonce"]
    assert is_stale(send(two, first)), "once"
    assert is_stale(send(two, client.authorization("GET", "/a/", nc=2))), "node one counts these"
    client.challenge["nonce"] = following
    assert send(two, client.authorization("GET", "/a/", nc=1)).status == 200
    assert send(two, client.authorization("GET", "/a/", nc=2)).status == 200


def test_credentials_of_a_foreign_realm_are_refused_quietly(server):
    """curl CVE-2026-7168, CVE-2026-8927"""
    mark = len(server.log())
    client = digest.Client("alice", "other password")
    foreign = {**challenge(server), "realm": "elsewhere"}
    answer = send(server, client.authorization("GET", "/a/", challenge=foreign))
    assert answer.status == 401 and not is_stale(answer)
    assert digest.pick(answer)["realm"] == "A"
    server.wait_log("another realm", mark)
    assert "[authws:error]" not in server.log(mark) and "[authws:warn]" not in server.log(mark)


@pytest.mark.parametrize("opaque", [
    "", "0", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "\\\\\"", "A" * 5000])
def test_a_forged_opaque(server, opaque):
    """httpd CVE-2026-48005: it bumped or reset somebody's count"""
    client = alice(server)
    assert send(server, client.authorization("GET", "/a/", nc=1)).status == 200
    wrong = digest.Client("alice", "wrong")
    for nc in (1, 2, 3, 0xffff):
        values = wrong.fields("GET", "/a/", challenge=client.challenge, nc=nc, opaque=opaque)
        assert send(server, wrong.field(values)).status == 401
    assert is_stale(send(server, client.authorization("GET", "/a/", nc=1)))
    assert send(server, client.authorization("GET", "/a/", nc=2)).status == 200


def test_a_count_taken_before_the_response_is_checked(server):
    """libmicrohttpd: whoever sees a nonce can lock its owner out"""
    client = alice(server)
    for user in ("alice", "ghost"):
        wrong = digest.Client(user, "wrong")
        with server.connect() as connection:
            for nc in [*range(1, 40), 0x1fffff, 0xffffffff]:
                field = wrong.authorization("GET", "/a/", challenge=client.challenge, nc=nc)
                assert connection.request("GET", "/a/", [("Authorization", field)]).status == 401
    for nc in range(1, 40):
        assert send(server, client.authorization("GET", "/a/", nc=nc)).status == 200


def test_a_flood_of_challenges(server):
    """httpd CVE-2026-73636, CVE-2016-2161: live clients were pushed out"""
    client = alice(server)
    used = client.authorization("GET", "/a/", nc=1)
    assert send(server, used).status == 200

    def flood():
        with server.connect() as connection:
            for _ in range(1500):
                assert connection.request("GET", "/a/").status == 401

    in_parallel([flood] * 4)
    assert send(server, client.authorization("GET", "/a/", nc=2)).status == 200
    assert is_stale(send(server, used))


def test_a_nonce_whose_window_had_to_go_is_stale_never_new(start_server):
    """httpd CVE-2026-73636: an old one-time nonce was taken for new"""
    tiny = start_server("AuthWSSharedMemory 64K\n" + CONFIG, prepare=prepare)
    used, let_in = [], []

    def log_in(connection):
        client = digest.Client("alice", "sesame")
        client.challenge = digest.pick(connection.request("GET", "/a/"))
        field = [("Authorization", client.authorization("GET", "/a/"))]
        let_in.append(connection.request("GET", "/a/", field).status == 200)
        used.append(field)

    with tiny.connect() as connection:
        # Many more nonces than 64 KiB can remember, over several seconds.
        for _ in range(3):
            for _ in range(500):
                log_in(connection)
            time.sleep(1.1)
        assert any(let_in[:10]) and any(let_in[500:510]) and any(let_in[1000:1010])
        for field in used:
            answer = connection.request("GET", "/a/", field)
            assert is_stale(answer)


def test_one_nonce_used_by_many_threads_at_once(server):
    """httpd CVE-2026-73637"""
    client = alice(server)
    fields = [client.authorization("GET", "/a/", nc=nc) for nc in range(1, 101)]
    statuses = [[] for _ in range(12)]

    def run(mine, seed):
        order = list(range(100))
        random.Random(seed).shuffle(order)
        with server.connect() as connection:
            for i in order:
                answer = connection.request("GET", "/a/", [("Authorization", fields[i])])
                mine.append((i, answer.status))

    in_parallel([lambda i=i: run(statuses[i], i) for i in range(12)])
    let_in = [i for mine in statuses for i, status in mine if status == 200]
    assert sorted(let_in) == list(range(100)), "each count once, none twice, none never"


def test_out_of_order_counts_of_parallel_connections(server):
    """httpd's own digest: 401 without stale, so browsers asked the user again"""
    client = alice(server)
    with server.connect() as connection:
        for nc in range(128, 0, -1):
            field = client.authorization("GET", "/a/", nc=nc)
            assert connection.request("GET", "/a/", [("Authorization", field)]).status == 200


def test_two_threads_mix_up_two_users(server):
    """httpd CVE-2019-0217: every answer names the user who asked, on connections they share"""
    clients = {}
    for user, password in USERS.items():
        clients[user] = digest.Client(user, password, "MD5")
        clients[user].challenge = challenge(server, algorithm="MD5")
    lock = threading.Lock()

    def run(seed):
        rng = random.Random(seed)
        with server.connect() as connection:
            for _ in range(12):
                batch = []
                for _ in range(10):
                    user = rng.choice(list(USERS))
                    bad = rng.random() < 0.2
                    with lock:
                        values = clients[user].fields("GET", "/a/")
                    if bad:
                        values["response"] = "0" * 32
                    batch.append((user, bad))
                    connection.send_request("GET", "/a/", [
                        ("Authorization", digest.Client.field(values))])
                for user, bad in batch:
                    answer = connection.response()
                    assert answer.status == (401 if bad else 200)
                    assert bad or answer.get("X-User") == user

    in_parallel([lambda i=i: run(i) for i in range(12)])


def test_known_and_unknown_users_are_answered_alike(server):
    """httpd's own digest: the time told who is in the file (that is measured elsewhere)"""
    answers = []
    for user in ("alice", "ghost"):
        client = digest.Client(user, "wrong")
        client.challenge = challenge(server)
        answer = send(server, client.authorization("GET", "/a/"))
        answers.append((answer.status, [k for k, _ in answer.headers], answer.body,
                        [set(c) for c in digest.challenges(answer)]))
    assert answers[0] == answers[1] and answers[0][0] == 401
