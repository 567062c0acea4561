"""The client programs that the tests log in with: each a function of URL, realm, user, password.

Each returns (status, algorithm that the server says was used, body); a client that gives up of its
own accord returns (0, "", why).
SPDX-License-Identifier: Apache-2.0
"""
import asyncio
import json
import shutil
import subprocess
import urllib.error
import urllib.request
from importlib import metadata
from pathlib import Path

import browser
import built

HERE = Path(__file__).resolve().parent
NODE = built.SOURCE / "out" / "node"


def run(*command):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60,
                          check=False, stdin=subprocess.DEVNULL)


def first_version(*command):
    words = run(*command).stdout.split()
    return next((w.strip("v(),") for w in words if w.strip("v(),")[:1].isdigit()), "?")


def split_raw(text):
    """Status, algorithm and body of the last response in `text` with its headers."""
    head, _, body = text.rpartition("\n\n")
    status, algorithm = 0, ""
    for line in head.split("\n"):
        name, _, value = line.strip().partition(" ")
        if name.startswith("HTTP/"):
            status, algorithm = int(value.split()[0]), ""
        elif name.lower() == "x-algorithm:":
            algorithm = value
    return status, algorithm, body


def curl(url, realm, user, password):
    out = run("curl", "-s", "-i", "--noproxy", "*", "-m", "20", "--digest", "-u",
              f"{user}:{password}", url).stdout
    return split_raw(out.replace("\r\n", "\n"))


def wget(url, realm, user, password):
    out = run("wget", "-q", "-S", "-O", "-", "--no-proxy", "--no-config", "-T", "20", "-t", "1",
              "--user", user, "--password", password, url)
    status, algorithm, _ = split_raw(out.stderr.rstrip("\n") + "\n\n")
    return status, algorithm, out.stdout


def requests(url, realm, user, password):
    import requests as library
    from requests.auth import HTTPDigestAuth
    with library.Session() as session:
        session.trust_env = False
        try:
            answer = session.get(url, auth=HTTPDigestAuth(user, password), timeout=20)
        except TypeError as error:  # it has no answer to this challenge, and sends that
            return 0, "", repr(error)
    return answer.status_code, answer.headers.get("X-Algorithm", ""), answer.text


def httpx(url, realm, user, password):
    import httpx as library
    try:
        with library.Client(trust_env=False, timeout=20) as client:
            answer = client.get(url, auth=library.DigestAuth(user, password))
    except (KeyError, NotImplementedError, library.ProtocolError) as error:
        return 0, "", repr(error)
    return answer.status_code, answer.headers.get("X-Algorithm", ""), answer.text


def urllib_python(url, realm, user, password):
    manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    manager.add_password(None, url, user, password)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                         urllib.request.HTTPDigestAuthHandler(manager))
    try:
        with opener.open(url, timeout=20) as answer:
            return answer.status, answer.headers.get("X-Algorithm", ""), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, "", ""
    except (ValueError, urllib.error.URLError) as error:
        return 0, "", repr(error)


def perl(url, realm, user, password):
    status, algorithm, body = run("perl", HERE / "get.pl", url, realm, user,
                                  password).stdout.split("\n", 2)
    return int(status), algorithm, body


def node_folder():
    """out/node with the pinned packages in it."""
    lock = HERE / "node" / "package-lock.json"
    mark = NODE / "installed"
    if not mark.exists() or mark.read_bytes() != lock.read_bytes():
        shutil.rmtree(NODE, ignore_errors=True)
        NODE.mkdir(parents=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(HERE / "node" / name, NODE)
        out = subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=NODE, capture_output=True,
                             text=True, check=False, timeout=300, stdin=subprocess.DEVNULL)
        assert out.returncode == 0, out.stdout + out.stderr
        mark.write_bytes(lock.read_bytes())
    for name in ("get.mjs", "websocket.mjs"):
        shutil.copy(HERE / "node" / name, NODE)
    return NODE


def node(package):
    def get(url, realm, user, password):
        algorithm = [w for w in url.split("/") if w.startswith(("MD5", "SHA"))]
        out = run("node", node_folder() / "get.mjs", package, url, user, password, *algorithm)
        if out.returncode != 0:
            return 0, "", out.stderr
        status, algorithm, body = json.loads(out.stdout)
        return status, algorithm or "", body
    return get


def node_version(package):
    file = node_folder() / "node_modules" / package / "package.json"
    return json.loads(file.read_text())["version"]


async def browse(urls, user, password):
    """url -> (status, algorithm, body), each in a context of its own."""
    found = {}
    async with browser.Browser() as chromium:
        for url in urls:
            tab = await chromium.tab()
            status = await tab.visit(url, (user, password))
            body = await tab.evaluate("document.body.innerText")
            found[url] = (status or 0, tab.algorithm.get(url, ""), (body or "") + "\n")
    return found


def each(get):
    def get_all(urls, realm, user, password):
        return {url: get(url, realm, user, password) for url in urls}
    return get_all


def chromium(urls, realm, user, password):
    return asyncio.run(browse(urls, user, password))


# name -> (version, function of all URLs)
CLIENTS = {
    "curl": (lambda: first_version("curl", "--version"), each(curl)),
    "wget": (lambda: first_version("wget", "--version"), each(wget)),
    "Python requests": (lambda: metadata.version("requests"), each(requests)),
    "Python httpx": (lambda: metadata.version("httpx"), each(httpx)),
    "Python urllib": (lambda: first_version("/usr/bin/python3", "--version"), each(urllib_python)),
    "Perl LWP": (lambda: run("perl", "-MLWP", "-e", "print $LWP::VERSION").stdout, each(perl)),
    "Node digest-fetch": (lambda: node_version("digest-fetch"), each(node("digest-fetch"))),
    "Node urllib": (lambda: node_version("urllib"), each(node("urllib"))),
    "Chromium": (browser.version, chromium),
}
