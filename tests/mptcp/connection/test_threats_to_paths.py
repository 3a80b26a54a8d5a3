"""Threats to joins and addresses, each by its name (RFC 6181, RFC 7430, RFC 8684 §5): what they cost."""

import pytest

from mptcp.events import Accepted, Readable, SubflowEstablished
from mptcp.host import Host
from mptcp.keys import compute_token
from mptcp.parameters import MILLISECOND, REASON_RESOURCES, SECOND
from mptcp.wire.addresses import AddAddrEcho, RemoveAddr
from mptcp.wire.endings import TRANSIENT, TcpReset
from mptcp.wire.handshake import HMAC_SHA256, CapableSyn, JoinAck, JoinSyn
from mptcp.wire.segment import ACK, RST, SYN
from mptcp_model.dialogue import DataSignal, Peer, User
from mptcp_model.joins import NONCE, announce, ask, join, make_ack, make_syn
from mptcp_model.situations import established, established_actively

VICTIM = bytes([198, 51, 100, 7])
RTT = 20 * MILLISECOND


def still_fine(user: User, first: Peer) -> None:
    """The connection carries data as if nothing had been."""
    first.skips()
    first.sends(ACK, text=b"fine", options=[DataSignal(ack=1, dsn=1, ssn=first.next, length=4)])
    while user.dialogue.events and not isinstance(user.dialogue.events[0], Readable):
        user.dialogue.events.pop(0)
    user.hears(Readable)
    user.reads(b"fine")


def count_octets(host: Host) -> int:
    """All state of a host, spelled out: a measure of what it remembers."""
    return len(repr(host.key()))


@pytest.mark.clause("R8684-3.2-14", "R8684-3.2-15", "R8684-3.2-24")
def test_forged_tokens() -> None:
    """Guessing tokens: each guess gets a RST, and costs neither memory nor an HMAC."""
    user, first = established(multipath=True)
    user.host.transmit(0)
    before = count_octets(user.host)
    counter = user.host.chance.counter
    for number in range(200):
        other = first.dialogue.meets(port=1_024 + number)
        token = compute_token(first.host_key) ^ (number + 1)
        other.sends(SYN, options=[JoinSyn(False, 1, token, NONCE)])
        other.expects(RST | ACK)
    assert count_octets(user.host) == before
    assert user.host.chance.counter == counter  # not even a nonce was drawn
    still_fine(user, first)


@pytest.mark.clause("R8684-3.2-17", "R8684-3.2-28", "R8684-3.2-05", "R8684-5-03")
def test_guessed_hmac() -> None:
    """Who knows the token and not the keys (an eavesdropper on one path): one guess for each nonce."""
    user, first = established(multipath=True)
    nonces = set()
    for number in range(50):
        other = first.dialogue.meets(bytes([198, 51, 100, 1 + number]), port=1_024 + number)
        syn_ack = ask(other, first)
        nonces.add(next(o.nonce for o in syn_ack.options if hasattr(o, "nonce")))
        other.sends(ACK, options=[JoinAck(bytes([number]) * 20)])
        other.expects(RST | ACK)
    assert len(nonces) == 50
    assert len(user.host.connections[user.connection].control.branches) <= 2  # the last one is let go of next
    still_fine(user, first)


@pytest.mark.clause("R8684-3.9.3-04", "R8684-3.2-28", "R8684-3.2-17")
def test_guessed_hmac_from_one_address() -> None:
    """Who was wrong often enough is not answered there any more; anybody else is, and the paths stay."""
    user, first = established(multipath=True, failed_joins=3)
    answers = []
    for number in range(20):
        other = first.dialogue.meets(VICTIM, 1_024 + number)
        other.sends(SYN, options=[make_syn(other, first)])
        answers.append(other.expects(other.inbox[0].segment.flags).flags)
        if answers[-1] & SYN:
            other.sends(ACK, options=[JoinAck(bytes([number]) * 20)])
            other.expects(RST | ACK)
    assert answers == [SYN | ACK] * 3 + [RST | ACK] * 17
    late = first.dialogue.meets(port=5_000)
    join(late, first)
    user.hears(SubflowEstablished)
    still_fine(user, first)


@pytest.mark.clause("R8684-3.9.3-04", "R8684-3.2-28")
def test_guessed_hmac_from_many_addresses() -> None:
    """Those who are counted are few: the memory for it has an end."""
    user, first = established(multipath=True)
    for number in range(60):
        other = first.dialogue.meets(bytes([198, 51, 100, 1 + number]), 1_024 + number)
        ask(other, first)
        other.sends(ACK, options=[JoinAck(bytes([number]) * 20)])
        other.expects(RST | ACK)
    assert len(user.host.connections[user.connection].control.book.strangers) == 16
    still_fine(user, first)


@pytest.mark.clause("R8684-3.9.2-03", "R8684-3.2-25", "R8684-3.6-13")
def test_half_open_joins() -> None:
    """Exhaustion of one token (RFC 7430 §3): a limit of its own, and the room comes back."""
    user, first = established(multipath=True, half_open_joins=3, syn_attempts=2)
    peers = [first.dialogue.meets(port=1_024 + number) for number in range(20)]
    for peer in peers:
        peer.sends(SYN, options=[make_syn(peer, first)])
    heard = [peer.skips()[0] for peer in peers]
    answers = [one.flags for one in heard]
    # what is short now may not be later: the error is transient
    assert all(TcpReset(TRANSIENT, REASON_RESOURCES) in one.options for one in heard[3:])
    assert answers == [SYN | ACK] * 3 + [RST | ACK] * 17
    still_fine(user, first)
    first.waits(60 * SECOND)
    late = first.dialogue.meets(port=5_000)
    join(late, first)
    user.hears(SubflowEstablished)


@pytest.mark.clause("R8684-3.9.2-03", "R8684-3.2-25")
def test_joins_cost_no_other_connection() -> None:
    """The limits of one connection are not those of another."""
    user, first = established(multipath=True, half_open_joins=1)
    attacker = first.dialogue.meets(port=1_024)
    ask(attacker, first)
    second = first.dialogue.meets(port=2_000)
    second.sends(SYN, options=[CapableSyn(1, HMAC_SHA256)])
    second.expects(SYN | ACK)
    second.sends(ACK, options=[second.capable_ack()])
    user.hears(Accepted)
    other = first.dialogue.meets(port=2_001)
    join(other, second)
    user.hears(SubflowEstablished)


@pytest.mark.clause("R8684-5-01", "R8684-3.2-21", "R8684-3.4.1-23")
def test_flooding_of_a_victim() -> None:
    """A peer announces somebody else's address (RFC 6181 §5): SYNs go there, data never."""
    user, peer = established_actively(multipath=True)
    peer.sends(ACK, options=[DataSignal(ack=1)])
    peer.sends(ACK, options=[announce(peer, 3, VICTIM)])
    user.writes(bytes(500_000))
    peer.skips()
    peer.waits(100 * SECOND)
    there = [one for one in peer.dialogue.strays if one.destination == VICTIM]
    assert there and all(one.flags == SYN and one.text_length == 0 for one in there)


@pytest.mark.clause("R8684-3.9.2-03", "R8684-3.4.1-07", "R8684-3.4.1-25", "R8684-5-07")
def test_storm_of_announcements() -> None:
    """A hundred addresses, each a hundred times: so many SYNs as there may be subflows, and no more."""
    user, peer = established_actively(multipath=True, syn_attempts=1, failed_joins=10)
    peer.sends(ACK, options=[DataSignal(ack=1)])
    for again in range(20):
        for number in range(50):
            peer.sends(ACK, options=[announce(peer, 3 + number, bytes([198, 51, 100, 1 + number]))])
        peer.waits((again + 1) * 5 * SECOND)
    peer.skips()
    targets = {one.destination for one in peer.dialogue.strays}
    assert len(targets) <= 8
    assert len(peer.dialogue.strays) <= 20
    assert len(user.host.connections[user.connection].control.book.remotes) <= 9
    user.hears(*[type(event) for event in user.dialogue.events])
    still_fine(user, peer)


@pytest.mark.clause("R8684-5-07", "R8684-3.9.2-03", "R8684-3.2-14")
def test_announced_addresses_are_tried_a_few_at_a_time() -> None:
    """However many there are and however silent: no more SYNs are out than there may be subflows."""
    user, peer = established_actively(multipath=True, subflows=3)
    peer.sends(ACK, options=[DataSignal(ack=1)])
    for number in range(8):
        peer.sends(ACK, options=[announce(peer, 3 + number, bytes([198, 51, 100, 1 + number]))])
    assert len({one.destination for one in peer.dialogue.strays}) == 2
    assert len(user.host.status(user.connection).subflows) == 3


@pytest.mark.clause("R8684-3.4.1-31", "R8684-3.4.1-20")
def test_storm_of_announcements_is_echoed_in_bounds() -> None:
    """What waits to be echoed is bounded, too: each option once."""
    user, peer = established(multipath=True, rtt=RTT)
    packets = [peer.makes(ACK, options=[announce(peer, 3, VICTIM)]) for _ in range(100)]
    for packet in packets:
        user.host.receive(packet, peer.dialogue.now)
    assert len(user.host.connections[user.connection].control.branches[0].signals) == 1


@pytest.mark.clause("R8684-3.4.2-06", "R8684-3.4.2-07", "R8684-3.4.2-08")
def test_forged_removal() -> None:
    """REMOVE_ADDR has no HMAC: one packet in the window removes an address, and no live path."""
    user, first = established(multipath=True, rtt=RTT)
    other = first.dialogue.meets(port=41_000)
    join(other, first)
    user.hears(SubflowEstablished)
    first.sends(ACK, options=[DataSignal(ack=1), RemoveAddr((0, 1))])
    for peer in (first, other):
        peer.expects(ACK, seq=0, by=first.dialogue.now)
        peer.sends(ACK, options=[DataSignal(ack=1)])
    first.waits(100 * SECOND)
    assert len(user.host.status(user.connection).subflows) == 2
    still_fine(user, first)


@pytest.mark.clause("R8684-3.4.1-16", "R8684-3.4.1-20")
def test_forged_echo() -> None:
    """An echo has no HMAC either: one that does not match to the letter stops no announcement."""
    user, peer = established(multipath=True, rtt=RTT)
    user.host.add_address(bytes([10, 0, 0, 3]), peer.dialogue.now, is_signal=True)
    peer.dialogue.settle()
    peer.skips()
    for address_id in range(256):
        if address_id != 2:
            peer.sends(ACK, options=[AddAddrEcho(address_id, bytes([10, 0, 0, 3]), None)])
    peer.skips()
    peer.expects(ACK, by=peer.dialogue.now + SECOND)


@pytest.mark.clause("R8684-3.4.1-16", "R8684-3.4.1-25")
def test_replayed_announcement() -> None:
    """After a REMOVE_ADDR the old ADD_ADDR is good again: it costs a SYN, and never data."""
    user, peer = established_actively(multipath=True)
    peer.sends(ACK, options=[DataSignal(ack=1)])
    old = announce(peer, 3, VICTIM)
    peer.sends(ACK, options=[old])
    peer.sends(ACK, options=[RemoveAddr((3,))])
    peer.sends(ACK, options=[old])
    user.writes(bytes(100_000))
    peer.skips()
    peer.waits(10 * SECOND)
    assert all(one.text_length == 0 for one in peer.dialogue.strays)


@pytest.mark.clause("R8684-3.4.2-15", "R8684-3.8-03")
def test_storm_of_removals() -> None:
    """All IDs, again and again: nothing to be done for those that mean nothing."""
    user, peer = established(multipath=True, rtt=RTT)
    before = count_octets(user.host)
    for _ in range(50):
        for start in range(1, 250, 25):
            peer.sends(ACK, options=[DataSignal(ack=1), RemoveAddr(tuple(range(start, start + 25)))])
    peer.expects_nothing()
    assert count_octets(user.host) <= before + 64
    still_fine(user, peer)


@pytest.mark.clause("R8684-3.2-23", "R8684-3.2-26")
def test_reflected_join() -> None:
    """A mirror in the network sends our own SYN back: it is a join by itself, and gets nowhere."""
    user, first = established_actively(multipath=True)
    first.sends(ACK, options=[DataSignal(ack=1)])
    own = bytes([10, 0, 0, 3])
    user.host.add_address(own, 0)
    first.dialogue.settle()
    syn = first.dialogue.strays[0]
    option = next(one for one in syn.options if isinstance(one, JoinSyn))
    mirror = first.dialogue.meets(first.address, 80, own, 40_000)
    mirror.skips()
    mirror.sends(SYN, options=[option])
    segments = mirror.skips()
    assert not any(one.text_length for one in segments)
    first.waits(400 * SECOND)
    assert len(user.host.status(user.connection).subflows) == 1


@pytest.mark.clause("R8684-3.2-34", "R8684-3.2-29", "R8684-5-09")
def test_stolen_third_packet() -> None:
    """The third packet of one join is of no use to another."""
    user, first = established(multipath=True)
    one, two = first.dialogue.meets(port=41_000), first.dialogue.meets(port=42_000)
    stolen = make_ack(one, ask(one, first))
    ask(two, first)
    two.sends(ACK, options=[stolen])
    two.expects(RST | ACK)
    one.sends(ACK, options=[stolen])
    user.hears(SubflowEstablished)
    user.hears_nothing()
