"""Multipath TCP: the protocol of RFC 8684 and the RFC 9293 below it, and nothing else.

No clock, no chance, no socket, no logging: time (µs) and randomness (octets) are arguments. The
folders are levels and imports point down; ``mptcp.host`` is where octets go in and out.

The same text runs in two builds. Installed with a C compiler at hand it is *compiled* by mypyc; with
the environment's ``MPTCP_PURE=1``, or without a compiler, it is *interpreted*. ``build()`` says which.
This file is never compiled: it holds the switch.
"""

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, FileFinder, SourceFileLoader
from importlib.util import find_spec

__version__ = "0.1.0"


def build() -> str:
    """Which build runs: "compiled" or "interpreted"."""
    spec = find_spec("mptcp.numbers")
    origin = spec.origin if spec is not None and spec.origin is not None else ""
    return "compiled" if origin.endswith(tuple(EXTENSION_SUFFIXES)) else "interpreted"


def obey_switch(folder: str) -> None:
    """With MPTCP_PURE=1, only .py files are modules inside the package in ``folder``."""
    if os.environ.get("MPTCP_PURE") != "1":
        return

    def find_sources(path: str) -> FileFinder:
        if path != folder and not path.startswith(folder + os.sep):
            raise ImportError("not in this package")
        return FileFinder(path, (SourceFileLoader, [".py"]))

    sys.path_hooks.insert(0, find_sources)
    for path in [path for path in sys.path_importer_cache if path.startswith(folder)]:
        del sys.path_importer_cache[path]


obey_switch(__path__[0])
