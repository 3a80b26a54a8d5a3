"""What was learnt of destinations, for the next connection to them (RFC 8684 §3.9.3, §3.1).

A path that swallows SYNs with MP_CAPABLE costs each connection some seconds; a peer that knows only
version 0 answers none of ours. Neither has to be found out again by each connection.
"""

from typing import Final, final

from mptcp.parameters import DESTINATIONS
from mptcp.values import Address, Micros, Record, Value


@final
class Lesson(Value):
    """Offer ``version`` of MPTCP, or NOTHING, up to the moment ``until``."""

    __match_args__ = ("version", "until")

    def __init__(self, version: int, until: Micros) -> None:
        self.version: Final = version
        self.until: Final = until


class Destinations(Record):
    """Lessons by address, at most DESTINATIONS of them: the one that is known longest goes first."""

    FIELDS = ("lessons",)

    def __init__(self) -> None:
        self.lessons: dict[Address, Lesson] = {}

    def learn(self, address: Address, version: int, until: Micros) -> None:
        """From now on offer ``address`` no more than ``version``."""
        self.lessons.pop(address, None)
        while len(self.lessons) >= DESTINATIONS:
            del self.lessons[next(iter(self.lessons))]
        self.lessons[address] = Lesson(version, until)

    def find(self, address: Address, version: int, now: Micros) -> int:
        """What to offer ``address`` where one would offer ``version``: that, an older one, or NOTHING."""
        lesson = self.lessons.get(address)
        if lesson is None:
            return version
        if lesson.until <= now:
            del self.lessons[address]  # paths change
            return version
        return min(lesson.version, version)

    def clear(self, address: Address | None = None) -> None:
        """Forget what is known of ``address``; of all if none is named."""
        if address is None:
            self.lessons.clear()
        else:
            self.lessons.pop(address, None)
