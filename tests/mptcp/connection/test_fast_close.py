"""MP_FASTCLOSE and MP_TCPRST: RFC 8684 §3.5 and §3.6, sent and received."""

from collections.abc import Callable

import pytest

from mptcp.errors import Refused
from mptcp.events import Aborted, FellBack, Finished, Readable
from mptcp.parameters import SECOND
from mptcp.wire.dss import Dss
from mptcp.wire.endings import FastClose, TcpReset
from mptcp.wire.segment import ACK, FIN, RST, SYN
from mptcp_model.dialogue import DataSignal, Peer, User
from mptcp_model.situations import (
    Scene,
    established,
    established_actively,
    m_close_wait,
    m_fin_wait_1,
    m_fin_wait_2,
    m_last_ack,
    syn_received,
)

LATER = 1_000 * SECOND
STATES = [established, established_actively, m_fin_wait_1, m_fin_wait_2, m_close_wait, m_last_ack]


def start(situation: Callable[..., Scene]) -> Scene:
    """The situation, with MPTCP where it can be without."""
    user, peer = situation(multipath=True) if situation in STATES[:2] else situation()
    peer.skips()
    return user, peer


def hears_aborted(user: User, error: str) -> None:
    """The next event is the end, and says why."""
    event = user.hears(Aborted)
    assert isinstance(event, Aborted) and event.error == error
    user.hears_nothing()


def is_over(user: User, peer: Peer) -> None:
    """The connection is gone: nothing leaves any more, its addresses belong to nobody."""
    peer.expects_nothing(until=LATER)
    user.hears_nothing()
    assert user.host.status(user.connection).state == "M_CLOSED"
    with pytest.raises(Refused):
        user.writes(b"x")
    peer.sends(ACK, options=[DataSignal(ack=1)])
    peer.expects(RST)


# -- we abort ---------------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.5-02", "R8684-3.5-03", "R8684-3.5-05", "R8684-2.6-02", "R8684-E-07")
@pytest.mark.clause("R8684-3.6-01", "R8684-3.6-03", "R8684-3.6-09", "R8684-3.6-11", "R8684-4-08")
@pytest.mark.parametrize("situation", STATES)
def test_abort(situation: Callable[..., Scene]) -> None:
    """RST with the peer's key, and with MP_TCPRST 0, at the number that the peer expects; then nothing."""
    user, peer = start(situation)
    user.aborts()
    one = peer.expects(
        RST | ACK, seq=peer.acked, options=[FastClose(peer.key), TcpReset(0, 0)], without=[Dss]
    )
    assert one.text_length == 0
    hears_aborted(user, "aborted")
    is_over(user, peer)


@pytest.mark.clause("R8684-3.5-05")
def test_abort_with_data_everywhere() -> None:
    """Unsent, unacknowledged, unread: all of it is given up."""
    user, peer = established(multipath=True, window=3_000)
    peer.sends(ACK, text=b"unread", options=[DataSignal(ack=1, dsn=1, ssn=1, length=6)])
    user.writes(bytes(10_000))
    peer.skips()
    user.aborts()
    peer.expects(RST | ACK, seq=peer.acked, options=[FastClose(peer.key)])
    assert [type(event) for event in peer.dialogue.events] == [Readable, Aborted]
    peer.dialogue.events.clear()
    is_over(user, peer)


@pytest.mark.clause("R8684-3.5-05")
def test_abort_twice() -> None:
    """Once is enough."""
    user, peer = start(established)
    user.aborts()
    peer.expects(RST | ACK)
    user.aborts()
    peer.expects_nothing()
    hears_aborted(user, "aborted")


@pytest.mark.clause("R8684-3.7-30", "R8684-3.5-02")
def test_abort_in_plain_tcp() -> None:
    """After fallback RST is RST: no MPTCP option."""
    user, peer = syn_received(multipath=True)
    peer.sends(ACK)
    peer.dialogue.events.pop(0)
    user.connection = 2
    user.hears(FellBack)
    user.aborts()
    peer.expects(RST | ACK, without=[FastClose, TcpReset, Dss])
    hears_aborted(user, "aborted")


# -- the peer aborts --------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.5-14", "R8684-3.5-02", "R8684-E-07")
@pytest.mark.parametrize("situation", STATES)
def test_reset_with_the_right_key(situation: Callable[..., Scene]) -> None:
    """Variant R: all is over at once, and no RST answers a RST."""
    user, peer = start(situation)
    peer.sends(RST | ACK, options=[FastClose(peer.host_key), TcpReset(0, 0)])
    hears_aborted(user, "reset")
    is_over(user, peer)


@pytest.mark.clause("R8684-3.5-06", "R8684-3.5-02")
@pytest.mark.parametrize("situation", STATES)
def test_acknowledgment_with_the_right_key(situation: Callable[..., Scene]) -> None:
    """Variant A: a RST answers it, and all is over."""
    user, peer = start(situation)
    peer.sends(ACK, options=[FastClose(peer.host_key)])
    peer.expects(RST | ACK, seq=peer.acked)
    hears_aborted(user, "reset")
    is_over(user, peer)


@pytest.mark.clause("R8684-3.5-06", "R8684-3.5-02")
def test_text_on_the_same_segment() -> None:
    """No more data is accepted once the connection is aborted, and what was there may still be read."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"before", options=[DataSignal(ack=1, dsn=1, ssn=1, length=6)])
    peer.sends(ACK, options=[FastClose(peer.host_key)])
    user.hears(Readable)
    hears_aborted(user, "reset")
    user.reads(b"before")


@pytest.mark.clause("R8684-3.5-07")
@pytest.mark.parametrize("key", [bytes(8), b"PEER KEY", b"OTHERKEY"])
def test_acknowledgment_with_another_key(key: bytes) -> None:
    """A key that is not ours: the option has no effect, the segment has its own."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"hello", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Readable)
    peer.sends(ACK, options=[FastClose(key)])
    user.hears_nothing()
    user.writes(b"alive")
    assert any(one.text_length == 5 for one in peer.skips())


@pytest.mark.clause("R8684-3.5-07", "R8684-3.5-01")
def test_reset_with_another_key() -> None:
    """The RST still ends its subflow, and with the only subflow the connection."""
    user, peer = established(multipath=True)
    peer.sends(RST | ACK, options=[FastClose(b"OTHERKEY")])
    hears_aborted(user, "reset")


@pytest.mark.clause("R8684-3-07", "R8684-2.7-02")
@pytest.mark.parametrize("flags", [RST | ACK, ACK])
@pytest.mark.parametrize("away", [-5, 70_000])
def test_outside_the_window(flags: int, away: int) -> None:
    """TCP's checks come first: a segment that fails them says nothing, with whatever key."""
    user, peer = established(multipath=True, receive_buffer=65_535)
    peer.sends(ACK, text=b"0123456789", options=[DataSignal(ack=1, dsn=1, ssn=1, length=10)])
    user.hears(Readable)
    peer.sends(flags, seq=11 + away, options=[FastClose(peer.host_key)])
    user.hears_nothing()
    assert user.host.status(user.connection).state == "M_ESTAB"


@pytest.mark.clause("R8684-3.5-07", "R8684-3-07")
def test_reset_within_the_window() -> None:
    """RFC 5961: a RST that is not exact draws a challenge, fast close or not."""
    user, peer = established(multipath=True)
    peer.sends(RST | ACK, seq=100, options=[FastClose(peer.host_key)])
    peer.expects(ACK, seq=1, ack=1)
    user.hears_nothing()
    peer.sends(RST | ACK, seq=1, options=[FastClose(peer.host_key)])
    hears_aborted(user, "reset")


@pytest.mark.clause("R8684-3.7-30")
def test_fast_close_in_plain_tcp() -> None:
    """After fallback MPTCP options say nothing."""
    user, peer = syn_received(multipath=True)
    peer.sends(ACK)
    peer.sends(ACK, options=[FastClose(peer.host_key)])
    user.connection = 2
    user.writes(b"alive")
    peer.expects(ACK, text=b"alive")


@pytest.mark.clause("R8684-3.5-09")
def test_both_abort() -> None:
    """Their RSTs cross: each is over, and nothing answers."""
    user, peer = start(established)
    user.aborts()
    peer.expects(RST | ACK)
    peer.sends(RST | ACK, options=[FastClose(peer.host_key)])
    hears_aborted(user, "aborted")
    peer.expects_nothing(until=LATER)


@pytest.mark.clause("R8684-3.5-14")
def test_after_the_end() -> None:
    """Both DATA_FINs are done: a fast close now only shortens the waiting."""
    user, peer = m_fin_wait_2()
    peer.sends(ACK, options=[DataSignal(ack=2, dsn=1, ssn=0, length=1, fin=True)])
    user.hears(Finished)
    peer.dialogue.events.clear()
    peer.skips()
    peer.sends(RST | ACK, options=[FastClose(peer.host_key)], ack=2)
    user.hears_nothing()
    peer.expects_nothing(until=LATER)
    assert user.host.status(user.connection).state == "M_CLOSED"


# -- reasons ----------------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.6-04", "R8684-3.6-05", "R8684-3.6-10", "R8684-3.6-18", "R8684-3.5-01")
@pytest.mark.parametrize(
    "option", [TcpReset(0, 0), TcpReset(1, 2), TcpReset(0, 6), TcpReset(1, 0xFF)], ids=repr
)
def test_reset_with_a_reason(option: TcpReset) -> None:
    """Whatever the reason, known or not: the subflow is over, and it was the only one."""
    user, peer = established(multipath=True)
    peer.sends(RST | ACK, options=[option])
    hears_aborted(user, "reset")


@pytest.mark.clause("R8684-3.6-01", "R8684-3.6-11")
def test_reason_without_reset() -> None:
    """MP_TCPRST belongs to a RST: elsewhere it says nothing."""
    user, peer = established(multipath=True)
    peer.sends(ACK, options=[TcpReset(0, 1), DataSignal(ack=1)])
    user.hears_nothing()
    assert user.host.status(user.connection).state == "M_ESTAB"


@pytest.mark.clause("R8684-3.5-02")
def test_fast_close_before_the_keys() -> None:
    """In SYN-RECEIVED there is no connection to abort; the third packet may still come."""
    user, peer = syn_received(multipath=True)
    peer.sends(SYN | ACK, seq=0, options=[FastClose(peer.host_key)])
    peer.skips()
    peer.sends(ACK, seq=1, options=[peer.capable_ack()])
    assert not any(isinstance(event, Aborted) for event in peer.dialogue.events)


def test_abort_of_a_closed_connection() -> None:
    """All has ended in order: ABORT of the handle changes nothing and says nothing."""
    user, peer = m_last_ack()
    peer.sends(ACK, options=[DataSignal(ack=2)])
    peer.expects(FIN | ACK)
    peer.sends(FIN | ACK, options=[DataSignal(ack=2)])
    peer.skips()
    peer.waits(LATER)
    peer.dialogue.events.clear()
    user.aborts()
    user.hears_nothing()
    peer.expects_nothing()
