"""AuthWSProvider over databases: mod_authn_dbd on SQLite and PostgreSQL, mod_authn_socache in front.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import signal
import sqlite3
import threading
import time

import pytest

import databases
import digest

QUERY = "SELECT a1 FROM users WHERE name = %s AND realm = %s"
CONFIG = f"""
AuthnCacheSOCache shmcb
DBDriver @DRIVER@
DBDParams "@PARAMS@"
DBDPersist @PERSIST@
Header always set X-User "expr=%{{REMOTE_USER}}"
<Location "/">
    AuthType AuthWS
    AuthName "R"
    AuthWSProvider dbd
    AuthWSScheme Digest Basic
    AuthWSAlgorithm SHA-512-256 SHA-256 MD5
    AuthDBDUserRealmQuery "{QUERY}"
    Require valid-user
</Location>
<Location "/cached">
    AuthWSProvider socache dbd
    AuthnCacheProvideFor dbd
    AuthnCacheContext test
</Location>
<Location "/both">
    AuthWSUserFile conf/a1
</Location>
<Location "/other">
    AuthType Basic
    AuthBasicProvider authws
</Location>
"""
SLOW = f"""
<Location "/slow">
    AuthDBDUserRealmQuery "SELECT a1 FROM users, pg_sleep(20) WHERE name = %s AND realm = %s"
</Location>
"""
MODULES = ["dbd", "authn_dbd", "authn_socache", "socache_shmcb"]
ALLOW = ["AW2087", "AW2088", "AW2022.*internal error", "AW2031.*: error:", "AH00629", "AH01658",
         "AH01661", "AH00639", "AH00632", "AH02655", "AH01617", "AH01618", "AH00633", "AH00635",
         "AH00636"]
ALL = ["MD5", "SHA-256", "SHA-512-256"]


def value(user, password, algorithms=ALL, realm="R"):
    return "".join(f"{{{a}}}{digest.h(a, user, realm, password)}" for a in algorithms)


ROWS = [
    ("alice", "R", value("alice", "sesame")),
    ("old", "R", digest.h("MD5", "old", "R", "older")),
    ("o'neill", "R", value("o'neill", "ex'; DROP TABLE users; --")),
    ("Jürgen", "R", value("Jürgen", "pä55")),
    ("alice", "other", value("alice", "other", realm="other")),
    ("broken", "R", "{SHA-256}123"),
    ("empty", "R", ""),
    ("null:x", "R", value("null:x", "sesame")),
]


class Database:
    """What the tests ask of both kinds."""

    def __init__(self, kind):
        self.kind = kind
        self.postgres = None

    def prepare(self, server):
        server.secret("a1", digest.a1_line("admin", "R", "rescue") +
                      digest.a1_line("alice", "S", "x"))
        if self.kind == "sqlite3":
            path = server.conf / "users.db"
            databases.sqlite(path, ROWS)
            server.protect(path)
            params = str(path)
        else:
            if databases.postgres_programs() is None:
                pytest.skip("no PostgreSQL server is installed")
            self.postgres = databases.Postgres().start()
            self.postgres.fill(ROWS)
            params = f"host=127.0.0.1 port={self.postgres.port} user=owner dbname=postgres " \
                     "connect_timeout=2 options='-c statement_timeout=700'"
            server.template += SLOW
        server.template = server.template.replace("@DRIVER@", self.kind).replace(
            "@PARAMS@", params).replace("@PERSIST@", self.persist)

    persist = "Off"

    def execute(self, server, text):
        if self.postgres:
            self.postgres.sql(text)
        else:
            database = sqlite3.connect(server.conf / "users.db")
            with database:
                database.execute(text)
            database.close()


def serve(start_server, kind, **options):
    database = Database(kind)
    database.persist = options.pop("persist", "Off")
    try:
        server = start_server(CONFIG, prepare=database.prepare, modules=MODULES, allow=ALLOW)
    except BaseException:
        if database.postgres:
            database.postgres.close()
        raise
    return server, database


@pytest.fixture(scope="module", params=["sqlite3", "pgsql"])
def both(request, start_server):
    server, database = serve(start_server, request.param)
    yield server, database
    if database.postgres:
        database.postgres.close()


@pytest.fixture
def postgres(start_server):
    started = []

    def start(persist="Off"):
        started.append(serve(start_server, "pgsql", persist=persist))
        return started[-1]
    yield start
    for _, database in started:
        database.postgres.close()


def get(server, user, password, algorithm="SHA-256", uri="/"):
    with server.connect() as connection:
        return digest.Client(user, password, algorithm).get(connection, uri)


def basic(server, user, password, uri="/"):
    pair = user.encode() + b":" + password.encode()
    return server.get(uri, [b"Authorization: Basic " + base64.b64encode(pair)])


@pytest.mark.parametrize("algorithm", ALL)
@pytest.mark.parametrize("user, password", [
    ("alice", "sesame"), ("o'neill", "ex'; DROP TABLE users; --"), ("Jürgen", "pä55")])
def test_one_row_carries_all_algorithms(both, algorithm, user, password):
    server, _ = both
    answer = get(server, user, password, algorithm)
    assert answer.status == 200
    assert answer.get("X-User").encode("latin-1").decode() == user
    assert get(server, user, password + "x", algorithm).status == 401


def test_a_row_of_32_digits_is_md5(both):
    server, _ = both
    assert get(server, "old", "older", "MD5").status == 200
    assert get(server, "old", "older", "SHA-256").status == 401


def test_basic_takes_the_strongest_value(both):
    server, _ = both
    assert basic(server, "alice", "sesame").status == 200
    assert basic(server, "old", "older").status == 200
    assert basic(server, "alice", "other").status == 401
    assert basic(server, "nobody", "sesame").status == 401


def test_the_provider_authws_asks_them_too(both):
    server, _ = both
    assert basic(server, "alice", "sesame", "/other/").status == 404
    assert basic(server, "alice", "wrong", "/other/").status == 401
    assert basic(server, "nobody", "sesame", "/other/").status == 401


def test_unknown_users_look_like_wrong_passwords(both):
    server, _ = both
    answers = [get(server, "alice", "x"), get(server, "nobody", "x"),
               get(server, "x" * 2000, "x")]
    for answer in answers:
        assert answer.status == 401 and answer.body == answers[0].body
        assert [h[0] for h in answer.headers] == [h[0] for h in answers[0].headers]


@pytest.mark.parametrize("name", ["null:x", "#x"])
def test_names_that_no_a1_file_may_hold_are_nobody_s(both, name):
    server, _ = both
    assert get(server, name, "sesame").status == 401


@pytest.mark.parametrize("user, where", [("broken", 'column 13'), ("empty", "column 1")])
def test_a_broken_value_is_500_and_the_log_says_where(both, user, where):
    server, _ = both
    mark = len(server.log())
    assert get(server, user, "x").status == 500
    assert basic(server, user, "x").status == 500
    found = server.wait_log(f'AW2088: the provider "dbd" has no A1 value for user "{user}", '
                            f'realm "R": ({where}: .*)', mark)
    assert found and "123" not in found.group(1)


def test_files_come_first_and_a_user_of_theirs_is_none_of_the_provider_s(both):
    server, _ = both
    assert get(server, "admin", "rescue", uri="/both/").status == 404
    assert get(server, "admin", "rescue").status == 401
    assert get(server, "alice", "sesame", uri="/both/").status == 404
    assert get(server, "admin", "rescue", "SHA-512-256", uri="/both/").status == 401


def test_the_cache_in_front_answers_until_its_time_is_over(both):
    server, database = both
    database.execute(server, "INSERT INTO users VALUES ('cached', 'R', '{}')".format(
        value("cached", "once")))
    for algorithm in ALL:
        assert get(server, "cached", "once", algorithm, "/cached/").status == 404
    database.execute(server, "DELETE FROM users WHERE name = 'cached'")
    for algorithm in ALL:
        assert get(server, "cached", "once", algorithm, "/cached/").status == 404
    assert basic(server, "cached", "once", "/cached/").status == 404
    assert get(server, "cached", "wrong", uri="/cached/").status == 401
    assert get(server, "cached", "once").status == 401
    assert get(server, "nobody", "x", uri="/cached/").status == 401


# --- a database that is not there ---

def dead_as_expected(server):
    """All users alike get 500, but those of the file."""
    mark = len(server.log())
    began = time.monotonic()
    for user, password in (("alice", "sesame"), ("alice", "wrong"), ("nobody", "x")):
        assert get(server, user, password).status == 500
        assert basic(server, user, password).status == 500
    assert basic(server, "alice", "sesame", "/other/").status == 500
    assert get(server, "admin", "rescue", uri="/both/").status == 404
    assert get(server, "alice", "sesame", uri="/both/").status == 500
    found = server.wait_log('AW2087: the provider "dbd" failed for user "nobody", realm "R"', mark)
    assert found and "unknown user" not in server.log(mark)
    return time.monotonic() - began


def test_a_database_that_is_stopped_is_500_until_it_is_back(postgres):
    server, database = postgres()
    assert get(server, "alice", "sesame").status == 200
    assert get(server, "alice", "sesame", uri="/cached/").status == 404
    database.postgres.stop()
    assert dead_as_expected(server) < 15
    assert get(server, "alice", "sesame", uri="/cached/").status == 404, "out of the cache"
    database.postgres.start()
    for _ in range(5):
        assert get(server, "alice", "sesame").status == 200
        assert get(server, "nobody", "x").status == 401


def test_a_database_that_hangs_is_500_after_the_driver_s_time(postgres):
    server, database = postgres()
    assert get(server, "alice", "sesame").status == 200
    database.postgres.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    assert get(server, "alice", "sesame").status == 500
    assert 1 < time.monotonic() - began < 10
    database.postgres.process.send_signal(signal.SIGCONT)
    assert get(server, "alice", "sesame").status == 200


def test_a_database_that_is_slow_is_500_after_the_statement_s_time(postgres):
    server, _ = postgres()
    mark = len(server.log())
    began = time.monotonic()
    assert get(server, "alice", "sesame", uri="/slow/").status == 500
    assert time.monotonic() - began < 10
    server.wait_log('AW2087: the provider "dbd" failed for user "alice", realm "R": .*timeout',
                    mark)
    assert get(server, "alice", "sesame").status == 200


def test_a_slow_database_holds_up_nobody_who_does_not_need_it(postgres):
    server, _ = postgres()
    slow = threading.Thread(target=get, args=(server, "alice", "sesame", "SHA-256", "/slow/"))
    slow.start()
    assert get(server, "admin", "rescue", uri="/both/").status == 404
    assert get(server, "alice", "sesame").status == 200
    slow.join()


def test_connections_that_are_kept_never_make_a_user_unknown(postgres):
    server, database = postgres(persist="On")
    assert [get(server, "alice", "sesame").status for _ in range(8)] == [200] * 8
    database.postgres.stop()
    dead_as_expected(server)
    database.postgres.start()
    # A connection that mod_dbd made good lacks its prepared statements: 500, as the manual says.
    assert {get(server, "alice", "sesame").status for _ in range(30)} <= {200, 500}
    server.graceful()
    assert [get(server, "alice", "sesame").status for _ in range(8)] == [200] * 8
