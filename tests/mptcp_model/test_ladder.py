"""Ladders and scribes: packets in words that a person reads at a glance."""

import pytest

from mptcp.keys import compute_idsn, compute_join_hmac, compute_token
from mptcp.numbers import compute_wire_64
from mptcp.values import Text
from mptcp.wire import segment
from mptcp.wire.addresses import AddAddr, AddAddrEcho, Prio, RemoveAddr
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
from mptcp.wire.options import (
    NOP,
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
from mptcp_model.ladder import Note, draw
from mptcp_model.scribe import Scribe, spell_option
from mptcp_model.simulated.capture import Packet

A, B = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
KEY_A, KEY_B = b"key of A", b"key of B"
ISN_A, ISN_B = 0xFFFFFFFF, 77
MASK_32 = 0xFFFFFFFF


def from_a(flags: int, seq: int, ack: int, options: tuple[Option, ...] = (), text: bytes = b"") -> Segment:
    """A segment of A, whose numbers are offsets."""
    texts = (Text(text, 0, len(text)),) if text else ()
    number, acked = ISN_A + seq & MASK_32, ISN_B + ack & MASK_32 if flags & ACK else 0
    return Segment(A, B, 1_000, 80, number, acked, flags, 500, 0, options, texts)


def from_b(flags: int, seq: int, ack: int, options: tuple[Option, ...] = (), text: bytes = b"") -> Segment:
    """A segment of B, whose numbers are offsets."""
    texts = (Text(text, 0, len(text)),) if text else ()
    return Segment(B, A, 80, 1_000, ISN_B + seq, ISN_A + ack & MASK_32, flags, 500, 0, options, texts)


def signal_of_b(ack: int, dsn: int, ssn: int, length: int, fin: bool = False, wide: bool = True) -> Dss:
    """A DSS of B, whose numbers are offsets."""
    mask = MASK_32 if not wide else (1 << 64) - 1
    data_ack = DataAck(compute_wire_64(compute_idsn(KEY_A), ack) & mask, wide)
    number = compute_wire_64(compute_idsn(KEY_B), dsn) & mask
    return Dss(data_ack, Mapping(number, wide, ssn, length, None, fin))


OPENING = [
    from_a(SYN, 0, 0, (MaximumSegmentSize(1_460), NOP, CapableSyn(1, 0x01))),
    from_b(SYN | ACK, 0, 1, (CapableSynAck(1, 0x81, KEY_B),)),
    from_a(ACK, 1, 1, (CapableAck(1, 0x81, KEY_A, KEY_B),)),
]


def test_a_conversation() -> None:
    """Numbers count from 0 at both levels, across the wrap of 2**32; padding is not shown."""
    scribe = Scribe()
    words = [scribe.describe(one) for one in OPENING]
    words.append(scribe.describe(from_a(ACK, 1, 1, (CapableData(1, 1, KEY_A, KEY_B, 5, None),), b"hello")))
    words.append(scribe.describe(from_b(PSH | ACK, 1, 6, (signal_of_b(6, 1, 1, 5),), b"world")))
    words.append(scribe.describe(from_b(FIN | ACK, 6, 6, (signal_of_b(6, 6, 0, 1, True, False),))))
    assert words == [
        "SYN 0 win 500 <MSS 1460, MP_CAPABLE(v1, H)>",
        f"SYN ACK 0 ack 1 win 500 <MP_CAPABLE(v1, AH, {KEY_B.hex()})>",
        "ACK 1 ack 1 win 500 <MP_CAPABLE(v1, AH, both keys)>",
        "ACK 1+5 ack 1 win 500 <MP_CAPABLE(v1, H, both keys, 5)>",
        "PSH ACK 1+5 ack 6 win 500 <DSS(ack 6, map 1+5@1)>",
        "FIN ACK 6 ack 6 win 500 <DSS(ack32 6, map32 6+1@0, FIN)>",
    ]


def test_numbers_of_data() -> None:
    """Text is placed in the data stream by its mapping, or by the one before it if it has none."""
    scribe = Scribe()
    for one in OPENING:
        scribe.read(one)
    assert scribe.read(from_b(ACK, 1, 1, (signal_of_b(1, 101, 1, 10),), b"hello"))[2:] == (101, 1)
    assert scribe.read(from_b(ACK, 6, 1, (), b"world"))[2:] == (106, None)
    assert scribe.read(from_b(ACK, 11, 1, ()))[2:] == (None, None)


def test_a_flow_that_joins() -> None:
    """MP_JOIN names its connection by a token: data numbers count from that connection's beginning."""
    scribe = Scribe()
    for one in OPENING:
        scribe.read(one)
    hmac = compute_join_hmac(KEY_B, KEY_A, b"non2", b"non1")
    join = (JoinSyn(False, 2, compute_token(KEY_B), b"non1"),)
    scribe.read(Segment(A, B, 2_000, 80, 5, 0, SYN, 0, 0, join, ()))
    scribe.read(
        Segment(B, A, 80, 2_000, 9, 6, SYN | ACK, 0, 0, (JoinSynAck(False, 0, hmac[:8], b"non2"),), ())
    )
    text = (Text(b"xyz", 0, 3),)
    one = Segment(B, A, 80, 2_000, 10, 6, ACK, 0, 0, (signal_of_b(1, 201, 1, 3),), text)
    assert scribe.read(one) == (1, 1, 201, 1)


def test_in_the_middle() -> None:
    """Whoever comes late counts from the first number seen."""
    scribe = Scribe()
    assert scribe.describe(from_a(ACK, 5_000, 7_000, (), b"abc")) == "ACK 1+3 ack 1 win 500"
    assert scribe.describe(from_b(ACK, 7_000, 5_003)) == "ACK 1 ack 4 win 500"


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (NOP, ""),
        (Timestamps(1, 2), "TS 1 2"),
        (WindowScale(7), "WS 7"),
        (SackPermitted(), "SACK OK"),
        (Sack(((1, 5), (7, 9))), "SACK 1-5 7-9"),
        (FastOpen(b"cook"), "TFO(636f6f6b)"),
        (Unknown(200, b"\1\2"), "option 200(0102)"),
        (CapableSynV0(0x81, KEY_A), f"MP_CAPABLE(v0, AH, {KEY_A.hex()})"),
        (JoinSyn(True, 3, 0xABCD, b"nonc"), "MP_JOIN(id 3, token 0000abcd, backup)"),
        (JoinAck(bytes(20)), "MP_JOIN(HMAC)"),
        (AddAddr(4, A, 81, bytes(8)), "ADD_ADDR(id 4, 0a000001 port 81)"),
        (AddAddrEcho(4, A, None), "ADD_ADDR(echo id 4, 0a000001)"),
        (RemoveAddr((1, 2)), "REMOVE_ADDR(1, 2)"),
        (Prio(True), "MP_PRIO(backup)"),
        (FastClose(KEY_A), f"MP_FASTCLOSE({KEY_A.hex()})"),
        (TcpReset(1, 3), "MP_TCPRST(reason 3, transient)"),
        (Experimental(b"\xf1"), "MP_EXPERIMENTAL(f1)"),
    ],
)
def test_options(option: Option, words: str) -> None:
    """Every option has a short form."""
    assert spell_option(option) == words


def test_fail() -> None:
    """MP_FAIL names a place in its sender's peer's data."""
    scribe = Scribe()
    for one in OPENING:
        scribe.read(one)
    dsn = compute_wire_64(compute_idsn(KEY_A), 42)
    assert "MP_FAIL(at 42)" in scribe.describe(from_b(RST | ACK, 1, 1, (Fail(dsn),)))


def test_drawing() -> None:
    """Arrows point from the sender, heads name the ends, and what is no segment is told in a word."""
    packets: list[Packet | Note] = []
    packets += [Packet(1_000 * i, segment.emit(one).octets()) for i, one in enumerate(OPENING)]
    packets += [Note(5_000, "user closes"), Packet(6_000, b"\x45"), Packet(7_000, b"")]
    lines = draw(packets).split("\n")
    assert lines[0].split() == ["µs", "0", "10.0.0.1:1000", "10.0.0.2:80"]
    assert lines[1].split()[:4] == ["0", "0", "──", "SYN"]
    assert lines[1].endswith("▶")
    assert lines[2].split()[:2] == ["1000", "0"]
    assert "  ◀─" in lines[2]
    assert lines[4].endswith("5000      · user closes")
    assert "malformed" in lines[5]
    assert len({len(line) for line in lines[1:4]}) == 1


def test_two_flows_and_ipv6() -> None:
    """Flows are numbered as they come; IPv6 ends stand in brackets."""
    six = bytes([0xFD]) + bytes(14)
    other = Segment(six + b"\1", six + b"\2", 5, 6, 0, 0, SYN, 0, 0, (), ())
    packets = [Packet(i, segment.emit(one).octets()) for i, one in enumerate((OPENING[0], other))]
    lines = draw(packets).splitlines()
    assert lines[1].split()[1:] == ["1", "[fd00::1]:5", "[fd00::2]:6"]
    assert lines[3].split()[1] == "1"
