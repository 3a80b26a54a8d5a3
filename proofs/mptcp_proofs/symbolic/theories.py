"""Two ways of writing Python's integers for z3.

``Bits``: two's complement, each number just wide enough for its interval, so that nothing ever wraps;
every operation can be written. ``Line``: unbounded integers and linear arithmetic; masks become
remainders and shifts divisions, and bit operations that are not arithmetic leak.
"""

from typing import Any

import z3

from mptcp_proofs.symbolic.integers import Leak, SymInt, Term, count_zeros, is_mask


class Logic:
    """The connectives."""

    def __getattr__(self, name: str) -> Any:
        raise Leak(f"the connective {name}")

    def negate(self, term: Term) -> Term:
        """Not."""
        return z3.Not(term)

    def iff(self, left: Term, right: Term) -> Term:
        """Equal."""
        return left == right

    def xor(self, left: Term, right: Term) -> Term:
        """Unequal."""
        return left != right


# `and` and `or` are words of Python and cannot be the names of methods in a class body.
setattr(Logic, "and", lambda _, left, right: z3.And(left, right))
setattr(Logic, "or", lambda _, left, right: z3.Or(left, right))


def compute_width(low: int, high: int) -> int:
    """Bits of two's complement that hold all of ``low`` … ``high``."""
    return max(one.bit_length() if one >= 0 else (~one).bit_length() for one in (low, high)) + 1


class Bits:
    """Two's complement, of the width that the interval of each number needs."""

    def constant(self, value: int) -> Term:
        """A number that is known."""
        return z3.BitVecVal(value, compute_width(value, value))

    def variable(self, name: str, low: int, high: int) -> tuple[Term, Term | None]:
        """An input, and what must be assumed for it to stay in its interval."""
        if low == 0 and is_mask(high):
            return z3.ZeroExt(1, z3.BitVec(name, high.bit_length())), None
        term = z3.BitVec(name, compute_width(low, high))
        return term, z3.And(term >= low, term <= high)

    def choose(self, truth: Term) -> Term:
        """1 if ``truth``, else 0."""
        return z3.If(truth, z3.BitVecVal(1, 2), z3.BitVecVal(0, 2))

    def value(self, constant: Term) -> int:
        """The number that a constant term is."""
        value, size = int(constant.as_long()), int(constant.size())
        return value - (1 << size) if value >> size - 1 else value

    def is_constant(self, term: Term) -> bool:
        """Whether a term is a constant."""
        return bool(z3.is_bv_value(term))

    def constant_like(self, term: Term, value: int) -> Term:
        """``value`` in the shape of ``term``."""
        return z3.BitVecVal(value, term.size())

    def at(self, number: SymInt, width: int) -> Term:
        """The same number, ``width`` bits wide."""
        return resize(number.term, width)

    def pair(self, left: SymInt, right: SymInt, low: int, high: int) -> tuple[Term, Term, int]:
        """Both numbers at a width where neither they nor the result wrap, and that of the result."""
        width = compute_width(low, high)
        least = max(compute_width(left.low, left.high), compute_width(right.low, right.high), width)
        return resize(left.term, least), resize(right.term, least), width

    def add(self, left: SymInt, right: SymInt, low: int, high: int) -> Term:
        """The sum."""
        a, b, width = self.pair(left, right, low, high)
        return resize(a + b, width)

    def subtract(self, left: SymInt, right: SymInt, low: int, high: int) -> Term:
        """The difference."""
        a, b, width = self.pair(left, right, low, high)
        return resize(a - b, width)

    def multiply(self, left: SymInt, right: SymInt, low: int, high: int) -> Term:
        """The product."""
        a, b, width = self.pair(left, right, low, high)
        return resize(a * b, width)

    def shift_left(self, left: SymInt, count: int, low: int, high: int) -> Term:
        """``count`` zeros at the right."""
        if count == 0:
            return left.term
        return resize(z3.Concat(left.term, z3.BitVecVal(0, count)), compute_width(low, high))

    def shift_right(self, left: SymInt, count: int, low: int, high: int) -> Term:
        """Without the last ``count`` bits."""
        size = left.term.size()
        kept = z3.Extract(size - 1, min(count, size - 1), left.term)
        return z3.simplify(resize(kept, compute_width(low, high)))

    def divide(self, left: SymInt, right: SymInt, low: int, high: int) -> Term:
        """The quotient, rounded down; ``right`` is positive."""
        a, b, width = self.pair(left, right, min(low, left.low), max(high, left.high))
        if left.low >= 0:
            return resize(z3.UDiv(a, b), compute_width(low, high))
        return resize(z3.If(z3.SRem(a, b) < 0, a / b - 1, a / b), compute_width(low, high))

    def remain(self, left: SymInt, right: SymInt, low: int, high: int) -> Term:
        """What the rounded-down quotient leaves; ``right`` is positive."""
        a, b, _ = self.pair(left, right, low, high)
        if left.low >= 0:
            return resize(z3.URem(a, b), compute_width(low, high))
        rest = z3.SRem(a, b)
        return resize(z3.If(rest < 0, rest + b, rest), compute_width(low, high))

    def both(self, left: SymInt, right: SymInt, low: int, high: int) -> Term:
        """The bits that both have."""
        width = compute_width(low, high)
        if right.low == right.high and is_mask(right.low):
            bits = right.low.bit_length()
            kept = z3.Extract(bits - 1, 0, resize(left.term, max(bits, left.term.size())))
            return z3.simplify(resize(z3.ZeroExt(1, kept), width))
        a, b, _ = self.pair(left, right, low, high)
        return z3.simplify(resize(a & b, width))

    def any(self, left: SymInt, right: SymInt, low: int, high: int) -> Term:
        """The bits that either has."""
        a, b, width = self.pair(left, right, low, high)
        return resize(a | b, width)

    def odd(self, left: SymInt, right: SymInt, low: int, high: int) -> Term:
        """The bits that one of them has."""
        a, b, width = self.pair(left, right, low, high)
        return resize(a ^ b, width)

    def less(self, left: SymInt, right: SymInt) -> Term:
        """Whether the one is smaller."""
        a, b, _ = self.pair(left, right, 0, 0)
        return a < b

    def equal(self, left: SymInt, right: SymInt) -> Term:
        """Whether they are the same."""
        a, b, _ = self.pair(left, right, 0, 0)
        return a == b

    def join(self, octets: list[SymInt]) -> Term:
        """The number that these octets are, big-endian."""
        parts = [z3.Extract(7, 0, resize(one.term, 9)) for one in octets]
        return z3.simplify(z3.ZeroExt(1, z3.Concat(*parts) if len(parts) > 1 else parts[0]))


def resize(term: Term, width: int) -> Term:
    """A term of two's complement with ``width`` bits."""
    size = term.size()
    if size == width:
        return term
    return z3.SignExt(width - size, term) if size < width else z3.Extract(width - 1, 0, term)


class Line:
    """Unbounded integers."""

    def constant(self, value: int) -> Term:
        """A number that is known."""
        return z3.IntVal(value)

    def variable(self, name: str, low: int, high: int) -> tuple[Term, Term | None]:
        """An input, and what must be assumed for it to stay in its interval."""
        term = z3.Int(name)
        return term, z3.And(term >= low, term <= high)

    def choose(self, truth: Term) -> Term:
        """1 if ``truth``, else 0."""
        return z3.If(truth, z3.IntVal(1), z3.IntVal(0))

    def value(self, constant: Term) -> int:
        """The number that a constant term is."""
        return int(constant.as_long())

    def is_constant(self, term: Term) -> bool:
        """Whether a term is a constant."""
        return bool(z3.is_int_value(term))

    def constant_like(self, term: Term, value: int) -> Term:
        """``value`` in the shape of ``term``."""
        return z3.IntVal(value)

    def add(self, left: SymInt, right: SymInt, low: int, high: int) -> Term:
        """The sum."""
        return left.term + right.term

    def subtract(self, left: SymInt, right: SymInt, low: int, high: int) -> Term:
        """The difference."""
        return left.term - right.term

    def multiply(self, left: SymInt, right: SymInt, low: int, high: int) -> Term:
        """The product."""
        return left.term * right.term

    def shift_left(self, left: SymInt, count: int, low: int, high: int) -> Term:
        """Times a power of two."""
        return left.term * (1 << count)

    def shift_right(self, left: SymInt, count: int, low: int, high: int) -> Term:
        """Divided by a power of two; z3 rounds down, as Python does."""
        return left.term / (1 << count)

    def divide(self, left: SymInt, right: SymInt, low: int, high: int) -> Term:
        """The quotient, rounded down; ``right`` is positive."""
        return left.term / right.term

    def remain(self, left: SymInt, right: SymInt, low: int, high: int) -> Term:
        """What the rounded-down quotient leaves; ``right`` is positive."""
        return left.term % right.term

    def both(self, left: SymInt, right: SymInt, low: int, high: int) -> Term:
        """The bits that both have, where that is a remainder."""
        if right.low == right.high:
            mask = right.low
            zeros = count_zeros(mask)
            if is_mask(mask >> zeros):
                return left.term / (1 << zeros) % ((mask >> zeros) + 1) * (1 << zeros)
            if mask < 0 and is_mask(~mask):
                return left.term - left.term % (~mask + 1)
        raise Leak("a bit operation that is not arithmetic")

    def any(self, left: SymInt, right: SymInt, low: int, high: int) -> Term:
        """The bits that either has, where that is a sum."""
        if fits(left, right) or fits(right, left):
            return left.term + right.term
        raise Leak("a bit operation that is not arithmetic")

    def odd(self, left: SymInt, right: SymInt, low: int, high: int) -> Term:
        """The bits that one of them has, where that is a sum."""
        return self.any(left, right, low, high)

    def less(self, left: SymInt, right: SymInt) -> Term:
        """Whether the one is smaller."""
        return left.term < right.term

    def equal(self, left: SymInt, right: SymInt) -> Term:
        """Whether they are the same."""
        return left.term == right.term

    def join(self, octets: list[SymInt]) -> Term:
        """The number that these octets are, big-endian."""
        term = octets[0].term
        for one in octets[1:]:
            term = term * 256 + one.term
        return term


def fits(small: SymInt, large: SymInt) -> bool:
    """Whether ``small`` only has bits where ``large`` has zeros."""
    return small.low >= 0 and large.zeros > 0 and small.high < 1 << large.zeros
