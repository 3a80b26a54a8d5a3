"""SYN cookies: RFC 4987 §3.6, with the handshake of RFC 8684 §3.1, which needs no state in the listener."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.cookies import (
    MEMORY,
    SIZES,
    compute_cookie,
    compute_delay,
    find_index,
    find_size,
)
from mptcp.events import Accepted, FellBack, Readable
from mptcp.keys import compute_token
from mptcp.parameters import COOKIE_PERIOD, MILLISECOND, SECOND
from mptcp.wire.handshake import CHECKSUM_REQUIRED, HMAC_SHA256, CapableSyn, CapableSynAck, CapableSynV0
from mptcp.wire.options import MaximumSegmentSize, SackPermitted, Timestamps, WindowScale
from mptcp.wire.segment import ACK, RST, SYN
from mptcp_model.dialogue import HOST_IPV4, HOST_IPV6, PEER_IPV4, PEER_IPV6, DataSignal, Dialogue, Peer, User
from mptcp_model.situations import listening

FOUR = (HOST_IPV4, 80, PEER_IPV4, 40_000)
SECRET = bytes(range(32))
MSS = MaximumSegmentSize(1_460)
ALL = [MSS, SackPermitted(), Timestamps(700, 0), WindowScale(5)]


def under_pressure(**choices: Any) -> tuple[User, Peer]:
    """A listener that has no room for a SYN."""
    return listening(**{"backlog": 0, **choices})


def find_stamp(peer: Peer) -> int:
    """TSval of the SYN/ACK that waits to be taken."""
    return next(one.value for one in peer.inbox[0].segment.options if isinstance(one, Timestamps))


# -- handshakes -------------------------------------------------------------------------------


@pytest.mark.clause("R4987-3.6-01", "R4987-3.6-02")
@pytest.mark.parametrize("multipath", [False, True])
def test_plain(multipath: bool) -> None:
    """Nothing is kept of the SYN; the third packet opens, and text flows both ways."""
    user, peer = under_pressure(multipath=multipath)
    peer.sends(SYN, options=[MSS])
    peer.expects(SYN | ACK, seq=0, ack=1, options=[MSS], without=[WindowScale, SackPermitted, CapableSynAck])
    assert user.host.connections == {}
    assert user.host.deadline() is None
    peer.sends(ACK, text=b"hello")
    user.hears(Accepted)
    if multipath:
        user.hears(FellBack)
    user.hears(Readable)
    user.reads(b"hello")
    user.writes(b"world")
    peer.expects(ACK, seq=1, ack=6, text=b"world")
    assert user.host.status(user.connection).subflows[0].snd_mss == 1_460


@pytest.mark.clause("R4987-3.6-03")
def test_options_in_the_timestamp() -> None:
    """With timestamps window scale and SACK survive, and the clock does not run backwards."""
    user, peer = under_pressure()
    peer.sends(SYN, options=ALL, at=12_345 * MILLISECOND)
    stamp = find_stamp(peer)
    peer.expects(SYN | ACK, options=[MSS, WindowScale, SackPermitted])
    peer.sends(ACK, options=[Timestamps(701, stamp)], window=1_000)
    user.hears(Accepted)
    info = user.host.status(user.connection).subflows[0]
    assert info.snd_wnd == 1_000 << 5
    tcb = user.host.connections[user.connection].control.branches[0].subflow.tcb
    assert tcb.timestamps and tcb.sack and tcb.scaling
    user.writes(b"hello")
    later = find_stamp(peer)
    peer.expects(ACK, text=b"hello")
    assert 0 <= (later - stamp) % (1 << 32) < 2 * MEMORY


@pytest.mark.clause("R4987-3.6-03")
@pytest.mark.parametrize("kept", [[], [WindowScale(0)], [WindowScale(14)], [SackPermitted()]])
def test_options_that_were_not_there(kept: list[Any]) -> None:
    """What the SYN did not offer is not remembered."""
    user, peer = under_pressure()
    peer.sends(SYN, options=[MSS, Timestamps(700, 0), *kept])
    stamp = find_stamp(peer)
    peer.expects(SYN | ACK)
    peer.sends(ACK, options=[Timestamps(701, stamp)], window=1_000)
    user.hears(Accepted)
    tcb = user.host.connections[user.connection].control.branches[0].subflow.tcb
    scales = [one.shift for one in kept if isinstance(one, WindowScale)]
    assert tcb.scaling == bool(scales) and tcb.snd_shift == (scales[0] if scales else 0)
    assert tcb.sack == any(isinstance(one, SackPermitted) for one in kept)


@pytest.mark.clause("R8684-3.1-18", "R4987-3.6-01")
@pytest.mark.parametrize("checksum", [False, True])
def test_multipath(checksum: bool) -> None:
    """The third packet brings both keys, ours being made again: MPTCP without any state before it."""
    user, peer = under_pressure(multipath=True)
    peer.checksum = checksum
    flags = HMAC_SHA256 | (CHECKSUM_REQUIRED if checksum else 0)
    peer.sends(SYN, options=[MSS, CapableSyn(1, flags)])
    peer.expects(SYN | ACK, options=[CapableSynAck])
    assert user.host.connections == {} and user.host.by_token == {}
    peer.sends(ACK, options=[peer.capable_ack()])
    user.hears(Accepted)
    info = user.host.status(user.connection)
    assert info.multipath and info.checksum == checksum
    peer.sends(ACK, text=b"hello", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Readable)
    peer.skips()
    user.writes(b"world")
    peer.expects(ACK, text=b"world", options=[DataSignal(dsn=1, ssn=1, length=5)])


@pytest.mark.clause("R8684-3.1-18")
def test_multipath_and_data_at_once() -> None:
    """The ACK was lost, and MP_CAPABLE with data stands for it."""
    user, peer = under_pressure(multipath=True)
    peer.sends(SYN, options=[MSS, CapableSyn(1, HMAC_SHA256)])
    peer.expects(SYN | ACK, options=[CapableSynAck])
    peer.sends(ACK, text=b"hello", options=[peer.capable_data(5)])
    user.hears(Accepted, Readable)
    assert user.host.status(user.connection).multipath


@pytest.mark.clause("R8684-3.1-19", "R8684-3.1-20")
def test_token_that_is_taken() -> None:
    """The one key that could be recognised has the token of a live connection: plain TCP answers."""
    for is_late in (False, True):
        user, peer = under_pressure(multipath=True)
        peer.sends(SYN, options=[MSS, CapableSyn(1, HMAC_SHA256)])
        peer.expects(SYN | ACK, options=[CapableSynAck])
        user.host.by_token[compute_token(peer.host_key)] = -1
        if is_late:
            peer.sends(ACK, options=[peer.capable_ack()])
            peer.expects(RST)
            user.hears_nothing()
        else:
            peer.sends(SYN, seq=0, options=[MSS, CapableSyn(1, HMAC_SHA256)])
            peer.expects(SYN | ACK, seq=0, without=[CapableSynAck])
            peer.sends(ACK)
            user.hears(Accepted, FellBack)
            assert user.host.by_token[compute_token(peer.host_key)] == -1


def test_version_0_gets_plain_tcp() -> None:
    """Its third packet could not be read without knowing that it is one."""
    user, peer = under_pressure(multipath=True, lowest_version=0)
    peer.sends(SYN, options=[MSS, CapableSynV0(HMAC_SHA256, b"PEER KEY")])
    peer.expects(SYN | ACK, without=[CapableSynAck])
    peer.sends(ACK)
    user.hears(Accepted, FellBack)


# -- what is no cookie ------------------------------------------------------------------------


@pytest.mark.clause("R4987-3.6-01")
def test_any_other_number() -> None:
    """An ACK of another number, or with another number of its own, gets a RST."""
    user, peer = under_pressure()
    peer.sends(SYN, options=[MSS])
    peer.expects(SYN | ACK)
    for seq, ack in ((1, 2), (1, 0), (2, 1), (0, 1), (1, 1 << 24), (1, 1 + (1 << 27))):
        peer.sends(ACK, seq=seq, ack=ack)
        peer.expects(RST, seq=ack)
    stranger = peer.dialogue.meets(port=50_000)
    stranger.host_isn = peer.host_isn
    stranger.sends(ACK, seq=1, ack=1)
    stranger.expects(RST)
    user.hears_nothing()
    assert user.host.connections == {}
    peer.sends(ACK, seq=1, ack=1)
    user.hears(Accepted)


@pytest.mark.clause("R4987-3.6-01", "R4987-3.6-04")
def test_stale() -> None:
    """A cookie is good for one to two periods of 64 s."""
    user, peer = under_pressure()
    peer.sends(SYN, options=[MSS])
    peer.expects(SYN | ACK)
    other = peer.dialogue.meets(port=50_000)
    other.sends(SYN, options=[MSS])
    other.expects(SYN | ACK)
    peer.sends(ACK, at=COOKIE_PERIOD + 63 * SECOND)
    user.hears(Accepted)
    third = peer.dialogue.meets(port=50_001)  # keeps the listener looking for cookies
    third.sends(SYN)
    other.sends(ACK, at=2 * COOKIE_PERIOD)
    other.expects(RST)


@pytest.mark.clause("R4987-3.6-03")
def test_forged_timestamp() -> None:
    """An echo of what was not sent lately is no memory: better no connection than a wrong scale."""
    for wrong in (1 << 20, -1 << 20, 1 << 31):
        user, peer = under_pressure()
        peer.sends(SYN, options=ALL)
        stamp = find_stamp(peer)
        peer.expects(SYN | ACK)
        peer.sends(ACK, options=[Timestamps(701, (stamp + wrong) % (1 << 32))])
        peer.expects(RST)
        user.hears_nothing()


@pytest.mark.clause("R4987-3.6-04")
def test_not_without_need() -> None:
    """Where there is room a SYN is kept; where none was ever refused a strange ACK is not looked at."""
    user, peer = listening()
    peer.sends(SYN, options=[MSS])
    peer.expects(SYN | ACK)
    assert len(user.host.connections) == 1
    assert not user.host.listeners.has_baked(0)


def test_switched_off() -> None:
    """As a choice a full backlog hears nothing more."""
    user, peer = under_pressure(syn_cookies=False)
    peer.sends(SYN, options=[MSS])
    peer.expects_nothing(until=10 * SECOND)
    assert user.host.connections == {}


# -- the flood --------------------------------------------------------------------------------


@pytest.mark.clause("R4987-3.6-01", "R4987-3.6-04")
def test_flood() -> None:
    """100,000 SYNs: memory stays, who is connected goes on, and who is honest gets in."""
    story = Dialogue()
    host = story.host
    story.user.listens()
    friend = story.meets()
    friend.sends(SYN, options=[MSS])
    friend.expects(SYN | ACK)
    friend.sends(ACK)
    story.user.hears(Accepted)
    first = story.user.connection
    flood = story.meets(PEER_IPV6, 40_000, HOST_IPV6).makes(SYN, options=[MSS])
    for number in range(100_000):
        packet = flood[:20] + number.to_bytes(4, "big") + flood[24:]
        host.receive(packet, number, checked=True)
        if number % 200 == 0:
            host.transmit(number)
    story.now = 100_000
    backlog = host.choices.backlog
    assert len(host.connections) == backlog + 1
    assert len(host.ports.by_tuple) == len(host.by_token) == backlog + 1
    friend.sends(ACK, text=b"still here")
    host.events()
    assert host.read(first, 100, story.now) == b"still here"
    host.transmit(story.now)
    late = story.meets(port=50_000)
    host.receive(late.makes(SYN, options=[MSS]), story.now)
    story.settle()
    late.expects(SYN | ACK)
    late.sends(ACK, text=b"let me in")
    accepted = [one for one in story.events if isinstance(one, Accepted)]
    assert len(accepted) == 1
    assert host.read(accepted[0].connection, 100, story.now) == b"let me in"
    late.expects(ACK, by=story.now + SECOND)
    story.advance(300 * SECOND)
    assert len(host.connections) == 2


# -- the numbers ------------------------------------------------------------------------------


@given(
    irs=st.integers(0, (1 << 32) - 1),
    now=st.integers(0, 1 << 50),
    index=st.integers(0, 7),
    later=st.integers(0, COOKIE_PERIOD),
)
def test_round_trip(irs: int, now: int, index: int, later: int) -> None:
    """What was put in comes out, for at least one period; and not with a bit turned."""
    cookie = compute_cookie(SECRET, FOUR, irs, now // COOKIE_PERIOD, index)
    assert 0 <= cookie < 1 << 32
    assert find_size(SECRET, FOUR, irs, cookie, now + later) == SIZES[index]
    assert find_size(SECRET, FOUR, irs, cookie, now + 2 * COOKIE_PERIOD) == 0
    for bit in range(32):
        assert find_size(SECRET, FOUR, irs, cookie ^ 1 << bit, now) == 0
    assert find_size(bytes(32), FOUR, irs, cookie, now) == 0


@pytest.mark.clause("R4987-3.6-02")
@given(mss=st.integers(0, 65_535))
def test_sizes(mss: int) -> None:
    """Never more than was announced, but for what is too small for anything."""
    size = SIZES[find_index(mss)]
    assert size <= max(mss, 88)
    assert all(other <= size or other > mss for other in SIZES)


@given(stamp=st.integers(0, (1 << 32) - 1), memory=st.integers(0, 31))
def test_memory(stamp: int, memory: int) -> None:
    """The timestamp goes back by less than 64 ticks, and ends in the six bits."""
    delay = compute_delay(stamp, memory)
    assert 0 <= delay < 2 * MEMORY
    assert (stamp - delay) % (2 * MEMORY) == memory
