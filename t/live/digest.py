"""A Digest client whose every field the test may set, and the A1 values to go with it.

Written from RFC 7616 and independent of the library, so that it can judge it.
SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import re
import secrets

HASHES = {
    "MD5": "md5", "SHA": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512",
    "SHA-512-256": "sha512_256",
}
UNQUOTED = ("algorithm", "qop", "nc", "userhash", "stale", "username*")


def h(algorithm, *parts):
    """Hexadecimal hash of the parts joined by colons; the -sess suffix does not matter."""
    name = re.sub("-sess$", "", algorithm, flags=re.I).upper()
    data = b":".join(p if isinstance(p, bytes) else p.encode() for p in parts)
    return hashlib.new(HASHES[name], data).hexdigest()


def a1_line(user, realm, password, algorithms=("MD5", "SHA-256")):
    """The lines of an A1 file for one user."""
    lines = []
    if "MD5" in algorithms:
        lines.append(f"{user}:{realm}:{h('MD5', user, realm, password)}\n")
    tagged = "".join(f"{{{a}}}{h(a, user, realm, password)}" for a in algorithms if a != "MD5")
    if tagged:
        lines.append(f"{user}:{realm}:{tagged}\n")
    return "".join(lines)


def params(text):
    """name -> value of a list of auth-params, the quotes taken off."""
    found = {}
    for name, quoted, token in re.findall(
            r'([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))', text):
        found[name.lower()] = re.sub(r"\\(.)", r"\1", quoted) if not token else token
    return found


def challenges(response, proxy=False):
    """The Digest challenges of a 401 or 407, as dictionaries, in order."""
    name = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
    return [params(v[7:]) for v in response.all(name) if v.lower().startswith("digest ")]


def pick(response, algorithm=None, proxy=False):
    """The first challenge, or the one with that algorithm."""
    for found in challenges(response, proxy):
        if algorithm is None or found.get("algorithm", "MD5").lower() == algorithm.lower():
            return found
    raise AssertionError(f"no challenge for {algorithm}: {response!r}")


class Client:
    """A user with a password; counts its nonces."""

    def __init__(self, user, password, algorithm=None, qop="auth"):
        self.user, self.password, self.algorithm, self.qop = user, password, algorithm, qop
        self.challenge = None
        self.nc = 0

    def fields(self, method, uri, challenge=None, nc=None, cnonce=None, qop=None, body=b"",
               **change):
        """The Authorization parameters in order. `change` sets any of them before the response
        is computed (`username`, `realm`, `nonce`, `uri`, ...); see `field` for after."""
        challenge = challenge or self.challenge
        algorithm = challenge.get("algorithm", "MD5")
        if nc is None:
            self.nc += 1
            nc = self.nc
        values = {
            "username": self.user, "realm": challenge["realm"], "nonce": challenge["nonce"],
            "uri": uri, "algorithm": algorithm, "qop": qop or self.qop,
            "nc": nc if isinstance(nc, str) else f"{nc:08x}",
            "cnonce": cnonce or secrets.token_hex(8),
        }
        if "opaque" in challenge:
            values["opaque"] = challenge["opaque"]
        values.update(change)
        values["response"] = self.response(values, method, body)
        if challenge.get("userhash", "").lower() == "true" and "username" not in change:
            values["username"] = h(algorithm, self.user, values["realm"])
            values["userhash"] = "true"
        return values

    def a1(self, v):
        a1 = h(v["algorithm"], self.user, v["realm"], self.password)
        if v["algorithm"].lower().endswith("-sess"):
            a1 = h(v["algorithm"], a1, v["nonce"], v["cnonce"])
        return a1

    def response(self, v, method, body):
        a2 = [method, v["uri"]]
        if v["qop"] == "auth-int":
            a2.append(h(v["algorithm"], body))
        return h(v["algorithm"], self.a1(v), v["nonce"], v["nc"], v["cnonce"], v["qop"],
                 h(v["algorithm"], *a2))

    def rspauth(self, v, body=b""):
        """What Authentication-Info must say to these fields; `body` is the answer's."""
        return self.response(v, "", body)

    @staticmethod
    def field(values, **change):
        """The field value; `change` replaces parameters, None leaves one out."""
        values = {**values, **change}
        return "Digest " + ", ".join(
            f"{k}={v}" if k in UNQUOTED else '{}="{}"'.format(k, re.sub(r'(["\\])', r"\\\1", v))
            for k, v in values.items() if v is not None)

    def authorization(self, method, uri, **options):
        return self.field(self.fields(method, uri, **options))

    def get(self, connection, uri, method="GET", body=None, headers=(), proxy=False):
        """A request as an ordinary client makes it: asks, is challenged, answers. Follows
        nextnonce, and answers one stale challenge. Returns the last response."""
        name = "Proxy-Authorization" if proxy else "Authorization"
        answer = None
        for _ in range(3):
            mine = []
            if self.challenge:
                mine = [(name, self.authorization(method, uri, body=body or b""))]
            answer = connection.request(method, uri, list(headers) + mine, body)
            if answer.status != (407 if proxy else 401):
                break
            fresh = pick(answer, self.algorithm, proxy)
            if mine and fresh.get("stale", "").lower() != "true":
                break
            self.challenge, self.nc = fresh, 0
        info = params(answer.get("Proxy-Authentication-Info" if proxy else "Authentication-Info",
                                 ""))
        if "nextnonce" in info:
            self.challenge = {**self.challenge, "nonce": info["nextnonce"]}
            self.nc = 0
        return answer
