"""DATA_FIN, and the FINs behind it: RFC 8684 §3.3.3 and appendix D."""

import pytest

from mptcp.choices import REQUIRE
from mptcp.connection.info import ConnectionInfo
from mptcp.errors import Refused
from mptcp.events import Aborted, Finished, Readable
from mptcp.keys import compute_dss_checksum
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.dss import Dss, Mapping
from mptcp.wire.endings import FastClose
from mptcp.wire.segment import ACK, FIN, RST, Segment
from mptcp_model.dialogue import DataSignal, User
from mptcp_model.situations import (
    established,
    m_close_wait,
    m_fin_wait_1,
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


def find_fin(one: Segment) -> Mapping | None:
    """The mapping with the DATA_FIN, if a segment has one."""
    for option in one.options:
        if isinstance(option, Dss) and option.mapping is not None and option.mapping.fin:
            return option.mapping
    return None


# -- ours -------------------------------------------------------------------------------------


@pytest.mark.clause(
    "R8684-3.3.3-02", "R8684-3.3.3-04", "R8684-D-01", "R8684-4-01", "R8684-1.4-02", "R8684-2.6-01"
)
def test_alone() -> None:
    """CLOSE: an acknowledgment with SSN 0, length 1 and the next data number; no FIN of the subflow."""
    user, peer = established(multipath=True)
    user.closes()
    one = peer.expects(ACK, seq=1, text=b"", options=[DataSignal(ack=1, dsn=1, ssn=0, length=1, fin=True)])
    mapping = find_fin(one)
    assert mapping is not None and mapping.wide and mapping.checksum is None
    assert state(user) == "M_FINWAIT-1"
    peer.expects_nothing()


@pytest.mark.clause("R8684-3.3.3-03", "R8684-3.3.3-08")
def test_after_text() -> None:
    """It takes the number behind the last octet, and leaves when all text has left."""
    user, peer = established(multipath=True)
    user.writes(b"all I have")
    user.closes()
    segments = peer.skips()
    fins = [(one, fin) for one in segments if (fin := find_fin(one)) is not None]
    assert [one.text_length for one in segments if one.text_length] == [10]
    assert len(fins) == 1
    _, fin = fins[0]
    assert fin.dsn + fin.length == peer.host_dsn(12)  # 1 … 10 are text, 11 is the DATA_FIN
    assert not any(one.flags & FIN for one in segments)
    peer.sends(ACK, options=[DataSignal(ack=12)])
    assert state(user) == "M_FINWAIT-2"
    assert status(user).bytes_acked == 10


@pytest.mark.clause("R8684-3.3.3-03", "R8684-3.3.3-08")
def test_after_more_than_the_window_takes() -> None:
    """What was written goes first, however long that takes."""
    user, peer = established(multipath=True, window=3_000)
    user.writes(bytes(10_000))
    user.closes()
    total = 0
    fin = None
    for _ in range(20):
        for one in peer.skips():
            total += one.text_length
            assert fin is None or not one.text_length
            fin = fin or find_fin(one)
        assert fin is None or total == 10_000
        peer.sends(ACK, options=[DataSignal(ack=1 + total)])
    assert fin is not None and fin.dsn == peer.host_dsn(10_001)
    with pytest.raises(Refused):
        user.writes(b"late")


@pytest.mark.clause("R8684-3.3.3-05", "R8684-3.3.1-11")
def test_with_checksum() -> None:
    """Its checksum covers the pseudo-header alone."""
    user, peer = established(multipath=True, checksum=REQUIRE)
    user.closes()
    mapping = find_fin(peer.expects(ACK, text=b""))
    assert mapping is not None
    assert mapping.checksum == compute_dss_checksum(peer.host_dsn(1), 0, 1, ())


@pytest.mark.clause("R8684-3.3.3-02", "R8684-3.3.6-05", "R8684-3.3.6-03")
def test_repeated_until_acknowledged() -> None:
    """No Data ACK comes: again after a while, ever more slowly."""
    _, peer = m_fin_wait_1()
    moments = [peer.dialogue.now]
    for _ in range(5):
        peer.expects(ACK, text=b"", options=[DataSignal(dsn=1, ssn=0, length=1, fin=True)], by=LATER)
        moments.append(peer.heard_at)
    waits = [later - earlier for earlier, later in zip(moments, moments[1:], strict=False)]
    assert all(later >= 2 * earlier for earlier, later in zip(waits, waits[1:], strict=False))


@pytest.mark.clause("R8684-3.3.3-02", "R8684-D-02")
def test_on_every_acknowledgment_until_acknowledged() -> None:
    """While the peer sends, each of our acknowledgments says again that we have finished; then none does."""
    user, peer = m_fin_wait_1()
    peer.sends(ACK, text=b"one", options=[DataSignal(ack=1, dsn=1, ssn=1, length=3)])
    peer.expects(ACK, options=[DataSignal(ack=4, dsn=1, ssn=0, length=1, fin=True)], by=SECOND)
    peer.sends(ACK, text=b"two", options=[DataSignal(ack=2, dsn=4, ssn=4, length=3)])
    last = peer.expects(ACK, options=[DataSignal(ack=7)], by=2 * SECOND)
    assert find_fin(last) is None
    user.reads(b"onetwo")


@pytest.mark.clause("R8684-3.3-06")
def test_never_acknowledged() -> None:
    """The peer's TCP lives, its MPTCP says nothing: in the end the connection is given up."""
    user, peer = established(multipath=True, rtt=RTT, retransmissions=5)
    user.closes()
    for _ in range(100):
        peer.waits(peer.dialogue.now + 5 * SECOND)
        segments = peer.skips()
        if any(one.flags & RST for one in segments):
            break
        peer.sends(ACK, options=[DataSignal(ack=1)])
    event = user.hears(Aborted)
    assert isinstance(event, Aborted) and event.error == "timed out"
    assert FastClose(peer.key) in segments[-1].options


@pytest.mark.clause("R8684-3.3.3-02")
def test_close_twice() -> None:
    """A second CLOSE changes nothing."""
    user, peer = m_fin_wait_1()
    user.closes()
    peer.expects_nothing()
    assert state(user) == "M_FINWAIT-1"


# -- the peer's -------------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.3.3-02", "R8684-3.3.3-04", "R8684-3.3.3-06", "R8684-D-01", "R8684-4-01")
def test_peers_alone() -> None:
    """It is acknowledged at once, at data level; the user hears the end and may go on writing."""
    user, peer = established(multipath=True)
    peer.sends(ACK, options=[data_fin(1)])
    peer.expects(ACK, ack=1, options=[DataSignal(ack=2)])
    user.hears(Finished)
    assert state(user) == "M_CLOSE-WAIT"
    assert status(user).is_finished
    user.writes(b"still here")
    peer.expects(ACK, text=b"still here", options=[DataSignal(ack=2)])


@pytest.mark.clause("R8684-3.3.3-03", "R8684-3.3-05")
@pytest.mark.parametrize("wide", [True, False])
def test_peers_with_text(wide: bool) -> None:
    """As in §3.3.3: length 11 with F is ten octets of text and the DATA_FIN."""
    user, peer = established(multipath=True)
    option = DataSignal(ack=1, dsn=1, ssn=1, length=11, fin=True, wide=wide)
    peer.sends(ACK, text=b"ten octets", options=[option])
    user.hears(Readable, Finished)
    user.reads(b"ten octets")
    peer.expects(ACK, ack=11, options=[DataSignal(ack=12)], by=SECOND)


@pytest.mark.clause("R8684-3.3.3-06", "R8684-2.6-01")
def test_peers_before_its_data() -> None:
    """It overtakes data: it is held, and its Data ACK with it, until all before it is there."""
    user, peer = established(multipath=True)
    peer.sends(ACK, options=[data_fin(6)])
    one = peer.expects(ACK, options=[DataSignal(ack=1)])
    assert find_fin(one) is None
    user.hears_nothing()
    assert state(user) == "M_ESTAB"
    peer.sends(ACK, text=b"hello", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Readable, Finished)
    user.reads(b"hello")
    peer.expects(ACK, options=[DataSignal(ack=7)], by=SECOND)


@pytest.mark.clause("R8684-3.3.3-06", "R8684-3.3.1-07")
def test_peers_repeated() -> None:
    """It comes again: acknowledged again, and told once."""
    user, peer = m_close_wait()
    for _ in range(3):
        peer.sends(ACK, options=[data_fin(1)])
        peer.expects(ACK, options=[DataSignal(ack=2)])
    user.hears_nothing()


@pytest.mark.clause("R8684-3.3.3-03")
def test_data_behind_the_end() -> None:
    """What is numbered behind the DATA_FIN is no data of this stream."""
    user, peer = m_close_wait()
    peer.sends(ACK, text=b"ghost", options=[DataSignal(ack=1, dsn=2, ssn=1, length=5)])
    user.hears_nothing()
    user.reads(b"")


@pytest.mark.clause("R8684-3.3.3-03", "R8684-3.3.4-03")
@pytest.mark.parametrize("dsn", [-5, 0, 1 << 20, 1 << 40])
def test_peers_outside_the_window(dsn: int) -> None:
    """A DATA_FIN long past or far ahead is not taken."""
    user, peer = established(multipath=True, receive_buffer=65_535)
    peer.sends(ACK, options=[data_fin(dsn)])
    user.hears_nothing()
    assert state(user) == "M_ESTAB"
    peer.sends(ACK, options=[data_fin(1)])
    user.hears(Finished)


@pytest.mark.clause("R8684-3.3-05", "R8684-3.3.3-04")
def test_flag_without_length() -> None:
    """F on the infinite mapping (length 0) covers no octet, so it ends nothing."""
    user, peer = established(multipath=True)
    peer.sends(ACK, options=[DataSignal(ack=1, dsn=1, ssn=1, length=0, fin=True)])
    assert Finished not in [type(event) for event in peer.dialogue.events]
    user.writes(b"alive")
    assert any(one.text_length == 5 for one in peer.skips())
