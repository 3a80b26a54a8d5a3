"""Loss seen by duplicate acknowledgments: RFC 5681 §3.2 and NewReno, RFC 6582."""

import pytest

from mptcp.choices import NEWRENO
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.segment import ACK
from mptcp_model.dialogue import Peer, User
from mptcp_model.situations import Scene, established

RTT = 100 * MILLISECOND
MSS = 1_460


def in_flight(count: int = 10) -> Scene:
    """``count`` full segments are out, and much more waits to follow."""
    user, peer = established(rtt=RTT, congestion=NEWRENO)
    user.writes(bytes(MSS * 200))
    sent = len(peer.skips())
    while sent < count:
        peer.sends(ACK, ack=1 + sent * MSS)
        sent = (peer.acked - 1) // MSS + len(peer.skips())
    return user, peer


def duplicates(peer: Peer, ack: int, count: int) -> list[int]:
    """The peer repeats an ACK ``count`` times; the offsets at which the host then sends."""
    for _ in range(count):
        peer.sends(ACK, ack=ack)
    return [peer.count(one.sequence) for one in peer.skips()]


@pytest.mark.clause("R5681-3.2-02")
def test_third_duplicate() -> None:
    """The first two duplicates resend nothing, the third resends what they ask for, at once."""
    _, peer = in_flight()
    assert 1 not in duplicates(peer, 1, 2)
    assert duplicates(peer, 1, 1) == [1]
    peer.expects_nothing()


@pytest.mark.clause("R5681-3.2-03", "R3042-2-01", "R3042-2-02")
def test_limited_transmit_does_not_touch_cwnd() -> None:
    """Whatever the first two duplicates let out is new text, and at most one segment each."""
    _, peer = in_flight()
    sent = duplicates(peer, 1, 2)
    assert len(sent) <= 2
    assert all(offset > 10 * MSS for offset in sent)


@pytest.mark.clause("R5681-3.2-04")
def test_inflation() -> None:
    """cwnd becomes half the flight plus three segments, then one more for each further duplicate."""
    _, peer = in_flight()
    assert 1 in duplicates(peer, 1, 3)  # cwnd 5 + 3 = 8 of 10 in flight, and 2 more by limited transmit
    assert duplicates(peer, 1, 4) == []  # 12
    assert duplicates(peer, 1, 2) == [1 + 12 * MSS, 1 + 13 * MSS]  # 13, 14


@pytest.mark.clause("R5681-3.2-05", "R6582-3.2-03")
def test_full_acknowledgment() -> None:
    """An ACK of all that was out ends recovery with cwnd at half of the old flight, or less."""
    _, peer = in_flight()
    duplicates(peer, 1, 3)
    peer.sends(ACK, ack=1 + 12 * MSS)  # two more had left by limited transmit
    assert 1 <= len(peer.skips()) <= 5
    assert len(duplicates(peer, 1 + 12 * MSS, 2)) == 2
    peer.expects_nothing()


@pytest.mark.clause("R6582-3.2-02")
def test_recovery_needs_more_than_the_last_one() -> None:
    """Duplicates of the very ACK that ended a recovery begin none; once it moved on, they do."""
    _, peer = in_flight()
    duplicates(peer, 1, 3)
    peer.sends(ACK, ack=1 + 12 * MSS)
    assert peer.skips()
    assert 1 + 12 * MSS not in duplicates(peer, 1 + 12 * MSS, 5)
    peer.sends(ACK, ack=1 + 15 * MSS)
    assert peer.skips()
    assert duplicates(peer, 1 + 15 * MSS, 3)[-1] == 1 + 15 * MSS


@pytest.mark.clause("R6582-3.2-04")
def test_partial_acknowledgment() -> None:
    """An ACK of less than all resends the next hole at once, without three duplicates."""
    _, peer = in_flight()
    duplicates(peer, 1, 5)
    peer.sends(ACK, ack=1 + 4 * MSS)
    sent = [peer.count(one.sequence) for one in peer.skips()]
    assert sent[0] == 1 + 4 * MSS
    peer.sends(ACK, ack=1 + 7 * MSS)
    sent = [peer.count(one.sequence) for one in peer.skips()]
    assert sent[0] == 1 + 7 * MSS


@pytest.mark.clause("R6582-3.2-02", "R6582-3.2-05")
def test_duplicates_after_a_timeout() -> None:
    """Once all has been sent again after a timeout, duplicates of it start no recovery."""
    user, peer = established(rtt=RTT)
    user.writes(bytes(3 * MSS))
    peer.skips()
    peer.acked = 1
    peer.expects(ACK, seq=1, at=RTT + 300 * MILLISECOND)
    peer.sends(ACK, ack=1 + MSS)
    assert [peer.count(one.sequence) for one in peer.skips()] == [1 + MSS, 1 + 2 * MSS]
    assert duplicates(peer, 1 + MSS, 5) == []
    peer.sends(ACK, ack=1 + 3 * MSS)
    user.writes(bytes(20 * MSS))
    peer.expects(ACK, seq=1 + 3 * MSS)
    peer.sends(ACK, ack=1 + 4 * MSS)
    start = 1 + 4 * MSS
    assert len(peer.skips()) >= 2
    assert duplicates(peer, start, 3)[-1] == start


@pytest.mark.clause("R6582-3.2-02", "R6582-3.2-05", "R6582-3.2-01")
def test_no_second_halving() -> None:
    """Duplicates of what was sent before a timeout do not start another recovery."""
    _, peer = in_flight()
    peer.acked = 1
    peer.waits(RTT + 300 * MILLISECOND)
    assert [peer.count(one.sequence) for one in peer.skips()] == [1]
    again = duplicates(peer, 1, 6)
    assert 1 not in again


@pytest.mark.clause("R5681-3.2-02")
def test_what_is_no_duplicate() -> None:
    """RFC 5681 §2: text, or another window, and it is an ordinary ACK."""
    user, peer = in_flight()
    for _ in range(4):
        peer.sends(ACK, ack=1, text=b"x")
    for step in range(4):
        peer.sends(ACK, ack=1, window=60_000 - step)
    assert 1 not in [peer.count(one.sequence) for one in peer.skips()]
    user.reads(b"xxxx")


def test_nothing_outstanding() -> None:
    """RFC 5681 §2, (a): with nothing in flight an ACK is never a duplicate."""
    user, peer = established()
    for _ in range(10):
        peer.sends(ACK)
    peer.expects_nothing()
    user.writes(b"hello")
    peer.expects(ACK, seq=1, text=b"hello")


def lose(user: User, peer: Peer, lost: set[int], total: int) -> bytes:
    """Act as a receiver that loses the segments at these offsets the first time; the text received."""
    pieces: dict[int, bytes] = {}
    missing = set(lost)
    for _ in range(400):
        for heard in [*peer.inbox]:
            start = peer.count(heard.segment.sequence)
            if start in missing:
                missing.discard(start)
                continue
            pieces[start] = b"".join(piece.octets() for piece in heard.segment.text)
            end = 1
            while end in pieces:
                end += len(pieces[end])
            peer.inbox.remove(heard) if heard in peer.inbox else None
            peer.sends(ACK, ack=end)
        peer.inbox = [heard for heard in peer.inbox if peer.count(heard.segment.sequence) not in pieces]
        peer.acked = max(peer.acked, 1)
        if sum(len(piece) for piece in pieces.values()) >= total:
            break
        peer.waits(peer.dialogue.now + RTT)
    return b"".join(pieces[start] for start in sorted(pieces))


@pytest.mark.parametrize("lost", [{1}, {1, 1 + MSS}, {1 + 3 * MSS, 1 + 5 * MSS, 1 + 9 * MSS}])
def test_nothing_is_forgotten(lost: set[int]) -> None:
    """Whichever segments are lost, all text arrives once, in order."""
    user, peer = established(rtt=RTT)
    octets = bytes(range(251)) * 200
    user.writes(octets)
    assert lose(user, peer, lost, len(octets)) == octets
    peer.waits(peer.dialogue.now + SECOND)
