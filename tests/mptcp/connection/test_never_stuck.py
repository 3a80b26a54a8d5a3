"""What is begun comes to an end: a clock runs for all that is out, and whoever says nothing is let go."""

import pytest

from mptcp.choices import REQUIRE
from mptcp.connection.state import State
from mptcp.events import Aborted, Closed, FellBack, Finished, Readable
from mptcp.numbers import compute_wire_32
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.endings import Fail
from mptcp.wire.handshake import HMAC_SHA256, CapableSyn, CapableSynAck, JoinSyn, JoinSynAck
from mptcp.wire.segment import ACK, FIN, RST, SYN
from mptcp_model.dialogue import DataSignal, Peer, User, read_text
from mptcp_model.situations import established, listening, syn_received

RTT = 50 * MILLISECOND
BUFFER = 10_000


def gather(peer: Peer, text: bytearray) -> None:
    """Put what the host has sent into ``text``, in whatever pieces it came; acknowledge nothing of it."""
    acked = peer.acked
    for one in peer.skips():
        at = peer.count(one.sequence) - 1
        text[at : at + one.text_length] = read_text(one)
    peer.acked = acked


def map_text(at: int, length: int, ssn: int | None = None) -> DataSignal:
    """A mapping of the peer's, in offsets; ``ssn`` is the same unless it is named."""
    return DataSignal(ack=1, dsn=at, ssn=at if ssn is None else ssn, length=length)


def end_data(at: int, ack: int = 1) -> DataSignal:
    """A DATA_FIN alone at data offset ``at``."""
    return DataSignal(ack=ack, dsn=at, ssn=0, length=1, fin=True)


def get_end(user: User) -> tuple[State, str]:
    """How far the connection has come, and the error that it ended with."""
    control = user.host.connections[user.connection].control
    return control.state, control.error


# -- window probes ----------------------------------------------------------------------------


@pytest.mark.clause("R9293-3.8.6.1-01", "R9293-3.8.6-01")
@pytest.mark.parametrize("length", [5, 6, 7, 20])
@pytest.mark.parametrize("answers", [1, 2, 5])
def test_second_probe_is_shorter(length: int, answers: int) -> None:
    """The window shrinks under a probe, so that the next one is cut: a clock runs until all has arrived."""
    user, peer = established(nagle=False)
    peer.sends(ACK, window=5)
    wanted = bytes(range(1, length + 1))
    text = bytearray(length)
    user.writes(wanted)
    for _ in range(answers):
        assert user.host.deadline() is not None
        peer.waits(peer.dialogue.now + 3 * SECOND)
        gather(peer, text)
        peer.sends(ACK, window=0)
        gather(peer, text)
    assert user.host.deadline() is not None
    peer.sends(ACK, window=65_535)
    text[:] = bytes(length)  # the peer kept nothing of what came while the window was closed
    for _ in range(5):
        gather(peer, text)
        peer.waits(peer.dialogue.now + 60 * SECOND)
    gather(peer, text)
    assert text == wanted
    peer.acked = 1 + length
    peer.sends(ACK)
    assert user.host.deadline() is None


@pytest.mark.clause("R9293-3.8.6.1-01", "R9293-3.8.6-01")
def test_short_probe_is_taken() -> None:
    """The octet of the second probe is acknowledged: the rest goes when the window opens, and only then."""
    user, peer = established(nagle=False)
    peer.sends(ACK, window=5)
    user.writes(b"waiting")
    peer.expects(ACK, seq=1, text=b"waiti", by=SECOND)
    peer.sends(ACK, ack=1, window=0)
    peer.expects(ACK, seq=1, text=b"w", by=peer.dialogue.now + 10 * SECOND)
    peer.acked = 2
    peer.sends(ACK, window=0)
    assert user.host.deadline() is not None
    peer.skips()
    peer.acked = 2
    peer.sends(ACK, window=65_535)
    text = bytearray(b"w" + bytes(6))
    for _ in range(5):
        gather(peer, text)
        peer.waits(peer.dialogue.now + 60 * SECOND)
    assert text == b"waiting"


@pytest.mark.clause("R9293-3.8.6.1-02", "R9293-3.8.3-01", "R9293-3.8.3-02", "R9293-3.8.3-05")
@pytest.mark.parametrize("multipath", [False, True])
@pytest.mark.parametrize("most", [1, 3, 15])
def test_probes_that_nobody_answers(most: int, multipath: bool) -> None:
    """The window is closed and the peer is gone: so many probes, and the application hears of it."""
    user, peer = established(multipath, rtt=RTT, retransmissions=most)
    options = [DataSignal(ack=1)] if multipath else []
    peer.sends(ACK, options=options, window=0)
    user.writes(b"waiting")
    user.closes()
    peer.waits(peer.dialogue.now + 3_600 * SECOND)
    heard = [one for one in peer.skips() if not one.flags & RST]
    assert 1 <= len(heard) <= most
    user.hears(Aborted(user.connection, "timed out"))
    assert user.host.deadline() is None


@pytest.mark.clause("R9293-3.8.6.1-02", "R9293-3.8.6.1-05")
@pytest.mark.parametrize("multipath", [False, True])
def test_probes_that_are_answered(multipath: bool) -> None:
    """One answer now and then is enough: the window may stay closed for as long as the peer likes."""
    user, peer = established(multipath, rtt=RTT, retransmissions=3)
    options = [DataSignal(ack=1)] if multipath else []
    peer.sends(ACK, options=options, window=0)
    user.writes(b"waiting")
    heard = 0
    for _ in range(100):
        due = user.host.deadline()
        assert due is not None
        peer.waits(max(due, peer.dialogue.now))
        heard += len(peer.skips())
        peer.acked = 1
        peer.sends(ACK, options=options, window=0)
    assert heard >= 50
    user.hears_nothing()


# -- after a checksum failure -----------------------------------------------------------------


@pytest.mark.clause("R8684-3.7-21", "R8684-3.3.4-02", "R9293-3.4-02")
@pytest.mark.parametrize("waiting", [1_000, 5_000, 9_000])
def test_nothing_acknowledged_is_lost_by_fallback(waiting: int) -> None:
    """Text up to the announced window behind a bad checksum: all that TCP acknowledged is read."""
    user, peer = established(multipath=True, rtt=RTT, checksum=REQUIRE, receive_buffer=BUFFER)
    peer.checksum = True
    bad = Dss(None, Mapping(peer.dsn(1), True, 1, 1_000, 0x1234, False))
    text = bytes(at % 251 for at in range(2 * BUFFER))
    for at in range(0, waiting, 1_000):
        peer.sends(ACK, text=text[at : at + 1_000], options=[] if at else [bad])
    heard = peer.skips()
    assert any(Fail(peer.dsn(1)) in one.options for one in heard)
    edge = max(peer.count_own(one.acknowledgment) + one.window for one in heard) - 1
    infinite = Dss(DataAck(peer.host_dsn(1), True), Mapping(peer.dsn(1), True, 1, 0, 0, False))
    for at in range(waiting, edge, 1_000):
        options = [Fail(peer.host_dsn(1)), infinite] if at == waiting else []
        peer.sends(ACK, text=text[at : min(at + 1_000, edge)], options=options)
    peer.waits(peer.dialogue.now + SECOND)
    acked = max(peer.count_own(one.acknowledgment) for one in peer.skips()) - 1
    assert acked == edge
    user.hears(FellBack, Readable)
    user.reads(text[:acked])
    peer.sends(ACK, text=b"and more")
    user.hears(Readable)
    user.reads(b"and more")


# -- endings ----------------------------------------------------------------------------------


def without_fin(close_timeout: int = 60 * SECOND) -> tuple[User, Peer]:
    """Both DATA_FINs are acknowledged, and our FIN; the peer's FIN does not come."""
    user, peer = established(multipath=True, close_timeout=close_timeout)
    user.closes()
    peer.expects(ACK, options=[DataSignal(dsn=1, length=1, fin=True)])
    peer.sends(ACK, options=[DataSignal(ack=2)])
    peer.sends(ACK, options=[end_data(1, ack=2)])
    assert any(one.flags & FIN for one in peer.skips())
    user.hears(Finished, Closed)
    peer.sends(ACK, options=[DataSignal(ack=2)])
    return user, peer


@pytest.mark.clause("R8684-3.3.3-13", "R8684-3.3.3-09")
@pytest.mark.parametrize("timeout", [SECOND, 60 * SECOND])
def test_fin_never_comes(timeout: int) -> None:
    """The data is complete both ways: a FIN that is missing is waited for, not for ever, and is no error."""
    user, peer = without_fin(close_timeout=timeout)
    begun = peer.dialogue.now
    peer.waits(begun + timeout - 1)
    assert get_end(user) == (State.M_TIME_WAIT, "")
    peer.waits(begun + timeout)
    assert get_end(user) == (State.M_CLOSED, "")
    assert user.host.deadline() is None
    user.hears_nothing()


@pytest.mark.clause("R8684-3.3.3-13")
def test_fin_never_comes_and_nobody_waits() -> None:
    """The application forgot the connection: the host forgets it too."""
    user, peer = without_fin()
    user.host.forget(user.connection)
    peer.dialogue.settle()
    assert len(user.host.connections) == 1
    peer.waits(peer.dialogue.now + 60 * SECOND)
    assert not user.host.connections


@pytest.mark.clause("R8684-3.3.3-03", "R8684-3.3.3-06")
@pytest.mark.parametrize("lie", [1, 60, 100])
def test_data_fin_below_held_data(lie: int) -> None:
    """There is data behind it: it ends nothing, and the true one does."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"b" * 50, options=[map_text(51, 50, ssn=1)])
    peer.sends(ACK, options=[end_data(lie)])
    user.hears_nothing()
    peer.sends(ACK, text=b"a" * 50, options=[map_text(1, 50, ssn=51)])
    user.hears(Readable)
    user.reads(b"a" * 50 + b"b" * 50)
    user.hears_nothing()
    peer.sends(ACK, options=[end_data(101)])
    user.hears(Finished)
    peer.skips()
    user.closes()
    peer.expects(ACK, options=[DataSignal(ack=102, dsn=1, length=1, fin=True)])
    peer.sends(ACK, options=[DataSignal(ack=2)])
    peer.expects(FIN | ACK)
    peer.sends(FIN | ACK, options=[DataSignal(ack=2)])
    user.hears(Closed)
    peer.waits(peer.dialogue.now + 600 * SECOND)
    control = user.host.connections[user.connection].control
    assert control.state is State.M_CLOSED and not control.error


@pytest.mark.clause("R9293-3.10.7.4-03")
@pytest.mark.parametrize("lie", [1, 60, 100])
def test_fin_below_held_text(lie: int) -> None:
    """The same in plain TCP: a FIN in the middle of text that is held already is none."""
    user, peer = established()
    peer.sends(ACK, text=b"b" * 50, seq=51)
    if lie > 1:  # at 1 it would be next, and true
        peer.sends(FIN | ACK, seq=lie)
        user.hears_nothing()
    peer.sends(ACK, text=b"a" * 50, seq=1)
    user.hears(Readable)
    user.reads(b"a" * 50 + b"b" * 50)
    user.hears_nothing()
    peer.sends(FIN | ACK, seq=101)
    user.hears(Finished)
    peer.skips()
    user.closes()
    peer.expects(FIN | ACK, ack=102)
    peer.sends(ACK)
    user.hears(Closed)
    assert user.host.deadline() is None


# -- handshakes -------------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.1-54", "R8684-3.1-58")
@pytest.mark.parametrize("number", [-1_000_000, -1, 1_234_567])
def test_strange_syn_changes_no_answer(number: int) -> None:
    """Only the SYN that opened may come again without MP_CAPABLE; one out of the window says nothing."""
    user, peer = syn_received(multipath=True)
    stray = compute_wire_32(peer.isn, number)
    isn, peer.isn = peer.isn, stray
    peer.sends(SYN, seq=0)
    peer.isn = isn
    peer.skips()
    peer.expects(SYN | ACK, seq=0, ack=1, options=[CapableSynAck], by=peer.dialogue.now + 2 * SECOND)
    user.hears_nothing()


@pytest.mark.clause("R8684-3.1-52", "R8684-3.2-02")
@pytest.mark.parametrize("is_first", [True, False])
def test_capable_and_join(is_first: bool) -> None:
    """Both on one SYN make no sense: plain TCP answers, and no RST."""
    user, peer = listening(multipath=True)
    capable, join = CapableSyn(1, HMAC_SHA256), JoinSyn(False, 1, 5, b"abcd")
    peer.sends(SYN, options=[capable, join] if is_first else [join, capable])
    peer.expects(SYN | ACK, seq=0, ack=1, without=[CapableSynAck, JoinSynAck])
    peer.sends(ACK, text=b"hello")
    assert user.host.deadline() is not None
    user.dialogue.events.pop(0)
    user.hears(FellBack, Readable)
