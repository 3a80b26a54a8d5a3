"""The base of all schedulers, and what they see of a subflow (RFC 8684 §3.3.8)."""

from typing import Final, final

from mptcp.values import Micros, Record, Value


@final
class Candidate(Value):
    """A subflow that could carry text now: its index, smoothed round trip (µs), room (octets)."""

    __match_args__ = ("index", "srtt", "room", "is_backup")

    def __init__(self, index: int, srtt: Micros, room: int, is_backup: bool) -> None:
        self.index: Final = index
        self.srtt: Final = srtt
        self.room: Final = room
        self.is_backup: Final = is_backup


class Scheduler(Record):
    """Picks one of the candidates for the next mapping: policy is local. [R8684-3.3.8-01]"""

    FIELDS = ()

    def pick(self, candidates: list[Candidate]) -> int:
        """The index of the chosen subflow, -1 for none; only candidates with room are offered."""
        raise NotImplementedError
