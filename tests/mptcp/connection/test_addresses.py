"""ADD_ADDR, REMOVE_ADDR and MP_PRIO: RFC 8684 §3.4 and §3.3.8, said and heard."""

from typing import Any

import pytest

from mptcp.events import Aborted, AddressAnnounced, AddressRemoved, SubflowClosed, SubflowEstablished
from mptcp.keys import compute_add_addr_hmac
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.values import Address, Port
from mptcp.wire.addresses import AddAddr, AddAddrEcho, Prio, RemoveAddr
from mptcp.wire.dss import Dss
from mptcp.wire.handshake import HMAC_SHA256, CapableSynAck, JoinSyn
from mptcp.wire.options import Timestamps
from mptcp.wire.segment import ACK, FIN, RST, SYN, Segment
from mptcp_model.dialogue import HOST_IPV4, PEER_IPV4, PEER_IPV6, DataSignal, Dialogue, Peer, User
from mptcp_model.joins import announce, be_joined, join
from mptcp_model.situations import PEER_OPTIONS, established, established_actively

OURS = bytes([10, 0, 0, 3])
OURS_IPV6 = bytes([0xFD, *bytes(14), 3])
THEIRS = bytes([10, 0, 9, 9])
RTT = 20 * MILLISECOND


def two(**choices: Any) -> tuple[User, Peer, Peer]:
    """A connection with two subflows, the second from an address with ID 1."""
    user, first = established(multipath=True, rtt=RTT, **choices)
    other = first.dialogue.meets(port=41_000)
    join(other, first)
    user.hears(SubflowEstablished)
    return user, first, other


def adds(user: User, peer: Peer, address: Address, port: Port = 0) -> None:
    """The host has another address, of which the peer is told."""
    user.host.add_address(address, peer.dialogue.now, is_signal=True, port=port)
    peer.dialogue.settle()


def find(one: Segment, kind: type[Any]) -> Any:
    """The option of that kind."""
    return next(option for option in one.options if isinstance(option, kind))


# -- ADD_ADDR, said ---------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.4.1-01", "R8684-3.4.1-03", "R8684-3.4.1-13", "R8684-3.4.1-14", "R8684-3.4.1-29")
@pytest.mark.parametrize("port", [0, 8_080])
@pytest.mark.parametrize("address", [OURS, OURS_IPV6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("timestamps", [True, False])
@pytest.mark.clause("R8684-E-06")
def test_announcement(address: Address, port: int, timestamps: bool) -> None:
    """On an acknowledgment of its own, signed; with IPv6, port and timestamps it just fits."""
    options = (*PEER_OPTIONS, Timestamps(7, 0)) if timestamps else PEER_OPTIONS
    user, peer = established(multipath=True, rtt=RTT, options=options)
    adds(user, peer, address, port)
    one = peer.expects(ACK, seq=1, length=0, options=[AddAddr])
    option = find(one, AddAddr)
    assert (option.address_id, option.address, option.port) == (2, address, port or None)

    assert option.hmac == compute_add_addr_hmac(peer.host_key, peer.key, 2, address, port)
    assert sum(len(one_of.emit()) for one_of in one.options) <= 40
    peer.expects_nothing()


@pytest.mark.clause("R8684-3.4.1-21", "R8684-3.4.1-09")
def test_announcement_is_not_echoed() -> None:
    """It goes again, later each time, and not for ever."""
    user, peer = established(multipath=True, rtt=RTT)
    adds(user, peer, OURS)
    times = []
    for _ in range(200):
        times += [
            peer.dialogue.now for one in peer.skips() if any(isinstance(o, AddAddr) for o in one.options)
        ]
        peer.waits(peer.dialogue.now + 50 * MILLISECOND)
    assert len(times) == 4
    assert times[2] - times[1] >= 2 * (times[1] - times[0]) - 100 * MILLISECOND


@pytest.mark.clause("R8684-3.4.1-20", "R8684-3.4.1-21")
@pytest.mark.parametrize("echo", ["right", "another address", "another port", "another ID"])
def test_echo(echo: str) -> None:
    """The echo that matches to the letter ends it; no other does."""
    user, peer = established(multipath=True, rtt=RTT)
    adds(user, peer, OURS, 81)
    peer.expects(ACK, options=[AddAddr])
    address = THEIRS if echo == "another address" else OURS
    options = [AddAddrEcho(3 if echo == "another ID" else 2, address, 82 if echo == "another port" else 81)]
    peer.sends(ACK, options=[DataSignal(ack=1), *options])
    peer.waits(5 * SECOND)
    again = [one for one in peer.skips() if any(isinstance(option, AddAddr) for option in one.options)]
    assert bool(again) == (echo != "right")


@pytest.mark.clause("R8684-3.4.1-30", "R8684-3.3.2-09", "R8684-3-04")
def test_announcement_does_not_hide_a_data_ack() -> None:
    """Where there is no room for both, what is new is acknowledged first."""
    options = (*PEER_OPTIONS, Timestamps(7, 0))
    user, peer = established(multipath=True, rtt=RTT, options=options)
    peer.sends(ACK, text=b"hello", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    adds(user, peer, OURS_IPV6)
    peer.expects(ACK, ack=6, options=[DataSignal(ack=6)], without=[AddAddr])
    peer.expects(ACK, ack=6, options=[AddAddr], without=[Dss])


@pytest.mark.clause("R8684-3.4.1-05", "R8684-3.4.1-26", "R8684-3.4.1-28")
def test_an_id_is_an_address() -> None:
    """One that comes again has its ID; another one gets it only after the REMOVE_ADDR has left."""
    user, peer = established(multipath=True, rtt=RTT)
    adds(user, peer, OURS)
    assert find(peer.expects(ACK, options=[AddAddr]), AddAddr).address_id == 2
    peer.sends(ACK, options=[DataSignal(ack=1), AddAddrEcho(2, OURS, None)])
    user.host.remove_address(OURS, peer.dialogue.now)
    peer.dialogue.settle()
    peer.expects(ACK, options=[RemoveAddr((2,))])
    peer.sends(ACK, options=[DataSignal(ack=1)])
    adds(user, peer, bytes([10, 0, 0, 4]))
    assert find(peer.expects(ACK, options=[AddAddr]), AddAddr).address == bytes([10, 0, 0, 4])


@pytest.mark.clause("R8684-3.7-28", "R8684-3.4.1-31")
@pytest.mark.parametrize("end", ["fallback", "fast close"])
def test_signals_that_come_too_late(end: str) -> None:
    """What waits when MPTCP ends is not said any more, and keeps nothing busy."""
    user, peer = established(multipath=True, rtt=RTT, fast_close_by_ack=True)
    for number in range(5):
        user.host.add_address(bytes([10, 0, 1, number + 1]), peer.dialogue.now, is_signal=True)
    if end == "fallback":
        peer.sends(ACK, text=b"plain")
    else:
        user.aborts()
    for _ in range(100):
        peer.waits(peer.dialogue.now + 100 * MILLISECOND)
    assert len(peer.skips()) < 20


# -- ADD_ADDR, heard --------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.4.1-20", "R8684-3.4.1-12", "R8684-3.4.1-06", "R8684-2.3-02", "R8684-3.2-09")
@pytest.mark.parametrize("port", [None, 8_080])
def test_announcement_is_echoed_and_used(port: int | None) -> None:
    """The echo has no HMAC; the join goes to the announced port, or to that of the subflow."""
    user, peer = established_actively(multipath=True)
    peer.sends(ACK, options=[DataSignal(ack=1)])
    other = peer.dialogue.meets(THEIRS, port or 80, HOST_IPV4, 40_000)
    peer.sends(ACK, options=[announce(peer, 3, THEIRS, port)])
    peer.expects(ACK, options=[AddAddrEcho(3, THEIRS, port)])
    be_joined(other, peer, 3)
    user.hears(AddressAnnounced(user.connection, THEIRS, port or 80), SubflowEstablished)
    assert [one.remote_id for one in user.host.status(user.connection).subflows] == [0, 3]


@pytest.mark.clause("R8684-3.4.1-25", "R8684-3.4.1-24", "R8684-3.9.3-05", "R8684-3.4.1-07")
def test_announcement_comes_again() -> None:
    """Echoed as often as it comes; a failed attempt is repeated then, and only then."""
    _, peer = established_actively(multipath=True)
    peer.sends(ACK, options=[DataSignal(ack=1)])
    other = peer.dialogue.meets(THEIRS, 80, HOST_IPV4, 40_000)
    peer.sends(ACK, options=[announce(peer, 3, THEIRS)])
    peer.expects(ACK, options=[AddAddrEcho])
    other.expects(SYN, options=[JoinSyn])
    peer.sends(ACK, options=[announce(peer, 3, THEIRS)])
    peer.expects(ACK, options=[AddAddrEcho])
    other.expects_nothing()
    other.sends(RST | ACK, seq=0, ack=1)
    other.expects_nothing(until=100 * SECOND)
    peer.sends(ACK, options=[announce(peer, 3, THEIRS)])
    other.acked = 0
    other.expects(SYN, options=[JoinSyn])


@pytest.mark.clause("R8684-3.4.1-17", "R8684-3.4.1-16", "R8684-5-01", "R8684-5-08")
@pytest.mark.parametrize("flaw", ["HMAC", "ID", "address", "port"])
@pytest.mark.clause("R8684-3.4.2-13")
def test_announcement_is_forged(flaw: str) -> None:
    """Neither echo nor SYN: whoever does not know the keys announces nothing (RFC 7430 §2)."""
    user, peer = established_actively(multipath=True)
    peer.sends(ACK, options=[DataSignal(ack=1)])
    right = announce(peer, 3, THEIRS, 81)
    forged = {
        "HMAC": AddAddr(3, THEIRS, 81, bytes(8)),
        "ID": AddAddr(4, THEIRS, 81, right.hmac),
        "address": AddAddr(3, bytes([10, 6, 6, 6]), 81, right.hmac),
        "port": AddAddr(3, THEIRS, None, right.hmac),
    }[flaw]
    peer.sends(ACK, options=[forged])
    peer.expects_nothing(until=10 * SECOND)
    assert peer.dialogue.strays == []
    user.hears_nothing()
    assert any(note.rule == "ADD_ADDR with a wrong HMAC" for note in peer.dialogue.journal.notes)


@pytest.mark.clause("R8684-3.4.1-10", "R8684-3.4-05")
def test_announcement_for_later() -> None:
    """An address of a family that we have none of: once we have, it is joined."""
    story = Dialogue(addresses=(HOST_IPV4,))
    story.user.connects(PEER_IPV4, local=HOST_IPV4)
    peer = story.meets(PEER_IPV4, 80, HOST_IPV4, 40_000)
    peer.expects(SYN)
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, CapableSynAck(1, HMAC_SHA256, peer.key)])
    peer.sends(ACK, options=[DataSignal(ack=1)])
    peer.sends(ACK, options=[announce(peer, 3, PEER_IPV6)])
    assert story.strays == []
    story.user.host.add_address(OURS_IPV6, 0)
    story.settle()
    assert [one.destination for one in story.strays] == [PEER_IPV6]


@pytest.mark.clause("R8684-3.4.1-27")
def test_announcement_with_another_port() -> None:
    """The same address at another port is another place to join."""
    user, peer = established_actively(multipath=True)
    peer.sends(ACK, options=[DataSignal(ack=1)])
    other = peer.dialogue.meets(THEIRS, 80, HOST_IPV4, 40_000)
    peer.sends(ACK, options=[announce(peer, 3, THEIRS)])
    be_joined(other, peer, 3)
    third = peer.dialogue.meets(THEIRS, 81, HOST_IPV4, 40_000)
    peer.sends(ACK, options=[announce(peer, 3, THEIRS, 81)])
    be_joined(third, peer, 3)
    assert [one.remote_port for one in user.host.status(user.connection).subflows] == [80, 80, 81]


@pytest.mark.clause("R8684-3.4.1-26", "R8684-3.4.1-28", "R8684-3.4.1-05")
def test_announcement_gives_an_id_away() -> None:
    """An ID that has an address is not given to another one before it was removed."""
    _, peer = established(multipath=True)
    peer.sends(ACK, options=[announce(peer, 3, THEIRS)])
    peer.expects(ACK, options=[AddAddrEcho])
    strays = len(peer.dialogue.strays)
    peer.sends(ACK, options=[announce(peer, 3, bytes([10, 0, 9, 8]))])
    assert not [one for one in peer.skips() if any(isinstance(option, AddAddrEcho) for option in one.options)]
    assert len(peer.dialogue.strays) == strays
    peer.sends(ACK, options=[RemoveAddr((3,))])
    peer.sends(ACK, options=[announce(peer, 3, bytes([10, 0, 9, 8]))])
    assert [one for one in peer.skips() if any(isinstance(option, AddAddrEcho) for option in one.options)]


@pytest.mark.clause("R8684-3.4-04", "R8684-3.2-07")
def test_announcement_of_who_has_joined() -> None:
    """An ID from which a subflow has come needs no other."""
    _, first, _ = two()
    first.sends(ACK, options=[announce(first, 1, PEER_IPV4)])
    first.expects(ACK, options=[AddAddrEcho])
    assert first.dialogue.strays == []


@pytest.mark.clause("R8684-3.4.1-22", "R8684-3.4.1-23")
@pytest.mark.clause("R8684-3.9.3-06")
def test_announcement_of_no_use() -> None:
    """Not the address of one host: echoed, and not called."""
    _, peer = established_actively(multipath=True)
    peer.sends(ACK, options=[DataSignal(ack=1)])
    for number, address in enumerate([bytes([224, 0, 0, 1]), bytes([255, 255, 255, 255]), bytes(4)]):
        peer.sends(ACK, options=[announce(peer, 3 + number, address)])
    assert peer.dialogue.strays == []


@pytest.mark.clause("R8684-3.4.1-02", "R8684-3.4.2-12")
@pytest.mark.parametrize("kind", ["ADD_ADDR", "REMOVE_ADDR"])
def test_segment_out_of_window(kind: str) -> None:
    """What TCP does not accept says nothing of addresses."""
    user, first, _ = two()
    option = announce(first, 3, THEIRS) if kind == "ADD_ADDR" else RemoveAddr((1,))
    first.sends(ACK, seq=10_000_000, options=[option])
    first.skips()
    first.waits(10 * SECOND)
    assert len(user.host.status(user.connection).subflows) == 2
    assert first.dialogue.strays == []
    user.hears_nothing()


# -- REMOVE_ADDR ------------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.4.2-06", "R8684-3.4.2-07", "R8684-3.4.2-14", "R8684-3.4.2-04")
def test_removal_of_a_dead_path() -> None:
    """Asked a few times; in silence it ends with a RST, and the connection goes on."""
    user, first, other = two()
    first.sends(ACK, options=[DataSignal(ack=1), RemoveAddr((1,))])
    other.expects(ACK, seq=0, length=0, at=RTT)
    segments: list[Segment] = []
    for _ in range(30):
        other.waits(other.dialogue.now + 100 * MILLISECOND)
        segments += other.skips()
    assert len(segments) == 3 and segments[-1].flags == RST | ACK
    event = user.hears(SubflowClosed)
    assert isinstance(event, SubflowClosed) and event.error == "address removed"


@pytest.mark.clause("R8684-3.4.2-08", "R8684-3.4.2-09", "R8684-3.4.2-10")
@pytest.mark.clause("R8684-3.4.1-08")
def test_removal_of_a_live_path() -> None:
    """It answers: it is kept, but nothing new goes to that address."""
    user, first = established_actively(multipath=True)
    first.sends(ACK, options=[DataSignal(ack=1)])
    other = first.dialogue.meets(THEIRS, 80, HOST_IPV4, 40_000)
    first.sends(ACK, options=[announce(first, 3, THEIRS)])
    be_joined(other, first, 3)
    first.sends(ACK, options=[DataSignal(ack=1), RemoveAddr((3,))])
    other.expects(ACK, seq=0, length=0, at=0)
    other.sends(ACK, options=[DataSignal(ack=1)])
    other.expects_nothing(until=10 * SECOND)
    assert len(user.host.status(user.connection).subflows) == 2
    user.hears(AddressAnnounced, SubflowEstablished, AddressRemoved)
    other.sends(RST)
    user.hears(SubflowClosed)
    first.waits(100 * SECOND)
    assert first.dialogue.strays == []


@pytest.mark.clause("R8684-3.4.2-15", "R8684-3.8-03")
def test_removal_of_nobody() -> None:
    """An ID that means nothing: nothing happens."""
    user, first, other = two()
    first.sends(ACK, options=[DataSignal(ack=1), RemoveAddr((7, 8, 200))])
    first.expects_nothing(until=10 * SECOND)
    other.expects_nothing()
    user.hears_nothing()


@pytest.mark.clause("R8684-3.4.2-05", "R8684-3.4.2-07", "R8684-3.2-08")
@pytest.mark.clause("R8684-3.4.1-04", "R8684-3.2-10")
def test_removal_of_several() -> None:
    """One option, two IDs, the first address among them: each is asked."""
    _, first, other = two()
    third = first.dialogue.meets(port=42_000)
    join(third, first, 2)
    third.sends(ACK, options=[DataSignal(ack=1), RemoveAddr((0, 1))])
    first.expects(ACK, seq=0, at=RTT)
    other.expects(ACK, seq=0)
    third.expects_nothing()


@pytest.mark.clause("R8684-3.4.2-01", "R8684-3.4.2-03", "R8684-3.4.2-04", "R8684-3.4.2-14")
def test_we_lose_an_address() -> None:
    """Its subflow ends by RST; on another one the peer is told of the ID."""
    user, first = established_actively(multipath=True)
    first.sends(ACK, options=[DataSignal(ack=1)])
    other = first.dialogue.meets(PEER_IPV4, 80, OURS, 40_000)
    user.host.add_address(OURS, 0)
    first.dialogue.settle()
    be_joined(other, first)
    user.hears(SubflowEstablished)
    first.skips()
    user.host.remove_address(OURS, 0)
    first.dialogue.settle()
    other.expects(RST | ACK)
    first.expects(ACK, options=[RemoveAddr((2,)), Dss])
    user.hears(SubflowClosed)


@pytest.mark.clause("R8684-3.4.2-02", "R8684-3.4.2-01")
@pytest.mark.parametrize("announced", [True, False])
def test_we_lose_an_address_that_nobody_uses(announced: bool) -> None:
    """The peer is told if it knows of it."""
    user, peer = established(multipath=True, rtt=RTT)
    if announced:
        adds(user, peer, OURS)
        peer.expects(ACK, options=[AddAddr])
        peer.sends(ACK, options=[DataSignal(ack=1), AddAddrEcho(2, OURS, None)])
    else:
        user.host.add_address(OURS, 0)
    user.host.remove_address(OURS, peer.dialogue.now)
    peer.dialogue.settle()
    if announced:
        peer.expects(ACK, options=[RemoveAddr((2,))])
    peer.expects_nothing()


@pytest.mark.clause("R8684-3.4.2-04", "R8684-3.3.3-14", "R8684-3.2-08")
def test_we_lose_our_only_address() -> None:
    """Break before make: silence, then a join from the new address, and there the word that 0 is gone."""
    user, first = established_actively(multipath=True)
    first.sends(ACK, options=[DataSignal(ack=1)])
    user.writes(b"precious")
    first.skips()
    user.host.remove_address(HOST_IPV4, first.dialogue.now)
    first.dialogue.settle()
    first.expects_nothing(until=5 * SECOND)
    other = first.dialogue.meets(PEER_IPV4, 80, OURS, 40_000)
    user.host.add_address(OURS, first.dialogue.now)
    first.dialogue.settle()
    be_joined(other, first)
    user.hears(SubflowClosed, SubflowEstablished)
    segments = other.skips()
    options = [option for one in segments for option in one.options]
    assert RemoveAddr((0,)) in options
    assert any(one.text_length == 8 for one in segments)


@pytest.mark.clause("R8684-3.1-22", "R8684-3.4.2-04")
def test_we_lose_our_only_address_too_early() -> None:
    """The peer may not know our key yet: no other subflow could join, so that is the end."""
    user, first = established_actively(multipath=True)
    user.writes(b"never")
    first.skips()
    user.host.remove_address(HOST_IPV4, 0)
    first.dialogue.settle()
    user.hears(Aborted)
    first.expects_nothing(until=10 * SECOND)


@pytest.mark.clause("R8684-3.4.2-16", "R8684-3.3.3-01")
def test_we_close_working_subflows_by_fin() -> None:
    """In the end all of them go by FIN, and no REMOVE_ADDR is said."""
    user, first, other = two()
    user.closes()
    first.skips()
    other.sends(ACK, options=[DataSignal(ack=2, dsn=1, ssn=0, length=1, fin=True)])
    segments = first.skips() + other.skips()
    assert sum(bool(one.flags & FIN) for one in segments) == 2
    assert not any(isinstance(option, RemoveAddr) for one in segments for option in one.options)


# -- MP_PRIO ----------------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.3.8-04", "R8684-3.3.8-03", "R8684-3.3.8-06", "R8684-E-05", "R8684-2.5-01")
def test_peer_changes_its_mind() -> None:
    """MP_PRIO on a subflow is about that subflow: spared now, used again later."""
    user, first, other = two()
    first.sends(ACK, options=[DataSignal(ack=1), Prio(True)])
    user.writes(bytes(5_000))
    assert sum(one.text_length for one in other.skips()) == 5_000
    first.expects_nothing()
    other.sends(ACK, options=[DataSignal(ack=5_001)])
    other.sends(ACK, options=[DataSignal(ack=5_001), Prio(True)])
    first.sends(ACK, options=[DataSignal(ack=5_001), Prio(False)])
    user.writes(bytes(5_000))
    assert sum(one.text_length for one in first.skips()) == 5_000
    other.expects_nothing()


@pytest.mark.clause("R8684-3.3.8-04", "R8684-3.3.8-05", "R8684-3.4.2-11", "R8684-3.3.8-07")
def test_we_change_our_mind() -> None:
    """MP_PRIO goes on the subflow itself, with a Data ACK; the same again says nothing."""
    user, first, other = two()
    user.host.set_backup(user.connection, HOST_IPV4, True, first.dialogue.now)
    first.dialogue.settle()
    for peer in (first, other):
        peer.expects(ACK, length=0, options=[Prio(True), Dss])
    user.host.set_backup(user.connection, HOST_IPV4, True, first.dialogue.now)
    first.dialogue.settle()
    first.expects_nothing()
    assert all(one.is_backup for one in user.host.status(user.connection).subflows)


@pytest.mark.clause("R8684-3.3.8-03", "R8684-3.3.8-02", "R8684-3.3.6-07")
def test_backup_takes_over() -> None:
    """The only subflow that is no backup falls silent: after two timeouts the backup carries all."""
    user, first = established(multipath=True, rtt=RTT)
    other = first.dialogue.meets(port=41_000)
    join(other, first, backup=True)
    user.hears(SubflowEstablished)
    user.writes(b"hello")
    first.expects(ACK, text=b"hello")
    other.expects(ACK, text=b"hello", options=[DataSignal(dsn=1)], by=2 * SECOND)
    other.sends(ACK, options=[DataSignal(ack=6)])
    user.writes(b"more")
    other.expects(ACK, text=b"more", by=2 * SECOND)
