"""Which exploration is under way: symbols ask it to decide, to remember, and how to write themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_explorers: list[Any] = []


def current() -> Any:
    """The innermost exploration under way (an ``Explorer``)."""
    return _explorers[-1]


@contextmanager
def under_way(explorer: Any) -> Iterator[None]:
    """Inside, symbols are those of ``explorer``."""
    _explorers.append(explorer)
    try:
        yield
    finally:
        _explorers.pop()
