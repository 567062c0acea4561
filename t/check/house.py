"""What the check scripts share: the tree's files, and one `ok` or `not ok` line a promise.

SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import sys
from pathlib import Path

ROOT = Path(os.environ.get("AUTHWS_SRCDIR") or Path(__file__).resolve().parent.parent.parent)
SKIPPED = {".git", "out", "node_modules", "__pycache__", "autom4te.cache", ".pytest_cache",
           ".deps", ".libs", "_build", "_inst", "aux", "corpus", "vectors"}

# What libtoolize puts beside our macros.
BROUGHT = re.compile(r"(libtool|lt[a-z~-]+)\.m4$")
TOP = ("README.md", "configure.ac", "Makefile.am")


def readable(path):
    """Programs without a suffix are scripts; what was built is not for us."""
    if path.suffix:
        return True
    with path.open("rb") as file:
        return file.read(2) == b"#!"


def files(*suffixes, under=("core", "mod_authws", "tools", "t", "build", "doc", "man", ".ci", ".")):
    """Our own files with one of the suffixes ("" is no suffix), in order."""
    seen = set()
    for top in under:
        start = ROOT / top
        walk = [(str(start), [], TOP)] if top == "." else os.walk(start)
        for folder, folders, names in walk:
            folders[:] = sorted(d for d in folders
                                if d not in SKIPPED and not d.startswith("mod_authws-"))
            for name in names:
                path = Path(folder) / name
                if path.suffix in suffixes and path.is_file() and readable(path) \
                        and not BROUGHT.match(name):
                    seen.add(path)
    return sorted(seen)


def name(path):
    return str(path.relative_to(ROOT))


def strip(text):
    """C text with comments and strings blanked out, line for line."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'', blank, text,
                  flags=re.S)


def strip_comments(text):
    """C text with comments blanked out."""
    def blank(match):
        found = match.group(0)
        return found if found[0] == '"' else re.sub(r"[^\n]", " ", found)
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"', blank, text, flags=re.S)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class Report:
    """Collects what is wrong with each promise; `done` prints and ends."""

    def __init__(self, area):
        self.area = area
        self.promises = {}

    def promise(self, what):
        self.promises.setdefault(what, [])

    def wrong(self, what, where):
        self.promises.setdefault(what, []).append(where)

    def done(self):
        for what, places in self.promises.items():
            print(f"{'not ok' if places else 'ok'} check/{self.area}: {what}")
            for place in places:
                print(f"    {place}")
        sys.exit(1 if any(self.promises.values()) or not self.promises else 0)
