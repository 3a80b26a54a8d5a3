"""Keep-alives: RFC 9293 §3.8.4."""

import pytest

from mptcp.choices import Choices
from mptcp.events import Aborted, Readable
from mptcp.parameters import HOUR, SECOND
from mptcp.wire.segment import ACK
from mptcp_model.dialogue import DataSignal
from mptcp_model.situations import close_wait, established, fin_wait_2, time_wait

QUIET = {"keep_alive": True, "keep_alive_idle": 100 * SECOND, "keep_alive_interval": 10 * SECOND}


@pytest.mark.clause("R9293-3.8.4-02", "R9293-3.8.4-05")
def test_off() -> None:
    """By default nobody asks; who wants it is asked after two hours."""
    user, peer = established()
    peer.expects_nothing(until=100 * HOUR)
    assert user.host.deadline() is None
    user, peer = established(keep_alive=True)
    peer.expects(ACK, at=2 * HOUR)
    assert Choices().keep_alive_idle >= 2 * HOUR


@pytest.mark.clause("R9293-3.8.4-03", "R9293-3.8.4-04", "R9293-3.8.4-07", "R9293-3.8.4-08", "R9293-3.8.4-09")
@pytest.mark.parametrize("multipath", [False, True])
def test_question(multipath: bool) -> None:
    """After silence a segment without text leaves that TCP must answer: its number is an old one."""
    user, peer = established(multipath, **QUIET)
    text = [DataSignal(ack=1, dsn=1, ssn=1, length=5)] if multipath else []
    peer.sends(ACK, text=b"hello", options=text, at=30 * SECOND)
    user.hears(Readable)
    peer.skips()
    peer.waits(60 * SECOND)
    peer.skips()
    peer.expects(ACK, seq=0, ack=6, length=0, at=130 * SECOND)
    peer.sends(ACK, options=[DataSignal(ack=1)] if multipath else [], at=131 * SECOND)
    peer.expects(ACK, seq=0, at=231 * SECOND)
    user.hears_nothing()


@pytest.mark.clause("R9293-3.8.4-06")
def test_no_answer() -> None:
    """One that is lost proves nothing: it takes several, and then the connection is dead."""
    user, peer = established(**QUIET, keep_alive_probes=3)
    for at in (100, 110, 120):
        peer.expects(ACK, seq=0, at=at * SECOND)
    user.hears_nothing()
    peer.waits(130 * SECOND)
    assert user.hears(Aborted) == Aborted(user.connection, "timed out")


@pytest.mark.clause("R9293-3.8.4-06")
def test_late_answer() -> None:
    """An answer to the second one begins the count anew."""
    user, peer = established(**QUIET, keep_alive_probes=3)
    peer.expects(ACK, seq=0, at=100 * SECOND)
    peer.expects(ACK, seq=0, at=110 * SECOND)
    peer.sends(ACK, at=119 * SECOND)
    for at in (219, 229, 239):
        peer.expects(ACK, seq=0, at=at * SECOND)
    user.hears_nothing()


@pytest.mark.clause("R9293-3.8.4-01")
def test_switch() -> None:
    """On and off again for a connection that stands, whatever the choice was."""
    user, peer = established(**{**QUIET, "keep_alive": False})
    user.host.tune(user.connection, 0, keep_alive=True)
    peer.expects(ACK, seq=0, at=100 * SECOND)
    peer.sends(ACK)
    user.host.tune(user.connection, 100 * SECOND, keep_alive=False)
    peer.expects_nothing(until=10_000 * SECOND)
    assert user.host.deadline() is None


@pytest.mark.clause("R9293-3.8.4-03")
def test_not_while_text_is_in_flight() -> None:
    """The retransmission timer asks already."""
    user, peer = established(**QUIET, minimum_rto=40 * SECOND)
    user.writes(b"hello")
    peer.expects(ACK, length=5)
    peer.waits(105 * SECOND)
    assert all(one.text_length for one in peer.skips())


@pytest.mark.parametrize("situation", [fin_wait_2, close_wait])
def test_half_closed(situation) -> None:  # type: ignore[no-untyped-def]
    """Where nothing may ever be heard again the question makes sense too."""
    user, peer = situation()
    user.host.tune(user.connection, 0, keep_alive=True)
    asked = peer.acked - 1
    peer.expects(ACK, seq=asked, length=0, at=2 * HOUR)


def test_not_in_time_wait() -> None:
    """What is over is not asked."""
    user, peer = time_wait()
    user.host.tune(user.connection, 0, keep_alive=True)
    peer.expects_nothing(until=10 * HOUR)
