"""Two sources of arguments beside the prover: chance, and a record of what the prover or chance found."""

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from hypothesis import strategies

from mptcp_proofs.claim import Broken, Claim, Outside, Source, draw_arguments

HOLDS = "holds"
OUTSIDE = "outside"


@cache
def make_packet(name: str, length: int) -> bytes:
    """Octets that depend on the name and do not repeat."""
    return hashlib.shake_128(name.encode()).digest(length)


class Chance(Source):
    """Hypothesis draws, bounds and neighbours of powers of two more often than the rest."""

    def __init__(self, draw: Callable[[strategies.SearchStrategy[Any]], Any]) -> None:
        self.draw = draw

    def integer(self, name: str, low: int, high: int) -> int:
        """A number."""
        return int(self.draw(make_integers(low, high)))

    def boolean(self, name: str) -> bool:
        """A truth value."""
        return bool(self.draw(strategies.booleans()))

    def octets(self, name: str, length: int) -> bytes:
        """Octets."""
        return bytes(self.draw(strategies.binary(min_size=length, max_size=length)))

    def choice(self, name: str, count: int) -> int:
        """One of the alternatives."""
        return int(self.draw(strategies.integers(0, count - 1)))

    def packet(self, name: str, length: int) -> bytes:
        """Octets that no other name has."""
        return make_packet(name, length)

    def table(self, entries: list[tuple[int, int]]) -> dict[int, int]:
        """A dict."""
        return dict(entries)


@cache
def make_integers(low: int, high: int) -> strategies.SearchStrategy[int]:
    """Numbers between the two, small ones and the edges of words and of the interval often."""
    edges = {low, low + 1, high - 1, high, 0, 1, -1}
    for bits in (15, 16, 31, 32, 63):
        edges |= {sign * (1 << bits) + step for step in (-1, 0, 1) for sign in (1, -1)}
    usual = sorted(one for one in edges if low <= one <= high)
    small = strategies.integers(max(low, min(high, -9)), min(high, max(low, 0) + 300))
    return strategies.integers(low, high) | strategies.sampled_from(usual) | small


class Recorded(Source):
    """A record says what each argument is; what it does not name is the least there is."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def integer(self, name: str, low: int, high: int) -> int:
        """As recorded."""
        return int(self.values.get(name, low))

    def boolean(self, name: str) -> bool:
        """As recorded."""
        return bool(self.values.get(name, False))

    def octets(self, name: str, length: int) -> bytes:
        """As recorded."""
        return bytes(self.values.get(name, bytes(length)))

    def choice(self, name: str, count: int) -> int:
        """As recorded."""
        return int(self.values.get(name, 0))

    def packet(self, name: str, length: int) -> bytes:
        """Octets that no other name has."""
        return make_packet(name, length)

    def table(self, entries: list[tuple[int, int]]) -> dict[int, int]:
        """A dict."""
        return dict(entries)


def make_strategy(claim: Claim) -> strategies.SearchStrategy[dict[str, Any]]:
    """Hypothesis' strategy for all arguments of ``claim``."""

    @strategies.composite
    def arguments(draw: Callable[[strategies.SearchStrategy[Any]], Any]) -> dict[str, Any]:
        return draw_arguments(claim, Chance(draw))

    return arguments()


def replay(claim: Claim, values: Mapping[str, Any]) -> str:
    """Run ``claim`` on recorded arguments: HOLDS, OUTSIDE, or what is wrong."""
    try:
        return HOLDS if claim(**draw_arguments(claim, Recorded(values))) else "the claim is false"
    except Outside:
        return OUTSIDE
    except Broken as broken:
        return str(broken)
    except Exception as error:  # whatever escapes is what the claim says never does
        return f"{type(error).__name__}: {error}"
