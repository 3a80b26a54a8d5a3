"""Urgent data: RFC 9293 §3.8.5, and what RFC 8684 leaves of it."""

import pytest

from mptcp.errors import Refused
from mptcp.events import Readable, Urgent
from mptcp.wire.segment import ACK, URG
from mptcp_model.dialogue import DataSignal
from mptcp_model.situations import established, fin_wait_2, syn_sent


@pytest.mark.clause("R9293-3.8.5-01", "R9293-3.8.5-03", "R9293-3.8.5-04", "R9293-3.8.5-05")
def test_received() -> None:
    """The user hears of it before the text, and can find out how much is left; it is text in its place."""
    user, peer = established()
    peer.sends(ACK | URG, text=b"hurry up, please", urgent=5)
    user.hears(Urgent, Readable)
    assert user.host.status(user.connection).urgent == 5
    user.reads(b"hur", limit=3)
    assert user.host.status(user.connection).urgent == 2
    user.reads(b"ry up, please")
    assert user.host.status(user.connection).urgent == 0
    peer.sends(ACK, text=b" now")
    user.hears(Readable)


@pytest.mark.clause("R9293-3.8.5-03")
def test_pointer_ahead_of_the_text() -> None:
    """The pointer alone is news; that it moves on is news again, and that it stays or falls back is none."""
    user, peer = established()
    peer.sends(ACK | URG, urgent=100)
    user.hears(Urgent)
    assert user.host.status(user.connection).urgent == 100
    peer.sends(ACK | URG, text=bytes(50), urgent=100)
    user.hears(Readable)
    user.hears_nothing()
    peer.sends(ACK | URG, text=bytes(10), urgent=20)
    user.hears(Readable)
    user.hears_nothing()
    peer.sends(ACK | URG, text=bytes(10), urgent=100)
    user.hears(Urgent, Readable)
    assert user.host.status(user.connection).urgent == 160


@pytest.mark.clause("R9293-3.8.5-03")
def test_urgent_text_that_was_read() -> None:
    """A pointer to what the user has taken already is no news."""
    user, peer = established()
    peer.sends(ACK, text=b"hello")
    user.hears(Readable)
    user.reads(b"hello")
    peer.sends(ACK | URG, urgent=0)
    user.hears_nothing()


@pytest.mark.clause("R9293-3.4-01")
def test_zero_window() -> None:
    """The pointer counts although the window is closed, and the text does not."""
    user, peer = established(receive_buffer=1_000, send_buffer=1_000)
    peer.sends(ACK, text=bytes(1_000))
    peer.skips()
    user.hears(Readable)
    peer.sends(ACK | URG, text=b"x", urgent=1)
    user.hears(Urgent)
    assert user.host.status(user.connection).urgent == 1_001
    assert peer.expects(ACK, ack=1_001, length=0).window == 0


def test_half_closed() -> None:
    """RFC 9293 §3.10.7.4, sixth: in FIN-WAIT-2 it counts."""
    user, peer = fin_wait_2()
    peer.sends(ACK | URG, text=b"now", urgent=3)
    user.hears(Urgent, Readable)


@pytest.mark.clause("R9293-3.8.5-01", "R9293-3.8.5-05", "R9293-3.8.5-02")
def test_sent() -> None:
    """URG and a pointer just behind the urgent octets, on every segment that is not beyond them."""
    user, peer = established()
    user.host.write(user.connection, bytes(2_000), 0, is_urgent=True)
    user.dialogue.settle()
    first = peer.expects(ACK | URG, seq=1, length=1_460)
    assert first.urgent == 2_000
    peer.sends(ACK)
    second = peer.expects(ACK | URG, seq=1_461, length=540)
    assert second.urgent == 540
    peer.sends(ACK)
    user.writes(b"no hurry")
    assert peer.expects(ACK, text=b"no hurry").urgent == 0


@pytest.mark.clause("R9293-3.8.5-01")
def test_sent_into_a_closed_window() -> None:
    """The pointer leaves at once, although the text cannot."""
    user, peer = established(window=0)
    user.host.write(user.connection, b"hurry", 0, is_urgent=True)
    user.dialogue.settle()
    assert peer.expects(ACK | URG, seq=1, length=0).urgent == 5


@pytest.mark.clause("R9293-3.8.5-02")
def test_farther_than_the_pointer_reaches() -> None:
    """It says as much as it can, and more with each segment."""
    user, peer = established(window=1_000)
    user.host.write(user.connection, bytes(100_000), 0, is_urgent=True)
    user.dialogue.settle()
    assert peer.expects(ACK | URG, seq=1, length=1_000).urgent == 65_535


@pytest.mark.clause("R8684-3.3.1-14")
def test_not_in_mptcp() -> None:
    """No mapping is interrupted by urgent data: the call is refused, and nothing was written."""
    user, peer = established(multipath=True)
    with pytest.raises(Refused, match="urgent"):
        user.host.write(user.connection, b"hurry", 0, is_urgent=True)
    opening, _ = syn_sent(multipath=True)
    with pytest.raises(Refused, match="urgent"):
        opening.host.write(opening.connection, b"hurry", 0, is_urgent=True)
    peer.expects_nothing(until=0)
    user.writes(b"calm")
    assert peer.expects(ACK, text=b"calm").urgent == 0


@pytest.mark.clause("R8684-3.3.1-15")
def test_received_in_mptcp() -> None:
    """Urgent text is text in its place, and nobody is told more."""
    user, peer = established(multipath=True)
    peer.sends(ACK | URG, text=b"hurry", urgent=5, options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Readable)
    user.hears_nothing()
    user.reads(b"hurry")
