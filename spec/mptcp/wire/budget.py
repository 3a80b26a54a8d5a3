"""What fits in the 40 octets of options, in which order, and what gives way.

RFC 8684 appendix A counts what the usual options take. The layouts are those that Linux sends, so
that middleboxes have seen them: timestamps behind two NOPs, MPTCP last, all on 4-octet borders.

[R8684-A-02] the options of a SYN, [R8684-A-06] of the third packet and [R8684-A-04] of a segment of
data fit; [R8684-A-08] [R8684-3.4.1-29] ADD_ADDR goes on an acknowledgment that has little else.
"""

from typing import Final

from mptcp.parameters import OPTION_SPACE
from mptcp.wire.addresses import AddAddr, AddAddrEcho, AddAddrV0, Prio, PrioV0, RemoveAddr
from mptcp.wire.dss import Dss
from mptcp.wire.endings import Experimental, Fail, FastClose, TcpReset
from mptcp.wire.handshake import (
    CapableAck,
    CapableData,
    CapableSyn,
    CapableSynAck,
    CapableSynV0,
    JoinAck,
    JoinSyn,
    JoinSynAck,
)
from mptcp.wire.options import (
    NOP,
    EndOfList,
    FastOpen,
    Leftover,
    MaximumSegmentSize,
    NoOperation,
    Option,
    Sack,
    SackPermitted,
    Timestamps,
    Unknown,
    WindowScale,
)

# How much an option is needed, least first.
EXTRA: Final = 0  # unknown, experimental: nobody relies on it
SACK: Final = 1  # a hint; RFC 8684 appendix A lets its blocks go first
COOKIE: Final = 2  # costs a round trip at the start [R8684-B.1-01]
BARE_ACK: Final = 3  # a Data ACK alone: the next segment repeats it
REASON: Final = 4  # of a reset
SIGNAL: Final = 5  # addresses and priorities: the caller sends them again by themselves
ENDING: Final = 6  # MP_FAIL, MP_FASTCLOSE
SETUP: Final = 7  # MP_CAPABLE, MP_JOIN, and a mapping: the segment is worth nothing without
TCP: Final = 8  # [R7323-3.2-02] timestamps once agreed are on each segment; MSS, window scale


def compute_length(options: tuple[Option, ...]) -> int:
    """Octets of the area that these options take when emitted, padding included."""
    length = 0
    for option in options:
        length += option.compute_size()
    return (length + 3) & ~3


def arrange(wanted: tuple[Option, ...]) -> tuple[Option, ...]:
    """The options of ``wanted`` that fit, in the order and with the NOPs of Linux.

    What nobody relies on gives way first, and all SACK blocks but one; then the padding; then whole
    options, the least needed first and of equals the last. Compare with ``wanted`` to see what
    did: the same objects come back.
    """
    if len(wanted) == 1 and isinstance(wanted[0], Timestamps):
        return (NOP, NOP, wanted[0])  # fast path: what nearly every segment of TCP carries
    if len(wanted) == 2:  # fast path: and of MPTCP
        first, second = wanted
        if isinstance(first, Timestamps) and isinstance(second, Dss):
            if second.compute_size() % 4:
                return (NOP, NOP, first, second, NOP, NOP)
            return (NOP, NOP, first, second)
    return arrange_any(wanted)


def arrange_any(wanted: tuple[Option, ...]) -> tuple[Option, ...]:
    """``arrange`` for whatever is wanted."""
    kept = [one for one in wanted if not isinstance(one, (NoOperation, EndOfList, Leftover))]
    kept.sort(key=_compute_place)
    while True:
        padded = _pad(kept)
        if compute_length(padded) <= OPTION_SPACE:
            return padded
        if not _give_way_early(kept):
            if _count(kept) <= OPTION_SPACE:  # [R8684-A-01]
                return tuple(kept)
            _give_way(kept)


def _count(options: list[Option]) -> int:
    """Octets without any padding."""
    length = 0
    for option in options:
        length += option.compute_size()
    return length


def _give_way_early(kept: list[Option]) -> bool:
    """Take out what nobody relies on, or a SACK block if it is not the last; whether there was any."""
    for at in range(len(kept) - 1, -1, -1):
        if compute_need(kept[at]) == EXTRA:
            del kept[at]
            return True
    for at, option in enumerate(kept):
        if isinstance(option, Sack) and len(option.blocks) > 1:
            kept[at] = Sack(option.blocks[:-1])  # [R8684-A-07]
            return True
    return False


def _give_way(kept: list[Option]) -> None:
    """Take the last of the least needed options out."""
    place = 0
    for at, option in enumerate(kept):
        if compute_need(option) <= compute_need(kept[place]):
            place = at
    del kept[place]


def compute_need(option: Option) -> int:
    """How much ``option`` is needed, EXTRA … TCP."""
    if isinstance(option, (MaximumSegmentSize, WindowScale, SackPermitted, Timestamps)):
        return TCP
    if isinstance(option, Dss):
        return BARE_ACK if option.mapping is None else SETUP
    if isinstance(option, Sack):
        return SACK
    if isinstance(option, (AddAddr, AddAddrEcho, AddAddrV0, RemoveAddr, Prio, PrioV0)):
        return SIGNAL
    if isinstance(option, (Fail, FastClose)):
        return ENDING
    if isinstance(option, TcpReset):
        return REASON
    if isinstance(option, FastOpen):
        return COOKIE
    if isinstance(option, (Unknown, Experimental)):
        return EXTRA
    return SETUP


def _compute_place(option: Option) -> int:
    """Where Linux writes ``option``; those with the same place keep the order they came in."""
    if isinstance(option, MaximumSegmentSize):
        return 0
    if isinstance(option, SackPermitted):
        return 1
    if isinstance(option, Timestamps):
        return 2
    if isinstance(option, WindowScale):
        return 3
    if isinstance(option, Sack):
        return 4
    if isinstance(option, FastOpen):
        return 5
    if isinstance(option, (Unknown, Experimental)):
        return 10
    if isinstance(option, Dss):
        return 7
    if isinstance(option, TcpReset):
        return 9
    if isinstance(
        option,
        (CapableSyn, CapableSynV0, CapableSynAck, CapableAck, CapableData, JoinSyn, JoinSynAck, JoinAck),
    ):
        return 6
    return 8


def _pad(ordered: list[Option]) -> tuple[Option, ...]:
    """NOPs before TCP's own options, behind the others, so that each ends on a 4-octet border."""
    area: list[Option] = []
    length = 0
    for at, option in enumerate(ordered):
        size = option.compute_size()
        padding = -(length + size) % 4
        paired = isinstance(option, SackPermitted) and at + 1 < len(ordered)
        if paired and isinstance(ordered[at + 1], Timestamps):
            padding = 0  # the two fill three words together
        in_front = isinstance(option, (MaximumSegmentSize, SackPermitted, Timestamps, WindowScale, Sack))
        if in_front:
            area += [NOP] * padding
        area.append(option)
        if not in_front:
            area += [NOP] * padding
        length += size + padding
    return tuple(area)
