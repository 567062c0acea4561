"""A private httpd: its configuration, its life, and what it logged.

SPDX-License-Identifier: Apache-2.0
"""
import atexit
import grp
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import http1

# Lines that no test may cause, whatever it allows.
FATAL = re.compile(r"exit signal|AH00052|AddressSanitizer|runtime error:|Segmentation")
# httpd's own: an event child that is told to stop may crash when its main thread closes the sockets
# of workers (close_worker_sockets) while a worker lets go of its own: stock httpd without this
# module does it in about one of three stops right behind the close of 300 connections. And one that
# is told to go while it is still coming up. Granted at a stop, or to a child that has said nothing
# yet, and so often in a run: a crash of ours would come at every stop.
CRASH = re.compile(r"AH0005[12]: child pid (\d+) exit signal Segmentation fault")
crashes_left = 10
# httpd's own: an event worker that meets the pollset already closed at a stop.
HARMLESS = re.compile(r"mpm_event:error.*Bad file descriptor: AH03093")
BAD_LEVEL = re.compile(r"\[(?:[\w-]+:)?(?:error|crit|alert|emerg)\]")

# What a stock configuration loads, as far as the tests need it.
MODULES = (
    "unixd log_config authn_core authn_file authz_core authz_user authz_host authz_groupfile "
    "auth_basic dir mime alias env setenvif headers rewrite"
).split()

MPM_LIMITS = {
    "event": "StartServers 2\nServerLimit 3\nThreadsPerChild 25\nMaxRequestWorkers 75\n"
             "MinSpareThreads 25\nMaxSpareThreads 75",
    "worker": "StartServers 2\nServerLimit 3\nThreadsPerChild 25\nMaxRequestWorkers 75\n"
              "MinSpareThreads 25\nMaxSpareThreads 75",
    "prefork": "StartServers 4\nServerLimit 60\nMaxRequestWorkers 60\n"
               "MinSpareServers 4\nMaxSpareServers 30",
}


def query(name, fallback):
    """What apxs says, or the fallback where there is no apxs."""
    apxs = os.environ.get("AUTHWS_APXS") or shutil.which("apxs") or shutil.which("apxs2")
    if not apxs:
        return fallback
    out = subprocess.run([apxs, "-q", name], capture_output=True, text=True, check=False)
    return out.stdout.strip() or fallback


PROGRAM = os.environ.get("AUTHWS_HTTPD") or os.path.join(
    query("SBINDIR", "/usr/sbin"), query("PROGNAME", "apache2"))
MODULE_DIR = query("LIBEXECDIR", "/usr/lib/apache2/modules")


def static_modules():
    """Names (as in mod_NAME.c) of what this httpd has linked in."""
    out = subprocess.run([PROGRAM, "-l"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"mod_(\w+)\.c", out))


def unprivileged():
    """The user and group that the children of a server started by root run as."""
    for name in ("www-data", "apache", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return name, grp.getgrgid(entry.pw_gid).gr_name
    raise RuntimeError("no user to run httpd as")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Httpd:
    """One server in a folder of its own.

    In `config`, @ROOT@, @DOCROOT@, @CONF@, @PORT@ and @PORT2@ ... @PORT4@ are replaced. Files of
    the test go to server.conf (configuration, A1 files) and server.docroot (pages).
    The throttle is off unless `config` names its directive, if only in a comment.
    `modules` are loaded besides the usual ones; `authws` is the module's path or None.
    `allow`: regular expressions of log lines at error level that the tests cause on purpose.
    """

    def __init__(self, config, mpm="event", modules=(), authws=None, allow=(), loglevel="info"):
        self.root = Path(tempfile.mkdtemp(prefix="authws-live-"))
        self.root.chmod(0o755)
        self.conf = self.root / "conf"
        self.docroot = self.root / "docroot"
        self.logs = self.root / "logs"
        for folder in (self.conf, self.docroot, self.logs, self.root / "run"):
            folder.mkdir()
        self.user, self.group = unprivileged() if os.geteuid() == 0 else (None, None)
        self.mpm = mpm
        self.modules = list(modules)
        self.authws = authws
        self.allow = [re.compile(a) for a in allow]
        self.loglevel = loglevel
        self.template = config
        self.ports = []
        self.process = None
        self.stopped_at = None  # length of the log when it was told to stop
        self.page("index.html", "<!doctype html><title>in</title>in\n")

    # --- files ---

    def page(self, name, text):
        """Writes a page below the document root."""
        path = self.docroot / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def secret(self, name, text):
        """Writes conf/NAME so that only the server may read it."""
        path = self.conf / name
        path.write_text(text, encoding="utf-8")
        self.protect(path)
        return path

    def protect(self, path):
        os.chmod(path, 0o640)
        if self.group:
            shutil.chown(path, group=self.group)

    @property
    def port(self):
        return self.ports[0]

    def text(self):
        """The whole configuration."""
        static = static_modules()
        lines = [f"ServerRoot {self.root}", "ServerName localhost"]
        for port in self.ports:
            lines.append(f"Listen 127.0.0.1:{port}")
        if not any(name.startswith("mpm_") for name in static) and self.mpm not in static:
            lines.append(f"LoadModule mpm_{self.mpm}_module {MODULE_DIR}/mod_mpm_{self.mpm}.so")
        for name in MODULES + self.modules:
            if name not in static:
                lines.append(f"LoadModule {name}_module {MODULE_DIR}/mod_{name}.so")
        if self.authws:
            lines.append(f"LoadModule authws_module {self.authws}")
        if self.user:
            lines += [f"User {self.user}", f"Group {self.group}"]
        lines += [
            MPM_LIMITS[self.mpm], "GracefulShutdownTimeout 5",
            f"PidFile {self.root}/run/httpd.pid", f"DefaultRuntimeDir {self.root}/run",
            f"ErrorLog {self.logs}/error.log", f"LogLevel {self.loglevel}",
            'LogFormat "%{c}a %u \\"%r\\" %>s %X %P" plain',
            f"CustomLog {self.logs}/access.log plain",
            "TypesConfig /dev/null", "AddType text/html .html", "AddType image/svg+xml .svg",
            f"DocumentRoot {self.docroot}", "DirectoryIndex index.html",
            "KeepAlive On", "KeepAliveTimeout 30", "MaxKeepAliveRequests 0", "Timeout 30",
            "<Directory />\nAllowOverride None\nRequire all denied\n</Directory>",
            f"<Directory {self.docroot}>\nRequire all granted\n</Directory>",
        ]
        if self.authws and "AuthWSThrottle" not in self.template:
            # All tests come from one address, and many fail on purpose.
            lines.append('<Location "/">\nAuthWSThrottle Off\n</Location>')
        config = self.template
        for i, port in enumerate(self.ports):
            config = config.replace("@PORT@" if i == 0 else f"@PORT{i + 1}@", str(port))
        for name, value in (("ROOT", self.root), ("DOCROOT", self.docroot), ("CONF", self.conf)):
            config = config.replace(f"@{name}@", str(value))
        return "\n".join(lines) + "\n" + config + "\n"

    def write(self):
        if not self.ports:
            wanted = 1 + len(set(re.findall(r"@PORT[234]@", self.template)))
            self.ports = [free_port() for _ in range(wanted)]
        (self.conf / "httpd.conf").write_text(self.text(), encoding="utf-8")

    # --- life ---

    def command(self, *more):
        return [PROGRAM, "-d", str(self.root), "-f", str(self.conf / "httpd.conf"), *more]

    def configtest(self, config=None):
        """Exit status and output of `httpd -t`; with `config`, of that instead."""
        if config is not None:
            self.template = config
        self.write()
        out = subprocess.run(self.command("-t"), capture_output=True, text=True, check=False,
                             timeout=60, env=self.environment())
        return out.returncode, out.stdout + out.stderr

    @staticmethod
    def environment():
        keep = ("PATH", "LD_PRELOAD", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS")
        env = {k: os.environ[k] for k in keep if k in os.environ}
        env["LANG"] = "C"
        if "AUTHWS_PRELOAD" in os.environ:  # a sanitizer's library, for the server alone
            env["LD_PRELOAD"] = os.environ["AUTHWS_PRELOAD"]
        return env

    def start(self):
        atexit.register(self.stop)  # for a test that fails before it can
        for _ in range(5):
            self.write()
            self.process = subprocess.Popen(
                self.command("-DFOREGROUND"), stdin=subprocess.DEVNULL,
                stdout=(self.logs / "stdout.log").open("wb"), stderr=subprocess.STDOUT,
                env=self.environment(), start_new_session=True)
            if self.wait_listening():
                # A signal that comes before this line meets a server that is not all there.
                self.wait_log(r"resuming normal operations")
                return self
            said = (self.logs / "stdout.log").read_text(errors="replace")
            if "AH00072" not in said:  # somebody else took the port in between
                break
            self.ports = []
        raise RuntimeError(f"httpd did not start:\n{said}{self.log()}")

    def wait_listening(self, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1):
                    if self.children():  # the kernel answers before they are there
                        return True
            except OSError:
                pass
            time.sleep(0.02)
        return False

    def graceful(self):
        """A graceful restart; returns when the new generation is there, and the old one has gone or
        is held by connections that are open."""
        mark = len(self.log())
        before = set(self.children())
        self.process.send_signal(signal.SIGUSR1)
        self.wait_log(r"resuming normal operations", mark)
        end = time.monotonic() + 1
        while before & set(self.children()) and time.monotonic() < end:
            time.sleep(0.02)

    def restart(self):
        mark = len(self.log())
        self.process.send_signal(signal.SIGHUP)
        self.wait_log(r"resuming normal operations", mark)

    def stop(self):
        """Ends the server and whatever is left of its process group."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.stopped_at = len(self.log())
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process = None

    def children(self):
        """Process ids of the children."""
        out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)],
                             capture_output=True, text=True, check=False).stdout
        return [int(word) for word in out.split()]

    def close(self):
        """Stops, checks the log, removes the folder."""
        try:
            self.stop()
            bad = self.unexpected()
            assert not bad, "unexpected in the error log:\n" + "\n".join(bad)
        finally:
            shutil.rmtree(self.root, ignore_errors=True)

    # --- what it said ---

    def log(self, mark=0):
        path = self.logs / "error.log"
        return path.read_text(errors="replace")[mark:] if path.exists() else ""

    def access(self):
        path = self.logs / "access.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_log(self, pattern, mark=0, seconds=20):
        """Waits for a line that matches behind `mark`; returns the match."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.log(mark))
            if found:
                return found
            assert time.monotonic() < end, f"not logged: {pattern}\n{self.log(mark)}"
            time.sleep(0.02)

    def is_own_crash(self, line):
        """Whether the line tells of a crash that httpd is granted; see CRASH."""
        global crashes_left
        crash = CRASH.search(line)
        if not crash or self.mpm != "event" or crashes_left == 0:
            return False
        stopping = self.stopped_at is not None and line in self.log(self.stopped_at)
        if not stopping and f"[pid {crash.group(1)}:" in self.log():
            return False
        crashes_left -= 1
        return True

    def unexpected(self):
        said = (self.logs / "stdout.log").read_text(errors="replace").splitlines() \
            if (self.logs / "stdout.log").exists() else []
        bad = [line for line in said if FATAL.search(line)]
        for line in self.log().splitlines():
            if FATAL.search(line):
                if not self.is_own_crash(line):
                    bad.append(line)
            elif BAD_LEVEL.search(line) and not any(
                    a.search(line) for a in [HARMLESS, *self.allow]):
                bad.append(line)
        return bad

    # --- talking to it ---

    def url(self, path="/", host="127.0.0.1"):
        return f"http://{host}:{self.port}{path}"

    def connect(self, port=None):
        """A raw connection; closes with a `with`."""
        return http1.Connection("127.0.0.1", port or self.port)

    def get(self, path="/", headers=(), method="GET", body=None):
        """One request on a connection of its own."""
        with self.connect() as connection:
            return connection.request(method, path, headers, body)
