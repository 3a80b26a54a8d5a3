"""The acknowledgment field: SND.UNA, the send window, the timers (RFC 9293 §3.10.7.4, fifth)."""

from typing import Final

from mptcp.native import i64
from mptcp.numbers import compute_offset_32
from mptcp.subflow.control import NEVER, NO_OFFSET, Control
from mptcp.subflow.discovery import take_arrival
from mptcp.subflow.phase import Phase
from mptcp.subflow.rack import NO_ECHO, deliver, note_duplicate_report, start_probe_timer, take_ack_of_probe
from mptcp.subflow.recovery import is_duplicate, respond, take_repaired_tail
from mptcp.subflow.scoreboard import SACKED
from mptcp.subflow.spurious import note_doubled
from mptcp.subflow.state import Signal, State
from mptcp.subflow.timers import leave_opening, move, start_retransmission, take_sample
from mptcp.values import Micros
from mptcp.wire.options import Sack, Timestamps
from mptcp.wire.segment import ECE, FIN, SYN, Segment

NO_RUN: Final = (0, 0)


def is_acceptable_ack(ack: i64, snd_una: i64, snd_nxt: i64, max_snd_wnd: i64) -> bool:
    """RFC 5961 §5.2: not older than the largest window ago, not of what was never sent."""
    return snd_una - max_snd_wnd <= ack <= snd_nxt  # [R5961-5.2-01] [R9293-3.10.7.4-04]


def is_window_update(seq: i64, ack: i64, snd_wl1: i64, snd_wl2: i64) -> bool:
    """RFC 9293 §3.10.7.4: only a segment that is not older than the last update changes the window."""
    return snd_wl1 < seq or (snd_wl1 == seq and snd_wl2 <= ack)


def is_duplicate_report(left: i64, right: i64, ack: i64, next_left: i64, next_right: i64) -> bool:
    """Whether a first block tells of what came twice: acknowledged, or inside of the second [R2883-4-05]."""
    return right <= ack or (next_left <= left and right <= next_right)


def take_ack(
    tcb: Control, segment: Segment, seq: i64, ack: i64, window: i64, is_signal: bool, now: Micros
) -> i64:
    """An acceptable acknowledgment in a synchronized state; octets newly acknowledged.

    ``seq``, ``ack`` are offsets, ``window`` is SEG.WND scaled, in octets.
    ``is_signal``: the segment carries news of its own, and says nothing about congestion.
    """
    una = tcb.snd_una
    board = tcb.board
    arrived = una + board.sacked
    was_probing = tcb.probing
    length = segment.text_length + (1 if segment.flags & (SYN | FIN) else 0)
    is_dup = not is_signal and is_duplicate(tcb, ack, length, window)
    echo = find_echo(tcb, segment) if tcb.episode is not None or board.again else NO_ECHO
    has_blocks = has_report = False
    tcb.unanswered = 0  # [R9293-3.8.6.1-02]
    if ack > una:  # [R9293-3.4-03]
        advance(tcb, ack, echo, now)
    if tcb.sack:
        for option in segment.options:
            if isinstance(option, Sack):
                has_blocks = True
                has_report = take_blocks(tcb, option, ack, echo, now)
        if take_ack_of_probe(tcb, ack, has_report, is_dup and not has_blocks):
            take_repaired_tail(tcb, now)
    if segment.flags & ECE and tcb.ecn.is_agreed and not segment.flags & SYN:
        take_echo(tcb, una, now)
    newly = tcb.snd_una + board.sacked - arrived
    if (newly > 0 or is_dup or has_report) and not was_probing and una > 0:
        respond(tcb, una, newly, is_dup, echo, now)
    if ack > una:
        start_probe_timer(tcb, now)
    elif board.sacked:
        tcb.pto_at = NEVER  # the reordering timer takes over
    if ack >= una and is_window_update(seq, ack, tcb.snd_wl1, tcb.snd_wl2):
        update_window(tcb, seq, ack, window, now)
    return max(ack - una, 0)


def take_echo(tcb: Control, una: i64, now: Micros) -> None:
    """The peer got marked text: as if it had been lost, once in a window [R3168-6.1.2-02] [R3168-6.1.2-03].

    A loss in the same window counts as well; SND.UNA was ``una`` before this ACK.
    """
    if tcb.ecn.may_reduce(tcb.snd_una) and tcb.phase is Phase.OPEN and una < tcb.snd_nxt:
        tcb.journal.note(now, tcb.name, "congestion echo")
        tcb.controller.on_ecn(tcb.window, tcb.snd_nxt - una, now)
        tcb.ecn.note_reduction(tcb.snd_nxt)


def find_echo(tcb: Control, segment: Segment) -> i64:
    """The segment's TSecr, or NO_ECHO."""
    if tcb.timestamps:
        for option in segment.options:
            if isinstance(option, Timestamps):
                return option.echo
    return NO_ECHO


def advance(tcb: Control, ack: i64, echo: i64, now: Micros) -> None:
    """SND.UNA moves to ``ack``: release, measure, restart the timer, and see whether the FIN is covered."""
    is_syn = tcb.snd_una == 0
    tcb.snd_una = ack
    tcb.snd_queue.release(min(ack, tcb.snd_queue.end))  # [R9293-3.4-02] all before it has come
    release(tcb, ack, echo, now)
    if ack >= tcb.path.test_end:
        take_arrival(tcb, now)
    if tcb.forced < ack:
        tcb.forced = NO_OFFSET
    tcb.retries = 0
    if is_syn:
        leave_opening(tcb)  # [R5681-3.1-03] the handshake grows no window
    tcb.probing = False
    # RFC 6298 §5.2, §5.3 [R6298-5-02]
    if ack == tcb.snd_nxt:
        tcb.rto_at = NEVER
        tcb.reorder_at = NEVER
    else:
        start_retransmission(tcb, now)
    if tcb.snd_fin != NO_OFFSET and ack > tcb.snd_fin:
        take_ack_of_fin(tcb, now)


def release(tcb: Control, ack: i64, echo: i64, now: Micros) -> None:
    """Take what is acknowledged off the scoreboard; one round trip is measured in each round.

    Of what was sent twice nobody knows which copy came [R6298-3-01] [R9293-3.8.1-01]: an ACK that covers
    some of it measures nothing.
    """
    board = tcb.board
    is_clean = True
    sent_at = NEVER
    while True:
        one = board.take(ack)
        if one is None:
            break
        if one.mark != SACKED:
            is_clean = is_clean and not one.is_again
            sent_at = one.sent_at
            deliver(tcb, one, echo, now)
    if ack > tcb.round_end:
        tcb.round_end = tcb.snd_nxt
        tcb.window.rounds += 1
    if is_clean and sent_at != NEVER and ack > tcb.timed_offset:
        take_sample(tcb, now - sent_at)
        tcb.timed_offset = tcb.snd_nxt


def take_blocks(tcb: Control, option: Sack, ack: i64, echo: i64, now: Micros) -> bool:
    """Note what arrived out of order; whether the first block reports a duplicate.

    Nothing is freed by it [R6675-4-01] [R2018-8-01]. A block of what was never sent says nothing, nor does
    one of what would have to be acknowledged.
    """
    runs: list[tuple[int, int]] = []
    for block in option.blocks:
        left = compute_offset_32(tcb.iss, block[0], tcb.snd_una)
        right = compute_offset_32(tcb.iss, block[1], tcb.snd_una)
        if left < right <= tcb.snd_nxt:
            runs.append((left, right))
        elif not runs:
            return False
    left, right = runs[0]
    around = runs[1] if len(runs) > 1 else NO_RUN
    has_report = is_duplicate_report(left, right, ack, around[0], around[1])
    if has_report and left >= tcb.snd_una - tcb.max_snd_wnd:
        note_duplicate_report(tcb)
        note_doubled(tcb, left, right)
    for run in runs[1:] if has_report else runs:
        if run[0] > tcb.snd_una:
            take_block(tcb, run[0], run[1], echo, now)
    return has_report


def take_block(tcb: Control, left: i64, right: i64, echo: i64, now: Micros) -> None:
    """The octets ``left`` … ``right`` are out, and arrived."""
    for one in tcb.board.sack(left, right):
        deliver(tcb, one, echo, now)
        if not one.is_again and one.end > tcb.timed_offset:
            take_sample(tcb, now - one.sent_at)
            tcb.timed_offset = tcb.snd_nxt


def take_ack_of_fin(tcb: Control, now: Micros) -> None:
    """Our FIN has arrived (RFC 9293 §3.10.7.4, fifth, FIN-WAIT-1 and after)."""
    if tcb.state in (State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK):
        move(tcb, Signal.ACK_OF_FIN, now)


def update_window(tcb: Control, seq: i64, ack: i64, window: i64, now: Micros) -> None:
    """SND.WND becomes ``window`` octets, which may be less than before [R9293-3.8.6-01]."""
    if window > tcb.snd_wnd and tcb.probing and tcb.snd_una < tcb.snd_nxt:
        # the probe met a closed window and was thrown away: it is ordinary lost text now
        tcb.probing = False
        tcb.board.lose_all()
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
