"""How long packets may be on one path: a search as a table, and the numbers that it goes by (RFC 8899 §5).

All sizes are octets of whole packets, IP header included. A subflow begins with what both ends take
(RFC 1191 §2); a router's word, or silence, makes it less; segments of text that are longer than all
before find out whether it may be more (RFC 4821 §3).
"""

from enum import Enum
from typing import Final

from mptcp.native import i64
from mptcp.parameters import (
    BASE_PATH_MTU,
    IPV4_HEADER,
    IPV6_HEADER,
    PROBE_ATTEMPTS,
    PROBE_STEP,
    SMALLEST_PATH_MTU_IPV4,
    SMALLEST_PATH_MTU_IPV6,
    TCP_HEADER,
)
from mptcp.values import Micros, Record

NEVER: Final = (1 << 62) - 1  # in place of a moment, or of an offset, that does not come

PLATEAUS: Final = (65_535, 32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006, 576)  # RFC 1191 §7.1


class Search(Enum):
    """How far the search has come (RFC 8899 §5.2 [R8899-5.2-01])."""

    BASE = "base"  # full-sized segments vanished: the base size, until one of them arrives
    SEARCHING = "searching"  # longer segments are tried
    COMPLETE = "search complete"  # the size is the best that is known
    ERROR = "error"  # not even the base size arrives: the smallest


class Finding(Enum):
    """What moves it on."""

    ARRIVED = "arrived"  # a segment of the present size
    FOUND = "found"  # nothing is left that is worth a probe
    TOO_BIG = "too big"  # a router said so, and is believed
    BLACK_HOLE = "black hole"  # segments vanish, and nobody says why
    EXPIRY = "expiry"  # the path may have become better


SEARCHES: Final[dict[Search, dict[Finding, Search]]] = {
    Search.BASE: {
        Finding.ARRIVED: Search.SEARCHING,
        Finding.TOO_BIG: Search.BASE,
        Finding.BLACK_HOLE: Search.ERROR,
    },
    Search.SEARCHING: {
        Finding.FOUND: Search.COMPLETE,
        Finding.TOO_BIG: Search.COMPLETE,
        Finding.BLACK_HOLE: Search.BASE,
    },
    Search.COMPLETE: {
        Finding.TOO_BIG: Search.COMPLETE,
        Finding.BLACK_HOLE: Search.BASE,
        Finding.EXPIRY: Search.SEARCHING,
    },
    Search.ERROR: {
        Finding.ARRIVED: Search.SEARCHING,
        Finding.TOO_BIG: Search.ERROR,
        Finding.BLACK_HOLE: Search.ERROR,
    },
}


def compute_plateau(size: int) -> int:
    """The next smaller of the usual sizes, for a router that does not say (RFC 1191 §5 [R1191-3-05])."""
    for plateau in PLATEAUS:
        if plateau < size:
            return plateau
    return SMALLEST_PATH_MTU_IPV4


def compute_candidate(low: int, high: int, hint: int) -> int:
    """The size to try next: ``hint`` if it is worth it, else halfway; 0 when nothing is.

    ``low`` arrives, more than ``high`` does not (RFC 4821 §7.3 [R4821-7.3-02] [R4821-7.1-01]).
    """
    if high - low < PROBE_STEP:
        return high if hint == high > low else 0
    return hint if low < hint <= high else low + (high - low + 1) // 2


class PathMtu(Record):
    """What one subflow knows of its path. Functions that act on it stand in discovery.py."""

    FIELDS = (
        "search",
        "header",
        "bound",
        "base",
        "floor",
        "size",
        "high",
        "hint",
        "arrived",
        "look_at",
        "probe_size",
        "failures",
        "tested",
        "test_start",
        "test_end",
        "is_probe",
        "claimed",
        "claimed_at",
    )

    def __init__(self, is_ipv4: bool, mss: int) -> None:
        self.search = Search.COMPLETE
        self.header: i64 = TCP_HEADER + (IPV4_HEADER if is_ipv4 else IPV6_HEADER)  # before text and options
        self.bound: i64 = mss + self.header  # the longest that both ends take
        self.base: i64 = BASE_PATH_MTU
        self.floor: i64 = SMALLEST_PATH_MTU_IPV4 if is_ipv4 else SMALLEST_PATH_MTU_IPV6
        self.size: i64 = self.bound  # the longest we send: PLPMTU of RFC 8899, eff_pmtu of RFC 4821
        self.high: i64 = self.bound  # more than this does not arrive: search_high of RFC 4821 §7.1
        self.hint: i64 = 0  # a size that is likely to arrive; 0: none
        self.arrived: i64 = 0  # the longest known to have arrived: maxsizeacked of RFC 5927 §7.2
        self.look_at: Micros = NEVER  # when to think of the next probe
        self.probe_size: i64 = 0  # a probe of this size leaves as soon as it can; 0: none
        self.failures: i64 = 0  # probes of this size that were lost
        self.tested: i64 = 0  # the size of a packet on its way whose arrival matters
        self.test_start: i64 = NEVER  # where its text begins and ends; NEVER if there is none
        self.test_end: i64 = NEVER
        self.is_probe = False  # it is longer than ``size``
        self.claimed: i64 = 0  # what a router said that nobody believes yet; 0: nothing
        self.claimed_at: i64 = 0  # the offset that it quoted

    def birth(self) -> tuple[object, ...]:
        """See ``Record``."""
        return (self.header == TCP_HEADER + IPV4_HEADER, self.bound - self.header)

    @property
    def mss(self) -> int:
        """Text octets of a packet of ``size`` without options."""
        return self.size - self.header

    def turn(self, finding: Finding) -> None:
        """The one place that writes ``search``; a finding that the table does not know is our mistake."""
        self.search = SEARCHES[self.search][finding]

    def agree(self, mss: int) -> None:
        """The peer takes ``mss`` octets of text without options (RFC 9293 §3.7.1, RFC 8201 §5.4)."""
        self.bound = min(self.bound, mss + self.header)
        self.base = min(self.base, self.bound)
        self.floor = min(self.floor, self.bound)
        self.size = min(self.size, self.bound)
        self.high = min(self.high, self.bound)

    def remember(self, size: int, look_at: Micros) -> None:
        """What somebody else found out about this path, good up to ``look_at`` (RFC 8201 §5.2)."""
        self.size = min(size, self.bound)
        self.look_at = look_at

    def start_search(self, now: Micros) -> None:
        """Longer packets may arrive: begin with the longest [R4821-7.3-01]."""
        self.high = self.bound
        self.hint = self.bound
        self.failures = 0
        self.look_at = now

    def start_test(self, size: int, start: int, end: int, is_probe: bool) -> None:
        """A packet of ``size`` with the text ``start`` … ``end`` leaves."""
        self.tested = size
        self.test_start = start
        self.test_end = end
        self.is_probe = is_probe
        if is_probe:
            self.probe_size = 0

    def end_test(self) -> None:
        """It arrived, or is lost, or nobody will know."""
        self.test_start = NEVER
        self.test_end = NEVER
        self.is_probe = False

    def fail(self, next_at: Micros) -> None:
        """The probe was lost, and nothing else: a second time tells that it is too long [R4821-7.6.2-01]."""
        self.failures += 1
        if self.failures >= PROBE_ATTEMPTS:
            self.high = self.tested - 1
            self.hint = 0
            self.failures = 0
        self.look_at = next_at
        self.end_test()
