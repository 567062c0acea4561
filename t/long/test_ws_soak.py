"""WebSockets that come, go and stay while the server is restarted: a minute at full length.

SPDX-License-Identifier: Apache-2.0

AUTHWS_LONG=0.1 takes a tenth of the time.
"""
import json
import os
import re
import subprocess

import built
import httpd
import load
import tls

SCALE = float(os.environ.get("AUTHWS_LONG") or 1)
SECONDS = max(8, 60 * SCALE)
RESTARTS = 5
CONFIG = """
<Location "/echo">
    AuthWSService echo
</Location>
AuthWSDrainTimeout 3
""" + tls.host()
# Three children, all the time, and slots for those that a graceful restart lets finish.
LIMITS = """
ServerLimit 16
StartServers 3
ThreadsPerChild 25
MaxRequestWorkers 75
MinSpareThreads 1
MaxSpareThreads 75
ListenBackLog 2048
"""


def begin(url, pid, *options):
    """Starts `authws bench ws`."""
    command = [built.authws(), "bench", "ws", "--json", "--insecure", "--pid", pid, *options, url]
    return subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)


def end(process):
    out, err = process.communicate(timeout=SECONDS + 60)
    assert out, err
    print(out, err)
    return json.loads(out)


def private_kib(pid, *urls):
    """Private memory of the children of a process after so many more connections to each URL."""
    total = 0
    for url in urls:
        assert end(begin(url, pid, "--mode", "churn", "-c", 8, "-n", 2000))["messages"] == 2000
    pids = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True,
                          check=False).stdout.split()
    for each in pids:
        try:
            with open(f"/proc/{each}/smaps_rollup", encoding="ascii") as file:
                found = re.search(r"Private_Dirty:\s+(\d+)", file.read())
            total += int(found.group(1))
        except OSError:
            pass
    return total


def test_a_minute_of_coming_and_going_with_five_graceful_restarts():
    server = httpd.Httpd(LIMITS + CONFIG, modules=tls.MODULES, authws=built.module(),
                         loglevel="warn", allow=["AH00484", "AH10159", "AH03490"])
    tls.certificate(server)
    server.start()
    try:
        plain = f"ws://127.0.0.1:{server.port}/echo"
        secure = f"wss://127.0.0.1:{server.ports[1]}/echo"
        pid = server.process.pid
        runs = {
            "plain churn": begin(plain, pid, "--mode", "churn", "-c", 8, "-T", SECONDS),
            "plain echo": begin(plain, pid, "-c", 50, "-T", SECONDS),
            "TLS churn": begin(secure, pid, "--mode", "churn", "-c", 4, "-T", SECONDS),
        }
        load.restart_gracefully(server, RESTARTS, SECONDS * 0.9)
        said = {name: end(process) for name, process in runs.items()}
        for name in ("plain churn", "plain echo"):
            found = said[name]
            assert found["messages"] > 100
            for what in ("refused", "broken", "wrong", "late"):
                assert found[what] == 0, (name, found)
        found = said["TLS churn"]
        assert found["messages"] > 100
        assert found["refused"] == found["wrong"] == found["late"] == 0, found
        assert found["broken"] == found["going_away"], found
        sizes = [private_kib(pid, plain, secure) for _ in range(4)]
        print(f"private memory after each 4,000 connections, KiB: {sizes}")
        # What every worker thread takes at its first connection is there after the first round.
        assert sizes[3] < sizes[1] + 1024
    finally:
        server.close()
