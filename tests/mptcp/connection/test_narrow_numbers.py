"""Data sequence numbers and Data ACKs of 32 bits, as we send them: RFC 8684 §3.3.1, §3.3.2."""

import pytest

from mptcp.connection.send import NARROW_END, compute_data_ack, make_mapping
from mptcp.events import Finished, Readable
from mptcp.numbers import MASK_32
from mptcp.parameters import MILLISECOND
from mptcp.wire.dss import Dss
from mptcp.wire.segment import ACK, Segment
from mptcp_model.dialogue import DataSignal, Peer
from mptcp_model.situations import established, established_actively

SOON = 50 * MILLISECOND


def widths(one: Segment) -> tuple[bool | None, bool | None]:
    """Whether the Data ACK and the DSN of a segment are wide; None for none."""
    (dss,) = [option for option in one.options if isinstance(option, Dss)]
    return (
        None if dss.ack is None else dss.ack.wide,
        None if dss.mapping is None else dss.mapping.wide,
    )


def sends_text(peer: Peer, wide: bool, dsn: int = 1, ack: int = 1) -> None:
    """Five octets of the peer's, with a DSN of this width."""
    peer.sends(ACK, b"hello", [DataSignal(ack, dsn, dsn, 5, wide=wide)])


@pytest.mark.clause("R8684-3.3.1-23", "R8684-3.3.1-25", "R8684-3.3.1-27")
def test_both_narrow() -> None:
    """Chosen, and the peer does likewise: all numbers have 32 bits, and count the same octets."""
    user, peer = established(multipath=True, narrow_numbers=True)
    sends_text(peer, wide=False)
    user.hears(Readable)
    one = peer.expects(ACK, options=[DataSignal(ack=6)], by=SOON)
    assert widths(one) == (False, None)
    user.writes(b"world")
    one = peer.expects(ACK, text=b"world", options=[DataSignal(ack=6, dsn=1, ssn=1, length=5)])
    assert widths(one) == (False, False)
    peer.sends(ACK, options=[DataSignal(ack=6, wide=False)])
    assert user.host.status(user.connection).bytes_acked == 5
    user.closes()
    one = peer.expects(ACK, options=[DataSignal(dsn=6, ssn=0, length=1, fin=True)])
    assert widths(one) == (False, False)


@pytest.mark.clause("R8684-3.3.2-02")
@pytest.mark.parametrize("narrow", [False, True])
def test_wide_is_answered_by_wide(narrow: bool) -> None:
    """A DSN of 64 bits gets Data ACKs of 64 bits, from then on, whatever we send ourselves."""
    user, peer = established(multipath=True, narrow_numbers=narrow)
    sends_text(peer, wide=True)
    assert widths(peer.expects(ACK, options=[DataSignal(ack=6)], by=SOON)) == (True, None)
    user.writes(b"world")
    assert widths(peer.expects(ACK, text=b"world")) == (True, not narrow)
    sends_text(peer, wide=False, dsn=6, ack=6)
    assert widths(peer.expects(ACK, options=[DataSignal(ack=11)], by=2 * SOON)) == (True, None)


@pytest.mark.clause("R8684-3.3.2-02")
def test_wide_data_fin_is_answered_by_wide() -> None:
    """A DATA_FIN has a DSN too."""
    user, peer = established(multipath=True, narrow_numbers=True)
    peer.sends(ACK, options=[DataSignal(dsn=1, ssn=0, length=1, fin=True)])
    user.hears(Finished)
    assert widths(peer.expects(ACK, options=[DataSignal(ack=2)])) == (True, None)


@pytest.mark.clause("R8684-3.3.2-02", "R8684-3.1-27")
def test_first_data_counts_as_wide() -> None:
    """The mapping of MP_CAPABLE has no number at all, and is acknowledged by a whole one."""
    user, peer = established(multipath=True, narrow_numbers=True)
    peer.sends(ACK, b"hello", [peer.capable_data(5)])
    user.hears(Readable)
    assert widths(peer.expects(ACK, options=[DataSignal(ack=6)], by=SOON)) == (True, None)


@pytest.mark.clause("R8684-3.3.2-03")
def test_narrow_data_may_have_wide_data_acks() -> None:
    """Of what was sent with 32 bits either width of Data ACK is right."""
    user, peer = established_actively(multipath=True, narrow_numbers=True)
    user.writes(b"hello")
    peer.expects(ACK, text=b"hello")
    peer.sends(ACK, options=[DataSignal(ack=6, wide=False)])
    user.writes(b"hello")
    assert widths(peer.expects(ACK, text=b"hello", options=[DataSignal(dsn=6)])) == (False, False)
    peer.sends(ACK, options=[DataSignal(ack=11, wide=True)])
    assert user.host.status(user.connection).bytes_acked == 10


@pytest.mark.clause("R8684-3.3.1-26")
def test_no_number_twice() -> None:
    """From the octet whose narrow number would be the second of its kind all numbers are whole."""
    user, _ = established(multipath=True, narrow_numbers=True)
    control = user.host.connections[user.connection].control
    for offset, wide in ((1, False), (NARROW_END - 1, False), (NARROW_END, True), (NARROW_END + 1, True)):
        mapping = make_mapping(control, offset, 1, 5, None, False)
        assert mapping.wide == wide
        assert (mapping.dsn - control.local_idsn - offset) & MASK_32 == 0
        control.rcv_nxt = offset
        ack = compute_data_ack(control)
        assert ack.wide == wide
        assert (ack.number - control.remote_idsn - offset) & MASK_32 == 0
