"""SEGMENT ARRIVES (RFC 9293 §3.10.7), check by check in the RFC's order."""

from mptcp.native import i64
from mptcp.numbers import add, compute_offset_32, compute_signed_32
from mptcp.parameters import CHALLENGE_ACK_INTERVAL, CRUMB
from mptcp.subflow.acknowledge import is_acceptable_ack, take_ack
from mptcp.subflow.arrival import Arrival, Verdict
from mptcp.subflow.control import NEVER, NO_OFFSET, Control
from mptcp.subflow.negotiate import take_syn_options
from mptcp.subflow.rack import note_rtt
from mptcp.subflow.selective import note_duplicate, note_text
from mptcp.subflow.state import MAY_RECEIVE_TEXT, Signal, State
from mptcp.subflow.timers import end, leave_opening, move, start_retransmission, take_sample
from mptcp.values import Micros, Text
from mptcp.wire.options import Timestamps
from mptcp.wire.segment import ACK, FIN, RST, SYN, URG, Segment


def dropped(clause: str) -> Arrival:
    """The segment goes no further; ``clause`` says by which rule."""
    return Arrival(Verdict.DROPPED, clause)


def is_acceptable(seq: i64, length: i64, rcv_nxt: i64, rcv_wnd: i64) -> bool:
    """The four rows of RFC 9293 §3.10.7.4, first check; offsets, and SEG.LEN in octets. [R9293-3.4-04]"""
    if length == 0 and rcv_wnd == 0:
        return seq == rcv_nxt
    if length == 0:
        return rcv_nxt <= seq < rcv_nxt + rcv_wnd
    if rcv_wnd == 0:
        return False
    return rcv_nxt <= seq < rcv_nxt + rcv_wnd or rcv_nxt <= seq + length - 1 < rcv_nxt + rcv_wnd


def compute_length(segment: Segment) -> i64:
    """SEG.LEN: text, and one each for SYN and FIN (RFC 9293 §3.4 [R9293-3.4-06])."""
    return segment.text_length + (1 if segment.flags & SYN else 0) + (1 if segment.flags & FIN else 0)


def arrive(tcb: Control, segment: Segment, is_signal: bool, now: Micros) -> Arrival:
    """Let ``segment`` happen to a subflow in any state."""
    tcb.segments_received += 1
    if tcb.state is State.CLOSED:
        return dropped("R9293-3.10.7.1")
    if tcb.state is State.LISTEN:
        return arrive_listen(tcb, segment, now)
    if tcb.state is State.SYN_SENT:
        return arrive_syn_sent(tcb, segment, now)
    return arrive_synchronized(tcb, segment, is_signal, now)


# -- LISTEN, RFC 9293 §3.10.7.2 ---------------------------------------------------------------


def arrive_listen(tcb: Control, segment: Segment, now: Micros) -> Arrival:
    """A SYN makes the half of a connection; whoever listens has seen to all else before."""
    if segment.flags & RST or segment.flags & ACK or not segment.flags & SYN:
        return dropped("R9293-3.10.7.2")
    take_syn(tcb, segment, now)
    move(tcb, Signal.SYN, now)
    return Arrival(Verdict.ACCEPTED, "", take_syn_text(tcb, segment, now), options=segment.options)


def take_syn_text(tcb: Control, segment: Segment, now: Micros) -> tuple[Text, ...]:
    """Text beside a SYN, if it is wanted; else the peer sends it again [R7413-4.2.2-02]."""
    if not tcb.takes_syn_text:
        return ()
    tcb.rcv_edge = max(tcb.rcv_edge, 1 + min(segment.text_length, tcb.choices.receive_buffer))
    return keep_text(tcb, segment, 1, now)


def take_syn(tcb: Control, segment: Segment, now: Micros) -> None:
    """Initial receive variables from the peer's SYN."""
    tcb.irs = segment.sequence
    tcb.rcv_nxt = 1
    tcb.rcv_edge = 1
    tcb.snd_wnd = segment.window  # [R7323-2.2-03] unscaled on a SYN
    tcb.max_snd_wnd = segment.window
    tcb.snd_wl1 = 0
    tcb.snd_wl2 = 0
    tcb.last_ack_sent = 1
    tcb.rcv_up = 0
    tcb.heard_at = now
    take_syn_options(tcb, segment.options)
    tcb.ecn.take_syn(segment.flags, tcb.is_passive, tcb.choices.ecn)


# -- SYN-SENT, RFC 9293 §3.10.7.3 -------------------------------------------------------------


def arrive_syn_sent(tcb: Control, segment: Segment, now: Micros) -> Arrival:
    """First the ACK bit, second RST, third security (there is none), fourth SYN, fifth neither."""
    flags = segment.flags
    has_ack = bool(flags & ACK)
    ack = compute_signed_32(segment.acknowledgment - tcb.iss)
    if has_ack and not 0 < ack <= tcb.snd_nxt:
        if not flags & RST:
            tcb.journal.note(now, tcb.name, "unacceptable ACK of our SYN")
            return Arrival(Verdict.REFUSED, "R9293-3.10.7.3")
        return dropped("R9293-3.10.7.3")
    if flags & RST:
        if has_ack:
            end(tcb, "refused", now)  # [R9293-3.6-01]
            return Arrival(Verdict.RESET, "R9293-3.10.7.3", options=segment.options)
        return dropped("R9293-3.10.7.3")
    if not flags & SYN:
        return dropped("R9293-3.10.7.3")
    take_syn(tcb, segment, now)
    if not has_ack:
        # [R9293-3.5-01] simultaneous open: our SYN goes again, now with an ACK
        move(tcb, Signal.SYN, now)
        tcb.syn_now = True
        return Arrival(Verdict.ACCEPTED, options=segment.options)
    take_ack_of_syn(tcb, ack, now)
    move(tcb, Signal.SYN_ACK, now)
    tcb.ack_now = True
    text = take_syn_text(tcb, segment, now)
    return Arrival(
        Verdict.ACCEPTED, "", text, acknowledged=ack, window=segment.window, options=segment.options
    )


def take_ack_of_syn(tcb: Control, ack: i64, now: Micros) -> None:
    """SND.UNA passes our SYN, and what went with it; what did not arrive was never sent."""
    last = tcb.snd_nxt if tcb.state is State.SYN_SENT else ack
    while tcb.board.take(last) is not None:
        pass
    tcb.snd_una = ack
    if tcb.state is State.SYN_SENT:
        tcb.snd_nxt = ack  # [R7413-4.2.1-04] text on the SYN that was left out
    tcb.snd_queue.release(min(ack, tcb.snd_queue.end))
    tcb.syn_now = False
    tcb.retries = 0
    tcb.rto_at = NEVER
    if tcb.timed_offset != NO_OFFSET:
        take_sample(tcb, now - tcb.timed_at)
        note_rtt(tcb, now - tcb.timed_at, now)
        tcb.timed_offset = NO_OFFSET
    leave_opening(tcb)
    if tcb.snd_una < tcb.snd_nxt:
        start_retransmission(tcb, now)


# -- the other states, RFC 9293 §3.10.7.4 -----------------------------------------------------


def arrive_synchronized(tcb: Control, segment: Segment, is_signal: bool, now: Micros) -> Arrival:
    """The eight checks; a segment that fails one goes no further."""
    seq = compute_offset_32(tcb.irs, segment.sequence, tcb.rcv_nxt)
    ack = compute_offset_32(tcb.iss, segment.acknowledgment, tcb.snd_una)
    window = segment.window << tcb.snd_shift  # [R7323-2.3-01]
    timestamps = find_timestamps(segment) if tcb.timestamps else None
    failed = (
        check_timestamps(tcb, segment, timestamps, now)  # RFC 7323 §5.3 puts PAWS before all
        or check_sequence(tcb, segment, seq, ack, window, now)  # first
        or take_timestamps(tcb, timestamps, seq)
        or check_reset(tcb, segment, seq, now)  # second
        or check_syn(tcb, segment, seq, now)  # fourth: there is no security to compare in a third
        or check_acknowledgment(tcb, segment, ack, now)  # fifth
    )
    if failed is not None:
        return failed
    tcb.heard_at = now
    acked = take_acknowledgment(tcb, segment, seq, ack, window, is_signal, now)
    if segment.flags & URG:
        take_urgent(tcb, segment, seq)  # sixth
    text = take_text(tcb, segment, seq, now)  # seventh
    take_fin(tcb, segment, seq, now)  # eighth
    return Arrival(Verdict.ACCEPTED, "", text, acked, window, segment.options, seq, segment.text_length)


def find_timestamps(segment: Segment) -> Timestamps | None:
    """The segment's timestamps option, if it has one."""
    for option in segment.options:
        if isinstance(option, Timestamps):
            return option
    return None


def check_timestamps(
    tcb: Control, segment: Segment, timestamps: Timestamps | None, now: Micros
) -> Arrival | None:
    """PAWS, before the acceptability test (RFC 7323 §5.3).

    Whatever the data level has numbers for [R8684-A-03].
    """
    if timestamps is None:
        return None  # [R7323-3.2-03] not a reason to abort
    if is_older(timestamps.value, tcb.ts_recent) and not segment.flags & RST:
        # [R7323-5.2-01] RST is exempt
        tcb.journal.note(now, tcb.name, "PAWS")
        tcb.ack_now = True
        return dropped("R7323-5.3-01")
    return None


def is_older(value: i64, ts_recent: i64) -> bool:
    """Whether timestamp ``value`` is older than TS.Recent, 32 bits each (RFC 7323 §5.2)."""
    return compute_signed_32(value - ts_recent) < 0


def take_timestamps(tcb: Control, timestamps: Timestamps | None, seq: i64) -> Arrival | None:
    """TS.Recent follows an acceptable segment that covers the last ACK we sent [R7323-4.3-01]."""
    if timestamps is not None and seq <= tcb.last_ack_sent and not is_older(timestamps.value, tcb.ts_recent):
        tcb.ts_recent = timestamps.value
    return None


def check_sequence(
    tcb: Control, segment: Segment, seq: i64, ack: i64, window: i64, now: Micros
) -> Arrival | None:
    """First: is any of it in the window?"""
    rcv_wnd = tcb.rcv_edge - tcb.rcv_nxt
    if is_acceptable(seq, compute_length(segment), tcb.rcv_nxt, rcv_wnd):
        return None
    if segment.flags & RST:
        # RST and URG count even when the window is zero: the exact RST, with or without text
        # [R9293-3.4-01] [R9293-3.5.3-01]
        return None if seq == tcb.rcv_nxt else dropped("R5961-3.2-03")
    if tcb.state is State.SYN_RECEIVED and segment.flags & SYN and seq == 0:
        if segment.flags & ACK:
            return None  # [R9293-3.5-01] the other half of a simultaneous open
        tcb.syn_now = True  # our SYN/ACK was lost: send it again
        tcb.ecn.take_syn_again(segment.flags)
        return dropped("R9293-3.10.7.4")
    if tcb.state is State.TIME_WAIT and segment.flags & FIN:
        tcb.time_wait_at = now + tcb.time_wait  # the retransmitted FIN: 2 MSL begin anew
    tcb.journal.note(now, tcb.name, "unacceptable sequence number")
    tcb.ack_now = True
    note_duplicate(tcb, seq, min(seq + segment.text_length, tcb.rcv_nxt))
    if rcv_wnd == 0 and seq == tcb.rcv_nxt and segment.flags & (ACK | SYN) == ACK:
        return take_probe(tcb, segment, seq, ack, window, now)
    return dropped("R9293-3.10.7.4")


def take_probe(tcb: Control, segment: Segment, seq: i64, ack: i64, window: i64, now: Micros) -> Arrival:
    """A probe of our closed window: its ACK and its URG count, its text does not [R9293-3.4-01]."""
    if tcb.state is State.SYN_RECEIVED or not is_acceptable_ack(
        ack, tcb.snd_una, tcb.snd_nxt, tcb.max_snd_wnd
    ):
        return dropped("R9293-3.10.7.4")
    tcb.heard_at = now
    acked = take_ack(tcb, segment, seq, ack, window, True, now)
    if segment.flags & URG:
        take_urgent(tcb, segment, seq)
    return Arrival(Verdict.ACCEPTED, "", (), acked, window, segment.options)


def check_reset(tcb: Control, segment: Segment, seq: i64, now: Micros) -> Arrival | None:
    """Second: RST, only with the very number that is expected (RFC 5961 §3.2)."""
    if not segment.flags & RST:
        return None
    if seq != tcb.rcv_nxt:
        challenge(tcb, "RST in the window", now)  # [R5961-3.2-02]
        return dropped("R5961-3.2-02")
    if tcb.state is State.TIME_WAIT and not tcb.choices.reset_ends_time_wait:
        return dropped("R1337-3-01")  # [R1337-3-01] an old duplicate may have called for it
    if tcb.state is State.SYN_RECEIVED:
        error = "" if tcb.is_passive else "refused"  # back to LISTEN: nobody is told [R9293-3.5-02]
    elif tcb.state in (State.CLOSING, State.LAST_ACK, State.TIME_WAIT):
        error = ""  # it ends what was ending
    else:
        error = "reset"
    end(tcb, error, now)  # [R5961-3.2-01]
    return Arrival(Verdict.RESET, "R5961-3.2-01", options=segment.options)


def check_syn(tcb: Control, segment: Segment, seq: i64, now: Micros) -> Arrival | None:
    """Fourth: SYN has no place here; whoever sent it learns what we think (RFC 5961 §4.2).

    One that opens a connection anew from TIME-WAIT does not come here: see reopen.py.
    """
    if not segment.flags & SYN:
        return None
    if tcb.state is State.SYN_RECEIVED:
        if seq == 0 and segment.flags & ACK:
            return None  # [R9293-3.5-01]
        if tcb.is_passive:
            end(tcb, "", now)  # back to LISTEN: the peer's next SYN begins anew
            return dropped("R9293-3.10.7.4")
    challenge(tcb, "SYN", now)  # [R5961-4.2-01]
    return dropped("R5961-4.2-01")


def challenge(tcb: Control, reason: str, now: Micros) -> None:
    """A challenge ACK, if none left just now [R5961-7-01]."""
    tcb.journal.note(now, tcb.name, "challenge ACK", reason)
    if now >= tcb.challenge_at:
        tcb.challenge_at = now + CHALLENGE_ACK_INTERVAL
        tcb.ack_now = True


def check_acknowledgment(tcb: Control, segment: Segment, ack: i64, now: Micros) -> Arrival | None:
    """Fifth: it has an ACK, and of something that may be one."""
    if not segment.flags & ACK:
        return dropped("R9293-3.10.7.4")
    if tcb.state is State.SYN_RECEIVED:
        if not tcb.snd_una < ack <= tcb.snd_nxt:  # [R9293-3.4-03]
            return Arrival(Verdict.REFUSED, "R9293-3.10.7.4")
    elif not is_acceptable_ack(ack, tcb.snd_una, tcb.snd_nxt, tcb.max_snd_wnd):
        challenge(tcb, "ACK of the future or the past", now)
        return dropped("R5961-5.2-01")
    return None


def take_acknowledgment(
    tcb: Control, segment: Segment, seq: i64, ack: i64, window: i64, is_signal: bool, now: Micros
) -> i64:
    """Fifth, in the states that it concerns; octets newly acknowledged."""
    if tcb.state is not State.SYN_RECEIVED:
        return take_ack(tcb, segment, seq, ack, window, is_signal, now)
    acked = ack - tcb.snd_una
    take_ack_of_syn(tcb, ack, now)
    move(tcb, Signal.ACK_OF_SYN, now)
    tcb.snd_wnd = window
    tcb.snd_wl1 = seq
    tcb.snd_wl2 = ack
    tcb.max_snd_wnd = max(tcb.max_snd_wnd, window)
    return acked


# -- sixth, seventh and eighth: URG, text and FIN ---------------------------------------------


def take_urgent(tcb: Control, segment: Segment, seq: i64) -> None:
    """Sixth: RCV.UP moves on to just behind the urgent text [R9293-3.8.5-05] [R9293-3.8.5-02]."""
    if tcb.state in MAY_RECEIVE_TEXT:
        tcb.rcv_up = max(tcb.rcv_up, seq + segment.urgent)


def take_text(tcb: Control, segment: Segment, seq: i64, now: Micros) -> tuple[Text, ...]:
    """Seventh: what is in the window is kept; what is in order now goes up.

    Urgent text is text, and has its place. [R8684-3.3.1-15]
    """
    if segment.text_length == 0 or tcb.state not in MAY_RECEIVE_TEXT:
        return ()
    if tcb.ecn.is_agreed:
        tcb.ecn.take_text(segment.flags, segment.ecn)  # [R3168-6.1.5-02] in the window
    return keep_text(tcb, segment, seq + (1 if segment.flags & SYN else 0), now)


def keep_text(tcb: Control, segment: Segment, start: i64, now: Micros) -> tuple[Text, ...]:
    """The text of ``segment``, which begins at offset ``start``."""
    offset = start
    taken = 0
    # [R7323-2.4-01] the farthest ever announced
    edge = tcb.rcv_edge if tcb.rcv_fin == NO_OFFSET else tcb.rcv_fin
    if start > tcb.rcv_nxt and len(tcb.rcv_queue.pieces) > tcb.choices.receive_buffer // CRUMB:
        # [R8684-5-06] too many holes for the octets between them: memory is bounded too
        edge = tcb.rcv_nxt
    rcv_nxt = tcb.rcv_nxt
    was_waiting = False
    ready: tuple[Text, ...] = ()
    if (
        len(segment.text) == 1
        and offset + segment.text_length <= edge
        and tcb.rcv_queue.follow(offset, segment.text[0])
    ):  # fast path: in order, and nothing waits
        ready = segment.text
        taken = segment.text_length
        offset += taken
    else:
        for text in segment.text:
            stop = min(len(text), edge - offset)
            if stop > 0:
                # [R9293-3.10.7.4-03] out of order too
                taken += tcb.rcv_queue.insert(offset, text if stop == len(text) else text.cut(0, stop))
            offset += len(text)
        was_waiting = tcb.rcv_queue.held > taken
        if taken:
            ready = tuple(tcb.rcv_queue.take())
    tcb.rcv_nxt = max(tcb.rcv_nxt, tcb.rcv_queue.start)
    tcb.octets_received += taken
    if tcb.sack and (was_waiting or start != rcv_nxt):
        note_text(tcb, start, min(offset, edge), rcv_nxt)
    if not ready or was_waiting or tcb.blocks is not None:
        # [R5681-3.2-01] [R9293-3.10.7.4-05] out of order, a copy, or the filling of a hole
        tcb.ack_now = True
        tcb.ack_alone = not ready or tcb.blocks is not None
    else:
        wait_for_ack(tcb, taken, now)
    return ready


def wait_for_ack(tcb: Control, taken: i64, now: Micros) -> None:
    """Acknowledge every second full-sized segment at once, the others soon (RFC 9293 §3.8.6.3).

    [R5681-4.2-01]
    """
    tcb.ack_waiting += taken
    tcb.rcv_mss = max(tcb.rcv_mss, taken)
    # what is full-sized goes by what comes: the path to us may be narrower than that from us
    if tcb.ack_waiting > min(tcb.snd_mss, tcb.rcv_mss) or tcb.choices.delayed_ack == 0:
        tcb.ack_now = True  # [R9293-3.8.6.3-03] more than one full-sized segment waits
    elif tcb.ack_at == NEVER:
        tcb.ack_at = now + tcb.choices.delayed_ack  # [R9293-3.8.6.3-02]


def take_fin(tcb: Control, segment: Segment, seq: i64, now: Micros) -> None:
    """Eighth: the FIN counts once everything before it has come."""
    if segment.flags & FIN and tcb.rcv_fin == NO_OFFSET and tcb.state in MAY_RECEIVE_TEXT:
        offset = seq + compute_length(segment) - 1
        held = tcb.rcv_queue.ranges()
        last = held[-1][1] if held else tcb.rcv_nxt  # text behind a FIN would make it a lie
        if last <= offset <= tcb.rcv_edge:
            tcb.rcv_fin = offset
        if offset > tcb.rcv_nxt:
            tcb.ack_now = True  # [R5681-3.2-01] out of order
    if tcb.rcv_fin != NO_OFFSET and tcb.rcv_nxt == tcb.rcv_fin:
        tcb.rcv_nxt = tcb.rcv_fin + 1
        tcb.rcv_edge = max(tcb.rcv_edge, tcb.rcv_nxt)
        tcb.ack_now = True
        if tcb.state in MAY_RECEIVE_TEXT:
            move(tcb, Signal.FIN, now)


# -- CLOSED, RFC 9293 §3.10.7.1 ---------------------------------------------------------------


def compute_reset(segment: Segment) -> Segment | None:
    """The RST that answers a segment which belongs to nobody; None for a RST."""
    if segment.flags & RST:
        return None
    if segment.flags & ACK:
        sequence, acknowledgment, flags = segment.acknowledgment, 0, RST
    else:
        sequence, flags = 0, RST | ACK
        acknowledgment = add(segment.sequence, compute_length(segment))
    return Segment(
        segment.destination,
        segment.source,
        segment.destination_port,
        segment.source_port,
        sequence,
        acknowledgment,
        flags,
        0,
        0,
        (),
        (),
    )
