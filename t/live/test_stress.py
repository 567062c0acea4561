"""Many users at once over shared connections: nobody is ever taken for somebody else.

SPDX-License-Identifier: Apache-2.0
"""
import random
import threading

import pytest

import digest

REALMS = ["One", "Two"]
ALGORITHMS = ["SHA-512-256", "SHA-256-sess", "SHA-256", "MD5-sess", "MD5"]
USERS = {f"user{i}": f"password of {i}" for i in range(60)}

CONFIG = """
Header always set X-User "expr=%{REMOTE_USER}"
Header always set X-How "expr=%{reqenv:AUTHWS_REALM} %{reqenv:AUTHWS_ALGORITHM}"
""" + "".join(f"""
<Location "/{realm}">
    AuthType AuthWS
    AuthName "{realm}"
    AuthWSAlgorithm {" ".join(ALGORITHMS)}
    AuthWSQop auth auth-int
    AuthWSUserhash On
    AuthWSUserFile conf/a1
    AuthWSThrottle Off
    Require valid-user
</Location>
""" for realm in REALMS)


def prepare(server):
    server.secret("a1", "".join(
        digest.a1_line(user, realm, realm + password, ["MD5", "SHA-256", "SHA-512-256"])
        for realm in REALMS for user, password in USERS.items()))
    for realm in REALMS:
        server.page(f"{realm}/index.html", f"{realm}\n")


class Crowd:
    """Users who share connections, each with nonces of its own."""

    def __init__(self, server):
        self.server = server
        self.lock = threading.Lock()
        self.clients = {}
        self.answers = 0
        self.errors = []

    def client(self, connection, user, realm, algorithm):
        with self.lock:
            found = self.clients.get((user, realm, algorithm))
            if found:
                return found
        made = digest.Client(user, realm + USERS[user], algorithm)
        made.challenge = digest.pick(connection.request("GET", f"/{realm}/"), algorithm)
        with self.lock:
            return self.clients.setdefault((user, realm, algorithm), made)

    def batch(self, connection, rng):
        """Sends a dozen requests of several users before it reads the first answer."""
        sent = []
        for _ in range(12):
            user, realm = rng.choice(list(USERS)), rng.choice(REALMS)
            client = self.client(connection, user, realm, rng.choice(ALGORITHMS))
            with self.lock:
                client.nc += 1
                nc = client.nc
            uri = f"/{realm}/?{rng.random()}"
            values = client.fields("GET", uri, nc=nc, qop=rng.choice(["auth", "auth-int"]))
            right = rng.random() < 0.8
            sent.append((client, values, right))
        for client, values, right in sent:
            change = {} if right else {"response": client.response(
                {**values, "cnonce": "other"}, "GET", b"")}
            connection.send_request("GET", values["uri"], [
                ("Authorization", client.field(values, **change))])
        for client, values, right in sent:
            answer = connection.response()
            self.answers += 1
            if not right:
                assert answer.status == 401 and answer.get("Authentication-Info") is None
                continue
            assert (answer.status, answer.get("X-User"), answer.get("X-How")) == \
                (200, client.user, f"{values['realm']} {values['algorithm']}")
            proof = digest.params(answer.get("Authentication-Info"))["rspauth"]
            assert proof == client.rspauth(
                values, answer.body if values["qop"] == "auth-int" else b"")

    def run(self, seed):
        rng = random.Random(seed)
        try:
            for _ in range(3):
                with self.server.connect() as connection:
                    for _ in range(4):
                        self.batch(connection, rng)
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(error)


@pytest.mark.parametrize("mpm", ["event", "worker", "prefork"])
def test_every_answer_names_the_user_who_asked(start_server, mpm):
    crowd = Crowd(start_server(CONFIG, prepare=prepare, mpm=mpm))
    threads = [threading.Thread(target=crowd.run, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if crowd.errors:
        raise crowd.errors[0]
    assert crowd.answers == 12 * 3 * 4 * 12
