"""Losing and recovering as a table: what a sender does between a loss and its repair (RFC 5681 §3)."""

from enum import Enum
from typing import Final

from mptcp.values import Record


class Phase(Enum):
    """How a sender stands with the network."""

    OPEN = "open"  # nothing is known to be lost
    FAST = "fast recovery"  # a loss was seen, and is being repaired
    SLOW = "timeout recovery"  # nothing was heard for one RTO: slow start through all that was out


class News(Enum):
    """What changes that."""

    LOSS = "loss"
    TIMEOUT = "timeout"
    REPAIRED = "repaired"  # all that was out when it began is acknowledged
    MISTAKE = "mistake"  # nothing had been lost


TRANSITIONS: Final[dict[Phase, dict[News, Phase]]] = {
    Phase.OPEN: {
        News.LOSS: Phase.FAST,
        News.TIMEOUT: Phase.SLOW,
        News.MISTAKE: Phase.OPEN,  # the proof may come late
    },
    Phase.FAST: {
        News.TIMEOUT: Phase.SLOW,
        News.REPAIRED: Phase.OPEN,
        News.MISTAKE: Phase.OPEN,
    },
    Phase.SLOW: {
        News.TIMEOUT: Phase.SLOW,
        News.REPAIRED: Phase.OPEN,
        News.MISTAKE: Phase.OPEN,
    },
}


class Episode(Record):
    """One recovery: what it needs while it lasts, and to be taken back if it was a mistake.

    ``start`` is SND.UNA when it began, ``flight`` what was out then (RecoverFS of RFC 6937).
    """

    FIELDS = ("start", "flight", "delivered", "out", "stamp", "resent", "doubled", "frto", "is_rescued")

    def __init__(self, start: int, flight: int) -> None:
        self.start = start
        self.flight = flight
        self.delivered = 0  # prr_delivered: octets that arrived since
        self.out = 0  # prr_out: octets that left since
        self.stamp = -1  # our timestamp when the first octets were sent again; -1: they were not yet
        self.resent = 0  # octets sent again
        self.doubled = 0  # of them, octets that the receiver reports to have had before
        self.frto = 0  # the step of RFC 5682 that the next acknowledgment decides; 0: none
        self.is_rescued = False  # the rescue retransmission of RFC 6675 §4 has left

    def birth(self) -> tuple[object, ...]:
        """See ``Record``."""
        return (self.start, self.flight)
