"""Any octets from the device, in any state: nothing is raised, and what is held stays within bounds.

Packets are raw octets, damaged real ones, or segments with right checksums whose every field and
option is drawn: from far-off to nearly right.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mptcp.choices import REQUIRE, Choices
from mptcp.events import Accepted
from mptcp.fast_open import compute_cookie
from mptcp.numbers import MASK_32, MASK_64
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.values import Text
from mptcp.wire import ip, segment
from mptcp.wire.addresses import AddAddr, AddAddrEcho, AddAddrV0, Prio, PrioV0, RemoveAddr
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.endings import Experimental, Fail, FastClose, TcpReset
from mptcp.wire.handshake import (
    CapableAck,
    CapableData,
    CapableSyn,
    CapableSynAck,
    JoinAck,
    JoinSyn,
    JoinSynAck,
)
from mptcp.wire.options import (
    FastOpen,
    MaximumSegmentSize,
    Option,
    Sack,
    SackPermitted,
    Timestamps,
    Unknown,
    WindowScale,
)
from mptcp.wire.segment import ACK, FIN, PSH, RST, SYN, Segment
from mptcp_model import situations
from mptcp_model.bounds import check_bounds
from mptcp_model.dialogue import DataSignal, Dialogue, Peer
from mptcp_model.situations import Scene


def with_text_in_flight(multipath: bool) -> Scene:
    """Text of both sides is out, with a hole."""
    user, peer = situations.established(multipath=multipath)
    user.writes(bytes(20_000))
    signal = [DataSignal(ack=1, dsn=1, ssn=1, length=500)] if multipath else []
    peer.sends(ACK, text=bytes(100), seq=101, options=signal)
    return user, peer


def fast_opened(multipath: bool) -> Scene:
    """The peer's SYN brought a cookie and text, and the user has answered."""
    user, peer = situations.listening(multipath=multipath, fast_open=True)
    cookie = compute_cookie(user.host.secret, peer.address, user.host.choices, 0, 0)
    offer = [CapableSyn(1, 1)] if multipath else []
    peer.sends(SYN, text=b"request", options=[MaximumSegmentSize(1_460), FastOpen(cookie), *offer])
    user.hears(Accepted)
    user.writes(b"response")
    return user, peer


def fast_opening(multipath: bool) -> Scene:
    """The user's SYN brought a cookie and text."""
    story = Dialogue(Choices(fast_open=True, multipath=multipath))
    peer = story.meets(local_port=40_000, port=80)
    story.host.fast_opens.keep(peer.address, b"cookie", 1_460)
    story.user.connection = story.host.connect(peer.local, peer.address, 80, 0, 40_000)
    story.host.write(story.user.connection, b"request", 0)
    story.settle()
    peer.expects(SYN, text=b"request")
    return story.user, peer


def baked(multipath: bool) -> Scene:
    """The peer has a SYN cookie, and the host has nothing."""
    user, peer = situations.listening(multipath=multipath, backlog=0)
    offer = [CapableSyn(1, 1)] if multipath else []
    peer.sends(SYN, options=[MaximumSegmentSize(1_460), Timestamps(1, 0), *offer])
    peer.expects(SYN | ACK)
    return user, peer


def urgent() -> Scene:
    """Urgent text is out, somebody asks whether we are there, and patience is short."""
    user, peer = situations.established(
        keep_alive=True, keep_alive_idle=3 * SECOND, keep_alive_interval=SECOND, user_timeout=4 * SECOND
    )
    user.host.write(user.connection, bytes(3_000), 0, is_urgent=True)
    user.dialogue.settle()
    return user, peer


SITUATIONS: list[Callable[[], Scene]] = [
    *[getattr(situations, name) for name in ("fin_wait_1", "fin_wait_2", "closing", "time_wait")],
    *[getattr(situations, name) for name in ("close_wait", "last_ack")],
    *[getattr(situations, name) for name in ("m_fin_wait_1", "m_fin_wait_2", "m_close_wait", "m_last_ack")],
    lambda: with_text_in_flight(False),
    lambda: with_text_in_flight(True),
    urgent,
    *[
        lambda build=build, multipath=multipath: build(multipath)
        for build in (fast_opened, fast_opening, baked)
        for multipath in (False, True)
    ],
    lambda: situations.established(multipath=True, checksum=REQUIRE),
    lambda: situations.established(multipath=True, receive_buffer=2_000, ipv6=True),
    *[
        lambda build=build, multipath=multipath: build(multipath=multipath)
        for build in (
            situations.listening,
            situations.syn_received,
            situations.syn_sent,
            situations.established,
            situations.established_actively,
        )
        for multipath in (False, True)
    ],
]

# -- what may come ----------------------------------------------------------------------------

octets_8 = st.binary(min_size=8, max_size=8)
key = st.sampled_from([b"PEER KEY", bytes(8)]) | octets_8
number_32 = st.sampled_from([0, 1, MASK_32]) | st.integers(0, MASK_32)
number_64 = st.sampled_from([0, 1, MASK_64]) | st.integers(0, MASK_64)
length_16 = st.sampled_from([0, 1, 2, 100, 65_535]) | st.integers(0, 65_535)
flags_8 = st.sampled_from([0x01, 0x81, 0x21]) | st.integers(0, 255)
address = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)
port = st.none() | st.integers(1, 65_535)
byte = st.integers(0, 255)

tcp_options = st.one_of(
    st.builds(MaximumSegmentSize, st.sampled_from([0, 1, 88, 1_460]) | st.integers(0, 65_535)),
    st.builds(WindowScale, st.integers(0, 14)),
    st.builds(SackPermitted),
    st.builds(Sack, st.lists(st.tuples(number_32, number_32), min_size=1, max_size=3).map(tuple)),
    st.builds(Timestamps, number_32, number_32),
    st.builds(FastOpen, octets_8),
    st.builds(Unknown, st.integers(2, 255), st.binary(max_size=20)),
)
handshake_options = st.one_of(
    st.builds(CapableSyn, st.integers(1, 15), flags_8),
    st.builds(CapableSynAck, st.integers(0, 15), flags_8, key),
    st.builds(CapableAck, st.integers(0, 2), flags_8, key, key),
    st.builds(CapableData, st.integers(1, 2), flags_8, key, key, length_16, st.none() | length_16),
    st.builds(JoinSyn, st.booleans(), byte, number_32, st.binary(min_size=4, max_size=4)),
    st.builds(JoinSynAck, st.booleans(), byte, octets_8, st.binary(min_size=4, max_size=4)),
    st.builds(JoinAck, st.binary(min_size=20, max_size=20)),
)
other_options = st.one_of(
    st.builds(AddAddr, byte, address, port, octets_8),
    st.builds(AddAddrEcho, byte, address, port),
    st.builds(AddAddrV0, byte, address, port),
    st.builds(RemoveAddr, st.lists(byte, min_size=1, max_size=5).map(tuple)),
    st.builds(Prio, st.booleans()),
    st.builds(PrioV0, st.booleans(), byte),
    st.builds(Fail, number_64),
    st.builds(FastClose, key),
    st.builds(TcpReset, st.integers(0, 1), byte),
    st.builds(Experimental, st.binary(max_size=10).map(lambda rest: b"\xf0" + rest)),
)
wild_signals = st.builds(
    Dss,
    st.none() | st.builds(DataAck, number_32, st.booleans()),
    st.builds(Mapping, number_32, st.booleans(), number_32, length_16, st.none() | length_16, st.booleans()),
)
near = st.sampled_from([0, 1, 2, 101, 501, 1_000]) | st.integers(-70_000, 70_000)
tame_signals = st.builds(
    DataSignal,
    ack=st.none() | near,
    dsn=st.none() | near.map(lambda number: max(number, -1_000)),
    ssn=st.sampled_from([0, 1, 101, 501]) | st.integers(0, 70_000),
    length=length_16,
    fin=st.booleans(),
    wide=st.booleans(),
).filter(lambda signal: signal.ack is not None or signal.dsn is not None)
any_option = st.one_of(tcp_options, handshake_options, other_options, wild_signals, tame_signals)
any_flags = st.sampled_from([ACK, ACK | PSH, FIN | ACK, SYN, SYN | ACK, RST, RST | ACK]) | byte

segments = st.fixed_dictionaries(
    {
        "flags": any_flags,
        "seq": near,
        "ack": near,
        "window": st.sampled_from([0, 1, 65_535]) | st.integers(0, 65_535),
        "urgent": st.sampled_from([0, 1, 65_535]),
        "text": st.sampled_from([b"", b"x", bytes(100), bytes(500), bytes(1_460)]),
        "options": st.lists(any_option, max_size=3),
        "garbage": st.just(b"") | st.binary(max_size=12),
        "flips": st.just([]) | st.lists(st.integers(0, 1_000), max_size=3),
        "cut": st.just(0) | st.integers(0, 60),
    }
)


def fit(options: list[Option]) -> tuple[Option, ...]:
    """As many of ``options`` as fit 40 octets."""
    kept: list[Option] = []
    for option in options:
        if sum(len(one.emit()) for one in kept) + len(option.emit()) <= 40:
            kept.append(option)
    return tuple(kept)


def emit_any(peer: Peer, drawn: dict[str, Any]) -> bytes:
    """The packet of a drawn segment, its numbers counted from the peer's, damaged as drawn."""
    text = drawn["text"]
    options = [peer.spell(option, text) for option in drawn["options"]]
    garbage = drawn["garbage"]
    options += segment.parse_options(garbage, 0, len(garbage), drawn["flags"])
    one = Segment(
        peer.address,
        peer.local,
        peer.port,
        peer.local_port,
        peer.isn + peer.next + drawn["seq"] & MASK_32,
        peer.host_isn + peer.acked + drawn["ack"] & MASK_32,
        drawn["flags"],
        drawn["window"],
        drawn["urgent"],
        fit(options),
        (Text(text, 0, len(text)),) if text else (),
    )
    packet = bytearray(segment.emit(one).octets())
    for flip in drawn["flips"]:
        packet[flip // 8 % len(packet)] ^= 1 << flip % 8
    return bytes(packet[: len(packet) - drawn["cut"]])


# -- what must hold ---------------------------------------------------------------------------


def finish(story: Dialogue) -> None:
    """Time goes by, the user ends it, and in the end nothing is left to wait for."""
    story.advance(story.now + 5 * SECOND)
    check_bounds(story.host)
    for handle in [*story.host.connections]:
        story.user.connection = handle
        story.user.reads()
        story.user.aborts()
    story.advance(story.now + 600 * SECOND)
    assert story.host.deadline() is None
    hash(story.host.key())


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SITUATIONS), st.lists(segments, min_size=1, max_size=8))
def test_any_segments(situation: Callable[[], Scene], drawn: list[dict[str, Any]]) -> None:
    """Segments with right and wrong checksums, whatever their fields say."""
    user, peer = situation()
    story = user.dialogue
    for one in drawn:
        peer.sends_octets(emit_any(peer, one))
        story.advance(story.now + 10 * MILLISECOND)
        check_bounds(story.host)
    finish(story)


@settings(max_examples=150)
@given(st.sampled_from(SITUATIONS), st.lists(st.binary(max_size=200), max_size=5), st.integers(0, 255))
@example(situations.established, [b"", b"\x45", b"\x60", b"\x45" + bytes(19)], 6)
def test_any_octets(situation: Callable[[], Scene], drawn: list[bytes], protocol: int) -> None:
    """Octets that are nothing, alone and behind a good IP header of any protocol."""
    user, peer = situation()
    for octets in drawn:
        peer.sends_octets(octets)
        for number in (protocol, ip.TCP, ip.ICMP, ip.ICMPV6, 44, 0, 60):
            header = ip.emit_header(peer.address, peer.local, number, len(octets))
            peer.sends_octets(header + octets)
    assert not peer.dialogue.strays
    finish(user.dialogue)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from([1, 3, 7]), st.integers(0, 3_000), st.booleans()), max_size=60))
def test_many_small_pieces(pieces: list[tuple[int, int, bool]]) -> None:
    """Tiny overlapping pieces all over the window, with mappings of their own, stay within bounds."""
    user, peer = situations.established(multipath=True, receive_buffer=3_000)
    for length, start, is_mapped in pieces:
        signal = [DataSignal(ack=1, dsn=1 + start, ssn=1 + start, length=length)] if is_mapped else []
        peer.sends(ACK, text=bytes(length), seq=1 + start, options=signal)
        check_bounds(peer.dialogue.host)
    finish(user.dialogue)


def test_flood_of_syns() -> None:
    """Half-open connections are counted: beyond the backlog no SYN takes anything."""
    user, _ = situations.listening(backlog=16)
    story = user.dialogue
    for number in range(500):
        story.meets(port=1_024 + number).sends(SYN)
    assert len(story.host.connections) <= 16
    story.advance(600 * SECOND)
    assert story.host.deadline() is None
    assert not story.host.connections
    last = story.meets(port=60_000)
    last.sends(SYN)
    last.expects(SYN | ACK)


def test_flood_for_nobody() -> None:
    """Segments for closed ports that come faster than the device takes answers do not pile up."""
    user, peer = situations.listening()
    host = user.host
    one = segment.emit(
        Segment(peer.address, peer.local, 1, 2, 0, 0, ACK, 0, 0, (), ()),
    ).octets()
    for _ in range(5_000):
        host.receive(one, 0)
    assert len(host.answers) <= 256
    assert len(host.transmit(0)) <= 256
