"""Data that every subflow had acknowledged and the peer's MPTCP had not: RFC 8684 §3.3.6."""

from typing import Any

import pytest

from mptcp.connection.info import ConnectionInfo
from mptcp.events import Aborted
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.dss import Dss
from mptcp.wire.endings import FastClose
from mptcp.wire.segment import ACK, RST
from mptcp_model.dialogue import DataSignal, Peer, User
from mptcp_model.situations import established, established_actively

RTT = 50 * MILLISECOND
RTO = 200 * MILLISECOND


def status(user: User) -> ConnectionInfo:
    """STATUS of the connection of this dialogue."""
    return user.host.status(user.connection)


def swallowed(**choices: Any) -> tuple[User, Peer]:
    """A first octet went well; of the next five only the subflow's acknowledgment came."""
    user, peer = established(multipath=True, rtt=RTT, **choices)
    user.writes(b"0")
    peer.expects(ACK, text=b"0")
    peer.sends(ACK, options=[DataSignal(ack=2)])
    user.writes(b"hello")
    peer.expects(ACK, text=b"hello", options=[DataSignal(dsn=2, ssn=2, length=5)])
    peer.sends(ACK, options=[DataSignal(ack=2)])
    return user, peer


@pytest.mark.clause("R8684-3.3.6-05", "R8684-3.3.6-03", "R8684-3.3.6-04", "R8684-3.3.2-07", "R8684-3.3.1-05")
def test_data_is_sent_again() -> None:
    """After a while the same data leaves under new subflow numbers, and with the right mapping."""
    user, peer = swallowed()
    peer.expects(ACK, seq=7, text=b"hello", options=[DataSignal(dsn=2, ssn=7, length=5)], by=RTT + 3 * RTO)
    peer.sends(ACK, options=[DataSignal(ack=7)])
    assert status(user).bytes_acked == 6
    peer.expects_nothing(until=100 * SECOND)


@pytest.mark.clause("R8684-3.3.6-03", "R8684-3.3.6-05")
def test_it_backs_off() -> None:
    """Again and again, ever more slowly, as long as only the subflow says that it came."""
    _, peer = swallowed()
    moments = [peer.dialogue.now]
    for number in range(6):
        peer.expects(ACK, seq=7 + 5 * number, text=b"hello", by=peer.dialogue.now + 100 * SECOND)
        moments.append(peer.heard_at)
        peer.sends(ACK, options=[DataSignal(ack=2)])
    waits = [later - earlier for earlier, later in zip(moments, moments[1:], strict=False)]
    assert waits[0] >= RTO
    assert all(later > earlier for earlier, later in zip(waits, waits[1:], strict=False))
    assert waits[-1] >= 16 * waits[0]


@pytest.mark.clause("R8684-3.3-06", "R8684-3.3.6-03")
def test_it_gives_up() -> None:
    """A peer whose MPTCP never answers: the connection is timed out, and the peer is told."""
    user, peer = swallowed(retransmissions=4)
    for _ in range(4):
        peer.expects(ACK, text=b"hello", by=peer.dialogue.now + 100 * SECOND)
        peer.sends(ACK, options=[DataSignal(ack=2)])
    peer.expects(RST | ACK, options=[FastClose(peer.key)], by=peer.dialogue.now + 100 * SECOND)
    event = user.hears(Aborted)
    assert isinstance(event, Aborted) and event.error == "timed out"


@pytest.mark.clause("R8684-3.3.6-05", "R8684-3.3.6-04")
def test_progress_restarts_the_clock() -> None:
    """A Data ACK of part of it: only the rest is sent again, and the waiting starts anew."""
    user, peer = swallowed()
    peer.sends(ACK, options=[DataSignal(ack=4)], at=RTT + RTO - 10 * MILLISECOND)
    peer.expects_nothing(until=RTT + RTO + 10 * MILLISECOND)
    peer.expects(ACK, seq=7, text=b"llo", options=[DataSignal(dsn=4, ssn=7, length=3)], by=10 * SECOND)
    peer.sends(ACK, options=[DataSignal(ack=7)])
    assert status(user).bytes_acked == 6


@pytest.mark.clause("R8684-3.3.6-01", "R8684-3.3.6-05", "R8684-3.3.6-07")
def test_subflow_clock_goes_first() -> None:
    """As long as the subflow has not had it acknowledged it is the subflow that repeats it."""
    user, peer = established(multipath=True, rtt=RTT)
    user.writes(b"hello")
    peer.expects(ACK, text=b"hello")
    peer.acked = 1
    for _ in range(5):
        peer.expects(ACK, seq=1, text=b"hello", options=[DataSignal(dsn=1, ssn=1, length=5)], by=100 * SECOND)
        peer.acked = 1


@pytest.mark.clause("R8684-3.3.6-05", "R8684-3.3.6-06", "R8684-3.3.2-06")
def test_all_of_a_long_stretch() -> None:
    """A receiver may throw away what it had acknowledged at subflow level: it all comes again, in order."""
    user, peer = established(multipath=True, rtt=RTT)
    user.writes(b"0")
    peer.skips()
    peer.sends(ACK, options=[DataSignal(ack=2)])
    octets = bytes(range(250)) * 32
    user.writes(octets)
    for _ in range(10):
        peer.skips()
        peer.sends(ACK, options=[DataSignal(ack=2)])
    again: dict[int, int] = {}
    for _ in range(20):
        peer.waits(peer.dialogue.now + RTT)
        for one in peer.skips():
            (dss,) = [option for option in one.options if isinstance(option, Dss)]
            if dss.mapping is None:
                continue
            for piece in one.text:
                start = dss.mapping.dsn - peer.host_dsn(2) + peer.count(one.sequence) - dss.mapping.ssn
                again |= dict(enumerate(piece.octets(), start))
        top = 0
        while top in again:
            top += 1
        peer.sends(ACK, options=[DataSignal(ack=2 + top)])
    assert bytes(again[at] for at in range(8_000)) == octets
    assert status(user).bytes_acked == 8_001


@pytest.mark.clause("R8684-3.3.6-04", "R8684-3.3.1-07")
def test_new_data_goes_on_meanwhile() -> None:
    """While old data waits for its Data ACK, new data is sent if the window allows."""
    user, peer = swallowed()
    user.writes(b"world")
    peer.expects(ACK, seq=7, text=b"world", options=[DataSignal(dsn=7, ssn=7, length=5)])
    peer.sends(ACK, options=[DataSignal(ack=12)])
    assert status(user).bytes_acked == 11
    peer.expects_nothing(until=100 * SECOND)


@pytest.mark.clause("R8684-3.3.6-03", "R8684-3.1-22")
def test_initiator_whose_key_is_confirmed() -> None:
    """The same in the other role, once the peer's DSS has come."""
    user, peer = established_actively(multipath=True, rtt=RTT)
    user.writes(b"0")
    peer.skips()
    peer.sends(ACK, options=[DataSignal(ack=2)])
    user.writes(b"hello")
    peer.expects(ACK, text=b"hello")
    peer.sends(ACK, options=[DataSignal(ack=2)])
    peer.expects(ACK, seq=7, text=b"hello", options=[DataSignal(dsn=2, ssn=7, length=5)], by=10 * SECOND)
