"""A service of another module, built as its author would: from the headers alone, with apxs.

SPDX-License-Identifier: Apache-2.0
"""
import shutil
import subprocess
import time
from pathlib import Path

import pytest

import fleet
import ws

HERE = Path(__file__).resolve().parent
CONFIG = """
LoadModule sample_module @ROOT@/sample/.libs/mod_sample.so
LogLevel info authws:debug
""" + "".join(f"""
<Location "/{place}">
    AuthWSService count {words}
</Location>
""" for place, words in (("ws", ""), ("busy", "503"), ("moved", "302"), ("declined", "-1"),
                         ("done", "-2"), ("odd", "200"), ("high", "600")))
ALLOW = ["AW2131", "AH00045", "AH00046", "AH03490"]


def prepare(server):
    """Compiles the module into the server's folder."""
    apxs = shutil.which("apxs") or shutil.which("apxs2")
    assert apxs, "apxs is not installed"
    place = server.root / "sample"
    place.mkdir()
    shutil.copy(HERE / "sample" / "mod_sample.c", place)
    subprocess.run([apxs, "-c", "-Wc,-Wall -Wextra -Werror", f"-I{HERE.parents[1] / 'mod_authws'}",
                    "mod_sample.c"], cwd=place, check=True, capture_output=True, timeout=120)


def test_messages_are_answered_by_the_service(server):
    with fleet.Peer(server.connect()) as peer:
        for number in range(1, 6):
            peer.send("one more")
            assert peer.receive() == (1, str(number).encode())
        peer.close()


@pytest.mark.parametrize("place, status", [("busy", 503), ("moved", 302), ("declined", 500),
                                           ("done", 500), ("odd", 500), ("high", 500)])
def test_open_refuses_with_a_status_and_anything_else_is_500(server, place, status):
    mark = len(server.log())
    with server.connect() as connection:
        assert ws.handshake(connection, f"/{place}").status == status
    refused = server.wait_log(rf"AW2101: WebSocket refused with {status}: .*\(user \"\", scheme "
                              r"none\)", mark)
    assert refused
    assert ("AW2131" in server.log(mark)) == (status == 500)


def test_what_the_service_saved_goes_on_in_the_next_generation(server):
    with fleet.Peer(server.connect()) as peer:
        for number in range(1, 4):
            peer.send("before")
            assert peer.receive() == (1, str(number).encode())
        before = server.children()
        server.graceful()
        end = time.monotonic() + 10
        while set(before) & set(server.children()):
            assert time.monotonic() < end
            time.sleep(0.05)
        peer.send("after")
        assert peer.receive() == (1, b"4")
