"""A web service for Wallet passes as PassKit's devices use it: each with its pass's own token.

The service itself is a CGI of the test; who may do what is the module's doing.
SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import json
import shutil
import sys
import time

PASS_TYPE = "pass.com.example.ticket"
LOGIN = """
    AuthType AuthWS
    AuthName "Passes"
    AuthWSScheme Token
    AuthWSTokenScheme ApplePass
    AuthWSTokenFile state/tokens
    AuthWSUplift On
    AuthWSTokenSubject "%{env:MATCH_SERIAL}"
    Require valid-user
"""
CONFIG = f"""
ScriptSock @ROOT@/run/cgisock
ScriptAlias /v1 @CONF@/passkit
<Directory "@CONF@">
    Require all granted
</Directory>
<LocationMatch "^/v1/passes/[^/]+/(?<serial>[^/]+)$">
    {LOGIN}
</LocationMatch>
<LocationMatch "^/v1/devices/[^/]+/registrations/[^/]+/(?<serial>[^/]+)$">
    {LOGIN}
</LocationMatch>
"""
MODULES = ["cgid"]
ALLOW = ["passkit: no such pass type"]
SERVICE = '''#!{python}
import fcntl, json, os, sys
from email.utils import formatdate, parsedate_to_datetime
TYPE = "{type}"
parts = os.environ["PATH_INFO"].strip("/").split("/")
method = os.environ["REQUEST_METHOD"]
body = sys.stdin.read()  # all of it: mod_cgid's socket is reset by what is left
state = open("{state}", "r+")
fcntl.flock(state, fcntl.LOCK_EX)
data = json.load(state)

def answer(status, body="", *fields):
    state.seek(0); state.truncate(); json.dump(data, state); state.flush()
    print(f"Status: {{status}}", "Content-Type: application/json", *fields, "", sep="\\n")
    print(body, end="")
    sys.exit()

if parts[0] == "log":
    data["log"] += json.loads(body)["logs"]
    answer(200)
kind = parts[1] if parts[0] == "passes" else parts[3]
if kind != TYPE:
    print(f"passkit: no such pass type {{kind}}", file=sys.stderr)
    answer(404)
if parts[0] == "passes":
    assert os.environ["REMOTE_USER"] == parts[2]
    changed = data["passes"][parts[2]]
    since = os.environ.get("HTTP_IF_MODIFIED_SINCE")
    if since and parsedate_to_datetime(since).timestamp() >= changed:
        answer(304)
    answer(200, f"pass {{parts[2]}}", "Last-Modified: " + formatdate(changed, usegmt=True))
mine = data["devices"].setdefault(parts[1], [])
if len(parts) == 4:
    query = os.environ["QUERY_STRING"]
    since = int(query.split("=")[1]) if query else 0
    found = [s for s in mine if data["passes"][s] > since]
    if not found:
        answer(204)
    answer(200, json.dumps({{"serialNumbers": found,
                            "lastUpdated": str(max(data["passes"][s] for s in found))}}))
assert os.environ["REMOTE_USER"] == parts[4]
new = parts[4] not in mine
if method == "POST":
    if new:
        mine.append(parts[4])
    answer(201 if new else 200)
if not new:
    mine.remove(parts[4])
answer(200)
'''
TOKENS = {"s-1": ("SHA", "token-of-one"), "s-2": ("SHA-256", "token-of-two"),
          "s-3": ("SHA-384", "token-of-three")}


def hashed(algorithm, token):
    return hashlib.new("sha1" if algorithm == "SHA" else algorithm.replace("-", ""), token.encode()).hexdigest()


def prepare(server):
    folder = server.root / "state"
    folder.mkdir()
    (folder / "tokens").write_text("".join(
        f"{serial}:{{{algorithm}}}{hashed(algorithm, token)}\n"
        for serial, (algorithm, token) in TOKENS.items()))
    (folder / "service").write_text(json.dumps(
        {"passes": {"s-1": 1000, "s-2": 2000, "s-3": 3000}, "devices": {}, "log": []}))
    for path in (folder, folder / "tokens", folder / "service"):
        path.chmod(0o750 if path == folder else 0o640)
        if server.user:
            shutil.chown(path, server.user, server.group)
    script = server.conf / "passkit"
    script.write_text(SERVICE.format(python=sys.executable, type=PASS_TYPE,
                                     state=folder / "service"))
    script.chmod(0o755)


def ask(server, method, path, token=None, body=None, more=()):
    field = [("Authorization", f"ApplePass {token}")] if token else []
    return server.get("/v1/" + path, [*field, *more], method=method, body=body)


def registration(device, serial):
    return f"devices/{device}/registrations/{PASS_TYPE}/{serial}"


def test_a_device_registers_asks_what_is_new_fetches_and_leaves(server):
    one, two = TOKENS["s-1"][1], TOKENS["s-2"][1]
    push = b'{"pushToken": "x"}'
    assert ask(server, "POST", registration("phone", "s-1"), one, push).status == 201
    assert ask(server, "POST", registration("phone", "s-1"), one, push).status == 200
    assert ask(server, "POST", registration("phone", "s-2"), two, push).status == 201
    listing = f"devices/phone/registrations/{PASS_TYPE}"
    new = json.loads(ask(server, "GET", listing).body)
    assert new == {"serialNumbers": ["s-1", "s-2"], "lastUpdated": "2000"}
    tag = new["lastUpdated"]
    assert ask(server, "GET", f"{listing}?passesUpdatedSince={tag}").status == 204
    assert json.loads(ask(server, "GET", f"{listing}?passesUpdatedSince=1000").body) == \
        {"serialNumbers": ["s-2"], "lastUpdated": "2000"}
    answer = ask(server, "GET", f"passes/{PASS_TYPE}/s-1", one)
    assert (answer.status, answer.body) == (200, b"pass s-1")
    since = [("If-Modified-Since", answer.get("Last-Modified"))]
    assert ask(server, "GET", f"passes/{PASS_TYPE}/s-1", one, more=since).status == 304
    assert ask(server, "DELETE", registration("phone", "s-1"), one).status == 200
    assert json.loads(ask(server, "GET", listing).body)["serialNumbers"] == ["s-2"]
    assert ask(server, "POST", "log", body=b'{"logs": ["a", "b"]}').status == 200


def test_another_passs_token_and_none_are_refused(server):
    for serial, (_, token) in TOKENS.items():
        for other in TOKENS:
            expected = 200 if other == serial else 401
            assert ask(server, "GET", f"passes/{PASS_TYPE}/{other}", token).status == expected
        answer = ask(server, "POST", registration("thief", serial))
        assert answer.status == 401
        assert answer.get("WWW-Authenticate") == 'ApplePass realm="Passes"'


def test_another_pass_type_is_404_and_logged(server):
    mark = len(server.log())
    assert ask(server, "GET", "passes/pass.com.other/s-1", TOKENS["s-1"][1]).status == 404
    server.wait_log("passkit: no such pass type pass.com.other", mark)


def test_three_generations_of_hashes_become_one(server):
    path = server.root / "state" / "tokens"
    for serial, (_, token) in TOKENS.items():
        assert ask(server, "GET", f"passes/{PASS_TYPE}/{serial}", token).status == 200
    wanted = "".join(f"{serial}:{{SHA-384}}{hashed('SHA-384', token)}\n"
                     for serial, (_, token) in TOKENS.items())
    end = time.monotonic() + 20
    while path.read_text() != wanted and time.monotonic() < end:
        time.sleep(0.05)
    assert path.read_text() == wanted
    for serial, (_, token) in TOKENS.items():
        assert ask(server, "GET", f"passes/{PASS_TYPE}/{serial}", token).status == 200
