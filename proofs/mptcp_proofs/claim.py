"""The words in which a claim is written: its domain, and what it assumes, requires and reaches.

A claim is a plain function that returns whether it holds; its annotations say over which arguments.
The same function is proved with symbols, tested with chance and replayed with recorded values: who
supplies the arguments is a ``Source``, and a domain asks it for numbers, octets and choices by name.

    def forward(a: Sequence, n: Step) -> bool:
        \"\"\"Less than half the space ahead is ahead.\"\"\"
        return before(a, add(a, n))
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias, get_args, get_origin

Claim: TypeAlias = Callable[..., bool]


class Outside(Exception):
    """The arguments are not among those that the claim is about."""


class Broken(Exception):
    """A part of a claim, named by its label, does not hold."""


@dataclass
class Watcher:
    """What one run of a claim touched: its goals, and how many requirements it made."""

    reached: set[str] = field(default_factory=set)
    required: int = 0


_watchers: list[Watcher] = []


@contextmanager
def watch() -> Iterator[Watcher]:
    """Note what the claims that run inside touch."""
    watcher = Watcher()
    _watchers.append(watcher)
    try:
        yield watcher
    finally:
        _watchers.remove(watcher)


def assume(condition: bool) -> None:
    """The claim is about nothing else than arguments for which ``condition`` is true."""
    if not condition:
        raise Outside


def require(condition: bool, label: str) -> None:
    """A part of the claim; ``label`` says which one failed."""
    for watcher in _watchers:
        watcher.required += 1
    if not condition:
        raise Broken(label)


def reach(goal: str) -> None:
    """Here stands an interesting case: a theorem that lists ``goal`` is vacuous unless it is reached."""
    for watcher in _watchers:
        watcher.reached.add(goal)


class Source(ABC):
    """Who supplies arguments: the prover's symbols, chance, or a record."""

    @abstractmethod
    def integer(self, name: str, low: int, high: int) -> int:
        """A number between ``low`` and ``high``, both included."""

    @abstractmethod
    def boolean(self, name: str) -> bool:
        """A truth value."""

    @abstractmethod
    def octets(self, name: str, length: int) -> bytes:
        """That many octets."""

    @abstractmethod
    def choice(self, name: str, count: int) -> int:
        """One of the numbers below ``count``, never symbolic."""

    @abstractmethod
    def packet(self, name: str, length: int) -> bytes:
        """Long octets of which only a few are looked at; another name, other octets."""

    @abstractmethod
    def table(self, entries: list[tuple[int, int]]) -> dict[int, int]:
        """A dict with these keys and values."""


class Domain(ABC):
    """What an argument may be."""

    @abstractmethod
    def draw(self, source: Source, name: str) -> Any:
        """One argument, its parts named after ``name``."""


@dataclass(frozen=True)
class Between(Domain):
    """The integers ``low`` … ``high``."""

    low: int
    high: int

    def draw(self, source: Source, name: str) -> Any:
        """A number."""
        return source.integer(name, self.low, self.high)


@dataclass(frozen=True)
class Truth(Domain):
    """True and False."""

    def draw(self, source: Source, name: str) -> Any:
        """A truth value."""
        return source.boolean(name)


@dataclass(frozen=True)
class Octets(Domain):
    """``bytes`` of ``shortest`` … ``longest`` octets; of one length when ``longest`` is left out."""

    shortest: int
    longest: int = -1

    def draw(self, source: Source, name: str) -> Any:
        """Octets."""
        more = max(0, self.longest - self.shortest)
        length = self.shortest + (source.choice(name + ".length", more + 1) if more else 0)
        return source.octets(name, length)


@dataclass(frozen=True)
class Packet(Domain):
    """``bytes`` of ``length`` octets whose content only matters by where it goes."""

    length: int

    def draw(self, source: Source, name: str) -> Any:
        """Octets."""
        return source.packet(name, self.length)


class OneOf(Domain):
    """One of a few things, never symbolic."""

    def __init__(self, *things: Any) -> None:
        self.things = things

    def draw(self, source: Source, name: str) -> Any:
        """One of them."""
        return self.things[source.choice(name, len(self.things))]


class Built(Domain):
    """Whatever ``maker`` makes of arguments from the domains that its own annotations name."""

    def __init__(self, maker: Callable[..., Any]) -> None:
        self.maker = maker

    def draw(self, source: Source, name: str) -> Any:
        """One of them."""
        return self.maker(**draw_arguments(self.maker, source, name + "."))


class Either(Domain):
    """The union of domains."""

    def __init__(self, *domains: Domain) -> None:
        self.domains = domains

    def draw(self, source: Source, name: str) -> Any:
        """From one of them, which ``name?`` tells."""
        return self.domains[source.choice(name + "?", len(self.domains))].draw(source, name)


@dataclass(frozen=True)
class Several(Domain):
    """Tuples of ``fewest`` … ``most`` members of one domain."""

    domain: Domain
    fewest: int
    most: int

    def draw(self, source: Source, name: str) -> Any:
        """A tuple."""
        count = self.fewest + source.choice(name + ".count", self.most - self.fewest + 1)
        return tuple(self.domain.draw(source, f"{name}[{index}]") for index in range(count))


@dataclass(frozen=True)
class Table(Domain):
    """Dicts with ``fewest`` … ``most`` entries from numbers of one domain to numbers of another."""

    keys: Between
    values: Between
    fewest: int
    most: int

    def draw(self, source: Source, name: str) -> Any:
        """A dict; equal keys overwrite each other."""
        count = self.fewest + source.choice(name + ".count", self.most - self.fewest + 1)
        pairs = [
            (self.keys.draw(source, f"{name}.key{index}"), self.values.draw(source, f"{name}.value{index}"))
            for index in range(count)
        ]
        return source.table(pairs)


def find_domain(annotation: Any) -> Domain:
    """The domain that an annotation names: ``bool``, or ``Annotated[…, domain]``."""
    if annotation is bool:
        return Truth()
    if get_origin(annotation) is Annotated:
        for one in get_args(annotation)[1:]:
            if isinstance(one, Domain):
                return one
    raise TypeError(f"{annotation} names no domain")


def draw_arguments(function: Callable[..., Any], source: Source, prefix: str = "") -> dict[str, Any]:
    """Arguments for ``function`` by its annotations."""
    parameters = inspect.signature(function).parameters.values()
    return {one.name: find_domain(one.annotation).draw(source, prefix + one.name) for one in parameters}


def describe(claim: Claim) -> str:
    """The claim in words: the first line of its docstring."""
    return (inspect.getdoc(claim) or claim.__name__).partition("\n")[0]
