"""Programs that people really use log in; what each can do is written to README.md.

SPDX-License-Identifier: Apache-2.0
"""
import asyncio
import re

import pytest

import browser
import built
import conftest
from clients import CLIENTS

REALM, USER, PASSWORD = "clients", "alice", "correct horse"
ALGORITHMS = ("MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess")
QOPS = ("auth", "auth-int")
CELLS = [(a, q) for q in QOPS for a in ALGORITHMS]
DEFAULT = ("default", "auth")


def location(path, lines=""):
    return f"""
<Location "{path}">
    AuthType AuthWS
    AuthName "{REALM}"
    AuthWSUserFile @CONF@/users.a1
    {lines}
    Require valid-user
</Location>"""


def path_of(cell):
    return f"/{cell[0]}/{cell[1]}/"


CONFIG = 'Header always set X-Algorithm "expr=%{reqenv:AUTHWS_ALGORITHM}"\n' + "".join(
    location(path_of(c), f"AuthWSAlgorithm {c[0]}\n    AuthWSQop {c[1]}") for c in CELLS) + \
    location(path_of(DEFAULT)) + location("/burst/") + \
    location("/brief/", "AuthWSNonceLifetime 1s\n    AuthWSNextNonce off")

NAMES = [f"{i}.svg" for i in range(50)]
IMAGE = '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>'


def prepare(server):
    conftest.make_a1(server, "users.a1", REALM, {USER: PASSWORD},
                     ["MD5", "SHA-256", "SHA-512-256"])
    for cell in CELLS + [DEFAULT]:
        server.page(path_of(cell)[1:] + "index.html", "in\n")
    for folder in ("burst", "brief"):
        for name in NAMES:
            server.page(f"{folder}/{name}", IMAGE)
        server.page(f"{folder}/index.html", "<!doctype html><body>in\n" + "".join(
            f'<img src="{name}">' for name in NAMES))


# What is known to work: a cell that is here and fails is a mistake of ours, or a new release of
# the client that needs a look.
KNOWN = {
    "curl": {("auth", 4), ("auth-int", 4), DEFAULT},
    "wget": {("auth", 2), DEFAULT},
    "Python requests": {("auth", 3), DEFAULT},
    "Python httpx": {("auth", 4), DEFAULT},
    "Python urllib": {("auth", 1)},
    "Perl LWP": {("auth", 1), DEFAULT},
    "Node digest-fetch": {("auth", 6), DEFAULT},
    "Node urllib": {("auth", 1), DEFAULT},
    "Chromium": {("auth", 4), DEFAULT},
}


def known(client):
    """The cells of a client: (qop, n) stands for the first n algorithms."""
    cells = set()
    for item in KNOWN[client]:
        cells |= {item} if item == DEFAULT else {(a, item[0]) for a in ALGORITHMS[:item[1]]}
    return cells


results = {}


@pytest.mark.parametrize("client", list(CLIENTS))
def test_client_can_do_what_it_could(server, client):
    _, get = CLIENTS[client]
    cells = CELLS + [DEFAULT]
    found = get([server.url(path_of(c)) for c in cells], REALM, USER, PASSWORD)
    can = {}
    for cell in cells:
        status, algorithm, body = found[server.url(path_of(cell))]
        if status == 200:
            assert body == "in\n", f"{cell}: {body!r}"
            assert cell == DEFAULT or algorithm == cell[0], f"{cell}: used {algorithm}"
            can[cell] = algorithm
    results[client] = can
    lost = [" ".join(c) for c in cells if c in known(client) and c not in can]
    assert not lost, f"{client} no longer does: {', '.join(lost)}: " + repr(
        [found[server.url(path_of(c))] for c in cells if c in known(client) and c not in can])


@pytest.mark.parametrize("client", list(CLIENTS))
def test_a_wrong_password_stays_outside(server, client):
    _, get = CLIENTS[client]
    url = server.url("/MD5/auth/")
    status, _, body = get([url], REALM, USER, "wrong")[url]
    assert status in (0, 401) and "in" not in body.split()


def test_every_client_gets_in_somehow():
    assert set(results) == set(CLIENTS)
    for client, can in results.items():
        assert can, client


def table(title, cells):
    out = [f"| {title} | " + " | ".join(name for name, _ in cells) + " |",
           "|---" * (len(cells) + 1) + "|"]
    for client in CLIENTS:
        row = [text(results[client]) for _, text in cells]
        out.append(f"| {client} | " + " | ".join(row) + " |")
    return "\n".join(out) + "\n"


def document():
    parts = []
    for qop in QOPS:
        cells = [(a, lambda can, c=(a, qop): "yes" if c in can else "-") for a in ALGORITHMS]
        if qop == "auth":
            cells.insert(0, ("default", lambda can: can.get(DEFAULT, "-")))
        parts.append(table(f"qop={qop}", cells))
    return "\n".join(parts)


def versions():
    return "Versions when this last changed: " + ", ".join(
        f"{name} {version()}" for name, (version, _) in CLIENTS.items()) + ".\n"


TABLE = re.compile(r"(<!-- clients[^>]*-->\n)(.*?)(\nVersions [^\n]*\n)?(<!-- end of clients -->)", re.S)


def test_the_table_in_the_readme_is_what_was_found():
    if set(results) != set(CLIENTS):
        pytest.skip("only with all clients")
    file = built.SOURCE / "README.md"
    before = file.read_text()
    shown = TABLE.search(before)
    if shown.group(2) != document():
        now = shown.group(1) + document() + "\n" + versions() + shown.group(4)
        file.write_text(before[:shown.start()] + now + before[shown.end():])
    assert TABLE.search(file.read_text()).group(2) == document()


# --- a browser, as a person uses it ---

def in_browser(steps):
    async def run():
        async with browser.Browser() as chromium:
            await steps(await chromium.tab())
    asyncio.run(run())


IMAGES_SEEN = "[...document.images].filter(i => i.complete && i.naturalWidth > 0).length"


def test_browser_wrong_then_right_password(server):
    async def steps(tab):
        url = server.url("/burst/")
        assert await tab.visit(url, (USER, "wrong"), (USER, PASSWORD)) == 200
        assert tab.prompts == 2
        assert (await tab.evaluate("document.body.innerText")).startswith("in")
    in_browser(steps)


def test_browser_that_gives_up_sees_the_401(server):
    async def steps(tab):
        assert await tab.visit(server.url("/burst/")) == 401
        assert tab.prompts == 1
        assert "in" not in (await tab.evaluate("document.body.innerText")).split()
    in_browser(steps)


def test_browser_burst_of_50_without_one_extra_prompt(server):
    async def steps(tab):
        assert await tab.visit(server.url("/burst/"), (USER, PASSWORD)) == 200
        assert await tab.evaluate(IMAGES_SEEN) == len(NAMES)
        assert tab.prompts == 1
        assert await tab.visit(server.url("/burst/")) == 200
        assert (await tab.evaluate(IMAGES_SEEN), tab.prompts) == (len(NAMES), 0)
        burst = "Promise.all([...Array(50).keys()].map(i => fetch(i + '.svg?' + i))).then(" \
                "all => all.filter(r => r.status == 200).length)"
        assert (await tab.evaluate(burst), tab.prompts) == (50, 0)
    in_browser(steps)


def test_browser_burst_over_an_expired_nonce_without_a_prompt(server):
    async def steps(tab):
        assert await tab.visit(server.url("/brief/"), (USER, PASSWORD)) == 200
        assert tab.prompts == 1
        await asyncio.sleep(1.1)  # the nonce's whole life
        assert await tab.visit(server.url("/brief/")) == 200
        assert (await tab.evaluate(IMAGES_SEEN), tab.prompts) == (len(NAMES), 0)
    in_browser(steps)
