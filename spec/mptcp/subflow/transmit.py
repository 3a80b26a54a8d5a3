"""What leaves next, and the segment that carries it (RFC 9293 §3.8, §3.10.2)."""

from typing import Final

from mptcp.native import i64
from mptcp.numbers import compute_wire_32
from mptcp.parameters import MAXIMUM_URGENT, MAXIMUM_WINDOW
from mptcp.subflow.arrival import Kind, Layout, Plan, Terms
from mptcp.subflow.control import NEVER, NO_OFFSET, Control
from mptcp.subflow.discovery import compute_probe_room, compute_size
from mptcp.subflow.negotiate import compute_syn_options, compute_timestamp
from mptcp.subflow.phase import Phase
from mptcp.subflow.rack import find_probe, start_probe_timer
from mptcp.subflow.selective import forget_duplicate, has_sack, make_sack
from mptcp.subflow.spurious import give_up, is_testing, note_resent
from mptcp.subflow.state import MAY_SEND_TEXT, State
from mptcp.subflow.timers import compute_backoff, start_persist, start_retransmission
from mptcp.values import Micros, Text
from mptcp.wire.budget import arrange, compute_length
from mptcp.wire.options import Option, Timestamps
from mptcp.wire.segment import ACK, ECE, ECT_0, FIN, NOT_ECT, PSH, RST, SYN, URG, Segment

NOTHING: Final = Plan(Kind.NOTHING, 0)
TIMESTAMPS_LENGTH: Final = 12  # octets, with their two NOPs


def compute_usable(snd_una: i64, snd_nxt: i64, snd_wnd: i64, free: i64) -> i64:
    """Octets of new text that may leave: within both windows (RFC 5681 §2 [R5681-2-01]).

    The peer's is the one that it announced on this very subflow. [R8684-3.3.5-04] ``free`` is what cwnd
    has room for.
    """
    # [R9293-3.8.6-01] it may have shrunk: [R9293-3.8.6-04] then nothing new leaves
    return max(0, min(snd_una + snd_wnd - snd_nxt, free))


def compute_free(tcb: Control) -> i64:
    """Octets of new text that congestion control permits; negative if too much is out.

    What is known to have arrived or to be lost is not in the network [R6675-4-02].
    """
    return max(tcb.window.cwnd - tcb.board.pipe, tcb.extra)


def compute_sendable(waiting: i64, usable: i64, mss: i64, flight: i64, largest: i64, nagle: bool) -> i64:
    """Octets to send now of ``waiting``: silly windows and tinygrams avoided (RFC 9293 §3.8.6.2.1).

    ``largest`` is the largest window that the peer ever announced; ``flight`` what is unacknowledged.
    """
    length = min(waiting, usable)
    if length <= 0:
        return 0
    tail = length % mss
    if length == waiting and (not nagle or flight == 0):
        return length  # all there is [R9293-3.7.4-02] [R9293-3.9.1.2-01]
    if length >= mss:
        return length - tail  # [R9293-3.9.1.2-04] whole segments; the rest waits for company
    if length < waiting and length >= largest // 2:
        return length  # half of the largest window
    return 0  # [R9293-3.8.6.2.1-01]


def may_send_text(tcb: Control) -> bool:
    """Whether text may leave now; after a fast open also behind our SYN/ACK [R7413-4.2.2-04]."""
    return tcb.state in MAY_SEND_TEXT or (
        tcb.state is State.SYN_RECEIVED and tcb.rcv_syn > 0 and tcb.snd_nxt > 0
    )


def compute_room(tcb: Control, waiting: i64, overhead: i64, longest: i64) -> i64:
    """How much of ``waiting`` octets this subflow would send at once; ``overhead``: option octets.

    Of what has to be mapped, not more than ``longest`` octets in whole segments, nor than the device cuts:
    or each mapping would end in a crumb. 0: nothing has.
    """
    if not may_send_text(tcb) or tcb.snd_fin != NO_OFFSET:
        return 0
    if tcb.snd_queue.end > tcb.snd_nxt:
        return 0  # what it has already goes first
    mss = compute_text_limit(tcb, overhead)
    free = compute_free(tcb)
    if tcb.board.lost and not is_testing(tcb):
        free -= tcb.board.lost  # and so does what is lost
    usable = compute_usable(tcb.snd_una, tcb.snd_nxt, tcb.snd_wnd, free)
    if tcb.path.probe_size:
        probe = compute_probe_room(tcb, waiting, usable, tcb.snd_mss - mss)
        if probe >= 0:
            return min(probe, longest) if longest else probe
    flight = tcb.snd_nxt - max(tcb.snd_una, 1)  # of text
    room = compute_sendable(waiting, usable, mss, flight, tcb.max_snd_wnd, tcb.nagle)
    if room == 0 and tcb.probe_now and flight == 0:
        return min(waiting, max(usable, 1))  # what fits, and one octet though nothing does
    return min(room, compute_segment_limit(mss, tcb.choices.offload or longest)) if longest else room


def wait(tcb: Control, now: Micros) -> None:
    """Text waits above, and nothing in flight or queued here will bring news of the window."""
    is_idle = tcb.snd_una == tcb.snd_nxt == tcb.snd_queue.end
    if is_idle and tcb.state in MAY_SEND_TEXT and tcb.snd_fin == NO_OFFSET and not tcb.probe_now:
        start_persist(tcb, now)


def compute_text_limit(tcb: Control, overhead: i64) -> i64:
    """Text octets of a full segment with ``overhead`` octets of options besides timestamps (RFC 6691)."""
    return max(1, tcb.snd_mss - overhead - (TIMESTAMPS_LENGTH if tcb.timestamps else 0))


def compute_segment_limit(size: i64, offload: i64) -> i64:
    """Text octets of one segment: what the path takes, or as many such ``size`` as a device cuts."""
    return size * max(1, offload // size)


def make_plan(tcb: Control, now: Micros) -> Plan:
    """The next segment, or that there is none; starts the probe timer where nothing else would wake us."""
    if tcb.reset_now:
        return Plan(Kind.RESET, tcb.snd_nxt)
    if tcb.state is State.CLOSED or tcb.state is State.LISTEN:
        return NOTHING
    is_opening = tcb.state is State.SYN_SENT or tcb.state is State.SYN_RECEIVED
    if is_opening and tcb.syn_now:
        return Plan(Kind.SYN, 0)
    if tcb.ack_now and tcb.ack_alone and not is_opening:
        return Plan(Kind.ACK, tcb.snd_nxt)
    if not is_opening or may_send_text(tcb):
        start = find_next_start(tcb, now)
        if start != NO_OFFSET:
            return Plan(Kind.FIN if start == tcb.snd_fin else Kind.TEXT, start)
    if tcb.ack_now and tcb.state is not State.SYN_SENT:
        return Plan(Kind.ACK, tcb.snd_nxt)
    if tcb.ask_now:
        tcb.ask_now = False
        return Plan(Kind.ACK, tcb.snd_una - 1)
    return NOTHING


def find_next_start(tcb: Control, now: Micros) -> i64:
    """The offset of the next text or FIN to leave, NO_OFFSET when none may."""
    if tcb.state is State.TIME_WAIT:
        return NO_OFFSET
    if tcb.forced != NO_OFFSET:
        return tcb.forced  # fast retransmit, or the first after a timeout
    if tcb.probe_now and tcb.snd_una < tcb.snd_queue.end:
        return tcb.snd_una
    if is_testing(tcb):
        start = find_new(tcb, now)
        if start != NO_OFFSET or tcb.snd_nxt > tcb.recover + 1:
            return start  # or wait for the answer
        give_up(tcb)  # [R5682-2.1-03] nothing new may leave
    if tcb.board.lost:
        return find_lost(tcb)
    start = find_new(tcb, now)
    return start if start != NO_OFFSET else find_more(tcb)


def find_new(tcb: Control, now: Micros) -> i64:
    """Where unsent text or the FIN begins, if it may leave; else the probe timer runs, if nothing is out."""
    unsent = tcb.snd_queue.end - tcb.snd_nxt
    if unsent > 0:
        usable = compute_usable(tcb.snd_una, tcb.snd_nxt, tcb.snd_wnd, compute_free(tcb))
        worthy = min(compute_text_limit(tcb, 0), max(tcb.max_snd_wnd // 2, 1))
        if usable >= min(unsent, worthy):
            return tcb.snd_nxt
        if tcb.snd_una == tcb.snd_nxt:
            start_persist(tcb, now)
    elif tcb.snd_fin != NO_OFFSET and tcb.snd_nxt == tcb.snd_fin:
        return tcb.snd_fin
    return NO_OFFSET


def find_lost(tcb: Control) -> i64:
    """The lowest that is lost, if cwnd has room for it, wherever the peer's window ends now.

    [R9293-3.8.6-05] [R9293-3.8.6-07] [R8985-9.3-01]
    """
    board = tcb.board
    if tcb.window.cwnd - board.pipe < min(tcb.window.mss, board.lost):
        return NO_OFFSET
    return board.find_lost()  # [R6675-4-03] rule 1


def find_more(tcb: Control) -> i64:
    """Nothing lost and nothing new may leave: a loss probe, or the last two rules of RFC 6675 §4.

    [R6675-4-03]
    """
    if tcb.tlp_now:
        return find_probe(tcb)
    board, episode = tcb.board, tcb.episode
    if tcb.phase is not Phase.FAST or not tcb.sack or tcb.choices.rack or episode is None:
        return NO_OFFSET
    if tcb.window.cwnd - board.pipe < tcb.window.mss:
        return NO_OFFSET
    start = board.find_overtaken()
    if start != NO_OFFSET:
        return start  # rule 3: perhaps not lost
    if not episode.is_rescued:
        episode.is_rescued = True
        return find_probe(tcb)  # rule 4: the last one, once
    return NO_OFFSET


def transmit(tcb: Control, plan: Plan, terms: Terms, now: Micros) -> Segment:
    """The segment that ``plan`` calls for, on ``terms``; what it changes in the record is done too."""
    if plan.kind is Kind.SYN:
        segment = make_syn(tcb, terms, now)
    elif plan.kind is Kind.RESET:
        segment = make_reset(tcb, terms, now)
    elif plan.kind is Kind.ACK:
        segment = make(tcb, plan.start, ACK, lay_out(tcb, terms, now).options, (), terms)
    else:
        segment = make_text(tcb, plan.start, terms, now)
    tcb.segments_sent += 1
    return segment


def lay_out(tcb: Control, terms: Terms, now: Micros) -> Layout:
    """Timestamps, if agreed [R7323-3.2-02], and what the connection adds, laid out in 40 octets."""
    tsval = compute_timestamp(tcb, now) if tcb.timestamps else -1
    tsecr = tcb.ts_recent if tcb.timestamps else -1
    last, added = tcb.layout, terms.options
    if last is not None and tcb.blocks is None and last.is_for(tsval, tsecr, added):
        return last  # fast path: the same words as on the segment before
    wanted = added
    if tcb.timestamps:
        stamps = Timestamps(tsval, tsecr)
        wanted = (stamps, added[0]) if len(added) == 1 else (stamps, *added)
    if tcb.blocks is None:
        options = arrange(wanted)
        tcb.layout = Layout(tsval, tsecr, added, options, compute_length(options))
        return tcb.layout
    # [R2018-4-02] on each segment as long as there are holes; mappings have more need of the room
    sack = make_sack(tcb)
    if sack is not None:
        wanted = (sack, *wanted)
    options = arrange(wanted)
    if has_sack(options):
        forget_duplicate(tcb)
    return Layout(tsval, tsecr, added, options, compute_length(options))


def make_syn(tcb: Control, terms: Terms, now: Micros) -> Segment:
    """SYN or SYN/ACK; its window is never scaled [R7323-2.2-03]."""
    is_answer = tcb.state is State.SYN_RECEIVED
    options = arrange(compute_syn_options(tcb, now, is_answer) + terms.options)
    text: tuple[Text, ...] = ()
    if tcb.snd_nxt == 0:
        tcb.snd_nxt = 1
        if not is_answer and len(tcb.snd_queue) > 0:
            tcb.snd_nxt = tcb.snd_queue.end  # RFC 7413 §4.2.2: on the first one alone
            text = tcb.snd_queue.cut(1, tcb.snd_nxt)
            tcb.board.send(1, tcb.snd_nxt, tcb.snd_mss, now)
            tcb.octets_sent += tcb.snd_nxt - 1
        tcb.timed_offset = 0
        tcb.timed_at = now
    tcb.syn_now = False
    start_retransmission(tcb, now)
    tcb.last_sent_at = now
    flags = SYN | ACK if is_answer else SYN
    # [R3168-6.1.1-04] and no ECT, whatever is agreed
    flags |= tcb.ecn.compute_syn_flags(is_answer, tcb.retries > 0, tcb.choices.ecn)
    return make(tcb, 0, flags, options, text, terms)


def make_reset(tcb: Control, terms: Terms, now: Micros) -> Segment:
    """RST: the exact number that the peer expects next, as far as we know."""
    tcb.reset_now = False
    return make(tcb, tcb.snd_nxt, RST | ACK, lay_out(tcb, terms, now).options, (), terms)


def make_text(tcb: Control, start: i64, terms: Terms, now: Micros) -> Segment:
    """Text from ``start``, the FIN where it ends, or the FIN alone."""
    layout = lay_out(tcb, terms, now)
    size = min(max(1, tcb.snd_mss - layout.length), compute_text_limit(tcb, terms.overhead))
    is_again = start < tcb.snd_nxt
    if not is_again and (tcb.path.probe_size or tcb.path.arrived < tcb.path.size) and not tcb.probe_now:
        size = compute_size(tcb, start, min(tcb.snd_queue.end, terms.limit), size, layout.length)
    limit = size if is_again else compute_segment_limit(size, tcb.choices.offload)
    stop = min(min(start + limit, tcb.snd_queue.end), terms.limit)
    if tcb.probe_now:
        usable = compute_usable(tcb.snd_una, start, tcb.snd_wnd, compute_free(tcb))
        stop = min(stop, start + max(usable, 1))
        tcb.probing = tcb.probing or tcb.snd_nxt <= stop  # a longer one is a probe still
    elif is_again:
        stop = tcb.board.find_stop(start, min(stop, tcb.snd_nxt))
    else:
        usable = compute_usable(tcb.snd_una, start, tcb.snd_wnd, compute_free(tcb))
        if usable < stop - start:
            stop = start + (usable - usable % size if usable > size else usable)  # whole segments
    # [R8684-6-07] the same octets at the same offset, whenever they go
    text: tuple[Text, ...] = tcb.snd_queue.cut(start, stop) if start < stop else ()
    flags = ACK
    after = max(start, stop)
    if after == tcb.snd_fin:
        flags |= FIN
        after += 1
    if stop == tcb.snd_queue.end and text:
        flags |= PSH  # [R9293-3.9.1.2-02] [R9293-3.9.1.2-03] once, on the last
    ecn = NOT_ECT
    if tcb.ecn.is_agreed and text and not is_again and not tcb.probe_now:
        ecn = ECT_0  # [R3168-6.1.2-01] [R3168-6.1.4-01] [R3168-6.1.5-01] [R3168-6.1.6-01]
        flags |= tcb.ecn.take_cwr()
    count_text(tcb, start, after, size, now)
    segment_size = size if tcb.choices.offload and text else 0
    return make(tcb, start, flags, layout.options, text, terms, segment_size, ecn)


def count_text(tcb: Control, start: i64, after: i64, size: i64, now: Micros) -> None:
    """SND.NXT, the scoreboard, the clocks and the counters follow what was just sent."""
    board, old = tcb.board, tcb.snd_nxt
    if start < old:
        stop = min(after, old)
        tcb.octets_retransmitted += stop - start
        board.resend(start, stop, now, tcb.sack and tcb.choices.rack)
        note_resent(tcb, stop - start, now)
    tcb.forced = NO_OFFSET
    if after > old:
        tcb.octets_sent += after - max(start, old)
        board.send(max(start, old), after, size, now)
        tcb.snd_nxt = after
        tcb.extra = max(tcb.extra - (after - max(start, old)), 0)
    if tcb.episode is not None:
        tcb.episode.out += after - start
    note_use(tcb)
    tcb.last_sent_at = now
    if tcb.probe_now:
        tcb.probe_now = False
        tcb.rto_at = NEVER  # the probe timer asks again
        tcb.persist_at = now + compute_backoff(tcb.rto, tcb.probes)  # [R9293-3.8.6.1-04]
        return
    if tcb.rto_at == NEVER:
        start_retransmission(tcb, now)  # [R6298-5-02]
    if tcb.tlp_now:
        note_probe(tcb, after <= old)
    elif after > old:
        start_probe_timer(tcb, now)


def note_use(tcb: Control) -> None:
    """Whether cwnd is in use: else it does not grow when this is acknowledged (RFC 9438 §5.8).

    In slow start half of it is enough, or it would not have doubled by the time it is wanted.
    """
    window, pipe = tcb.window, tcb.board.pipe
    used = 2 * pipe if window.cwnd < window.ssthresh else pipe + window.mss
    if used >= window.cwnd:
        tcb.full_until = tcb.snd_nxt


def note_probe(tcb: Control, is_again: bool) -> None:
    """The loss probe has left (RFC 8985 §7.3)."""
    tcb.tlp_now = False
    tcb.extra = 0
    tcb.rack.tlp_end_seq = tcb.snd_nxt
    tcb.rack.tlp_is_retrans = is_again
    tcb.rack.is_measured = False


def make(
    tcb: Control,
    start: i64,
    flags: i64,
    options: tuple[Option, ...],
    text: tuple[Text, ...],
    terms: Terms,
    segment_size: i64 = 0,
    ecn: i64 = NOT_ECT,
) -> Segment:
    """A segment at ``start``; everything it acknowledges and announces is noted."""
    shift = 0 if flags & SYN else tcb.rcv_shift
    field = min(terms.window >> shift, MAXIMUM_WINDOW)
    # [R9293-3.4-02] [R8684-C.2.2-01] the next one that is expected
    acknowledgment = compute_wire_32(tcb.irs, tcb.rcv_nxt) if flags & ACK else 0
    if flags & ACK:
        # [R9293-3.8.6-03] the right edge never moves left; [R8684-3.3.4-04] it is the connection's
        tcb.rcv_edge = max(tcb.rcv_edge, tcb.rcv_nxt + (field << shift))
        tcb.last_ack_sent = tcb.rcv_nxt
        # [R9293-3.10.7.4-01] [R5681-4.2-02] one acknowledgment for all that waited
        tcb.ack_now = False
        tcb.ack_alone = False
        tcb.ack_waiting = 0
        if tcb.ecn.is_echoing and not flags & (SYN | RST):
            flags |= ECE  # [R3168-6.1.3-01]
        tcb.ack_at = NEVER
    urgent = 0
    if tcb.snd_up > start and not flags & (SYN | RST):
        flags |= URG
        urgent = min(tcb.snd_up - start, MAXIMUM_URGENT)  # [R9293-3.8.5-05]
    return Segment(
        tcb.local,  # [R9293-3.9.1.1-05]
        tcb.remote,
        tcb.local_port,
        tcb.remote_port,
        compute_wire_32(tcb.iss, start),
        acknowledgment,
        flags,
        field,
        urgent,
        options,
        text,
        segment_size,
        ecn,
    )
