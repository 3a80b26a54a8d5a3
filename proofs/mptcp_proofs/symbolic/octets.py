"""Symbolic ``bytes``: of known length with symbolic octets, or long and opaque."""

from collections.abc import Iterator
from typing import Any

from mptcp_proofs.symbolic import context
from mptcp_proofs.symbolic.integers import Leak, SymInt, combine, find_key, lift


class SymBytes:
    """``bytes`` of a known length; each octet is a number, symbolic or not."""

    __slots__ = ("items",)

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return make(self.items[at])
        if at < 0:
            raise Leak("an octet counted from the end")
        return self.items[at]

    def __add__(self, other: Any) -> Any:
        return make(self.items + list(other)) if is_octets(other) else NotImplemented

    def __radd__(self, other: Any) -> Any:
        return make(list(other) + self.items) if is_octets(other) else NotImplemented

    def __eq__(self, other: Any) -> Any:
        if not is_octets(other) or len(self) != len(other):
            return False
        same: Any = True
        for one, two in zip(self.items, other, strict=True):
            same = combine("and", same, one == two)
        return same

    def __ne__(self, other: Any) -> Any:
        same = self == other
        return not same if isinstance(same, bool) else combine("xor", same, True)

    def __lt__(self, other: Any) -> Any:
        if len(self) != len(other):
            raise Leak("an order of octets of different lengths")
        return join(self) < join(other)

    def __gt__(self, other: Any) -> Any:
        if len(self) != len(other):
            raise Leak("an order of octets of different lengths")
        return join(other) < join(self)

    def __hash__(self) -> int:
        raise Leak("the hash of symbolic octets")

    def __str__(self) -> str:
        raise Leak("symbolic octets as text")

    __repr__ = __str__

    def hex(self) -> str:
        """As of bytes, and so refused."""
        raise Leak("symbolic octets as text")


def is_octets(thing: object) -> Any:
    """Whether ``thing`` is octets of known length."""
    return isinstance(thing, (bytes, SymBytes))


def make(items: list[Any]) -> Any:
    """Octets of these numbers: ``bytes`` as soon as all are known."""
    for one in items:
        if isinstance(one, SymInt) and ((one.low < 0 and one < 0) or (one.high > 255 and one > 255)):
            raise ValueError("bytes must be in range(0, 256)")
    if any(isinstance(one, SymInt) for one in items):
        return SymBytes(items)
    return bytes(items)


def join(octets: Any) -> Any:
    """The number that octets are, big-endian."""
    if isinstance(octets, bytes):
        return int.from_bytes(octets, "big")
    if len(octets) == 0:
        return 0
    memo = context.current().memo
    key = ("join", *[find_key(one) for one in octets])
    if key not in memo:
        term = context.current().theory.join([lift(one) for one in octets.items])
        memo[key] = (SymInt(term, 0, (1 << 8 * len(octets)) - 1), octets)
    return memo[key][0]


class View:
    """Long octets, of which what stands at an index is a function of the packet and the index.

    ``start`` and the length may be symbolic.
    """

    __slots__ = ("name", "size", "start")

    def __init__(self, name: str, start: Any, size: Any) -> None:
        self.name = name
        self.start = start
        self.size = size

    def __len__(self) -> Any:
        return self.size

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            first = 0 if at.start is None else at.start
            return self.cut(first, self.size if at.stop is None else at.stop, at.step)
        if at < 0:
            raise Leak("an octet counted from the end")
        if at >= self.size:
            raise IndexError("index out of range")
        return context.current().look(self.name, self.start + at)

    def cut(self, first: Any, stop: Any, step: Any) -> "View":
        """A slice, its bounds as Python trims them."""
        if step is not None or first < 0 or stop < 0:
            raise Leak("a slice counted from the end, or with a step")
        if stop > self.size:
            stop = self.size
        if first > stop:
            first = stop
        return View(self.name, self.start + first, stop - first)

    def __eq__(self, other: object) -> Any:
        raise Leak("a comparison of opaque octets")

    def __hash__(self) -> int:
        raise Leak("the hash of opaque octets")

    def __str__(self) -> str:
        raise Leak("opaque octets as text")

    __repr__ = __str__
