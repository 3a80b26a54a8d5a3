"""Virtual time: µs that pass only when something happens.

What happens next is a heap ordered by moment and, within one moment, by the order in which it was
scheduled: two runs with the same beginning never differ.
"""

from heapq import heappop, heappush
from typing import Final, NamedTuple

from mptcp.values import Micros
from mptcp_model.state import State

MOMENT_LIMIT: Final = 100_000
"""Happenings at one and the same moment before we say that time stands still."""


class Livelock(Exception):
    """Much happens and nothing moves: who schedules it without end is named."""


class Happening(NamedTuple):
    """What is going to happen: ``packet`` reaches ``node``, or, with no packet, an alarm wakes it."""

    when: Micros
    serial: int
    node: str
    packet: bytes | None


class Clock(State):
    """The present moment ``now`` (µs, from 0) and what is scheduled after it."""

    FIELDS = ("now", "queue", "serial", "at_this_moment")

    def __init__(self) -> None:
        self.now: Micros = 0
        self.queue: list[Happening] = []
        self.serial = 0
        self.at_this_moment = 0

    def schedule(self, when: Micros, node: str, packet: bytes | None = None) -> None:
        """Let ``node`` see ``packet`` (None: an alarm) at the moment ``when``; never in the past."""
        self.serial += 1
        heappush(self.queue, Happening(max(when, self.now), self.serial, node, packet))

    def peek(self) -> Happening | None:
        """What happens next; None when nothing will."""
        return self.queue[0] if self.queue else None

    def drop(self) -> None:
        """Take what would happen next off, so that it does not, and time does not come to it."""
        heappop(self.queue)

    def take(self) -> Happening:
        """Go to the next happening and take it off. Raises Livelock when time stands still."""
        happening = heappop(self.queue)
        if happening.when > self.now:
            self.at_this_moment = 0
        self.at_this_moment += 1
        if self.at_this_moment > MOMENT_LIMIT:
            raise Livelock(f"{MOMENT_LIMIT} happenings at {self.now} µs, the last at {happening.node}")
        self.now = happening.when
        return happening

    def pass_to(self, moment: Micros) -> None:
        """Let time pass to ``moment`` although nothing happens."""
        self.now = max(self.now, moment)
