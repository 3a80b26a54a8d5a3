"""MP_FASTCLOSE on an acknowledgment, and the wait for its answer: RFC 8684 §3.5, option A; RFC 6824 §3.5."""

from collections.abc import Callable
from typing import Any

import pytest

from mptcp.errors import Refused
from mptcp.events import Aborted, Accepted, Readable
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.dss import Dss
from mptcp.wire.endings import FastClose, TcpReset
from mptcp.wire.handshake import HMAC_SHA256, CapableSynV0
from mptcp.wire.segment import ACK, FIN, RST, SYN
from mptcp_model.dialogue import DataSignal, Dialogue, Peer, User
from mptcp_model.situations import PEER_OPTIONS, Scene, begin, established, established_actively

RTO = 200 * MILLISECOND
LATER = 1_000 * SECOND


def start(situation: Callable[..., Scene] = established, **choices: Any) -> Scene:
    """A connection whose user aborts by an acknowledgment."""
    user, peer = situation(multipath=True, fast_close_by_ack=True, **choices)
    return user, peer


def start_v0() -> tuple[User, Peer]:
    """A connection of version 0."""
    story: Dialogue = begin(True, {"lowest_version": 0})
    story.user.listens()
    peer = story.meets()
    peer.sends(SYN, options=[*PEER_OPTIONS, CapableSynV0(HMAC_SHA256, peer.key)])
    peer.expects(SYN | ACK)
    peer.sends(ACK, options=[peer.capable_ack()])
    story.user.hears(Accepted)
    return story.user, peer


def hears_the_end(user: User) -> None:
    """The user is told at once, and once."""
    event = user.hears(Aborted)
    assert isinstance(event, Aborted) and event.error == "aborted"
    user.hears_nothing()


def state(user: User) -> str:
    """The state of the connection."""
    return user.host.status(user.connection).state


def is_over(user: User, peer: Peer) -> None:
    """Nothing leaves any more, and the addresses belong to nobody."""
    assert state(user) == "M_CLOSED"
    peer.expects_nothing(until=LATER)
    user.hears_nothing()
    peer.sends(ACK, options=[DataSignal(ack=1)])
    peer.expects(RST)


@pytest.mark.clause("R8684-3.5-03", "R8684-3.5-04", "R8684-3.5-08")
@pytest.mark.parametrize("situation", [established, established_actively])
def test_answered(situation: Callable[..., Scene]) -> None:
    """An acknowledgment with the peer's key, and no RST; the peer's RST ends the wait."""
    user, peer = start(situation)
    user.aborts()
    one = peer.expects(ACK, seq=1, options=[FastClose(peer.key)], without=[TcpReset])
    assert one.text_length == 0
    hears_the_end(user)
    assert state(user) == "FASTCLOSE_WAIT"
    peer.sends(RST | ACK)
    is_over(user, peer)


@pytest.mark.clause("R6824-3.5-01")
def test_version_0_has_no_other() -> None:
    """In version 0 the acknowledgment is the only form, and no RST of ours has MP_FASTCLOSE."""
    user, peer = start_v0()
    user.aborts()
    peer.expects(ACK, options=[FastClose(peer.key)])
    hears_the_end(user)
    for number in (1, 2, 3):
        peer.expects(ACK, options=[FastClose(peer.key)], at=number * RTO)
    peer.expects(RST | ACK, without=[FastClose, TcpReset], at=4 * RTO)
    is_over(user, peer)


@pytest.mark.clause("R6824-3.5-01")
def test_version_0_answers() -> None:
    """The peer's MP_FASTCLOSE is answered by a RST, which in version 0 has no reason."""
    user, peer = start_v0()
    peer.sends(ACK, options=[FastClose(peer.host_key)])
    peer.expects(RST | ACK, without=[FastClose, TcpReset])
    event = user.hears(Aborted)
    assert isinstance(event, Aborted) and event.error == "reset"


@pytest.mark.clause("R8684-3.5-10", "R8684-3.5-11", "R8684-3.5-12", "R8684-3.5-13")
def test_never_answered() -> None:
    """Three more at the distance of one RTO, then one RST with MP_FASTCLOSE, then nothing."""
    user, peer = start()
    user.aborts()
    peer.expects(ACK, options=[FastClose(peer.key)], at=0)
    for number in (1, 2, 3):
        peer.expects(ACK, seq=1, options=[FastClose(peer.key)], at=number * RTO)
    peer.expects(RST | ACK, seq=1, options=[FastClose(peer.key), TcpReset(0, 0)], at=4 * RTO)
    hears_the_end(user)
    is_over(user, peer)


@pytest.mark.clause("R8684-3.5-11", "R8684-3.5-12")
@pytest.mark.parametrize("count", [0, 1])
def test_limit_is_a_choice(count: int) -> None:
    """As often as chosen."""
    user, peer = start(fast_close_retransmissions=count)
    user.aborts()
    for number in range(count + 1):
        peer.expects(ACK, options=[FastClose(peer.key)], at=number * RTO)
    peer.expects(RST | ACK, options=[FastClose(peer.key)], at=(count + 1) * RTO)
    hears_the_end(user)
    is_over(user, peer)


@pytest.mark.clause("R8684-3.5-09")
def test_both_at_once() -> None:
    """The peer's MP_FASTCLOSE crosses ours: a RST answers it, and all is over."""
    user, peer = start()
    user.aborts()
    peer.expects(ACK, options=[FastClose(peer.key)])
    hears_the_end(user)
    peer.sends(ACK, options=[FastClose(peer.host_key)])
    peer.expects(RST | ACK)
    is_over(user, peer)


@pytest.mark.clause("R8684-3.5-09")
def test_both_at_once_by_reset() -> None:
    """Likewise when the peer's is on a RST: nothing answers that."""
    user, peer = start()
    user.aborts()
    peer.expects(ACK, options=[FastClose(peer.key)])
    hears_the_end(user)
    peer.sends(RST | ACK, options=[FastClose(peer.host_key)])
    is_over(user, peer)


@pytest.mark.clause("R8684-3.5-02", "R8684-3.5-04")
def test_no_data_either_way() -> None:
    """What waited does not leave, what comes is not read, and each acknowledgment says that it is over."""
    user, peer = start(window=3_000)
    user.writes(bytes(10_000))
    sent = peer.skips()
    assert sent
    user.aborts()
    peer.expects(ACK, length=0, seq=peer.acked, options=[FastClose(peer.key)])
    hears_the_end(user)
    peer.sends(ACK, options=[DataSignal(ack=peer.acked)])
    peer.sends(ACK, text=b"more", options=[DataSignal(ack=1, dsn=1, ssn=1, length=4)])
    peer.expects(ACK, length=0, ack=5, options=[FastClose(peer.key), DataSignal(ack=1)], by=RTO)
    assert user.reads() == b""
    user.hears_nothing()
    with pytest.raises(Refused):
        user.writes(b"x")
    user.closes()
    user.aborts()
    peer.sends(RST | ACK)
    is_over(user, peer)


@pytest.mark.clause("R8684-3.5-08")
def test_fin_while_waiting() -> None:
    """A FIN is no answer."""
    user, peer = start()
    user.aborts()
    peer.expects(ACK, options=[FastClose(peer.key)])
    hears_the_end(user)
    peer.sends(FIN | ACK, options=[DataSignal(ack=1)])
    peer.expects(ACK, ack=2, options=[FastClose(peer.key)])
    assert state(user) == "FASTCLOSE_WAIT"
    peer.sends(RST | ACK)
    is_over(user, peer)


@pytest.mark.clause("R8684-3.5-07")
def test_wrong_key_while_waiting() -> None:
    """A MP_FASTCLOSE with another key has no effect here either."""
    user, peer = start()
    user.aborts()
    peer.expects(ACK, options=[FastClose(peer.key)])
    peer.sends(ACK, options=[FastClose(b"SOMEBODY")])
    assert state(user) == "FASTCLOSE_WAIT"
    peer.expects(ACK, options=[FastClose(peer.key)], at=RTO)


@pytest.mark.clause("R8684-3.5-02")
def test_plain_tcp_has_only_the_reset() -> None:
    """After fallback there is nothing to wait for."""
    user, peer = established(fast_close_by_ack=True)
    user.aborts()
    peer.expects(RST | ACK, without=[FastClose, TcpReset, Dss])
    assert state(user) == "M_CLOSED"


def test_abort_while_the_data_fin_is_out() -> None:
    """In every state in which the peer may still have something to say the wait is the same."""
    user, peer = start()
    peer.sends(ACK, text=b"hello", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Readable)
    user.closes()
    peer.expects(ACK, options=[DataSignal(dsn=1, length=1, fin=True)])
    user.aborts()
    peer.expects(ACK, options=[FastClose(peer.key)])
    hears_the_end(user)
    peer.sends(RST | ACK)
    is_over(user, peer)
