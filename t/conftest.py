"""Prints each test's outcome as `ok NAME`, `not ok NAME` or `skip NAME` on a line of its own.

SPDX-License-Identifier: Apache-2.0
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(__file__))


class Lines:
    """One line a test; a test whose teardown fails has failed."""

    def __init__(self, config):
        self.config = config

    def pytest_report_teststatus(self, report):
        category = {"passed": "passed", "failed": "failed", "skipped": "skipped"}[report.outcome]
        if report.when != "call" and report.passed:
            return "", "", ""
        return category, "", category.upper()

    def pytest_runtest_logreport(self, report):
        name = report.nodeid
        if report.failed:
            where = "" if report.when == "call" else f" ({report.when})"
            self.line(f"not ok {name}{where}")
        elif report.skipped:
            self.line(f"skip {name}: {report.longrepr[2] if report.longrepr else ''}")
        elif report.when == "call":
            self.line(f"ok {name}")

    def line(self, text):
        writer = self.config.pluginmanager.get_plugin("terminalreporter")
        writer.ensure_newline()
        writer.write_line(text)


def pytest_configure(config):
    config.pluginmanager.register(Lines(config), "authws-lines")
