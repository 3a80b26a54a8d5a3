"""The base of all couplings: what the subflows of one connection know of each other (RFC 6356 §3).

It sees the windows of all of them and writes into each what its controller then goes by. So a window
still is all that a controller sees, and no subflow knows of another.
"""

from typing import ClassVar

from mptcp.congestion.controller import Window
from mptcp.values import Record


class Coupling(Record):
    """One per connection; this one couples nothing."""

    FIELDS: ClassVar[tuple[str, ...]] = ()

    def couple(self, windows: list[Window]) -> None:
        """``windows`` are those of all subflows in use, told whenever one of them may have changed."""


def decouple(windows: list[Window]) -> None:
    """Each goes by itself again: the others have gone."""
    for window in windows:
        window.total = 0
