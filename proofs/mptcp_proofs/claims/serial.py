"""The circle of sequence numbers (RFC 9293 §3.4)."""

from typing import Annotated, TypeAlias

from mptcp.numbers import HALF_32, MASK_32, add, after, before, distance
from mptcp_proofs.claim import Between, assume, reach
from mptcp_proofs.claims.domains import Word
from mptcp_proofs.theorem import Mutant, Theorem

Step: TypeAlias = Annotated[int, Between(1, HALF_32 - 1)]


def forward(a: Word, n: Step) -> bool:
    """Less than half the space ahead is ahead, and at that distance."""
    b = add(a, n)
    if b < a:
        reach("a wrap")
    return 0 <= b <= MASK_32 and before(a, b) and after(b, a) and distance(a, b) == n


def backward(a: Word, n: Step) -> bool:
    """Less than half the space behind is not ahead, nor is the number itself."""
    return not before(add(a, n), a) and not after(a, add(a, n)) and not before(a, a) and not after(a, a)


def ordered(a: Word, b: Word) -> bool:
    """Of two numbers that are neither the same nor opposite, one precedes the other and not the reverse."""
    assume(a != b and distance(a, b) != HALF_32)
    return before(a, b) != before(b, a)


def opposite(a: Word) -> bool:
    """Opposite numbers do not precede each other."""
    return not before(a, add(a, HALF_32)) and not before(add(a, HALF_32), a)


def mirrored(a: Word, b: Word) -> bool:
    """What precedes is followed."""
    return before(a, b) == after(b, a)


def transitive(a: Word, near: Step, far: Step) -> bool:
    """Order is transitive as long as all lies within half the space."""
    assume(near + far < HALF_32)
    return (
        before(a, add(a, near))
        and before(add(a, near), add(add(a, near), far))
        and before(a, add(a, near + far))
    )


def transitive_everywhere(a: Word, b: Word, c: Word) -> bool:
    """Order is transitive wherever the numbers lie."""
    assume(before(a, b) and before(b, c))
    return before(a, c)


def total(a: Word, b: Word) -> bool:
    """Of any two numbers that differ one precedes the other."""
    assume(a != b)
    return before(a, b) or before(b, a)


NUMBERS = "mptcp/numbers.py"
BEFORE = "return 0 < ((b - a) & MASK_32) < HALF_32"

THEOREMS = (
    Theorem(
        id="T11",
        name="serial-order",
        words="Of 32-bit numbers, one precedes another when it is less than half the space behind:"
        " antisymmetric,"
        " total but for opposite numbers, transitive inside half the space and not beyond.",
        sections="RFC 9293 §3.4",
        clauses=("R9293-3.4-05",),
        bounds="All 32-bit numbers.",
        claims=(forward, backward, ordered, opposite, mirrored, transitive),
        refuted=(transitive_everywhere, total),
        goals=("a wrap",),
        mutants=(
            Mutant(NUMBERS, BEFORE, "return a < b", "utcp 0.0.3: sequence numbers compared as plain numbers"),
            Mutant(NUMBERS, BEFORE, "return 0 < ((b - a) & MASK_32) <= HALF_32"),
            Mutant(NUMBERS, BEFORE, "return 0 <= ((b - a) & MASK_32) < HALF_32"),
            Mutant(NUMBERS, "return 0 < ((a - b) & MASK_32) < HALF_32", "return a > b"),
            Mutant(NUMBERS, "return (sequence + step) & MASK_32", "return sequence + step"),
            Mutant(NUMBERS, "return (later - earlier) & MASK_32", "return later - earlier"),
        ),
        unclaimed="That the protocol compares only numbers that lie within half the space.",
    ),
)
