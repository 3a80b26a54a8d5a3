"""Loss: three duplicate acknowledgments, fast retransmit, NewReno (RFC 5681 §3.2, RFC 6582)."""

from mptcp.parameters import DUPLICATE_ACK_THRESHOLD
from mptcp.subflow.control import NO_OFFSET, Control
from mptcp.values import Micros


def is_duplicate(tcb: Control, ack: int, length: int, window: int) -> bool:
    """A duplicate acknowledgment: RFC 5681 §2, (a) to (e); ``length`` counts text, SYN and FIN.

    Text must be outstanding: nothing follows a FIN that could make the peer say the same thing again.
    """
    has_text = tcb.snd_una < min(tcb.snd_nxt, tcb.snd_queue.end)
    return ack == tcb.snd_una and has_text and length == 0 and window == tcb.snd_wnd


def take_duplicate(tcb: Control, now: Micros) -> None:
    """One more segment left the network, but not the one at ``snd_una``."""
    if tcb.rtx_nxt < tcb.snd_nxt or tcb.probing:
        return  # after a timeout everything goes again anyway
    tcb.duplicates += 1  # [R5681-3.2-03] the first two change nothing else
    if tcb.recovering:
        tcb.window.cwnd += tcb.window.mss  # RFC 5681 §3.2, step 4
    elif tcb.duplicates == DUPLICATE_ACK_THRESHOLD and tcb.snd_una > tcb.recover + 1:
        enter(tcb, now)  # [R6582-3.2-02]


def enter(tcb: Control, now: Micros) -> None:
    """Fast retransmit, and fast recovery until all that is out now is acknowledged."""
    tcb.journal.note(now, tcb.name, "fast retransmit", str(tcb.snd_una))
    tcb.recover = tcb.snd_nxt - 1
    tcb.recovering = True
    tcb.controller.on_loss(tcb.window, tcb.snd_nxt - tcb.snd_una, now)
    tcb.window.cwnd += DUPLICATE_ACK_THRESHOLD * tcb.window.mss  # [R5681-3.2-04]
    tcb.rtx_now = True
    tcb.timed_offset = NO_OFFSET  # [R6298-3-01]


def take_acknowledgment(tcb: Control, acked: int, now: Micros) -> None:
    """``snd_una`` moved by ``acked`` octets: grow, or go on recovering."""
    tcb.duplicates = 0
    if not tcb.recovering:
        tcb.controller.on_ack(tcb.window, acked, now)
        return
    window = tcb.window
    flight = tcb.snd_nxt - tcb.snd_una
    if tcb.snd_una > tcb.recover:
        # [R6582-3.2-03] a full acknowledgment: back to congestion avoidance
        window.cwnd = min(window.ssthresh, max(flight, window.mss) + window.mss)  # [R5681-3.2-05]
        tcb.recovering = False
        tcb.journal.note(now, tcb.name, "full acknowledgment")
        return
    # [R6582-3.2-04] a partial one: the next hole is lost too
    tcb.journal.note(now, tcb.name, "partial acknowledgment", str(tcb.snd_una))
    tcb.rtx_now = True
    window.cwnd = max(window.cwnd - acked, 0) + (window.mss if acked >= window.mss else 0)
    window.cwnd = max(window.cwnd, window.mss)
