"""Fallback with more than one subflow: RFC 8684 §3.7. The bad one ends, the connection stays what it is.

Each in both roles: the host opened the connection and the further subflow, or the peer did.
"""

from typing import Any

import pytest

from mptcp.choices import REQUIRE
from mptcp.events import Aborted, FellBack, Readable, SubflowClosed, SubflowEstablished
from mptcp.parameters import MILLISECOND, REASON_MIDDLEBOX, SECOND
from mptcp.wire.dss import Dss, Mapping
from mptcp.wire.endings import Fail, TcpReset
from mptcp.wire.handshake import JoinAck, JoinSyn, JoinSynAck
from mptcp.wire.options import MaximumSegmentSize
from mptcp.wire.segment import ACK, RST, SYN, Segment
from mptcp_model.dialogue import PEER_IPV4, DataSignal, Peer, User
from mptcp_model.joins import ask, be_joined, join, make_syn_ack
from mptcp_model.situations import established, established_actively

RTT = 20 * MILLISECOND
SECOND_IPV4 = bytes([10, 0, 0, 3])
MSS = MaximumSegmentSize(1460)
ROLES = [False, True]


def two(is_active: bool, is_bare: bool = False, **choices: Any) -> tuple[User, Peer, Peer]:
    """A connection with two subflows, opened by the host if ``is_active``; nothing is out.

    ``is_bare``: the fourth packet comes without options.
    """
    if is_active:
        user, first = established_actively(multipath=True, rtt=RTT, **choices)
        first.checksum = choices.get("checksum") == REQUIRE
        first.sends(ACK, options=[DataSignal(ack=1)])
        other = first.dialogue.meets(PEER_IPV4, 80, SECOND_IPV4, 40_000)
        user.host.add_address(SECOND_IPV4, first.dialogue.now)
        first.dialogue.settle()
        if is_bare:
            syn = other.expects(SYN, options=[JoinSyn])
            other.sends(SYN | ACK, options=[MSS, make_syn_ack(other, first, syn)])
            other.expects(ACK, options=[JoinAck])
            other.sends(ACK)
        else:
            be_joined(other, first)
    else:
        user, first = established(multipath=True, rtt=RTT, **choices)
        first.checksum = choices.get("checksum") == REQUIRE
        other = first.dialogue.meets(port=41_000)
        join(other, first)
    user.hears(SubflowEstablished)
    first.skips()
    other.skips()
    return user, first, other


def spoil(peer: Peer, option: DataSignal, text: bytes) -> Dss:
    """The DSS of ``text`` as somebody on the way left it."""
    dss = peer.spell(option, text)
    assert isinstance(dss, Dss) and dss.mapping is not None and dss.mapping.checksum is not None
    one = dss.mapping
    return Dss(dss.ack, Mapping(one.dsn, one.wide, one.ssn, one.length, one.checksum ^ 0x0101, one.fin))


def find_fails(segments: list[Segment]) -> list[Fail]:
    """All MP_FAILs."""
    return [option for one in segments for option in one.options if isinstance(option, Fail)]


def find_dsns(peer: Peer, segments: list[Segment]) -> set[int]:
    """The data offsets of all text that was sent."""
    dsns: set[int] = set()
    for one in segments:
        for option in one.options:
            if isinstance(option, Dss) and option.mapping is not None and one.text_length:
                start = option.mapping.dsn - peer.host_dsn(0)
                dsns |= set(range(start, start + option.mapping.length))
    return dsns


def is_multipath(user: User, count: int = 1) -> bool:
    """Whether the connection is MPTCP, and has that many subflows."""
    status = user.host.status(user.connection)
    return status.multipath and len([one for one in status.subflows if one.state != "CLOSED"]) == count


# -- altered text -----------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.7-01", "R8684-3.7-15", "R8684-3.7-17", "R8684-3.7-18", "R8684-3.6-17")
@pytest.mark.clause("R8684-6-09")
@pytest.mark.parametrize("is_active", ROLES)
@pytest.mark.parametrize("bad", [0, 1])
def test_bad_checksum_on_one_of_two(bad: int, is_active: bool) -> None:
    """RST there, with MP_FAIL and the reason; the peer sends it by the other, and nothing else changes."""
    user, *peers = two(is_active, checksum=REQUIRE)
    ill, well = peers[bad], peers[1 - bad]
    ill.sends(ACK, b"spoilt", [spoil(ill, DataSignal(ack=1, dsn=1, ssn=1, length=6), b"spoilt")])
    ill.expects(RST | ACK, options=[Fail(ill.dsn(1)), TcpReset(0, REASON_MIDDLEBOX)])
    user.hears(SubflowClosed)
    assert is_multipath(user)
    well.sends(ACK, b"spoilt", [DataSignal(ack=1, dsn=1, ssn=1, length=6)])
    user.hears(Readable)
    user.reads(b"spoilt")
    user.writes(b"answer")
    well.waits(well.dialogue.now + SECOND)
    assert not find_fails(well.skips())  # the other path is not complained of
    well.sends(ACK, options=[DataSignal(ack=7)])
    assert user.host.status(user.connection).bytes_acked == 6
    user.hears_nothing()


@pytest.mark.clause("R8684-3.7-15", "R8684-3.7-13", "R8684-3.7-18")
@pytest.mark.parametrize("is_active", ROLES)
def test_bad_checksum_behind_what_is_missing(is_active: bool) -> None:
    """In line or not is all the same: MP_FAIL names the start of the mapping that failed."""
    user, first, other = two(is_active, checksum=REQUIRE)
    other.sends(ACK, b"spoilt", [spoil(other, DataSignal(ack=1, dsn=101, ssn=1, length=6), b"spoilt")])
    other.expects(RST | ACK, options=[Fail(other.dsn(101))])
    user.hears(SubflowClosed)
    first.sends(ACK, bytes(106), [DataSignal(ack=1, dsn=1, ssn=1, length=106)])
    user.hears(Readable)
    user.reads(bytes(106))


@pytest.mark.clause("R8684-3.7-15", "R8684-3.7-19", "R8684-3.7-01")
@pytest.mark.parametrize("is_active", ROLES)
def test_bad_checksums_on_one_after_the_other(is_active: bool) -> None:
    """The second to fail is the only one by then: MP_FAIL on its acknowledgment, and plain TCP."""
    user, first, other = two(is_active, checksum=REQUIRE)
    other.sends(ACK, b"spoilt", [spoil(other, DataSignal(ack=1, dsn=1, ssn=1, length=6), b"spoilt")])
    other.expects(RST | ACK, options=[Fail(other.dsn(1))])
    user.hears(SubflowClosed)
    first.skips()
    first.sends(ACK, b"spoilt", [spoil(first, DataSignal(ack=1, dsn=1, ssn=1, length=6), b"spoilt")])
    first.expects(ACK, options=[Fail(first.dsn(1))])
    first.sends(ACK, options=[Fail(first.host_dsn(1)), DataSignal(ack=1)])
    user.hears(FellBack, Readable)
    user.reads(b"spoilt")


@pytest.mark.clause("R8684-3.7-15", "R8684-3.7-18", "R8684-3.7-24", "R8684-3.3.6-09")
@pytest.mark.parametrize("is_active", ROLES)
@pytest.mark.parametrize("bad", [0, 1])
def test_peer_resets_one_with_fail(bad: int, is_active: bool) -> None:
    """The peer saw our data altered: all that was out there goes by the other, with its own numbers."""
    user, *peers = two(is_active, checksum=REQUIRE)
    ill, well = peers[bad], peers[1 - bad]
    user.writes(bytes(range(250)) * 100)
    lost = find_dsns(ill, ill.skips())
    kept = find_dsns(well, well.skips())
    assert lost and kept
    ill.sends(RST | ACK, options=[Fail(ill.host_dsn(min(lost))), TcpReset(0, REASON_MIDDLEBOX)])
    user.hears(SubflowClosed)
    assert is_multipath(user)
    again: set[int] = set()
    for _ in range(20):
        heard = well.skips()
        assert not find_fails(heard)
        again |= find_dsns(well, heard)
        well.sends(ACK, options=[DataSignal(ack=1)])
    assert lost <= again | kept
    user.hears_nothing()


@pytest.mark.clause("R8684-3.7-15", "R8684-3.7-29")
@pytest.mark.parametrize("is_active", ROLES)
def test_fail_on_one_of_two(is_active: bool) -> None:
    """MP_FAIL without a RST, from one who has not seen that there are two: that one ends, and no more."""
    user, first, other = two(is_active, checksum=REQUIRE)
    user.writes(bytes(20_000))
    lost = find_dsns(other, other.skips())
    first.skips()
    other.sends(ACK, options=[DataSignal(ack=1), Fail(other.host_dsn(min(lost)))])
    other.expects(RST | ACK, options=[TcpReset(0, REASON_MIDDLEBOX)])
    user.hears(SubflowClosed)
    assert is_multipath(user)
    first.waits(first.dialogue.now + SECOND)
    assert not find_fails(first.skips())


@pytest.mark.clause("R8684-3.7-29", "R8684-3.7-30")
@pytest.mark.parametrize("way", ["MP_FAIL", "infinite mapping", "no Data ACK"])
def test_fallback_ends_whatever_is_joining(way: str) -> None:
    """Plain TCP has one subflow: one that was about to join ends, and none joins any more."""
    user, first = established(multipath=True, rtt=RTT)
    other = first.dialogue.meets(port=41_000)
    ask(other, first)
    user.writes(b"hello")
    first.skips()
    if way == "MP_FAIL":
        first.sends(ACK, options=[DataSignal(ack=1), Fail(first.host_dsn(1))])
    elif way == "infinite mapping":
        first.sends(ACK, b"x", [Dss(None, Mapping(first.dsn(1), True, 1, 0, None, False))])
    else:
        first.sends(ACK, options=[])
    user.hears(FellBack)
    other.expects(RST | ACK)
    assert not is_multipath(user)
    third = first.dialogue.meets(port=42_000)
    third.sends(SYN, options=[JoinSyn(False, 2, 0, b"none")])
    third.expects(RST | ACK)


@pytest.mark.clause("R8684-3.7-25", "R8684-3.7-23")
def test_another_subflow_after_fail() -> None:
    """MP_FAIL with a RST on the only one left: another pair of addresses is tried, and the data goes on."""
    user, first, other = two(True, checksum=REQUIRE)
    other.sends(RST | ACK)
    user.hears(SubflowClosed)
    user.writes(b"hello")
    first.expects(ACK, text=b"hello")
    first.sends(RST | ACK, options=[Fail(first.host_dsn(1)), TcpReset(0, REASON_MIDDLEBOX)])
    user.hears(SubflowClosed)
    again = first.dialogue.meets(PEER_IPV4, 80, SECOND_IPV4, 40_000)
    first.dialogue.peers.remove(other)
    first.waits(first.dialogue.now + SECOND)
    be_joined(again, first)
    user.hears(SubflowEstablished)
    again.expects(ACK, text=b"hello", options=[DataSignal(dsn=1, ssn=1, length=5)])
    assert is_multipath(user)


# -- options that do not get through ----------------------------------------------------------


@pytest.mark.clause("R8684-3.7-07", "R8684-3.7-08", "R8684-3.6-17", "R8684-6-06")
@pytest.mark.parametrize("is_active", ROLES)
def test_no_data_ack_on_a_joined_subflow(is_active: bool) -> None:
    """The first data there is acknowledged without DSS: RST with reason 6, and the data goes by the first."""
    user, first, other = two(is_active, is_bare=True)
    user.writes(bytes(30_000))
    first.skips()
    sent = other.skips()
    lost = find_dsns(other, sent)
    assert lost
    other.sends(ACK, options=[])
    other.expects(RST | ACK, options=[TcpReset(0, REASON_MIDDLEBOX)])
    user.hears(SubflowClosed)
    assert is_multipath(user)
    again: set[int] = set()
    for _ in range(20):
        first.sends(ACK, options=[DataSignal(ack=1)])
        again |= find_dsns(first, first.skips())
    assert lost <= again


@pytest.mark.clause("R8684-3.7-07", "R8684-3.7-08", "R8684-3.7-09")
@pytest.mark.parametrize("is_active", ROLES)
@pytest.mark.parametrize("way", ["no Data ACK", "no mapping"])
def test_joined_subflow_is_the_only_one_left(way: str, is_active: bool) -> None:
    """Even then: it is no first subflow, and no fallback may begin on it."""
    user, first, other = two(is_active, is_bare=True)
    first.sends(RST | ACK)
    user.hears(SubflowClosed)
    if way == "no Data ACK":
        user.writes(b"hello")
        other.skips()
        other.sends(ACK, options=[])
    else:
        other.sends(ACK, b"hello", [])
    other.expects(RST | ACK, options=[TcpReset(0, REASON_MIDDLEBOX)])
    assert not any(isinstance(event, FellBack) for event in user.dialogue.events)


@pytest.mark.clause("R8684-3.7-11", "R8684-3.7-12", "R8684-3.6-17")
@pytest.mark.parametrize("is_active", ROLES)
def test_no_mapping_on_a_joined_subflow(is_active: bool) -> None:
    """Its first text comes without one: RST with reason 6; the same data is taken by the first subflow."""
    user, first, other = two(is_active)
    other.sends(ACK, b"hello", [])
    other.expects(RST | ACK, options=[TcpReset(0, REASON_MIDDLEBOX)])
    user.hears(SubflowClosed)
    first.sends(ACK, b"hello", [DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Readable)
    user.reads(b"hello")
    assert is_multipath(user)


@pytest.mark.clause("R8684-3.7-03", "R8684-6-03")
@pytest.mark.parametrize("kind", ["SYN/ACK", "ACK"])
def test_options_are_lost_on_the_handshake_of_a_join(kind: str) -> None:
    """As §3.2 has it: RST, that path is not used, and the connection carries on without it."""
    if kind == "ACK":
        user, first = established(multipath=True, rtt=RTT)
        other = first.dialogue.meets(port=41_000)
        ask(other, first)
        other.sends(ACK, options=[])
    else:
        user, first = established_actively(multipath=True, rtt=RTT)
        first.sends(ACK, options=[DataSignal(ack=1)])
        other = first.dialogue.meets(PEER_IPV4, 80, SECOND_IPV4, 40_000)
        user.host.add_address(SECOND_IPV4, first.dialogue.now)
        first.dialogue.settle()
        other.expects(SYN, options=[JoinSyn])
        other.sends(SYN | ACK, options=[MSS])
    reset = other.skips()[-1]
    assert reset.flags & RST
    first.skips()
    user.writes(b"hello")
    first.expects(ACK, text=b"hello", options=[DataSignal(dsn=1, length=5)])
    other.waits(other.dialogue.now + 10 * SECOND)
    other.expects_nothing()
    assert is_multipath(user)


@pytest.mark.clause("R8684-3.1-16", "R8684-3.2-26")
def test_token_of_two_connections() -> None:
    """The peer took our token for another connection's: its HMAC says so, and only the subflow fails."""
    user, first = established_actively(multipath=True, rtt=RTT)
    first.sends(ACK, options=[DataSignal(ack=1)])
    other = first.dialogue.meets(PEER_IPV4, 80, SECOND_IPV4, 40_000)
    user.host.add_address(SECOND_IPV4, first.dialogue.now)
    first.dialogue.settle()
    syn = other.expects(SYN, options=[JoinSyn])
    assert any(isinstance(option, JoinSyn) for option in syn.options)
    other.sends(SYN | ACK, options=[MSS, JoinSynAck(False, 0, b"anothers", b"none")])
    other.expects(RST | ACK, without=[JoinAck])
    assert not any(isinstance(event, Aborted) for event in user.dialogue.events)
    first.skips()
    user.writes(b"hello")
    first.expects(ACK, text=b"hello", options=[DataSignal(dsn=1, length=5)])
    first.sends(ACK, options=[DataSignal(ack=6)])
    assert user.host.status(user.connection).bytes_acked == 5
    assert is_multipath(user)
