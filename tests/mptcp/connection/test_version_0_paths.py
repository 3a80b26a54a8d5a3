"""Addresses in version 0: RFC 6824 §3.4, where nothing is signed and nothing is echoed."""

import pytest

from mptcp.choices import REQUIRE, Choices
from mptcp.events import Accepted, Established, Readable, SubflowEstablished
from mptcp.parameters import SECOND
from mptcp.wire.addresses import AddAddrV0, RemoveAddr
from mptcp.wire.dss import Dss, Mapping
from mptcp.wire.endings import Fail
from mptcp.wire.handshake import HMAC_SHA256, CapableAck, CapableSynAck, CapableSynV0, JoinSyn
from mptcp.wire.options import Option
from mptcp.wire.segment import ACK, SYN, Segment
from mptcp_model.dialogue import HOST_IPV4, HOST_IPV6, PEER_IPV4, DataSignal, Dialogue, Peer, User
from mptcp_model.joins import join
from mptcp_model.situations import PEER_OPTIONS

H = HMAC_SHA256
OURS = bytes([10, 0, 0, 3])
THEIRS = bytes([10, 0, 9, 9])
OTHERS = bytes([10, 6, 6, 6])


def accepted(checksum: int = 1) -> tuple[User, Peer]:
    """Opened by the peer in version 0."""
    story = Dialogue(Choices(version=0, lowest_version=0, checksum=checksum))
    story.user.listens()
    peer = story.meets()
    peer.sends(SYN, options=[*PEER_OPTIONS, CapableSynV0(H, peer.key)])
    peer.expects(SYN | ACK, options=[CapableSynAck])
    peer.sends(ACK, options=[peer.capable_ack()])
    story.user.hears(Accepted)
    return story.user, peer


def connected(addresses: tuple[bytes, ...] = (HOST_IPV4, HOST_IPV6)) -> tuple[User, Peer]:
    """Opened by the user in version 0; the peer has said nothing since."""
    story = Dialogue(Choices(version=0, lowest_version=0), addresses)
    peer = connect(story.user, 40_000)
    return story.user, peer


def connect(user: User, port: int) -> Peer:
    """One connection of the user's, from ``port``."""
    user.connects(PEER_IPV4, local=HOST_IPV4, local_port=port)
    peer = user.dialogue.meets(PEER_IPV4, 80, HOST_IPV4, port)
    peer.expects(SYN, options=[CapableSynV0])
    peer.key = port.to_bytes(8, "big")
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, CapableSynAck(0, H, peer.key)])
    peer.expects(ACK, options=[CapableAck])
    user.hears(Established)
    return peer


def find(segments: list[Segment], kind: type[Option]) -> list[Option]:
    """All options of one kind."""
    return [option for one in segments for option in one.options if isinstance(option, kind)]


def get_remotes(user: User, handle: int) -> dict[int, bytes]:
    """The peer's addresses as the connection knows them."""
    book = user.host.connections[handle].control.book
    return {address_id: remote.address for address_id, remote in book.remotes.items()}


@pytest.mark.clause("R6824-3.1-03")
def test_no_join_before_a_dss() -> None:
    """There is another address from the first moment on, and nothing leaves from it until DSS has come."""
    user, peer = connected((HOST_IPV4, OURS))
    other = peer.dialogue.meets(PEER_IPV4, 80, OURS, 40_000)
    peer.sends(ACK)
    other.expects_nothing(until=SECOND)
    user.writes(b"hello")
    peer.expects(ACK, text=b"hello")
    peer.sends(ACK, options=[DataSignal(ack=6)])
    other.expects(SYN, options=[JoinSyn])


@pytest.mark.clause("R6824-3.4.1-01")
def test_several_announcements_in_one_segment() -> None:
    """Each of them counts."""
    user, peer = connected()
    peer.sends(ACK, options=[DataSignal(ack=1), AddAddrV0(3, THEIRS, None), AddAddrV0(4, OTHERS, None)])
    assert get_remotes(user, 1) == {0: PEER_IPV4, 3: THEIRS, 4: OTHERS}
    assert {one.destination for one in peer.dialogue.strays} == {THEIRS, OTHERS}


@pytest.mark.clause("R6824-3.2-02")
def test_ids_are_of_one_connection() -> None:
    """The same ID is one address here and another there."""
    user, one = connected()
    two = connect(user, 40_001)
    one.sends(ACK, options=[DataSignal(ack=1), AddAddrV0(3, THEIRS, None)])
    two.sends(ACK, options=[DataSignal(ack=1), AddAddrV0(3, OTHERS, None)])
    one.sends(ACK, options=[DataSignal(ack=1), RemoveAddr((3,))])
    assert get_remotes(user, 1) == {0: PEER_IPV4}
    assert get_remotes(user, 2) == {0: PEER_IPV4, 3: OTHERS}


@pytest.mark.clause("R6824-3.4.1-05", "R6824-3.4.1-06")
def test_announcement_gives_an_id_away() -> None:
    """An ID that is in use stands for its address; what says otherwise is dropped, and nothing is said."""
    user, peer = connected()
    peer.sends(ACK, options=[DataSignal(ack=1), AddAddrV0(3, THEIRS, None)])
    peer.skips()
    peer.dialogue.strays.clear()
    peer.dialogue.events.clear()
    peer.sends(ACK, options=[AddAddrV0(3, OTHERS, None)])
    assert get_remotes(user, 1)[3] == THEIRS
    peer.expects_nothing()
    assert peer.dialogue.strays == []
    user.hears_nothing()


@pytest.mark.clause("R6824-3.4.1-03", "R6824-3.4.1-05")
def test_every_subflow_says_it() -> None:
    """ADD_ADDR and REMOVE_ADDR go out on both, since nobody says that one has come."""
    user, first = accepted()
    first.sends(ACK, options=[DataSignal(ack=1)])
    other = first.dialogue.meets(port=41_000)
    join(other, first)
    user.hears(SubflowEstablished)
    user.host.add_address(OURS, 0, is_signal=True)
    first.dialogue.settle()
    said = [find(peer.skips(), AddAddrV0) for peer in (first, other)]
    assert said[0] == said[1] and len(said[0]) == 1
    (option,) = said[0]
    assert isinstance(option, AddAddrV0) and option.address == OURS
    for peer in (first, other):
        peer.sends(ACK, options=[DataSignal(ack=1)])
    first.waits(5 * SECOND)  # and it is said again, to the letter
    more = find(first.skips(), AddAddrV0)
    assert more and all(one == option for one in more)
    other.skips()
    for peer in (first, other):
        peer.sends(ACK, options=[DataSignal(ack=1)])
    user.host.remove_address(OURS, first.dialogue.now)
    first.dialogue.settle()
    for peer in (first, other):
        assert find(peer.skips(), RemoveAddr) == [RemoveAddr((option.address_id,))]


@pytest.mark.clause("R6824-3.6-02")
def test_nothing_behind_a_bad_checksum_is_kept() -> None:
    """The mapping that failed, and all behind it, is neither delivered nor acknowledged at data level."""
    user, peer = accepted(REQUIRE)
    peer.checksum = True
    peer.sends(ACK, b"good", [DataSignal(ack=1, dsn=1, ssn=1, length=4)])
    user.hears(Readable)
    dss = peer.spell(DataSignal(ack=1, dsn=5, ssn=5, length=6), b"spoilt")
    assert isinstance(dss, Dss) and dss.mapping is not None and dss.mapping.checksum is not None
    one = dss.mapping
    bad = Mapping(one.dsn, one.wide, one.ssn, one.length, one.checksum ^ 0x0101, False)
    peer.sends(ACK, b"spoilt", [Dss(dss.ack, bad)])
    peer.sends(ACK, b"behind", [DataSignal(ack=1, dsn=11, ssn=11, length=6)])
    peer.waits(SECOND)
    heard = peer.skips()
    assert Fail(peer.dsn(5)) in find(heard, Fail)
    user.reads(b"good")
    acks = [option.ack.number for option in find(heard, Dss) if isinstance(option, Dss) and option.ack]
    assert max(acks) == peer.dsn(5)
