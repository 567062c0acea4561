"""The nonce windows under load, at full length.

SPDX-License-Identifier: Apache-2.0

AUTHWS_LONG=0.1 takes a tenth of the requests and of the time.
"""
import os
import signal
import time

import pytest

import load

SCALE = float(os.environ.get("AUTHWS_LONG") or 1)
CONFIG = load.LOCATION.format(more="") + load.CREDENTIALS_LOG


def scaled(n):
    return max(1, int(n * SCALE))


@pytest.mark.parametrize("connections", [16, 128])
def test_no_connection_on_one_nonce_is_asked_again(connections):
    calls = scaled(500000)
    with load.running(CONFIG) as server:
        status, said = load.bench(server, "-c", connections, "--share", "--shuffle", 128,
                                  "--replay", 10, "--race", 5, "-n", calls, seconds=900)
        load.judge(status, said)
        assert said["calls"] == calls and said["first_challenges"] == 1 and said["stale"] == 0
        load.judge_log(server, said)
        assert said["accepted"] >= calls


@pytest.mark.parametrize("connections", [16, 128])
def test_restarts_and_killed_children_are_not_noticed(connections):
    seconds = scaled(90)
    with load.running(CONFIG, kind=load.Shaken) as server:
        process = load.begin(server, "-c", connections, "--share", "--shuffle", 128,
                             "--replay", 10, "--race", 5, "-T", seconds)
        with load.Killer(server, 1, seed=connections) as killer:
            load.restart_gracefully(server, 3, seconds)
        status, said = load.end(process)
        load.judge(status, said)
        assert said["first_challenges"] == 1 and said["stale"] == 0
        assert killer.kills > seconds / 3 and said["lost"] > 0
        load.judge_log(server, said)


def test_ten_million_strangers_log_nobody_out_and_take_no_memory():
    users = {f"user{i}": f"password {i}" for i in range(1000)}
    with load.running(load.LOCATION.format(more=""), users=users) as server:
        clients = load.begin(server, "--clients", 1000, "--interval", 2, "-T", 86400,
                             who=("--users", load.users_file(server, users)))
        time.sleep(2.5)
        sizes = []
        for _ in range(10):
            status, said = load.bench(server, "-c", 32, "-n", scaled(1000000), "--pid",
                                      server.process.pid, who=("--flood",), seconds=1800)
            assert status == 0 and said["status"] == {"401": scaled(1000000)}
            sizes.append(said["after"]["private_kib"])
        clients.send_signal(signal.SIGINT)
        status, said = load.end(clients)
        print(f"private memory after each million, KiB: {sizes}")
        load.judge(status, said)
        assert said["first_challenges"] == 1000 and said["stale"] == 0
        # The log and the allocator are in it; a byte for each stranger would be 9,000.
        assert sizes[-1] - sizes[0] < 3072
