"""Fallback that one end knows of and the other does not, yet: RFC 8684 §3.7.

The other end goes on with MPTCP. It may send data again under other subflow numbers, and nothing but
the mapping tells that from new data: until it is known to know, what it maps is put where it says.
"""

import pytest

from mptcp.choices import REQUIRE
from mptcp.events import Aborted, FellBack, Finished, Readable
from mptcp.keys import compute_dss_checksum
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.values import Text
from mptcp.wire.dss import Dss, Mapping
from mptcp.wire.endings import Fail, TcpReset
from mptcp.wire.options import Option
from mptcp.wire.segment import ACK, FIN, RST
from mptcp_model.dialogue import DataSignal, Peer, User
from mptcp_model.situations import Scene, established

RTT = 50 * MILLISECOND


def fell_back() -> Scene:
    """Both have sent five octets; ours were acknowledged without Data ACK, and the peer does not know."""
    user, peer = established(multipath=True, rtt=RTT)
    peer.sends(ACK, b"hello", [DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.writes(b"world")
    peer.expects(ACK, text=b"world", options=[DataSignal(ack=6)])
    user.hears(Readable)
    user.reads(b"hello")
    peer.sends(ACK, options=[])
    user.hears(FellBack)
    return user, peer


def has_infinite(option: Option) -> bool:
    """Whether ``option`` is a DSS with an infinite mapping, and nothing else."""
    is_alone = isinstance(option, Dss) and option.ack is None
    return is_alone and isinstance(option, Dss) and option.mapping is not None and option.mapping.length == 0


def infinite(peer: Peer, dsn: int, ssn: int) -> Dss:
    """The peer's infinite mapping."""
    return Dss(None, Mapping(peer.dsn(dsn), True, ssn, 0, None, False))


def is_reset(user: User, peer: Peer) -> None:
    """The connection ended by RST."""
    peer.expects(RST | ACK)
    event = user.hears(Aborted)
    assert isinstance(event, Aborted) and event.error == "reset"


@pytest.mark.clause("R8684-3.7-10", "R8684-3.7-20", "R8684-3.7-30")
def test_data_again_is_no_new_data() -> None:
    """The peer missed a Data ACK: its data comes again behind itself, and is read once. It is told again."""
    user, peer = fell_back()
    peer.sends(ACK, b"hello", [DataSignal(ack=6, dsn=1, ssn=6, length=5)])
    user.hears_nothing()
    peer.expects(ACK, ack=11, options=[has_infinite])
    peer.sends(ACK, b"there", [DataSignal(ack=6, dsn=6, ssn=11, length=5)])
    user.hears(Readable)
    user.reads(b"there")
    peer.expects(ACK, ack=16, options=[has_infinite])
    peer.sends(ACK, b"again", [])
    user.hears(Readable)
    user.reads(b"again")
    assert not user.host.status(user.connection).multipath


@pytest.mark.clause("R8684-3.7-10", "R8684-3.3.3-02")
def test_data_fin_is_no_fin() -> None:
    """A DATA_FIN of a peer that does not know is answered by the infinite mapping; its FIN counts."""
    user, peer = fell_back()
    peer.sends(ACK, options=[DataSignal(ack=6, dsn=6, ssn=0, length=1, fin=True)])
    peer.expects(ACK, options=[has_infinite])
    user.hears_nothing()
    peer.sends(FIN | ACK, options=[])
    user.hears(Finished)


@pytest.mark.clause("R8684-3.7-21", "R8684-3.7-30")
def test_peer_knows() -> None:
    """After the peer's own infinite mapping its text is in line, whatever else is said."""
    user, peer = fell_back()
    peer.sends(ACK, b"there", [infinite(peer, 6, 6)])
    user.hears(Readable)
    peer.sends(ACK, b"again", [DataSignal(ack=6, dsn=1, ssn=11, length=5)])
    user.hears(Readable)
    user.reads(b"thereagain")


@pytest.mark.clause("R8684-3.7-20", "R8684-3.7-21")
def test_infinite_mapping_says_where() -> None:
    """Text that waits without mapping is the first copy of data that came again: it is not read twice."""
    user, peer = established(multipath=True)
    peer.sends(ACK, b"first", [DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Readable)
    peer.sends(ACK, b"hello", [])
    peer.sends(ACK, b"hello", [infinite(peer, 6, 11)])
    user.hears(FellBack, Readable)
    user.reads(b"firsthello")


@pytest.mark.clause("R8684-3.7-20", "R8684-3.7-21", "R8684-3.7-23")
def test_infinite_mapping_with_a_gap() -> None:
    """Data that it passes over will never come: the end, and nothing false is read."""
    user, peer = established(multipath=True)
    peer.sends(ACK, b"first", [DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Readable)
    peer.skips()
    peer.sends(ACK, b"later", [infinite(peer, 11, 6)])
    is_reset(user, peer)
    user.reads(b"first")


def with_text_that_waits() -> Scene:
    """Five octets came with a mapping, and five at once behind them without."""
    user, peer = established(multipath=True, rtt=RTT)
    peer.sends(ACK, b"hello", [DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Readable)
    peer.sends(ACK, b"world", [])
    user.reads(b"hello")
    return user, peer


def left_after_the_peer(pause: int = 0) -> Scene:
    """It saw no Data ACK of ours, and we see none when we write: nobody was so quick to send data again."""
    user, peer = with_text_that_waits()
    peer.waits(peer.dialogue.now + pause)
    user.writes(b"we")
    peer.skips()
    peer.sends(ACK, options=[])
    user.hears(FellBack, Readable)
    user.reads(b"world")
    return user, peer


@pytest.mark.clause("R8684-3.7-06", "R8684-3.7-09", "R8684-3.7-10")
@pytest.mark.parametrize("pause", [0, SECOND])
def test_peer_left_before_us(pause: int) -> None:
    """What waits is new. The peer has the infinite mapping, and whatever it says from now on is new, too."""
    user, peer = left_after_the_peer(pause)
    user.writes(b"more")
    peer.expects(ACK, text=b"more", options=[has_infinite])
    peer.sends(ACK, options=[])
    peer.waits(peer.dialogue.now + SECOND)
    peer.sends(ACK, b"there", [])
    user.hears(Readable)
    user.reads(b"there")


@pytest.mark.clause("R8684-3.7-09", "R8684-3.7-21")
def test_peer_left_before_us_and_goes_on() -> None:
    """What follows at once is as new as what waited."""
    user, peer = left_after_the_peer()
    peer.sends(ACK, b"there", [])
    user.hears(Readable)
    user.reads(b"there")


@pytest.mark.clause("R8684-3.7-11", "R8684-3.7-12")
@pytest.mark.parametrize("pause", [0, SECOND])
def test_peer_may_not_have_left(pause: int) -> None:
    """Only its options may be lost: then it sends again what waited, as long as it knows nothing of us."""
    user, peer = left_after_the_peer(pause)
    peer.waits(peer.dialogue.now + 201 * MILLISECOND)
    peer.sends(ACK, b"world", [])
    is_reset(user, peer)


@pytest.mark.clause("R8684-3.7-11", "R8684-3.7-12", "R8684-3.6-17")
@pytest.mark.parametrize("is_mapped_meanwhile", [False, True])
def test_text_waits_and_we_leave(is_mapped_meanwhile: bool) -> None:
    """Later its mapping may be lost and it may be there twice: no fallback, a RST with the reason."""
    user, peer = with_text_that_waits()
    if is_mapped_meanwhile:
        peer.sends(ACK, b"", [DataSignal(ack=1, dsn=6, ssn=6, length=5)])
        user.hears(Readable)
    peer.waits(peer.dialogue.now + 201 * MILLISECOND)
    peer.sends(ACK, b"world", [])
    user.writes(b"we")
    peer.skips()
    peer.sends(ACK, options=[])
    peer.expects(RST | ACK, options=[TcpReset(0, 6)])
    user.hears(Aborted)


@pytest.mark.clause("R8684-3.7-06", "R8684-3.7-10", "R8684-3.3.6-05")
def test_data_acks_stop() -> None:
    """Once they came, and do no more: instead of sending the data again we go on in plain TCP."""
    user, peer = established(multipath=True, rtt=RTT)
    user.writes(b"hello")
    peer.skips()
    peer.sends(ACK, options=[DataSignal(ack=6)])
    user.writes(b"world")
    peer.skips()
    peer.sends(ACK, options=[])
    user.hears_nothing()
    peer.expects_nothing(until=5 * SECOND)
    user.hears(FellBack)
    assert user.host.status(user.connection).bytes_acked == 10
    user.writes(b"more")
    peer.expects(ACK, text=b"more", options=[has_infinite])


@pytest.mark.clause("R8684-3.7-22", "R8684-3.7-23", "R8684-3.8-02")
def test_fail_while_data_is_missing() -> None:
    """TCP acknowledged what was outside the connection's window: it would be missing for ever."""
    user, peer = established(multipath=True, checksum=REQUIRE, receive_buffer=2_000)
    text = bytes(1_000)
    sum_of = compute_dss_checksum(peer.dsn(1), 1, 2_000, (Text(text + text, 0, 2_000),))
    mapping = Dss(None, Mapping(peer.dsn(1), True, 1, 2_000, sum_of, False))
    peer.sends(ACK, text, [mapping])
    peer.skips()
    peer.waits(SECOND)
    peer.sends(ACK, text, [mapping])
    user.hears(Readable)
    peer.skips()
    peer.sends(ACK, b"x", [DataSignal(ack=1, dsn=2_001, ssn=2_001, length=1)])  # a probe
    peer.skips()
    peer.sends(ACK, options=[Fail(peer.host_dsn(1))])
    is_reset(user, peer)
    user.reads(text + text)


@pytest.mark.clause("R8684-3.3.1-11", "R8684-3.7-13")
def test_checksum_of_what_has_moved_on() -> None:
    """A mapping that begins in text that was taken already cannot be checked, and so not believed."""
    user, peer = established(multipath=True, checksum=REQUIRE)
    peer.sends(ACK, b"hello", [DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Readable)
    peer.sends(ACK, b"world", [Dss(None, Mapping(peer.dsn(1), True, 3, 8, 0x1234, False))])
    user.hears_nothing()
    user.reads(b"hello")
