"""MP_JOIN asked for: RFC 8684 §3.2, the host as Host A of a further subflow; the full mesh of §3.4."""

from typing import Any

import pytest

from mptcp.choices import SINGLE
from mptcp.events import Readable, SubflowClosed, SubflowEstablished
from mptcp.parameters import MAXIMUM_SEGMENT_LIFETIME, MILLISECOND, REASON_MPTCP, SECOND
from mptcp.wire.dss import Dss
from mptcp.wire.endings import TcpReset
from mptcp.wire.handshake import JoinAck, JoinSyn, JoinSynAck
from mptcp.wire.options import MaximumSegmentSize
from mptcp.wire.segment import ACK, FIN, RST, SYN, Segment
from mptcp_model.dialogue import PEER_IPV4, DataSignal, Peer, User
from mptcp_model.joins import (
    NONCE,
    announce,
    be_joined,
    compute_hmac,
    compute_host_hmac,
    find_nonce,
    join,
    make_ack,
    make_syn,
    make_syn_ack,
)
from mptcp_model.situations import established, established_actively

SECOND_IPV4 = bytes([10, 0, 0, 3])
THIRD_IPV4 = bytes([10, 0, 0, 4])
MSS = MaximumSegmentSize(1460)


def meet(**choices: Any) -> tuple[User, Peer, Peer]:
    """The host opened a connection, and gets a second address; the peer there hears its SYN."""
    user, first = established_actively(multipath=True, **choices)
    first.sends(ACK, options=[DataSignal(ack=1)])
    other = first.dialogue.meets(PEER_IPV4, 80, SECOND_IPV4, 40_000)
    user.host.add_address(SECOND_IPV4, first.dialogue.now)
    first.dialogue.settle()
    return user, first, other


@pytest.mark.clause("R8684-3.2-01", "R8684-3.2-03", "R8684-3.2-04", "R8684-3.2-05", "R8684-3.2-06")
@pytest.mark.clause("R8684-3.9.1-01", "R8684-3.9.1-02", "R8684-3.9.1-03", "R8684-3.4-01", "R8684-3.4-02")
@pytest.mark.clause("R8684-3.2-19", "R8684-3.2-20", "R8684-3.2-21", "R8684-3.2-23")
@pytest.mark.clause("R8684-3.9.1-04")
def test_join() -> None:
    """From the same port to the same port, with the peer's token and an ID of our own; data waits."""
    user, first, other = meet()
    syn = other.expects(SYN, seq=0, options=[JoinSyn])
    option = next(option for option in syn.options if isinstance(option, JoinSyn))
    status = user.host.status(user.connection)
    assert (option.token, option.address_id, option.backup) == (status.remote_token, 2, False)
    other.sends(SYN | ACK, options=[MSS, make_syn_ack(other, first, syn)])
    third = other.expects(ACK, seq=1, ack=1, options=[JoinAck], without=[Dss])
    hmac = next(option for option in third.options if isinstance(option, JoinAck)).hmac
    assert hmac == compute_host_hmac(other, option.nonce)[:20]
    first.skips()
    user.writes(bytes(100_000))
    first.skips()
    other.expects_nothing()
    user.hears_nothing()
    other.sends(ACK, options=[DataSignal(ack=1)])
    user.hears(SubflowEstablished)
    other.expects(ACK, seq=1, options=[Dss], without=[JoinAck])


@pytest.mark.clause("R8684-3.2-19", "R8684-3.2-20")
def test_fourth_packet_is_late() -> None:
    """The third one goes again and again, later each time; data of the peer is as good as the fourth."""
    user, first, other = meet()
    syn = other.expects(SYN, options=[JoinSyn])
    other.sends(SYN | ACK, options=[MSS, make_syn_ack(other, first, syn)])
    other.expects(ACK, options=[JoinAck], at=0)
    other.expects(ACK, seq=1, options=[JoinAck], at=SECOND // 5)
    other.expects(ACK, seq=1, options=[JoinAck], by=SECOND)
    other.sends(ACK, text=b"hi", options=[DataSignal(ack=1, dsn=1, ssn=1, length=2)])
    user.hears(SubflowEstablished, Readable)
    user.reads(b"hi")


@pytest.mark.clause("R8684-3.2-19")
def test_fourth_packet_never_comes() -> None:
    """In the end the subflow is given up, with RST; the connection is not."""
    user, first, other = meet(syn_attempts=3)
    syn = other.expects(SYN, options=[JoinSyn])
    other.sends(SYN | ACK, options=[MSS, make_syn_ack(other, first, syn)])
    segments: list[Segment] = []
    for _ in range(40):
        other.waits(other.dialogue.now + SECOND)
        segments += other.skips()
    assert segments[-1].flags == RST | ACK
    assert len(user.host.status(user.connection).subflows) == 1
    user.hears_nothing()


@pytest.mark.clause("R8684-3.2-26", "R8684-3.2-27", "R8684-3.2-30", "R8684-3.2-31", "R8684-3.2-17")
@pytest.mark.clause("R8684-3.9.3-03", "R8684-3.8-01")
@pytest.mark.parametrize("kind", ["none", "wrong", "other nonce", "sent back"])
def test_syn_ack_is_wrong(kind: str) -> None:
    """RST with reason 1; nothing is tried again there, and nothing else changes."""
    user, first, other = meet()
    syn = other.expects(SYN, options=[JoinSyn])
    right = make_syn_ack(other, first, syn)
    hmac = right.hmac
    if kind == "wrong":
        hmac = hmac[:7] + bytes([hmac[7] ^ 1])
    elif kind == "other nonce":
        hmac = compute_hmac(other, b"else")[:8]
    elif kind == "sent back":
        hmac = compute_host_hmac(other, find_nonce(syn))[:8]
    options = [] if kind == "none" else [JoinSynAck(False, 0, hmac, NONCE)]
    other.sends(SYN | ACK, options=[MSS, *options])
    other.expects(RST | ACK, seq=1, options=[TcpReset(0, REASON_MPTCP)])
    other.expects_nothing(until=1_000 * SECOND)
    user.hears_nothing()
    first.sends(ACK, text=b"fine", options=[DataSignal(ack=1, dsn=1, ssn=1, length=4)])
    user.hears(Readable)


@pytest.mark.clause("R8684-3.9.3-05", "R8684-3.4.1-24", "R8684-3.2-32")
def test_join_is_refused() -> None:
    """A RST answers the SYN: this pair is left alone, for as long as nothing new is heard of it."""
    user, first, other = meet()
    other.expects(SYN, options=[JoinSyn])
    other.sends(RST | ACK, seq=0, ack=1, options=[TcpReset(0, REASON_MPTCP)])
    other.expects_nothing(until=1_000 * SECOND)
    first.sends(ACK, text=b"fine", options=[DataSignal(ack=1, dsn=1, ssn=1, length=4)])
    user.hears(Readable)


@pytest.mark.clause("R8684-3.9.3-05", "R8684-3.3.3-14")
def test_join_was_refused_and_is_all_that_is_left() -> None:
    """When the last subflow has gone, what failed before is tried again, after a rest."""
    user, first, other = meet()
    other.expects(SYN, options=[JoinSyn])
    other.sends(RST | ACK, seq=0, ack=1)
    user.host.remove_address(first.local, 0)
    first.dialogue.settle()
    other.next = other.acked = 0
    other.expects(SYN, options=[JoinSyn], by=10 * SECOND)


@pytest.mark.clause("R8684-3.2-12", "R8684-2.5-01")
@pytest.mark.clause("R8684-3.9.2-01")
def test_both_flags_b() -> None:
    """Each side asks for itself: ours is the address's, and theirs is no echo."""
    user, first = established_actively(multipath=True)
    first.sends(ACK, options=[DataSignal(ack=1)])
    other = first.dialogue.meets(PEER_IPV4, 80, SECOND_IPV4, 40_000)
    user.host.add_address(SECOND_IPV4, 0, is_backup=True)
    first.dialogue.settle()
    syn = other.expects(SYN, options=[JoinSyn])
    assert next(option for option in syn.options if isinstance(option, JoinSyn)).backup
    other.sends(SYN | ACK, options=[MSS, make_syn_ack(other, first, syn, backup=False)])
    other.sends(ACK, options=[DataSignal(ack=1)])
    event = user.hears(SubflowEstablished)
    assert isinstance(event, SubflowEstablished) and event.is_backup


@pytest.mark.clause("R8684-3.2-01", "R8684-3.1-28", "R8684-3.1-22")
def test_not_before_a_dss() -> None:
    """Until the peer is known to have our key, no join."""
    user, first = established_actively(multipath=True)
    user.host.add_address(SECOND_IPV4, 0)
    first.dialogue.settle()
    assert first.dialogue.strays == []
    first.sends(ACK, options=[DataSignal(ack=1)])
    assert len(first.dialogue.strays) == 1


@pytest.mark.clause("R8684-3.1-37", "R8684-3.4-04")
def test_peer_said_flag_c() -> None:
    """Its initial address is left alone; one that it announces is not."""
    user, first = established_actively(multipath=True)
    first.sends(ACK, options=[DataSignal(ack=1)])
    user.host.connections[user.connection].control.peer_refuses_joins = True
    user.host.add_address(SECOND_IPV4, 0)
    first.dialogue.settle()
    assert first.dialogue.strays == []
    first.sends(ACK, options=[announce(first, 3, bytes([10, 0, 9, 9]))])
    assert {one.source for one in first.dialogue.strays} == {first.local, SECOND_IPV4}


@pytest.mark.clause("R8684-3.1-31", "R8684-3.4-03")
def test_manager_that_opens_none() -> None:
    """``Choices.paths`` decides who decides."""
    _, first, other = meet(paths=SINGLE)
    other.expects_nothing(until=100 * SECOND)
    first.sends(ACK, options=[announce(first, 3, bytes([10, 0, 9, 9]))])
    assert first.dialogue.strays == []


@pytest.mark.clause("R8684-3.9.2-03", "R8684-3.2-14")
def test_no_more_than_there_may_be() -> None:
    """Ten addresses on either side: eight subflows."""
    user, first = established_actively(multipath=True)
    first.sends(ACK, options=[DataSignal(ack=1)])
    for number in range(10):
        user.host.add_address(bytes([10, 0, 1, number]), 0)
    first.dialogue.settle()
    assert len(first.dialogue.strays) == 7


@pytest.mark.clause("R8684-3.5-01", "R8684-3.9.3-07")
@pytest.mark.clause("R8684-3.9.2-04")
def test_pair_is_tried_again() -> None:
    """A subflow that was there and ended is opened again, after a rest."""
    user, _, other = meet(timestamps=False)
    be_joined(other, user_first(user, other))
    user.hears(SubflowEstablished)
    other.sends(RST)
    user.hears(SubflowClosed)
    other.expects_nothing(until=999 * MILLISECOND)
    other.next = other.acked = 0
    other.expects(SYN, options=[JoinSyn], by=2 * SECOND)


def user_first(user: User, other: Peer) -> Peer:
    """The peer on the first subflow."""
    assert user.connection
    return other.dialogue.peers[0]


@pytest.mark.clause("R8684-3.4-04", "R8684-3.2-07", "R8684-3.4.1-20")
def test_server_joins_what_is_announced() -> None:
    """Who was called opens nothing by itself, but joins an address that it is told of."""
    user, first = established(multipath=True)
    user.host.add_address(SECOND_IPV4, 0)
    first.dialogue.settle()
    assert first.dialogue.strays == []
    other = first.dialogue.meets(bytes([10, 0, 9, 9]), 40_000)
    first.sends(ACK, options=[announce(first, 3, bytes([10, 0, 9, 9]))])
    be_joined(other, first, 3)
    assert first.dialogue.strays == []


@pytest.mark.clause("R8684-3.9.2-05")
def test_joins_cross_and_ours_stands() -> None:
    """Both want the same subflow: who opened the connection waits for the answer to its own SYN."""
    user, first, other = meet()
    syn = other.expects(SYN, seq=0, options=[JoinSyn])
    other.sends(SYN, options=[MSS, make_syn(other, first)])
    other.expects_nothing()
    other.sends(SYN | ACK, seq=0, options=[MSS, make_syn_ack(other, first, syn)])
    other.expects(ACK, seq=1, ack=1, options=[JoinAck])
    other.sends(ACK, seq=1, options=[DataSignal(ack=1)])
    assert len(user.host.status(user.connection).subflows) == 2


@pytest.mark.clause("R8684-3.9.2-05")
@pytest.mark.parametrize("token", [0, 1])
def test_joins_cross_and_the_peers_stands(token: int) -> None:
    """Who was called lets go of its own, and answers; unless the other SYN is somebody else's."""
    user, first = established(multipath=True)
    other = first.dialogue.meets(bytes([10, 0, 9, 9]), 40_000)
    first.sends(ACK, options=[announce(first, 3, bytes([10, 0, 9, 9]))])
    syn = other.expects(SYN, seq=0, options=[JoinSyn])
    join = make_syn(other, first, 3)
    other.sends(SYN, options=[MSS, JoinSyn(False, 3, join.token + token, join.nonce)])
    if token:
        other.expects_nothing()
        return
    syn_ack = other.expects(SYN | ACK, seq=0, ack=1, options=[JoinSynAck])
    assert syn_ack.sequence != syn.sequence or syn_ack.options != syn.options
    other.sends(ACK, options=[make_ack(other, syn_ack)])
    other.expects(ACK, seq=1, ack=1, options=[DataSignal()])
    assert len(user.host.status(user.connection).subflows) == 2
    assert not user.host.connections[user.connection].control.book.failures


@pytest.mark.clause("R8684-3.3.3-14", "R8684-3.4.2-04")
def test_the_only_address_goes_and_returns() -> None:
    """What the peer sends meanwhile meets no RST, which would end the connection there; later it does."""
    user, first = established_actively(multipath=True)
    first.sends(ACK, options=[DataSignal(ack=1)])
    local = first.dialogue.host.connections[user.connection].control.first[0]
    user.host.remove_address(local, first.dialogue.now)
    first.dialogue.settle()
    user.host.add_address(local, first.dialogue.now)
    first.sends(ACK, text=b"hello", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    first.expects_nothing()
    other = first.dialogue.meets(PEER_IPV4, 80, local, first.dialogue.strays[0].source_port)
    be_joined(other, first)
    first.sends(ACK, seq=1, text=b"hello", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    first.expects(RST, seq=1)
    other.sends(ACK, text=b"hello", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.reads(b"hello")


@pytest.mark.clause("R8684-3.9.1-05", "R9293-3.4.1-01")
@pytest.mark.parametrize("later", [0, 1, 4, 1_000])
def test_an_address_goes_and_returns_at_once(later: int) -> None:
    """Where our RST was lost the peer still has the old subflow: the next one comes from another port.

    From the same one, within a tick of the clock of initial sequence numbers, its SYN would be the old one
    to the letter; the peer's acknowledgment would fit, and each SYN would have that answer for minutes.
    """
    user, first, other = meet()
    be_joined(other, first)
    local = first.local
    first.skips()
    user.host.remove_address(local, first.dialogue.now)
    first.dialogue.settle()
    first.expects(RST | ACK)
    first.dialogue.advance(first.dialogue.now + later)
    user.host.add_address(local, first.dialogue.now)
    first.dialogue.settle()
    first.expects_nothing()
    (syn,) = first.dialogue.strays
    assert syn.flags == SYN and syn.source == local
    third = first.dialogue.meets(PEER_IPV4, 80, local, syn.source_port)
    be_joined(third, first)
    user.hears(SubflowEstablished)
    assert len(user.host.status(user.connection).subflows) == 2


def count(thing: object) -> int:
    """How many numbers and octets a record's key consists of."""
    return sum(count(one) for one in thing) if isinstance(thing, tuple) else 1


@pytest.mark.clause("R8684-3.9.1-01", "R9293-3.4.1-01")
def test_an_address_goes_and_returns_all_day() -> None:
    """What must not be used again for a while is forgotten: the first port is free, nothing is kept."""
    user, first, other = meet()
    be_joined(other, first)
    story = first.dialogue
    sizes = []
    for day in range(8):
        user.host.remove_address(SECOND_IPV4, story.now)
        story.settle()
        other.expects(RST | ACK)
        first.skips()
        first.sends(ACK, options=[DataSignal(ack=1)])
        sizes.append(count(user.host.connections[user.connection].control.key()))
        story.peers.remove(other)
        first.waits(story.now + (day + 1) * MAXIMUM_SEGMENT_LIFETIME)
        user.host.add_address(SECOND_IPV4, story.now)
        story.settle()
        other = story.meets(PEER_IPV4, 80, SECOND_IPV4, 40_000)
        be_joined(other, first)
    assert max(sizes) == sizes[0]


@pytest.mark.clause("R9293-3.4.1-01")
def test_an_address_of_the_called_goes_and_returns_all_day() -> None:
    """Each subflow that the peer opens has the first one's port; those that went are forgotten."""
    user, first = established(multipath=True)
    story = first.dialogue
    sizes = []
    for number in range(30):
        user.host.add_address(SECOND_IPV4, story.now)
        other = story.meets(PEER_IPV4, 50_000 + number, SECOND_IPV4, 80)
        join(other, first)
        user.host.remove_address(SECOND_IPV4, story.now)
        story.settle()
        other.expects(RST | ACK)
        first.skips()
        first.waits(story.now + MAXIMUM_SEGMENT_LIFETIME // 4)
        sizes.append(count(user.host.connections[user.connection].control.key()))
    assert max(sizes) == max(sizes[:5])


@pytest.mark.clause("R8684-3.9.2-03", "R8684-2.6-01")
def test_a_subflow_that_ends_makes_room() -> None:
    """The peer closes one of as many as there may be: our FIN is out, and another takes its place."""
    user, first, other = meet(subflows=2)
    be_joined(other, first)
    user.host.add_address(THIRD_IPV4, first.dialogue.now)
    first.dialogue.settle()
    third = first.dialogue.meets(PEER_IPV4, 80, THIRD_IPV4, 40_000)
    third.expects_nothing()
    other.sends(FIN | ACK, options=[DataSignal(ack=1)])
    other.expects(FIN | ACK, seq=1, ack=2)
    be_joined(third, first)
    assert len(user.host.connections[user.connection].control.branches) == 3
