"""What goes up and what comes down: verdicts, arrivals and terms.

TCP never asks upward. The connection reads an ``Arrival`` after each segment and hands ``Terms``
down with each transmit: the two levels are separate (RFC 8684 §3.3.1 [R8684-3.3.1-16]).
"""

from enum import Enum
from typing import Final, final

from mptcp.native import i64, mypyc_attr
from mptcp.values import Text, Value
from mptcp.wire.options import Option


class Verdict(Enum):
    """What became of a segment."""

    ACCEPTED = "accepted"  # its options count, its text was taken as far as it was new
    DROPPED = "dropped"  # as if it had not come, but for an ACK that may leave
    REFUSED = "refused"  # it is not of this connection: a RST answers it
    RESET = "reset"  # it ended the subflow


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Arrival(Value):
    """What one segment did to its subflow.

    ``text`` is what became readable in subflow order. ``acknowledged`` are
    the octets newly acknowledged, SYN and FIN included; ``clause`` names why a segment was not
    accepted. ``window`` is the announced one, octets, scaled. The segment's own text, new or not, was
    ``length`` octets from offset ``seq`` on.
    """

    __match_args__ = ("verdict", "clause", "text", "acknowledged", "window", "options", "seq", "length")

    def __init__(
        self,
        verdict: Verdict,
        clause: str = "",
        text: tuple[Text, ...] = (),
        acknowledged: i64 = 0,
        window: i64 = 0,
        options: tuple[Option, ...] = (),
        seq: i64 = 0,
        length: i64 = 0,
    ) -> None:
        self.verdict: Final = verdict
        self.clause: Final = clause
        self.text: Final = text
        self.acknowledged: Final = acknowledged
        self.window: Final = window
        self.options: Final = options
        self.seq: Final = seq
        self.length: Final = length


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Layout(Value):
    """The options of a segment as they are laid out, in ``length`` octets.

    For a TSval and a TSecr, or -1 without timestamps, and ``added`` by the connection.
    """

    __match_args__ = ("tsval", "tsecr", "added", "options", "length")

    def __init__(
        self, tsval: i64, tsecr: i64, added: tuple[Option, ...], options: tuple[Option, ...], length: i64
    ) -> None:
        self.tsval: Final = tsval
        self.tsecr: Final = tsecr
        self.added: Final = added
        self.options: Final = options
        self.length: Final = length

    def is_for(self, tsval: int, tsecr: int, added: tuple[Option, ...]) -> bool:
        """Whether these give this layout; ``added`` counts only as the very same tuple."""
        return self.added is added and self.tsval == tsval and self.tsecr == tsecr


class Kind(Enum):
    """What the next segment of a subflow is for."""

    NOTHING = "nothing"
    SYN = "SYN"
    TEXT = "text"
    FIN = "FIN"
    ACK = "ACK"
    RESET = "RST"


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Plan(Value):
    """The next segment: its kind, and the offset of its first octet."""

    __match_args__ = ("kind", "start")

    def __init__(self, kind: Kind, start: i64) -> None:
        self.kind: Final = kind
        self.start: Final = start


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Terms(Value):
    """On what terms a segment leaves: the window to announce (octets), MPTCP options, where to stop.

    ``limit`` is the offset that text of this segment may not cross (the end of its mapping), ``overhead``
    the octets of options, besides timestamps, that it may have to make room for when it goes again.
    """

    __match_args__ = ("window", "options", "limit", "overhead")

    def __init__(self, window: i64, options: tuple[Option, ...], limit: i64, overhead: i64) -> None:
        self.window: Final = window
        self.options: Final = options
        self.limit: Final = limit
        self.overhead: Final = overhead
