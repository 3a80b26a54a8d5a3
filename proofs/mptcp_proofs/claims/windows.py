"""What a segment may be: the receive window, the acknowledgment, the send window (RFC 9293 §3.4, §3.8.6)."""

from typing import Annotated, TypeAlias

from mptcp.numbers import MASK_32, compute_offset_32
from mptcp.parameters import MAXIMUM_WINDOW, MAXIMUM_WINDOW_SHIFT
from mptcp.subflow.acknowledge import is_acceptable_ack, take_ack
from mptcp.subflow.arrival import Terms
from mptcp.subflow.arrive import is_acceptable
from mptcp.subflow.negotiate import compute_window_shift
from mptcp.subflow.transmit import compute_sendable, compute_usable, make
from mptcp.wire.segment import ACK, SYN
from mptcp_proofs.claim import Between, OneOf, assume, reach, require
from mptcp_proofs.claims.domains import Offset, Word
from mptcp_proofs.claims.tcbs import BEGINNING, Example, make_segment, make_tcb
from mptcp_proofs.theorem import Mutant, Theorem

Window: TypeAlias = Annotated[int, Between(0, 0xFFFF << 14)]
SegmentLength: TypeAlias = Annotated[int, Between(0, 0x1_0001)]
Ahead: TypeAlias = Annotated[int, Between(-(1 << 31), (1 << 31) - 1)]
Free: TypeAlias = Annotated[int, Between(-(1 << 30), 1 << 30)]
Shift: TypeAlias = Annotated[int, OneOf(0, 1, 7, 14)]
Buffer: TypeAlias = Annotated[int, Between(1, 1 << 40)]
Size: TypeAlias = Annotated[int, OneOf(1, 7, 536, 1460)]


# -- 63: the receive window -----------------------------------------------------------------------


def is_inside(number: int, rcv_nxt: int, rcv_wnd: int) -> bool:
    """RCV.NXT =< number < RCV.NXT+RCV.WND, on the circle of 32-bit numbers."""
    return (number - rcv_nxt) & MASK_32 < rcv_wnd


def is_acceptable_by_the_book(seq: int, length: int, rcv_nxt: int, rcv_wnd: int) -> bool:
    """The table of RFC 9293 §3.10.7.4, row by row, in the numbers of the wire."""
    if length == 0 and rcv_wnd == 0:
        return seq == rcv_nxt
    if length == 0 and rcv_wnd > 0:
        return is_inside(seq, rcv_nxt, rcv_wnd)
    if length > 0 and rcv_wnd == 0:
        return False
    return is_inside(seq, rcv_nxt, rcv_wnd) or is_inside((seq + length - 1) & MASK_32, rcv_nxt, rcv_wnd)


def accepts(left: Word, rcv_nxt: Offset, rcv_wnd: Window, ahead: Ahead, length: SegmentLength) -> bool:
    """What is acceptable in offsets is what the RFC's table accepts in the numbers of the wire."""
    seq = (left + ahead) & MASK_32
    book = is_acceptable_by_the_book(seq, length, left, rcv_wnd)
    if length > 0 and rcv_wnd > 0 and book and not is_inside(seq, left, rcv_wnd):
        reach("a segment whose end alone is in the window")
    return is_acceptable(rcv_nxt + ahead, length, rcv_nxt, rcv_wnd) == book


# -- 64: the acknowledgment -----------------------------------------------------------------------


def acknowledges_what_was_sent(
    first: Word, snd_una: Offset, flight: Window, max_snd_wnd: Window, ahead: Ahead
) -> bool:
    """An acceptable acknowledgment is of what was sent, and not older than a window; any other is not."""
    number = (first + ahead) & MASK_32
    is_of_what_was_sent = (number - first) & MASK_32 <= flight
    is_recent = (first - number) & MASK_32 <= max_snd_wnd
    if ahead == flight:
        reach("all that was sent")
    is_good = is_acceptable_ack(snd_una + ahead, snd_una, snd_una + flight, max_snd_wnd)
    return is_good == (is_of_what_was_sent or is_recent)


def never_retreats(tcb: Example, number: Word, window: Annotated[int, OneOf(0, 3000, 5000)]) -> bool:
    """SND.UNA never moves back, nor past SND.NXT; what is reported as acknowledged is how far it moved."""
    una, nxt = tcb.snd_una, tcb.snd_nxt
    ack = compute_offset_32(tcb.iss, number, una)
    assume(is_acceptable_ack(ack, una, nxt, tcb.max_snd_wnd))
    segment = make_segment(BEGINNING, number, ACK, window, 0)
    acked = take_ack(tcb, segment, tcb.rcv_nxt, ack, window, False, 9)
    if acked > 0:
        reach("news")
    if ack < una:
        reach("an old acknowledgment")
    require(tcb.snd_nxt == nxt, "SND.NXT stays")
    require(acked == tcb.snd_una - una, "what is reported")
    return una <= tcb.snd_una <= nxt and tcb.snd_una == max(una, ack)


# -- 65: windows ----------------------------------------------------------------------------------


def announces(shift: Shift, is_syn: bool, rcv_nxt: Offset, before: Window, wanted: Buffer) -> bool:
    """The field has 16 bits, says no more than is there, and never draws the right edge back."""
    tcb = make_tcb("ESTABLISHED")
    tcb.rcv_nxt = rcv_nxt
    tcb.rcv_edge = rcv_nxt + before
    tcb.rcv_shift = shift
    segment = make(tcb, 1, SYN | ACK if is_syn else ACK, (), (), Terms(wanted, (), 0, 0))
    scale = 0 if is_syn else shift
    if before > wanted:
        reach("a window that was larger")
    require(0 <= segment.window <= MAXIMUM_WINDOW, "16 bits")
    require(segment.window << scale <= wanted, "what is there")
    require(segment.window == min(wanted >> scale, MAXIMUM_WINDOW), "as much as can be said")
    require(tcb.rcv_edge >= rcv_nxt + before, "no retreat")
    require(tcb.rcv_edge < 1 << 63, "63 bits")
    return tcb.rcv_edge == rcv_nxt + max(before, segment.window << scale)


def can_be_announced(buffer: Buffer) -> bool:
    """The shift is the smallest that can announce the buffer, or the largest there is; 30 bits are enough."""
    shift = compute_window_shift(buffer)
    require(0 <= shift <= MAXIMUM_WINDOW_SHIFT, "at most 14")
    require(MAXIMUM_WINDOW << shift < 1 << 30, "30 bits")
    if shift > 0:
        require(buffer >> (shift - 1) > MAXIMUM_WINDOW, "no smaller one does")
    return buffer >> shift <= MAXIMUM_WINDOW or shift == MAXIMUM_WINDOW_SHIFT


def leaves_inside(una: Offset, flight: Window, snd_wnd: Window, free: Free) -> bool:
    """New text that may leave ends inside the peer's window, and is no more than is permitted."""
    usable = compute_usable(una, una + flight, snd_wnd, free)
    require(0 <= usable <= max(free, 0), "not negative, and permitted")
    if usable == 0:
        return flight >= snd_wnd or free <= 0
    reach("room")
    require(flight + usable <= snd_wnd, "inside the window")
    return flight + usable == snd_wnd or usable == free


def sends_no_silly_segment(
    waiting: Window, usable: Window, mss: Size, flight: Window, largest: Window, nagle: bool
) -> bool:
    """What is sent is never more than waits and may leave; of it whole segments, all, or half a window."""
    room = compute_sendable(waiting, usable, mss, flight, largest, nagle)
    require(0 <= room <= min(waiting, usable), "no more than waits and fits")
    if room == 0:
        reach("nothing yet")
        is_all = 0 < waiting <= usable and (flight == 0 or not nagle)
        return not is_all and min(waiting, usable) < mss
    return room % mss == 0 or room == waiting or (room == usable and room >= largest // 2)


ARRIVE = "mptcp/subflow/arrive.py"
ACKNOWLEDGE = "mptcp/subflow/acknowledge.py"
TRANSMIT = "mptcp/subflow/transmit.py"
NEGOTIATE = "mptcp/subflow/negotiate.py"

THEOREMS = (
    Theorem(
        id="T63",
        name="acceptable",
        words="A segment is acceptable, by its offset, where the table of RFC 9293 accepts its number.",
        sections="RFC 9293 §3.4, §3.10.7.4",
        clauses=("R9293-3.4-04", "R9293-3.4-05"),
        bounds="All numbers less than half the space from RCV.NXT, windows of up to 2**30, segments of up to"
        " 65,535 octets with SYN and FIN.",
        claims=(accepts,),
        goals=("a segment whose end alone is in the window",),
        mutants=(
            Mutant(ARRIVE, "        return rcv_nxt <= seq < rcv_nxt + rcv_wnd\n", "        return True\n"),
            Mutant(
                ARRIVE,
                "        return rcv_nxt <= seq < rcv_nxt + rcv_wnd\n",
                "        return rcv_nxt <= seq <= rcv_nxt + rcv_wnd\n",
            ),
            Mutant(ARRIVE, "        return seq == rcv_nxt\n", "        return seq <= rcv_nxt\n"),
            Mutant(
                ARRIVE,
                "rcv_nxt <= seq + length - 1 < rcv_nxt + rcv_wnd",
                "rcv_nxt <= seq + length < rcv_nxt + rcv_wnd",
            ),
            Mutant(
                ARRIVE,
                "    return rcv_nxt <= seq < rcv_nxt + rcv_wnd or ",
                "    return rcv_nxt < seq < rcv_nxt + rcv_wnd or ",
            ),
        ),
        unclaimed="Segments that reach all over a window of theirs: neither of their ends is inside, and the"
        " RFC's table does not accept them either.",
        theory="line",
    ),
    Theorem(
        id="T64",
        name="acknowledgments",
        words="An acknowledgment is acceptable if it is of what was sent, and not older than the largest"
        " window; then SND.UNA moves to it, and never back, nor past SND.NXT, which stays.",
        sections="RFC 9293 §3.4, §3.10.7.4, RFC 5961 §5.2",
        clauses=("R9293-3.4-03", "R9293-3.10.7.4-04", "R5961-5.2-01"),
        bounds="All numbers less than half the space from SND.UNA, windows of up to 2**30; the movement in"
        " situations just before a wrap, with no more than 1,000 octets in flight.",
        claims=(acknowledges_what_was_sent, never_retreats),
        goals=("all that was sent", "news", "an old acknowledgment"),
        mutants=(
            Mutant(ACKNOWLEDGE, "snd_una - max_snd_wnd <= ack <= snd_nxt", "snd_una <= ack <= snd_nxt"),
            Mutant(ACKNOWLEDGE, "snd_una - max_snd_wnd <= ack <= snd_nxt", "snd_una - max_snd_wnd <= ack"),
            Mutant(
                ACKNOWLEDGE,
                "snd_una - max_snd_wnd <= ack <= snd_nxt",
                "snd_una - max_snd_wnd < ack <= snd_nxt",
            ),
            Mutant(
                ACKNOWLEDGE,
                "    if ack > una:  # [R9293-3.4-03]",
                "    if ack != una:",
                by="never_retreats",
            ),
            Mutant(
                ACKNOWLEDGE, "    return max(ack - una, 0)", "    return abs(ack - una)", by="never_retreats"
            ),
            Mutant(
                ACKNOWLEDGE, "    tcb.snd_una = ack\n", "    tcb.snd_una = ack - 1\n", by="never_retreats"
            ),
        ),
        unclaimed="What an acknowledgment means for the congestion window.",
    ),
    Theorem(
        id="T65",
        name="window-field",
        words="The window field has 16 bits, announces no more than there is room for, and never draws the"
        " right edge back; offsets stay below 2**63.",
        sections="RFC 9293 §3.1, §3.8.6, RFC 7323 §2.3",
        clauses=("R9293-3.8.6-03", "R7323-2.2-03", "R8684-3.3.4-04"),
        bounds="Offsets below 2**62, room for up to 2**40 octets, shifts 0, 1, 7 and 14, SYNs and others.",
        claims=(announces,),
        goals=("a window that was larger",),
        mutants=(
            Mutant(
                TRANSMIT,
                "field = min(terms.window >> shift, MAXIMUM_WINDOW)",
                "field = terms.window >> shift & 0xFFFF",
            ),
            Mutant(
                TRANSMIT,
                "field = min(terms.window >> shift, MAXIMUM_WINDOW)",
                "field = min((terms.window >> shift) + 1, MAXIMUM_WINDOW)",
            ),
            Mutant(
                TRANSMIT,
                "tcb.rcv_edge = max(tcb.rcv_edge, tcb.rcv_nxt + (field << shift))",
                "tcb.rcv_edge = tcb.rcv_nxt + (field << shift)",
            ),
            Mutant(TRANSMIT, "shift = 0 if flags & SYN else tcb.rcv_shift", "shift = tcb.rcv_shift"),
        ),
        unclaimed="How much room the connection says there is.",
    ),
    Theorem(
        id="T66",
        name="inside-the-window",
        words="New text ends inside the peer's window and is no more than congestion control permits; it"
        " goes in whole segments, or is all there is, or half of the largest window. The shift of our"
        " own window is the smallest that can announce the buffer.",
        sections="RFC 9293 §3.8.6, RFC 7323 §2.3, RFC 5681 §2",
        clauses=("R5681-2-01", "R9293-3.8.6-04", "R9293-3.8.6.2.1-01", "R7323-2.3-01", "R8684-3.3.5-04"),
        bounds="Offsets below 2**62, windows of up to 2**30, segments of four sizes, buffers of up to 2**40.",
        claims=(leaves_inside, sends_no_silly_segment, can_be_announced),
        goals=("room", "nothing yet"),
        mutants=(
            Mutant(TRANSMIT, "min(snd_una + snd_wnd - snd_nxt, free)", "min(snd_una + snd_wnd, free)"),
            Mutant(TRANSMIT, "min(snd_una + snd_wnd - snd_nxt, free)", "snd_una + snd_wnd - snd_nxt"),
            Mutant(
                TRANSMIT,
                "return max(0, min(snd_una + snd_wnd - snd_nxt, free))",
                "return min(snd_una + snd_wnd - snd_nxt, free)",
            ),
            Mutant(
                TRANSMIT,
                "        return length - tail  # [R9293-3.9.1.2-04]",
                "        return length  # [R9293-3.9.1.2-04]",
                by="sends_no_silly_segment",
            ),
            Mutant(
                TRANSMIT,
                "if length < waiting and length >= largest // 2:",
                "if length < waiting:",
                by="sends_no_silly_segment",
            ),
            Mutant(
                TRANSMIT, "length = min(waiting, usable)\n", "length = waiting\n", by="sends_no_silly_segment"
            ),
            Mutant(
                NEGOTIATE,
                "shift < MAXIMUM_WINDOW_SHIFT and buffer >> shift > MAXIMUM_WINDOW",
                "shift < MAXIMUM_WINDOW_SHIFT and buffer >> shift >= MAXIMUM_WINDOW",
                by="can_be_announced",
            ),
            Mutant(
                NEGOTIATE,
                "shift < MAXIMUM_WINDOW_SHIFT and buffer",
                "shift < MAXIMUM_WINDOW_SHIFT - 1 and buffer",
                by="can_be_announced",
            ),
        ),
        unclaimed="Probes of a closed window, and what is sent again: T68.",
        theory="line",
    ),
)
