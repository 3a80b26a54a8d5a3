"""The options of plain TCP, and the walk over the option area."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mptcp.errors import Refused
from mptcp.wire.options import (
    END,
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
from mptcp.wire.segment import ACK, SYN, emit_options, parse_options, walk_options
from mptcp_model import strategies


def walk(octets: bytes, flags: int = ACK, version: int = 1) -> tuple[Option, ...]:
    return parse_options(octets, 0, len(octets), flags, version)


@pytest.mark.clause("R9293-3.1-06", "R9293-3.2-01")
@given(strategies.tcp_options)
def test_round_trip(option: Option) -> None:
    """Each option, alone and at any alignment."""
    octets = option.emit()
    assert len(octets) == option.compute_size()
    for shift in range(4):
        found = walk(b"\1" * shift + octets)
        assert found == (NOP,) * shift + (option,)


@pytest.mark.clause("R9293-3.1-05", "R9293-3.1-10")
@pytest.mark.parametrize(
    ("option", "octets"),
    [
        (MaximumSegmentSize(1460), "020405b4"),
        (WindowScale(7), "030307"),
        (SackPermitted(), "0402"),
        (Sack(((1, 2), (0xFFFFFFFF, 0))), "051200000001 00000002 ffffffff 00000000"),
        (Timestamps(0x01020304, 0xF1F2F3F4), "080a01020304f1f2f3f4"),
        (FastOpen(b""), "2202"),
        (FastOpen(b"abcdefgh"), "220a6162636465666768"),
        (Unknown(253, b"\xf9\x89"), "fd04f989"),
    ],
)
def test_known_octets(option: Option, octets: str) -> None:
    """RFC 9293 §3.2, RFC 7323 §2.2 and §3.2, RFC 2018 §2 and §3, RFC 7413 §4.1.1."""
    assert option.emit() == bytes.fromhex(octets)
    assert walk(bytes.fromhex(octets)) == (option,)


@pytest.mark.clause("R9293-3.1-07")
def test_unknown_options_are_skipped_by_their_length() -> None:
    """What follows them is read."""
    assert walk(bytes.fromhex("fe05010203 0402")) == (Unknown(254, b"\1\2\3"), SackPermitted())


@pytest.mark.clause("R9293-3.1-08")
@pytest.mark.parametrize("rest", ["0800", "0801", "08", "080a010203", "1e", "1e00", "1e0c00", "fe03"])
def test_bad_lengths_do_no_damage(rest: str) -> None:
    """What came before holds, what cannot be walked is kept, nothing is raised."""
    octets = bytes.fromhex("020405b4" + rest)
    assert walk(octets) == (MaximumSegmentSize(1460), Leftover(bytes.fromhex(rest)))


@pytest.mark.clause("R9293-3.1-08")
@pytest.mark.parametrize(
    ("kind", "lengths"),
    [
        (2, [2, 3, 5]),
        (3, [2, 4]),
        (4, [3, 4]),
        (5, [2, 9, 11, 17, 33, 35]),
        (8, [2, 9, 11, 12]),
        (34, [3, 4, 5, 7, 17, 19, 20]),
    ],
)
def test_known_kinds_of_another_length_are_unknown(kind: int, lengths: list[int]) -> None:
    """They say nothing, do no harm, and go out as they came."""
    for length in lengths:
        octets = bytes([kind, length]) + bytes(range(length - 2))
        found = walk(octets)
        assert found == (Unknown(kind, octets[2:]),)
        assert found[0].emit() == octets


@pytest.mark.clause("R9293-3.1-11")
def test_the_end_and_what_lies_behind_it() -> None:
    """Padding stays as it came; zero is what we send."""
    assert walk(b"\0\0\0\0") == (EndOfList(b"\0\0\0"),)
    assert walk(b"\1\0\2\4") == (NOP, EndOfList(b"\2\4"))
    assert walk(b"\1\1\1\0") == (NOP, NOP, NOP, END)
    assert emit_options((SackPermitted(),)) == b"\4\2\0\0"


@pytest.mark.clause("R7323-2.3-02")
@pytest.mark.parametrize("shift", [15, 100, 255])
def test_a_larger_shift_counts_as_fourteen(shift: int) -> None:
    """RFC 7323 §2.3."""
    assert walk(bytes([3, 3, shift])) == (WindowScale(14),)


USUAL = bytes.fromhex("0101080a0102030405060708")


@given(st.binary(max_size=40), st.sampled_from([0, SYN, ACK, SYN | ACK, 0xFF]), st.sampled_from([0, 1]))
@example(bytes.fromhex("1e082001"), ACK, 1)
@example(bytes.fromhex("1e0820010000000101 01"), ACK, 1)
@example(bytes.fromhex("1e01"), ACK, 1)
@example(bytes.fromhex("1e000101"), ACK, 1)
@example(bytes.fromhex("1e020101"), ACK, 1)
@example(bytes.fromhex("1e020001"), ACK, 1)
@example(bytes.fromhex("1e02"), ACK, 1)
@example(bytes.fromhex("1e030101"), ACK, 1)
def test_at_a_glance_is_one_after_the_other(rest: bytes, flags: int, version: int) -> None:
    """The fast path and the walk agree, with the usual timestamps in front and without."""
    for octets in (rest, (USUAL + rest)[:40], (USUAL + b"\x1e" + rest)[:40], (USUAL + rest)[:38] + b"\1\1"):
        packet = b"before" + octets + b"after"
        end = 6 + len(octets)
        assert parse_options(packet, 6, end, flags, version) == walk_options(packet, 6, end, flags, version)


@given(st.binary(max_size=40), strategies.u8, st.sampled_from([0, 1]))
def test_any_octets_are_options_that_add_up(octets: bytes, flags: int, version: int) -> None:
    """Nothing is raised, and as many octets go out as came in."""
    found = walk(octets, flags, version)
    assert sum(option.compute_size() for option in found) == len(octets)
    for option in found:
        assert len(option.emit()) == option.compute_size()


def test_values_cannot_be_misspelled() -> None:
    """Refused: numbers out of range, lengths that do not exist."""
    for make in (
        lambda: MaximumSegmentSize(65_536),
        lambda: MaximumSegmentSize(-1),
        lambda: WindowScale(15),
        lambda: WindowScale(-1),
        lambda: Sack(()),
        lambda: Sack(((1, 2),) * 5),
        lambda: Sack(((1, 1 << 32),)),
        lambda: Timestamps(1 << 32, 0),
        lambda: Timestamps(0, -1),
        lambda: FastOpen(b"ab"),
        lambda: FastOpen(b"abcde"),
        lambda: FastOpen(bytes(18)),
        lambda: Unknown(0, b""),
        lambda: Unknown(1, b""),
        lambda: Unknown(256, b""),
        lambda: Unknown(6, bytes(39)),
        lambda: Leftover(b""),
        lambda: Leftover(bytes(41)),
        lambda: Leftover(b"\1\0"),
        lambda: Leftover(b"\4\2\1"),
        lambda: emit_options((Sack(((1, 2),) * 4), Timestamps(1, 2))),
    ):
        with pytest.raises(Refused):
            make()
