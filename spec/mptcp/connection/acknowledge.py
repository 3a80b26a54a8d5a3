"""Data ACKs and the shared window: what the sender learns (RFC 8684 §3.3.2, §3.3.5)."""

from typing import Final

from mptcp.connection.control import Control
from mptcp.connection.state import TRANSITIONS, Signal, State
from mptcp.numbers import MASK_32, compute_offset_32, compute_offset_64
from mptcp.subflow.control import NEVER, NO_OFFSET
from mptcp.values import Micros
from mptcp.wire.dss import DataAck

ACK_OF_FIN: Final = (State.M_FINWAIT_1, State.M_CLOSING, State.M_LAST_ACK)


def move(control: Control, signal: Signal, now: Micros) -> None:
    """The one place that writes ``state``; a signal that the table does not know is our mistake."""
    before = control.state
    control.state = TRANSITIONS[before][signal]
    control.journal.note_move(now, control.name, signal, before, control.state)
    if signal is Signal.ESTABLISHED:
        control.was_open = True
    if control.state is State.M_CLOSED:
        control.retransmit_at = NEVER
        control.orphan_at = NEVER


def compute_data_ack(control: Control, ack: DataAck) -> int:
    """The data offset that ``ack`` names, of either width [R8684-3.3.2-03]."""
    if ack.wide:
        return compute_offset_64(control.local_idsn, ack.number)
    return compute_offset_32(control.local_idsn & MASK_32, ack.number, control.snd_una)


def is_window_growth(ack: int, window: int, snd_edge: int) -> bool:
    """The right edge moves only to the right, and only by a Data ACK (RFC 8684 §3.3.5)."""
    return ack + window > snd_edge  # [R8684-3.3.5-01]


def take_data_ack(control: Control, ack: DataAck, window: int, now: Micros) -> None:
    """``window`` is the segment's, octets, scaled; counted from this Data ACK [R8684-3.3.2-04].

    A segment without Data ACK does not come here, and its window says nothing [R8684-3.3.2-05].
    """
    offset = compute_data_ack(control, ack)
    if offset > control.snd_nxt:
        control.journal.note(now, control.name, "Data ACK of what was never sent")
        return
    if is_window_growth(offset, window, control.snd_edge):
        control.snd_edge = offset + window  # [R8684-3.3.5-02] [R8684-4-06] [R8684-C.1.2-03] for all subflows
    if control.snd_una >= control.snd_edge:
        control.unanswered = 0  # [R9293-3.8.6.1-02] a window may stay closed while probes are answered
    advance(control, offset, now)


def advance(control: Control, offset: int, now: Micros) -> None:
    """All before data offset ``offset`` has arrived for good."""
    if offset <= control.snd_una:
        return
    control.has_data_ack = True
    control.snd_una = offset
    if control.again:
        control.again.remove(0, offset)
    # [R8684-3.3.6-06] [R8684-3.3.2-07] a subflow keeps its own reference until it has its own
    # acknowledgment, and goes on sending it [R8684-3.3.6-01]; that alone frees nothing here
    # [R8684-3.3.2-06] [R8684-4-02]
    control.snd_queue.release(min(offset, control.snd_queue.end))
    control.retries = 0
    control.unanswered = 0
    control.retransmit_at = NEVER
    if control.snd_fin != NO_OFFSET and offset > control.snd_fin:
        control.fin_now = False
        if control.state in ACK_OF_FIN:
            move(control, Signal.ACK_OF_DATA_FIN, now)
