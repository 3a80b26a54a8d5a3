"""Both DATA_FINs, the FINs behind them, and what ends without: RFC 8684 §3.3.3, appendix D."""

from collections.abc import Callable
from typing import Any

import pytest

from mptcp.connection.info import ConnectionInfo
from mptcp.errors import Refused
from mptcp.events import Aborted, Closed, Finished, Readable
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.dss import Dss
from mptcp.wire.segment import ACK, FIN, RST
from mptcp_model.dialogue import DataSignal, User
from mptcp_model.situations import (
    Scene,
    established,
    established_actively,
    m_close_wait,
    m_fin_wait_1,
    m_fin_wait_2,
    m_last_ack,
)

RTT = 50 * MILLISECOND
RTO = 200 * MILLISECOND
LATER = 1_000 * SECOND


def state(user: User) -> str:
    """The state of the connection at data level."""
    return status(user).state


def status(user: User) -> ConnectionInfo:
    """STATUS of the connection of this dialogue."""
    return user.host.status(user.connection)


def data_fin(dsn: int, ack: int = 1, length: int = 1, ssn: int = 0) -> DataSignal:
    """The peer's DATA_FIN: the last of ``length`` octets from ``dsn`` on."""
    return DataSignal(ack=ack, dsn=dsn, ssn=ssn, length=length, fin=True)


# -- both -------------------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.3.3-09", "R8684-3.3.3-13", "R8684-D-03", "R8684-D-06", "R8684-3.3.3-01")
def test_we_first() -> None:
    """M_FINWAIT-1, -2, M_TIME-WAIT; the FINs of the subflow follow when both DATA_FINs are done."""
    user, peer = m_fin_wait_2()
    assert state(user) == "M_FINWAIT-2"
    peer.skips()
    user.hears_nothing()
    peer.sends(ACK, options=[data_fin(1, ack=2)])
    user.hears(Finished, Closed)
    segments = peer.skips()
    assert any(one.flags & FIN for one in segments)
    acks = [option.ack for one in segments for option in one.options if isinstance(option, Dss)]
    assert any(ack is not None and ack.number == peer.dsn(2) for ack in acks)
    assert state(user) == "M_TIME-WAIT"
    peer.sends(FIN | ACK, options=[DataSignal(ack=2)])
    peer.skips()
    peer.expects_nothing(until=LATER)
    assert state(user) == "M_CLOSED"
    user.hears_nothing()


@pytest.mark.clause("R8684-3.3.3-09", "R8684-3.3.3-13", "R8684-D-05")
def test_peer_first() -> None:
    """M_CLOSE-WAIT, M_LAST-ACK, M_CLOSED; then the FINs."""
    user, peer = m_last_ack()
    assert state(user) == "M_LAST-ACK"
    user.hears_nothing()
    peer.sends(ACK, options=[DataSignal(ack=2)])
    user.hears(Closed)
    peer.expects(FIN | ACK, seq=1)
    peer.sends(FIN | ACK, options=[DataSignal(ack=2)])
    peer.skips()
    peer.expects_nothing(until=LATER)
    assert state(user) == "M_CLOSED"
    user.hears_nothing()


@pytest.mark.clause("R8684-D-02", "R8684-D-04", "R8684-3.3.3-09", "R8684-3.3.3-13")
def test_both_at_once() -> None:
    """The DATA_FINs cross: M_CLOSING, and M_TIME-WAIT with the Data ACK of ours."""
    user, peer = m_fin_wait_1()
    peer.sends(ACK, options=[data_fin(1, ack=1)])
    peer.expects(ACK, options=[DataSignal(ack=2, dsn=1, ssn=0, length=1, fin=True)])
    user.hears(Finished)
    assert state(user) == "M_CLOSING"
    peer.sends(ACK, options=[DataSignal(ack=2)])
    user.hears(Closed)
    assert state(user) == "M_TIME-WAIT"
    peer.expects(FIN | ACK)


@pytest.mark.clause("R8684-D-02", "R8684-D-03")
def test_data_fin_and_the_acknowledgment_of_ours_together() -> None:
    """M_FINWAIT-1: one DSS with both goes to M_TIME-WAIT in one step."""
    user, peer = m_fin_wait_1()
    peer.sends(ACK, options=[data_fin(1, ack=2)])
    user.hears(Finished, Closed)
    assert state(user) == "M_TIME-WAIT"
    assert any(one.flags & FIN for one in peer.skips())


@pytest.mark.clause("R8684-3.3.3-02", "R8684-3.3.3-09", "R8684-3.3.3-08")
def test_half_closed_by_us() -> None:
    """M_FINWAIT-2: the peer goes on as long as it likes, is read and acknowledged; no FIN from us."""
    user, peer = m_fin_wait_2()
    for number in range(3):
        at = 1 + 4 * number
        peer.sends(ACK, text=b"more", options=[DataSignal(ack=2, dsn=at, ssn=at, length=4)])
        user.hears(Readable)
        user.reads(b"more")
    peer.waits(100 * SECOND)
    segments = peer.skips()
    assert segments and not any(one.flags & FIN for one in segments)
    peer.sends(ACK, text=b"end", options=[data_fin(13, ack=2, ssn=13, length=4)])
    user.hears(Readable, Finished, Closed)
    user.reads(b"end")


@pytest.mark.clause("R8684-3.3.3-02", "R8684-3.3.3-08")
def test_half_closed_by_the_peer() -> None:
    """M_CLOSE-WAIT: the user writes, then closes."""
    user, peer = m_close_wait()
    for number in range(3):
        user.writes(b"more")
        at = 1 + 4 * number
        peer.expects(ACK, text=b"more", options=[DataSignal(ack=2, dsn=at, ssn=at, length=4)])
        peer.sends(ACK, options=[DataSignal(ack=5 + 4 * number)])
    user.closes()
    peer.expects(ACK, options=[DataSignal(ack=2, dsn=13, ssn=0, length=1, fin=True)])
    peer.sends(ACK, options=[DataSignal(ack=14)])
    user.hears(Closed)


@pytest.mark.clause("R8684-3.3.3-08", "R8684-3.3.3-09")
def test_no_fin_before_the_data_is_acknowledged() -> None:
    """The peer has finished and we close: our FIN waits for the Data ACK of all, not the subflow's."""
    user, peer = m_close_wait()
    user.writes(b"last words")
    user.closes()
    peer.skips()
    peer.sends(ACK, options=[DataSignal(ack=1)])
    peer.waits(peer.dialogue.now + RTT)
    assert not any(one.flags & FIN for one in peer.skips())
    peer.sends(ACK, options=[DataSignal(ack=12)])
    user.hears(Closed)
    assert any(one.flags & FIN for one in peer.skips())


@pytest.mark.clause("R8684-3.3.3-10", "R8684-3.3.3-01")
def test_fin_is_repeated() -> None:
    """The subflow's FIN is TCP's own: sent again until it is acknowledged."""
    user, peer = m_last_ack()
    peer.sends(ACK, options=[DataSignal(ack=2)])
    user.hears(Closed)
    peer.expects(FIN | ACK, seq=1)
    peer.acked = 1
    peer.expects(FIN | ACK, seq=1, by=10 * SECOND)
    user.hears_nothing()


@pytest.mark.clause("R8684-3.3.3-01", "R8684-3.3.3-07", "R8684-4-07")
def test_fin_together_with_the_data_fin() -> None:
    """The peer ends its data and its subflow on one segment: both are taken."""
    user, peer = established(multipath=True)
    peer.sends(FIN | ACK, text=b"bye", options=[data_fin(1, ssn=1, length=4)])
    user.hears(Readable, Finished)
    user.reads(b"bye")
    peer.expects(ACK, ack=5, options=[DataSignal(ack=5)])
    user.writes(b"so long")
    peer.expects(ACK, text=b"so long", options=[DataSignal(dsn=1, ssn=1, length=7)])
    user.closes()
    peer.skips()
    peer.sends(ACK, options=[DataSignal(ack=9)])
    user.hears(Closed)


@pytest.mark.clause("R8684-3.3.3-01", "R8684-3.3.3-14", "R8684-4-07", "R8684-3.3-06")
@pytest.mark.parametrize("situation", [established, established_actively])
def test_fin_without_data_fin(situation: Callable[..., Scene]) -> None:
    """A FIN closes its subflow, not the connection: it lives on for a while without one, then is given up."""
    user, peer = situation(multipath=True, rtt=RTT)
    peer.sends(ACK, text=b"data", options=[DataSignal(ack=1, dsn=1, ssn=1, length=4)])
    user.hears(Readable)
    peer.waits(SECOND)
    peer.skips()
    peer.sends(FIN | ACK, options=[DataSignal(ack=1)])
    peer.expects(ACK, ack=6)
    user.hears_nothing()
    assert state(user) == "M_ESTAB"
    peer.expects_nothing(until=60 * SECOND)
    user.hears_nothing()
    peer.waits(62 * SECOND)
    event = user.hears(Aborted)
    assert isinstance(event, Aborted) and event.error == "timed out"
    user.reads(b"data")


@pytest.mark.clause("R8684-3.3.3-14")
def test_data_fin_still_comes_after_the_fin() -> None:
    """On the half-closed subflow the DATA_FIN may follow (on its acknowledgments): the timeout is off."""
    user, peer = established(multipath=True)
    peer.sends(FIN | ACK, options=[DataSignal(ack=1)])
    peer.expects(ACK, ack=2)
    peer.sends(ACK, options=[data_fin(1)], at=30 * SECOND)
    user.hears(Finished)
    peer.skips()
    peer.expects_nothing(until=LATER)
    user.hears_nothing()
    assert state(user) == "M_CLOSE-WAIT"


@pytest.mark.clause("R8684-3.5-01", "R8684-4-08", "R9293-3.6-01")
@pytest.mark.parametrize("text", [b"", b"unread"])
def test_reset_of_the_only_subflow(text: bytes) -> None:
    """No subflow is left and no other will come: the connection ends as reset; what came is still read."""
    user, peer = established(multipath=True)
    if text:
        peer.sends(ACK, text=text, options=[DataSignal(ack=1, dsn=1, ssn=1, length=len(text))])
        user.hears(Readable)
    peer.sends(RST)
    event = user.hears(Aborted)
    assert isinstance(event, Aborted) and event.error == "reset"
    user.reads(text)
    with pytest.raises(Refused):
        user.writes(b"x")


@pytest.mark.clause("R8684-3.3.3-13", "R8684-3.3.3-12")
@pytest.mark.parametrize("situation", [m_last_ack, m_fin_wait_2])
def test_reset_after_both_data_fins(situation: Callable[[], Scene]) -> None:
    """Both DATA_FINs are acknowledged: a RST in place of the FIN takes nothing away."""
    user, peer = situation()
    if situation is m_fin_wait_2:
        peer.sends(ACK, options=[data_fin(1, ack=2)])
        user.hears(Finished, Closed)
    else:
        peer.sends(ACK, options=[DataSignal(ack=2)])
        user.hears(Closed)
    peer.skips()
    peer.sends(RST, ack=2)
    user.hears_nothing()
    peer.expects_nothing(until=LATER)
    assert state(user) == "M_CLOSED"


@pytest.mark.clause("R8684-3.3.3-02", "R8684-3.3.3-13", "R8684-3.3.3-15")
@pytest.mark.parametrize("is_active", [True, False])
@pytest.mark.parametrize("who", ["user", "peer", "both"])
@pytest.mark.parametrize("text", [b"", b"data"])
def test_events_are_told_once(is_active: bool, who: str, text: bytes) -> None:
    """Readable, Finished, Closed: each exactly once, and nothing after Closed."""
    scene: dict[str, Any] = {"multipath": True, "rtt": RTT}
    user, peer = established_actively(**scene) if is_active else established(**scene)
    end = len(text)
    if text:
        peer.sends(ACK, text=text, options=[DataSignal(ack=1, dsn=1, ssn=1, length=end)])
    if who in ("user", "both"):
        user.closes()
    peer.sends(ACK, options=[data_fin(1 + end, ack=1 if who == "both" else 2 if who == "user" else 1)])
    if who == "peer":
        user.closes()
    for _ in range(3):
        peer.skips()
        peer.sends(ACK, options=[data_fin(1 + end, ack=2)])
    peer.skips()
    peer.sends(FIN | ACK, options=[DataSignal(ack=2)])
    peer.waits(LATER)
    user.hears(*([Readable] if text else []), Finished, Closed)
    user.hears_nothing()
    user.reads(text)
    assert state(user) == "M_CLOSED"


@pytest.mark.clause("R8684-3.3.3-02")
def test_unread_text_survives_the_end() -> None:
    """What came before the end is read after it, in pieces, as long as the handle is kept."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"0123456789", options=[data_fin(1, ssn=1, length=11)])
    user.closes()
    peer.skips()
    peer.sends(ACK, options=[DataSignal(ack=2)])
    peer.skips()
    peer.sends(FIN | ACK, options=[DataSignal(ack=2)])
    peer.waits(LATER)
    user.hears(Readable, Finished, Closed)
    user.reads(b"0123", limit=4)
    user.reads(b"456789")
    user.reads(b"")
