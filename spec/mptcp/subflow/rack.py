"""Loss detection by time: RACK, and the tail loss probe (RFC 8985); by counting: RFC 6675.

A segment is lost if one that was sent later has arrived, and it has not although it had a while more.
"""

from typing import Final

from mptcp.native import i64
from mptcp.numbers import compute_signed_32
from mptcp.parameters import (
    DUPLICATE_ACK_THRESHOLD,
    MAXIMUM_ACK_DELAY,
    MIN_RTT_WINDOW,
    MINIMUM_PTO,
    REO_WND_PERSIST,
    SECOND,
)
from mptcp.subflow.control import NEVER, Control
from mptcp.subflow.negotiate import compute_timestamp
from mptcp.subflow.phase import Phase
from mptcp.subflow.scoreboard import FLYING, SACKED, TWICE, Scoreboard, Sent
from mptcp.values import Micros

NO_ECHO: Final = -1  # in place of a TSecr, where timestamps are not in use


# -- what is known of a segment that arrived ----------------------------------------------------


def is_sent_after(t1: Micros, seq1: i64, t2: Micros, seq2: i64) -> bool:
    """RACK_sent_after: by time, then by number (RFC 8985 §6.2, step 2)."""
    return t1 > t2 or (t1 == t2 and seq1 > seq2)


def deliver(tcb: Control, one: Sent, echo: i64, now: Micros) -> None:
    """A record arrived, as an acknowledgment says now: steps 1 to 3 of RFC 8985 §6.2.

    ``echo`` is its TSecr, or NO_ECHO.
    """
    rack = tcb.rack
    rtt = now - one.sent_at
    if not one.is_again:
        note_rtt(tcb, rtt, now)
        if one.end < rack.fack:
            rack.reordering_seen = True  # [R8985-6.2-03] it was overtaken, and not sent again
    if one.end > rack.fack:
        rack.fack = one.end
    if one.is_again:
        # [R8985-6.2-04] it may be the first copy that arrived
        if rtt < tcb.window.min_rtt:
            return
        if echo != NO_ECHO and compute_signed_32(echo - compute_timestamp(tcb, one.sent_at)) < 0:
            return
    rack.rtt = rtt
    if is_sent_after(one.sent_at, one.end, rack.xmit_ts, rack.end_seq):
        rack.xmit_ts = one.sent_at
        rack.end_seq = one.end


def note_rtt(tcb: Control, rtt: Micros, now: Micros) -> None:
    """The smallest round trip of the last minutes [R8985-6.2-05]."""
    window = tcb.window
    window.rtt = rtt
    if window.min_rtt == 0 or rtt <= window.min_rtt or tcb.rack.min_rtt_at + MIN_RTT_WINDOW < now:
        window.min_rtt = max(rtt, 1)
        tcb.rack.min_rtt_at = now


def note_duplicate_report(tcb: Control) -> None:
    """The peer had something twice: it may have been late and not lost (RFC 8985 §6.2, step 4)."""
    rack = tcb.rack
    if rack.dsack_round >= 0 and tcb.snd_una >= rack.dsack_round:
        rack.dsack_round = -1
    if rack.dsack_round < 0:  # [R8985-3.3.2-01] a quarter more for each round trip with such a report
        rack.dsack_round = tcb.snd_nxt
        rack.reo_wnd_mult += 1
        rack.reo_wnd_persist = REO_WND_PERSIST


def note_overtaken(tcb: Control) -> None:
    """What was taken for lost had been overtaken: that is reordering, though it went again by then.

    Step 3 of RFC 8985 §6.2 cannot see it, and as long as nothing was seen step 4 waits for nothing, however
    many duplicates are reported: the same mistake again and again [R8985-3.3.2-01].
    """
    tcb.rack.reordering_seen = True


def forget(tcb: Control) -> None:
    """What was sent after what, as far as it was known, misled: begin anew with what arrives next."""
    tcb.rack.xmit_ts = -1
    tcb.rack.end_seq = 0
    tcb.board.again.clear()
    tcb.reorder_at = NEVER


def note_recovery(tcb: Control) -> None:
    """A recovery ended: after a number without duplicates segments need not be waited for so long."""
    rack = tcb.rack
    rack.reo_wnd_persist -= 1
    if rack.reo_wnd_persist <= 0:
        rack.reo_wnd_mult = 1


# -- what is lost -------------------------------------------------------------------------------


def compute_reo_wnd(mult: i64, min_rtt: Micros, srtt: Micros, is_sure: bool) -> Micros:
    """How late a segment may be, µs (RFC 8985 §6.2, step 4); ``is_sure``: nothing was ever reordered and
    enough has overtaken it.

    [R8985-3.3.2-01]
    """
    return 0 if is_sure else min(mult * min_rtt // 4, srtt)


def is_enough(tcb: Control) -> bool:
    """Whether as much has arrived out of order as three segments: DupThresh of RFC 6675 §2, in octets."""
    board = tcb.board
    return (
        board.sacked > (DUPLICATE_ACK_THRESHOLD - 1) * tcb.window.mss
        or board.islands >= DUPLICATE_ACK_THRESHOLD
        or tcb.duplicates >= DUPLICATE_ACK_THRESHOLD
    )


def detect(tcb: Control, now: Micros) -> None:
    """Step 5 of RFC 8985 §6.2: marks what is lost, and sets the clock for what may be yet [R8985-6.2-02].

    [R8985-6.2-01] Only what was sent before the delivered segment sent last is looked at, in the order of
    time; each record once, so that an acknowledgment costs the same however much is out.
    """
    board, rack = tcb.board, tcb.rack
    tcb.reorder_at = NEVER
    if board.sacked == 0 and not board.again:
        return
    is_sure = not rack.reordering_seen and (tcb.phase is not Phase.OPEN or is_enough(tcb))
    latest = now - rack.rtt - compute_reo_wnd(rack.reo_wnd_mult, tcb.window.min_rtt, tcb.srtt, is_sure)
    is_pending = detect_first(board, rack.xmit_ts, rack.end_seq, latest)
    is_pending = detect_again(board, rack.xmit_ts, rack.end_seq, latest) or is_pending
    if is_pending:
        # what was sent together with the segment that arrived is the last to be decided
        tcb.reorder_at = max(rack.xmit_ts - latest, 1) + now


def detect_first(board: Scoreboard, xmit_ts: Micros, end_seq: i64, latest: Micros) -> bool:
    """Among what was sent once: lost is what left at ``latest`` or before. Whether some wait to be."""
    while board.cursor < len(board.sent):
        one = board.sent[board.cursor]
        if one.mark == FLYING and not one.is_again:
            if not is_sent_after(xmit_ts, end_seq, one.sent_at, one.end):
                return False
            if one.sent_at > latest:
                return True
            board.lose(board.cursor)
        board.cursor += 1
    return False


def detect_again(board: Scoreboard, xmit_ts: Micros, end_seq: i64, latest: Micros) -> bool:
    """The same among what was sent more than once."""
    gone = 0
    is_pending = False
    for one in board.again:
        index = board.find(one.start)
        if index < len(board.sent) and board.sent[index] == one:
            if not is_sent_after(xmit_ts, end_seq, one.sent_at, one.end):
                break
            if one.sent_at > latest:
                is_pending = True
                break
            board.lose(index)
        gone += 1
    if gone:
        del board.again[:gone]
    return is_pending


def count(tcb: Control) -> None:
    """Loss by counting, where RACK is not used: IsLost of RFC 6675 §4 for all that is out.

    [R8985-9.2-01] never beside RACK.
    """
    board = tcb.board
    stop = find_boundary(board, (DUPLICATE_ACK_THRESHOLD - 1) * tcb.window.mss)
    while board.cursor < stop:
        one = board.sent[board.cursor]
        if one.mark == FLYING and not one.is_again:
            board.lose(board.cursor)
        board.cursor += 1


def find_boundary(board: Scoreboard, octets: i64) -> i64:
    """The index before which all is lost that has not arrived [R6675-5-02].

    More than ``octets``, or three islands, have arrived behind it. From the top down: what is looked at are
    those few, and the holes between them.
    """
    sacked = islands = 0
    index = board.find(board.high - 1) if board.islands else board.first
    while index >= board.first and index < len(board.sent):
        one = board.sent[index]
        if one.mark == SACKED:
            sacked += one.end - one.start
            islands += 1
            if sacked > octets or islands >= DUPLICATE_ACK_THRESHOLD:
                return index
        index -= 1
    return 0


def mark_on_timeout(tcb: Control, now: Micros) -> None:
    """RFC 8985 §6.3: the first is lost, and what had its time; the others may be on their way [R8985-6.3-01].

    Without SACK nothing will tell later what is lost, so all is.
    """
    board = tcb.board
    if board.first < len(board.sent) and board.sent[board.first].mark == SACKED:
        board.forget_sacks()  # [R2018-5-01] it arrived and is not acknowledged: the receiver let go of it
    if not tcb.sack or not tcb.choices.rack:
        board.lose_all()
        return
    patience = compute_reo_wnd(tcb.rack.reo_wnd_mult, tcb.window.min_rtt, tcb.srtt, False)
    latest = now - tcb.rack.rtt - patience
    for index in range(board.first, len(board.sent)):
        one = board.sent[index]
        if one.mark in (FLYING, TWICE) and (index == board.first or one.sent_at <= latest):
            board.lose(index)


# -- the tail loss probe, RFC 8985 §7 -----------------------------------------------------------


def compute_pto(srtt: Micros, is_single: bool, max_ack_delay: Micros) -> Micros:
    """The probe timeout, µs (RFC 8985 §7.2 [R8985-7.2-01]); ``srtt`` 0: not measured yet."""
    if srtt == 0:
        return 1 * SECOND
    return max(2 * srtt + (max_ack_delay if is_single else 0), MINIMUM_PTO)


def start_probe_timer(tcb: Control, now: Micros) -> None:
    """New data left, or some was acknowledged: (re)start or stop the clock of the loss probe."""
    if (
        not tcb.sack  # [R8985-4-01]
        or not tcb.choices.rack
        or tcb.phase is not Phase.OPEN
        or tcb.board.sacked
        or tcb.snd_una == tcb.snd_nxt
        or tcb.probing
    ):
        tcb.pto_at = NEVER
        return
    is_single = tcb.snd_nxt - tcb.snd_una <= tcb.window.mss
    pto = compute_pto(tcb.srtt, is_single, MAXIMUM_ACK_DELAY)
    tcb.pto_at = min(now + pto, tcb.rto_at)


def take_ack_of_probe(tcb: Control, ack: i64, has_duplicate: bool, is_bare_duplicate: bool) -> bool:
    """RFC 8985 §7.4.2; whether the probe repaired a loss that nobody saw otherwise.

    ``has_duplicate``: the peer reports one; ``is_bare_duplicate``: a duplicate ACK without blocks.
    """
    rack = tcb.rack
    if rack.tlp_end_seq < 0 or ack < rack.tlp_end_seq:
        return False
    if not rack.tlp_is_retrans or has_duplicate:
        rack.tlp_end_seq = -1  # both copies, or the only one, arrived
    elif ack > rack.tlp_end_seq:
        rack.tlp_end_seq = -1
        return True  # [R8985-7.4.2-01]
    elif is_bare_duplicate:
        rack.tlp_end_seq = -1
    return False


def may_probe(tcb: Control) -> bool:
    """One probe at a time, and a measured round trip between two [R8985-7.3-01]."""
    return tcb.rack.tlp_end_seq < 0 and tcb.rack.is_measured


def find_probe(tcb: Control) -> i64:
    """Where the last segment begins that is out and has not arrived [R8985-7.3-02]."""
    board = tcb.board
    for index in range(len(board.sent) - 1, board.first - 1, -1):
        one = board.sent[index]
        if one.mark != SACKED:
            return max(one.start, one.end - tcb.window.mss)
    return tcb.snd_una
