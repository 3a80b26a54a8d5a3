"""Loss and recovery: what each acknowledgment means for the window (RFC 5681 §3.2, RFC 6582, RFC 6675 §5).

With SACK the scoreboard says what is lost, and proportional rate reduction what may leave; without it
duplicates are counted, and NewReno recovers.
"""

from mptcp.native import i64
from mptcp.parameters import DUPLICATE_ACK_THRESHOLD
from mptcp.subflow import rack, spurious
from mptcp.subflow.control import NEVER, NO_OFFSET, Control
from mptcp.subflow.discovery import expire, take_lost_probe
from mptcp.subflow.phase import TRANSITIONS, Episode, News, Phase
from mptcp.subflow.reduction import compute_sendable
from mptcp.subflow.timers import start_retransmission
from mptcp.values import Micros


def turn(tcb: Control, news: News, now: Micros) -> None:
    """The one place that writes ``phase``."""
    before = tcb.phase
    tcb.phase = TRANSITIONS[before][news]
    tcb.journal.note_move(now, tcb.name, news, before, tcb.phase)
    tcb.rack.tlp_end_seq = -1  # [R8985-7.1-01]
    tcb.tlp_now = False
    tcb.pto_at = NEVER


def is_duplicate(tcb: Control, ack: i64, length: i64, window: i64) -> bool:
    """A duplicate acknowledgment: RFC 5681 §2, (a) to (e); ``length`` counts text, SYN and FIN.

    Text must be outstanding: nothing follows a FIN that could make the peer say the same thing again.
    """
    has_text = tcb.snd_una < min(tcb.snd_nxt, tcb.snd_queue.end)
    return ack == tcb.snd_una and has_text and length == 0 and window == tcb.snd_wnd


def respond(tcb: Control, una: i64, newly: i64, is_dup: bool, echo: i64, now: Micros) -> None:
    """One acknowledgment, once the scoreboard knows of it: recover, or grow.

    SND.UNA was ``una``; ``newly`` octets are known to have arrived by it.
    """
    acked = tcb.snd_una - una
    if acked > 0:
        tcb.duplicates = 0
        tcb.extra = 0
    elif tcb.sack and newly > 0:
        tcb.duplicates += 1  # [R6675-5-01]
    if tcb.episode is not None and (tcb.phase is not Phase.OPEN or tcb.episode.doubled):
        if spurious.is_mistake(tcb, una, echo):
            if tcb.phase is not Phase.SLOW:
                rack.note_overtaken(tcb)
            take_back(tcb, "by timestamps or duplicates", now)
        elif tcb.phase is Phase.SLOW:
            judge(tcb, spurious.decide(tcb, acked, newly, is_dup), now)
    if tcb.sack:
        find_losses(tcb, now)
    elif is_dup:
        take_duplicate(tcb, now)
    if tcb.phase is Phase.FAST:
        if tcb.snd_una > tcb.recover:
            finish(tcb, now)
        elif tcb.sack:
            reduce(tcb, newly)
        elif acked > 0:
            take_partial(tcb, acked, now)
        return
    if acked > 0:
        if tcb.phase is Phase.SLOW and tcb.snd_una > tcb.recover:
            finish(tcb, now)
        if una <= tcb.full_until and una > tcb.ecn.reduced_until:
            tcb.controller.on_ack(tcb.window, acked, now)


# -- with SACK ----------------------------------------------------------------------------------


def find_losses(tcb: Control, now: Micros) -> None:
    """Ask the scoreboard; the first loss begins a recovery."""
    board = tcb.board
    before = board.lost
    if tcb.choices.rack:
        rack.detect(tcb, now)
    elif board.sacked:
        rack.count(tcb)
        if tcb.duplicates >= DUPLICATE_ACK_THRESHOLD and tcb.phase is Phase.OPEN:
            board.lose_first()  # [R6675-5-02]
    if board.lost > before and tcb.phase is Phase.OPEN:
        start = board.find_lost()
        if not take_lost_probe(tcb, start, now):
            enter(tcb, start, now)


def reduce(tcb: Control, newly: i64) -> None:
    """cwnd for now: what is out, and what may leave by RFC 6937."""
    episode, window = tcb.episode, tcb.window
    assert episode is not None
    episode.delivered += newly
    window.cwnd = max(
        tcb.board.pipe
        + compute_sendable(
            tcb.board.pipe,
            window.ssthresh,
            episode.delivered,
            episode.out,
            episode.flight,
            newly,
            window.mss,
        ),
        window.mss,
    )


# -- without ------------------------------------------------------------------------------------


def take_duplicate(tcb: Control, now: Micros) -> None:
    """One more segment left the network, but not the one at ``snd_una``."""
    if tcb.phase is Phase.SLOW:
        return  # after a timeout everything goes again anyway
    tcb.duplicates += 1  # [R5681-3.2-03] the first two do not change cwnd
    if tcb.phase is Phase.FAST:
        tcb.window.cwnd += tcb.window.mss  # RFC 5681 §3.2, step 4
    elif tcb.duplicates < DUPLICATE_ACK_THRESHOLD:
        tcb.extra = tcb.window.mss  # [R3042-2-01] limited transmit [R5681-3.2-01]
    else:
        tcb.extra = 0
        if tcb.duplicates == DUPLICATE_ACK_THRESHOLD and tcb.snd_una > tcb.recover + 1:
            tcb.board.lose_first()
            if not take_lost_probe(tcb, tcb.snd_una, now):
                enter(tcb, tcb.snd_una, now)  # [R6582-3.2-02] [R5681-3.2-02]
                tcb.window.cwnd += DUPLICATE_ACK_THRESHOLD * tcb.window.mss  # [R5681-3.2-04]


def take_partial(tcb: Control, acked: i64, now: Micros) -> None:
    """A partial acknowledgment: the next hole is lost too (RFC 6582 §3.2 [R6582-3.2-04])."""
    window = tcb.window
    tcb.journal.note(now, tcb.name, "partial acknowledgment", str(tcb.snd_una))
    tcb.board.lose_first()
    tcb.forced = tcb.snd_una
    window.cwnd = max(window.cwnd - acked, 0) + (window.mss if acked >= window.mss else 0)
    window.cwnd = max(window.cwnd, window.mss)


# -- both ---------------------------------------------------------------------------------------


def enter(tcb: Control, start: i64, now: Micros) -> None:
    """Fast retransmit of what begins at ``start``, and recovery until all that is out is acknowledged."""
    flight = tcb.snd_nxt - tcb.snd_una
    tcb.journal.note(now, tcb.name, "fast retransmit", str(start))
    turn(tcb, News.LOSS, now)
    tcb.recover = tcb.snd_nxt - 1  # [R6675-5-03] [R6582-3.2-01]
    tcb.episode = Episode(tcb.snd_una, flight)
    # [R3042-2-02] without what limited transmit let out
    if tcb.ecn.may_reduce(tcb.snd_una):  # [R3168-6.1.2-03]
        tcb.controller.on_loss(tcb.window, min(flight, tcb.window.cwnd), now)
        tcb.ecn.note_reduction(tcb.snd_nxt)
    tcb.forced = start


def finish(tcb: Control, now: Micros) -> None:
    """All that was out when it began is acknowledged: back to normal [R6675-5-04] [R6582-3.2-03]."""
    window = tcb.window
    if tcb.phase is Phase.FAST:
        window.cwnd = window.ssthresh  # [R6937-3-03]
        if not tcb.sack:
            flight = tcb.snd_nxt - tcb.snd_una
            window.cwnd = min(window.ssthresh, max(flight, window.mss) + window.mss)  # [R5681-3.2-05]
    if tcb.episode is not None:
        tcb.episode.frto = 0
    rack.note_recovery(tcb)
    tcb.forced = NO_OFFSET
    turn(tcb, News.REPAIRED, now)


def time_out(tcb: Control, now: Micros) -> None:
    """The retransmission timer expired: slow start, from what is lost (RFC 5681 §3.1, RFC 6298 §5.4-5.5)."""
    flight = tcb.snd_nxt - tcb.snd_una
    was_open = tcb.phase is Phase.OPEN
    if tcb.retries == 1:
        tcb.controller.on_timeout(tcb.window, flight, now)
        tcb.ecn.note_timeout()
    else:
        tcb.window.cwnd = tcb.window.mss
    turn(tcb, News.TIMEOUT, now)
    tcb.recover = tcb.snd_nxt - 1  # [R6582-3.2-05] [R6675-5.1-01]
    tcb.duplicates = 0
    tcb.reorder_at = NEVER
    tcb.episode = Episode(tcb.snd_una, flight)
    rack.mark_on_timeout(tcb, now)
    expire(tcb, now)
    tcb.forced = tcb.snd_una  # [R2018-5-01]
    tcb.extra = 0
    if was_open:
        spurious.begin(tcb)


def judge(tcb: Control, verdict: i64, now: Micros) -> None:
    """What F-RTO found out about the timeout."""
    if verdict == spurious.SPURIOUS:
        take_back(tcb, "by new acknowledgments", now)
    elif verdict == spurious.GENUINE:
        # [R5682-2.1-05] two round trips after the timeout standard TCP would have as much
        tcb.window.cwnd = 3 * tcb.window.mss


def take_back(tcb: Control, why: str, now: Micros) -> None:
    """Nothing had been lost: the window, and what was marked, as before."""
    tcb.journal.note(now, tcb.name, "spurious", why)
    turn(tcb, News.MISTAKE, now)
    tcb.board.spare()
    rack.forget(tcb)
    tcb.controller.on_spurious(tcb.window, tcb.board.pipe, now)
    tcb.recover = tcb.snd_una - 1  # [R5682-2.1-04]
    spurious.forget(tcb)


def take_repaired_tail(tcb: Control, now: Micros) -> None:
    """A loss probe repaired a loss that nobody saw: the window shrinks all the same [R8985-7.4.2-01]."""
    if tcb.phase is Phase.OPEN:
        tcb.journal.note(now, tcb.name, "loss repaired by a probe")
        tcb.controller.on_loss(tcb.window, tcb.snd_nxt - tcb.snd_una, now)


def expire_probe(tcb: Control, now: Micros) -> None:
    """An ACK is overdue: a probe leaves, if it may; in any case the timer is the other one [R8985-7.3-03]."""
    tcb.pto_at = NEVER
    if tcb.snd_una == tcb.snd_nxt or tcb.phase is not Phase.OPEN:
        return
    if rack.may_probe(tcb):
        tcb.journal.note(now, tcb.name, "loss probe")
        tcb.tlp_now = True
        tcb.extra = tcb.window.mss
    start_retransmission(tcb, now)


def expire_reordering(tcb: Control, now: Micros) -> None:
    """What might have been late has had its time (RFC 8985 §6.2 [R8985-6.2-02])."""
    tcb.reorder_at = NEVER
    find_losses(tcb, now)
