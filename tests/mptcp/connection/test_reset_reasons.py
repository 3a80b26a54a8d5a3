"""Why a subflow is reset, and what follows from the peer's reason: RFC 8684 §3.6."""

from typing import Any

import pytest

from mptcp.events import Aborted, Closed, Finished, Readable, SubflowClosed, SubflowEstablished
from mptcp.parameters import (
    HOUR,
    LONGEST_REST,
    MILLISECOND,
    REASON_MIDDLEBOX,
    REASON_MPTCP,
    REASON_OUTSTANDING,
    REASON_PERFORMANCE,
    REASON_PROHIBITED,
    REASON_RESOURCES,
    REASON_UNSPECIFIED,
    REST,
    SECOND,
)
from mptcp.wire.dss import Dss
from mptcp.wire.endings import TRANSIENT, TcpReset
from mptcp.wire.handshake import JoinSyn
from mptcp.wire.segment import ACK, FIN, RST, SYN
from mptcp_model.dialogue import PEER_IPV4, DataSignal, Peer, User
from mptcp_model.joins import announce, be_joined, join
from mptcp_model.situations import established, established_actively

RTT = 20 * MILLISECOND
SECOND_IPV4 = bytes([10, 0, 0, 3])
REASONS = [
    REASON_UNSPECIFIED,
    REASON_MPTCP,
    REASON_RESOURCES,
    REASON_PROHIBITED,
    REASON_OUTSTANDING,
    REASON_PERFORMANCE,
    REASON_MIDDLEBOX,
    0xFE,
]


def two_opened(**choices: Any) -> tuple[User, Peer, Peer]:
    """The host opened a connection, and a second subflow from its other address."""
    user, first = established_actively(multipath=True, rtt=RTT, **choices)
    first.sends(ACK, options=[DataSignal(ack=1)])
    other = first.dialogue.meets(PEER_IPV4, 80, SECOND_IPV4, 40_000)
    user.host.add_address(SECOND_IPV4, first.dialogue.now)
    first.dialogue.settle()
    be_joined(other, first)
    user.hears(SubflowEstablished)
    return user, first, other


def two(**choices: Any) -> tuple[User, Peer, Peer]:
    """The peer opened both."""
    user, first = established(multipath=True, rtt=RTT, **choices)
    other = first.dialogue.meets(port=41_000)
    join(other, first)
    user.hears(SubflowEstablished)
    return user, first, other


# -- what the peer says -----------------------------------------------------------------------


@pytest.mark.clause("R8684-3.6-02", "R8684-3.6-04", "R8684-3.6-08", "R8684-3.6-05")
@pytest.mark.parametrize("reason", REASONS)
def test_permanent(reason: int) -> None:
    """T=0: no other subflow of this connection is tried there, until the peer names the address again."""
    user, first, other = two_opened()
    other.sends(RST | ACK, options=[TcpReset(0, reason)])
    user.hears(SubflowClosed)
    other.expects_nothing(until=HOUR)
    assert not any(one.flags & SYN for one in first.skips())
    first.sends(ACK, options=[announce(first, 5, PEER_IPV4, 80)])
    other.expects(SYN, options=[JoinSyn])


@pytest.mark.clause("R8684-3.6-08")
def test_permanent_for_the_last() -> None:
    """Nor is it tried where nothing else is left; another path is."""
    user, first, other = two_opened()
    other.sends(RST | ACK, options=[TcpReset(0, REASON_MIDDLEBOX)])
    user.hears(SubflowClosed)
    first.sends(RST | ACK)
    user.hears(SubflowClosed)
    other.waits(first.dialogue.now + 30 * SECOND)
    other.expects_nothing()
    (syn,) = [one.segment for one in first.inbox if one.segment.flags == SYN][:1]
    assert any(isinstance(option, JoinSyn) for option in syn.options)


@pytest.mark.clause("R8684-3.6-06", "R8684-3.6-07", "R8684-3.6-02", "R8684-3.6-04")
@pytest.mark.parametrize(
    ("option", "rest"),
    [
        (TcpReset(TRANSIENT, REASON_OUTSTANDING), REST),
        (TcpReset(TRANSIENT, REASON_UNSPECIFIED), REST),
        (TcpReset(TRANSIENT, REASON_RESOURCES), LONGEST_REST),
        (TcpReset(TRANSIENT, REASON_PERFORMANCE), LONGEST_REST),
        (None, REST),
    ],
)
def test_transient(option: TcpReset | None, rest: int) -> None:
    """T=1: the path is tried again; how soon depends on what was wrong."""
    user, _, other = two_opened()
    now = other.dialogue.now
    other.sends(RST | ACK, options=[option] if option else [])
    user.hears(SubflowClosed)
    other.expects_nothing(until=now + rest - 1)
    other.expects(SYN, options=[JoinSyn], at=now + rest)


@pytest.mark.clause("R8684-3.6-08", "R8684-3.6-06")
@pytest.mark.parametrize("flags", [0, TRANSIENT])
def test_join_is_refused(flags: int) -> None:
    """A RST that answers our SYN is a RST like any other."""
    user, first = established_actively(multipath=True, rtt=RTT)
    first.sends(ACK, options=[DataSignal(ack=1)])
    other = first.dialogue.meets(PEER_IPV4, 80, SECOND_IPV4, 40_000)
    user.host.add_address(SECOND_IPV4, first.dialogue.now)
    first.dialogue.settle()
    other.expects(SYN, options=[JoinSyn])
    other.sends(RST | ACK, ack=1, options=[TcpReset(flags, REASON_PROHIBITED)])
    other.waits(other.dialogue.now + 10 * SECOND)
    assert any(one.segment.flags == SYN for one in other.inbox) == (flags == TRANSIENT)


# -- what we say ------------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.3.2-08", "R8684-3.3.6-08", "R8684-3.3.6-10", "R8684-3.3.6-11", "R8684-3.6-16")
@pytest.mark.parametrize("after", [2, 4])
def test_subflow_that_others_do_without(after: int) -> None:
    """Silent for so many timeouts while another carries its data: RST, unacceptable performance, T=1."""
    user, first, other = two(give_up_after=after)
    user.writes(b"a")
    quiet, alive = (first, other) if first.inbox else (other, first)
    alive.expects(ACK, text=b"a", by=SECOND)
    alive.sends(ACK, options=[DataSignal(ack=2)])
    control = user.host.connections[user.connection].control
    (tcb,) = [one.subflow.tcb for one in control.branches if one.subflow.tcb.remote_port == quiet.port]
    for _ in range(60):
        quiet.waits(quiet.dialogue.now + SECOND)
        if quiet.inbox[-1].segment.flags & RST:
            break
        assert tcb.retries < after
    last = quiet.skips()[-1]
    assert last.flags == RST | ACK and TcpReset(TRANSIENT, REASON_PERFORMANCE) in last.options
    user.hears(SubflowClosed)
    user.writes(b"b")
    alive.expects(ACK, text=b"b", options=[DataSignal(dsn=2)])


@pytest.mark.clause("R8684-3.3.6-08", "R8684-3.3.6-10")
def test_subflow_that_nobody_replaces() -> None:
    """The only one is kept for as long as TCP keeps it, and so are two that are silent both."""
    user, first, other = two(give_up_after=2, retransmissions=8)
    user.writes(bytes(30_000))
    first.waits(20 * SECOND)
    assert not any(one.flags & RST for one in first.skips() + other.skips())
    assert len(user.host.status(user.connection).subflows) == 2
    user, only = established(multipath=True, rtt=RTT, give_up_after=2, retransmissions=8)
    user.writes(b"a")
    only.waits(20 * SECOND)
    assert not any(one.flags & RST for one in only.skips())


@pytest.mark.clause("R8684-3.3.3-12", "R8684-3.6-15", "R8684-3.3.3-08")
def test_subflow_with_data_that_came_by_the_other() -> None:
    """Both DATA_FINs are done, and one subflow still tries to send: RST, too much outstanding data."""
    user, first, other = two()
    user.writes(b"a")
    quiet, alive = (first, other) if first.inbox else (other, first)
    quiet.expects(ACK, text=b"a")
    alive.expects(ACK, text=b"a", by=SECOND)
    alive.sends(ACK, options=[DataSignal(ack=2)])
    user.closes()
    alive.skips()
    quiet.skips()
    alive.sends(ACK, options=[DataSignal(ack=3, dsn=1, ssn=0, length=1, fin=True)])
    user.hears(Finished, Closed)
    quiet.expects(RST | ACK, options=[TcpReset(TRANSIENT, REASON_OUTSTANDING)], without=[Dss])
    assert any(one.flags & FIN for one in alive.skips())


@pytest.mark.clause("R8684-3.3.3-11")
@pytest.mark.parametrize("is_multipath", [True, False])
def test_ports_are_free_earlier(is_multipath: bool) -> None:
    """After both DATA_FINs a subflow is not in TIME-WAIT for as long as plain TCP would be."""
    user, peer = established(is_multipath, rtt=RTT, subflow_time_wait=5 * SECOND, time_wait=60 * SECOND)
    user.closes()
    if is_multipath:
        peer.expects(ACK, options=[DataSignal(dsn=1, length=1, fin=True)])
        peer.sends(ACK, options=[DataSignal(ack=2, dsn=1, ssn=0, length=1, fin=True)])
        peer.skips()
    else:
        peer.expects(FIN | ACK)
    peer.sends(FIN | ACK)
    user.hears(Finished, Closed)
    now = peer.dialogue.now
    peer.skips()
    four = (peer.local, peer.local_port, peer.address, peer.port)
    peer.waits(now + 5 * SECOND - 1)
    assert user.host.ports.find(four)
    peer.waits(now + 5 * SECOND + 1)
    assert bool(user.host.ports.find(four)) == (not is_multipath)


# -- whom it concerns -------------------------------------------------------------------------


@pytest.mark.clause("R8684-4-08", "R8684-3.5-01")
@pytest.mark.parametrize("options", [[], [TcpReset(0, 0)], [TcpReset(TRANSIENT, REASON_PERFORMANCE)]])
def test_reset_is_of_one_subflow(options: list[TcpReset]) -> None:
    """Whatever it says: the other goes on, and the connection with it."""
    user, first, other = two()
    first.sends(RST | ACK, options=options)
    user.hears(SubflowClosed)
    other.sends(ACK, b"hello", [DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Readable)
    user.reads(b"hello")
    assert not any(isinstance(event, Aborted) for event in user.dialogue.events)
