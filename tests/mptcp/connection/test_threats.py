"""What a malicious peer may try on one connection, named after the threat: bounded cost, nobody else's."""

import pytest

from mptcp.events import Aborted, Accepted, Readable
from mptcp.wire.dss import Dss, Mapping
from mptcp.wire.endings import FastClose
from mptcp.wire.handshake import HMAC_SHA256, CapableAck, CapableSyn
from mptcp.wire.segment import ACK, SYN
from mptcp_model.dialogue import PEER_IPV4, DataSignal, Peer
from mptcp_model.situations import PEER_OPTIONS, Scene, established


def with_a_neighbour() -> tuple[Scene, Peer, int]:
    """A connection of the malicious peer, and one of somebody else, with its handle."""
    user, peer = established(multipath=True)
    handle = user.connection
    other = peer.dialogue.meets(PEER_IPV4, 40_001)
    other.sends(SYN, options=[*PEER_OPTIONS, CapableSyn(1, HMAC_SHA256)])
    other.expects(SYN | ACK)
    other.sends(ACK, options=[other.capable_ack()])
    user.hears(Accepted)
    neighbour, user.connection = user.connection, handle
    return (user, peer), other, neighbour


def is_unharmed(scene: Scene, other: Peer, neighbour: int) -> None:
    """The neighbour's connection still carries data."""
    user, _ = scene
    user.dialogue.events.clear()
    other.sends(ACK, b"fine", [DataSignal(ack=1, dsn=1, ssn=1, length=4)])
    user.hears(Readable)
    assert user.host.read(neighbour, 100, user.dialogue.now) == b"fine"
    assert user.host.status(neighbour).multipath


@pytest.mark.clause("R8684-3.3.2-04")
def test_optimistic_data_ack() -> None:
    """Data ACKs of what was never sent free nothing and open no window."""
    scene, other, neighbour = with_a_neighbour()
    user, peer = scene
    user.writes(b"hello")
    peer.skips()
    for ahead in (7, 1_000, 1 << 31, 1 << 40):
        peer.sends(ACK, options=[DataSignal(ack=ahead)], ack=1)
    assert user.host.status(user.connection).bytes_acked == 0
    is_unharmed(scene, other, neighbour)


@pytest.mark.clause("R8684-5-06", "R8684-3.3.1-31")
def test_mapping_flood() -> None:
    """Thousands of mappings of text that never comes are not kept."""
    scene, other, neighbour = with_a_neighbour()
    user, peer = scene
    control = user.host.connections[user.connection].control
    for number in range(5_000):
        mapping = Mapping(peer.dsn(1 + number), True, 100 + 3 * number % 60_000, 2, None, False)
        peer.sends(ACK, options=[Dss(None, mapping)])
    assert len(control.branches[0].received) <= 16
    is_unharmed(scene, other, neighbour)


@pytest.mark.clause("R8684-3.5-07")
def test_fast_close_forgery() -> None:
    """Without our key MP_FASTCLOSE is nothing, however often it is guessed."""
    scene, other, neighbour = with_a_neighbour()
    user, peer = scene
    for number in range(1_000):
        peer.sends(ACK, options=[FastClose(number.to_bytes(8, "big"))])
    assert user.host.status(user.connection).state == "M_ESTAB"
    is_unharmed(scene, other, neighbour)


@pytest.mark.clause("R8684-3.3.1-06", "R8684-3.3.1-07")
def test_conflicting_data() -> None:
    """Other octets under numbers that were acknowledged change nothing."""
    scene, other, neighbour = with_a_neighbour()
    user, peer = scene
    peer.sends(ACK, b"truth", [DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    peer.sends(ACK, b"fraud", [DataSignal(ack=1, dsn=1, ssn=6, length=5)])
    user.reads(b"truth")
    is_unharmed(scene, other, neighbour)


@pytest.mark.clause("R8684-3.1-30", "R8684-3.1-55")
def test_wrong_keys() -> None:
    """Who does not know our key gets plain TCP and no more."""
    scene, other, neighbour = with_a_neighbour()
    user, peer = scene
    third = peer.dialogue.meets(PEER_IPV4, 40_002)
    third.sends(SYN, options=[*PEER_OPTIONS, CapableSyn(1, HMAC_SHA256)])
    third.expects(SYN | ACK)
    third.sends(ACK, options=[CapableAck(1, HMAC_SHA256, b"ATTACKER", b"ATTACKER")])
    user.hears(Accepted)
    assert not user.host.status(user.connection).multipath
    assert not any(isinstance(event, Aborted) for event in user.dialogue.events)
    is_unharmed(scene, other, neighbour)
