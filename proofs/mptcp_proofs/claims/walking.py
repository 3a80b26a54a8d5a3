"""The walk over the option area (RFC 9293 §3.1-3.2)."""

from typing import Annotated

from mptcp.parameters import MPTCP_OPTION
from mptcp.wire.options import (
    END_OF_LIST,
    NO_OPERATION,
    NOP,
    EndOfList,
    Leftover,
    Option,
    Unknown,
)
from mptcp.wire.options import parse as parse_plain
from mptcp.wire.segment import parse_multipath, parse_options, walk_options
from mptcp_proofs.claim import Octets, OneOf, assume, reach
from mptcp_proofs.claims.domains import Bit, Byte
from mptcp_proofs.theorem import Mutant, Theorem

USUAL = bytes((1, 1, 8, 10))  # NOP, NOP, timestamps: RFC 7323 appendix A


def opaque_multipath(packet: bytes, at: int, length: int, flags: int, version: int) -> Option:
    """An MPTCP option that nobody looked into; in place of parse_multipath while proving."""
    return Unknown(MPTCP_OPTION, packet[at + 2 : at + length])


def opaque_plain(packet: bytes, at: int, length: int) -> Option:
    """An option of plain TCP that nobody looked into; in place of options.parse while proving."""
    return Unknown(packet[at], packet[at + 2 : at + length])


def walk_by_the_book(area: bytes, flags: int, version: int) -> tuple[Option, ...]:
    """RFC 9293 §3.1, one option at a time, each read from its own octets alone."""
    if len(area) == 0:
        return ()
    kind = area[0]
    if kind == END_OF_LIST:
        return (EndOfList(area[1:]),)
    if kind == NO_OPERATION:
        return (NOP, *walk_by_the_book(area[1:], flags, version))
    if len(area) == 1 or area[1] < 2 or area[1] > len(area):
        reach("octets that cannot be walked")
        return (Leftover(area),)
    length = int(area[1])
    option = area[:length]
    if kind == MPTCP_OPTION:
        first = parse_multipath(option, 0, length, flags, version)
    else:
        first = parse_plain(option, 0, length)
    return (first, *walk_by_the_book(area[length:], flags, version))


def walks(
    before: Annotated[bytes, Octets(1)],
    area: Annotated[bytes, Octets(0, 7)],
    behind: Annotated[bytes, Octets(1)],
    flags: Byte,
    version: Bit,
) -> bool:
    """The walk ends, finds what the book says, and looks at nothing else."""
    book = walk_by_the_book(area, flags, version)
    start = len(before)
    return walk_options(before + area + behind, start, start + len(area), flags, version) == book


def walks_far(area: Annotated[bytes, Octets(9, 40)], flags: Byte, version: Bit) -> bool:
    """Likewise an area of up to 40 octets in which the first option leaves at most one."""
    assume(area[0] > NO_OPERATION)
    assume(area[1] < 2 or area[1] + 1 >= len(area))
    book = walk_by_the_book(area, flags, version)
    if area[1] == 40:
        reach("one option of 40 octets")
    return walk_options(area, 0, len(area), flags, version) == book


def loses_nothing(area: Annotated[bytes, Octets(0, 7)], flags: Byte, version: Bit) -> bool:
    """What was found, written one behind the other, is the area again."""
    again = b""
    for option in walk_options(area, 0, len(area), flags, version):
        again = again + option.emit()
    return again == area


def at_a_glance(
    numbers: Annotated[bytes, Octets(8)],
    kind: Annotated[bytes, OneOf(b"", bytes((MPTCP_OPTION,)), b"\1", b"\0", b"\xfd")],
    rest: Annotated[bytes, Octets(0, 27)],
    flags: Byte,
    version: Bit,
) -> bool:
    """The usual layout taken at a glance is what the walk finds."""
    if len(kind) == 0 or kind[0] <= NO_OPERATION:
        assume(len(rest) <= 4 - len(kind) if kind != b"" else len(rest) == 0)
    else:
        assume(len(rest) == 0 or rest[0] < 2 or rest[0] + 1 >= len(rest))
    area = USUAL + numbers + kind + rest
    walked = walk_options(area, 0, len(area), flags, version)
    found = parse_options(area, 0, len(area), flags, version)
    if len(found) == 6:
        reach("two NOPs behind")
    return found == walked


SEGMENT = "mptcp/wire/segment.py"

THEOREMS = (
    Theorem(
        id="T6",
        name="walk",
        words="The walk over the options ends, takes NOPs and the end of the list, keeps what it"
        " cannot walk on (a length"
        " of 0, 1 or too much) without harm, reads each option from its own octets; nothing is lost.",
        sections="RFC 9293 §3.1-3.2",
        clauses=(
            "R9293-3.1-05",
            "R9293-3.1-06",
            "R9293-3.1-07",
            "R9293-3.1-08",
            "R9293-3.1-10",
            "R9293-3.1-11",
            "R9293-3.2-01",
        ),
        bounds="Any area of up to 7 octets; one of up to 40 whose first option leaves at most one.",
        claims=(walks, walks_far, loses_nothing),
        goals=("octets that cannot be walked", "one option of 40 octets"),
        mutants=(
            Mutant(SEGMENT, "if length < 2 or at + length > end", "if length < 1 or at + length > end"),
            Mutant(SEGMENT, "if length < 2 or at + length > end", "if length < 2 or at + length > end + 1"),
            Mutant(
                SEGMENT,
                "length = packet[at + 1] if at + 1 < end else 0",
                "length = packet[at + 1]",
                by="walks_far",
            ),
            Mutant(
                SEGMENT,
                "found.append(EndOfList(packet[at + 1 : end]) if at + 1 < end else END)\n            break",
                "found.append(EndOfList(packet[at + 1 : end]) if at + 1 < end else END)\n"
                "            at += 1\n            continue",
            ),
            Mutant(SEGMENT, "found.append(Leftover(packet[at:end]))\n            break", "break"),
        ),
        unclaimed="Nothing of longer areas of many small options: by the same loop, but not run.",
        assumes="While proving, single options are not looked into (T2 shows that each is read from"
        " its own octets):"
        " parse_multipath and options.parse give Unknown. Tests run the same claims with the real ones.",
        stubs={
            "mptcp.wire.segment:parse_multipath": "mptcp_proofs.claims.walking:opaque_multipath",
            "mptcp.wire.options:parse": "mptcp_proofs.claims.walking:opaque_plain",
        },
    ),
    Theorem(
        id="T6a",
        name="glance",
        words="The usual layout of options, timestamps and perhaps one MPTCP option, taken at a"
        " glance, is what the walk"
        " would find.",
        sections="RFC 9293 §3.1, RFC 7323 appendix A",
        clauses=("R9293-3.1-07", "R9293-3.1-08"),
        bounds="The usual timestamps and up to 28 octets, of which at most two follow the first option.",
        claims=(at_a_glance,),
        goals=("two NOPs behind",),
        mutants=(
            Mutant(
                SEGMENT,
                "if space == 14 + length and length >= 2 and u16(packet, end - 2) == TWO_NOPS",
                "if space == 14 + length and length >= 2",
            ),
            Mutant(SEGMENT, "if space < 16 or packet[at] != MPTCP_OPTION", "if space < 16"),
            Mutant(
                SEGMENT,
                "Timestamps(u32(packet, start + 4), u32(packet, start + 8))",
                "Timestamps(u32(packet, start + 8), u32(packet, start + 4))",
            ),
        ),
        unclaimed="Other layouts go to the walk itself.",
        assumes="While proving, MPTCP options are not looked into: parse_multipath gives Unknown."
        " Tests run the same"
        " claim with the real one.",
        stubs={"mptcp.wire.segment:parse_multipath": "mptcp_proofs.claims.walking:opaque_multipath"},
    ),
)
