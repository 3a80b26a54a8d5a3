"""Symbolic numbers and truth values that behave exactly like Python's, or refuse.

Each number knows an interval that it cannot leave, so that nothing wraps unless the code masks, and so
that most comparisons are decided without asking anybody. What cannot be followed exactly raises
``Leak``: no value is ever fixed in silence.
"""

from typing import Any, TypeAlias

from mptcp_proofs.symbolic import context

Term: TypeAlias = Any  # z3 has no types of its own


class Leak(Exception):
    """The code did what symbols cannot follow exactly."""


class SymBool:
    """A truth value that depends on the inputs; asking for it splits the path."""

    __slots__ = ("term",)

    def __init__(self, term: Term) -> None:
        self.term = term

    def __bool__(self) -> bool:
        return bool(context.current().branch(self.term))

    def __eq__(self, other: object) -> Any:
        if is_truth(other):
            return combine("iff", self, other)
        return calculate("equal", self, other) if is_number(other) else False

    def __ne__(self, other: object) -> Any:
        return negate(self == other)

    def __and__(self, other: object) -> Any:
        return combine("and", self, other) if is_truth(other) else NotImplemented

    def __or__(self, other: object) -> Any:
        return combine("or", self, other) if is_truth(other) else NotImplemented

    __rand__ = __and__
    __ror__ = __or__

    # as a number, 0 or 1

    def __add__(self, other: object) -> Any:
        return calculate("add", self, other)

    def __sub__(self, other: object) -> Any:
        return calculate("subtract", self, other)

    def __rsub__(self, other: object) -> Any:
        return calculate("subtract", other, self)

    def __mul__(self, other: object) -> Any:
        return calculate("multiply", self, other)

    __radd__ = __add__
    __rmul__ = __mul__

    def __index__(self) -> int:
        return int(bool(self))

    __int__ = __index__

    def __hash__(self) -> int:
        raise Leak("the hash of a symbolic truth value")

    def __str__(self) -> str:
        raise Leak("a symbolic truth value as text")

    __repr__ = __str__


def is_truth(thing: object) -> bool:
    """Whether ``thing`` is a truth value, symbolic or not."""
    return isinstance(thing, (bool, SymBool))


def combine(operation: str, left: Any, right: Any) -> Any:
    """Two truth values in one, remembered."""
    key = (operation, find_key(left), find_key(right))
    memo = context.current().memo
    if key not in memo:
        memo[key] = (compute_truth(operation, left, right), left, right)
    return memo[key][0]


def compute_truth(operation: str, left: Any, right: Any) -> Any:
    """The connectives, the constant cases first."""
    if isinstance(left, bool):
        left, right = right, left
    if isinstance(left, bool):
        table = {"and": left & right, "or": left | right, "iff": left == right, "xor": left != right}
        return table[operation]
    if isinstance(right, bool):
        if operation in ("and", "or"):
            return left if right is (operation == "and") else right
        return left if right is (operation == "iff") else negate(left)
    logic = context.current().logic
    return SymBool(getattr(logic, operation)(left.term, right.term))


def negate(truth: Any) -> Any:
    """The opposite."""
    return not truth if isinstance(truth, bool) else SymBool(context.current().logic.negate(truth.term))


class SymInt:
    """An integer that depends on the inputs: a term, the interval it lies in, its zeros at the right."""

    __slots__ = ("high", "low", "term", "zeros")

    def __init__(self, term: Term, low: int, high: int, zeros: int = 0) -> None:
        self.term = term
        self.low = low
        self.high = high
        self.zeros = zeros

    # -- arithmetic ---------------------------------------------------------------------------

    def __add__(self, other: object) -> Any:
        return calculate("add", self, other)

    __radd__ = __add__

    def __sub__(self, other: object) -> Any:
        return calculate("subtract", self, other)

    def __rsub__(self, other: object) -> Any:
        return calculate("subtract", other, self)

    def __mul__(self, other: object) -> Any:
        return calculate("multiply", self, other)

    __rmul__ = __mul__

    def __neg__(self) -> Any:
        return calculate("subtract", 0, self)

    def __invert__(self) -> Any:
        return calculate("subtract", -1, self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return -self if self < 0 else self

    def __floordiv__(self, other: object) -> Any:
        return calculate("divide", self, check_divisor(other))

    def __rfloordiv__(self, other: object) -> Any:
        return calculate("divide", other, check_divisor(self))

    def __mod__(self, other: object) -> Any:
        return calculate("remain", self, check_divisor(other))

    def __rmod__(self, other: object) -> Any:
        return calculate("remain", other, check_divisor(self))

    def __lshift__(self, count: object) -> Any:
        return calculate("shift_left", self, count)

    def __rshift__(self, count: object) -> Any:
        return calculate("shift_right", self, count)

    def __rlshift__(self, other: object) -> Any:
        raise Leak("a shift by a symbolic number")

    __rrshift__ = __rlshift__

    def __and__(self, other: object) -> Any:
        return calculate("both", self, other)

    def __or__(self, other: object) -> Any:
        return calculate("any", self, other)

    def __xor__(self, other: object) -> Any:
        return calculate("odd", self, other)

    __rand__ = __and__
    __ror__ = __or__
    __rxor__ = __xor__

    # -- order --------------------------------------------------------------------------------

    def __lt__(self, other: object) -> Any:
        return calculate("less", self, other)

    def __le__(self, other: object) -> Any:
        return calculate("less_or_equal", self, other)

    def __gt__(self, other: object) -> Any:
        return calculate("less", other, self)

    def __ge__(self, other: object) -> Any:
        return calculate("less_or_equal", other, self)

    def __eq__(self, other: object) -> Any:
        return calculate("equal", self, other) if is_number(other) else False

    def __ne__(self, other: object) -> Any:
        return calculate("unequal", self, other) if is_number(other) else True

    def __bool__(self) -> bool:
        return bool(self != 0)

    # -- what Python must know in numbers: one path for each value ------------------------------

    def __index__(self) -> int:
        return int(context.current().pick(self))

    __int__ = __index__

    def bit_length(self) -> "BitLength":
        """How many bits the absolute value has; it can be compared with a constant."""
        return BitLength(self)

    def to_bytes(self, length: int = 1, order: str = "big", *, signed: bool = False) -> Any:
        """As of int; the octets are symbolic."""
        if order != "big" or signed:
            raise Leak("to_bytes in another order than big-endian, or signed")
        if self < 0:
            raise OverflowError("can't convert negative int to unsigned")
        if self >> 8 * length != 0:
            raise OverflowError("int too big to convert")
        return context.current().make_octets(split(self, length))

    def __hash__(self) -> int:
        raise Leak("the hash of a symbolic number")

    def __str__(self) -> str:
        return str(int(self))

    __repr__ = __str__

    def __format__(self, form: str) -> str:
        return format(int(self), form)


class BitLength:
    """``SymInt.bit_length()``: only to be compared with a constant."""

    def __init__(self, number: SymInt) -> None:
        self.number = number

    def __gt__(self, bits: int) -> Any:
        return (self.number >= 1 << bits) | (self.number <= -(1 << bits))

    def __le__(self, bits: int) -> Any:
        return negate(self > bits)

    def __ge__(self, bits: int) -> Any:
        return self > bits - 1

    def __lt__(self, bits: int) -> Any:
        return negate(self > bits - 1)

    def __eq__(self, bits: object) -> Any:
        raise Leak("a symbolic bit length")

    def __hash__(self) -> int:
        raise Leak("the hash of a symbolic bit length")


def is_number(thing: object) -> bool:
    """Whether ``thing`` is a number, symbolic or not; truth values count as numbers, as in Python."""
    return isinstance(thing, (int, SymInt, SymBool))


def split(number: Any, length: int) -> list[Any]:
    """The lower ``8 * length`` bits of ``number`` as octets, the most significant first."""
    return [number >> 8 * (length - 1 - index) & 0xFF for index in range(length)]


def find_key(operand: Any) -> tuple[bool, int]:
    """By what an operand is remembered: a symbol by its identity, a constant by its value."""
    symbolic = isinstance(operand, (SymInt, SymBool))
    return (symbolic, id(operand) if symbolic else int(operand))


def calculate(operation: str, left: Any, right: Any) -> Any:
    """An operation on two numbers, remembered: execution comes this way again on every path."""
    if not is_number(left) or not is_number(right):
        return NotImplemented
    key = (operation, find_key(left), find_key(right))
    memo = context.current().memo
    if key not in memo:
        memo[key] = (OPERATIONS[operation](lift(left), lift(right)), left, right)
    return memo[key][0]


def lift(operand: Any) -> SymInt:
    """A number as a symbol."""
    if isinstance(operand, SymInt):
        return operand
    theory = context.current().theory
    if isinstance(operand, SymBool):
        return SymInt(theory.choose(operand.term), 0, 1)
    value = int(operand)
    return SymInt(theory.constant(value), value, value, count_zeros(value))


def count_zeros(value: int) -> int:
    """How many bits at the right are zero; of 0 we say none."""
    return (value & -value).bit_length() - 1 if value else 0


def settle(term: Term, low: int, high: int, zeros: int = 0) -> Any:
    """A number, concrete if its interval has one member."""
    return low if low == high else SymInt(term, low, high, zeros)


def _add(left: SymInt, right: SymInt) -> Any:
    low, high = left.low + right.low, left.high + right.high
    return settle(
        context.current().theory.add(left, right, low, high), low, high, min(left.zeros, right.zeros)
    )


def _subtract(left: SymInt, right: SymInt) -> Any:
    low, high = left.low - right.high, left.high - right.low
    return settle(
        context.current().theory.subtract(left, right, low, high), low, high, min(left.zeros, right.zeros)
    )


def _multiply(left: SymInt, right: SymInt) -> Any:
    corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
    low, high = min(corners), max(corners)
    return settle(
        context.current().theory.multiply(left, right, low, high), low, high, left.zeros + right.zeros
    )


def _shift_left(left: SymInt, right: SymInt) -> Any:
    if right.low != right.high:
        raise Leak("a shift by a symbolic number")
    count = right.low
    low, high = left.low << count, left.high << count
    return settle(context.current().theory.shift_left(left, count, low, high), low, high, left.zeros + count)


def _shift_right(left: SymInt, right: SymInt) -> Any:
    if right.low != right.high:
        raise Leak("a shift by a symbolic number")
    count = right.low
    low, high = left.low >> count, left.high >> count
    if low == high:
        return low
    return SymInt(context.current().theory.shift_right(left, count, low, high), low, high)


def check_divisor(divisor: object) -> object:
    """``divisor``, unless it is zero, which is a path of its own."""
    if isinstance(divisor, SymBool):
        raise Leak("a division by a truth value")
    if is_number(divisor) and divisor == 0:
        raise ZeroDivisionError("integer division or modulo by zero")
    if (divisor.low if isinstance(divisor, SymInt) else divisor) < 0:  # type: ignore[operator]
        raise Leak("a division by what may be negative")
    return divisor


def _divide(left: SymInt, right: SymInt) -> Any:
    least = max(1, right.low)
    corners = [a // b for a in (left.low, left.high) for b in (least, right.high)]
    low, high = min(corners), max(corners)
    return settle(context.current().theory.divide(left, right, low, high), low, high)


def _remain(left: SymInt, right: SymInt) -> Any:
    if left.low >= 0 and left.high < max(1, right.low):
        return left
    high = min(left.high, right.high - 1) if left.low >= 0 else right.high - 1
    return settle(context.current().theory.remain(left, right, 0, high), 0, high)


def _both(left: SymInt, right: SymInt) -> Any:
    if left.low == left.high:
        left, right = right, left
    mask = right.low
    if right.high == mask and is_mask(mask) and left.low >= 0 and left.high <= mask:
        return left
    tops = [one.high for one in (left, right) if one.low >= 0]
    low, high = (0, min(tops)) if tops else span(left, right)
    if low == high:
        return low
    return SymInt(
        context.current().theory.both(left, right, low, high), low, high, max(left.zeros, right.zeros)
    )


def _any(left: SymInt, right: SymInt) -> Any:
    low, high = span(left, right)
    if left.low >= 0 and right.low >= 0:
        low = max(left.low, right.low)
    term = context.current().theory.any(left, right, low, high)
    return settle(term, low, high, min(left.zeros, right.zeros))


def _odd(left: SymInt, right: SymInt) -> Any:
    low, high = span(left, right)
    term = context.current().theory.odd(left, right, low, high)
    return settle(term, low, high, min(left.zeros, right.zeros))


def is_mask(value: int) -> bool:
    """Whether ``value`` is 2**k - 1 and not 0."""
    return value > 0 and value & (value + 1) == 0


def span(left: SymInt, right: SymInt) -> tuple[int, int]:
    """The interval of all that bit operations can make of the two."""
    bits = max(one.bit_length() for one in (left.low, left.high, right.low, right.high))
    return (0 if left.low >= 0 and right.low >= 0 else -(1 << bits), (1 << bits) - 1)


def _less(left: SymInt, right: SymInt) -> Any:
    if left.high < right.low:
        return True
    if left.low >= right.high:
        return False
    return SymBool(context.current().theory.less(left, right))


def _less_or_equal(left: SymInt, right: SymInt) -> Any:
    return negate(_less(right, left))


def _equal(left: SymInt, right: SymInt) -> Any:
    if left.high < right.low or right.high < left.low:
        return False
    if left.term is right.term or left.low == left.high == right.low == right.high:
        return True
    return SymBool(context.current().theory.equal(left, right))


def _unequal(left: SymInt, right: SymInt) -> Any:
    return negate(_equal(left, right))


OPERATIONS = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "remain": _remain,
    "shift_left": _shift_left,
    "shift_right": _shift_right,
    "both": _both,
    "any": _any,
    "odd": _odd,
    "less": _less,
    "less_or_equal": _less_or_equal,
    "equal": _equal,
    "unequal": _unequal,
}
