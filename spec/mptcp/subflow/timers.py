"""The clocks of a subflow: retransmission (RFC 6298), window probes, delayed ACK, 2 MSL."""

from typing import Final

from mptcp.native import i64
from mptcp.parameters import CLOCK_GRANULARITY, MAXIMUM_RTO, RTO_AFTER_SYN_LOSS
from mptcp.subflow.control import NEVER, Control
from mptcp.subflow.state import TRANSITIONS, Signal, State
from mptcp.values import Micros

MAXIMUM_BACKOFF: Final = 16  # doublings; MAXIMUM_RTO is reached long before


def move(tcb: Control, signal: Signal, now: Micros) -> None:
    """The one place that writes ``state``; a signal that the table does not know is our mistake."""
    before = tcb.state
    tcb.state = TRANSITIONS[before][signal]
    tcb.journal.note_move(now, tcb.name, signal, before, tcb.state)
    if tcb.state is State.TIME_WAIT:
        tcb.time_wait_at = now + tcb.time_wait  # [R9293-3.6.1-01]
        stop_sending(tcb)
    elif tcb.state is State.ESTABLISHED:
        if tcb.keep_alive:
            tcb.alive_at = now + tcb.choices.keep_alive_idle
    elif tcb.state is State.CLOSED:
        stop_all(tcb)


def end(tcb: Control, error: str, now: Micros) -> None:
    """The subflow is over, and not by FINs: ``error`` says why."""
    if tcb.state is not State.CLOSED:
        tcb.error = error
        move(tcb, Signal.END, now)


def stop_sending(tcb: Control) -> None:
    """Nothing more is sent, nor sent again."""
    tcb.rto_at = NEVER
    tcb.persist_at = NEVER
    tcb.pto_at = NEVER
    tcb.reorder_at = NEVER


def stop_all(tcb: Control) -> None:
    """No timer of a closed subflow runs."""
    stop_sending(tcb)
    tcb.ack_at = NEVER
    tcb.time_wait_at = NEVER
    tcb.alive_at = NEVER
    tcb.ack_now = False
    tcb.probe_now = False
    tcb.blocks = None


def compute_deadline(tcb: Control) -> Micros:
    """When ``tick`` has something to do next; NEVER if nothing is awaited."""
    # two at a time: so compiled it is a comparison, and no call
    sending = min(min(tcb.rto_at, tcb.persist_at), min(tcb.pto_at, tcb.reorder_at))
    return min(min(sending, tcb.ack_at), min(tcb.time_wait_at, tcb.alive_at))


def compute_rto(srtt: Micros, rttvar: Micros, minimum: Micros) -> Micros:
    """RTO from the smoothed round trip and its variation, µs (RFC 6298 §2)."""
    rto = srtt + max(CLOCK_GRANULARITY, 4 * rttvar)  # [R6298-2-04] [R6298-4-01]
    return min(max(rto, minimum), MAXIMUM_RTO)  # [R6298-2-05] [R6298-2-06]


def compute_backoff(rto: Micros, doublings: i64) -> Micros:
    """RTO after so many expiries in a row (RFC 6298 §5.5)."""
    return min(rto << min(doublings, MAXIMUM_BACKOFF), MAXIMUM_RTO)  # [R6298-5-03]


def take_sample(tcb: Control, sample: Micros) -> None:
    """One measured round trip (RFC 6298 §2)."""
    if tcb.srtt == 0:
        tcb.srtt = max(sample, 1)  # [R6298-2-02]
        tcb.rttvar = sample // 2
    else:
        error = max(tcb.srtt - sample, sample - tcb.srtt)
        tcb.rttvar = (3 * tcb.rttvar + error) // 4  # [R6298-2-03] first, with the old SRTT
        tcb.srtt = max((7 * tcb.srtt + sample) // 8, 1)
    tcb.rto = compute_rto(tcb.srtt, tcb.rttvar, tcb.choices.minimum_rto)
    tcb.window.srtt = tcb.srtt
    tcb.rack.is_measured = True


def start_retransmission(tcb: Control, now: Micros) -> None:
    """(Re)start the retransmission timer (RFC 6298 §5): nothing goes again sooner [R6298-5-01]."""
    tcb.rto_at = now + compute_backoff(tcb.rto, tcb.retries)


def start_persist(tcb: Control, now: Micros) -> None:
    """Text waits on a window that is too small, and nothing in flight will bring news of it."""
    if tcb.persist_at == NEVER:
        tcb.probes = 0
        tcb.persist_at = now + tcb.rto  # [R9293-3.8.6.1-03] the first after one RTO


def leave_opening(tcb: Control) -> None:
    """The SYN was acknowledged: its back-off ends (RFC 6298 §5.7)."""
    if tcb.syn_lost and tcb.rto < RTO_AFTER_SYN_LOSS and tcb.srtt == 0:
        tcb.rto = RTO_AFTER_SYN_LOSS  # [R6298-5-04]
