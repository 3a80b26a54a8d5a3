"""Any control block of a subflow that may be: what claims about TCP start from.

What holds of each is written here once, as the maker that builds it and as the invariant that a claim
asks of it afterwards: a claim that goes from one to the other is a step of induction.
"""

from typing import Annotated, TypeAlias

from mptcp.choices import Choices
from mptcp.congestion.newreno import NewReno
from mptcp.intervals import Intervals
from mptcp.journal import Journal
from mptcp.queue import Queue
from mptcp.subflow.control import NEVER, Control
from mptcp.subflow.state import State
from mptcp.values import Text
from mptcp.wire.segment import Segment
from mptcp_proofs.claim import Between, Built, OneOf
from mptcp_proofs.claims.domains import Word
from mptcp_proofs.claims.ends import HERE, THERE

MSS = 1460
BEGINNING = 0xFFFFFF00  # of both streams, in claims about wire numbers: it wraps soon
Moment: TypeAlias = Annotated[int, OneOf(0)]
Stream: TypeAlias = Annotated[int, Between(1, 1 << 31)]
Flight: TypeAlias = Annotated[int, Between(0, 1 << 30)]
Window: TypeAlias = Annotated[int, Between(0, 0xFFFF << 14)]
Flags: TypeAlias = Annotated[int, Between(0, 0x3F)]
Length: TypeAlias = Annotated[int, OneOf(0, 1)]

OPENING = ("SYN_SENT", "SYN_RECEIVED")
OPEN = ("ESTABLISHED", "CLOSE_WAIT")
FINISHING = ("FIN_WAIT_1", "CLOSING", "LAST_ACK")  # our FIN is not acknowledged
FINISHED = ("FIN_WAIT_2", "TIME_WAIT")
RECEIVED = ("CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT")  # the peer's FIN is


def straighten(initial: int, number: int, near: int) -> int:
    """A number on the wire as the offset itself; in place of compute_offset_32 while proving."""
    return number


def make_tcb(state: str) -> Control:
    """A fresh control block in a state."""
    tcb = Control(HERE, 1, THERE, 2, BEGINNING, MSS, NewReno(), Choices(), Journal(), "subflow 1.0")
    tcb.state = State[state]
    return tcb


def make_opening(state: Annotated[str, OneOf(*OPENING)], is_passive: bool) -> Control:
    """Our SYN is out and not acknowledged."""
    tcb = make_tcb(state)
    tcb.snd_nxt = 1
    tcb.rto_at = 1
    tcb.is_passive = is_passive
    if state == "SYN_RECEIVED":
        tcb.rcv_nxt = tcb.rcv_edge = 1
    return tcb


def make_synchronized(
    state: Annotated[str, OneOf(*OPEN, *FINISHING, *FINISHED)],
    snd_una: Stream,
    flight: Flight,
    unsent: Flight,
    snd_wnd: Window,
    rcv_nxt: Stream,
    rcv_wnd: Window,
) -> Control:
    """Both SYNs are acknowledged; ``flight`` octets are not, ``unsent`` wait."""
    tcb = make_tcb(state)
    tcb.snd_una = snd_una
    tcb.snd_nxt = snd_una + flight
    end = snd_una + flight + unsent
    if state in FINISHED:
        tcb.snd_nxt = end = snd_una
        tcb.snd_fin = snd_una - 1
    elif state in FINISHING:
        tcb.snd_fin = end
        if unsent == 0:
            tcb.snd_nxt = end + 1
    tcb.snd_queue = Queue(min(snd_una, end))
    tcb.snd_queue.append(Text(b"", 0, end - tcb.snd_queue.start))
    tcb.snd_wnd = tcb.max_snd_wnd = snd_wnd
    tcb.rcv_nxt = rcv_nxt
    tcb.rcv_edge = rcv_nxt + rcv_wnd
    tcb.rcv_queue = Intervals(rcv_nxt)
    if state in RECEIVED:
        tcb.rcv_fin = rcv_nxt - 1
    if tcb.snd_una < tcb.snd_nxt:
        tcb.board.send(tcb.snd_una, tcb.snd_nxt, MSS, 0)
        tcb.rto_at = 1
    return tcb


def make_example(
    state: Annotated[str, OneOf(*OPEN, *FINISHING, *FINISHED)],
    flight: Annotated[int, OneOf(0, 1000)],
    rcv_wnd: Annotated[int, OneOf(0, 3000)],
) -> Control:
    """Both SYNs are acknowledged, and the numbers are some that occur; they wrap within both windows."""
    tcb = make_synchronized(state, 200, flight, 0, 5000, 100, rcv_wnd)
    tcb.irs = BEGINNING
    return tcb


STRAIGHT = {
    "mptcp.numbers:compute_offset_32": "mptcp_proofs.claims.tcbs:straighten",
}
"""Stubs for claims in linear arithmetic: T12 and T14 show that offsets are what numbers stand for."""

Opening: TypeAlias = Annotated[Control, Built(make_opening)]
Example: TypeAlias = Annotated[Control, Built(make_example)]
Synchronized: TypeAlias = Annotated[Control, Built(make_synchronized)]


def make_segment(
    sequence: Word, acknowledgment: Word, flags: Flags, window: Annotated[int, OneOf(0, 5000)], length: Length
) -> Segment:
    """Any segment without options that the peer may send; of its text the length matters."""
    text = (Text(bytes(length), 0, length),) if length > 0 else ()
    return Segment(THERE, HERE, 2, 1, sequence, acknowledgment, flags, window, 0, (), text)


AnySegment: TypeAlias = Annotated[Segment, Built(make_segment)]


def is_sound(tcb: Control) -> bool:
    """The numbers are in their order."""
    return tcb.snd_una <= tcb.snd_nxt and tcb.rcv_nxt <= tcb.rcv_edge


def has_clock(tcb: Control) -> bool:
    """What is in flight has a clock that will ask for it, or is about to leave again."""
    if tcb.state is State.CLOSED or tcb.snd_una == tcb.snd_nxt:
        return True
    return tcb.rto_at != NEVER or tcb.persist_at != NEVER or tcb.probe_now
