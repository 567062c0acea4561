"""WebSocket clients that people really use, each a function that sends messages and tells what came.

function(url, authorization, deflate, certificate, messages) -> {"got": messages, "extensions": str,
"code": int} or {"status": int} when the handshake was refused. A message is ("text", str) or
("binary", bytes).
SPDX-License-Identifier: Apache-2.0
"""
import asyncio
import base64
import json
import ssl
import subprocess

import aiohttp
import websockets
from websockets.legacy.client import Connect

import clients

LARGEST = 1 << 24


def encode(messages):
    return json.dumps([(kind, base64.b64encode(
        data.encode() if kind == "text" else data).decode()) for kind, data in messages])


def decode(messages):
    return [(kind, base64.b64decode(data).decode() if kind == "text" else base64.b64decode(data))
            for kind, data in messages]


def program(*command):
    """A client in a program of its own."""
    def client(url, authorization, deflate, certificate, messages):
        made = [str(c() if callable(c) else c) for c in command]
        out = subprocess.run(
            [*made, url, authorization, "deflate" if deflate else "plain", certificate or ""],
            input=encode(messages), capture_output=True, text=True, timeout=60, check=False)
        assert out.returncode == 0, out.stderr
        told = json.loads(out.stdout)
        if "got" in told:
            told["got"] = decode(told["got"])
        return told
    return client


def trust(certificate):
    return ssl.create_default_context(cafile=certificate) if certificate else None


def python_websockets(url, authorization, deflate, certificate, messages):
    async def run():
        fields = {"Authorization": authorization} if authorization else {}
        try:
            async with Connect(url, extra_headers=fields, max_size=LARGEST,
                               ssl=trust(certificate), open_timeout=20,
                               compression="deflate" if deflate else None) as socket:
                sender = asyncio.ensure_future(send(socket))
                got = [await socket.recv() for _ in messages]
                await sender
                await socket.close(4000, "done")
                return {"got": [kind_of(m) for m in got], "code": socket.close_code,
                        "extensions": socket.response_headers.get("Sec-WebSocket-Extensions", "")}
        except websockets.InvalidStatusCode as error:
            return {"status": error.status_code}

    async def send(socket):
        for _, data in messages:
            await socket.send(data)

    return asyncio.run(run())


def kind_of(data):
    return ("text" if isinstance(data, str) else "binary", data)


def python_aiohttp(url, authorization, deflate, certificate, messages):
    async def run():
        fields = {"Authorization": authorization} if authorization else {}
        async with aiohttp.ClientSession() as session:
            try:
                async with session.ws_connect(url, headers=fields, max_msg_size=LARGEST,
                                              ssl=trust(certificate),
                                              compress=15 if deflate else 0) as socket:
                    return await talk(socket)
            except aiohttp.WSServerHandshakeError as error:
                return {"status": error.status}

    async def talk(socket):
        got = []
        for kind, data in messages:
            await (socket.send_str(data) if kind == "text" else socket.send_bytes(data))
            message = await socket.receive(20)
            got.append(kind_of(message.data))
        await socket.close(code=4000, message=b"done")
        return {"got": got, "code": socket.close_code,
                "extensions": "permessage-deflate" if socket.compress else ""}

    return asyncio.run(run())


def node_program():
    return clients.node_folder() / "websocket.mjs"


PEERS = {
    "Python websockets": python_websockets,
    "Python aiohttp": python_aiohttp,
    "Node ws": program("node", node_program, "ws"),
    "Node faye-websocket": program("node", node_program, "faye-websocket"),
    "Perl Mojo::UserAgent": program("perl", clients.HERE / "websocket.pl"),
}
