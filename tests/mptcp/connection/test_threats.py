"""What a malicious peer may try on one connection, named after the threat: bounded cost, nobody else's."""

import pytest

from mptcp.events import Aborted, Accepted, FellBack, Readable, SubflowClosed, SubflowEstablished
from mptcp.wire.dss import Dss, Mapping
from mptcp.wire.endings import Fail, FastClose
from mptcp.wire.handshake import HMAC_SHA256, CapableAck, CapableSyn
from mptcp.wire.segment import ACK, SYN
from mptcp_model.dialogue import PEER_IPV4, DataSignal, Peer
from mptcp_model.joins import join
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


@pytest.mark.clause("R8684-3.7-22", "R8684-3.7-15")
@pytest.mark.parametrize("is_out", [False, True])
def test_fail_forgery(is_out: bool) -> None:
    """MP_FAIL that names no data which is out is not the peer's: no fallback, and no answer."""
    scene, other, neighbour = with_a_neighbour()
    user, peer = scene
    user.writes(b"known")
    peer.skips()
    peer.sends(ACK, options=[DataSignal(ack=6)])
    if is_out:
        user.writes(b"hello")
        peer.skips()
    last = 11 if is_out else 6
    for guess in (0, 1, 5, last + 1, last + 1_000, 1 << 31, 1 << 40, 1 << 63, -1):
        peer.sends(ACK, options=[DataSignal(ack=6), Fail((peer.host_dsn(guess)) % (1 << 64))], ack=6)
    peer.expects_nothing()
    assert user.host.status(user.connection).multipath
    is_unharmed(scene, other, neighbour)
    peer.sends(ACK, options=[DataSignal(ack=6), Fail(peer.host_dsn(6))], ack=6)
    user.hears(FellBack)  # this one might be true


@pytest.mark.clause("R8684-3.7-22", "R8684-3.7-15", "R8684-3.7-29")
def test_fail_forgery_among_several_subflows() -> None:
    """Whoever sits on one path and names data that is out ends his own path, and never MPTCP."""
    scene, other, neighbour = with_a_neighbour()
    user, peer = scene
    second = peer.dialogue.meets(port=41_000)
    join(second, peer)
    user.hears(SubflowEstablished)
    user.writes(bytes(20_000))
    peer.skips()
    second.sends(ACK, options=[DataSignal(ack=1), Fail(second.host_dsn(1))], ack=1)
    user.hears(SubflowClosed)
    assert user.host.status(user.connection).multipath
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
