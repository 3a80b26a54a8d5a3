"""The journal: the name of each rule that fires, and when.

One mechanism gives rule coverage, readable traces and a judge's explanation. A journal only
watches: no rule reads it, so that a host with and without one behaves alike.
"""

from enum import Enum
from typing import Final, final

from mptcp.values import Micros, Value


@final
class Note(Value):
    """One rule that fired: when (µs), where (the subflow or connection's name), which, on what."""

    __match_args__ = ("now", "where", "rule", "detail")

    def __init__(self, now: Micros, where: str, rule: str, detail: str) -> None:
        self.now: Final = now
        self.where: Final = where
        self.rule: Final = rule
        self.detail: Final = detail


@final
class Journal:
    """Up to ``limit`` notes in the order in which the rules fired; limit 0 notes nothing."""

    def __init__(self, limit: int = 0) -> None:
        self.limit: Final = limit
        self.notes: list[Note] = []

    def note(self, now: Micros, where: str, rule: str, detail: str = "") -> None:
        """Write down that ``rule`` fired; the names are the RFC's, the detail is free."""
        if len(self.notes) < self.limit:
            self.notes.append(Note(now, where, rule, detail))

    def note_move(self, now: Micros, where: str, signal: Enum, before: Enum, after: Enum) -> None:
        """A state machine went a step; spelt out only where it is written down."""
        if len(self.notes) < self.limit:
            self.note(now, where, signal.value, before.value + " -> " + after.value)
