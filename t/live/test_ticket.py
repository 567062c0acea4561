"""One-time tickets: got by an authenticated client, good once, and in no log.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import json
import re
import threading
import time

import pytest

import digest
import ws

LOGIN = """
    AuthType AuthWS
    AuthName "{realm}"
    AuthWSUserFile conf/a1
    AuthWSThrottle Off
    Require valid-user
"""
R, OTHER = LOGIN.format(realm="R"), LOGIN.format(realm="other")
CONFIG = f"""
<Location "/ticket">
    {R}
    AuthWSService ticket
</Location>
<Location "/brief">
    {R}
    AuthWSService ticket
    AuthWSTicketLifetime 1s
</Location>
<Location "/again">
    {R}
    AuthWSScheme Ticket Digest
    AuthWSService ticket
</Location>
<Location "/nobody">
    AuthWSService ticket
</Location>
<Location "/live">
    {R}
    AuthWSScheme Ticket Digest
    AuthWSService echo
    AuthWSProtocol chat
</Location>
<Location "/page">
    {R}
    AuthWSScheme Ticket
</Location>
<Location "/first">
    {R}
    AuthWSScheme Digest Ticket
</Location>
<Location "/other">
    {OTHER}
    AuthWSScheme Ticket Digest
</Location>
<Location "/throttle">
    {R}
    AuthWSScheme Ticket Digest
    AuthWSThrottle 5 60s 300s
</Location>
<VirtualHost 127.0.0.1:@PORT@>
    ServerName first.test
</VirtualHost>
<VirtualHost 127.0.0.1:@PORT@>
    ServerName second.test
</VirtualHost>
ScriptSock @ROOT@/run/cgisock
ScriptAlias /page/cgi @CONF@/show
<Directory "@CONF@">
    Require all granted
</Directory>
Header always set X-User "expr=%{{REMOTE_USER}}"
Header always set X-Type "expr=%{{AUTH_TYPE}}"
LogFormat "%r %U %q %{{Sec-WebSocket-Protocol}}i %u %>s %{{authws-scheme}}n %{{authws-result}}n" all
CustomLog logs/all.log all
"""
MODULES = ["cgid"]
TICKETS = []


def prepare(server):
    server.secret("a1", digest.a1_line("alice", "R", "sesame") +
                  digest.a1_line("alice", "other", "sesame"))
    for place in ("page", "page/sub", "first", "live", "other", "throttle"):
        server.page(f"{place}/index.html", "in\n")
    script = server.conf / "show"
    script.write_text("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\n"
                      "echo \"$REMOTE_USER $AUTH_TYPE $QUERY_STRING $REQUEST_URI\"\nenv\n")
    script.chmod(0o755)


def ticket(server, path="/ticket", host="first.test"):
    """Gets one by Digest."""
    with server.connect() as connection:
        field = [("Host", host)]
        client = digest.Client("alice", "sesame")
        client.challenge = digest.pick(connection.request("GET", path, host=host))
        answer = connection.request(
            "GET", path, [("Authorization", client.authorization("GET", path))], host=host)
    assert answer.status == 200, (answer, field)
    assert answer.get("Content-Type") == "application/json"
    assert answer.get("Cache-Control") == "no-store"
    made = json.loads(answer.body)
    assert set(made) == {"ticket", "expires"}
    TICKETS.append(made["ticket"])
    return made["ticket"]


def get(server, target, headers=(), host="first.test"):
    with server.connect() as connection:
        return connection.request("GET", target, headers, host=host)


def who(answer):
    return answer.status, answer.get("X-User"), answer.get("X-Type")


def test_a_ticket_is_good_once(server):
    made = ticket(server)
    answer = get(server, f"/page/?ticket={made}")
    assert who(answer) == (200, "alice", "Ticket")
    assert answer.get("Referrer-Policy") == "no-referrer"
    mark = len(server.log())
    answer = get(server, f"/page/?ticket={made}")
    assert answer.status == 403 and answer.get("WWW-Authenticate") is None
    assert b"The ticket is not good here" in answer.body
    server.wait_log('AW2180: Ticket: user "alice", realm "R": ticket used before', mark)


def test_of_many_at_once_one_gets_in(server):
    made, statuses = ticket(server), []

    def use():
        statuses.append(get(server, f"/page/?ticket={made}").status)
    threads = [threading.Thread(target=use) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [403] * 19


def test_it_says_when_it_expires_and_does(server):
    with server.connect() as connection:
        answer = digest.Client("alice", "sesame").get(connection, "/ticket")
    left = json.loads(answer.body)["expires"] - time.time()
    assert 27 < left <= 31
    made = ticket(server, "/brief")
    time.sleep(1.1)
    mark = len(server.log())
    assert get(server, f"/page/?ticket={made}").status == 403
    server.wait_log("AW2180.*ticket expired", mark)


def test_it_is_bound_to_realm_and_server(server):
    made = ticket(server)
    assert get(server, f"/other/?ticket={made}").status == 401
    assert get(server, f"/page/?ticket={made}", host="second.test").status == 403
    assert get(server, f"/page/?ticket={made}").status == 200


def test_it_is_bound_to_a_path_when_asked_for_one(server):
    made = ticket(server, "/ticket?path=/page/sub/")
    assert get(server, f"/page/?ticket={made}").status == 403
    assert get(server, f"/page/sub/?ticket={made}").status == 200
    made = ticket(server, "/ticket?x=1&path=%2Fpage%2F")
    assert get(server, f"/page/sub/?ticket={made}").status == 403
    assert get(server, f"/page/?ticket={made}").status == 200
    with server.connect() as connection:
        client = digest.Client("alice", "sesame")
        assert client.get(connection, "/ticket?path=page").status == 400


def test_every_change_to_it_makes_it_worthless(server):
    made = ticket(server)
    for i in range(4, len(made)):
        other = "A" if made[i] != "A" else "B"
        assert get(server, f"/page/?ticket={made[:i]}{other}{made[i + 1:]}").status == 403
        assert get(server, f"/page/?ticket={made[:i]}").status == 403
    forged = base64.urlsafe_b64encode(b"\x7f" * 8 + b"root\0").decode().rstrip("=")
    nonce = digest.pick(server.get("/live/")).get("nonce")
    assert get(server, f"/page/?ticket=aw1.{nonce}{forged}").status == 403
    assert get(server, f"/page/?ticket={made}").status == 200


def test_no_ticket_is_a_nonce(server):
    made = ticket(server)
    challenge = digest.challenges(server.get("/live/"))[0]
    challenge["nonce"] = made[4:48]
    field = digest.Client("alice", "sesame").fields("GET", "/live/", challenge)
    answer = server.get("/live/", [("Authorization", digest.Client.field(field))])
    assert answer.status == 401
    assert all(c["stale"] == "true" for c in digest.challenges(answer))


def test_a_websocket_opens_with_it_in_the_query(server):
    made = ticket(server)
    with server.connect() as connection:
        answer = connection.request("GET", f"/live/?ticket={made}", ws.headers(),
                                    host="first.test")
        assert answer.status == 101
        with ws.Socket(connection, answer) as socket:
            socket.send("hello")
            assert socket.read_frame()[3] == b"hello"


@pytest.mark.parametrize("offers,chosen", [("authws.ticket.{}, chat", "chat"),
                                           ("chat, authws.ticket.{}", "chat"),
                                           ("authws.ticket.{}", None)])
def test_a_websocket_opens_with_it_as_a_subprotocol_that_is_not_chosen(server, offers, chosen):
    made = ticket(server)
    headers = ws.headers(more=[("Sec-WebSocket-Protocol", offers.format(made))])
    with server.connect() as connection:
        answer = connection.request("GET", "/live/", headers, host="first.test")
    assert answer.status == 101 and answer.get("Sec-WebSocket-Protocol") == chosen
    with server.connect() as connection:
        assert connection.request("GET", "/live/", headers, host="first.test").status == 401


def test_scripts_see_the_rest_of_the_query_and_no_ticket(server):
    for query, left in (("{}", ""), ("a=1&{}", "a=1"), ("{}&b=2", "b=2"), ("a=1&{}&b=2", "a=1&b=2"),
                        ("{}&ticket=aw1.second", "")):
        made = ticket(server)
        body = get(server, "/page/cgi?" + query.format("ticket=" + made)).body.decode()
        mark = "?" if left else ""
        assert body.splitlines()[0] == f"alice Ticket {left} /page/cgi{mark}{left}"
        assert "aw1." not in body


def test_digest_goes_on_where_a_ticket_was_beside_it(server):
    """A browser sends what it has: the digest is over the address as the page wrote it."""
    made = ticket(server)
    for place, first, then in (("/first/", (200, "alice", "Digest"), (200, "alice", "Digest")),
                               ("/live/", (200, "alice", "Ticket"), (401, "", ""))):
        target = f"{place}?ticket={made}"
        for expected in (first, then):
            with server.connect() as connection:
                challenge = digest.challenges(connection.request("GET", place, host="first.test"))
                field = digest.Client("alice", "sesame").fields("GET", target, challenge[0])
                answer = connection.request("GET", target,
                                            [("Authorization", digest.Client.field(field))],
                                            host="first.test")
            assert who(answer) == expected


def test_who_came_with_a_ticket_gets_none(server):
    made = ticket(server)
    assert get(server, f"/again?ticket={made}").status == 403
    assert get(server, "/nobody").status == 403
    server.wait_log("AW2181: no ticket is given: the client came with a ticket itself")
    server.wait_log("AW2181: no ticket is given: nobody was asked who he is")
    with server.connect() as connection:
        client = digest.Client("alice", "sesame")
        assert client.get(connection, "/ticket", method="POST", body=b"x").status == 405


def test_the_service_takes_no_websockets(server):
    with server.connect() as connection:
        answer = connection.request("GET", "/nobody", ws.headers(), host="first.test")
        assert answer.status == 403


def test_guessing_tickets_is_throttled(server):
    made = ticket(server)
    for _ in range(5):
        assert get(server, "/throttle/?ticket=aw1.guess").status == 401
    assert get(server, f"/throttle/?ticket={made}").status == 429
    assert get(server, f"/page/?ticket={made}").status == 200


def test_tickets_outlive_a_graceful_restart_and_are_still_good_once(server):
    used, made = ticket(server), ticket(server)
    assert get(server, f"/page/?ticket={used}").status == 200
    server.graceful()
    assert get(server, f"/page/?ticket={used}").status == 403
    assert get(server, f"/page/?ticket={made}").status == 200


@pytest.mark.parametrize("word", ["0", "2h", "x", ""])
def test_a_wrong_lifetime_is_found_before_the_start(start_server, word):
    server = start_server(f'<Location "/">\nAuthWSTicketLifetime {word}\n</Location>\n',
                          start=False)
    status, text = server.configtest()
    assert status != 0 and "AuthWSTicketLifetime" in text


def test_no_ticket_is_ever_logged(server):
    end = time.monotonic() + 10
    while not re.search("/page/.* alice 200 Ticket ok", (server.logs / "all.log").read_text()):
        assert time.monotonic() < end
        time.sleep(0.02)
    for name in ("all.log", "access.log", "error.log"):
        text = (server.logs / name).read_text()
        assert "aw1." not in text
        for made in TICKETS:
            assert made not in text
