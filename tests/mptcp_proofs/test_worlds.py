"""The loader: the unchanged .py files, whatever is installed, in a world of their own."""

import builtins
import sys
from importlib.machinery import EXTENSION_SUFFIXES

import pytest

import mptcp.numbers
from mptcp.wire.dss import DataAck
from mptcp_proofs.claims.serial import forward
from mptcp_proofs.engine import make_plain_world, make_symbolic_world
from mptcp_proofs.registry import select
from mptcp_proofs.symbolic import models
from mptcp_proofs.symbolic.loader import World, find_path


def test_sources_only() -> None:
    """Every module of a world comes from a .py file, and is another than the shared one."""
    world = make_plain_world()
    world.load("mptcp.host")
    assert len(world.modules) > 30
    for name, module in world.modules.items():
        assert str(module.__file__).endswith(".py"), name
        assert not str(module.__file__).endswith(tuple(EXTENSION_SUFFIXES))
        assert module is not sys.modules.get(name)


def test_nothing_leaves() -> None:
    """A world adds nothing to the process's modules."""
    before = set(sys.modules)
    make_plain_world().load("mptcp.api")
    assert {name for name in set(sys.modules) - before if name.startswith(("mptcp", "private"))} == set()


def test_modules_know_each_other() -> None:
    """Inside a world one class is one class; between worlds it is not."""
    world = make_plain_world()
    mine = world.load("mptcp.wire.segment").dss.DataAck
    assert mine is world.load("mptcp.wire.dss").DataAck
    assert mine is world.load("mptcp.connection.send").DataAck
    assert mine is not DataAck
    assert mine(7, True).number == 7
    assert world.load("mptcp").wire.dss.DataAck is mine


def test_changes() -> None:
    """A change reaches the world that it was given to, and no other."""
    path = find_path("mptcp.numbers")
    text = path.read_text(encoding="utf-8").replace("return (sequence + step) & MASK_32", "return 42")
    assert World({"mptcp/numbers.py": text}).load("mptcp.numbers").add(1, 1) == 42
    assert make_plain_world().load("mptcp.numbers").add(1, 1) == mptcp.numbers.add(1, 1) == 2


def test_twins() -> None:
    """A claim's twin is the same text over the world's own sources."""
    world = make_plain_world()
    twin = world.find(forward)
    assert twin is not forward
    assert twin.__code__.co_filename == forward.__code__.co_filename
    assert twin.__globals__["before"] is world.load("mptcp.numbers").before


def test_replacing() -> None:
    """A stub takes a function's place wherever that was imported to."""
    world = make_plain_world()
    segment = world.load("mptcp.wire.segment")
    checksum = world.load("mptcp.wire.checksum")
    assert segment.compute_sum is checksum.compute_sum
    world.replace("mptcp.wire.checksum:compute_sum", "mptcp_proofs.claims.headers:opaque_sum")
    assert segment.compute_sum.__name__ == checksum.compute_sum.__name__ == "opaque_sum"


def test_what_is_modelled() -> None:
    """A symbolic world replaces three builtins, three libraries and, once proved, six helpers."""
    assert sorted(models.BUILTINS) == ["bytes", "int", "len"]
    assert sorted(models.MODULES) == ["hashlib", "hmac", "librt.strings"]
    assert {name: sorted(one) for name, one in models.SUMMARIES.items()} == {
        "mptcp.wire.octets": ["u16", "u32", "u64", "write_16", "write_32", "write_64"]
    }
    world = make_symbolic_world(select(["T11"])[0])
    scope = world.load("mptcp.numbers").__dict__["__builtins__"]
    replaced = {name for name, thing in scope.items() if vars(builtins).get(name) is not thing}
    assert replaced == {"bytes", "int", "len", "__import__"}


def test_missing() -> None:
    """A module that does not exist is missing in every world."""
    with pytest.raises(ModuleNotFoundError):
        make_plain_world().load("mptcp.novel")
