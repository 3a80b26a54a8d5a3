"""Numbers in octets: the helpers of wire/octets.py are what their names say."""

from typing import Annotated, TypeAlias

from librt.strings import BytesWriter

from mptcp.wire.octets import emit_16, emit_32, emit_64, u16, u32, u64, write_16, write_32, write_64
from mptcp_proofs.claim import Between, Octets, OneOf, reach
from mptcp_proofs.claims.domains import Double, Half, Word
from mptcp_proofs.theorem import Mutant, Theorem

Before: TypeAlias = Annotated[bytes, Octets(0, 3)]
Behind: TypeAlias = Annotated[bytes, Octets(0, 2)]
Signed: TypeAlias = Annotated[int, Between(-(1 << 63), (1 << 63) - 1)]


def u16_reads(before: Before, octets: Annotated[bytes, Octets(2)], behind: Behind) -> bool:
    """u16 is the big-endian number in two octets, wherever they stand."""
    return u16(before + octets + behind, len(before)) == int.from_bytes(octets, "big")


def u32_reads(before: Before, octets: Annotated[bytes, Octets(4)], behind: Behind) -> bool:
    """u32 is the big-endian number in four octets, wherever they stand."""
    return u32(before + octets + behind, len(before)) == int.from_bytes(octets, "big")


def u64_reads(before: Before, octets: Annotated[bytes, Octets(8)], behind: Behind) -> bool:
    """u64 is the big-endian number in eight octets, wherever they stand."""
    number = u64(before + octets + behind, len(before))
    if number >> 63:
        reach("a number that a signed word cannot hold")
    return number == int.from_bytes(octets, "big")


def never_reads_beyond(
    size: Annotated[int, OneOf(2, 4, 8)],
    octets: Annotated[bytes, Octets(0, 9)],
    at: Annotated[int, OneOf(0, 1, 2, 9)],
) -> bool:
    """A number that is not all there is an IndexError."""
    read = {2: u16, 4: u32, 8: u64}[size]
    try:
        read(octets, at)
    except IndexError:
        reach("cut short")
        return at + size > len(octets)
    return at + size <= len(octets)


def emits(half: Half, word: Word, double: Double) -> bool:
    """emit_16, emit_32 and emit_64 are what u16, u32 and u64 read."""
    return (
        u16(emit_16(half), 0) == half and u32(emit_32(word), 0) == word and u64(emit_64(double), 0) == double
    )


def writes(before: Before, number: Signed) -> bool:
    """write_16 and write_32 put the lower bits of a machine's number behind what is there."""
    writer = BytesWriter()
    writer.write(before)
    write_16(writer, number)
    write_32(writer, number)
    octets = writer.getvalue()
    at = len(before)
    if number < 0:
        reach("a negative number")
    return (
        len(octets) == at + 6
        and octets[:at] == before
        and int.from_bytes(octets[at : at + 2], "big") == number & 0xFFFF
        and int.from_bytes(octets[at + 2 :], "big") == number & 0xFFFFFFFF
    )


def writes_64(before: Before, number: Double) -> bool:
    """write_64 puts a number behind what is there."""
    writer = BytesWriter()
    writer.write(before)
    write_64(writer, number)
    octets = writer.getvalue()
    if number >> 62:
        reach("a number of many pieces")
    return octets[: len(before)] == before and int.from_bytes(octets[len(before) :], "big") == number


THEOREMS = (
    Theorem(
        id="T0",
        name="numbers-in-octets",
        words="Reading and writing 16, 32 and 64 bits is big-endian, exact for every value, and stays inside"
        " the octets. All other theorems use these helpers by their meaning, which this one proves.",
        sections="RFC 9293 §3.1",
        clauses=(),
        bounds="Up to 13 octets; numbers to write of 64 bits, with a sign or, the whole of them, without.",
        claims=(u16_reads, u32_reads, u64_reads, never_reads_beyond, emits, writes, writes_64),
        goals=(
            "a number that a signed word cannot hold",
            "cut short",
            "a negative number",
            "a number of many pieces",
        ),
        mutants=(
            Mutant("mptcp/wire/octets.py", "number & MASK_16\n\n\ndef u32", "number\n\n\ndef u32"),
            Mutant("mptcp/wire/octets.py", "return number & MASK_32", "return number & 0x7FFFFFFF"),
            Mutant("mptcp/wire/octets.py", "octets[at] & 0x80", "octets[at] & 0x40"),
            Mutant("mptcp/wire/octets.py", "0x1_0000_0000_0000_0000", "0x8000_0000_0000_0000"),
            Mutant("mptcp/wire/octets.py", "((number & MASK_16) ^ HALF_16) - HALF_16", "number & 0x7FFF"),
            Mutant("mptcp/wire/octets.py", "((number & MASK_32) ^ HALF_32) - HALF_32", "number & 0x7FFFFFFF"),
            Mutant("mptcp/wire/octets.py", "bit_length() <= 62", "bit_length() <= 64"),
            Mutant("mptcp/wire/octets.py", "write_i64_be(writer, number)", "write_i64_be(writer, 1)"),
        ),
        unclaimed="That librt's own readers and writers, written in C, are as modelled: tests compare them.",
        is_octets_summed_up=False,
    ),
)
