"""Threats to handshakes, each by its name (RFC 6181, RFC 7430, RFC 8684 §5): replays, copies, bid-downs."""

from typing import Any

import pytest

from mptcp.choices import Choices
from mptcp.events import Accepted, Established, FellBack, Readable, SubflowEstablished
from mptcp.parameters import SECOND
from mptcp.wire.handshake import (
    HMAC_SHA256,
    CapableAck,
    CapableSyn,
    CapableSynAck,
    CapableSynV0,
    JoinAck,
    JoinSyn,
    JoinSynAck,
)
from mptcp.wire.segment import ACK, RST, SYN
from mptcp_model.dialogue import HOST_IPV4, PEER_IPV4, DataSignal, Dialogue, Peer, User
from mptcp_model.joins import (
    NONCE,
    announce,
    ask,
    be_joined,
    compute_hmac,
    find_nonce,
    join,
    make_ack,
    make_syn,
    make_syn_ack,
)
from mptcp_model.situations import PEER_OPTIONS, established, established_actively, syn_sent

SECOND_IPV4 = bytes([10, 0, 0, 3])
THIRD_IPV4 = bytes([10, 0, 9, 9])


def meet(**choices: Any) -> tuple[User, Peer, Peer]:
    """A connection that the peer opened, and somebody at another port who would join it."""
    user, first = established(multipath=True, **choices)
    return user, first, first.dialogue.meets(port=41_000)


def still_fine(user: User, first: Peer) -> None:
    """The connection carries data as if nothing had been."""
    first.skips()
    user.dialogue.events.clear()
    first.sends(ACK, b"fine", [DataSignal(ack=1, dsn=1, ssn=first.next, length=4)])
    user.hears(Readable)
    user.reads(b"fine")


def count_subflows(user: User) -> int:
    """Those that the connection has, whole or half."""
    return len(user.host.status(user.connection).subflows)


# -- copies of the packets of a join ----------------------------------------------------------


@pytest.mark.clause("R8684-5-03", "R8684-3.2-05", "R8684-3.2-17", "R8684-3.2-28")
@pytest.mark.parametrize("is_token_right", [True, False])
def test_forged_syn_with_another_nonce(is_token_right: bool) -> None:
    """A copy of a joining SYN with another nonce: the join goes on with the first one, and no other."""
    user, first, other = meet()
    syn_ack = ask(other, first)
    right = make_syn(other, first)
    for number in range(50):
        token = right.token if is_token_right else right.token ^ 1 + number
        forged = JoinSyn(True, 9, token, number.to_bytes(4, "big"))
        other.sends(SYN, seq=0, options=[forged])
        for heard in other.skips():
            if heard.flags & SYN:
                assert find_nonce(heard) == find_nonce(syn_ack)
    assert count_subflows(user) == 2
    other.sends(ACK, options=[make_ack(other, syn_ack)])
    user.hears(SubflowEstablished)
    (one,) = [one for one in user.host.status(user.connection).subflows if one.remote_port == 41_000]
    assert (one.remote_id, one.is_backup) == (1, False)
    still_fine(user, first)


@pytest.mark.clause("R8684-5-03", "R8684-5-09", "R8684-3.2-28")
def test_third_packet_for_a_forged_nonce() -> None:
    """Nor is the HMAC for that other nonce taken, should its sender know the keys from elsewhere."""
    user, first, other = meet()
    syn_ack = ask(other, first)
    other.sends(SYN, seq=0, options=[JoinSyn(False, 1, make_syn(other, first).token, b"evil")])
    other.skips()
    wrong = compute_hmac(other, find_nonce(syn_ack))[:19] + b"!"
    other.sends(ACK, options=[JoinAck(wrong)])
    other.expects(RST | ACK)
    still_fine(user, first)


@pytest.mark.clause("R8684-3.2-18", "R8684-3.2-29")
@pytest.mark.parametrize("is_right", [True, False])
def test_third_packet_again_and_again(is_right: bool) -> None:
    """Copies of it, right or not, draw an acknowledgment each and nothing else: it is a subflow already."""
    user, first, other = meet()
    syn_ack = ask(other, first)
    third = make_ack(other, syn_ack)
    other.sends(ACK, options=[third])
    user.hears(SubflowEstablished)
    other.skips()
    for _ in range(50):
        other.sends(ACK, options=[third if is_right else JoinAck(bytes(20))])
        heard = other.skips()
        assert len(heard) <= 1 and not any(one.flags & (RST | SYN) for one in heard)
    user.hears_nothing()
    assert count_subflows(user) == 2
    other.sends(ACK, b"hello", [DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Readable)
    user.reads(b"hello")


@pytest.mark.clause("R8684-3.2-05", "R8684-3.2-29")
def test_syn_of_a_join_that_is_over() -> None:
    """The SYN again, on a subflow that stands: no second one, and the first is not disturbed."""
    user, first, other = meet()
    join(other, first)
    user.hears(SubflowEstablished)
    for number in range(20):
        forged = JoinSyn(True, 9, make_syn(other, first).token, number.to_bytes(4, "big"))
        other.sends(SYN, seq=0, options=[forged], ack=1)
    assert not any(one.flags & (RST | SYN) for one in other.skips())
    user.hears_nothing()
    assert count_subflows(user) == 2
    other.sends(ACK, b"hello", [DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Readable)


@pytest.mark.clause("R8684-5-03", "R8684-5-09", "R8684-3.2-26")
def test_syn_ack_of_another_attempt() -> None:
    """A SYN/ACK that was right once is of no use for the next attempt: our nonce is another one."""
    user, first = established_actively(multipath=True)
    first.sends(ACK, options=[DataSignal(ack=1)])
    other = first.dialogue.meets(PEER_IPV4, 80, SECOND_IPV4, 40_000)
    user.host.add_address(SECOND_IPV4, first.dialogue.now)
    first.dialogue.settle()
    syn = other.expects(SYN, options=[JoinSyn])
    old = make_syn_ack(other, first, syn)
    other.sends(SYN | ACK, options=[*PEER_OPTIONS, old])
    other.expects(ACK, options=[JoinAck])
    other.sends(ACK, options=[DataSignal(ack=1)])
    user.hears(SubflowEstablished)
    other.sends(RST | ACK)
    other.acked, other.next = 0, 0
    again = other.expects(SYN, options=[JoinSyn], by=10 * SECOND)
    assert find_nonce(again) != find_nonce(syn)
    other.host_isn = again.sequence
    other.acked = 1
    other.sends(SYN | ACK, seq=0, options=[*PEER_OPTIONS, old])
    assert any(one.flags & RST for one in other.skips())
    assert count_subflows(user) <= 2
    still_fine(user, first)


# -- bid-downs --------------------------------------------------------------------------------


@pytest.mark.clause("R8684-5-04", "R8684-3.1-40")
@pytest.mark.parametrize("flags", [0, 0x02, 0x04, 0x08, 0x10, 0x1E])
def test_bid_down_of_the_algorithm(flags: int) -> None:
    """Whoever changes the bits on the way gets plain TCP, and no MPTCP with something weaker."""
    user, peer = syn_sent(multipath=True)
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, CapableSynAck(1, flags, peer.key)])
    peer.expects(ACK, without=[CapableAck])
    user.hears(Established, FellBack)


@pytest.mark.clause("R8684-5-05", "R8684-3.1-03")
def test_bid_down_of_the_version() -> None:
    """A SYN/ACK of version 0 for our SYN of version 1, and a SYN of version 0 where that is not allowed."""
    user, peer = syn_sent(multipath=True)
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, CapableSynAck(0, HMAC_SHA256, peer.key)])
    peer.expects(ACK, without=[CapableAck])
    user.hears(Established, FellBack)
    story = Dialogue(Choices())
    story.user.listens()
    peer = story.meets()
    peer.sends(SYN, options=[*PEER_OPTIONS, CapableSynV0(HMAC_SHA256, peer.key)])
    peer.expects(SYN | ACK, without=[CapableSynAck])


# -- others' connections ----------------------------------------------------------------------


@pytest.mark.clause("R8684-4-09", "R8684-3.9.1-02")
def test_addresses_are_of_one_connection() -> None:
    """What the peer announces on one connection is nothing to another one between the same two hosts."""
    user, one = established_actively(multipath=True)
    one.sends(ACK, options=[DataSignal(ack=1)])
    user.connects(PEER_IPV4, local=HOST_IPV4, local_port=40_001)
    two = one.dialogue.meets(PEER_IPV4, 80, HOST_IPV4, 40_001)
    two.key = b"PEERKEY2"
    two.expects(SYN, options=[CapableSyn])
    two.sends(SYN | ACK, options=[*PEER_OPTIONS, CapableSynAck(1, HMAC_SHA256, two.key)])
    two.expects(ACK, options=[CapableAck])
    two.sends(ACK, options=[DataSignal(ack=1)])
    user.hears(Established)
    one.sends(ACK, options=[announce(one, 3, THIRD_IPV4)])
    (stray,) = one.dialogue.strays
    option = next(option for option in stray.options if isinstance(option, JoinSyn))
    status = user.host.status(1)
    assert option.token == status.remote_token != user.host.status(2).remote_token
    books = [user.host.connections[handle].control.book for handle in (1, 2)]
    assert [sorted(book.remotes) for book in books] == [[0, 3], [0]]


@pytest.mark.clause("R8684-2.7-01", "R8684-3.4-04", "R8684-3.4.1-23")
def test_whoever_is_behind_a_nat_connects_out() -> None:
    """Nobody can reach the host, and yet it uses the peer's other address: it was told, and joins it."""
    user, first = established_actively(multipath=True)
    first.sends(ACK, options=[DataSignal(ack=1)])
    other = first.dialogue.meets(THIRD_IPV4, 80, HOST_IPV4, 40_000)
    first.sends(ACK, options=[announce(first, 3, THIRD_IPV4)])
    be_joined(other, first, 3)
    assert any(isinstance(event, SubflowEstablished) for event in user.dialogue.events)


@pytest.mark.clause("R8684-5-03", "R8684-3.2-05")
def test_nonces_of_a_host_are_all_different() -> None:
    """One for each attempt, whoever opens it and on which connection."""
    user, first = established(multipath=True, subflows=60, half_open_joins=60)
    second = first.dialogue.meets(port=2_000)
    second.sends(SYN, options=[*PEER_OPTIONS, CapableSyn(1, HMAC_SHA256)])
    second.expects(SYN | ACK)
    second.sends(ACK, options=[second.capable_ack()])
    user.hears(Accepted)
    nonces = []
    for number in range(40):
        other = first.dialogue.meets(port=3_000 + number)
        other.sends(SYN, options=[make_syn(other, first if number % 2 else second)])
        nonces.append(find_nonce(other.expects(SYN | ACK, options=[JoinSynAck])))
    assert len(set(nonces)) == 40 and NONCE not in nonces
