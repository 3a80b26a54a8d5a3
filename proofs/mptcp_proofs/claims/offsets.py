"""From circles to lines and back: wire numbers and offsets (RFC 8684 §3.3.1, RFC 9293 §3.4)."""

from typing import Annotated, TypeAlias

from mptcp.numbers import (
    HALF_32,
    HALF_64,
    MASK_32,
    MASK_64,
    add,
    after,
    before,
    compute_offset_32,
    compute_offset_64,
    compute_signed_32,
    compute_signed_64,
    compute_wire_32,
    compute_wire_64,
    distance,
)
from mptcp_proofs.claim import Between, assume, reach
from mptcp_proofs.claims.domains import Double, Offset, Word
from mptcp_proofs.theorem import Mutant, Theorem

LONGEST = 1 << 62
Span: TypeAlias = Annotated[int, Between(-LONGEST, LONGEST)]
Wide: TypeAlias = Annotated[int, Between(-(1 << 65), 1 << 65)]


# -- 12: from 32 bits to all of them --------------------------------------------------------------


def expands(initial: Double, true: Offset, near: Offset) -> bool:
    """Of 32 bits of a DSN or Data ACK the true offset comes back exactly when it is near enough."""
    number = compute_wire_64(initial, true) & MASK_32
    found = compute_offset_32(initial & MASK_32, number, near)
    is_near = -HALF_32 <= true - near < HALF_32
    if is_near and (true ^ near) >> 32:
        reach("the lower half has wrapped since")
    return (found == true) == is_near


def expands_subflow(initial: Word, true: Offset, near: Offset) -> bool:
    """Likewise a TCP number, which has no more than 32 bits."""
    found = compute_offset_32(initial, compute_wire_32(initial, true), near)
    return (found == true) == (-HALF_32 <= true - near < HALF_32)


def nearest(initial: Word, number: Word, near: Offset) -> bool:
    """Whatever the number, what comes out has that number and lies nearest."""
    found = compute_offset_32(initial, number, near)
    return (initial + found) & MASK_32 == number and -HALF_32 <= found - near < HALF_32


# -- 13: the expansion that one would write first -------------------------------------------------


def expand_naively(low: int, near: int) -> int:
    """The upper half of ``near``, one more when the lower half went down."""
    upper = near >> 32
    return (upper + (1 if low < near & MASK_32 else 0)) << 32 | low


def naive_in_order(near: Offset, step: Annotated[int, Between(0, HALF_32)]) -> bool:
    """The naive expansion is right for data that never comes late."""
    return expand_naively((near + step) & MASK_32, near) == near + step


def naive(near: Annotated[int, Between(0, 1 << 32)], late: Annotated[int, Between(1, 1)]) -> bool:
    """The naive expansion is right for data that is one octet late."""
    assume(near >= late)
    return expand_naively((near - late) & MASK_32, near) == near - late


def guarded(near: Offset, late: Annotated[int, Between(0, HALF_32)]) -> bool:
    """Ours is right for data that is up to half the space late."""
    assume(near >= late)
    return compute_offset_32(0, (near - late) & MASK_32, near) == near - late


# -- 14: the circle is the line, seen through a window --------------------------------------------


def comparing_commutes(initial: Word, a: Offset, b: Offset) -> bool:
    """Within half the space, numbers are ordered as their offsets are."""
    assume(-HALF_32 < a - b < HALF_32)
    one, other = compute_wire_32(initial, a), compute_wire_32(initial, b)
    return before(one, other) == (a < b) and after(one, other) == (a > b)


def stepping_commutes(initial: Word, a: Offset, step: Offset) -> bool:
    """A step on the line is a step on the circle, and its length modulo 2**32 can be read there."""
    one, other = compute_wire_32(initial, a), compute_wire_32(initial, a + step)
    return add(one, step) == other and distance(one, other) == step & MASK_32


def widths_agree(initial: Double, offset: Offset) -> bool:
    """The 32-bit form of a DSN is the lower half of its 64-bit form."""
    return compute_wire_32(initial & MASK_32, offset) == compute_wire_64(initial, offset) & MASK_32


def whole_numbers_return(initial: Double, offset: Span) -> bool:
    """64 bits are kept whole: the offset comes back, negative ones too."""
    number = compute_wire_64(initial, offset)
    if number < initial and offset > 0:
        reach("a DSN beyond 2**64")
    return 0 <= number <= MASK_64 and compute_offset_64(initial, number) == offset


def signed(number: Span, wide: Wide) -> bool:
    """The signed residues are those residues, in their intervals."""
    half, whole = compute_signed_32(number), compute_signed_64(wide)
    return (
        (half - number) & MASK_32 == 0
        and -HALF_32 <= half < HALF_32
        and (whole - wide) % (1 << 64) == 0
        and -HALF_64 <= whole < HALF_64
    )


# -- 15: when 32 bits are enough ------------------------------------------------------------------


def unambiguous(
    initial: Double, low: Offset, span: Annotated[int, Between(1, HALF_32)], here: Offset, near: Offset
) -> bool:
    """While no more than 2**31 octets can be on their way or come again, 32 bits tell which one it is."""
    assume(low <= here < low + span and low <= near <= low + span)
    number = compute_wire_64(initial, here) & MASK_32
    return compute_offset_32(initial & MASK_32, number, near) == here


def ambiguous(initial: Double, low: Offset, span: Annotated[int, Between(HALF_32 + 1, LONGEST)]) -> bool:
    """One octet more, and the oldest one that may come again is taken for another."""
    number = compute_wire_64(initial, low) & MASK_32
    return compute_offset_32(initial & MASK_32, number, low + span) != low


NUMBERS = "mptcp/numbers.py"
EXPAND = "return near + compute_signed_32(number - initial - near)"
WRAPPED = "net-next #204: after a wrap of the 32-bit acknowledgment nothing moves any more"

THEOREMS = (
    Theorem(
        id="T12",
        name="expansion",
        words="A 32-bit DSN, Data ACK or TCP number gives back its 64-bit offset if and only if that"
        " lies within"
        " [-2**31, 2**31) of the reference.",
        sections="RFC 8684 §3.3.1",
        clauses=("R8684-3.3.1-28", "R8684-3.3.1-24", "R8684-3.3.2-03"),
        bounds="All initial numbers; offsets below 2**62.",
        claims=(expands, expands_subflow, nearest),
        goals=("the lower half has wrapped since",),
        mutants=(
            Mutant(NUMBERS, EXPAND, "return (near >> 32 << 32) + ((number - initial) & MASK_32)", WRAPPED),
            Mutant(NUMBERS, EXPAND, "return (number - initial) & MASK_32"),
            Mutant(NUMBERS, EXPAND, "return near + ((number - initial - near) & MASK_32)"),
            Mutant(NUMBERS, EXPAND, "return near + compute_signed_32(number - near)"),
            Mutant(
                NUMBERS,
                "((number + HALF_32) & MASK_32) - HALF_32",
                "((number + HALF_32 - 1) & MASK_32) - HALF_32",
            ),
        ),
        unclaimed="That a peer's numbers are near: a sender that breaks R8684-3.3.1-26 is misread.",
    ),
    Theorem(
        id="T13",
        name="naive-expansion",
        words="To count the upper half up whenever the lower half goes down is right in order, and"
        " wrong as soon as"
        " a single octet comes late.",
        sections="RFC 8684 §3.3.1",
        clauses=("R8684-3.3.1-29",),
        bounds="Offsets below 2**62; data up to 2**31 octets ahead or late.",
        claims=(naive_in_order, guarded),
        refuted=(naive,),
        goals=(),
        mutants=(
            Mutant(
                NUMBERS,
                EXPAND,
                "return ((near >> 32) + (1 if number < near & MASK_32 else 0)) << 32 | number",
            ),
        ),
        unclaimed="Nothing about other expansions than these two.",
    ),
    Theorem(
        id="T14",
        name="lines-and-circles",
        words="Every modular comparison, step and distance is that of the unbounded offsets, as long"
        " as they lie"
        " within half the space: what is shown of offsets holds on the wire.",
        sections="RFC 9293 §3.4, RFC 8684 §3.3.1",
        clauses=("R8684-3.3.1-22", "R9293-3.4-05"),
        bounds="All initial numbers; offsets below 2**62.",
        claims=(comparing_commutes, stepping_commutes, widths_agree, whole_numbers_return, signed),
        goals=("a DSN beyond 2**64",),
        mutants=(
            Mutant(
                NUMBERS, "    return (initial + offset) & MASK_32", "    return initial + offset & 0x7FFFFFFF"
            ),
            Mutant(NUMBERS, "    return (initial + offset) & MASK_64", "    return initial + offset"),
            Mutant(NUMBERS, "return compute_signed_64(number - initial)", "return number - initial"),
            Mutant(
                NUMBERS,
                "return compute_signed_64(number - initial)",
                "return compute_signed_32(number - initial)",
                WRAPPED,
            ),
            Mutant(NUMBERS, "((number + HALF_64) & MASK_64) - HALF_64", "(number & MASK_64) - HALF_64"),
            Mutant(NUMBERS, "return 0 < ((b - a) & MASK_32) < HALF_32", "return a < b"),
        ),
        unclaimed="Nothing of offsets that are half the space or more apart.",
    ),
    Theorem(
        id="T15",
        name="narrow-numbers",
        words="32-bit DSNs are unambiguous if and only if at most 2**31 octets can be under way or"
        " be replayed:"
        " what a sender has to see to.",
        sections="RFC 8684 §3.3.1",
        clauses=("R8684-3.3.1-26", "R8684-3.3.1-23"),
        bounds="All initial numbers; offsets below 2**62; the receiver anywhere in the span.",
        claims=(unambiguous, ambiguous),
        goals=(),
        mutants=(
            Mutant(
                NUMBERS,
                "((number + HALF_32) & MASK_32) - HALF_32",
                "((number + HALF_32 + 1) & MASK_32) - HALF_32 - 1",
            ),
            Mutant(NUMBERS, EXPAND, "return (near >> 32 << 32) + ((number - initial) & MASK_32)"),
        ),
        unclaimed="That our sender keeps to it: it always sends 64 bits.",
    ),
)
