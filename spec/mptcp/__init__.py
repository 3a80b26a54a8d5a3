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


def _find_sources(path: str) -> FileFinder:
    """A path hook: inside this package, only .py files are modules."""
    if path != __path__[0] and not path.startswith(__path__[0] + os.sep):
        raise ImportError("not in this package")
    return FileFinder(path, (SourceFileLoader, [".py"]))


def build() -> str:
    """Which build runs: "compiled" or "interpreted"."""
    spec = find_spec("mptcp.numbers")
    origin = spec.origin if spec is not None and spec.origin is not None else ""
    return "compiled" if origin.endswith(tuple(EXTENSION_SUFFIXES)) else "interpreted"


if os.environ.get("MPTCP_PURE") == "1":
    sys.path_hooks.insert(0, _find_sources)
    for _path in [path for path in sys.path_importer_cache if path.startswith(__path__[0])]:
        del sys.path_importer_cache[_path]
