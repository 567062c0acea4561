"""Digest as RFC 7616 has it, on the real httpd: challenges, answers, nonces, names.

SPDX-License-Identifier: Apache-2.0
"""
import random
import re
import threading
import time

import pytest

import digest

EVERY = ["MD5", "SHA-256", "SHA-512-256", "SHA", "SHA-384", "SHA-512"]
NAMED = EVERY + [f"{name}-sess" for name in EVERY]

PLACES = {
    "plain": "",
    "three": "AuthWSAlgorithm SHA-512-256 SHA-256 MD5",
    "turned": "AuthWSAlgorithm MD5 SHA-256-sess SHA-512",
    "always": "AuthWSNextNonce always",
    "off": "AuthWSNextNonce off\nAuthWSNonceLifetime 2s",
    "half": "AuthWSNonceLifetime 3s",
    "short": "AuthWSNonceLifetime 1s",
    "userhash": "AuthWSUserhash On\nAuthWSAlgorithm SHA-512-256 SHA-256-sess MD5",
    "domain": "AuthWSDomain /domain /other http://a.example/x b.example b.example:8443",
    "hosts": "AuthWSDomain b.example",
    "both": "AuthWSQop auth auth-int",
    "mine": "AuthWSUserFile conf/mine.a1",
}
PLACES.update({name.lower(): f"AuthWSAlgorithm {name}" for name in NAMED})

CONFIG = """
BrowserMatch "OldPhone" authws-algorithm=MD5
SetEnvIf X-Pick "^(.+)$" authws-algorithm=$1
Header always set X-User "expr=%{REMOTE_USER}"
""" + "".join(f"""
<Location "/{place}">
    AuthType AuthWS
    AuthName "Intranet"
    AuthWSUserFile conf/all.a1
    {directives}
    Require valid-user
</Location>
""" for place, directives in PLACES.items()) + r"""
<Location "/quoted">
    AuthType AuthWS
    AuthName "the \"in\\\\\\\\side\" of Jürgen"
    AuthWSUserFile conf/all.a1
    Require valid-user
</Location>
"""

NAMES = ['qu"ote', 'back\\slash', 'both\\"', "Jürgen", "日本 語", "a,b=c", " space ", "x" * 1000,
         "null", "%41", "ALICE"]
ODD_REALM = 'the "in\\side" of Jürgen'


def prepare(server):
    lines = digest.a1_line("alice", "Intranet", "sesame", EVERY)
    lines += digest.a1_line("md5only", "Intranet", "old", ["MD5"])
    lines += digest.a1_line("alice", ODD_REALM, "sesame")
    for name in NAMES:
        lines += digest.a1_line(name, "Intranet", "pass of " + name, EVERY)
    server.secret("all.a1", lines)
    server.secret("mine.a1", digest.a1_line("alice", "Intranet", "sesame"))
    for place in [*PLACES, "quoted"]:
        server.page(f"{place}/index.html", f"page {place}\n")


def info(answer):
    """Authentication-Info as a dictionary; exactly one field line."""
    lines = answer.all("Authentication-Info")
    assert len(lines) == 1, answer
    return digest.params(lines[0])


def challenge(server, uri, **options):
    answer = server.get(uri)
    assert answer.status == 401
    return digest.pick(answer, **options)


def alice(server, uri, algorithm=None):
    """A client that has its challenge for `uri`."""
    client = digest.Client("alice", "sesame", algorithm)
    client.challenge = challenge(server, uri, algorithm=algorithm)
    return client


def send(server, values, uri, **change):
    return server.get(uri, [("Authorization", digest.Client.field(values, **change))])


# --- algorithms and challenges ---

@pytest.mark.parametrize("name", NAMED)
def test_each_algorithm_lets_in_and_the_server_proves_itself(server, name):
    uri = f"/{name.lower()}/"
    asked = server.get(uri)
    assert [c["algorithm"] for c in digest.challenges(asked)] == [name]
    client = alice(server, uri)
    values = client.fields("GET", uri)
    answer = send(server, values, uri)
    assert (answer.status, answer.get("X-User")) == (200, "alice")
    assert info(answer)["rspauth"] == client.rspauth(values)
    assert send(server, client.fields("GET", uri), uri, response="0" * len(values["response"])
                ).status == 401


def test_without_a_word_sha_256_and_then_md5_are_offered(server):
    assert [c["algorithm"] for c in digest.challenges(server.get("/plain/"))] == ["SHA-256", "MD5"]


@pytest.mark.parametrize("place, names", [
    ("three", ["SHA-512-256", "SHA-256", "MD5"]), ("turned", ["MD5", "SHA-256-sess", "SHA-512"])])
def test_challenges_stand_one_to_a_line_in_the_order_configured(server, place, names):
    answer = server.get(f"/{place}/")
    lines = answer.all("WWW-Authenticate")
    assert len(lines) == len(names)
    assert [digest.params(line)["algorithm"] for line in lines] == names
    for name in names:
        with server.connect() as connection:
            client = digest.Client("alice", "sesame", name)
            assert client.get(connection, f"/{place}/").status == 200


def test_a_challenge_says_what_rfc_7616_wants_and_no_more(server):
    line = server.get("/plain/").get("WWW-Authenticate")
    assert re.fullmatch(r'Digest realm="Intranet", nonce="[A-Za-z0-9_-]{32,64}", algorithm=SHA-256, '
                        r'qop="auth", charset=UTF-8', line)
    assert digest.params(server.get("/both/").get("WWW-Authenticate"))["qop"] == "auth,auth-int"


def test_no_two_challenges_name_the_same_nonce(server):
    with server.connect() as connection:
        seen = [digest.pick(connection.request("GET", "/plain/"))["nonce"] for _ in range(50)]
    assert len(set(seen)) == 50


def test_an_algorithm_that_was_not_offered_is_refused(server):
    asked = challenge(server, "/md5/")
    values = digest.Client("alice", "sesame").fields("GET", "/md5/",
                                                     challenge={**asked, "algorithm": "SHA-256"})
    answer = send(server, values, "/md5/")
    assert answer.status == 401 and "stale" not in digest.pick(answer)


def test_a_sess_answer_does_not_pass_for_the_plain_algorithm(server):
    asked = challenge(server, "/sha-256/")
    values = digest.Client("alice", "sesame").fields(
        "GET", "/sha-256/", challenge={**asked, "algorithm": "SHA-256-sess"})
    assert send(server, values, "/sha-256/").status == 401
    assert send(server, values, "/sha-256/", algorithm="SHA-256").status == 401


def test_without_an_algorithm_parameter_it_is_md5(server):
    client = alice(server, "/plain/", "MD5")
    assert send(server, client.fields("GET", "/plain/"), "/plain/", algorithm=None).status == 200


def test_a_user_without_a_value_in_the_algorithm_is_asked_again(server):
    strong = digest.Client("md5only", "old", "SHA-256")
    with server.connect() as connection:
        answer = strong.get(connection, "/plain/")
        assert answer.status == 401 and "stale" not in digest.pick(answer)
        assert digest.Client("md5only", "old", "MD5").get(connection, "/plain/").status == 200


def test_the_variable_authws_algorithm_chooses_for_one_client(server):
    def offered(*headers):
        return [c["algorithm"] for c in digest.challenges(server.get("/three/", headers))]

    assert offered(("User-Agent", "OldPhone/1.0")) == ["MD5"]
    assert offered(("X-Pick", "MD5 SHA-512-256")) == ["MD5", "SHA-512-256"]
    assert offered(("User-Agent", "NewPhone/1.0")) == ["SHA-512-256", "SHA-256", "MD5"]


def test_what_the_variable_does_not_offer_is_not_accepted_either(server):
    client = alice(server, "/three/", "SHA-256")
    field = ("Authorization", client.authorization("GET", "/three/"))
    assert server.get("/three/", [("X-Pick", "MD5"), field]).status == 401
    assert server.get("/three/", [field]).status == 200


def test_a_variable_that_names_no_algorithm_is_logged_and_ignored(server):
    mark = len(server.log())
    asked = digest.challenges(server.get("/three/", [("X-Pick", "ROT13")]))
    assert [c["algorithm"] for c in asked] == ["SHA-512-256", "SHA-256", "MD5"]
    server.wait_log('AW2020.*"ROT13" is not an algorithm', mark)


# --- right, wrong, unknown ---

def test_wrong_password_and_unknown_user_look_the_same(server):
    answers = []
    for user in ("alice", "nobody"):
        asked = challenge(server, "/plain/")
        values = digest.Client(user, "wrong").fields("GET", "/plain/", challenge=asked)
        answer = send(server, values, "/plain/")
        assert answer.status == 401 and answer.get("Authentication-Info") is None
        assert all("stale" not in c for c in digest.challenges(answer))
        answers.append(([k for k, _ in answer.headers], answer.body))
    assert answers[0] == answers[1]


def test_who_was_refused_from_where_and_why_is_in_the_log(server):
    mark = len(server.log())
    for user, why in (("alice", "wrong response"), ("nobody", "unknown user")):
        with server.connect() as connection:
            digest.Client(user, "wrong").get(connection, "/plain/")
        server.wait_log(rf'client 127\.0\.0\.1.*AW2022: Digest: user "{user}", '
                        rf'realm "Intranet": {why}: /plain/', mark)


def test_neither_passwords_nor_hashes_come_into_the_log(server):
    client = alice(server, "/plain/")
    values = client.fields("GET", "/plain/")
    send(server, values, "/plain/")
    send(server, values, "/plain/")
    said = server.log()
    assert values["response"] not in said and client.a1(values) not in said
    assert "sesame" not in said


def test_authentication_info_repeats_qop_cnonce_and_nc(server):
    client = alice(server, "/plain/")
    answer = send(server, client.fields("GET", "/plain/", nc=0xabc, cnonce="quite random"),
                  "/plain/")
    said = info(answer)
    assert (said["qop"], said["cnonce"], said["nc"]) == ("auth", "quite random", "00000abc")
    assert "qop=auth, " in answer.get("Authentication-Info")


def test_a_cnonce_with_quotes_and_backslashes_comes_back_whole(server):
    client = alice(server, "/plain/")
    values = client.fields("GET", "/plain/", cnonce='a"b\\c, nc=00000002')
    answer = send(server, values, "/plain/")
    assert answer.status == 200
    assert info(answer)["cnonce"] == 'a"b\\c, nc=00000002'
    assert info(answer)["nc"] == "00000001"
    assert info(answer)["rspauth"] == client.rspauth(values)


def test_an_error_from_behind_the_door_still_carries_authentication_info(server):
    client = alice(server, "/plain/")
    values = client.fields("GET", "/plain/missing")
    answer = send(server, values, "/plain/missing")
    assert answer.status == 404 and info(answer)["rspauth"] == client.rspauth(values)


def test_the_method_is_part_of_the_answer(server):
    client = alice(server, "/plain/")
    values = client.fields("GET", "/plain/")
    with server.connect() as connection:
        assert connection.request("HEAD", "/plain/", [
            ("Authorization", client.field(values))]).status == 401
        assert connection.request("HEAD", "/plain/", [
            ("Authorization", client.authorization("HEAD", "/plain/"))]).status == 200


@pytest.mark.parametrize("form", ["query", "absolute", "absolute with a port"])
def test_the_uri_may_come_in_every_form_that_names_the_target(server, form):
    client = alice(server, "/plain/")
    target = "/plain/index.html?a=1&b=%2f"
    uri = {"query": target, "absolute": f"http://127.0.0.1:{server.port}{target}",
           "absolute with a port": f"HTTP://127.0.0.1:{server.port}{target}"}[form]
    assert server.get(target, [("Authorization", client.authorization("GET", uri))]).status == 200


def test_unknown_parameters_order_case_and_spaces_do_not_matter(server):
    client = alice(server, "/plain/")
    v = client.fields("GET", "/plain/")
    field = ("dIGEST  , NC = {nc} ,,qop=\"auth\",Response=\"{response}\" , new-thing=\"1\", "
             "URI=\"{uri}\",nonce=\"{nonce}\",realm=\"{realm}\",algorithm=\"sha-256\" ,"
             "\tusername=\"{username}\",cnonce=\"{cnonce}\"").format(**v)
    assert server.get("/plain/", [("Authorization", field)]).status == 200


# --- nonces ---

def test_past_half_its_life_a_nonce_names_the_next_one(server):
    client = alice(server, "/half/")
    assert "nextnonce" not in info(send(server, client.fields("GET", "/half/"), "/half/"))
    time.sleep(1.6)
    answer = send(server, client.fields("GET", "/half/"), "/half/")
    following = info(answer)["nextnonce"]
    assert following != client.challenge["nonce"]
    again = {**client.challenge, "nonce": following}
    assert send(server, client.fields("GET", "/half/", challenge=again, nc=1), "/half/"
                ).status == 200
    assert send(server, client.fields("GET", "/half/"), "/half/").status == 200, \
        "the old one is good for what is on its way"


def test_with_always_every_answer_names_the_next_nonce(server):
    client = alice(server, "/always/")
    seen = set()
    for _ in range(5):
        following = info(send(server, client.fields("GET", "/always/", nc=1), "/always/")
                         )["nextnonce"]
        client.challenge["nonce"] = following
        seen.add(following)
    assert len(seen) == 5


def test_with_off_no_answer_names_the_next_nonce(server):
    client = alice(server, "/off/")
    time.sleep(1.2)
    assert "nextnonce" not in info(send(server, client.fields("GET", "/off/"), "/off/"))


def test_an_expired_nonce_is_stale_and_the_fresh_one_is_good(server):
    client = alice(server, "/short/")
    time.sleep(1.1)
    answer = send(server, client.fields("GET", "/short/"), "/short/")
    assert answer.status == 401 and answer.get("Authentication-Info") is None
    assert [c["stale"] for c in digest.challenges(answer)] == ["true", "true"]
    assert "stale=true" in answer.get("WWW-Authenticate"), "a token, not a quoted string"
    client.challenge = digest.pick(answer)
    assert send(server, client.fields("GET", "/short/"), "/short/").status == 200


def test_an_expired_nonce_and_a_wrong_password_tell_no_more(server):
    asked = challenge(server, "/short/")
    time.sleep(1.1)
    values = digest.Client("alice", "wrong").fields("GET", "/short/", challenge=asked)
    answer = send(server, values, "/short/")
    assert answer.status == 401 and digest.pick(answer)["stale"] == "true"


def test_who_calls_once_a_lifetime_is_never_challenged_again(server):
    client = alice(server, "/short/")
    with server.connect() as connection:
        for _ in range(7):
            answer = connection.request("GET", "/short/", [
                ("Authorization", client.authorization("GET", "/short/"))])
            assert answer.status == 200
            if "nextnonce" in info(answer):
                client.challenge["nonce"], client.nc = info(answer)["nextnonce"], 0
            time.sleep(0.35)


def test_a_replay_is_stale(server):
    client = alice(server, "/plain/")
    values = client.fields("GET", "/plain/")
    with server.connect() as connection:
        field = [("Authorization", client.field(values))]
        assert connection.request("GET", "/plain/", field).status == 200
        answer = connection.request("GET", "/plain/", field)
    assert answer.status == 401 and digest.pick(answer)["stale"] == "true"


def test_a_used_count_with_another_cnonce_is_a_replay_too(server):
    client = alice(server, "/plain/")
    assert send(server, client.fields("GET", "/plain/", nc=7), "/plain/").status == 200
    answer = send(server, client.fields("GET", "/plain/", nc=7), "/plain/")
    assert answer.status == 401 and digest.pick(answer)["stale"] == "true"
    assert send(server, client.fields("GET", "/plain/", nc=6), "/plain/").status == 200


def test_one_nonce_of_two_challenges_has_one_count(server):
    client = alice(server, "/plain/", "SHA-256")
    assert send(server, client.fields("GET", "/plain/", nc=1), "/plain/").status == 200
    other = {**client.challenge, "algorithm": "MD5"}
    answer = send(server, client.fields("GET", "/plain/", challenge=other, nc=1), "/plain/")
    assert answer.status == 401 and digest.pick(answer)["stale"] == "true"


@pytest.mark.parametrize("mpm", ["prefork", "worker"])
def test_a_replay_is_refused_by_every_child_process(start_server, mpm):
    other = start_server(CONFIG, prepare=prepare, mpm=mpm)
    client = alice(other, "/plain/")
    field = [("Authorization", client.authorization("GET", "/plain/"))]
    wanted = 4 if mpm == "prefork" else 2
    open_connections = []
    statuses = []
    served = set()
    try:
        for _ in range(60):
            # A prefork child serves one connection, so those that stay open need children each.
            connection = other.connect()
            open_connections.append(connection)
            statuses.append(connection.request("GET", "/plain/", field).status)
            served = {line.split()[-1] for line in other.access().splitlines()[1:]}
            if len(served) >= wanted and len(statuses) >= 8:
                break
    finally:
        for connection in open_connections:
            connection.close()
    assert len(served) >= wanted
    assert statuses[0] == 200 and set(statuses[1:]) == {401}


def test_a_nonce_from_elsewhere_is_stale_not_wrong(server):
    asked = challenge(server, "/plain/")
    made_up = asked["nonce"][:-1] + ("A" if asked["nonce"][-1] != "A" else "B")
    for nonce in (made_up, "A" * 40, "x", "", "dcd98b7102dd2f0e8b11d0f600bfb0c093"):
        values = digest.Client("alice", "sesame").fields("GET", "/plain/", challenge=asked,
                                                         nonce=nonce)
        answer = send(server, values, "/plain/")
        assert answer.status == 401 and digest.pick(answer)["stale"] == "true"


def test_a_burst_of_128_in_any_order_over_16_connections_sees_no_401(server):
    client = alice(server, "/plain/")
    counts = list(range(1, 129))
    random.Random(7616).shuffle(counts)
    statuses = []

    def run(mine):
        with server.connect() as connection:
            for nc in mine:
                field = client.authorization("GET", "/plain/", nc=nc)
                statuses.append(connection.request("GET", "/plain/", [("Authorization", field)]
                                                   ).status)

    threads = [threading.Thread(target=run, args=(counts[i::16],)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 128
    assert send(server, client.fields("GET", "/plain/", nc=64), "/plain/").status == 401


# --- names ---

@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:20])
def test_a_name_with_odd_characters_gets_in_under_its_own_name(server, name):
    client = digest.Client(name, "pass of " + name)
    with server.connect() as connection:
        answer = client.get(connection, "/plain/")
    assert answer.status == 200
    assert answer.get("X-User").encode("latin-1").decode() == name.strip()


@pytest.mark.parametrize("name", ["Jürgen", "日本 語", 'qu"ote'])
def test_username_in_extended_notation(server, name):
    client = digest.Client(name, "pass of " + name)
    client.challenge = challenge(server, "/plain/")
    values = client.fields("GET", "/plain/")
    coded = "UTF-8'de'" + "".join(f"%{byte:02X}" for byte in name.encode())
    answer = send(server, values, "/plain/", username=None, **{"username*": coded})
    assert answer.status == 200
    assert answer.get("X-User").encode("latin-1").decode() == name


@pytest.mark.parametrize("algorithm", ["SHA-512-256", "SHA-256-sess", "MD5"])
@pytest.mark.parametrize("name", ["alice", "Jürgen"])
def test_a_hashed_user_name_is_found_and_remote_user_is_the_name(server, algorithm, name):
    asked = challenge(server, "/userhash/", algorithm=algorithm)
    assert asked["userhash"] == "true"
    client = digest.Client(name, "sesame" if name == "alice" else "pass of " + name)
    values = client.fields("GET", "/userhash/", challenge=asked)
    assert values["username"] == digest.h(algorithm, name, "Intranet")
    answer = send(server, values, "/userhash/")
    assert answer.status == 200
    assert answer.get("X-User").encode("latin-1").decode() == name
    assert info(answer)["rspauth"] == client.rspauth(values)


def test_where_hashed_names_are_offered_plain_ones_are_good_too(server):
    client = alice(server, "/userhash/", "MD5")
    del client.challenge["userhash"]
    assert send(server, client.fields("GET", "/userhash/"), "/userhash/").status == 200


def test_an_unknown_hashed_name_is_asked_again(server):
    client = digest.Client("nobody", "sesame")
    for name in ("nobody", "alice"):
        client.user = name
        values = client.fields("GET", "/userhash/", challenge=challenge(server, "/userhash/"))
        for hashed in (values["username"].replace(values["username"][0], "g"),
                       values["username"][:-1], "0" * len(values["username"]), ""):
            assert send(server, values, "/userhash/", username=hashed).status == 401


def test_a_hashed_name_is_refused_where_it_is_not_offered(server):
    client = digest.Client("alice", "sesame")
    asked = challenge(server, "/plain/")
    assert "userhash" not in asked
    values = client.fields("GET", "/plain/", challenge={**asked, "userhash": "true"})
    answer = send(server, values, "/plain/")
    assert answer.status == 401 and "stale" not in digest.pick(answer)


def test_after_an_edit_hashed_names_are_those_of_the_new_file(start_server):
    other = start_server(CONFIG, prepare=prepare)
    assert digest.Client("alice", "sesame").get(other.connect(), "/userhash/").status == 200
    other.secret("all.a1", digest.a1_line("bob", "Intranet", "new", EVERY))
    time.sleep(0.2)
    assert digest.Client("bob", "new").get(other.connect(), "/userhash/").status == 200
    assert digest.Client("alice", "sesame").get(other.connect(), "/userhash/").status == 401


def test_a_realm_with_quotes_backslashes_and_umlauts(server):
    answer = server.get("/quoted/")
    line = answer.get("WWW-Authenticate").encode("latin-1").decode()
    assert line.startswith(r'Digest realm="the \"in\\side\" of Jürgen", ')
    client = digest.Client("alice", "sesame")
    client.challenge = {**digest.params(line[7:]), "realm": ODD_REALM}
    assert send(server, client.fields("GET", "/quoted/"), "/quoted/").status == 200


# --- the protection space ---

def test_the_protection_space_combines_authorities_and_paths(server):
    assert challenge(server, "/domain/")["domain"].split() == [
        "/domain", "/other", "http://a.example/x",
        "http://b.example/domain", "http://b.example/other",
        "http://b.example:8443/domain", "http://b.example:8443/other"]
    assert challenge(server, "/hosts/")["domain"] == "http://b.example/"
    assert "domain" not in challenge(server, "/plain/")
