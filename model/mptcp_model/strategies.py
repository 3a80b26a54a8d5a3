"""What hypothesis draws: every option, whole segments, packets around them, and damaged ones.

Needs hypothesis, the `prove` extra; only tests and proofs import this module. What is drawn is
legal: it can be emitted, and its octets parse back to the same value in the segment it is drawn for.
"""

from typing import Final

from hypothesis import strategies as st

from mptcp.choices import ACCEPT, CUBIC, NEWRENO, REFUSE, REQUIRE, Choices
from mptcp.parameters import LONGEST_TEXT, MILLISECOND
from mptcp.values import Text
from mptcp.wire import ip, segment
from mptcp.wire.addresses import AddAddr, AddAddrEcho, AddAddrV0, Prio, PrioV0, RemoveAddr
from mptcp.wire.checksum import checksum_by_the_book
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.endings import Experimental, Fail, FastClose, TcpReset
from mptcp.wire.handshake import (
    CapableAck,
    CapableData,
    CapableSyn,
    CapableSynAck,
    CapableSynV0,
    JoinAck,
    JoinSyn,
    JoinSynAck,
)
from mptcp.wire.icmp import Quote, Report, TooBig, Unreachable
from mptcp.wire.options import (
    NOP,
    EndOfList,
    FastOpen,
    Leftover,
    MaximumSegmentSize,
    Option,
    Sack,
    SackPermitted,
    Timestamps,
    Unknown,
    WindowScale,
)
from mptcp.wire.segment import ACK, CE, NOT_ECT, SYN, Segment

AREA: Final = 40  # octets of options at most

# -- numbers and octets -------------------------------------------------------------------------


def numbers(bits: int) -> st.SearchStrategy[int]:
    """Any number of so many bits, those near the borders more often."""
    top = (1 << bits) - 1
    edges = sorted({0, 1, top >> 1, (top >> 1) + 1, top - 1, top})
    return st.one_of(st.sampled_from(edges), st.integers(0, top))


u8: Final = numbers(8)
u16: Final = numbers(16)
u32: Final = numbers(32)
u64: Final = numbers(64)
ports: Final = st.one_of(st.sampled_from([1, 80, 443, 65_535]), st.integers(1, 65_535))
maybe_ports: Final = st.one_of(st.none(), ports)


def octets(length: int) -> st.SearchStrategy[bytes]:
    """Exactly ``length`` octets."""
    return st.binary(min_size=length, max_size=length)


keys: Final = octets(8)
nonces: Final = octets(4)
addresses: Final = st.one_of(octets(4), octets(16))
pairs: Final = st.one_of(st.tuples(octets(4), octets(4)), st.tuples(octets(16), octets(16)))
"""Two addresses of one family."""


@st.composite
def texts(draw: st.DrawFn, limit: int = 100) -> tuple[Text, ...]:
    """Segment text in pieces, odd ones and empty ones among them, each somewhere in its packet."""
    pieces: list[Text] = []
    for part in draw(st.lists(st.binary(max_size=limit), max_size=4)):
        before, after = draw(st.binary(max_size=3)), draw(st.binary(max_size=3))
        pieces.append(Text(before + part + after, len(before), len(before) + len(part)))
    return tuple(pieces)


# -- options ------------------------------------------------------------------------------------

blocks = st.lists(st.tuples(u32, u32), min_size=1, max_size=4).map(tuple)
cookies = st.sampled_from([0, 4, 6, 8, 10, 12, 14, 16]).flatmap(octets)

tcp_options: Final[st.SearchStrategy[Option]] = st.one_of(
    st.builds(MaximumSegmentSize, u16),
    st.builds(WindowScale, st.integers(0, 14)),
    st.just(SackPermitted()),
    st.builds(Sack, blocks),
    st.builds(Timestamps, u32, u32),
    st.builds(FastOpen, cookies),
    st.builds(Unknown, st.sampled_from([6, 7, 14, 29, 69, 253, 254, 255]), st.binary(max_size=20)),
    # kinds that are known, in lengths that are not
    st.builds(Unknown, st.just(2), octets(3)),
    st.builds(Unknown, st.just(3), octets(0)),
    st.builds(Unknown, st.just(4), octets(1)),
    st.builds(Unknown, st.just(5), octets(7)),
    st.builds(Unknown, st.just(8), octets(7)),
    st.builds(Unknown, st.just(34), octets(5)),
    st.builds(Unknown, st.just(30), st.sampled_from([b"", b"\0", b"\x20", b"\x20\0", b"\x40", b"\x90\1"])),
)
"""Options outside MPTCP, known and unknown."""


@st.composite
def data_acks(draw: st.DrawFn) -> DataAck:
    """A Data ACK of either width."""
    wide = draw(st.booleans())
    return DataAck(draw(u64 if wide else u32), wide)


@st.composite
def mappings(draw: st.DrawFn) -> Mapping:
    """A mapping of either width, with and without checksum, DATA_FIN or end."""
    wide = draw(st.booleans())
    checksum = draw(st.one_of(st.none(), u16))
    return Mapping(draw(u64 if wide else u32), wide, draw(u32), draw(u16), checksum, draw(st.booleans()))


signals: Final[st.SearchStrategy[Dss]] = st.one_of(
    st.builds(Dss, data_acks(), mappings()),
    st.builds(Dss, data_acks(), st.none()),
    st.builds(Dss, st.none(), mappings()),
)
"""DSS in all combinations."""

versions: Final = st.integers(0, 15)
later_versions: Final = st.integers(1, 15)

syn_options: Final[st.SearchStrategy[Option]] = st.one_of(
    st.builds(CapableSyn, later_versions, u8),
    st.builds(CapableSynV0, u8, keys),
    st.builds(JoinSyn, st.booleans(), u8, u32, nonces),
)
syn_ack_options: Final[st.SearchStrategy[Option]] = st.one_of(
    st.builds(CapableSynAck, versions, u8, keys),
    st.builds(JoinSynAck, st.booleans(), u8, octets(8), nonces),
)
ack_options: Final[st.SearchStrategy[Option]] = st.one_of(
    st.builds(CapableAck, versions, u8, keys, keys),
    st.builds(CapableData, later_versions, u8, keys, keys, u16, st.one_of(st.none(), u16)),
    st.builds(JoinAck, octets(20)),
)

any_options: Final[st.SearchStrategy[Option]] = st.one_of(
    signals,
    st.builds(RemoveAddr, st.lists(u8, min_size=1, max_size=6).map(tuple)),
    st.builds(Prio, st.booleans()),
    st.builds(Fail, u64),
    st.builds(FastClose, keys),
    st.builds(
        lambda low, rest: Experimental(bytes([0xF0 | low]) + rest), st.integers(0, 15), st.binary(max_size=9)
    ),
)
"""MPTCP options that look alike in both versions and on all segments."""

v1_options: Final[st.SearchStrategy[Option]] = st.one_of(
    any_options,
    st.builds(AddAddr, u8, addresses, maybe_ports, octets(8)),
    st.builds(AddAddrEcho, u8, addresses, maybe_ports),
    st.builds(TcpReset, st.sampled_from([0, 1]), u8),
)
v0_options: Final[st.SearchStrategy[Option]] = st.one_of(
    any_options, st.builds(AddAddrV0, u8, addresses, maybe_ports), st.builds(PrioV0, st.booleans(), u8)
)


def multipath_options(flags: int, version: int = 1) -> st.SearchStrategy[Option]:
    """The MPTCP options that a segment with these flags may carry in this version."""
    other = v0_options if version == 0 else v1_options
    if flags & SYN:
        return st.one_of(syn_ack_options if flags & ACK else syn_options, other)
    return st.one_of(ack_options, other) if flags & ACK else other


@st.composite
def option_areas(draw: st.DrawFn, flags: int, version: int = 1) -> tuple[Option, ...]:
    """Up to 40 octets of options that end on a 4-octet border, whatever it takes to get there."""
    listed: list[Option] = []
    space = AREA
    one = st.one_of(tcp_options, multipath_options(flags, version), st.just(NOP))
    for option in draw(st.lists(one, max_size=6)):
        if option.compute_size() <= space:
            listed.append(option)
            space -= option.compute_size()
    missing = draw(st.sampled_from(range(space % 4, space + 1, 4)))
    if missing:
        end = draw(st.sampled_from(["nops", "end", "junk", "leftover"]))
        if end == "nops":
            listed += [NOP] * missing
        elif end == "end":
            listed.append(EndOfList(bytes(missing - 1)))
        elif end == "junk":
            listed.append(EndOfList(draw(octets(missing - 1))))
        else:
            length = draw(st.one_of(st.sampled_from([0, 1]), st.integers(missing + 1, 255)))
            rest = bytes([draw(st.integers(2, 255)), length]) + draw(octets(missing))
            listed.append(Leftover(rest[:missing]))
    return tuple(listed)


# -- segments and packets -----------------------------------------------------------------------


@st.composite
def segments(draw: st.DrawFn, version: int = 1) -> Segment:
    """Any segment at all, with options that fit its flags."""
    source, destination = draw(pairs)
    flags = draw(st.one_of(st.sampled_from([SYN, SYN | ACK, ACK]), u8))
    return Segment(
        source,
        destination,
        draw(u16),
        draw(u16),
        draw(u32),
        draw(u32),
        flags,
        draw(u16),
        draw(u16),
        draw(option_areas(flags, version)),
        draw(texts()),
        0,
        draw(st.integers(NOT_ECT, CE)),
    )


@st.composite
def packets(draw: st.DrawFn, version: int = 1) -> bytes:
    """The octets of a segment, perhaps with IP options or extension headers before it."""
    one = draw(segments(version))
    sent = segment.emit(one, draw(u8), draw(u16), 0, draw(u8) & ~CE).octets()
    return draw(st.one_of(st.just(sent), st.just(sent), padded(sent)))


@st.composite
def padded(draw: st.DrawFn, packet: bytes) -> bytes:
    """``packet`` with IPv4 options, or with IPv6 extension headers."""
    if packet[0] >> 4 == 4:
        extra = draw(st.integers(0, 10).flatmap(lambda words: octets(words * 4)))
        head = ip.emit_header(packet[12:16], packet[16:20], packet[9], len(packet) - 20 + len(extra))
        return lengthened(head, extra) + packet[20:]
    chain = b""
    protocol = packet[6]
    for kind in draw(st.lists(st.sampled_from([ip.ROUTING, ip.DESTINATION, ip.FRAGMENT]), max_size=3)):
        words = 0 if kind == ip.FRAGMENT else draw(st.integers(0, 2))
        body = bytearray(draw(octets(6 + 8 * words)))
        if kind == ip.FRAGMENT:
            body[0] = body[1] = 0  # atomic
        if kind == ip.ROUTING:
            body[1] = 0  # no segments left
        chain = bytes([protocol, 0 if kind == ip.FRAGMENT else words]) + bytes(body) + chain
        protocol = kind
    if draw(st.booleans()):
        chain = bytes([protocol, 0]) + draw(octets(6)) + chain
        protocol = ip.HOP_BY_HOP
    head = ip.emit_header(packet[8:24], packet[24:40], protocol, len(packet) - 40 + len(chain))
    return head + chain + packet[40:]


def lengthened(head: bytes, extra: bytes) -> bytes:
    """An IPv4 header with IP options, its length and checksum right."""
    longer = bytearray(head + extra)
    longer[0] = 0x40 | len(longer) // 4
    longer[10:12] = b"\0\0"
    longer[10:12] = checksum_by_the_book(bytes(longer)).to_bytes(2, "big")
    return bytes(longer)


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Octets that were a packet once: some changed, cut off, put in or left out."""
    packet = bytearray(draw(whole))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(packet) - 1)))
        change = draw(st.sampled_from(["other", "cut", "less", "more"]))
        if change == "other":
            packet[at : at + 1] = draw(octets(1))
        elif change == "cut":
            del packet[at:]
        elif change == "less":
            del packet[at : at + 2]
        else:
            packet[at:at] = draw(octets(2))
    return bytes(packet)


# -- ICMP ---------------------------------------------------------------------------------------


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Both reports, of either family."""
    source, destination = draw(pairs)
    quote = Quote(source, destination, draw(u16), draw(u16), draw(u32))
    if draw(st.booleans()):
        return TooBig(draw(u16 if len(source) == 4 else u32), quote)
    code = draw(u8.filter(lambda code: code != 4 or len(source) == 16))
    return Unreachable(code, quote)


# -- choices ------------------------------------------------------------------------------------


@st.composite
def choices(draw: st.DrawFn) -> Choices:
    """Every freedom taken in every way; times and sizes that a short run can live with."""
    receive_buffer = draw(st.sampled_from([1_500, 20_000, 100_000, 4 << 20]))
    version, lowest_version = draw(st.sampled_from([(1, 1), (1, 1), (1, 0), (0, 0)]))
    return Choices(
        multipath=draw(st.booleans()),
        version=version,
        lowest_version=lowest_version,
        checksum=draw(st.sampled_from([REFUSE, ACCEPT, REQUIRE])),
        join_initial_address=draw(st.booleans()),
        narrow_numbers=draw(st.booleans()),
        fast_close_by_ack=draw(st.booleans()),
        fast_close_retransmissions=draw(st.integers(0, 3)),
        syn_attempts_with_mptcp=draw(st.integers(0, 3)),
        receive_buffer=receive_buffer,
        send_buffer=receive_buffer * draw(st.integers(1, 4)),
        window_scaling=draw(st.booleans()),
        timestamps=draw(st.booleans()),
        sack=draw(st.booleans()),
        rack=draw(st.booleans()),
        frto=draw(st.booleans()),
        congestion=draw(st.sampled_from([NEWRENO, CUBIC])),
        slow_start_segments=draw(st.integers(1, 2)),
        minimum_rto=draw(st.sampled_from([1, 200, 1_000])) * MILLISECOND,
        syn_attempts=draw(st.integers(4, 8)),
        retransmissions=draw(st.integers(8, 15)),
        delayed_ack=draw(st.sampled_from([0, 1, 40, 499])) * MILLISECOND,
        nagle=draw(st.booleans()),
        mtu=draw(st.sampled_from([1_280, 1_500, 9_000, 65_535])),
        offload=draw(st.sampled_from([0, 20_000, LONGEST_TEXT])),
    )
