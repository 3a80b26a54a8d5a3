"""The flags of MP_CAPABLE: checksums (A), extensibility (B), no joins (C), algorithms (D to H)."""

from typing import Any

import pytest

from mptcp.choices import ACCEPT, REFUSE, REQUIRE, Choices
from mptcp.connection.info import ConnectionInfo
from mptcp.events import Accepted, Established, FellBack, Readable
from mptcp.keys import compute_dss_checksum
from mptcp.parameters import SECOND
from mptcp.values import Text
from mptcp.wire.dss import Dss
from mptcp.wire.endings import TcpReset
from mptcp.wire.handshake import (
    CHECKSUM_REQUIRED,
    EXTENSIBILITY,
    HMAC_SHA256,
    NO_JOIN,
    CapableAck,
    CapableData,
    CapableSyn,
    CapableSynAck,
)
from mptcp.wire.segment import ACK, RST, SYN
from mptcp_model.dialogue import HOST_IPV4, PEER_IPV4, DataSignal, Dialogue, Peer, User, read_text
from mptcp_model.situations import PEER_OPTIONS, listening

A, B, C, H = CHECKSUM_REQUIRED, EXTENSIBILITY, NO_JOIN, HMAC_SHA256

# our choice, whether the peer sets A: whether checksums are used, None for plain TCP
AGREEMENTS = [
    (REFUSE, False, False),
    (REFUSE, True, None),
    (ACCEPT, False, False),
    (ACCEPT, True, True),
    (REQUIRE, False, True),
    (REQUIRE, True, True),
]


def status(user: User) -> ConnectionInfo:
    """STATUS of the connection of this dialogue."""
    return user.host.status(user.connection)


def start(**choices: Any) -> tuple[User, Peer]:
    """The user opens actively, and the SYN is still to be seen."""
    story = Dialogue(Choices(**choices))
    story.user.connects(PEER_IPV4, local=HOST_IPV4)
    return story.user, story.meets(PEER_IPV4, 80, HOST_IPV4, 40_000)


def compute_first_checksum(peer: Peer, text: bytes) -> int:
    """The checksum of the peer's first data: IDSN + 1, SSN 1."""
    return compute_dss_checksum(peer.dsn(1), 1, len(text), (Text(text, 0, len(text)),))


@pytest.mark.clause("R8684-3.1-45", "R8684-3.1-46", "R8684-3.1-47", "R8684-3.1-48", "R8684-C.1.1-02")
@pytest.mark.parametrize(("ours", "theirs", "expected"), AGREEMENTS)
def test_listener_agrees_on_checksums(ours: int, theirs: bool, expected: bool | None) -> None:
    """Either side's A is enough; a host that refuses ignores the MP_CAPABLE that has it."""
    user, peer = listening(multipath=True, checksum=ours)
    peer.sends(SYN, options=[*PEER_OPTIONS, CapableSyn(1, H | (A if theirs else 0))])
    if expected is None:
        peer.expects(SYN | ACK, without=[CapableSynAck])
        peer.sends(ACK)
        user.hears(Accepted, FellBack)
        assert not status(user).multipath
        return
    wish = A if ours == REQUIRE else 0
    peer.expects(SYN | ACK, options=[CapableSynAck(1, H | wish, peer.host_key)])
    peer.sends(ACK, options=[peer.capable_ack(H | (A if expected else 0))])
    user.hears(Accepted)
    assert status(user).multipath
    assert status(user).checksum == expected
    user.writes(b"odd")
    one = peer.expects(ACK, text=b"odd")
    (dss,) = [option for option in one.options if isinstance(option, Dss)]
    assert dss.mapping is not None
    assert (dss.mapping.checksum is not None) == expected


@pytest.mark.clause("R8684-3.1-45", "R8684-3.1-46", "R8684-3.1-47", "R8684-3.1-48")
@pytest.mark.parametrize(("ours", "theirs", "expected"), AGREEMENTS)
def test_initiator_agrees_on_checksums(ours: int, theirs: bool, expected: bool | None) -> None:
    """The SYN says what we wish, the third packet what was decided, and the data keeps to it."""
    user, peer = start(checksum=ours)
    peer.expects(SYN, options=[CapableSyn(1, H | (A if ours == REQUIRE else 0))])
    answer = CapableSynAck(1, H | (A if theirs else 0), peer.key)
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, answer])
    if expected is None:
        peer.expects(ACK, without=[CapableAck])
        user.hears(Established, FellBack)
        assert not status(user).multipath
        return
    decided = H | (A if expected else 0)
    peer.expects(ACK, options=[CapableAck(1, decided, peer.host_key, peer.key)])
    user.hears(Established)
    assert status(user).checksum == expected
    user.writes(b"odd")
    one = peer.expects(ACK, text=b"odd")
    (capable,) = [option for option in one.options if isinstance(option, CapableData)]
    assert capable.flags == decided
    assert (capable.checksum is not None) == expected
    if expected:
        assert capable.checksum == compute_dss_checksum(peer.host_dsn(1), 1, 3, (Text(b"odd", 0, 3),))


@pytest.mark.clause("R8684-3.1-26", "R8684-3.3.1-11", "R8684-3.3.1-12", "R8684-3.1-08")
@pytest.mark.parametrize("text", [b"even", b"odd", bytes(range(256)) * 5])
def test_first_data_with_checksum(text: bytes) -> None:
    """MP_CAPABLE of 24 octets: the checksum covers IDSN + 1 and SSN 1, which are not on the wire."""
    user, peer = listening(multipath=True)
    peer.sends(SYN, options=[*PEER_OPTIONS, CapableSyn(1, H | A)])
    peer.expects(SYN | ACK)
    option = CapableData(1, H | A, peer.key, peer.host_key, len(text), compute_first_checksum(peer, text))
    peer.sends(ACK, text=text, options=[option])
    user.hears(Accepted, Readable)
    user.reads(text)
    peer.expects(ACK, options=[DataSignal(ack=1 + len(text))], by=SECOND)


@pytest.mark.clause("R8684-3.1-29", "R8684-3.3.1-11", "R8684-3.3.1-13")
def test_first_write_with_checksum_in_many_segments() -> None:
    """One checksum over all of the first write: nothing is delivered before the last octet is there."""
    text = bytes(range(251)) * 13
    user, peer = listening(multipath=True)
    peer.sends(SYN, options=[*PEER_OPTIONS, CapableSyn(1, H | A)])
    peer.expects(SYN | ACK)
    option = CapableData(1, H | A, peer.key, peer.host_key, len(text), compute_first_checksum(peer, text))
    peer.sends(ACK, text=text[:1_001], options=[option])
    user.hears(Accepted)
    peer.sends(ACK, text=text[1_001:2_000], options=[option])
    user.hears_nothing()
    peer.sends(ACK, text=text[2_000:], options=[option])
    user.hears(Readable)
    user.reads(text)


@pytest.mark.clause("R8684-3.3.1-11", "R8684-3.3.1-13", "R8684-3.1-29")
def test_our_first_write_with_checksum_in_many_segments() -> None:
    """The same checksum, of the whole mapping, on each segment that we send of it."""
    text = bytes(range(251)) * 13
    user, peer = start(checksum=REQUIRE)
    peer.expects(SYN)
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, CapableSynAck(1, H | A, peer.key)])
    peer.skips()
    user.writes(text)
    segments = peer.skips()
    assert b"".join(read_text(one) for one in segments) == text
    checksum = compute_dss_checksum(peer.host_dsn(1), 1, len(text), (Text(text, 0, len(text)),))
    expected = CapableData(1, H | A, peer.host_key, peer.key, len(text), checksum)
    assert len(segments) > 2
    assert all(expected in one.options for one in segments)


@pytest.mark.clause("R8684-3.3-09", "R8684-3.3-10", "R8684-3.3-11", "R8684-3.1-08")
@pytest.mark.parametrize("agreed", [True, False])
def test_first_data_against_the_agreement(agreed: bool) -> None:
    """24 octets where none were agreed, 22 where they were: the subflow is reset, reason 1."""
    user, peer = listening(multipath=True)
    peer.sends(SYN, options=[*PEER_OPTIONS, CapableSyn(1, H | (A if agreed else 0))])
    peer.expects(SYN | ACK)
    checksum = None if agreed else compute_first_checksum(peer, b"hello")
    flags = H | (A if agreed else 0)
    peer.sends(ACK, text=b"hello", options=[CapableData(1, flags, peer.key, peer.host_key, 5, checksum)])
    peer.expects(RST | ACK, options=[TcpReset(0, 1)])
    assert Readable not in [type(event) for event in peer.dialogue.events]


@pytest.mark.clause("R8684-3.1-34", "R8684-3.1-38", "R8684-3.1-39")
@pytest.mark.parametrize("checksum", [ACCEPT, REQUIRE])
@pytest.mark.parametrize("join", [True, False])
def test_flags_of_the_listener(checksum: int, join: bool) -> None:
    """A and C as chosen, B never, and of the algorithms H alone, whatever the SYN offered."""
    user, peer = listening(multipath=True, checksum=checksum, join_initial_address=join)
    peer.sends(SYN, options=[*PEER_OPTIONS, CapableSyn(1, 0x1F)])
    expected = H | (A if checksum == REQUIRE else 0) | (0 if join else C)
    peer.expects(SYN | ACK, options=[CapableSynAck(1, expected, peer.host_key)])
    user.hears_nothing()


@pytest.mark.clause("R8684-3.1-34", "R8684-3.1-38", "R8684-3.1-39")
@pytest.mark.parametrize("checksum", [REFUSE, ACCEPT, REQUIRE])
@pytest.mark.parametrize("join", [True, False])
def test_flags_of_the_initiator(checksum: int, join: bool) -> None:
    """The same on all the packets of the initiator: SYN, third packet, first data."""
    user, peer = start(checksum=checksum, join_initial_address=join)
    expected = H | (A if checksum == REQUIRE else 0) | (0 if join else C)
    peer.expects(SYN, options=[CapableSyn(1, expected)])
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, CapableSynAck(1, H, peer.key)])
    peer.expects(ACK, options=[CapableAck(1, expected, peer.host_key, peer.key)])
    user.writes(b"x")
    one = peer.expects(ACK, text=b"x")
    (capable,) = [option for option in one.options if isinstance(option, CapableData)]
    assert capable.flags == expected


@pytest.mark.clause("R8684-3.1-37")
@pytest.mark.parametrize("flags", [H, H | C, H | A | C])
def test_peer_wants_no_joins_to_its_first_address(flags: int) -> None:
    """Flag C is no obstacle to MPTCP: it is kept for the path manager."""
    user, peer = listening(multipath=True)
    peer.sends(SYN, options=[*PEER_OPTIONS, CapableSyn(1, flags)])
    peer.expects(SYN | ACK, options=[CapableSynAck])
    peer.sends(ACK, options=[peer.capable_ack(flags)])
    event = user.hears(Accepted)
    assert status(user).multipath
    control = user.host.connections[event.connection].control
    assert control.peer_refuses_joins == bool(flags & C)


@pytest.mark.clause("R8684-3.1-35", "R8684-3.1-40")
@pytest.mark.parametrize("flags", [B | H, A | B | H, C, A | C, 0x1E, B | 0x1F, 0])
def test_flags_that_make_plain_tcp(flags: int) -> None:
    """B, or no algorithm that we know: as if the option were not there, in both roles."""
    user, peer = listening(multipath=True)
    peer.sends(SYN, options=[*PEER_OPTIONS, CapableSyn(1, flags)])
    peer.expects(SYN | ACK, without=[CapableSynAck])
    user, peer = start()
    peer.expects(SYN)
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, CapableSynAck(1, flags, peer.key)])
    peer.expects(ACK, without=[CapableAck])
    user.hears(Established, FellBack)


@pytest.mark.clause("R8684-3.1-46", "R8684-3.1-30")
@pytest.mark.parametrize("asked", [True, False])
def test_third_packet_disagrees_about_checksums(asked: bool) -> None:
    """A on the third packet only confirms what both SYNs decided: otherwise somebody changed a SYN."""
    user, peer = listening(multipath=True)
    peer.sends(SYN, options=[*PEER_OPTIONS, CapableSyn(1, H | (A if asked else 0))])
    peer.expects(SYN | ACK)
    peer.sends(ACK, options=[peer.capable_ack(H | (0 if asked else A))])
    user.hears(Accepted, FellBack)
    assert not status(user).multipath
