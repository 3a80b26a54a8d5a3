"""What a malicious peer may try on one connection, named after the threat: bounded cost, nobody else's."""

import pytest

from mptcp.events import Aborted, Accepted, FellBack, Readable, SubflowClosed, SubflowEstablished
from mptcp.wire.addresses import Prio
from mptcp.wire.dss import Dss, Mapping
from mptcp.wire.endings import Fail, FastClose
from mptcp.wire.handshake import HMAC_SHA256, CapableAck, CapableSyn
from mptcp.wire.segment import ACK, RST, SYN
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


@pytest.mark.clause("R8684-3.7-20", "R8684-3.7-21")
@pytest.mark.parametrize("is_fresh", [True, False])
@pytest.mark.parametrize("number", [0, 1, 1 << 31, 1 << 40, 1 << 62, 1 << 63, (1 << 64) - 1])
def test_infinite_mapping_forgery(number: int, is_fresh: bool) -> None:
    """One that starts where no data of this stream could is nobody's: no fallback, and no RST either."""
    scene, other, neighbour = with_a_neighbour()
    user, peer = scene
    if not is_fresh:
        peer.sends(ACK, b"known", [DataSignal(ack=1, dsn=1, ssn=1, length=5)])
        user.hears(Readable)
        user.reads(b"known")
    for ssn in (0, 1, 6, 100, 1 << 31):
        peer.sends(ACK, options=[Dss(None, Mapping(number, True, ssn, 0, None, False))])
    assert not any(one.flags & RST for one in peer.skips())
    assert user.host.status(user.connection).multipath
    is_unharmed(scene, other, neighbour)


@pytest.mark.clause("R8684-3.3.4-03", "R8684-3.8-02", "R8684-5-06")
def test_data_outside_the_window() -> None:
    """Text that is mapped to where no window ever was is acknowledged below, and not kept."""
    scene, other, neighbour = with_a_neighbour()
    user, peer = scene
    control = user.host.connections[user.connection].control
    for number in range(2_000):
        dsn = (1 << 33) + 997 * number
        peer.sends(ACK, bytes(100), [DataSignal(ack=1, dsn=dsn, ssn=peer.next, length=100)])
    kept = [len(control.rcv_held.pieces), len(control.rcv_ready), len(control.branches[0].inbound)]
    assert kept == [0, 0, 0]
    assert len(control.branches[0].received) <= 1
    is_unharmed(scene, other, neighbour)


@pytest.mark.clause("R8684-3.3.1-20", "R8684-3.3.1-21", "R8684-3.7-11", "R8684-5-06")
def test_flood_of_text_without_mapping() -> None:
    """What nobody says the place of is kept for one buffer's length, and then the subflow ends."""
    scene, other, neighbour = with_a_neighbour()
    user, peer = scene
    peer.sends(ACK, b"x", [DataSignal(ack=1, dsn=1, ssn=1, length=1)])
    control = user.host.connections[user.connection].control
    most = 0
    for _ in range(100):
        peer.sends(ACK, bytes(65_000))
        most = max(most, *(len(branch.inbound) for branch in control.branches))
        if any(one.flags & RST for one in peer.skips()):
            break
    assert control.choices.receive_buffer <= most <= control.choices.receive_buffer + 65_000
    assert user.host.status(user.connection).state == "M_CLOSED"
    is_unharmed(scene, other, neighbour)


@pytest.mark.clause("R8684-3.3.8-04", "R8684-E-05", "R8684-2.5-01")
def test_priority_of_another_path() -> None:
    """Who sits on one path may spare that path with MP_PRIO, and no other: nothing is drawn to it."""
    user, first = established(multipath=True)
    second = first.dialogue.meets(port=41_000)
    join(second, first)
    user.hears(SubflowEstablished)
    for is_backup in (True, False, True) * 20:
        second.sends(ACK, options=[DataSignal(ack=1), Prio(is_backup)])
    spared = {one.remote_port: one.is_backup for one in user.host.status(user.connection).subflows}
    assert spared == {40_000: False, 41_000: True}
    user.writes(bytes(5_000))
    assert sum(one.text_length for one in first.skips()) == 5_000


@pytest.mark.clause("R8684-3.3.1-06", "R8684-3.3.1-07")
def test_conflicting_data_that_waits() -> None:
    """Nor are octets altered that wait behind a gap, whichever subflow the others come on."""
    user, first = established(multipath=True)
    second = first.dialogue.meets(port=41_000)
    join(second, first)
    user.hears(SubflowEstablished)
    first.sends(ACK, b"truth", [DataSignal(ack=1, dsn=2, ssn=1, length=5)])
    second.sends(ACK, b"frauds", [DataSignal(ack=1, dsn=2, ssn=1, length=6)])
    second.sends(ACK, b"!", [DataSignal(ack=1, dsn=1, ssn=7, length=1)])
    user.hears(Readable)
    user.reads(b"!truths")


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
