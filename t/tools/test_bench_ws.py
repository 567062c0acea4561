"""authws bench ws: what it says of servers that do well, and of servers that do not.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import subprocess

import pytest
from test_connect import TOOL, Server, echo

FAULTS = ("refused", "broken", "wrong", "late")
peers = set()


def bench(server, *args, expect=0):
    done = subprocess.run([TOOL, "bench", "ws", "--json", *map(str, args), server.url],
                          capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
                          check=False)
    assert done.returncode == expect, (done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout)


async def everybody_else(connection, *_):
    """Sends what one says to all the others."""
    peers.add(connection)
    try:
        async for message in connection:
            for peer in list(peers - {connection}):
                await peer.send(message)
    finally:
        peers.discard(connection)


async def twice(connection, *_):
    async for message in connection:
        await connection.send(message)
        await connection.send(message)


async def deaf(connection, *_):
    async for _ in connection:
        pass


async def gone(connection, *_):
    async for _ in connection:
        await connection.close(1001)


@pytest.mark.parametrize("options", [(), ("--no-deflate",), ("--binary", "--size", 3000)])
def test_echo_counts_every_message_once(options):
    with Server() as server:
        said = bench(server, "-c", 5, "-n", 500, "--depth", 4, *options)
        assert said["messages"] == 500 and said["opened"] == 5
        assert [said[fault] for fault in FAULTS] == [0, 0, 0, 0]


def test_idle_connections_are_held_and_then_answer():
    with Server() as server:
        said = bench(server, "--mode", "idle", "-c", 20, "-T", 0.2)
        assert said["opened"] == said["messages"] == 20


def test_churn_opens_a_connection_for_each_message():
    with Server() as server:
        said = bench(server, "--mode", "churn", "-c", 3, "-n", 60)
        assert said["opened"] == said["messages"] == 60


def test_fanout_delivers_to_all_but_the_one_who_sends():
    with Server(handler=everybody_else) as server:
        said = bench(server, "--mode", "fanout", "-c", 10, "-n", 50)
        assert said["messages"] == 500 and said["opened"] == 11
        assert [said[fault] for fault in FAULTS] == [0, 0, 0, 0]


@pytest.mark.parametrize("handler, fault", [(twice, "wrong"), (deaf, "late"), (gone, "going_away")])
def test_a_server_that_does_not_do_well_is_told_of(handler, fault):
    with Server(handler=handler) as server:
        assert bench(server, "-c", 2, "-n", 20, "--patience", 0.5, expect=1)[fault] > 0


def test_what_the_server_uses_is_reported_for_its_processes():
    with Server(handler=echo) as server:
        said = bench(server, "-c", 2, "-n", 200, "--pid", os.getpid())
        assert said["after"]["cpu_s"] >= said["before"]["cpu_s"] > 0
