"""Closing: RFC 9293 §3.6, both ways, crossing, half, and not at all."""

from contextlib import suppress

import pytest

from mptcp.errors import Refused
from mptcp.events import Aborted, Accepted, Closed, Finished, Readable
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.segment import ACK, FIN, RST, SYN
from mptcp_model.situations import (
    close_wait,
    closing,
    established,
    fin_wait_1,
    fin_wait_2,
    last_ack,
    syn_received,
    syn_sent,
    time_wait,
)


def test_user_first() -> None:
    """RFC 9293 figure 12: FIN, ACK, FIN, ACK; then TIME-WAIT, in silence."""
    user, peer = time_wait()
    peer.expects_nothing(until=300 * SECOND)
    user.hears_nothing()


def test_peer_first() -> None:
    """The same seen from the other side: closed with the ACK of the FIN."""
    user, peer = last_ack()
    user.hears_nothing()
    peer.sends(ACK)
    user.hears(Closed)
    peer.expects_nothing(until=300 * SECOND)


def test_both_at_once() -> None:
    """RFC 9293 figure 13: the FINs cross, each is acknowledged, both sides wait."""
    user, peer = closing()
    user.hears_nothing()
    peer.sends(ACK, ack=2)
    user.hears(Closed)
    peer.expects_nothing(until=300 * SECOND)


def test_fin_and_its_acknowledgment_together() -> None:
    """FIN-WAIT-1: a FIN that acknowledges ours ends in TIME-WAIT at once."""
    user, peer = fin_wait_1()
    peer.sends(FIN | ACK, ack=2)
    peer.expects(ACK, seq=2, ack=2)
    user.hears(Finished, Closed)


def test_half_closed_by_the_peer() -> None:
    """CLOSE-WAIT: the user may write for as long as it likes."""
    user, peer = close_wait()
    for _ in range(3):
        user.writes(b"more")
        peer.expects(ACK, text=b"more", ack=2)
        peer.sends(ACK)
    user.closes()
    peer.expects(FIN | ACK, seq=13)
    peer.sends(ACK)
    user.hears(Closed)


def test_half_closed_by_the_user() -> None:
    """FIN-WAIT-2: what the peer sends is read and acknowledged."""
    user, peer = fin_wait_2()
    peer.sends(ACK, text=b"still talking")
    user.hears(Readable)
    user.reads(b"still talking")
    peer.expects(ACK, ack=14, by=SECOND)
    peer.sends(FIN | ACK, text=b"bye")
    peer.expects(ACK, ack=18)
    user.hears(Readable, Finished, Closed)
    user.reads(b"bye")


def test_text_before_the_fin_is_acknowledged() -> None:
    """FIN-WAIT-1: text of the peer is taken as in ESTABLISHED."""
    user, peer = fin_wait_1()
    peer.sends(ACK, text=b"hello", ack=1)
    user.hears(Readable)
    user.reads(b"hello")


def test_nothing_is_written_after_close() -> None:
    """RFC 9293 §3.10.2: SEND after CLOSE is an error: "connection closing"."""
    user, _ = established()
    user.closes()
    with pytest.raises(Refused):
        user.writes(b"late")


def test_close_twice() -> None:
    """RFC 9293 §3.10.4: a second CLOSE changes nothing on the wire."""
    user, peer = fin_wait_1()
    with suppress(Refused):
        user.closes()
    peer.expects_nothing()


def test_fin_follows_what_was_written() -> None:
    """CLOSE means: after all that was written; here more than the window takes."""
    user, peer = established(window=1_460)
    user.writes(bytes(4_000))
    user.closes()
    peer.expects(ACK, length=1_460)
    peer.expects_nothing()
    peer.sends(ACK)
    peer.expects(ACK, length=1_460)
    peer.sends(ACK)
    segments = peer.skips()
    assert sum(one.text_length for one in segments) == 1_080
    assert segments[-1].flags & FIN
    peer.sends(ACK)
    peer.sends(FIN | ACK)
    user.hears(Finished, Closed)


def test_fin_with_text() -> None:
    """Text and FIN on one segment: first the text, then the end."""
    user, peer = established()
    peer.sends(FIN | ACK, text=b"bye")
    peer.expects(ACK, ack=5)
    user.hears(Readable, Finished)
    user.reads(b"bye")
    user.reads(b"")


def test_fin_before_the_text() -> None:
    """A FIN that overtakes text waits for it."""
    user, peer = established()
    peer.sends(FIN | ACK, seq=6)
    peer.expects(ACK, ack=1)
    user.hears_nothing()
    peer.sends(ACK, seq=1, text=b"hello")
    peer.expects(ACK, ack=7)
    user.hears(Readable, Finished)
    user.reads(b"hello")


@pytest.mark.parametrize("situation", [close_wait, last_ack, closing])
def test_repeated_fin(situation: type) -> None:
    """A FIN that comes again is acknowledged again and changes nothing."""
    user, peer = situation()
    sent = peer.acked
    peer.sends(FIN | ACK, seq=1, ack=1)
    peer.expects(ACK, seq=sent, ack=2)
    user.hears_nothing()


def test_text_after_the_fin() -> None:
    """RFC 9293 §3.10.7.4, seventh: nothing comes after a FIN."""
    user, peer = close_wait()
    peer.sends(ACK, text=b"ghost")
    user.hears_nothing()
    user.reads(b"")


def test_lost_fin() -> None:
    """A FIN is repeated like text."""
    user, peer = established(rtt=100 * MILLISECOND)
    user.closes()
    peer.expects(FIN | ACK, seq=1)
    peer.expects(FIN | ACK, seq=1, at=400 * MILLISECOND)
    peer.expects(FIN | ACK, seq=1, at=1_000 * MILLISECOND)
    peer.sends(ACK)
    peer.expects_nothing(until=20 * SECOND)


@pytest.mark.clause("R9293-3.8.3-01")
@pytest.mark.parametrize("situation", [fin_wait_1, closing, last_ack])
def test_fin_that_nobody_acknowledges(situation: type) -> None:
    """A FIN that is never acknowledged does not keep the connection for ever."""
    user, peer = situation()
    peer.waits(3_600 * SECOND)
    repeated = len(peer.skips())
    assert repeated >= 3
    peer.expects_nothing(until=2 * 3_600 * SECOND)
    assert peer.dialogue.host.deadline() is None


# -- TIME-WAIT --------------------------------------------------------------------------------


@pytest.mark.clause("R9293-3.6.1-01")
def test_time_wait_lasts_two_msl() -> None:
    """The port pair is kept for 2 MSL and answers a repeated FIN; then it is free, and nobody's."""
    _, peer = time_wait()
    peer.sends(FIN | ACK, seq=1, ack=2, at=59 * SECOND)
    peer.expects(ACK, seq=2, ack=2)
    peer.sends(FIN | ACK, seq=1, ack=2, at=118 * SECOND)
    peer.expects(ACK, seq=2, ack=2)
    peer.sends(FIN | ACK, seq=1, ack=2, at=179 * SECOND)
    peer.expects(RST, seq=2)


@pytest.mark.clause("R9293-3.6.1-01")
def test_time_wait_is_a_choice() -> None:
    """Two MSL are what we were told."""
    user, peer = established(time_wait=2 * SECOND)
    user.closes()
    peer.expects(FIN | ACK)
    peer.sends(FIN | ACK)
    peer.expects(ACK)
    assert peer.dialogue.host.deadline() == 2 * SECOND
    peer.sends(ACK, at=3 * SECOND)
    peer.expects(RST)


# -- before it is open ------------------------------------------------------------------------


def test_close_in_syn_sent() -> None:
    """RFC 9293 §3.10.4: CLOSE in SYN-SENT ends it; what comes then is nobody's."""
    user, peer = syn_sent()
    user.closes()
    peer.expects_nothing(until=10 * SECOND)
    peer.sends(SYN | ACK, seq=0, ack=1)
    peer.expects(RST, seq=1)


def test_abort_in_syn_sent() -> None:
    """RFC 9293 §3.10.5: ABORT in SYN-SENT needs no RST."""
    user, peer = syn_sent()
    user.aborts()
    peer.expects_nothing(until=10 * SECOND)


def test_peer_closes_before_we_know() -> None:
    """A FIN right behind the handshake: accepted and finished."""
    user, peer = syn_received()
    peer.sends(FIN | ACK)
    user.hears(Accepted, Finished)
    peer.expects(ACK, ack=2)


def test_peer_dies_in_close_wait() -> None:
    """A reset while the user still writes aborts it."""
    user, peer = close_wait()
    peer.sends(RST)
    assert user.hears(Aborted) == Aborted(user.connection, "reset")
