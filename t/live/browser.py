"""Headless Chromium through its DevTools protocol, with a say in every authentication prompt.

SPDX-License-Identifier: Apache-2.0
"""
import asyncio
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import websockets

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-extensions "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-default-apps --disable-dev-shm-usage --no-proxy-server --metrics-recording-only "
    "--password-store=basic --remote-debugging-port=0"
).split()


def program():
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "chromium is not installed"
    return found


def version():
    out = subprocess.run([program(), "--version", "--no-sandbox"], capture_output=True, text=True,
                         check=False).stdout.split()
    return next((word for word in out if word[:1].isdigit()), "?")


class Tab:
    """A page in a browser context of its own: nothing is remembered from another tab.

    `answers` are (user, password) pairs for the prompts, in order; a prompt when none is left is
    cancelled. `prompts` counts all of them.
    """

    def __init__(self, browser, session):
        self.browser, self.session = browser, session
        self.answers, self.prompts = [], 0
        self.status, self.algorithm = {}, {}
        self.loaded = asyncio.Event()
        self.tasks = set()

    async def call(self, method, **params):
        return await self.browser.call(method, params, self.session)

    def event(self, method, params):
        if method == "Fetch.requestPaused":
            self.later("Fetch.continueRequest", requestId=params["requestId"])
        elif method == "Fetch.authRequired":
            self.prompts += 1
            reply = {"response": "CancelAuth"}
            if self.answers:
                user, password = self.answers.pop(0)
                reply = {"response": "ProvideCredentials", "username": user, "password": password}
            self.later("Fetch.continueWithAuth", requestId=params["requestId"],
                       authChallengeResponse=reply)
        elif method == "Network.responseReceived":
            answer = params["response"]
            self.status[answer["url"]] = answer["status"]
            headers = {k.lower(): v for k, v in answer["headers"].items()}
            self.algorithm[answer["url"]] = headers.get("x-algorithm", "")
        elif method == "Page.loadEventFired":
            self.loaded.set()

    def later(self, method, **params):
        task = asyncio.ensure_future(self.call(method, **params))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def visit(self, url, *answers):
        """Loads the page with all that belongs to it; returns its status, None if it has none."""
        self.answers, self.prompts = list(answers), 0
        self.status.clear()
        self.loaded.clear()
        await self.call("Page.navigate", url=url)
        await asyncio.wait_for(self.loaded.wait(), 30)
        return self.status.get(url)

    async def evaluate(self, expression):
        out = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True,
                              returnByValue=True)
        return out["result"].get("value")


class Browser:
    """async with Browser() as browser: tab = await browser.tab()

    More `flags` may be given, a command to run it with (`wrap`), and another home folder."""

    def __init__(self, *flags, wrap=(), home=None):
        self.command = [*wrap, program(), *FLAGS, *flags]
        self.environment = {**os.environ, "HOME": home} if home else None

    async def __aenter__(self):
        self.folder = tempfile.mkdtemp(prefix="authws-browser-")
        self.process = subprocess.Popen(
            [*self.command, f"--user-data-dir={self.folder}", "about:blank"],
            env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.numbers, self.waiting, self.tabs = itertools.count(1), {}, {}
        try:
            self.socket = await websockets.connect(await self.endpoint(), max_size=None)
        except BaseException:
            self.end()
            raise
        self.reader = asyncio.ensure_future(self.read())
        return self

    async def endpoint(self):
        end = time.monotonic() + 60
        file = Path(self.folder) / "DevToolsActivePort"
        while time.monotonic() < end and self.process.poll() is None:
            lines = file.read_text().split("\n") if file.exists() else []
            if len(lines) >= 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            await asyncio.sleep(0.05)
        raise RuntimeError("chromium does not start")

    async def __aexit__(self, *_):
        try:
            await asyncio.wait_for(self.call("Browser.close", {}), 10)
        except (asyncio.TimeoutError, websockets.ConnectionClosed):
            pass
        self.reader.cancel()
        await self.socket.close()
        self.end()

    def end(self):
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def read(self):
        async for text in self.socket:
            message = json.loads(text)
            if "id" in message:
                waiting = self.waiting.pop(message["id"], None)
                if waiting and not waiting.done():
                    waiting.set_result(message)
            elif message.get("sessionId") in self.tabs:
                self.tabs[message["sessionId"]].event(message["method"], message["params"])

    async def call(self, method, params, session=None):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self.waiting[number] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps(message))
        answer = await asyncio.wait_for(self.waiting[number], 30)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    async def tab(self):
        context = (await self.call("Target.createBrowserContext", {}))["browserContextId"]
        target = await self.call("Target.createTarget",
                                 {"url": "about:blank", "browserContextId": context})
        session = (await self.call("Target.attachToTarget",
                                   {"targetId": target["targetId"], "flatten": True}))["sessionId"]
        tab = self.tabs[session] = Tab(self, session)
        for method in ("Page.enable", "Network.enable", "Runtime.enable"):
            await tab.call(method)
        await tab.call("Network.setCacheDisabled", cacheDisabled=True)
        await tab.call("Fetch.enable", handleAuthRequests=True)
        return tab
