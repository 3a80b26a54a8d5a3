"""Time passes: whatever was due happens (RFC 9293 §3.10.8, RFC 6298 §5, RFC 8985 §8)."""

from mptcp.subflow.control import NEVER, NO_OFFSET, Control
from mptcp.subflow.recovery import expire_probe, expire_reordering, time_out
from mptcp.subflow.state import Signal, State
from mptcp.subflow.timers import end, move, start_retransmission
from mptcp.values import Micros


def tick(tcb: Control, now: Micros) -> None:
    """Whatever was due by ``now`` happens."""
    if tcb.time_wait_at <= now and not tcb.ack_now:  # the last ACK leaves first, however short 2 MSL is
        tcb.time_wait_at = NEVER
        move(tcb, Signal.EXPIRY, now)
    if tcb.ack_at <= now:
        tcb.ack_at = NEVER
        tcb.ack_now = True  # [R9293-3.8.6.3-01]
    if tcb.persist_at <= now:
        expire_persist(tcb, now)
    if tcb.reorder_at <= now:
        expire_reordering(tcb, now)
    if tcb.pto_at <= now:
        expire_probe(tcb, now)
    if tcb.rto_at <= now:
        expire_retransmission(tcb, now)


def expire_persist(tcb: Control, now: Micros) -> None:
    """The window stayed closed: ask again, for as long as it takes (RFC 9293 §3.8.6.1).

    [R9293-3.8.6-02] [R9293-3.8.6.1-02]
    """
    tcb.journal.note(now, tcb.name, "window probe")
    tcb.persist_at = NEVER  # until it has left
    tcb.probe_now = True
    tcb.probes += 1
    tcb.unanswered += 1
    if tcb.unanswered > tcb.choices.retransmissions:
        end(tcb, "timed out", now)  # a window may stay closed for ever, but not in silence


def expire_retransmission(tcb: Control, now: Micros) -> None:
    """Nothing was acknowledged for one RTO: send the oldest again, more slowly (RFC 6298 §5.4-5.7)."""
    tcb.rto_at = NEVER
    if tcb.snd_una == tcb.snd_nxt:
        return
    tcb.retries += 1
    tcb.unanswered += 1
    is_opening = tcb.state is State.SYN_SENT or tcb.state is State.SYN_RECEIVED
    limit = tcb.choices.syn_attempts if is_opening else tcb.choices.retransmissions
    tcb.journal.note(now, tcb.name, "retransmission timeout", str(tcb.retries))
    if tcb.retries == tcb.choices.advice_after:
        tcb.trouble = "retransmissions"  # [R9293-3.8.3-01] R1 [R9293-3.8.3-05]
    # beyond a window that has shut, as with a probe: not while there are answers [R9293-3.8.6-06]
    is_beyond = tcb.snd_wnd == 0 and not is_opening
    tries = tcb.unanswered if is_beyond else tcb.retries
    if tries >= limit:  # [R9293-3.8.3-02] [R9293-3.8.3-07] both are choices
        # [R9293-3.9.1.8-01] a router's word is the better explanation
        error = "unreachable" if tcb.is_unreachable and is_opening else "timed out"
        end(tcb, error, now)  # [R9293-3.8.3-01] R2; [R9293-3.8.3-03] the SYN's too
        return
    if is_opening:
        tcb.syn_lost = True
        tcb.syn_now = True
        tcb.timed_offset = NO_OFFSET  # [R6298-3-01] Karn: nothing sent twice is timed
    else:
        time_out(tcb, now)
    start_retransmission(tcb, now)  # [R6298-5-03]
