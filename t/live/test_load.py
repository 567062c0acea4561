"""The nonce windows under load: nobody is refused, nothing is accepted twice.

SPDX-License-Identifier: Apache-2.0

Short forms of what t/long proves at full length.
"""
import time

import pytest

import load

CONFIG = load.LOCATION.format(more="") + load.CREDENTIALS_LOG


@pytest.mark.parametrize("connections", [16, 128])
@pytest.mark.parametrize("order", ["--window", "--shuffle"])
def test_no_connection_on_one_nonce_is_asked_again(connections, order):
    with load.running(CONFIG) as server:
        status, said = load.bench(server, "-c", connections, "--share", order, 128,
                                  "--replay", 10, "--race", 5, "-n", 8000)
        load.judge(status, said)
        assert said["calls"] == 8000 and said["first_challenges"] == 1
        assert said["stale"] == 0
        assert said["replays"] > 800
        load.judge_log(server, said)
        assert said["accepted"] >= 8000


def test_the_tool_and_the_access_log_count_the_same():
    with load.running(CONFIG) as server:
        status, said = load.bench(server, "-c", 8, "-n", 3000, "--replay", 20, "--reconnect", 50)
        load.judge(status, said)
        assert said["lost"] == 0
        assert load.logged(server, said["requests"]) == said["status"]
        assert said["requests"] == sum(said["status"].values()) == \
            said["calls"] + said["first_challenges"] + said["replays"]


@pytest.mark.parametrize("connections", [16, 128])
def test_restarts_and_killed_children_are_not_noticed(connections):
    with load.running(CONFIG, kind=load.Shaken) as server:
        seconds = 8
        process = load.begin(server, "-c", connections, "--share", "--shuffle", 128,
                             "--replay", 10, "--race", 5, "-T", seconds)
        with load.Killer(server, 1, seed=connections) as killer:
            load.restart_gracefully(server, 3, seconds)
        status, said = load.end(process)
        load.judge(status, said)
        assert said["first_challenges"] == 1 and said["stale"] == 0
        assert killer.kills >= 3 and said["lost"] > 0
        load.judge_log(server, said)
        assert said["accepted"] > 1000 and said["replays"] > 100


def test_a_nonce_outlives_its_life_without_the_user_being_asked():
    config = load.LOCATION.format(more="AuthWSNonceLifetime 4s") + load.CREDENTIALS_LOG
    with load.running(config) as server:
        status, said = load.bench(server, "-c", 32, "--clients", 2, "--share", "--shuffle", 128,
                                  "--replay", 10, "-T", 8)
        load.judge(status, said)
        assert said["first_challenges"] == 2 and said["stale"] == 0
        assert said["nextnonces"] >= 4
        load.judge_log(server, said)


def test_one_that_sleeps_longer_than_the_nonce_lives_is_asked_stale_not_anew():
    config = load.LOCATION.format(more="AuthWSNonceLifetime 1s") + load.CREDENTIALS_LOG
    with load.running(config) as server:
        status, said = load.bench(server, "--clients", 5, "--interval", 1.5, "-T", 6)
        load.judge(status, said)
        assert said["first_challenges"] == 5
        assert said["stale"] >= 5


def growth_kib(said):
    return said["after"]["private_kib"] - said["before"]["private_kib"]


def test_strangers_log_nobody_out():
    users = {f"user{i}": f"password {i}" for i in range(100)}
    with load.running(load.LOCATION.format(more=""), users=users) as server:
        clients = load.begin(server, "--clients", 1000, "--interval", 2, "-T", 16,
                             who=("--users", load.users_file(server, users)))
        time.sleep(2.5)  # by now all are there, and take no more memory than they have
        load.bench(server, "-c", 32, "-n", 20000, who=("--flood",))
        status, flood = load.bench(server, "-c", 32, "-n", 100000, "--pid", server.process.pid,
                                   who=("--flood",))
        assert status == 0 and flood["status"] == {"401": 100000}
        status, said = load.end(clients)
        load.judge(status, said)
        assert said["first_challenges"] == 1000 and said["stale"] == 0
        assert said["calls"] >= 5000
        # Ten bytes for each stranger would be 1,000; threads still find their sizes.
        assert growth_kib(flood) < 4096
