"""The clocks of a subflow (RFC 6298, RFC 9293 §3.8): within bounds, and never missing."""

from typing import Annotated, TypeAlias

from mptcp.parameters import CLOCK_GRANULARITY, MAXIMUM_RTO, SECOND
from mptcp.subflow.arrival import Kind, Terms
from mptcp.subflow.arrive import arrive
from mptcp.subflow.control import NEVER, Control
from mptcp.subflow.expire import tick
from mptcp.subflow.phase import Phase
from mptcp.subflow.state import State
from mptcp.subflow.timers import compute_backoff, compute_deadline, compute_rto, take_sample
from mptcp.subflow.transmit import make_plan, transmit
from mptcp.wire.segment import ACK, FIN, RST, Segment
from mptcp_proofs.claim import Between, Built, OneOf, reach, require
from mptcp_proofs.claims.domains import Word
from mptcp_proofs.claims.tcbs import BEGINNING, Length, make_segment, make_synchronized, make_tcb
from mptcp_proofs.theorem import Mutant, Theorem

Span: TypeAlias = Annotated[int, Between(0, 1 << 40)]
Doublings: TypeAlias = Annotated[int, OneOf(*range(20))]
Minimum: TypeAlias = Annotated[int, Between(0, 60 * SECOND)]


# -- 67: the retransmission timer -----------------------------------------------------------------


def stays_in_bounds(srtt: Span, rttvar: Span, minimum: Minimum, doublings: Doublings) -> bool:
    """RTO is at least the minimum, SRTT and a tick, and never above a minute, however often it doubles."""
    rto = compute_rto(srtt, rttvar, minimum)
    backed_off = compute_backoff(rto, doublings)
    require(rto >= min(max(minimum, srtt + CLOCK_GRANULARITY), MAXIMUM_RTO), "not sooner than that")
    require(rto <= MAXIMUM_RTO, "a minute at most")
    if backed_off == MAXIMUM_RTO:
        reach("a minute")
    return rto <= backed_off <= MAXIMUM_RTO


def doubles(rto: Annotated[int, Between(CLOCK_GRANULARITY, MAXIMUM_RTO)], doublings: Doublings) -> bool:
    """Each expiry doubles it, up to the minute."""
    return compute_backoff(rto, doublings + 1) == min(2 * compute_backoff(rto, doublings), MAXIMUM_RTO)


def measures(srtt: Span, rttvar: Span, sample: Span) -> bool:
    """SRTT stays between what it was and the sample; neither it nor its variation is ever negative."""
    tcb = make_tcb("ESTABLISHED")
    tcb.srtt, tcb.rttvar = srtt, rttvar
    take_sample(tcb, sample)
    require(tcb.srtt >= 1 and tcb.rttvar >= 0, "a time")
    require(tcb.rto == compute_rto(tcb.srtt, tcb.rttvar, tcb.choices.minimum_rto), "the timer follows")
    if srtt == 0:
        reach("the first")
        return tcb.srtt == max(sample, 1) and tcb.rttvar == sample // 2
    return min(srtt, sample) - 1 <= tcb.srtt <= max(srtt, sample, 1) and tcb.rttvar <= max(
        rttvar, abs(srtt - sample)
    )


# -- 68: never without a clock --------------------------------------------------------------------


def make_waiting(
    state: Annotated[str, OneOf("ESTABLISHED", "FIN_WAIT_1")],
    flight: Annotated[int, OneOf(0, 1000)],
    unsent: Annotated[int, OneOf(0, 3000)],
    snd_wnd: Annotated[int, OneOf(0, 1000, 5000)],
    duplicates: Annotated[int, OneOf(0, 2)],
    is_due: bool,
) -> Control:
    """Text is out, or waits, or both; the window is open, used up, or shut; or a loss is nearly seen.

    Where nothing is out, text waits and the window is shut, a probe may be due.
    """
    tcb = make_synchronized(state, 200, flight, unsent, snd_wnd, 100, 3000)
    tcb.irs = BEGINNING
    tcb.max_snd_wnd = max(snd_wnd, 1000)
    tcb.duplicates = duplicates
    if flight == 0 and unsent > 0 and snd_wnd == 0:
        tcb.probe_now = bool(is_due)
    return tcb


def make_acknowledgment(
    sequence: Annotated[int, OneOf(BEGINNING + 100, BEGINNING + 99)],
    acknowledgment: Word,
    flags: Annotated[int, OneOf(ACK, FIN | ACK, RST | ACK)],
    window: Annotated[int, OneOf(0, 1000, 5000)],
    length: Length,
) -> Segment:
    """A segment that has an ACK, in order or just before it."""
    return make_segment(sequence, acknowledgment, flags, window, length)


Acknowledgment: TypeAlias = Annotated[Segment, Built(make_acknowledgment)]
Waiting: TypeAlias = Annotated[Control, Built(make_waiting)]


def send_all(tcb: Control, now: int) -> int:
    """Let everything leave that may; the highest offset that text reached."""
    high = 0
    for _ in range(6):
        plan = make_plan(tcb, now)
        if plan.kind is Kind.NOTHING:
            return high
        segment = transmit(tcb, plan, Terms(3000, (), 1 << 40, 0), now)
        if plan.kind is Kind.TEXT:
            high = max(high, plan.start + segment.text_length)
    raise AssertionError("it sends for ever")


def is_in_need(tcb: Control) -> bool:
    """Something is out, or waits to be sent, and the subflow is not over."""
    return tcb.state is not State.CLOSED and (tcb.snd_una < tcb.snd_nxt or tcb.snd_nxt < tcb.snd_queue.end)


def has_clock_after_sending(tcb: Waiting) -> bool:
    """Whatever could leave has left: what is out or waits has a clock."""
    send_all(tcb, 9)
    if tcb.snd_una == tcb.snd_nxt and is_in_need(tcb):
        reach("text that waits for a window")
    return not is_in_need(tcb) or compute_deadline(tcb) != NEVER


def has_clock_after_segment(tcb: Waiting, segment: Acknowledgment) -> bool:
    """Likewise when any acknowledgment has come, new or old or the third of its kind."""
    send_all(tcb, 9)
    arrive(tcb, segment, False, 10)
    send_all(tcb, 10)
    if tcb.phase is Phase.FAST:
        reach("a recovery")
    return not is_in_need(tcb) or compute_deadline(tcb) != NEVER


def has_clock_after_time(tcb: Waiting) -> bool:
    """Likewise when all its clocks have run out three times, one after the other."""
    now = 9
    for _ in range(3):
        send_all(tcb, now)
        if compute_deadline(tcb) == NEVER:
            return not is_in_need(tcb)
        now = max(now, compute_deadline(tcb))
        tick(tcb, now)
    send_all(tcb, now)
    return not is_in_need(tcb) or compute_deadline(tcb) != NEVER


def stays_in_window(tcb: Waiting, segment: Acknowledgment) -> bool:
    """Nothing leaves beyond the peer's window but one octet that probes it, or what was in it once."""
    before = tcb.snd_nxt
    arrive(tcb, segment, False, 10)
    edge = max(tcb.snd_una + tcb.snd_wnd, before, tcb.snd_nxt)
    high = send_all(tcb, 10)
    if high > before:
        reach("new text")
    if high > tcb.snd_una + tcb.snd_wnd:
        reach("text beyond a window that has shrunk")
    return high <= edge + 1


TIMERS = "mptcp/subflow/timers.py"
EXPIRE = "mptcp/subflow/expire.py"
TRANSMIT = "mptcp/subflow/transmit.py"

THEOREMS = (
    Theorem(
        id="T67",
        name="timer-bounds",
        words="The retransmission timer is never shorter than the minimum, or the smoothed round trip and a"
        " tick, and never longer than a minute; each expiry doubles it up to that. A sample leaves the"
        " smoothed round trip between what it was and the sample.",
        sections="RFC 6298 §2, §5",
        clauses=("R6298-2-02", "R6298-2-03", "R6298-2-04", "R6298-2-05", "R6298-2-06", "R6298-5-03"),
        bounds="Round trips and variations of up to 2**40 µs, up to 20 doublings.",
        claims=(stays_in_bounds, doubles, measures),
        goals=("a minute", "the first"),
        mutants=(
            Mutant(TIMERS, "return min(max(rto, minimum), MAXIMUM_RTO)", "return max(rto, minimum)"),
            Mutant(TIMERS, "return min(max(rto, minimum), MAXIMUM_RTO)", "return min(rto, MAXIMUM_RTO)"),
            Mutant(TIMERS, "srtt + max(CLOCK_GRANULARITY, 4 * rttvar)", "srtt + 4 * rttvar"),
            Mutant(TIMERS, "MAXIMUM_BACKOFF), MAXIMUM_RTO)", "MAXIMUM_BACKOFF), 2 * MAXIMUM_RTO)"),
            Mutant(
                TIMERS, "rto << min(doublings, MAXIMUM_BACKOFF)", "rto << min(doublings, 3)", by="doubles"
            ),
            Mutant(
                TIMERS, "max((7 * tcb.srtt + sample) // 8, 1)", "(8 * tcb.srtt + sample) // 8", by="measures"
            ),
            Mutant(TIMERS, "tcb.rttvar = sample // 2", "tcb.rttvar = sample", by="measures"),
            Mutant(TIMERS, "max(sample, 1)  # [R6298-2-02]", "sample", by="measures"),
        ),
        unclaimed="Which segments are timed.",
        theory="line",
    ),
    Theorem(
        id="T68",
        name="never-without-clock",
        words="Once all that may leave has left, whatever is out or waits to be sent has a clock that will"
        " bring it forward: after any acknowledgment, and after any clocks that ran out. No deadlock.",
        sections="RFC 9293 §3.8, RFC 6298 §5",
        clauses=("R6298-5-02", "R9293-3.8.6-02", "R9293-3.8.6.1-02"),
        bounds="Situations with text out, or waiting, or both, or a FIN; windows open, used up, shut; three"
        " duplicates; all acknowledgment numbers, with a window that opens, stays or shuts; three expiries.",
        claims=(has_clock_after_sending, has_clock_after_time, has_clock_after_segment),
        goals=("text that waits for a window", "a recovery"),
        mutants=(
            Mutant(
                TRANSMIT,
                "        if tcb.snd_una == tcb.snd_nxt:\n            start_persist(tcb, now)\n",
                "",
            ),
            Mutant(
                TRANSMIT,
                "    if tcb.rto_at == NEVER:\n        start_retransmission(tcb, now)  # [R6298-5-02]\n",
                "",
            ),
            Mutant(
                TRANSMIT,
                "        tcb.persist_at = now + compute_backoff(tcb.rto, tcb.probes)  # [R9293-3.8.6.1-04]\n",
                "",
            ),
            Mutant(
                EXPIRE,
                "    if tcb.snd_una == tcb.snd_nxt:\n        return\n    tcb.retries",
                "    if tcb.snd_una <= tcb.snd_nxt:\n        return\n    tcb.retries",
                by="has_clock_after_time",
            ),
            Mutant(
                EXPIRE,
                "    tcb.probe_now = True\n",
                "",
                by="has_clock_after_time",
            ),
        ),
        unclaimed="That the clock is the best one: the dialogues say when each rings.",
    ),
    Theorem(
        id="T69",
        name="stays-in-window",
        words="Whatever leaves after any acknowledgment, new text, a fast retransmission or a probe, ends"
        " inside the peer's window, but for one octet that probes it and for text that was inside of it"
        " before it shrank.",
        sections="RFC 9293 §3.8.6, RFC 5681 §3",
        clauses=("R9293-3.8.6-01", "R9293-3.8.6-04", "R9293-3.8.6-05"),
        bounds="As of T68.",
        claims=(stays_in_window,),
        goals=("new text", "text beyond a window that has shrunk"),
        mutants=(
            Mutant(TRANSMIT, "min(snd_una + snd_wnd - snd_nxt, free)", "free"),
            Mutant(
                TRANSMIT,
                "        if usable < stop - start:\n"
                "            stop = start + (usable - usable % size if usable > size else usable)"
                "  # whole segments\n",
                "",
            ),
            Mutant(
                TRANSMIT,
                "stop = min(stop, start + max(usable, 1))",
                "stop = min(stop, start + max(usable, 9))",
            ),
        ),
        unclaimed="Windows that are announced while it leaves.",
    ),
)
