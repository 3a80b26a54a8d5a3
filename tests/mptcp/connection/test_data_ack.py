"""Data ACKs: RFC 8684 §3.3.2, and what of them moves the window, §3.3.5."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.choices import Choices
from mptcp.connection.acknowledge import compute_data_ack, is_window_growth
from mptcp.connection.control import Control
from mptcp.connection.info import ConnectionInfo
from mptcp.events import Writable
from mptcp.journal import Journal
from mptcp.numbers import MASK_32, MASK_64
from mptcp.parameters import MILLISECOND
from mptcp.paths.manager import PathManager
from mptcp.scheduler.lowest_rtt import LowestRtt
from mptcp.wire.dss import DataAck
from mptcp.wire.segment import ACK
from mptcp_model.dialogue import DataSignal, Peer, User
from mptcp_model.situations import established

RTT = 50 * MILLISECOND


def status(user: User) -> ConnectionInfo:
    """STATUS of the connection of this dialogue."""
    return user.host.status(user.connection)


def sent(length: int) -> tuple[User, Peer]:
    """The user has written ``length`` octets, and all have left."""
    user, peer = established(multipath=True, rtt=RTT)
    user.writes(bytes(length))
    assert sum(one.text_length for one in peer.skips()) == length
    return user, peer


@pytest.mark.clause("R8684-3.3.2-01", "R8684-3.3.2-04", "R8684-C.1.2-01")
def test_cumulative() -> None:
    """It names the next octet expected; all before it has arrived."""
    user, peer = sent(10)
    for ack in (3, 7, 11):
        peer.sends(ACK, options=[DataSignal(ack=ack)])
        assert status(user).bytes_acked == ack - 1


@pytest.mark.clause("R8684-3.3.2-01")
def test_old_one() -> None:
    """One that comes late takes nothing back."""
    user, peer = sent(10)
    peer.sends(ACK, options=[DataSignal(ack=11)])
    peer.sends(ACK, options=[DataSignal(ack=4)])
    assert status(user).bytes_acked == 10


@pytest.mark.clause("R8684-3.3.2-04", "R8684-3.3.5-01")
@pytest.mark.parametrize("ahead", [1, 1_000, 1 << 31, 1 << 40])
def test_of_what_was_never_sent(ahead: int) -> None:
    """Beyond all that was sent: it is ignored, and the window that came with it is too."""
    user, peer = established(multipath=True, rtt=RTT, window=100)
    user.writes(bytes(10))
    peer.skips()
    peer.sends(ACK, options=[DataSignal(ack=11 + ahead)], window=65_535)
    assert status(user).bytes_acked == 0
    user.writes(bytes(1_000))
    assert sum(one.text_length for one in peer.skips()) <= 90
    peer.sends(ACK, options=[DataSignal(ack=11)], window=65_535)
    assert status(user).bytes_acked == 10
    assert sum(one.text_length for one in peer.skips()) >= 900


@pytest.mark.clause("R8684-3.3.2-03", "R8684-3.3.1-27")
@pytest.mark.parametrize("wide", [True, False])
def test_both_widths(wide: bool) -> None:
    """A Data ACK of either width is taken for what it means."""
    user, peer = sent(10)
    peer.sends(ACK, options=[DataSignal(ack=5, wide=wide)])
    assert status(user).bytes_acked == 4
    peer.sends(ACK, options=[DataSignal(ack=11, wide=wide)])
    assert status(user).bytes_acked == 10


@pytest.mark.clause("R8684-3.3.2-03", "R8684-3.3.1-22", "R8684-3.3.1-28", "R8684-3.3.1-29")
@given(
    idsn=st.integers(0, MASK_64),
    una=st.integers(1, 1 << 62),
    step=st.integers(-(1 << 31), (1 << 31) - 1),
)
def test_narrow_one_near_any_wrap(idsn: int, una: int, step: int) -> None:
    """32 bits are read as the nearest to what is expected, before or behind it, across any wrap."""
    control = Control(1, 1, bytes(8), 0, idsn, LowestRtt(), PathManager(), Choices(), Journal())
    control.snd_una = una
    number = idsn + una + step & MASK_64
    assert compute_data_ack(control, DataAck(number & MASK_32, False)) == una + step
    if abs(una + step) < 1 << 62:
        assert compute_data_ack(control, DataAck(number, True)) == una + step


@pytest.mark.clause("R8684-3.3.2-07", "R8684-3.3.6-06", "R8684-4-02", "R8684-3.3.2-06", "R8684-C.2.1-01")
def test_subflow_acknowledgment_is_not_enough() -> None:
    """What the subflow alone has acknowledged is kept: the send buffer stays full."""
    user, peer = established(multipath=True, rtt=RTT, receive_buffer=1_000, send_buffer=1_000)
    assert user.writes(bytes(1_500)) == 1_000
    peer.skips()
    peer.sends(ACK, options=[DataSignal(ack=1)])
    assert status(user).bytes_acked == 0
    assert user.writes(b"x") == 0
    peer.sends(ACK, options=[DataSignal(ack=1_001)])
    user.hears(Writable)
    assert user.writes(b"x") == 1


@pytest.mark.clause("R8684-3.3.2-07", "R8684-3.3.6-01", "R8684-3.3.6-06")
def test_data_ack_is_not_enough() -> None:
    """What the connection has acknowledged is still sent again on the subflow that lost it."""
    user, peer = sent(5)
    peer.acked = 1
    peer.sends(ACK, ack=1, options=[DataSignal(ack=6)])
    assert status(user).bytes_acked == 5
    peer.expects(ACK, seq=1, length=5, options=[DataSignal(dsn=1, ssn=1, length=5)], by=10**7)
    peer.sends(ACK, options=[DataSignal(ack=6)])
    peer.expects_nothing(until=peer.dialogue.now + 10**8)


@pytest.mark.clause("R8684-3.3.2-11", "R8684-3.7-05", "R8684-6-05", "R8684-3.3.2-05")
def test_segments_without_data_ack() -> None:
    """Once a Data ACK has come, segments without one are as good as any."""
    user, peer = sent(5)
    peer.sends(ACK, options=[DataSignal(ack=6)])
    user.writes(b"more")
    peer.skips()
    peer.sends(ACK, options=[])
    assert status(user).multipath
    assert status(user).bytes_acked == 5
    peer.sends(ACK, options=[DataSignal(ack=10)])
    assert status(user).bytes_acked == 9


@pytest.mark.clause("R8684-6-05", "R8684-3.3.2-01")
def test_lost_data_acks() -> None:
    """Data ACKs are cumulative: one makes up for all that were lost."""
    user, peer = sent(5)
    peer.sends(ACK, options=[DataSignal(ack=2)])
    for _ in range(5):
        user.writes(b"more.")
        peer.skips()
        peer.sends(ACK, options=[])
    peer.sends(ACK, options=[DataSignal(ack=31)])
    assert status(user).bytes_acked == 30


@pytest.mark.clause("R8684-3-07", "R8684-2.7-02")
def test_data_ack_of_a_dropped_segment() -> None:
    """RFC 8684 §3: TCP's own checks come first; what they drop says nothing at data level."""
    user, peer = sent(5)
    peer.sends(ACK, seq=1 << 30, options=[DataSignal(ack=6)])
    assert status(user).bytes_acked == 0
    peer.skips()
    peer.sends(ACK, ack=1 << 30, options=[DataSignal(ack=6)])
    assert status(user).bytes_acked == 0


@pytest.mark.clause("R8684-3.3.5-01")
@given(st.integers(0, 1 << 62), st.integers(0, 1 << 30), st.integers(0, 1 << 62))
def test_edge_never_retreats(ack: int, window: int, edge: int) -> None:
    """The rule itself: the right edge moves only to the right."""
    moved = ack + window if is_window_growth(ack, window, edge) else edge
    assert moved >= edge
    assert moved == max(edge, ack + window)
