"""RST, and segments that try to pass for something: RFC 9293 §3.5.2, §3.10.7.4 and RFC 5961."""

from collections.abc import Callable

import pytest

from mptcp.events import Aborted, Closed, Readable
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.segment import ACK, FIN, RST, SYN
from mptcp_model.situations import (
    Scene,
    close_wait,
    closing,
    established,
    established_actively,
    fin_wait_1,
    fin_wait_2,
    last_ack,
    time_wait,
)

OPEN = [established, established_actively, fin_wait_1, fin_wait_2, close_wait]
SYNCHRONIZED = [*OPEN, closing, last_ack, time_wait]


@pytest.mark.clause("R5961-3.2-01", "R9293-3.6-01")
@pytest.mark.parametrize("situation", OPEN)
def test_exact_reset(situation: Callable[[], Scene]) -> None:
    """RST at RCV.NXT ends the connection, and the user learns that it was a reset."""
    user, peer = situation()
    peer.sends(RST)
    assert user.hears(Aborted) == Aborted(user.connection, "reset")
    peer.expects_nothing(until=300 * SECOND)


@pytest.mark.parametrize("situation", [closing, last_ack, time_wait])
def test_reset_of_what_was_ending(situation: Callable[[], Scene]) -> None:
    """RFC 9293 §3.10.7.4, second: in CLOSING, LAST-ACK and TIME-WAIT a RST just ends it."""
    user, peer = situation()
    peer.sends(RST)
    peer.expects_nothing(until=300 * SECOND)
    events = peer.dialogue.events
    assert not any(isinstance(event, Aborted) for event in events)
    assert situation is time_wait or any(isinstance(event, Closed) for event in events)


@pytest.mark.clause("R5961-3.2-02")
@pytest.mark.parametrize("situation", OPEN)
@pytest.mark.parametrize("ahead", [1, 1_000, 65_000])
def test_reset_in_the_window(situation: Callable[[], Scene], ahead: int) -> None:
    """RST elsewhere in the window gets a challenge ACK and does nothing; its sender may then be exact."""
    user, peer = situation()
    expected = peer.next
    peer.sends(RST, seq=expected + ahead)
    peer.expects(ACK, ack=expected, length=0)
    user.hears_nothing()
    peer.sends(RST, seq=expected)
    user.hears(Aborted)


@pytest.mark.clause("R5961-3.2-03")
@pytest.mark.parametrize("situation", OPEN)
@pytest.mark.parametrize("away", [-1, -100_000, 1 << 30])
def test_reset_outside_the_window(situation: Callable[[], Scene], away: int) -> None:
    """RST outside the window is dropped without a word."""
    user, peer = situation()
    peer.sends(RST, seq=peer.next + away)
    peer.expects_nothing()
    user.hears_nothing()


@pytest.mark.clause("R9293-3.4-01")
@pytest.mark.parametrize("reason", [b"", b"full"])
def test_reset_with_a_closed_window(reason: bytes) -> None:
    """A RST counts although the receive window is zero, and even with text on it."""
    user, peer = established(receive_buffer=1_000)
    peer.sends(ACK, text=bytes(1_000))
    peer.expects(ACK, window=0, by=SECOND)
    user.hears(Readable)
    peer.sends(RST, seq=1_001, text=reason)
    user.hears(Aborted)


@pytest.mark.clause("R9293-3.5.3-01")
def test_reset_with_text() -> None:
    """A RST may carry text, say a reason."""
    user, peer = established()
    peer.sends(RST, text=b"go away")
    user.hears(Aborted)


@pytest.mark.clause("R5961-4.2-01")
@pytest.mark.parametrize("situation", SYNCHRONIZED[:-1])
@pytest.mark.parametrize("away", [0, 500, -1_000, 1 << 30])
@pytest.mark.parametrize("flags", [SYN, SYN | ACK])
def test_syn_in_a_synchronized_state(situation: Callable[[], Scene], away: int, flags: int) -> None:
    """SYN gets a challenge ACK whatever its number, and does nothing."""
    user, peer = situation()
    expected, sent = peer.next, peer.acked
    peer.sends(flags, seq=expected + away)
    peer.expects(ACK, seq=sent, ack=expected, length=0)
    peer.expects_nothing()
    user.hears_nothing()


@pytest.mark.clause("R5961-5.2-01", "R9293-3.10.7.4-04")
@pytest.mark.parametrize("ack", [2, 1_000, 1 << 30])
def test_ack_of_the_future(ack: int) -> None:
    """An ACK of what was never sent is answered by an ACK; its text is not taken."""
    user, peer = established()
    peer.sends(ACK, text=b"evil", ack=ack)
    peer.expects(ACK, seq=1, ack=1, length=0)
    user.hears_nothing()
    user.reads(b"")


@pytest.mark.clause("R5961-5.2-01")
def test_ack_of_the_distant_past() -> None:
    """An ACK older than the largest window is answered by an ACK; its text is not taken."""
    user, peer = established(window=1_000)
    for octet in range(1, 2_001, 500):
        user.writes(bytes(500))
        peer.skips()
        peer.sends(ACK, ack=octet + 500)
    peer.sends(ACK, text=b"evil", ack=1)
    peer.expects(ACK, seq=2_001, ack=1, length=0)
    user.hears_nothing()
    peer.sends(ACK, seq=1, text=b"good", ack=1_001)
    user.reads(b"good")


@pytest.mark.clause("R5961-7-01")
def test_challenges_are_limited() -> None:
    """A flood of bad segments does not get a flood of challenge ACKs; later they flow again."""
    _, peer = established()
    for _ in range(50):
        peer.sends(RST, seq=100)
    assert len(peer.skips()) < 5
    peer.sends(RST, seq=100, at=SECOND)
    peer.expects(ACK, seq=1, ack=1)


def test_without_ack_flag() -> None:
    """RFC 9293 §3.10.7.4, fifth: a segment without ACK is dropped."""
    user, peer = established()
    peer.sends(0, text=b"hello", seq=1)
    peer.sends(FIN, seq=1)
    user.hears_nothing()
    user.reads(b"")


@pytest.mark.parametrize("situation", OPEN)
def test_abort(situation: Callable[[], Scene]) -> None:
    """RFC 9293 §3.10.5: ABORT sends a RST at SND.NXT, once, and then there is silence."""
    user, peer = situation()
    sent = peer.acked
    user.aborts()
    one = peer.skips()
    assert len(one) == 1
    assert one[0].flags & RST
    assert peer.count(one[0].sequence) == sent
    peer.expects_nothing(until=300 * SECOND)
    peer.sends(ACK)
    peer.expects(RST)


def test_abort_with_text_in_flight() -> None:
    """The RST carries the number that the peer expects after all that was sent; what was queued is gone."""
    user, peer = established(window=3_000)
    user.writes(bytes(10_000))
    peer.skips()
    user.aborts(at=10 * MILLISECOND)
    one = peer.skips()
    assert [segment.flags & RST for segment in one] == [RST]
    assert peer.count(one[0].sequence) == peer.acked
