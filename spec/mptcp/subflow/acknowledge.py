"""The acknowledgment field: SND.UNA, the send window, the timers (RFC 9293 §3.10.7.4, fifth)."""

from mptcp.subflow.control import NEVER, NO_OFFSET, Control
from mptcp.subflow.recovery import is_duplicate, take_acknowledgment, take_duplicate
from mptcp.subflow.state import Signal, State
from mptcp.subflow.timers import leave_opening, move, start_retransmission, take_sample
from mptcp.values import Micros


def is_acceptable_ack(ack: int, snd_una: int, snd_nxt: int, max_snd_wnd: int) -> bool:
    """RFC 5961 §5.2: not older than the largest window ago, not of what was never sent."""
    return snd_una - max_snd_wnd <= ack <= snd_nxt  # [R5961-5.2-01] [R9293-3.10.7.4-04]


def is_window_update(seq: int, ack: int, snd_wl1: int, snd_wl2: int) -> bool:
    """RFC 9293 §3.10.7.4: only a segment that is not older than the last update changes the window."""
    return snd_wl1 < seq or (snd_wl1 == seq and snd_wl2 <= ack)


def take_ack(tcb: Control, seq: int, ack: int, length: int, window: int, is_signal: bool, now: Micros) -> int:
    """An acceptable acknowledgment in a synchronized state; octets newly acknowledged.

    ``seq``, ``ack`` are offsets, ``length`` is SEG.LEN, ``window`` SEG.WND scaled, in octets.
    ``is_signal``: the segment carries news of its own, and says nothing about congestion.
    """
    acked = ack - tcb.snd_una
    tcb.unanswered = 0  # [R9293-3.8.6.1-02]
    if acked > 0:  # [R9293-3.4-03]
        advance(tcb, ack, acked, now)
    elif not is_signal and is_duplicate(tcb, ack, length, window):
        take_duplicate(tcb, now)
    if ack >= tcb.snd_una and is_window_update(seq, ack, tcb.snd_wl1, tcb.snd_wl2):
        update_window(tcb, seq, ack, window, now)
    return max(acked, 0)


def advance(tcb: Control, ack: int, acked: int, now: Micros) -> None:
    """SND.UNA moves to ``ack``: release, measure, restart the timer, and see whether the FIN is covered."""
    is_syn = tcb.snd_una == 0
    tcb.snd_una = ack
    tcb.snd_queue.release(min(ack, tcb.snd_queue.end))  # [R9293-3.4-02] all before it has come
    tcb.rtx_nxt = max(tcb.rtx_nxt, ack)
    tcb.rtx_now = False
    tcb.retries = 0
    if tcb.timed_offset != NO_OFFSET and ack > tcb.timed_offset:
        take_sample(tcb, now - tcb.timed_at)
        tcb.timed_offset = NO_OFFSET
    if is_syn:
        leave_opening(tcb)  # [R5681-3.1-03] the handshake grows no window
        acked -= 1
    if acked > 0 and not tcb.probing:
        take_acknowledgment(tcb, acked, now)
    tcb.probing = False
    # RFC 6298 §5.2, §5.3 [R6298-5-02]
    if ack == tcb.snd_nxt:
        tcb.rto_at = NEVER
    else:
        start_retransmission(tcb, now)
    if tcb.snd_fin != NO_OFFSET and ack > tcb.snd_fin:
        take_ack_of_fin(tcb, now)


def take_ack_of_fin(tcb: Control, now: Micros) -> None:
    """Our FIN has arrived (RFC 9293 §3.10.7.4, fifth, FIN-WAIT-1 and after)."""
    if tcb.state in (State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK):
        move(tcb, Signal.ACK_OF_FIN, now)


def update_window(tcb: Control, seq: int, ack: int, window: int, now: Micros) -> None:
    """SND.WND becomes ``window`` octets, which may be less than before [R9293-3.8.6-01]."""
    if window > tcb.snd_wnd and tcb.probing and tcb.snd_una < tcb.snd_nxt:
        # the probe met a closed window and was thrown away: it is ordinary lost text now
        tcb.probing = False
        tcb.rtx_nxt = tcb.snd_una
        start_retransmission(tcb, now)
    tcb.snd_wnd = window
    tcb.snd_wl1 = seq
    tcb.snd_wl2 = ack
    tcb.max_snd_wnd = max(tcb.max_snd_wnd, window)
    if not tcb.probing:
        tcb.persist_at = NEVER  # transmit starts it again if the window is still too small
        tcb.probe_now = False
        if tcb.snd_una < tcb.snd_nxt and tcb.rto_at == NEVER and tcb.state is not State.CLOSED:
            start_retransmission(tcb, now)  # what is in flight never goes without a clock
