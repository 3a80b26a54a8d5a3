"""Late, not lost: F-RTO (RFC 5682), echoes (RFC 3522) and duplicates (RFC 2883) that prove a mistake."""

from typing import Any

import pytest

from mptcp.choices import NEWRENO
from mptcp.numbers import compute_wire_32
from mptcp.parameters import MILLISECOND
from mptcp.subflow.control import NEVER, Control
from mptcp.subflow.phase import Phase
from mptcp.subflow.spurious import is_echo_of_first
from mptcp.wire.options import MaximumSegmentSize, Option, Sack, SackPermitted, Timestamps
from mptcp.wire.segment import ACK
from mptcp_model.dialogue import Peer, User
from mptcp_model.situations import established

RTT = 100 * MILLISECOND
MSS = 1_460
SYN_OPTIONS: tuple[Option, ...] = (MaximumSegmentSize(MSS), SackPermitted())


def timed_out(text: int = 10, **choices: Any) -> tuple[User, Peer, Control]:
    """Ten segments are out, and the first has gone again after a timeout."""
    user, peer = established(options=SYN_OPTIONS, rtt=RTT, **{"congestion": NEWRENO, **choices})
    user.writes(bytes(text * MSS))
    tcb = find_tcb(user)
    tcb.pto_at = NEVER  # no probe
    peer.skips()
    peer.waits(tcb.rto_at)
    assert leaves(peer) == [0]
    assert (tcb.phase, tcb.window.cwnd) == (Phase.SLOW, MSS)
    return user, peer, tcb


def find_tcb(user: User) -> Control:
    """The control block of the only subflow."""
    return user.host.connections[user.connection].control.branches[0].subflow.tcb


def leaves(peer: Peer) -> list[int]:
    """The numbers of the segments that have left and were not looked at."""
    return [(peer.count(one.sequence) - 1) // MSS for one in peer.skips()]


def answers(peer: Peer, ack: int, *runs: tuple[int, int], after: int = RTT) -> list[int]:
    """The peer acknowledges the segments before ``ack`` and reports runs; what leaves then."""
    blocks = tuple(
        (compute_wire_32(peer.host_isn, 1 + left * MSS), compute_wire_32(peer.host_isn, 1 + right * MSS))
        for left, right in runs
    )
    peer.waits(peer.dialogue.now + after)
    peer.sends(ACK, ack=1 + ack * MSS, options=[Sack(blocks)] if blocks else [])
    return leaves(peer)


# -- F-RTO, the basic algorithm ------------------------------------------------------------------


@pytest.mark.clause("R5682-2.1-02", "R5682-2.1-03", "R5682-2.1-04")
@pytest.mark.parametrize("sack", [False, True])
def test_all_were_late(sack: bool) -> None:
    """Two ACKs that advance: new text after the first, all as before after the second, nothing else again."""
    user, peer, tcb = timed_out(text=30, sack=sack)
    assert answers(peer, 1) == [10, 11]
    assert tcb.phase is Phase.SLOW
    following = answers(peer, 2, after=1)
    assert all(number >= 12 for number in following)
    assert tcb.phase is Phase.OPEN
    assert tcb.octets_retransmitted == MSS
    assert tcb.window.ssthresh >= 10 * MSS
    assert tcb.window.cwnd >= 10 * MSS
    assert tcb.recover == tcb.snd_una - 1


@pytest.mark.clause("R5682-2.1-05")
def test_duplicate_after_new_text() -> None:
    """A duplicate instead: the timeout was one, and slow start goes on from three segments at most."""
    user, peer, tcb = timed_out(text=30, sack=False)
    assert answers(peer, 1) == [10, 11]
    sent = answers(peer, 1)
    assert sent[:1] == [1]
    assert tcb.phase is Phase.SLOW
    assert tcb.window.cwnd <= 3 * MSS
    assert tcb.window.ssthresh == 5 * MSS


@pytest.mark.clause("R5682-2.1-03")
def test_duplicate_first() -> None:
    """A duplicate before any ACK that advances ends the test at once."""
    user, peer, tcb = timed_out(text=30, sack=False)
    answers(peer, 0, after=MILLISECOND)
    assert 10 not in answers(peer, 1)
    assert tcb.octets_retransmitted >= 2 * MSS


@pytest.mark.clause("R5682-2.1-03", "R5682-3.1-03")
@pytest.mark.parametrize("sack", [False, True])
def test_nothing_new_to_test_with(sack: bool) -> None:
    """Without new text the lost goes again, as ever."""
    user, peer, tcb = timed_out(text=10, sack=sack)
    assert answers(peer, 1)[0] == 1
    assert tcb.episode is not None
    assert tcb.episode.frto == 0


@pytest.mark.clause("R5682-2.1-03")
def test_all_at_once() -> None:
    """An ACK of all that was out proves nothing: the window stays small."""
    user, peer, tcb = timed_out(text=30, sack=False)
    answers(peer, 10)
    assert tcb.phase is Phase.OPEN
    assert tcb.window.cwnd <= 2 * MSS
    assert tcb.window.ssthresh == 5 * MSS


@pytest.mark.clause("R5682-2.1-01", "R5682-2.1-02", "R5682-3.1-01", "R5682-3.1-02")
@pytest.mark.parametrize("sack", [False, True])
def test_second_timeout(sack: bool) -> None:
    """Another expiry goes back to the first segment, and is not tested again."""
    user, peer, tcb = timed_out(text=30, sack=sack)
    peer.waits(tcb.rto_at)
    assert leaves(peer) == [0]
    assert tcb.episode is not None
    assert tcb.episode.frto == 0
    assert 10 not in answers(peer, 1)


def test_not_asked_for() -> None:
    """``frto=False``: slow start at once."""
    user, peer, tcb = timed_out(text=30, sack=False, frto=False)
    assert answers(peer, 1) == [1, 2]


# -- with SACK -----------------------------------------------------------------------------------


@pytest.mark.clause("R5682-3.1-03")
def test_reports_before_the_acknowledgment() -> None:
    """Reports alone decide nothing; then one of what left before the timeout does."""
    user, peer, tcb = timed_out(text=30)
    assert tcb.episode is not None
    answers(peer, 0, (4, 5), after=MILLISECOND)
    assert tcb.episode.frto == 1
    assert [number for number in answers(peer, 1, (4, 5), after=MILLISECOND) if number >= 10]
    assert tcb.episode.frto == 2
    answers(peer, 1, (4, 6), after=MILLISECOND)
    assert tcb.journal.notes[-1].rule != "retransmission timeout"
    assert any(note.rule == "spurious" for note in tcb.journal.notes)


@pytest.mark.clause("R5682-3.1-03", "R5682-2.1-05")
def test_report_of_new_text() -> None:
    """What left after the timeout arrives, and nothing before it: the timeout was one."""
    user, peer, tcb = timed_out(text=30)
    assert answers(peer, 1) == [10, 11]
    answers(peer, 1, (10, 11))
    assert tcb.phase is Phase.SLOW
    assert not any(note.rule == "spurious" for note in tcb.journal.notes)
    assert tcb.window.cwnd <= 3 * MSS


# -- echoes --------------------------------------------------------------------------------------


@pytest.mark.clause("R3522-3.2-01")
@pytest.mark.parametrize(
    ("echo", "stamp", "expected"),
    [(9, 10, True), (10, 10, False), (11, 10, False), (-1, 10, False), (9, -1, False), (0xFFFFFFFF, 3, True)],
)
def test_echo(echo: int, stamp: int, expected: bool) -> None:
    """Older than the first copy that went again; none, or none to compare with, is no proof."""
    assert is_echo_of_first(echo, stamp) == expected


@pytest.mark.clause("R3522-3.2-01")
@pytest.mark.parametrize("is_late", [True, False])
def test_timestamp_of_the_first_copy(is_late: bool) -> None:
    """A fast retransmit was needless if its ACK echoes what the original carried."""
    stamps = Timestamps(1, 0)
    user, peer = established(options=(*SYN_OPTIONS, stamps), rtt=RTT, congestion=NEWRENO)
    user.writes(bytes(200_000))
    sent = peer.skips()
    size = sent[0].text_length
    (original,) = [one for one in sent[0].options if isinstance(one, Timestamps)]
    tcb = find_tcb(user)
    held = Sack(((compute_wire_32(peer.host_isn, 1 + size), compute_wire_32(peer.host_isn, 1 + 4 * size)),))
    peer.sends(ACK, ack=1, options=[Timestamps(2, original.value), held], at=2 * RTT)
    again = peer.skips()[0]
    assert peer.count(again.sequence) == 1
    assert tcb.phase is Phase.FAST
    (copy,) = [one for one in again.options if isinstance(one, Timestamps)]
    assert copy.value > original.value
    echo = original.value if is_late else copy.value
    peer.sends(ACK, ack=1 + 4 * size, options=[Timestamps(3, echo)], at=2 * RTT + 1)
    assert tcb.phase is (Phase.OPEN if is_late else Phase.FAST)
    assert (tcb.window.ssthresh > 10 * MSS) == is_late


# -- duplicates ----------------------------------------------------------------------------------


@pytest.mark.clause("R2883-5-01")
def test_all_came_twice() -> None:
    """Each octet that went again is reported as a duplicate, after recovery: the window comes back."""
    user, peer = established(options=SYN_OPTIONS, rtt=RTT, congestion=NEWRENO)
    user.writes(bytes(300 * MSS))
    peer.skips()
    tcb = find_tcb(user)
    answers(peer, 0, (1, 4))
    point = (tcb.recover + 1) // MSS
    answers(peer, point, after=RTT // 2)
    assert (tcb.phase, tcb.window.cwnd, tcb.octets_retransmitted) == (Phase.OPEN, 5 * MSS, MSS)
    answers(peer, point, (0, 1), after=RTT // 2)
    assert tcb.window.cwnd >= 10 * MSS
    assert tcb.episode is None


@pytest.mark.clause("R2883-5-01")
def test_only_some_came_twice() -> None:
    """Two went again and one is reported: the other was lost."""
    user, peer = established(options=SYN_OPTIONS, rtt=RTT, congestion=NEWRENO)
    user.writes(bytes(300 * MSS))
    peer.skips()
    tcb = find_tcb(user)
    answers(peer, 0, (2, 6))
    answers(peer, 0, (2, 7), after=0)
    assert tcb.octets_retransmitted == 2 * MSS
    point = (tcb.recover + 1) // MSS
    answers(peer, point, after=RTT // 2)
    answers(peer, point, (0, 1), after=RTT // 2)
    assert tcb.window.cwnd <= 6 * MSS
