"""What a peer can make us keep is bounded by the receive buffer: RFC 8684 §5, §3.7."""

import pytest

from mptcp.choices import REQUIRE
from mptcp.connection.control import Control
from mptcp.events import Aborted, Readable
from mptcp.parameters import CRUMB, MILLISECOND, REASON_MIDDLEBOX
from mptcp.wire.dss import Dss, Mapping
from mptcp.wire.endings import Fail, TcpReset
from mptcp.wire.segment import ACK, RST
from mptcp_model.dialogue import DataSignal, User
from mptcp_model.situations import established

RTT = 50 * MILLISECOND
A_FEW = 40
BUFFER = 65_536


def get_control(user: User) -> Control:
    """The record of the connection of this dialogue."""
    return user.host.connections[user.connection].control


@pytest.mark.clause("R8684-3.7-11", "R8684-3.7-12", "R8684-5-06")
@pytest.mark.parametrize("buffer", [3_000, BUFFER])
def test_text_behind_a_bad_checksum(buffer: int) -> None:
    """The infinite mapping never comes, and text goes on: one buffer of it, then the subflow is reset."""
    user, peer = established(multipath=True, rtt=RTT, checksum=REQUIRE, receive_buffer=buffer)
    peer.checksum = True
    branch = get_control(user).branches[0]
    bad = Dss(None, Mapping(peer.dsn(1), True, 1, 1_000, 0x1234, False))
    peer.sends(ACK, text=bytes(1_000), options=[bad])
    peer.expects(ACK, options=[Fail(peer.dsn(1))])
    for _ in range(2 * buffer // 1_000):
        peer.sends(ACK, text=bytes(1_000))
        assert len(branch.inbound) <= buffer + 1_000
    resets = [one for one in peer.skips() if one.flags == RST | ACK]
    assert len(resets) == 1 and TcpReset(0, REASON_MIDDLEBOX) in resets[0].options
    user.hears(Aborted(user.connection, "reset"))
    user.reads(b"")


@pytest.mark.clause("R8684-3.3.1-31", "R8684-5-06")
@pytest.mark.parametrize("length", [2, 3, 10])
def test_mappings_of_no_text(length: int) -> None:
    """Acknowledgments with mappings of text that is in no segment: a few are kept."""
    user, peer = established(multipath=True)
    branch = get_control(user).branches[0]
    for number in range(1_500):
        at = 10 + number * (length + 1)
        # in the middle of what it maps, and still no text of it
        peer.sends(ACK, seq=at + 1, options=[DataSignal(ack=1, dsn=at, ssn=at, length=length)])
        peer.sends(ACK, seq=1, options=[DataSignal(ack=1, dsn=at, ssn=at, length=length)])
        assert len(branch.received) <= A_FEW
    peer.sends(ACK, seq=1, text=b"good", options=[DataSignal(ack=1, dsn=1, ssn=1, length=4)])
    user.hears(Readable)
    user.reads(b"good")


@pytest.mark.clause("R8684-5-06", "R8684-3.8-02")
@pytest.mark.parametrize("buffer", [4_096, BUFFER])
def test_every_second_octet(buffer: int) -> None:
    """Data full of holes: so many pieces are held as the buffer has crumbs, and what was missing heals it."""
    user, peer = established(multipath=True, receive_buffer=buffer)
    control = get_control(user)
    for number in range(1_500):
        dsn = 3 + 2 * number
        peer.sends(ACK, text=b"z", options=[DataSignal(ack=1, dsn=dsn, ssn=1 + number, length=1)])
        assert len(control.rcv_held.pieces) <= buffer // CRUMB + A_FEW
    user.hears_nothing()
    length = 3_003
    whole = bytes(length)
    for at in range(0, length, 1_001):
        option = DataSignal(ack=1, dsn=1 + at, ssn=1_501 + at, length=1_001)
        peer.sends(ACK, text=whole[at : at + 1_001], options=[option])
    user.hears(Readable)
    assert len(user.reads()) == length
    assert not control.rcv_held.pieces
    user.dialogue.events.clear()
