"""Selective acknowledgments as a receiver makes them (RFC 2018 §4, RFC 2883 §4)."""

from typing import Final

from mptcp.numbers import compute_wire_32
from mptcp.subflow.blocks import NOTHING, Blocks
from mptcp.subflow.control import Control
from mptcp.wire.options import Option, Sack

LARGEST: Final = 4  # blocks of one option; RFC 2018 §3


def note_duplicate(tcb: Control, left: int, right: int) -> None:
    """The octets ``left`` … ``right`` came again though they were acknowledged [R2883-4-01]."""
    if tcb.sack and left < right:
        if tcb.blocks is None:
            tcb.blocks = Blocks()
        tcb.blocks.duplicate = (left, right)


def note_text(tcb: Control, left: int, right: int, rcv_nxt: int) -> None:
    """Text ``left`` … ``right`` was taken when ``rcv_nxt`` was awaited, and RCV.NXT is where it is now."""
    blocks = tcb.blocks
    if left < rcv_nxt:
        note_duplicate(tcb, left, min(right, rcv_nxt))
    elif blocks is not None:
        again = blocks.find_overlap(left, right)
        if again != NOTHING:
            blocks.duplicate = again  # [R2883-4-03] one, however much of the segment is old
    if tcb.rcv_queue.held and tcb.blocks is None:
        tcb.blocks = Blocks()
    blocks = tcb.blocks
    if blocks is None:
        return
    if right > max(left, tcb.rcv_nxt):
        blocks.add(max(left, tcb.rcv_nxt), right)
    blocks.release(tcb.rcv_nxt)
    if not blocks.lefts and blocks.duplicate == NOTHING:
        tcb.blocks = None


def make_sack(tcb: Control) -> Sack | None:
    """The option for the next segment, if there is something to say; never unasked [R2018-4-01]."""
    blocks = tcb.blocks
    if blocks is None:
        return None
    told = blocks.report(LARGEST)
    if not told:
        return None
    irs = tcb.irs
    return Sack(tuple([(compute_wire_32(irs, left), compute_wire_32(irs, right)) for left, right in told]))


def has_sack(options: tuple[Option, ...]) -> bool:
    """Whether there was room for the blocks."""
    for option in options:
        if isinstance(option, Sack):
            return True
    return False


def forget_duplicate(tcb: Control) -> None:
    """It was reported: once is enough [R2883-4-04]."""
    blocks = tcb.blocks
    if blocks is not None:
        blocks.duplicate = NOTHING
        if not blocks.lefts:
            tcb.blocks = None
