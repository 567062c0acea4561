"""Where the things under test are.

SPDX-License-Identifier: Apache-2.0
"""
import os
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent


def built(relative):
    """The path of something that was built: in AUTHWS_BUILDDIR, out/gcc, or the source tree."""
    for place in (os.environ.get("AUTHWS_BUILDDIR"), SOURCE / "out" / "gcc", SOURCE):
        if place and (Path(place) / relative).exists():
            return Path(place) / relative
    raise FileNotFoundError(f"{relative} has not been built (see build/check)")


def module():
    return Path(os.environ.get("AUTHWS_MODULE") or built(".libs/mod_authws.so"))


def htdigest():
    return Path(os.environ.get("AUTHWS_HTDIGEST") or built("tools/authws-htdigest"))


def authws():
    return Path(os.environ.get("AUTHWS_PROGRAM") or built("tools/authws"))
