"""Version 0 of the protocol, RFC 6824, as it is opened; and the two versions meeting each other."""

from typing import Any

import pytest

from mptcp.choices import REQUIRE, Choices
from mptcp.errors import Refused
from mptcp.events import Accepted, Closed, Established, FellBack, Finished, Readable
from mptcp.keys import compute_dss_checksum, compute_token
from mptcp.parameters import MILLISECOND
from mptcp.values import Text
from mptcp.wire.dss import Dss, Mapping
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
    CapableSynV0,
)
from mptcp.wire.segment import ACK, FIN, RST, SYN
from mptcp_model.dialogue import HOST_IPV4, PEER_IPV4, PEER_KEY, DataSignal, Dialogue, Peer, User
from mptcp_model.situations import PEER_OPTIONS

A, B, C, H = CHECKSUM_REQUIRED, EXTENSIBILITY, NO_JOIN, HMAC_SHA256


def opened_by_peer(flags: int = H, **choices: Any) -> tuple[User, Peer]:
    """A listener that knows both versions; the peer's SYN is of version 0."""
    story = Dialogue(Choices(**{"lowest_version": 0, **choices}))
    story.user.listens()
    peer = story.meets()
    peer.sends(SYN, options=[*PEER_OPTIONS, CapableSynV0(flags, peer.key)])
    return story.user, peer


def accepted(**choices: Any) -> tuple[User, Peer]:
    """Opened by the peer in version 0."""
    user, peer = opened_by_peer(**choices)
    peer.expects(SYN | ACK, options=[CapableSynAck])
    peer.sends(ACK, options=[peer.capable_ack()])
    user.hears(Accepted)
    return user, peer


def opened_by_user(**choices: Any) -> tuple[User, Peer]:
    """The user opens in version 0; the SYN is still to be seen."""
    story = Dialogue(Choices(**{"version": 0, "lowest_version": 0, **choices}))
    story.user.connects(PEER_IPV4, local=HOST_IPV4)
    return story.user, story.meets(PEER_IPV4, 80, HOST_IPV4, 40_000)


def connected(**choices: Any) -> tuple[User, Peer]:
    """Opened by the user in version 0."""
    user, peer = opened_by_user(**choices)
    peer.expects(SYN, options=[CapableSynV0])
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, CapableSynAck(0, H, peer.key)])
    peer.expects(ACK, length=0, options=[CapableAck(0, H, peer.host_key, peer.key)])
    user.hears(Established)
    return user, peer


def is_multipath(user: User) -> bool:
    """Whether the connection speaks MPTCP."""
    return user.host.status(user.connection).multipath


# -- the three packets ------------------------------------------------------------------------


@pytest.mark.clause("R6824-3.1-01", "R6824-3.1-05", "R6824-3.1-07", "R6824-3.1-08", "R8684-E-03")
def test_listener() -> None:
    """SYN, SYN/ACK and ACK with keys from the first on; tokens and IDSNs are of SHA-1."""
    user, peer = opened_by_peer()
    peer.expects(SYN | ACK, options=[CapableSynAck(0, H, peer.host_key)], without=[CapableSyn])
    peer.sends(ACK, options=[CapableAck(0, H, peer.key, peer.host_key)], at=10 * MILLISECOND)
    user.hears(Accepted)
    info = user.host.status(user.connection)
    assert info.multipath
    assert info.local_token == compute_token(peer.host_key, 0)
    assert info.remote_token == compute_token(PEER_KEY, 0)
    user.writes(b"hello")
    peer.expects(ACK, text=b"hello", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    peer.sends(ACK, b"world", [DataSignal(ack=6, dsn=1, ssn=1, length=5)])
    user.hears(Readable)
    user.reads(b"world")


@pytest.mark.clause("R6824-3.1-01", "R6824-3.1-05", "R6824-3.1-06", "R8684-E-01")
def test_initiator() -> None:
    """Its SYN has the key and nothing but H; bit C is no flag of ours."""
    user, peer = opened_by_user(join_initial_address=False)
    syn = peer.expects(SYN, options=[CapableSynV0], without=[CapableSyn])
    assert [one.flags for one in syn.options if isinstance(one, CapableSynV0)] == [H]
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, CapableSynAck(0, H, peer.key)])
    peer.expects(ACK, length=0, options=[CapableAck(0, H, peer.host_key, peer.key)])
    user.hears(Established)
    assert is_multipath(user)


@pytest.mark.clause("R6824-3.6-01", "R8684-E-01")
def test_no_data_on_the_third_packet() -> None:
    """What was written before waits for an acknowledgment of its own, and then goes with DSS."""
    user, peer = opened_by_user()
    peer.expects(SYN, options=[CapableSynV0])
    user.writes(b"hello")
    user.writes(bytes(3_000))
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, CapableSynAck(0, H, peer.key)])
    third = CapableAck(0, H, peer.host_key, peer.key)
    peer.expects(ACK, seq=1, length=0, options=[third], without=[Dss])
    first = peer.expects(ACK, seq=1, options=[DataSignal(dsn=1, ssn=1)], without=[CapableData, CapableAck])
    peer.expects(ACK, seq=1 + first.text_length, options=[Dss], without=[CapableData])


@pytest.mark.clause("R6824-3.6-01")
def test_third_packet_lost() -> None:
    """The listener has the key of the SYN, and the DSS says that its own was heard."""
    user, peer = opened_by_peer()
    peer.expects(SYN | ACK)
    peer.sends(ACK, b"hello", [DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Accepted, Readable)
    assert is_multipath(user)
    peer.expects(ACK, ack=6, options=[DataSignal(ack=6)], at=40 * MILLISECOND)


def test_third_packet_repeated() -> None:
    """Until the listener has said something with DSS, acknowledgments repeat the keys."""
    user, peer = connected()
    peer.sends(SYN | ACK, seq=0, ack=1, options=[*PEER_OPTIONS, CapableSynAck(0, H, peer.key)])
    peer.expects(ACK, seq=1, options=[CapableAck(0, H, peer.host_key, peer.key)])
    user.writes(b"hello")
    peer.expects(ACK, text=b"hello", options=[DataSignal(dsn=1)])
    peer.sends(ACK, options=[DataSignal(ack=6)])
    user.closes()
    peer.expects(ACK, options=[DataSignal(dsn=6, ssn=0, length=1, fin=True)], without=[CapableAck])


@pytest.mark.clause("R6824-3.1-01")
@pytest.mark.parametrize("third", ["nothing", "other key", "other echo", "version 1", "own key"])
def test_third_packet_that_cannot_be_used(third: str) -> None:
    """Without its MP_CAPABLE, or with keys or a version that the first two packets did not have: TCP."""
    user, peer = opened_by_peer()
    peer.expects(SYN | ACK)
    options: dict[str, list[CapableAck]] = {
        "nothing": [],
        "other key": [CapableAck(0, H, b"SOMEBODY", peer.host_key)],
        "other echo": [CapableAck(0, H, peer.key, b"SOMEBODY")],
        "version 1": [CapableAck(1, H, peer.key, peer.host_key)],
        "own key": [CapableAck(0, H, peer.host_key, peer.host_key)],
    }
    peer.sends(ACK, options=options[third])
    user.hears(Accepted, FellBack)
    user.writes(b"hello")
    peer.expects(ACK, text=b"hello", without=[Dss])


# -- flags ------------------------------------------------------------------------------------


@pytest.mark.clause("R6824-3.1-04")
def test_flag_b_is_not_answered() -> None:
    """A SYN with flag B is as if it had not come; without the flag it is welcome."""
    user, peer = opened_by_peer(flags=B | H)
    peer.expects_nothing(until=5_000 * MILLISECOND)
    user.hears_nothing()
    peer.sends(SYN, seq=0, options=[*PEER_OPTIONS, CapableSynV0(H, peer.key)])
    peer.expects(SYN | ACK, options=[CapableSynAck])


@pytest.mark.clause("R6824-3.1-04")
def test_flag_b_and_a_listener_of_version_1() -> None:
    """Who does not speak version 0 has no rule for its flags: plain TCP."""
    user, peer = opened_by_peer(flags=B | H, lowest_version=1)
    peer.expects(SYN | ACK, without=[CapableSynAck])


@pytest.mark.clause("R6824-3.1-06", "R8684-E-02")
def test_bit_c_is_an_algorithm() -> None:
    """An offer of C and H is answered by H alone; an answer of C is none that was offered."""
    user, peer = opened_by_peer(flags=C | H)
    peer.expects(SYN | ACK, options=[CapableSynAck(0, H, peer.host_key)])
    user, peer = opened_by_peer(flags=C)
    peer.expects(SYN | ACK, without=[CapableSynAck])
    user, peer = opened_by_user()
    peer.expects(SYN)
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, CapableSynAck(0, C | H, peer.key)])
    user.hears(Established, FellBack)


def test_checksums() -> None:
    """Flag A means what it means in version 1."""
    user, peer = opened_by_peer(checksum=REQUIRE)
    peer.expects(SYN | ACK, options=[CapableSynAck(0, A | H, peer.host_key)])
    peer.sends(ACK, options=[peer.capable_ack()])
    user.hears(Accepted)
    user.writes(b"hello")
    number = peer.host_dsn(1)
    wanted = compute_dss_checksum(number, 1, 5, (Text(b"hello", 0, 5),))
    peer.expects(
        ACK,
        text=b"hello",
        options=[
            lambda one: isinstance(one, Dss) and one.mapping == Mapping(number, True, 1, 5, wanted, False)
        ],
    )


@pytest.mark.clause("R6824-3.3-01")
def test_checksum_that_was_not_agreed() -> None:
    """It is ignored, right or wrong, where version 1 would reset the subflow."""
    user, peer = accepted()
    peer.sends(ACK, b"hello", [Dss(None, Mapping(peer.dsn(1), True, 1, 5, 0xBAD, False))])
    user.hears(Readable)
    user.reads(b"hello")
    peer.expects(ACK, options=[DataSignal(ack=6)], by=50 * MILLISECOND)
    peer.sends(ACK, options=[Dss(None, Mapping(peer.dsn(6), True, 0, 1, 0xBAD, True))])
    user.hears(Finished)


@pytest.mark.clause("R6824-3.3-02", "R6824-8-01", "R8684-E-04")
def test_checksum_that_is_missing() -> None:
    """The subflow ends, and no MP_TCPRST says why: version 0 has none."""
    user, peer = accepted(checksum=REQUIRE)
    peer.sends(ACK, b"hello", [Dss(None, Mapping(peer.dsn(1), True, 1, 5, None, False))])
    peer.expects(RST | ACK, without=[TcpReset])


# -- the versions meet ------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.1-02", "R8684-3.1-03", "R8684-3.1-04")
@pytest.mark.parametrize(
    ("version", "lowest", "syn", "answer"),
    [
        (1, 1, CapableSyn(1, H), 1),
        (1, 1, CapableSyn(2, H), 1),
        (1, 1, CapableSynV0(H, PEER_KEY), None),
        (1, 0, CapableSyn(1, H), 1),
        (1, 0, CapableSynV0(H, PEER_KEY), 0),
        (0, 0, CapableSyn(1, H), None),
        (0, 0, CapableSynV0(H, PEER_KEY), 0),
    ],
)
def test_answer_to_a_version(
    version: int, lowest: int, syn: CapableSyn | CapableSynV0, answer: int | None
) -> None:
    """A listener answers with the highest version that both know, and else without MP_CAPABLE."""
    story = Dialogue(Choices(version=version, lowest_version=lowest))
    story.user.listens()
    peer = story.meets()
    peer.sends(SYN, options=[*PEER_OPTIONS, syn])
    if answer is None:
        peer.expects(SYN | ACK, without=[CapableSynAck])
    else:
        peer.expects(SYN | ACK, options=[CapableSynAck(answer, H, peer.host_key)])


@pytest.mark.clause("R8684-3.1-03", "R8684-3.1-30", "R8684-5-05")
@pytest.mark.parametrize(("ours", "theirs"), [(0, 1), (1, 0)])
def test_answer_in_another_version(ours: int, theirs: int) -> None:
    """A SYN/ACK of a version that the SYN did not offer is no agreement: plain TCP."""
    user, peer = opened_by_user(version=ours)
    peer.expects(SYN)
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, CapableSynAck(theirs, H, peer.key)])
    user.hears(Established, FellBack)
    peer.expects(ACK, without=[CapableAck])


def test_versions_that_do_not_exist() -> None:
    """There are two, and the lowest is not above the highest."""
    for version, lowest in ((2, 1), (0, 1), (1, -1)):
        with pytest.raises(Refused, match="versions"):
            Choices(version=version, lowest_version=lowest)


# -- mirrors ----------------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.1-30")
def test_mirror_of_our_key() -> None:
    """Whoever names our own key as its own is a mirror, in either version: plain TCP."""
    user, peer = opened_by_user()
    peer.expects(SYN)
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, CapableSynAck(0, H, peer.host_key)])
    user.hears(Established, FellBack)


# -- the end ----------------------------------------------------------------------------------


def test_closing() -> None:
    """DATA_FIN both ways, then FIN, as in version 1."""
    user, peer = accepted()
    user.closes()
    peer.expects(ACK, options=[DataSignal(dsn=1, ssn=0, length=1, fin=True)])
    peer.sends(ACK, options=[DataSignal(ack=2, dsn=1, ssn=0, length=1, fin=True)])
    user.hears(Finished, Closed)
    peer.expects(FIN | ACK, options=[DataSignal(ack=2)])
